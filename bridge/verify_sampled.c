/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of single outputs; see verify_sampled_priv.h. */
#include "bridge/verify_sampled_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "bridge/cone.h"
#include "bridge/linear.h"
#include "sim/torus_rounding.h"

enum { ENCRYPTED_AT_ONCE = 256 }; /* terms of a sum */

/* One operation's outputs. */
typedef struct {
    LutraVerifyResult *result;
    LutraVerifySample *sample;
    LutraVerifyObserver *observer;
    const LutraVerifySettings *settings;
    uint64_t image;
    uint32_t operation; /* whose look-ups these are, or the output */
    uint32_t sums;      /* the operation whose results are made first */
    size_t count;
    size_t *elements; /* (count), owned */
    LutraCone cone;
    uint64_t done;  /* outputs of this image before these */
    uint64_t total; /* outputs of this image */
    LutraError *error;
} Station;

static bool is_station(const LutraCircuit *circuit, uint32_t index) {
    const LutraOperation *const op = &circuit->operations[index];
    if (op->kind == LUTRA_OPERATION_OUTPUT) {
        return lutra_operation_is_encrypted(&circuit->operations[op->inputs[0]]) &&
               !lutra_cone_ends_at(&circuit->operations[op->inputs[0]]);
    }
    return lutra_operation_is_encrypted(op) && lutra_cone_ends_at(op);
}

/** The operation whose results a station begins with. */
static uint32_t sums_of(const LutraCircuit *circuit, uint32_t index) {
    return circuit->operations[index].inputs[0];
}

static size_t count_of(const LutraCircuit *circuit, uint32_t index, uint32_t neurons) {
    const size_t count =
        lutra_shape_elements(circuit->operations[sums_of(circuit, index)].shape);
    return count < neurons ? count : neurons;
}

uint64_t lutra_verify_sampled_outputs(const LutraCircuit *circuit, uint32_t neurons) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        sum += is_station(circuit, i) ? count_of(circuit, i, neurons) : 0;
    }
    return sum;
}

/** Different elements, each set equally probable [Floyd]. */
static void draw_elements(Station *station, size_t from) {
    const LutraRandomKey key = {station->settings->neuron_seed, LUTRA_STREAM_NEURONS,
                                station->operation};
    for (size_t i = 0; station->count == from && i < from; i++) {
        station->elements[i] = i; /* all of them */
    }
    for (size_t i = 0; station->count < from && i < station->count; i++) {
        const size_t last = from - station->count + i;
        size_t drawn =
            (size_t)lutra_random_below(key, station->image << 32 | (uint64_t)i, last + 1);
        for (size_t k = 0; k < i; k++) {
            if (station->elements[k] == drawn) {
                drawn = last;
                break;
            }
        }
        station->elements[i] = drawn;
    }
}

/* --- sums ------------------------------------------------------------------------------------- */

/** Encrypts terms [first, last) of the cone; noise up to what they would carry. */
static LutraStatus encrypt_terms(Station *station, uint64_t *ciphertexts, size_t neuron,
                                 size_t first, size_t last) {
    const LutraVerifyObserver *const observer = station->observer;
    const LutraBackend *const backend =
        lutra_circuit_keys_of_result(observer->keys, station->sums);
    const size_t words = backend->operations->ciphertext_words(backend->context);
    const uint32_t set = observer->keys->layout.set_of_result[station->sums];
    const double fresh = lutra_noise_fresh(&observer->circuit->parameters[set]);
    const LutraRandomKey key = {station->settings->neuron_seed, LUTRA_STREAM_NEURON_NOISE,
                                station->operation};
    uint64_t plain[ENCRYPTED_AT_ONCE];
    for (size_t i = first; i < last; i++) {
        const LutraConeTerm *const term = &station->cone.terms[i];
        plain[i - first] =
            lutra_word_encode(observer->values[term->operation][term->element],
                              observer->circuit->operations[term->operation].encoding.bits);
    }
    LUTRA_TRY(backend->operations->encrypt(backend->context, ciphertexts, plain, last - first,
                                           station->error));
    for (size_t i = first; i < last; i++) {
        const LutraConeTerm *const term = &station->cone.terms[i];
        const double missing =
            observer->prediction->var_t2[term->operation][term->element] - fresh;
        if (missing > 0.0) {
            const uint64_t draw = (station->image << 20 | neuron) << 24 | i;
            const double noise = sqrt(missing) * lutra_random_normal(key, draw);
            ciphertexts[(i - first) * words + words - 1] +=
                (uint64_t)(int64_t)llrint(ldexp(noise - rint(noise), 63) * 2.0);
        }
    }
    return LUTRA_OK;
}

/** sums += weight * x */
static void add_term(uint64_t *sum, const uint64_t *x, int64_t weight, size_t words) {
    for (size_t j = 0; j < words; j++) {
        sum[j] += (uint64_t)weight * x[j];
    }
}

