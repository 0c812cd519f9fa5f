/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.csv: one line for each setting. Every figure follows from whole numbers that stand in the
 * line, so a file that is read and written again stays as it is, byte for byte.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/csv_file.h"
#include "cli/setting_options.h"
#include "cli/sweep.h"

static const char HEADER[] =
    "rounding,offsets,layer,rounding_mode,p_error,top1,top1_low_95,top1_high_95,loss,loss_low_95,"
    "loss_high_95,hits,worse,better,out_of_range,lookups,p_error_reached,lwe_dim,glwe_dim,"
    "log2_poly,cost,predicted_seconds,parameter_sets,seconds,images,repeats,seed,split,source,data,"
    "security_bits,partition,calibration_images,version";

/* Columns of a line before the identity. */
enum {
    COLUMN_ROUNDING = 0,
    COLUMN_OFFSETS,
    COLUMN_LAYER,
    COLUMN_MODE,
    COLUMN_P_ERROR,
    COLUMN_HITS = 11,
    COLUMN_WORSE,
    COLUMN_BETTER,
    COLUMN_OUT_OF_RANGE,
    COLUMN_LOOKUPS,
    COLUMN_REACHED,
    COLUMN_LWE_DIM,
    COLUMN_GLWE_DIM,
    COLUMN_LOG2_POLY,
    COLUMN_COST,
    COLUMN_PREDICTED,
    COLUMN_SETS,
    COLUMN_SECONDS,
    COLUMNS
};

static const size_t MOST_CSV_BYTES = (size_t)1 << 26;

const char *sweep_rounding_text(char text[16], uint32_t rounding) {
    (void)snprintf(text, 16, rounding == LUTRA_ROUNDING_NONE ? "none" : "%" PRIu32, rounding);
    return text;
}

/* ---- the table ---- */

LutraStatus sweep_table_init(SweepTable *table, const SweepOptions *options,
                             const SweepSource *source, const LutraDataset *dataset,
                             LutraError *error) {
    SweepTable made = {.images = dataset->splits[options->split].count,
                       .repeats = options->repeats};
    if (made.images == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no %s images", options->data,
                               lutra_split_name(options->split));
    }
    (void)snprintf(made.identity, sizeof made.identity,
                   "%" PRIu64 ",%" PRIu32 ",%" PRIu64 ",%s,%s,%s,%" PRIu32 ",%s,%" PRIu64 ",%s",
                   made.images, made.repeats, options->common.seed,
                   lutra_split_name(options->split), source->checksum, dataset->checksum,
                   options->security_bits, lutra_partition_names[options->partition],
                   source->calibration_images, LUTRA_VERSION);
    *table = made;
    return LUTRA_OK;
}

void sweep_table_deinit(SweepTable *table) {
    lutra_free(&table->rows);
    *table = (SweepTable){0};
}

LutraStatus sweep_table_add(SweepTable *table, const SweepRow *row, LutraError *error) {
    LUTRA_TRY(lutra_resize(&table->rows, table->count, (size_t)table->count + 1,
                           sizeof *table->rows, error));
    table->rows[table->count++] = *row;
    return LUTRA_OK;
}

const SweepRow *sweep_table_find(const SweepTable *table, const SweepSetting *setting) {
    for (uint32_t i = 0; i < table->count; i++) {
        if (sweep_setting_equal(&table->rows[i].setting, setting)) {
            return &table->rows[i];
        }
    }
    return NULL;
}

/* ---- figures ---- */

uint32_t sweep_row_runs(const SweepTable *table, const SweepRow *row) {
    return row->setting.p_error > 0.0 ? table->repeats : 1;
}

double sweep_worst_p_error(const SweepTable *table) {
    double worst = 0.0;
    for (uint32_t i = 0; i < table->count; i++) {
        worst = fmax(worst, table->rows[i].p_error);
    }
    return worst;
}

double sweep_row_top1(const SweepTable *table, const SweepRow *row, LutraInterval *interval) {
    const double mean = (double)row->hits / sweep_row_runs(table, row);
    *interval = lutra_interval_binomial((uint64_t)rint(mean), table->images, 0.95);
    return mean / (double)table->images;
}

