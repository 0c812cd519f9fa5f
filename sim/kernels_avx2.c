/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVX2 kernels. Dot products keep a few pixels x one or two vectors of channels in registers: a
 * step loads the weights once and one small broadcast per pixel. Ternary pairs are looked up by
 * vpshufb, two multiply-adds per byte.
 */
#include "sim/kernels.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "base/status.h"
#include "sim/kernels_priv.h"

enum { PIXELS = 4, HALF_BYTES = LUTRA_SIM_STEP_BYTES / 2 };

#define INLINE static inline __attribute__((always_inline))

/* ---- ternary pairs ---- */

/* int16 sums of the even and of the odd bytes of one vector of 32 channels. */
typedef struct {
    __m256i even;
    __m256i odd;
} Widened;

INLINE void widen_add(Widened *sum, __m256i bytes) {
    const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
    sum->even = _mm256_add_epi16(sum->even, even);
    sum->odd = _mm256_add_epi16(sum->odd, _mm256_srai_epi16(bytes, 8));
}

/** Puts 32 channels back in order, corrects them and stores the first `channels` (16 or 32). */
INLINE void ternary_store(const LutraDotTask *task, size_t pixel, size_t channel, size_t channels,
                          const Widened *sum) {
    int16_t *const y = (int16_t *)task->y + pixel * task->stride + channel;
    const int32_t *const correction = task->correction + channel;
    const __m256i low = _mm256_unpacklo_epi16(sum->even, sum->odd);
    const __m256i high = _mm256_unpackhi_epi16(sum->even, sum->odd);
    const __m256i halves[2] = {_mm256_permute2x128_si256(low, high, 0x20),
                               _mm256_permute2x128_si256(low, high, 0x31)};
    for (size_t h = 0; h < channels / 16; h++) {
        const __m256i c0 = _mm256_loadu_si256((const __m256i *)(correction + 16 * h));
        const __m256i c1 = _mm256_loadu_si256((const __m256i *)(correction + 16 * h + 8));
        const __m256i low_mask = _mm256_set1_epi32(0xFFFF);
        const __m256i packed =
            _mm256_permute4x64_epi64(_mm256_packus_epi32(_mm256_and_si256(c0, low_mask),
                                                         _mm256_and_si256(c1, low_mask)),
                                     0xD8);
        _mm256_storeu_si256((__m256i *)(y + 16 * h), _mm256_add_epi16(halves[h], packed));
    }
}

/** One step: `pixels` x `vectors` look-ups with the weights at `weights`. */
INLINE void ternary_step(__m256i sum[PIXELS][2], const int8_t *tables, const uint8_t *weights,
                         const uint8_t *const x[PIXELS], size_t step, size_t pixels,
                         size_t vectors) {
    __m256i w[2];
    for (size_t v = 0; v < vectors; v++) {
        w[v] = _mm256_load_si256((const __m256i *)(weights + HALF_BYTES * v));
    }
    for (size_t p = 0; p < pixels; p++) {
        const __m256i table = _mm256_broadcastsi128_si256(
            _mm_load_si128((const __m128i *)(tables + 8 * (size_t)x[p][step])));
        for (size_t v = 0; v < vectors; v++) {
            sum[p][v] = _mm256_add_epi8(sum[p][v], _mm256_shuffle_epi8(table, w[v]));
        }
    }
}

/** The case that counts, 4 x 2, with its sums named so that they stay in registers. */
INLINE void ternary_steps_4x2(__m256i sum[PIXELS][2], const int8_t *tables,
                              const uint8_t *weights, const uint8_t *const x[PIXELS],
                              size_t count) {
    __m256i s00 = sum[0][0], s01 = sum[0][1], s10 = sum[1][0], s11 = sum[1][1];
    __m256i s20 = sum[2][0], s21 = sum[2][1], s30 = sum[3][0], s31 = sum[3][1];
    const uint8_t *const x0 = x[0], *const x1 = x[1], *const x2 = x[2], *const x3 = x[3];
#define TABLE(index) \
    _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(tables + 8 * (size_t)(index))))
    for (size_t s = 0; s < count; s++) {
        const __m256i w0 = _mm256_load_si256((const __m256i *)(weights));
        const __m256i w1 = _mm256_load_si256((const __m256i *)(weights + HALF_BYTES));
        const __m256i t0 = TABLE(x0[s]);
        s00 = _mm256_add_epi8(s00, _mm256_shuffle_epi8(t0, w0));
        s01 = _mm256_add_epi8(s01, _mm256_shuffle_epi8(t0, w1));
        const __m256i t1 = TABLE(x1[s]);
        s10 = _mm256_add_epi8(s10, _mm256_shuffle_epi8(t1, w0));
        s11 = _mm256_add_epi8(s11, _mm256_shuffle_epi8(t1, w1));
        const __m256i t2 = TABLE(x2[s]);
        s20 = _mm256_add_epi8(s20, _mm256_shuffle_epi8(t2, w0));
        s21 = _mm256_add_epi8(s21, _mm256_shuffle_epi8(t2, w1));
        const __m256i t3 = TABLE(x3[s]);
        s30 = _mm256_add_epi8(s30, _mm256_shuffle_epi8(t3, w0));
        s31 = _mm256_add_epi8(s31, _mm256_shuffle_epi8(t3, w1));
        weights += LUTRA_SIM_STEP_BYTES;
    }
