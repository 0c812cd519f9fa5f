/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entry a noisy look-up reads: the definition.
 *
 * A table of p bits divides the torus into cells of width 2^-(p+1), centred on the codewords. Noise
 * moves the word by e before a cell is read. This header says how many cells the word is moved, as
 * a function of one uniform 64-bit draw u: the distribution function is inverted by comparing u
 * with the share of draws that read a lower cell. Nothing else draws noise for a whole look-up;
 * fast execution compares the same draws with the same shares, precomputed.
 *
 *   share_below(k) = P[e < (k - 1/2) 2^-(p+1) - d - bias],  d = word - centre of its nearest cell
 *
 * Cells lie too low by the bias, half a tick of the modulus switch (noise.h).
 *
 * Legend: p = bits of the table's input; k = cells up (down if negative).
 */
#ifndef LUTRA_SIM_NOISY_READ_H
#define LUTRA_SIM_NOISY_READ_H

#include <stdint.h>

/** The noise of one look-up, or of one decryption. */
typedef struct {
    uint32_t bits;    /* p, 0 .. 61 */
    double deviation; /* of e, Gaussian, fraction of the torus; 0: no noise */
    double bias;      /* fraction of the torus */
    double wrong;     /* if > 0, instead of all that: probability of reading a neighbour, half of it
                         for either side */
} LutraNoisyRead;

/**
 * How many of the 2^64 draws read a cell below the nearest one + k. At least one draw is left above
 * every cell: UINT64_MAX stands for all.
 *
 * @param off_centre  d in units of 2^-64, at most half a cell either way
 */
uint64_t lutra_noisy_share_below(const LutraNoisyRead *read, int64_t off_centre, int64_t k);

/** k of draw u: how many cells above the nearest one are read. */
int64_t lutra_noisy_displacement(const LutraNoisyRead *read, int64_t off_centre, uint64_t u);

#endif
