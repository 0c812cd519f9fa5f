/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 VNNI: one instruction multiplies and adds sixteen times four bytes. */
#include "train/small_gradients_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "train/transpose_priv.h"

enum { LANES = LUTRA_SMALL_LANES };

static inline __mmask16 first_lanes(size_t count) {
    return (__mmask16)(count >= LANES ? 0xFFFFu : (1u << count) - 1u);
}

static inline __m512i magnitudes(const float *values, __mmask16 mask) {
    return _mm512_and_si512(_mm512_maskz_loadu_epi32(mask, values), _mm512_set1_epi32(0x7FFFFFFF));
}

static void largest_of(uint32_t *largest, const float *values, size_t images, size_t positions) {
    if (positions == 1) {
        for (size_t n = 0; n < images; n += LANES) {
            const __mmask16 mask = first_lanes(images - n);
            const __m512i old = _mm512_maskz_loadu_epi32(mask, largest + n);
            _mm512_mask_storeu_epi32(largest + n, mask,
                                     _mm512_max_epu32(old, magnitudes(values + n, mask)));
        }
        return;
    }
    for (size_t n = 0; n < images; n++, values += positions) {
        __m512i most = _mm512_setzero_si512();
        size_t p = 0;
        for (; p + LANES <= positions; p += LANES) {
            most = _mm512_max_epu32(most, magnitudes(values + p, 0xFFFFu));
        }
        if (p < positions) {
            most = _mm512_max_epu32(most, magnitudes(values + p, first_lanes(positions - p)));
        }
        const uint32_t found = _mm512_reduce_max_epu32(most);
        largest[n] = found > largest[n] ? found : largest[n];
    }
}

typedef struct {
    __m512i first;
    __m512i second;
} Draws;

static inline Draws spread(LutraGradientDraws draws) {
    const __m512i count = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return (Draws){_mm512_add_epi32(_mm512_set1_epi32((int32_t)draws.first), count),
                   _mm512_set1_epi32((int32_t)draws.second)};
}

/* Sixteen of lutra_gradient_byte, as whole numbers of 32 bits, of neighbours from `index` on. */
static inline __m512i rounded(__m512 values, __m512 inverses, Draws draws, uint32_t index) {
    const __m512 most = _mm512_set1_ps((float)LUTRA_SMALL_LARGEST);
    const __m512 least = _mm512_set1_ps(-(float)LUTRA_SMALL_LARGEST);
    __m512i x = _mm512_add_epi32(draws.first, _mm512_set1_epi32((int32_t)index));
    x = _mm512_mullo_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 16)),
                           _mm512_set1_epi32(0x7FEB352D));
    x = _mm512_add_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 15)), draws.second);
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int32_t)0x846CA68Bu));
    x = _mm512_srli_epi32(_mm512_xor_si512(x, _mm512_srli_epi32(x, 16)), 16);
    /* exact: 16 bits, and one below them */
    const __m512 uniform = _mm512_fmadd_ps(_mm512_cvtepi32_ps(x), _mm512_set1_ps(0x1p-16f),
                                           _mm512_set1_ps(0x1p-17f));
    /* max takes its second operand where the first is NaN */
    const __m512 scaled = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(values, inverses), least),
                                        most);
    return _mm512_cvt_roundps_epi32(_mm512_add_ps(scaled, uniform),
                                    _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* Bytes of four vectors of small whole numbers, as words. */
static inline __m512i joined(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i byte = _mm512_set1_epi32(0xFF);
    const __m512i low = _mm512_or_si512(_mm512_and_si512(a, byte),
                                        _mm512_slli_epi32(_mm512_and_si512(b, byte), 8));
    const __m512i high = _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(c, byte), 16),
                                         _mm512_slli_epi32(d, 24));
    return _mm512_or_si512(low, high);
}

