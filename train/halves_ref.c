/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cpu.h"
#include "train/halves_priv.h"

static uint32_t half_bits(float value) {
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude < 0x00800000u) { /* zero or subnormal */
        return (bits & 0x80000000u) >> 16;
    }
    if (magnitude > 0x7F800000u) { /* NaN: made quiet, so that truncation keeps it one */
        return (bits | 0x00400000u) >> 16;
    }
    return (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
}

static float half_value(uint32_t half) {
    const uint32_t bits = half << 16;
    float value = 0.0f;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float lutra_half_round(float value) {
    return half_value(half_bits(value));
}

static uint32_t pair(float first, float second) {
    return half_bits(first) | (half_bits(second) << 16);
}

void lutra_half_pack_reals_ref(uint32_t *words, const float *first, const float *second,
                               size_t count) {
    for (size_t i = 0; i < count; i++) {
        words[i] = pair(first[i], second == NULL ? 0.0f : second[i]);
    }
}

void lutra_half_pack_reals_across_ref(uint32_t *words, size_t words_stride, const float *first,
                                      const float *second, size_t row_stride, uint32_t rows,
                                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < LUTRA_HALF_LANES; r++) {
            const size_t at = (r * row_stride) + i;
            words[(i * words_stride) + r] =
                r >= rows ? 0 : pair(first[at], second == NULL ? 0.0f : second[at]);
        }
    }
}

void lutra_half_pack_bytes_ref(uint32_t *words, const uint8_t *first, const uint8_t *second,
                               size_t count, int32_t offset) {
    for (size_t i = 0; i < count; i++) {
        words[i] = pair((float)(first[i] + offset),
                        second == NULL ? 0.0f : (float)(second[i] + offset));
    }
}

void lutra_half_products_ref(float *sums, size_t sums_stride, const LutraHalfBlock *block,
                             bool add) {
    for (size_t r = 0; r < block->row_count; r++) {
        for (size_t l = 0; l < (size_t)block->vectors * LUTRA_HALF_LANES; l++) {
            float total = 0.0f;
            for (size_t s = 0; s < block->steps; s++) {
                const uint32_t a = block->rows[block->row_offsets[r] + block->step_offsets[s]];
                const uint32_t b = block->lanes[(s * block->lanes_stride) + l];
                total += half_value(a >> 16) * half_value(b >> 16);
                total += half_value(a & 0xFFFFu) * half_value(b & 0xFFFFu);
            }
            float *const to = sums + (r * sums_stride) + l;
            *to = add ? *to + total : total;
        }
    }
}

void lutra_half_kernels_init(LutraHalfKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraHalfKernels){
        .pack_reals = lutra_half_pack_reals_ref,
        .pack_reals_across = lutra_half_pack_reals_across_ref,
        .pack_bytes = lutra_half_pack_bytes_ref,
        .products = lutra_half_products_ref,
    };
#if defined(__x86_64__)
    if ((cpu_flags & LUTRA_CPU_BF16) != 0) {
        lutra_half_kernels_avx512bf16(kernels);
    }
#else
    (void)cpu_flags;
#endif
}
