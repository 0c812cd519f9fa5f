/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often each table, and the output, read each value: by channel and by kind of pixel.
 *
 * Pixels are of one kind if all their channels have equal noise; a convolution with padding has
 * less at its borders. Without a prediction of noise there is one kind.
 *
 * Counters of all layers may need more memory than there is. Then the images are run several times,
 * each pass counting some of the channels: its pieces.
 */
#ifndef LUTRA_SIM_LAYER_COUNTS_PRIV_H
#define LUTRA_SIM_LAYER_COUNTS_PRIV_H

#include "sim/prediction.h"
#include "sim/reading.h"
#include "sim/simulate.h"

typedef struct {
    LutraReading reading;
    bool is_predicted; /* kinds are those of the prediction */
    uint32_t channels;
    size_t pixels;
    int64_t first_value;
    size_t value_count;
    uint32_t kind_count;
    uint32_t *kind_of_pixel; /* (pixels), owned */
    size_t *pixel_of_kind;   /* (pixels), the first of each kind; owned */
} LutraCountedLayer;

/** Channels of one layer that a pass counts. */
typedef struct {
    uint32_t layer;
    uint32_t first_channel;
    uint32_t channels;
    uint32_t next; /* piece with the same source, or UINT32_MAX */
    size_t offset; /* counters before this piece: (kinds, channels, values) follow */
} LutraCountedPiece;

typedef struct {
    const LutraCircuit *circuit;
    uint32_t threads;
    uint32_t layer_count;
    LutraCountedLayer *layers;
    uint32_t pass_count;
    uint32_t piece_count; /* of the pass */
    LutraCountedPiece *pieces;
    uint32_t *first_piece; /* (operation_count) by source, or UINT32_MAX */
    bool *wanted;          /* (operation_count) */
    size_t capacity;       /* counters of one worker */
    uint32_t *counters;    /* (threads, capacity); after a pass the sums are the first worker's */
    uint32_t next_layer;   /* where the next pass begins */
    uint32_t next_channel;
} LutraLayerCounts;

/**
 * @param simulation    gives the ranges of values
 * @param prediction    NULL: no kinds of pixels
 * @param memory_bytes  for counters
 * @errors LUTRA_EINVAL too many images for 32-bit counters; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_layer_counts_init(LutraLayerCounts *counts,
                                                     const LutraCircuit *circuit,
                                                     const LutraSimulation *simulation,
                                                     const LutraPrediction *prediction,
                                                     uint32_t threads, size_t memory_bytes,
                                                     LutraError *error);
void lutra_layer_counts_deinit(LutraLayerCounts *counts);

/** Chooses the pieces of the next pass; false if all have been counted. */
bool lutra_layer_counts_next(LutraLayerCounts *counts);

/** Runs the first `count` images and counts what the pass wants. `pass` is for the progress.
 * @errors LUTRA_ENOMEM, LUTRA_ECANCELLED */
LUTRA_MUST_CHECK LutraStatus lutra_layer_counts_run(LutraLayerCounts *counts,
                                                    const LutraClearProgram *program,
                                                    const LutraImages *images, uint64_t count,
                                                    uint32_t pass,
                                                    const LutraProgress *progress,
                                                    LutraError *error);

/** Counters (value_count) of one kind of pixel and one channel of a piece. */
const uint32_t *lutra_layer_counts_of(const LutraLayerCounts *counts,
                                      const LutraCountedPiece *piece, uint32_t kind,
                                      uint32_t channel);

#endif
