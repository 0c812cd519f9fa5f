/* SPDX-License-Identifier: Apache-2.0 */
/* Preparation of a circuit for clear execution: formats, fusion, stages, scratch layout. */
#include "sim/clear.h"

#include <string.h>

#include "base/memory.h"
#include "sim/clear_priv.h"
#include "sim/operations.h"

enum {
    READ_SLACK_BYTES = 16, /* the last step of a window may reach beyond its image */
    MOST_STAGE_BLOCKS = 8
};

/** One block of scratch and the stages during which it is in use. */
typedef struct {
    size_t bytes;
    uint32_t first;
    uint32_t last;
    size_t *offset; /* where to note its place */
} Block;

size_t lutra_clear_stride(ValueFormat format, uint32_t channels) {
    const size_t lanes = ((size_t)channels + LUTRA_SIM_LANES - 1) / LUTRA_SIM_LANES *
                         LUTRA_SIM_LANES;
    if (format == VALUE_U8 && channels <= 8) { /* few channels: less to multiply by zero */
        return channels <= 2 ? channels : channels <= 4 ? 4 : 8;
    }
    return lanes;
}

size_t lutra_clear_format_bytes(ValueFormat format) {
    switch (format) {
        case VALUE_U8: return sizeof(uint8_t);
        case VALUE_I16: return sizeof(int16_t);
        case VALUE_I32: return sizeof(int32_t);
        case VALUE_NONE: break;
    }
    return 0;
}

static bool is_dot(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_LINEAR || op->kind == LUTRA_OPERATION_CONV;
}

/** Beyond its ends a table reads negated entries. */
static void add_negated(LutraRange *range) {
    const int64_t most = -range->min > range->max ? -range->min : range->max;
    *range = (LutraRange){.min = -most, .max = most};
}

/** Ranges proved from codes, weights, entries: without noise never wider than the stated ones. */
static void prove_ranges(LutraClearProgram *program) {
    const LutraCircuit *const circuit = program->circuit;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        LutraRange inputs[LUTRA_MAX_OPERATION_INPUTS] = {{0}};
        LutraShape x_shape = {0};
        for (uint32_t x = op->input_count; x-- > 0;) {
            inputs[x] = program->values[op->inputs[x]].range;
            x_shape = circuit->operations[op->inputs[x]].shape;
        }
        if (program->plan != NULL && program->plan->operations[i].reads != NULL) {
            inputs[0] = (LutraRange){.min = INT32_MIN, .max = INT32_MAX}; /* any entry */
        }
        program->values[i].range = lutra_operation_static_range(op, x_shape, inputs);
        if (program->plan != NULL && op->kind == LUTRA_OPERATION_TABLE &&
            lutra_operation_is_encrypted(op)) {
            add_negated(&program->values[i].range);
        }
    }
}

static ValueFormat accumulator_format(LutraRange range) {
    return range.min >= -INT16_MAX && range.max <= INT16_MAX ? VALUE_I16 : VALUE_I32;
}

/** Codes: uint8 around 0 if they fit, else as an accumulator. */
static void set_code_format(ClearValue *value) {
    const int64_t min = value->range.min < 0 ? value->range.min : 0;
    const int64_t max = value->range.max > 0 ? value->range.max : 0;
    if (max - min <= UINT8_MAX) {
        value->range = (LutraRange){.min = min, .max = max};
        value->format = VALUE_U8;
        value->low = (int32_t)min;
    } else {
        value->format = accumulator_format(value->range);
    }
}

static void set_format(ClearValue *value, const LutraClearProgram *program,
                       const LutraOperation *op) {
    if (op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE) {
        set_code_format(value);
        return;
    }
    value->format = accumulator_format(value->range);
    if (is_dot(op)) {
        const DotMethod method =
            lutra_clear_dot_method(&program->values[op->inputs[0]], op, value->range);
        if (method == DOT_WORDS || method == DOT_GENERAL) {
            value->format = VALUE_I32;
        }
    }
}

static void count_readers(uint32_t *readers, const LutraCircuit *circuit) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        for (uint32_t x = 0; x < circuit->operations[i].input_count; x++) {
            readers[circuit->operations[i].inputs[x]]++;
        }
    }
}

/** Whether operation `index` is a rounding that exactly one table, and nothing else, reads. */
static bool rounds_for_one_table(const LutraCircuit *circuit, const uint32_t *readers,
                                 uint32_t index) {
    if (circuit->operations[index].kind != LUTRA_OPERATION_ROUND || readers[index] != 1) {
        return false;
    }
    for (uint32_t i = index + 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t x = 0; x < op->input_count; x++) {
            if (op->inputs[x] == index) {
                return op->kind == LUTRA_OPERATION_TABLE;
            }
        }
    }
    return false;
}

