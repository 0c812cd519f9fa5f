/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the training loop; not for others. */
#ifndef LUTRA_TRAIN_TRAINING_PRIV_H
#define LUTRA_TRAIN_TRAINING_PRIV_H

#include "train/evaluate.h"
#include "train/teacher.h"
#include "train/training.h"

/* What a run works with beside the training itself. */
typedef struct {
    LutraTraining *training;
    LutraModel *model;
    const LutraDataset *dataset;
    const LutraTrainingSettings *settings;
    const LutraProgress *progress;
    LutraExecution *execution;
    LutraTrainKernels kernels;
    LutraSchedule schedule;
    LutraLayerSteps *layer_steps; /* (layers) */
    uint32_t *split;              /* (train_images) first those that train */
    uint32_t *permutation;        /* (trained images) of this epoch */
    uint32_t *batch_order;        /* (batch) */
    uint16_t *batch_labels;       /* (batch) */
    uint32_t *ranks;              /* (batch) */
    LutraTeacher *teacher;        /* NULL: none */
    float *teacher_logits;        /* (classes, batch) */
    double clock;                 /* when seconds were last added */
    double written;               /* when the file was last written */
    double rate;                  /* of the last step */
    bool force;
} LutraTrainingRun;

/** Images that train. */
size_t lutra_training_trained_images(const LutraTraining *training);

/** The order of the training images in an epoch, from 1. */
void lutra_training_shuffle(LutraTrainingRun *run, uint32_t epoch);

/**
 * Loads the images of one step, moved as in an epoch, and their labels.
 *
 * @param order  (count) indexes among all training images; count at most a batch
 */
void lutra_training_load(LutraTrainingRun *run, const uint32_t *order, uint32_t count,
                         const LutraAugmentation *augmentation);

/** Accuracy on the images held out, of which there must be some. */
LUTRA_MUST_CHECK LutraStatus lutra_training_validate(LutraEvaluation *evaluation,
                                                     LutraTrainingRun *run, LutraError *error);

/** Chooses the numbers of the finished model; *training is unchanged on error. */
LUTRA_MUST_CHECK LutraStatus lutra_training_choose(LutraTrainingRun *run, LutraError *error);

#endif
