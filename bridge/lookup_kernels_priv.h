/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels of a look-up for one vector size, written over the types Vec and Words and their
 * operations, which the including file defines together with LUTRA_LOOKUP_LANES. Alone, this header
 * only declares the versions.
 */
#ifndef LUTRA_BRIDGE_LOOKUP_KERNELS_PRIV_H
#define LUTRA_BRIDGE_LOOKUP_KERNELS_PRIV_H

#include "bridge/lookup_kernels.h"

/** Fills all entries. */
void lutra_lookup_kernels_ref(LutraLookupKernels *kernels);

/** Each replaces what it has. */
void lutra_lookup_kernels_avx2(LutraLookupKernels *kernels);
void lutra_lookup_kernels_avx512(LutraLookupKernels *kernels);

#ifdef LUTRA_LOOKUP_LANES

#include <string.h>

/* --- digits ----------------------------------------------------------------------------------- */

/* 2^52 as a double: its low bits hold any smaller whole number. */
#define LUTRA_LOOKUP_WHOLE UINT64_C(0x4330000000000000)

typedef struct {
    double *points;
    size_t stride;
    const uint64_t *polynomial;
    LutraDigits digits;
    uint64_t offset;
} DigitWork;

INLINE void digits_of_vector(const DigitWork *work, size_t j, Words word, uint32_t level) {
    const uint32_t base_log = work->digits.base_log;
    const Words field = words_fill((UINT64_C(1) << base_log) - 1);
    const Words whole = words_fill(LUTRA_LOOKUP_WHOLE);
    const Vec away = vec_fill(0x1p52 + (double)(UINT64_C(1) << (base_log - 1)));
    for (uint32_t i = 1; i <= level; i++) {
        const Words low = words_and(words_shift_right(word, 64 - i * base_log), field);
        vec_store(work->points + (level - i) * work->stride + j,
                  vec_sub(vec_of_bits(words_or(low, whole)), away));
    }
}

INLINE void digits_of_word(const DigitWork *work, size_t j, uint64_t word) {
    const uint32_t base_log = work->digits.base_log;
    for (uint32_t i = 1; i <= work->digits.level; i++) {
        const uint64_t low = word >> (64 - i * base_log) & ((UINT64_C(1) << base_log) - 1);
        work->points[(work->digits.level - i) * work->stride + j] =
            (double)low - (double)(UINT64_C(1) << (base_log - 1));
    }
}

/** Coefficients [first, last), which come from `from` on, negated or not. */
INLINE void digits_of_span(const DigitWork *work, size_t first, size_t last, size_t from,
                           bool negative, uint32_t level) {
    const Words offset = words_fill(work->offset);
    const uint64_t *const source = work->polynomial + from - first;
    size_t j = first;
    for (; j < last && j % LUTRA_LOOKUP_LANES != 0; j++) {
        const uint64_t x = source[j];
        digits_of_word(work, j, (negative ? 0 - x : x) - work->polynomial[j] + work->offset);
    }
    for (; j + LUTRA_LOOKUP_LANES <= last; j += LUTRA_LOOKUP_LANES) {
        const Words rest = words_sub(offset, words_load(work->polynomial + j));
        const Words x = words_load(source + j);
        digits_of_vector(work, j, negative ? words_sub(rest, x) : words_add(rest, x), level);
    }
    for (; j < last; j++) {
        const uint64_t x = source[j];
        digits_of_word(work, j, (negative ? 0 - x : x) - work->polynomial[j] + work->offset);
    }
}

INLINE void digits_of_level(const DigitWork *work, size_t n, size_t rotation, uint32_t level) {
    if (rotation < n) {
        digits_of_span(work, 0, rotation, n - rotation, true, level);
        digits_of_span(work, rotation, n, 0, false, level);
    } else {
        digits_of_span(work, 0, rotation - n, 2 * n - rotation, false, level);
        digits_of_span(work, rotation - n, n, 0, true, level);
    }
}

