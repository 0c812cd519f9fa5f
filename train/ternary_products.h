/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward convolutions of ternary codes with ternary weights by counting bits: the same exact sums
 * as lutra_conv_forward, about three times faster than lutra_byte_forward.
 *
 * The input of an image is laid out in words of 64 channels, (I/64, H, W), with a border of zeros;
 * a kernel element is an offset into it. Positions run over whole rows of the input; what does not
 * belong to the result is left out afterwards.
 */
#ifndef LUTRA_TRAIN_TERNARY_PRODUCTS_H
#define LUTRA_TRAIN_TERNARY_PRODUCTS_H

#include "base/status.h"
#include "quant/network.h"
#include "train/convolution.h"
#include "train/ternary.h"

/** Weights of one layer; all owned. */
typedef struct {
    uint64_t *words;   /* (O/4, steps, 4, 2) */
    uint32_t *offsets; /* (steps) */
    size_t steps;      /* (groups of 64 channels, kernel rows, kernel columns) */
} LutraTernaryWeights;

/** Whether codes -1 .. 1 that `source` gives meet weights -1 .. 1, in a convolution of a shape
 * for which counting is worth it: stride 1, some positions, at least half a word of channels. */
bool lutra_ternary_fits(const LutraConvShape *shape, const LutraLayer *source,
                        const LutraLayer *weighted);

/** Allocates for a layer that fits. */
LUTRA_MUST_CHECK LutraStatus lutra_ternary_weights_init(LutraTernaryWeights *packed,
                                                        const LutraConvShape *shape,
                                                        LutraError *error);
void lutra_ternary_weights_deinit(LutraTernaryWeights *packed);

/** @param weights  (O,K), -1, 0 or 1 */
void lutra_ternary_weights_pack(LutraTernaryWeights *packed, const LutraConvShape *shape,
                                const float *weights, uint32_t threads);

/** Scratch of the next function, in floats. */
size_t lutra_ternary_scratch_floats(const LutraConvShape *shape, uint32_t threads);

/**
 * Like lutra_conv_forward.
 *
 * @param input      bytes with code_min -1
 * @param workspace  scratch of lutra_ternary_scratch_floats, at an address that 8 divides
 */
void lutra_ternary_forward(float *sums, const LutraConvShape *shape, LutraConvInput input,
                           const LutraTernaryWeights *packed, const LutraTernaryKernels *kernels,
                           const LutraConvWorkspace *workspace);

#endif
