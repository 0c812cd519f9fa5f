/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a circuit on real ciphertexts; see encrypted.h. */
#include "bridge/encrypted.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bridge/linear.h"
#include "sim/operations.h"
#include "sim/torus_rounding.h"

typedef struct {
    const LutraCircuitKeys *keys;
    const LutraCircuit *circuit;
    const uint8_t *pixels;
    const LutraEncryptedSettings *settings;
    LutraLinearKernels kernels;
    LutraEncryptedState *state;
    uint32_t *readers; /* (operation_count) operations that have yet to read each result */
    uint64_t lookups_total;
    uint64_t bytes_alive;
    LutraError *error;
} Run;

static const LutraOperation *input_of(const LutraCircuit *circuit, const LutraOperation *op) {
    return &circuit->operations[op->inputs[0]];
}

uint64_t lutra_encrypted_lookups(const LutraCircuit *circuit) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (lutra_operation_is_encrypted(&circuit->operations[i])) {
            sum += lutra_operation_pbs(&circuit->operations[i]);
        }
    }
    return sum;
}

LutraStatus lutra_encrypted_check(const LutraCircuit *circuit, LutraError *error) {
    if (circuit->parameter_count == 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "the circuit has no crypto parameters: none exist for tables as "
                               "wide as its widest; compile it with fewer bits");
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (!lutra_operation_is_encrypted(op)) {
            continue;
        }
        if (op->kind == LUTRA_OPERATION_TABLE) {
            const uint32_t bits = input_of(circuit, op)->encoding.bits;
            const uint32_t most = circuit->parameters[op->u.table.parameter_index].log2_poly;
            if (bits > most) {
                return lutra_error_set(error, LUTRA_EINVAL,
                                       "'%s' reads %u bits, but the crypto parameters allow %u: "
                                       "compile it with fewer bits",
                                       op->name, bits, most);
            }
        }
        for (uint32_t k = 0; k < op->input_count; k++) {
            const LutraOperation *const x = &circuit->operations[op->inputs[k]];
            if (lutra_operation_bits_left(x) > 0 && op->kind != LUTRA_OPERATION_TABLE) {
                return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                                       "'%s' reads the approximately rounded '%s', but only a "
                                       "table can: use exact rounding",
                                       op->name, x->name);
            }
        }
    }
    return LUTRA_OK;
}

/* --- slots ------------------------------------------------------------------------------------ */

static size_t elements_of(const Run *run, uint32_t index) {
    return lutra_shape_elements(run->circuit->operations[index].shape);
}

size_t lutra_encrypted_words(const LutraCircuitKeys *keys, uint32_t operation) {
    const LutraBackend *const backend = lutra_circuit_keys_of_result(keys, operation);
    return backend->operations->ciphertext_words(backend->context);
}

void lutra_encrypted_state_deinit(LutraEncryptedState *state, uint32_t operation_count) {
    for (uint32_t i = 0; state->slots != NULL && i < operation_count; i++) {
        lutra_free(&state->slots[i].codes);
        lutra_free(&state->slots[i].ciphertexts);
    }
    lutra_free(&state->slots);
    *state = (LutraEncryptedState){0};
}

static size_t words_of(const Run *run, uint32_t index) {
    return lutra_encrypted_words(run->keys, index);
}

/** As many as operation `index` has results, of its size; or of another operation's size. */
static LutraStatus allocate_ciphertexts(Run *run, uint64_t **ciphertexts, uint32_t index) {
    const size_t count = elements_of(run, index);
    size_t words = 0;
    if (lutra_size_mul(&words, count, words_of(run, index)) != LUTRA_OK) {
        return lutra_error_set(run->error, LUTRA_ENOMEM, "%zu ciphertexts do not fit in memory",
                               count);
    }
    LUTRA_TRY(lutra_alloc(ciphertexts, words, sizeof(uint64_t), run->error));
    run->bytes_alive += words * sizeof(uint64_t);
    if (run->bytes_alive > run->state->report.ciphertext_bytes) {
        run->state->report.ciphertext_bytes = run->bytes_alive;
    }
    return LUTRA_OK;
}

static void free_ciphertexts(Run *run, uint64_t **ciphertexts, uint32_t index) {
    if (*ciphertexts != NULL) {
        run->bytes_alive -= elements_of(run, index) * words_of(run, index) * sizeof(uint64_t);
        lutra_free(ciphertexts);
    }
}

static void release_slot(Run *run, uint32_t index) {
    free_ciphertexts(run, &run->state->slots[index].ciphertexts, index);
    lutra_free(&run->state->slots[index].codes);
}

