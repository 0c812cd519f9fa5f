/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and sizes of files of ciphertexts; see ciphertext_files.h. */
#include "bridge/ciphertext_files_priv.h"

#include <inttypes.h>

#include "sim/server_circuit.h"

const LutraSealedKind lutra_inputs_kind = {"lutraINP", 1, "file of encrypted inputs"};
const LutraSealedKind lutra_outputs_kind = {"lutraOUT", 1, "file of encrypted outputs"};

size_t lutra_elements_of(const LutraCircuit *circuit, uint32_t operation) {
    return lutra_shape_elements(circuit->operations[operation].shape);
}

size_t lutra_words_of(const LutraCircuit *circuit, const LutraKeyLayout *layout,
                      uint32_t operation) {
    const LutraCryptoParameters *const set = &circuit->parameters[layout->set_of_result[operation]];
    return ((size_t)set->glwe_dim << set->log2_poly) + 1;
}

uint64_t lutra_input_image_bytes(const LutraCircuit *circuit) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (lutra_is_sent_to_server(circuit, i)) {
            bytes += LUTRA_SEED_BYTES + (uint64_t)lutra_elements_of(circuit, i) * 8;
        }
    }
    return bytes;
}

uint64_t lutra_output_image_bytes(const LutraCircuit *circuit, const LutraKeyLayout *layout) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (lutra_is_sent_to_client(circuit, i)) {
            bytes +=
                (uint64_t)lutra_elements_of(circuit, i) * lutra_words_of(circuit, layout, i) * 8;
        }
    }
    return bytes;
}

LutraStatus lutra_ciphertexts_create(LutraSealedWriter *writer, const char *path,
                                     const LutraSealedKind *kind, bool force, const LutraKeyId *id,
                                     uint64_t images, LutraError *error) {
    LUTRA_TRY(lutra_sealed_create(writer, path, kind, force, error));
    LutraStatus status = lutra_key_id_put(writer, id, error);
    if (status == LUTRA_OK) {
        status = lutra_sealed_put_u64(writer, &images, 1, error);
    }
    if (status != LUTRA_OK) {
        lutra_sealed_abandon(writer);
    }
    return status;
}

static LutraStatus check_head(LutraSealedReader *reader, uint64_t *images, const LutraKeyId *id,
                              uint64_t image_bytes, LutraError *error) {
    LutraKeyId found = {0};
    uint64_t count = 0;
    LUTRA_TRY(lutra_key_id_take(&found, reader, id, true, error));
    LUTRA_TRY(lutra_sealed_take_u64(reader, &count, 1, error));
    if (image_bytes == 0 || count != reader->bytes / image_bytes ||
        reader->bytes % image_bytes != 0) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' says that it has %" PRIu64 " images, but has %" PRIu64
                               " bytes of them; an image of this circuit has %" PRIu64,
                               reader->path, count, reader->bytes, image_bytes);
    }
    *images = count;
    return LUTRA_OK;
}

LutraStatus lutra_ciphertexts_open(LutraSealedReader *reader, uint64_t *images, const char *path,
                                   const LutraSealedKind *kind, const LutraKeyId *id,
                                   uint64_t image_bytes, LutraError *error) {
    LUTRA_TRY(lutra_sealed_open(reader, path, kind, error));
    const LutraStatus status = check_head(reader, images, id, image_bytes, error);
    if (status != LUTRA_OK) {
        lutra_sealed_close(reader);
    }
    return status;
}
