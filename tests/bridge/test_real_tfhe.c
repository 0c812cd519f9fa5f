/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tfhe-rs library through its C interface: keys, encryption, look-ups, noise, refusals.
 *
 * Keys come from fixed test seeds, so every run sees the same ciphertexts up to the rounding of
 * the Fourier transform. Standard deviations of the toy sets are chosen small, not secure.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/backend.h"
#include "bridge/tfhe/lutra_tfhe.h"
#include "sim/noise.h"
#include "sim/torus_rounding.h"
#include "tests/bridge/support.h"
#include "tests/support/check.h"

_Static_assert(sizeof(LutraTfheParameters) == 56, "the Rust struct has this size");
_Static_assert(offsetof(LutraTfheParameters, reserved) == 36, "nine numbers before it");
_Static_assert(offsetof(LutraTfheParameters, lwe_standard_deviation) == 40, "no padding");
_Static_assert(sizeof(LutraTfheStatus) == sizeof(int32_t), "statuses are 32-bit");

static const uint8_t seed_one[LUTRA_TEST_SEED_BYTES] = {1};
static const uint8_t seed_two[LUTRA_TEST_SEED_BYTES] = {2};

/* Four bits; small noise everywhere: errors have probability below 2^-60. */
static const LutraCryptoParameters quiet = {.lwe_dim = 300,
                                            .glwe_dim = 1,
                                            .log2_poly = 10,
                                            .pbs_level = 2,
                                            .pbs_base_log = 15,
                                            .ks_level = 4,
                                            .ks_base_log = 4,
                                            .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
                                            .lwe_std = 1e-9,
                                            .glwe_std = 1e-13};

static const LutraCryptoParameters tiny = {.lwe_dim = 33,
                                           .glwe_dim = 2,
                                           .log2_poly = 8,
                                           .pbs_level = 1,
                                           .pbs_base_log = 20,
                                           .ks_level = 3,
                                           .ks_base_log = 4,
                                           .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
                                           .lwe_std = 1e-9,
                                           .glwe_std = 1e-12};

static LutraBackend open_backend(const LutraCryptoParameters *parameters, uint32_t threads,
                                 const uint8_t *seed) {
    LutraBackend backend;
    LutraBackendSettings settings;
    LutraError error = {""};
    lutra_backend_settings_default(&settings);
    settings.threads = threads;
    check_status(lutra_backend_create(&backend, lutra_backend_tfhe(), parameters, &settings,
                                      &error),
                 LUTRA_OK, &error);
    check_status(backend.operations->generate_keys(backend.context, seed, NULL, &error), LUTRA_OK,
                 &error);
    return backend;
}

static LutraBackend shared; /* quiet, two threads */

static int open_shared(void **state) {
    (void)state;
    shared = open_backend(&quiet, 2, seed_one);
    return 0;
}

static int close_shared(void **state) {
    (void)state;
    lutra_backend_destroy(&shared);
    return 0;
}

static size_t words_of(const LutraBackend *backend) {
    return backend->operations->ciphertext_words(backend->context);
}

static uint64_t *encrypt(const LutraBackend *backend, const uint64_t *words, size_t count) {
    uint64_t *ciphertexts = calloc(count * words_of(backend), sizeof *ciphertexts);
    assert_non_null(ciphertexts);
    LutraError error = {""};
    check_status(backend->operations->encrypt(backend->context, ciphertexts, words, count, &error),
                 LUTRA_OK, &error);
    return ciphertexts;
}

static void decrypt(const LutraBackend *backend, uint64_t *words, const uint64_t *ciphertexts,
                    size_t count) {
    LutraError error = {""};
    check_status(backend->operations->decrypt(backend->context, words, ciphertexts, count, &error),
                 LUTRA_OK, &error);
}

static void look_up(const LutraBackend *backend, uint64_t *ciphertexts, size_t count,
                    const uint64_t *table, size_t table_count, uint32_t bits,
                    const uint32_t *choice) {
    const LutraBackendTables tables = {table, table_count, bits};
    LutraError error = {""};
    check_status(backend->operations->bootstrap(backend->context, ciphertexts, ciphertexts, count,
                                                &tables, choice, NULL, &error),
                 LUTRA_OK, &error);
}

