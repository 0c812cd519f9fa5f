/* SPDX-License-Identifier: Apache-2.0 */
/* Variances and risks of look-ups against published formulas and sums written out. */
#include "sim/prediction.h"

#include <math.h>
#include <stdlib.h>

#include "sim/torus_rounding.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static void add_parameters(LutraCircuit *circuit) {
    circuit_give_parameters(circuit, circuit_toy_set(17));
}

/** Input, ternary layer, 6-bit table, layer, output. */
static void build(LutraCircuit *circuit) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(7), CIRCUIT_TERNARY);
    const LutraEncoding wide = {6, true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 5, 5}, wide, -1, 1);
    x = builder_linear(&builder, x, 50);
    x = builder_table(&builder, x, wide, -1, 1, false);
    x = builder_linear(&builder, x, 4);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    add_parameters(circuit);
}

/* If every neighbour differs and the value stands in the middle, the risk is the published p_error;
 * if only the upper one differs, half of it. */
static void risks_follow_the_published_formulas(void **state) {
    (void)state;
    enum { BITS = 4 };
    int32_t entries[16];
    const LutraWordTable table = {entries, BITS, false, 5};
    for (int32_t i = 0; i < 16; i++) {
        entries[i] = i + 1;
    }
    LutraPredictedLookup lookup = {.table = table, .index = 9};
    for (double deviation = 1e-3; deviation < 1e-2; deviation *= 1.5) {
        lookup.var_t2 = deviation * deviation;
        const LutraLookupRisk risk = lutra_prediction_risk(&lookup);
        const double published = lutra_noise_p_error(lookup.var_t2, BITS);
        check_close(risk.wrong_box, published, 1e-6 * published);
        check_close(risk.wrong_value, published, 1e-6 * published);
    }
    for (int32_t i = 0; i < 16; i++) {
        entries[i] = i > 9;
    }
    lookup.bias = 1.0 / 4096;
    const LutraLookupRisk half = lutra_prediction_risk(&lookup);
    check_close(half.wrong_value,
                0.5 * erfc((1.0 / 64 - 1.0 / 4096) / sqrt(2.0 * lookup.var_t2)), 1e-9);

    /* Against the off-by-one formula of approximate rounding, both thresholds far apart. */
    for (int64_t x = 64; x < 96; x++) {
        const LutraRoundOperation round = {.dropped_bits = 5};
        const int64_t rounded = (x + 16) >> 5;
        const uint64_t word = lutra_word_encode(x, BITS + 5) +
                              lutra_word_round_constant(&round, 0, BITS + 5);
        const LutraNoiseRounding rounding = {BITS + 5, 5, true, 10, LUTRA_MODULUS_SWITCH_STANDARD};
        lookup = (LutraPredictedLookup){.table = table,
                                        .index = rounded,
                                        .off_centre =
                                            lutra_word_deviation(word, rounded, BITS),
                                        .var_t2 = 0.002 * 0.002,
                                        .bias = 1.0 / 4096};
        const double both = lutra_prediction_risk(&lookup).wrong_box;
        check_close(both, lutra_noise_off_by_one(&rounding, x, lookup.var_t2), 1e-6);
    }
}

/* The mean of semantics' off-by-one formula over all places of a bucket; where the noise is much
 * smaller than the bucket also E|noise| over its width. Exactly rounded sums have none. */
