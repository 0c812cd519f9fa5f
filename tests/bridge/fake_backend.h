/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend of toy ciphertexts for the tests: real LWE shape (random mask, body = mask * key +
 * word), so that wrong linear algebra is noticed, but a known key, no noise and exact look-ups.
 * It can fail the n-th call, answer single look-ups wrongly, use wrong keys or tables, and add
 * chosen noise.
 *
 * Included by one test program each; its state is the static `fake`.
 */
#ifndef LUTRA_TESTS_BRIDGE_FAKE_BACKEND_H
#define LUTRA_TESTS_BRIDGE_FAKE_BACKEND_H

#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"
#include "bridge/backend.h"

enum { FAKE_WORDS = 5, FAKE_LOG2_POLY = 17 };

static const uint64_t fake_key[FAKE_WORDS - 1] = {1, 0, 1, 1};

static struct {
    uint64_t fail_at;      /* this call (1 = next) fails; 0 = none */
    uint64_t calls;        /* made so far; create, generate_keys and work all count */
    uint64_t encryptions;  /* counter of the random masks */
    uint64_t lookups;      /* made so far */
    uint64_t wrong_every;  /* about one look-up in so many reads the next entry; 0 = none */
    uint32_t position_bits; /* table width that positions assume if look-ups go wrong */
    uint64_t wrong_decryption_bit; /* added to the key's first bit when the client decrypts */
    uint64_t wrong_lookup_bit;     /* ... in bootstraps and their positions */
    uint64_t wrong_table_word;     /* added to entry 0 of every table */
    double noise_std;      /* of encryptions and look-up results, fraction of the torus */
    int alive;             /* contexts */
    bool keys;
} fake;

static bool fake_fails(LutraError *error, LutraStatus *status) {
    fake.calls++;
    if (fake.calls == fake.fail_at) {
        *status = lutra_error_set(error, LUTRA_EIO, "the fake backend was told to fail");
        return true;
    }
    return false;
}

static const char *fake_name(void) {
    return "fake";
}

static LutraStatus fake_create(void **context, const LutraCryptoParameters *parameters,
                               const LutraBackendSettings *settings, LutraError *error) {
    LutraStatus status;
    (void)parameters;
    (void)settings;
    *context = NULL;
    if (fake_fails(error, &status)) {
        return status;
    }
    *context = malloc(1);
    if (*context == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "no memory for a fake context");
    }
    fake.alive++;
    return LUTRA_OK;
}

static void fake_destroy(void **context) {
    free(*context);
    *context = NULL;
    fake.alive--;
}

static size_t fake_ciphertext_words(const void *context) {
    (void)context;
    return FAKE_WORDS;
}

static uint64_t fake_key_bytes(const void *context) {
    (void)context;
    return sizeof fake_key;
}

static LutraStatus fake_generate_keys(void *context, const uint8_t *test_seed,
                                      const LutraProgress *progress, LutraError *error) {
    LutraStatus status;
    (void)context;
    (void)test_seed;
    (void)progress;
    if (fake_fails(error, &status)) {
        return status;
    }
    fake.keys = true;
    return LUTRA_OK;
}

static void fake_encrypt_one(uint64_t *ciphertext, uint64_t word) {
    const LutraRandomKey key = {7, LUTRA_STREAM_TEST, 99};
    const double noise = fake.noise_std * lutra_random_normal(key, fake.encryptions) *
                         18446744073709551616.0;
    ciphertext[FAKE_WORDS - 1] = word + (uint64_t)(int64_t)noise;
    for (size_t i = 0; i < FAKE_WORDS - 1; i++) {
        ciphertext[i] = lutra_random_u64(key, (fake.encryptions << 3) + i + (UINT64_C(1) << 40));
        ciphertext[FAKE_WORDS - 1] += fake_key[i] * ciphertext[i];
    }
    fake.encryptions++;
}

static uint64_t fake_decrypt_with(const uint64_t *ciphertext, uint64_t wrong_bit) {
    uint64_t word = ciphertext[FAKE_WORDS - 1] - wrong_bit * ciphertext[0];
    for (size_t i = 0; i < FAKE_WORDS - 1; i++) {
        word -= fake_key[i] * ciphertext[i];
    }
    return word;
}

