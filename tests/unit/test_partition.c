/* SPDX-License-Identifier: Apache-2.0 */
/* One parameter set for each class of tables: what it keeps, what it costs, that it is a least one
 * by coordinates. Errors are recomputed from the variances of every element (sim/prediction.h), and
 * costs from the operations, neither from the patterns that the search uses. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_parameters.h"
#include "sim/crypto_cost.h"
#include "sim/key_layout.h"
#include "sim/noise.h"
#include "sim/partition.h"
#include "sim/prediction.h"
#include "sim/security_curve.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/* input -> conv -> table of 3 bits -> conv -> round to 5 -> table -> linear -> output. */
static void make_two_widths(LutraCircuit *circuit, LutraRoundingMode mode, uint32_t channels) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(5), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){1, 6, 6}, (LutraEncoding){3, true}, -1, 1);
    at = builder_conv(&builder, at, 6, 2, 1, 0);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -1, 1, true);
    at = builder_conv(&builder, at, channels, 3, 1, 0);
    at = builder_round(&builder, at, 3, false);
    builder.circuit.operations[at].u.round.mode = mode;
    at = builder_table(&builder, at, (LutraEncoding){6, true}, -1, 1, true);
    (void)builder_output(&builder, builder_linear(&builder, at, 3), 0);
    builder_finish(&builder, circuit);
}

static LutraParametersChoice choose(LutraCircuit *circuit, LutraPartition partition,
                                    double p_error, double global_p_error) {
    LutraParametersChoice choice;
    LutraParametersTarget target;
    LutraError error = {""};
    lutra_parameters_target_default(&target);
    target.p_error = p_error;
    target.global_p_error = global_p_error;
    target.partition = partition;
    check_status(lutra_circuit_choose_parameters(&choice, circuit, &target, &error), LUTRA_OK,
                 &error);
    check_status(lutra_circuit_check(circuit, &error), LUTRA_OK, &error);
    return choice;
}

/* Worst error of any look-up of a table or digit, from the variance of every element. */
static double worst_error(const LutraCircuit *circuit) {
    LutraPrediction prediction;
    double worst = 0.0;
    check_status(lutra_prediction_init(&prediction, circuit, LUTRA_NOISE_TFHE_RS, NULL), LUTRA_OK,
                 NULL);
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (lutra_operation_pbs(op) == 0) {
            continue;
        }
        const LutraOperation *const x = &circuit->operations[op->inputs[0]];
        for (size_t e = 0; e < lutra_shape_elements(op->shape); e++) {
            const double var_t2 = prediction.var_t2[op->inputs[0]][e];
            const double p =
                op->kind == LUTRA_OPERATION_TABLE
                    ? lutra_noise_p_error(var_t2 + prediction.lookups[i].lookup_var_t2,
                                          x->encoding.bits)
                    : lutra_prediction_exact_rounding(&prediction.lookups[i], var_t2,
                                                      x->encoding.bits, 1);
            worst = fmax(worst, p);
        }
    }
    lutra_prediction_deinit(&prediction);
    return worst;
}

