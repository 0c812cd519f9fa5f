/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/memory.h"

static const size_t MOST_FILE_BYTES = (size_t)1 << 34;

LutraStatus cli_file_checksum(char checksum[CLI_CHECKSUM_BYTES], const char *path,
                              LutraError *error) {
    LutraBytes bytes = {0};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    LUTRA_TRY(lutra_file_read(&bytes, path, MOST_FILE_BYTES, error));
    for (size_t i = 0; i < bytes.bytes; i++) {
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    lutra_bytes_deinit(&bytes);
    (void)snprintf(checksum, CLI_CHECKSUM_BYTES, "%016" PRIx64, hash);
    return LUTRA_OK;
}

LutraStatus cli_is_model_file(bool *is_model, const char *path, LutraError *error) {
    LutraH5 *file = NULL;
    char *format = NULL;
    LUTRA_TRY(lutra_h5_open(&file, path, error));
    const LutraStatus status = lutra_h5_has_attribute(file, "", "format")
                                   ? lutra_h5_read_text(&format, file, "", "format", error)
                                   : LUTRA_OK;
    lutra_h5_close(&file);
    if (status == LUTRA_OK) {
        *is_model = format != NULL && strncmp(format, "lutra.model/", 12) == 0;
    }
    lutra_free(&format);
    return status;
}