static uint64_t fake_decrypt_one(const uint64_t *ciphertext) {
    return fake_decrypt_with(ciphertext, fake.wrong_decryption_bit);
}

static LutraStatus fake_encrypt(void *context, uint64_t *ciphertexts, const uint64_t *words,
                                size_t count, LutraError *error) {
    LutraStatus status;
    (void)context;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        fake_encrypt_one(ciphertexts + i * FAKE_WORDS, words[i]);
    }
    return LUTRA_OK;
}

static LutraStatus fake_decrypt(void *context, uint64_t *words, const uint64_t *ciphertexts,
                                size_t count, LutraError *error) {
    LutraStatus status;
    (void)context;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        words[i] = fake_decrypt_one(ciphertexts + i * FAKE_WORDS);
    }
    return LUTRA_OK;
}

/** Number of the entry that a look-up of this ciphertext reads, in [0, 2^(bits+1)). */
static uint64_t fake_entry(const uint64_t *ciphertext, uint32_t bits) {
    const uint64_t word = fake_decrypt_with(ciphertext, fake.wrong_lookup_bit);
    uint64_t step = (word + (UINT64_C(1) << (62 - bits))) >> (63 - bits);
    /* The mask decides, so that the same ciphertext is always read alike. */
    if (fake.wrong_every != 0 && (ciphertext[0] >> 20) % fake.wrong_every == 0) {
        step = (step + 1) & ((UINT64_C(2) << bits) - 1);
    }
    return step;
}

/** Positions of a table with one tick per entry of FAKE_LOG2_POLY bits. */
static LutraStatus fake_lookup_positions(void *context, uint32_t *positions,
                                         const uint64_t *ciphertexts, size_t count,
                                         LutraError *error) {
    LutraStatus status;
    (void)context;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t *const ciphertext = ciphertexts + i * FAKE_WORDS;
        const uint64_t step = UINT64_C(1) << (63 - FAKE_LOG2_POLY);
        const uint64_t word = fake_decrypt_with(ciphertext, fake.wrong_lookup_bit);
        uint64_t position = (word + step / 2) / step;
        if (fake.position_bits != 0) {
            position = fake_entry(ciphertext, fake.position_bits)
                       << (FAKE_LOG2_POLY - fake.position_bits);
        }
        positions[i] = (uint32_t)(position % (2u << FAKE_LOG2_POLY));
    }
    return LUTRA_OK;
}

static LutraStatus fake_bootstrap(void *context, uint64_t *outputs, const uint64_t *inputs,
                                  size_t count, const LutraBackendTables *tables,
                                  const uint32_t *table_of_ciphertext,
                                  const LutraProgress *progress, LutraError *error) {
    LutraStatus status;
    const uint32_t bits = tables->table_bits;
    (void)context;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (lutra_progress_tick(progress, "fake", i, count, 0.0)) {
            return lutra_error_set(error, LUTRA_ECANCELLED, "cancelled");
        }
        const uint64_t step = fake_entry(inputs + i * FAKE_WORDS, bits);
        fake.lookups++;
        const uint64_t entry = step & ((UINT64_C(1) << bits) - 1);
        const size_t table = table_of_ciphertext == NULL ? 0 : table_of_ciphertext[i];
        const uint64_t found =
            tables->words[(table << bits) + entry] + (entry == 0 ? fake.wrong_table_word : 0);
        fake_encrypt_one(outputs + i * FAKE_WORDS, step >> bits != 0 ? 0 - found : found);
    }
    return LUTRA_OK;
}

static const LutraBackendOperations fake_operations = {
    .name = fake_name,
    .create = fake_create,
    .destroy = fake_destroy,
    .ciphertext_words = fake_ciphertext_words,
    .key_bytes = fake_key_bytes,
    .generate_keys = fake_generate_keys,
    .encrypt = fake_encrypt,
    .decrypt = fake_decrypt,
    .keyswitch_decrypt = fake_decrypt,
    .lookup_positions = fake_lookup_positions,
    .bootstrap = fake_bootstrap,
};

#endif
