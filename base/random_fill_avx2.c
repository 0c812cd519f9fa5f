/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Philox 4x32-10 on 8 counters at a time [Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011]. One round: (c0, c1, c2, c3) -> (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2),
 * hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)); the keys then grow by constants.
 */
#include "base/random_fill.h"

#if defined(__AVX2__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { ROUNDS = 10, COUNTERS = 8 };

typedef struct {
    __m256i low;
    __m256i high;
} Product;

/** 32 x 32 -> 64 bits in every lane, halves apart. */
INLINE Product multiply(__m256i x, __m256i factor) {
    const __m256i even = _mm256_mul_epu32(x, factor);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), factor);
    return (Product){.low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA),
                     .high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA)};
}

/** Rows c0 .. c3 of 8 counters -> 8 blocks of 4 words. */
INLINE void store(uint32_t *words, const __m256i c[4]) {
    const __m256i a = _mm256_unpacklo_epi32(c[0], c[1]);
    const __m256i b = _mm256_unpackhi_epi32(c[0], c[1]);
    const __m256i d = _mm256_unpacklo_epi32(c[2], c[3]);
    const __m256i e = _mm256_unpackhi_epi32(c[2], c[3]);
    /* each holds one block in either half: 0|4, 1|5, 2|6, 3|7 */
    const __m256i b0 = _mm256_unpacklo_epi64(a, d);
    const __m256i b1 = _mm256_unpackhi_epi64(a, d);
    const __m256i b2 = _mm256_unpacklo_epi64(b, e);
    const __m256i b3 = _mm256_unpackhi_epi64(b, e);
    __m256i *const to = (__m256i *)words;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(b0, b1, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(b2, b3, 0x20));
    _mm256_storeu_si256(to + 2, _mm256_permute2x128_si256(b0, b1, 0x31));
    _mm256_storeu_si256(to + 3, _mm256_permute2x128_si256(b2, b3, 0x31));
}

void lutra_random_fill_avx2(uint32_t *words, LutraRandomKey key, uint64_t counter, size_t blocks) {
    const __m256i m0 = _mm256_set1_epi32((int32_t)0xD2511F53u);
    const __m256i m1 = _mm256_set1_epi32((int32_t)0xCD9E8D57u);
    const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    size_t i = 0;
    for (; i + COUNTERS <= blocks; i += COUNTERS) {
        __m256i c[4] = {
            _mm256_add_epi32(_mm256_set1_epi32((int32_t)(uint32_t)(counter + i)), steps),
            _mm256_set1_epi32((int32_t)(uint32_t)(counter >> 32)),
            _mm256_set1_epi32((int32_t)key.index),
            _mm256_set1_epi32((int32_t)(key.stream << 16))};
        uint32_t k0 = (uint32_t)key.seed;
        uint32_t k1 = (uint32_t)(key.seed >> 32);
        for (int round = 0; round < ROUNDS; round++) {
            const Product p0 = multiply(c[0], m0);
            const Product p1 = multiply(c[2], m1);
            c[0] = _mm256_xor_si256(_mm256_xor_si256(p1.high, c[1]),
                                    _mm256_set1_epi32((int32_t)k0));
            c[2] = _mm256_xor_si256(_mm256_xor_si256(p0.high, c[3]),
                                    _mm256_set1_epi32((int32_t)k1));
            c[1] = p1.low;
            c[3] = p0.low;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        store(words + 4 * i, c);
    }
    lutra_random_fill_ref(words + 4 * i, key, counter + i, blocks - i);
}

#endif
