/* SPDX-License-Identifier: Apache-2.0 */
/* What a file that a command starts from is: model or circuit, and its checksum. */
#ifndef LUTRA_CLI_SOURCE_FILE_H
#define LUTRA_CLI_SOURCE_FILE_H

#include <stdbool.h>

#include "base/status.h"

enum { CLI_CHECKSUM_BYTES = 17 };

/** 16 hex digits over the bytes of a file (FNV-1a: it finds accidents, not attacks). */
LUTRA_MUST_CHECK LutraStatus cli_file_checksum(char checksum[CLI_CHECKSUM_BYTES], const char *path,
                                               LutraError *error);

/** Whether an HDF5 file says that it is a model. */
LUTRA_MUST_CHECK LutraStatus cli_is_model_file(bool *is_model, const char *path, LutraError *error);

#endif
