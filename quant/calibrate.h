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

/** How often each value of a sum was seen, per channel. */
typedef struct {
    uint32_t channels; /* 0: not wanted of this operation */
    uint32_t bins;
    int64_t first;     /* value of bin 0 */
    uint32_t *counts;  /* (channels, bins), owned by the calibration */
} LutraHistogram;

/** What is measured beyond ranges: each costs a pass. */
typedef enum {
    LUTRA_CALIBRATE_RANGES = 0,
    LUTRA_CALIBRATE_DENSITIES = 1, /* histograms of all table inputs, for LUTRA_OFFSETS_ALIGN */
    LUTRA_CALIBRATE_CENTRED = 2    /* ranges after LUTRA_OFFSETS_CENTRE */
} LutraCalibrateKind;

typedef struct {
    uint64_t images;    /* images of the last pass for ranges */
    uint32_t passes;    /* passes for ranges that were needed */
    uint32_t count;     /* operations of the plain circuit */
    LutraRange *ranges; /* (count) */
    /** (count) of each table's input, at the table's index; NULL if not measured */
    LutraHistogram *densities;
    /** (count) range of each table's input after LUTRA_OFFSETS_CENTRE, at the table's index; empty
     * for other operations; NULL if not measured */
    LutraRange *centred;
} LutraCalibration;

void lutra_calibration_deinit(LutraCalibration *calibration);

/** Who runs circuits over calibration images, in exact integers. */
typedef struct {
    /**
     * @param[out] ranges  (circuit->operation_count) smallest and largest result of every operation
     *                     over all images, positions and channels; the output's entry is ignored
     * @param[out] images  how many images were run
     * @param      limit   run at most this many images; 0 = all
     */
    LutraStatus (*ranges)(void *user, LutraRange *ranges, uint64_t *images,
                          const LutraCircuit *circuit, uint64_t limit, LutraError *error);
    /**
     * @param[in,out] histograms  (circuit->operation_count); of operations with channels > 0 every
     *                            result increases its bin; results outside the bins are left out
     *                            A few hundred images are enough.
     */
    LutraStatus (*histograms)(void *user, LutraHistogram *histograms, const LutraCircuit *circuit,
                              LutraError *error);
    void *user;
} LutraObserver;

/**
 * Measures a model's ranges.
 *
 * @errors what the observer returns; LUTRA_EDATA if a range keeps growing past its circuit's width
 */
LUTRA_MUST_CHECK LutraStatus lutra_calibrate(LutraCalibration *calibration,
                                             const LutraModel *model, LutraCalibrateKind kind,
                                             const LutraObserver *observer, LutraError *error);

#endif
