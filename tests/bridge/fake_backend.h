/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend of toy ciphertexts for the tests: real LWE shape (random mask, body = mask * key +
 * word), so that wrong linear algebra is noticed, but a known key, no noise and exact look-ups.
 * Sets of a larger glwe_dim have larger ciphertexts and another key. It can fail the n-th call,
 * answer single look-ups wrongly, use wrong keys or tables, and add chosen noise.
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

/* A set's size and key; or a reader's, which looks up ciphertexts of another set. */
typedef struct {
    size_t words;
    uint32_t shift; /* where its key begins among fake_bit's */
    size_t input_words;
    uint32_t input_shift;
} FakeContext;

static uint64_t fake_bit(size_t index, uint32_t shift) {
    return (UINT64_C(0x6D) >> ((index + shift) % 7)) & 1;
}

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
    (void)settings;
    *context = NULL;
    if (fake_fails(error, &status)) {
        return status;
    }
    const uint32_t more = parameters->glwe_dim > 1 ? parameters->glwe_dim - 1 : 0;
    FakeContext *const made = malloc(sizeof *made);
    if (made == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "no memory for a fake context");
    }
    *made = (FakeContext){.words = FAKE_WORDS + 2 * more, .shift = more};
    made->input_words = made->words;
    made->input_shift = made->shift;
    *context = made;
    fake.alive++;
    return LUTRA_OK;
}

static void fake_destroy(void **context) {
    free(*context);
    *context = NULL;
    fake.alive--;
}

static size_t fake_ciphertext_words(const void *context) {
    return ((const FakeContext *)context)->words;
}

static uint64_t fake_key_bytes(const void *context) {
    (void)context;
    return 32;
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

static LutraStatus fake_create_reader(void **reader, const void *consumer, const void *producer,
                                      const uint8_t *test_seed, const LutraProgress *progress,
                                      LutraError *error) {
    LutraStatus status;
    (void)test_seed;
    (void)progress;
    *reader = NULL;
    if (fake_fails(error, &status)) {
        return status;
    }
    FakeContext *const made = malloc(sizeof *made);
    if (made == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "no memory for a fake context");
    }
    *made = *(const FakeContext *)consumer;
    made->input_words = ((const FakeContext *)producer)->words;
    made->input_shift = ((const FakeContext *)producer)->shift;
    *reader = made;
    fake.alive++;
    return LUTRA_OK;
}

static void fake_encrypt_one(const FakeContext *context, uint64_t *ciphertext, uint64_t word) {
    const size_t last = context->words - 1;
    const LutraRandomKey key = {7, LUTRA_STREAM_TEST, 99};
    const double noise = fake.noise_std * lutra_random_normal(key, fake.encryptions) *
                         18446744073709551616.0;
    ciphertext[last] = word + (uint64_t)(int64_t)noise;
    for (size_t i = 0; i < last; i++) {
        ciphertext[i] = lutra_random_u64(key, (fake.encryptions << 5) + i + (UINT64_C(1) << 40));
        ciphertext[last] += fake_bit(i, context->shift) * ciphertext[i];
    }
    fake.encryptions++;
}

static uint64_t fake_decrypt_with(const uint64_t *ciphertext, size_t words, uint32_t shift,
                                  uint64_t wrong_bit) {
    uint64_t word = ciphertext[words - 1] - wrong_bit * ciphertext[0];
    for (size_t i = 0; i < words - 1; i++) {
        word -= fake_bit(i, shift) * ciphertext[i];
    }
    return word;
}

static uint64_t fake_decrypt_one(const FakeContext *context, const uint64_t *ciphertext) {
    return fake_decrypt_with(ciphertext, context->words, context->shift,
                             fake.wrong_decryption_bit);
}

/** What a look-up reads: under the key of what it is given. */
static uint64_t fake_look_into(const FakeContext *context, const uint64_t *ciphertext) {
    return fake_decrypt_with(ciphertext, context->input_words, context->input_shift,
                             fake.wrong_lookup_bit);
}

static LutraStatus fake_encrypt(void *context, uint64_t *ciphertexts, const uint64_t *words,
                                size_t count, LutraError *error) {
    const FakeContext *const own = context;
    LutraStatus status;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        fake_encrypt_one(own, ciphertexts + i * own->words, words[i]);
    }
    return LUTRA_OK;
}

static LutraStatus fake_decrypt(void *context, uint64_t *words, const uint64_t *ciphertexts,
                                size_t count, LutraError *error) {
    const FakeContext *const own = context;
    LutraStatus status;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        words[i] = fake_decrypt_one(own, ciphertexts + i * own->words);
    }
    return LUTRA_OK;
}

/** Number of the entry that a look-up of this ciphertext reads, in [0, 2^(bits+1)). */
static uint64_t fake_entry(const FakeContext *context, const uint64_t *ciphertext, uint32_t bits) {
    const uint64_t word = fake_look_into(context, ciphertext);
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
    const FakeContext *const own = context;
    LutraStatus status;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        const uint64_t *const ciphertext = ciphertexts + i * own->input_words;
        const uint64_t step = UINT64_C(1) << (63 - FAKE_LOG2_POLY);
        const uint64_t word = fake_look_into(own, ciphertext);
        uint64_t position = (word + step / 2) / step;
        if (fake.position_bits != 0) {
            position = fake_entry(own, ciphertext, fake.position_bits)
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
    const FakeContext *const own = context;
    LutraStatus status;
    const uint32_t bits = tables->table_bits;
    if (fake_fails(error, &status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (lutra_progress_tick(progress, "fake", i, count, 0.0)) {
            return lutra_error_set(error, LUTRA_ECANCELLED, "cancelled");
        }
        const uint64_t step = fake_entry(own, inputs + i * own->input_words, bits);
        fake.lookups++;
        const uint64_t entry = step & ((UINT64_C(1) << bits) - 1);
        const size_t table = table_of_ciphertext == NULL ? 0 : table_of_ciphertext[i];
        const uint64_t found =
            tables->words[(table << bits) + entry] + (entry == 0 ? fake.wrong_table_word : 0);
        fake_encrypt_one(own, outputs + i * own->words, step >> bits != 0 ? 0 - found : found);
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
    .create_reader = fake_create_reader,
    .encrypt = fake_encrypt,
    .decrypt = fake_decrypt,
    .keyswitch_decrypt = fake_decrypt,
    .lookup_positions = fake_lookup_positions,
    .bootstrap = fake_bootstrap,
};

#endif
