/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The training loop. All that a training is stands in a LutraTraining and a LutraModel: written to
 * a file and read back at any step, it goes on to the same bits. No result depends on `threads`.
 */
#ifndef LUTRA_TRAIN_TRAINING_H
#define LUTRA_TRAIN_TRAINING_H

#include "base/progress.h"
#include "datasets/dataset.h"
#include "train/recipe.h"

/** Where a training stands. */
typedef struct {
    LutraRecipe recipe;
    uint64_t seed;
    uint64_t train_images;      /* of the loaded train split, validation included */
    char data_checksum[LUTRA_CHECKSUM_BYTES]; /* of the dataset */
    uint32_t epoch;             /* finished */
    uint64_t step;              /* finished in the epoch that runs */
    uint64_t seen;              /* images in the epoch that runs */
    uint64_t right;             /* of them answered right, in training mode */
    double loss_sum;            /* over them */
    double seconds;             /* spent in the epoch that runs */
    LutraOptimizer optimizer;   /* owned */
} LutraTraining;

typedef struct {
    uint32_t threads;           /* at least 1 */
    uint32_t cpu_flags;         /* LutraCpuFlag mask */
    const char *path;           /* written after every epoch and on stopping; NULL: never */
    bool force;                 /* the first write may replace an existing file */
    double checkpoint_seconds;  /* also written inside an epoch after so long; 0: never */
} LutraTrainingSettings;

/**
 * A training that has not begun.
 *
 * @param dataset  its train split must be loaded
 * @errors LUTRA_EDATA it does not fit the network; LUTRA_EINVAL more held out than there are images
 */
LUTRA_MUST_CHECK LutraStatus lutra_training_init(LutraTraining *training, const LutraModel *model,
                                                 const LutraRecipe *recipe, uint64_t seed,
                                                 const LutraDataset *dataset, LutraError *error);
void lutra_training_deinit(LutraTraining *training);

/** LUTRA_EINVAL unless a training that was read back belongs to this recipe, seed and dataset. */
LUTRA_MUST_CHECK LutraStatus lutra_training_check_same(const LutraTraining *training,
                                                       const LutraRecipe *recipe, uint64_t seed,
                                                       const LutraDataset *dataset,
                                                       LutraError *error);

/** Steps in one epoch: the last batch may be smaller. */
uint64_t lutra_training_steps_per_epoch(const LutraTraining *training);

/**
 * Trains from where the training stands to its last epoch. Appends to model->history and, for each
 * epoch, gives the listener one line as a note.
 *
 * @errors LUTRA_ECANCELLED when progress asks to stop: everything up to the last step is kept in
 *         model, training and the file; LUTRA_EDATA when a loss or gradient stops being finite,
 *         naming step and layer (the file keeps the last good state)
 */
LUTRA_MUST_CHECK LutraStatus lutra_training_run(LutraTraining *training, LutraModel *model,
                                                const LutraDataset *dataset,
                                                const LutraTrainingSettings *settings,
                                                const LutraProgress *progress, LutraError *error);

/**
 * Which images train and which are held out: the same for every epoch, by the seed.
 *
 * @param[out] order  (train_images) the first train_images - validation train
 */
void lutra_training_split(uint32_t *order, const LutraTraining *training);

#endif
