/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables, with the rounding before them. A table whose every channel is monotone with few steps
 * becomes thresholds on the unrounded accumulator; any other is looked up entry by entry.
 */
#include <string.h>

#include "base/memory.h"
#include "sim/clear_priv.h"
#include "sim/operations.h"

enum { MAX_STEP_LEVELS = 32 }; /* more comparisons than this cost more than a look-up */

/** bucket = (x + offset + half) >> dropped, then an entry of one row. */
typedef struct {
    const int32_t *entries;
    int64_t first; /* bucket of entries[0] */
    int64_t last;
    int64_t offset;
    uint32_t dropped;
} Channel;

static Channel channel_of(const LutraClearProgram *program, const ClearTable *table,
                          uint32_t operation, uint32_t c) {
    const LutraTableOperation *const op = &program->circuit->operations[operation].u.table;
    Channel channel = {
        .entries = op->entries + (size_t)op->table_of_channel[c] * op->entry_count,
        .first = op->first_input,
        .last = (int64_t)op->first_input + op->entry_count - 1};
    if (table->round != UINT32_MAX) {
        const LutraRoundOperation *const round =
            &program->circuit->operations[table->round].u.round;
        channel.dropped = round->dropped_bits;
        channel.offset = round->offsets == NULL ? 0 : round->offsets[c];
    }
    return channel;
}

static int64_t bucket_of(const Channel *channel, int64_t x) {
    return lutra_round_half_up(x + channel->offset, channel->dropped);
}

/** Smallest x that falls into a bucket. */
static int64_t bucket_start(const Channel *channel, int64_t bucket) {
    const int64_t half =
        channel->dropped == 0 ? 0 : INT64_C(1) << (channel->dropped - 1);
    return bucket * (INT64_C(1) << channel->dropped) - half - channel->offset;
}

static int32_t saturated(const Channel *channel, int64_t bucket) {
    const int64_t at = bucket < channel->first ? channel->first
                       : bucket > channel->last ? channel->last
                                                : bucket;
    return channel->entries[at - channel->first];
}

static int32_t limited32(int64_t value) {
    return (int32_t)(value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value);
}

/** The buckets that inputs of `range` can reach, inside the domain. */
static LutraRange reachable(const Channel *channel, LutraRange range) {
    LutraRange buckets = {.min = bucket_of(channel, range.min),
                          .max = bucket_of(channel, range.max)};
    buckets.min = buckets.min < channel->first ? channel->first
                  : buckets.min > channel->last ? channel->last
                                                : buckets.min;
    buckets.max = buckets.max > channel->last ? channel->last
                  : buckets.max < channel->first ? channel->first
                                                 : buckets.max;
    return buckets;
}

/** Number of unit steps of a monotone channel; -1 if it is not monotone or has too many. */
static int64_t count_steps(const Channel *channel, LutraRange range) {
    const LutraRange buckets = reachable(channel, range);
    const int64_t start = saturated(channel, buckets.min);
    const int64_t end = saturated(channel, buckets.max);
    for (int64_t b = buckets.min + 1; b <= buckets.max; b++) {
        const int64_t step = (int64_t)saturated(channel, b) - saturated(channel, b - 1);
        if ((end >= start && step < 0) || (end < start && step > 0)) {
            return -1;
        }
    }
    const int64_t steps = end >= start ? end - start : start - end;
    return steps <= MAX_STEP_LEVELS ? steps : -1;
}

static void set_threshold(ClearTable *table, ValueFormat format, size_t level, size_t c,
                          int64_t threshold) {
    const size_t at = level * table->lanes + c;
    if (format == VALUE_I16) {
        ((int16_t *)table->thresholds)[at] = (int16_t)(threshold > INT16_MAX   ? INT16_MAX
                                                       : threshold < INT16_MIN ? INT16_MIN
                                                                               : threshold);
    } else {
        ((int32_t *)table->thresholds)[at] = limited32(threshold);
    }
}

