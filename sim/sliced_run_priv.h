/* SPDX-License-Identifier: Apache-2.0 */
/* One batch on its way through a bit-sliced program. */
#ifndef LUTRA_SIM_SLICED_RUN_PRIV_H
#define LUTRA_SIM_SLICED_RUN_PRIV_H

#include "sim/sliced_priv.h"

typedef struct {
    const LutraSlicedProgram *program;
    LutraOperationStatistics *statistics; /* (operation_count) */
    const uint8_t *pixels;
    uint32_t count; /* images */
    uint8_t *scratch;
    uint8_t *used;   /* one plane: the first `count` lanes */
    int32_t *bounds; /* of this stage: (channels or 1, 4, planes) mask words */
    bool watched;    /* some x may lie outside the bounds */
    bool code_watched;
    int32_t code_low[LUTRA_SLICED_MAX_PLANES];
    int32_t code_high[LUTRA_SLICED_MAX_PLANES];
    int32_t code_zero[LUTRA_SLICED_MAX_PLANES];
} SlicedBatch;

/** Begins a batch of 1 .. lanes images on a scratch of the program's. */
void lutra_sliced_batch_init(SlicedBatch *batch, const LutraSlicedProgram *program,
                             LutraOperationStatistics *statistics, const uint8_t *pixels,
                             uint32_t count, void *scratch);

/**
 * Runs stage `s` of 1 .. LUTRA_SLICED_MOST_TOGETHER batches of the same images, each in a program
 * of its own. The first computes every x, which is the same in all, or reads it where it was stored
 * before; each makes its own code of it.
 */
void lutra_sliced_run_stage(SlicedBatch *const *batches, uint32_t count, uint32_t s);

/** After the last stage: logits (count, class_count). */
void lutra_sliced_run_output(SlicedBatch *batch, float *logits);

/** Bounds of the x of a stage and of the codes that it stores, from what was seen so far. */
void lutra_sliced_set_bounds(SlicedBatch *batch, const SlicedStage *stage);
void lutra_sliced_set_code_bounds(SlicedBatch *batch, uint32_t operation);

/** Takes what one element, x of a stage or the code of an operation, adds to the statistics, but
 * for the number of elements. */
void lutra_sliced_watch(SlicedBatch *batch, const SlicedStage *stage, uint32_t channel,
                        const uint8_t *element);
void lutra_sliced_watch_code(SlicedBatch *batch, uint32_t operation, const uint8_t *element);

/** One channel of the output's input. */
void lutra_sliced_note_output(SlicedBatch *batch, const uint8_t *element);

#endif
