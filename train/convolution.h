/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions (and linear layers) of integer codes over a batch, forward and backward.
 *
 * Legend: N images, I = in_channels, O = out_channels, K = fan-in (I, kernel rows, kernel columns),
 * P = positions of the result in one image. All batches are channel-major, (C,N,H,W); all weights
 * (O,K). Outside the image the input is code 0.
 *
 * The fast versions cut the batch into slabs of whole images by the sizes alone, lay the patches of
 * a slab out as a matrix (K, slab positions) and multiply. The sums of the weight gradient over
 * images are cut into fixed chunks that are added in order. So no result depends on `threads`.
 */
#ifndef LUTRA_TRAIN_CONVOLUTION_H
#define LUTRA_TRAIN_CONVOLUTION_H

#include "train/kernels.h"

/** The integers that a layer reads: bytes of codes, or whole numbers in floats. */
typedef struct {
    const uint8_t *bytes; /* (I,N,H,W) code - code_min; NULL if the layer reads sums */
    const float *sums;    /* (I,N,H,W), read where bytes is NULL */
    int32_t code_min;
} LutraConvInput;

/** What the fast versions work with; the memory stays the caller's. */
typedef struct {
    const LutraTrainKernels *kernels;
    uint32_t threads;
    float *scratch; /* at least lutra_conv_scratch_floats for the shape and `threads` */
} LutraConvWorkspace;

/** Scratch that the three fast functions need, in floats. */
size_t lutra_conv_scratch_floats(const LutraConvShape *shape, uint32_t threads);

/**
 * sums[o] = sum over k of weights[o][k] * patch[k]: exact as long as the sum of the magnitudes of
 * all products stays below 2^24.
 *
 * @param[out] sums     (O,N,P)
 * @param      weights  (O,K) whole numbers
 */
void lutra_conv_forward(float *sums, const LutraConvShape *shape, LutraConvInput input,
                        const float *weights, const LutraConvWorkspace *workspace);
void lutra_conv_forward_ref(float *sums, const LutraConvShape *shape, LutraConvInput input,
                            const float *weights);

/**
 * gradient[o][k] = alpha * sum over positions of out_gradient[o] * patch[k].
 *
 * @param[out] gradient      (O,K)
 * @param      out_gradient  (O,N,P)
 */
void lutra_conv_weight_gradient(float *gradient, const LutraConvShape *shape, LutraConvInput input,
                                const float *out_gradient, float alpha,
                                const LutraConvWorkspace *workspace);
void lutra_conv_weight_gradient_ref(float *gradient, const LutraConvShape *shape,
                                    LutraConvInput input, const float *out_gradient, float alpha);

/**
 * in_gradient = alpha * (transposed convolution of out_gradient with weights).
 *
 * @param[out] in_gradient  (I,N,H,W), overwritten
 */
void lutra_conv_input_gradient(float *in_gradient, const LutraConvShape *shape,
                               const float *weights, const float *out_gradient, float alpha,
                               const LutraConvWorkspace *workspace);
void lutra_conv_input_gradient_ref(float *in_gradient, const LutraConvShape *shape,
                                   const float *weights, const float *out_gradient, float alpha);

#endif