static void versions_and_sizes_are_told(void **state) {
    (void)state;
    assert_int_equal(lutra_tfhe_abi_version(), LUTRA_TFHE_ABI_VERSION);
    assert_non_null(strstr(lutra_tfhe_version_text(), "1.7.0"));
    assert_int_equal(words_of(&shared), 1025);
    /* check: 8 * (300 * 2*2*2*1024 + 1024 * 4 * 301) == 29523968 */
    assert_true(shared.operations->key_bytes(shared.context) == 29523968);
}

static void encryption_hides_and_comes_back(void **state) {
    (void)state;
    enum { COUNT = 33 };
    uint64_t words[COUNT];
    uint64_t back[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        words[i] = lutra_random_u64(check_key(1), i);
    }
    uint64_t *first = encrypt(&shared, words, COUNT);
    uint64_t *second = encrypt(&shared, words, COUNT);
    assert_memory_not_equal(first, second, words_of(&shared) * sizeof *first);
    decrypt(&shared, back, first, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const double difference = fabs((double)(int64_t)(back[i] - words[i]));
        /* 1e-13 of the torus, eight deviations */
        check_close(difference, 0.0, 8 * 1e-13 * 18446744073709551616.0);
        assert_true(back[i] != words[i]);
    }
    free(first);
    free(second);
}

static void a_seed_decides_keys_and_ciphertexts_whatever_the_threads(void **state) {
    (void)state;
    enum { COUNT = 7 };
    const uint64_t words[COUNT] = {0, 1, 2, 3, 4, 5, 6};
    uint64_t *reference = NULL;
    size_t bytes = 0;
    uint64_t keyswitched[COUNT];
    for (uint32_t threads = 1; threads <= 3; threads++) {
        LutraBackend backend = open_backend(&tiny, threads, seed_one);
        uint64_t *ciphertexts = encrypt(&backend, words, COUNT);
        uint64_t here[COUNT];
        LutraError error = {""};
        check_status(backend.operations->keyswitch_decrypt(backend.context, here, ciphertexts,
                                                           COUNT, &error),
                     LUTRA_OK, &error);
        bytes = COUNT * words_of(&backend) * sizeof(uint64_t);
        if (reference == NULL) {
            reference = ciphertexts;
            memcpy(keyswitched, here, sizeof here);
        } else {
            assert_memory_equal(ciphertexts, reference, bytes);
            assert_memory_equal(here, keyswitched, sizeof here); /* same keyswitch key */
            free(ciphertexts);
        }
        lutra_backend_destroy(&backend);
    }
    const uint8_t *others[2] = {seed_two, NULL};
    for (size_t i = 0; i < 2; i++) {
        LutraBackend other = open_backend(&tiny, 1, others[i]);
        uint64_t *ciphertexts = encrypt(&other, words, COUNT);
        assert_memory_not_equal(ciphertexts, reference, bytes);
        free(ciphertexts);
        lutra_backend_destroy(&other);
    }
    free(reference);
}

