/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Average pools: integer sums forward (the division is part of the scale), equal shares back.
 * Maximum pools: the largest code forward; the gradient goes to the first of the largest elements
 * of a window, in the order of rows and columns.
 */
#ifndef LUTRA_TRAIN_POOL_H
#define LUTRA_TRAIN_POOL_H

#include "train/convolution.h"

/** A pool over planes = channels * images planes. */
typedef struct {
    size_t planes;
    uint32_t in_height;
    uint32_t in_width;
    uint32_t out_height;
    uint32_t out_width;
    uint32_t kernel;
    uint32_t stride;
    uint32_t threads;
} LutraPoolShape;

/** sums (planes, out_height, out_width) of windows of the input (planes, in_height, in_width). */
void lutra_pool_forward(float *sums, const LutraPoolShape *shape, LutraConvInput input);

/** in_gradient = sum over the windows that hold an element of out_gradient / kernel^2. */
void lutra_pool_backward(float *in_gradient, const LutraPoolShape *shape,
                         const float *out_gradient);

/** bytes (planes, out_height, out_width): the largest byte of each window of the input. */
void lutra_max_pool_forward(uint8_t *bytes, const LutraPoolShape *shape, const uint8_t *input);

/**
 * in_gradient = sum over the windows in which an element is the first of the largest of
 * out_gradient.
 *
 * @param input  what the forward pass read
 */
void lutra_max_pool_backward(float *in_gradient, const LutraPoolShape *shape,
                             const float *out_gradient, const uint8_t *input);

#endif
