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

enum {
    PIXELS = 4,     /* of a tile of ternary dot products */
    DOT_PIXELS = 6, /* of the others: 12 sums and the weights fill the registers */
    STEPS_PIXELS = 4,
    MOST_NARROW_LEVELS = 255,
    HALF_BYTES = LUTRA_SIM_STEP_BYTES / 2
};

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

/** Steps of one window row, few enough that no int16 overflows. */
INLINE void dot_steps(__m256i sum[DOT_PIXELS][2], const uint8_t *weights,
                      const uint8_t *const x[DOT_PIXELS], size_t count, size_t pixels,
                      DotKind kind) {
    for (size_t s = 0; s < count; s++) {
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
}

/** Adds int16 sums of `pixels` x 16 channels to int32 ones and starts them anew. */
INLINE void dot_flush(__m256i wide[DOT_PIXELS][2], __m256i sum[DOT_PIXELS][2], size_t pixels) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < 2; v++) {
            wide[p][v] = _mm256_add_epi32(wide[p][v], _mm256_madd_epi16(sum[p][v], ones));
            sum[p][v] = _mm256_setzero_si256();
        }
    }
}

INLINE void dot_tile(const LutraDotTask *task, size_t pixel, size_t pixels, size_t channel,
                     DotKind kind) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const uint8_t *weights =
        task->weights + channel / LUTRA_SIM_DOT_CHANNELS * steps * LUTRA_SIM_STEP_BYTES;
    __m256i sum[DOT_PIXELS][2];
    __m256i wide[DOT_PIXELS][2];
    for (size_t p = 0; p < pixels; p++) {
        for (size_t v = 0; v < 2; v++) {
            sum[p][v] = _mm256_setzero_si256();
            wide[p][v] = _mm256_setzero_si256();
        }
    }
    size_t left = kind == BYTES32 ? task->flush_steps : SIZE_MAX;
    for (size_t r = 0; r < task->rows; r++) {
        const uint8_t *x[DOT_PIXELS];
        for (size_t p = 0; p < pixels; p++) {
            x[p] = task->x + task->pixel_offsets[pixel + p] + r * task->row_bytes;
        }
        for (size_t s = 0; s < task->row_steps;) {
            const size_t count = task->row_steps - s < left ? task->row_steps - s : left;
            dot_steps(sum, weights, x, count, pixels, kind);
            weights += count * LUTRA_SIM_STEP_BYTES;
            s += count;
            for (size_t p = 0; p < pixels; p++) {
                x[p] += 4 * count;
            }
            if (kind == BYTES32) {
                left -= count;
                if (left == 0) {
                    dot_flush(wide, sum, pixels);
                    left = task->flush_steps;
                }
            }
        }
    }
    if (kind != WORDS32) {
        dot_flush(wide, sum, pixels);
    }
    for (size_t p = 0; p < pixels; p++) {
        const __m256i *const result = kind == WORDS32 ? sum[p] : wide[p];
        dot_store(task, pixel + p, channel, result[0], result[1], kind);
    }
}

