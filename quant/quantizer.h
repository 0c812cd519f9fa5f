/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantizers: the one definition of every step from real numbers to integer codes.
 *
 * Activations and pixels (uniform):   code = clamp(rint(x / step), code_min, code_max)
 * Weights, fixed scale:               code = clamp(rint(w), code_min, code_max), scale 1
 * Weights, scale from the maximum:    scale = max|w| / code_max, code = clamp(rint(w / scale), ...)
 * A learned step:                     step = threshold / -code_min, or threshold / code_max if no
 *                                     code is negative; the threshold is a trained number
 *
 * rint rounds half to even and comes before the clamp. Single precision throughout. The value that
 * the network computes with is code * step (or code * scale).
 *
 * Straight-through gradients: an activation passes its gradient where
 * code_min <= rint(x / step) <= code_max (for step 1 and codes -1..1 that is |x| < 1.5) and gives 0
 * elsewhere; a weight always passes it. The scale from the maximum is a function of the weights and
 * a learned step one of its threshold: what code * step loses by rounding and clamping,
 * code - x / step where the gradient passes and code elsewhere, is their gradient per unit of it.
 *
 * @source the quantizers of Brevitas
 */
#ifndef LUTRA_QUANT_QUANTIZER_H
#define LUTRA_QUANT_QUANTIZER_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/circuit.h" /* lutra_affine_value, the norm of training and tables */

/** Uniform quantizer of activations and inputs. code_min <= 0 < code_max, both within int8_t or
 * uint8_t range; step > 0 and finite. */
typedef struct {
    int32_t code_min;
    int32_t code_max;
    float step;
} LutraQuantizer;

typedef enum {
    LUTRA_WEIGHT_SCALE_FIXED = 0,
    LUTRA_WEIGHT_SCALE_MAX = 1,
    LUTRA_WEIGHT_SCALE_NONE = 2 /* weights are not quantized */
} LutraWeightScale;

/** Quantizer of one weight tensor. -code_max <= code_min < 0 < code_max <= 127; both 0 for
 * LUTRA_WEIGHT_SCALE_NONE. */
typedef struct {
    int32_t code_min;
    int32_t code_max;
    LutraWeightScale scale;
} LutraWeightQuantizer;

/** The unclamped code as a float: rint(x / step). */
static inline float lutra_quantizer_unclamped(const LutraQuantizer *quantizer, float x) {
    return rintf(x / quantizer->step);
}

/** The code of x. NaN gives code_min; a caller that can meet NaN tests for it. */
static inline int32_t lutra_quantizer_code(const LutraQuantizer *quantizer, float x) {
    const float code = lutra_quantizer_unclamped(quantizer, x);
    if (!(code > (float)quantizer->code_min)) {
        return quantizer->code_min;
    }
    return code >= (float)quantizer->code_max ? quantizer->code_max : (int32_t)code;
}

/** Whether the straight-through gradient passes at x. */
static inline bool lutra_quantizer_passes(const LutraQuantizer *quantizer, float x) {
    const float code = lutra_quantizer_unclamped(quantizer, x);
    return code >= (float)quantizer->code_min && code <= (float)quantizer->code_max;
}

/** Smallest value of a trained threshold. */
#define LUTRA_LEAST_THRESHOLD 1e-10f

/** What a threshold is divided by to give the step. */
static inline float lutra_threshold_divisor(int32_t code_min, int32_t code_max) {
    return code_min < 0 ? -(float)code_min : (float)code_max;
}

/** Scale of a weight tensor: 1, or max|w| / code_max (1 if all weights are 0). */
float lutra_weight_scale(const LutraWeightQuantizer *quantizer, const float *weights, size_t count);

/** Codes (count) of a weight tensor for its scale. */
void lutra_weight_codes(int8_t *codes, const LutraWeightQuantizer *quantizer, const float *weights,
                        size_t count, float scale);

/** 1 / sqrt(variance + epsilon), single precision. */
static inline float lutra_inverse_deviation(float variance, float epsilon) {
    return 1.0f / sqrtf(variance + epsilon);
}

/**
 * Real value of one unit of an integer that a linear layer, then average pools, made from codes:
 * step of the input codes times weight scale divided by the number of pooled elements, in single
 * precision and this order. The one place where scales are multiplied.
 */
static inline float lutra_accumulator_scale(float input_step, float weight_scale,
                                            uint32_t pooled_elements) {
    return (input_step * weight_scale) / (float)pooled_elements;
}

#endif
