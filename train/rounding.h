/* SPDX-License-Identifier: Apache-2.0 */
/* Sums rounded as a circuit rounds them before its tables, for training that knows of it. */
#ifndef LUTRA_TRAIN_ROUNDING_H
#define LUTRA_TRAIN_ROUNDING_H

#include "train/norm.h"

/**
 * Rounds sums to their `kept` upper bits, half up: to multiples of 2^t, where t = p - kept and p
 * is the width of the narrowest encoding that holds all sums of this batch, as lowering chooses it
 * from calibration images. Nothing changes if p is at most `kept`.
 *
 * The width follows from the batch alone, so a training that is gone on with needs no other state.
 * A layer whose calibrated range is a bit wider than that of most batches is then trained for cells
 * half as wide as those it is compiled to.
 *
 * @param[in,out] sums  (channels, count) whole numbers below 2^24
 * @param         kept  1 .. 16
 * @return t
 */
uint32_t lutra_round_sums(float *sums, uint32_t kept, const LutraChannelBatch *batch);

/** The t of lutra_round_sums, without rounding; `kept` may also be 0: then t is 0. */
uint32_t lutra_dropped_bits(const float *sums, uint32_t kept, const LutraChannelBatch *batch);

/** Rounds sums to multiples of 2^t, half up; t = 0 leaves them. */
void lutra_round_to(float *sums, uint32_t dropped_bits, const LutraChannelBatch *batch);

#endif
