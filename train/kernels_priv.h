/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the variants of the training kernels: loops that a compiler vectorises by itself. */
#ifndef LUTRA_TRAIN_KERNELS_PRIV_H
#define LUTRA_TRAIN_KERNELS_PRIV_H

#include <string.h>

#include "train/kernels.h"

/* Eight partial sums, element i in lane i % 8, added in pairs: the order that vector code has. */
enum { LUTRA_TRAIN_LANES = 8 };

static inline double lutra_lanes_total(const double lanes[LUTRA_TRAIN_LANES]) {
    double pairs[4];
    for (int i = 0; i < 4; i++) {
        pairs[i] = lanes[i] + lanes[i + 4];
    }
    return (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]);
}

static inline float lutra_channel_z(const LutraChannelFunction *function, float sum) {
    return (sum * function->scale) + function->bias;
}

static inline float lutra_channel_y(const LutraChannelFunction *function, float z) {
    return function->normed ? lutra_affine_value(z, function->mean, function->inverse_deviation,
                                                 function->weight, function->shift)
                            : z;
}

/* Whether the gradient passes where the quantizer meets y. */
static inline bool lutra_channel_passes(const LutraChannelFunction *function, float y) {
    return lutra_quantizer_passes(&function->quantizer, y) && (!function->relu || y > 0.0f);
}

/* The addend of step_gradient. */
static inline double lutra_step_part(const LutraChannelFunction *function, float gradient,
                                     float sum) {
    const float y = lutra_channel_y(function, lutra_channel_z(function, sum));
    const float code = (float)lutra_quantizer_code(&function->quantizer, y);
    const float lost =
        lutra_channel_passes(function, y) ? code - (y / function->quantizer.step) : code;
    return (double)(gradient * lost);
}

/* First and one-past-last result column (or row) whose tap lies inside an axis. */
static inline void lutra_tap_span(size_t *first, size_t *end, size_t tap, size_t in_extent,
                                  size_t out_extent, size_t stride, size_t padding) {
    *first = tap >= padding ? 0 : (padding - tap + stride - 1) / stride;
    const size_t limit = in_extent + padding; /* tap + i * stride < limit */
    const size_t inside = limit > tap ? (limit - tap + stride - 1) / stride : 0;
    *end = inside < out_extent ? inside : out_extent;
    if (*first > *end) {
        *first = *end;
    }
}

static inline void lutra_gather_inline(float *patches, size_t row_stride, const float *plane,
                                       const LutraConvShape *shape) {
    const size_t width = shape->out_width;
    const size_t stride = shape->stride;
    for (size_t a = 0; a < shape->kernel_height; a++) {
        size_t top = 0;
        size_t bottom = 0;
        lutra_tap_span(&top, &bottom, a, shape->in_height, shape->out_height, stride,
                       shape->padding);
        for (size_t b = 0; b < shape->kernel_width; b++) {
            float *row = patches + (((a * shape->kernel_width) + b) * row_stride);
            size_t left = 0;
            size_t right = 0;
            lutra_tap_span(&left, &right, b, shape->in_width, width, stride, shape->padding);
            if (shape->padding > 0) {
                memset(row, 0, (size_t)shape->out_height * width * sizeof *row);
            }
            for (size_t r = top; r < bottom; r++) {
                const float *from = plane + (((r * stride) + a - shape->padding) * shape->in_width);
                float *to = row + (r * width);
                if (stride == 1) {
                    const float *shifted = from + left + b - shape->padding;
                    for (size_t c = 0; c < right - left; c++) {
                        to[left + c] = shifted[c];
                    }
                } else {
                    for (size_t c = left; c < right; c++) {
                        to[c] = from[(c * stride) + b - shape->padding];
                    }
                }
            }
        }
    }
}

static inline void lutra_scatter_inline(float *plane, const float *patches, size_t row_stride,
                                        const LutraConvShape *shape) {
    const size_t width = shape->out_width;
    const size_t stride = shape->stride;
    memset(plane, 0, (size_t)shape->in_height * shape->in_width * sizeof *plane);
    for (size_t a = 0; a < shape->kernel_height; a++) {
        size_t top = 0;
        size_t bottom = 0;
        lutra_tap_span(&top, &bottom, a, shape->in_height, shape->out_height, stride,
                       shape->padding);
        for (size_t b = 0; b < shape->kernel_width; b++) {
            const float *row = patches + (((a * shape->kernel_width) + b) * row_stride);
            size_t left = 0;
            size_t right = 0;
            lutra_tap_span(&left, &right, b, shape->in_width, width, stride, shape->padding);
            for (size_t r = top; r < bottom; r++) {
                float *to = plane + (((r * stride) + a - shape->padding) * shape->in_width);
                const float *from = row + (r * width);
                if (stride == 1) {
                    float *shifted = to + left + b - shape->padding;
                    for (size_t c = 0; c < right - left; c++) {
                        shifted[c] += from[left + c];
                    }
                } else {
                    for (size_t c = left; c < right; c++) {
                        to[(c * stride) + b - shape->padding] += from[c];
                    }
                }
            }
        }
    }
}

/* Reference versions; the faster ones use them for what is left over. */
void lutra_train_moments_ref(LutraMoments *moments, const float *sums, size_t count);
void lutra_train_quantize_ref(uint8_t *bytes, const float *sums, size_t count,
                              const LutraChannelFunction *function);
void lutra_train_gradient_sums_ref(LutraGradientSums *result, const float *gradient,
                                   const float *sums, size_t count,
                                   const LutraChannelFunction *function);
void lutra_train_gradient_apply_ref(float *gradient, const float *sums, size_t count,
                                    const LutraChannelFunction *function, LutraGradientLine line);
double lutra_train_step_gradient_ref(const float *gradient, const float *sums, size_t count,
                                     const LutraChannelFunction *function);
double lutra_train_weight_codes_ref(float *codes, const float *weights, size_t count,
                                    const LutraWeightQuantizer *quantizer, float scale);
void lutra_train_adam_ref(float *values, float *first, float *second, const float *gradient,
                          size_t count, const LutraAdamStep *step);
void lutra_train_byte_products_ref(float *sums, const uint8_t *bytes, const uint32_t *offsets,
                                   size_t quads, const int8_t *weights,
                                   const int32_t corrections[4], size_t positions);
void lutra_train_close_rows_ref(float *to, const float *from, size_t rows, size_t width,
                                size_t from_stride);
void lutra_train_widen_ref(float *values, const uint8_t *bytes, size_t count, float offset);
void lutra_train_gather_ref(float *patches, size_t row_stride, const float *plane,
                            const LutraConvShape *shape);
void lutra_train_scatter_ref(float *plane, const float *patches, size_t row_stride,
                             const LutraConvShape *shape);

/* Overwrites the entries that this instruction set improves. */
void lutra_train_kernels_avx2(LutraTrainKernels *kernels);
void lutra_train_kernels_avx512(LutraTrainKernels *kernels);
void lutra_train_elements_avx512(LutraTrainKernels *kernels);

#endif
