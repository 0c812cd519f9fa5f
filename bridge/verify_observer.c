/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into every ciphertext of an encrypted run; see verify_priv.h and verify.h. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "bridge/verify_priv.h"
#include "sim/operations.h"
#include "sim/torus_rounding.h"

/** What values[index] is encoded with: finer than the result's encoding if bits were left in. */
static uint32_t word_bits(const LutraCircuit *circuit, uint32_t index) {
    const LutraOperation *const op = &circuit->operations[index];
    return op->encoding.bits + lutra_operation_bits_left(op);
}

/** Half a finest step that approximate rounding adds. */
static uint64_t word_shift(const LutraCircuit *circuit, uint32_t index) {
    const LutraOperation *const op = &circuit->operations[index];
    if (lutra_operation_bits_left(op) == 0) {
        return 0;
    }
    LutraRoundOperation round = op->u.round;
    round.offsets = NULL;
    return lutra_word_round_constant(&round, 0, word_bits(circuit, index));
}

LutraStatus lutra_verify_observer_init(LutraVerifyObserver *observer, const LutraCircuitKeys *keys,
                                       const LutraCircuit *circuit,
                                       const LutraPrediction *prediction, LutraError *error) {
    const size_t count = circuit->operation_count;
    *observer = (LutraVerifyObserver){
        .keys = keys, .circuit = circuit, .prediction = prediction};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&observer->layers, count, sizeof(LutraVerifyLayer), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&observer->sums, count, sizeof(LutraVerifySums), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&observer->values, count, sizeof(int32_t *), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&observer->positions, count, sizeof(uint32_t *), error));
    for (uint32_t i = 0; i < count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        memcpy(observer->layers[i].name, op->name, sizeof op->name);
        observer->layers[i].operation = i;
        observer->layers[i].kind = op->kind;
    }
done:
    if (status != LUTRA_OK) {
        lutra_verify_observer_deinit(observer);
    }
    return status;
}

static void forget_values(LutraVerifyObserver *observer) {
    for (uint32_t i = 0; i < observer->circuit->operation_count; i++) {
        if (observer->values != NULL) {
            lutra_free(&observer->values[i]);
        }
        if (observer->positions != NULL) {
            lutra_free(&observer->positions[i]);
        }
    }
}

void lutra_verify_observer_deinit(LutraVerifyObserver *observer) {
    if (observer->circuit != NULL) {
        forget_values(observer);
    }
    lutra_free(&observer->layers);
    lutra_free(&observer->sums);
    lutra_free(&observer->values);
    lutra_free(&observer->positions);
    memset(observer, 0, sizeof *observer);
}

static LutraStatus need_values(LutraVerifyObserver *observer, uint32_t index, LutraError *error) {
    const size_t count = lutra_shape_elements(observer->circuit->operations[index].shape);
    return lutra_alloc(&observer->values[index], count, sizeof(int32_t), error);
}

/** Recomputes operation `index` exactly from the integers that its inputs hold. */
static void apply(LutraVerifyObserver *observer, uint32_t index, const uint8_t *pixels) {
    (void)lutra_operation_apply(observer->values[index], observer->circuit, index, pixels,
                                (const int32_t *const *)observer->values);
}

LutraStatus lutra_verify_observer_start(LutraVerifyObserver *observer, const uint8_t *pixels,
                                        LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    forget_values(observer);
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        bool known = !lutra_operation_is_encrypted(op);
        for (uint32_t k = 0; k < op->input_count; k++) {
            known = known && observer->values[op->inputs[k]] != NULL;
        }
        if (known) {
            LUTRA_TRY(need_values(observer, i, error));
            apply(observer, i, pixels);
        }
    }
    return LUTRA_OK;
}

/* --- tables ----------------------------------------------------------------------------------- */

/** What the position of a look-up names, as a value modulo 2^(bits+1). */
static int64_t value_at(uint32_t position, uint32_t bits, uint32_t log2_poly) {
    const uint64_t width = UINT64_C(1) << (log2_poly - bits);
    const uint64_t entry = (position + width / 2) / width;
    return (int64_t)(entry & ((UINT64_C(2) << bits) - 1));
}

