/* SPDX-License-Identifier: Apache-2.0 */
/* Torus execution against encrypted execution without noise: the same words, bit for bit. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bridge/encrypted.h"
#include "sim/torus_encoding.h"
#include "sim/torus_run.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

typedef struct {
    const LutraCircuit *circuit;
    void *scratch;
    uint32_t results; /* seen */
} Comparison;

static LutraStatus compare_result(void *user, uint32_t operation, const uint64_t *ciphertexts,
                                  size_t count, LutraError *error) {
    Comparison *const comparison = user;
    const LutraTorusResult result =
        lutra_torus_result(comparison->circuit, operation, comparison->scratch);
    (void)error;
    for (size_t i = 0; i < count; i++) {
        const uint64_t word = fake_decrypt_one(ciphertexts + i * FAKE_WORDS);
        if (word != result.words[i]) {
            fail_msg("'%s', element %zu: %016llx encrypted, %016llx on the torus",
                     comparison->circuit->operations[operation].name, i, (unsigned long long)word,
                     (unsigned long long)result.words[i]);
        }
    }
    comparison->results++;
    return LUTRA_OK;
}

/** One parameter set, as wide as the fake backend's polynomials, for every table. */
static void add_parameters(LutraCircuit *circuit) {
    const LutraCryptoParameters set = {.lwe_dim = 10, .log2_poly = FAKE_LOG2_POLY};
    circuit_give_parameters(circuit, set);
}

static void compare(const LutraCircuit *circuit, const LutraBackend *backend,
                    const uint8_t *pixels, uint32_t threads) {
    LutraError error = {""};
    Comparison comparison = {.circuit = circuit};
    const LutraEncryptedListener listener = {compare_result, &comparison};
    const LutraEncryptedSettings settings = {.threads = threads, .listener = &listener};
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
    check_status(lutra_encrypted_run(codes, &report, backend, circuit, pixels, &settings, &error),
                 LUTRA_OK, &error);
    assert_true(comparison.results > 0);
    assert_int_equal(report.lookups, lutra_circuit_pbs(circuit));
    assert_int_equal(report.lookups, lutra_encrypted_lookups(circuit));
    assert_int_equal(report.lookups, fake.lookups - lookups_before);
    const LutraOperation *const output = &circuit->operations[circuit->operation_count - 1];
    lutra_operation_output(expected, &output->u.output, circuit->class_count, codes);
    assert_memory_equal(logits, expected, circuit->class_count * sizeof(float));
    lutra_free(&comparison.scratch);
}

static void the_words_are_those_of_real_circuits(void **state) {
    (void)state;
    enum { CASES = 60 };
    LutraBackend backend;
    LutraBackendSettings settings;
    const LutraCryptoParameters parameters = {0};
    memset(&fake, 0, sizeof fake);
    lutra_backend_settings_default(&settings);
    check_status(lutra_backend_create(&backend, &fake_operations, &parameters, &settings, NULL),
                 LUTRA_OK, NULL);
    check_status(fake_generate_keys(backend.context, NULL, NULL, NULL), LUTRA_OK, NULL);
    for (uint32_t i = 0; i < CASES; i++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(9100 + i), (CircuitStyle)(i % CIRCUIT_STYLES));
        add_parameters(&circuit);
        if (i % 4 == 3) { /* the first operation on the client, if that leaves any */
            circuit.operations[1].in_clear = circuit.operation_count > 3;
        }
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(9200 + i), 1);
        compare(&circuit, &backend, pixels, 1 + i % 3);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
    lutra_backend_destroy(&backend);
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
