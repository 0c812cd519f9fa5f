/* SPDX-License-Identifier: Apache-2.0 */
/* Bit-sliced kernels on 256 lanes: one vector a plane, five operations a full adder. */
#include "sim/sliced_kernels.h"

#if defined(__AVX2__)

#include <immintrin.h>

#define LUTRA_SLICED_PLANE_BYTES 32
#define PLANE_INLINE static inline __attribute__((always_inline))

typedef __m256i Plane;

PLANE_INLINE Plane plane_load(const uint8_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

PLANE_INLINE void plane_store(uint8_t *to, Plane plane) {
    _mm256_storeu_si256((__m256i *)(void *)to, plane);
}

PLANE_INLINE Plane plane_fill(int32_t word) {
    return _mm256_set1_epi32(word);
}

PLANE_INLINE Plane plane_and(Plane a, Plane b) {
    return _mm256_and_si256(a, b);
}

PLANE_INLINE Plane plane_or(Plane a, Plane b) {
    return _mm256_or_si256(a, b);
}

PLANE_INLINE Plane plane_xor(Plane a, Plane b) {
    return _mm256_xor_si256(a, b);
}

PLANE_INLINE Plane plane_sum(Plane a, Plane b, Plane c) {
    return plane_xor(a, plane_xor(b, c));
}

PLANE_INLINE Plane plane_carry(Plane a, Plane b, Plane c) {
    return plane_or(plane_and(b, c), plane_and(a, plane_xor(b, c)));
}

PLANE_INLINE Plane plane_or_and(Plane a, Plane b, Plane c) {
    return plane_or(a, plane_and(b, c));
}

PLANE_INLINE uint32_t plane_count(Plane plane) {
    const __m128i low = _mm256_castsi256_si128(plane);
    const __m128i high = _mm256_extracti128_si256(plane, 1);
    return (uint32_t)(_mm_popcnt_u64((uint64_t)_mm_cvtsi128_si64(low)) +
                      _mm_popcnt_u64((uint64_t)_mm_extract_epi64(low, 1)) +
                      _mm_popcnt_u64((uint64_t)_mm_cvtsi128_si64(high)) +
                      _mm_popcnt_u64((uint64_t)_mm_extract_epi64(high, 1)));
}

PLANE_INLINE Plane plane_slice(const uint8_t *bytes, uint32_t bit) {
    int32_t words[8];
    const __m128i to_top = _mm_cvtsi32_si128((int32_t)(7 - bit));
    for (uint32_t i = 0; i < 8; i++) {
        const __m256i top = _mm256_sll_epi16(plane_load(bytes + 32 * i), to_top);
        words[i] = _mm256_movemask_epi8(top);
    }
    return _mm256_loadu_si256((const __m256i *)(const void *)words);
}

#include "sim/sliced_kernels_priv.h"

LUTRA_DEFINE_SLICED_KERNELS(avx2);

#endif
