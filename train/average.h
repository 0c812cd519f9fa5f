/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running average of all trained numbers: latent weights, biases, gamma, beta and
 * thresholds.
 *
 * The first step copies; each later one does average = keep * average + (1 - keep) * value in
 * single precision. Running statistics are not averaged: those that belong to averaged weights are
 * measured anew (norm_statistics.h).
 */
#ifndef LUTRA_TRAIN_AVERAGE_H
#define LUTRA_TRAIN_AVERAGE_H

#include "train/execution.h"

typedef struct {
    uint64_t steps; /* done */
    uint32_t layer_count;
    LutraLayerGradients *values; /* (layers) beside the model's, owned; NULL: no average */
} LutraAverage;

LUTRA_MUST_CHECK LutraStatus lutra_average_init(LutraAverage *average, const LutraModel *model,
                                                LutraError *error);
void lutra_average_deinit(LutraAverage *average);

/** One step; does not depend on `threads`. */
void lutra_average_step(LutraAverage *average, const LutraModel *model, double keep,
                        uint32_t threads);

/** Exchanges the model's numbers with the averaged ones. */
void lutra_average_exchange(LutraAverage *average, LutraModel *model);

#endif
