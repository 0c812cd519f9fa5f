/* SPDX-License-Identifier: Apache-2.0 */
/* The bookkeeping of a verification, on toy ciphertexts that err on demand. */
#include "bridge/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bridge/encoding.h"
#include "bridge/prediction.h"
#include "tests/bridge/fake_backend.h"
#include "tests/bridge/support.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static void add_parameters(LutraCircuit *circuit) {
    const LutraCryptoParameters set = {.lwe_dim = 600,
                                       .glwe_dim = 1,
                                       .log2_poly = FAKE_LOG2_POLY,
                                       .pbs_level = 2,
                                       .pbs_base_log = 15,
                                       .ks_level = 5,
                                       .ks_base_log = 4,
                                       .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
                                       .lwe_std = 1e-9,
                                       .glwe_std = 1e-14};
    give_parameters(circuit, set);
}

static LutraVerifySettings fake_settings(void) {
    memset(&fake, 0, sizeof fake);
    LutraVerifySettings settings;
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    return settings;
}

/** Input, ternary layer of `hidden` outputs, 6-bit table, layer, output. */
static void build_wide(LutraCircuit *circuit, uint32_t dropped, uint32_t hidden) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(7), CIRCUIT_TERNARY);
    const LutraEncoding wide = {6 + dropped, true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 5, 5}, wide, -1, 1);
    x = builder_linear(&builder, x, hidden);
    if (dropped > 0) {
        x = builder_round(&builder, x, dropped, true);
        builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    }
    x = builder_table(&builder, x, wide, -1, 1, false);
    x = builder_linear(&builder, x, 4);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    add_parameters(circuit);
}

static void build(LutraCircuit *circuit, uint32_t dropped) {
    build_wide(circuit, dropped, 50);
}

static void noise_free_runs_have_nothing_wrong(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 40; n++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
        add_parameters(&circuit);
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(1000 + n), 2);
        const LutraVerifySettings settings = fake_settings();
        LutraVerifyResult result;
        LutraError error = {""};
        check_status(lutra_verify(&result, &circuit, pixels, 2, &settings, &error), LUTRA_OK,
                     &error);
        assert_int_equal(result.sample_count, 2);
        assert_int_equal(result.lookups, 2 * lutra_circuit_pbs(&circuit));
        assert_int_equal(result.wrong_boxes, 0);
        assert_int_equal(result.mismatches, 0);
        assert_int_equal(result.strays, 0);
        assert_true(result.layer_count > 0);
        assert_int_equal(fake.alive, 0);
        lutra_verify_result_deinit(&result);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