static void even_sums_are_off_by_one_as_the_formula_says(void **state) {
    (void)state;
    for (uint32_t dropped = 1; dropped <= 10; dropped++) {
        enum { BITS = 4 };
        CircuitBuilder builder;
        LutraCircuit circuit;
        LutraPrediction prediction;
        builder_start(&builder, check_key(11), CIRCUIT_TERNARY);
        uint32_t x = builder_input(&builder, (LutraShape){1, 3, 3},
                                   (LutraEncoding){BITS + dropped, true}, -1, 1);
        x = builder_linear(&builder, x, 3);
        x = builder_round(&builder, x, dropped, false);
        builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
        x = builder_table(&builder, x, (LutraEncoding){4, true}, -1, 1, true);
        (void)builder_output(&builder, builder_linear(&builder, x, 2), 1);
        builder_finish(&builder, &circuit);
        const double deviation = 0.002; /* the keyswitch's; a cell is 1/32 wide */
        LutraCryptoParameters set = {.lwe_dim = 600,
                                     .glwe_dim = 1,
                                     .log2_poly = 17,
                                     .pbs_level = 2,
                                     .pbs_base_log = 15,
                                     .ks_level = 5,
                                     .ks_base_log = 4,
                                     .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
                                     .lwe_std = 1.0,
                                     .glwe_std = 1e-14};
        set.lwe_std =
            deviation / sqrt(lutra_noise_keyswitch(LUTRA_NOISE_TFHE_RS, 1u << 17, 5, 4, 1.0));
        circuit_give_parameters(&circuit, set);
        check_status(lutra_prediction_init(&prediction, &circuit, LUTRA_NOISE_TFHE_RS, NULL),
                     LUTRA_OK, NULL);
        const LutraNoiseRounding rounding = {BITS + dropped, dropped, true, 17,
                                             LUTRA_MODULUS_SWITCH_CENTERED};
        const double var_t2 = prediction.var_t2[2][0] + prediction.lookups[3].lookup_var_t2;
        double mean = 0.0;
        for (int64_t place = 0; place < INT64_C(1) << dropped; place++) {
            mean += ldexp(lutra_noise_off_by_one(&rounding, place, var_t2),
                          -(int)dropped);
        }
        const double rate = lutra_prediction_off_by_one(&prediction, &circuit, 3);
        check_close(rate / mean, 1.0, 1e-3); /* 256 places of 1024 */
        if (dropped >= 6) {
            check_close(rate / (deviation * sqrt(2.0 / 3.14159265358979323846) * 32.0), 1.0, 0.01);
        }
        lutra_prediction_deinit(&prediction);
        circuit.operations[2].u.round.mode = LUTRA_ROUNDING_EXACT;
        check_status(lutra_prediction_init(&prediction, &circuit, LUTRA_NOISE_TFHE_RS, NULL),
                     LUTRA_OK, NULL);
        check_close(lutra_prediction_off_by_one(&prediction, &circuit, 3), 0.0, 0.0);
        lutra_prediction_deinit(&prediction);
        lutra_circuit_deinit(&circuit);
    }
}

static void variances_are_sums_of_squares(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit);
    LutraPrediction prediction;
    check_status(lutra_prediction_init(&prediction, &circuit, LUTRA_NOISE_TFHE_RS, NULL),
                 LUTRA_OK, NULL);
    const LutraLinearOperation *const first = &circuit.operations[1].u.linear;
    const LutraLinearOperation *const second = &circuit.operations[3].u.linear;
    double squares[2] = {0.0, 0.0};
    for (size_t i = 0; i < first->in_features; i++) {
        squares[0] += first->weights[i] * first->weights[i];
    }
    for (size_t i = 0; i < second->in_features; i++) {
        squares[1] += second->weights[i] * second->weights[i];
    }
    const double fresh = lutra_noise_fresh(&circuit.parameters[0]);
    const double bootstrap = lutra_noise_bootstrap_of(&circuit.parameters[0], LUTRA_NOISE_TFHE_RS);
    const LutraNoiseBreakdown lookup =
        lutra_noise_of_lookup(&circuit.parameters[0], LUTRA_NOISE_TFHE_RS, 0.0, 6);
    check_close(prediction.lookups[2].lookup_var_t2 / lookup.total_var_t2, 1.0, 1e-12);
    check_close(prediction.var_t2[1][0] / (squares[0] * fresh), 1.0, 1e-12);
    check_close(prediction.var_t2[2][0] / bootstrap, 1.0, 1e-12);
    check_close(prediction.var_t2[3][0] / (squares[1] * bootstrap), 1.0, 1e-12);
    lutra_prediction_deinit(&prediction);
    lutra_circuit_deinit(&circuit);
}