#undef TABLE
    sum[0][0] = s00, sum[0][1] = s01, sum[1][0] = s10, sum[1][1] = s11;
    sum[2][0] = s20, sum[2][1] = s21, sum[3][0] = s30, sum[3][1] = s31;
}

/** Some steps of one window row, few enough that no byte overflows. */
INLINE void ternary_steps(__m256i sum[PIXELS][2], const int8_t *tables, const uint8_t *weights,
                          const uint8_t *const x[PIXELS], size_t count, size_t pixels,
                          size_t vectors) {
    if (pixels == 4 && vectors == 2) {
        ternary_steps_4x2(sum, tables, weights, x, count);
        return;
    }
    for (size_t s = 0; s < count; s++) {
        ternary_step(sum, tables, weights, x, s, pixels, vectors);
        weights += LUTRA_SIM_STEP_BYTES;
    }
}

/** `pixels` <= PIXELS results for one block of weights; `vectors` of 32 channels, 1 or 2. */
INLINE void ternary_tile(const LutraDotTask *task, size_t pixel, size_t pixels, size_t channel,
                         size_t vectors) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const uint8_t *weights = task->weights + channel / LUTRA_SIM_TERNARY_CHANNELS * steps *
                                                 LUTRA_SIM_STEP_BYTES;
    __m256i sum[PIXELS][2];
    Widened wide[PIXELS][2];
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < vectors; v++) {
            sum[p][v] = _mm256_setzero_si256();
            wide[p][v] = (Widened){_mm256_setzero_si256(), _mm256_setzero_si256()};
        }
    }
    size_t left = task->flush_steps;
    for (size_t r = 0; r < task->rows; r++) {
        const uint8_t *x[PIXELS];
        for (size_t p = 0; p < pixels; p++) {
            x[p] = task->x + task->pixel_offsets[pixel + p] + r * task->row_bytes;
        }
        for (size_t s = 0; s < task->row_steps;) {
            const size_t count = task->row_steps - s < left ? task->row_steps - s : left;
            ternary_steps(sum, task->pair_tables, weights, x, count, pixels, vectors);
            weights += count * LUTRA_SIM_STEP_BYTES;
            s += count;
            left -= count;
            for (size_t p = 0; p < pixels; p++) {
                x[p] += count;
            }
            if (left == 0) {
                for (size_t p = 0; p < pixels; p++) {
                    for (size_t v = 0; v < vectors; v++) {
                        widen_add(&wide[p][v], sum[p][v]);
                        sum[p][v] = _mm256_setzero_si256();
                    }
                }
                left = task->flush_steps;
            }
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < vectors; v++) {
            const size_t at = channel + 32 * v;
            widen_add(&wide[p][v], sum[p][v]);
            ternary_store(task, pixel + p, at, task->stride - at < 32 ? 16 : 32, &wide[p][v]);
        }
    }
}

INLINE void ternary_row(const LutraDotTask *task, size_t channel, size_t vectors) {
    size_t p = 0;
    for (; p + 4 <= task->pixels; p += 4) {
        ternary_tile(task, p, 4, channel, vectors);
    }
    switch (task->pixels - p) {
        case 3: ternary_tile(task, p, 3, channel, vectors); break;
        case 2: ternary_tile(task, p, 2, channel, vectors); break;
        case 1: ternary_tile(task, p, 1, channel, vectors); break;
        default: break;
    }
}

void lutra_sim_dot_ternary16_avx2(const LutraDotTask *task) {
    LUTRA_ASSERT(task->stride % LUTRA_SIM_LANES == 0 && task->flush_steps >= 1);
    for (size_t c = 0; c < task->stride; c += LUTRA_SIM_TERNARY_CHANNELS) {
        if (task->stride - c > 32) {
            ternary_row(task, c, 2);
        } else {
            ternary_row(task, c, 1);
        }
    }
}

