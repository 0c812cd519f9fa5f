/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 version: a tile is eight vectors; see linear_kernels.h. */
#include "bridge/linear_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll 8")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* Rows by their weights, one bit each. */
typedef struct {
    uint32_t plus;
    uint32_t minus;
    uint32_t others;
} Rows;

INLINE Rows sort_rows(const int8_t *weights, size_t row_count) {
    const __mmask32 all = row_count >= 32 ? UINT32_MAX : (UINT32_C(1) << row_count) - 1;
    const __m256i w = _mm256_maskz_loadu_epi8(all, weights);
    Rows rows;
    rows.plus = _mm256_cmpeq_epi8_mask(w, _mm256_set1_epi8(1));
    rows.minus = _mm256_cmpeq_epi8_mask(w, _mm256_set1_epi8(-1));
    rows.others = _mm256_test_epi8_mask(w, w) & ~(rows.plus | rows.minus);
    return rows;
}

/** `vectors` vectors of a tile, the last with the lanes of `last`. */
INLINE void add_vectors(uint64_t *y, const uint64_t *rows, const int8_t *weights, Rows by_weight,
                        size_t vectors, __mmask8 last) {
    __m512i sums[8];
    UNROLL for (size_t v = 0; v < vectors; v++) {
        sums[v] = _mm512_maskz_loadu_epi64(v + 1 == vectors ? last : 0xff, y + 8 * v);
    }
    for (uint32_t left = by_weight.plus; left != 0; left &= left - 1) {
        const uint64_t *const row =
            rows + (size_t)__builtin_ctz(left) * LUTRA_LINEAR_TILE;
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sums[v] = _mm512_add_epi64(
                sums[v], _mm512_maskz_loadu_epi64(v + 1 == vectors ? last : 0xff, row + 8 * v));
        }
    }
    for (uint32_t left = by_weight.minus; left != 0; left &= left - 1) {
        const uint64_t *const row =
            rows + (size_t)__builtin_ctz(left) * LUTRA_LINEAR_TILE;
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sums[v] = _mm512_sub_epi64(
                sums[v], _mm512_maskz_loadu_epi64(v + 1 == vectors ? last : 0xff, row + 8 * v));
        }
    }
    for (uint32_t left = by_weight.others; left != 0; left &= left - 1) {
        const size_t r = (size_t)__builtin_ctz(left);
        const __m512i weight = _mm512_set1_epi64(weights[r]);
        UNROLL for (size_t v = 0; v < vectors; v++) {
            const __m512i x = _mm512_maskz_loadu_epi64(
                v + 1 == vectors ? last : 0xff, rows + r * LUTRA_LINEAR_TILE + 8 * v);
            sums[v] = _mm512_add_epi64(sums[v], _mm512_mullo_epi64(x, weight));
        }
    }
    UNROLL for (size_t v = 0; v < vectors; v++) {
        _mm512_mask_storeu_epi64(y + 8 * v, v + 1 == vectors ? last : 0xff, sums[v]);
    }
}

void lutra_linear_add_rows_avx512(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                                  size_t row_count, size_t count) {
    const Rows by_weight = sort_rows(weights, row_count);
    if (count == LUTRA_LINEAR_TILE) {
        add_vectors(y, rows, weights, by_weight, 8, 0xff);
        return;
    }
    for (size_t j = 0; j < count; j += 8) {
        const size_t lanes = count - j < 8 ? count - j : 8;
        add_vectors(y + j, rows + j, weights, by_weight, 1, (__mmask8)((1u << lanes) - 1));
    }
}

#endif
