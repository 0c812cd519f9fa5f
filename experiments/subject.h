/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an experiment is done on: a data set and a model, given by the user or trained on the spot.
 *
 * A section of the INI file names them:
 *
 *   data = cifar10       input (experiment.h): a dataset file, or a folder of IDX files
 *   model = vgg9         input: a model file. Not there, or no such key: the network is trained
 *   network = vgg9       NAME of networks/NAME.ini, or a path that ends in .ini
 *
 * and [quick] and [full] say how much: epochs (0 or absent: nothing is trained), train_images (0 or
 * absent: all), calibration_images (of these; 0 or absent: all).
 */
#ifndef LUTRA_EXPERIMENTS_SUBJECT_H
#define LUTRA_EXPERIMENTS_SUBJECT_H

#include "datasets/dataset.h"
#include "experiments/experiment.h"
#include "quant/calibrate.h"
#include "quant/model.h"
#include "sim/simulate.h"

typedef struct {
    bool is_stand_in;       /* not what the published figures are of */
    bool was_trained;       /* by this experiment */
    LutraDataset dataset;   /* owned; its train split is cut to those that train and calibrate */
    uint64_t train_in_file; /* training images before that */
    LutraModel model;       /* owned */
    LutraCalibration calibrations[3]; /* by LutraOffsetRule, owned; made when first asked for */
} LutraSubject;

/** Frees and zeroes. */
void lutra_subject_deinit(LutraSubject *subject);

/**
 * Which section to open: `wanted` if its inputs are there, or in a quick run [stand-in].
 *
 * @param[out] section  `wanted` or "stand-in"
 * @errors LUTRA_EUNAVAILABLE an input is missing, and what to do; LUTRA_EDATA bad settings
 */
LUTRA_MUST_CHECK LutraStatus lutra_subject_choose(const char **section,
                                                  const LutraExperimentRun *run, const char *wanted,
                                                  LutraError *error);

/**
 * Reads the data; reads or trains the model. A training writes `file` into the folder of the run
 * after every epoch; with run->resume it goes on from there.
 *
 * @param[out] subject  owned by the caller; zeroed on error
 */
LUTRA_MUST_CHECK LutraStatus lutra_subject_open(LutraSubject *subject,
                                                const LutraExperimentRun *run, const char *section,
                                                const char *file, LutraError *error);

/** Reads the data of a section alone; `subject` has no model then. */
LUTRA_MUST_CHECK LutraStatus lutra_subject_open_data(LutraSubject *subject,
                                                     const LutraExperimentRun *run,
                                                     const char *section, LutraError *error);

/** Where a model comes from. */
typedef struct {
    const char *input;      /* name of an input, or NULL */
    const char *network;    /* of the network to train if the input is not there, or NULL */
    uint32_t epochs;        /* to train it; 0: not at all */
    const LutraModel *from; /* whose weights it begins with; NULL: at random */
    const char *file;       /* in the folder of the run, for the training */
} LutraModelSource;

/** Reads or trains a model for the data of `subject`. */
LUTRA_MUST_CHECK LutraStatus lutra_subject_model(LutraModel *model, bool *was_trained,
                                                 const LutraSubject *subject,
                                                 const LutraModelSource *source,
                                                 const LutraExperimentRun *run, LutraError *error);

/** How a model is trained on, knowing of the rounding. */
typedef struct {
    uint32_t rounding_bits; /* 0: not rounded in training */
    uint32_t epochs;
    double learning_rate;
} LutraTuning;

/** Another model for the same data: `from` trained on for some more epochs; or read from the input
 * `name` if that is there. `tuned` has no images of its own. */
LUTRA_MUST_CHECK LutraStatus lutra_subject_tune(LutraSubject *tuned, const LutraSubject *from,
                                                const LutraExperimentRun *run, const char *name,
                                                const LutraTuning *tuning, const char *file,
                                                LutraError *error);

/** Ranges of the model's sums on training images, measured once. */
LUTRA_MUST_CHECK LutraStatus lutra_subject_calibrate(LutraSubject *subject,
                                                     const LutraDataset *dataset,
                                                     const LutraExperimentRun *run,
                                                     uint32_t offset_rule, LutraError *error);

/** The images of a split, borrowed: the first `limit`, 0 = all. */
LutraImages lutra_subject_images(const LutraDataset *dataset, LutraSplitKind split, uint64_t limit);

/**
 * Training images that neither train nor calibrate: what `train_images` leaves over, borrowed.
 *
 * @param limit  at most so many; 0 = all
 * @errors LUTRA_EDATA there are none
 */
LUTRA_MUST_CHECK LutraStatus lutra_subject_held_out(LutraImages *images,
                                                    const LutraSubject *subject, uint64_t limit,
                                                    LutraError *error);

/** States in the figures what data they are of, with checksum and source; LUTRA_EINVAL if figures
 * that are there already are of other data. */
LUTRA_MUST_CHECK LutraStatus lutra_subject_describe_data(const LutraSubject *subject,
                                                         const LutraExperimentRun *run,
                                                         const char *prefix, LutraError *error);

/** The same, and the network, and stand-in. */
LUTRA_MUST_CHECK LutraStatus lutra_subject_describe(const LutraSubject *subject,
                                                    const LutraExperimentRun *run,
                                                    const char *prefix, LutraError *error);

/** "cifar-10 (JPEG copy)": the data, with the remark that they were imported with, and "stand-in"
 * if they are one, for charts; returns it. */
const char *lutra_subject_data_title(char text[128], const LutraSubject *subject);

/** "fmnist-cnn on fashion-mnist", with "stand-in" if it is one, for charts; returns it. */
const char *lutra_subject_title(char text[192], const LutraSubject *subject);

#endif
