/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise loops of training in a reference and faster versions, equal bit for bit.
 *
 * Values of a batch stand channel by channel, (C,N,H,W), so that the statistics of a channel are
 * one pass over adjacent numbers. Between layers they are integers: codes of an activation as
 * bytes `code - code_min`, or sums of products as whole numbers in a float.
 */
#ifndef LUTRA_TRAIN_KERNELS_H
#define LUTRA_TRAIN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/quantizer.h"

/** Sizes of one convolution over a batch. A linear layer is one whose kernel covers its input. */
typedef struct {
    uint32_t images;
    uint32_t in_channels;
    uint32_t in_height;
    uint32_t in_width;
    uint32_t out_channels;
    uint32_t out_height;
    uint32_t out_width;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t stride;
    uint32_t padding;
} LutraConvShape;

/**
 * What a channel does to a sum before and in its activation:
 * z = sum * scale + bias; y = lutra_affine_value(z, ...) if normed, else z; code of y, or of
 * max(y, 0) if relu: then the quantizer has no codes below 0, and gradients pass only where y > 0.
 */
typedef struct {
    float scale; /* real value of one unit of the sums */
    float bias;
    bool normed;
    float mean;
    float inverse_deviation;
    float weight;
    float shift;
    LutraQuantizer quantizer;
    bool relu;
} LutraChannelFunction;

/** Exact sums over a channel; every addend is an integer and every partial sum is below 2^53. */
typedef struct {
    double sum;
    double sum_of_squares;
} LutraMoments;

/** Sums that the gradient of a normed channel needs, with x = (z - mean) * inverse_deviation. */
typedef struct {
    double gradient;   /* sum of g where the activation passes it */
    double gradient_x; /* sum of g * x where the activation passes it */
} LutraGradientSums;

/** Gradient of z: g * slope - constant - x * tilt, with g = 0 where the activation blocks it. */
typedef struct {
    float slope;
    float constant;
    float tilt;
} LutraGradientLine;

/** One step of Adam on an array; see lutra_optimizer_step. */
typedef struct {
    float first_keep; /* beta1 */
    float first_take; /* 1 - beta1 */
    float second_keep;
    float second_take;
    float second_correction; /* sqrt(1 - beta2^t) */
    float epsilon;
    float rate; /* learning rate / (1 - beta1^t) */
    float decay;  /* adam: times the value is added to the gradient */
    float shrink; /* values are multiplied by this before the step; 1 but for adamw */
    float limit; /* values are clamped to [-limit, limit]; infinity for none */
} LutraAdamStep;

typedef struct {
    /** Moments of `count` whole numbers. */
    void (*moments)(LutraMoments *moments, const float *sums, size_t count);

    /** bytes[i] = code of sums[i] - code_min. */
    void (*quantize)(uint8_t *bytes, const float *sums, size_t count,
                     const LutraChannelFunction *function);

    /** Sums for the backward pass; gradient[i] belongs to the real value of the activation. */
    void (*gradient_sums)(LutraGradientSums *result, const float *gradient, const float *sums,
                          size_t count, const LutraChannelFunction *function);

    /** Replaces each gradient by that of z; `line` is not read if the channel is not normed. */
    void (*gradient_apply)(float *gradient, const float *sums, size_t count,
                           const LutraChannelFunction *function, LutraGradientLine line);

    /**
     * What the gradient of a quantizer's real values says about its step:
     * sum of g * (code - x / step) where the activation passes g, of g * code elsewhere; x is what
     * the quantizer reads.
     */
    double (*step_gradient)(const float *gradient, const float *sums, size_t count,
                            const LutraChannelFunction *function);

    /**
     * Codes of weights as floats, as lutra_weight_codes gives them.
     *
     * @return sum of their magnitudes (exact)
     */
    double (*weight_codes)(float *codes, const float *weights, size_t count,
                           const LutraWeightQuantizer *quantizer, float scale);

    /** Updates values and both moments from the gradient. */
    void (*adam)(float *values, float *first, float *second, const float *gradient, size_t count,
                 const LutraAdamStep *step);

    /**
     * Four rows of products of bytes with signed weights:
     * sums[j * positions + p] = corrections[j] +
     *     sum over quads q, i < 4 of bytes[offsets[q] + 4 p + i] * weights[(q * 4 + j) * 4 + i].
     *
     * Every sum of magnitudes of such products must be at most byte_limit, every correction at most
     * 2^30.
     *
     * @param positions  a multiple of 8
     */
    void (*byte_products)(float *sums, const uint8_t *bytes, const uint32_t *offsets, size_t quads,
                          const int8_t *weights, const int32_t corrections[4], size_t positions);

    int32_t byte_limit; /* 32767 or 2^30 */

    /** Whether byte_products is faster than a matrix product in single precision. */
    bool bytes_are_fast;

    /** to[r * width + c] = from[r * from_stride + c] for c < width. */
    void (*close_rows)(float *to, const float *from, size_t rows, size_t width,
                       size_t from_stride);

    /** values[i] = bytes[i] + offset. */
    void (*widen)(float *values, const uint8_t *bytes, size_t count, float offset);

    /**
     * The patches of one plane: patches[(a * kernel_width + b) * row_stride + r * out_width + c] =
     * plane[r * stride + a - padding][c * stride + b - padding], 0 outside.
     */
    void (*gather)(float *patches, size_t row_stride, const float *plane,
                   const LutraConvShape *shape);

    /** Adjoint of gather: plane = sum over all patches that hold each element; overwrites plane. */
    void (*scatter)(float *plane, const float *patches, size_t row_stride,
                    const LutraConvShape *shape);
} LutraTrainKernels;

/** Reference first, then the fastest that `cpu_flags` (LutraCpuFlag) allows. */
void lutra_train_kernels_init(LutraTrainKernels *kernels, uint32_t cpu_flags);

/** Positions of the result in one image. */
static inline size_t lutra_conv_positions(const LutraConvShape *shape) {
    return (size_t)shape->out_height * shape->out_width;
}

/** Products summed into one element of the result. */
static inline size_t lutra_conv_fan_in(const LutraConvShape *shape) {
    return (size_t)shape->in_channels * shape->kernel_height * shape->kernel_width;
}

#endif
