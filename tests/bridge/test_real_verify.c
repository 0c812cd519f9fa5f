/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small circuits on real ciphertexts with real parameters: every look-up against the simulation,
 * and the number of wrong ones against the noise model.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "bridge/encrypted.h"
#include "bridge/verify.h"
#include "sim/circuit_parameters.h"
#include "sim/parameters.h"
#include "tests/bridge/support.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static const uint8_t seed[LUTRA_TEST_SEED_BYTES] = {42};

static void choose_parameters(LutraCircuit *circuit, uint32_t bits, double norm2, double p_error) {
    LutraParametersSettings settings;
    LutraError error = {""};
    lutra_parameters_default(&settings);
    settings.precision_bits = bits;
    settings.norm2 = norm2;
    settings.p_error = p_error;
    settings.security_bits = 132;
    settings.noise_model = LUTRA_NOISE_TFHE_RS;
    settings.modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
    LutraCryptoParameters set;
    check_status(lutra_parameters_find(&set, &settings, &error), LUTRA_OK, &error);
    circuit_give_parameters(circuit, set);
}

/** A small insecure set with little noise: cells of 6 bits are more than ten deviations wide. */
static void quiet_parameters(LutraCircuit *circuit) {
    const LutraCryptoParameters set = {.lwe_dim = 100,
                                       .glwe_dim = 1,
                                       .log2_poly = 11,
                                       .pbs_level = 2,
                                       .pbs_base_log = 15,
                                       .ks_level = 5,
                                       .ks_base_log = 4,
                                       .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
                                       .lwe_std = 1e-8,
                                       .glwe_std = 1e-14};
    circuit_give_parameters(circuit, set);
}

/** Two ternary layers with a rounding of `mode` in between. */
static void build(LutraCircuit *circuit, LutraRoundingMode mode, uint32_t bits, uint32_t dropped,
                  uint32_t hidden) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(1), CIRCUIT_TERNARY);
    const LutraEncoding wide = {bits, true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 8, 8}, wide, -1, 1);
    x = builder_linear(&builder, x, hidden);
    x = builder_round(&builder, x, dropped, true);
    builder.circuit.operations[x].u.round.mode = mode;
    x = builder_table(&builder, x, wide, -1, 1, true);
    x = builder_linear(&builder, x, 10);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
}

static LutraVerifyResult verify(const LutraCircuit *circuit, size_t count) {
    uint8_t *pixels = circuit_random_pixels(circuit, check_key(2), count);
    LutraVerifySettings settings;
    LutraVerifyResult result;
    LutraError error = {""};
    lutra_verify_default(&settings);
    settings.backend_settings.threads = 2;
    settings.test_seed = seed;
    check_status(lutra_verify(&result, circuit, pixels, count, &settings, &error), LUTRA_OK,
                 &error);
    assert_int_equal(result.sample_count, count);
    assert_int_equal(result.strays, 0);
    assert_int_equal(result.lookups, count * lutra_circuit_pbs(circuit));
    lutra_free(&pixels);
    return result;
}

static const LutraVerifyLayer *layer_of(const LutraVerifyResult *result, LutraOperationKind kind) {
    for (uint32_t i = 0; i < result->layer_count; i++) {
        if (result->layers[i].kind == kind) {
            return &result->layers[i];
        }
    }
    fail_msg("no such layer");
    return NULL;
}

static void report(const char *what, const LutraVerifyResult *result) {
    const LutraVerifyLayer *const table = layer_of(result, LUTRA_OPERATION_TABLE);
    print_message("%s: %llu look-ups, %llu wrong boxes (%.1f expected), %llu mismatches (%.1f), "
                  "noise / predicted: results %.3f, positions %.3f\n",
                  what, (unsigned long long)result->lookups,
                  (unsigned long long)result->wrong_boxes, result->expected_wrong_boxes,
                  (unsigned long long)result->mismatches, result->expected_mismatches,
                  table->noise_std_measured / table->noise_std_predicted,
                  table->lookup_std_measured / table->lookup_std_predicted);
}

/* Approximate rounding: one look-up in a few reads a neighbour, as often as predicted. The interval
 * is that of 6 deviations of a sum of independent events, whose variance is at most its mean. */
static void approximate_rounding_errs_as_often_as_predicted(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, LUTRA_ROUNDING_APPROXIMATE, 7, 4, 120);
    choose_parameters(&circuit, 3, 8.0, 0.01);
    LutraVerifyResult result = verify(&circuit, 4);
    report("approximate", &result);
    const LutraVerifyLayer *const table = layer_of(&result, LUTRA_OPERATION_TABLE);
    assert_true(result.expected_wrong_boxes > 10.0);
    check_close((double)result.wrong_boxes, result.expected_wrong_boxes,
                6.0 * sqrt(result.expected_wrong_boxes));
    check_close((double)result.mismatches, result.expected_mismatches,
                6.0 * sqrt(result.expected_mismatches + 1.0));
    assert_true(result.mismatches <= result.wrong_boxes);
    check_close(table->lookup_std_measured / table->lookup_std_predicted, 1.0, 0.2);
    check_close(table->noise_std_measured / table->noise_std_predicted, 1.0, 0.2);
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

