/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the products on bfloat16. */
#ifndef LUTRA_TRAIN_HALF_CONVOLUTION_PRIV_H
#define LUTRA_TRAIN_HALF_CONVOLUTION_PRIV_H

#include "train/half_convolution.h"
#include "train/sizes_priv.h"

/* Scratch of each of them, in floats. */
size_t lutra_half_weight_scratch(const LutraConvShape *shape, uint32_t threads);
size_t lutra_half_input_scratch(const LutraConvShape *shape, uint32_t threads);
size_t lutra_half_forward_scratch(const LutraConvShape *shape, uint32_t threads);

#endif
