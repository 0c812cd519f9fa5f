/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lutra's look-ups against those of tfhe-rs, with the same keys and ciphertexts. Keys come from a
 * fixed seed; standard deviations of the toy sets are chosen small, not secure.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bridge/lookup.h"
#include "sim/torus_rounding.h"
#include "tests/bridge/support.h"
#include "tests/support/check.h"

static const uint8_t seed[LUTRA_TEST_SEED_BYTES] = {7};

/* One of each kind: polynomials, levels, odd dimensions, both modulus switches. */
static const LutraCryptoParameters sets[] = {
    {.lwe_dim = 31, .glwe_dim = 1, .log2_poly = 10, .pbs_level = 1, .pbs_base_log = 24,
     .ks_level = 3, .ks_base_log = 5, .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
     .lwe_std = 1e-9, .glwe_std = 1e-15},
    {.lwe_dim = 20, .glwe_dim = 3, .log2_poly = 8, .pbs_level = 2, .pbs_base_log = 15,
     .ks_level = 7, .ks_base_log = 2, .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
     .lwe_std = 1e-9, .glwe_std = 1e-13},
    {.lwe_dim = 17, .glwe_dim = 1, .log2_poly = 11, .pbs_level = 3, .pbs_base_log = 11,
     .ks_level = 2, .ks_base_log = 8, .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
     .lwe_std = 1e-10, .glwe_std = 1e-15},
    {.lwe_dim = 26, .glwe_dim = 2, .log2_poly = 9, .pbs_level = 1, .pbs_base_log = 24,
     .ks_level = 40, .ks_base_log = 1, .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
     .lwe_std = 1e-10, .glwe_std = 1e-15},
};
enum { SETS = sizeof sets / sizeof sets[0] };

static LutraBackend open_backend(const LutraCryptoParameters *parameters, uint32_t threads,
                                 bool library_lookups, uint32_t cpu_flags) {
    LutraBackend backend;
    LutraBackendSettings settings;
    LutraError error = {""};
    lutra_backend_settings_default(&settings);
    settings.threads = threads;
    settings.library_lookups = library_lookups;
    settings.cpu_flags = cpu_flags;
    check_status(
        lutra_backend_create(&backend, lutra_backend_tfhe(), parameters, &settings, &error),
        LUTRA_OK, &error);
    check_status(backend.operations->generate_keys(backend.context, seed, NULL, &error), LUTRA_OK,
                 &error);
    return backend;
}

/** Uniform words encrypted: every tick occurs, also with the padding bit set. */
static uint64_t *encrypt_anything(const LutraBackend *backend, size_t count) {
    const size_t size = backend->operations->ciphertext_words(backend->context);
    uint64_t *words = malloc(count * sizeof *words);
    uint64_t *ciphertexts = malloc(count * size * sizeof *ciphertexts);
    LutraError error = {""};
    assert_true(words != NULL && ciphertexts != NULL);
    for (size_t i = 0; i < count; i++) {
        words[i] = lutra_random_u64(check_key(1), i);
    }
    check_status(backend->operations->encrypt(backend->context, ciphertexts, words, count, &error),
                 LUTRA_OK, &error);
    free(words);
    return ciphertexts;
}

static void look_up(const LutraBackend *backend, uint64_t *outputs, const uint64_t *inputs,
                    size_t count, const LutraBackendTables *tables, const uint32_t *choice) {
    LutraError error = {""};
    check_status(backend->operations->bootstrap(backend->context, outputs, inputs, count, tables,
                                                choice, NULL, &error),
                 LUTRA_OK, &error);
}

/* A table with a different entry for each tick shows which tick was read: the very one that
 * tfhe-rs's keyswitch and modulus switch give. Results are within 2^-16, a step is 2^-14. */