static LutraStatus announce(Run *run, uint32_t index) {
    const LutraEncryptedListener *const listener = run->settings->listener;
    if (listener == NULL || listener->result == NULL) {
        return LUTRA_OK;
    }
    return listener->result(listener->user, index, run->state->slots[index].ciphertexts,
                            elements_of(run, index), run->error);
}

/** Makes sure that the result of operation `index` exists as ciphertexts. */
static LutraStatus need_ciphertexts(Run *run, uint32_t index) {
    LutraEncryptedSlot *const slot = &run->state->slots[index];
    if (slot->ciphertexts != NULL) {
        return LUTRA_OK;
    }
    const double start = lutra_seconds();
    const size_t count = elements_of(run, index);
    const uint32_t bits = run->circuit->operations[index].encoding.bits;
    const LutraBackend *const backend = lutra_circuit_keys_of_result(run->keys, index);
    uint64_t *plain = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&plain, count, sizeof *plain, run->error));
    LUTRA_TRY_GOTO(status, allocate_ciphertexts(run, &slot->ciphertexts, index));
    for (size_t i = 0; i < count; i++) {
        plain[i] = lutra_word_encode(slot->codes[i], bits);
    }
    LUTRA_TRY_GOTO(status, backend->operations->encrypt(backend->context, slot->ciphertexts, plain,
                                                        count, run->error));
    run->state->report.encrypt_seconds += lutra_seconds() - start;
    status = announce(run, index);
done:
    lutra_free(&plain);
    return status;
}

/** Makes sure that the result of operation `index` exists as integers. */
static LutraStatus need_codes(Run *run, uint32_t index) {
    LutraEncryptedSlot *const slot = &run->state->slots[index];
    if (slot->codes != NULL) {
        return LUTRA_OK;
    }
    const double start = lutra_seconds();
    const size_t count = elements_of(run, index);
    const LutraEncoding encoding = run->circuit->operations[index].encoding;
    const LutraBackend *const backend = lutra_circuit_keys_of_result(run->keys, index);
    uint64_t *plain = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&plain, count, sizeof *plain, run->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&slot->codes, count, sizeof *slot->codes, run->error));
    LUTRA_TRY_GOTO(status, backend->operations->decrypt(backend->context, plain, slot->ciphertexts,
                                                        count, run->error));
    for (size_t i = 0; i < count; i++) {
        const int64_t value = lutra_word_decode(plain[i], encoding);
        slot->codes[i] = value > INT32_MAX ? INT32_MAX : (int32_t)value;
    }
    run->state->report.decrypt_seconds += lutra_seconds() - start;
done:
    lutra_free(&plain);
    return status;
}

/** Gives operation `index` its input's ciphertexts to work in: taken over if nobody else reads
 * them, else copied. */
static LutraStatus take_ciphertexts(Run *run, uint32_t index, uint32_t input) {
    LutraEncryptedSlot *const from = &run->state->slots[input];
    LutraEncryptedSlot *const to = &run->state->slots[index];
    if (run->readers[input] == 1) {
        to->ciphertexts = from->ciphertexts;
        from->ciphertexts = NULL;
        return LUTRA_OK;
    }
    LUTRA_TRY(allocate_ciphertexts(run, &to->ciphertexts, index));
    memcpy(to->ciphertexts, from->ciphertexts,
           elements_of(run, input) * words_of(run, input) * sizeof(uint64_t));
    return LUTRA_OK;
}

/* --- look-ups --------------------------------------------------------------------------------- */

static int tick_lookups(void *user, const char *stage, uint64_t done, uint64_t total,
                        double figure) {
    const Run *const run = user;
    (void)stage;
    (void)total;
    (void)figure;
    return lutra_progress_tick(run->settings->progress, "look-ups",
                               run->state->report.lookups + done, run->lookups_total, NAN)
               ? 1
               : 0;
}

/** Look-ups of operation `index`; in place only if both sides have the same size. */
static LutraStatus look_up(Run *run, uint32_t index, uint64_t *outputs, const uint64_t *inputs,
                           const LutraBackendTables *tables, const uint32_t *choice) {
    const LutraProgress progress = {.tick = tick_lookups, .note = NULL, .user = run};
    const LutraBackend *const backend = lutra_circuit_keys_of_lookups(run->keys, index);
    const size_t count = elements_of(run, index);
    LUTRA_TRY(backend->operations->bootstrap(backend->context, outputs, inputs, count, tables,
                                             choice, &progress, run->error));
    run->state->report.lookups += count;
    return LUTRA_OK;
}

