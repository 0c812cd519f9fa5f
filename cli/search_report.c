/* SPDX-License-Identifier: Apache-2.0 */
/* What `lutra search` says in the end: text and JSON. */
#include <inttypes.h>

#include "cli/crypto_report.h"
#include "cli/search.h"
#include "cli/setting_options.h"

/* ---- text ---- */

static void print_row(const Search *search, const LutraSearchRow *row) {
    const SearchVariant *const variant = &search->variants[row->setting.variant];
    LutraInterval ends;
    const double loss = lutra_search_row_loss(row, &ends);
    printf("%-9s %10.4g  %6.2f  %6.2f  %6.2f .. %5.2f  %6.2f  %-11s %-7s",
           lutra_search_stage_name(row->stage), row->price.seconds,
           100.0 * (double)row->counts.hits / (double)row->counts.images, 100.0 * loss,
           100.0 * ends.low, 100.0 * ends.high, 100.0 * lutra_search_row_bound(row),
           cli_rounding_modes[variant->mode], cli_offset_rules[variant->offsets]);
    printf(variant->target.p_error > 0.0 ? " %-8.3g" : " any %.3g ",
           variant->target.p_error > 0.0 ? variant->target.p_error
                                         : variant->target.global_p_error);
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        printf(" %u", row->setting.bits[t]);
    }
    putchar('\n');
}

static void print_rows(const Search *search) {
    const LutraSearchResult *const result = &search->result;
    printf("\n%-9s %10s  %6s  %6s  %15s  %6s  %-11s %-7s %-8s %s\n", "step", "seconds", "top-1",
           "loss", "95 % interval", "bound", "rounding", "offsets", "p_error", "bits");
    if (result->uniform != LUTRA_SEARCH_NONE) {
        print_row(search, &result->rows[result->uniform]);
    }
    for (uint32_t i = 0; i < result->count; i++) {
        if (result->rows[i].stage == LUTRA_SEARCH_CONFIRM) {
            print_row(search, &result->rows[i]);
        }
    }
    puts("\nseconds per image as predicted; the others in percent or points; bits that each table\n"
         "reads. First the cheapest setting with all tables alike within the budget, on selection\n"
         "images; then the settings that were tried on confirmation images, in this order.");
}

static void print_choice(const Search *search) {
    const LutraSearchResult *const result = &search->result;
    if (result->chosen == LUTRA_SEARCH_NONE) {
        printf("\nno setting was shown to lose at most %g points\n", search->options->budget);
        return;
    }
    const LutraSearchRow *const row = &result->rows[result->chosen];
    LutraInterval ends;
    const double loss = lutra_search_row_loss(row, &ends);
    printf("\nchosen      loses %.2f points, at most %.2f with 95 %% confidence; %.4g s per "
           "image, predicted\n",
           100.0 * loss, 100.0 * lutra_search_row_bound(row), row->price.seconds);
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        printf("%-11s %s reads %u of %u bits\n", "", search_table_name(search, t),
               row->setting.bits[t], search->table_bits[t]);
    }
    cli_print_circuit_parameters(&search->chosen);
}

int search_print(const Search *search) {
    char selection[32];
    char confirmation[32];
    char calibration[32];
    printf("%-11s %s (%s)\n", search->is_model ? "model" : "circuit", search->options->source,
           search->plain.name);
    printf("data        %s, train split: %s images to choose on, %s to confirm\n",
           search->dataset.name, cli_grouped(selection, search->parts[0].split.count),
           cli_grouped(confirmation, search->parts[1].split.count));
    printf("source      %s\n", search->dataset.source);
    printf("machine     %s, %u threads: predicted seconds follow its profile\n",
           search->machine.profile.cpu, search->machine.profile.threads);
    if (search->is_model) {
        printf("calibration on %s other training images\n",
               cli_grouped(calibration, search->calibration_images));
    }
    printf("budget      %g points of top-1 against no rounding and no noise\n",
           search->options->budget);
    cli_print_security(search->options->security_bits);
    print_rows(search);
    print_choice(search);
    printf("files       %s/search.csv, pareto.csv, pareto.png, split.csv%s\n",
           search->options->folder,
           search->result.chosen == LUTRA_SEARCH_NONE ? "" : ", circuit.h5");
    return cli_end_text("lutra search");
}

/* ---- JSON ---- */

static void set_interval(LutraJson *object, const char *key, LutraInterval interval) {
    LutraJson *const ends = lutra_json_set_array(object, key);
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
}