/* The whole idea of the bridge: sums in C on flat arrays, then one look-up per sum. */
static void dot_products_go_through_tables(void **state) {
    (void)state;
    enum { IN = 64, OUT = 12, BITS = 4 };
    uint64_t words[IN];
    int64_t x[IN];
    for (size_t i = 0; i < IN; i++) {
        x[i] = (int64_t)lutra_random_below(check_key(2), i, 3) - 1;
        words[i] = lutra_word_encode(x[i], BITS);
    }
    uint64_t *inputs = encrypt(&shared, words, IN);
    const size_t size = words_of(&shared);
    uint64_t *sums = calloc(OUT * size, sizeof *sums);
    int64_t expected[OUT];
    for (size_t o = 0; o < OUT; o++) {
        int64_t sum = 0;
        for (size_t i = 0; i < IN; i++) {
            int64_t w = lutra_random_below(check_key(3), o * IN + i, 2) ? 1 : -1;
            if (llabs(sum + w * x[i]) > 7) {
                w = -w; /* stay in [-8, 7] */
            }
            sum += w * x[i];
            for (size_t j = 0; j < size; j++) {
                sums[o * size + j] += (uint64_t)w * inputs[i * size + j];
            }
        }
        sums[o * size + size - 1] += lutra_word_encode(8, BITS);
        expected[o] = sum;
    }
    /* Three tables of signed inputs: 5 x + 1, x^2 and -x, with 7 bits out. */
    uint64_t tables[3 << BITS];
    uint32_t choice[OUT];
    for (int64_t v = -8; v < 8; v++) {
        tables[v + 8] = lutra_word_encode(5 * v + 1, 7);
        tables[v + 8 + 16] = lutra_word_encode(v * v, 7);
        tables[v + 8 + 32] = lutra_word_encode(-v, 7);
    }
    for (uint32_t o = 0; o < OUT; o++) {
        choice[o] = o % 3;
    }
    uint64_t *outputs = calloc(OUT * size, sizeof *outputs);
    const LutraBackendTables all = {tables, 3, BITS};
    check_status(shared.operations->bootstrap(shared.context, outputs, sums, OUT, &all, choice,
                                              NULL, NULL),
                 LUTRA_OK, NULL);
    look_up(&shared, sums, OUT, tables, 3, BITS, choice); /* in place */
    uint64_t apart[OUT];
    uint64_t in_place[OUT];
    decrypt(&shared, apart, outputs, OUT);
    decrypt(&shared, in_place, sums, OUT);
    for (size_t o = 0; o < OUT; o++) {
        const int64_t v = expected[o];
        const int64_t want = o % 3 == 0 ? 5 * v + 1 : o % 3 == 1 ? v * v : -v;
        assert_int_equal(lutra_word_decode(apart[o], (LutraEncoding){7, true}), want);
        assert_int_equal(lutra_word_decode(in_place[o], (LutraEncoding){7, true}), want);
    }
    free(inputs);
    free(sums);
    free(outputs);
}

/* Every code, the padding bit included, in both kinds of modulus switch. */
static void lookups_are_negacyclic(void **state) {
    (void)state;
    enum { BITS = 3, COUNT = 2 << BITS };
    LutraCryptoParameters standard = quiet;
    standard.modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD;
    LutraBackend second = open_backend(&standard, 2, seed_two);
    const LutraBackend *backends[2] = {&shared, &second};
    uint64_t table[1 << BITS];
    uint64_t words[COUNT];
    int64_t entries[1 << BITS];
    for (size_t i = 0; i < COUNT; i++) {
        words[i] = lutra_word_encode((int64_t)i, BITS);
    }
    for (size_t i = 0; i < COUNT / 2; i++) {
        entries[i] = (int64_t)lutra_random_below(check_key(4), i, 15) - 7;
        table[i] = lutra_word_encode(entries[i], 4);
    }
    for (size_t b = 0; b < 2; b++) {
        uint64_t *ciphertexts = encrypt(backends[b], words, COUNT);
        uint64_t found[COUNT];
        look_up(backends[b], ciphertexts, COUNT, table, 1, BITS, NULL);
        decrypt(backends[b], found, ciphertexts, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            const int64_t entry = entries[i % (COUNT / 2)];
            const int64_t want = i < COUNT / 2 ? entry : -entry;
            const double off = lutra_word_deviation(found[i], want, 4);
            check_close(off, 0.0, 1e-3);
        }
        free(ciphertexts);
    }
    lutra_backend_destroy(&second);
}

static void a_table_of_no_bits_is_a_sign(void **state) {
    (void)state;
    const uint64_t quarter = UINT64_C(1) << 62;
    const uint64_t words[6] = {0, quarter - (quarter >> 4), 0 - quarter + (quarter >> 4),
                               2 * quarter, quarter + (quarter >> 4), 0 - quarter - (quarter >> 4)};
    const uint64_t value = quarter / 2;
    uint64_t *ciphertexts = encrypt(&shared, words, 6);
    uint64_t found[6];
    look_up(&shared, ciphertexts, 6, &value, 1, 0, NULL);
    decrypt(&shared, found, ciphertexts, 6);
    for (size_t i = 0; i < 6; i++) {
        check_close(ldexp((double)(int64_t)found[i], -64), i < 3 ? 0.125 : -0.125, 1e-3);
    }
    free(ciphertexts);
}