static double cost_of(const LutraCircuit *circuit) {
    LutraKeyLayout layout;
    LutraError error = {""};
    double sum = 0.0;
    check_status(lutra_key_layout_init(&layout, circuit, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (lutra_operation_pbs(op) > 0) {
            const LutraCryptoParameters *const set =
                &circuit->parameters[lutra_key_layout_lookup_set(&layout, circuit, i)];
            const LutraCryptoParameters *const from =
                &circuit->parameters[layout.set_of_result[op->inputs[0]]];
            sum += (double)lutra_operation_pbs(op) *
                   (lutra_cost_lookup(set) -
                    lutra_cost_keyswitch(set->glwe_dim << set->log2_poly, set->lwe_dim,
                                         set->ks_level) +
                    lutra_cost_keyswitch(from->glwe_dim << from->log2_poly, set->lwe_dim,
                                         set->ks_level));
        }
    }
    lutra_key_layout_deinit(&layout);
    return sum;
}

static void two_widths_have_two_sets(void **state) {
    (void)state;
    for (int exact = 0; exact < 2; exact++) {
        LutraCircuit circuit;
        make_two_widths(&circuit,
                        exact == 1 ? LUTRA_ROUNDING_EXACT : LUTRA_ROUNDING_APPROXIMATE, 8);
        LutraParametersChoice single = choose(&circuit, LUTRA_PARTITION_NONE, 1e-6, 0.0);
        assert_int_equal(circuit.parameter_count, 1);
        check_close(single.single_cost, single.cost, 0.0);
        const double single_cost = single.cost;
        lutra_parameters_choice_deinit(&single);
        LutraParametersChoice choice = choose(&circuit, LUTRA_PARTITION_WIDTH, 1e-6, 0.0);
        assert_true(choice.feasible);
        assert_int_equal(circuit.parameter_count, 2);
        assert_int_equal(circuit.operations[2].u.table.parameter_index, 0);
        assert_int_equal(circuit.operations[5].u.table.parameter_index, 1);
        assert_int_equal(circuit.parameters[0].precision_bits, 3);
        assert_true(choice.cost < 0.9 * single_cost);
        check_close(choice.single_cost, single_cost, 0.0);
        check_close(choice.cost / cost_of(&circuit), 1.0, 1e-12);
        const double worst = worst_error(&circuit);
        assert_true(worst <= 1e-6);
        check_close(worst / fmax(circuit.parameters[0].p_error, circuit.parameters[1].p_error),
                    1.0, 1e-9);
        lutra_parameters_choice_deinit(&choice);
        lutra_circuit_deinit(&circuit);
    }
}

/* 40 random circuits, all partitions, one p_error or a global one: kept, and never dearer. */
static void random_circuits_keep_the_p_error(void **state) {
    (void)state;
    uint32_t divided = 0;
    for (uint32_t n = 0; n < CHECK_DRAWS(40); n++) {
        LutraCircuit circuit;
        const LutraRandomKey key = check_key(1000 + n);
        circuit_random(&circuit, key, CIRCUIT_TERNARY);
        if (n % 2 == 1) { /* sums are about as small as codes: narrow tables beside wide ones */
            circuit_make_thin(&circuit, key);
        }
        if (n % 5 == 4) {
            circuit_make_hybrid(&circuit, key);
        }
        static const LutraPartition partitions[3] = {LUTRA_PARTITION_WIDTH, LUTRA_PARTITION_NORM,
                                                     LUTRA_PARTITION_TABLE};
        const LutraPartition partition = partitions[n % 3];
        const double p_error = n % 4 == 3 ? 0.0 : pow(10.0, -1.0 - n % 7);
        LutraParametersChoice choice = choose(&circuit, partition, p_error, 1e-3);
        if (choice.feasible) {
            assert_true(choice.cost <= choice.single_cost);
            check_close(choice.cost / cost_of(&circuit), 1.0, 1e-12);
            /* the search takes an add's inputs, or a border, for noisier than they may be */
            assert_true(worst_error(&circuit) <= choice.p_error * (1.0 + 1e-9));
            assert_true(p_error > 0.0 || choice.global_p_error <= 1e-3 ||
                        choice.output_p_error > choice.p_error);
            divided += circuit.parameter_count > 1;
        }
        lutra_parameters_choice_deinit(&choice);
        lutra_circuit_deinit(&circuit);
    }
    assert_true(divided >= CHECK_DRAWS(12));
}

/* A random set of the space that parameters.h names, with about as large a small key. */
static LutraCryptoParameters draw_set(LutraCryptoParameters set, LutraRandomKey key, uint64_t i) {
    const LutraSecurityCurve *const curve = lutra_security_curve(132);
    const uint64_t first = 8 * i;
    set.lwe_dim += (uint32_t)lutra_random_below(key, first, 60);
    set.lwe_dim -= 30;
    set.glwe_dim = 1 + (uint32_t)lutra_random_below(key, first + 1, 4);
    set.log2_poly = 8 + (uint32_t)lutra_random_below(key, first + 2, 5);
    set.pbs_level = 1 + (uint32_t)lutra_random_below(key, first + 3, 3);
    set.pbs_base_log = 5 + (uint32_t)lutra_random_below(key, first + 4, 20);
    set.ks_level = 1 + (uint32_t)lutra_random_below(key, first + 5, 6);
    set.ks_base_log = 1 + (uint32_t)lutra_random_below(key, first + 6, 9);
    set.lwe_std = lutra_security_std(curve, set.lwe_dim);
    set.glwe_std = lutra_security_std(curve, set.glwe_dim << set.log2_poly);
    return set;
}

/* No one set can be exchanged for a cheaper one: among 200,000 random ones, all that are cheaper
 * break p_error. That they are many shows that the bound is reached and not just kept. */
static void no_exchange_of_one_set_is_cheaper(void **state) {
    (void)state;
    LutraCircuit circuit;
    uint32_t cheaper = 0;
    make_two_widths(&circuit, LUTRA_ROUNDING_APPROXIMATE, 64);
    LutraParametersChoice choice = choose(&circuit, LUTRA_PARTITION_WIDTH, 1e-4, 0.0);
    assert_int_equal(circuit.parameter_count, 2);
    for (uint64_t i = 0; i < CHECK_DRAWS(200000); i++) {
        const uint32_t which = (uint32_t)(i & 1);
        const LutraCryptoParameters kept = circuit.parameters[which];
        circuit.parameters[which] = draw_set(kept, check_key(77), i);
        if (!isnan(circuit.parameters[which].glwe_std) && cost_of(&circuit) < choice.cost) {
            cheaper++;
            assert_true(circuit.parameters[which].log2_poly < 8 || worst_error(&circuit) > 1e-4);
        }
        circuit.parameters[which] = kept;
    }
    assert_true(cheaper > CHECK_DRAWS(1000));
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

/* Five tables of about one width, read by sums of more and more results. */
static void make_chain(LutraCircuit *circuit) {
    static const uint32_t channels[5] = {64, 64, 128, 8, 16};
    CircuitBuilder builder;
    builder_start(&builder, check_key(6), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){4, 13, 13}, (LutraEncoding){3, true}, -1, 1);
    for (uint32_t i = 0; i < 5; i++) {
        at = builder_conv(&builder, at, channels[i], i == 3 ? 4 : 3, 1, 0);
        const uint32_t bits = builder.circuit.operations[at].encoding.bits;
        at = builder_round(&builder, at, bits > 6 ? bits - 6 : 0, false);
        at = builder_table(&builder, at, (LutraEncoding){6, true}, -1, 1, true);
    }
    (void)builder_output(&builder, builder_linear(&builder, at, 3), 0);
    builder_finish(&builder, circuit);
}

/* Only one table is read by sums so noisy that its bootstrap needs two levels. A search that starts
 * where all have those cannot leave it: no table may be noisier before its reader has room. Any set
 * of what is left is worth its key: to take another one costs more, or breaks p_error. */
static void each_table_has_a_set_if_it_is_worth_it(void **state) {
    (void)state;
    LutraCircuit circuit;
    uint32_t levels[3] = {0};
    make_chain(&circuit);
    LutraParametersChoice choice = choose(&circuit, LUTRA_PARTITION_TABLE, 0.01, 0.0);
    const uint32_t count = circuit.parameter_count;
    assert_true(choice.cost < 0.8 * choice.single_cost);
    assert_true(worst_error(&circuit) <= 0.01);
    check_close(choice.cost / cost_of(&circuit), 1.0, 1e-12);
    for (uint32_t i = 0; i < circuit.operation_count; i++) {
        const LutraOperation *const op = &circuit.operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            const uint32_t level = circuit.parameters[op->u.table.parameter_index].pbs_level;
            assert_true(level <= 2);
            levels[level]++;
        }
    }
    assert_true(levels[1] >= 3);
    assert_true(count >= 2 && count <= 4); /* of five tables: at least one set is given up */
    for (uint32_t i = 0; i < count * count; i++) {
        const LutraCryptoParameters kept = circuit.parameters[i / count];
        circuit.parameters[i / count] = circuit.parameters[i % count];
        assert_true(i / count == i % count || worst_error(&circuit) > 0.01 ||
                    cost_of(&circuit) > 1.004 * choice.cost);
        circuit.parameters[i / count] = kept;
    }
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_widths_have_two_sets),
        cmocka_unit_test(random_circuits_keep_the_p_error),
        cmocka_unit_test(no_exchange_of_one_set_is_cheaper),
        cmocka_unit_test(each_table_has_a_set_if_it_is_worth_it),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("sim/partition", tests, NULL, NULL);
}
