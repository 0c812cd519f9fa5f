/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps: TensorNorm, the losses with their gradients, distillation, and counting right
 * answers. */
#ifndef LUTRA_TRAIN_LOSS_H
#define LUTRA_TRAIN_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* Pinned numbers: they stand in model files. */
typedef enum { LUTRA_LOSS_CROSS_ENTROPY = 0, LUTRA_LOSS_SQUARED_HINGE = 1 } LutraLossKind;

/**
 * Mean loss of a batch and its gradient.
 *
 * cross_entropy: mean over images of -log softmax(logits)[label].
 * squared_hinge: mean over images and classes of max(0, 1 - t * logit)^2, t = +1 for the label and
 * -1 for the others.
 *
 * @param[out] gradient  (classes, images) of the mean loss; NULL if not wanted
 * @param      logits    (classes, images)
 * @param      labels    (images), each below classes
 */
double lutra_loss(float *gradient, LutraLossKind kind, const float *logits, const uint16_t *labels,
                  size_t classes, size_t images);

/** What a training makes small. */
typedef struct {
    LutraLossKind kind;
    double smoothing;      /* cross_entropy: share of the label's probability given to all classes
                              alike, 0 .. 1 */
    const float *teacher;  /* (classes, images) logits of a teacher; NULL: none */
    double teacher_weight; /* w, 0 .. 1 */
    double temperature;    /* T > 0 */
} LutraLossTerms;

/**
 * Mean over images of (1 - w) L + w T^2 KL(teacher || student), and its gradient, where L is the
 * loss of lutra_loss, with targets (1 - smoothing) [c = label] + smoothing / classes for
 * cross_entropy, and KL compares softmax(teacher / T) with softmax(logits / T). Without a teacher L
 * alone.
 *
 * @param[out] gradient  (classes, images); NULL if not wanted
 * @source Hinton, Vinyals, Dean: Distilling the knowledge in a neural network, 2015
 */
double lutra_training_loss(float *gradient, const LutraLossTerms *terms, const float *logits,
                           const uint16_t *labels, size_t classes, size_t images);

/**
 * Place of the label among the logits of each image: 0 if no other class has a larger logit; of
 * equal logits the lower class comes first.
 *
 * @param[out] ranks  (images)
 */
void lutra_label_ranks(uint32_t *ranks, const float *logits, const uint16_t *labels,
                       size_t classes, size_t images);

/** Mean and biased variance over all `count` values, in double precision inside. */
void lutra_tensor_statistics(float *mean, float *variance, const float *values, size_t count);

/**
 * Gradient of TensorNorm, y = ((x - mean) * inverse_deviation) * weight + shift with the statistics
 * of these `count` values, in place.
 */
void lutra_tensor_norm_backward(float *gradient, float *weight_gradient, float *shift_gradient,
                                const float *values, size_t count, float mean,
                                float inverse_deviation, float weight);

#endif
