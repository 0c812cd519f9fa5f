/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the two gradients in eight bits. */
#ifndef LUTRA_TRAIN_SMALL_CONVOLUTION_PRIV_H
#define LUTRA_TRAIN_SMALL_CONVOLUTION_PRIV_H

#include "train/sizes_priv.h"
#include "train/small_convolution.h"

/* Scratch of either gradient, in floats. */
size_t lutra_small_weight_scratch(const LutraConvShape *shape, uint32_t threads);
size_t lutra_small_input_scratch(const LutraConvShape *shape, uint32_t threads);

/* Whether the sums of the weight gradient, as they are cut, stay within 32 bits. */
bool lutra_small_weight_sums_fit(const LutraConvShape *shape, uint32_t threads);

#endif
