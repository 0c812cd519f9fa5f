/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the operations. A "group" is what a table or the input makes plus the linear
 * operations that read it up to the next table; it shares one encoding. In a chain, where every
 * operation reads the one before it, a group is a run of operations and closed by the table after
 * it.
 */
#include "sim/circuit_round.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_copy.h"

typedef struct {
    const LutraCircuit *plain;
    const LutraRoundSettings *settings;
    LutraError *error;
    LutraCircuit circuit; /* under construction */
    uint32_t *places;     /* (plain operations) index in `circuit` */
    bool is_chain;
    uint32_t tables;
    uint32_t plain_start; /* operation that opened the group, in `plain` */
    uint32_t start;       /* the same, in `circuit` */
} Rounding;

uint32_t lutra_circuit_table_count(const LutraCircuit *circuit) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        count += circuit->operations[i].kind == LUTRA_OPERATION_TABLE;
    }
    return count;
}

static bool is_chain(const LutraCircuit *circuit) {
    for (uint32_t i = 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->input_count != 1 || op->inputs[0] != i - 1) {
            return false;
        }
    }
    return true;
}

/* ---- widths ---- */

static bool is_observed(const LutraOperation *operation) {
    return operation->observed_range.min <= operation->observed_range.max;
}

static LutraRange join(LutraRange a, LutraRange b) {
    return (LutraRange){a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max};
}

/* The width that lowering gives a group, from `start` to before `end`: it holds the codes, also
 * entries that nothing reaches, and the sums that were observed or are possible. */
static LutraEncoding group_encoding(const LutraCircuit *circuit, uint32_t start, uint32_t end) {
    const LutraOperation *const source = &circuit->operations[start];
    const LutraRange all = {INT32_MIN, INT32_MAX};
    LutraRange range = source->kind == LUTRA_OPERATION_TABLE
                           ? lutra_operation_static_range(source, source->shape, &all)
                           : source->static_range;
    for (uint32_t i = start + 1; i < end; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        range = join(range, is_observed(op) ? op->observed_range : op->static_range);
    }
    return lutra_encoding_of_range(range.min, range.max);
}

static bool encoding_equal(LutraEncoding a, LutraEncoding b) {
    return a.bits == b.bits && a.is_signed == b.is_signed;
}

static bool encoding_within(LutraEncoding inner, LutraEncoding outer) {
    return lutra_encoding_holds(outer, lutra_encoding_min(inner)) &&
           lutra_encoding_holds(outer, lutra_encoding_max(inner));
}

/*
 * Gives the open group of the new circuit its width; the plain one ends before operation `end`.
 *
 * A wider group than the plain one is possible without observed ranges: the outermost bucket of a
 * table may read an entry that no sum reached. There are no entries for it, so it keeps the width.
 */
static void close_group(Rounding *work, uint32_t end) {
    const LutraEncoding given = work->plain->operations[work->plain_start].encoding;
    const LutraEncoding ruled = group_encoding(work->plain, work->plain_start, end);
    if (!work->is_chain || !encoding_equal(given, ruled)) {
        return; /* as it was copied */
    }
    const uint32_t count = work->circuit.operation_count;
    const LutraEncoding encoding = group_encoding(&work->circuit, work->start, count);
    if (!encoding_within(encoding, given)) {
        return;
    }
    for (uint32_t i = work->start; i < count; i++) {
        work->circuit.operations[i].encoding = encoding;
    }
}

/* ---- operations ---- */

/* States the range that the newest operation's results are proved to lie in. */
static void prove_range(Rounding *work) {
    LutraOperation *const ops = work->circuit.operations;
    LutraOperation *const op = &ops[work->circuit.operation_count - 1];
    LutraRange inputs[LUTRA_MAX_OPERATION_INPUTS] = {{0, 0}};
    for (uint32_t i = 0; i < op->input_count; i++) {
        inputs[i] = ops[op->inputs[i]].static_range;
    }
    const LutraShape x_shape = op->input_count > 0 ? ops[op->inputs[0]].shape : op->shape;
    op->static_range = lutra_operation_static_range(op, x_shape, inputs);
}

/* Appends a copy that reads the new places of its inputs. */
static LutraStatus add_copy(Rounding *work, uint32_t index) {
    LutraOperation *const op = &work->circuit.operations[work->circuit.operation_count];
    LUTRA_TRY(lutra_operation_copy(op, &work->plain->operations[index], work->error));
    for (uint32_t i = 0; i < op->input_count; i++) {
        op->inputs[i] = work->places[op->inputs[i]];
    }
    work->places[index] = work->circuit.operation_count++;
    prove_range(work);
    return LUTRA_OK;
}

