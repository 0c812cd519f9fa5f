/* SPDX-License-Identifier: Apache-2.0 */
/* One set of crypto parameters for a whole circuit: what it keeps, and when there is none. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_parameters.h"
#include "sim/noise.h"
#include "sim/parameters.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/* input -> conv -> (round) -> table -> linear -> output; the table reads 12 - dropped bits. */
static void make(LutraCircuit *circuit, uint32_t dropped_bits) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(3), CIRCUIT_WIDE);
    uint32_t at = builder_input(&builder, (LutraShape){2, 4, 4}, (LutraEncoding){12, true}, -1, 1);
    at = builder_conv(&builder, at, 3, 2, 1, 0);
    if (dropped_bits > 0) {
        at = builder_round(&builder, at, dropped_bits, false);
        builder.circuit.operations[at].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    }
    at = builder_table(&builder, at, (LutraEncoding){10, true}, -1, 1, true);
    at = builder_linear(&builder, at, 3);
    builder_output(&builder, at, 0);
    builder_finish(&builder, circuit);
}

static LutraParametersChoice choose(LutraCircuit *circuit, const LutraParametersTarget *target) {
    LutraParametersChoice choice;
    LutraError error = {""};
    check_status(lutra_circuit_choose_parameters(&choice, circuit, target, &error), LUTRA_OK,
                 &error);
    return choice;
}