static void set_values(LutraClearProgram *program, const uint32_t *readers) {
    const LutraCircuit *const circuit = program->circuit;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        ClearValue *const value = &program->values[i];
        value->channels = op->shape.channels;
        value->height = op->shape.height;
        value->width = op->shape.width;
        value->pixels = (size_t)op->shape.height * op->shape.width;
        if (op->kind == LUTRA_OPERATION_OUTPUT || rounds_for_one_table(circuit, readers, i)) {
            continue;
        }
        set_format(value, program, op);
        value->stride = lutra_clear_stride(value->format, value->channels);
        if (value->stride > program->max_lanes) {
            program->max_lanes = value->stride;
        }
    }
}

/** The stage that computes an operation's value, or NULL. */
static ClearStage *stage_of(LutraClearProgram *program, uint32_t operation) {
    for (uint32_t i = 0; i < program->stage_count; i++) {
        if (program->stages[i].operation == operation) {
            return &program->stages[i];
        }
    }
    return NULL;
}

static LutraStatus add_table(LutraClearProgram *program, ClearStage *stage, LutraError *error) {
    const LutraCircuit *const circuit = program->circuit;
    const LutraOperation *const op = &circuit->operations[stage->operation];
    ClearTable *const table = &stage->table;
    table->round = UINT32_MAX;
    table->x = op->inputs[0];
    if (program->values[table->x].format == VALUE_NONE) {
        table->round = table->x;
        table->x = circuit->operations[table->round].inputs[0];
    }
    ClearStage *const source = stage_of(program, table->x);
    const LutraOperationKind kind = circuit->operations[table->x].kind;
    table->observes_x = !source->observed_later && kind != LUTRA_OPERATION_INPUT &&
                        kind != LUTRA_OPERATION_TABLE;
    source->observed_later = source->observed_later || table->observes_x;
    LUTRA_TRY(lutra_clear_table_prepare(table, &program->values[stage->operation], program,
                                        stage->operation, error));
    return lutra_clear_noise_prepare(stage, program, error);
}

static LutraStatus add_stages(LutraClearProgram *program, LutraError *error) {
    const LutraCircuit *const circuit = program->circuit;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (program->values[i].format == VALUE_NONE && op->kind != LUTRA_OPERATION_OUTPUT) {
            continue;
        }
        ClearStage *const stage = &program->stages[program->stage_count++];
        stage->operation = i;
        if (op->kind == LUTRA_OPERATION_TABLE) {
            LUTRA_TRY(add_table(program, stage, error));
        } else if (is_dot(op)) {
            LUTRA_TRY(lutra_clear_dot_prepare(&stage->dot, &program->values[i],
                                              &program->values[op->inputs[0]], op,
                                              &program->kernels, error));
        }
    }
    return LUTRA_OK;
}

static size_t aligned(size_t bytes) {
    return (bytes + LUTRA_ALIGNMENT_BYTES - 1) / LUTRA_ALIGNMENT_BYTES * LUTRA_ALIGNMENT_BYTES;
}

/** Lowest place that no block in use at the same time covers. */
static size_t place_of(const Block *blocks, size_t placed, const Block *block) {
    size_t offset = 0;
    for (size_t i = 0; i < placed;) {
        const Block *const other = &blocks[i];
        const bool together = other->first <= block->last && block->first <= other->last;
        if (together && *other->offset < offset + block->bytes &&
            offset < *other->offset + other->bytes) {
            offset = *other->offset + other->bytes;
            i = 0;
        } else {
            i++;
        }
    }
    return offset;
}

static void add_block(LutraClearProgram *program, Block *blocks, size_t *count, Block block) {
    block.bytes = aligned(block.bytes);
    blocks[*count] = block;
    *block.offset = place_of(blocks, *count, &block);
    if (*block.offset + block.bytes > program->scratch_bytes) {
        program->scratch_bytes = *block.offset + block.bytes;
    }
    (*count)++;
}

/** Last stage that reads the value of an operation. */
static uint32_t last_reader(const LutraClearProgram *program, uint32_t operation) {
    uint32_t last = 0;
    for (uint32_t s = 0; s < program->stage_count; s++) {
        const ClearStage *const stage = &program->stages[s];
        const LutraOperation *const op = &program->circuit->operations[stage->operation];
        for (uint32_t x = 0; x < op->input_count; x++) {
            const bool through_round =
                op->kind == LUTRA_OPERATION_TABLE && stage->table.x == operation;
            if (op->inputs[x] == operation || through_round) {
                last = s;
            }
        }
    }
    return last;
}