static bool name_is_taken(const LutraCircuit *circuit, const char *name) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (strcmp(circuit->operations[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends the rounding of what `table` reads. */
static void add_round(Rounding *work, const LutraOperation *table, uint32_t dropped_bits) {
    const uint32_t x = work->places[table->inputs[0]];
    const LutraOperation *const sum = &work->circuit.operations[x];
    const uint32_t index = work->circuit.operation_count++;
    LutraOperation *const round = &work->circuit.operations[index];
    *round = (LutraOperation){.kind = LUTRA_OPERATION_ROUND,
                              .input_count = 1,
                              .inputs = {x},
                              .shape = sum->shape,
                              .encoding = sum->encoding,
                              .observed_range = {1, 0},
                              .in_clear = table->in_clear,
                              .u.round = {.dropped_bits = dropped_bits,
                                          .mode = work->settings->mode}};
    round->encoding.bits -= dropped_bits;
    (void)snprintf(round->name, sizeof round->name, "%.47s_round", table->name);
    for (unsigned number = 2; name_is_taken(work->plain, round->name); number++) {
        (void)snprintf(round->name, sizeof round->name, "%.47s_round%u", table->name, number);
    }
    prove_range(work);
    if (is_observed(sum)) {
        round->observed_range =
            lutra_operation_static_range(round, sum->shape, &sum->observed_range);
    }
}

/* ---- tables ---- */

/* Entries of the buckets: those of x = b * 2^t, for all b of the encoding. */
static void choose_entries(int32_t *row, LutraEncoding encoding, uint32_t dropped_bits,
                           const int32_t *plain_row, int32_t plain_first) {
    const int64_t first = lutra_encoding_min(encoding);
    const int64_t last = lutra_encoding_max(encoding);
    for (int64_t b = first; b <= last; b++) {
        row[b - first] = plain_row[(b * (INT64_C(1) << dropped_bits)) - plain_first];
    }
}

/* Fills the rows of a table over `encoding`, equal ones once, in the order of the channels. */
static void choose_rows(LutraTableOperation *table, uint32_t channels, LutraEncoding encoding,
                        uint32_t dropped_bits, const LutraTableOperation *plain,
                        uint32_t *row_of_plain) {
    for (uint32_t i = 0; i < plain->table_count; i++) {
        row_of_plain[i] = UINT32_MAX;
    }
    for (uint32_t c = 0; c < channels; c++) {
        const uint32_t old = plain->table_of_channel[c];
        if (row_of_plain[old] == UINT32_MAX) {
            int32_t *const row = table->entries + ((size_t)table->table_count * table->entry_count);
            choose_entries(row, encoding, dropped_bits,
                           plain->entries + ((size_t)old * plain->entry_count),
                           plain->first_input);
            uint32_t found = 0;
            while (memcmp(table->entries + ((size_t)found * table->entry_count), row,
                          table->entry_count * sizeof *row) != 0) {
                found++; /* ends at the row itself */
            }
            row_of_plain[old] = found;
            table->table_count += found == table->table_count;
        }
        table->table_of_channel[c] = row_of_plain[old];
    }
}

/* Replaces the table of the newest operation, which was copied, by one over what it reads now. */
static LutraStatus narrow_table(Rounding *work, uint32_t dropped_bits) {
    LutraOperation *const op = &work->circuit.operations[work->circuit.operation_count - 1];
    const LutraEncoding encoding = work->circuit.operations[op->inputs[0]].encoding;
    const LutraTableOperation *const plain = &op->u.table;
    const uint32_t channels = op->shape.channels;
    LutraTableOperation table = {.entry_count = UINT32_C(1) << encoding.bits,
                                 .first_input = (int32_t)lutra_encoding_min(encoding)};
    uint32_t *row_of_plain = NULL;
    LutraStatus status = LUTRA_OK;
    /* a narrower encoding gives no more rows */
    LUTRA_TRY_GOTO(status, lutra_alloc(&table.entries,
                                       (size_t)plain->table_count * table.entry_count,
                                       sizeof *table.entries, work->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&table.table_of_channel, channels,
                                       sizeof *table.table_of_channel, work->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&row_of_plain, plain->table_count, sizeof *row_of_plain,
                                       work->error));
    choose_rows(&table, channels, encoding, dropped_bits, plain, row_of_plain);
    lutra_operation_deinit(op);
    op->u.table = table;
    table = (LutraTableOperation){0};
    prove_range(work);
done:
    lutra_free(&row_of_plain);
    lutra_free(&table.entries);
    lutra_free(&table.table_of_channel);
    return status;
}

static LutraStatus add_table(Rounding *work, uint32_t index) {
    const LutraOperation *const table = &work->plain->operations[index];
    close_group(work, index);
    const LutraRoundSettings *const settings = work->settings;
    const uint32_t kept = settings->bits[settings->bits_count == 1 ? 0 : work->tables];
    const LutraEncoding encoding =
        work->circuit.operations[work->places[table->inputs[0]]].encoding;
    const uint32_t dropped = lutra_rounding_dropped_bits(encoding, kept);
    if (dropped > 0) {
        add_round(work, table, dropped);
    }
    LUTRA_TRY(add_copy(work, index));
    if (dropped > 0) {
        LutraOperation *const op = &work->circuit.operations[work->places[index]];
        op->inputs[0] = work->places[index] - 1;
    }
    if (dropped > 0 ||
        !encoding_equal(encoding, work->plain->operations[table->inputs[0]].encoding)) {
        LUTRA_TRY(narrow_table(work, dropped));
    }
    work->circuit.operations[work->places[index]].u.table.parameter_index = 0;
    work->plain_start = index;
    work->start = work->places[index];
    work->tables++;
    return LUTRA_OK;
}

/* ---- the whole ---- */

static LutraStatus check_request(const LutraCircuit *plain, const LutraRoundSettings *settings,
                                 LutraError *error) {
    const uint32_t tables = lutra_circuit_table_count(plain);
    if (settings->bits_count != 1 && settings->bits_count != tables) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "%u rounding widths for the %u tables of circuit '%s'; give one for "
                               "all or one for each",
                               settings->bits_count, tables, plain->name);
    }
    for (uint32_t i = 0; i < settings->bits_count; i++) {
        if (settings->bits[i] > LUTRA_MAX_ROUNDING) {
            return lutra_error_set(error, LUTRA_EINVAL,
                                   "rounding to %u bits; should be none or 1 to %d",
                                   settings->bits[i], LUTRA_MAX_ROUNDING);
        }
    }
    for (uint32_t i = 0; i < plain->operation_count; i++) {
        if (plain->operations[i].kind == LUTRA_OPERATION_ROUND) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "circuit '%s' is rounded already ('%s'); only a circuit that "
                                   "was compiled without rounding and offsets can be rounded",
                                   plain->name, plain->operations[i].name);
        }
    }
    return LUTRA_OK;
}

