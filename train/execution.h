/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network at work on batches: forward in training or inference mode, and backward.
 *
 * Between layers stand integers: codes after input and activations, sums after conv, linear and
 * average_pool. A real scale is applied once, where a norm, an activation or the loss reads the
 * sums, exactly as the tables of a lowered circuit are built; in inference mode every code and
 * logit is therefore the one that the circuit gives. All batches are channel-major, (C,N,H,W).
 *
 * The gradient of a scale that is the maximum of the weights goes to the largest of them (in equal
 * shares if there are several), that of a learned step to its threshold. For the first batches of a
 * training a threshold is the average of a percentile of |x| over the batches so far and has no
 * gradient.
 *
 * Layers that are not quantized (float) give real numbers in place of integers, with scale 1; what
 * is said about exact integers does not hold for what follows them up to the next quantizer.
 *
 * @differs while its reference still measures thresholds, it uses each batch's own percentile in
 * place of the average so far, and lets the gradient reach the one value that is the percentile.
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
    uint32_t gradient_bits; /* 32, 16 or 8: the fewest that the gradient of a layer's sums may be
                               rounded to in its products (half_convolution.h,
                               small_convolution.h), where layer and processor allow; below 32,
                               layers that are not quantized also make their training forward
                               products in bfloat16; 0: 16 */
    uint32_t threshold_batches;  /* training forwards for which thresholds are averages */
    double threshold_percentile; /* of |x|, 0 .. 100 */
    uint32_t first_trained; /* first layer whose numbers are trained: the way back ends there */
} LutraExecutionSettings;

/** Gradients of one layer's trained numbers; NULL where the layer has none. */
typedef struct {
    float *weights;
    float *bias;
    float *gamma;
    float *beta;
    float *threshold; /* (1) */
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
 * @errors LUTRA_ENOMEM; LUTRA_EINVAL if a batch would be too large, or sums are to be rounded that
 *         are no integers
 */
LUTRA_MUST_CHECK LutraStatus lutra_execution_create(LutraExecution **execution, LutraModel *model,
                                                    const LutraExecutionSettings *settings,
                                                    LutraError *error);
void lutra_execution_destroy(LutraExecution **execution);

/** Where the caller puts the next batch: (C,N,H,W) pixels. */
uint8_t *lutra_execution_input(LutraExecution *execution);

/**
 * Runs the batch that stands in the input.
 *
 * @param images  1 .. most_images
 * @param mode    training only if the execution was made for it
 * @errors LUTRA_EINVAL if the sums of a layer could pass 2^24 and so would not be exact, or a
 *         learned step is not measured yet; it names the layer; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_execution_forward(LutraExecution *execution, uint32_t images,
                                                     LutraRunMode mode, LutraError *error);

/** What the noise of the next forwards and the rounding of gradients are drawn from; seed 0 and
 * step 0 before. Step below 2^32. */
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
 * For tests: what one layer gave in the last forward, code - code_min (code_min of
 * lutra_layer_quantizer); NULL if it gives no codes.
 * Valid until the next forward.
 */
const uint8_t *lutra_execution_layer_bytes(const LutraExecution *execution, uint32_t layer);

#endif
