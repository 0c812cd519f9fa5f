/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From stored images to a batch: random shifts, flips and grey squares (cutout: DeVries and Taylor,
 * "Improved Regularization of Convolutional Neural Networks with Cutout", 2017) on pixels. What
 * happens to an image depends on seed, epoch and its number alone.
 */
#ifndef LUTRA_TRAIN_AUGMENT_H
#define LUTRA_TRAIN_AUGMENT_H

#include <stddef.h>
#include <stdint.h>

/* Pinned numbers. */
typedef enum { LUTRA_FLIP_NONE = 0, LUTRA_FLIP_RANDOM = 1, LUTRA_FLIP_ALTERNATING = 2 } LutraFlip;

/** What a square of cutout is filled with: the middle of the range of pixels. */
enum { LUTRA_CUTOUT_PIXEL = 128 };

typedef struct {
    uint32_t crop; /* shift by -crop .. crop rows and columns */
    LutraFlip flip;
    uint64_t seed;
    uint32_t epoch;  /* from 1 */
    uint32_t cutout; /* rows and columns of the square; 0: none */
} LutraAugmentation;

/** Images as a dataset has them. */
typedef struct {
    const uint8_t *images; /* (count, C, H, W) */
    uint32_t channels;
    uint32_t height;
    uint32_t width;
} LutraImageView;

/** What is done to one image. */
typedef struct {
    int32_t down;  /* result row r shows row r + down */
    int32_t right; /* result column c shows column c + right, counted before the flip */
    int flipped;
    /* Middle of the square, as a share of the result's height and width in units of 2^-16:
     * anywhere, so that a square near the edge is cut off there and hides less. */
    uint32_t hole_down;
    uint32_t hole_right;
} LutraImageMove;

/** The move of one image in one epoch; no move for NULL. */
LutraImageMove lutra_augment_move(const LutraAugmentation *augmentation, uint32_t image);

/**
 * Fills a batch. Pixels from outside an image are 0, those in the square LUTRA_CUTOUT_PIXEL: rows
 * and columns from middle - cutout / 2 on, `cutout` of each.
 *
 * @param[out] pixels         (C, count, H, W)
 * @param      order          (count) which images
 * @param      augmentation   NULL: images as they are
 */
void lutra_batch_fill(uint8_t *pixels, const LutraImageView *images, const uint32_t *order,
                      size_t count, const LutraAugmentation *augmentation, uint32_t threads);

#endif