/** Inputs that a table's stage may look up: with noise, any that the table has. */
static LutraRange looked_up(const LutraClearProgram *program, uint32_t operation,
                            const ClearValue *x) {
    const bool noisy = program->plan != NULL && program->plan->operations[operation].reads != NULL;
    return noisy ? (LutraRange){.min = INT32_MIN, .max = INT32_MAX} : x->range;
}

static void fill_steps(ClearTable *table, const Channel *channel, const ClearValue *x,
                       LutraRange range, const ClearValue *y, uint32_t c) {
    const LutraRange buckets = reachable(channel, range);
    const int32_t start = saturated(channel, buckets.min);
    const bool falling = saturated(channel, buckets.max) < start;
    table->base[c] = (int16_t)(start - y->low);
    table->direction[c] = falling ? -1 : 1;
    size_t level = 0;
    int32_t reached = start;
    for (int64_t b = buckets.min + 1; b <= buckets.max; b++) {
        const int32_t entry = saturated(channel, b);
        while (reached != entry) {
            set_threshold(table, x->format, level++, c, bucket_start(channel, b) - 1);
            reached += falling ? -1 : 1;
        }
    }
    for (; level < table->level_count; level++) {
        set_threshold(table, x->format, level, c, INT32_MAX);
    }
}

static LutraStatus bounds_alloc(ClearBounds *bounds, size_t lanes, LutraError *error) {
    LUTRA_TRY(lutra_alloc(&bounds->low, lanes, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&bounds->high, lanes, sizeof(int32_t), error));
    for (size_t i = 0; i < lanes; i++) {
        bounds->low[i] = INT32_MIN;
        bounds->high[i] = INT32_MAX;
    }
    return LUTRA_OK;
}

static void bounds_deinit(ClearBounds *bounds) {
    lutra_free(&bounds->low);
    lutra_free(&bounds->high);
}

static bool stated(LutraRange range) {
    return range.min <= range.max;
}

static void fill_bounds(ClearTable *table, const LutraClearProgram *program,
                        const Channel *channel, uint32_t c) {
    const LutraOperation *const operations = program->circuit->operations;
    const LutraRange observed_x = operations[table->x].observed_range;
    if (table->observes_x && stated(observed_x)) {
        table->observed_x.low[c] = limited32(observed_x.min);
        table->observed_x.high[c] = limited32(observed_x.max);
    }
    if (table->round != UINT32_MAX && stated(operations[table->round].observed_range)) {
        LutraRange observed = operations[table->round].observed_range;
        observed.min = limited32(observed.min);
        observed.max = limited32(observed.max);
        table->observed_round.low[c] = limited32(bucket_start(channel, observed.min));
        table->observed_round.high[c] = limited32(bucket_start(channel, observed.max + 1) - 1);
    }
    table->domain.low[c] = limited32(bucket_start(channel, channel->first));
    table->domain.high[c] = limited32(bucket_start(channel, channel->last + 1) - 1);
    const ClearBounds *const parts[] = {&table->observed_x, &table->observed_round,
                                        &table->domain};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i]->low[c] > table->all.low[c]) {
            table->all.low[c] = parts[i]->low[c];
        }
        if (parts[i]->high[c] < table->all.high[c]) {
            table->all.high[c] = parts[i]->high[c];
        }
    }
}

static LutraStatus allocate(ClearTable *table, ValueFormat format, LutraError *error) {
    const size_t lanes = table->lanes;
    const size_t levels = table->level_count > 0 ? table->level_count : 1;
    LUTRA_TRY(lutra_alloc(&table->thresholds, levels * lanes, lutra_clear_format_bytes(format),
                          error));
    LUTRA_TRY(lutra_alloc(&table->direction, lanes, sizeof(int16_t), error));
    LUTRA_TRY(lutra_alloc(&table->base, lanes, sizeof(int16_t), error));
    LUTRA_TRY(lutra_alloc(&table->offsets, lanes, sizeof(int32_t), error));
    LUTRA_TRY(bounds_alloc(&table->observed_x, lanes, error));
    LUTRA_TRY(bounds_alloc(&table->observed_round, lanes, error));
    LUTRA_TRY(bounds_alloc(&table->domain, lanes, error));
    return bounds_alloc(&table->all, lanes, error);
}

