/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Torus execution; see torus_run.h.
 *
 * Scratch: words and integers of every operation one after another, then two buffers of the largest
 * operation for what the client decodes.
 */
#include "sim/torus_run.h"

#include "sim/operations.h"
#include "sim/torus_linear.h"
#include "sim/torus_lookup.h"
#include "sim/torus_rounding.h"

/* Integers stop here before a rounding; only circuits far outside their encodings get there. */
static const int64_t VALUE_LIMIT = INT64_C(1) << 60;

typedef struct {
    const LutraCircuit *circuit;
    const LutraTorusNoise *noise; /* or NULL */
    void *scratch;
    uint64_t *client[LUTRA_MAX_OPERATION_INPUTS]; /* (largest operation) */
} Run;

static bool is_left_unrounded(const LutraOperation *op) {
    return lutra_operation_is_encrypted(op) && op->kind == LUTRA_OPERATION_ROUND &&
           op->u.round.mode == LUTRA_ROUNDING_APPROXIMATE && op->u.round.dropped_bits > 0;
}

/** log2 N of a table's parameters, 0 without any. */
static uint32_t log2_poly_of(const LutraCircuit *circuit, const LutraTableOperation *table) {
    return circuit->parameter_count == 0 ? 0
                                         : circuit->parameters[table->parameter_index].log2_poly;
}

LutraStatus lutra_torus_check(const LutraCircuit *circuit, LutraError *error) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (!lutra_operation_is_encrypted(op)) {
            continue;
        }
        for (uint32_t k = 0; k < op->input_count; k++) {
            const LutraOperation *const x = &circuit->operations[op->inputs[k]];
            if (is_left_unrounded(x) && op->kind != LUTRA_OPERATION_TABLE) {
                return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                                       "'%s' reads the approximately rounded '%s', but only a "
                                       "table can: use exact rounding",
                                       op->name, x->name);
            }
        }
        if (op->kind == LUTRA_OPERATION_TABLE && circuit->parameter_count > 0) {
            const uint32_t bits = circuit->operations[op->inputs[0]].encoding.bits;
            const uint32_t log2_poly = log2_poly_of(circuit, &op->u.table);
            if (bits > log2_poly) { /* lutra_circuit_check bounds log2 N */
                return lutra_error_set(error, LUTRA_EINVAL,
                                       "'%s' reads %u bits, but its crypto parameters allow %u: "
                                       "choose parameters for %u bits",
                                       op->name, bits, log2_poly, bits);
            }
        }
    }
    return LUTRA_OK;
}

/* --- scratch ---------------------------------------------------------------------------------- */

static size_t elements_before(const LutraCircuit *circuit, uint32_t index) {
    size_t elements = 0;
    for (uint32_t i = 0; i < index; i++) {
        elements += lutra_shape_elements(circuit->operations[i].shape);
    }
    return elements;
}

static size_t most_elements(const LutraCircuit *circuit) {
    size_t most = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const size_t elements = lutra_shape_elements(circuit->operations[i].shape);
        most = elements > most ? elements : most;
    }
    return most;
}

size_t lutra_torus_scratch_bytes(const LutraCircuit *circuit) {
    return sizeof(uint64_t) * (2 * elements_before(circuit, circuit->operation_count) +
                               LUTRA_MAX_OPERATION_INPUTS * most_elements(circuit));
}

LutraTorusResult lutra_torus_result(const LutraCircuit *circuit, uint32_t index, void *scratch) {
    uint64_t *const words = (uint64_t *)scratch + 2 * elements_before(circuit, index);
    const size_t elements = lutra_shape_elements(circuit->operations[index].shape);
    return (LutraTorusResult){.words = words, .values = (int64_t *)(words + elements)};
}

/** The number under which an element (of C,H,W order) draws its noise. */
static size_t draw_element(LutraShape shape, size_t index) {
    const size_t plane = (size_t)shape.height * shape.width;
    return index % plane * shape.channels + index / plane;
}

static LutraTorusResult input_result(const Run *run, const LutraOperation *op, uint32_t k) {
    return lutra_torus_result(run->circuit, op->inputs[k], run->scratch);
}

/** Input k as the client has it: its own integers, or decrypted and decoded words. Decryptions that
 * noise has changed are counted. */
