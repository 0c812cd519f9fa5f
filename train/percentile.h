/* SPDX-License-Identifier: Apache-2.0 */
/* Order statistics of the values that a quantizer reads, to set its first step. */
#ifndef LUTRA_TRAIN_PERCENTILE_H
#define LUTRA_TRAIN_PERCENTILE_H

#include "quant/network.h"
#include "train/norm.h"

/** Counters that lutra_channel_percentile needs, for `threads` threads. */
size_t lutra_percentile_counters(uint32_t threads);

/**
 * The k-th smallest of |x| over a whole batch, k = floor(percent / 100 * n + 0.5), at least 1: x is
 * what each channel function gives to its quantizer. Exact, by counting; +infinity if that many are
 * not numbers.
 *
 * @param sums      (channels, count)
 * @param counters  (lutra_percentile_counters) scratch
 * @param percent   0 .. 100
 */
float lutra_channel_percentile(const float *sums, const LutraChannelFunction *functions,
                               const LutraChannelBatch *batch, double percent, uint32_t *counters);

/**
 * The same over a batch of pixels of an input layer.
 *
 * @param pixels  (C, count)
 * @param C       at most LUTRA_MAX_EXTENT
 */
float lutra_pixel_percentile(const uint8_t *pixels, const LutraInputLayer *input,
                             uint32_t channels, size_t count, double percent);

#endif
