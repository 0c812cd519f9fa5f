/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Torus execution against clear execution. A circuit is "safe" for an image if every value that a
 * look-up or the client reads lies in its encoding: then the two agree in everything. Where a value
 * does not, the look-up follows the negacyclic rule, stated here on integers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sim/simulate.h"
#include "sim/torus_encoding.h"
#include "sim/torus_run.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/* What the comparisons met, so that no law holds for want of cases. */
typedef struct {
    uint64_t safe;    /* images in which all values were in range */
    uint64_t unsafe;
    uint64_t wrapped; /* look-ups outside the range */
    uint64_t differ;  /* ... whose entry is not the saturated one */
} Met;

static uint32_t cases(void) {
    const char *const text = getenv("LUTRA_TEST_ITERS");
    const long scale = text == NULL ? 1 : strtol(text, NULL, 10);
    return 60u * (scale > 0 ? (uint32_t)scale : 1u);
}

/** Whether clear values never leave the encoding where somebody reads them. */
static bool is_safe(const LutraCircuit *circuit, const LutraImageValues *values) {
    for (uint32_t i = 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t k = 0; k < op->input_count; k++) {
            const LutraOperation *const x = &circuit->operations[op->inputs[k]];
            const bool looked_up =
                lutra_operation_is_encrypted(op) && op->kind == LUTRA_OPERATION_TABLE;
            const bool decoded =
                lutra_operation_is_encrypted(x) && !lutra_operation_is_encrypted(op);
            for (size_t e = 0; e < lutra_shape_elements(x->shape); e++) {
                if ((looked_up || decoded || op->kind == LUTRA_OPERATION_OUTPUT) &&
                    !lutra_encoding_holds(x->encoding, values->values[op->inputs[k]][e])) {
                    return false;
                }
            }
        }
    }
    return true;
}

/** The entry of x, or minus the entry half a torus away. */
static int64_t negacyclic(const LutraTableOperation *table, uint32_t channel, int64_t x) {
    const int64_t entries = table->entry_count;
    int64_t at = (x - table->first_input) % (2 * entries);
    at = at < 0 ? at + 2 * entries : at;
    const int32_t *const row =
        table->entries + (size_t)table->table_of_channel[channel] * table->entry_count;
    return at < entries ? row[at] : -(int64_t)row[at - entries];
}

static void check_table(const LutraCircuit *circuit, uint32_t index, LutraTorusResult y,
                        LutraTorusResult x, uint64_t out_of_range, Met *met) {
    uint64_t outside = 0;
    const LutraOperation *const op = &circuit->operations[index];
    const LutraEncoding encoding = circuit->operations[op->inputs[0]].encoding;
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    for (size_t e = 0; e < lutra_shape_elements(op->shape); e++) {
        const uint32_t channel = (uint32_t)(e / plane);
        uint64_t out_of_domain = 0;
        const int32_t saturated =
            lutra_table_lookup(&op->u.table, channel, x.values[e], &out_of_domain);
        assert_int_equal(out_of_domain == 0, lutra_encoding_holds(encoding, x.values[e]));
        if (out_of_domain == 0) {
            assert_int_equal(y.values[e], saturated);
        } else {
            outside++;
            met->differ += y.values[e] != saturated;
        }
        assert_int_equal(y.values[e], negacyclic(&op->u.table, channel, x.values[e]));
    }
    assert_int_equal(out_of_range, outside);
    met->wrapped += outside;
}

/** Logits of decoded integers: an underflow keeps its value for one more bit, an overflow not. */
static void check_output(const LutraCircuit *circuit, void *scratch, const float *logits,
                         uint64_t out_of_range) {
    const uint32_t last = circuit->operation_count - 1;
    const LutraOperation *const op = &circuit->operations[last];
    const LutraTorusResult x = lutra_torus_result(circuit, op->inputs[0], scratch);
    const int64_t span = INT64_C(1) << op->encoding.bits;
    int32_t codes[128];
    float expected[128];
    uint64_t outside = 0;
    for (uint32_t c = 0; c < circuit->class_count; c++) {
        int64_t y = x.values[c];
        if (lutra_operation_is_encrypted(&circuit->operations[op->inputs[0]])) {
            y = (y % (2 * span) + 2 * span) % (2 * span);
            if (op->encoding.is_signed) {
                y = y >= span ? y - 2 * span : y >= span / 2 ? y - span : y;
            }
        }
        codes[c] = (int32_t)y;
        outside += !lutra_encoding_holds(op->encoding, x.values[c]);
    }
    lutra_operation_output(expected, &op->u.output, circuit->class_count, codes);
    assert_memory_equal(logits, expected, circuit->class_count * sizeof(float));
    assert_int_equal(out_of_range, outside);
}

