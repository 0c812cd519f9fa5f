/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a search. search.csv has a line for each run; every figure follows from whole numbers
 * that stand in the line, so what is read back serves as if it had been run again.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/csv_file.h"
#include "cli/search.h"
#include "cli/setting_options.h"
#include "sim/crypto_cost.h"

static const char HEADER[] =
    "stage,table,bits,rounding_mode,offsets,p_error,global_p_error,run_images,hits,worse,better,"
    "out_of_range,seconds,top1,top1_low_95,top1_high_95,loss,loss_low_95,loss_high_95,"
    "loss_bound_95,predicted_seconds,lookups,lookup_cost,p_error_reached,lwe_dim,glwe_dim,"
    "log2_poly,parameter_sets";
static const char IDENTITY_HEADER[] =
    "selection_images,confirmation_images,calibration_images,seed,source,data,security_bits,"
    "partition,version";

/* Columns of a line that are read back. */
enum {
    COLUMN_STAGE = 0,
    COLUMN_TABLE,
    COLUMN_BITS,
    COLUMN_MODE,
    COLUMN_OFFSETS,
    COLUMN_P_ERROR,
    COLUMN_GLOBAL,
    COLUMN_IMAGES,
    COLUMN_HITS,
    COLUMN_WORSE,
    COLUMN_BETTER,
    COLUMN_OUT_OF_RANGE,
    COLUMN_SECONDS,
    COLUMNS = 28
};

static const size_t MOST_CSV_BYTES = (size_t)1 << 26;

/* ---- writing ---- */

/* Few digits where they say it all; nothing for 0. */
static void print_probability(FILE *out, double probability) {
    char digits[32] = "";
    if (probability > 0.0) {
        (void)snprintf(digits, sizeof digits, "%.6g", probability);
        if (strtod(digits, NULL) != probability) {
            (void)snprintf(digits, sizeof digits, "%.17g", probability);
        }
    }
    fprintf(out, "%s,", digits);
}

static void print_setting(FILE *out, const Search *search, const LutraSearchRow *row) {
    const SearchVariant *const variant = &search->variants[row->setting.variant];
    const uint32_t tables = lutra_circuit_table_count(&search->plain);
    fprintf(out, "%s,%s,", lutra_search_stage_name(row->stage),
            row->table == LUTRA_SEARCH_NONE ? "all" : search_table_name(search, row->table));
    for (uint32_t t = 0; t < tables; t++) {
        fprintf(out, "%s%u", t == 0 ? "" : " ", row->setting.bits[t]);
    }
    fprintf(out, ",%s,%s,", cli_rounding_modes[variant->mode],
            cli_offset_rules[variant->offsets]);
    print_probability(out, variant->target.p_error);
    print_probability(out,
                      variant->target.p_error > 0.0 ? 0.0 : variant->target.global_p_error);
}

static void print_counts(FILE *out, const LutraSearchRow *row) {
    const LutraSearchCounts *const counts = &row->counts;
    if (counts->images == 0) {
        fputs("0,,,,,,,,,,,,,", out);
        return;
    }
    LutraInterval loss_ends;
    const LutraInterval top1 = lutra_interval_binomial(counts->hits, counts->images, 0.95);
    const double loss = lutra_search_row_loss(row, &loss_ends);
    fprintf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6g,",
            counts->images, counts->hits, counts->worse, counts->better, counts->out_of_range,
            counts->seconds);
    fprintf(out, "%.8f,%.8f,%.8f,%.8f,%.8f,%.8f,%.8f,",
            (double)counts->hits / (double)counts->images, top1.low, top1.high, loss,
            loss_ends.low, loss_ends.high, lutra_search_row_bound(row));
}

static void print_price(FILE *out, const Search *search, const LutraSearchRow *row) {
    const LutraSearchPrice *const price = &row->price;
    const LutraCryptoParameters *const set = &price->set;
    uint64_t lookups = 0;
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        lookups += price->lookups[t];
    }
    if (!price->feasible) {
        fprintf(out, ",%" PRIu64 ",,,,,,", lookups);
        return;
    }
    fprintf(out,
            "%.9g,%" PRIu64 ",%.9g,%.6g,%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32,
            price->seconds, lookups, lutra_cost_lookup(set), price->p_error, set->lwe_dim,
            set->glwe_dim, set->log2_poly, price->set_count);
}

static void print_row(FILE *out, const Search *search, const LutraSearchRow *row) {
    print_setting(out, search, row);
    print_counts(out, row);
    print_price(out, search, row);
}

