/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops of a look-up, each in a plain reference and in faster versions that give the same bits:
 * floating-point operations are the same ones in the same order, fused where `fma` is written.
 *
 * Legend: N = coefficients of a polynomial, M = N / 2; l = levels of a decomposition, B =
 * 2^base_log its base. "Points" are N doubles as in fourier.h.
 */
#ifndef LUTRA_BRIDGE_LOOKUP_KERNELS_H
#define LUTRA_BRIDGE_LOOKUP_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/fourier.h"

/** How torus words are cut into l digits: of the nearest multiple of B^-l, in [-B/2, B/2), digit i
 * of 1 .. l in units of B^-i. */
typedef struct {
    uint32_t base_log; /* 1 .. 52 */
    uint32_t level;    /* level * base_log <= 63 */
} LutraDigits;

/** What is added to a word so that its digits are plain bit fields, each too large by B / 2. */
uint64_t lutra_digits_offset(LutraDigits digits);

typedef struct {
    /**
     * Digits of X^rotation * a - a, for one polynomial of a blind rotation.
     *
     * @param[out] points      l polynomials of N doubles, `stride` doubles apart: digit l first
     * @param      polynomial  (N) torus words
     * @param      rotation    0 .. 2N - 1
     */
    void (*rotated_digits)(double *points, size_t stride, const uint64_t *polynomial, size_t n,
                           size_t rotation, LutraDigits digits);

    /** points = transform of the real polynomial in points, N = 2 * 2^plan->log2_points. */
    void (*forward)(double *points, const LutraFourierPlan *plan);

    /** The way back, times M. */
    void (*inverse)(double *points, const LutraFourierPlan *plan);

    /**
     * sums[c] = sum over r of rows[r] * key[r][c], complex.
     *
     * @param[out] sums    `columns` arrays of N points, `stride` doubles apart
     * @param      rows    `row_count` >= 1 arrays of N points, `stride` doubles apart
     * @param      key     (M / 8, row_count, columns, 2, 8): eight points of all polynomials, then
     *                     the next eight, as one stream
     * @param      stride  not a multiple of a page: arrays would share sets of the first cache
     */
    void (*products)(double *sums, const double *rows, const double *key, size_t n, size_t stride,
                     size_t row_count, size_t columns);

    /** words[j] += the torus word nearest to x[j] modulo 1, of magnitude below 2^52. */
    void (*add_torus)(uint64_t *words, const double *x, size_t n);

    /**
     * sums[i][j] += sum over r of digits[i][r] * key[r][j], modulo 2^64.
     *
     * @param[in,out] sums    (count, columns)
     * @param         digits  (count, row_count) magnitudes of at most 2^31 - 1
     * @param         key     (row_count, columns)
     */
    void (*keyswitch)(uint64_t *sums, const int64_t *digits, const uint64_t *key, size_t columns,
                      size_t row_count, size_t count);
} LutraLookupKernels;

/** The fastest versions that `cpu_flags` (LutraCpuFlag) and this processor allow. */
void lutra_lookup_kernels_init(LutraLookupKernels *kernels, uint32_t cpu_flags);

#endif