/** The ciphertext that one output's look-up is given, but for the constant of a signed table. */
static LutraStatus make_sum(Station *station, uint64_t *sum, uint64_t *terms, size_t neuron) {
    const LutraBackend *const backend =
        lutra_circuit_keys_of_result(station->observer->keys, station->sums);
    const size_t words = backend->operations->ciphertext_words(backend->context);
    LUTRA_TRY(lutra_cone_find(&station->cone, station->observer->circuit, station->sums,
                              station->elements[neuron], station->error));
    for (size_t first = 0; first < station->cone.count; first += ENCRYPTED_AT_ONCE) {
        const size_t rest = station->cone.count - first;
        const size_t last = first + (rest < ENCRYPTED_AT_ONCE ? rest : ENCRYPTED_AT_ONCE);
        double start = lutra_seconds();
        LUTRA_TRY(encrypt_terms(station, terms, neuron, first, last));
        station->sample->encrypt_seconds += lutra_seconds() - start;
        start = lutra_seconds();
        for (size_t i = first; i < last; i++) {
            add_term(sum, terms + (i - first) * words, station->cone.terms[i].weight, words);
        }
        station->sample->run_seconds += lutra_seconds() - start;
    }
    sum[words - 1] += station->cone.constant;
    return LUTRA_OK;
}

static LutraStatus cancelled(const Station *station, size_t done) {
    if (lutra_progress_tick(station->settings->progress, "outputs", station->done + done,
                            station->total, NAN)) {
        return lutra_error_set(station->error, LUTRA_ECANCELLED, "the verification was cancelled");
    }
    return LUTRA_OK;
}

/* --- look-ups --------------------------------------------------------------------------------- */

/** Decrypts and books results of operation `index`. */
static LutraStatus judge(Station *station, uint32_t index, const uint64_t *ciphertexts) {
    const LutraBackend *const backend =
        lutra_circuit_keys_of_result(station->observer->keys, index);
    uint64_t *words = NULL;
    LUTRA_TRY(lutra_alloc(&words, station->count, sizeof *words, station->error));
    const double start = lutra_seconds();
    const LutraStatus status = backend->operations->decrypt(backend->context, words, ciphertexts,
                                                            station->count, station->error);
    station->sample->decrypt_seconds += lutra_seconds() - start;
    for (size_t i = 0; status == LUTRA_OK && i < station->count; i++) {
        lutra_verify_judge_element(station->observer, index, station->elements[i], words[i]);
    }
    lutra_free(&words);
    return status;
}

/** Books the results of look-ups; other outputs read what the simulation says, not what was
 * read. */
static LutraStatus judge_lookups(Station *station, const uint64_t *ciphertexts) {
    LutraVerifyObserver *const observer = station->observer;
    int32_t *const values = observer->values[station->operation];
    int32_t *kept = NULL;
    LUTRA_TRY(lutra_alloc(&kept, station->count, sizeof *kept, station->error));
    for (size_t i = 0; i < station->count; i++) {
        kept[i] = values[station->elements[i]];
    }
    const LutraStatus status = judge(station, station->operation, ciphertexts);
    for (size_t i = 0; i < station->count; i++) {
        const size_t element = station->elements[i];
        if (status == LUTRA_OK) {
            station->result->neurons[station->result->neuron_count++] =
                (LutraVerifyNeuron){station->image, station->operation, element, kept[i],
                                    values[element]};
        }
        values[element] = kept[i];
    }
    lutra_free(&kept);
    return status;
}

static LutraStatus look_up(Station *station, uint64_t *outputs, uint64_t *sums) {
    const LutraVerifyObserver *const observer = station->observer;
    const LutraOperation *const op = &observer->circuit->operations[station->operation];
    const LutraTableOperation *const table = &op->u.table;
    const LutraBackend *const backend =
        lutra_circuit_keys_of_lookups(observer->keys, station->operation);
    const LutraBackend *const input = lutra_circuit_keys_of_result(observer->keys, station->sums);
    const uint32_t bits = observer->circuit->operations[station->sums].encoding.bits;
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    const size_t entries = (size_t)table->table_count * table->entry_count;
    uint64_t *words = NULL;
    uint32_t *choice = NULL;
    uint32_t *positions = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&words, entries, sizeof *words, station->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&choice, station->count, sizeof *choice, station->error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&positions, station->count, sizeof *positions, station->error));
    LUTRA_TRY_GOTO(status,
                   backend->operations->lookup_positions(backend->context, positions, sums,
                                                         station->count, station->error));
    for (size_t i = 0; i < entries; i++) {
        words[i] = lutra_word_encode(table->entries[i], op->encoding.bits);
    }
    for (size_t i = 0; i < station->count; i++) {
        observer->positions[station->operation][station->elements[i]] = positions[i];
        choice[i] = table->table_of_channel[station->elements[i] / plane];
    }
    const double start = lutra_seconds();
    lutra_ciphertexts_add_constant(sums, lutra_word_encode(-(int64_t)table->first_input, bits),
                                   station->count,
                                   input->operations->ciphertext_words(input->context));
    const LutraBackendTables tables = {words, table->table_count, bits};
    LUTRA_TRY_GOTO(status, backend->operations->bootstrap(backend->context, outputs, sums,
                                                          station->count, &tables, choice, NULL,
                                                          station->error));
    station->sample->run_seconds += lutra_seconds() - start;
    station->sample->lookups += station->count;
    status = judge_lookups(station, outputs);