static void every_lookup_reads_the_tick_of_tfhe_rs(void **state) {
    (void)state;
    enum { COUNT = 100 };
    for (size_t s = 0; s < SETS; s++) {
        const size_t n = (size_t)1 << sets[s].log2_poly;
        LutraBackend backend = open_backend(&sets[s], 2, false, LUTRA_CPU_ALL);
        const size_t size = backend.operations->ciphertext_words(backend.context);
        uint64_t *inputs = encrypt_anything(&backend, COUNT);
        uint64_t *outputs = malloc(COUNT * size * sizeof *outputs);
        uint64_t *table = malloc(n * sizeof *table);
        assert_true(outputs != NULL && table != NULL);
        uint32_t positions[COUNT];
        uint64_t found[COUNT];
        for (size_t i = 0; i < n; i++) {
            table[i] = (uint64_t)(2 * i + 1) << 49;
        }
        LutraError error = {""};
        LutraBackend library = open_backend(&sets[s], 2, true, 0); /* the same keys */
        uint32_t own[COUNT];
        check_status(library.operations->lookup_positions(library.context, positions, inputs,
                                                          COUNT, &error),
                     LUTRA_OK, &error);
        check_status(
            backend.operations->lookup_positions(backend.context, own, inputs, COUNT, &error),
            LUTRA_OK, &error);
        assert_memory_equal(own, positions, sizeof own);
        lutra_backend_destroy(&library);
        const LutraBackendTables tables = {table, 1, sets[s].log2_poly};
        look_up(&backend, outputs, inputs, COUNT, &tables, NULL);
        check_status(backend.operations->decrypt(backend.context, found, outputs, COUNT, &error),
                     LUTRA_OK, &error);
        bool padding_bit = false;
        for (size_t i = 0; i < COUNT; i++) {
            const bool negative = positions[i] >= n;
            const uint64_t entry = table[positions[i] % n];
            const uint64_t right = negative ? 0 - entry : entry;
            check_close((double)(int64_t)(found[i] - right) * 0x1p-64, 0.0, 0x1p-16);
            padding_bit = padding_bit || negative;
        }
        assert_true(padding_bit);
        free(inputs);
        free(outputs);
        free(table);
        lutra_backend_destroy(&backend);
    }
}

/* The arithmetic is defined to the last bit: neither instruction sets nor threads, batches or
 * working in place change a ciphertext. */
static void results_depend_on_nothing_but_keys_and_inputs(void **state) {
    (void)state;
    enum { COUNT = 20 };
    for (size_t s = 0; s < SETS; s++) {
        LutraBackend first = open_backend(&sets[s], 1, false, 0);
        const size_t size = first.operations->ciphertext_words(first.context);
        uint64_t *inputs = encrypt_anything(&first, COUNT);
        uint64_t *expected = malloc(COUNT * size * sizeof *expected);
        assert_non_null(expected);
        const uint64_t words[8] = {1, 2, 3, 4, UINT64_C(1) << 60, 5, 6, UINT64_C(7) << 61};
        const LutraBackendTables tables = {words, 2, 2};
        uint32_t choice[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            choice[i] = i % 3 == 0;
        }
        look_up(&first, expected, inputs, COUNT, &tables, choice);
        const uint32_t flags[3] = {LUTRA_CPU_AVX2, LUTRA_CPU_ALL, LUTRA_CPU_ALL};
        for (uint32_t f = 0; f < 3; f++) {
            LutraBackend other = open_backend(&sets[s], f + 1, false, flags[f]);
            uint64_t *outputs = encrypt_anything(&other, COUNT);
            assert_memory_equal(outputs, inputs, COUNT * size * sizeof *inputs);
            look_up(&other, outputs, outputs, COUNT, &tables, choice); /* in place */
            assert_memory_equal(outputs, expected, COUNT * size * sizeof *outputs);
            /* alone, as part of another batch */
            look_up(&other, outputs, inputs + 5 * size, 1, &tables, choice + 5);
            assert_memory_equal(outputs, expected + 5 * size, size * sizeof *outputs);
            free(outputs);
            lutra_backend_destroy(&other);
        }
        free(inputs);
        free(expected);
        lutra_backend_destroy(&first);
    }
}

