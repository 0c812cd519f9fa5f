/* SPDX-License-Identifier: Apache-2.0 */
/* The versions of the kernels on ternary bits. */
#ifndef LUTRA_TRAIN_TERNARY_PRIV_H
#define LUTRA_TRAIN_TERNARY_PRIV_H

#include "train/ternary.h"

void lutra_ternary_products_ref(float *sums, const LutraTernaryPlanes *planes,
                                const uint32_t *offsets, size_t steps, const uint64_t *weights,
                                size_t positions);
void lutra_ternary_pack_ref(uint64_t *nonzero, uint64_t *negative, const uint8_t *bytes,
                            size_t channel_stride, uint32_t channels, size_t count);

/* Overwrites all entries. */
void lutra_ternary_kernels_avx512(LutraTernaryKernels *kernels);

#endif