/** Distance of a position from where the exact word lies, fraction of the torus. */
static double position_deviation(const LutraCryptoParameters *set, uint32_t position,
                                 uint64_t word) {
    const bool centred = set->modulus_switch == LUTRA_MODULUS_SWITCH_CENTERED;
    const double ticks = ldexp(2.0, (int)set->log2_poly);
    /* The centred switch rounds down, after half a tick was taken off: middle of the tick. */
    const double at = ((double)position + (centred ? 0.5 : 0.0)) / ticks;
    const double difference = at - ldexp((double)word, -64);
    return difference - floor(difference + 0.5);
}

/** One look-up: what it read, what it should have read, what was to be expected. */
static void judge_lookup(LutraVerifyObserver *observer, uint32_t index, size_t element,
                         uint32_t channel) {
    const LutraCircuit *const circuit = observer->circuit;
    const LutraOperation *const op = &circuit->operations[index];
    const uint32_t input = op->inputs[0];
    const uint32_t bits = circuit->operations[input].encoding.bits;
    const LutraCryptoParameters *const set = &circuit->parameters[op->u.table.parameter_index];
    const uint32_t position = observer->positions[index][element];
    const int64_t exact = observer->values[input][element];
    const LutraPredictedLookup lookup = lutra_prediction_lookup(
        observer->prediction, circuit, index, channel, element, exact);
    const LutraLookupRisk risk = lutra_prediction_risk(&lookup);
    const int64_t right = lookup.index;
    const int64_t read = value_at(position, bits, set->log2_poly);
    const int64_t value = lutra_prediction_entry(&lookup.table, read);
    const int64_t expected = lutra_prediction_entry(&lookup.table, right);
    const uint64_t word =
        lutra_word_encode(exact, word_bits(circuit, input)) + word_shift(circuit, input);
    const double deviation = position_deviation(set, position, word);
    LutraVerifyLayer *const layer = &observer->layers[index];
    LutraVerifySums *const sums = &observer->sums[index];
    const uint64_t codes = (UINT64_C(2) << bits) - 1;

    layer->lookups++;
    layer->wrong_boxes += (((uint64_t)read - (uint64_t)right) & codes) != 0;
    layer->mismatches += value != expected;
    layer->off_by_one += value - expected == 1 || expected - value == 1;
    layer->expected_wrong_boxes += risk.wrong_box;
    layer->expected_mismatches += risk.wrong_value;
    sums->lookup_squares += deviation * deviation;
    sums->lookup_predicted += lookup.var_t2;
    observer->values[index][element] = (int32_t)value;
}

/* --- roundings -------------------------------------------------------------------------------- */

/** The words hold x + offset; the table that reads them rounds. */
static void keep_unrounded(LutraVerifyObserver *observer, uint32_t index) {
    const LutraOperation *const op = &observer->circuit->operations[index];
    LutraRoundOperation offsets_only = op->u.round;
    offsets_only.dropped_bits = 0;
    lutra_operation_round(observer->values[index], &offsets_only, op->shape,
                          observer->values[op->inputs[0]]);
}

/** Exact rounding decodes unambiguously: compare with the rounded integer, which
 * values[index][i] is, and keep what was read. */
static void judge_exact_rounding(LutraVerifyObserver *observer, uint32_t index, size_t i,
                                 uint64_t word) {
    const LutraOperation *const op = &observer->circuit->operations[index];
    const uint32_t input = op->inputs[0];
    const uint32_t dropped = op->u.round.dropped_bits;
    const uint64_t codes = (UINT64_C(2) << op->encoding.bits) - 1;
    LutraVerifyLayer *const layer = &observer->layers[index];
    const int64_t read = (int64_t)lutra_word_steps(word, op->encoding.bits);
    const int64_t right = observer->values[index][i];
    const uint64_t difference = ((uint64_t)read - (uint64_t)right) & codes;
    const double expected = lutra_prediction_exact_rounding(
        &observer->prediction->lookups[index], observer->prediction->var_t2[input][i],
        op->encoding.bits + dropped, dropped);
    layer->lookups += dropped;
    layer->wrong_boxes += difference != 0;
    layer->mismatches += difference != 0;
    layer->off_by_one += difference == 1 || difference == codes;
    layer->expected_wrong_boxes += expected;
    layer->expected_mismatches += expected;
    if (difference != 0) {
        observer->values[index][i] = (int32_t)lutra_word_decode(word, op->encoding);
    }
}