double sweep_row_loss(const SweepTable *table, const SweepRow *row, LutraInterval *interval) {
    const double runs = sweep_row_runs(table, row);
    const double worse = (double)row->worse / runs;
    const double better = (double)row->better / runs;
    const double images = (double)table->images;
    const SweepSetting *const setting = &row->setting;
    if (setting->rounding == LUTRA_ROUNDING_NONE && setting->offsets == LUTRA_OFFSETS_NONE &&
        setting->p_error == 0.0) {
        *interval = (LutraInterval){0.0, 0.0}; /* compared with itself */
        return 0.0;
    }
    *interval = lutra_interval_paired(worse, better, images, 0.95);
    return (worse - better) / images;
}

/* ---- writing ---- */

static void print_row(FILE *out, const SweepTable *table, const SweepRow *row) {
    const SweepSetting *const setting = &row->setting;
    char rounding[16];
    LutraInterval top1_ends;
    LutraInterval loss_ends;
    fprintf(out, "%s,%s,%s,%s,", sweep_rounding_text(rounding, setting->rounding),
            cli_offset_rules[setting->offsets],
            setting->layer[0] == '\0' ? "all" : setting->layer, cli_rounding_modes[setting->mode]);
    if (setting->p_error > 0.0) {
        char digits[32];
        (void)snprintf(digits, sizeof digits, "%.6g", setting->p_error);
        if (strtod(digits, NULL) != setting->p_error) {
            (void)snprintf(digits, sizeof digits, "%.17g", setting->p_error);
        }
        fputs(digits, out);
    }
    if (!row->feasible) {
        fprintf(out, ",,,,,,,,,,,%" PRIu64 ",,,,,,,,%.6g,%s\n", row->lookups, row->seconds,
                table->identity);
        return;
    }
    const double top1 = sweep_row_top1(table, row, &top1_ends);
    const double loss = sweep_row_loss(table, row, &loss_ends);
    fprintf(out, ",%.8f,%.8f,%.8f,%.8f,%.8f,%.8f", top1, top1_ends.low, top1_ends.high, loss,
            loss_ends.low, loss_ends.high);
    fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, row->hits,
            row->worse, row->better, row->out_of_range, row->lookups);
    if (setting->p_error > 0.0) {
        fprintf(out, ",%.6g,%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%.6g,%.6g,%" PRIu32, row->p_error,
                row->lwe_dim, row->glwe_dim, row->log2_poly, row->cost, row->predicted_seconds,
                row->parameter_sets);
    } else {
        fputs(",,,,,,,", out);
    }
    fprintf(out, ",%.6g,%s\n", row->seconds, table->identity);
}

LutraStatus sweep_table_write(const SweepTable *table, const char *path, LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fprintf(csv.out, "%s\n", HEADER);
    for (uint32_t i = 0; i < table->count; i++) {
        print_row(csv.out, table, &table->rows[i]);
    }
    return cli_csv_close(&csv, path, true, error);
}

/* ---- reading ---- */

/* Whether a field is a number; an empty one is 0 where that is allowed. */
static bool read_count(uint64_t *value, const char *field, bool may_be_empty) {
    char *end = NULL;
    errno = 0;
    *value = strtoull(field, &end, 10);
    return *end == '\0' && errno == 0 && field[0] != '-' && (may_be_empty || end != field);
}

static bool read_small(uint32_t *value, const char *field) {
    uint64_t wide = 0;
    const bool read = read_count(&wide, field, true) && wide <= UINT32_MAX;
    *value = (uint32_t)wide;
    return read;
}

static bool read_real(double *value, const char *field, bool may_be_empty) {
    char *end = NULL;
    *value = strtod(field, &end);
    return *end == '\0' && *value >= 0.0 && isfinite(*value) && (may_be_empty || end != field);
}

