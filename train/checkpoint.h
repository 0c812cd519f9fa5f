/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training and its model in one HDF5 file: the groups of a model file and, beside them, the group
 * `training` with everything needed to go on. A file without that group is a model file only.
 *
 *   training               attributes: recipe (text), seed, train_images, data_checksum, epoch,
 *                          step, seen, right, loss_sum, seconds, optimizer_steps
 *   training/first/LAYER   weights, bias, gamma, beta, threshold f32: Adam's m, or the momentum
 *   training/second/LAYER  the same: Adam's v; absent for sgd
 *   training               with a teacher: teacher_checksum; with an average: average_steps,
 *                          finished, averaged, last_top1, averaged_top1
 *   training/average/LAYER the same: the average, or the last numbers once it was chosen
 */
#ifndef LUTRA_TRAIN_CHECKPOINT_H
#define LUTRA_TRAIN_CHECKPOINT_H

#include "train/training.h"

/** Writes model and training; the file appears under its name all at once. */
LUTRA_MUST_CHECK LutraStatus lutra_checkpoint_write(const LutraTraining *training,
                                                    const LutraModel *model, const char *path,
                                                    bool force, LutraError *error);

/**
 * Reads both back.
 *
 * @errors LUTRA_EDATA the file has no or a damaged training state; nothing is changed then
 */
LUTRA_MUST_CHECK LutraStatus lutra_checkpoint_read(LutraTraining *training, LutraModel *model,
                                                   const char *path, LutraError *error);

#endif