/**
 * Ciphertexts that a table may change before it looks them up: where its results have another key
 * than its input, the input's own if nobody else reads them, else a copy in `*copy`; and room for
 * the results. Otherwise those are one and the same.
 */
static LutraStatus take_table_input(Run *run, uint32_t index, uint64_t **input, uint64_t **copy) {
    const uint32_t x = run->circuit->operations[index].inputs[0];
    LutraEncryptedSlot *const from = &run->state->slots[x];
    if (run->keys->layout.set_of_result[x] == run->keys->layout.set_of_result[index]) {
        LUTRA_TRY(take_ciphertexts(run, index, x));
        *input = run->state->slots[index].ciphertexts;
        return LUTRA_OK;
    }
    *input = from->ciphertexts;
    if (run->readers[x] > 1) {
        LUTRA_TRY(allocate_ciphertexts(run, copy, x));
        memcpy(*copy, from->ciphertexts,
               elements_of(run, x) * words_of(run, x) * sizeof(uint64_t));
        *input = *copy;
    }
    return allocate_ciphertexts(run, &run->state->slots[index].ciphertexts, index);
}

static LutraStatus run_table(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const LutraTableOperation *const table = &op->u.table;
    const LutraEncoding encoding = input_of(run->circuit, op)->encoding;
    const size_t count = elements_of(run, index);
    const size_t plane = count / op->shape.channels;
    const size_t entries = (size_t)table->table_count * table->entry_count;
    uint64_t *words = NULL;
    uint32_t *choice = NULL;
    uint64_t *input = NULL; /* not owned */
    uint64_t *copy = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&words, entries, sizeof *words, run->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&choice, count, sizeof *choice, run->error));
    for (size_t i = 0; i < entries; i++) {
        words[i] = lutra_word_encode(table->entries[i], op->encoding.bits);
    }
    for (size_t i = 0; i < count; i++) {
        choice[i] = table->table_of_channel[i / plane];
    }
    LUTRA_TRY_GOTO(status, take_table_input(run, index, &input, &copy));
    lutra_ciphertexts_add_constant(input,
                                   lutra_word_encode(-(int64_t)table->first_input, encoding.bits),
                                   count, words_of(run, op->inputs[0]));
    const LutraBackendTables tables = {words, table->table_count, encoding.bits};
    status = look_up(run, index, run->state->slots[index].ciphertexts, input, &tables, choice);
done:
    free_ciphertexts(run, &copy, op->inputs[0]);
    lutra_free(&words);
    lutra_free(&choice);
    return status;
}

static void add_per_channel(Run *run, uint32_t index, uint64_t *ciphertexts, uint64_t constant) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const uint32_t bits = input_of(run->circuit, op)->encoding.bits;
    const size_t plane = elements_of(run, index) / op->shape.channels;
    LutraRoundOperation round = op->u.round;
    if (round.mode == LUTRA_ROUNDING_EXACT) {
        round.dropped_bits = 0; /* no half step: only approximate rounding moves its thresholds */
    }
    const size_t words = words_of(run, index);
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        lutra_ciphertexts_add_constant(ciphertexts + c * plane * words,
                                       lutra_word_round_constant(&round, c, bits) + constant,
                                       plane, words);
    }
}

LutraStatus lutra_encrypted_remove_bit(const LutraBackend *backend, uint64_t *values,
                                       uint64_t *bit, size_t count, uint32_t bits,
                                       uint32_t threads, const LutraProgress *progress,
                                       LutraError *error) {
    const size_t words = backend->operations->ciphertext_words(backend->context);
    lutra_ciphertexts_shift(bit, values, bits, count * words, threads);
    /* The sign look-up gives minus half the bit's weight for 0 and plus half for 1. */
    const uint64_t half = UINT64_C(1) << (62 - bits);
    const uint64_t minus_half = 0 - half;
    const LutraBackendTables sign = {&minus_half, 1, 0};
    LUTRA_TRY(backend->operations->bootstrap(backend->context, bit, bit, count, &sign, NULL,
                                             progress, error));
    lutra_ciphertexts_add_constant(bit, half, count, words);
    lutra_ciphertexts_subtract(values, bit, count * words, threads);
    return LUTRA_OK;
}

/** Removes the low bits one by one. */
static LutraStatus extract_bits(Run *run, uint32_t index, uint64_t *value, uint32_t bits,
                                uint32_t dropped_bits) {
    const LutraProgress progress = {.tick = tick_lookups, .note = NULL, .user = run};
    const LutraBackend *const backend = lutra_circuit_keys_of_lookups(run->keys, index);
    const size_t count = elements_of(run, index);
    uint64_t *bit = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, allocate_ciphertexts(run, &bit, index));
    for (uint32_t i = 0; i < dropped_bits; i++) {
        LUTRA_TRY_GOTO(status, lutra_encrypted_remove_bit(backend, value, bit, count, bits - i,
                                                          run->settings->threads, &progress,
                                                          run->error));
        run->state->report.lookups += count;
    }
