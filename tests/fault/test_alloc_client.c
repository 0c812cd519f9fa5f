/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of client and server fails once: the status says so, outputs stay as they were,
 * nothing leaks, and no file has its final name. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "tests/bridge/small_client.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"

enum { PATH = 400, UNTOUCHED = 0x5A };

/* --- in place of tfhe-rs, whose allocations may not fail ---------------------------------------
 * Masks and keys are zero, bodies are the words themselves. */

struct LutraSeededContext {
    LutraCryptoParameters parameters;
};

LutraStatus lutra_seeded_check(LutraError *error) {
    (void)error;
    return LUTRA_OK;
}

size_t lutra_seeded_bootstrap_words(const LutraCryptoParameters *parameters) {
    return ((size_t)parameters->pbs_level * (parameters->glwe_dim + 1)) << parameters->log2_poly;
}

static size_t big_bits(const LutraSeededContext *context) {
    return (size_t)context->parameters.glwe_dim << context->parameters.log2_poly;
}

LutraStatus lutra_seeded_create(LutraSeededContext **context,
                                const LutraCryptoParameters *parameters, const uint8_t *secret_seed,
                                uint32_t threads, LutraError *error) {
    (void)secret_seed, (void)threads;
    LUTRA_TRY(lutra_alloc(context, 1, sizeof **context, error));
    (*context)->parameters = *parameters;
    return LUTRA_OK;
}

void lutra_seeded_destroy(LutraSeededContext **context) {
    lutra_free(context);
}

static LutraStatus give_zeros(uint8_t *seed, uint64_t *words, size_t count) {
    memset(seed, 0, LUTRA_SEED_BYTES);
    memset(words, 0, count * sizeof *words);
    return LUTRA_OK;
}

LutraStatus lutra_seeded_bootstrap_part(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                        const LutraSeededContext *context, size_t first_bit,
                                        size_t count, LutraError *error) {
    (void)first_bit, (void)error;
    return give_zeros(seed, bodies, count * lutra_seeded_bootstrap_words(&context->parameters));
}

LutraStatus lutra_expand_bootstrap_part(uint64_t *words, const LutraSeededContext *context,
                                        const uint8_t seed[LUTRA_SEED_BYTES],
                                        const uint64_t *bodies, size_t count, LutraError *error) {
    const LutraCryptoParameters *const p = &context->parameters;
    (void)seed, (void)bodies, (void)error;
    memset(words, 0, count * lutra_seeded_bootstrap_words(p) * (p->glwe_dim + 1) * sizeof *words);
    return LUTRA_OK;
}

LutraStatus lutra_seeded_keyswitch_key(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                       const LutraSeededContext *consumer,
                                       const LutraSeededContext *producer, LutraError *error) {
    (void)error;
    return give_zeros(seed, bodies, big_bits(producer) * consumer->parameters.ks_level);
}

LutraStatus lutra_expand_keyswitch_key(uint64_t *words, const LutraSeededContext *consumer,
                                       const uint8_t seed[LUTRA_SEED_BYTES], const uint64_t *bodies,
                                       size_t count, LutraError *error) {
    const LutraCryptoParameters *const p = &consumer->parameters;
    (void)seed, (void)bodies, (void)error;
    memset(words, 0, count * p->ks_level * (p->lwe_dim + 1) * sizeof *words);
    return LUTRA_OK;
}

LutraStatus lutra_seeded_encrypt(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                 const LutraSeededContext *context, const uint64_t *words,
                                 size_t count, LutraError *error) {
    (void)context, (void)error;
    memset(seed, 0, LUTRA_SEED_BYTES);
    memcpy(bodies, words, count * sizeof *bodies);
    return LUTRA_OK;
}

LutraStatus lutra_expand_ciphertexts(uint64_t *ciphertexts, const LutraSeededContext *context,
                                     const uint8_t seed[LUTRA_SEED_BYTES], const uint64_t *bodies,
                                     size_t count, LutraError *error) {
    const size_t words = big_bits(context) + 1;
    (void)seed, (void)error;
    memset(ciphertexts, 0, count * words * sizeof *ciphertexts);
    for (size_t i = 0; i < count; i++) {
        ciphertexts[i * words + words - 1] = bodies[i];
    }
    return LUTRA_OK;
}

LutraStatus lutra_seeded_decrypt(uint64_t *words, const LutraSeededContext *context,
                                 const uint64_t *ciphertexts, size_t count, LutraError *error) {
    const size_t size = big_bits(context) + 1;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        words[i] = ciphertexts[i * size + size - 1];
    }
    return LUTRA_OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

static struct {
    LutraCircuit circuit;
    LutraCircuit server;
    LutraClientKey key;
    char client_key[PATH];
    char evaluation_key[PATH];
    char inputs[PATH];
    char outputs[PATH];
} one;

static LutraStatus make_server(LutraError *error) {
    LutraCircuit server;
    memset(&server, UNTOUCHED, sizeof server);
    const LutraCircuit before = server;
    const LutraStatus status = lutra_server_circuit(&server, &one.circuit, error);
    if (status == LUTRA_OK) {
        lutra_circuit_deinit(&server);
    } else {
        assert_memory_equal(&server, &before, sizeof server);
    }
    return status;
}

