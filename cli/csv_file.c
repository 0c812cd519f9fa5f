/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/csv_file.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"

LutraStatus cli_csv_open(CliCsv *csv, LutraError *error) {
    *csv = (CliCsv){0};
    csv->out = open_memstream(&csv->text, &csv->bytes);
    return csv->out != NULL ? LUTRA_OK : lutra_error_set(error, LUTRA_ENOMEM, "out of memory");
}

LutraStatus cli_csv_close(CliCsv *csv, const char *path, bool force, LutraError *error) {
    const bool complete = ferror(csv->out) == 0;
    const bool closed = fclose(csv->out) == 0;
    const LutraStatus status =
        complete && closed ? lutra_file_write(path, csv->text, csv->bytes, force, error)
                           : lutra_error_set(error, LUTRA_ENOMEM, "out of memory for '%s'", path);
    free(csv->text);
    *csv = (CliCsv){0};
    return status;
}

LutraStatus cli_write_logits(const char *path, bool force, const uint16_t *labels,
                             const float *logits, uint64_t images, uint32_t classes,
                             LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fputs("image,label", csv.out);
    for (uint32_t c = 0; c < classes; c++) {
        fprintf(csv.out, ",logit_%" PRIu32, c);
    }
    fputc('\n', csv.out);
    for (uint64_t i = 0; i < images; i++) {
        fprintf(csv.out, "%" PRIu64 ",%u", i, labels[i]);
        for (uint32_t c = 0; c < classes; c++) {
            fprintf(csv.out, ",%.9g", (double)logits[i * classes + c]);
        }
        fputc('\n', csv.out);
    }
    return cli_csv_close(&csv, path, force, error);
}