static bool read_word(int *value, const char *field, const char *const *words, int count) {
    for (*value = 0; *value < count; (*value)++) {
        if (strcmp(field, words[*value]) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_setting(SweepSetting *setting, char *const *fields) {
    int rule = 0;
    int mode = 0;
    const bool none = strcmp(fields[COLUMN_ROUNDING], "none") == 0;
    uint64_t rounding = LUTRA_ROUNDING_NONE;
    if (!none && (!read_count(&rounding, fields[COLUMN_ROUNDING], false) || rounding == 0 ||
                  rounding > LUTRA_MAX_ROUNDING)) {
        return false;
    }
    const char *const layer =
        strcmp(fields[COLUMN_LAYER], "all") == 0 ? "" : fields[COLUMN_LAYER];
    if (!read_word(&rule, fields[COLUMN_OFFSETS], cli_offset_rules, 3) ||
        !read_word(&mode, fields[COLUMN_MODE], cli_rounding_modes, 2) ||
        strlen(layer) >= LUTRA_NAME_BYTES ||
        !read_real(&setting->p_error, fields[COLUMN_P_ERROR], true)) {
        return false;
    }
    setting->rounding = (uint32_t)rounding;
    setting->offsets = (LutraOffsetRule)rule;
    setting->mode = (LutraRoundingMode)mode;
    memset(setting->layer, 0, sizeof setting->layer);
    memcpy(setting->layer, layer, strlen(layer));
    return true;
}

/* Counts that can be: what is read is drawn and compared like what was measured. */
static bool is_possible(const SweepTable *table, const SweepRow *row) {
    const uint64_t most = table->images * sweep_row_runs(table, row);
    return row->hits <= most && row->worse <= most && row->better <= most &&
           row->worse + row->better <= most;
}

static bool read_row(SweepRow *row, const SweepTable *table, char *const *fields) {
    *row = (SweepRow){.feasible = fields[COLUMN_HITS][0] != '\0'};
    return read_setting(&row->setting, fields) &&
           read_count(&row->hits, fields[COLUMN_HITS], true) &&
           read_count(&row->worse, fields[COLUMN_WORSE], !row->feasible) &&
           read_count(&row->better, fields[COLUMN_BETTER], !row->feasible) &&
           read_count(&row->out_of_range, fields[COLUMN_OUT_OF_RANGE], !row->feasible) &&
           read_count(&row->lookups, fields[COLUMN_LOOKUPS], false) &&
           read_real(&row->p_error, fields[COLUMN_REACHED], true) &&
           read_small(&row->lwe_dim, fields[COLUMN_LWE_DIM]) &&
           read_small(&row->glwe_dim, fields[COLUMN_GLWE_DIM]) &&
           read_small(&row->log2_poly, fields[COLUMN_LOG2_POLY]) &&
           read_real(&row->cost, fields[COLUMN_COST], true) &&
           read_real(&row->predicted_seconds, fields[COLUMN_PREDICTED], true) &&
           read_small(&row->parameter_sets, fields[COLUMN_SETS]) &&
           read_real(&row->seconds, fields[COLUMN_SECONDS], false) && is_possible(table, row);
}

/* Cuts the first COLUMNS fields out of a line; returns what follows them, or NULL. */
static char *cut_fields(char **fields, char *line) {
    for (int i = 0; i < COLUMNS; i++) {
        fields[i] = line;
        line = strchr(line, ',');
        if (line == NULL) {
            return NULL;
        }
        *line++ = '\0';
    }
    return line;
}

static LutraStatus read_line(SweepTable *table, char *line, unsigned number, const char *path,
                             LutraError *error) {
    char *fields[COLUMNS];
    SweepRow row;
    const char *const identity = cut_fields(fields, line);
    if (identity == NULL || !read_row(&row, table, fields)) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': line %u is not a row of a sweep", path,
                               number);
    }
    if (strcmp(identity, table->identity) != 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' is a sweep of '%s', this one would be '%s' (images, repeats, "
                               "seed, split, checksums of circuit and data, security, partition, "
                               "calibration, version); give --force to replace it, or another "
                               "folder",
                               path, identity, table->identity);
    }
    return sweep_table_find(table, &row.setting) != NULL ? LUTRA_OK
                                                         : sweep_table_add(table, &row, error);
}

LutraStatus sweep_table_read(SweepTable *table, const char *path, LutraError *error) {
    LutraBytes bytes = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, MOST_CSV_BYTES, error));
    LutraStatus status = LUTRA_OK;
    char *line = (char *)bytes.data;
    for (unsigned number = 1; status == LUTRA_OK && line != NULL && *line != '\0'; number++) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (number > 1) {
            status = read_line(table, line, number, path, error);
        } else if (strcmp(line, HEADER) != 0) {
            status = lutra_error_set(error, LUTRA_EDATA, "'%s' is not the table of a sweep", path);
        }
        line = next;
    }
    lutra_bytes_deinit(&bytes);
    return status;
}
