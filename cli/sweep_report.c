/* SPDX-License-Identifier: Apache-2.0 */
/* What `lutra sweep` says about its table: text and JSON. */
#include <inttypes.h>

#include "cli/cost_report.h"
#include "cli/crypto_report.h"
#include "cli/setting_options.h"
#include "cli/sweep.h"

static const char *layer_name(const SweepRow *row) {
    return row->setting.layer[0] == '\0' ? "all" : row->setting.layer;
}

/* ---- text ---- */

static void print_row(const SweepTable *table, const SweepRow *row) {
    char rounding[16];
    char p_error[16] = "";
    char outside[32];
    LutraInterval top1_ends;
    LutraInterval loss_ends;
    if (row->setting.p_error > 0.0) {
        (void)snprintf(p_error, sizeof p_error, "%.3g", row->setting.p_error);
    }
    printf("%-8s %-7s %-14s %-8s", sweep_rounding_text(rounding, row->setting.rounding),
           cli_offset_rules[row->setting.offsets], layer_name(row), p_error);
    if (!row->feasible) {
        puts(" no crypto parameters");
        return;
    }
    const double top1 = sweep_row_top1(table, row, &top1_ends);
    const double loss = sweep_row_loss(table, row, &loss_ends);
    printf(" %6.2f %6.2f .. %6.2f %7.2f %6.2f .. %6.2f %10s %7.2f", 100.0 * top1,
           100.0 * top1_ends.low, 100.0 * top1_ends.high, 100.0 * loss, 100.0 * loss_ends.low,
           100.0 * loss_ends.high, cli_grouped(outside, row->out_of_range), row->seconds);
    if (row->lwe_dim > 0) {
        char duration[32];
        printf("  n %" PRIu32 ", k %" PRIu32 ", N %" PRIu32 ", %s an image", row->lwe_dim,
               row->glwe_dim, UINT32_C(1) << row->log2_poly,
               cli_duration(duration, row->predicted_seconds));
    }
    if (row->parameter_sets > 1) {
        printf(", %" PRIu32 " sets", row->parameter_sets);
    }
    putchar('\n');
}

int sweep_print(const SweepOptions *options, const SweepSource *source, const SweepTable *table,
                const LutraDataset *dataset) {
    char number[32];
    printf("%-11s %s (%s)\n", source->is_model ? "model" : "circuit", options->source,
           source->plain.name);
    printf("data        %s, %s split, %s images\n", dataset->name,
           lutra_split_name(options->split), cli_grouped(number, table->images));
    printf("source      %s\n", dataset->source);
    if (source->is_model) {
        printf("calibration on %s training images\n",
               cli_grouped(number, source->calibration_images));
    }
    if (sweep_worst_p_error(table) > 0.0) {
        cli_print_security(options->security_bits);
    }
    printf("\n%-8s %-7s %-14s %-8s %6s %16s %7s %16s %10s %7s\n", "rounding", "offsets", "layer",
           "p_error", "top-1", "95 % interval", "loss", "95 % interval", "outside", "seconds");
    for (uint32_t i = 0; i < table->count; i++) {
        print_row(table, &table->rows[i]);
    }
    puts("\ntop-1 and loss in percent; loss against no rounding, on the same images");
    printf("table       %s/sweep.csv\n", options->folder);
    return cli_end_text("lutra sweep");
}

/* ---- JSON ---- */

static void set_interval(LutraJson *object, const char *key, LutraInterval interval) {
    LutraJson *const ends = lutra_json_set_array(object, key);
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
}

static void set_results(LutraJson *object, const SweepTable *table, const SweepRow *row) {
    LutraInterval top1_ends;
    LutraInterval loss_ends;
    const double top1 = sweep_row_top1(table, row, &top1_ends);
    const double loss = sweep_row_loss(table, row, &loss_ends);
    lutra_json_set_f64(object, "top1", top1);
    set_interval(object, "top1_interval_95", top1_ends);
    lutra_json_set_f64(object, "loss", loss);
    set_interval(object, "loss_interval_95", loss_ends);
    lutra_json_set_i64(object, "hits", (int64_t)row->hits);
    lutra_json_set_i64(object, "worse", (int64_t)row->worse);
    lutra_json_set_i64(object, "better", (int64_t)row->better);
    lutra_json_set_i64(object, "out_of_range", (int64_t)row->out_of_range);
}

static void set_parameters(LutraJson *object, const SweepRow *row) {
    lutra_json_set_f64(object, "p_error_reached", row->p_error);
    lutra_json_set_i64(object, "lwe_dim", row->lwe_dim);
    lutra_json_set_i64(object, "glwe_dim", row->glwe_dim);
    lutra_json_set_i64(object, "log2_poly", row->log2_poly);
    lutra_json_set_f64(object, "cost", row->cost);
    lutra_json_set_f64(object, "predicted_seconds", row->predicted_seconds);
    lutra_json_set_i64(object, "parameter_sets", row->parameter_sets);
}

static void set_row(LutraJson *object, const SweepTable *table, const SweepRow *row) {
    const SweepSetting *const setting = &row->setting;
    if (setting->rounding == LUTRA_ROUNDING_NONE) {
        lutra_json_set_null(object, "rounding_bits");
    } else {
        lutra_json_set_i64(object, "rounding_bits", setting->rounding);
    }
    lutra_json_set_text(object, "offsets", cli_offset_rules[setting->offsets]);
    lutra_json_set_text(object, "layer", layer_name(row));
    lutra_json_set_text(object, "rounding_mode",
                        setting->mode == LUTRA_ROUNDING_EXACT ? "exact" : "approximate");
    if (setting->p_error > 0.0) {
        lutra_json_set_f64(object, "p_error", setting->p_error);
    } else {
        lutra_json_set_null(object, "p_error");
    }
    lutra_json_set_bool(object, "feasible", row->feasible);
    lutra_json_set_i64(object, "pbs_total", (int64_t)row->lookups);
    if (row->feasible) {
        set_results(object, table, row);
    }
    if (row->lwe_dim > 0) {
        set_parameters(object, row);
    }
    lutra_json_set_f64(object, "seconds", row->seconds);
}

int sweep_print_json(const SweepOptions *options, const SweepSource *source,
                     const SweepTable *table, const LutraDataset *dataset) {
    LutraJson *json = lutra_json_create("lutra.sweep/1");
    lutra_json_set_text(json, source->is_model ? "model" : "circuit", options->source);
    lutra_json_set_text(json, "network", source->plain.name);
    lutra_json_set_text(json, "data", options->data);
    lutra_json_set_text(json, "data_source", dataset->source);
    lutra_json_set_text(json, "data_checksum", dataset->checksum);
    lutra_json_set_text(json, "split", lutra_split_name(options->split));
    lutra_json_set_i64(json, "images", (int64_t)table->images);
    lutra_json_set_i64(json, "repeats", table->repeats);
    lutra_json_set_i64(json, "seed", (int64_t)options->common.seed);
    lutra_json_set_i64(json, "threads", options->common.threads);
    cli_set_security(json, options->security_bits);
    lutra_json_set_text(json, "partition", lutra_partition_names[options->partition]);
    lutra_json_set_i64(json, "calibration_images", (int64_t)source->calibration_images);
    lutra_json_set_text(json, "folder", options->folder);
    LutraJson *const rows = lutra_json_set_array(json, "rows");
    for (uint32_t i = 0; i < table->count; i++) {
        set_row(lutra_json_add_object(rows), table, &table->rows[i]);
    }
    return cli_print_json("sweep", &json);
}
