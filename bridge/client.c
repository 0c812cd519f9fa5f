/* SPDX-License-Identifier: Apache-2.0 */
/* The client between images and files of ciphertexts; see ciphertext_files.h. */
#include <math.h>
#include <string.h>

#include "base/entropy.h"
#include "base/memory.h"
#include "bridge/ciphertext_files_priv.h"
#include "sim/operations.h"
#include "sim/server_circuit.h"
#include "sim/torus_rounding.h"

/* --- life ------------------------------------------------------------------------------------- */

/** What runs after the server may not need what was before it: the client that decrypts has no
 * image. */
static LutraStatus check_cut(const LutraCircuit *circuit, LutraError *error) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t k = 0; k < op->input_count; k++) {
            if (!lutra_operation_is_encrypted(op) && !lutra_runs_before_server(circuit, i) &&
                lutra_runs_before_server(circuit, op->inputs[k])) {
                return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                                       "'%s' reads a value of before the encrypted operations: run "
                                       "this circuit with 'lutra verify'",
                                       op->name);
            }
        }
    }
    return lutra_encrypted_check(circuit, error);
}

LutraStatus lutra_client_init(LutraClient *client, const LutraClientKey *key,
                              const LutraCircuit *circuit, uint32_t threads, LutraError *error) {
    LutraClient made = {.circuit = circuit, .id = key->id, .set_count = circuit->parameter_count};
    LutraStatus status = LUTRA_OK;
    *client = (LutraClient){.circuit = NULL};
    LUTRA_ASSERT(key->set_count == circuit->parameter_count);
    LUTRA_TRY(check_cut(circuit, error));
    LUTRA_TRY_GOTO(status, lutra_key_layout_init(&made.layout, circuit, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.sets, made.set_count, sizeof *made.sets, error));
    for (uint32_t i = 0; i < made.set_count; i++) {
        LUTRA_TRY_GOTO(
            status, lutra_seeded_create(&made.sets[i], &circuit->parameters[i],
                                        key->seeds + (size_t)i * LUTRA_SEED_BYTES, threads, error));
    }
    *client = made;
    made = (LutraClient){.circuit = NULL};
done:
    lutra_client_deinit(&made);
    return status;
}

void lutra_client_deinit(LutraClient *client) {
    for (uint32_t i = 0; client->sets != NULL && i < client->set_count; i++) {
        lutra_seeded_destroy(&client->sets[i]);
    }
    lutra_free(&client->sets);
    lutra_key_layout_deinit(&client->layout);
    *client = (LutraClient){.circuit = NULL};
}

/* --- integers of an image --------------------------------------------------------------------- */

/** Results of operations in the clear. Zeroed: none yet. */
typedef struct {
    int32_t **codes;       /* (operation_count), owned with what they point to */
    const int32_t **views; /* (operation_count) the same to read, owned */
} Values;

static void values_deinit(Values *values, const LutraCircuit *circuit) {
    for (uint32_t i = 0; values->codes != NULL && i < circuit->operation_count; i++) {
        if (values->codes[i] != NULL) {
            lutra_wipe(values->codes[i], lutra_elements_of(circuit, i) * sizeof(int32_t));
        }
        lutra_free(&values->codes[i]);
    }
    lutra_free(&values->codes);
    lutra_free(&values->views);
}

static LutraStatus values_init(Values *values, const LutraCircuit *circuit, LutraError *error) {
    *values = (Values){NULL, NULL};
    LUTRA_TRY(lutra_alloc(&values->codes, circuit->operation_count, sizeof *values->codes, error));
    const LutraStatus status =
        lutra_alloc(&values->views, circuit->operation_count, sizeof *values->views, error);
    if (status != LUTRA_OK) {
        values_deinit(values, circuit);
    }
    return status;
}

static LutraStatus add_value(Values *values, const LutraCircuit *circuit, uint32_t operation,
                             LutraError *error) {
    LUTRA_TRY(lutra_alloc(&values->codes[operation], lutra_elements_of(circuit, operation),
                          sizeof(int32_t), error));
    values->views[operation] = values->codes[operation];
    return LUTRA_OK;
}

/** Runs operations in the clear, those before the server or those behind it. */
static LutraStatus run_clear(Values *values, const LutraCircuit *circuit, bool before,
                             const uint8_t *pixels, LutraError *error) {
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        if (lutra_operation_is_encrypted(&circuit->operations[i]) ||
            lutra_runs_before_server(circuit, i) != before) {
            continue;
        }
        LUTRA_TRY(add_value(values, circuit, i, error));
        (void)lutra_operation_apply(values->codes[i], circuit, i, pixels, values->views);
    }
    return LUTRA_OK;
}

/* --- encryption ------------------------------------------------------------------------------- */

static LutraStatus encrypt_result(const LutraClient *client, LutraSealedWriter *writer,
                                  uint32_t operation, const int32_t *codes, LutraError *error) {
    const LutraCircuit *const circuit = client->circuit;
    const size_t count = lutra_elements_of(circuit, operation);
    const uint32_t bits = circuit->operations[operation].encoding.bits;
    uint8_t seed[LUTRA_SEED_BYTES];
    uint64_t *plain = NULL;
    uint64_t *bodies = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&plain, count, sizeof *plain, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&bodies, count, sizeof *bodies, error));
    for (size_t i = 0; i < count; i++) {
        plain[i] = lutra_word_encode(codes[i], bits);
    }
    LUTRA_TRY_GOTO(status, lutra_seeded_encrypt(
                               seed, bodies, client->sets[client->layout.set_of_result[operation]],
                               plain, count, error));
    LUTRA_TRY_GOTO(status, lutra_sealed_put(writer, seed, sizeof seed, error));
    status = lutra_sealed_put_u64(writer, bodies, count, error);
