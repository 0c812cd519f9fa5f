/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adam and gradient descent with momentum over all trained numbers of a model.
 *
 * Adam with moments m, v at step t:  m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
 *   value -= rate / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
 * Descent:  m = momentum m + g,  value -= rate * m.
 * Weight decay adds decay * value to g, for weights only. AdamW (Loshchilov and Hutter, "Decoupled
 * Weight Decay Regularization", 2019) leaves g alone and first takes rate * decay * value off the
 * value, with the rate of the layer before its correction by b1. Latent weights of a fixed scale
 * are clamped to [-1, 1] afterwards, thresholds to at least LUTRA_LEAST_THRESHOLD. A step size of 0
 * leaves the numbers and their moments as they are.
 */
#ifndef LUTRA_TRAIN_OPTIMIZER_H
#define LUTRA_TRAIN_OPTIMIZER_H

#include "train/execution.h"
#include "train/kernels.h"

/* Pinned numbers: they stand in model files. */
typedef enum {
    LUTRA_OPTIMIZER_ADAM = 0,
    LUTRA_OPTIMIZER_SGD = 1,
    LUTRA_OPTIMIZER_ADAMW = 2
} LutraOptimizerKind;

typedef struct {
    LutraOptimizerKind kind;
    double momentum;     /* sgd */
    double first_decay;  /* adam: b1 */
    double second_decay; /* adam: b2 */
    double epsilon;      /* adam */
    double weight_decay;
} LutraOptimizerSettings;

/** Step sizes of one layer's arrays, as factors of the learning rate. */
typedef struct {
    double weights;
    double others; /* bias, gamma, beta, threshold */
} LutraLayerSteps;

/** The optimizer's memory. Arrays stand beside the model's, entry by entry. */
typedef struct {
    LutraOptimizerSettings settings;
    uint64_t steps; /* done */
    uint32_t layer_count;
    LutraLayerGradients *first;  /* Adam's m, or the momentum; owned */
    LutraLayerGradients *second; /* Adam's v; NULL arrays for sgd; owned */
} LutraOptimizer;

LUTRA_MUST_CHECK LutraStatus lutra_optimizer_init(LutraOptimizer *optimizer,
                                                  const LutraModel *model,
                                                  const LutraOptimizerSettings *settings,
                                                  LutraError *error);
void lutra_optimizer_deinit(LutraOptimizer *optimizer);

/**
 * One step on every trained number.
 *
 * @param layer_steps  (layers)
 * @param rate         learning rate of this step
 */
void lutra_optimizer_step(LutraOptimizer *optimizer, LutraModel *model,
                          const LutraLayerGradients *gradients, const LutraLayerSteps *layer_steps,
                          double rate, const LutraTrainKernels *kernels, uint32_t threads);

/** Adds the gradient of lambda * sum of |latent weight| over all layers: lambda * sign. */
void lutra_weight_penalty_add(LutraLayerGradients *gradients, const LutraModel *model,
                              double lambda);

/**
 * Glorot factor sqrt((fan_in + fan_out) / 1.5) of a layer with weights, divided by the mean over
 * all such layers; 1 for other layers. fan_out = out_channels * kernel^2.
 *
 * @source the training scripts of BNN-PYNQ scale the step of each weight layer by this factor.
 */
double lutra_glorot_factor(const LutraNetwork *network, uint32_t layer);

#endif