static const int64_t *client_input(const Run *run, const LutraOperation *op, uint32_t k,
                                   LutraOperationStatistics *statistics) {
    const LutraOperation *const x = &run->circuit->operations[op->inputs[k]];
    const LutraTorusResult result = input_result(run, op, k);
    if (!lutra_operation_is_encrypted(x)) {
        return result.values;
    }
    int64_t *const decoded = (int64_t *)run->client[k];
    const size_t plane = (size_t)x->shape.height * x->shape.width;
    for (size_t i = 0; i < lutra_shape_elements(x->shape); i++) {
        uint64_t word = result.words[i];
        if (run->noise != NULL) {
            word = lutra_torus_noisy_decryption(run->noise, op->inputs[k], (uint32_t)(i / plane),
                                                draw_element(x->shape, i), word, x->encoding);
        }
        decoded[i] = lutra_word_decode(word, x->encoding);
        const int64_t exact = lutra_word_decode(
            lutra_word_encode(result.values[i], x->encoding.bits), x->encoding);
        statistics->displaced += decoded[i] != exact;
        statistics->changed += decoded[i] != exact;
    }
    return decoded;
}

/* --- operations ------------------------------------------------------------------------------- */

static int64_t limited(int64_t value) {
    return value > VALUE_LIMIT ? VALUE_LIMIT : value < -VALUE_LIMIT ? -VALUE_LIMIT : value;
}

/** linear, conv, sum_pool or add on words, or on integers in two's complement. */
static void run_linear(uint64_t *y, const LutraCircuit *circuit, const LutraOperation *op,
                       const uint64_t *x, const uint64_t *x1) {
    const LutraShape x_shape = circuit->operations[op->inputs[0]].shape;
    if (op->kind == LUTRA_OPERATION_LINEAR) {
        lutra_words_linear(y, &op->u.linear, op->shape.channels, x);
    } else if (op->kind == LUTRA_OPERATION_CONV) {
        lutra_words_conv(y, &op->u.conv, op->shape, x, x_shape);
    } else if (op->kind == LUTRA_OPERATION_SUM_POOL) {
        lutra_words_sum_pool(y, &op->u.sum_pool, op->shape, x, x_shape);
    } else {
        LUTRA_ASSERT(op->kind == LUTRA_OPERATION_ADD);
        lutra_words_add(y, x, x1, lutra_shape_elements(op->shape));
    }
}

static void round_values(int64_t *y, const LutraOperation *op, const int64_t *x) {
    const LutraRoundOperation *const round = &op->u.round;
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    for (size_t c = 0; c < op->shape.channels; c++) {
        const int64_t offset = round->offsets == NULL ? 0 : round->offsets[c];
        for (size_t i = c * plane; i < (c + 1) * plane; i++) {
            y[i] = lutra_round_half_up(limited(x[i]) + offset, round->dropped_bits);
        }
    }
}

/** Where an exact rounding's look-ups take place. */
typedef struct {
    const LutraTorusNoise *noise;
    LutraLookupPlace place;
} DigitPlace;

static uint64_t noisy_lowest_bit(void *user, uint64_t word, uint32_t bits, uint32_t part) {
    DigitPlace *const digit = user;
    const LutraWordTable sign = lutra_word_lowest_bit_table(bits);
    digit->place.part = part;
    return lutra_torus_noisy_look_up(digit->noise, &digit->place, &sign,
                                     lutra_word_lowest_bit_input(word, bits)).word +
           lutra_word_encode(1, bits + 1);
}

static uint64_t round_exact(const Run *run, uint32_t index, LutraEncoding encoding,
                            uint32_t channel, size_t element, uint64_t word) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const uint32_t dropped = op->u.round.dropped_bits;
    if (run->noise == NULL) {
        return lutra_word_round_exact(word, encoding.bits, dropped);
    }
    DigitPlace digit = {.noise = run->noise,
                        .place = {.operation = index,
                                  .channel = channel,
                                  .element = draw_element(op->shape, element)}};
    return lutra_word_round_exact_by(word, encoding.bits, dropped, noisy_lowest_bit, &digit);
}