/* Random words, so that many lie on the edges of boxes: the position tells the very entry. */
static void positions_tell_what_lookups_read(void **state) {
    (void)state;
    enum { BITS = 4, COUNT = 160 };
    LutraCryptoParameters standard = quiet;
    standard.modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD;
    LutraBackend second = open_backend(&standard, 2, seed_two);
    const LutraBackend *backends[2] = {&shared, &second};
    uint64_t words[COUNT];
    uint64_t table[1 << BITS];
    for (size_t i = 0; i < COUNT; i++) {
        words[i] = lutra_random_u64(check_key(5), i);
    }
    for (int64_t i = 0; i < 1 << BITS; i++) {
        table[i] = lutra_word_encode(i, BITS); /* entry e stands for e, from 16 on for -(e - 16) */
    }
    for (size_t b = 0; b < 2; b++) {
        const LutraBackend *const backend = backends[b];
        uint64_t *ciphertexts = encrypt(backend, words, COUNT);
        uint32_t positions[COUNT];
        uint64_t found[COUNT];
        LutraError error = {""};
        check_status(backend->operations->lookup_positions(backend->context, positions,
                                                           ciphertexts, COUNT, &error),
                     LUTRA_OK, &error);
        look_up(backend, ciphertexts, COUNT, table, 1, BITS, NULL);
        decrypt(backend, found, ciphertexts, COUNT);
        const uint32_t width = 1024 >> BITS;
        for (size_t i = 0; i < COUNT; i++) {
            const int64_t entry = (positions[i] + width / 2) / width % 32;
            const int64_t want = entry < 16 ? entry : -(entry - 16);
            check_close(lutra_word_deviation(found[i], want, BITS), 0.0, 1e-3);
            /* and it lies where the word does, within the noise of the switches */
            const double off = (double)positions[i] / 2048 - ldexp((double)words[i], -64);
            check_close(off - round(off), 0.0, 0.01);
        }
        free(ciphertexts);
    }
    lutra_backend_destroy(&second);
}

/* Ciphertexts of one set are looked up with the keys of another, of another size, from either side:
 * values come out right, under the key of the reader's consumer, as its positions tell. */
static void readers_look_up_what_other_sets_made(void **state) {
    (void)state;
    enum { BITS = 3, COUNT = 90 };
    LutraBackend other = open_backend(&tiny, 2, seed_two);
    const LutraBackend *const from[2] = {&shared, &other};
    const LutraBackend *const to[2] = {&other, &shared};
    const uint32_t ticks[2] = {256, 1024};
    uint64_t words[COUNT];
    uint64_t table[1 << BITS];
    for (int64_t i = 0; i < 1 << BITS; i++) {
        table[i] = lutra_word_encode(7 - i, BITS);
    }
    for (int64_t i = 0; i < COUNT; i++) {
        words[i] = lutra_word_encode(i % 8, BITS);
    }
    for (size_t b = 0; b < 2; b++) {
        LutraBackend reader = {.operations = lutra_backend_tfhe()};
        LutraError error = {""};
        check_status(reader.operations->create_reader(&reader.context, to[b]->context,
                                                      from[b]->context, seed_one, NULL, &error),
                     LUTRA_OK, &error);
        assert_int_equal(words_of(&reader), words_of(to[b]));
        uint64_t *inputs = encrypt(from[b], words, COUNT);
        uint64_t *outputs = calloc(COUNT * words_of(to[b]), sizeof *outputs);
        uint32_t positions[COUNT];
        uint64_t found[COUNT];
        const LutraBackendTables tables = {table, 1, BITS};
        check_status(reader.operations->lookup_positions(reader.context, positions, inputs, COUNT,
                                                         &error),
                     LUTRA_OK, &error);
        check_status(reader.operations->keyswitch_decrypt(reader.context, found, inputs, COUNT,
                                                          &error),
                     LUTRA_OK, &error);
        for (size_t i = 0; i < COUNT; i++) {
            check_close(lutra_word_deviation(found[i], (int64_t)i % 8, BITS), 0.0, 1e-2);
        }
        check_status(reader.operations->bootstrap(reader.context, outputs, inputs, COUNT, &tables,
                                                  NULL, NULL, &error),
                     LUTRA_OK, &error);
        decrypt(to[b], found, outputs, COUNT);
        const uint32_t width = ticks[b] >> BITS;
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal((positions[i] + width / 2) / width % 16, i % 8);
            check_close(lutra_word_deviation(found[i], 7 - (int64_t)i % 8, BITS), 0.0, 1e-2);
        }
        lutra_backend_destroy(&reader);
        free(inputs);
        free(outputs);
    }
    lutra_backend_destroy(&other);
}

