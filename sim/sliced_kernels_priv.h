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
#define SEPARATE static __attribute__((noinline)) /* keeps its registers to itself */
#if defined(__clang__)
#define UNROLL _Pragma("unroll 8")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

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

enum {
    PLANE_BYTES = LUTRA_SLICED_PLANE_BYTES,
    GROUP = 8,          /* taps */
    CARRIES = 64,       /* that wait at most */
    TERNARY_PLANES = 5  /* in registers while ternary inputs are counted */
};

/* A tap that adds nothing. */
static const uint8_t no_tap[LUTRA_SLICED_MAX_PLANES * PLANE_BYTES]
    __attribute__((aligned(64))) = {0};
static const uint32_t no_offsets[GROUP] = {0};

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

/**
 * One tap. The empty instruction keeps compilers from adding offsets in vectors, from where they
 * would fetch each address one by one.
 */
INLINE const uint8_t *tap_at(const uint8_t *x, const uint32_t *taps, uint32_t i) {
    size_t offset = taps[i];
    __asm__("" : "+r"(offset));
    return x + offset;
}

/** Carries into one plane of a sum, all of that plane's weight. */
typedef struct {
    Plane planes[CARRIES];
    uint32_t count;
} Carries;

/** *sum += the carries `in`; what they carry out is put in `out`. */
INLINE void add_waiting(Plane *sum, Carries *out, const Carries *in) {
    uint32_t i = 0;
    uint32_t count = 0;
    for (; i + 2 <= in->count; i += 2) {
        out->planes[count++] = full_add(sum, in->planes[i], in->planes[i + 1]);
    }
    if (i < in->count) {
        out->planes[count++] = plane_and(*sum, in->planes[i]);
        *sum = plane_xor(*sum, in->planes[i]);
    }
    out->count = count;
}

/** y += carries of weight 2^k, modulo 2^planes. */
INLINE void add_carries(uint8_t *y, uint32_t k, uint32_t planes, const Carries *carries) {
    Carries buffers[2];
    const Carries *in = carries;
    for (; k < planes && in->count > 0; k++) {
        Carries *const out = &buffers[k % 2];
        Plane sum = plane_load(at(y, k));
        add_waiting(&sum, out, in);
        plane_store(at(y, k), sum);
        in = out;
    }
}

INLINE Plane plane_of_bit(uint32_t constant, uint32_t k) {
    return plane_fill(-(int32_t)(constant >> k & 1));
}

/** Planes from..planes - 1 of a constant. */
INLINE void fill_planes(uint8_t *y, uint32_t from, uint32_t planes, uint32_t constant) {
    for (uint32_t k = from; k < planes; k++) {
        plane_store(at(y, k), plane_of_bit(constant, k));
    }
}

/* Ternary inputs: eight at a time, the lowest planes of the sum in registers. */

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
    Plane sixteens;
    Plane two0; /* waiting carries, named by their weight */
    Plane two1;
    Plane four;
    Plane eight;
} Counters;

/** Adds taps i and i + 1 and the two carries of the pair before; that carry, of weight 4, is
 * returned. The addresses make way for those of the next group, whose data is called for. */
INLINE Plane add_ternary_pair(Counters *sum, const uint8_t **tap, uint32_t i, const uint8_t *x,
                              const uint32_t *next) {
    const Plane first = add_ternary(&sum->ones, tap[i]);
    const Plane second = add_ternary(&sum->ones, tap[i + 1]);
    tap[i] = tap_at(x, next, i);
    tap[i + 1] = tap_at(x, next, i + 1);
    __builtin_prefetch(tap[i]);
    __builtin_prefetch(tap[i + 1]);
    const Plane four = full_add(&sum->twos, sum->two0, sum->two1);
    sum->two0 = first;
    sum->two1 = second;
    return four;
}

/** Adds 8 ternary codes; the carry, of weight 16, is that of the group before. */
INLINE Plane add_ternary_group(Counters *sum, const uint8_t **tap, const uint8_t *x,
                               const uint32_t *next) {
    const Plane four3 = add_ternary_pair(sum, tap, 0, x, next);
    const Plane four0 = add_ternary_pair(sum, tap, 2, x, next);
    const Plane eight1 = full_add(&sum->fours, sum->four, four3);
    const Plane four1 = add_ternary_pair(sum, tap, 4, x, next);
    const Plane carry = full_add(&sum->eights, sum->eight, eight1);
    sum->four = add_ternary_pair(sum, tap, 6, x, next);
    sum->eight = full_add(&sum->fours, four0, four1);
    return carry;
}