LutraStatus search_table_write(const Search *search, LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fprintf(csv.out, "%s,%s\n", HEADER, IDENTITY_HEADER);
    for (uint32_t i = 0; i < search->row_count; i++) {
        print_row(csv.out, search, &search->rows[i]);
        fprintf(csv.out, ",%s\n", search->identity);
    }
    return cli_csv_close(&csv, search->csv_path, true, error);
}

/* The run of a setting on the confirmation images, or NULL. */
static const LutraSearchRow *find_confirmation(const Search *search,
                                               const LutraSearchSetting *setting) {
    for (uint32_t i = 0; i < search->result.count; i++) {
        const LutraSearchRow *const row = &search->result.rows[i];
        if (row->stage == LUTRA_SEARCH_CONFIRM &&
            lutra_search_setting_equal(&row->setting, setting)) {
            return row;
        }
    }
    return NULL;
}

LutraStatus search_write_pareto(const Search *search, const char *path, LutraError *error) {
    const LutraSearchResult *const result = &search->result;
    uint32_t *indexes = NULL;
    CliCsv csv;
    LUTRA_TRY(lutra_alloc(&indexes, result->count, sizeof *indexes, error));
    const LutraStatus status = cli_csv_open(&csv, error);
    if (status != LUTRA_OK) {
        lutra_free(&indexes);
        return status;
    }
    const uint32_t count =
        lutra_search_pareto(indexes, result, search->parts[0].split.count, 1.0);
    fprintf(csv.out, "%s,confirm_images,confirm_hits,confirm_worse,confirm_better,confirm_loss,"
                     "confirm_loss_low_95,confirm_loss_high_95,confirm_loss_bound_95,chosen\n",
            HEADER);
    for (uint32_t i = 0; i < count; i++) {
        const LutraSearchRow *const row = &result->rows[indexes[i]];
        const LutraSearchRow *const again = find_confirmation(search, &row->setting);
        print_row(csv.out, search, row);
        if (again == NULL) {
            fputs(",,,,,,,,,no\n", csv.out);
            continue;
        }
        LutraInterval ends;
        const double loss = lutra_search_row_loss(again, &ends);
        fprintf(csv.out,
                ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.8f,%.8f,%.8f,%.8f,%s\n",
                again->counts.images, again->counts.hits, again->counts.worse,
                again->counts.better, loss, ends.low, ends.high, lutra_search_row_bound(again),
                result->chosen != LUTRA_SEARCH_NONE && again == &result->rows[result->chosen]
                    ? "yes"
                    : "no");
    }
    lutra_free(&indexes);
    return cli_csv_close(&csv, path, true, error);
}

LutraStatus search_write_split(const Search *search, const char *path, LutraError *error) {
    const uint64_t selection = search->parts[0].split.count;
    const uint64_t rest = search->train_images - selection - search->parts[1].split.count;
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fputs("image,part\n", csv.out);
    for (uint64_t i = 0; i < search->train_images; i++) {
        fprintf(csv.out, "%" PRIu32 ",%s\n", search->order[i],
                i < rest               ? "calibration"
                : i < rest + selection ? "selection"
                                       : "confirmation");
    }
    return cli_csv_close(&csv, path, true, error);
}

static void set_setting(LutraJson *object, const Search *search, const LutraSearchRow *row) {
    const SearchVariant *const variant = &search->variants[row->setting.variant];
    LutraJson *const bits = lutra_json_set_array(object, "bits");
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        lutra_json_add_i64(bits, row->setting.bits[t]);
    }
    lutra_json_set_text(object, "rounding_mode", cli_rounding_modes[variant->mode]);
    lutra_json_set_text(object, "offsets", cli_offset_rules[variant->offsets]);
    if (variant->target.p_error > 0.0) {
        lutra_json_set_f64(object, "p_error", variant->target.p_error);
    } else {
        lutra_json_set_f64(object, "global_p_error", variant->target.global_p_error);
    }
}