/** Whether all channels are monotone; finds the largest number of steps. */
static bool find_steps(ClearTable *table, const LutraClearProgram *program, uint32_t operation,
                       const ClearValue *x) {
    int64_t most = 0;
    for (uint32_t c = 0; c < x->channels; c++) {
        const Channel channel = channel_of(program, table, operation, c);
        const int64_t steps =
            count_steps(&channel, looked_up(program, operation, x));
        if (steps < 0) {
            return false;
        }
        most = steps > most ? steps : most;
    }
    table->level_count = (uint32_t)most;
    return true;
}

LutraStatus lutra_clear_table_prepare(ClearTable *table, ClearValue *y,
                                      const LutraClearProgram *program, uint32_t operation,
                                      LutraError *error) {
    const ClearValue *const x = &program->values[table->x];
    table->lanes = x->stride;
    table->steps = y->format == VALUE_U8 && (x->format == VALUE_I16 || x->format == VALUE_I32) &&
                   find_steps(table, program, operation, x);
    if (!table->steps) {
        return LUTRA_OK;
    }
    LUTRA_TRY(allocate(table, x->format, error));
    for (uint32_t c = 0; c < x->channels; c++) {
        const Channel channel = channel_of(program, table, operation, c);
        table->offsets[c] = (int32_t)channel.offset;
        fill_steps(table, &channel, x, looked_up(program, operation, x), y, c);
        fill_bounds(table, program, &channel, c);
    }
    for (size_t c = x->channels; c < table->lanes; c++) {
        for (size_t level = 0; level < table->level_count; level++) {
            set_threshold(table, x->format, level, c, INT32_MAX);
        }
    }
    return LUTRA_OK;
}

void lutra_clear_table_deinit(ClearTable *table) {
    lutra_free(&table->thresholds);
    lutra_free(&table->direction);
    lutra_free(&table->base);
    lutra_free(&table->offsets);
    bounds_deinit(&table->observed_x);
    bounds_deinit(&table->observed_round);
    bounds_deinit(&table->domain);
    bounds_deinit(&table->all);
}

/** Elements of one marked chunk of 16 channels that lie outside some bounds. */
static uint64_t count_outside(const ClearValue *x, const uint8_t *scratch, size_t first,
                              const ClearBounds *bounds) {
    const size_t end = first + LUTRA_SIM_LANES < x->channels ? first + LUTRA_SIM_LANES
                                                             : x->channels;
    uint64_t count = 0;
    for (size_t p = 0; p < x->pixels; p++) {
        for (size_t c = first; c < end; c++) {
            const size_t at = p * x->stride + c;
            const int32_t value =
                x->format == VALUE_I16
                    ? ((const int16_t *)(const void *)(scratch + x->offset))[at]
                    : ((const int32_t *)(const void *)(scratch + x->offset))[at];
            count += value < bounds->low[c] || value > bounds->high[c];
        }
    }
    return count;
}

static void widen_range(LutraOperationStatistics *statistics, int64_t min, int64_t max,
                        uint64_t elements) {
    statistics->elements += elements;
    statistics->min = min < statistics->min ? min : statistics->min;
    statistics->max = max > statistics->max ? max : statistics->max;
}

static uint64_t outside_codes(const ClearValue *y, const uint8_t *scratch, LutraRange observed) {
    uint64_t count = 0;
    for (size_t p = 0; p < y->pixels; p++) {
        for (size_t c = 0; c < y->channels; c++) {
            const int32_t value = scratch[y->offset + p * y->stride + c] + y->low;
            count += value < observed.min || value > observed.max;
        }
    }
    return count;
}

