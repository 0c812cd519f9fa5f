/* SPDX-License-Identifier: Apache-2.0 */
/* Circuits as data: encodings, counts, and every invariant refused when it is broken. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static void encodings_hold_their_ranges(void **state) {
    (void)state;
    /* semantics section 1.5 */
    static const struct {
        int64_t min, max;
        uint32_t bits;
        bool is_signed;
    } cases[] = {{0, 7, 3, false}, {0, 8, 4, false},  {-8, 7, 4, true}, {-8, 8, 5, true},
                 {-1, 0, 1, true}, {0, 0, 1, false},  {0, 1, 1, false}, {-1, 1, 2, true},
                 {3, 3, 2, false}, {-128, 127, 8, true}, {-129, 0, 9, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const LutraEncoding encoding = lutra_encoding_of_range(cases[i].min, cases[i].max);
        assert_int_equal(encoding.bits, cases[i].bits);
        assert_int_equal(encoding.is_signed, cases[i].is_signed);
        assert_true(lutra_encoding_min(encoding) <= cases[i].min);
        assert_true(lutra_encoding_max(encoding) >= cases[i].max);
    }
    assert_int_equal(lutra_encoding_max((LutraEncoding){31, false}), INT32_MAX);
    assert_int_equal(lutra_encoding_min((LutraEncoding){31, true}), -(INT64_C(1) << 30));
}

static void vgg9_costs_what_was_published(void **state) {
    (void)state;
    LutraCircuit circuit;
    circuit_vgg9(&circuit, check_key(0), false);
    assert_int_equal(lutra_circuit_pbs(&circuit), 158336);
    assert_int_equal(lutra_circuit_macs(&circuit), 59461376);
    circuit.operations[2].in_clear = true; /* the table after the first convolution */
    assert_int_equal(lutra_circuit_pbs(&circuit), 158336 - 57600);
    lutra_circuit_deinit(&circuit);
    assert_null(circuit.operations);
    lutra_circuit_deinit(&circuit);
}

static void exact_rounding_costs_one_look_up_per_bit(void **state) {
    (void)state;
    LutraOperation op = {.kind = LUTRA_OPERATION_ROUND, .shape = {3, 2, 2}};
    op.u.round.dropped_bits = 5;
    op.u.round.mode = LUTRA_ROUNDING_EXACT;
    assert_int_equal(lutra_operation_pbs(&op), 60);
    op.u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    assert_int_equal(lutra_operation_pbs(&op), 0);
}

/* input 2x4x4 -> conv 3 -> round 2 -> table -> sum_pool -> add(pool, pool) -> table -> linear ->
 * output. */
enum { IN, CONV, ROUND, TABLE, POOL, ADD, TABLE2, LINEAR, OUT };

static void build(LutraCircuit *circuit) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(7), CIRCUIT_SMALL);
    uint32_t x = builder_input(&builder, (LutraShape){2, 4, 4}, (LutraEncoding){8, true}, -3, 3);
    x = builder_conv(&builder, x, 5, 3, 1, 1);
    x = builder_round(&builder, x, 2, true);
    x = builder_table(&builder, x, (LutraEncoding){6, true}, -2, 3, false);
    x = builder_sum_pool(&builder, x, 2, 2);
    x = builder_add(&builder, x, x);
    x = builder_table(&builder, x, (LutraEncoding){9, true}, -2, 3, true);
    x = builder_linear(&builder, x, 4);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
}

#define BREAKS(name, statement)                  \
    static void name(LutraCircuit *c) {          \
        LutraOperation *const op = c->operations; \
        (void)op;                                \
        statement;                               \
    }

