/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVX-512 kernels for the dot products: a step's 64 bytes of weights are one vector. Ternary pairs
 * by vpshufb (BW); bytes by vpdpbusd (VNNI), which adds into int32 and never saturates.
 */
#include "sim/kernels.h"

#if defined(__AVX512BW__) && defined(__AVX512VNNI__)

#include <immintrin.h>

#include "base/status.h"

enum {
    PIXELS = 8,
    SPREAD_PAIRS = 9, /* of ternary codes: their tables are copied to whole vectors */
    LANE_BYTES = 16
};

#define INLINE static inline __attribute__((always_inline))

/** The 4 bytes of one step in every lane. */
INLINE __m512i broadcast_step(const uint8_t *x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

/* ---- ternary pairs ---- */

/** Adds the even and the odd bytes of `bytes` to int16 sums. */
INLINE void widen_add(__m512i *even, __m512i *odd, __m512i bytes) {
    *even = _mm512_add_epi16(*even, _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8));
    *odd = _mm512_add_epi16(*odd, _mm512_srai_epi16(bytes, 8));
}

/** Stores up to 32 corrected channels; `channels` is 16 or 32. */
INLINE void ternary_store(const LutraDotTask *task, size_t pixel, size_t channel, size_t channels,
                          __m512i sums) {
    int16_t *const y = (int16_t *)task->y + pixel * task->stride + channel;
    const int32_t *const correction = task->correction + channel;
    const __m256i c0 = _mm512_cvtepi32_epi16(_mm512_loadu_si512(correction));
    _mm256_storeu_si256((__m256i *)y, _mm256_add_epi16(_mm512_castsi512_si256(sums), c0));
    if (channels == 32) {
        const __m256i c1 = _mm512_cvtepi32_epi16(_mm512_loadu_si512(correction + 16));
        _mm256_storeu_si256((__m256i *)(y + 16),
                            _mm256_add_epi16(_mm512_extracti64x4_epi64(sums, 1), c1));
    }
}

/** Puts the 64 channels of one block back in order and stores those that exist. */
INLINE void ternary_finish(const LutraDotTask *task, size_t pixel, size_t channel, __m512i even,
                           __m512i odd) {
    /* quarter q of low holds channels 16 q .. 16 q + 7, of high the 8 after them */
    const __m512i low = _mm512_unpacklo_epi16(even, odd);
    const __m512i high = _mm512_unpackhi_epi16(even, odd);
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    const size_t left = task->stride - channel;
    ternary_store(task, pixel, channel, left < 32 ? 16 : 32,
                  _mm512_permutex2var_epi64(low, first, high));
    if (left > 32) {
        ternary_store(task, pixel, channel + 32, left < 64 ? 16 : 32,
                      _mm512_permutex2var_epi64(low, second, high));
    }
}

/** Table of a pair in every lane; x is twice the pair. Loading a whole vector is faster than
 * spreading 16 bytes where 512 bits are two halves. */
INLINE __m512i pair_table(const int8_t *tables, uint8_t x, bool spread) {
    if (spread) {
        return _mm512_load_si512(tables + 8 * (sizeof(__m512i) / LANE_BYTES) * (size_t)x);
    }
    return _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(tables + 8 * (size_t)x)));
}

/** `tables` in the form that pair_table wants. */
INLINE void ternary_tile(const LutraDotTask *task, const int8_t *tables, bool spread, size_t pixel,
                         size_t pixels, size_t channel) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const uint8_t *weights = task->weights + channel / LUTRA_SIM_TERNARY_CHANNELS * steps *
                                                 LUTRA_SIM_STEP_BYTES;
    __m512i sum[PIXELS];
    __m512i even[PIXELS];
    __m512i odd[PIXELS];
    for (size_t p = 0; p < pixels; p++) {
        sum[p] = even[p] = odd[p] = _mm512_setzero_si512();
    }
    size_t left = task->flush_steps;
    for (size_t r = 0; r < task->rows; r++) {
        const uint8_t *x[PIXELS];
        for (size_t p = 0; p < pixels; p++) {
            x[p] = task->x + task->pixel_offsets[pixel + p] + r * task->row_bytes;
        }
        for (size_t s = 0; s < task->row_steps;) {
            const size_t end = task->row_steps - s < left ? task->row_steps : s + left;
            left -= end - s;
            for (; s < end; s++) {
                const __m512i w = _mm512_load_si512(weights);
                for (size_t p = 0; p < pixels; p++) {
                    const __m512i table = pair_table(tables, x[p][s], spread);
                    sum[p] = _mm512_add_epi8(sum[p], _mm512_shuffle_epi8(table, w));
                }
                weights += LUTRA_SIM_STEP_BYTES;
            }
            if (left == 0) {
                for (size_t p = 0; p < pixels; p++) {
                    widen_add(&even[p], &odd[p], sum[p]);
                    sum[p] = _mm512_setzero_si512();
                }
                left = task->flush_steps;
            }
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        widen_add(&even[p], &odd[p], sum[p]);
        ternary_finish(task, pixel + p, channel, even[p], odd[p]);
    }
}