/*
 * Both ways to look up have the same noise: 1,024 results each, so that the ratio of two variances
 * has a relative deviation of 2 sqrt(1 / 1024) = 6.3 %; they share keys and inputs, which makes it
 * smaller. Five deviations.
 */
static void noise_is_that_of_tfhe_rs(void **state) {
    (void)state;
    enum { COUNT = 1024, BITS = 3 };
    static const LutraCryptoParameters set = {
        .lwe_dim = 200, .glwe_dim = 1, .log2_poly = 9, .pbs_level = 1, .pbs_base_log = 18,
        .ks_level = 3, .ks_base_log = 5, .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
        .lwe_std = 1e-7, .glwe_std = 1e-12};
    double squares[2] = {0.0, 0.0};
    double mean[2] = {0.0, 0.0};
    uint64_t words[1 << BITS];
    uint32_t position[COUNT];
    for (size_t i = 0; i < (size_t)1 << BITS; i++) {
        words[i] = lutra_word_encode((int64_t)i, BITS);
    }
    const LutraBackendTables tables = {words, 1, BITS};
    for (size_t library = 0; library < 2; library++) {
        LutraBackend backend = open_backend(&set, 2, library == 1, LUTRA_CPU_ALL);
        uint64_t *ciphertexts = encrypt_anything(&backend, COUNT);
        static uint64_t found[COUNT];
        LutraError error = {""};
        check_status(backend.operations->lookup_positions(backend.context, position, ciphertexts,
                                                          COUNT, &error),
                     LUTRA_OK, &error);
        look_up(&backend, ciphertexts, ciphertexts, COUNT, &tables, NULL);
        check_status(
            backend.operations->decrypt(backend.context, found, ciphertexts, COUNT, &error),
            LUTRA_OK, &error);
        const uint32_t width = (1u << set.log2_poly) >> BITS;
        for (size_t i = 0; i < COUNT; i++) {
            const uint32_t entry = (position[i] + width / 2) / width % (2u << BITS);
            const uint64_t right =
                entry < 1u << BITS ? words[entry] : 0 - words[entry - (1u << BITS)];
            const double deviation = (double)(int64_t)(found[i] - right) * 0x1p-64;
            squares[library] += deviation * deviation / COUNT;
            mean[library] += deviation / COUNT;
        }
        free(ciphertexts);
        lutra_backend_destroy(&backend);
    }
    print_message("noise: lutra 2^%.3f, tfhe-rs 2^%.3f\n", log2(sqrt(squares[0])),
                  log2(sqrt(squares[1])));
    check_close(squares[0] / squares[1], 1.0, 0.32);
    check_close(mean[0] / sqrt(squares[0] / COUNT), 0.0, 5.0);
}

static void impossible_tables_are_refused(void **state) {
    (void)state;
    LutraBackend backend = open_backend(&sets[1], 1, false, LUTRA_CPU_ALL);
    uint64_t *ciphertexts = encrypt_anything(&backend, 2);
    static const uint64_t words[512] = {0};
    const uint32_t choice[2] = {0, 1};
    LutraError error = {""};
    const LutraBackendTables wide = {words, 1, 9};
    check_status(backend.operations->bootstrap(backend.context, ciphertexts, ciphertexts, 2, &wide,
                                               NULL, NULL, &error),
                 LUTRA_EINVAL, &error);
    const LutraBackendTables one = {words, 1, 2};
    check_status(backend.operations->bootstrap(backend.context, ciphertexts, ciphertexts, 2, &one,
                                               choice, NULL, &error),
                 LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "index"));
    free(ciphertexts);
    lutra_backend_destroy(&backend);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lookup_reads_the_tick_of_tfhe_rs),
        cmocka_unit_test(results_depend_on_nothing_but_keys_and_inputs),
        cmocka_unit_test(noise_is_that_of_tfhe_rs),
        cmocka_unit_test(impossible_tables_are_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return RUN_REAL_TESTS("look-ups", tests, NULL, NULL);
}