done:
    free_ciphertexts(run, &bit, index);
    return status;
}

static LutraStatus run_round(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const LutraRoundOperation *const round = &op->u.round;
    const uint32_t bits = input_of(run->circuit, op)->encoding.bits;
    LUTRA_TRY(take_ciphertexts(run, index, op->inputs[0]));
    uint64_t *const value = run->state->slots[index].ciphertexts;
    if (round->mode == LUTRA_ROUNDING_APPROXIMATE || round->dropped_bits == 0) {
        add_per_channel(run, index, value, 0);
        return LUTRA_OK;
    }
    const int64_t half_bucket = INT64_C(1) << (round->dropped_bits - 1);
    add_per_channel(run, index, value, lutra_word_encode(half_bucket, bits));
    return extract_bits(run, index, value, bits, round->dropped_bits);
}

/* --- operations ------------------------------------------------------------------------------- */

static LutraStatus run_linear(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const LutraShape x_shape = input_of(run->circuit, op)->shape;
    const uint64_t *const x = run->state->slots[op->inputs[0]].ciphertexts;
    const uint32_t threads = run->settings->threads;
    const size_t words = words_of(run, index); /* of the inputs too: sums stand under one key */
    uint64_t **const y = &run->state->slots[index].ciphertexts;
    if (op->kind == LUTRA_OPERATION_ADD) {
        const uint64_t *const x1 = run->state->slots[op->inputs[1]].ciphertexts;
        if (op->inputs[0] != op->inputs[1] && run->readers[op->inputs[0]] == 1) {
            LUTRA_TRY(take_ciphertexts(run, index, op->inputs[0]));
        } else {
            LUTRA_TRY(allocate_ciphertexts(run, y, index));
        }
        lutra_ciphertexts_add(*y, x, x1, elements_of(run, index) * words, threads);
        return LUTRA_OK;
    }
    LUTRA_TRY(allocate_ciphertexts(run, y, index));
    if (op->kind == LUTRA_OPERATION_LINEAR) {
        lutra_ciphertexts_linear(*y, &run->kernels, &op->u.linear, op->shape.channels, x, words,
                                 threads);
    } else if (op->kind == LUTRA_OPERATION_CONV) {
        lutra_ciphertexts_conv(*y, &run->kernels, &op->u.conv, op->shape, x, x_shape, words,
                               threads);
    } else {
        LUTRA_ASSERT(op->kind == LUTRA_OPERATION_SUM_POOL);
        lutra_ciphertexts_sum_pool(*y, &op->u.sum_pool, op->shape, x, x_shape, words, threads);
    }
    return LUTRA_OK;
}

static LutraStatus run_encrypted(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    for (uint32_t k = 0; k < op->input_count; k++) {
        LUTRA_TRY(need_ciphertexts(run, op->inputs[k]));
    }
    const double start = lutra_seconds();
    if (op->kind == LUTRA_OPERATION_TABLE) {
        LUTRA_TRY(run_table(run, index));
    } else if (op->kind == LUTRA_OPERATION_ROUND) {
        LUTRA_TRY(run_round(run, index));
    } else {
        LUTRA_TRY(run_linear(run, index));
    }
    run->state->report.run_seconds += lutra_seconds() - start;
    return announce(run, index);
}

static LutraStatus run_clear(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const int32_t **values = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&values, run->circuit->operation_count, sizeof *values,
                                       run->error));
    for (uint32_t k = 0; k < op->input_count; k++) {
        LUTRA_TRY_GOTO(status, need_codes(run, op->inputs[k]));
        values[op->inputs[k]] = run->state->slots[op->inputs[k]].codes;
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&run->state->slots[index].codes, elements_of(run, index),
                                       sizeof(int32_t), run->error));
    (void)lutra_operation_apply(run->state->slots[index].codes, run->circuit, index, run->pixels,
                                values);
done:
    lutra_free(&values);
    return status;
}

static LutraStatus check_cancelled(const Run *run) {
    return lutra_progress_tick(run->settings->progress, "look-ups", run->state->report.lookups,
                               run->lookups_total, NAN)
               ? lutra_error_set(run->error, LUTRA_ECANCELLED, "the encrypted run was cancelled")
               : LUTRA_OK;
}

