/* SPDX-License-Identifier: Apache-2.0 */
/* CSV files, built in memory and written whole. */
#ifndef LUTRA_CLI_CSV_FILE_H
#define LUTRA_CLI_CSV_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/** A table under construction: print rows to `out`. */
typedef struct {
    FILE *out;
    char *text;
    size_t bytes;
} CliCsv;

LUTRA_MUST_CHECK LutraStatus cli_csv_open(CliCsv *csv, LutraError *error);

/** Writes the file and frees; LUTRA_ENOMEM if a row did not fit into memory. */
LUTRA_MUST_CHECK LutraStatus cli_csv_close(CliCsv *csv, const char *path, bool force,
                                           LutraError *error);

/**
 * image,label,logit_0,...: nine digits, so that reading brings every float back unchanged.
 *
 * @param labels  (images)
 * @param logits  (images, classes)
 */
LUTRA_MUST_CHECK LutraStatus cli_write_logits(const char *path, bool force, const uint16_t *labels,
                                              const float *logits, uint64_t images,
                                              uint32_t classes, LutraError *error);

#endif