/* A set whose own ciphertexts are never looked up has no keyswitch key and says so; a reader needs
 * two contexts with keys. */
static void what_was_not_made_cannot_be_used(void **state) {
    (void)state;
    LutraBackend backend;
    LutraBackendSettings settings;
    LutraError error = {""};
    void *reader = &settings;
    uint32_t position = 0;
    const uint64_t word = 0;
    lutra_backend_settings_default(&settings);
    settings.without_keyswitch = true;
    check_status(lutra_backend_create(&backend, lutra_backend_tfhe(), &tiny, &settings, &error),
                 LUTRA_OK, &error);
    check_status(backend.operations->create_reader(&reader, shared.context, backend.context, NULL,
                                                   NULL, &error),
                 LUTRA_EINVAL, &error);
    assert_null(reader);
    check_status(backend.operations->generate_keys(backend.context, seed_one, NULL, &error),
                 LUTRA_OK, &error);
    uint64_t *ciphertext = encrypt(&backend, &word, 1);
    check_status(backend.operations->lookup_positions(backend.context, &position, ciphertext, 1,
                                                      &error),
                 LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "keyswitching key"));
    free(ciphertext);
    lutra_backend_destroy(&backend);
}

/** Second moment of deviations, torus^2. */
static double second_moment(const double *deviations, size_t count, double *mean) {
    double sum = 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += deviations[i];
        squares += deviations[i] * deviations[i];
    }
    *mean = sum / (double)count;
    return squares / (double)count;
}

/*
 * 2,048 samples: the estimated variance has a relative deviation of sqrt(2 / 2048) = 3.1 %. The
 * formula holds on average over keys: with one key of n = 120 bits, the decomposition's part scales
 * with the number of ones, 60 +- 5.5, that is 9 %. The keys are fixed, so the test cannot flicker;
 * 20 % is two deviations of both together. The mean is within five deviations of 0.
 */
