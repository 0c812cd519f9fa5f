/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_files.h"

#include "sim/server_circuit.h"

static LutraStatus open_client(ClientFiles *files, const char *path, uint32_t threads,
                               LutraError *error) {
    LutraCircuit server = {0};
    LutraClientKey key = {.set_count = 0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_server_circuit(&server, &files->circuit, error));
    LUTRA_TRY_GOTO(status, lutra_client_key_read(&key, path, &server, error));
    status = lutra_client_init(&files->client, &key, &files->circuit, threads, error);
done:
    lutra_client_key_deinit(&key);
    lutra_circuit_deinit(&server);
    return status;
}

LutraStatus client_files_open(ClientFiles *files, const char *circuit, const char *key,
                              uint32_t threads, LutraError *error) {
    *files = (ClientFiles){.client = {.circuit = NULL}};
    LUTRA_TRY(lutra_circuit_read(&files->circuit, circuit, error));
    LutraStatus status = lutra_seeded_check(error);
    if (status == LUTRA_OK) {
        status = open_client(files, key, threads, error);
    }
    if (status != LUTRA_OK) {
        client_files_close(files);
    }
    return status;
}

void client_files_close(ClientFiles *files) {
    lutra_client_deinit(&files->client);
    lutra_circuit_deinit(&files->circuit);
    *files = (ClientFiles){.client = {.circuit = NULL}};
}