/** Addresses of one group, the missing taps adding nothing. */
INLINE void gather_taps(const uint8_t **tap, const uint8_t *x, const uint32_t *taps,
                        uint32_t count) {
    for (uint32_t i = 0; i < GROUP; i++) {
        tap[i] = i < count ? tap_at(x, taps, i) : no_tap;
    }
}

/** Adds all taps. Carries of weight 32 go to `carries`, complemented by `flip`; if they are many,
 * to y. */
INLINE void add_ternary_taps(Counters *sum, Carries *carries, uint8_t *y, uint32_t planes,
                             const uint8_t *x, const uint32_t *taps, uint32_t count, Plane flip) {
    uint32_t waiting = carries->count;
    const uint8_t *tap[GROUP];
    gather_taps(tap, x, taps, count);
    for (;;) {
        if (waiting == CARRIES - 1) {
            carries->count = waiting;
            add_carries(y, TERNARY_PLANES, planes, carries);
            waiting = 0;
        }
        if (count < 2 * GROUP) {
            break;
        }
        count -= 2 * GROUP;
        const Plane first = add_ternary_group(sum, tap, x, taps + GROUP);
        taps += 2 * GROUP;
        const Plane second = add_ternary_group(sum, tap, x, count >= GROUP ? taps : taps - GROUP);
        carries->planes[waiting++] =
            plane_xor(full_add(&sum->sixteens, first, second), flip);
    }
    if (count > 0) {
        const uint32_t some = count < GROUP ? count : GROUP;
        gather_taps(tap, x, taps, some);
        const Plane first = add_ternary_group(sum, tap, x, no_offsets);
        Plane second = plane_fill(0);
        if (count > GROUP) {
            gather_taps(tap, x, taps + GROUP, count - GROUP);
            second = add_ternary_group(sum, tap, x, no_offsets);
        }
        carries->planes[waiting++] =
            plane_xor(full_add(&sum->sixteens, first, second), flip);
    }
    carries->count = waiting;
}

/** Every counter and waiting carry becomes its complement. */
INLINE void flip_ternary(Counters *sum) {
    const Plane ones = plane_fill(-1);
    sum->ones = plane_xor(sum->ones, ones);
    sum->twos = plane_xor(sum->twos, ones);
    sum->fours = plane_xor(sum->fours, ones);
    sum->eights = plane_xor(sum->eights, ones);
    sum->sixteens = plane_xor(sum->sixteens, ones);
    sum->two0 = plane_xor(sum->two0, ones);
    sum->two1 = plane_xor(sum->two1, ones);
    sum->four = plane_xor(sum->four, ones);
    sum->eight = plane_xor(sum->eight, ones);
}

/**
 * Counts the subtracted inputs first. The complement of a bit b of weight w is w - w * b: with all
 * bits of the count complemented (the counters, 31 in all, the waiting carries, 16, and n carries
 * of weight 32), they stand for 47 + 32 n - count, and the added inputs are counted on from there.
 */
SEPARATE void dot_ternary(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x) {
    const uint32_t subtracts = (dot->subtracted + 2 * GROUP - 1) / (2 * GROUP);
    const uint32_t rest = dot->start - 47 - 32 * subtracts;
    const uint32_t low = (subtracts > 0 ? 0 - rest : dot->start) & 31; /* what counting starts at */
    const uint32_t high = subtracts > 0 ? rest + low : dot->start - low;
    const Plane zero = plane_fill(0);
    Counters sum = {plane_of_bit(low, 0), plane_of_bit(low, 1), plane_of_bit(low, 2),
                    plane_of_bit(low, 3), plane_of_bit(low, 4), zero, zero, zero, zero};
    Carries carries;
    carries.count = 0;
    fill_planes(y, TERNARY_PLANES, dot->planes, high);
    if (subtracts > 0) {
        add_ternary_taps(&sum, &carries, y, dot->planes, x, dot->taps, dot->subtracted,
                         plane_fill(-1));
        flip_ternary(&sum);
    }
    add_ternary_taps(&sum, &carries, y, dot->planes, x, dot->taps + dot->subtracted, dot->added,
                     zero);
    const Plane four = full_add(&sum.twos, sum.two0, sum.two1);
    const Plane eight = full_add(&sum.fours, sum.four, four);
    const Plane sixteen = full_add(&sum.eights, sum.eight, eight);
    carries.planes[carries.count++] = plane_and(sum.sixteens, sixteen);
    plane_store(at(y, 0), sum.ones);
    plane_store(at(y, 1), sum.twos);
    plane_store(at(y, 2), sum.fours);
    plane_store(at(y, 3), sum.eights);
    plane_store(at(y, 4), plane_xor(sum.sixteens, sixteen));
    add_carries(y, TERNARY_PLANES, dot->planes, &carries);
}