/** Words stand for their integers; tables follow the rule; the rest equals operations.h. */
static void check_operation(const LutraCircuit *circuit, uint32_t index, void *scratch,
                            const uint8_t *pixels, uint64_t out_of_range, Met *met) {
    const LutraOperation *const op = &circuit->operations[index];
    const LutraTorusResult y = lutra_torus_result(circuit, index, scratch);
    const size_t count = lutra_shape_elements(op->shape);
    const bool unrounded = lutra_operation_is_encrypted(op) && op->kind == LUTRA_OPERATION_ROUND &&
                           op->u.round.mode == LUTRA_ROUNDING_APPROXIMATE;
    for (size_t e = 0; e < count; e++) {
        const uint64_t exact = lutra_word_encode(y.values[e], op->encoding.bits);
        assert_true(unrounded ? lutra_word_steps(y.words[e], op->encoding.bits) ==
                                    exact >> (63 - op->encoding.bits)
                              : y.words[e] == exact);
    }
    if (lutra_operation_is_encrypted(op) && op->kind == LUTRA_OPERATION_TABLE) {
        check_table(circuit, index, y, lutra_torus_result(circuit, op->inputs[0], scratch),
                    out_of_range, met);
        return;
    }
    int32_t *inputs[64] = {NULL};
    int32_t *result = NULL;
    LutraError error = {""};
    bool legal = true;
    for (uint32_t k = 0; k < op->input_count; k++) {
        const LutraOperation *const x = &circuit->operations[op->inputs[k]];
        const LutraTorusResult from = lutra_torus_result(circuit, op->inputs[k], scratch);
        const size_t x_count = lutra_shape_elements(x->shape);
        lutra_free(&inputs[op->inputs[k]]);
        check_status(lutra_alloc(&inputs[op->inputs[k]], x_count, sizeof(int32_t), &error),
                     LUTRA_OK, &error);
        for (size_t e = 0; e < x_count; e++) {
            const bool decoded =
                lutra_operation_is_encrypted(x) && !lutra_operation_is_encrypted(op);
            legal = legal && from.values[e] >= x->static_range.min &&
                    from.values[e] <= x->static_range.max &&
                    (!decoded || lutra_encoding_holds(x->encoding, from.values[e]));
            inputs[op->inputs[k]][e] = (int32_t)from.values[e];
        }
    }
    if (legal) { /* operations.h relies on the proved ranges, which a negated entry may leave */
        check_status(lutra_alloc(&result, count, sizeof(int32_t), &error), LUTRA_OK, &error);
        (void)lutra_operation_apply(result, circuit, index, pixels,
                                    (const int32_t *const *)inputs);
        for (size_t e = 0; e < count; e++) {
            assert_int_equal(y.values[e], result[e]);
        }
    }
    lutra_free(&result);
    for (uint32_t k = 0; k < op->input_count; k++) {
        lutra_free(&inputs[op->inputs[k]]);
    }
}

/** One image in both modes. */
static void compare(const LutraCircuit *circuit, const uint8_t *pixels, Met *met) {
    enum { OPERATIONS = 64 };
    LutraError error = {""};
    LutraImageValues clear;
    LutraClearProgram *program = NULL;
    void *clear_scratch = NULL;
    CheckBuffer scratch;
    LutraOperationStatistics torus_seen[OPERATIONS];
    LutraOperationStatistics clear_seen[OPERATIONS];
    float logits[128];
    float clear_logits[128];
    assert_true(circuit->class_count <= 128);
    for (size_t i = 0; i < OPERATIONS; i++) {
        torus_seen[i] = lutra_operation_statistics_empty();
        clear_seen[i] = lutra_operation_statistics_empty();
    }
    check_status(lutra_simulate_image_values(&clear, circuit, pixels, &error), LUTRA_OK, &error);
    check_status(lutra_torus_check(circuit, &error), LUTRA_OK, &error);
    check_buffer_init(&scratch, lutra_torus_scratch_bytes(circuit), 0);
    memset(scratch.data, 0x5A, scratch.bytes);
    lutra_torus_run(circuit, NULL, logits, torus_seen, pixels, scratch.data);
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        check_operation(circuit, i, scratch.data, pixels, torus_seen[i].out_of_range, met);
    }
    check_output(circuit, scratch.data, logits,
                 torus_seen[circuit->operation_count - 1].out_of_range);
    const bool safe = is_safe(circuit, &clear);
    met->safe += safe;
    met->unsafe += !safe;
    uint64_t out_of_range = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        out_of_range += torus_seen[i].out_of_range;
    }
    if (!safe) {
        assert_true(out_of_range > 0);
    } else {
        check_status(lutra_clear_program_create(&program, circuit, 0, &error), LUTRA_OK, &error);
        check_status(lutra_alloc(&clear_scratch, lutra_clear_scratch_bytes(program), 1, &error),
                     LUTRA_OK, &error);
        lutra_clear_run(program, clear_logits, clear_seen, pixels, clear_scratch);
        assert_memory_equal(torus_seen, clear_seen, sizeof torus_seen);
        assert_memory_equal(logits, clear_logits, circuit->class_count * sizeof(float));
        for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
            const LutraTorusResult y = lutra_torus_result(circuit, i, scratch.data);
            for (size_t e = 0; e < lutra_shape_elements(circuit->operations[i].shape); e++) {
                assert_int_equal(y.values[e], clear.values[i][e]);
            }
        }
    }
    check_buffer_done(&scratch);
    lutra_free(&clear_scratch);
    lutra_clear_program_destroy(&program);
    lutra_image_values_deinit(&clear);
}