static void noise_has_the_predicted_variance(void **state) {
    (void)state;
    enum { COUNT = 2048, BITS = 2 };
    static const LutraCryptoParameters sets[2] = {
        /* dominated by the key's noise */
        {.lwe_dim = 120, .glwe_dim = 2, .log2_poly = 9, .pbs_level = 2, .pbs_base_log = 12,
         .ks_level = 3, .ks_base_log = 4, .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
         .lwe_std = 1e-5, .glwe_std = 1e-10},
        /* dominated by the decomposition */
        {.lwe_dim = 120, .glwe_dim = 4, .log2_poly = 8, .pbs_level = 1, .pbs_base_log = 14,
         .ks_level = 5, .ks_base_log = 2, .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
         .lwe_std = 1e-5, .glwe_std = 1e-13}};
    static uint64_t words[COUNT];
    static uint64_t found[COUNT];
    static double deviations[COUNT];
    for (size_t s = 0; s < 2; s++) {
        const LutraCryptoParameters *const set = &sets[s];
        LutraBackend backend = open_backend(set, 2, seed_one);
        for (size_t i = 0; i < COUNT; i++) {
            words[i] = lutra_word_encode((int64_t)(i % 4), BITS);
        }
        uint64_t *ciphertexts = encrypt(&backend, words, COUNT);
        const uint32_t big = set->glwe_dim << set->log2_poly;
        double mean = 0.0;

        LutraError error = {""};
        check_status(backend.operations->keyswitch_decrypt(backend.context, found, ciphertexts,
                                                           COUNT, &error),
                     LUTRA_OK, &error);
        for (size_t i = 0; i < COUNT; i++) {
            deviations[i] = lutra_word_deviation(found[i], (int64_t)(i % 4), BITS);
        }
        double variance = second_moment(deviations, COUNT, &mean);
        const double keyswitch = lutra_noise_keyswitch(LUTRA_NOISE_TFHE_RS, big, set->ks_level,
                                                       set->ks_base_log, set->lwe_std) +
                                 lutra_noise_fresh(set);
        check_close(variance / keyswitch, 1.0, 0.20);
        check_close(mean / sqrt(keyswitch / COUNT), 0.0, 5.0);

        const uint64_t table[1 << BITS] = {words[0], words[1], words[2], words[3]};
        look_up(&backend, ciphertexts, COUNT, table, 1, BITS, NULL);
        decrypt(&backend, found, ciphertexts, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            deviations[i] = lutra_word_deviation(found[i], (int64_t)(i % 4), BITS);
            assert_true(fabs(deviations[i]) < 0.0625); /* no look-up went wrong */
        }
        variance = second_moment(deviations, COUNT, &mean);
        const double bootstrap = lutra_noise_bootstrap_of(set, LUTRA_NOISE_TFHE_RS);
        check_close(variance / bootstrap, 1.0, 0.20);
        check_close(mean / sqrt(bootstrap / COUNT), 0.0, 5.0);
        free(ciphertexts);
        lutra_backend_destroy(&backend);
    }
}

