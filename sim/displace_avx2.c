/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2: 8 channels at a time; the shares of 8 places are gathered. */
#include "sim/displace.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "sim/displace_priv.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

INLINE __m256i load32(const void *at) {
    return _mm256_loadu_si256((const __m256i *)at);
}

/** What all elements of a task have in common. */
typedef struct {
    __m256i mask;
    __m256i cell;
    __m256i low_half;
    __m256i draw_low;
    __m256i draw_high;
} Constants;

/** 8 channels of one pixel from c on; sets the lanes to flag. */
INLINE __m256i displace8(const LutraDisplaceTask *task, const Constants *constants,
                         LutraDisplaced *seen, size_t pixel, size_t c, __m256i x,
                         uint32_t *flagged) {
    const __m256i draw = _mm256_cvtepu16_epi32(
        _mm_loadu_si128((const __m128i *)(task->draws + pixel * task->channels + c)));
    const __m256i place = _mm256_and_si256(_mm256_add_epi32(x, load32(task->to_place + c)),
                                           constants->mask);
    const __m256i shares = _mm256_i32gather_epi32((const int *)(const void *)task->shares,
                                                  _mm256_add_epi32(place, load32(task->first + c)),
                                                  4);
    const __m256i down = _mm256_and_si256(shares, constants->low_half);
    const __m256i up = _mm256_srli_epi32(shares, 16);
    const __m256i is_down = _mm256_cmpgt_epi32(down, draw);
    const __m256i is_up = _mm256_cmpgt_epi32(draw, up);
    const __m256i equal =
        _mm256_or_si256(_mm256_cmpeq_epi32(draw, down), _mm256_cmpeq_epi32(draw, up));
    const __m256i extreme = _mm256_or_si256(_mm256_cmpgt_epi32(constants->draw_low, draw),
                                            _mm256_cmpgt_epi32(draw, constants->draw_high));
    const __m256i low = load32(task->low + c);
    const __m256i high = load32(task->high + c);
    const __m256i leaving = _mm256_or_si256(
        _mm256_and_si256(is_down, _mm256_cmpgt_epi32(low, x)),
        _mm256_and_si256(is_up, _mm256_cmpgt_epi32(x, high)));
    const __m256i beyond = _mm256_or_si256(
        _mm256_cmpgt_epi32(_mm256_sub_epi32(low, constants->cell), x),
        _mm256_cmpgt_epi32(x, _mm256_add_epi32(high, constants->cell)));
    const __m256i outside = _mm256_or_si256(leaving, beyond);
    const __m256i unsure = _mm256_or_si256(_mm256_or_si256(equal, extreme), outside);
    const __m256i moved = _mm256_andnot_si256(unsure, _mm256_or_si256(is_down, is_up));
    const __m256i by = _mm256_sub_epi32(_mm256_and_si256(is_up, constants->cell),
                                        _mm256_and_si256(is_down, constants->cell));
    *flagged = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(unsure));
    seen->displaced += (uint32_t)__builtin_popcount(
        (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(moved)));
    return _mm256_add_epi32(x, _mm256_and_si256(by, moved));
}

INLINE void note_flagged(const LutraDisplaceTask *task, LutraDisplaced *seen, size_t at,
                         uint32_t flagged) {
    for (; flagged != 0; flagged &= flagged - 1) {
        task->flagged[seen->flagged++] = (uint32_t)at + (uint32_t)__builtin_ctz(flagged);
    }
}

INLINE LutraDisplaced displace(const LutraDisplaceTask *task, int narrow) {
    LutraDisplaced seen = {0};
    const Constants constants = {
        .mask = _mm256_set1_epi32((int32_t)((UINT32_C(1) << task->dropped_bits) - 1)),
        .cell = _mm256_set1_epi32(INT32_C(1) << task->dropped_bits),
        .low_half = _mm256_set1_epi32(0xFFFF),
        .draw_low = _mm256_set1_epi32((int32_t)task->draw_low + 1),
        .draw_high = _mm256_set1_epi32((int32_t)task->draw_high - 1)};
    for (size_t p = 0; p < task->pixels; p++) {
        size_t c = 0;
        for (; c + LANES <= task->channels; c += LANES) {
            const size_t at = p * task->stride + c;
            uint32_t flagged = 0;
            if (narrow) {
                const __m128i x =
                    _mm_loadu_si128((const __m128i *)((const int16_t *)task->x + at));
                const __m256i y = displace8(task, &constants, &seen, p, c,
                                            _mm256_cvtepi16_epi32(x), &flagged);
                const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(y, y), 0xD8);
                _mm_storeu_si128((__m128i *)((int16_t *)task->y + at),
                                 _mm256_castsi256_si128(packed));
            } else {
                const __m256i y = displace8(task, &constants, &seen, p, c,
                                            load32((const int32_t *)task->x + at), &flagged);
                _mm256_storeu_si256((__m256i *)((int32_t *)task->y + at), y);
            }
            note_flagged(task, &seen, at, flagged);
        }
        lutra_displace_lanes(task, &seen, p, c, narrow);
    }
    return seen;
}

LutraDisplaced lutra_displace16_avx2(const LutraDisplaceTask *task) {
    return displace(task, 1);
}

LutraDisplaced lutra_displace32_avx2(const LutraDisplaceTask *task) {
    return displace(task, 0);
}

#endif