done:
    if (plain != NULL) {
        lutra_wipe(plain, count * sizeof *plain);
    }
    lutra_free(&plain);
    lutra_free(&bodies);
    return status;
}

static LutraStatus encrypt_image(const LutraClient *client, LutraSealedWriter *writer,
                                 const uint8_t *pixels, LutraError *error) {
    const LutraCircuit *const circuit = client->circuit;
    Values values;
    LUTRA_TRY(values_init(&values, circuit, error));
    LutraStatus status = run_clear(&values, circuit, true, pixels, error);
    for (uint32_t i = 0; status == LUTRA_OK && i < circuit->operation_count; i++) {
        if (lutra_is_sent_to_server(circuit, i)) {
            status = encrypt_result(client, writer, i, values.codes[i], error);
        }
    }
    values_deinit(&values, circuit);
    return status;
}

LutraStatus lutra_client_encrypt(const LutraClient *client, const char *path, bool force,
                                 const uint8_t *pixels, uint64_t count,
                                 const LutraProgress *progress, LutraError *error) {
    const size_t image = lutra_elements_of(client->circuit, 0);
    LutraSealedWriter writer;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_ciphertexts_create(&writer, path, &lutra_inputs_kind, force, &client->id, count,
                                       error));
    for (uint64_t i = 0; i < count; i++) {
        LUTRA_TRY_GOTO(status, encrypt_image(client, &writer, pixels + (size_t)i * image, error));
        if (lutra_progress_tick(progress, "encrypting", i + 1, count, NAN)) {
            status = lutra_error_set(error, LUTRA_ECANCELLED, "encrypting was cancelled");
            goto done;
        }
    }
    return lutra_sealed_commit(&writer, error);
done:
    lutra_sealed_abandon(&writer);
    return status;
}

/* --- decryption ------------------------------------------------------------------------------- */

static LutraStatus decrypt_result(Values *values, const LutraClient *client,
                                  LutraSealedReader *reader, uint32_t operation,
                                  LutraError *error) {
    const LutraCircuit *const circuit = client->circuit;
    const size_t count = lutra_elements_of(circuit, operation);
    const size_t words = lutra_words_of(circuit, &client->layout, operation);
    const LutraEncoding encoding = circuit->operations[operation].encoding;
    uint64_t *ciphertexts = NULL;
    uint64_t *plain = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&ciphertexts, count * words, sizeof *ciphertexts, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&plain, count, sizeof *plain, error));
    LUTRA_TRY_GOTO(status, add_value(values, circuit, operation, error));
    LUTRA_TRY_GOTO(status, lutra_sealed_take_u64(reader, ciphertexts, count * words, error));
    LUTRA_TRY_GOTO(
        status, lutra_seeded_decrypt(plain, client->sets[client->layout.set_of_result[operation]],
                                     ciphertexts, count, error));
    for (size_t i = 0; i < count; i++) {
        const int64_t value = lutra_word_decode(plain[i], encoding);
        values->codes[operation][i] = value > INT32_MAX ? INT32_MAX : (int32_t)value;
    }
done:
    if (plain != NULL) {
        lutra_wipe(plain, count * sizeof *plain);
    }
    lutra_free(&plain);
    lutra_free(&ciphertexts);
    return status;
}

static LutraStatus decrypt_image(float *logits, const LutraClient *client,
                                 LutraSealedReader *reader, LutraError *error) {
    const LutraCircuit *const circuit = client->circuit;
    const LutraOperation *const output = &circuit->operations[circuit->operation_count - 1];
    Values values;
    LUTRA_TRY(values_init(&values, circuit, error));
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; status == LUTRA_OK && i < circuit->operation_count; i++) {
        if (lutra_is_sent_to_client(circuit, i)) {
            status = decrypt_result(&values, client, reader, i, error);
        }
    }
    if (status == LUTRA_OK) {
        status = run_clear(&values, circuit, false, NULL, error);
    }
    if (status == LUTRA_OK) {
        lutra_operation_output(logits, &output->u.output, circuit->class_count,
                               values.codes[output->inputs[0]]);
    }
    values_deinit(&values, circuit);
    return status;
}

static LutraStatus decrypt_all(float **logits, uint64_t *count, const LutraClient *client,
                               LutraSealedReader *reader, uint64_t images, LutraError *error) {
    const uint32_t classes = client->circuit->class_count;
    float *made = NULL;
    LUTRA_TRY(lutra_alloc(&made, (size_t)images * classes, sizeof *made, error));
    LutraStatus status = LUTRA_OK;
    for (uint64_t i = 0; status == LUTRA_OK && i < images; i++) {
        status = decrypt_image(made + (size_t)i * classes, client, reader, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_sealed_end(reader, error);
    }
    if (status != LUTRA_OK) {
        lutra_free(&made);
        return status;
    }
    *logits = made;
    *count = images;
    return LUTRA_OK;
}

LutraStatus lutra_client_decrypt(float **logits, uint64_t *count, const LutraClient *client,
                                 const char *path, LutraError *error) {
    LutraSealedReader reader;
    uint64_t images = 0;
    *logits = NULL;
    *count = 0;
    LUTRA_TRY(lutra_ciphertexts_open(&reader, &images, path, &lutra_outputs_kind, &client->id,
                                     lutra_output_image_bytes(client->circuit, &client->layout),
                                     error));
    const LutraStatus status = decrypt_all(logits, count, client, &reader, images, error);
    lutra_sealed_close(&reader);
    return status;
}