BREAKS(no_classes, c->class_count = 0)
BREAKS(other_classes, c->class_count = 5)
BREAKS(one_operation, c->operation_count = 1)
BREAKS(lost_output, c->operation_count = 8)
BREAKS(empty_name, op[CONV].name[0] = '\0')
BREAKS(endless_name, memset(op[CONV].name, 'x', LUTRA_NAME_BYTES))
BREAKS(twice_a_name, strcpy(op[TABLE2].name, op[CONV].name))
BREAKS(no_height, op[CONV].shape.height = 0)
BREAKS(huge, op[CONV].shape = ((LutraShape){60000, 60000, 1}))
BREAKS(unknown_kind, op[ADD].kind = (LutraOperationKind)9)
BREAKS(second_input, op[ADD].kind = LUTRA_OPERATION_INPUT)
BREAKS(too_few_inputs, op[ADD].input_count = 1)
BREAKS(too_many_inputs, op[CONV].input_count = 2)
BREAKS(reads_itself, op[CONV].inputs[0] = CONV)
BREAKS(unused_result, op[LINEAR].inputs[0] = ADD;
       op[LINEAR].encoding = op[OUT].encoding = op[ADD].encoding;
       op[LINEAR].static_range = op[OUT].static_range = ((LutraRange){-1000000, 1000000}))
BREAKS(zero_bits, op[TABLE].encoding.bits = 0)
BREAKS(too_many_bits, op[TABLE].encoding.bits = 32)
BREAKS(other_bits, op[CONV].encoding.bits = 9)
BREAKS(other_sign, op[CONV].encoding.is_signed = false)
BREAKS(code_too_large, op[IN].u.input.code_of_pixel[511] = 128)
BREAKS(input_scale, op[IN].u.input.scale = NAN)
BREAKS(features, op[LINEAR].u.linear.in_features--)
BREAKS(not_a_vector, op[LINEAR].shape.height = 2)
BREAKS(conv_channels, op[CONV].u.conv.in_channels = 3)
BREAKS(conv_kernel, op[CONV].u.conv.kernel = 0)
BREAKS(conv_stride, op[CONV].u.conv.stride = 0)
BREAKS(conv_padding, op[CONV].u.conv.padding = 3)
BREAKS(conv_extent, op[CONV].shape.width = 3)
BREAKS(pool_channels, op[POOL].shape.channels = 4)
BREAKS(pool_kernel, op[POOL].u.sum_pool.kernel = 5)
BREAKS(add_shape, op[ADD].shape.width = 1)
BREAKS(round_mode, op[ROUND].u.round.mode = (LutraRoundingMode)2)
BREAKS(round_all, op[ROUND].u.round.dropped_bits = 8)
BREAKS(round_bits, op[ROUND].encoding.bits = 5)
BREAKS(round_offset, op[ROUND].u.round.offsets[4] = INT32_MAX)
BREAKS(round_shape, op[ROUND].shape.channels = 4)
BREAKS(table_count, op[TABLE].u.table.table_count = 0)
BREAKS(table_too_many, op[TABLE].u.table.table_count = 6)
BREAKS(table_entries, op[TABLE].u.table.entry_count = 128)
BREAKS(table_first, op[TABLE].u.table.first_input = 0)
BREAKS(table_channel, op[TABLE].u.table.table_of_channel[4] = 5)
BREAKS(table_entry, op[TABLE].u.table.entries[0] = 32)
BREAKS(table_entry_low, op[TABLE].u.table.entries[1] = INT32_MIN)
BREAKS(table_entry_high, op[TABLE].u.table.entries[1] = INT32_MAX)
BREAKS(table_parameters, op[TABLE].u.table.parameter_index = 1)
BREAKS(output_scale, op[OUT].u.output.scale = INFINITY)
BREAKS(output_steps, op[OUT].u.output.step_count = 5)
BREAKS(output_bias, op[OUT].u.output.steps[0].bias[3] = NAN)
BREAKS(static_min, op[CONV].static_range.min++)
BREAKS(static_max, op[LINEAR].static_range.max--)
BREAKS(over_32_bits, op[LINEAR].static_range.max = INT64_C(1) << 31)
BREAKS(clear_in_the_middle, op[TABLE].in_clear = true)
BREAKS(no_parameters, c->parameter_count = 1; lutra_free(&c->parameters))

