/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running statistics measured anew for weights that stand still: the mean over batches of each
 * batch's mean and unbiased variance, every layer reading what a training step would give it.
 */
#ifndef LUTRA_TRAIN_NORM_STATISTICS_H
#define LUTRA_TRAIN_NORM_STATISTICS_H

#include "quant/model.h"

/** The running statistics of a model, kept aside. */
typedef struct {
    uint32_t layer_count;
    float **values; /* (layers) means, then variances; NULL for layers without; owned */
} LutraKeptStatistics;

LUTRA_MUST_CHECK LutraStatus lutra_statistics_keep(LutraKeptStatistics *kept,
                                                   const LutraModel *model, LutraError *error);
void lutra_statistics_restore(const LutraKeptStatistics *kept, LutraModel *model);
void lutra_statistics_deinit(LutraKeptStatistics *kept);

/**
 * Makes the next forward in training mode batch `batch` (from 0) of such a measurement: the running
 * statistics move by 1 / (batch + 1). lutra_statistics_end puts back the network's own momentum.
 *
 * @param[out] momentum  (layers) filled at batch 0; the network's own
 */
void lutra_statistics_batch(LutraModel *model, float *momentum, uint32_t batch);
void lutra_statistics_end(LutraModel *model, const float *momentum);

#endif
