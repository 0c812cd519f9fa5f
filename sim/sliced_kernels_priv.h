/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bit-sliced kernels of one vector size, written over the type Plane and its operations, which
 * the including file defines together with LUTRA_SLICED_PLANE_BYTES. Alone, this header shows what
 * is expected, on 64 lanes.
 *
 * Counting is a tree of full adders that never holds more than one waiting carry per bit
 * (Harley-Seal): a full adder takes two carries of weight w and gives one of weight 2 w.
 */
#ifndef LUTRA_SIM_SLICED_KERNELS_PRIV_H
#define LUTRA_SIM_SLICED_KERNELS_PRIV_H

#include "sim/sliced_kernels.h"

#define INLINE static inline __attribute__((always_inline))

#ifndef LUTRA_SLICED_PLANE_BYTES
#define LUTRA_SLICED_PLANE_BYTES 8

typedef uint64_t Plane;

INLINE Plane plane_load(const uint8_t *from) {
    Plane plane;
    __builtin_memcpy(&plane, from, sizeof plane);
    return plane;
}

INLINE void plane_store(uint8_t *to, Plane plane) {
    __builtin_memcpy(to, &plane, sizeof plane);
}

/** All bits of every 32-bit word as in `word`. */
INLINE Plane plane_fill(int32_t word) {
    return (uint32_t)word | (uint64_t)(uint32_t)word << 32;
}

INLINE Plane plane_and(Plane a, Plane b) {
    return a & b;
}

INLINE Plane plane_or(Plane a, Plane b) {
    return a | b;
}

INLINE Plane plane_xor(Plane a, Plane b) {
    return a ^ b;
}

/** a ^ b ^ c */
INLINE Plane plane_sum(Plane a, Plane b, Plane c) {
    return a ^ b ^ c;
}

/** At least two of three. */
INLINE Plane plane_carry(Plane a, Plane b, Plane c) {
    return (b & c) | (a & (b ^ c));
}

/** a | (b & c) */
INLINE Plane plane_or_and(Plane a, Plane b, Plane c) {
    return a | (b & c);
}

INLINE uint32_t plane_count(Plane plane) {
    return (uint32_t)__builtin_popcountll(plane);
}

/** One bit of each lane's byte. */
INLINE Plane plane_slice(const uint8_t *bytes, uint32_t bit) {
    Plane plane = 0;
    for (uint32_t i = 0; i < 64; i++) {
        plane |= (uint64_t)(bytes[i] >> bit & 1) << i;
    }
    return plane;
}
#endif

enum { PLANE_BYTES = LUTRA_SLICED_PLANE_BYTES, GROUP = 8, COLUMN = 64 };

/* A tap that adds nothing. */
static const uint8_t no_tap[2 * PLANE_BYTES] __attribute__((aligned(64))) = {0};

/* ---- dot products ---- */

/** *a + b + c, of weight w each: *a becomes the sum, the carry of weight 2 w is returned. */
INLINE Plane full_add(Plane *a, Plane b, Plane c) {
    const Plane carry = plane_carry(*a, b, c);
    *a = plane_sum(*a, b, c);
    return carry;
}

/** Plane k of a number in memory. */
INLINE uint8_t *at(uint8_t *y, uint32_t k) {
    return y + k * PLANE_BYTES;
}

/** y += carry << k, modulo 2^planes. */
INLINE void ripple(uint8_t *y, uint32_t k, uint32_t planes, Plane carry) {
    for (; k < planes; k++) {
        const Plane bit = plane_load(at(y, k));
        plane_store(at(y, k), plane_xor(bit, carry));
        carry = plane_and(bit, carry);
    }
}

/**
 * One tap. The empty instruction keeps compilers from adding offsets in vectors, from where they
 * would fetch each address one by one.
 */
INLINE const uint8_t *tap_at(const uint8_t *x, const uint32_t *taps, uint32_t i) {
    size_t offset = taps[i];
    __asm__("" : "+r"(offset));
    return x + offset;
}

/** Where one column's bits come from: carries of the column below, and one plane of each tap. */
typedef struct {
    Plane carries[COLUMN];
    uint32_t carry_count;
} Column;

/**
 * Adds the waiting carries and one plane of every tap, all of the same weight, to *sum. What is
 * carried out replaces the carries.
 */
