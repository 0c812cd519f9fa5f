/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted runs on toy ciphertexts: borders, failures, refusals. What they compute is compared in
 * test_torus_encrypted.c. */
#include "bridge/encrypted.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/cost_model.h"
#include "sim/crypto_cost.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static LutraCircuitKeys open_fake(const LutraCircuit *circuit) {
    memset(&fake, 0, sizeof fake);
    LutraCircuitKeys keys;
    LutraBackendSettings settings;
    LutraError error = {""};
    lutra_backend_settings_default(&settings);
    check_status(lutra_circuit_keys_init(&keys, &fake_operations, circuit, &settings, &error),
                 LUTRA_OK, &error);
    check_status(lutra_circuit_keys_generate(&keys, NULL, NULL, &error), LUTRA_OK, &error);
    return keys;
}

/** Gives the circuit one parameter set, wide enough for every table. */
static void add_parameters(LutraCircuit *circuit) {
    const LutraCryptoParameters set = {
        .lwe_dim = 10, .glwe_dim = 1, .log2_poly = 17, .pbs_level = 1, .pbs_base_log = 20,
        .ks_level = 1, .ks_base_log = 10, .lwe_std = 1e-9, .glwe_std = 1e-12};
    circuit_give_parameters(circuit, set);
}

/** A chain with both roundings, a pool, a residual sum, per-channel tables. */
static void build_chain(LutraCircuit *circuit, bool clear_ends) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(500), CIRCUIT_TERNARY);
    const LutraEncoding wide = {8, true};
    uint32_t x = builder_input(&builder, (LutraShape){2, 6, 6}, wide, -3, 3);
    x = builder_conv(&builder, x, 3, 3, 1, 1);
    if (clear_ends) {
        builder.circuit.operations[x].in_clear = true;
    }
    const uint32_t rounded = builder_round(&builder, x, 3, true);
    builder.circuit.operations[rounded].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    const uint32_t left = builder_table(&builder, rounded, wide, -2, 2, true);
    const uint32_t exact = builder_round(&builder, x, 2, true);
    builder.circuit.operations[exact].u.round.mode = LUTRA_ROUNDING_EXACT;
    const uint32_t right = builder_table(&builder, exact, wide, -2, 2, false);
    x = builder_add(&builder, left, right);
    x = builder_sum_pool(&builder, x, 2, 2);
    x = builder_table(&builder, x, wide, -1, 1, true);
    x = builder_linear(&builder, x, 4);
    if (clear_ends) {
        builder.circuit.operations[x].in_clear = true;
    }
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    add_parameters(circuit);
}