/** Tiles of almost equal size: a rest of one pixel would stream all weights for little work. */
INLINE void dot(const LutraDotTask *task, DotKind kind) {
    LUTRA_ASSERT(task->stride % LUTRA_SIM_LANES == 0);
    const size_t most = kind == WORDS32 ? 4 : DOT_PIXELS; /* compilers spill more words */
    const size_t tiles = (task->pixels + most - 1) / most;
    for (size_t c = 0; c < task->stride; c += LUTRA_SIM_DOT_CHANNELS) {
        for (size_t t = 0; t < tiles; t++) {
            const size_t p = t * task->pixels / tiles;
            switch ((t + 1) * task->pixels / tiles - p) {
                case 6: dot_tile(task, p, kind == WORDS32 ? 4 : 6, c, kind); break;
                case 5: dot_tile(task, p, kind == WORDS32 ? 4 : 5, c, kind); break;
                case 4: dot_tile(task, p, 4, c, kind); break;
                case 3: dot_tile(task, p, 3, c, kind); break;
                case 2: dot_tile(task, p, 2, c, kind); break;
                default: dot_tile(task, p, 1, c, kind); break;
            }
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

/* ---- step tables: chunks of 16 channels, thresholds in int16 whenever that is exact ---- */

INLINE __m256i load16(const int16_t *at) {
    return _mm256_loadu_si256((const __m256i *)at);
}

INLINE __m256i load32(const int32_t *at) {
    return _mm256_loadu_si256((const __m256i *)at);
}

/** What turns counts of one chunk into codes, and what was seen of these. */
typedef struct {
    __m256i direction;
    __m256i base;
    __m128i zero;
    __m128i y_min;
    __m128i y_max;
    uint32_t channels_mask;
    size_t lanes; /* of y from the chunk's first channel to the pixel's end */
    uint64_t zeros;
} StepsChunk;

INLINE StepsChunk chunk_start(const LutraStepsTask *task, size_t first) {
    const size_t used = task->channels - first;
    return (StepsChunk){
        .direction = load16(task->direction + first),
        .base = load16(task->base + first),
        .zero = _mm_set1_epi8((char)task->zero),
        .y_min = _mm_set1_epi8((char)UINT8_MAX),
        .y_max = _mm_setzero_si128(),
        .channels_mask = used >= LUTRA_SIM_LANES ? 0xFFFF : (UINT32_C(1) << used) - 1,
        .lanes = task->y_stride - first};
}

/** Stores the codes of one pixel. `above` holds minus the count of thresholds below x. */
INLINE void chunk_put(StepsChunk *chunk, uint8_t *y, __m256i above) {
    const __m256i wide =
        _mm256_sub_epi16(chunk->base, _mm256_sign_epi16(above, chunk->direction));
    const __m128i codes =
        _mm_packus_epi16(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    const uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(codes, chunk->zero));
    chunk->zeros += (uint64_t)__builtin_popcount(equal & chunk->channels_mask);
    chunk->y_min = _mm_min_epu8(chunk->y_min, codes);
    chunk->y_max = _mm_max_epu8(chunk->y_max, codes);
    if (chunk->lanes >= LUTRA_SIM_LANES) {
        _mm_storeu_si128((__m128i *)y, codes);
    } else {
        uint8_t all[LUTRA_SIM_LANES];
        _mm_storeu_si128((__m128i *)all, codes);
        __builtin_memcpy(y, all, chunk->lanes);
    }
}

INLINE void chunk_end(const LutraStepsTask *task, LutraStepsSeen *seen, size_t first,
                      const StepsChunk *chunk, const int32_t *min, const int32_t *max) {
    uint8_t y_min[LUTRA_SIM_LANES];
    uint8_t y_max[LUTRA_SIM_LANES];
    _mm_storeu_si128((__m128i *)y_min, chunk->y_min);
    _mm_storeu_si128((__m128i *)y_max, chunk->y_max);
    seen->zeros += chunk->zeros;
    lutra_steps_chunk_end(task, seen, first, min, max, y_min, y_max);
}

/** Extremes of int16 inputs as int32, then the end. */
INLINE void chunk_end16(const LutraStepsTask *task, LutraStepsSeen *seen, size_t first,
                        const StepsChunk *chunk, __m256i min, __m256i max) {
    int32_t low[LUTRA_SIM_LANES];
    int32_t high[LUTRA_SIM_LANES];
    for (size_t h = 0; h < 2; h++) {
        const __m128i half_min =
            h == 0 ? _mm256_castsi256_si128(min) : _mm256_extracti128_si256(min, 1);
        const __m128i half_max =
            h == 0 ? _mm256_castsi256_si128(max) : _mm256_extracti128_si256(max, 1);
        _mm256_storeu_si256((__m256i *)(low + 8 * h), _mm256_cvtepi16_epi32(half_min));
        _mm256_storeu_si256((__m256i *)(high + 8 * h), _mm256_cvtepi16_epi32(half_max));
    }
    chunk_end(task, seen, first, chunk, low, high);
}

/** Minus the number of thresholds below x, for a few pixels: each threshold is loaded once. */
INLINE void count_above(__m256i above[STEPS_PIXELS], const __m256i x[STEPS_PIXELS],
                        const int16_t *thresholds, size_t stride, uint32_t levels,
                        size_t pixels) {
    for (size_t p = 0; p < pixels; p++) {
        above[p] = _mm256_setzero_si256();
    }
    for (uint32_t level = 0; level < levels; level++) {
        const __m256i t = load16(thresholds + level * stride);
        for (size_t p = 0; p < pixels; p++) {
            above[p] = _mm256_add_epi16(above[p], _mm256_cmpgt_epi16(x[p], t));
        }
    }
}

/* int16: the extremes of x so far. */
typedef struct {
    __m256i min;
    __m256i max;
} Extremes16;

INLINE void steps16_pixels(const LutraStepsTask *task, StepsChunk *chunk, Extremes16 *extremes,
                           size_t first, size_t pixel, size_t pixels) {
    __m256i x[STEPS_PIXELS];
    __m256i above[STEPS_PIXELS];
    for (size_t p = 0; p < pixels; p++) {
        x[p] = load16((const int16_t *)task->x + (pixel + p) * task->x_stride + first);
        extremes->min = _mm256_min_epi16(extremes->min, x[p]);
        extremes->max = _mm256_max_epi16(extremes->max, x[p]);
    }
    count_above(above, x, (const int16_t *)task->thresholds + first, task->x_stride,
                task->level_count, pixels);
    for (size_t p = 0; p < pixels; p++) {
        chunk_put(chunk, task->y + (pixel + p) * task->y_stride + first, above[p]);
    }
}

INLINE Extremes16 extremes16_start(void) {
    return (Extremes16){.min = _mm256_set1_epi16(INT16_MAX), .max = _mm256_set1_epi16(INT16_MIN)};
}

INLINE void steps16_chunk(const LutraStepsTask *task, LutraStepsSeen *seen, size_t first) {
    StepsChunk chunk = chunk_start(task, first);
    Extremes16 extremes = extremes16_start();
    size_t p = 0;
    for (; p + STEPS_PIXELS <= task->pixels; p += STEPS_PIXELS) {
        steps16_pixels(task, &chunk, &extremes, first, p, STEPS_PIXELS);
    }
    for (; p < task->pixels; p++) {
        steps16_pixels(task, &chunk, &extremes, first, p, 1);
    }
    chunk_end16(task, seen, first, &chunk, extremes.min, extremes.max);
}

/** Two levels (ternary codes) of two chunks, which share each cache line of x: thresholds stay in
 * registers, and 32 codes are made at once. */
INLINE void steps16_pair(const LutraStepsTask *task, LutraStepsSeen *seen, size_t first) {
    const int16_t *const thresholds = (const int16_t *)task->thresholds + first;
    const __m256i zero = _mm256_set1_epi8((char)task->zero);
    StepsChunk chunk[2] = {chunk_start(task, first), chunk_start(task, first + 16)};
    Extremes16 extremes[2] = {extremes16_start(), extremes16_start()};
    const __m256i t0[2] = {load16(thresholds), load16(thresholds + 16)};
    const __m256i t1[2] = {load16(thresholds + task->x_stride),
                           load16(thresholds + task->x_stride + 16)};
    const uint32_t mask = chunk[0].channels_mask | chunk[1].channels_mask << 16;
    __m256i y_min = _mm256_set1_epi8((char)UINT8_MAX);
    __m256i y_max = _mm256_setzero_si256();
    uint64_t zeros = 0;
    for (size_t p = 0; p < task->pixels; p++) {
        const int16_t *const x = (const int16_t *)task->x + p * task->x_stride + first;
        __m256i y[2];
        for (size_t i = 0; i < 2; i++) {
            const __m256i v = load16(x + 16 * i);
            const __m256i above =
                _mm256_add_epi16(_mm256_cmpgt_epi16(v, t0[i]), _mm256_cmpgt_epi16(v, t1[i]));
            extremes[i].min = _mm256_min_epi16(extremes[i].min, v);
            extremes[i].max = _mm256_max_epi16(extremes[i].max, v);
            y[i] = _mm256_sub_epi16(chunk[i].base, _mm256_sign_epi16(above, chunk[i].direction));
        }
        const __m256i codes = _mm256_permute4x64_epi64(_mm256_packus_epi16(y[0], y[1]), 0xD8);
        const uint32_t equal = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(codes, zero));
        zeros += (uint64_t)__builtin_popcount(equal & mask);
        y_min = _mm256_min_epu8(y_min, codes);
        y_max = _mm256_max_epu8(y_max, codes);
        _mm256_storeu_si256((__m256i *)(task->y + p * task->y_stride + first), codes);
    }
    seen->zeros += zeros;
    chunk[0].y_min = _mm256_castsi256_si128(y_min);
    chunk[0].y_max = _mm256_castsi256_si128(y_max);
    chunk[1].y_min = _mm256_extracti128_si256(y_min, 1);
    chunk[1].y_max = _mm256_extracti128_si256(y_max, 1);
    for (size_t i = 0; i < 2; i++) {
        chunk_end16(task, seen, first + 16 * i, &chunk[i], extremes[i].min, extremes[i].max);
    }
}

void lutra_sim_steps16_avx2(const LutraStepsTask *task, LutraStepsSeen *seen) {
    lutra_steps_seen_start(seen);
    size_t first = 0;
    for (; task->level_count == 2 && first + 16 < task->channels; first += 32) {
        steps16_pair(task, seen, first);
    }
    for (; first < task->channels; first += LUTRA_SIM_LANES) {
        steps16_chunk(task, seen, first);
    }
}

/**
 * Thresholds of one chunk, moved by -middle into -32768 .. 32766. Inputs are first limited to
 * [low, high], which changes no comparison, so that they fit in int16, too.
 */
typedef struct {
    __m256i low[2];
    __m256i high[2];
    __m256i middle[2];
    int16_t thresholds[MOST_NARROW_LEVELS][LUTRA_SIM_LANES];
} NarrowSteps;

/** False if the thresholds of some channel lie too far apart. */
static bool narrow_steps(NarrowSteps *narrow, const LutraStepsTask *task, size_t first) {
    const int32_t *const thresholds = (const int32_t *)task->thresholds + first;
    const __m256i never = _mm256_set1_epi32(INT32_MAX); /* x > INT32_MAX does not happen */
    int32_t low[LUTRA_SIM_LANES];
    int32_t top[LUTRA_SIM_LANES];
    int32_t high[LUTRA_SIM_LANES];
    int32_t middle[LUTRA_SIM_LANES];
    if (task->level_count > MOST_NARROW_LEVELS) {
        return false;
    }
    for (size_t h = 0; h < 2; h++) {
        __m256i min = never;
        __m256i max = _mm256_set1_epi32(INT32_MIN);
        for (uint32_t level = 0; level < task->level_count; level++) {
            const __m256i t = load32(thresholds + level * task->x_stride + 8 * h);
            min = _mm256_min_epi32(min, t);
            max = _mm256_max_epi32(max, _mm256_blendv_epi8(t, _mm256_set1_epi32(INT32_MIN),
                                                           _mm256_cmpeq_epi32(t, never)));
        }
        _mm256_storeu_si256((__m256i *)(low + 8 * h), min);
        _mm256_storeu_si256((__m256i *)(top + 8 * h), max);
    }
    for (size_t c = 0; c < LUTRA_SIM_LANES; c++) {
        if ((int64_t)top[c] - low[c] > UINT16_MAX - 1) {
            return false;
        }
        high[c] = low[c] > INT32_MAX - UINT16_MAX ? INT32_MAX : low[c] + UINT16_MAX;
        middle[c] = (int32_t)((uint32_t)low[c] + 32768u);
    }
    for (size_t h = 0; h < 2; h++) {
        narrow->low[h] = load32(low + 8 * h);
        narrow->high[h] = load32(high + 8 * h);
        narrow->middle[h] = load32(middle + 8 * h);
    }
    for (uint32_t level = 0; level < task->level_count; level++) {
        __m256i moved[2];
        for (size_t h = 0; h < 2; h++) {
            const __m256i t = load32(thresholds + level * task->x_stride + 8 * h);
            moved[h] = _mm256_blendv_epi8(_mm256_sub_epi32(t, narrow->middle[h]),
                                          _mm256_set1_epi32(INT16_MAX),
                                          _mm256_cmpeq_epi32(t, never));
        }
        const __m256i packed =
            _mm256_permute4x64_epi64(_mm256_packs_epi32(moved[0], moved[1]), 0xD8);
        _mm256_storeu_si256((__m256i *)narrow->thresholds[level], packed);
    }
    return true;
}

/* int32: the extremes of x so far, 8 channels each. */
typedef struct {
    __m256i min[2];
    __m256i max[2];
} Extremes32;

/** Loads 8 of the 16 channels of one pixel. */
INLINE __m256i see32(const LutraStepsTask *task, Extremes32 *extremes, size_t first, size_t pixel,
                     size_t half) {
    const __m256i x =
        load32((const int32_t *)task->x + pixel * task->x_stride + first + 8 * half);
    extremes->min[half] = _mm256_min_epi32(extremes->min[half], x);
    extremes->max[half] = _mm256_max_epi32(extremes->max[half], x);
    return x;
}

INLINE void steps32_narrow(const LutraStepsTask *task, const NarrowSteps *narrow,
                           StepsChunk *chunk, Extremes32 *extremes, size_t first, size_t pixel,
                           size_t pixels) {
    __m256i x[STEPS_PIXELS];
    __m256i above[STEPS_PIXELS];
    for (size_t p = 0; p < pixels; p++) {
        __m256i moved[2];
        for (size_t h = 0; h < 2; h++) {
            const __m256i limited = _mm256_min_epi32(
                _mm256_max_epi32(see32(task, extremes, first, pixel + p, h), narrow->low[h]),
                narrow->high[h]);
            moved[h] = _mm256_sub_epi32(limited, narrow->middle[h]);
        }
        x[p] = _mm256_permute4x64_epi64(_mm256_packs_epi32(moved[0], moved[1]), 0xD8);
    }
    count_above(above, x, narrow->thresholds[0], LUTRA_SIM_LANES, task->level_count, pixels);
    for (size_t p = 0; p < pixels; p++) {
        chunk_put(chunk, task->y + (pixel + p) * task->y_stride + first, above[p]);
    }
}

INLINE void steps32_wide(const LutraStepsTask *task, StepsChunk *chunk, Extremes32 *extremes,
                         size_t first, size_t pixel) {
    const int32_t *const thresholds = (const int32_t *)task->thresholds + first;
    __m256i above[2];
    for (size_t h = 0; h < 2; h++) {
        const __m256i x = see32(task, extremes, first, pixel, h);
        above[h] = _mm256_setzero_si256();
        for (uint32_t level = 0; level < task->level_count; level++) {
            const __m256i t = load32(thresholds + level * task->x_stride + 8 * h);
            above[h] = _mm256_add_epi32(above[h], _mm256_cmpgt_epi32(x, t));
        }
    }
    chunk_put(chunk, task->y + pixel * task->y_stride + first,
              _mm256_permute4x64_epi64(_mm256_packs_epi32(above[0], above[1]), 0xD8));
}

void lutra_sim_steps32_avx2(const LutraStepsTask *task, LutraStepsSeen *seen) {
    NarrowSteps narrow;
    lutra_steps_seen_start(seen);
    for (size_t first = 0; first < task->channels; first += LUTRA_SIM_LANES) {
        StepsChunk chunk = chunk_start(task, first);
        Extremes32 extremes;
        for (size_t h = 0; h < 2; h++) {
            extremes.min[h] = _mm256_set1_epi32(INT32_MAX);
            extremes.max[h] = _mm256_set1_epi32(INT32_MIN);
        }
        size_t p = 0;
        if (narrow_steps(&narrow, task, first)) {
            for (; p + STEPS_PIXELS <= task->pixels; p += STEPS_PIXELS) {
                steps32_narrow(task, &narrow, &chunk, &extremes, first, p, STEPS_PIXELS);
            }
            for (; p < task->pixels; p++) {
                steps32_narrow(task, &narrow, &chunk, &extremes, first, p, 1);
            }
        }
        for (; p < task->pixels; p++) {
            steps32_wide(task, &chunk, &extremes, first, p);
        }
        int32_t low[LUTRA_SIM_LANES];
        int32_t high[LUTRA_SIM_LANES];
        for (size_t h = 0; h < 2; h++) {
            _mm256_storeu_si256((__m256i *)(low + 8 * h), extremes.min[h]);
            _mm256_storeu_si256((__m256i *)(high + 8 * h), extremes.max[h]);
        }
        chunk_end(task, seen, first, &chunk, low, high);
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
