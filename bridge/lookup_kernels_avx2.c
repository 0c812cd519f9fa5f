/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2 versions: four lanes; see lookup_kernels_priv.h. */
#include "bridge/lookup_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll 8")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define LUTRA_LOOKUP_LANES 4
typedef __m256d Vec;
typedef __m256i Words;

INLINE Vec vec_load(const double *from) {
    return _mm256_loadu_pd(from);
}

INLINE void vec_store(double *to, Vec x) {
    _mm256_storeu_pd(to, x);
}

INLINE Vec vec_fill(double x) {
    return _mm256_set1_pd(x);
}

INLINE Vec vec_of_bits(Words x) {
    return _mm256_castsi256_pd(x);
}

INLINE Vec vec_add(Vec a, Vec b) {
    return _mm256_add_pd(a, b);
}

INLINE Vec vec_sub(Vec a, Vec b) {
    return _mm256_sub_pd(a, b);
}

INLINE Vec vec_mul(Vec a, Vec b) {
    return _mm256_mul_pd(a, b);
}

/** a b + c */
INLINE Vec vec_fma(Vec a, Vec b, Vec c) {
    return _mm256_fmadd_pd(a, b, c);
}

/** a b - c */
INLINE Vec vec_fms(Vec a, Vec b, Vec c) {
    return _mm256_fmsub_pd(a, b, c);
}

/** c - a b */
INLINE Vec vec_fnma(Vec a, Vec b, Vec c) {
    return _mm256_fnmadd_pd(a, b, c);
}

/** -a b - c */
INLINE Vec vec_neg_fms(Vec a, Vec b, Vec c) {
    return _mm256_fnmsub_pd(a, b, c);
}

INLINE Words words_load(const uint64_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

INLINE void words_store(uint64_t *to, Words x) {
    _mm256_storeu_si256((__m256i *)(void *)to, x);
}

INLINE Words words_fill(uint64_t x) {
    return _mm256_set1_epi64x((long long)x);
}

INLINE Words words_add(Words a, Words b) {
    return _mm256_add_epi64(a, b);
}

INLINE Words words_sub(Words a, Words b) {
    return _mm256_sub_epi64(a, b);
}

INLINE Words words_and(Words a, Words b) {
    return _mm256_and_si256(a, b);
}

INLINE Words words_or(Words a, Words b) {
    return _mm256_or_si256(a, b);
}

INLINE Words words_shift_right(Words x, uint32_t bits) {
    return _mm256_srl_epi64(x, _mm_cvtsi32_si128((int)bits));
}

/** Whole numbers of magnitude up to 2^51 as integers: 1.5 * 2^52 brings them to the low bits. */
INLINE Words words_of_whole(Vec x) {
    const Vec shifter = vec_fill(0x1.8p52);
    return _mm256_sub_epi64(_mm256_castpd_si256(vec_add(x, shifter)),
                            _mm256_castpd_si256(shifter));
}

/** Nearest torus words of numbers modulo 1, in two halves of 32 bits: both differences are exact,
 * and the upper half is even, so that only the lower one is rounded. */
INLINE Words words_of_turns(Vec x) {
    const Vec turn = vec_sub(x, _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    const Vec scaled = vec_mul(turn, vec_fill(0x1p32));
    const Vec high = _mm256_round_pd(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const Vec low = vec_mul(vec_sub(scaled, high), vec_fill(0x1p32));
    return _mm256_add_epi64(_mm256_slli_epi64(words_of_whole(high), 32), words_of_whole(low));
}

INLINE void transpose4(Vec x[4]) {
    const Vec a = _mm256_unpacklo_pd(x[0], x[1]);
    const Vec b = _mm256_unpackhi_pd(x[0], x[1]);
    const Vec c = _mm256_unpacklo_pd(x[2], x[3]);
    const Vec d = _mm256_unpackhi_pd(x[2], x[3]);
    x[0] = _mm256_permute2f128_pd(a, c, 0x20);
    x[1] = _mm256_permute2f128_pd(b, d, 0x20);
    x[2] = _mm256_permute2f128_pd(a, c, 0x31);
    x[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

/** Lane l of x[q] is point q of node l. */
INLINE void vec_load_nodes(Vec x[8], const double *from) {
    UNROLL for (int i = 0; i < 4; i++) {
        x[i] = vec_load(from + 8 * i);
        x[i + 4] = vec_load(from + 8 * i + 4);
    }
    transpose4(x);
    transpose4(x + 4);
}

INLINE void vec_store_nodes(double *to, Vec x[8]) {
    transpose4(x);
    transpose4(x + 4);
    UNROLL for (int i = 0; i < 4; i++) {
        vec_store(to + 8 * i, x[i]);
        vec_store(to + 8 * i + 4, x[i + 4]);
    }
}

#include "bridge/lookup_kernels_priv.h"

/** k * digit modulo 2^64 for digits of 32 bits with sign: their low words times both halves of k;
 * where a digit is negative its low word is too large by 2^32. */
INLINE Words times(Words k, Words digit, Words negative) {
    const Words high = _mm256_sub_epi64(_mm256_mul_epu32(_mm256_srli_epi64(k, 32), digit),
                                        _mm256_and_si256(k, negative));
    return _mm256_add_epi64(_mm256_mul_epu32(k, digit), _mm256_slli_epi64(high, 32));
}

/** Four columns, or those in the mask, of `count` ciphertexts. */
INLINE void keyswitch_block(uint64_t *sums, const int64_t *digits, const uint64_t *key,
                            size_t columns, size_t row_count, int count, Words mask) {
    Words sum[8];
    UNROLL for (int i = 0; i < count; i++) {
        sum[i] = _mm256_maskload_epi64((const long long *)(sums + (size_t)i * columns), mask);
    }
    for (size_t r = 0; r < row_count; r++) {
        const Words k = _mm256_maskload_epi64((const long long *)(key + r * columns), mask);
        UNROLL for (int i = 0; i < count; i++) {
            const int64_t digit = digits[(size_t)i * row_count + r];
            sum[i] = _mm256_add_epi64(sum[i], times(k, _mm256_set1_epi64x(digit),
                                                    _mm256_set1_epi64x(digit < 0 ? -1 : 0)));
        }
    }
    UNROLL for (int i = 0; i < count; i++) {
        _mm256_maskstore_epi64((long long *)(sums + (size_t)i * columns), mask, sum[i]);
    }
}

static void keyswitch(uint64_t *sums, const int64_t *digits, const uint64_t *key, size_t columns,
                      size_t row_count, size_t count) {
    static const int64_t lanes[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
    for (size_t j = 0; j < columns; j += 4) {
        const size_t present = columns - j < 4 ? columns - j : 4;
        const Words mask = words_load((const uint64_t *)(const void *)(lanes + 4 - present));
        size_t i = 0;
        for (; i + 8 <= count; i += 8) {
            keyswitch_block(sums + i * columns + j, digits + i * row_count, key + j, columns,
                            row_count, 8, mask);
        }
        for (; i < count; i++) {
            keyswitch_block(sums + i * columns + j, digits + i * row_count, key + j, columns,
                            row_count, 1, mask);
        }
    }
}

void lutra_lookup_kernels_avx2(LutraLookupKernels *kernels) {
    *kernels = (LutraLookupKernels){.rotated_digits = rotated_digits,
                                    .forward = forward,
                                    .inverse = inverse,
                                    .products = products,
                                    .add_torus = add_torus,
                                    .keyswitch = keyswitch};
}

#endif
