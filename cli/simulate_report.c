/* SPDX-License-Identifier: Apache-2.0 */
/* What `lutra simulate` prints. */
#include <inttypes.h>

#include "base/interval.h"
#include "cli/simulate.h"

static const char *const COMMAND = "simulate";

const char *const simulate_mode_names[] = {"clear", "torus", "noisy", NULL};

static bool has_zeros(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE;
}

static void add_layers(LutraJson *json, const SimulateOutcome *outcome) {
    const LutraSimulation *const result = outcome->result;
    const LutraCircuit *const circuit = outcome->circuit;
    LutraJson *const layers = lutra_json_set_array(json, "layers");
    for (uint32_t i = 0; i < result->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const LutraOperationStatistics *const seen = &result->operations[i];
        LutraJson *const layer = lutra_json_add_object(layers);
        lutra_json_set_text(layer, "name", op->name);
        lutra_json_set_text(layer, "kind", lutra_operation_kind_name(op->kind));
        lutra_json_set_i64(layer, "elements", (int64_t)seen->elements);
        lutra_json_set_i64(layer, "min", seen->min);
        lutra_json_set_i64(layer, "max", seen->max);
        if (op->observed_range.min <= op->observed_range.max) {
            lutra_json_set_i64(layer, "observed_min", op->observed_range.min);
            lutra_json_set_i64(layer, "observed_max", op->observed_range.max);
        } else {
            lutra_json_set_null(layer, "observed_min");
            lutra_json_set_null(layer, "observed_max");
        }
        lutra_json_set_i64(layer, "outside_observed", (int64_t)seen->outside_observed);
        lutra_json_set_i64(layer, "out_of_range", (int64_t)seen->out_of_range);
        if (has_zeros(op)) {
            lutra_json_set_f64(layer, "sparsity", (double)seen->zeros / (double)seen->elements);
        } else {
            lutra_json_set_null(layer, "sparsity");
        }
        if (outcome->layers != NULL) {
            simulate_set_layer(layer, outcome->layers, i);
        }
    }
}

int simulate_print_json(const SimulateOutcome *outcome) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    const LutraDataset *const dataset = outcome->dataset;
    LutraJson *json = lutra_json_create("lutra.simulate/1");
    const double images = (double)result->images;
    lutra_json_set_text(json, "circuit", options->circuit_path);
    lutra_json_set_text(json, "network", outcome->circuit->name);
    lutra_json_set_text(json, "data", options->data_path);
    lutra_json_set_text(json, "data_source", dataset->source);
    lutra_json_set_text(json, "data_checksum", dataset->checksum);
    lutra_json_set_text(json, "split", lutra_split_name(options->split));
    lutra_json_set_text(json, "mode", simulate_mode_names[options->mode]);
    lutra_json_set_i64(json, "threads", options->common.threads);
    lutra_json_set_i64(json, "images", (int64_t)result->images);
    lutra_json_set_f64(json, "top1", (double)result->top1_hits / images);
    lutra_json_set_f64(json, "top5", (double)result->top5_hits / images);
    const LutraInterval interval = lutra_interval_binomial(result->top1_hits, result->images, 0.95);
    LutraJson *const ends = lutra_json_set_array(json, "top1_interval_95");
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
    lutra_json_set_f64(json, "seconds", result->seconds);
    lutra_json_set_f64(json, "images_per_second", images / result->seconds);
    lutra_json_set_i64(json, "out_of_range", (int64_t)result->out_of_range);
    LutraJson *const confusion = lutra_json_set_array(json, "confusion");
    for (uint32_t r = 0; r < result->class_count; r++) {
        LutraJson *const row = lutra_json_add_array(confusion);
        for (uint32_t c = 0; c < result->class_count; c++) {
            lutra_json_add_i64(row, (int64_t)result->confusion[r * result->class_count + c]);
        }
    }
    if (outcome->layers != NULL) {
        lutra_json_set_f64(json, "expected_changed_lookups_per_image",
                           simulate_expected_changed(outcome->layers));
    }
    add_layers(json, outcome);
    return cli_print_json(COMMAND, &json);
}

int simulate_print_text(const SimulateOutcome *outcome) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    const LutraDataset *const dataset = outcome->dataset;
    const LutraCircuit *const circuit = outcome->circuit;
    char number[32];
    char rate[32];
    const double images = (double)result->images;
    const LutraInterval interval = lutra_interval_binomial(result->top1_hits, result->images, 0.95);
    printf("circuit     %s (%s), mode %s\n", options->circuit_path, circuit->name,
           simulate_mode_names[options->mode]);
    printf("data        %s, %s split, %s images\n", dataset->name, lutra_split_name(options->split),
           cli_grouped(number, result->images));
    printf("source      %s\n", dataset->source);
    printf("top-1       %.2f %%  (95 %% interval %.2f .. %.2f %%)\n",
           100.0 * (double)result->top1_hits / images, 100.0 * interval.low, 100.0 * interval.high);
    printf("top-5       %.2f %%\n", 100.0 * (double)result->top5_hits / images);
    printf("time        %.3f s, %s images/s, %" PRIu32 " thread%s\n", result->seconds,
           cli_grouped(rate, (uint64_t)(images / result->seconds)), options->common.threads,
           options->common.threads == 1 ? "" : "s");
    const char *const left = options->mode == LUTRA_MODE_CLEAR ? "saturated" : "wrapped";
    printf("%-11s %s values outside their range\n\n", left,
           cli_grouped(number, result->out_of_range));
    printf("%-24s %-8s %10s %10s %12s %10s %7s\n", "operation", "kind", "min", "max", "unobserved",
           left, "zeros");
    for (uint32_t i = 0; i < result->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const LutraOperationStatistics *const seen = &result->operations[i];
        printf("%-24s %-8s %10" PRId64 " %10" PRId64 " %12" PRIu64 " %10" PRIu64, op->name,
               lutra_operation_kind_name(op->kind), seen->min, seen->max, seen->outside_observed,
               seen->out_of_range);
        if (has_zeros(op)) {
            printf(" %5.1f %%", 100.0 * (double)seen->zeros / (double)seen->elements);
        }
        putchar('\n');
    }
    if (outcome->layers != NULL) {
        simulate_print_layers(outcome);
    }
    return cli_end_text("lutra simulate");
}
