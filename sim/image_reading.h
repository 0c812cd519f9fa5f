/* SPDX-License-Identifier: Apache-2.0 */
/* How near one image's values stand to the edges of a table. */
#ifndef LUTRA_SIM_IMAGE_READING_H
#define LUTRA_SIM_IMAGE_READING_H

#include "sim/prediction.h"
#include "sim/reading.h"

typedef struct {
    uint64_t near_edge; /* look-ups at most half a bucket away from an edge */
    bool has_edges;
    size_t closest;          /* element that noise endangers most, without a prediction the one
                                nearest to an edge; the first of equals; if has_edges */
    double closest_distance; /* its steps to the edge */

    /* With a prediction; 0 without. */
    uint64_t within_deviation; /* look-ups at most one deviation of their noise from an edge */
    double closest_deviation;  /* noise of the closest, accumulator steps */
    double expected_displaced; /* look-ups that read another entry */
    double expected_changed;   /* ... of another value */
    double expected_rounding;  /* wrong signs in an exact rounding before the table */
} LutraImageReading;

/**
 * Looks at every look-up of a table.
 *
 * @param reading     of a table
 * @param x           (elements) accumulators of reading->source, one image's
 * @param prediction  of the circuit, the table being encrypted; or NULL
 */
LutraImageReading lutra_image_reading(const LutraReading *reading, const int32_t *x,
                                      const LutraPrediction *prediction);

#endif