static void impossible_parameters_are_refused(void **state) {
    (void)state;
    const LutraTfheParameters good = {.struct_bytes = sizeof good,
                                      .lwe_dimension = 33,
                                      .glwe_dimension = 2,
                                      .log2_polynomial = 8,
                                      .bootstrap_level = 1,
                                      .bootstrap_base_log = 20,
                                      .keyswitch_level = 3,
                                      .keyswitch_base_log = 4,
                                      .lwe_standard_deviation = 1e-9,
                                      .glwe_standard_deviation = 1e-12};
    uint64_t key_bytes = 0;
    uint64_t words = 0;
    assert_int_equal(lutra_tfhe_check_parameters(&good, 0, &key_bytes, &words), LUTRA_TFHE_OK);
    assert_string_equal(lutra_tfhe_last_error(), "");
    assert_int_equal(words, 513);
    assert_int_equal(lutra_tfhe_check_parameters(&good, key_bytes, NULL, NULL), LUTRA_TFHE_OK);
    assert_int_equal(lutra_tfhe_check_parameters(&good, key_bytes - 1, NULL, NULL),
                     LUTRA_TFHE_TOO_LARGE);

    LutraTfheParameters bad[16];
    for (size_t i = 0; i < 16; i++) {
        bad[i] = good;
    }
    bad[0].struct_bytes = 55;
    bad[1].lwe_dimension = 0;
    bad[2].lwe_dimension = 5000;
    bad[3].glwe_dimension = 0;
    bad[4].glwe_dimension = UINT32_MAX;
    bad[5].log2_polynomial = 7;
    bad[6].log2_polynomial = 64;
    bad[7].bootstrap_level = 0;
    bad[8].bootstrap_base_log = 64;
    bad[9].keyswitch_level = 16; /* 16 * 4 = 64 bits */
    bad[10].keyswitch_base_log = UINT32_MAX;
    bad[11].modulus_switch = 2;
    bad[12].reserved = 1;
    bad[13].lwe_standard_deviation = (double)NAN;
    bad[14].glwe_standard_deviation = 0.0;
    bad[15].glwe_standard_deviation = (double)INFINITY;
    for (size_t i = 0; i < 16; i++) {
        LutraTfheContext *context = (LutraTfheContext *)&bad[i];
        assert_int_equal(lutra_tfhe_context_create(&context, &bad[i], 0, 1), LUTRA_TFHE_INVALID);
        assert_null(context);
        assert_true(strlen(lutra_tfhe_last_error()) > 10);
    }
    LutraTfheContext *context = NULL;
    assert_int_equal(lutra_tfhe_context_create(NULL, &good, 0, 1), LUTRA_TFHE_INVALID);
    assert_int_equal(lutra_tfhe_context_create(&context, NULL, 0, 1), LUTRA_TFHE_INVALID);
    assert_int_equal(lutra_tfhe_context_create(&context, &good, 0, 1 << 20), LUTRA_TFHE_INVALID);
    lutra_tfhe_context_destroy(NULL);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    const LutraTfheParameters parameters = {.struct_bytes = sizeof parameters,
                                            .lwe_dimension = 33,
                                            .glwe_dimension = 2,
                                            .log2_polynomial = 8,
                                            .bootstrap_level = 1,
                                            .bootstrap_base_log = 20,
                                            .keyswitch_level = 3,
                                            .keyswitch_base_log = 4,
                                            .lwe_standard_deviation = 1e-9,
                                            .glwe_standard_deviation = 1e-12};
    LutraTfheContext *c = NULL;
    assert_int_equal(lutra_tfhe_context_create(&c, &parameters, 0, 2), LUTRA_TFHE_OK);
    enum { WORDS = 513 };
    assert_int_equal(lutra_tfhe_ciphertext_words(c), WORDS);
    assert_int_equal(lutra_tfhe_ciphertext_words(NULL), 0);
    static uint64_t x[2 * WORDS + 1];
    static uint64_t y[2 * WORDS + 1];
    uint64_t w[2] = {0, 0};
    const uint64_t table[4] = {0};
    assert_int_equal(lutra_tfhe_encrypt(c, x, w, 1), LUTRA_TFHE_NO_KEY);
    assert_int_equal(lutra_tfhe_decrypt(c, w, x, 1), LUTRA_TFHE_NO_KEY);
    assert_int_equal(lutra_tfhe_bootstrap(c, y, x, 1, table, 1, 2, NULL, NULL, NULL),
                     LUTRA_TFHE_NO_KEY);
    assert_int_equal(lutra_tfhe_generate_keys(c, seed_one, 1, NULL, NULL, NULL), LUTRA_TFHE_OK);
    assert_int_equal(lutra_tfhe_encrypt(c, x, w, 2), LUTRA_TFHE_OK);

    const uint32_t bad_choice[2] = {0, 1};
    uint64_t *const crooked = (uint64_t *)(void *)((uint8_t *)(void *)y + 4);
    const struct {
        const char *what;
        int32_t status;
    } calls[] = {
        {"no context", lutra_tfhe_encrypt(NULL, x, w, 1)},
        {"no ciphertexts", lutra_tfhe_encrypt(c, NULL, w, 1)},
        {"no words", lutra_tfhe_encrypt(c, y, NULL, 1)},
        {"crooked pointer", lutra_tfhe_encrypt(c, crooked, w, 1)},
        {"overlap", lutra_tfhe_encrypt(c, x, x + 3, 1)},
        {"overlap of decryption", lutra_tfhe_decrypt(c, x, x, 1)},
        {"too many", lutra_tfhe_decrypt(c, w, x, SIZE_MAX / 4)},
        {"no output", lutra_tfhe_keyswitch_decrypt(c, NULL, x, 1)},
        {"half overlap", lutra_tfhe_bootstrap(c, x + 1, x, 1, table, 1, 2, NULL, NULL, NULL)},
        {"no table", lutra_tfhe_bootstrap(c, y, x, 1, NULL, 1, 2, NULL, NULL, NULL)},
        {"zero tables", lutra_tfhe_bootstrap(c, y, x, 1, table, 0, 2, NULL, NULL, NULL)},
        {"wide table", lutra_tfhe_bootstrap(c, y, x, 1, table, 1, 9, NULL, NULL, NULL)},
        {"wider table", lutra_tfhe_bootstrap(c, y, x, 1, table, 1, 99, NULL, NULL, NULL)},
        {"many tables", lutra_tfhe_bootstrap(c, y, x, 1, table, SIZE_MAX / 2, 2, NULL, NULL, NULL)},
        {"table index", lutra_tfhe_bootstrap(c, y, x, 2, table, 1, 2, bad_choice, NULL, NULL)},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].status != LUTRA_TFHE_INVALID) {
            fail_msg("%s: status %d", calls[i].what, (int)calls[i].status);
        }
    }
    assert_int_equal(lutra_tfhe_encrypt(c, NULL, NULL, 0), LUTRA_TFHE_OK);
    assert_int_equal(lutra_tfhe_decrypt(c, NULL, NULL, 0), LUTRA_TFHE_OK);
    assert_int_equal(lutra_tfhe_bootstrap(c, NULL, NULL, 0, table, 1, 2, NULL, NULL, NULL),
                     LUTRA_TFHE_OK);
    /* The context still works after all those refusals. */
    assert_int_equal(lutra_tfhe_bootstrap(c, y, x, 2, table, 1, 2, NULL, NULL, NULL),
                     LUTRA_TFHE_OK);
    lutra_tfhe_context_destroy(c);
}