static void round_words(const Run *run, uint32_t index, uint64_t *y, const uint64_t *x) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const LutraRoundOperation *const round = &op->u.round;
    const LutraEncoding encoding = run->circuit->operations[op->inputs[0]].encoding;
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    LutraWordRounding approximate = {0};
    if (round->dropped_bits > 0) {
        lutra_word_rounding_default(&approximate, encoding, round->dropped_bits, false);
    }
    for (size_t c = 0; c < op->shape.channels; c++) {
        const int64_t offset = round->offsets == NULL ? 0 : round->offsets[c];
        const uint64_t offset_word = lutra_word_encode(offset, encoding.bits);
        for (size_t i = c * plane; i < (c + 1) * plane; i++) {
            const uint64_t word = x[i] + offset_word;
            y[i] = is_left_unrounded(op)
                       ? lutra_word_round_approximate(word, &approximate)
                       : round_exact(run, index, encoding, (uint32_t)c, i, word);
        }
    }
}

/** Exact rounding leaves whole steps: where noise changed a digit, the integer follows the word. */
static void follow_digits(const LutraOperation *op, LutraTorusResult y,
                          LutraOperationStatistics *statistics) {
    const uint64_t all = UINT64_C(2) << op->encoding.bits;
    for (size_t i = 0; i < lutra_shape_elements(op->shape); i++) {
        const uint64_t step = lutra_word_steps(y.words[i], op->encoding.bits);
        const uint64_t up = (step - (uint64_t)y.values[i]) % all;
        y.values[i] += up < all / 2 ? (int64_t)up : (int64_t)up - (int64_t)all;
        statistics->displaced += up != 0;
        statistics->changed += up != 0;
    }
}

static void run_round(const Run *run, uint32_t index, LutraTorusResult y,
                      LutraOperationStatistics *statistics) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const LutraTorusResult x = input_result(run, op, 0);
    round_words(run, index, y.words, x.words);
    round_values(y.values, op, x.values);
    if (run->noise != NULL && op->u.round.mode == LUTRA_ROUNDING_EXACT &&
        op->u.round.dropped_bits > 0) {
        follow_digits(op, y, statistics);
    }
}

/** The same look-up had its input no noise: the closed form at the exact integer. */
static LutraWordLookup exact_look_up(const LutraWordTable *table, int64_t value) {
    return lutra_word_look_up(table, lutra_word_encode(value, table->bits), 0);
}

static void run_table(const Run *run, uint32_t index, LutraTorusResult y,
                      LutraOperationStatistics *statistics) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const LutraTorusResult x = input_result(run, op, 0);
    const LutraEncoding encoding = run->circuit->operations[op->inputs[0]].encoding;
    const uint32_t log2_poly = log2_poly_of(run->circuit, &op->u.table);
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    for (uint32_t c = 0; c < op->shape.channels; c++) {
        const LutraWordTable table =
            lutra_word_table_of(&op->u.table, c, encoding, op->encoding);
        for (size_t i = c * plane; i < (c + 1) * plane; i++) {
            LutraWordLookup found;
            if (run->noise == NULL) {
                found = lutra_word_look_up(&table, x.words[i], log2_poly);
            } else {
                const LutraLookupPlace place = {.operation = index,
                                                .channel = c,
                                                .element = draw_element(op->shape, i)};
                const LutraWordLookup exact = exact_look_up(&table, x.values[i]);
                found = lutra_torus_noisy_look_up(run->noise, &place, &table, x.words[i]);
                statistics->displaced += found.step != exact.step;
                statistics->changed += found.value != exact.value;
            }
            y.words[i] = found.word;
            y.values[i] = found.value;
            statistics->out_of_range +=
                found.in_padding || !lutra_encoding_holds(encoding, x.values[i]);
        }
    }
}

static void run_encrypted(const Run *run, uint32_t index, LutraTorusResult y,
                          LutraOperationStatistics *statistics) {
    const LutraOperation *const op = &run->circuit->operations[index];
    if (op->kind == LUTRA_OPERATION_TABLE) {
        run_table(run, index, y, statistics);
        return;
    }
    if (op->kind == LUTRA_OPERATION_ROUND) {
        run_round(run, index, y, statistics);
        return;
    }
    const LutraTorusResult x = input_result(run, op, 0);
    const LutraTorusResult x1 = input_result(run, op, op->input_count - 1);
    run_linear(y.words, run->circuit, op, x.words, x1.words);
    run_linear((uint64_t *)y.values, run->circuit, op, (const uint64_t *)x.values,
               (const uint64_t *)x1.values);
}

