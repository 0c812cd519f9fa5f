/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a network is trained: the `[training]` section of a network file, key by key.
 *
 *   epochs = 100              passes over the training images, from 1
 *   batch = 100               images of one step, from 1
 *   optimizer = adam          adam | sgd | adamw
 *   learning_rate = 0.04      peak, times the layer's step size
 *   schedule = cosine         constant | step | cosine | linear
 *   warmup = 0.05             share of all steps in which the rate climbs to its peak, 0 .. 1
 *   period = 40, factor = 0.5 schedule step: the rate times `factor` every `period` epochs
 *   loss = cross_entropy      cross_entropy | squared_hinge
 *   label_smoothing = 0       cross_entropy: share of a label spread over all classes, 0 .. 1
 *   crop = 4                  random shift by up to so many pixels; pixel 0 comes in from outside
 *   flip = alternating        none | random | alternating: left and right exchanged; alternating
 *                             flips an image in every second epoch
 *   cutout = 0                rows and columns of a grey square that is put over each image at a
 *                             random place; 0: none
 *   views = 0                 0: an image is moved anew in every epoch; else the moves of the first
 *                             so many epochs are used again and again, and what the teacher says
 *                             of them is computed once and kept (4 bytes an image, class and view)
 *   validation = 5000         training images held out and never trained on
 *   weight_decay = 0          of weights, see optimizer.h
 *   momentum = 0.9            sgd
 *   layer_steps = glorot      equal | glorot: step sizes of weight layers (see optimizer.h)
 *   scaled_weight_steps = 0.05   step size of weights with weight_scale max or codes float
 *   norm_steps = 1            step size of bias, gamma and beta
 *   logit_steps = 1           step size of the numbers of tensor_norm
 *   train_layers = all        all | names of layers with blanks between, such as "fc": only their
 *                             numbers are trained (running statistics and thresholds that are
 *                             still measured go on everywhere)
 *   threshold_batches = 300   batches over which thresholds of learned steps are averages of
 *   threshold_percentile = 99.999   this percentile of |x|; then they are trained
 *   threshold_steps = 1       step size of thresholds
 *   gradient_bits = 8         8 | 16 | 32: fewest bits that gradients are rounded to before their
 *                             products with codes and weights, where layer and processor allow it
 *                             (8: at random, without bias, small_gradients.h; 16: bfloat16).
 *                             In layers that are not quantized bfloat16 rounds all factors, and
 *                             those of forward products in training, too
 *   rounding = 0              bits that sums keep before every activation while training, 1 .. 16
 *                             (rounding.h); 0: all. Validation is without rounding
 *   noise = 0                 deviation of Gaussian noise on sums before every activation while
 *                             training, in cells of the rounding (sum_noise.h)
 *   p_error = 0               in place of `noise`: the probability with which a value in the middle
 *                             of its cell is read as another, 0 .. 0.9 (lutra_noise_of_p_error)
 *   weight_penalty = 0        lambda: lambda * sum of |latent weight| is added to the loss, which
 *                             makes sums smaller; 1e-6 .. 1e-5
 *   teacher_weight = 0.9      with a teacher: w in (1 - w) loss + w T^2 KL(teacher || student)
 *   teacher_temperature = 3   T above 0: logits of both are divided by it
 *   teacher_fade = 0.2        share of all steps, at the end, in which w falls to 0 on a line
 *   average_keep = 0          above 0: a running average of all trained numbers, average = keep *
 *                             average + (1 - keep) * value after each step (average.h)
 *   average_from = 0.7        share of all steps before the average begins
 *   average_choice = validation   validation | average | last: what the finished model holds; the
 *                             better of both on the images held out (never the test images), or
 *                             one of them whatever they are worth
 *   average_images = 10000    training images, augmented, that the average's norm statistics are
 *                             measured on
 */
#ifndef LUTRA_TRAIN_RECIPE_H
#define LUTRA_TRAIN_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "train/augment.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/schedule.h"

/* Pinned numbers. */
typedef enum {
    LUTRA_AVERAGE_BY_VALIDATION = 0,
    LUTRA_AVERAGE_ALWAYS = 1,
    LUTRA_AVERAGE_NEVER = 2
} LutraAverageChoice;
typedef enum {
    LUTRA_GRADIENT_8 = 0,
    LUTRA_GRADIENT_16 = 1,
    LUTRA_GRADIENT_32 = 2
} LutraGradientBits;
typedef enum { LUTRA_LAYER_STEPS_EQUAL = 0, LUTRA_LAYER_STEPS_GLOROT = 1 } LutraLayerStepsKind;

