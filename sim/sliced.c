/* SPDX-License-Identifier: Apache-2.0 */
/* Preparation of a circuit for bit-sliced execution: codes, fusion, stages, scratch layout. */
#include "sim/sliced.h"

#include <string.h>

#include "base/memory.h"
#include "sim/sliced_priv.h"

static const size_t MOST_SCRATCH_BYTES = (size_t)1 << 28; /* of one worker */

uint32_t lutra_sliced_planes(uint64_t largest) {
    uint32_t planes = 1;
    while (largest >> planes != 0) {
        planes++;
    }
    return planes;
}

static size_t aligned(size_t bytes) {
    return (bytes + LUTRA_ALIGNMENT_BYTES - 1) / LUTRA_ALIGNMENT_BYTES * LUTRA_ALIGNMENT_BYTES;
}

static bool has_window(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_LINEAR || op->kind == LUTRA_OPERATION_CONV ||
           op->kind == LUTRA_OPERATION_SUM_POOL;
}

/* ---- values ---- */

/** The only operation that reads `index`, or NULL if it has none or several. */
static const LutraOperation *only_reader(const LutraCircuit *circuit, uint32_t index) {
    const LutraOperation *reader = NULL;
    for (uint32_t i = index + 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t x = 0; x < op->input_count; x++) {
            if (op->inputs[x] == index) {
                if (reader != NULL) {
                    return NULL;
                }
                reader = op;
            }
        }
    }
    return reader;
}

/** Whether an operation's result is needed beyond the stage that computes it. */
static bool is_stored(const LutraCircuit *circuit, uint32_t index) {
    const LutraOperationKind kind = circuit->operations[index].kind;
    if (kind == LUTRA_OPERATION_ROUND || kind == LUTRA_OPERATION_OUTPUT) {
        return false;
    }
    const LutraOperation *const reader = only_reader(circuit, index);
    return kind == LUTRA_OPERATION_INPUT || kind == LUTRA_OPERATION_TABLE || reader == NULL ||
           (reader->kind != LUTRA_OPERATION_TABLE && reader->kind != LUTRA_OPERATION_ROUND);
}

/** Proved ranges, widened to hold 0. False if some range is too wide for int32 arithmetic. */
static bool set_ranges(LutraSlicedProgram *program) {
    const LutraCircuit *const circuit = program->circuit;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        SlicedValue *const value = &program->values[i];
        LutraRange inputs[LUTRA_MAX_OPERATION_INPUTS] = {{0}};
        LutraShape x_shape = {0};
        for (uint32_t x = op->input_count; x-- > 0;) {
            inputs[x] = program->values[op->inputs[x]].range;
            x_shape = circuit->operations[op->inputs[x]].shape;
        }
        value->range = lutra_operation_static_range(op, x_shape, inputs);
        value->range.min = value->range.min > 0 ? 0 : value->range.min;
        value->range.max = value->range.max < 0 ? 0 : value->range.max;
        if (value->range.max - value->range.min > INT32_MAX / 2) {
            return false;
        }
    }
    return true;
}

static void set_values(LutraSlicedProgram *program) {
    const LutraCircuit *const circuit = program->circuit;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        SlicedValue *const value = &program->values[i];
        value->shape = op->shape;
        value->stored = is_stored(circuit, i);
        value->planes = lutra_sliced_planes((uint64_t)(value->range.max - value->range.min));
        if (op->kind == LUTRA_OPERATION_CONV) {
            SlicedValue *const x = &program->values[op->inputs[0]];
            x->border = x->border > op->u.conv.padding ? x->border : op->u.conv.padding;
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        SlicedValue *const value = &program->values[i];
        value->element_bytes = (size_t)value->planes * program->plane_bytes;
        value->pixel_bytes = value->shape.channels * value->element_bytes;
        value->row_bytes = (value->shape.width + 2 * (size_t)value->border) * value->pixel_bytes;
        value->bytes = (value->shape.height + 2 * (size_t)value->border) * value->row_bytes;
    }
}

/* ---- stages ---- */

