/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend whose noise is known: every step adds Gaussian noise of a planted deviation. A
 * ciphertext is two words, a tag and the noisy word; sums of ciphertexts add both. The noise of a
 * keyswitch and a modulus switch is a function of the tag, as it is of the mask in a real one.
 *
 * Included by one test program; its state is the static `planted`.
 */
#ifndef LUTRA_TESTS_BRIDGE_PLANTED_BACKEND_H
#define LUTRA_TESTS_BRIDGE_PLANTED_BACKEND_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"
#include "bridge/backend.h"

enum { PLANTED_WORDS = 2, PLANTED_KEYSWITCH = 1, PLANTED_SWITCH = 2, PLANTED_NEW = 10 };

static struct {
    double fresh_std; /* all fractions of the torus */
    double bootstrap_std;
    double keyswitch_std;
    double switch_std[2]; /* by LutraModulusSwitch, rounding to ticks included */
    double bias_ticks[2]; /* by how much cells lie too low */
    uint32_t log2_poly;
    uint64_t misread_every; /* such a share of look-ups reads the entry after its position's */
    uint64_t fail_at;       /* this call (1 = next) fails; 0 = none */
    uint64_t calls;
    uint64_t ciphertexts; /* made so far */
    int alive;
} planted;

typedef struct {
    uint32_t kind;
} PlantedContext;

static double planted_normal(uint32_t purpose, uint64_t tag) {
    return lutra_random_normal((LutraRandomKey){5, LUTRA_STREAM_TEST, purpose}, tag);
}

/** A fraction of the torus as a word. */
static uint64_t planted_word(double fraction) {
    return (uint64_t)(int64_t)llrint(ldexp(fraction, 64));
}

static LutraStatus planted_call(LutraError *error) {
    return ++planted.calls == planted.fail_at
               ? lutra_error_set(error, LUTRA_EIO, "the planted backend was told to fail")
               : LUTRA_OK;
}

static void planted_make(uint64_t *ciphertext, uint64_t word, double std) {
    const LutraRandomKey key = {6, LUTRA_STREAM_TEST, 1};
    ciphertext[0] = lutra_random_u64(key, planted.ciphertexts);
    ciphertext[1] = word + planted_word(std * planted_normal(PLANTED_NEW, planted.ciphertexts));
    planted.ciphertexts++;
}

static uint64_t planted_switched(const uint64_t *ciphertext) {
    return ciphertext[1] +
           planted_word(planted.keyswitch_std * planted_normal(PLANTED_KEYSWITCH, ciphertext[0]));
}

static uint32_t planted_position(const PlantedContext *context, const uint64_t *ciphertext) {
    const double ticks = exp2(planted.log2_poly + 1.0);
    const double std = planted.switch_std[context->kind] * ticks;
    /* Rounding to whole ticks is 1/12 of the variance. */
    const double before = std == 0.0 ? 0.0 : sqrt(std * std - 1.0 / 12.0);
    const double at = ldexp((double)planted_switched(ciphertext), -64) * ticks +
                      before * planted_normal(PLANTED_SWITCH, ciphertext[0]);
    const double low = floor(at + planted.bias_ticks[context->kind]);
    return (uint32_t)(low - ticks * floor(low / ticks));
}

static const char *planted_name(void) {
    return "planted";
}

static LutraStatus planted_create(void **context, const LutraCryptoParameters *parameters,
                                  const LutraBackendSettings *settings, LutraError *error) {
    (void)settings;
    *context = NULL;
    LUTRA_TRY(planted_call(error));
    PlantedContext *const made = malloc(sizeof *made);
    if (made == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "no memory for a planted context");
    }
    made->kind = parameters->modulus_switch;
    planted.log2_poly = parameters->log2_poly;
    planted.alive++;
    *context = made;
    return LUTRA_OK;
}

static void planted_destroy(void **context) {
    free(*context);
    *context = NULL;
    planted.alive--;
}

