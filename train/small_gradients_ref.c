/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "train/small_gradients_priv.h"

static float from_bits(uint32_t bits) {
    float value = 0.0f;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t magnitude_bits(float value) {
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7FFFFFFFu;
}

float lutra_gradient_step(uint32_t largest) {
    const float magnitude = from_bits(largest);
    if (largest >= 0x7F800000u) {
        return NAN;
    }
    return magnitude < 0x1p-100f ? 0.0f
                                 : (magnitude / (float)LUTRA_SMALL_LARGEST) * (1.0f + 0x1p-21f);
}

float lutra_gradient_inverse(float step) {
    return step > 0.0f ? 1.0f / step : 0.0f;
}

int32_t lutra_gradient_byte(float value, float inverse, LutraGradientDraws draws, uint32_t index) {
    const float most = (float)LUTRA_SMALL_LARGEST;
    float scaled = value * inverse;
    scaled = scaled > -most ? scaled : -most; /* a NaN takes this end */
    scaled = scaled < most ? scaled : most;
    const uint32_t bits = lutra_gradient_hash(draws, index) >> 16;
    const float uniform = ((float)bits * 0x1p-16f) + 0x1p-17f;
    return (int32_t)floorf(scaled + uniform); /* at most 127 + 1 - 2^-17, a number of its own */
}

void lutra_small_largest_ref(uint32_t *largest, const float *values, size_t images,
                             size_t positions) {
    for (size_t n = 0; n < images; n++) {
        for (size_t p = 0; p < positions; p++) {
            const uint32_t bits = magnitude_bits(values[(n * positions) + p]);
            largest[n] = bits > largest[n] ? bits : largest[n];
        }
    }
}

static uint32_t byte_at(int32_t value, uint32_t place) {
    return ((uint32_t)value & 0xFFu) << (8 * place);
}

void lutra_small_pack_columns_ref(uint32_t *words, const float *const rows[4], size_t count,
                                  const float *inverses, LutraGradientDraws draws,
                                  const uint32_t indexes[4]) {
    for (size_t i = 0; i < count; i++) {
        words[i] = 0;
        for (uint32_t j = 0; j < 4; j++) {
            if (rows[j] != NULL) {
                words[i] |= byte_at(lutra_gradient_byte(rows[j][i], inverses[i], draws,
                                                        indexes[j] + (uint32_t)i), j);
            }
        }
    }
}

void lutra_small_pack_across_ref(uint32_t *words, size_t words_stride, const float *first,
                                 size_t image_stride, uint32_t images, size_t row_stride,
                                 uint32_t rows, size_t count, const float *inverses,
                                 LutraGradientDraws draws, uint32_t index) {
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < LUTRA_SMALL_LANES; r++) {
            uint32_t word = 0;
            for (uint32_t j = 0; r < rows && j < images; j++) {
                const size_t at = (r * row_stride) + (j * image_stride) + i;
                word |= byte_at(lutra_gradient_byte(first[at], inverses[r], draws,
                                                    index + (uint32_t)at), j);
            }
            words[(i * words_stride) + r] = word;
        }
    }
}

void lutra_small_weave_ref(uint32_t *words, const uint8_t *const rows[4], size_t count) {
    for (size_t i = 0; i < count; i++) {
        words[i] = 0;
        for (uint32_t j = 0; j < 4; j++) {
            words[i] |= rows[j] == NULL ? 0 : (uint32_t)rows[j][i] << (8 * j);
        }
    }
}

static int32_t signed_byte(uint32_t word, uint32_t place) {
    const int32_t byte = (int32_t)((word >> (8 * place)) & 0xFFu);
    return byte < 128 ? byte : byte - 256;
}

static int32_t block_sum(const LutraSmallBlock *block, size_t row, size_t lane) {
    int32_t total = 0;
    for (size_t s = 0; s < block->steps; s++) {
        const uint32_t a = block->rows[block->row_offsets[row] + block->step_offsets[s]];
        const uint32_t b = block->lanes[(s * block->lanes_stride) + lane];
        for (uint32_t j = 0; j < 4; j++) {
            total += (int32_t)((a >> (8 * j)) & 0xFFu) * signed_byte(b, j);
        }
    }
    return total;
}

void lutra_small_products_ref(int32_t *sums, size_t sums_stride, const LutraSmallBlock *block,
                              bool add) {
    for (size_t r = 0; r < block->row_count; r++) {
        for (size_t l = 0; l < (size_t)block->vectors * LUTRA_SMALL_LANES; l++) {
            int32_t *const to = sums + (r * sums_stride) + l;
            *to = block_sum(block, r, l) + (add ? *to : 0);
        }
    }
}

void lutra_small_product_reals_ref(float *sums, size_t sums_stride, const LutraSmallBlock *block,
                                   const int32_t *bases) {
    for (size_t r = 0; r < block->row_count; r++) {
        for (size_t l = 0; l < (size_t)block->vectors * LUTRA_SMALL_LANES; l++) {
            sums[(r * sums_stride) + l] = (float)(block_sum(block, r, l) + bases[l]);
        }
    }
}

void lutra_small_lane_sums_ref(int32_t *sums, const LutraSmallBlock *block, bool add) {
    for (size_t l = 0; l < (size_t)block->vectors * LUTRA_SMALL_LANES; l++) {
        int32_t total = add ? sums[l] : 0;
        for (size_t s = 0; s < block->steps; s++) {
            for (uint32_t j = 0; j < 4; j++) {
                total += signed_byte(block->lanes[(s * block->lanes_stride) + l], j);
            }
        }
        sums[l] = total;
    }
}

void lutra_small_kernels_init(LutraSmallKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraSmallKernels){
        .largest = lutra_small_largest_ref,
        .pack_columns = lutra_small_pack_columns_ref,
        .pack_across = lutra_small_pack_across_ref,
        .weave = lutra_small_weave_ref,
        .products = lutra_small_products_ref,
        .product_reals = lutra_small_product_reals_ref,
        .lane_sums = lutra_small_lane_sums_ref,
    };
#if defined(__x86_64__)
    if ((cpu_flags & LUTRA_CPU_VNNI) != 0) {
        lutra_small_kernels_avx512(kernels);
    }
#else
    (void)cpu_flags;
#endif
}
