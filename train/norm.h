/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From integer sums to the codes of an activation, with or without a batch_norm before it, and the
 * gradient back. One pass over a channel forward, two backward; nothing but sums and codes is kept.
 */
#ifndef LUTRA_TRAIN_NORM_H
#define LUTRA_TRAIN_NORM_H

#include "train/kernels.h"

/** A batch of sums or codes, (channels, count). */
typedef struct {
    uint32_t channels;
    size_t count; /* elements of one channel over all images */
    const LutraTrainKernels *kernels;
    uint32_t threads;
} LutraChannelBatch;

/**
 * Mean and variance (biased) of z = sum * scale + bias over each channel. The integers are summed
 * exactly; only the last steps round.
 *
 * @param[out] mean      (channels)
 * @param[out] variance  (channels), >= 0
 * @param      functions (channels) scale and bias are read
 */
void lutra_norm_statistics(float *mean, float *variance, const float *sums,
                           const LutraChannelFunction *functions, const LutraChannelBatch *batch);

/** running = (1 - momentum) * running + momentum * value; the variance is made unbiased first. */
void lutra_norm_update(float *running_mean, float *running_variance, const float *mean,
                       const float *variance, size_t channels, size_t count, float momentum);

/** bytes = code - code_min of every sum. */
void lutra_activation_forward(uint8_t *bytes, const float *sums,
                              const LutraChannelFunction *functions,
                              const LutraChannelBatch *batch);

/** The values that a layer without quantizer gives in place of codes. */
void lutra_activation_values(float *values, const float *sums,
                             const LutraChannelFunction *functions,
                             const LutraChannelBatch *batch);

/**
 * Gradients by the step of a quantizer, channel by channel (LutraTrainKernels.step_gradient).
 *
 * @param[out] totals    (channels)
 * @param      gradient  of the activation's real values
 */
void lutra_activation_step_gradients(double *totals, const float *gradient, const float *sums,
                                     const LutraChannelFunction *functions,
                                     const LutraChannelBatch *batch);

/**
 * Turns the gradient of the activation's real value into the gradient of z, in place. For normed
 * channels the statistics are those of this batch and the gradient goes through them.
 *
 * @param[out] weight_gradient  (channels) of the norm's weight; NULL if not normed
 * @param[out] shift_gradient   (channels) of the norm's bias; NULL if not normed
 */
void lutra_activation_backward(float *gradient, float *weight_gradient, float *shift_gradient,
                               const float *sums, const LutraChannelFunction *functions,
                               const LutraChannelBatch *batch);

/** total[c] = sum of a channel, in fixed order. */
void lutra_channel_totals(float *total, const float *values, const LutraChannelBatch *batch);

#endif