static void every_broken_invariant_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*apply)(LutraCircuit *circuit);
        const char *word; /* in the error sentence */
    } cases[] = {
        {"no_classes", no_classes, "classes"},
        {"other_classes", other_classes, "classes"},
        {"one_operation", one_operation, "operations"},
        {"lost_output", lost_output, "output"},
        {"empty_name", empty_name, "name"},
        {"endless_name", endless_name, "name"},
        {"twice_a_name", twice_a_name, "unique"},
        {"no_height", no_height, "shape"},
        {"huge", huge, "elements"},
        {"unknown_kind", unknown_kind, "needs"},
        {"second_input", second_input, "starts"},
        {"too_few_inputs", too_few_inputs, "inputs"},
        {"too_many_inputs", too_many_inputs, "inputs"},
        {"reads_itself", reads_itself, "before"},
        {"unused_result", unused_result, "nothing reads"},
        {"zero_bits", zero_bits, "bits"},
        {"too_many_bits", too_many_bits, "bits"},
        {"other_bits", other_bits, "bits"},
        {"other_sign", other_sign, "signed"},
        {"code_too_large", code_too_large, "code 128"},
        {"input_scale", input_scale, "finite"},
        {"features", features, "features"},
        {"not_a_vector", not_a_vector, "vector"},
        {"conv_channels", conv_channels, "channels"},
        {"conv_kernel", conv_kernel, "kernel"},
        {"conv_stride", conv_stride, "stride"},
        {"conv_padding", conv_padding, "padding"},
        {"conv_extent", conv_extent, "window"},
        {"pool_channels", pool_channels, "channels"},
        {"pool_kernel", pool_kernel, "window"},
        {"add_shape", add_shape, "shape"},
        {"round_mode", round_mode, "mode"},
        {"round_all", round_all, "dropping"},
        {"round_bits", round_bits, "dropping"},
        {"round_offset", round_offset, "offset"},
        {"round_shape", round_shape, "shape"},
        {"table_count", table_count, "tables"},
        {"table_too_many", table_too_many, "tables"},
        {"table_entries", table_entries, "tables"},
        {"table_first", table_first, "tables"},
        {"table_channel", table_channel, "channel 4"},
        {"table_entry", table_entry, "entry 32"},
        {"table_entry_low", table_entry_low, "entry -2147483648"},
        {"table_entry_high", table_entry_high, "entry 2147483647"},
        {"table_parameters", table_parameters, "parameter"},
        {"output_scale", output_scale, "scale"},
        {"output_steps", output_steps, "steps"},
        {"output_bias", output_bias, "finite"},
        {"static_min", static_min, "stated"},
        {"static_max", static_max, "stated"},
        {"over_32_bits", over_32_bits, "32 bits"},
        {"clear_in_the_middle", clear_in_the_middle, "decrypted"},
        {"no_parameters", no_parameters, "parameter"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraCircuit circuit;
        LutraError error = {""};
        build(&circuit);
        const uint32_t operations = circuit.operation_count;
        LutraOperation *const array = circuit.operations;
        LutraOperation original[OUT + 1];
        memcpy(original, array, sizeof original);
        cases[i].apply(&circuit);
        const LutraStatus status = lutra_circuit_check(&circuit, &error);
        if (status != LUTRA_EDATA || strstr(error.message, cases[i].word) == NULL) {
            fail_msg("'%s' gives '%s': %s", cases[i].name, lutra_status_name(status),
                     error.message);
        }
        memcpy(array, original, sizeof original); /* owners as they were, to free them */
        circuit.operation_count = operations;
        circuit.parameter_count = 0;
        lutra_circuit_deinit(&circuit);
    }
}

static void clear_prefixes_and_suffixes_are_allowed(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    build(&circuit);
    circuit.operations[CONV].in_clear = true;
    circuit.operations[ROUND].in_clear = true;
    circuit.operations[TABLE].in_clear = true;
    check_status(lutra_circuit_check(&circuit, &error), LUTRA_OK, &error);
    circuit.operations[TABLE2].in_clear = true;
    circuit.operations[LINEAR].in_clear = true;
    check_status(lutra_circuit_check(&circuit, &error), LUTRA_OK, &error);
    assert_int_equal(lutra_circuit_pbs(&circuit), 0);
    lutra_circuit_deinit(&circuit);
}