/* ---- bytes and words: 16 channels are two vectors of 8 channels ---- */

typedef enum { BYTES16, BYTES32, WORDS32 } DotKind;

INLINE __m256i broadcast_step(const uint8_t *x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

/** Stores 16 channels whose int32 sums lie in two vectors. */
INLINE void dot_store(const LutraDotTask *task, size_t pixel, size_t channel, __m256i low,
                      __m256i high, DotKind kind) {
    const __m256i *const correction = (const __m256i *)(task->correction + channel);
    const size_t at = pixel * task->stride + channel;
    const __m256i y0 = _mm256_add_epi32(low, _mm256_loadu_si256(correction));
    const __m256i y1 = _mm256_add_epi32(high, _mm256_loadu_si256(correction + 1));
    if (kind == BYTES16) {
        const __m256i mask = _mm256_set1_epi32(0xFFFF); /* wraps as the reference does */
        const __m256i packed =
            _mm256_packus_epi32(_mm256_and_si256(y0, mask), _mm256_and_si256(y1, mask));
        _mm256_storeu_si256((__m256i *)((int16_t *)task->y + at),
                            _mm256_permute4x64_epi64(packed, 0xD8));
    } else {
        _mm256_storeu_si256((__m256i *)((int32_t *)task->y + at), y0);
        _mm256_storeu_si256((__m256i *)((int32_t *)task->y + at + 8), y1);
    }
}

INLINE void dot_tile(const LutraDotTask *task, size_t pixel, size_t pixels, size_t channel,
                     DotKind kind) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const uint8_t *weights =
        task->weights + channel / LUTRA_SIM_DOT_CHANNELS * steps * LUTRA_SIM_STEP_BYTES;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[PIXELS][2];
    __m256i wide[PIXELS][2];
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < 2; v++) {
            sum[p][v] = _mm256_setzero_si256();
            wide[p][v] = _mm256_setzero_si256();
        }
    }
    size_t left = kind == BYTES32 ? task->flush_steps : SIZE_MAX;
    for (size_t r = 0; r < task->rows; r++) {
        const uint8_t *x[PIXELS];
        for (size_t p = 0; p < pixels; p++) {
            x[p] = task->x + task->pixel_offsets[pixel + p] + r * task->row_bytes;
        }
        size_t s = 0;
        while (s < task->row_steps) {
            const size_t end = task->row_steps - s < left ? task->row_steps : s + left;
            left -= kind == BYTES32 ? end - s : 0;
            for (; s < end; s++) {
                const __m256i w0 = _mm256_load_si256((const __m256i *)weights);
                const __m256i w1 = _mm256_load_si256((const __m256i *)(weights + HALF_BYTES));
                for (size_t p = 0; p < pixels; p++) {
                    const __m256i codes = broadcast_step(x[p] + 4 * s);
                    if (kind == WORDS32) {
                        sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(codes, w0));
                        sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(codes, w1));
                    } else {
                        sum[p][0] = _mm256_add_epi16(sum[p][0], _mm256_maddubs_epi16(codes, w0));
                        sum[p][1] = _mm256_add_epi16(sum[p][1], _mm256_maddubs_epi16(codes, w1));
                    }
                }
                weights += LUTRA_SIM_STEP_BYTES;
            }
            if (kind == BYTES32 && left == 0) {
                for (size_t p = 0; p < pixels; p++) {
                    for (size_t v = 0; v < 2; v++) {
                        wide[p][v] =
                            _mm256_add_epi32(wide[p][v], _mm256_madd_epi16(sum[p][v], ones));
                        sum[p][v] = _mm256_setzero_si256();
                    }
                }
                left = task->flush_steps;
            }
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < 2; v++) {
            wide[p][v] = kind == WORDS32
                             ? sum[p][v]
                             : _mm256_add_epi32(wide[p][v], _mm256_madd_epi16(sum[p][v], ones));
        }
        dot_store(task, pixel + p, channel, wide[p][0], wide[p][1], kind);
    }
}

INLINE void dot(const LutraDotTask *task, DotKind kind) {
    LUTRA_ASSERT(task->stride % LUTRA_SIM_LANES == 0);
    for (size_t c = 0; c < task->stride; c += LUTRA_SIM_DOT_CHANNELS) {
        size_t p = 0;
        for (; p + 4 <= task->pixels; p += 4) {
            dot_tile(task, p, 4, c, kind);
        }
        switch (task->pixels - p) {
            case 3: dot_tile(task, p, 3, c, kind); break;
            case 2: dot_tile(task, p, 2, c, kind); break;
            case 1: dot_tile(task, p, 1, c, kind); break;
            default: break;
        }
    }
}

