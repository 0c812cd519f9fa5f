/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy of a quantized model in inference mode: exactly what its circuit gives in the clear. */
#ifndef LUTRA_TRAIN_EVALUATE_H
#define LUTRA_TRAIN_EVALUATE_H

#include "base/progress.h"
#include "datasets/dataset.h"
#include "train/augment.h"
#include "train/execution.h"
#include "train/loss.h"

typedef struct {
    uint64_t images;
    uint64_t right1; /* images whose label has the largest logit; of equal ones the lower class */
    uint64_t right5; /* images whose label is among the five largest */
    double loss;     /* mean; NAN for no images */
} LutraEvaluation;

typedef struct {
    uint32_t batch;     /* images at a time, at least 1; the result does not depend on it */
    uint32_t threads;   /* at least 1 */
    uint32_t cpu_flags; /* LutraCpuFlag mask */
    LutraLossKind loss;
} LutraEvaluateSettings;

/** LUTRA_EDATA unless the images have the network's input shape and number of classes. */
LUTRA_MUST_CHECK LutraStatus lutra_check_data_fits(const LutraDataset *dataset,
                                                   const LutraNetwork *network, LutraError *error);

/** The images of a split, borrowed. */
LutraImageView lutra_split_images(const LutraDataset *dataset, LutraSplitKind split);

/**
 * Evaluates a loaded split.
 *
 * @param[out] logits  (images, classes), or NULL
 * @param      model   borrowed, not changed
 * @errors LUTRA_EDATA the dataset does not fit; LUTRA_EINVAL sums beyond 2^24; LUTRA_ENOMEM;
 *         LUTRA_ECANCELLED
 */
LUTRA_MUST_CHECK LutraStatus lutra_evaluate(LutraEvaluation *result, float *logits,
                                            LutraModel *model, const LutraDataset *dataset,
                                            LutraSplitKind split,
                                            const LutraEvaluateSettings *settings,
                                            const LutraProgress *progress, LutraError *error);

/**
 * The same on chosen images with an execution that exists.
 *
 * @param order   (count) indexes into images and labels
 * @param labels  of all images
 * @param batch   at most the execution's most_images
 */
LUTRA_MUST_CHECK LutraStatus lutra_evaluate_images(LutraEvaluation *result, float *logits,
                                                   LutraExecution *execution,
                                                   const LutraModel *model,
                                                   const LutraImageView *images,
                                                   const uint16_t *labels, const uint32_t *order,
                                                   size_t count,
                                                   const LutraEvaluateSettings *settings,
                                                   const LutraProgress *progress,
                                                   LutraError *error);

#endif