/* How the circuit was chosen; the record of the source stays inside. */
static LutraStatus set_provenance(LutraCircuit *circuit, const Search *search,
                                  const LutraSearchRow *row, LutraError *error) {
    LutraJson *object = lutra_json_create("lutra.provenance/1");
    LutraInterval ends;
    char *text = NULL;
    lutra_json_set_text(object, "command", "search");
    lutra_json_set_text(object, "version", LUTRA_VERSION);
    lutra_json_set_text(object, "source_checksum", search->checksum);
    lutra_json_set_text(object, "dataset", search->dataset.name);
    lutra_json_set_text(object, "dataset_checksum", search->dataset.checksum);
    lutra_json_set_i64(object, "seed", (int64_t)search->options->common.seed);
    lutra_json_set_i64(object, "calibration_images", (int64_t)search->calibration_images);
    lutra_json_set_i64(object, "selection_images", (int64_t)search->parts[0].split.count);
    lutra_json_set_i64(object, "confirmation_images", (int64_t)search->parts[1].split.count);
    lutra_json_set_f64(object, "budget", search->options->budget / 100.0);
    set_setting(object, search, row);
    lutra_json_set_text(object, "partition", lutra_partition_names[search->options->partition]);
    lutra_json_set_f64(object, "confirmed_loss", lutra_search_row_loss(row, &ends));
    lutra_json_set_f64(object, "confirmed_loss_bound_95", lutra_search_row_bound(row));
    lutra_json_set_text(object, search->is_model ? "model_provenance" : "circuit_provenance",
                        search->is_model ? search->model.provenance : search->plain.provenance);
    const LutraStatus status = lutra_json_text(&text, object, error);
    lutra_json_destroy(&object);
    if (status == LUTRA_OK) {
        lutra_free(&circuit->provenance);
        circuit->provenance = text;
    }
    return status;
}

LutraStatus search_write_circuit(Search *search, const char *path, LutraError *error) {
    const LutraSearchRow *const row = &search->result.rows[search->result.chosen];
    LutraParametersChoice choice = {0};
    LUTRA_TRY(search_circuit(&search->chosen, &choice, search, &row->setting, error));
    lutra_parameters_choice_deinit(&choice);
    LUTRA_TRY(set_provenance(&search->chosen, search, row, error));
    return lutra_circuit_write(&search->chosen, path, true, error);
}

/* ---- reading ---- */

static bool read_count(uint64_t *value, const char *field) {
    char *end = NULL;
    errno = 0;
    *value = strtoull(field, &end, 10);
    return *end == '\0' && errno == 0 && field[0] >= '0' && field[0] <= '9';
}

static bool read_stage(LutraSearchStage *stage, const char *field) {
    for (int i = 0; i < LUTRA_SEARCH_STAGES; i++) {
        if (strcmp(field, lutra_search_stage_name((LutraSearchStage)i)) == 0) {
            *stage = (LutraSearchStage)i;
            return true;
        }
    }
    return false;
}

static bool read_table(uint32_t *table, const Search *search, const char *field) {
    const uint32_t count = lutra_circuit_table_count(&search->plain);
    *table = LUTRA_SEARCH_NONE;
    if (strcmp(field, "all") == 0) {
        return true;
    }
    for (*table = 0; *table < count; (*table)++) {
        if (strcmp(field, search_table_name(search, *table)) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_bits(LutraSearchSetting *setting, const Search *search, const char *field) {
    const uint32_t count = lutra_circuit_table_count(&search->plain);
    const char *at = field;
    for (uint32_t t = 0; t < count; t++) {
        char *end = NULL;
        const unsigned long bits = strtoul(at, &end, 10);
        if (end == at || bits == 0 || bits > LUTRA_MAX_VALUE_BITS ||
            *end != (t + 1 < count ? ' ' : '\0')) {
            return false;
        }
        setting->bits[t] = (uint8_t)bits;
        at = end + 1;
    }
    return true;
}

/* The variant of this search that a line is about; *is_one is false for one that is not asked for
 * now. */
static bool read_variant(uint32_t *variant, bool *is_one, const Search *search,
                         char *const *fields) {
    double p_error = 0.0;
    double global = 0.0;
    char *end = NULL;
    p_error = strtod(fields[COLUMN_P_ERROR], &end);
    if (*end != '\0') {
        return false;
    }
    global = strtod(fields[COLUMN_GLOBAL], &end);
    if (*end != '\0' || (p_error > 0.0) == (global > 0.0)) {
        return false;
    }
    *is_one = false;
    for (uint32_t v = 0; v < search->variant_count && !*is_one; v++) {
        const SearchVariant *const what = &search->variants[v];
        *variant = v;
        *is_one = strcmp(fields[COLUMN_MODE], cli_rounding_modes[what->mode]) == 0 &&
                  strcmp(fields[COLUMN_OFFSETS], cli_offset_rules[what->offsets]) == 0 &&
                  what->target.p_error == p_error &&
                  (p_error > 0.0 || what->target.global_p_error == global);
    }
    return true;
}

static bool read_counts(LutraSearchRow *row, const Search *search, char *const *fields) {
    LutraSearchCounts *const counts = &row->counts;
    const int part = row->stage == LUTRA_SEARCH_CONFIRM ? 1 : 0;
    char *end = NULL;
    if (!read_count(&counts->images, fields[COLUMN_IMAGES])) {
        return false;
    }
    if (counts->images == 0) {
        return fields[COLUMN_HITS][0] == '\0';
    }
    counts->seconds = strtod(fields[COLUMN_SECONDS], &end);
    return *end == '\0' && counts->seconds >= 0.0 && isfinite(counts->seconds) &&
           read_count(&counts->hits, fields[COLUMN_HITS]) &&
           read_count(&counts->worse, fields[COLUMN_WORSE]) &&
           read_count(&counts->better, fields[COLUMN_BETTER]) &&
           read_count(&counts->out_of_range, fields[COLUMN_OUT_OF_RANGE]) &&
           counts->images <= search->parts[part].split.count && counts->hits <= counts->images &&
           counts->worse <= counts->images - counts->hits && counts->better <= counts->hits;
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

static LutraStatus read_line(Search *search, char *line, unsigned number, LutraError *error) {
    char *fields[COLUMNS];
    LutraSearchRow row = {.table = LUTRA_SEARCH_NONE};
    bool is_one = false;
    const char *const identity = cut_fields(fields, line);
    if (identity != NULL && strcmp(identity, search->identity) != 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' is a search of '%s', this one would be '%s' (images of the "
                               "three parts, seed, checksums of source and data, security, "
                               "partition, version); give --force to replace it, or another folder",
                               search->csv_path, identity, search->identity);
    }
    if (identity == NULL || !read_stage(&row.stage, fields[COLUMN_STAGE]) ||
        !read_table(&row.table, search, fields[COLUMN_TABLE]) ||
        !read_bits(&row.setting, search, fields[COLUMN_BITS]) ||
        !read_variant(&row.setting.variant, &is_one, search, fields) ||
        !read_counts(&row, search, fields)) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': line %u is not a row of a search",
                               search->csv_path, number);
    }
    if (!is_one || row.counts.images == 0) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_resize(&search->known, search->known_count, (size_t)search->known_count + 1,
                           sizeof *search->known, error));
    search->known[search->known_count++] = row;
    return LUTRA_OK;
}