static void ranges_of_dot_products_are_the_extremes(void **state) {
    (void)state;
    int8_t weights[6] = {3, -2, 0, 1, 1, -128};
    LutraOperation op = {.kind = LUTRA_OPERATION_LINEAR, .shape = {1, 1, 1}};
    op.u.linear = (LutraLinearOperation){.in_features = 3, .weights = weights};
    const LutraShape x_shape = {3, 1, 1};
    const LutraRange mixed = {.min = -1, .max = 4};
    LutraRange range = lutra_operation_static_range(&op, x_shape, &mixed);
    assert_int_equal(range.min, 3 * -1 - 2 * 4);
    assert_int_equal(range.max, 3 * 4 - 2 * -1);
    op.shape.channels = 2;
    range = lutra_operation_static_range(&op, x_shape, &mixed);
    assert_int_equal(range.min, -1 - 1 - 128 * 4);
    assert_int_equal(range.max, 4 + 4 - 128 * -1);
    const LutraRange positive = {.min = 2, .max = 5};
    range = lutra_operation_static_range(&op, x_shape, &positive);
    assert_int_equal(range.min, 2 + 2 - 128 * 5);
    assert_int_equal(range.max, 3 * 5 - 2 * 2);
}

/* 2^24 weights of 127 on inputs of 32 bits: sums of partial sums, and bounds that stop. */
static void ranges_of_huge_dot_products_are_bounded(void **state) {
    (void)state;
    enum { COUNT = 1 << 24 };
    int8_t *weights = NULL;
    check_status(lutra_alloc(&weights, COUNT, 1, NULL), LUTRA_OK, NULL);
    memset(weights, 127, COUNT);
    LutraOperation op = {.kind = LUTRA_OPERATION_LINEAR, .shape = {1, 1, 1}};
    op.u.linear = (LutraLinearOperation){.in_features = COUNT, .weights = weights};
    const LutraShape x_shape = {COUNT, 1, 1};
    const LutraRange small = {.min = -3, .max = 5};
    LutraRange range = lutra_operation_static_range(&op, x_shape, &small);
    assert_true(range.min == -3 * INT64_C(127) * COUNT);
    assert_true(range.max == 5 * INT64_C(127) * COUNT);
    const LutraRange wide = {.min = INT32_MIN, .max = INT32_MAX};
    range = lutra_operation_static_range(&op, x_shape, &wide);
    assert_true(range.min == -(INT64_C(1) << 62));
    assert_true(range.max == INT64_C(1) << 62);
    lutra_free(&weights);
}

/* Vector 16: sums of 1000 .. 1999. Concrete's automatic rounder puts 0 into the range as well. */
static void dropped_bits_follow_from_the_range(void **state) {
    (void)state;
    const LutraEncoding encoding = lutra_encoding_of_range(0, 1999);
    assert_int_equal(lutra_encoding_of_range(1000, 1999).bits, encoding.bits);
    assert_int_equal(lutra_rounding_dropped_bits(encoding, 5), 6);
    assert_int_equal(lutra_rounding_dropped_bits(encoding, 3), 8);
    assert_int_equal(lutra_rounding_dropped_bits(encoding, 11), 0);
    assert_int_equal(lutra_rounding_dropped_bits(encoding, 16), 0);
    assert_int_equal(lutra_rounding_dropped_bits(encoding, LUTRA_ROUNDING_NONE), 0);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropped_bits_follow_from_the_range),
        cmocka_unit_test(encodings_hold_their_ranges),
        cmocka_unit_test(vgg9_costs_what_was_published),
        cmocka_unit_test(exact_rounding_costs_one_look_up_per_bit),
        cmocka_unit_test(every_broken_invariant_is_refused),
        cmocka_unit_test(ranges_of_dot_products_are_the_extremes),
        cmocka_unit_test(ranges_of_huge_dot_products_are_bounded),
        cmocka_unit_test(clear_prefixes_and_suffixes_are_allowed),
    };
    return cmocka_run_group_tests_name("circuit", tests, NULL, NULL);
}
