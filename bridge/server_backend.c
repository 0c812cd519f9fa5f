/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys at work; see server_backend.h. */
#include "bridge/server_backend.h"

#include "base/memory.h"
#include "bridge/lookup.h"
#include "sim/crypto_cost.h"

typedef struct {
    LutraBootstrapKey own_key; /* of a set */
    LutraBootstrapKey *key;    /* own_key, or a reader's consumer's */
    uint64_t *keyswitch_words; /* owned; NULL: nothing reads with it */
    size_t input_words;
    uint32_t threads;
} Context;

static const char *name(void) {
    return "lutra, evaluation keys only";
}

static LutraStatus create(void **context, const LutraCryptoParameters *parameters,
                          const LutraBackendSettings *settings, LutraError *error) {
    Context *made = NULL;
    *context = NULL;
    if (!lutra_bootstrap_key_supports(parameters)) {
        return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                               "lutra's look-ups cannot do these crypto parameters (N of 2^8 to "
                               "2^17): compile with fewer bits");
    }
    const uint64_t bytes = lutra_bootstrap_key_bytes(parameters);
    if (settings->maximum_key_bytes > 0 && bytes > settings->maximum_key_bytes) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "the bootstrap key has %llu bytes in memory; at most %llu are "
                               "allowed: raise the limit",
                               (unsigned long long)bytes,
                               (unsigned long long)settings->maximum_key_bytes);
    }
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    const LutraStatus status =
        lutra_bootstrap_key_init(&made->own_key, parameters, settings->cpu_flags, error);
    if (status != LUTRA_OK) {
        lutra_free(&made);
        return status;
    }
    made->key = &made->own_key;
    made->threads = settings->threads;
    *context = made;
    return LUTRA_OK;
}

static void destroy(void **context) {
    Context *ending = *context;
    if (ending->key == &ending->own_key) {
        lutra_bootstrap_key_deinit(&ending->own_key);
    }
    lutra_free(&ending->keyswitch_words);
    lutra_free(&ending);
    *context = NULL;
}

static size_t ciphertext_words(const void *context) {
    const LutraCryptoParameters *const parameters = &((const Context *)context)->key->parameters;
    return ((size_t)parameters->glwe_dim << parameters->log2_poly) + 1;
}

static uint64_t key_bytes(const void *context) {
    const LutraCryptoParameters *const parameters = &((const Context *)context)->key->parameters;
    return lutra_bootstrap_key_bytes(parameters) + lutra_keyswitch_key_bytes(parameters);
}

static LutraStatus create_reader(void **reader, const void *consumer, const void *producer,
                                 const uint8_t *test_seed, const LutraProgress *progress,
                                 LutraError *error) {
    Context *made = NULL;
    (void)producer, (void)test_seed, (void)progress;
    *reader = NULL;
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    made->key = ((const Context *)consumer)->key;
    made->threads = ((const Context *)consumer)->threads;
    *reader = made;
    return LUTRA_OK;
}

static LutraStatus bootstrap(void *context, uint64_t *outputs, const uint64_t *inputs, size_t count,
                             const LutraBackendTables *tables, const uint32_t *table_of_ciphertext,
                             const LutraProgress *progress, LutraError *error) {
    const Context *const own = context;
    const LutraKeyswitchKey keyswitch = {own->keyswitch_words, own->input_words};
    LUTRA_ASSERT(own->keyswitch_words != NULL);
    return lutra_lookup_run(outputs, own->key, &keyswitch, inputs, count, tables,
                            table_of_ciphertext, own->threads, progress, error);
}

static const LutraBackendOperations server_operations = {
    .name = name,
    .create = create,
    .destroy = destroy,
    .ciphertext_words = ciphertext_words,
    .key_bytes = key_bytes,
    .create_reader = create_reader,
    .bootstrap = bootstrap,
};

const LutraBackendOperations *lutra_backend_server(void) {
    return &server_operations;
}

LutraBootstrapKey *lutra_server_bootstrap_key(const LutraBackend *backend) {
    return ((const Context *)backend->context)->key;
}

void lutra_server_set_keyswitch(const LutraBackend *backend, uint64_t *words, size_t input_words) {
    Context *const context = backend->context;
    lutra_free(&context->keyswitch_words);
    context->keyswitch_words = words;
    context->input_words = input_words;
}