/** x that no count of the statistics but elements needs to hear of: observed and in the domain. */
static LutraRange allowed_range(const LutraSlicedProgram *program, const SlicedStage *stage,
                                uint32_t channel) {
    const LutraOperation *const operations = program->circuit->operations;
    LutraRange allowed = {.min = INT64_MIN, .max = INT64_MAX};
    const LutraRange observed = operations[stage->x].observed_range;
    if (stage->computes_x && observed.min <= observed.max) {
        allowed = observed;
    }
    if (stage->round != SLICED_NONE) {
        const LutraRange buckets = operations[stage->round].observed_range;
        if (buckets.min <= buckets.max) {
            allowed = lutra_sliced_meet(allowed,
                                        lutra_sliced_range_of_buckets(program->circuit,
                                                                      stage->round, channel,
                                                                      buckets));
        }
    }
    if (stage->table != SLICED_NONE) {
        const LutraRange domain = lutra_sliced_domain(&operations[stage->table].u.table);
        allowed = lutra_sliced_meet(allowed,
                                    lutra_sliced_range_of_buckets(program->circuit, stage->round,
                                                                  channel, domain));
    }
    return allowed;
}

static LutraStatus set_allowed(SlicedStage *stage, const LutraSlicedProgram *program,
                               LutraError *error) {
    const LutraCircuit *const circuit = program->circuit;
    const uint32_t channels = program->values[stage->x].shape.channels;
    LUTRA_TRY(lutra_alloc(&stage->allowed, channels, sizeof(LutraRange), error));
    stage->same_bounds =
        stage->round == SLICED_NONE || circuit->operations[stage->round].u.round.offsets == NULL;
    for (uint32_t c = 0; c < channels; c++) {
        stage->allowed[c] = allowed_range(program, stage, c);
    }
    return LUTRA_OK;
}

/** The stage of a stored value, or `applies` becomes false. */
static LutraStatus add_stage(LutraSlicedProgram *program, uint32_t index, bool *applies,
                             LutraError *error) {
    const LutraCircuit *const circuit = program->circuit;
    SlicedStage *const stage = &program->stages[program->stage_count++];
    *stage = (SlicedStage){
        .x = index, .computes_x = true, .round = SLICED_NONE, .table = SLICED_NONE};
    if (circuit->operations[index].kind == LUTRA_OPERATION_TABLE) {
        stage->table = index;
        stage->x = circuit->operations[index].inputs[0];
        if (circuit->operations[stage->x].kind == LUTRA_OPERATION_ROUND) {
            stage->round = stage->x;
            stage->x = circuit->operations[stage->round].inputs[0];
        }
        stage->computes_x = !program->values[stage->x].stored;
        LUTRA_TRY(lutra_sliced_table_prepare(&stage->to_code, applies, program, stage, error));
    }
    const LutraOperation *const op = &circuit->operations[stage->x];
    if (*applies && stage->computes_x && has_window(op)) {
        const SlicedValue *const x = &program->values[op->inputs[0]];
        *applies = lutra_sliced_window_applies(op, x);
        if (*applies) {
            LUTRA_TRY(lutra_sliced_window_prepare(&stage->window, op, &program->values[stage->x],
                                                  x, error));
        }
    }
    return *applies ? set_allowed(stage, program, error) : LUTRA_OK;
}

static LutraStatus add_stages(LutraSlicedProgram *program, bool *applies, LutraError *error) {
    const LutraCircuit *const circuit = program->circuit;
    for (uint32_t i = 0; *applies && i < circuit->operation_count; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_ROUND) {
            const LutraOperation *const reader = only_reader(circuit, i);
            *applies = reader != NULL && reader->kind == LUTRA_OPERATION_TABLE;
        } else if (program->values[i].stored) {
            LUTRA_TRY(add_stage(program, i, applies, error));
        }
    }
    return LUTRA_OK;
}

/* ---- scratch ---- */

/** Whether a stage reads the stored result of an operation. */
static bool reads(const LutraSlicedProgram *program, const SlicedStage *stage,
                  uint32_t operation) {
    if (!stage->computes_x) {
        return stage->x == operation;
    }
    const LutraOperation *const op = &program->circuit->operations[stage->x];
    return (op->input_count > 0 && op->inputs[0] == operation) ||
           (op->input_count > 1 && op->inputs[1] == operation);
}

uint32_t lutra_sliced_result(const SlicedStage *stage) {
    return stage->table != SLICED_NONE ? stage->table : stage->x;
}

static uint32_t last_reader(const LutraSlicedProgram *program, uint32_t operation) {
    const LutraCircuit *const circuit = program->circuit;
    if (circuit->operations[circuit->operation_count - 1].inputs[0] == operation) {
        return program->stage_count;
    }
    uint32_t last = 0;
    for (uint32_t s = 0; s < program->stage_count; s++) {
        last = reads(program, &program->stages[s], operation) ? s : last;
    }
    return last;
}