/* With ternary weights squares are magnitudes, so variances in units of a fresh one are what the
 * circuit with positive weights gives for an image of ones. The second layer reads values that
 * differ: at the borders of the first it had padding. */
static void variances_follow_every_kind_of_operation(void **state) {
    (void)state;
    enum { DROPPED = 2 };
    CircuitBuilder builder;
    LutraCircuit circuit;
    builder_start(&builder, check_key(9), CIRCUIT_TERNARY);
    const LutraEncoding wide = {12, true};
    uint32_t x = builder_input(&builder, (LutraShape){2, 7, 6}, wide, -1, 1);
    x = builder_conv(&builder, x, 3, 3, 1, 1);
    x = builder_conv(&builder, x, 2, 3, 2, 1);
    x = builder_sum_pool(&builder, x, 2, 1);
    x = builder_add(&builder, x, x);
    x = builder_round(&builder, x, DROPPED, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_EXACT;
    x = builder_linear(&builder, x, 4);
    (void)builder_output(&builder, x, 0);
    builder_finish(&builder, &circuit);
    add_parameters(&circuit);
    LutraPrediction prediction;
    check_status(lutra_prediction_init(&prediction, &circuit, LUTRA_NOISE_TFHE_RS, NULL),
                 LUTRA_OK, NULL);
    int32_t units[6][128];
    const int32_t *values[6];
    const double fresh = lutra_noise_fresh(&circuit.parameters[0]);
    for (uint32_t i = 0; i < 5; i++) {
        LutraOperation *const op = &circuit.operations[i];
        const size_t count = lutra_shape_elements(op->shape);
        assert_true(count <= 128);
        values[i] = units[i];
        if (op->kind == LUTRA_OPERATION_CONV) {
            const LutraShape x_shape = circuit.operations[i - 1].shape;
            for (size_t w = 0; w < 9 * (size_t)op->shape.channels * x_shape.channels; w++) {
                op->u.conv.weights[w] = (int8_t)abs(op->u.conv.weights[w]);
            }
        }
        for (size_t e = 0; e < count && i == 0; e++) {
            units[0][e] = 1;
        }
        if (i > 0) {
            (void)lutra_operation_apply(units[i], &circuit, i, NULL, values);
        }
        for (size_t e = 0; e < count; e++) {
            const double expected = units[i][e] * fresh;
            check_close(prediction.var_t2[i][e], expected, 1e-12 * expected);
            if (i == 4) {
                const double rounded = expected + DROPPED * prediction.lookups[5].bootstrap_var_t2;
                check_close(prediction.var_t2[5][e], rounded, 1e-12 * rounded);
            }
        }
    }
    lutra_prediction_deinit(&prediction);
    lutra_circuit_deinit(&circuit);
}

/* Each dropped bit is a table of no bits, read where the bit has been moved to the top. */
static void exact_rounding_risks_one_sign_per_bit(void **state) {
    (void)state;
    const LutraLookupNoise noise = {.bootstrap_var_t2 = 3e-9, .lookup_var_t2 = 2e-3};
    const double first = lutra_noise_p_error(64 * 64 * 1e-6 + 2e-3, 0);
    const double second = lutra_noise_p_error(32 * 32 * (1e-6 + 3e-9) + 2e-3, 0);
    check_close(lutra_prediction_exact_rounding(&noise, 1e-6, 6, 0), 0.0, 0.0);
    check_close(lutra_prediction_exact_rounding(&noise, 1e-6, 6, 1), first, 1e-12 * first);
    check_close(lutra_prediction_exact_rounding(&noise, 1e-6, 6, 2), first + second,
                1e-12 * first);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(risks_follow_the_published_formulas),
        cmocka_unit_test(even_sums_are_off_by_one_as_the_formula_says),
        cmocka_unit_test(variances_are_sums_of_squares),
        cmocka_unit_test(variances_follow_every_kind_of_operation),
        cmocka_unit_test(exact_rounding_risks_one_sign_per_bit),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("sim/prediction", tests, NULL, NULL);
}
