/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements as CSV: one line an item, each with the processor it was measured on. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "cli/csv_file.h"

static const char header[] = "item,unit,better,median,best,worst,repeats,cpu,instruction_sets";

enum { FIELDS = 9, MOST_BYTES = 1 << 20, MOST_REPEATS = 1000000 };

LutraStatus bench_write_csv(const BenchItems *items, const char *path, bool force,
                            LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fprintf(csv.out, "%s\n", header);
    for (uint32_t i = 0; i < items->count; i++) {
        const BenchItem *const item = &items->items[i];
        fprintf(csv.out, "%s,%s,%s,%.6g,%.6g,%.6g,%u,%s,%s\n", item->name, item->unit,
                item->less_is_better ? "less" : "more", item->median, item->best, item->worst,
                item->repeats, items->cpu, items->sets);
    }
    return cli_csv_close(&csv, path, force, error);
}

/** Cuts a line at its commas; false unless there are exactly FIELDS fields. */
static bool split_fields(char *fields[FIELDS], char *line) {
    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = line;
        char *const comma = strchr(line, ',');
        if ((comma == NULL) != (i + 1 == FIELDS)) {
            return false;
        }
        if (comma != NULL) {
            *comma = '\0';
            line = comma + 1;
        }
    }
    return true;
}

static bool copy_word(char *to, size_t bytes, const char *from) {
    const size_t length = strlen(from);
    if (length == 0 || length >= bytes) {
        return false;
    }
    memcpy(to, from, length + 1);
    return true;
}

static bool read_positive(double *value, const char *text) {
    char *end = NULL;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value) && *value > 0.0;
}

static bool read_item(BenchItem *item, BenchItems *items, char *line) {
    char *fields[FIELDS];
    double repeats = 0.0;
    if (!split_fields(fields, line) || !copy_word(item->name, sizeof item->name, fields[0]) ||
        !copy_word(item->unit, sizeof item->unit, fields[1]) ||
        !read_positive(&item->median, fields[3]) || !read_positive(&item->best, fields[4]) ||
        !read_positive(&item->worst, fields[5]) || !read_positive(&repeats, fields[6]) ||
        repeats > MOST_REPEATS || !copy_word(items->cpu, sizeof items->cpu, fields[7]) ||
        !copy_word(items->sets, sizeof items->sets, fields[8])) {
        return false;
    }
    item->repeats = (uint32_t)repeats;
    item->less_is_better = strcmp(fields[2], "less") == 0;
    return item->less_is_better || strcmp(fields[2], "more") == 0;
}

static LutraStatus read_lines(BenchItems *items, char *text, const char *path,
                              LutraError *error) {
    char *rest = NULL;
    const char *const first = strtok_r(text, "\n", &rest);
    if (first == NULL || strcmp(first, header) != 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is no CSV of 'lutra bench --csv'", path);
    }
    uint32_t number = 2;
    for (char *line = strtok_r(NULL, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        BenchItem item = {.repeats = 0};
        if (!read_item(&item, items, line) || bench_find(items, item.name) != NULL) {
            return lutra_error_set(error, LUTRA_EDATA, "'%s', line %u: no measurement, or a second "
                                   "one of the same item", path, number);
        }
        LUTRA_TRY(lutra_resize(&items->items, items->count, (size_t)items->count + 1,
                               sizeof item, error));
        items->items[items->count++] = item;
        number++;
    }
    return LUTRA_OK;
}

LutraStatus bench_read_csv(BenchItems *items, const char *path, LutraError *error) {
    LutraBytes bytes = {0};
    BenchItems read = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, MOST_BYTES, error));
    const LutraStatus status = read_lines(&read, (char *)bytes.data, path, error);
    lutra_bytes_deinit(&bytes);
    if (status != LUTRA_OK) {
        bench_items_deinit(&read);
        return status;
    }
    *items = read;
    return LUTRA_OK;
}