static LutraStatus write_client_key(LutraError *error) {
    const char *const path = check_temporary("written.key");
    const LutraStatus status = lutra_client_key_write(&one.key, path, false, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    return status;
}

static LutraStatus read_client_key(LutraError *error) {
    LutraClientKey key;
    const LutraStatus status = lutra_client_key_read(&key, one.client_key, &one.server, error);
    assert_int_equal(key.seeds != NULL, status == LUTRA_OK);
    lutra_client_key_deinit(&key);
    return status;
}

static LutraStatus write_evaluation_key(LutraError *error) {
    const char *const path = check_temporary("written.key");
    const LutraStatus status =
        lutra_evaluation_key_write(path, false, &one.key, &one.server, 1, NULL, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    return status;
}

static LutraStatus encrypt(LutraError *error) {
    const char *const path = check_temporary("written");
    LutraClient client;
    LUTRA_TRY(lutra_client_init(&client, &one.key, &one.circuit, 1, error));
    const LutraStatus status =
        lutra_client_encrypt(&client, path, false, small_pixels, 1, NULL, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    lutra_client_deinit(&client);
    return status;
}

static LutraStatus serve_to(const char *path, LutraError *error) {
    LutraBackendSettings backend;
    LutraServerReport report = {.images = 77};
    LutraCircuitKeys keys;
    LutraKeyId id;
    lutra_backend_settings_default(&backend);
    const LutraEncryptedSettings settings = {.threads = 1, .cpu_flags = LUTRA_CPU_ALL};
    LUTRA_TRY(lutra_evaluation_key_read(&keys, &id, one.evaluation_key, &one.server, &backend, NULL,
                                        error));
    const LutraStatus status = lutra_server_run(&report, one.inputs, path, true, &one.server, &keys,
                                                &id, &settings, error);
    assert_int_equal(report.images, status == LUTRA_OK ? 1 : 77);
    lutra_circuit_keys_deinit(&keys);
    return status;
}

static LutraStatus serve(LutraError *error) {
    const char *const path = check_temporary("written");
    const LutraStatus status = serve_to(path, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    return status;
}

static LutraStatus decrypt(LutraError *error) {
    LutraClient client;
    float *logits = NULL;
    uint64_t count = 0;
    LUTRA_TRY(lutra_client_init(&client, &one.key, &one.circuit, 1, error));
    const LutraStatus status = lutra_client_decrypt(&logits, &count, &client, one.outputs, error);
    assert_int_equal(logits != NULL, status == LUTRA_OK);
    assert_int_equal(count, status == LUTRA_OK ? 1 : 0);
    lutra_free(&logits);
    lutra_client_deinit(&client);
    return status;
}

/* Files for the steps that read, made while nothing fails. */
static void prepare_files(void) {
    LutraError error = {""};
    LutraClient client;
    (void)snprintf(one.evaluation_key, PATH, "%s", check_temporary("evaluation.key"));
    (void)snprintf(one.inputs, PATH, "%s", check_temporary("inputs"));
    (void)snprintf(one.outputs, PATH, "%s", check_temporary("outputs"));
    check_status(lutra_evaluation_key_write(one.evaluation_key, false, &one.key, &one.server, 1,
                                            NULL, &error),
                 LUTRA_OK, &error);
    check_status(lutra_client_init(&client, &one.key, &one.circuit, 1, &error), LUTRA_OK, &error);
    check_status(lutra_client_encrypt(&client, one.inputs, false, small_pixels, 1, NULL, &error),
                 LUTRA_OK, &error);
    check_status(serve_to(one.outputs, &error), LUTRA_OK, &error);
    lutra_client_deinit(&client);
}

static void each_allocation_of_keys_fails_once(void **state) {
    (void)state;
    allocfail_each(make_server);
    allocfail_each(write_client_key);
    allocfail_each(read_client_key);
}

static void each_allocation_of_the_client_fails_once(void **state) {
    (void)state;
    allocfail_each(write_evaluation_key);
    allocfail_each(encrypt);
    allocfail_each(decrypt);
}

static void each_allocation_of_the_server_fails_once(void **state) {
    (void)state;
    allocfail_each(serve);
}

static int prepare(void **state) {
    LutraError error = {""};
    (void)state;
    small_client_circuit(&one.circuit, true);
    check_status(lutra_server_circuit(&one.server, &one.circuit, &error), LUTRA_OK, &error);
    check_status(lutra_client_key_draw(&one.key, &one.server, &error), LUTRA_OK, &error);
    (void)snprintf(one.client_key, PATH, "%s", check_temporary("client.key"));
    check_status(lutra_client_key_write(&one.key, one.client_key, false, &error), LUTRA_OK, &error);
    prepare_files();
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    lutra_client_key_deinit(&one.key);
    lutra_circuit_deinit(&one.server);
    lutra_circuit_deinit(&one.circuit);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_keys_fails_once),
        cmocka_unit_test(each_allocation_of_the_client_fails_once),
        cmocka_unit_test(each_allocation_of_the_server_fails_once),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("alloc_client", tests, prepare, clean_up);
}
