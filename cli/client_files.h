/* SPDX-License-Identifier: Apache-2.0 */
/* What encrypt and decrypt begin with: the whole circuit and the client's key. */
#ifndef LUTRA_CLI_CLIENT_FILES_H
#define LUTRA_CLI_CLIENT_FILES_H

#include "bridge/ciphertext_files.h"

typedef struct {
    LutraCircuit circuit; /* owned, like the next */
    LutraClient client;
} ClientFiles;

/** Reads both; zeroed on error. */
LUTRA_MUST_CHECK LutraStatus client_files_open(ClientFiles *files, const char *circuit,
                                               const char *key, uint32_t threads,
                                               LutraError *error);

/** Erases secret keys and frees. */
void client_files_close(ClientFiles *files);

#endif