INLINE void add_column(Plane *sum, Column *column, const uint8_t *x, const uint32_t *taps,
                       uint32_t count) {
    Plane *const carries = column->carries;
    const uint32_t waiting = column->carry_count;
    uint32_t out = 0;
    uint32_t used = 0;
    uint32_t i = 0;
    for (; i + 2 <= waiting; i += 2) {
        carries[out++] = full_add(sum, carries[i], carries[i + 1]);
    }
    if (i < waiting) {
        used = count > 0 ? 1 : 0;
        const uint8_t *const tap = used == 1 ? tap_at(x, taps, 0) : no_tap;
        carries[out++] = full_add(sum, carries[i], plane_load(tap));
    }
    for (i = used; i + 2 <= count; i += 2) {
        const Plane first = plane_load(tap_at(x, taps, i));
        carries[out++] = full_add(sum, first, plane_load(tap_at(x, taps, i + 1)));
    }
    if (i < count) {
        carries[out++] = full_add(sum, plane_load(tap_at(x, taps, i)), plane_fill(0));
    }
    column->carry_count = out;
}

/** y += carries of weight 2^k. */
INLINE void add_carries(uint8_t *y, uint32_t k, uint32_t planes, Column *column) {
    for (; k < planes && column->carry_count > 0; k++) {
        Plane sum = plane_load(at(y, k));
        add_column(&sum, column, NULL, NULL, 0);
        plane_store(at(y, k), sum);
    }
    column->carry_count = 0;
}

/** Adds a code 0, 1 or 2. A carry out of `ones` means the code is 1: it is not 2 as well. */
INLINE Plane add_ternary(Plane *ones, const uint8_t *tap) {
    const Plane low = plane_load(tap);
    const Plane carry = plane_or_and(plane_load(tap + PLANE_BYTES), *ones, low);
    *ones = plane_xor(*ones, low);
    return carry;
}

/**
 * Counters for ternary codes, in registers. Every sum is one step behind the carries that it takes:
 * what a step adds was ready before, so that the processor never waits for a chain of adders.
 */
typedef struct {
    Plane ones;
    Plane twos;
    Plane fours;
    Plane eights;
    Plane two0; /* waiting carries, named by their weight */
    Plane two1;
    Plane four;
    Plane eight;
} Counters;

/** Adds taps i and i + 1, where below count, and the two carries of the pair before; that carry,
 * of weight 4, is returned. */
INLINE Plane add_ternary_pair(Counters *sum, const uint8_t *x, const uint32_t *taps, uint32_t i,
                              uint32_t count) {
    const Plane first = add_ternary(&sum->ones, i < count ? tap_at(x, taps, i) : no_tap);
    const Plane second = add_ternary(&sum->ones, i + 1 < count ? tap_at(x, taps, i + 1) : no_tap);
    const Plane four = full_add(&sum->twos, sum->two0, sum->two1);
    sum->two0 = first;
    sum->two1 = second;
    return four;
}

/** Adds `count` <= 8 ternary codes; the carry, of weight 16, is that of the group before. */
INLINE Plane add_ternary_group(Counters *sum, const uint8_t *x, const uint32_t *taps,
                               uint32_t count) {
    const Plane four3 = add_ternary_pair(sum, x, taps, 0, count);
    const Plane four0 = add_ternary_pair(sum, x, taps, 2, count);
    const Plane eight1 = full_add(&sum->fours, sum->four, four3);
    const Plane four1 = add_ternary_pair(sum, x, taps, 4, count);
    const Plane carry = full_add(&sum->eights, sum->eight, eight1);
    sum->four = add_ternary_pair(sum, x, taps, 6, count);
    sum->eight = full_add(&sum->fours, four0, four1);
    return carry;
}

/** Adds the waiting carries; the carry of weight 16 is returned. */
INLINE Plane finish_ternary(Counters *sum) {
    const Plane four = full_add(&sum->twos, sum->two0, sum->two1);
    const Plane eight = full_add(&sum->fours, sum->four, four);
    return full_add(&sum->eights, sum->eight, eight);
}