static void pack_columns(uint32_t *words, const float *const rows[4], size_t count,
                         const float *inverses, LutraGradientDraws draws,
                         const uint32_t indexes[4]) {
    const Draws drawn = spread(draws);
    for (size_t i = 0; i < count; i += LANES) {
        const __mmask16 mask = first_lanes(count - i);
        const __m512 inverse = _mm512_maskz_loadu_ps(mask, inverses + i);
        __m512i q[4];
        for (int j = 0; j < 4; j++) {
            q[j] = rows[j] == NULL ? _mm512_setzero_si512()
                                   : rounded(_mm512_maskz_loadu_ps(mask, rows[j] + i), inverse,
                                             drawn, indexes[j] + (uint32_t)i);
        }
        _mm512_mask_storeu_epi32(words + i, mask, joined(q[0], q[1], q[2], q[3]));
    }
}

static void pack_across(uint32_t *words, size_t words_stride, const float *first,
                        size_t image_stride, uint32_t images, size_t row_stride, uint32_t rows,
                        size_t count, const float *inverses, LutraGradientDraws draws,
                        uint32_t index) {
    const Draws drawn = spread(draws);
    for (size_t i = 0; i < count; i += LANES) {
        const size_t columns = count - i < LANES ? count - i : LANES;
        const __mmask16 mask = first_lanes(columns);
        __m512i t[LANES];
        for (uint32_t r = 0; r < LANES; r++) {
            t[r] = _mm512_setzero_si512();
            if (r < rows) {
                const __m512 inverse = _mm512_set1_ps(inverses[r]);
                __m512i q[4];
                for (uint32_t j = 0; j < 4; j++) {
                    const size_t at = (r * row_stride) + (j * image_stride) + i;
                    /* too many streams for the processor to see them; may lie outside */
                    _mm_prefetch((const char *)((uintptr_t)(first + at) + 64), _MM_HINT_T0);
                    q[j] = j >= images ? _mm512_setzero_si512()
                                       : rounded(_mm512_maskz_loadu_ps(mask, first + at), inverse,
                                                 drawn, index + (uint32_t)at);
                }
                t[r] = joined(q[0], q[1], q[2], q[3]);
            }
        }
        lutra_transpose(t);
        for (size_t c = 0; c < columns; c++) {
            _mm512_storeu_si512(words + ((i + c) * words_stride), t[c]);
        }
    }
}

static void weave(uint32_t *words, const uint8_t *const rows[4], size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        const __mmask16 mask = first_lanes(count - i);
        __m512i q[4];
        for (int j = 0; j < 4; j++) {
            q[j] = rows[j] == NULL
                       ? _mm512_setzero_si512()
                       : _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, rows[j] + i));
        }
        _mm512_mask_storeu_epi32(words + i, mask, joined(q[0], q[1], q[2], q[3]));
    }
}

/* The instruction by name: through its intrinsic, gcc 12 copies each sum before it and back, and
 * then has too few registers. */
static inline __attribute__((always_inline)) void multiply_add(__m512i *sum, __m512i codes,
                                                               __m512i gradients) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(codes), "v"(gradients));
}

