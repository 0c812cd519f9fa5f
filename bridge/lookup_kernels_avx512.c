/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 versions: eight lanes; see lookup_kernels_priv.h. */
#include "bridge/lookup_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll 8")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#define LUTRA_LOOKUP_LANES 8
typedef __m512d Vec;
typedef __m512i Words;

INLINE Vec vec_load(const double *from) {
    return _mm512_loadu_pd(from);
}

INLINE void vec_store(double *to, Vec x) {
    _mm512_storeu_pd(to, x);
}

INLINE Vec vec_fill(double x) {
    return _mm512_set1_pd(x);
}

INLINE Vec vec_of_bits(Words x) {
    return _mm512_castsi512_pd(x);
}

INLINE Vec vec_add(Vec a, Vec b) {
    return _mm512_add_pd(a, b);
}

INLINE Vec vec_sub(Vec a, Vec b) {
    return _mm512_sub_pd(a, b);
}

INLINE Vec vec_mul(Vec a, Vec b) {
    return _mm512_mul_pd(a, b);
}

/** a b + c */
INLINE Vec vec_fma(Vec a, Vec b, Vec c) {
    return _mm512_fmadd_pd(a, b, c);
}

/** a b - c */
INLINE Vec vec_fms(Vec a, Vec b, Vec c) {
    return _mm512_fmsub_pd(a, b, c);
}

/** c - a b */
INLINE Vec vec_fnma(Vec a, Vec b, Vec c) {
    return _mm512_fnmadd_pd(a, b, c);
}

/** -a b - c */
INLINE Vec vec_neg_fms(Vec a, Vec b, Vec c) {
    return _mm512_fnmsub_pd(a, b, c);
}

INLINE Words words_load(const uint64_t *from) {
    return _mm512_loadu_si512(from);
}

INLINE void words_store(uint64_t *to, Words x) {
    _mm512_storeu_si512(to, x);
}

INLINE Words words_fill(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}

INLINE Words words_add(Words a, Words b) {
    return _mm512_add_epi64(a, b);
}

INLINE Words words_sub(Words a, Words b) {
    return _mm512_sub_epi64(a, b);
}

INLINE Words words_and(Words a, Words b) {
    return _mm512_and_si512(a, b);
}

INLINE Words words_or(Words a, Words b) {
    return _mm512_or_si512(a, b);
}

INLINE Words words_shift_right(Words x, uint32_t bits) {
    return _mm512_srl_epi64(x, _mm_cvtsi32_si128((int)bits));
}

/** Nearest torus words of numbers modulo 1. One half becomes 2^63, which the conversion, too,
 * gives for what is too large. */
INLINE Words words_of_turns(Vec x) {
    const Vec whole = _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm512_cvtpd_epi64(_mm512_mul_pd(_mm512_sub_pd(x, whole), _mm512_set1_pd(0x1p64)));
}

/** The 8 x 8 matrix on its other side. */
INLINE void transpose(Vec x[8]) {
    Vec a[8];
    Vec b[8];
    UNROLL for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm512_unpacklo_pd(x[2 * i], x[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_pd(x[2 * i], x[2 * i + 1]);
    }
    UNROLL for (int half = 0; half < 2; half++) {
        UNROLL for (int i = 0; i < 2; i++) {
            b[half * 4 + i] = _mm512_shuffle_f64x2(a[half * 4 + i], a[half * 4 + i + 2], 0x88);
            b[half * 4 + i + 2] = _mm512_shuffle_f64x2(a[half * 4 + i], a[half * 4 + i + 2], 0xdd);
        }
    }
    UNROLL for (int i = 0; i < 4; i++) {
        x[i] = _mm512_shuffle_f64x2(b[i], b[i + 4], 0x88);
        x[i + 4] = _mm512_shuffle_f64x2(b[i], b[i + 4], 0xdd);
    }
}

/** Lane l of x[q] is point q of node l. */
INLINE void vec_load_nodes(Vec x[8], const double *from) {
    UNROLL for (int i = 0; i < 8; i++) {
        x[i] = vec_load(from + 8 * i);
    }
    transpose(x);
}

INLINE void vec_store_nodes(double *to, Vec x[8]) {
    transpose(x);
    UNROLL for (int i = 0; i < 8; i++) {
        vec_store(to + 8 * i, x[i]);
    }
}

#include "bridge/lookup_kernels_priv.h"

/** Sixteen columns, or those in the masks, of `count` ciphertexts. */
INLINE void keyswitch_block(uint64_t *sums, const int64_t *digits, const uint64_t *key,
                            size_t columns, size_t row_count, int count, __mmask8 left,
                            __mmask8 right) {
    Words low[8];
    Words high[8];
    UNROLL for (int i = 0; i < count; i++) {
        low[i] = _mm512_maskz_loadu_epi64(left, sums + (size_t)i * columns);
        high[i] = _mm512_maskz_loadu_epi64(right, sums + (size_t)i * columns + 8);
    }
    for (size_t r = 0; r < row_count; r++) {
        const Words k0 = _mm512_maskz_loadu_epi64(left, key + r * columns);
        const Words k1 = _mm512_maskz_loadu_epi64(right, key + r * columns + 8);
        UNROLL for (int i = 0; i < count; i++) {
            const Words digit = _mm512_set1_epi64(digits[(size_t)i * row_count + r]);
            low[i] = _mm512_add_epi64(low[i], _mm512_mullo_epi64(k0, digit));
            high[i] = _mm512_add_epi64(high[i], _mm512_mullo_epi64(k1, digit));
        }
    }
    UNROLL for (int i = 0; i < count; i++) {
        _mm512_mask_storeu_epi64(sums + (size_t)i * columns, left, low[i]);
        _mm512_mask_storeu_epi64(sums + (size_t)i * columns + 8, right, high[i]);
    }
}

INLINE __mmask8 mask_of(size_t lanes) {
    return (__mmask8)(lanes >= 8 ? 0xff : (1u << lanes) - 1);
}

static void keyswitch(uint64_t *sums, const int64_t *digits, const uint64_t *key, size_t columns,
                      size_t row_count, size_t count) {
    for (size_t j = 0; j < columns; j += 16) {
        const __mmask8 left = mask_of(columns - j);
        const __mmask8 right = mask_of(columns - j < 8 ? 0 : columns - j - 8);
        size_t i = 0;
        for (; i + 8 <= count; i += 8) {
            keyswitch_block(sums + i * columns + j, digits + i * row_count, key + j, columns,
                            row_count, 8, left, right);
        }
        for (; i + 2 <= count; i += 2) {
            keyswitch_block(sums + i * columns + j, digits + i * row_count, key + j, columns,
                            row_count, 2, left, right);
        }
        for (; i < count; i++) {
            keyswitch_block(sums + i * columns + j, digits + i * row_count, key + j, columns,
                            row_count, 1, left, right);
        }
    }
}

void lutra_lookup_kernels_avx512(LutraLookupKernels *kernels) {
    *kernels = (LutraLookupKernels){.rotated_digits = rotated_digits,
                                    .forward = forward,
                                    .inverse = inverse,
                                    .products = products,
                                    .add_torus = add_torus,
                                    .keyswitch = keyswitch};
}

#endif