/** What one chunk of a noisy table's pixels needs. */
static void add_noise_blocks(LutraClearProgram *program, Block *blocks, size_t *count,
                             uint32_t s) {
    ClearNoise *const noise = &program->stages[s].noise;
    const ClearTable *const table = &program->stages[s].table;
    const ClearValue *const x = &program->values[table->x];
    const ClearValue *const y = &program->values[program->stages[s].operation];
    const size_t elements = noise->chunk_pixels * x->stride;
    add_block(program, blocks, count,
              (Block){(elements + 2 * LUTRA_NOISE_ELEMENTS_PER_BLOCK) * sizeof(uint16_t), s, s,
                      &noise->draws_offset});
    add_block(program, blocks, count,
              (Block){elements * lutra_clear_format_bytes(x->format), s, s,
                      &noise->moved_offset});
    add_block(program, blocks, count,
              (Block){noise->chunk_pixels * y->stride, s, s, &noise->codes_offset});
    add_block(program, blocks, count,
              (Block){elements * sizeof(uint32_t), s, s, &noise->flagged_offset});
    add_block(program, blocks, count,
              (Block){table->lanes / LUTRA_SIM_LANES, s, s, &noise->marked_offset});
}

static LutraStatus lay_out(LutraClearProgram *program, LutraError *error) {
    Block *blocks = NULL;
    size_t count = 0;
    const uint32_t end = program->stage_count;
    LUTRA_TRY(lutra_alloc(&blocks, MOST_STAGE_BLOCKS * (size_t)end + 1, sizeof *blocks, error));
    add_block(program, blocks, &count,
              (Block){2 * program->max_lanes * sizeof(int32_t), 0, end, &program->rows_offset});
    for (uint32_t s = 0; s < end; s++) {
        ClearStage *const stage = &program->stages[s];
        ClearValue *const value = &program->values[stage->operation];
        if (value->format != VALUE_NONE) {
            const size_t bytes = READ_SLACK_BYTES + value->pixels * value->stride *
                                                        lutra_clear_format_bytes(value->format);
            add_block(program, blocks, &count,
                      (Block){bytes, s, last_reader(program, stage->operation), &value->offset});
        }
        if (stage->dot.staged) {
            add_block(program, blocks, &count,
                      (Block){stage->dot.stage_bytes + READ_SLACK_BYTES, s, s,
                              &stage->dot.stage_offset});
        }
        if (stage->table.steps) {
            add_block(program, blocks, &count,
                      (Block){stage->table.lanes / LUTRA_SIM_LANES, s, s,
                              &stage->table.marked_offset});
        }
        if (stage->table.steps && stage->noise.reads != NULL) {
            add_noise_blocks(program, blocks, &count, s);
        }
    }
    lutra_free(&blocks);
    return LUTRA_OK;
}

LutraStatus lutra_clear_program_create(LutraClearProgram **program, const LutraCircuit *circuit,
                                       uint32_t cpu_flags, LutraError *error) {
    return lutra_clear_program_create_noisy(program, circuit, NULL, cpu_flags, error);
}

LutraStatus lutra_clear_program_create_noisy(LutraClearProgram **program,
                                             const LutraCircuit *circuit,
                                             const LutraNoisePlan *plan, uint32_t cpu_flags,
                                             LutraError *error) {
    LutraStatus status = LUTRA_OK;
    LutraClearProgram *made = NULL;
    uint32_t *readers = NULL;
    const uint32_t count = circuit->operation_count;
    *program = NULL;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made, 1, sizeof *made, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made->values, count, sizeof(ClearValue), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made->stages, count, sizeof(ClearStage), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&readers, count, sizeof *readers, error));
    made->circuit = circuit;
    made->plan = plan;
    made->fill = lutra_random_fill_for(cpu_flags);
    lutra_sim_kernels_init(&made->kernels, cpu_flags);
    lutra_displace_kernels_init(&made->displace, cpu_flags);
    count_readers(readers, circuit);
    prove_ranges(made);
    if (plan != NULL && !lutra_clear_ranges_fit(made)) {
        goto done; /* an answer, no error: *program stays NULL */
    }
    set_values(made, readers);
    LUTRA_TRY_GOTO(status, add_stages(made, error));
    LUTRA_TRY_GOTO(status, lay_out(made, error));
    *program = made;
    made = NULL;
done:
    lutra_clear_program_destroy(&made);
    lutra_free(&readers);
    return status;
}

void lutra_clear_program_destroy(LutraClearProgram **program) {
    if (program == NULL || *program == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*program)->stage_count; i++) {
        lutra_clear_dot_deinit(&(*program)->stages[i].dot);
        lutra_clear_table_deinit(&(*program)->stages[i].table);
        lutra_clear_noise_deinit(&(*program)->stages[i].noise);
    }
    lutra_free(&(*program)->stages);
    lutra_free(&(*program)->values);
    lutra_free(program);
}

size_t lutra_clear_scratch_bytes(const LutraClearProgram *program) {
    return program->scratch_bytes;
}

LutraOperationStatistics lutra_operation_statistics_empty(void) {
    return (LutraOperationStatistics){.min = INT64_MAX, .max = INT64_MIN};
}

void lutra_operation_statistics_merge(LutraOperationStatistics *into,
                                      const LutraOperationStatistics *from) {
    into->elements += from->elements;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    into->zeros += from->zeros;
    into->out_of_range += from->out_of_range;
    into->outside_observed += from->outside_observed;
    into->displaced += from->displaced;
    into->changed += from->changed;
}