/* Inputs of any number of planes: four at a time, plane by plane, with four carries between. */

/** y += carry << k, modulo 2^planes. */
INLINE void ripple(uint8_t *y, uint32_t k, uint32_t planes, Plane carry) {
    for (; k < planes; k++) {
        const Plane bit = plane_load(at(y, k));
        plane_store(at(y, k), plane_xor(bit, carry));
        carry = plane_and(bit, carry);
    }
}

/** y += the inputs at four addresses. */
INLINE void add_four(uint8_t *y, uint32_t planes, uint32_t x_planes, const uint8_t *const *tap) {
    Plane c0 = plane_fill(0);
    Plane c1 = c0;
    Plane c2 = c0;
    Plane c3 = c0;
    uint32_t k = 0;
    UNROLL
    for (; k < x_planes; k++) {
        Plane sum = plane_load(at(y, k));
        const Plane x0 = plane_load(tap[0] + k * PLANE_BYTES);
        const Plane x1 = plane_load(tap[1] + k * PLANE_BYTES);
        const Plane d0 = full_add(&sum, x0, x1);
        const Plane x2 = plane_load(tap[2] + k * PLANE_BYTES);
        const Plane x3 = plane_load(tap[3] + k * PLANE_BYTES);
        const Plane d1 = full_add(&sum, x2, x3);
        const Plane d2 = full_add(&sum, c0, c1);
        const Plane d3 = full_add(&sum, c2, c3);
        plane_store(at(y, k), sum);
        c0 = d0;
        c1 = d1;
        c2 = d2;
        c3 = d3;
    }
    /* the two planes above may lie beyond the result: spare ones */
    Plane sum = plane_load(at(y, k));
    const Plane d0 = full_add(&sum, c0, c1);
    const Plane d1 = full_add(&sum, c2, c3);
    plane_store(at(y, k), sum);
    sum = plane_load(at(y, k + 1));
    const Plane carry = full_add(&sum, d0, d1);
    plane_store(at(y, k + 1), sum);
    ripple(y, k + 2, planes, carry);
}

INLINE void add_wide_taps(uint8_t *y, uint32_t planes, const uint8_t *x, uint32_t x_planes,
                          const uint32_t *taps, uint32_t count) {
    for (uint32_t i = 0; i < count; i += 4) {
        const uint8_t *const four[4] = {tap_at(x, taps, i),
                                        i + 1 < count ? tap_at(x, taps, i + 1) : no_tap,
                                        i + 2 < count ? tap_at(x, taps, i + 2) : no_tap,
                                        i + 3 < count ? tap_at(x, taps, i + 3) : no_tap};
        add_four(y, planes, x_planes, four);
    }
}

/** The complement of a number s is -s - 1: with the subtracted inputs added to -start - 1, the
 * complement of the sum is start minus them. */
INLINE void dot_wide(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x, uint32_t x_planes) {
    const Plane ones = plane_fill(-1);
    fill_planes(y, 0, dot->planes, ~dot->start);
    add_wide_taps(y, dot->planes, x, x_planes, dot->taps, dot->subtracted);
    for (uint32_t k = 0; k < dot->planes; k++) {
        plane_store(at(y, k), plane_xor(plane_load(at(y, k)), ones));
    }
    add_wide_taps(y, dot->planes, x, x_planes, dot->taps + dot->subtracted, dot->added);
}

SEPARATE void dot_pixels(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x) {
    dot_wide(y, dot, x, 8);
}

INLINE void dot_planes(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x) {
    if (dot->ternary) {
        dot_ternary(y, dot, x);
    } else if (dot->x_planes == 8) {
        dot_pixels(y, dot, x);
    } else {
        dot_wide(y, dot, x, dot->x_planes);
    }
}

INLINE void dots_one_by_one(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots,
                            uint32_t count, const uint8_t *x) {
    for (uint32_t c = 0; c < count; c++) {
        dot_planes(y + c * y_bytes, &dots[c], x);
    }
}

/* A variant may have a way of its own. */
#ifndef LUTRA_SLICED_DOTS
#define LUTRA_SLICED_DOTS dots_one_by_one
#endif

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
    void lutra_sliced_dots_##suffix(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots,       \
                                    uint32_t count, const uint8_t *x) {                           \
        LUTRA_SLICED_DOTS(y, y_bytes, dots, count, x);                                            \
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
