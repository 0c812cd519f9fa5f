/* SPDX-License-Identifier: Apache-2.0 */
/* The bookkeeping of a verification, on toy ciphertexts that err on demand. */
#include "bridge/verify.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/layer_statistics.h"
#include "sim/torus_encoding.h"
#include "tests/bridge/fake_backend.h"
#include "tests/bridge/rounded_circuit.h"

static LutraVerifySettings fake_settings(void) {
    memset(&fake, 0, sizeof fake);
    LutraVerifySettings settings;
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    return settings;
}

static void build(LutraCircuit *circuit, uint32_t dropped) {
    rounded_circuit(circuit, dropped, 50, circuit_toy_set(FAKE_LOG2_POLY));
}

static void noise_free_runs_have_nothing_wrong(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 40; n++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
        circuit_give_parameters(&circuit, circuit_toy_set(FAKE_LOG2_POLY));
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
        rounded_circuit(&circuit, cases[i].dropped, 400, circuit_toy_set(FAKE_LOG2_POLY));
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

static const LutraVerifyLayer *layer_of(const LutraVerifyResult *result, uint32_t operation) {
    for (uint32_t i = 0; i < result->layer_count; i++) {
        if (result->layers[i].operation == operation) {
            return &result->layers[i];
        }
    }
    fail_msg("operation %u was not verified", operation);
    return NULL;
}

static void check_relative(double actual, double expected) {
    check_close(actual, expected, 1e-12 + 1e-9 * fabs(expected));
}

/** Histograms of the simulation and the look-ups of encrypted runs expect the same errors, as long
 * as no value leaves its range: the one saturates there, the other wraps.
 * Adds to the errors expected of tables and of exact roundings. */
static void compare_expectations(double sums[2], const LutraVerifyResult *result,
                                 const LutraCircuit *circuit, uint8_t *pixels, uint32_t count) {
    uint16_t labels[8] = {0};
    const LutraImages images = {.pixels = pixels,
                                .labels = labels,
                                .count = count,
                                .shape = circuit->operations[0].shape,
                                .class_count = circuit->class_count};
    LutraSimulateSettings simulate;
    LutraLayerSettings settings;
    LutraSimulation simulation;
    LutraCircuitStatistics statistics;
    lutra_simulate_default(&simulate);
    lutra_layer_settings_default(&settings);
    check_status(lutra_simulate(&simulation, circuit, &images, &simulate, NULL), LUTRA_OK, NULL);
    check_status(lutra_circuit_statistics(&statistics, circuit, &images, &simulation, &settings,
                                          NULL),
                 LUTRA_OK, NULL);
    for (uint32_t i = 0; i < statistics.layer_count && simulation.out_of_range == 0; i++) {
        const LutraLayerStatistics *const layer = &statistics.layers[i];
        if (!layer->is_predicted) {
            continue;
        }
        const LutraVerifyLayer *const verified = layer_of(result, layer->reading.operation);
        check_relative(layer->expected_displaced * count, verified->expected_wrong_boxes);
        check_relative(layer->expected_changed * count, verified->expected_mismatches);
        check_relative(layer->noise_deviation > 0.0, 1.0);
        sums[0] += layer->expected_changed * count;
        sums[1] += layer->expected_rounding * count;
        if (layer->expected_rounding > 0.0) {
            const uint32_t round = circuit->operations[layer->reading.operation].inputs[0];
            check_relative(layer->expected_rounding * count,
                           layer_of(result, round)->expected_mismatches);
        }
    }
    lutra_circuit_statistics_deinit(&statistics);
    lutra_simulation_deinit(&simulation);
}

static void simulation_and_verification_expect_the_same(void **state) {
    (void)state;
    double sums[2] = {0.0, 0.0};
    for (uint32_t n = 0; n < 40; n++) {
        LutraCircuit circuit;
        if (n % 4 == 0) {
            build(&circuit, 2);
            circuit.operations[2].u.round.mode = LUTRA_ROUNDING_EXACT;
        } else {
            circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
            circuit_give_parameters(&circuit, circuit_toy_set(FAKE_LOG2_POLY));
        }
        /* Expected, but not there: every look-up is right. Signs fail by the noise of sums. */
        circuit.parameters[0].lwe_std = n % 4 == 0 ? 1e-9 : 3e-4;
        circuit.parameters[0].glwe_std = n % 4 == 0 ? 1e-4 : 1e-14;
        circuit.parameters[0].modulus_switch =
            n % 2 == 0 ? LUTRA_MODULUS_SWITCH_STANDARD : LUTRA_MODULUS_SWITCH_CENTERED;
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(1000 + n), 2);
        const LutraVerifySettings settings = fake_settings();
        LutraVerifyResult result;
        LutraError error = {""};
        check_status(lutra_verify(&result, &circuit, pixels, 2, &settings, &error), LUTRA_OK,
                     &error);
        assert_int_equal(result.mismatches, 0);
        compare_expectations(sums, &result, &circuit, pixels, 2);
        lutra_verify_result_deinit(&result);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
    assert_true(sums[0] > 1.0 && sums[1] > 1.0);
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
        cmocka_unit_test(simulation_and_verification_expect_the_same),
        cmocka_unit_test(every_failing_call_gives_its_status_and_no_result),
        cmocka_unit_test(finished_samples_survive_cancelling),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/verify", tests, NULL, NULL);
}