static void rotated_digits(double *points, size_t stride, const uint64_t *polynomial, size_t n,
                           size_t rotation, LutraDigits digits) {
    const DigitWork work = {points, stride, polynomial, digits, lutra_digits_offset(digits)};
    if (digits.level == 1) {
        digits_of_level(&work, n, rotation, 1);
    } else {
        digits_of_level(&work, n, rotation, digits.level);
    }
}

/* --- transforms ------------------------------------------------------------------------------- */

typedef struct {
    Vec re;
    Vec im;
} Pair;

/** u + s v and u - s v; with `turned`, i s in place of s. */
INLINE void halve(Pair *u, Pair *v, Pair s, bool turned) {
    const Vec t_re = vec_fms(s.re, v->re, vec_mul(s.im, v->im));
    const Vec t_im = vec_fma(s.re, v->im, vec_mul(s.im, v->re));
    const Pair low = *u;
    if (turned) {
        u->re = vec_sub(low.re, t_im);
        u->im = vec_add(low.im, t_re);
        v->re = vec_add(low.re, t_im);
        v->im = vec_sub(low.im, t_re);
    } else {
        u->re = vec_add(low.re, t_re);
        u->im = vec_add(low.im, t_im);
        v->re = vec_sub(low.re, t_re);
        v->im = vec_sub(low.im, t_im);
    }
}

/** The way back, times two. */
INLINE void join(Pair *u, Pair *v, Pair s, bool turned) {
    const Pair low = *u;
    const Pair high = *v;
    const Vec d_re = vec_sub(low.re, high.re);
    const Vec d_im = vec_sub(low.im, high.im);
    u->re = vec_add(low.re, high.re);
    u->im = vec_add(low.im, high.im);
    if (turned) {
        /* t = (d_im, -d_re) */
        v->re = vec_fms(s.re, d_im, vec_mul(s.im, d_re));
        v->im = vec_neg_fms(s.re, d_re, vec_mul(s.im, d_im));
    } else {
        v->re = vec_fma(s.re, d_re, vec_mul(s.im, d_im));
        v->im = vec_fms(s.re, d_im, vec_mul(s.im, d_re));
    }
}

/** Three depths on eight points; s: own factor, that of node 2p, of 4p and of 4p + 2. */
INLINE void halve8(Pair z[8], const Pair s[4]) {
    UNROLL for (int q = 0; q < 4; q++) {
        halve(&z[q], &z[q + 4], s[0], false);
    }
    UNROLL for (int q = 0; q < 2; q++) {
        halve(&z[q], &z[q + 2], s[1], false);
        halve(&z[q + 4], &z[q + 6], s[1], true);
    }
    halve(&z[0], &z[1], s[2], false);
    halve(&z[2], &z[3], s[2], true);
    halve(&z[4], &z[5], s[3], false);
    halve(&z[6], &z[7], s[3], true);
}

INLINE void join8(Pair z[8], const Pair s[4]) {
    join(&z[0], &z[1], s[2], false);
    join(&z[2], &z[3], s[2], true);
    join(&z[4], &z[5], s[3], false);
    join(&z[6], &z[7], s[3], true);
    UNROLL for (int q = 0; q < 2; q++) {
        join(&z[q], &z[q + 2], s[1], false);
        join(&z[q + 4], &z[q + 6], s[1], true);
    }
    UNROLL for (int q = 0; q < 4; q++) {
        join(&z[q], &z[q + 4], s[0], false);
    }
}

INLINE Pair factor_at(const LutraFourierPlan *plan, size_t at) {
    const size_t m = (size_t)1 << plan->log2_points;
    return (Pair){vec_fill(plan->factors[at]), vec_fill(plan->factors[m + at])};
}

INLINE Pair pair_load(const double *points, size_t m, size_t at) {
    return (Pair){vec_load(points + at), vec_load(points + m + at)};
}

INLINE void pair_store(double *points, size_t m, size_t at, Pair pair) {
    vec_store(points + at, pair.re);
    vec_store(points + m + at, pair.im);
}