INLINE void add_ternary_taps(uint8_t *y, uint32_t planes, const uint8_t *x, const uint32_t *taps,
                             uint32_t count) {
    const Plane zero = plane_fill(0);
    Counters sum = {plane_load(at(y, 0)), plane_load(at(y, 1)), plane_load(at(y, 2)),
                    plane_load(at(y, 3)), zero, zero, zero, zero};
    Column column;
    uint32_t waiting = 0;
    for (; count >= GROUP; taps += GROUP, count -= GROUP) {
        column.carries[waiting++] = add_ternary_group(&sum, x, taps, GROUP);
        if (waiting == COLUMN) {
            column.carry_count = waiting;
            add_carries(y, 4, planes, &column);
            waiting = 0;
        }
    }
    if (count > 0) {
        column.carries[waiting++] = add_ternary_group(&sum, x, taps, count);
    }
    if (waiting == COLUMN) {
        column.carry_count = waiting;
        add_carries(y, 4, planes, &column);
        waiting = 0;
    }
    column.carries[waiting++] = finish_ternary(&sum);
    plane_store(at(y, 0), sum.ones);
    plane_store(at(y, 1), sum.twos);
    plane_store(at(y, 2), sum.fours);
    plane_store(at(y, 3), sum.eights);
    column.carry_count = waiting;
    add_carries(y, 4, planes, &column);
}

/** Column by column, from the lowest plane: no carry moves further than one column. */
INLINE void add_wide_taps(uint8_t *y, uint32_t planes, const uint8_t *x, uint32_t x_planes,
                          const uint32_t *taps, uint32_t count) {
    Column column;
    column.carry_count = 0;
    while (count > 0) {
        const uint32_t some = count < COLUMN ? count : COLUMN;
        for (uint32_t k = 0; k < x_planes; k++) {
            Plane sum = plane_load(at(y, k));
            add_column(&sum, &column, x + k * PLANE_BYTES, taps, some);
            plane_store(at(y, k), sum);
        }
        add_carries(y, x_planes, planes, &column);
        taps += some;
        count -= some;
    }
}

INLINE void add_taps(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x, const uint32_t *taps,
                     uint32_t count) {
    if (dot->ternary) {
        add_ternary_taps(y, dot->planes, x, taps, count);
    } else {
        add_wide_taps(y, dot->planes, x, dot->x_planes, taps, count);
    }
}

INLINE void dot_planes(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x) {
    const uint32_t planes = dot->planes;
    for (uint32_t k = 0; k < planes; k++) {
        plane_store(at(y, k), plane_fill(-(int32_t)(dot->start >> k & 1)));
    }
    if (dot->subtracted > 0) {
        add_taps(y, dot, x, dot->taps, dot->subtracted);
        for (uint32_t k = 0; k < planes; k++) {
            plane_store(at(y, k), plane_xor(plane_load(at(y, k)), plane_fill(-1)));
        }
    }
    add_taps(y, dot, x, dot->taps + dot->subtracted, dot->added);
}

/* ---- comparisons with constants ---- */

/** One bit of x >= constant, from the lowest: decided here if the bits differ, else as before. */
INLINE Plane compare_bit(Plane reaches, Plane bit, Plane mask) {
    return plane_carry(reaches, bit, mask);
}

INLINE Plane compare_planes(const uint8_t *x, uint32_t planes, const int32_t *masks,
                            Plane reaches) {
    for (uint32_t k = 0; k < planes; k++) {
        reaches = compare_bit(reaches, plane_load(x + k * PLANE_BYTES), plane_fill(masks[k]));
    }
    return reaches;
}

INLINE void steps_planes(uint8_t *y, const LutraSlicedSteps *steps, const uint8_t *x,
                         uint32_t y_planes) {
    Plane code[LUTRA_SLICED_MAX_CODE_PLANES];
    const int32_t *words = steps->words;
    for (uint32_t k = 0; k < y_planes; k++) {
        code[k] = plane_fill(steps->start[k]);
    }
    for (uint32_t i = 0; i < steps->step_count; i++) {
        const Plane reached = compare_planes(x, steps->x_planes, words, plane_fill(-1));
        words += steps->x_planes;
        for (uint32_t k = 0; k < y_planes; k++) {
            code[k] = plane_xor(code[k], plane_and(reached, plane_fill(words[k])));
        }
        words += y_planes;
    }
    for (uint32_t k = 0; k < y_planes; k++) {
        plane_store(y + k * PLANE_BYTES, code[k]);
    }
}

