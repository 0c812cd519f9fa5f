/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How packed input gradients are cut: slabs of whole images, by the sizes alone; within a slab some
 * input channels at a time, whose patches of gradients are added to planes while they are in the
 * cache. The inner dimension is result channels, two (bfloat16) or four (bytes) to a word.
 */
#ifndef LUTRA_TRAIN_INPUT_SLABS_PRIV_H
#define LUTRA_TRAIN_INPUT_SLABS_PRIV_H

#include "train/convolution.h"

typedef struct {
    size_t slab_images;
    size_t slabs;
    size_t most_columns;   /* positions of a slab, rounded up to whole blocks */
    size_t steps;          /* words of result channels */
    size_t row_words;      /* steps, rounded up */
    size_t group_channels; /* input channels at a time */
    size_t group_rows;     /* of patches of such a group */
    size_t table_words;    /* of the offsets below, rounded up */
} LutraInputSlabs;

/**
 * @param channels_of_word  2 or 4
 * @param block_lanes       columns of one block of products
 * @param lanes             of a vector: row_words is a multiple
 */
LutraInputSlabs lutra_input_slabs(const LutraConvShape *shape, size_t channels_of_word,
                                  size_t block_lanes, size_t lanes);

/** Rows of turned weights stand row_words apart, steps one: (group_rows) and (steps). */
void lutra_input_slab_tables(uint32_t *row_offsets, uint32_t *step_offsets,
                             const LutraInputSlabs *slabs);

/**
 * Sets the planes of one input channel of some images to the sums of their patches.
 *
 * @param[out] to       (images, H, W)
 * @param      patches  (taps, most_columns), images one after another
 */
void lutra_input_slab_scatter(float *to, const float *patches, size_t images,
                              const LutraConvShape *shape, const LutraInputSlabs *slabs,
                              const LutraTrainKernels *kernels);

#endif
