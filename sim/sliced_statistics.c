/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of bit-sliced execution. An element whose every image lies between the extremes seen
 * so far, inside the observed range and the domain, changes no count: two comparisons tell, mostly
 * of the upper planes alone. Only the other elements are looked at more closely.
 */
#include "sim/sliced_run_priv.h"

/** Codes of `range`, cut to those that exist; for an empty range, every code lies outside. */
static void to_codes(uint32_t *low, uint32_t *high, const SlicedValue *value, LutraRange range) {
    const int64_t top = (INT64_C(1) << value->planes) - 1;
    const int64_t from = range.min - value->range.min;
    const int64_t to = range.max - value->range.min;
    const bool empty = range.min > range.max || from > top || to < 0;
    *low = empty ? 1 : from < 0 ? 0 : (uint32_t)from;
    *high = empty ? 0 : to > top ? (uint32_t)top : (uint32_t)to;
}

static void set_masks(int32_t *low, int32_t *high, const SlicedValue *value, LutraRange range) {
    uint32_t from = 0;
    uint32_t to = 0;
    to_codes(&from, &to, value, range);
    lutra_sliced_masks(low, value->planes, from);
    lutra_sliced_masks(high, value->planes, to);
}

static bool covers(LutraRange outer, LutraRange inner) {
    return outer.min <= inner.min && outer.max >= inner.max;
}

static LutraRange seen_range(const LutraOperationStatistics *statistics) {
    return (LutraRange){.min = statistics->min, .max = statistics->max};
}

static void widen(LutraOperationStatistics *statistics, int64_t min, int64_t max) {
    statistics->min = min < statistics->min ? min : statistics->min;
    statistics->max = max > statistics->max ? max : statistics->max;
}

static uint32_t count_outside(const SlicedBatch *batch, const SlicedValue *value,
                              const uint8_t *element, LutraRange range) {
    int32_t low[LUTRA_SLICED_MAX_PLANES];
    int32_t high[LUTRA_SLICED_MAX_PLANES];
    set_masks(low, high, value, range);
    return batch->program->kernels.outside(element, value->planes, low, high, batch->used);
}

/** An empty observed range never counts. */
static uint32_t count_unobserved(const SlicedBatch *batch, const SlicedValue *value,
                                 const uint8_t *element, LutraRange observed) {
    return observed.min <= observed.max ? count_outside(batch, value, element, observed) : 0;
}

static LutraRange extremes(const SlicedBatch *batch, const SlicedValue *value,
                           const uint8_t *element) {
    uint32_t min = 0;
    uint32_t max = 0;
    batch->program->kernels.extremes(&min, &max, element, value->planes, batch->used);
    return (LutraRange){.min = min + value->range.min, .max = max + value->range.min};
}

/* ---- what a stage computes before its table ---- */

/** x of one channel that changes neither extremes nor counts. */
static LutraRange quiet_range(const SlicedBatch *batch, const SlicedStage *stage,
                              uint32_t channel) {
    LutraRange quiet = stage->allowed[channel];
    if (stage->computes_x) {
        quiet = lutra_sliced_meet(quiet, seen_range(&batch->statistics[stage->x]));
    }
    if (stage->round != SLICED_NONE) {
        const LutraRange buckets = seen_range(&batch->statistics[stage->round]);
        quiet = lutra_sliced_meet(quiet,
                                  lutra_sliced_range_of_buckets(batch->program->circuit,
                                                                stage->round, channel, buckets));
    }
    return quiet;
}

/** Planes that the first, coarse comparison leaves out. */
static uint32_t fine_planes(uint32_t planes) {
    return planes / 2;
}

/** Mask words of the blocks of 2^fine codes that lie wholly in low .. high; maybe of none. */
static void set_coarse_masks(int32_t *words, uint32_t planes, uint32_t low, uint32_t high) {
    const uint32_t fine = fine_planes(planes);
    const uint32_t coarse = planes - fine;
    const uint32_t end = (uint32_t)(((uint64_t)high + 1) >> fine); /* first block beyond */
    uint32_t first = (uint32_t)(((uint64_t)low + (UINT64_C(1) << fine) - 1) >> fine);
    uint32_t last = end - 1;
    if (end <= first) {
        first = 1;
        last = 0;
    }
    lutra_sliced_masks(words, coarse, first);
    lutra_sliced_masks(words + coarse, coarse, last);
}

void lutra_sliced_set_bounds(SlicedBatch *batch, const SlicedStage *stage) {
    const SlicedValue *const x = &batch->program->values[stage->x];
    const uint32_t rows = stage->same_bounds ? 1 : x->shape.channels;
    batch->watched = false;
    for (uint32_t c = 0; c < rows; c++) {
        const LutraRange quiet = quiet_range(batch, stage, c);
        int32_t *const row = batch->bounds + (size_t)c * SLICED_BOUND_WORDS * x->planes;
        uint32_t low = 0;
        uint32_t high = 0;
        to_codes(&low, &high, x, quiet);
        lutra_sliced_masks(row, x->planes, low);
        lutra_sliced_masks(row + x->planes, x->planes, high);
        set_coarse_masks(row + 2 * x->planes, x->planes, low, high);
        batch->watched = batch->watched || !covers(quiet, x->range);
    }
}