static void clear_ends_move_the_border(void **state) {
    (void)state;
    int32_t *codes[2];
    for (int clear = 0; clear < 2; clear++) {
        LutraCircuit circuit;
        build_chain(&circuit, clear != 0);
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
        LutraCircuitKeys keys = open_fake(&circuit);
        const LutraEncryptedSettings settings = {.threads = 2, .cpu_flags = LUTRA_CPU_ALL};
        LutraError error = {""};
        codes[clear] = calloc(circuit.class_count, sizeof **codes);
        check_status(lutra_encrypted_run(codes[clear], NULL, &keys, &circuit, pixels, &settings,
                                         &error),
                     LUTRA_OK, &error);
        lutra_circuit_keys_deinit(&keys);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
    check_equal_i32(codes[1], codes[0], 4);
    free(codes[0]);
    free(codes[1]);
}

static void every_failing_call_ends_the_run_and_leaves_outputs_alone(void **state) {
    (void)state;
    LutraCircuit circuit;
    build_chain(&circuit, true);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
    const LutraEncryptedSettings settings = {.threads = 1, .cpu_flags = LUTRA_CPU_ALL};
    uint64_t calls = 0;
    for (uint64_t fail_at = 0; fail_at == 0 || fail_at <= calls; fail_at++) {
        LutraCircuitKeys keys = open_fake(&circuit);
        fake.calls = 0;
        fake.fail_at = fail_at;
        int32_t codes[4] = {-77, -77, -77, -77};
        LutraEncryptedReport report = {.lookups = 4711};
        LutraError error = {""};
        const LutraStatus status = lutra_encrypted_run(codes, &report, &keys, &circuit, pixels,
                                                       &settings, &error);
        if (fail_at == 0) {
            check_status(status, LUTRA_OK, &error);
            calls = fake.calls;
            assert_true(calls >= 6);
        } else {
            check_status(status, LUTRA_EIO, &error);
            assert_string_equal(error.message, "the fake backend was told to fail");
            assert_int_equal(codes[0], -77);
            assert_int_equal(codes[3], -77);
            assert_int_equal(report.lookups, 4711);
        }
        lutra_circuit_keys_deinit(&keys);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

typedef struct {
    uint64_t last;
    uint64_t total;
    uint64_t stop_at;
} Ticks;

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    Ticks *const ticks = user;
    (void)stage;
    (void)figure;
    assert_true(done >= ticks->last && done <= total);
    ticks->last = done;
    ticks->total = total;
    return done >= ticks->stop_at;
}

static void progress_counts_lookups_and_can_stop(void **state) {
    (void)state;
    LutraCircuit circuit;
    build_chain(&circuit, false);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
    for (uint64_t stop_at = 0; stop_at < 200; stop_at += 50) {
        Ticks ticks = {0, 0, stop_at == 150 ? UINT64_MAX : stop_at};
        const LutraProgress progress = {tick, NULL, &ticks};
        const LutraEncryptedSettings settings = {
            .threads = 1, .cpu_flags = LUTRA_CPU_ALL, .progress = &progress};
        LutraCircuitKeys keys = open_fake(&circuit);
        int32_t codes[4];
        check_status(lutra_encrypted_run(codes, NULL, &keys, &circuit, pixels, &settings, NULL),
                     stop_at == 150 ? LUTRA_OK : LUTRA_ECANCELLED, NULL);
        assert_int_equal(ticks.total, lutra_circuit_pbs(&circuit));
        lutra_circuit_keys_deinit(&keys);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

/* The cost model walks through a circuit as a run does: same look-ups, same ciphertexts alive. */
static void the_predicted_memory_is_what_a_run_needs(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        LutraCircuit circuit;
        if (i < 2) {
            build_chain(&circuit, i == 1);
        } else {
            circuit_random(&circuit, check_key(600 + i), i % CIRCUIT_STYLES);
            add_parameters(&circuit);
        }
        if (i % 2 == 0 && i > 2) {
            circuit_make_hybrid(&circuit, check_key(700 + i));
        }
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
        int32_t *codes = calloc(circuit.class_count, sizeof *codes);
        LutraCircuitKeys keys = open_fake(&circuit);
        const LutraEncryptedSettings settings = {.threads = 1, .cpu_flags = LUTRA_CPU_ALL};
        LutraEncryptedReport report;
        LutraCircuitCost cost;
        LutraError error = {""};
        const LutraStatus status = lutra_encrypted_run(codes, &report, &keys, &circuit, pixels,
                                                       &settings, &error);
        if (status == LUTRA_OK) { /* some random circuits round what no table reads */
            check_status(lutra_circuit_cost(&cost, &circuit, lutra_machine_profile_builtin(), 1,
                                            &error),
                         LUTRA_OK, &error);
            const uint64_t bytes = lutra_ciphertext_bytes(&circuit.parameters[0]);
            assert_int_equal(cost.lookups, report.lookups);
            assert_int_equal(cost.ciphertext_bytes / bytes,
                             report.ciphertext_bytes / (FAKE_WORDS * sizeof(uint64_t)));
            lutra_circuit_cost_deinit(&cost);
        }
        assert_true(status == LUTRA_OK || i >= 2);
        lutra_circuit_keys_deinit(&keys);
        lutra_free(&pixels);
        free(codes);
        lutra_circuit_deinit(&circuit);
    }
}

static void circuits_that_cannot_run_are_refused(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    build_chain(&circuit, false);
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_OK, &error);

    circuit.parameter_count = 0;
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EINVAL, &error);
    circuit.parameter_count = 1;

    circuit.parameters[0].log2_poly = 4;
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EINVAL, &error);
    circuit.parameters[0].log2_poly = 17;

    lutra_circuit_deinit(&circuit);

    CircuitBuilder builder;
    builder_start(&builder, check_key(502), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){2, 1, 1}, (LutraEncoding){6, true}, -9, 9);
    x = builder_round(&builder, x, 2, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    x = builder_linear(&builder, x, 2);
    (void)builder_output(&builder, x, 0);
    builder_finish(&builder, &circuit);
    add_parameters(&circuit);
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EUNAVAILABLE, &error);
    lutra_circuit_deinit(&circuit);
}

static void a_backend_that_cannot_start_leaves_nothing(void **state) {
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.fail_at = 1;
    LutraBackend backend;
    LutraBackendSettings settings;
    const LutraCryptoParameters parameters = {0};
    lutra_backend_settings_default(&settings);
    check_status(lutra_backend_create(&backend, &fake_operations, &parameters, &settings, NULL),
                 LUTRA_EIO, NULL);
    assert_null(backend.context);
    assert_int_equal(fake.alive, 0);
    lutra_backend_destroy(&backend);
    lutra_backend_destroy(NULL);
}