/* With margin: everything is exact, logits are equal bit for bit. */
static void exact_tables_give_equal_logits(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, LUTRA_ROUNDING_APPROXIMATE, 5, 0, 40);
    quiet_parameters(&circuit);
    LutraVerifyResult result = verify(&circuit, 1);
    report("exact", &result);
    assert_int_equal(result.wrong_boxes, 0);
    assert_int_equal(result.logits_equal, 1);
    assert_int_equal(result.top1_agree, 1);
    assert_int_equal(result.verdict, LUTRA_VERDICT_AGREES);
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

/* Three sign look-ups per value, then the table. */
static void exact_rounding_extracts_bits(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, LUTRA_ROUNDING_EXACT, 6, 3, 16);
    quiet_parameters(&circuit);
    LutraVerifyResult result = verify(&circuit, 1);
    report("bit extraction", &result);
    assert_int_equal(result.wrong_boxes, 0);
    assert_int_equal(result.logits_equal, 1);
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

/* Stops after so many look-ups. */
static int stop_later(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const uint64_t *const lookups = user;
    (void)total;
    (void)figure;
    return strcmp(stage, "look-ups") == 0 && done >= *lookups ? 1 : 0;
}

/* In the middle of the second image, before its last table ends: keys and encryptions are made
 * again, and every ciphertext is the very one, so that noise, too, is equal to the last bit. */
static void an_interrupted_run_ends_alike(void **state) {
    static const char *const path = "real_verify_checkpoint.test";
    LutraCircuit circuit;
    (void)state;
    build(&circuit, LUTRA_ROUNDING_EXACT, 7, 1, 20);
    quiet_parameters(&circuit);
    uint64_t lookups = lutra_circuit_pbs(&circuit) * 2 - 1;
    const LutraProgress progress = {stop_later, NULL, &lookups};
    LutraVerifyResult whole = verify(&circuit, 2);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(2), 2);
    LutraVerifySettings settings;
    LutraVerifyResult result;
    LutraError error = {""};
    lutra_verify_default(&settings);
    settings.backend_settings.threads = 1;
    settings.test_seed = seed;
    settings.checkpoint = path;
    settings.progress = &progress;
    (void)unlink(path);
    assert_int_equal(lutra_verify(&result, &circuit, pixels, 2, &settings, &error),
                     LUTRA_ECANCELLED);
    assert_int_equal(result.sample_count, 1);
    lutra_verify_result_deinit(&result);
    settings.resume = true;
    settings.progress = NULL;
    check_status(lutra_verify(&result, &circuit, pixels, 2, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(result.layer_count, whole.layer_count);
    assert_memory_equal(result.layers, whole.layers, whole.layer_count * sizeof *whole.layers);
    assert_memory_equal(result.encrypted_logits, whole.encrypted_logits,
                        2 * whole.class_count * sizeof(float));
    assert_int_equal(access(path, F_OK), -1);
    lutra_verify_result_deinit(&result);
    lutra_verify_result_deinit(&whole);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

/* Tables of 3 and 5 bits with a set each, chosen so that one look-up in a hundred is wrong: noise
 * and wrong look-ups of both are as predicted, the keyswitches from set to set included. 6
 * deviations as above; the first rounding is exact, so that its digits are looked up too. */
static void sets_of_a_partition_keep_what_they_promise(void **state) {
    (void)state;
    CircuitBuilder builder;
    LutraCircuit circuit;
    LutraParametersTarget target;
    LutraParametersChoice choice;
    LutraError error = {""};
    builder_start(&builder, check_key(5), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){1, 6, 6}, (LutraEncoding){4, true}, -1, 1);
    x = builder_conv(&builder, x, 4, 2, 1, 0);
    x = builder_round(&builder, x, 1, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_EXACT;
    x = builder_table(&builder, x, (LutraEncoding){7, true}, -1, 1, true);
    x = builder_conv(&builder, x, 6, 3, 1, 0);
    x = builder_round(&builder, x, 2, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    x = builder_table(&builder, x, (LutraEncoding){6, true}, -1, 1, true);
    (void)builder_output(&builder, builder_linear(&builder, x, 3), 0);
    builder_finish(&builder, &circuit);
    lutra_parameters_target_default(&target);
    target.p_error = 0.01;
    target.partition = LUTRA_PARTITION_WIDTH;
    check_status(lutra_circuit_choose_parameters(&choice, &circuit, &target, &error), LUTRA_OK,
                 &error);
    assert_int_equal(circuit.parameter_count, 2);
    assert_true(choice.cost < choice.single_cost);
    LutraVerifyResult result = verify(&circuit, 2);
    report("partition", &result);
    assert_true(result.verdict == LUTRA_VERDICT_AGREES);
    check_close((double)result.wrong_boxes, result.expected_wrong_boxes,
                6.0 * sqrt(result.expected_wrong_boxes + 1.0));
    for (uint32_t i = 0; i < result.layer_count; i++) {
        const LutraVerifyLayer *const layer = &result.layers[i];
        if (layer->kind == LUTRA_OPERATION_TABLE) {
            check_close(layer->lookup_std_measured / layer->lookup_std_predicted, 1.0, 0.2);
            check_close(layer->noise_std_measured / layer->noise_std_predicted, 1.0, 0.25);
        }
    }
    lutra_verify_result_deinit(&result);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approximate_rounding_errs_as_often_as_predicted),
        cmocka_unit_test(exact_tables_give_equal_logits),
        cmocka_unit_test(exact_rounding_extracts_bits),
        cmocka_unit_test(sets_of_a_partition_keep_what_they_promise),
        cmocka_unit_test(an_interrupted_run_ends_alike),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return RUN_REAL_TESTS("bridge/verify, real", tests, NULL, NULL);
}