static int stop_at_half(void *user, const char *stage, uint64_t done, uint64_t total,
                        double figure) {
    uint64_t *const calls = user;
    (void)stage;
    (void)figure;
    assert_true(done <= total);
    ++*calls;
    return 2 * done >= total;
}

static void work_can_be_cancelled(void **state) {
    (void)state;
    enum { COUNT = 300 };
    uint64_t calls = 0;
    const LutraProgress progress = {stop_at_half, NULL, &calls};
    LutraBackend backend = open_backend(&tiny, 2, seed_one);
    static uint64_t words[COUNT];
    uint64_t *ciphertexts = encrypt(&backend, words, COUNT);
    const uint64_t table[2] = {0, 0};
    const LutraBackendTables tables = {table, 1, 1};
    LutraError error = {""};
    check_status(backend.operations->bootstrap(backend.context, ciphertexts, ciphertexts, COUNT,
                                               &tables, NULL, &progress, &error),
                 LUTRA_ECANCELLED, &error);
    assert_true(calls > 1);
    calls = 0;
    check_status(backend.operations->generate_keys(backend.context, NULL, &progress, &error),
                 LUTRA_ECANCELLED, &error);
    assert_true(calls > 1);
    check_status(backend.operations->encrypt(backend.context, ciphertexts, words, 1, &error),
                 LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "no keys"));
    free(ciphertexts);
    lutra_backend_destroy(&backend);
}

static void too_large_keys_are_refused_before_they_are_made(void **state) {
    (void)state;
    LutraBackend backend;
    LutraBackendSettings settings;
    LutraError error = {""};
    LutraCryptoParameters huge = quiet;
    huge.lwe_dim = 1100;
    huge.log2_poly = 16;
    huge.pbs_level = 3;
    lutra_backend_settings_default(&settings);
    settings.maximum_key_bytes = UINT64_C(1) << 30;
    check_status(lutra_backend_create(&backend, lutra_backend_tfhe(), &huge, &settings, &error),
                 LUTRA_EINVAL, &error);
    assert_null(backend.context);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_sizes_are_told),
        cmocka_unit_test(encryption_hides_and_comes_back),
        cmocka_unit_test(a_seed_decides_keys_and_ciphertexts_whatever_the_threads),
        cmocka_unit_test(dot_products_go_through_tables),
        cmocka_unit_test(lookups_are_negacyclic),
        cmocka_unit_test(a_table_of_no_bits_is_a_sign),
        cmocka_unit_test(positions_tell_what_lookups_read),
        cmocka_unit_test(readers_look_up_what_other_sets_made),
        cmocka_unit_test(what_was_not_made_cannot_be_used),
        cmocka_unit_test(noise_has_the_predicted_variance),
        cmocka_unit_test(impossible_parameters_are_refused),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(work_can_be_cancelled),
        cmocka_unit_test(too_large_keys_are_refused_before_they_are_made),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return RUN_REAL_TESTS("bridge/tfhe", tests, open_shared, close_shared);
}