void lutra_sim_dot_bytes16_avx2(const LutraDotTask *task) {
    dot(task, BYTES16);
}

void lutra_sim_dot_bytes32_avx2(const LutraDotTask *task) {
    LUTRA_ASSERT(task->flush_steps >= 1);
    dot(task, BYTES32);
}

void lutra_sim_dot_words32_avx2(const LutraDotTask *task) {
    dot(task, WORDS32);
}

/* ---- step tables ---- */

/** Writes 16 codes, or fewer at the end of a narrow pixel. */
INLINE void store_codes(uint8_t *y, __m128i codes, size_t lanes) {
    if (lanes >= LUTRA_SIM_LANES) {
        _mm_storeu_si128((__m128i *)y, codes);
        return;
    }
    uint8_t all[LUTRA_SIM_LANES];
    _mm_storeu_si128((__m128i *)all, codes);
    __builtin_memcpy(y, all, lanes);
}

INLINE uint64_t count_code(__m128i codes, __m128i zero, uint32_t mask) {
    const uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(codes, zero));
    return (uint64_t)__builtin_popcount(equal & mask);
}

INLINE __m256i load16(const int16_t *at) {
    return _mm256_loadu_si256((const __m256i *)at);
}

/** Extremes of one chunk as int32, then its end. */
INLINE void steps16_end(const LutraStepsTask *task, LutraStepsSeen *seen, size_t first,
                        __m256i min, __m256i max) {
    int16_t narrow[2][LUTRA_SIM_LANES];
    int32_t wide[2][LUTRA_SIM_LANES];
    _mm256_storeu_si256((__m256i *)narrow[0], min);
    _mm256_storeu_si256((__m256i *)narrow[1], max);
    for (size_t i = 0; i < LUTRA_SIM_LANES; i++) {
        wide[0][i] = narrow[0][i];
        wide[1][i] = narrow[1][i];
    }
    lutra_steps_chunk_end(task, seen, first, wide[0], wide[1], true);
}

/** `chunks` (1 or 2) chunks of 16 channels; two share each cache line of x. */
INLINE void steps16_chunks(const LutraStepsTask *task, LutraStepsSeen *seen, size_t first,
                           uint32_t levels, size_t chunks) {
    const int16_t *const x = (const int16_t *)task->x + first;
    const int16_t *const thresholds = (const int16_t *)task->thresholds + first;
    const size_t lanes = task->y_stride - first;
    const size_t used = task->channels - first;
    const uint32_t mask = used >= 32 ? UINT32_MAX : (UINT32_C(1) << used) - 1;
    const __m256i zero = _mm256_set1_epi8((char)task->zero);
    __m256i direction[2];
    __m256i base[2];
    __m256i min[2];
    __m256i max[2];
    for (size_t i = 0; i < chunks; i++) {
        direction[i] = load16(task->direction + first + 16 * i);
        base[i] = load16(task->base + first + 16 * i);
        min[i] = _mm256_set1_epi16(INT16_MAX);
        max[i] = _mm256_set1_epi16(INT16_MIN);
    }
    uint64_t zeros = 0;
    for (size_t p = 0; p < task->pixels; p++) {
        __m256i y[2];
        for (size_t i = 0; i < chunks; i++) {
            const __m256i v = load16(x + p * task->x_stride + 16 * i);
            __m256i above = _mm256_setzero_si256(); /* minus the count */
            for (uint32_t level = 0; level < levels; level++) {
                const __m256i t = load16(thresholds + level * task->x_stride + 16 * i);
                above = _mm256_add_epi16(above, _mm256_cmpgt_epi16(v, t));
            }
            min[i] = _mm256_min_epi16(min[i], v);
            max[i] = _mm256_max_epi16(max[i], v);
            y[i] = _mm256_sub_epi16(base[i], _mm256_sign_epi16(above, direction[i]));
        }
        const __m256i codes = _mm256_permute4x64_epi64(
            _mm256_packus_epi16(y[0], chunks == 2 ? y[1] : y[0]), 0xD8);
        const uint32_t equal =
            (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(codes, zero));
        uint8_t *const to = task->y + p * task->y_stride + first;
        if (chunks == 2) {
            zeros += (uint64_t)__builtin_popcount(equal & mask);
            _mm256_storeu_si256((__m256i *)to, codes);
        } else {
            zeros += (uint64_t)__builtin_popcount(equal & mask & 0xFFFF);
            store_codes(to, _mm256_castsi256_si128(codes), lanes);
        }
    }
    seen->zeros += zeros;
    for (size_t i = 0; i < chunks; i++) {
        steps16_end(task, seen, first + 16 * i, min[i], max[i]);
    }
}

