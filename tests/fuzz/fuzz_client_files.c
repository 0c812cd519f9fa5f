/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of client and server: any contents under a right seal are refused with a sentence or taken.
 * The first byte chooses the kind of file; bit 2 of it puts the right id before what follows, so
 * that the rest is read. The bytes as they are are refused by the seal.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "bridge/ciphertext_files_priv.h"
#include "sim/circuit_checksum.h"
#include "tests/bridge/small_client.h"
#include "tests/support/fuzz.h"

enum { CLIENT = 0, EVALUATION = 1, INPUTS = 2, OUTPUTS = 3, KINDS = 4, WITH_ID = 4 };

static const LutraSealedKind kinds[KINDS] = {{"lutraCKY", 1, "client key"},
                                             {"lutraEVK", 1, "evaluation key"},
                                             {"lutraINP", 1, "file of encrypted inputs"},
                                             {"lutraOUT", 1, "file of encrypted outputs"}};

static void write_sealed(const char *path, const LutraKeyId *id, unsigned kind, bool with_id,
                         const uint8_t *data, size_t bytes) {
    LutraSealedWriter writer;
    LutraError error = {""};
    FUZZ_CHECK(lutra_sealed_create(&writer, path, &kinds[kind], true, &error) == LUTRA_OK);
    if (with_id) {
        FUZZ_CHECK(lutra_key_id_put(&writer, id, &error) == LUTRA_OK);
    }
    FUZZ_CHECK(lutra_sealed_put(&writer, data, bytes, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_sealed_commit(&writer, &error) == LUTRA_OK);
}

static LutraStatus read_evaluation_key(const char *path, const LutraCircuit *server,
                                       LutraError *error) {
    LutraBackendSettings settings;
    LutraCircuitKeys keys;
    LutraKeyId id;
    lutra_backend_settings_default(&settings);
    LUTRA_TRY(lutra_evaluation_key_read(&keys, &id, path, server, &settings, NULL, error));
    lutra_circuit_keys_deinit(&keys);
    return LUTRA_OK;
}

static LutraStatus read_ciphertexts(const char *path, unsigned kind, const LutraCircuit *circuit,
                                    const LutraKeyId *id, LutraError *error) {
    LutraKeyLayout layout;
    LutraSealedReader reader;
    uint64_t images = 0;
    LUTRA_TRY(lutra_key_layout_init(&layout, circuit, error));
    const uint64_t bytes = kind == INPUTS ? lutra_input_image_bytes(circuit)
                                          : lutra_output_image_bytes(circuit, &layout);
    const LutraStatus status = lutra_ciphertexts_open(
        &reader, &images, path, kind == INPUTS ? &lutra_inputs_kind : &lutra_outputs_kind, id,
        bytes, error);
    if (status == LUTRA_OK) {
        FUZZ_CHECK(reader.bytes == images * bytes);
        lutra_sealed_close(&reader);
    }
    lutra_key_layout_deinit(&layout);
    return status;
}

static LutraStatus read_file(const char *path, unsigned kind, const LutraCircuit *circuit,
                             const LutraCircuit *server, const LutraKeyId *id, LutraError *error) {
    LutraClientKey key;
    if (kind == CLIENT) {
        LUTRA_TRY(lutra_client_key_read(&key, path, server, error));
        lutra_client_key_deinit(&key);
        return LUTRA_OK;
    }
    return kind == EVALUATION ? read_evaluation_key(path, server, error)
                              : read_ciphertexts(path, kind, circuit, id, error);
}

static void check(LutraStatus status, const LutraError *error) {
    FUZZ_CHECK(status == LUTRA_OK || ((status == LUTRA_EDATA || status == LUTRA_EUNAVAILABLE) &&
                                      error->message[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraCircuit circuit;
    LutraCircuit server;
    LutraError error = {""};
    if (bytes == 0) {
        return 0;
    }
    const unsigned kind = data[0] % KINDS;
    small_client_circuit(&circuit, false);
    FUZZ_CHECK(lutra_server_circuit(&server, &circuit, &error) == LUTRA_OK);
    const LutraKeyId id = {.circuit = lutra_circuit_checksum(&server), .pair = {1, 2, 3}};
    const char *const path = fuzz_file("client-file", data + 1, bytes - 1);
    FUZZ_CHECK(chmod(path, S_IRUSR | S_IWUSR) == 0);
    check(read_file(path, kind, &circuit, &server, &id, &error), &error);
    write_sealed(path, &id, kind, (data[0] & WITH_ID) != 0, data + 1, bytes - 1);
    check(read_file(path, kind, &circuit, &server, &id, &error), &error);
    (void)unlink(path);
    lutra_circuit_deinit(&server);
    lutra_circuit_deinit(&circuit);
    return 0;
}