/* --- all operations --------------------------------------------------------------------------- */

/** Compares a word with the integer that it should hold. */
static void judge_noise(LutraVerifyObserver *observer, uint32_t index, size_t i, uint64_t word) {
    const double var_t2 = observer->prediction->var_t2[index][i];
    LutraVerifyLayer *const layer = &observer->layers[index];
    LutraVerifySums *const sums = &observer->sums[index];
    const double deviation =
        lutra_word_deviation(word - word_shift(observer->circuit, index),
                             observer->values[index][i], word_bits(observer->circuit, index));
    const double limit = LUTRA_VERIFY_STRAY_DEVIATIONS * sqrt(var_t2);
    layer->strays += !(fabs(deviation) <= limit);
    sums->noise_squares += deviation * deviation;
    sums->noise_predicted += var_t2;
    layer->elements++;
}

static bool rounds_exactly(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_ROUND && op->u.round.dropped_bits > 0 &&
           lutra_operation_bits_left(op) == 0;
}

void lutra_verify_judge_element(LutraVerifyObserver *observer, uint32_t index, size_t element,
                                uint64_t word) {
    const LutraOperation *const op = &observer->circuit->operations[index];
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    if (lutra_operation_is_encrypted(op)) {
        if (op->kind == LUTRA_OPERATION_TABLE) {
            judge_lookup(observer, index, element, (uint32_t)(element / plane));
        } else if (rounds_exactly(op)) {
            judge_exact_rounding(observer, index, element, word);
        }
    }
    judge_noise(observer, index, element, word);
}

/** Where the look-ups of every table that reads operation `index` will read. */
static LutraStatus find_positions(LutraVerifyObserver *observer, uint32_t index,
                                  const uint64_t *ciphertexts, size_t count, LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    for (uint32_t i = index + 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (!lutra_operation_is_encrypted(op) || op->kind != LUTRA_OPERATION_TABLE ||
            op->inputs[0] != index) {
            continue;
        }
        const LutraBackend *const backend = lutra_circuit_keys_of_lookups(observer->keys, i);
        LUTRA_TRY(lutra_alloc(&observer->positions[i], count, sizeof(uint32_t), error));
        LUTRA_TRY(backend->operations->lookup_positions(backend->context, observer->positions[i],
                                                        ciphertexts, count, error));
    }
    return LUTRA_OK;
}

static LutraStatus judge(LutraVerifyObserver *observer, uint32_t index, const uint64_t *words,
                         size_t count, LutraError *error) {
    const LutraOperation *const op = &observer->circuit->operations[index];
    if (lutra_operation_is_encrypted(op)) {
        LUTRA_TRY(need_values(observer, index, error));
        if (lutra_operation_bits_left(op) > 0) {
            keep_unrounded(observer, index);
        } else if (op->kind != LUTRA_OPERATION_TABLE) {
            apply(observer, index, NULL);
        }
    }
    for (size_t i = 0; i < count; i++) {
        lutra_verify_judge_element(observer, index, i, words[i]);
    }
    return LUTRA_OK;
}

LutraStatus lutra_verify_observer_know(LutraVerifyObserver *observer,
                                       const int32_t *const *values, LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    forget_values(observer);
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const size_t count = lutra_shape_elements(op->shape);
        LUTRA_TRY(need_values(observer, i, error));
        LUTRA_TRY(lutra_alloc(&observer->positions[i], count, sizeof(uint32_t), error));
        if (lutra_operation_is_encrypted(op) && lutra_operation_bits_left(op) > 0) {
            keep_unrounded(observer, i);
        } else {
            memcpy(observer->values[i], values[i], count * sizeof(int32_t));
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_verify_observe(void *user, uint32_t operation, const uint64_t *ciphertexts,
                                 size_t count, LutraError *error) {
    LutraVerifyObserver *const observer = user;
    const LutraBackend *const backend = lutra_circuit_keys_of_result(observer->keys, operation);
    uint64_t *words = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&words, count, sizeof *words, error));
    LUTRA_TRY_GOTO(status, backend->operations->decrypt(backend->context, words, ciphertexts,
                                                        count, error));
    LUTRA_TRY_GOTO(status, judge(observer, operation, words, count, error));
    status = find_positions(observer, operation, ciphertexts, count, error);
done:
    lutra_free(&words);
    return status;
}
