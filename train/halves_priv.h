/* SPDX-License-Identifier: Apache-2.0 */
/* The versions of the kernels on bfloat16. */
#ifndef LUTRA_TRAIN_HALVES_PRIV_H
#define LUTRA_TRAIN_HALVES_PRIV_H

#include "train/halves.h"

void lutra_half_pack_reals_ref(uint32_t *words, const float *first, const float *second,
                               size_t count);
void lutra_half_pack_reals_across_ref(uint32_t *words, size_t words_stride, const float *first,
                                      const float *second, size_t row_stride, uint32_t rows,
                                      size_t count);
void lutra_half_pack_bytes_ref(uint32_t *words, const uint8_t *first, const uint8_t *second,
                               size_t count, int32_t offset);
void lutra_half_products_ref(float *sums, size_t sums_stride, const LutraHalfBlock *block,
                             bool add);

/* Overwrites all entries. */
void lutra_half_kernels_avx512bf16(LutraHalfKernels *kernels);

#endif
