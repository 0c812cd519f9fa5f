/* SPDX-License-Identifier: Apache-2.0 */
#include "train/loss.h"

#include <math.h>
#include <stdbool.h>

/* log of the sum of exponentials of one image's logits / temperature. */
static double log_sum(const float *logits, size_t classes, size_t images, size_t n,
                      double temperature) {
    double largest = (double)logits[n];
    for (size_t c = 1; c < classes; c++) {
        const double logit = (double)logits[(c * images) + n];
        largest = logit > largest ? logit : largest;
    }
    double total = 0.0;
    for (size_t c = 0; c < classes; c++) {
        total += exp(((double)logits[(c * images) + n] - largest) / temperature);
    }
    return (largest / temperature) + log(total);
}

static double cross_entropy(float *gradient, const float *logits, const uint16_t *labels,
                            size_t classes, size_t images, double smoothing) {
    const double rest = smoothing / (double)classes;
    double total = 0.0;
    for (size_t n = 0; n < images; n++) {
        const double all = log_sum(logits, classes, images, n, 1.0);
        total += all - ((1.0 - smoothing) * (double)logits[(labels[n] * images) + n]);
        for (size_t c = 0; smoothing > 0.0 && c < classes; c++) {
            total -= rest * (double)logits[(c * images) + n];
        }
        for (size_t c = 0; gradient != NULL && c < classes; c++) {
            const double share = exp((double)logits[(c * images) + n] - all);
            const double target = (c == labels[n] ? 1.0 - smoothing : 0.0) + rest;
            gradient[(c * images) + n] = (float)((share - target) / (double)images);
        }
    }
    return total / (double)images;
}

static double squared_hinge(float *gradient, const float *logits, const uint16_t *labels,
                            size_t classes, size_t images) {
    const double count = (double)classes * (double)images;
    double total = 0.0;
    for (size_t c = 0; c < classes; c++) {
        for (size_t n = 0; n < images; n++) {
            const double target = c == labels[n] ? 1.0 : -1.0;
            const double margin = 1.0 - (target * (double)logits[(c * images) + n]);
            const double miss = margin < 0.0 ? 0.0 : margin; /* a NaN stays one */
            total += miss * miss;
            if (gradient != NULL) {
                gradient[(c * images) + n] = (float)(-2.0 * target * miss / count);
            }
        }
    }
    return total / count;
}

double lutra_loss(float *gradient, LutraLossKind kind, const float *logits, const uint16_t *labels,
                  size_t classes, size_t images) {
    const LutraLossTerms terms = {.kind = kind};
    return lutra_training_loss(gradient, &terms, logits, labels, classes, images);
}

/* Mean of KL(teacher || student) at the temperature. Of its gradient by the logits,
 * (student - teacher) / temperature, w T^2 is added to 1 - w of `gradient`. */
static double distil(float *gradient, const LutraLossTerms *terms, const float *logits,
                     size_t classes, size_t images) {
    const double t = terms->temperature;
    const double kept = 1.0 - terms->teacher_weight;
    const double share = terms->teacher_weight * t / (double)images; /* w T^2 / T */
    double total = 0.0;
    for (size_t n = 0; n < images; n++) {
        const double own_sum = log_sum(logits, classes, images, n, t);
        const double their_sum = log_sum(terms->teacher, classes, images, n, t);
        for (size_t c = 0; c < classes; c++) {
            const size_t i = (c * images) + n;
            const double own = ((double)logits[i] / t) - own_sum;
            const double theirs = ((double)terms->teacher[i] / t) - their_sum;
            total += exp(theirs) * (theirs - own);
            if (gradient != NULL) {
                gradient[i] = (float)((kept * (double)gradient[i]) +
                                      (share * (exp(own) - exp(theirs))));
            }
        }
    }
    return total / (double)images;
}

double lutra_training_loss(float *gradient, const LutraLossTerms *terms, const float *logits,
                           const uint16_t *labels, size_t classes, size_t images) {
    const double labelled =
        terms->kind == LUTRA_LOSS_SQUARED_HINGE
            ? squared_hinge(gradient, logits, labels, classes, images)
            : cross_entropy(gradient, logits, labels, classes, images, terms->smoothing);
    if (terms->teacher == NULL || terms->teacher_weight == 0.0) {
        return labelled;
    }
    const double w = terms->teacher_weight;
    const double divergence = distil(gradient, terms, logits, classes, images);
    return ((1.0 - w) * labelled) + (w * terms->temperature * terms->temperature * divergence);
}

void lutra_label_ranks(uint32_t *ranks, const float *logits, const uint16_t *labels,
                       size_t classes, size_t images) {
    for (size_t n = 0; n < images; n++) {
        const float own = logits[(labels[n] * images) + n];
        uint32_t before = 0;
        for (size_t c = 0; c < classes; c++) {
            const float other = logits[(c * images) + n];
            const bool behind = own > other || (own == other && c >= labels[n]);
            before += behind || c == labels[n] ? 0u : 1u; /* NaN is never behind */
        }
        ranks[n] = before;
    }
}

void lutra_tensor_statistics(float *mean, float *variance, const float *values, size_t count) {
    double total = 0.0;
    for (size_t i = 0; i < count; i++) {
        total += (double)values[i];
    }
    const double centre = total / (double)count;
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double distance = (double)values[i] - centre;
        squares += distance * distance;
    }
    *mean = (float)centre;
    *variance = (float)(squares / (double)count);
}

void lutra_tensor_norm_backward(float *gradient, float *weight_gradient, float *shift_gradient,
                                const float *values, size_t count, float mean,
                                float inverse_deviation, float weight) {
    double plain = 0.0;
    double weighted = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double x = ((double)values[i] - (double)mean) * (double)inverse_deviation;
        plain += (double)gradient[i];
        weighted += (double)gradient[i] * x;
    }
    const double slope = (double)weight * (double)inverse_deviation;
    for (size_t i = 0; i < count; i++) {
        const double x = ((double)values[i] - (double)mean) * (double)inverse_deviation;
        gradient[i] = (float)(slope * ((double)gradient[i] - (plain / (double)count) -
                                       (x * weighted / (double)count)));
    }
    *weight_gradient = (float)weighted;
    *shift_gradient = (float)plain;
}
