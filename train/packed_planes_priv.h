/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How packed products read a convolution's input: a word holds the same element of two neighbours
 * (bfloat16) or four (bytes), images or channels; planes of words are padded, so that tap (a, b) of
 * position (r, s) stands at one offset from tap (0, 0), whatever the position.
 */
#ifndef LUTRA_TRAIN_PACKED_PLANES_PRIV_H
#define LUTRA_TRAIN_PACKED_PLANES_PRIV_H

#include "train/convolution.h"

typedef struct {
    size_t pitch;       /* words of a padded row */
    size_t plane_words; /* of a padded plane */
    size_t group_words; /* of the planes of one group: from one to the next */
} LutraPackedPlanes;

/** @param planes  of one group */
LutraPackedPlanes lutra_packed_planes(const LutraConvShape *shape, size_t planes);

/** offsets[(i, a, b)] of tap (a, b) of plane i, (planes * kernel rows * kernel columns). */
void lutra_packed_taps(uint32_t *offsets, const LutraConvShape *shape,
                       const LutraPackedPlanes *planes, size_t count);

/** offsets[(g, r, s)] of position (r, s) of group g, (groups * positions). */
void lutra_packed_positions(uint32_t *offsets, const LutraConvShape *shape,
                            const LutraPackedPlanes *planes, size_t groups);

#endif
