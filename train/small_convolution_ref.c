/* SPDX-License-Identifier: Apache-2.0 */
/* The plain loops that say what the gradients in eight bits are. */
#include <math.h>

#include "train/small_convolution.h"

/* Largest magnitude of `count` runs of `length` values, `stride` apart, as bits. */
static uint32_t largest_of(const float *values, size_t count, size_t stride, size_t length) {
    LutraSmallKernels kernels;
    uint32_t largest = 0;
    lutra_small_kernels_init(&kernels, 0);
    for (size_t i = 0; i < count; i++) {
        kernels.largest(&largest, values + (i * stride), 1, length);
    }
    return largest;
}

/* One product of a convolution: the element of the input, within the plane of channel and image,
 * that the result at (r,s) takes weight (a,b) of; false outside. */
static bool element_at(size_t *element, const LutraConvShape *shape, size_t position, size_t tap) {
    const size_t pad = shape->padding;
    const size_t row =
        ((position / shape->out_width) * shape->stride) + (tap / shape->kernel_width);
    const size_t column =
        ((position % shape->out_width) * shape->stride) + (tap % shape->kernel_width);
    if (row < pad || column < pad || row - pad >= shape->in_height ||
        column - pad >= shape->in_width) {
        return false;
    }
    *element = ((row - pad) * shape->in_width) + (column - pad);
    return true;
}

static int32_t rounded(const float *values, size_t at, float inverse, LutraGradientDraws draws) {
    return lutra_gradient_byte(values[at], inverse, draws, (uint32_t)at);
}

void lutra_small_weight_gradient_ref(float *gradient, const LutraConvShape *shape,
                                     LutraConvInput input, const float *out_gradient, float alpha,
                                     LutraGradientDraws draws) {
    const size_t positions = lutra_conv_positions(shape);
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t row = shape->images * positions;
    for (size_t o = 0; o < shape->out_channels; o++) {
        const float step = lutra_gradient_step(largest_of(out_gradient + (o * row), 1, 0, row));
        const float inverse = lutra_gradient_inverse(step);
        for (size_t k = 0; k < shape->in_channels * taps; k++) {
            int64_t total = 0;
            for (size_t i = 0; i < row; i++) {
                size_t element = 0;
                if (element_at(&element, shape, i % positions, k % taps)) {
                    const size_t at = ((((k / taps) * shape->images) + (i / positions)) * plane) +
                                      element;
                    total += (int64_t)(input.bytes[at] + input.code_min) *
                             rounded(out_gradient, (o * row) + i, inverse, draws);
                }
            }
            *gradient++ = (alpha * step) * (float)total;
        }
    }
}

void lutra_small_input_gradient_ref(float *in_gradient, const LutraConvShape *shape,
                                    const float *weights, const float *out_gradient, float alpha,
                                    LutraGradientDraws draws) {
    const size_t positions = lutra_conv_positions(shape);
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t row = shape->images * positions;
    for (size_t n = 0; n < shape->images; n++) {
        const float step = lutra_gradient_step(
            largest_of(out_gradient + (n * positions), shape->out_channels, row, positions));
        const float inverse = lutra_gradient_inverse(step);
        for (size_t i = 0; i < shape->in_channels; i++) {
            float *to = in_gradient + (((i * shape->images) + n) * plane);
            for (size_t e = 0; e < plane; e++) {
                to[e] = 0.0f;
            }
            for (size_t o = 0; o < shape->out_channels; o++) {
                for (size_t p = 0; p < positions; p++) {
                    const int32_t q =
                        rounded(out_gradient, (o * row) + (n * positions) + p, inverse, draws);
                    for (size_t t = 0; t < taps; t++) {
                        size_t element = 0;
                        if (element_at(&element, shape, p, t)) {
                            to[element] += (float)q *
                                           weights[(((o * shape->in_channels) + i) * taps) + t];
                        }
                    }
                }
            }
            for (size_t e = 0; e < plane; e++) {
                to[e] *= alpha * step;
            }
        }
    }
}