/* Two sets: a backend that knows one only says so, keys beyond the limit are refused, and whatever
 * call fails, nothing is left. */
static void several_sets_need_a_backend_that_has_them(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraCircuitKeys keys;
    LutraBackendSettings settings;
    LutraBackendOperations one = fake_operations;
    LutraError error = {""};
    build_chain(&circuit, false);
    const LutraCryptoParameters set = circuit.parameters[0];
    lutra_free(&circuit.parameters);
    check_status(lutra_alloc(&circuit.parameters, 2, sizeof set, NULL), LUTRA_OK, NULL);
    circuit.parameter_count = 2;
    circuit.parameters[0] = set;
    circuit.parameters[1] = set;
    circuit.parameters[1].glwe_dim = 2;
    uint32_t last = circuit.operation_count - 1;
    while (circuit.operations[last].kind != LUTRA_OPERATION_TABLE) {
        last--;
    }
    circuit.operations[last].u.table.parameter_index = 1;
    memset(&fake, 0, sizeof fake);
    lutra_backend_settings_default(&settings);
    settings.maximum_key_bytes = 0;
    one.create_reader = NULL;
    check_status(lutra_circuit_keys_init(&keys, &one, &circuit, &settings, &error),
                 LUTRA_EUNAVAILABLE, &error);
    settings.maximum_key_bytes = 1000;
    check_status(lutra_circuit_keys_init(&keys, &fake_operations, &circuit, &settings, &error),
                 LUTRA_EINVAL, &error);
    settings.maximum_key_bytes = 0;
    for (uint64_t fail_at = 1; fail_at <= 5; fail_at++) {
        memset(&fake, 0, sizeof fake);
        fake.fail_at = fail_at;
        LutraStatus status =
            lutra_circuit_keys_init(&keys, &fake_operations, &circuit, &settings, &error);
        if (status == LUTRA_OK) {
            status = lutra_circuit_keys_generate(&keys, NULL, NULL, &error);
        }
        check_status(status, LUTRA_EIO, &error);
        lutra_circuit_keys_deinit(&keys);
        assert_int_equal(fake.alive, 0);
    }
    memset(&fake, 0, sizeof fake);
    check_status(lutra_circuit_keys_init(&keys, &fake_operations, &circuit, &settings, &error),
                 LUTRA_OK, &error);
    check_status(lutra_circuit_keys_generate(&keys, NULL, NULL, &error), LUTRA_OK, &error);
    assert_int_equal(fake.alive, 3); /* two sets and one reader */
    assert_int_equal(fake.calls, 5);
    const LutraBackend *const before = lutra_circuit_keys_of_result(&keys, last - 1);
    const LutraBackend *const behind = lutra_circuit_keys_of_result(&keys, last);
    assert_int_equal(fake_ciphertext_words(before->context), FAKE_WORDS);
    assert_int_equal(fake_ciphertext_words(behind->context), FAKE_WORDS + 2);
    lutra_circuit_keys_deinit(&keys);
    circuit.parameter_count = 0;
    check_status(lutra_circuit_keys_init(&keys, &fake_operations, &circuit, &settings, &error),
                 LUTRA_EINVAL, &error);
    circuit.parameter_count = 2;
    lutra_circuit_deinit(&circuit);
}

static void the_tfhe_backend_is_there_or_says_how_to_get_it(void **state) {
    (void)state;
    LutraBackend backend;
    LutraBackendSettings settings;
    LutraError error = {""};
    lutra_backend_settings_default(&settings);
    const LutraCryptoParameters impossible = {0};
    const LutraStatus status =
        lutra_backend_create(&backend, lutra_backend_tfhe(), &impossible, &settings, &error);
    check_status(status, LUTRA_WITH_TFHE ? LUTRA_EINVAL : LUTRA_EUNAVAILABLE, &error);
    assert_null(backend.context);
    assert_true(strlen(error.message) > 20);
    assert_non_null(lutra_backend_tfhe()->name());
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_ends_move_the_border),
        cmocka_unit_test(every_failing_call_ends_the_run_and_leaves_outputs_alone),
        cmocka_unit_test(progress_counts_lookups_and_can_stop),
        cmocka_unit_test(the_predicted_memory_is_what_a_run_needs),
        cmocka_unit_test(circuits_that_cannot_run_are_refused),
        cmocka_unit_test(a_backend_that_cannot_start_leaves_nothing),
        cmocka_unit_test(several_sets_need_a_backend_that_has_them),
        cmocka_unit_test(the_tfhe_backend_is_there_or_says_how_to_get_it),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/encrypted", tests, NULL, NULL);
}
