/* SPDX-License-Identifier: Apache-2.0 */
/* The versions of the kernels on gradients in eight bits. */
#ifndef LUTRA_TRAIN_SMALL_GRADIENTS_PRIV_H
#define LUTRA_TRAIN_SMALL_GRADIENTS_PRIV_H

#include "train/small_gradients.h"

void lutra_small_largest_ref(uint32_t *largest, const float *values, size_t images,
                             size_t positions);
void lutra_small_pack_columns_ref(uint32_t *words, const float *const rows[4], size_t count,
                                  const float *inverses, LutraGradientDraws draws,
                                  const uint32_t indexes[4]);
void lutra_small_pack_across_ref(uint32_t *words, size_t words_stride, const float *first,
                                 size_t image_stride, uint32_t images, size_t row_stride,
                                 uint32_t rows, size_t count, const float *inverses,
                                 LutraGradientDraws draws, uint32_t index);
void lutra_small_weave_ref(uint32_t *words, const uint8_t *const rows[4], size_t count);
void lutra_small_products_ref(int32_t *sums, size_t sums_stride, const LutraSmallBlock *block,
                              bool add);
void lutra_small_product_reals_ref(float *sums, size_t sums_stride, const LutraSmallBlock *block,
                                   const int32_t *bases);
void lutra_small_lane_sums_ref(int32_t *sums, const LutraSmallBlock *block, bool add);

/* Overwrites all entries. */
void lutra_small_kernels_avx512(LutraSmallKernels *kernels);

#endif