static void exact_circuits_give_equal_logits(void **state) {
    (void)state;
    for (uint32_t dropped = 0; dropped < 3; dropped++) {
        LutraCircuit circuit;
        build(&circuit, dropped);
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 3);
        const LutraVerifySettings settings = fake_settings();
        LutraVerifyResult result;
        check_status(lutra_verify(&result, &circuit, pixels, 3, &settings, NULL), LUTRA_OK, NULL);
        assert_int_equal(result.logits_equal, 3);
        assert_int_equal(result.top1_agree, 3);
        assert_int_equal(result.verdict, LUTRA_VERDICT_AGREES);
        assert_memory_equal(result.clear_logits, result.encrypted_logits,
                            3 * 4 * sizeof(float));
        lutra_verify_result_deinit(&result);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

static void wrong_lookups_are_counted_once_where_they_happen(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 4);
    const LutraVerifySettings settings = fake_settings();
    fake.wrong_every = 10;
    fake.position_bits = 6;
    LutraVerifyResult result;
    check_status(lutra_verify(&result, &circuit, pixels, 4, &settings, NULL), LUTRA_OK, NULL);
    uint64_t boxes = 0;
    for (uint32_t i = 0; i < result.layer_count; i++) {
        const LutraVerifyLayer *const layer = &result.layers[i];
        boxes += layer->wrong_boxes;
        assert_true(layer->kind == LUTRA_OPERATION_TABLE || layer->wrong_boxes == 0);
        assert_true(layer->off_by_one <= layer->mismatches);
        assert_int_equal(layer->strays, 0);
    }
    assert_int_equal(result.lookups, 200);
    assert_true(result.wrong_boxes > 5 && result.wrong_boxes < 50);
    assert_int_equal(result.wrong_boxes, boxes);
    assert_true(result.mismatches > 0 && result.mismatches <= result.wrong_boxes);
    assert_int_equal(result.samples[0].mismatches + result.samples[1].mismatches +
                         result.samples[2].mismatches + result.samples[3].mismatches,
                     result.mismatches);
    assert_int_equal(result.verdict, LUTRA_VERDICT_MORE);
    assert_true(result.mismatch_interval.low > 0.0);
    lutra_verify_result_deinit(&result);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static void unexplained_noise_breaks_the_verdict(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 1);
    const LutraVerifySettings settings = fake_settings();
    fake.noise_std = 1e-4;
    LutraVerifyResult result;
    check_status(lutra_verify(&result, &circuit, pixels, 1, &settings, NULL), LUTRA_OK, NULL);
    assert_true(result.strays > 0);
    assert_int_equal(result.verdict, LUTRA_VERDICT_BROKEN);
    const LutraVerifyLayer *const input = &result.layers[0];
    assert_int_equal(input->kind, LUTRA_OPERATION_INPUT);
    check_close(input->noise_std_measured, 1e-4, 7e-5); /* of 25 values */
    check_close(input->noise_std_predicted, 1e-14, 1e-20);
    lutra_verify_result_deinit(&result);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

/** Verdict on `count` images of a circuit of 6-bit tables, the fake backend as it is set. */
static LutraVerifyResult verdict_on(const LutraCircuit *circuit, uint64_t count,
                                    const LutraVerifySettings *settings) {
    uint8_t *pixels = circuit_random_pixels(circuit, check_key(8), count);
    LutraVerifyResult result;
    LutraError error = {""};
    check_status(lutra_verify(&result, circuit, pixels, count, settings, &error), LUTRA_OK, &error);
    lutra_free(&pixels);
    return result;
}

/*
 * The fake backend's noise is all there is, and the set predicts it: other parts are hundreds of
 * times smaller. 12 * 400 look-ups; twice or half the variance changes the few percent of wrong
 * ones by more than a factor of 1.5, far outside the interval of the count.
 */
static void a_wrong_prediction_of_noise_changes_the_verdict(void **state) {
    (void)state;
    static const struct {
        uint32_t dropped;
        double factor;
        LutraVerdict verdict;
    } cases[] = {{0, 1.0, LUTRA_VERDICT_AGREES},
                 {3, 1.0, LUTRA_VERDICT_AGREES},
                 {0, 1.41421356, LUTRA_VERDICT_MORE},
                 {0, 0.70710678, LUTRA_VERDICT_FEWER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LutraCircuit circuit;
        build_wide(&circuit, cases[i].dropped, 400);
        circuit.parameters[0].glwe_std = 4e-4;
        const LutraVerifySettings settings = fake_settings();
        fake.position_bits = 6;
        fake.noise_std = cases[i].factor * circuit.parameters[0].glwe_std;
        LutraVerifyResult result = verdict_on(&circuit, 12, &settings);
        assert_int_equal(result.strays, 0);
        assert_true(result.expected_mismatches > 50.0);
        assert_int_equal(result.verdict, cases[i].verdict);
        lutra_verify_result_deinit(&result);
        lutra_circuit_deinit(&circuit);
    }
}

/* The client's key differs from the one that encrypted: words are random. */
static void a_wrong_key_of_the_client_breaks_the_verdict(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    const LutraVerifySettings settings = fake_settings();
    fake.wrong_decryption_bit = 1;
    LutraVerifyResult result = verdict_on(&circuit, 1, &settings);
    assert_int_equal(result.verdict, LUTRA_VERDICT_BROKEN);
    assert_int_equal(result.layers[0].strays, result.layers[0].elements); /* the inputs already */
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

/* The evaluation key belongs to another: look-ups read random entries and encrypt them well. */
static void a_wrong_evaluation_key_gives_more_wrong_lookups(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    const LutraVerifySettings settings = fake_settings();
    fake.position_bits = 6;
    fake.wrong_lookup_bit = 1;
    LutraVerifyResult result = verdict_on(&circuit, 1, &settings);
    assert_int_equal(result.strays, 0);
    assert_true(result.wrong_boxes > 40); /* of 50 */
    assert_int_equal(result.verdict, LUTRA_VERDICT_MORE);
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

/* One entry of the tables is wrong, but the position is right: the result is not its entry. */
static void a_wrong_table_breaks_the_verdict(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    const LutraVerifySettings settings = fake_settings();
    fake.wrong_lookup_bit = 1; /* random positions reach every entry, the first one too */
    fake.position_bits = 6;
    fake.wrong_table_word = lutra_word_encode(1, 6);
    LutraVerifyResult result = verdict_on(&circuit, 4, &settings);
    assert_true(result.strays > 0);
    assert_true(result.strays < result.lookups / 10);
    assert_int_equal(result.verdict, LUTRA_VERDICT_BROKEN);
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

static void every_failing_call_gives_its_status_and_no_result(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 2);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 1);
    uint64_t calls = 0;
    for (uint64_t fail_at = 0; fail_at == 0 || fail_at <= calls; fail_at++) {
        const LutraVerifySettings settings = fake_settings();
        fake.fail_at = fail_at;
        LutraVerifyResult result;
        LutraError error = {""};
        const LutraStatus status = lutra_verify(&result, &circuit, pixels, 1, &settings, &error);
        if (fail_at == 0) {
            check_status(status, LUTRA_OK, &error);
            calls = fake.calls;
        } else {
            check_status(status, LUTRA_EIO, &error);
            assert_null(result.samples);
            assert_int_equal(result.sample_count, 0);
        }
        assert_int_equal(fake.alive, 0);
        lutra_verify_result_deinit(&result);
    }
    assert_true(calls > 8);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static int stop_in_second_sample(void *user, const char *stage, uint64_t done, uint64_t total,
                                 double figure) {
    (void)user;
    (void)stage;
    (void)figure;
    return total > 0 && 3 * done > total + 10; /* of three samples */
}

static void finished_samples_survive_cancelling(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 3);
    LutraVerifySettings settings = fake_settings();
    const LutraProgress progress = {stop_in_second_sample, NULL, NULL};
    settings.progress = &progress;
    LutraVerifyResult result;
    check_status(lutra_verify(&result, &circuit, pixels, 3, &settings, NULL), LUTRA_ECANCELLED,
                 NULL);
    assert_int_equal(result.sample_count, 1);
    assert_true(result.samples[0].logits_equal);
    lutra_verify_result_deinit(&result);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
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
                              lutra_torus_round_constant(&round, 0, BITS + 5);
        const LutraNoiseRounding rounding = {BITS + 5, 5, true, 10, LUTRA_MODULUS_SWITCH_STANDARD};
        lookup = (LutraPredictedLookup){.table = table,
                                        .index = rounded,
                                        .off_centre =
                                            lutra_torus_deviation(word, rounded, BITS),
                                        .var_t2 = 0.002 * 0.002,
                                        .bias = 1.0 / 4096};
        const double both = lutra_prediction_risk(&lookup).wrong_box;
        check_close(both, lutra_noise_off_by_one(&rounding, x, lookup.var_t2), 1e-6);
    }
}

static void variances_are_sums_of_squares(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, 0);
    LutraPrediction prediction;
    check_status(lutra_prediction_init(&prediction, &circuit, &circuit.parameters[0],
                                       LUTRA_NOISE_TFHE_RS, NULL),
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
    check_close(prediction.lookup_var_t2 / lookup.total_var_t2, 1.0, 1e-12);
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
    check_status(lutra_prediction_init(&prediction, &circuit, &circuit.parameters[0],
                                       LUTRA_NOISE_TFHE_RS, NULL),
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
                const double rounded = expected + DROPPED * prediction.bootstrap_var_t2;
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
    const LutraPrediction prediction = {.bootstrap_var_t2 = 3e-9, .lookup_var_t2 = 2e-3};
    const double first = lutra_noise_p_error(64 * 64 * 1e-6 + 2e-3, 0);
    const double second = lutra_noise_p_error(32 * 32 * (1e-6 + 3e-9) + 2e-3, 0);
    check_close(lutra_prediction_exact_rounding(&prediction, 1e-6, 6, 0), 0.0, 0.0);
    check_close(lutra_prediction_exact_rounding(&prediction, 1e-6, 6, 1), first, 1e-12 * first);
    check_close(lutra_prediction_exact_rounding(&prediction, 1e-6, 6, 2), first + second,
                1e-12 * first);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_free_runs_have_nothing_wrong),
        cmocka_unit_test(exact_circuits_give_equal_logits),
        cmocka_unit_test(wrong_lookups_are_counted_once_where_they_happen),
        cmocka_unit_test(unexplained_noise_breaks_the_verdict),
        cmocka_unit_test(a_wrong_prediction_of_noise_changes_the_verdict),
        cmocka_unit_test(a_wrong_key_of_the_client_breaks_the_verdict),
        cmocka_unit_test(a_wrong_evaluation_key_gives_more_wrong_lookups),
        cmocka_unit_test(a_wrong_table_breaks_the_verdict),
        cmocka_unit_test(every_failing_call_gives_its_status_and_no_result),
        cmocka_unit_test(finished_samples_survive_cancelling),
        cmocka_unit_test(risks_follow_the_published_formulas),
        cmocka_unit_test(variances_are_sums_of_squares),
        cmocka_unit_test(variances_follow_every_kind_of_operation),
        cmocka_unit_test(exact_rounding_risks_one_sign_per_bit),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/verify", tests, NULL, NULL);
}
