/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 BF16: one instruction multiplies and adds sixteen pairs. */
#include "train/halves_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "train/transpose_priv.h"

enum { LANES = LUTRA_HALF_LANES };

/* Sixteen floats as bfloat16 in the low halves of words. */
static inline __m512i rounded(__m512 values) {
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(values));
}

static inline __m512i pairs_of(__m512 first, __m512 second) {
    return _mm512_or_si512(rounded(first), _mm512_slli_epi32(rounded(second), 16));
}

static inline __mmask16 first_lanes(size_t count) {
    return (__mmask16)(count >= LANES ? 0xFFFFu : (1u << count) - 1u);
}

static inline __m512 masked(const float *values, __mmask16 mask) {
    return _mm512_maskz_loadu_ps(mask, values);
}

static void pack_reals(uint32_t *words, const float *first, const float *second, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        const __mmask16 mask = first_lanes(count - i);
        const __m512 high = second == NULL ? _mm512_setzero_ps() : masked(second + i, mask);
        _mm512_mask_storeu_epi32(words + i, mask, pairs_of(masked(first + i, mask), high));
    }
}

static void pack_reals_across(uint32_t *words, size_t words_stride, const float *first,
                              const float *second, size_t row_stride, uint32_t rows,
                              size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        const size_t columns = count - i < LANES ? count - i : LANES;
        const __mmask16 mask = first_lanes(columns);
        __m512i t[LANES];
        for (uint32_t r = 0; r < LANES; r++) {
            t[r] = _mm512_setzero_si512();
            if (r < rows) {
                const size_t at = (r * row_stride) + i;
                t[r] = pairs_of(masked(first + at, mask),
                                second == NULL ? _mm512_setzero_ps() : masked(second + at, mask));
            }
        }
        lutra_transpose(t);
        for (size_t c = 0; c < columns; c++) {
            _mm512_storeu_si512(words + ((i + c) * words_stride), t[c]);
        }
    }
}

static inline __m512 widened(const uint8_t *bytes, __mmask16 mask, __m512i offset) {
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, bytes));
    return _mm512_cvtepi32_ps(_mm512_add_epi32(codes, offset));
}

/* The upper half of a float is a bfloat16 where its lower half is 0, as in small whole numbers. */
static void pack_bytes(uint32_t *words, const uint8_t *first, const uint8_t *second, size_t count,
                       int32_t offset) {
    const __m512i offsets = _mm512_set1_epi32(offset);
    for (size_t i = 0; i < count; i += LANES) {
        const __mmask16 mask = first_lanes(count - i);
        const __m512i low =
            _mm512_srli_epi32(_mm512_castps_si512(widened(first + i, mask, offsets)), 16);
        const __m512i high = second == NULL
                                 ? _mm512_setzero_si512()
                                 : _mm512_castps_si512(widened(second + i, mask, offsets));
        _mm512_mask_storeu_epi32(words + i, mask, _mm512_or_si512(low, high));
    }
}

/* ROWS by 16 * VECTORS results. Unrolled early: the sums then stay in registers. */
#define DEFINE_TILE(ROWS, VECTORS)                                                                 \
    static void tile_##ROWS##_##VECTORS(float *sums, size_t sums_stride,                          \
                                        const LutraHalfBlock *block, bool add) {                  \
        const uint32_t *words = block->lanes;                                                     \
        const uint32_t *offsets = block->step_offsets;                                            \
        const uint32_t *from[ROWS];                                                               \
        __m512 lanes[ROWS][VECTORS];                                                              \
        UNROLLED(r, ROWS) {                                                                       \
            from[r] = block->rows + block->row_offsets[r];                                        \
            UNROLLED(v, VECTORS) {                                                                \
                lanes[r][v] = _mm512_setzero_ps();                                                \
            }                                                                                     \
        }                                                                                         \
        for (size_t s = 0; s < block->steps; s++, words += block->lanes_stride) {                 \
            const size_t offset = offsets[s];                                                     \
            __m512bh x[VECTORS];                                                                  \
            UNROLLED(v, VECTORS) {                                                                \
                x[v] = (__m512bh)_mm512_loadu_si512(words + ((size_t)v * LANES));                 \
            }                                                                                     \
            UNROLLED(r, ROWS) {                                                                   \
                const __m512bh w = (__m512bh)_mm512_set1_epi32((int32_t)from[r][offset]);         \
                UNROLLED(v, VECTORS) {                                                            \
                    lanes[r][v] = _mm512_dpbf16_ps(lanes[r][v], x[v], w);                         \
                }                                                                                 \
            }                                                                                     \
        }                                                                                         \
        if (add) {                                                                                \
            UNROLLED(r, ROWS) {                                                                   \
                UNROLLED(v, VECTORS) {                                                            \
                    lanes[r][v] = _mm512_add_ps(                                                  \
                        _mm512_loadu_ps(sums + ((size_t)r * sums_stride) + ((size_t)v * LANES)),  \
                        lanes[r][v]);                                                             \
                }                                                                                 \
            }                                                                                     \
        }                                                                                         \
        UNROLLED(r, ROWS) {                                                                       \
            UNROLLED(v, VECTORS) {                                                                \
                _mm512_storeu_ps(sums + ((size_t)r * sums_stride) + ((size_t)v * LANES),          \
                                 lanes[r][v]);                                                    \
            }                                                                                     \
        }                                                                                         \
    }
#define UNROLLED(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)
#define FOR_VECTORS(WHAT, rows) WHAT(rows, 1) WHAT(rows, 2) WHAT(rows, 3) WHAT(rows, 4)
#define FOR_ALL(WHAT)                                                                             \
    FOR_VECTORS(WHAT, 1) FOR_VECTORS(WHAT, 2) FOR_VECTORS(WHAT, 3)                                \
    FOR_VECTORS(WHAT, 4) FOR_VECTORS(WHAT, 5) FOR_VECTORS(WHAT, 6)

FOR_ALL(DEFINE_TILE)

static void products(float *sums, size_t sums_stride, const LutraHalfBlock *block, bool add) {
#define TILE_CASE(rows, vectors)                                                                  \
    case ((rows) * 8) + (vectors):                                                                \
        tile_##rows##_##vectors(sums, sums_stride, block, add);                                   \
        break;
    switch ((block->row_count * 8) + block->vectors) {
        FOR_ALL(TILE_CASE)
    default:
        break;
    }
#undef TILE_CASE
}

void lutra_half_kernels_avx512bf16(LutraHalfKernels *kernels) {
    *kernels = (LutraHalfKernels){.pack_reals = pack_reals,
                                  .pack_reals_across = pack_reals_across,
                                  .pack_bytes = pack_bytes,
                                  .products = products,
                                  .fast = true};
}
#endif