INLINE void dot_ternary(const LutraDotTask *task, const int8_t *tables, bool spread) {
    for (size_t c = 0; c < task->stride; c += LUTRA_SIM_TERNARY_CHANNELS) {
        size_t p = 0;
        for (; p + 8 <= task->pixels; p += 8) {
            ternary_tile(task, tables, spread, p, 8, c);
        }
        if (p + 4 <= task->pixels) {
            ternary_tile(task, tables, spread, p, 4, c);
            p += 4;
        }
        if (p + 2 <= task->pixels) {
            ternary_tile(task, tables, spread, p, 2, c);
            p += 2;
        }
        if (p < task->pixels) {
            ternary_tile(task, tables, spread, p, 1, c);
        }
    }
}

void lutra_sim_dot_ternary16_avx512(const LutraDotTask *task) {
    LUTRA_ASSERT(task->stride % LUTRA_SIM_LANES == 0 && task->flush_steps >= 1);
    if (task->pair_count > SPREAD_PAIRS) {
        dot_ternary(task, task->pair_tables, false);
        return;
    }
    _Alignas(sizeof(__m512i)) int8_t spread[SPREAD_PAIRS * sizeof(__m512i)];
    for (size_t pair = 0; pair < task->pair_count; pair++) {
        const __m128i table =
            _mm_load_si128((const __m128i *)(task->pair_tables + LANE_BYTES * pair));
        _mm512_store_si512(spread + sizeof(__m512i) * pair, _mm512_broadcast_i32x4(table));
    }
    dot_ternary(task, spread, true);
}

/* ---- bytes and words: 16 channels are one vector of int32 ---- */

typedef enum { BYTES16, BYTES32, WORDS32 } DotKind;

INLINE void dot_tile(const LutraDotTask *task, size_t pixel, size_t pixels, size_t channel,
                     DotKind kind) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const uint8_t *weights =
        task->weights + channel / LUTRA_SIM_DOT_CHANNELS * steps * LUTRA_SIM_STEP_BYTES;
    __m512i sum[PIXELS];
    for (size_t p = 0; p < pixels; p++) {
        sum[p] = _mm512_loadu_si512(task->correction + channel);
    }
    for (size_t r = 0; r < task->rows; r++) {
        const uint8_t *x[PIXELS];
        for (size_t p = 0; p < pixels; p++) {
            x[p] = task->x + task->pixel_offsets[pixel + p] + r * task->row_bytes;
        }
        for (size_t s = 0; s < task->row_steps; s++) {
            const __m512i w = _mm512_load_si512(weights);
            for (size_t p = 0; p < pixels; p++) {
                const __m512i codes = broadcast_step(x[p] + 4 * s);
                sum[p] = kind == WORDS32
                             ? _mm512_add_epi32(sum[p], _mm512_madd_epi16(codes, w))
                             : _mm512_dpbusd_epi32(sum[p], codes, w);
            }
            weights += LUTRA_SIM_STEP_BYTES;
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        const size_t at = (pixel + p) * task->stride + channel;
        if (kind == BYTES16) {
            _mm256_storeu_si256((__m256i *)((int16_t *)task->y + at),
                                _mm512_cvtepi32_epi16(sum[p]));
        } else {
            _mm512_storeu_si512((int32_t *)task->y + at, sum[p]);
        }
    }
}

INLINE void dot(const LutraDotTask *task, DotKind kind) {
    LUTRA_ASSERT(task->stride % LUTRA_SIM_LANES == 0);
    for (size_t c = 0; c < task->stride; c += LUTRA_SIM_DOT_CHANNELS) {
        size_t p = 0;
        for (; p + 8 <= task->pixels; p += 8) {
            dot_tile(task, p, 8, c, kind);
        }
        if (p + 4 <= task->pixels) {
            dot_tile(task, p, 4, c, kind);
            p += 4;
        }
        if (p + 2 <= task->pixels) {
            dot_tile(task, p, 2, c, kind);
            p += 2;
        }
        if (p < task->pixels) {
            dot_tile(task, p, 1, c, kind);
        }
    }
}

void lutra_sim_dot_bytes16_avx512(const LutraDotTask *task) {
    dot(task, BYTES16);
}

void lutra_sim_dot_bytes32_avx512(const LutraDotTask *task) {
    dot(task, BYTES32);
}

void lutra_sim_dot_words32_avx512(const LutraDotTask *task) {
    dot(task, WORDS32);
}

#endif
