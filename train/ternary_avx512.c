/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 with VPOPCNTDQ: eight positions of 64 channels in one vector of bits. */
#include "train/ternary_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { WORDS = 8, CHANNELS = LUTRA_TERNARY_CHANNELS, ROWS = LUTRA_TERNARY_ROWS };

#define UNROLLED(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

/* Four rows by 8 * VECTORS positions. */
#define DEFINE_TILE(VECTORS)                                                                       \
    static void tile_##VECTORS(float *sums, const LutraTernaryPlanes *planes,                      \
                               const uint32_t *offsets, size_t steps, const uint64_t *weights,     \
                               size_t first, size_t positions) {                                   \
        const uint64_t *const nonzero = planes->nonzero + first;                                   \
        const uint64_t *const negative = planes->negative + first;                                 \
        __m512i products[ROWS][VECTORS];                                                           \
        __m512i negatives[ROWS][VECTORS];                                                          \
        UNROLLED(r, ROWS) {                                                                        \
            UNROLLED(v, VECTORS) {                                                                 \
                products[r][v] = _mm512_setzero_si512();                                           \
                negatives[r][v] = _mm512_setzero_si512();                                          \
            }                                                                                      \
        }                                                                                          \
        for (size_t s = 0; s < steps; s++, weights += 2 * (size_t)ROWS) {                          \
            const size_t offset = offsets[s];                                                      \
            __m512i there[VECTORS];                                                                \
            __m512i minus[VECTORS];                                                                \
            UNROLLED(v, VECTORS) {                                                                 \
                there[v] = _mm512_loadu_si512(nonzero + offset + ((size_t)v * WORDS));             \
                minus[v] = _mm512_loadu_si512(negative + offset + ((size_t)v * WORDS));            \
            }                                                                                      \
            UNROLLED(r, ROWS) {                                                                    \
                const __m512i w = _mm512_set1_epi64((int64_t)weights[2 * r]);                      \
                const __m512i m = _mm512_set1_epi64((int64_t)weights[(2 * r) + 1]);                \
                UNROLLED(v, VECTORS) {                                                             \
                    const __m512i both = _mm512_and_si512(there[v], w);                            \
                    /* both & (minus ^ m) */                                                       \
                    const __m512i odd = _mm512_ternarylogic_epi64(both, minus[v], m, 0x60);        \
                    products[r][v] =                                                               \
                        _mm512_add_epi64(products[r][v], _mm512_popcnt_epi64(both));               \
                    negatives[r][v] =                                                              \
                        _mm512_add_epi64(negatives[r][v], _mm512_popcnt_epi64(odd));               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        UNROLLED(r, ROWS) {                                                                        \
            UNROLLED(v, VECTORS) {                                                                 \
                const __m512i total = _mm512_sub_epi64(                                            \
                    products[r][v], _mm512_add_epi64(negatives[r][v], negatives[r][v]));           \
                _mm256_storeu_ps(sums + ((size_t)r * positions) + first + ((size_t)v * WORDS),     \
                                 _mm512_cvtepi64_ps(total));                                       \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)

static void products_avx512(float *sums, const LutraTernaryPlanes *planes, const uint32_t *offsets,
                            size_t steps, const uint64_t *weights, size_t positions) {
    size_t p = 0;
    while (p < positions) {
        const size_t left = (positions - p) / WORDS;
        if (left >= 3 && left != 4) {
            tile_3(sums, planes, offsets, steps, weights, p, positions);
            p += 3 * (size_t)WORDS;
        } else if (left >= 2) {
            tile_2(sums, planes, offsets, steps, weights, p, positions);
            p += 2 * (size_t)WORDS;
        } else {
            tile_1(sums, planes, offsets, steps, weights, p, positions);
            p += WORDS;
        }
    }
}

/* Bit i of word k becomes bit k of word i; words k of register k / 8. */
static inline void transpose(__m512i rows[8]) {
    static const uint64_t halves[] = {0x00000000FFFFFFFFu, 0x0000FFFF0000FFFFu,
                                      0x00FF00FF00FF00FFu, 0x0F0F0F0F0F0F0F0Fu,
                                      0x3333333333333333u, 0x5555555555555555u};
    for (int stage = 0; stage < 3; stage++) { /* between registers */
        const int apart = 4 >> stage;
        const __m128i shift = _mm_cvtsi32_si128(8 * apart);
        const __m512i half = _mm512_set1_epi64((int64_t)halves[stage]);
        for (int k = 0; k < 8; k++) {
            if ((k & apart) == 0) {
                const __m512i t = _mm512_and_si512(
                    _mm512_xor_si512(_mm512_srl_epi64(rows[k], shift), rows[k + apart]), half);
                rows[k + apart] = _mm512_xor_si512(rows[k + apart], t);
                rows[k] = _mm512_xor_si512(rows[k], _mm512_sll_epi64(t, shift));
            }
        }
    }
    const __m512i place = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    for (int stage = 3; stage < 6; stage++) { /* within registers */
        const int apart = 4 >> (stage - 3);
        const __m128i shift = _mm_cvtsi32_si128(apart);
        const __m512i half = _mm512_set1_epi64((int64_t)halves[stage]);
        const __m512i other = _mm512_xor_si512(place, _mm512_set1_epi64(apart));
        const __mmask8 high = _mm512_test_epi64_mask(place, _mm512_set1_epi64(apart));
        for (int k = 0; k < 8; k++) {
            const __m512i partner = _mm512_permutexvar_epi64(other, rows[k]);
            const __m512i low_row = _mm512_mask_blend_epi64(high, rows[k], partner);
            const __m512i high_row = _mm512_mask_blend_epi64(high, partner, rows[k]);
            const __m512i t = _mm512_and_si512(
                _mm512_xor_si512(_mm512_srl_epi64(low_row, shift), high_row), half);
            rows[k] = _mm512_xor_si512(
                rows[k], _mm512_mask_blend_epi64(high, _mm512_sll_epi64(t, shift), t));
        }
    }
}

static void pack_avx512(uint64_t *nonzero, uint64_t *negative, const uint8_t *bytes,
                        size_t channel_stride, uint32_t channels, size_t count) {
    const __m512i zero_code = _mm512_set1_epi8(1);
    for (size_t i = 0; i < count; i += CHANNELS) {
        const size_t left = count - i < CHANNELS ? count - i : CHANNELS;
        const __mmask64 mask = left == CHANNELS ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
        uint64_t bits[2][CHANNELS];
        for (uint32_t c = 0; c < CHANNELS; c++) {
            bits[0][c] = bits[1][c] = 0;
            if (c < channels) {
                const __m512i codes =
                    _mm512_maskz_loadu_epi8(mask, bytes + (c * channel_stride) + i);
                bits[0][c] = _mm512_mask_cmpneq_epi8_mask(mask, codes, zero_code);
                bits[1][c] = _mm512_mask_testn_epi8_mask(mask, codes, codes);
            }
        }
        for (int plane = 0; plane < 2; plane++) {
            uint64_t *const to = (plane == 0 ? nonzero : negative) + i;
            __m512i rows[8];
            for (int k = 0; k < 8; k++) {
                rows[k] = _mm512_loadu_si512(&bits[plane][8 * k]);
            }
            transpose(rows);
            for (size_t k = 0; k * WORDS < left; k++) {
                const size_t some = left - (k * WORDS);
                const __mmask8 stored = (__mmask8)(some >= WORDS ? 0xFFu : (1u << some) - 1u);
                _mm512_mask_storeu_epi64(to + (k * WORDS), stored, rows[k]);
            }
        }
    }
}

void lutra_ternary_kernels_avx512(LutraTernaryKernels *kernels) {
    *kernels = (LutraTernaryKernels){.products = products_avx512, .pack = pack_avx512,
                                     .fast = true};
}
#endif