done:
    lutra_free(&words);
    lutra_free(&choice);
    lutra_free(&positions);
    return status;
}

/** An exact rounding: a sign look-up for every dropped bit. `bit` is scratch. */
static LutraStatus round_exactly(Station *station, uint64_t *sums, uint64_t *bit) {
    const LutraVerifyObserver *const observer = station->observer;
    const LutraOperation *const op = &observer->circuit->operations[station->operation];
    const LutraBackend *const backend =
        lutra_circuit_keys_of_lookups(observer->keys, station->operation);
    const size_t words = backend->operations->ciphertext_words(backend->context);
    const uint32_t bits = observer->circuit->operations[station->sums].encoding.bits;
    const uint32_t dropped = op->u.round.dropped_bits;
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    LutraRoundOperation offsets_only = op->u.round;
    offsets_only.dropped_bits = 0;
    const double start = lutra_seconds();
    for (size_t i = 0; i < station->count; i++) {
        sums[(i + 1) * words - 1] +=
            lutra_word_round_constant(&offsets_only, (uint32_t)(station->elements[i] / plane),
                                      bits) +
            lutra_word_encode(INT64_C(1) << (dropped - 1), bits);
    }
    for (uint32_t b = 0; b < dropped; b++) {
        LUTRA_TRY(lutra_encrypted_remove_bit(backend, sums, bit, station->count, bits - b,
                                             station->settings->backend_settings.threads, NULL,
                                             station->error));
    }
    station->sample->run_seconds += lutra_seconds() - start;
    station->sample->lookups += station->count * dropped;
    return judge_lookups(station, sums);
}

static LutraStatus run_station(Station *station) {
    const LutraVerifyObserver *const observer = station->observer;
    const LutraBackend *const input = lutra_circuit_keys_of_result(observer->keys, station->sums);
    const LutraOperationKind kind = observer->circuit->operations[station->operation].kind;
    const size_t words = input->operations->ciphertext_words(input->context);
    size_t out_words = words;
    if (kind != LUTRA_OPERATION_OUTPUT) {
        const LutraBackend *const output =
            lutra_circuit_keys_of_result(observer->keys, station->operation);
        out_words = output->operations->ciphertext_words(output->context);
    }
    uint64_t *sums = NULL;
    uint64_t *terms = NULL;
    uint64_t *outputs = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&sums, station->count * words, sizeof *sums,
                                       station->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&terms, ENCRYPTED_AT_ONCE * words, sizeof *terms,
                                       station->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&outputs, station->count * out_words, sizeof *outputs,
                                       station->error));
    const uint64_t bytes =
        (station->count * (words + out_words) + ENCRYPTED_AT_ONCE * words) * sizeof(uint64_t);
    if (bytes > station->result->ciphertext_bytes) {
        station->result->ciphertext_bytes = bytes;
    }
    for (size_t i = 0; i < station->count; i++) {
        LUTRA_TRY_GOTO(status, cancelled(station, i));
        LUTRA_TRY_GOTO(status, make_sum(station, sums + i * words, terms, i));
    }
    if (!lutra_cone_ends_at(&observer->circuit->operations[station->sums])) {
        LUTRA_TRY_GOTO(status, judge(station, station->sums, sums));
    }
    if (kind == LUTRA_OPERATION_TABLE) {
        status = look_up(station, outputs, sums);
    } else if (kind == LUTRA_OPERATION_ROUND) {
        status = round_exactly(station, sums, outputs);
    }
done:
    lutra_free(&sums);
    lutra_free(&terms);
    lutra_free(&outputs);
    return status;
}

LutraStatus lutra_verify_sampled(LutraVerifyResult *result, LutraVerifySample *sample,
                                 LutraVerifyObserver *observer, uint64_t image,
                                 const int32_t *const *values,
                                 const LutraVerifySettings *settings, LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    Station station = {.result = result,
                       .sample = sample,
                       .observer = observer,
                       .settings = settings,
                       .image = image,
                       .total = lutra_verify_sampled_outputs(circuit, settings->neurons),
                       .error = error};
    LUTRA_TRY(lutra_verify_observer_know(observer, values, error));
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; i < circuit->operation_count && status == LUTRA_OK; i++) {
        if (!is_station(circuit, i)) {
            continue;
        }
        station.operation = i;
        station.sums = sums_of(circuit, i);
        station.count = count_of(circuit, i, settings->neurons);
        status = lutra_alloc(&station.elements, station.count, sizeof *station.elements, error);
        if (status == LUTRA_OK) {
            draw_elements(&station,
                          lutra_shape_elements(circuit->operations[station.sums].shape));
            status = run_station(&station);
        }
        lutra_free(&station.elements);
        station.done += station.count;
    }
    lutra_cone_deinit(&station.cone);
    return status;
}