static void note_steps(const LutraClearProgram *program, const ClearStage *stage,
                       LutraOperationStatistics *statistics, const LutraStepsSeen *seen,
                       const uint8_t *scratch) {
    const ClearTable *const table = &stage->table;
    const ClearValue *const x = &program->values[table->x];
    const ClearValue *const y = &program->values[stage->operation];
    const LutraOperation *const op = &program->circuit->operations[stage->operation];
    const uint64_t elements = (uint64_t)x->pixels * x->channels;
    LutraOperationStatistics *const of_table = &statistics[stage->operation];
    if (table->observes_x) {
        widen_range(&statistics[table->x], seen->x_min, seen->x_max, elements);
    }
    if (table->round != UINT32_MAX) {
        const uint32_t dropped =
            program->circuit->operations[table->round].u.round.dropped_bits;
        widen_range(&statistics[table->round], lutra_round_half_up(seen->shifted_min, dropped),
                    lutra_round_half_up(seen->shifted_max, dropped), elements);
    }
    const int64_t y_min = (int64_t)seen->y_min + y->low;
    const int64_t y_max = (int64_t)seen->y_max + y->low;
    widen_range(of_table, y_min, y_max, elements);
    of_table->zeros += seen->zeros;
    if (stated(op->observed_range) &&
        (y_min < op->observed_range.min || y_max > op->observed_range.max)) {
        of_table->outside_observed += outside_codes(y, scratch, op->observed_range);
    }
    const uint8_t *const marked = scratch + table->marked_offset;
    for (size_t c = 0; seen->any_marked && c < x->channels; c += LUTRA_SIM_LANES) {
        if (marked[c / LUTRA_SIM_LANES] == 0) {
            continue;
        }
        statistics[table->x].outside_observed +=
            count_outside(x, scratch, c, &table->observed_x);
        if (table->round != UINT32_MAX) {
            statistics[table->round].outside_observed +=
                count_outside(x, scratch, c, &table->observed_round);
        }
        if (stage->noise.reads == NULL) { /* noise counts its own */
            of_table->out_of_range += count_outside(x, scratch, c, &table->domain);
        }
    }
}

LutraStepsTask lutra_clear_steps_task(const LutraClearProgram *program, const ClearStage *stage,
                                      uint8_t *scratch) {
    const ClearTable *const table = &stage->table;
    const ClearValue *const x = &program->values[table->x];
    const ClearValue *const y = &program->values[stage->operation];
    return (LutraStepsTask){.x = scratch + x->offset,
                            .x_stride = x->stride,
                            .y = scratch + y->offset,
                            .y_stride = y->stride,
                            .pixels = x->pixels,
                            .channels = x->channels,
                            .level_count = table->level_count,
                            .thresholds = table->thresholds,
                            .direction = table->direction,
                            .base = table->base,
                            .offsets = table->offsets,
                            .low = table->all.low,
                            .high = table->all.high,
                            .zero = (uint8_t)-y->low,
                            .marked = scratch + table->marked_offset};
}

LutraStepsKernel lutra_clear_steps_kernel(const LutraClearProgram *program,
                                          const ClearStage *stage) {
    return program->values[stage->table.x].format == VALUE_I16 ? program->kernels.steps16
                                                               : program->kernels.steps32;
}

static bool run_steps(const LutraClearProgram *program, const ClearStage *stage,
                      LutraOperationStatistics *statistics, uint64_t image, uint8_t *scratch) {
    const LutraStepsTask task = lutra_clear_steps_task(program, stage, scratch);
    LutraOperationStatistics *const of_table = &statistics[stage->operation];
    LutraStepsSeen seen;
    lutra_clear_steps_kernel(program, stage)(&task, &seen);
    if (stage->noise.reads != NULL) {
        lutra_clear_noisy_steps(program, stage, of_table, &seen, image, scratch);
        note_steps(program, stage, statistics, &seen, scratch);
        return true;
    }
    const uint64_t before = of_table->out_of_range;
    note_steps(program, stage, statistics, &seen, scratch);
    return program->plan == NULL || of_table->out_of_range == before ||
           !lutra_operation_is_encrypted(&program->circuit->operations[stage->operation]);
}