/** Depths depth .. depth + 2 of all nodes. */
INLINE void pass8(double *points, const LutraFourierPlan *plan, uint32_t depth, bool forth) {
    const size_t m = (size_t)1 << plan->log2_points;
    const size_t step = m >> (depth + 3);
    for (size_t node = 0; node < (size_t)1 << depth; node++) {
        const Pair s[4] = {factor_at(plan, ((size_t)1 << depth) + node),
                           factor_at(plan, ((size_t)2 << depth) + 2 * node),
                           factor_at(plan, ((size_t)4 << depth) + 4 * node),
                           factor_at(plan, ((size_t)4 << depth) + 4 * node + 2)};
        for (size_t j = node * 8 * step; j < (node * 8 + 1) * step; j += LUTRA_LOOKUP_LANES) {
            Pair z[8];
            UNROLL for (size_t q = 0; q < 8; q++) {
                z[q] = pair_load(points, m, j + q * step);
            }
            if (forth) {
                halve8(z, s);
            } else {
                join8(z, s);
            }
            UNROLL for (size_t q = 0; q < 8; q++) {
                pair_store(points, m, j + q * step, z[q]);
            }
        }
    }
}

/** Depths 0 and 1. */
INLINE void pass4(double *points, const LutraFourierPlan *plan, bool forth) {
    const size_t m = (size_t)1 << plan->log2_points;
    const size_t step = m / 4;
    const Pair s[2] = {factor_at(plan, 1), factor_at(plan, 2)};
    for (size_t j = 0; j < step; j += LUTRA_LOOKUP_LANES) {
        Pair z[4];
        UNROLL for (size_t q = 0; q < 4; q++) {
            z[q] = pair_load(points, m, j + q * step);
        }
        if (forth) {
            halve(&z[0], &z[2], s[0], false);
            halve(&z[1], &z[3], s[0], false);
            halve(&z[0], &z[1], s[1], false);
            halve(&z[2], &z[3], s[1], true);
        } else {
            join(&z[0], &z[1], s[1], false);
            join(&z[2], &z[3], s[1], true);
            join(&z[0], &z[2], s[0], false);
            join(&z[1], &z[3], s[0], false);
        }
        UNROLL for (size_t q = 0; q < 4; q++) {
            pair_store(points, m, j + q * step, z[q]);
        }
    }
}

/** Depth 0. */
INLINE void pass2(double *points, const LutraFourierPlan *plan, bool forth) {
    const size_t m = (size_t)1 << plan->log2_points;
    const Pair s = factor_at(plan, 1);
    for (size_t j = 0; j < m / 2; j += LUTRA_LOOKUP_LANES) {
        Pair u = pair_load(points, m, j);
        Pair v = pair_load(points, m, j + m / 2);
        if (forth) {
            halve(&u, &v, s, false);
        } else {
            join(&u, &v, s, false);
        }
        pair_store(points, m, j, u);
        pair_store(points, m, j + m / 2, v);
    }
}