static void run_input(const Run *run, const LutraOperation *op, const uint8_t *pixels,
                      int64_t *values) {
    int32_t *const codes = (int32_t *)(void *)run->client[0];
    lutra_operation_input(codes, &op->u.input, op->shape, pixels);
    for (size_t i = 0; i < lutra_shape_elements(op->shape); i++) {
        values[i] = codes[i];
    }
}

/** An operation on the client; its result is then encrypted. */
static void run_client(const Run *run, uint32_t index, const uint8_t *pixels, LutraTorusResult y,
                       LutraOperationStatistics *statistics) {
    const LutraOperation *const op = &run->circuit->operations[index];
    const size_t elements = lutra_shape_elements(op->shape);
    const size_t plane = elements / op->shape.channels;
    if (op->kind == LUTRA_OPERATION_INPUT) {
        run_input(run, op, pixels, y.values);
    } else {
        const int64_t *const x = client_input(run, op, 0, statistics);
        const int64_t *const x1 =
            op->input_count > 1 ? client_input(run, op, 1, statistics) : x;
        if (op->kind == LUTRA_OPERATION_TABLE) {
            for (size_t i = 0; i < elements; i++) {
                y.values[i] = lutra_table_lookup(&op->u.table, (uint32_t)(i / plane),
                                                 limited(x[i]), &statistics->out_of_range);
            }
        } else if (op->kind == LUTRA_OPERATION_ROUND) {
            round_values(y.values, op, x);
        } else {
            run_linear((uint64_t *)y.values, run->circuit, op, (const uint64_t *)x,
                       (const uint64_t *)x1);
        }
    }
    for (size_t i = 0; i < elements; i++) {
        y.words[i] = lutra_word_encode(y.values[i], op->encoding.bits);
        if (run->noise != NULL) {
            y.words[i] = lutra_torus_noisy_encryption(run->noise, index,
                                                      draw_element(op->shape, i), y.words[i]);
        }
    }
}

/** Logits of what the client decodes. @return inputs outside the encoding */
static uint64_t run_output(const Run *run, const LutraOperation *op, float *logits,
                           const int64_t *decoded) {
    const LutraTorusResult x = input_result(run, op, 0);
    int32_t *const codes = (int32_t *)(void *)run->client[1];
    uint64_t outside = 0;
    for (size_t c = 0; c < op->shape.channels; c++) {
        codes[c] = decoded[c] > INT32_MAX   ? INT32_MAX
                   : decoded[c] < INT32_MIN ? INT32_MIN
                                            : (int32_t)decoded[c];
        outside += !lutra_encoding_holds(op->encoding, x.values[c]);
    }
    lutra_operation_output(logits, &op->u.output, op->shape.channels, codes);
    return outside;
}

static void observe(LutraOperationStatistics *statistics, const LutraOperation *op,
                    const int64_t *values) {
    const size_t elements = lutra_shape_elements(op->shape);
    const bool codes = op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE;
    for (size_t i = 0; i < elements; i++) {
        lutra_operation_statistics_see(statistics, op->observed_range, values[i]);
        statistics->zeros += codes && values[i] == 0;
    }
    statistics->elements += elements;
}

void lutra_torus_run(const LutraCircuit *circuit, const LutraTorusNoise *noise, float *logits,
                     LutraOperationStatistics *statistics, const uint8_t *pixels, void *scratch) {
    Run run = {.circuit = circuit, .noise = noise, .scratch = scratch};
    run.client[0] = (uint64_t *)scratch + 2 * elements_before(circuit, circuit->operation_count);
    run.client[1] = run.client[0] + most_elements(circuit);
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_OUTPUT) {
            const int64_t *const decoded = client_input(&run, op, 0, &statistics[i]);
            statistics[i].out_of_range += run_output(&run, op, logits, decoded);
            observe(&statistics[i], op, decoded);
            continue;
        }
        const LutraTorusResult y = lutra_torus_result(circuit, i, scratch);
        if (lutra_operation_is_encrypted(op)) {
            run_encrypted(&run, i, y, &statistics[i]);
        } else {
            run_client(&run, i, pixels, y, &statistics[i]);
        }
        observe(&statistics[i], op, y.values);
    }
}