static void every_look_up_keeps_the_p_error(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraParametersTarget target;
    LutraError error = {""};
    make(&circuit, 7);
    lutra_parameters_target_default(&target);
    target.p_error = 1e-6;
    LutraParametersChoice choice = choose(&circuit, &target);
    assert_true(choice.feasible);
    assert_int_equal(choice.lookups, 27);
    assert_int_equal(choice.widest, 3);
    assert_int_equal(choice.widest_bits, 5);
    check_close(choice.p_error, 1e-6, 0.0);
    assert_int_equal(circuit.parameter_count, 1);
    LutraWeightNorm norm;
    check_status(lutra_circuit_norm(&norm, &circuit, 3, &error), LUTRA_OK, &error);
    check_close(choice.norms[3].from_client, norm.from_client, 0.0);
    const LutraLookupPattern pattern = {5, norm.from_tables * norm.from_tables,
                                        norm.from_client * norm.from_client};
    const LutraCryptoParameters *const set = &circuit.parameters[0];
    const double reached = lutra_parameters_noise(set, &pattern, LUTRA_NOISE_TFHE_RS).p_error;
    check_close(set->p_error, reached, 1e-12 * reached);
    assert_true(reached <= 1e-6);
    /* the decrypted sums stand at 10 bits, behind weights of this norm */
    check_status(lutra_circuit_norm(&norm, &circuit, 5, &error), LUTRA_OK, &error);
    const double variance = norm.from_tables * norm.from_tables *
                            lutra_noise_bootstrap_of(set, LUTRA_NOISE_TFHE_RS);
    check_close(choice.output_p_error, lutra_noise_p_error(variance, 10), 1e-12);
    assert_true(choice.output_p_error <= 1e-6);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

/* 27 look-ups and 3 decryptions: what the set makes of them is stated, kept, and no dearer than
 * sharing the global p_error out evenly. */
static void a_global_p_error_is_solved_for(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraParametersTarget target;
    make(&circuit, 7);
    for (uint32_t i = 0; i < 6; i++) {
        const double global = pow(10.0, -1.0 - i);
        lutra_parameters_target_default(&target);
        target.global_p_error = global;
        LutraParametersChoice choice = choose(&circuit, &target);
        assert_true(choice.feasible);
        const LutraCryptoParameters set = circuit.parameters[0];
        assert_true(choice.global_p_error <= global);
        const double right =
            27.0 * log1p(-set.p_error) + 3.0 * log1p(-choice.output_p_error);
        check_close(choice.global_p_error / -expm1(right), 1.0, 1e-9);
        check_close(choice.expected_wrong / (27.0 * set.p_error), 1.0, 1e-9);
        const double even = -expm1(log1p(-global) / 30.0);
        assert_true(choice.p_error >= 0.999 * even);
        lutra_parameters_choice_deinit(&choice);
        target.p_error = even;
        choice = choose(&circuit, &target);
        assert_true(choice.feasible && set.cost <= circuit.parameters[0].cost);
        lutra_parameters_choice_deinit(&choice);
    }
    lutra_circuit_deinit(&circuit);
}

/* Fourteen times as many look-ups on 1 bit as on 5: those hardly ever fail, so nearly all of the
 * global p_error is left to the others. */
static void what_narrow_tables_leave_goes_to_wide_ones(void **state) {
    (void)state;
    CircuitBuilder builder;
    LutraCircuit circuit;
    LutraParametersTarget target;
    builder_start(&builder, check_key(3), CIRCUIT_WIDE);
    uint32_t at = builder_input(&builder, (LutraShape){1, 14, 4}, (LutraEncoding){1, false}, 0, 1);
    at = builder_table(&builder, at, (LutraEncoding){5, false}, 0, 1, true);
    at = builder_sum_pool(&builder, at, 4, 4);
    at = builder_table(&builder, at, (LutraEncoding){6, false}, 0, 1, true);
    (void)builder_output(&builder, builder_linear(&builder, at, 2), 0);
    builder_finish(&builder, &circuit);
    lutra_parameters_target_default(&target);
    target.global_p_error = 1e-3;
    LutraParametersChoice choice = choose(&circuit, &target);
    const double even = -expm1(log1p(-1e-3) / (double)choice.lookups);
    assert_int_equal(choice.lookups, 59);
    assert_true(choice.global_p_error <= 1e-3 && choice.p_error > 5.0 * even);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

static void exact_rounding_is_charged(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraParametersTarget target;
    make(&circuit, 7);
    lutra_parameters_target_default(&target);
    target.p_error = 1e-6;
    LutraParametersChoice choice = choose(&circuit, &target);
    const double approximate = circuit.parameters[0].cost;
    lutra_parameters_choice_deinit(&choice);
    circuit.operations[2].u.round.mode = LUTRA_ROUNDING_EXACT;
    choice = choose(&circuit, &target);
    assert_true(choice.feasible);
    assert_int_equal(choice.lookups, 27 * 8);
    assert_true(circuit.parameters[0].cost > approximate);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

static void too_wide_tables_have_no_parameters(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraParametersTarget target;
    LutraError error = {""};
    make(&circuit, 0);
    lutra_parameters_target_default(&target);
    target.p_error = 1e-30;
    /* what stood there would be for another circuit */
    check_status(lutra_alloc(&circuit.parameters, 1, sizeof *circuit.parameters, &error), LUTRA_OK,
                 &error);
    circuit.parameter_count = 1;
    LutraParametersChoice choice = choose(&circuit, &target);
    assert_false(choice.feasible);
    assert_int_equal(circuit.parameter_count, 0);
    assert_null(circuit.parameters);
    assert_int_equal(choice.widest_bits, 12);
    assert_int_equal(choice.obstacle, choice.widest);
    assert_int_equal(choice.obstacle_bits, 12);
    assert_false(choice.is_obstacle_digits);
    const uint32_t enough = choice.enough_rounding;
    assert_in_range(enough, 2, 11);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
    /* its advice holds, and one bit more would not */
    for (uint32_t bits = enough; bits <= enough + 1 && bits < 12; bits++) {
        make(&circuit, 12 - bits);
        choice = choose(&circuit, &target);
        assert_int_equal(choice.feasible, bits == enough);
        lutra_parameters_choice_deinit(&choice);
        lutra_circuit_deinit(&circuit);
    }
}

/* input -> table of 8 bits -> linear -> linear -> rounding to 7 bits -> table -> linear. */
static void make_loud(LutraCircuit *circuit, LutraRoundingMode mode, uint32_t sum_bits) {
    CircuitBuilder builder;
    const LutraEncoding sums = {sum_bits, true};
    builder_start(&builder, check_key(4), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){1, 3, 3}, (LutraEncoding){8, true}, -1, 1);
    at = builder_table(&builder, at, sums, -1, 1, true);
    at = builder_linear(&builder, at, 4);
    at = builder_linear(&builder, at, 4);
    at = builder_round(&builder, at, sum_bits - 7, false);
    builder.circuit.operations[at].u.round.mode = mode;
    at = builder_table(&builder, at, (LutraEncoding){6, true}, -1, 1, true);
    (void)builder_output(&builder, builder_linear(&builder, at, 2), 0);
    builder_finish(&builder, circuit);
    memset(circuit->operations[2].u.linear.weights, 127, 9 * 4); /* norm 127 * 127 * 12 */
    memset(circuit->operations[3].u.linear.weights, 127, 4 * 4);
}

/* Not the widest table, but one behind weights that no set stands; and the digits that an exact
 * rounding takes off such sums, where the table behind it would do. */
static void what_stands_in_the_way_is_named(void **state) {
    (void)state;
    static const double p_errors[] = {1e-100, 1e-3};
    for (int digits = 0; digits < 2; digits++) {
        LutraCircuit circuit;
        LutraParametersTarget target;
        make_loud(&circuit, digits == 1 ? LUTRA_ROUNDING_EXACT : LUTRA_ROUNDING_APPROXIMATE, 24);
        lutra_parameters_target_default(&target);
        target.p_error = p_errors[digits];
        LutraParametersChoice choice = choose(&circuit, &target);
        assert_false(choice.feasible);
        assert_int_equal(choice.widest, 1);
        assert_int_equal(choice.obstacle, 5);
        assert_int_equal(choice.is_obstacle_digits, digits);
        assert_int_equal(choice.obstacle_bits, digits == 1 ? 24 : 7);
        check_close(choice.norms[5].from_tables, 127.0 * 127.0 * 12.0, 1e-6);
        assert_int_equal(choice.enough_rounding == 0, digits);
        lutra_parameters_choice_deinit(&choice);
        lutra_circuit_deinit(&circuit);
    }
}

static void nothing_encrypted_needs_nothing(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraParametersTarget target;
    make(&circuit, 7);
    for (uint32_t i = 1; i + 1 < circuit.operation_count; i++) {
        circuit.operations[i].in_clear = true;
    }
    lutra_parameters_target_default(&target);
    LutraParametersChoice choice = choose(&circuit, &target);
    assert_false(choice.feasible);
    assert_int_equal(choice.lookups, 0);
    assert_int_equal(choice.widest_bits, 0);
    assert_int_equal(circuit.parameter_count, 0);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

static void impossible_targets_are_refused(void **state) {
    (void)state;
    static const struct {
        double p_error;
        double global_p_error;
        uint32_t security_bits;
    } cases[] = {{1.0, 0.01, 132}, {-1e-9, 0.01, 132},        {0.0, 0.0, 132},
                 {0.0, 1.0, 132},  {(double)NAN, 0.01, 132}, {1e-6, 0.0, 127}};
    LutraCircuit circuit;
    LutraParametersChoice choice;
    LutraParametersChoice before;
    LutraError error = {""};
    make(&circuit, 7);
    memset(&choice, 0x5A, sizeof choice);
    memcpy(&before, &choice, sizeof before);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const LutraParametersTarget target = {.p_error = cases[i].p_error,
                                              .global_p_error = cases[i].global_p_error,
                                              .security_bits = cases[i].security_bits};
        check_status(lutra_circuit_choose_parameters(&choice, &circuit, &target, &error),
                     LUTRA_EINVAL, &error);
        assert_memory_equal(&choice, &before, sizeof before);
        assert_int_equal(circuit.parameter_count, 0);
    }
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_look_up_keeps_the_p_error),
        cmocka_unit_test(a_global_p_error_is_solved_for),
        cmocka_unit_test(what_narrow_tables_leave_goes_to_wide_ones),
        cmocka_unit_test(exact_rounding_is_charged),
        cmocka_unit_test(too_wide_tables_have_no_parameters),
        cmocka_unit_test(what_stands_in_the_way_is_named),
        cmocka_unit_test(nothing_encrypted_needs_nothing),
        cmocka_unit_test(impossible_targets_are_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("circuit_parameters", tests, NULL, NULL);
}
