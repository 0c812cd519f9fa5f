/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two gradients of a convolution with the gradient of its result rounded to bfloat16: half as
 * many instructions as in single precision. Codes and their weights are small whole numbers, exact
 * in that format; the numbers of layers that are not quantized are rounded, too, and for those
 * there is a forward function. Sums are kept in single precision.
 *
 * The weight gradient pairs neighbouring images, the input gradient neighbouring result channels,
 * the forward function neighbouring channels.
 * Batches are cut by the sizes alone and partial sums are added in order, so no result depends on
 * the number of threads; it depends on the instruction set within the bound of halves.h.
 */
#ifndef LUTRA_TRAIN_HALF_CONVOLUTION_H
#define LUTRA_TRAIN_HALF_CONVOLUTION_H

#include "train/convolution.h"
#include "train/halves.h"

/** Scratch of all functions here, in floats. */
size_t lutra_half_scratch_floats(const LutraConvShape *shape, uint32_t threads);

/**
 * Like lutra_conv_weight_gradient, with out_gradient rounded by lutra_half_round.
 *
 * @param input  codes up to LUTRA_HALF_LARGEST in magnitude; other numbers are rounded as well
 */
void lutra_half_weight_gradient(float *gradient, const LutraConvShape *shape, LutraConvInput input,
                                const float *out_gradient, float alpha,
                                const LutraHalfKernels *halves,
                                const LutraConvWorkspace *workspace);

/**
 * Like lutra_conv_input_gradient, with out_gradient rounded by lutra_half_round.
 *
 * @param weights  (O,K) whole numbers up to LUTRA_HALF_LARGEST in magnitude; others are rounded
 */
void lutra_half_input_gradient(float *in_gradient, const LutraConvShape *shape,
                               const float *weights, const float *out_gradient, float alpha,
                               const LutraHalfKernels *halves,
                               const LutraConvWorkspace *workspace);

/**
 * Like lutra_conv_forward for layers that are not quantized, with input and weights rounded by
 * lutra_half_round: for training, where this is small beside what batches differ in.
 *
 * @param values  (I,N,H,W)
 */
void lutra_half_forward(float *sums, const LutraConvShape *shape, const float *values,
                        const float *weights, const LutraHalfKernels *halves,
                        const LutraConvWorkspace *workspace);

#endif