static void note_element(SlicedBatch *batch, const SlicedStage *stage, uint32_t channel,
                         const uint8_t *element) {
    const LutraCircuit *const circuit = batch->program->circuit;
    const SlicedValue *const x = &batch->program->values[stage->x];
    const LutraRange range = extremes(batch, x, element);
    if (stage->computes_x) {
        LutraOperationStatistics *const of_x = &batch->statistics[stage->x];
        widen(of_x, range.min, range.max);
        of_x->outside_observed +=
            count_unobserved(batch, x, element, circuit->operations[stage->x].observed_range);
    }
    if (stage->round != SLICED_NONE) {
        LutraOperationStatistics *const of_round = &batch->statistics[stage->round];
        const LutraRange observed = circuit->operations[stage->round].observed_range;
        widen(of_round, lutra_sliced_bucket(circuit, stage->round, channel, range.min),
              lutra_sliced_bucket(circuit, stage->round, channel, range.max));
        of_round->outside_observed += count_unobserved(
            batch, x, element,
            lutra_sliced_range_of_buckets(circuit, stage->round, channel, observed));
    }
    if (stage->table != SLICED_NONE) {
        const LutraRange domain =
            lutra_sliced_domain(&circuit->operations[stage->table].u.table);
        batch->statistics[stage->table].out_of_range += count_outside(
            batch, x, element,
            lutra_sliced_range_of_buckets(circuit, stage->round, channel, domain));
    }
    lutra_sliced_set_bounds(batch, stage);
}

void lutra_sliced_watch(SlicedBatch *batch, const SlicedStage *stage, uint32_t channel,
                        const uint8_t *element) {
    const LutraSlicedProgram *const program = batch->program;
    const uint32_t planes = program->values[stage->x].planes;
    const uint32_t fine = fine_planes(planes);
    const size_t row = stage->same_bounds ? 0 : channel;
    const int32_t *const low = batch->bounds + row * SLICED_BOUND_WORDS * planes;
    const int32_t *const coarse = low + 2 * planes;
    if (batch->watched &&
        program->kernels.outside(element + fine * program->plane_bytes, planes - fine, coarse,
                                 coarse + (planes - fine), batch->used) > 0 &&
        program->kernels.outside(element, planes, low, low + planes, batch->used) > 0) {
        note_element(batch, stage, channel, element);
    }
}

/* ---- codes: results of input and table ---- */

void lutra_sliced_set_code_bounds(SlicedBatch *batch, uint32_t operation) {
    const SlicedValue *const y = &batch->program->values[operation];
    const LutraRange observed = batch->program->circuit->operations[operation].observed_range;
    LutraRange quiet = seen_range(&batch->statistics[operation]);
    if (observed.min <= observed.max) {
        quiet = lutra_sliced_meet(quiet, observed);
    }
    batch->code_watched = !covers(quiet, y->range);
    set_masks(batch->code_low, batch->code_high, y, quiet);
    lutra_sliced_masks(batch->code_zero, y->planes, (uint32_t)-y->range.min);
}

void lutra_sliced_watch_code(SlicedBatch *batch, uint32_t operation, const uint8_t *element) {
    const SlicedValue *const y = &batch->program->values[operation];
    const LutraSlicedKernels *const kernels = &batch->program->kernels;
    LutraOperationStatistics *const statistics = &batch->statistics[operation];
    statistics->zeros += batch->count - kernels->outside(element, y->planes, batch->code_zero,
                                                         batch->code_zero, batch->used);
    if (!batch->code_watched || kernels->outside(element, y->planes, batch->code_low,
                                                 batch->code_high, batch->used) == 0) {
        return;
    }
    const LutraRange range = extremes(batch, y, element);
    widen(statistics, range.min, range.max);
    statistics->outside_observed += count_unobserved(
        batch, y, element, batch->program->circuit->operations[operation].observed_range);
    lutra_sliced_set_code_bounds(batch, operation);
}

/* ---- output ---- */

void lutra_sliced_note_output(SlicedBatch *batch, const uint8_t *element) {
    const LutraCircuit *const circuit = batch->program->circuit;
    const LutraOperation *const op = &circuit->operations[circuit->operation_count - 1];
    const SlicedValue *const x = &batch->program->values[op->inputs[0]];
    LutraOperationStatistics *const statistics =
        &batch->statistics[circuit->operation_count - 1];
    const LutraRange range = extremes(batch, x, element);
    const LutraRange encoding = {.min = lutra_encoding_min(op->encoding),
                                 .max = lutra_encoding_max(op->encoding)};
    widen(statistics, range.min, range.max);
    statistics->outside_observed += count_unobserved(batch, x, element, op->observed_range);
    statistics->out_of_range += count_outside(batch, x, element, encoding);
    statistics->elements += batch->count;
}
