/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two gradients of a convolution with the gradient of its result rounded to eight bits without
 * bias (small_gradients.h): half as many instructions as with bfloat16, a quarter of single
 * precision. Codes and weights are exact.
 *
 * For the weight gradient each result channel has a step of its own, for the input gradient each
 * image; each draws its own rounding. Given the draws, results are exact sums of whole numbers
 * times a factor: every version, cut and number of threads gives the same bits, as long as 127 *
 * the largest sum of magnitudes of weights that meet one input stays below 2^24 (beyond, the sums
 * of the input gradient round).
 *
 * A NaN or an infinity in a channel or image makes all of its results NaN.
 */
#ifndef LUTRA_TRAIN_SMALL_CONVOLUTION_H
#define LUTRA_TRAIN_SMALL_CONVOLUTION_H

#include "train/convolution.h"
#include "train/small_gradients.h"

/** Scratch of both fast functions, in floats. */
size_t lutra_small_scratch_floats(const LutraConvShape *shape, uint32_t threads);

/** Whether the sums of both gradients stay within 32 bits. */
bool lutra_small_sums_fit(const LutraConvShape *shape, uint32_t threads);

/**
 * Like lutra_conv_weight_gradient.
 *
 * @param input  must be bytes
 */
void lutra_small_weight_gradient(float *gradient, const LutraConvShape *shape,
                                 LutraConvInput input, const float *out_gradient, float alpha,
                                 LutraGradientDraws draws, const LutraSmallKernels *small,
                                 const LutraConvWorkspace *workspace);
void lutra_small_weight_gradient_ref(float *gradient, const LutraConvShape *shape,
                                     LutraConvInput input, const float *out_gradient, float alpha,
                                     LutraGradientDraws draws);

/**
 * Like lutra_conv_input_gradient.
 *
 * @param weights  (O,K) whole numbers -127 .. 127
 */
void lutra_small_input_gradient(float *in_gradient, const LutraConvShape *shape,
                                const float *weights, const float *out_gradient, float alpha,
                                LutraGradientDraws draws, const LutraSmallKernels *small,
                                const LutraConvWorkspace *workspace);
void lutra_small_input_gradient_ref(float *in_gradient, const LutraConvShape *shape,
                                    const float *weights, const float *out_gradient, float alpha,
                                    LutraGradientDraws draws);

#endif