static void random_circuits_agree_while_in_range(void **state) {
    (void)state;
    enum { IMAGES = 2 };
    for (uint32_t style = 0; style < CIRCUIT_STYLES; style++) {
        Met met = {0};
        for (uint32_t i = 0; i < cases(); i++) {
            LutraCircuit circuit;
            const uint32_t number = 5000 + i * CIRCUIT_STYLES + style;
            circuit_random(&circuit, check_key(number), (CircuitStyle)style);
            if (i % 2 == 1) {
                circuit_make_thin(&circuit, check_key(number + 3000000));
            }
            if (i % 3 == 2) {
                circuit_make_hybrid(&circuit, check_key(number + 2000000));
            }
            const size_t stride = lutra_shape_elements(circuit.operations[0].shape);
            uint8_t *pixels =
                circuit_random_pixels(&circuit, check_key(number + 1000000), IMAGES);
            for (size_t image = 0; image < IMAGES; image++) {
                compare(&circuit, pixels + image * stride, &met);
            }
            lutra_free(&pixels);
            lutra_circuit_deinit(&circuit);
        }
        print_message("style %u: %lu safe, %lu not, %lu look-ups wrapped, %lu differ\n", style,
                      (unsigned long)met.safe, (unsigned long)met.unsafe,
                      (unsigned long)met.wrapped, (unsigned long)met.differ);
        assert_true(met.safe > 0 && met.unsafe > 0 && met.wrapped > 0 && met.differ > 0);
    }
}