/** The last three depths: every 64 points are 8 nodes of 8. They go in or come out transposed. */
INLINE void pass_last(double *points, const LutraFourierPlan *plan, bool forth) {
    const size_t m = (size_t)1 << plan->log2_points;
    for (size_t first = 0; first < m; first += 64) {
        double kept[2][64] __attribute__((aligned(64)));
        const double *from[2] = {points + first, points + m + first};
        double *const to[2] = {points + first, points + m + first};
        if (LUTRA_LOOKUP_LANES < 8) { /* more than one round reads what the first has written */
            memcpy(kept[0], from[0], sizeof kept[0]);
            memcpy(kept[1], from[1], sizeof kept[1]);
            from[0] = kept[0];
            from[1] = kept[1];
        }
        for (size_t lane = 0; lane < 8; lane += LUTRA_LOOKUP_LANES) {
            Vec re[8];
            Vec im[8];
            Pair z[8];
            Pair s[4];
            UNROLL for (size_t f = 0; f < 4; f++) {
                s[f].re = vec_load(plan->last + first + f * 16 + lane);
                s[f].im = vec_load(plan->last + first + f * 16 + 8 + lane);
            }
            if (forth) {
                vec_load_nodes(re, from[0] + lane * 8);
                vec_load_nodes(im, from[1] + lane * 8);
            } else {
                UNROLL for (size_t q = 0; q < 8; q++) {
                    re[q] = vec_load(from[0] + q * 8 + lane);
                    im[q] = vec_load(from[1] + q * 8 + lane);
                }
            }
            UNROLL for (size_t q = 0; q < 8; q++) {
                z[q] = (Pair){re[q], im[q]};
            }
            if (forth) {
                halve8(z, s);
            } else {
                join8(z, s);
            }
            UNROLL for (size_t q = 0; q < 8; q++) {
                re[q] = z[q].re;
                im[q] = z[q].im;
            }
            if (forth) {
                UNROLL for (size_t q = 0; q < 8; q++) {
                    vec_store(to[0] + q * 8 + lane, re[q]);
                    vec_store(to[1] + q * 8 + lane, im[q]);
                }
            } else {
                vec_store_nodes(to[0] + lane * 8, re);
                vec_store_nodes(to[1] + lane * 8, im);
            }
        }
    }
}

static void forward(double *points, const LutraFourierPlan *plan) {
    const uint32_t depths = plan->log2_points - 3;
    if (depths % 3 == 1) {
        pass2(points, plan, true);
    } else if (depths % 3 == 2) {
        pass4(points, plan, true);
    }
    for (uint32_t depth = depths % 3; depth < depths; depth += 3) {
        pass8(points, plan, depth, true);
    }
    pass_last(points, plan, true);
}

static void inverse(double *points, const LutraFourierPlan *plan) {
    const uint32_t depths = plan->log2_points - 3;
    pass_last(points, plan, false);
    for (uint32_t depth = depths; depth >= 3; depth -= 3) {
        pass8(points, plan, depth - 3, false);
    }
    if (depths % 3 == 1) {
        pass2(points, plan, false);
    } else if (depths % 3 == 2) {
        pass4(points, plan, false);
    }
}

/* --- products --------------------------------------------------------------------------------- */

INLINE void products_of(double *sums, const double *rows, const double *key, size_t n,
                        size_t stride, size_t row_count, size_t columns) {
    const size_t m = n / 2;
    for (size_t j = 0; j < m; j += LUTRA_LOOKUP_LANES) {
        const double *const block = key + j / 8 * row_count * columns * 16 + j % 8;
        for (size_t c = 0; c < columns; c++) {
            const Pair x0 = pair_load(rows, m, j);
            const Pair k0 = pair_load(block, 8, c * 16);
            Pair sum = {vec_fms(x0.re, k0.re, vec_mul(x0.im, k0.im)),
                        vec_fma(x0.re, k0.im, vec_mul(x0.im, k0.re))};
            for (size_t r = 1; r < row_count; r++) {
                const Pair x = pair_load(rows + r * stride, m, j);
                const Pair k = pair_load(block, 8, (r * columns + c) * 16);
                sum.re = vec_fnma(x.im, k.im, vec_fma(x.re, k.re, sum.re));
                sum.im = vec_fma(x.im, k.re, vec_fma(x.re, k.im, sum.im));
            }
            pair_store(sums + c * stride, m, j, sum);
        }
    }
}

static void products(double *sums, const double *rows, const double *key, size_t n, size_t stride,
                     size_t row_count, size_t columns) {
    if (row_count == 2 && columns == 2) { /* by far the most frequent: one level, one polynomial */
        products_of(sums, rows, key, n, stride, 2, 2);
    } else {
        products_of(sums, rows, key, n, stride, row_count, columns);
    }
}

static void add_torus(uint64_t *words, const double *x, size_t n) {
    for (size_t j = 0; j < n; j += LUTRA_LOOKUP_LANES) {
        words_store(words + j, words_add(words_load(words + j), words_of_turns(vec_load(x + j))));
    }
}

#endif
#endif
