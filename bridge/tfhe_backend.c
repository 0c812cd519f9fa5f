/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend over tfhe-rs: translates lutra's statuses, errors and progress to those of the Rust
 * library. Keys, encryption, decryption and positions are tfhe-rs's; look-ups are made by lookup.h
 * with the keys that tfhe-rs made, or by tfhe-rs if the settings say so.
 */
#include "bridge/backend.h"

#ifndef LUTRA_WITH_TFHE
#define LUTRA_WITH_TFHE 0
#endif

#if LUTRA_WITH_TFHE

#include <math.h>

#include "base/memory.h"
#include "bridge/lookup.h"
#include "bridge/tfhe_priv.h"

enum {
    POSITIONS_AT_ONCE = 2048, /* some megabytes of ticks */
    POSITIONS_CHECKED = 64
};

typedef struct {
    LutraTfheContext *inner;
    uint64_t key_bytes;
    bool with_keyswitch;
    uint32_t threads;
    LutraBootstrapKey own_key;    /* of a set whose look-ups lutra makes; filled with the keys */
    const LutraBootstrapKey *key; /* own_key, or that of a reader's consumer; NULL: tfhe-rs's */
} Context;

typedef struct {
    const LutraProgress *progress;
    const char *stage;
    LutraBootstrapKey *key; /* being made, may be NULL */
    uint32_t threads;
    LutraStatus status; /* of the making */
    LutraError *error;
} Listener;

static int32_t tell(void *user, uint64_t done, uint64_t total) {
    const Listener *listener = user;
    return lutra_progress_tick(listener->progress, listener->stage, done, total, NAN) ? 1 : 0;
}

static int32_t take_part(void *user, uint64_t first_bit, uint64_t bit_count,
                         const uint64_t *words) {
    Listener *listener = user;
    listener->status = lutra_bootstrap_key_fill(listener->key, (size_t)first_bit, (size_t)bit_count,
                                                words, listener->threads, listener->error);
    return listener->status == LUTRA_OK ? 0 : 1;
}

static const char *name(void) {
    return lutra_tfhe_version_text();
}

static LutraStatus create(void **context, const LutraCryptoParameters *parameters,
                          const LutraBackendSettings *settings, LutraError *error) {
    *context = NULL;
    LUTRA_TRY(tfhe_check_version(error));
    const LutraTfheParameters inner_parameters = tfhe_parameters(parameters);
    Context *created = NULL;
    LUTRA_TRY(lutra_alloc(&created, 1, sizeof *created, error));
    LutraStatus status =
        tfhe_translate(lutra_tfhe_check_parameters(&inner_parameters, settings->maximum_key_bytes,
                                                   &created->key_bytes, NULL),
                       error);
    if (status == LUTRA_OK) {
        status = tfhe_translate(
            lutra_tfhe_context_create(&created->inner, &inner_parameters,
                                      settings->maximum_key_bytes, settings->threads),
            error);
    }
    created->with_keyswitch = !settings->without_keyswitch;
    created->threads = settings->threads;
    if (status == LUTRA_OK && !settings->library_lookups &&
        lutra_bootstrap_key_supports(parameters)) {
        status =
            lutra_bootstrap_key_init(&created->own_key, parameters, settings->cpu_flags, error);
        created->key = &created->own_key;
    }
    if (status != LUTRA_OK) {
        lutra_tfhe_context_destroy(created->inner);
        lutra_free(&created);
        return status;
    }
    *context = created;
    return LUTRA_OK;
}

static void destroy(void **context) {
    Context *ending = *context;
    lutra_tfhe_context_destroy(ending->inner);
    lutra_bootstrap_key_deinit(&ending->own_key);
    lutra_free(&ending);
    *context = NULL;
}

static size_t ciphertext_words(const void *context) {
    return (size_t)lutra_tfhe_ciphertext_words(((const Context *)context)->inner);
}

static uint64_t key_bytes(const void *context) {
    return ((const Context *)context)->key_bytes;
}

static LutraStatus generate_keys(void *context, const uint8_t *test_seed,
                                 const LutraProgress *progress, LutraError *error) {
    Context *const own = context;
    const bool ours = own->key != NULL;
    Listener listener = {.progress = progress,
                         .stage = "generating keys",
                         .key = &own->own_key,
                         .threads = own->threads,
                         .status = LUTRA_OK,
                         .error = error};
    const LutraStatus status =
        tfhe_translate(lutra_tfhe_generate_keys(own->inner, test_seed, own->with_keyswitch ? 1 : 0,
                                                ours ? take_part : NULL, tell, &listener),
                       listener.status == LUTRA_OK ? error : NULL);
    return listener.status == LUTRA_OK ? status : listener.status;
}

static LutraStatus create_reader(void **reader, const void *consumer, const void *producer,
                                 const uint8_t *test_seed, const LutraProgress *progress,
                                 LutraError *error) {
    Listener listener = {.progress = progress, .stage = "generating keyswitch keys"};
    Context *created = NULL;
    *reader = NULL;
    LUTRA_TRY(lutra_alloc(&created, 1, sizeof *created, error));
    const LutraStatus status = tfhe_translate(
        lutra_tfhe_reader_create(&created->inner, ((const Context *)consumer)->inner,
                                 ((const Context *)producer)->inner, test_seed, tell, &listener),
        error);
    if (status != LUTRA_OK) {
        lutra_free(&created);
        return status;
    }
    created->key = ((const Context *)consumer)->key;
    created->threads = ((const Context *)consumer)->threads;
    *reader = created;
    return LUTRA_OK;
}

