/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2 version: a tile is sixteen vectors, eight at a time; see linear_kernels.h. */
#include "bridge/linear_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll 8")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

enum { LANES = 4, VECTORS = 8 };

/* Rows by their weights, one bit each. */
typedef struct {
    uint32_t plus;
    uint32_t minus;
    uint32_t others;
} Rows;

INLINE Rows sort_rows(const int8_t *weights, size_t row_count) {
    int8_t padded[LUTRA_LINEAR_ROWS] = {0};
    memcpy(padded, weights, row_count);
    const __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)padded);
    const __m256i zero = _mm256_cmpeq_epi8(w, _mm256_setzero_si256());
    Rows rows;
    rows.plus = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(w, _mm256_set1_epi8(1)));
    rows.minus = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(w, _mm256_set1_epi8(-1)));
    rows.others = ~((uint32_t)_mm256_movemask_epi8(zero) | rows.plus | rows.minus);
    return rows;
}

INLINE __m256i load(const uint64_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

/** x * weight modulo 2^64: the magnitude has at most 8 bits, so two 32-bit products do. */
INLINE __m256i times(__m256i x, int8_t weight) {
    const __m256i magnitude = _mm256_set1_epi64x(weight < 0 ? -weight : weight);
    const __m256i sign = _mm256_set1_epi64x(weight < 0 ? -1 : 0);
    const __m256i low = _mm256_mul_epu32(x, magnitude);
    const __m256i high = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), magnitude);
    const __m256i product = _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
    return _mm256_sub_epi64(_mm256_xor_si256(product, sign), sign);
}

INLINE void add_vectors(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                        Rows by_weight) {
    __m256i sums[VECTORS];
    UNROLL for (size_t v = 0; v < VECTORS; v++) {
        sums[v] = load(y + LANES * v);
    }
    for (uint32_t left = by_weight.plus; left != 0; left &= left - 1) {
        const uint64_t *const row = rows + (size_t)__builtin_ctz(left) * LUTRA_LINEAR_TILE;
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
            sums[v] = _mm256_add_epi64(sums[v], load(row + LANES * v));
        }
    }
    for (uint32_t left = by_weight.minus; left != 0; left &= left - 1) {
        const uint64_t *const row = rows + (size_t)__builtin_ctz(left) * LUTRA_LINEAR_TILE;
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
            sums[v] = _mm256_sub_epi64(sums[v], load(row + LANES * v));
        }
    }
    for (uint32_t left = by_weight.others; left != 0; left &= left - 1) {
        const size_t r = (size_t)__builtin_ctz(left);
        const uint64_t *const row = rows + r * LUTRA_LINEAR_TILE;
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
            sums[v] = _mm256_add_epi64(sums[v], times(load(row + LANES * v), weights[r]));
        }
    }
    UNROLL for (size_t v = 0; v < VECTORS; v++) {
        _mm256_storeu_si256((__m256i *)(void *)(y + LANES * v), sums[v]);
    }
}

void lutra_linear_add_rows_avx2(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                                size_t row_count, size_t count) {
    const Rows by_weight = sort_rows(weights, row_count);
    const size_t whole = count / (LANES * VECTORS) * (LANES * VECTORS);
    for (size_t j = 0; j < whole; j += LANES * VECTORS) {
        add_vectors(y + j, rows + j, weights, by_weight);
    }
    if (whole < count) {
        lutra_linear_add_rows_ref(y + whole, rows + whole, weights, row_count, count - whole);
    }
}

#endif