/* ROWS by 16 * VECTORS results. Unrolled early: the sums then stay in registers. */
#define UNROLLED(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)
#define DEFINE_TILE(ROWS, VECTORS)                                                                 \
    static inline __attribute__((always_inline)) void sum_##ROWS##_##VECTORS(                      \
        __m512i lanes[ROWS][VECTORS], const LutraSmallBlock *block) {                              \
        const uint32_t *words = block->lanes;                                                      \
        const uint32_t *offsets = block->step_offsets;                                             \
        const uint32_t *from[ROWS];                                                                \
        UNROLLED(r, ROWS) {                                                                        \
            from[r] = block->rows + block->row_offsets[r];                                         \
            UNROLLED(v, VECTORS) {                                                                 \
                lanes[r][v] = _mm512_setzero_si512();                                              \
            }                                                                                      \
        }                                                                                          \
        for (size_t s = 0; s < block->steps; s++, words += block->lanes_stride) {                  \
            const size_t offset = offsets[s];                                                      \
            __m512i x[VECTORS];                                                                    \
            UNROLLED(v, VECTORS) {                                                                 \
                x[v] = _mm512_loadu_si512(words + ((size_t)v * LANES));                            \
            }                                                                                      \
            UNROLLED(r, ROWS) {                                                                    \
                const __m512i w = _mm512_set1_epi32((int32_t)from[r][offset]);                     \
                UNROLLED(v, VECTORS) {                                                             \
                    multiply_add(&lanes[r][v], w, x[v]);                                           \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void tile_##ROWS##_##VECTORS(int32_t *sums, size_t sums_stride,                         \
                                        const LutraSmallBlock *block, bool add) {                  \
        __m512i lanes[ROWS][VECTORS];                                                              \
        sum_##ROWS##_##VECTORS(lanes, block);                                                      \
        UNROLLED(r, ROWS) {                                                                        \
            UNROLLED(v, VECTORS) {                                                                 \
                int32_t *const to = sums + ((size_t)r * sums_stride) + ((size_t)v * LANES);        \
                const __m512i old = add ? _mm512_loadu_si512(to) : _mm512_setzero_si512();         \
                _mm512_storeu_si512(to, _mm512_add_epi32(old, lanes[r][v]));                       \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void reals_##ROWS##_##VECTORS(float *sums, size_t sums_stride,                          \
                                         const LutraSmallBlock *block, const int32_t *bases) {     \
        __m512i lanes[ROWS][VECTORS];                                                              \
        sum_##ROWS##_##VECTORS(lanes, block);                                                      \
        UNROLLED(r, ROWS) {                                                                        \
            UNROLLED(v, VECTORS) {                                                                 \
                const __m512i base = _mm512_loadu_si512(bases + ((size_t)v * LANES));              \
                _mm512_storeu_ps(sums + ((size_t)r * sums_stride) + ((size_t)v * LANES),           \
                                 _mm512_cvtepi32_ps(_mm512_add_epi32(base, lanes[r][v])));         \
            }                                                                                      \
        }                                                                                          \
    }
#define FOR_VECTORS(WHAT, rows) WHAT(rows, 1) WHAT(rows, 2) WHAT(rows, 3) WHAT(rows, 4)
#define FOR_ALL(WHAT)                                                                              \
    FOR_VECTORS(WHAT, 1) FOR_VECTORS(WHAT, 2) FOR_VECTORS(WHAT, 3)                                 \
    FOR_VECTORS(WHAT, 4) FOR_VECTORS(WHAT, 5) FOR_VECTORS(WHAT, 6)

FOR_ALL(DEFINE_TILE)

static void products(int32_t *sums, size_t sums_stride, const LutraSmallBlock *block, bool add) {
#define TILE_CASE(rows, vectors)                                                                   \
    case ((rows) * 8) + (vectors):                                                                 \
        tile_##rows##_##vectors(sums, sums_stride, block, add);                                    \
        break;
    switch ((block->row_count * 8) + block->vectors) {
        FOR_ALL(TILE_CASE)
    default:
        break;
    }
#undef TILE_CASE
}

static void product_reals(float *sums, size_t sums_stride, const LutraSmallBlock *block,
                          const int32_t *bases) {
#define TILE_CASE(rows, vectors)                                                                   \
    case ((rows) * 8) + (vectors):                                                                 \
        reals_##rows##_##vectors(sums, sums_stride, block, bases);                                 \
        break;
    switch ((block->row_count * 8) + block->vectors) {
        FOR_ALL(TILE_CASE)
    default:
        break;
    }
#undef TILE_CASE
}

static void lane_sums(int32_t *sums, const LutraSmallBlock *block, bool add) {
    const __m512i ones = _mm512_set1_epi8(1);
    for (size_t v = 0; v < block->vectors; v++) {
        const uint32_t *words = block->lanes + (v * LANES);
        __m512i total = add ? _mm512_loadu_si512(sums + (v * LANES)) : _mm512_setzero_si512();
        for (size_t s = 0; s < block->steps; s++, words += block->lanes_stride) {
            multiply_add(&total, ones, _mm512_loadu_si512(words));
        }
        _mm512_storeu_si512(sums + (v * LANES), total);
    }
}

void lutra_small_kernels_avx512(LutraSmallKernels *kernels) {
    *kernels = (LutraSmallKernels){.largest = largest_of,
                                   .pack_columns = pack_columns,
                                   .pack_across = pack_across,
                                   .weave = weave,
                                   .products = products,
                                   .product_reals = product_reals,
                                   .lane_sums = lane_sums,
                                   .fast = true};
}
#endif
