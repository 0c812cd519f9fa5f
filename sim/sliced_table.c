/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of bit-sliced execution, with the rounding before them: the accumulators at which the
 * table's result changes, and which bits of its code change there.
 */
#include "base/memory.h"
#include "sim/operations.h"
#include "sim/sliced_priv.h"

enum { MAX_STEPS = 48 }; /* of one channel; more comparisons are slower than look-ups */

static int64_t offset_of(const LutraCircuit *circuit, uint32_t round, uint32_t channel) {
    if (round == SLICED_NONE || circuit->operations[round].u.round.offsets == NULL) {
        return 0;
    }
    return circuit->operations[round].u.round.offsets[channel];
}

static uint32_t dropped_bits(const LutraCircuit *circuit, uint32_t round) {
    return round == SLICED_NONE ? 0 : circuit->operations[round].u.round.dropped_bits;
}

int64_t lutra_sliced_bucket(const LutraCircuit *circuit, uint32_t round, uint32_t channel,
                            int64_t x) {
    return lutra_round_half_up(x + offset_of(circuit, round, channel),
                               dropped_bits(circuit, round));
}

/** Smallest x that falls into a bucket. */
static int64_t bucket_start(const LutraCircuit *circuit, uint32_t round, uint32_t channel,
                            int64_t bucket) {
    const uint32_t dropped = dropped_bits(circuit, round);
    const int64_t half = dropped == 0 ? 0 : INT64_C(1) << (dropped - 1);
    return bucket * (INT64_C(1) << dropped) - half - offset_of(circuit, round, channel);
}

static int64_t limited32(int64_t value) {
    return value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value;
}

LutraRange lutra_sliced_range_of_buckets(const LutraCircuit *circuit, uint32_t round,
                                         uint32_t channel, LutraRange buckets) {
    if (buckets.min > buckets.max) {
        return buckets;
    }
    /* values are int32: the ends of a wider range mean nothing */
    return (LutraRange){
        .min = bucket_start(circuit, round, channel, limited32(buckets.min)),
        .max = bucket_start(circuit, round, channel, limited32(buckets.max) + 1) - 1};
}

LutraRange lutra_sliced_domain(const LutraTableOperation *table) {
    return (LutraRange){.min = table->first_input,
                        .max = (int64_t)table->first_input + table->entry_count - 1};
}

LutraRange lutra_sliced_meet(LutraRange a, LutraRange b) {
    return (LutraRange){.min = a.min > b.min ? a.min : b.min, .max = a.max < b.max ? a.max : b.max};
}

/** One channel's codes, bucket by bucket over all x that can occur. */
typedef struct {
    const LutraSlicedProgram *program;
    const SlicedStage *stage;
    uint32_t channel;
    int64_t bucket;
    int64_t last;
} Walk;

static Walk walk_start(const LutraSlicedProgram *program, const SlicedStage *stage,
                       uint32_t channel) {
    const LutraRange x = program->values[stage->x].range;
    const LutraRange domain =
        lutra_sliced_domain(&program->circuit->operations[stage->table].u.table);
    const int64_t first = lutra_sliced_bucket(program->circuit, stage->round, channel, x.min);
    const int64_t last = lutra_sliced_bucket(program->circuit, stage->round, channel, x.max);
    /* nothing changes outside the domain */
    return (Walk){.program = program,
                  .stage = stage,
                  .channel = channel,
                  .bucket = first > domain.min ? first : domain.min,
                  .last = last < domain.max ? last : domain.max};
}

static uint32_t walk_code(const Walk *walk) {
    const uint32_t table = walk->stage->table;
    uint64_t outside = 0;
    const int64_t entry = lutra_table_lookup(&walk->program->circuit->operations[table].u.table,
                                             walk->channel, walk->bucket, &outside);
    return (uint32_t)(entry - walk->program->values[table].range.min);
}

/** Goes to the next bucket of another code; *toggles = bits that change there. */
static bool walk_step(Walk *walk, uint32_t *code, uint32_t *toggles) {
    while (++walk->bucket <= walk->last) {
        const uint32_t next = walk_code(walk);
        if (next != *code) {
            *toggles = next ^ *code;
            *code = next;
            return true;
        }
    }
    return false;
}

static uint32_t count_steps(Walk walk) {
    uint32_t code = walk_code(&walk);
    uint32_t toggles = 0;
    uint32_t count = 0;
    while (count <= MAX_STEPS && walk_step(&walk, &code, &toggles)) {
        count++;
    }
    return count;
}

/** -1 for every set bit, 0 for the others. */
static void spread(int32_t *words, uint32_t planes, uint32_t bits) {
    for (uint32_t k = 0; k < planes; k++) {
        words[k] = -(int32_t)(bits >> k & 1);
    }
}

static int32_t *fill_steps(LutraSlicedSteps *steps, int32_t *words, Walk walk) {
    const LutraSlicedProgram *const program = walk.program;
    const int64_t low = program->values[walk.stage->x].range.min;
    uint32_t code = walk_code(&walk);
    uint32_t toggles = 0;
    spread(words, steps->y_planes, code);
    steps->start = words;
    words += steps->y_planes;
    steps->words = words;
    while (walk_step(&walk, &code, &toggles)) {
        const int64_t bound = bucket_start(program->circuit, walk.stage->round, walk.channel,
                                           walk.bucket) - low;
        lutra_sliced_masks(words, steps->x_planes, (uint32_t)bound);
        spread(words + steps->x_planes, steps->y_planes, toggles);
        words += steps->x_planes + steps->y_planes;
        steps->step_count++;
    }
    return words;
}

LutraStatus lutra_sliced_table_prepare(SlicedTable *to_code, bool *applies,
                                       const LutraSlicedProgram *program, const SlicedStage *stage,
                                       LutraError *error) {
    const SlicedValue *const x = &program->values[stage->x];
    const SlicedValue *const y = &program->values[stage->table];
    const uint32_t channels = y->shape.channels;
    size_t count = 0;
    if (y->planes > LUTRA_SLICED_MAX_CODE_PLANES) {
        *applies = false;
        return LUTRA_OK;
    }
    for (uint32_t c = 0; c < channels; c++) {
        const uint32_t steps = count_steps(walk_start(program, stage, c));
        if (steps > MAX_STEPS) {
            *applies = false;
            return LUTRA_OK;
        }
        count += y->planes + (size_t)steps * (x->planes + y->planes);
    }
    LUTRA_TRY(lutra_alloc(&to_code->steps, channels, sizeof(LutraSlicedSteps), error));
    LUTRA_TRY(lutra_alloc(&to_code->words, count, sizeof(int32_t), error));
    int32_t *words = to_code->words;
    for (uint32_t c = 0; c < channels; c++) {
        to_code->steps[c] =
            (LutraSlicedSteps){.x_planes = x->planes, .y_planes = y->planes};
        words = fill_steps(&to_code->steps[c], words, walk_start(program, stage, c));
    }
    return LUTRA_OK;
}

void lutra_sliced_table_deinit(SlicedTable *to_code) {
    lutra_free(&to_code->steps);
    lutra_free(&to_code->words);
}
