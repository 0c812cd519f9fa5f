/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network at work on batches: forward in training or inference mode, and backward.
 *
 * Between layers stand integers: codes after input and activations, sums after conv, linear and
 * average_pool. A real scale is applied once, where a norm, an activation or the loss reads the
 * sums, exactly as the tables of a lowered circuit are built; in inference mode every code and
 * logit is therefore the one that the circuit gives. All batches are channel-major, (C,N,H,W).
 *
 * @differs weight_scale max: the gradient does not flow through the maximum; every weight passes
 * its gradient straight through.
 */
#ifndef LUTRA_TRAIN_EXECUTION_H
#define LUTRA_TRAIN_EXECUTION_H

#include "quant/model.h"

/** Training uses the statistics of the batch and updates the running ones. */
typedef enum { LUTRA_RUN_INFERENCE = 0, LUTRA_RUN_TRAINING = 1 } LutraRunMode;

typedef struct {
    uint32_t most_images; /* largest batch, at least 1 */
    uint32_t threads;     /* at least 1 */
    uint32_t cpu_flags;   /* LutraCpuFlag mask */
    LutraRunMode mode;    /* training can run both modes; inference has no room for gradients */
    uint32_t rounding;    /* in training mode, bits that sums keep before an activation
                             (rounding.h), with the gradient of no rounding; 0: all */
    double noise;         /* in training mode, deviation of the noise on sums before an activation,
                             in cells of the rounding (sum_noise.h); 0: none */
} LutraExecutionSettings;

/** Gradients of one layer's trained numbers; NULL where the layer has none. */
typedef struct {
    float *weights;
    float *bias;
    float *gamma;
    float *beta;
} LutraLayerGradients;

/** Allocates zeros beside what one layer of the model has; `gradients` must be zeroed before. */
LUTRA_MUST_CHECK LutraStatus lutra_layer_gradients_init(LutraLayerGradients *gradients,
                                                        const LutraModel *model, uint32_t layer,
                                                        LutraError *error);
void lutra_layer_gradients_deinit(LutraLayerGradients *gradients);

typedef struct LutraExecution LutraExecution;

/**
 * @param model  borrowed; a training execution reads it at every forward and updates its running
 *               statistics, an inference execution reads its weights at the first forward only
 * @errors LUTRA_ENOMEM; LUTRA_EINVAL if a batch would be too large
 */
LUTRA_MUST_CHECK LutraStatus lutra_execution_create(LutraExecution **execution, LutraModel *model,
                                                    const LutraExecutionSettings *settings,
                                                    LutraError *error);
void lutra_execution_destroy(LutraExecution **execution);

/** Where the caller puts the next batch: (C,N,H,W) bytes, input code - code_min. */
uint8_t *lutra_execution_input(LutraExecution *execution);

/**
 * Codes of the input layer for pixels 0 .. 255, minus code_min.
 *
 * @param[out] bytes  (256)
 */
void lutra_input_bytes(uint8_t bytes[256], const LutraInputLayer *input);

/**
 * Runs the batch that stands in the input.
 *
 * @param images  1 .. most_images
 * @param mode    training only if the execution was made for it
 * @errors LUTRA_EINVAL if the sums of a layer could pass 2^24 and so would not be exact; it names
 *         the layer; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_execution_forward(LutraExecution *execution, uint32_t images,
                                                     LutraRunMode mode, LutraError *error);

/** What the noise of the next forwards is drawn from; seed 0 and step 0 before. Step below 2^32. */
void lutra_execution_set_draws(LutraExecution *execution, uint64_t seed, uint64_t step);

/** Logits of the last forward, (classes, images). */
const float *lutra_execution_logits(const LutraExecution *execution);

/** Where the caller puts the gradient of the loss by the logits, (classes, images). */
float *lutra_execution_logit_gradient(LutraExecution *execution);

/** Fills all gradients from the logit gradient, once after each forward in training mode. */
void lutra_execution_backward(LutraExecution *execution);

/** Gradients after a backward, one entry for each layer. */
LutraLayerGradients *lutra_execution_gradients(LutraExecution *execution);

/** Index of the layer in which a trained number or gradient first is NaN or infinite on the way
 * back from the logits; -1 if nowhere. */
int64_t lutra_execution_first_bad_layer(const LutraExecution *execution);

/**
 * For tests: what one layer gave in the last forward, code - code_min; NULL if it gives no codes.
 * Valid until the next forward.
 */
const uint8_t *lutra_execution_layer_bytes(const LutraExecution *execution, uint32_t layer);

#endif
