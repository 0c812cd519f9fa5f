/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The negacyclic Fourier transform of a look-up: which points, in which order.
 *
 * A real polynomial a of N coefficients modulo X^N + 1 is folded into M = N / 2 complex ones,
 * z_j = a_j + i a_(j+M), which is a modulo X^M - i. The transform halves this ring log2 M times:
 *
 *   X^m - c  =  (X^(m/2) - s) (X^(m/2) + s),  s^2 = c      low half  u + s v,  high half  u - s v
 *
 * Node p at depth d is one such ring; its halves are nodes 2p and 2p+1 at depth d+1, the second of
 * which has i times the factor of the first: depths that are done together three by three compute
 * it once for both, so that a product's rounding is part of the definition. No separate
 * twisting, no bit reversal: products are made in the order that results from it, and the inverse
 * goes the same way back.
 *
 * Arrays of N doubles hold M real parts and then M imaginary ones. After a transform every 64
 * points are transposed as an 8 x 8 matrix, so that the last three halvings, too, work on whole
 * vectors; that order is part of the format of a key in memory.
 */
#ifndef LUTRA_BRIDGE_FOURIER_H
#define LUTRA_BRIDGE_FOURIER_H

#include <stdint.h>

#include "base/status.h"

enum {
    LUTRA_FOURIER_MIN_LOG2 = 8, /* of N */
    LUTRA_FOURIER_MAX_LOG2 = 17,
    LUTRA_FOURIER_LANES = 8 /* side of the transposed matrices */
};

typedef struct {
    uint32_t log2_points; /* M = 2^log2_points */
    double *factors;      /* (2, M), real and imaginary: node p at depth d stands at 2^d + p,
                             owned */
    double *last;         /* (M / 64, 4, 2, 8): factors of the last three depths in the order of
                             their use, owned */
} LutraFourierPlan;

/** @param log2_poly  log2 of N, LUTRA_FOURIER_MIN_LOG2 .. LUTRA_FOURIER_MAX_LOG2 */
LUTRA_MUST_CHECK LutraStatus lutra_fourier_plan_init(LutraFourierPlan *plan, uint32_t log2_poly,
                                                     LutraError *error);

void lutra_fourier_plan_deinit(LutraFourierPlan *plan);

#endif
