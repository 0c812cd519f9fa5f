/* SPDX-License-Identifier: Apache-2.0 */
/* Linear operations on words; see torus_linear.h. */
#include "sim/torus_linear.h"

#include <string.h>

void lutra_words_linear(uint64_t *y, const LutraLinearOperation *linear, uint32_t outputs,
                        const uint64_t *x) {
    for (size_t o = 0; o < outputs; o++) {
        const int8_t *const row = linear->weights + o * linear->in_features;
        uint64_t sum = 0;
        for (size_t i = 0; i < linear->in_features; i++) {
            sum += (uint64_t)(int64_t)row[i] * x[i];
        }
        y[o] = sum;
    }
}

/** y += factor * x. Few processors multiply vectors of 64-bit words: 1 and -1 go by themselves. */
static void add_scaled(uint64_t *y, const uint64_t *x, uint64_t factor, size_t count) {
    if (factor == 1) {
        for (size_t i = 0; i < count; i++) {
            y[i] += x[i];
        }
    } else if (factor == UINT64_MAX) {
        for (size_t i = 0; i < count; i++) {
            y[i] -= x[i];
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            y[i] += factor * x[i];
        }
    }
}

/** Adds one weight's products to a plane of outputs: y[r,c] += w * x[r*stride+a, c*stride+b]. */
static void add_tap(uint64_t *y, LutraShape shape, const uint64_t *x, LutraShape x_shape,
                    const LutraConvOperation *conv, size_t a, size_t b, int8_t weight) {
    const uint64_t factor = (uint64_t)(int64_t)weight;
    const size_t stride = conv->stride;
    const size_t padding = conv->padding;
    /* columns c with 0 <= c * stride + b - padding < x_shape.width */
    const size_t first = b >= padding ? 0 : (padding - b + stride - 1) / stride;
    const size_t reach = b < x_shape.width + padding ? x_shape.width + padding - b : 0;
    const size_t end = (reach + stride - 1) / stride < shape.width ? (reach + stride - 1) / stride
                                                                  : shape.width;
    for (size_t r = 0; r < shape.height; r++) {
        const size_t row = r * stride + a;
        if (row < padding || row - padding >= x_shape.height) {
            continue;
        }
        const uint64_t *const x_row = x + (row - padding) * x_shape.width;
        uint64_t *const y_row = y + r * shape.width;
        if (stride == 1) {
            add_scaled(y_row + first, x_row + first + b - padding, factor,
                       end > first ? end - first : 0);
            continue;
        }
        for (size_t c = first; c < end; c++) {
            y_row[c] += factor * x_row[c * stride + b - padding];
        }
    }
}

void lutra_words_conv(uint64_t *y, const LutraConvOperation *conv, LutraShape shape,
                      const uint64_t *x, LutraShape x_shape) {
    const size_t plane = (size_t)shape.height * shape.width;
    const size_t x_plane = (size_t)x_shape.height * x_shape.width;
    const int8_t *weight = conv->weights;
    memset(y, 0, shape.channels * plane * sizeof *y);
    for (size_t o = 0; o < shape.channels; o++) {
        for (size_t i = 0; i < conv->in_channels; i++) {
            for (size_t a = 0; a < conv->kernel; a++) {
                for (size_t b = 0; b < conv->kernel; b++, weight++) {
                    if (*weight != 0) {
                        add_tap(y + o * plane, shape, x + i * x_plane, x_shape, conv, a, b,
                                *weight);
                    }
                }
            }
        }
    }
}

void lutra_words_sum_pool(uint64_t *y, const LutraSumPoolOperation *pool, LutraShape shape,
                          const uint64_t *x, LutraShape x_shape) {
    for (size_t c = 0; c < shape.channels; c++) {
        for (size_t r = 0; r < shape.height; r++) {
            for (size_t s = 0; s < shape.width; s++) {
                uint64_t sum = 0;
                for (size_t a = 0; a < pool->kernel; a++) {
                    const size_t row = c * x_shape.height + r * pool->stride + a;
                    for (size_t b = 0; b < pool->kernel; b++) {
                        sum += x[row * x_shape.width + s * pool->stride + b];
                    }
                }
                *y++ = sum;
            }
        }
    }
}

void lutra_words_add(uint64_t *y, const uint64_t *x0, const uint64_t *x1, size_t count) {
    for (size_t i = 0; i < count; i++) {
        y[i] = x0[i] + x1[i];
    }
}