/** Lowest place that no value in use at the same time covers; stages before `stage` have theirs. */
static size_t place_of(const LutraSlicedProgram *program, uint32_t stage, size_t first) {
    const SlicedValue *const value = &program->values[lutra_sliced_result(&program->stages[stage])];
    size_t offset = first;
    for (uint32_t s = 0; s < stage;) {
        const SlicedStage *const before = &program->stages[s];
        const SlicedValue *const other = &program->values[lutra_sliced_result(before)];
        if (before->last_reader >= stage && other->offset < offset + value->bytes &&
            offset < other->offset + other->bytes) {
            offset = aligned(other->offset + other->bytes);
            s = 0;
        } else {
            s++;
        }
    }
    return offset;
}

static size_t take(size_t *offset, size_t bytes) {
    const size_t place = *offset;
    *offset += aligned(bytes);
    return place;
}

static void lay_out(LutraSlicedProgram *program) {
    const LutraCircuit *const circuit = program->circuit;
    size_t bounds = 0;
    for (uint32_t s = 0; s < program->stage_count; s++) {
        const SlicedStage *const stage = &program->stages[s];
        const SlicedValue *const x = &program->values[stage->x];
        const size_t rows = stage->same_bounds ? 1 : x->shape.channels;
        const size_t words = rows * SLICED_BOUND_WORDS * x->planes;
        bounds = words > bounds ? words : bounds;
    }
    const size_t lanes = program->kernels.lanes;
    const size_t tile = lanes * SLICED_TILE;
    const size_t integers = lanes * circuit->class_count * sizeof(int32_t);
    size_t end = 0;
    program->used_offset = take(&end, program->plane_bytes);
    program->element_offset =
        take(&end, SLICED_PANEL * (LUTRA_SLICED_MAX_PLANES + LUTRA_SLICED_SPARE_PLANES) *
                       (size_t)program->plane_bytes);
    program->bounds_offset = take(&end, bounds * sizeof(int32_t));
    program->bytes_offset = take(&end, tile > integers ? tile : integers);
    const size_t first = end;
    for (uint32_t s = 0; s < program->stage_count; s++) {
        SlicedStage *const stage = &program->stages[s];
        stage->last_reader = last_reader(program, lutra_sliced_result(stage));
        SlicedValue *const value = &program->values[lutra_sliced_result(&program->stages[s])];
        value->offset = place_of(program, s, first);
        end = value->offset + value->bytes > end ? value->offset + value->bytes : end;
    }
    program->scratch_bytes = aligned(end);
}

/* ---- the program ---- */

static LutraStatus prepare(LutraSlicedProgram *program, bool *applies, LutraError *error) {
    const uint32_t count = program->circuit->operation_count;
    LUTRA_TRY(lutra_alloc(&program->values, count, sizeof(SlicedValue), error));
    LUTRA_TRY(lutra_alloc(&program->stages, count, sizeof(SlicedStage), error));
    *applies = set_ranges(program);
    if (!*applies) {
        return LUTRA_OK;
    }
    set_values(program);
    LUTRA_TRY(add_stages(program, applies, error));
    if (*applies) {
        lay_out(program);
        *applies = program->scratch_bytes <= MOST_SCRATCH_BYTES;
    }
    return LUTRA_OK;
}

LutraStatus lutra_sliced_program_create(LutraSlicedProgram **program, const LutraCircuit *circuit,
                                        uint32_t cpu_flags, LutraError *error) {
    LutraStatus status = LUTRA_OK;
    LutraSlicedProgram *made = NULL;
    bool applies = false;
    *program = NULL;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made, 1, sizeof *made, error));
    made->circuit = circuit;
    lutra_sliced_kernels_init(&made->kernels, cpu_flags);
    made->plane_bytes = lutra_sliced_plane_bytes(&made->kernels);
    LUTRA_TRY_GOTO(status, prepare(made, &applies, error));
    if (applies) {
        *program = made;
        made = NULL;
    }
done:
    lutra_sliced_program_destroy(&made);
    return status;
}

void lutra_sliced_program_destroy(LutraSlicedProgram **program) {
    if (program == NULL || *program == NULL) {
        return;
    }
    for (uint32_t s = 0; s < (*program)->stage_count; s++) {
        SlicedStage *const stage = &(*program)->stages[s];
        lutra_sliced_window_deinit(&stage->window);
        lutra_sliced_table_deinit(&stage->to_code);
        lutra_free(&stage->allowed);
    }
    lutra_free(&(*program)->stages);
    lutra_free(&(*program)->values);
    lutra_free(program);
}

uint32_t lutra_sliced_batch_images(const LutraSlicedProgram *program) {
    return program->kernels.lanes;
}

size_t lutra_sliced_scratch_bytes(const LutraSlicedProgram *program) {
    return program->scratch_bytes;
}