enum { LUTRA_TRAIN_LAYERS_BYTES = 512 };

typedef struct {
    uint32_t epochs;
    uint32_t batch;
    LutraOptimizerKind optimizer;
    double learning_rate;
    LutraScheduleKind schedule;
    double warmup;
    uint32_t period;
    double factor;
    LutraLossKind loss;
    uint32_t crop;
    LutraFlip flip;
    uint32_t cutout;
    uint32_t validation;
    double weight_decay;
    double momentum;
    LutraLayerStepsKind layer_steps;
    double scaled_weight_steps;
    double norm_steps;
    double logit_steps;
    LutraGradientBits gradient_bits;
    uint32_t rounding;
    double noise;
    double p_error;
    double weight_penalty;
    double label_smoothing;
    uint32_t views;
    double teacher_weight;
    double teacher_temperature;
    double teacher_fade;
    double average_keep;
    double average_from;
    LutraAverageChoice average_choice;
    uint32_t average_images;
    char train_layers[LUTRA_TRAIN_LAYERS_BYTES];
    uint32_t threshold_batches;
    double threshold_percentile;
    double threshold_steps;
} LutraRecipe;

enum { LUTRA_RECIPE_TEXT_BYTES = 2048 };

/** Every key as if the section were empty: 30 epochs, batch 100, adam, 0.02, cosine, warm-up 0.05,
 * cross entropy, no augmentation, no validation, equal layer steps. */
void lutra_recipe_default(LutraRecipe *recipe);

/**
 * Sets one key.
 *
 * @errors LUTRA_EINVAL unknown key or impossible value; the sentence says what is allowed
 */
LUTRA_MUST_CHECK LutraStatus lutra_recipe_set(LutraRecipe *recipe, const char *key,
                                              const char *value, LutraError *error);

/**
 * Defaults, then the `[training]` section of a network file's text, if it has one.
 *
 * @param name  what errors call the text
 * @errors LUTRA_EDATA "NAME:LINE: ..."
 */
LUTRA_MUST_CHECK LutraStatus lutra_recipe_parse(LutraRecipe *recipe, const char *text,
                                                const char *name, LutraError *error);

/**
 * Keys that contradict each other.
 *
 * @errors LUTRA_EINVAL with what to change
 */
LUTRA_MUST_CHECK LutraStatus lutra_recipe_check(const LutraRecipe *recipe, LutraError *error);

/** All keys as lines "key = value"; two recipes are equal if their texts are. Parses back. */
void lutra_recipe_text(char text[LUTRA_RECIPE_TEXT_BYTES], const LutraRecipe *recipe);

/** First key whose value differs, or NULL if the recipes are equal. */
const char *lutra_recipe_difference(const LutraRecipe *a, const LutraRecipe *b);

/** Whether the numbers of a layer are trained. */
bool lutra_recipe_trains(const LutraRecipe *recipe, const LutraLayer *layer);

/** LUTRA_EINVAL unless every name in train_layers is that of a layer. */
LUTRA_MUST_CHECK LutraStatus lutra_recipe_check_layers(const LutraRecipe *recipe,
                                                       const LutraNetwork *network,
                                                       LutraError *error);

/** Step sizes of every layer, (layers); 0 for those that are not trained. */
void lutra_recipe_layer_steps(LutraLayerSteps *steps, const LutraRecipe *recipe,
                              const LutraNetwork *network);

/** The optimizer that the recipe asks for; Adam with 0.9, 0.999 and 1e-8. */
LutraOptimizerSettings lutra_recipe_optimizer(const LutraRecipe *recipe);

/** The schedule for a training with this many steps an epoch. */
LutraSchedule lutra_recipe_schedule(const LutraRecipe *recipe, uint64_t steps_per_epoch);

/** Deviation of the noise on sums, in cells: `noise`, or what `p_error` asks for. */
double lutra_recipe_noise(const LutraRecipe *recipe);

/** 8, 16 or 32. */
uint32_t lutra_recipe_gradient_bits(const LutraRecipe *recipe);

/** Weight of the teacher at a step counted from 0, of `total` steps. */
double lutra_recipe_teacher_weight(const LutraRecipe *recipe, uint64_t step, uint64_t total);

#endif
