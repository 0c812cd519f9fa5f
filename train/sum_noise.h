/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise on the sums that an activation reads, for training that knows of it: whole numbers with the
 * distribution of a rounded Gaussian. Every draw is a function of seed, step, layer and the place
 * of the sum in its batch.
 *
 * Under TFHE the modulus switch before a look-up moves its input. With ring size N, a key of n
 * binary words and p bits that the table reads, the deviation is about 2^(p + 1) / (2 N) *
 * sqrt((n + 2) / 24) cells of the table, and the noise of the ciphertext adds to it in squares. The
 * deviation is given in cells here, so that one number serves all layers.
 */
#ifndef LUTRA_TRAIN_SUM_NOISE_H
#define LUTRA_TRAIN_SUM_NOISE_H

#include "base/random.h"
#include "base/status.h"
#include "train/norm.h"

enum { LUTRA_NOISE_DRAWS = 65536, LUTRA_NOISE_MOST_BITS = 24 };

/** Tables from 16 random bits to whole numbers, one for each cell size; filled when first used. */
typedef struct {
    double deviation; /* in cells, above 0 */
    int32_t *of_draw[LUTRA_NOISE_MOST_BITS + 1]; /* (LUTRA_NOISE_DRAWS) for cells of 2^t; owned */
} LutraSumNoise;

/**
 * The deviation, in cells, with which a value in the middle of its cell leaves it with probability
 * p_error: 0.5 / k with k from p_error = erfc(k / sqrt(2)), as in the noise formulas of look-ups
 * [Concrete optimizer, p_error]. p_error above 0, at most 0.9.
 */
double lutra_noise_of_p_error(double p_error);

void lutra_sum_noise_deinit(LutraSumNoise *noise);

/**
 * Makes the table for cells of 2^bits: draw u stands for the whole number e with
 * F((e - 1/2) / s) <= (u + 1/2) / 65536 < F((e + 1/2) / s), F the normal distribution, s =
 * deviation * 2^bits.
 *
 * @param bits  at most LUTRA_NOISE_MOST_BITS
 */
LUTRA_MUST_CHECK LutraStatus lutra_sum_noise_prepare(LutraSumNoise *noise, uint32_t bits,
                                                     LutraError *error);

/**
 * Adds noise to sums.
 *
 * @param[in,out] sums  (channels, count) whole numbers
 * @param         bits  prepared
 * @param         key   seed, stream and layer
 * @param         step  below 2^32
 */
void lutra_sum_noise_add(float *sums, const LutraSumNoise *noise, uint32_t bits,
                         LutraRandomKey key, uint64_t step, const LutraChannelBatch *batch);

#endif