static LutraStatus encrypt(void *context, uint64_t *ciphertexts, const uint64_t *words,
                           size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_encrypt(((Context *)context)->inner, ciphertexts, words, count), error);
}

static LutraStatus decrypt(void *context, uint64_t *words, const uint64_t *ciphertexts,
                           size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_decrypt(((Context *)context)->inner, words, ciphertexts, count), error);
}

static LutraStatus keyswitch_decrypt(void *context, uint64_t *words, const uint64_t *ciphertexts,
                                     size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_keyswitch_decrypt(((Context *)context)->inner, words, ciphertexts, count),
        error);
}

static LutraStatus keyswitch_of(LutraKeyswitchKey *keyswitch, const Context *own,
                                LutraError *error) {
    uint64_t input_words = 0;
    LUTRA_TRY(tfhe_translate(lutra_tfhe_keyswitch_key(own->inner, &keyswitch->words, &input_words),
                             error));
    keyswitch->input_words = (size_t)input_words;
    return LUTRA_OK;
}

/** Positions from the ticks of lookup.h, three times as fast as tfhe-rs's keyswitch. */
static LutraStatus positions_of_ticks(const Context *own, uint32_t *positions,
                                      const uint64_t *ciphertexts, size_t count,
                                      LutraError *error) {
    const size_t columns = (size_t)own->key->parameters.lwe_dim + 1;
    LutraKeyswitchKey keyswitch = {NULL, 0};
    uint32_t *ticks = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(keyswitch_of(&keyswitch, own, error));
    LUTRA_TRY(lutra_alloc(&ticks, (count < POSITIONS_AT_ONCE ? count : POSITIONS_AT_ONCE) * columns,
                          sizeof *ticks, error));
    for (size_t first = 0; first < count && status == LUTRA_OK; first += POSITIONS_AT_ONCE) {
        const size_t rest = count - first;
        const size_t taken = rest < POSITIONS_AT_ONCE ? rest : POSITIONS_AT_ONCE;
        status = lutra_lookup_all_ticks(ticks, own->key, &keyswitch,
                                        ciphertexts + first * keyswitch.input_words, taken,
                                        own->threads, error);
        if (status == LUTRA_OK) {
            status = tfhe_translate(
                lutra_tfhe_tick_positions(own->inner, positions + first, ticks, taken), error);
        }
    }
    lutra_free(&ticks);
    return status;
}

static LutraStatus lookup_positions(void *context, uint32_t *positions, const uint64_t *ciphertexts,
                                    size_t count, LutraError *error) {
    const Context *const own = context;
    if (own->key == NULL) {
        return tfhe_translate(
            lutra_tfhe_lookup_positions(own->inner, positions, ciphertexts, count), error);
    }
    /* Some are told by tfhe-rs, too: a keyswitch of ours that went wrong would not see itself. */
    uint32_t independent[POSITIONS_CHECKED];
    const size_t checked = count < POSITIONS_CHECKED ? count : POSITIONS_CHECKED;
    LUTRA_TRY(positions_of_ticks(own, positions, ciphertexts, count, error));
    LUTRA_TRY(tfhe_translate(
        lutra_tfhe_lookup_positions(own->inner, independent, ciphertexts, checked), error));
    for (size_t i = 0; i < checked; i++) {
        if (positions[i] != independent[i]) {
            return lutra_error_set(error, LUTRA_EBUG,
                                   "the keyswitch and that of tfhe-rs differ at ciphertext %zu", i);
        }
    }
    return LUTRA_OK;
}

static LutraStatus bootstrap(void *context, uint64_t *outputs, const uint64_t *inputs, size_t count,
                             const LutraBackendTables *tables, const uint32_t *table_of_ciphertext,
                             const LutraProgress *progress, LutraError *error) {
    const Context *const own = context;
    if (own->key != NULL) {
        LutraKeyswitchKey keyswitch = {NULL, 0};
        LUTRA_TRY(keyswitch_of(&keyswitch, own, error));
        return lutra_lookup_run(outputs, own->key, &keyswitch, inputs, count, tables,
                                table_of_ciphertext, own->threads, progress, error);
    }
    Listener listener = {.progress = progress, .stage = "look-ups"};
    return tfhe_translate(
        lutra_tfhe_bootstrap(own->inner, outputs, inputs, count, tables->words, tables->table_count,
                             tables->table_bits, table_of_ciphertext, tell, &listener),
        error);
}

static const LutraBackendOperations tfhe_operations = {
    .name = name,
    .create = create,
    .destroy = destroy,
    .ciphertext_words = ciphertext_words,
    .key_bytes = key_bytes,
    .generate_keys = generate_keys,
    .create_reader = create_reader,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .keyswitch_decrypt = keyswitch_decrypt,
    .lookup_positions = lookup_positions,
    .bootstrap = bootstrap,
};

#else

static const char *name(void) {
    return "none (built without tfhe-rs)";
}

static LutraStatus create(void **context, const LutraCryptoParameters *parameters,
                          const LutraBackendSettings *settings, LutraError *error) {
    (void)parameters;
    (void)settings;
    *context = NULL;
    return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                           "this build has no real FHE: install a Rust toolchain and build with "
                           "'make BRIDGE=1'");
}

static void destroy(void **context) {
    *context = NULL;
}

/* The other functions need a context, which this create never gives. */
static const LutraBackendOperations tfhe_operations = {
    .name = name,
    .create = create,
    .destroy = destroy,
};

#endif

const LutraBackendOperations *lutra_backend_tfhe(void) {
    return &tfhe_operations;
}