INLINE void steps16(const LutraStepsTask *task, LutraStepsSeen *seen, uint32_t levels) {
    size_t first = 0;
    for (; first + 16 < task->channels; first += 32) {
        steps16_chunks(task, seen, first, levels, 2);
    }
    if (first < task->channels) {
        steps16_chunks(task, seen, first, levels, 1);
    }
}

void lutra_sim_steps16_avx2(const LutraStepsTask *task, LutraStepsSeen *seen) {
    lutra_steps_seen_start(seen);
    if (task->level_count == 2) { /* ternary codes: thresholds stay in registers */
        steps16(task, seen, 2);
    } else {
        steps16(task, seen, task->level_count);
    }
}

void lutra_sim_steps32_avx2(const LutraStepsTask *task, LutraStepsSeen *seen) {
    lutra_steps_seen_start(seen);
    for (size_t first = 0; first < task->channels; first += LUTRA_SIM_LANES) {
        const int32_t *const x = (const int32_t *)task->x + first;
        const int32_t *const thresholds = (const int32_t *)task->thresholds + first;
        const size_t lanes = task->y_stride - first;
        const size_t used = task->channels - first;
        const uint32_t mask = used >= LUTRA_SIM_LANES ? 0xFFFF : (UINT32_C(1) << used) - 1;
        const __m256i direction = _mm256_loadu_si256((const __m256i *)(task->direction + first));
        const __m256i base = _mm256_loadu_si256((const __m256i *)(task->base + first));
        const __m128i zero = _mm_set1_epi8((char)task->zero);
        __m256i min[2] = {_mm256_set1_epi32(INT32_MAX), _mm256_set1_epi32(INT32_MAX)};
        __m256i max[2] = {_mm256_set1_epi32(INT32_MIN), _mm256_set1_epi32(INT32_MIN)};
        for (size_t p = 0; p < task->pixels; p++) {
            __m256i above[2];
            for (size_t h = 0; h < 2; h++) {
                const __m256i v =
                    _mm256_loadu_si256((const __m256i *)(x + p * task->x_stride + 8 * h));
                above[h] = _mm256_setzero_si256();
                for (uint32_t level = 0; level < task->level_count; level++) {
                    const __m256i t = _mm256_loadu_si256(
                        (const __m256i *)(thresholds + level * task->x_stride + 8 * h));
                    above[h] = _mm256_add_epi32(above[h], _mm256_cmpgt_epi32(v, t));
                }
                min[h] = _mm256_min_epi32(min[h], v);
                max[h] = _mm256_max_epi32(max[h], v);
            }
            const __m256i packed =
                _mm256_permute4x64_epi64(_mm256_packs_epi32(above[0], above[1]), 0xD8);
            const __m256i y = _mm256_sub_epi16(base, _mm256_sign_epi16(packed, direction));
            const __m128i codes = _mm_packus_epi16(_mm256_castsi256_si128(y),
                                                   _mm256_extracti128_si256(y, 1));
            seen->zeros += count_code(codes, zero, mask);
            store_codes(task->y + p * task->y_stride + first, codes, lanes);
        }
        int32_t low[LUTRA_SIM_LANES];
        int32_t high[LUTRA_SIM_LANES];
        for (size_t h = 0; h < 2; h++) {
            _mm256_storeu_si256((__m256i *)(low + 8 * h), min[h]);
            _mm256_storeu_si256((__m256i *)(high + 8 * h), max[h]);
        }
        lutra_steps_chunk_end(task, seen, first, low, high, false);
    }
}

void lutra_sim_pairs_avx2(uint8_t *y, const uint8_t *x, size_t pairs, uint32_t levels) {
    const __m256i factors = _mm256_set1_epi16((int16_t)(0x0200 | (2 * levels)));
    size_t i = 0;
    for (; i + 32 <= pairs; i += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(x + 2 * i));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(x + 2 * i + 32));
        const __m256i packed = _mm256_packus_epi16(_mm256_maddubs_epi16(a, factors),
                                                   _mm256_maddubs_epi16(b, factors));
        _mm256_storeu_si256((__m256i *)(y + i), _mm256_permute4x64_epi64(packed, 0xD8));
    }
    lutra_sim_pairs_ref(y + i, x + 2 * i, pairs - i, levels);
}

#endif
