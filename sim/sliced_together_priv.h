/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dot products of several channels at once, in step, for vectors with operations of three inputs
 * and registers enough to count in. All channels are at about the same place of the window at any
 * time, so that what one of them has fetched is still close for the next.
 *
 * A subtracted code c counts as 2 - c, which takes as many operations as c itself; the constant
 * makes up for the twos. So groups of subtracted and of added inputs take turns, both lists in the
 * order of addresses: the second one is stored backwards.
 *
 * The including file defines plane_negated_or_and; it includes sliced_kernels_priv.h before.
 */
#ifndef LUTRA_SIM_SLICED_TOGETHER_PRIV_H
#define LUTRA_SIM_SLICED_TOGETHER_PRIV_H

#include "sim/sliced_kernels_priv.h"

#ifndef LUTRA_SLICED_TOGETHER
#define LUTRA_SLICED_TOGETHER 2

INLINE Plane plane_negated_or_and(Plane a, Plane b, Plane c) {
    return ~(a | c) | (b & c);
}
#endif

enum { TOGETHER = LUTRA_SLICED_TOGETHER };

/** One channel's taps that are not counted yet. */
typedef struct {
    const uint32_t *subtracted;
    const uint32_t *added; /* behind the next one */
    uint32_t subtracted_count;
    uint32_t added_count;
} Rest;

/** Takes the next 8 taps of a list, the missing ones adding code 0. */
INLINE void take_group(const uint8_t **tap, const uint8_t *x, Rest *rest, bool subtract) {
    const uint32_t count = subtract ? rest->subtracted_count : rest->added_count;
    const uint32_t taken = count < GROUP ? count : GROUP;
    for (uint32_t i = 0; i < GROUP; i++) {
        tap[i] = i >= taken ? no_tap
                 : subtract ? tap_at(x, rest->subtracted, i)
                            : tap_at(x, rest->added - 1 - i, 0);
    }
    if (subtract) {
        rest->subtracted += taken;
        rest->subtracted_count -= taken;
    } else {
        rest->added -= taken;
        rest->added_count -= taken;
    }
}

INLINE Plane count_code(Plane *ones, const uint8_t *tap, bool subtract) {
    const Plane low = plane_load(tap);
    const Plane high = plane_load(tap + PLANE_BYTES);
    const Plane carry = subtract ? plane_negated_or_and(high, *ones, low)
                                 : plane_or_and(high, *ones, low);
    *ones = plane_xor(*ones, low);
    return carry;
}

INLINE Plane count_pair(Counters *sum, const uint8_t *const *tap, bool subtract) {
    const Plane first = count_code(&sum->ones, tap[0], subtract);
    const Plane second = count_code(&sum->ones, tap[1], subtract);
    const Plane four = full_add(&sum->twos, sum->two0, sum->two1);
    sum->two0 = first;
    sum->two1 = second;
    return four;
}

/** add_ternary_group, of codes or of 2 - codes. */
INLINE Plane count_group(Counters *sum, const uint8_t *const *tap, bool subtract) {
    const Plane four3 = count_pair(sum, tap, subtract);
    const Plane four0 = count_pair(sum, tap + 2, subtract);
    const Plane eight1 = full_add(&sum->fours, sum->four, four3);
    const Plane four1 = count_pair(sum, tap + 4, subtract);
    const Plane carry = full_add(&sum->eights, sum->eight, eight1);
    sum->four = count_pair(sum, tap + 6, subtract);
    sum->eight = full_add(&sum->fours, four0, four1);
    return carry;
}

/** One group of each list, neither of which is used up. The carry has weight 32. */
INLINE Plane count_both(Counters *sum, const uint8_t *x, Rest *rest) {
    const uint8_t *tap[GROUP];
    for (uint32_t i = 0; i < GROUP; i++) {
        tap[i] = tap_at(x, rest->subtracted, i);
    }
    const Plane first = count_group(sum, tap, true);
    for (uint32_t i = 0; i < GROUP; i++) {
        tap[i] = tap_at(x, rest->added - 1 - i, 0);
    }
    const Plane second = count_group(sum, tap, false);
    rest->subtracted += GROUP;
    rest->added -= GROUP;
    return full_add(&sum->sixteens, first, second);
}

INLINE uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/** Groups that all lists still have, but not more than carries may wait. */
INLINE uint32_t common_groups(const Rest *rest, uint32_t room) {
    uint32_t least = room * GROUP;
    for (uint32_t n = 0; n < TOGETHER; n++) {
        least = smaller(least, smaller(rest[n].subtracted_count, rest[n].added_count));
    }
    return least / GROUP;
}