INLINE uint32_t outside_planes(const uint8_t *x, uint32_t planes, const int32_t *low,
                               const int32_t *high, const uint8_t *used) {
    Plane at_least_low = plane_fill(-1);
    Plane above_high = plane_fill(0);
    for (uint32_t k = 0; k < planes; k++) {
        const Plane bit = plane_load(x + k * PLANE_BYTES);
        at_least_low = compare_bit(at_least_low, bit, plane_fill(low[k]));
        above_high = compare_bit(above_high, bit, plane_fill(high[k]));
    }
    const Plane below = plane_xor(at_least_low, plane_fill(-1));
    return plane_count(plane_and(plane_or(below, above_high), plane_load(used)));
}

/** Bit by bit from the top: the lanes that can still be the largest. */
INLINE uint32_t largest(const uint8_t *x, uint32_t planes, Plane candidates, int32_t flip) {
    uint32_t value = 0;
    for (uint32_t k = planes; k-- > 0;) {
        const Plane bit = plane_xor(plane_load(x + k * PLANE_BYTES), plane_fill(flip));
        const Plane set = plane_and(candidates, bit);
        if (plane_count(set) != 0) {
            candidates = set;
            value |= UINT32_C(1) << k;
        }
    }
    return value;
}

INLINE void extremes_planes(uint32_t *min, uint32_t *max, const uint8_t *x, uint32_t planes,
                            const uint8_t *used) {
    const uint32_t all = (uint32_t)((UINT64_C(1) << planes) - 1);
    *max = largest(x, planes, plane_load(used), 0);
    *min = all - largest(x, planes, plane_load(used), -1);
}

/* ---- addition and slicing ---- */

INLINE void add_planes(uint8_t *y, uint32_t planes, const uint8_t *x0, uint32_t x0_planes,
                       const uint8_t *x1, uint32_t x1_planes) {
    const Plane zero = plane_fill(0);
    Plane carry = zero;
    for (uint32_t k = 0; k < planes; k++) {
        Plane sum = k < x0_planes ? plane_load(x0 + k * PLANE_BYTES) : zero;
        const Plane other = k < x1_planes ? plane_load(x1 + k * PLANE_BYTES) : zero;
        carry = full_add(&sum, other, carry);
        plane_store(y + k * PLANE_BYTES, sum);
    }
}

/** The kernels of one variant; LUTRA_DECLARE_SLICED_KERNELS declares them. */
#define LUTRA_DEFINE_SLICED_KERNELS(suffix)                                                       \
    void lutra_sliced_dot_##suffix(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x) {     \
        dot_planes(y, dot, x);                                                                    \
    }                                                                                             \
    void lutra_sliced_steps_##suffix(uint8_t *y, const LutraSlicedSteps *steps,                   \
                                     const uint8_t *x) {                                          \
        if (steps->y_planes == 2) {                                                               \
            steps_planes(y, steps, x, 2);                                                         \
        } else {                                                                                  \
            steps_planes(y, steps, x, steps->y_planes);                                           \
        }                                                                                         \
    }                                                                                             \
    uint32_t lutra_sliced_outside_##suffix(const uint8_t *x, uint32_t planes, const int32_t *low, \
                                           const int32_t *high, const uint8_t *used) {            \
        return outside_planes(x, planes, low, high, used);                                        \
    }                                                                                             \
    void lutra_sliced_extremes_##suffix(uint32_t *min, uint32_t *max, const uint8_t *x,           \
                                        uint32_t planes, const uint8_t *used) {                   \
        extremes_planes(min, max, x, planes, used);                                               \
    }                                                                                             \
    void lutra_sliced_add_##suffix(uint8_t *y, uint32_t planes, const uint8_t *x0,                \
                                   uint32_t x0_planes, const uint8_t *x1, uint32_t x1_planes) {   \
        add_planes(y, planes, x0, x0_planes, x1, x1_planes);                                      \
    }                                                                                             \
    void lutra_sliced_slice_##suffix(uint8_t *y, uint32_t planes, const uint8_t *bytes) {         \
        for (uint32_t k = 0; k < planes; k++) {                                                   \
            plane_store(y + k * PLANE_BYTES, plane_slice(bytes, k));                              \
        }                                                                                         \
    }                                                                                             \
    _Static_assert(PLANE_BYTES % 8 == 0, "a plane is whole words")

#endif
