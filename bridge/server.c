/* SPDX-License-Identifier: Apache-2.0 */
/* The server between two files of ciphertexts; see ciphertext_files.h. */
#include "base/clock.h"
#include "base/memory.h"
#include "bridge/ciphertext_files_priv.h"
#include "sim/server_circuit.h"

typedef struct {
    const LutraCircuit *server;
    const LutraCircuitKeys *keys;
    const LutraEncryptedSettings *settings;
    LutraSeededContext **sets; /* (parameter_count), without secret keys; owned */
    uint64_t images;
    uint64_t image;
    uint64_t lookups; /* of one image */
} Server;

static int tick_all(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const Server *const server = user;
    (void)total;
    return lutra_progress_tick(server->settings->progress, stage,
                               server->image * server->lookups + done,
                               server->images * server->lookups, figure)
               ? 1
               : 0;
}

static LutraStatus take_result(const Server *server, LutraEncryptedState *state,
                               LutraSealedReader *reader, uint32_t operation, LutraError *error) {
    const LutraKeyLayout *const layout = &server->keys->layout;
    const size_t count = lutra_elements_of(server->server, operation);
    const size_t words = lutra_words_of(server->server, layout, operation);
    uint64_t **const ciphertexts = &state->slots[operation].ciphertexts;
    uint8_t seed[LUTRA_SEED_BYTES];
    uint64_t *bodies = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&bodies, count, sizeof *bodies, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(ciphertexts, count * words, sizeof **ciphertexts, error));
    LUTRA_TRY_GOTO(status, lutra_sealed_take(reader, seed, sizeof seed, error));
    LUTRA_TRY_GOTO(status, lutra_sealed_take_u64(reader, bodies, count, error));
    status = lutra_expand_ciphertexts(*ciphertexts, server->sets[layout->set_of_result[operation]],
                                      seed, bodies, count, error);
done:
    lutra_free(&bodies);
    return status;
}

static LutraStatus take_image(const Server *server, LutraEncryptedState *state,
                              LutraSealedReader *reader, LutraError *error) {
    LUTRA_TRY(
        lutra_alloc(&state->slots, server->server->operation_count, sizeof *state->slots, error));
    for (uint32_t i = 0; i < server->server->operation_count; i++) {
        if (lutra_is_sent_to_server(server->server, i)) {
            LUTRA_TRY(take_result(server, state, reader, i, error));
        }
    }
    return LUTRA_OK;
}

static LutraStatus put_image(const Server *server, const LutraEncryptedState *state,
                             LutraSealedWriter *writer, LutraError *error) {
    for (uint32_t i = 0; i < server->server->operation_count; i++) {
        if (lutra_is_sent_to_client(server->server, i)) {
            const size_t words = lutra_elements_of(server->server, i) *
                                 lutra_words_of(server->server, &server->keys->layout, i);
            LUTRA_TRY(lutra_sealed_put_u64(writer, state->slots[i].ciphertexts, words, error));
        }
    }
    return LUTRA_OK;
}

static LutraStatus run_image(LutraServerReport *report, Server *server, LutraSealedReader *reader,
                             LutraSealedWriter *writer, LutraError *error) {
    const LutraProgress progress = {.tick = tick_all, .note = NULL, .user = server};
    LutraEncryptedSettings settings = *server->settings;
    LutraEncryptedState state = {0};
    settings.progress = server->settings->progress != NULL ? &progress : NULL;
    const double start = lutra_seconds();
    LutraStatus status = take_image(server, &state, reader, error);
    if (status == LUTRA_OK) {
        status = lutra_encrypted_evaluate(&state, server->keys, server->server, &settings, error);
    }
    if (status == LUTRA_OK) {
        status = put_image(server, &state, writer, error);
    }
    report->seconds += lutra_seconds() - start;
    report->lookups += state.report.lookups;
    if (state.report.ciphertext_bytes > report->ciphertext_bytes) {
        report->ciphertext_bytes = state.report.ciphertext_bytes;
    }
    report->images += status == LUTRA_OK;
    lutra_encrypted_state_deinit(&state, server->server->operation_count);
    return status;
}

static LutraStatus run_all(LutraServerReport *report, Server *server, LutraSealedReader *reader,
                           LutraSealedWriter *writer, LutraError *error) {
    LUTRA_TRY(
        lutra_alloc(&server->sets, server->server->parameter_count, sizeof *server->sets, error));
    for (uint32_t i = 0; i < server->server->parameter_count; i++) {
        LUTRA_TRY(lutra_seeded_create(&server->sets[i], &server->server->parameters[i], NULL,
                                      server->settings->threads, error));
    }
    for (; server->image < server->images; server->image++) {
        LUTRA_TRY(run_image(report, server, reader, writer, error));
    }
    return lutra_sealed_end(reader, error);
}

LutraStatus lutra_server_run(LutraServerReport *report, const char *inputs, const char *outputs,
                             bool force, const LutraCircuit *server, const LutraCircuitKeys *keys,
                             const LutraKeyId *id, const LutraEncryptedSettings *settings,
                             LutraError *error) {
    Server work = {.server = server,
                   .keys = keys,
                   .settings = settings,
                   .lookups = lutra_encrypted_lookups(server)};
    LutraServerReport made = {0};
    LutraSealedReader reader;
    LutraSealedWriter writer = {.stream = NULL};
    LUTRA_TRY(lutra_ciphertexts_open(&reader, &work.images, inputs, &lutra_inputs_kind, id,
                                     lutra_input_image_bytes(server), error));
    LutraStatus status = lutra_ciphertexts_create(&writer, outputs, &lutra_outputs_kind, force, id,
                                                  work.images, error);
    if (status == LUTRA_OK) {
        status = run_all(&made, &work, &reader, &writer, error);
        if (status == LUTRA_OK) {
            status = lutra_sealed_commit(&writer, error);
        } else {
            lutra_sealed_abandon(&writer);
        }
    }
    for (uint32_t i = 0; work.sets != NULL && i < server->parameter_count; i++) {
        lutra_seeded_destroy(&work.sets[i]);
    }
    lutra_free(&work.sets);
    lutra_sealed_close(&reader);
    if (status == LUTRA_OK) {
        *report = made;
    }
    return status;
}