static LutraStatus add_operations(Rounding *work) {
    for (uint32_t i = 0; i < work->plain->operation_count; i++) {
        const LutraOperation *const op = &work->plain->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            LUTRA_TRY(add_table(work, i));
            continue;
        }
        if (op->kind == LUTRA_OPERATION_OUTPUT) {
            close_group(work, i);
        }
        LUTRA_TRY(add_copy(work, i));
    }
    LutraOperation *const output =
        &work->circuit.operations[work->circuit.operation_count - 1];
    output->encoding = work->circuit.operations[output->inputs[0]].encoding;
    return LUTRA_OK;
}

LutraStatus lutra_circuit_round(LutraCircuit *rounded, const LutraCircuit *plain,
                                const LutraRoundSettings *settings, LutraError *error) {
    LUTRA_TRY(check_request(plain, settings, error));
    const size_t most = (size_t)plain->operation_count + lutra_circuit_table_count(plain);
    Rounding work = {.plain = plain,
                     .settings = settings,
                     .error = error,
                     .circuit = {.class_count = plain->class_count},
                     .is_chain = is_chain(plain)};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&work.circuit.operations, most, sizeof(LutraOperation), error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&work.places, plain->operation_count, sizeof *work.places, error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&work.circuit.name, plain->name, error));
    LUTRA_TRY_GOTO(status,
                   lutra_string_copy(&work.circuit.network_text, plain->network_text, error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&work.circuit.provenance, plain->provenance, error));
    LUTRA_TRY_GOTO(status, add_operations(&work));
    LUTRA_TRY_GOTO(status, lutra_circuit_check(&work.circuit, error));
    *rounded = work.circuit;
    work.circuit = (LutraCircuit){0};
done:
    lutra_circuit_deinit(&work.circuit);
    lutra_free(&work.places);
    return status;
}
