/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward convolutions on bytes: the same exact sums as lutra_conv_forward, several times faster,
 * where the products of one sum together stay within the kernels' byte_limit (2^15 with AVX2, as
 * with ternary weights and codes; 2^30 with AVX-512).
 *
 * The input is laid out in quads of channels, (I/4, H, W, 4), padded with the byte of code 0, so
 * that the four bytes of a quad at neighbouring positions are one vector; a kernel element is an
 * offset into it. With a stride, the elements that one kernel element meets stand together: a plane
 * is laid out in stride^2 phases. Positions run over whole rows of the input; what does not belong
 * to the result is left out afterwards. A layer with one position per image runs over images
 * instead.
 */
#ifndef LUTRA_TRAIN_BYTE_PRODUCTS_H
#define LUTRA_TRAIN_BYTE_PRODUCTS_H

#include "base/status.h"
#include "train/convolution.h"

/** Weights of one layer for byte products; all owned. */
typedef struct {
    int8_t *weights;      /* (O/4, quads, 4 rows, 4) */
    int32_t *corrections; /* (O rounded up to 4) code_min * sum of a row */
    uint32_t *offsets;    /* (quads) of the input's bytes, set by each forward */
    size_t quads;
} LutraByteWeights;

/** Allocates for a layer. */
LUTRA_MUST_CHECK LutraStatus lutra_byte_weights_init(LutraByteWeights *packed,
                                                     const LutraConvShape *shape,
                                                     LutraError *error);
void lutra_byte_weights_deinit(LutraByteWeights *packed);

/** Whether sums fit: bytes up to `largest_byte`, rows of weights with magnitudes up to the sum
 * `largest_row`. */
bool lutra_byte_sums_fit(const LutraTrainKernels *kernels, uint32_t largest_byte,
                         double largest_row);

/**
 * Packs whole-number weights, four rows at a time.
 *
 * @param weights  (O,K), each within int8_t
 */
void lutra_byte_weights_pack(LutraByteWeights *packed, const LutraConvShape *shape,
                             const float *weights, int32_t code_min, uint32_t threads);

/** Scratch of the next function, in floats. */
size_t lutra_byte_scratch_floats(const LutraConvShape *shape, uint32_t threads);

/**
 * Like lutra_conv_forward.
 *
 * @param input      must be bytes
 * @param workspace  scratch of lutra_byte_scratch_floats
 */
void lutra_byte_forward(float *sums, const LutraConvShape *shape, LutraConvInput input,
                        LutraByteWeights *packed, const LutraConvWorkspace *workspace);

#endif