/** Entry of one input. *inside is cleared if there is none and it should be found on words. */
static int32_t look_up_entry(const LutraClearProgram *program, const ClearStage *stage,
                             LutraOperationStatistics *of_table, uint64_t image, size_t pixel,
                             uint32_t c, int32_t x, int64_t bucket, bool *inside) {
    const LutraOperation *const op = &program->circuit->operations[stage->operation];
    if (stage->noise.reads != NULL) {
        const ClearNoisyRead read = lutra_clear_noisy_read(program, stage, image, pixel, c, x);
        of_table->displaced += read.is_displaced;
        of_table->changed += read.value != read.exact;
        of_table->out_of_range += read.is_outside;
        return (int32_t)read.value;
    }
    uint64_t outside = 0;
    const int32_t entry = lutra_table_lookup(&op->u.table, c, bucket, &outside);
    of_table->out_of_range += outside;
    *inside = *inside && (outside == 0 || program->plan == NULL ||
                          !lutra_operation_is_encrypted(op));
    return entry;
}

static bool run_entries(const LutraClearProgram *program, const ClearStage *stage,
                        LutraOperationStatistics *statistics, uint64_t image, uint8_t *scratch) {
    const ClearTable *const table = &stage->table;
    const LutraOperation *const operations = program->circuit->operations;
    const LutraOperation *const op = &operations[stage->operation];
    const ClearValue *const x = &program->values[table->x];
    const ClearValue *const y = &program->values[stage->operation];
    const bool rounds = table->round != UINT32_MAX;
    LutraOperationStatistics *const of_table = &statistics[stage->operation];
    LutraOperationStatistics *const of_round = rounds ? &statistics[table->round] : NULL;
    int32_t *const row = (int32_t *)(void *)(scratch + program->rows_offset);
    bool inside = true;
    for (size_t p = 0; p < x->pixels && inside; p++) {
        lutra_clear_load_row(row, x, scratch, p);
        for (uint32_t c = 0; c < x->channels; c++) {
            int64_t bucket = row[c];
            if (table->observes_x) {
                lutra_operation_statistics_see(&statistics[table->x],
                                               operations[table->x].observed_range, bucket);
            }
            if (rounds) {
                const LutraRoundOperation *const round = &operations[table->round].u.round;
                const int64_t offset = round->offsets == NULL ? 0 : round->offsets[c];
                bucket = lutra_round_half_up(bucket + offset, round->dropped_bits);
                lutra_operation_statistics_see(
                    of_round, operations[table->round].observed_range, bucket);
            }
            const int32_t entry = look_up_entry(program, stage, of_table, image, p, c, row[c],
                                                bucket, &inside);
            lutra_operation_statistics_see(of_table, op->observed_range, entry);
            of_table->zeros += entry == 0;
            row[c] = entry;
        }
        lutra_clear_store_row(row, y, scratch, p);
    }
    const uint64_t elements = (uint64_t)x->pixels * x->channels;
    of_table->elements += elements;
    statistics[table->x].elements += table->observes_x ? elements : 0;
    if (rounds) {
        of_round->elements += elements;
    }
    return inside;
}

bool lutra_clear_table_run(const LutraClearProgram *program, const ClearStage *stage,
                           LutraOperationStatistics *statistics, uint64_t image,
                           uint8_t *scratch) {
    return stage->table.steps ? run_steps(program, stage, statistics, image, scratch)
                              : run_entries(program, stage, statistics, image, scratch);
}