/** Frees inputs of operation `index` that nobody else reads. */
static void release_inputs(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    for (uint32_t k = 0; k < op->input_count; k++) {
        run->readers[op->inputs[k]]--;
        if (run->readers[op->inputs[k]] == 0) {
            release_slot(run, op->inputs[k]);
        }
    }
}

static LutraStatus run_operation(Run *run, uint32_t index) {
    const LutraOperation *const op = &run->circuit->operations[index];
    LUTRA_TRY(check_cancelled(run));
    if (op->kind == LUTRA_OPERATION_OUTPUT) {
        return need_codes(run, op->inputs[0]);
    }
    LUTRA_TRY(lutra_operation_is_encrypted(op) ? run_encrypted(run, index) : run_clear(run, index));
    release_inputs(run, index);
    return LUTRA_OK;
}

/** Everything that follows from where the run stands. */
static LutraStatus begin(Run *run) {
    const LutraCircuit *const circuit = run->circuit;
    LutraEncryptedState *const state = run->state;
    LUTRA_TRY(lutra_alloc(&run->readers, circuit->operation_count, sizeof *run->readers,
                          run->error));
    if (state->slots == NULL) {
        LUTRA_TRY(lutra_alloc(&state->slots, circuit->operation_count, sizeof *state->slots,
                              run->error));
    }
    for (uint32_t i = state->next_operation; i < circuit->operation_count; i++) {
        for (uint32_t k = 0; k < circuit->operations[i].input_count; k++) {
            run->readers[circuit->operations[i].inputs[k]]++;
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (state->slots[i].ciphertexts != NULL) {
            run->bytes_alive += elements_of(run, i) * words_of(run, i) * sizeof(uint64_t);
        }
    }
    return LUTRA_OK;
}

static LutraStatus tell_done(const Run *run) {
    const LutraEncryptedListener *const listener = run->settings->listener;
    return listener == NULL || listener->operation_done == NULL
               ? LUTRA_OK
               : listener->operation_done(listener->user, run->state, run->error);
}

LutraStatus lutra_encrypted_run(int32_t *codes, LutraEncryptedReport *report,
                                const LutraCircuitKeys *keys, const LutraCircuit *circuit,
                                const uint8_t *pixels, const LutraEncryptedSettings *settings,
                                LutraError *error) {
    LUTRA_TRY(lutra_encrypted_check(circuit, error));
    const uint32_t count = circuit->operation_count;
    LutraEncryptedState own = {0};
    Run run = {.keys = keys,
               .circuit = circuit,
               .pixels = pixels,
               .settings = settings,
               .state = settings->state != NULL ? settings->state : &own,
               .lookups_total = lutra_encrypted_lookups(circuit),
               .error = error};
    lutra_linear_kernels_init(&run.kernels, settings->cpu_flags);
    LutraStatus status = begin(&run);
    while (status == LUTRA_OK && run.state->next_operation < count) {
        status = run_operation(&run, run.state->next_operation);
        run.state->next_operation += status == LUTRA_OK;
        if (status == LUTRA_OK && run.state->next_operation < count) {
            status = tell_done(&run);
        }
    }
    if (status == LUTRA_OK) {
        const uint32_t last = circuit->operations[count - 1].inputs[0];
        memcpy(codes, run.state->slots[last].codes, elements_of(&run, last) * sizeof *codes);
        if (report != NULL) {
            *report = run.state->report;
        }
    }
    lutra_encrypted_state_deinit(run.state, count);
    lutra_free(&run.readers);
    return status;
}

LutraStatus lutra_encrypted_evaluate(LutraEncryptedState *state, const LutraCircuitKeys *keys,
                                     const LutraCircuit *circuit,
                                     const LutraEncryptedSettings *settings, LutraError *error) {
    Run run = {.keys = keys,
               .circuit = circuit,
               .settings = settings,
               .state = state,
               .lookups_total = lutra_encrypted_lookups(circuit),
               .error = error};
    LUTRA_ASSERT(state->next_operation == 0 && settings->state == NULL);
    LUTRA_TRY(lutra_encrypted_check(circuit, error));
    lutra_linear_kernels_init(&run.kernels, settings->cpu_flags);
    LutraStatus status = begin(&run);
    for (uint32_t i = 0; status == LUTRA_OK && i < circuit->operation_count; i++) {
        if (!lutra_operation_is_encrypted(&circuit->operations[i])) {
            continue; /* what it reads stays for the client */
        }
        status = check_cancelled(&run);
        if (status == LUTRA_OK) {
            status = run_encrypted(&run, i);
        }
        if (status == LUTRA_OK) {
            release_inputs(&run, i);
        }
    }
    lutra_free(&run.readers);
    return status;
}