static size_t planted_ciphertext_words(const void *context) {
    (void)context;
    return PLANTED_WORDS;
}

static uint64_t planted_key_bytes(const void *context) {
    (void)context;
    return 123;
}

static LutraStatus planted_generate_keys(void *context, const uint8_t *test_seed,
                                         const LutraProgress *progress, LutraError *error) {
    (void)context;
    if (test_seed == NULL) {
        return lutra_error_set(error, LUTRA_EINVAL, "both contexts need the same seed");
    }
    if (lutra_progress_tick(progress, "planted", 1, 1, 0.0)) {
        return lutra_error_set(error, LUTRA_ECANCELLED, "cancelled");
    }
    return planted_call(error);
}

static LutraStatus planted_encrypt(void *context, uint64_t *ciphertexts, const uint64_t *words,
                                   size_t count, LutraError *error) {
    (void)context;
    LUTRA_TRY(planted_call(error));
    for (size_t i = 0; i < count; i++) {
        planted_make(ciphertexts + i * PLANTED_WORDS, words[i], planted.fresh_std);
    }
    return LUTRA_OK;
}

static LutraStatus planted_decrypt(void *context, uint64_t *words, const uint64_t *ciphertexts,
                                   size_t count, LutraError *error) {
    (void)context;
    LUTRA_TRY(planted_call(error));
    for (size_t i = 0; i < count; i++) {
        words[i] = ciphertexts[i * PLANTED_WORDS + 1];
    }
    return LUTRA_OK;
}

static LutraStatus planted_keyswitch_decrypt(void *context, uint64_t *words,
                                             const uint64_t *ciphertexts, size_t count,
                                             LutraError *error) {
    (void)context;
    LUTRA_TRY(planted_call(error));
    for (size_t i = 0; i < count; i++) {
        words[i] = planted_switched(ciphertexts + i * PLANTED_WORDS);
    }
    return LUTRA_OK;
}

static LutraStatus planted_lookup_positions(void *context, uint32_t *positions,
                                            const uint64_t *ciphertexts, size_t count,
                                            LutraError *error) {
    LUTRA_TRY(planted_call(error));
    for (size_t i = 0; i < count; i++) {
        positions[i] = planted_position(context, ciphertexts + i * PLANTED_WORDS);
    }
    return LUTRA_OK;
}

static LutraStatus planted_bootstrap(void *context, uint64_t *outputs, const uint64_t *inputs,
                                     size_t count, const LutraBackendTables *tables,
                                     const uint32_t *table_of_ciphertext,
                                     const LutraProgress *progress, LutraError *error) {
    const uint32_t half = 1u << tables->table_bits;
    const uint32_t width = 1u << (planted.log2_poly - tables->table_bits);
    (void)table_of_ciphertext;
    LUTRA_TRY(planted_call(error));
    if (lutra_progress_tick(progress, "planted", 0, count, 0.0)) {
        return lutra_error_set(error, LUTRA_ECANCELLED, "cancelled");
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t position = planted_position(context, inputs + i * PLANTED_WORDS);
        uint32_t entry = (position + width / 2) / width % (2 * half);
        if (planted.misread_every != 0 && planted.ciphertexts % planted.misread_every == 0) {
            entry = (entry + 1) % (2 * half);
        }
        const uint64_t word = tables->words[entry % half];
        planted_make(outputs + i * PLANTED_WORDS, entry < half ? word : 0 - word,
                     planted.bootstrap_std);
    }
    return LUTRA_OK;
}

static const LutraBackendOperations planted_operations = {
    .name = planted_name,
    .create = planted_create,
    .destroy = planted_destroy,
    .ciphertext_words = planted_ciphertext_words,
    .key_bytes = planted_key_bytes,
    .generate_keys = planted_generate_keys,
    .encrypt = planted_encrypt,
    .decrypt = planted_decrypt,
    .keyswitch_decrypt = planted_keyswitch_decrypt,
    .lookup_positions = planted_lookup_positions,
    .bootstrap = planted_bootstrap,
};

#endif
