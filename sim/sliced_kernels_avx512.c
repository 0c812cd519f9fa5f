/* SPDX-License-Identifier: Apache-2.0 */
/* Bit-sliced kernels on 512 lanes: one vector a plane, two operations (vpternlog) a full adder. */
#include "sim/sliced_kernels.h"

#if defined(__AVX512BW__)

#include <immintrin.h>

#define LUTRA_SLICED_PLANE_BYTES 64
#define PLANE_INLINE static inline __attribute__((always_inline))

/* What vpternlog computes: one bit for each of the eight combinations of a, b and c. */
enum { TABLE_A = 0xF0, TABLE_B = 0xCC, TABLE_C = 0xAA };

typedef __m512i Plane;

PLANE_INLINE Plane plane_load(const uint8_t *from) {
    return _mm512_loadu_si512((const void *)from);
}

PLANE_INLINE void plane_store(uint8_t *to, Plane plane) {
    _mm512_storeu_si512((void *)to, plane);
}

PLANE_INLINE Plane plane_fill(int32_t word) {
    return _mm512_set1_epi32(word);
}

PLANE_INLINE Plane plane_and(Plane a, Plane b) {
    return _mm512_and_si512(a, b);
}

PLANE_INLINE Plane plane_or(Plane a, Plane b) {
    return _mm512_or_si512(a, b);
}

PLANE_INLINE Plane plane_xor(Plane a, Plane b) {
    return _mm512_xor_si512(a, b);
}

PLANE_INLINE Plane plane_sum(Plane a, Plane b, Plane c) {
    return _mm512_ternarylogic_epi64(a, b, c, TABLE_A ^ TABLE_B ^ TABLE_C);
}

PLANE_INLINE Plane plane_carry(Plane a, Plane b, Plane c) {
    return _mm512_ternarylogic_epi64(
        a, b, c, (TABLE_A & TABLE_B) | (TABLE_A & TABLE_C) | (TABLE_B & TABLE_C));
}

PLANE_INLINE Plane plane_or_and(Plane a, Plane b, Plane c) {
    return _mm512_ternarylogic_epi64(a, b, c, TABLE_A | (TABLE_B & TABLE_C));
}

/** ~(a | c) | (b & c) */
PLANE_INLINE Plane plane_negated_or_and(Plane a, Plane b, Plane c) {
    return _mm512_ternarylogic_epi64(
        a, b, c, (0xFF & ~(TABLE_A | TABLE_C)) | (TABLE_B & TABLE_C));
}

PLANE_INLINE uint32_t plane_count(Plane plane) {
    uint64_t words[8];
    uint64_t count = 0;
    _mm512_storeu_si512((void *)words, plane);
    for (uint32_t i = 0; i < 8; i++) {
        count += (uint64_t)_mm_popcnt_u64(words[i]);
    }
    return (uint32_t)count;
}

PLANE_INLINE Plane plane_slice(const uint8_t *bytes, uint32_t bit) {
    uint64_t words[8];
    const __m512i mask = _mm512_set1_epi8((char)(1u << bit));
    for (uint32_t i = 0; i < 8; i++) {
        words[i] = _mm512_test_epi8_mask(plane_load(bytes + 64 * i), mask);
    }
    return _mm512_loadu_si512((const void *)words);
}

#define LUTRA_SLICED_TOGETHER 3 /* 9 registers each, and 5 to add in */
#define LUTRA_SLICED_DOTS dots_together
#include "sim/sliced_kernels_priv.h"
#include "sim/sliced_together_priv.h"

LUTRA_DEFINE_SLICED_KERNELS(avx512);

#endif