static void vgg9_agrees_while_in_range(void **state) {
    (void)state;
    for (uint32_t rounded = 0; rounded < 2; rounded++) {
        LutraCircuit circuit;
        Met met = {0};
        circuit_vgg9(&circuit, check_key(5), rounded == 1);
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(6), 1);
        compare(&circuit, pixels, &met);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

/* --- every value of an encoding --------------------------------------------------------------- */

typedef struct {
    LutraEncoding x;
    uint32_t dropped_bits;
    bool rounded; /* there is a rounding, perhaps of 0 bits */
    LutraRoundingMode mode;
    uint32_t log2_poly; /* 0: no parameters */
} Sweep;

/** Codes of one encoding in 256 pixels, times 1, -1, 2 and 3, a table each, summed up. */
static void build_sweep(LutraCircuit *circuit, const Sweep *sweep, LutraRandomKey key) {
    static const int8_t factors[4] = {1, -1, 2, 3};
    CircuitBuilder builder;
    const int64_t min = lutra_encoding_min(sweep->x);
    const int64_t max = lutra_encoding_max(sweep->x);
    builder_start(&builder, key, CIRCUIT_SMALL);
    const uint32_t in = builder_input(&builder, (LutraShape){1, 16, 16}, sweep->x, 0, 0);
    LutraOperation *const operations = builder.circuit.operations;
    for (int64_t p = 0; p < 256; p++) { /* up to 8 bits every code, then the ends and every k-th */
        const int64_t code = p == 255 ? max : min + p * (max - min + 1) / 256;
        operations[in].u.input.code_of_pixel[p] = (int16_t)(code > INT16_MAX ? INT16_MAX : code);
    }
    operations[in].static_range = (LutraRange){min, max > INT16_MAX ? INT16_MAX : max};
    uint32_t y = builder_conv(&builder, in, 4, 1, 1, 0);
    memcpy(operations[y].u.conv.weights, factors, 4);
    operations[y].static_range = lutra_operation_static_range(
        &operations[y], operations[in].shape, &operations[in].static_range);
    if (sweep->rounded) {
        y = builder_round(&builder, y, sweep->dropped_bits, true);
        operations[y].u.round.mode = sweep->mode;
    }
    y = builder_table(&builder, y, (LutraEncoding){12, true}, -2047, 2047, false);
    y = builder_sum_pool(&builder, y, 16, 16);
    (void)builder_output(&builder, y, 0);
    for (uint32_t i = 0; i < builder.circuit.operation_count; i++) {
        operations[i].observed_range = (LutraRange){.min = 1, .max = 0};
    }
    builder_finish(&builder, circuit);
    if (sweep->log2_poly > 0) {
        LutraError error = {""};
        check_status(lutra_alloc(&circuit->parameters, 1, sizeof *circuit->parameters, &error),
                     LUTRA_OK, &error);
        circuit->parameters[0].log2_poly = sweep->log2_poly;
        circuit->parameter_count = 1;
    }
}

static void run_sweep(const Sweep *sweep, uint32_t number, Met *met) {
    LutraCircuit circuit;
    uint8_t pixels[256];
    for (size_t p = 0; p < 256; p++) {
        pixels[p] = (uint8_t)p;
    }
    build_sweep(&circuit, sweep, check_key(number));
    compare(&circuit, pixels, met);
    lutra_circuit_deinit(&circuit);
}

static void every_width_follows_the_rule(void **state) {
    (void)state;
    Met met = {0};
    uint32_t number = 900000;
    for (uint32_t bits = 1; bits <= 16; bits++) {
        for (uint32_t is_signed = 0; is_signed < 2; is_signed++) {
            Sweep sweep = {.x = {bits, is_signed == 1}};
            run_sweep(&sweep, number++, &met);
            sweep.log2_poly = bits;
            run_sweep(&sweep, number++, &met);
            sweep.rounded = true;
            for (uint32_t dropped = 0; dropped < bits; dropped += bits > 8 ? 3 : 1) {
                sweep.dropped_bits = dropped;
                for (uint32_t mode = 0; mode < 2; mode++) {
                    sweep.mode = (LutraRoundingMode)mode;
                    /* from log2 N = bits on, no two values share a tick */
                    sweep.log2_poly = 0;
                    run_sweep(&sweep, number++, &met);
                    sweep.log2_poly = bits;
                    run_sweep(&sweep, number++, &met);
                    sweep.log2_poly = bits + 2;
                    run_sweep(&sweep, number++, &met);
                }
            }
        }
    }
    assert_true(met.wrapped > 10000 && met.differ > 10000 && met.unsafe > 0);
}

/** Fewer ticks than values: approximate rounding then has coarser, lower thresholds. */
static void few_ticks_move_thresholds_down(void **state) {
    (void)state;
    const Sweep sweep = {.x = {8, false},
                         .rounded = true,
                         .dropped_bits = 3,
                         .mode = LUTRA_ROUNDING_APPROXIMATE,
                         .log2_poly = 6}; /* a tick is 4 values, a bucket 2 ticks */
    LutraCircuit circuit;
    uint8_t pixels[256];
    LutraOperationStatistics seen[8];
    float logits[4];
    LutraError error = {""};
    void *scratch = NULL;
    build_sweep(&circuit, &sweep, check_key(17));
    memset(circuit.operations[2].u.round.offsets, 0, 4 * sizeof(int32_t));
    LutraOperation *const table = &circuit.operations[3];
    for (size_t i = 0; i < (size_t)table->u.table.table_count * 32; i++) {
        table->u.table.entries[i] = (int32_t)(i % 32);
    }
    for (size_t i = 0; i < 8; i++) {
        seen[i] = lutra_operation_statistics_empty();
    }
    for (size_t p = 0; p < 256; p++) {
        pixels[p] = (uint8_t)p;
    }
    check_status(lutra_torus_check(&circuit, &error), LUTRA_OK, &error);
    check_status(lutra_alloc(&scratch, lutra_torus_scratch_bytes(&circuit), 1, &error), LUTRA_OK,
                 &error);
    lutra_torus_run(&circuit, NULL, logits, seen, pixels, scratch);
    const LutraTorusResult y = lutra_torus_result(&circuit, 3, scratch);
    static const int64_t factors[4] = {1, -1, 2, 3};
    uint32_t moved = 0;
    uint64_t outside = 0;
    for (int64_t e = 0; e < 4 * 256; e++) {
        const int64_t x = factors[e / 256] * (e % 256) + 1024; /* 2 turns more: not negative */
        const int64_t tick = (2 * x + 1 + 4) / 8;
        const int64_t bucket = (tick + 1) / 2 % 64;
        const int64_t exact = lutra_round_half_up(x - 1024, 3);
        assert_int_equal(y.values[e], bucket < 32 ? bucket : -(bucket - 32));
        moved += e < 256 && bucket != exact;
        outside += bucket >= 32 || exact < 0 || exact > 31;
    }
    assert_int_equal(moved, 2 * 32);
    assert_int_equal(seen[3].out_of_range, outside);
    circuit.parameters[0].log2_poly = 4;
    check_status(lutra_torus_check(&circuit, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "reads 5 bits"));
    lutra_free(&scratch);
    lutra_circuit_deinit(&circuit);
}

/* --- through lutra_simulate ------------------------------------------------------------------- */

static void simulation_does_not_depend_on_threads(void **state) {
    (void)state;
    enum { IMAGES = 37 };
    for (uint32_t c = 0; c < 6; c++) {
        LutraCircuit circuit;
        LutraSimulation results[2] = {{0}};
        uint16_t labels[IMAGES];
        circuit_random(&circuit, check_key(7300 + c), (CircuitStyle)(c % CIRCUIT_STYLES));
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(7400 + c), IMAGES);
        for (uint32_t i = 0; i < IMAGES; i++) {
            labels[i] = (uint16_t)(i % circuit.class_count);
        }
        const LutraImages images = {.pixels = pixels,
                                    .labels = labels,
                                    .count = IMAGES,
                                    .shape = circuit.operations[0].shape,
                                    .class_count = circuit.class_count};
        for (uint32_t r = 0; r < 2; r++) {
            LutraSimulateSettings settings;
            LutraError error = {""};
            lutra_simulate_default(&settings);
            settings.mode = LUTRA_MODE_TORUS;
            settings.threads = r == 0 ? 1 : 3;
            settings.keep_logits = true;
            check_status(lutra_simulate(&results[r], &circuit, &images, &settings, &error),
                         LUTRA_OK, &error);
        }
        assert_int_equal(results[0].out_of_range, results[1].out_of_range);
        assert_memory_equal(results[0].logits, results[1].logits,
                            (size_t)IMAGES * circuit.class_count * sizeof(float));
        assert_memory_equal(results[0].operations, results[1].operations,
                            circuit.operation_count * sizeof(LutraOperationStatistics));
        assert_int_equal(results[0].operations[0].elements,
                         IMAGES * lutra_shape_elements(images.shape));
        lutra_simulation_deinit(&results[0]);
        lutra_simulation_deinit(&results[1]);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

static void only_tables_read_what_is_not_rounded(void **state) {
    (void)state;
    CircuitBuilder builder;
    LutraCircuit circuit;
    LutraError error = {""};
    builder_start(&builder, check_key(3), CIRCUIT_SMALL);
    const uint32_t x = builder_input(&builder, (LutraShape){2, 1, 1}, (LutraEncoding){8, true}, -9,
                                     9);
    const uint32_t y = builder_linear(&builder, x, 3);
    const uint32_t z = builder_round(&builder, y, 2, false);
    (void)builder_output(&builder, builder_linear(&builder, z, 2), 0);
    builder.circuit.operations[z].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    builder_finish(&builder, &circuit);
    check_status(lutra_torus_check(&circuit, &error), LUTRA_EUNAVAILABLE, &error);
    assert_non_null(strstr(error.message, "'round2'"));
    const uint8_t pixels[2] = {1, 2};
    const uint16_t label = 0;
    const LutraImages images = {pixels, &label, 1, circuit.operations[0].shape, 2};
    LutraSimulation result;
    LutraSimulateSettings settings;
    lutra_simulate_default(&settings);
    settings.mode = LUTRA_MODE_TORUS;
    check_status(lutra_simulate(&result, &circuit, &images, &settings, &error),
                 LUTRA_EUNAVAILABLE, &error);
    circuit.operations[z].u.round.mode = LUTRA_ROUNDING_EXACT;
    check_status(lutra_torus_check(&circuit, &error), LUTRA_OK, &error);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_circuits_agree_while_in_range),
        cmocka_unit_test(vgg9_agrees_while_in_range),
        cmocka_unit_test(every_width_follows_the_rule),
        cmocka_unit_test(few_ticks_move_thresholds_down),
        cmocka_unit_test(simulation_does_not_depend_on_threads),
        cmocka_unit_test(only_tables_read_what_is_not_rounded),
    };
    return cmocka_run_group_tests_name("torus run", tests, NULL, NULL);
}
