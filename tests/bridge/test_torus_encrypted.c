/* SPDX-License-Identifier: Apache-2.0 */
/* Torus execution against encrypted execution without noise: the same words, bit for bit. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "bridge/encrypted.h"
#include "sim/torus_encoding.h"
#include "sim/torus_run.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

typedef struct {
    const LutraCircuit *circuit;
    const LutraCircuitKeys *keys;
    void *scratch;
    uint32_t results; /* seen */
} Comparison;

static LutraStatus compare_result(void *user, uint32_t operation, const uint64_t *ciphertexts,
                                  size_t count, LutraError *error) {
    Comparison *const comparison = user;
    const LutraTorusResult result =
        lutra_torus_result(comparison->circuit, operation, comparison->scratch);
    const FakeContext *const context =
        lutra_circuit_keys_of_result(comparison->keys, operation)->context;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        const uint64_t word = fake_decrypt_one(context, ciphertexts + i * context->words);
        if (word != result.words[i]) {
            fail_msg("'%s', element %zu: %016llx encrypted, %016llx on the torus",
                     comparison->circuit->operations[operation].name, i, (unsigned long long)word,
                     (unsigned long long)result.words[i]);
        }
    }
    comparison->results++;
    return LUTRA_OK;
}

/** Parameter sets of `count` sizes, as wide as the fake backend's polynomials. */
static void add_parameters(LutraCircuit *circuit, uint32_t count) {
    LutraCryptoParameters sets[4];
    assert_true(count <= 4);
    for (uint32_t i = 0; i < count; i++) {
        sets[i] = (LutraCryptoParameters){.lwe_dim = 10,
                                          .glwe_dim = i + 1,
                                          .log2_poly = FAKE_LOG2_POLY,
                                          .pbs_level = 1,
                                          .pbs_base_log = 20,
                                          .ks_level = 1,
                                          .ks_base_log = 4};
    }
    circuit_give_sets(circuit, sets, count);
}

static void compare(const LutraCircuit *circuit, const uint8_t *pixels, uint32_t threads) {
    LutraError error = {""};
    LutraCircuitKeys keys;
    LutraBackendSettings backend_settings;
    lutra_backend_settings_default(&backend_settings);
    backend_settings.maximum_key_bytes = 0;
    check_status(
        lutra_circuit_keys_init(&keys, &fake_operations, circuit, &backend_settings, &error),
        LUTRA_OK, &error);
    check_status(lutra_circuit_keys_generate(&keys, NULL, NULL, &error), LUTRA_OK, &error);
    Comparison comparison = {.circuit = circuit, .keys = &keys};
    const LutraEncryptedListener listener = {.result = compare_result, .user = &comparison};
    const LutraEncryptedSettings settings = {
        .threads = threads, .cpu_flags = LUTRA_CPU_ALL, .listener = &listener};
    LutraEncryptedReport report;
    LutraOperationStatistics seen[64];
    float logits[128];
    float expected[128];
    int32_t codes[128];
    assert_true(circuit->class_count <= 128 && circuit->operation_count <= 64);
    for (size_t i = 0; i < 64; i++) {
        seen[i] = lutra_operation_statistics_empty();
    }
    check_status(lutra_torus_check(circuit, &error), LUTRA_OK, &error);
    check_status(lutra_alloc(&comparison.scratch, lutra_torus_scratch_bytes(circuit), 1, &error),
                 LUTRA_OK, &error);
    lutra_torus_run(circuit, NULL, logits, seen, pixels, comparison.scratch);
    const uint64_t lookups_before = fake.lookups;
    check_status(lutra_encrypted_run(codes, &report, &keys, circuit, pixels, &settings, &error),
                 LUTRA_OK, &error);
    assert_true(comparison.results > 0);
    assert_int_equal(report.lookups, lutra_circuit_pbs(circuit));
    assert_int_equal(report.lookups, lutra_encrypted_lookups(circuit));
    assert_int_equal(report.lookups, fake.lookups - lookups_before);
    const LutraOperation *const output = &circuit->operations[circuit->operation_count - 1];
    lutra_operation_output(expected, &output->u.output, circuit->class_count, codes);
    assert_memory_equal(logits, expected, circuit->class_count * sizeof(float));
    lutra_free(&comparison.scratch);
    lutra_circuit_keys_deinit(&keys);
    assert_int_equal(fake.alive, 0);
}

static void the_words_are_those_of_real_circuits(void **state) {
    (void)state;
    enum { CASES = 120 };
    memset(&fake, 0, sizeof fake);
    for (uint32_t i = 0; i < CASES; i++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(9100 + i), (CircuitStyle)(i % CIRCUIT_STYLES));
        add_parameters(&circuit, 1 + i % 4);
        if (i % 4 == 3) { /* the first operation on the client, if that leaves any */
            circuit.operations[1].in_clear = circuit.operation_count > 3;
        }
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(9200 + i), 1);
        compare(&circuit, pixels, 1 + i % 3);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_are_those_of_real_circuits),
    };
    return cmocka_run_group_tests_name("torus and encrypted", tests, NULL, NULL);
}
