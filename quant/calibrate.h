/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calibration: the ranges that accumulators take on real images.
 *
 * The ranges are those of the plain circuit: lowered without rounding, so that every layer is
 * measured on exact values of the layers before it. Who runs a circuit is the caller's business: it
 * passes an observer. Tables that would be wider than a table can be are narrowed while measuring,
 * in two steps: a first pass over some images with those accumulators rounded to
 * LUTRA_CALIBRATION_BITS, then the full pass with widths one bit above what the first one saw.
 */
#ifndef LUTRA_QUANT_CALIBRATE_H
#define LUTRA_QUANT_CALIBRATE_H

#include "quant/model.h"
#include "sim/circuit.h"

enum {
    LUTRA_CALIBRATION_BITS = 12,
    LUTRA_CALIBRATION_FIRST_IMAGES = 1000, /* images of the first of two passes */
    LUTRA_CALIBRATION_MAX_PASSES = 6
};

typedef struct {
    uint64_t images;    /* images of the last pass */
    uint32_t passes;    /* passes over images that were needed */
    uint32_t count;     /* operations of the plain circuit */
    LutraRange *ranges; /* (count) */
    /** (count) range of each table's input after LUTRA_OFFSETS_CENTRE; empty for other operations;
     * NULL if not measured */
    LutraRange *centred;
} LutraCalibration;

void lutra_calibration_deinit(LutraCalibration *calibration);

/**
 * Runs `circuit` over calibration images in exact integers.
 *
 * @param[out] ranges  (circuit->operation_count) smallest and largest result of every operation
 *                     over all images, positions and channels; the output's entry is ignored
 * @param[out] images  how many images were run
 * @param      limit   run at most this many images; 0 = all
 */
typedef LutraStatus (*LutraObserver)(void *user, LutraRange *ranges, uint64_t *images,
                                     const LutraCircuit *circuit, uint64_t limit,
                                     LutraError *error);

/**
 * Measures a model's ranges.
 *
 * @param centred  also measure what LUTRA_OFFSETS_CENTRE needs (one more pass)
 * @errors what the observer returns; LUTRA_EDATA if a range keeps growing past its circuit's width
 */
LUTRA_MUST_CHECK LutraStatus lutra_calibrate(LutraCalibration *calibration,
                                             const LutraModel *model, bool centred,
                                             LutraObserver observe, void *user, LutraError *error);

#endif
