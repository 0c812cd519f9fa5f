/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The training loop. All that a training is stands in a LutraTraining and a LutraModel: written to
 * a file and read back at any step, it goes on to the same bits. No result depends on `threads`.
 */
#ifndef LUTRA_TRAIN_TRAINING_H
#define LUTRA_TRAIN_TRAINING_H

#include "base/progress.h"
#include "datasets/dataset.h"
#include "train/average.h"
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
    LutraAverage average;       /* owned; empty unless recipe.average_keep is above 0 */
    char teacher_checksum[LUTRA_CHECKSUM_BYTES]; /* lutra_teacher_checksum; "" without a teacher */
    bool finished;              /* all epochs done and the numbers of the finished model chosen */
    bool averaged;              /* they are the average, and `average` holds the last ones */
    double last_top1;           /* of the images held out; NAN without an average or such images */
    double averaged_top1;
} LutraTraining;

typedef struct {
    uint32_t threads;           /* at least 1 */
    uint32_t cpu_flags;         /* LutraCpuFlag mask */
    const char *path;           /* written after every epoch and on stopping; NULL: never */
    bool force;                 /* the first write may replace an existing file */
    double checkpoint_seconds;  /* also written inside an epoch after so long; 0: never */
    LutraModel *teacher;        /* borrowed, not changed; NULL: none */
} LutraTrainingSettings;

/**
 * A training that has not begun.
 *
 * @param dataset  its train split must be loaded
 * @errors LUTRA_EDATA it does not fit the network; LUTRA_EINVAL more held out than there are
 *         images, or train_layers names a layer that is not there
 */
LUTRA_MUST_CHECK LutraStatus lutra_training_init(LutraTraining *training, const LutraModel *model,
                                                 const LutraRecipe *recipe, uint64_t seed,
                                                 const LutraDataset *dataset, LutraError *error);
void lutra_training_deinit(LutraTraining *training);

/** Says who teaches a training that has not begun; NULL: nobody. */
void lutra_training_set_teacher(LutraTraining *training, const LutraModel *teacher);

/** LUTRA_EINVAL unless a training that was read back belongs to this recipe, seed and dataset. */
LUTRA_MUST_CHECK LutraStatus lutra_training_check_same(const LutraTraining *training,
                                                       const LutraRecipe *recipe, uint64_t seed,
                                                       const LutraDataset *dataset,
                                                       LutraError *error);

/** Steps in one epoch: the last batch may be smaller. */
uint64_t lutra_training_steps_per_epoch(const LutraTraining *training);

/**
 * Trains from where the training stands to its last epoch, then chooses between the last numbers
 * and their average, if there is one, as the recipe says. Appends to model->history and, for each
 * epoch, gives the listener one line as a note.
 *
 * @errors LUTRA_EINVAL another teacher than the training began with; LUTRA_ECANCELLED when progress
 *         asks to stop: everything up to the last step is kept in model, training and the file;
 *         LUTRA_EDATA when a loss or gradient stops being finite, naming step and layer (the file
 *         keeps the last good state)
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