/** What one channel has left when others have used up a list. */
INLINE void count_rest(Counters *sum, Carries *carries, uint8_t *y, uint32_t planes,
                       const uint8_t *x, Rest *rest) {
    while (rest->subtracted_count > 0 || rest->added_count > 0) {
        const uint8_t *tap[GROUP];
        Plane first = plane_fill(0);
        Plane second = first;
        if (rest->subtracted_count > 0) {
            take_group(tap, x, rest, true);
            first = count_group(sum, tap, true);
        }
        if (rest->added_count > 0) {
            take_group(tap, x, rest, false);
            second = count_group(sum, tap, false);
        }
        if (carries->count == CARRIES - 1) {
            add_carries(y, TERNARY_PLANES, planes, carries);
            carries->count = 0;
        }
        carries->planes[carries->count++] = full_add(&sum->sixteens, first, second);
    }
}

INLINE void finish_count(Counters *sum, Carries *carries, uint8_t *y, uint32_t planes) {
    const Plane four = full_add(&sum->twos, sum->two0, sum->two1);
    const Plane eight = full_add(&sum->fours, sum->four, four);
    const Plane sixteen = full_add(&sum->eights, sum->eight, eight);
    carries->planes[carries->count++] = plane_and(sum->sixteens, sixteen);
    plane_store(at(y, 0), sum->ones);
    plane_store(at(y, 1), sum->twos);
    plane_store(at(y, 2), sum->fours);
    plane_store(at(y, 3), sum->eights);
    plane_store(at(y, 4), plane_xor(sum->sixteens, sixteen));
    add_carries(y, TERNARY_PLANES, planes, carries);
}

/** TOGETHER ternary dot products of the same number of planes; y_bytes from result to result. */
SEPARATE void dots_ternary(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots,
                           const uint8_t *x) {
    const uint32_t planes = dots[0].planes;
    const Plane zero = plane_fill(0);
    Counters sum[TOGETHER];
    Rest rest[TOGETHER];
    Carries carries[TOGETHER];
    UNROLL
    for (uint32_t n = 0; n < TOGETHER; n++) {
        const LutraSlicedDot *const dot = &dots[n];
        const uint32_t groups = (dot->subtracted + GROUP - 1) / GROUP;
        const uint32_t start = dot->start - 2 * GROUP * groups;
        sum[n] = (Counters){plane_of_bit(start, 0), plane_of_bit(start, 1), plane_of_bit(start, 2),
                            plane_of_bit(start, 3), plane_of_bit(start, 4), zero, zero, zero, zero};
        rest[n] = (Rest){.subtracted = dot->taps,
                         .added = dot->taps + dot->subtracted + dot->added,
                         .subtracted_count = dot->subtracted,
                         .added_count = dot->added};
        fill_planes(y + n * y_bytes, TERNARY_PLANES, planes, start);
    }
    for (;;) {
        const uint32_t groups = common_groups(rest, CARRIES - 1);
        for (uint32_t i = 0; i < groups; i++) {
            UNROLL
            for (uint32_t n = 0; n < TOGETHER; n++) {
                carries[n].planes[i] = count_both(&sum[n], x, &rest[n]);
            }
        }
        for (uint32_t n = 0; n < TOGETHER; n++) {
            rest[n].subtracted_count -= GROUP * groups;
            rest[n].added_count -= GROUP * groups;
            carries[n].count = groups;
        }
        if (groups < CARRIES - 1) {
            break;
        }
        for (uint32_t n = 0; n < TOGETHER; n++) {
            add_carries(y + n * y_bytes, TERNARY_PLANES, planes, &carries[n]);
        }
    }
    UNROLL
    for (uint32_t n = 0; n < TOGETHER; n++) {
        count_rest(&sum[n], &carries[n], y + n * y_bytes, planes, x, &rest[n]);
        finish_count(&sum[n], &carries[n], y + n * y_bytes, planes);
    }
}

INLINE void dots_together(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots, uint32_t count,
                          const uint8_t *x) {
    uint32_t c = 0;
    for (; c + TOGETHER <= count && dots[c].ternary; c += TOGETHER) {
        dots_ternary(y + c * y_bytes, y_bytes, &dots[c], x);
    }
    dots_one_by_one(y + c * y_bytes, y_bytes, &dots[c], count - c, x);
}

#endif