static void set_row(LutraJson *object, const Search *search, const LutraSearchRow *row) {
    const SearchVariant *const variant = &search->variants[row->setting.variant];
    LutraInterval ends;
    LutraJson *const bits = lutra_json_set_array(object, "bits");
    uint64_t lookups = 0;
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        lutra_json_add_i64(bits, row->setting.bits[t]);
        lookups += row->price.lookups[t];
    }
    lutra_json_set_text(object, "stage", lutra_search_stage_name(row->stage));
    lutra_json_set_text(object, "rounding_mode", cli_rounding_modes[variant->mode]);
    lutra_json_set_text(object, "offsets", cli_offset_rules[variant->offsets]);
    if (variant->target.p_error > 0.0) {
        lutra_json_set_f64(object, "p_error", variant->target.p_error);
    } else {
        lutra_json_set_f64(object, "global_p_error", variant->target.global_p_error);
    }
    lutra_json_set_f64(object, "predicted_seconds", row->price.seconds);
    lutra_json_set_i64(object, "pbs_total", (int64_t)lookups);
    lutra_json_set_i64(object, "parameter_sets", row->price.set_count);
    lutra_json_set_i64(object, "images", (int64_t)row->counts.images);
    lutra_json_set_i64(object, "hits", (int64_t)row->counts.hits);
    lutra_json_set_i64(object, "worse", (int64_t)row->counts.worse);
    lutra_json_set_i64(object, "better", (int64_t)row->counts.better);
    lutra_json_set_i64(object, "out_of_range", (int64_t)row->counts.out_of_range);
    lutra_json_set_f64(object, "top1", (double)row->counts.hits / (double)row->counts.images);
    lutra_json_set_f64(object, "loss", lutra_search_row_loss(row, &ends));
    set_interval(object, "loss_interval_95", ends);
    lutra_json_set_f64(object, "loss_bound_95", lutra_search_row_bound(row));
}

static void set_rows(LutraJson *json, const Search *search) {
    const LutraSearchResult *const result = &search->result;
    lutra_json_set_text(json, "machine", search->machine.profile.cpu);
    lutra_json_set_i64(json, "predicted_threads", search->machine.profile.threads);
    if (result->uniform == LUTRA_SEARCH_NONE) {
        lutra_json_set_null(json, "uniform");
    } else {
        set_row(lutra_json_set_object(json, "uniform"), search, &result->rows[result->uniform]);
    }
    LutraJson *const confirmed = lutra_json_set_array(json, "confirmations");
    for (uint32_t i = 0; i < result->count; i++) {
        if (result->rows[i].stage == LUTRA_SEARCH_CONFIRM) {
            set_row(lutra_json_add_object(confirmed), search, &result->rows[i]);
        }
    }
    if (result->chosen == LUTRA_SEARCH_NONE) {
        lutra_json_set_null(json, "chosen");
        return;
    }
    LutraJson *const chosen = lutra_json_set_object(json, "chosen");
    set_row(chosen, search, &result->rows[result->chosen]);
    cli_set_circuit_parameters(lutra_json_set_array(chosen, "parameters"), &search->chosen);
}

int search_print_json(const Search *search) {
    LutraJson *json = lutra_json_create("lutra.search/1");
    lutra_json_set_text(json, search->is_model ? "model" : "circuit", search->options->source);
    lutra_json_set_text(json, "network", search->plain.name);
    lutra_json_set_text(json, "data", search->options->data);
    lutra_json_set_text(json, "data_source", search->dataset.source);
    lutra_json_set_text(json, "data_checksum", search->dataset.checksum);
    lutra_json_set_i64(json, "seed", (int64_t)search->options->common.seed);
    lutra_json_set_i64(json, "predicted_threads", search->machine.profile.threads);
    lutra_json_set_f64(json, "budget", search->options->budget / 100.0);
    cli_set_security(json, search->options->security_bits);
    lutra_json_set_text(json, "partition", lutra_partition_names[search->options->partition]);
    lutra_json_set_i64(json, "calibration_images", (int64_t)search->calibration_images);
    lutra_json_set_i64(json, "selection_images", (int64_t)search->parts[0].split.count);
    lutra_json_set_i64(json, "confirmation_images", (int64_t)search->parts[1].split.count);
    lutra_json_set_i64(json, "runs", search->result.count);
    lutra_json_set_text(json, "folder", search->options->folder);
    LutraJson *const tables = lutra_json_set_array(json, "tables");
    for (uint32_t t = 0; t < lutra_circuit_table_count(&search->plain); t++) {
        LutraJson *const table = lutra_json_add_object(tables);
        lutra_json_set_text(table, "name", search_table_name(search, t));
        lutra_json_set_i64(table, "bits", search->table_bits[t]);
    }
    set_rows(json, search);
    return cli_print_json("search", &json);
}