static LutraStatus read_table_file(Search *search, LutraError *error) {
    LutraBytes bytes = {0};
    char header[sizeof HEADER + sizeof IDENTITY_HEADER];
    LUTRA_TRY(lutra_file_read(&bytes, search->csv_path, MOST_CSV_BYTES, error));
    LutraStatus status = LUTRA_OK;
    char *line = (char *)bytes.data;
    (void)snprintf(header, sizeof header, "%s,%s", HEADER, IDENTITY_HEADER);
    for (unsigned number = 1; status == LUTRA_OK && *line != '\0'; number++) {
        char *next = line + strcspn(line, "\n");
        if (*next != '\0') {
            *next++ = '\0';
        }
        if (number > 1) {
            status = read_line(search, line, number, error);
        } else if (strcmp(line, header) != 0) {
            status = lutra_error_set(error, LUTRA_EDATA, "'%s' is not the table of a search",
                                     search->csv_path);
        }
        line = next;
    }
    lutra_bytes_deinit(&bytes);
    return status;
}

LutraStatus search_table_open(Search *search, LutraError *error) {
    const SearchOptions *const options = search->options;
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        if (strpbrk(search_table_name(search, t), ",\"\n\r") != NULL) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "the name of layer '%s' cannot stand in a CSV file",
                                   search_table_name(search, t));
        }
    }
    (void)snprintf(search->identity, sizeof search->identity,
                   "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%s,%" PRIu32
                   ",%s,%s",
                   search->parts[0].split.count, search->parts[1].split.count,
                   search->calibration_images, options->common.seed, search->checksum,
                   search->dataset.checksum, options->security_bits,
                   lutra_partition_names[options->partition], LUTRA_VERSION);
    return options->resume && lutra_file_exists(search->csv_path) ? read_table_file(search, error)
                                                                  : LUTRA_OK;
}

const LutraSearchRow *search_table_find(const Search *search, const LutraSearchSetting *setting,
                                        const LutraSearchTask *task) {
    for (uint32_t i = 0; i < search->known_count; i++) {
        const LutraSearchRow *const row = &search->known[i];
        /* a run on more images serves for a first look, too */
        if ((row->stage == LUTRA_SEARCH_CONFIRM) == (task->stage == LUTRA_SEARCH_CONFIRM) &&
            row->table == task->table && row->counts.images >= task->images &&
            lutra_search_setting_equal(&row->setting, setting)) {
            return row;
        }
    }
    return NULL;
}
