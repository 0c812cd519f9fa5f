/* SPDX-License-Identifier: Apache-2.0 */
/* What `lutra simulate` prints. */
#include <inttypes.h>
#include <math.h>

#include "base/interval.h"
#include "cli/simulate.h"

static const char *const COMMAND = "simulate";

const char *const simulate_mode_names[] = {"clear", "torus", "noisy", NULL};

static bool has_zeros(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE;
}

/** Mean share of right answers over all runs. */
static double top1_of(const SimulateOutcome *outcome) {
    return (double)outcome->runs->top1_hits_sum /
           ((double)outcome->result->images * outcome->runs->count);
}

static double top5_of(const SimulateOutcome *outcome) {
    return (double)outcome->runs->top5_hits_sum /
           ((double)outcome->result->images * outcome->runs->count);
}

/** What drawing other images would do to it: noise drawn anew is averaged out. */
static LutraInterval interval_of(const SimulateOutcome *outcome) {
    const uint64_t images = outcome->result->images;
    return lutra_interval_binomial((uint64_t)llround(top1_of(outcome) * (double)images), images,
                                   0.95);
}

/** Deviation of a run's share of right answers from noise alone; NAN for one run. */
static double top1_deviation(const SimulateOutcome *outcome) {
    const SimulateRuns *const runs = outcome->runs;
    const double mean = top1_of(outcome);
    double squares = 0.0;
    for (uint32_t i = 0; i < runs->count; i++) {
        const double top1 = (double)runs->top1_hits[i] / (double)outcome->result->images;
        squares += (top1 - mean) * (top1 - mean);
    }
    return runs->count > 1 ? sqrt(squares / (runs->count - 1)) : (double)NAN;
}

static uint64_t displaced_of(const LutraSimulation *result) {
    uint64_t displaced = 0;
    for (uint32_t i = 0; i < result->operation_count; i++) {
        displaced += result->operations[i].displaced;
    }
    return displaced;
}

static uint64_t changed_of(const LutraSimulation *result) {
    uint64_t changed = 0;
    for (uint32_t i = 0; i < result->operation_count; i++) {
        changed += result->operations[i].changed;
    }
    return changed;
}

/** Look-ups and decryptions that noise reached, per image. */
static double per_image(const SimulateOutcome *outcome, uint64_t count) {
    return (double)count / ((double)outcome->result->images * outcome->runs->count);
}

static void add_noise(LutraJson *json, const SimulateOutcome *outcome) {
    const SimulateRuns *const runs = outcome->runs;
    cli_set_noise(json, &outcome->options->noise, outcome->circuit);
    lutra_json_set_i64(json, "repeats", runs->count);
    LutraJson *const each = lutra_json_set_array(json, "top1_of_repeats");
    for (uint32_t i = 0; i < runs->count; i++) {
        lutra_json_add_f64(each, (double)runs->top1_hits[i] / (double)outcome->result->images);
    }
    lutra_json_set_f64(json, "top1_deviation", top1_deviation(outcome));
    lutra_json_set_f64(json, "displaced_per_image",
                       per_image(outcome, displaced_of(outcome->result)));
    lutra_json_set_f64(json, "changed_per_image", per_image(outcome, changed_of(outcome->result)));
    lutra_json_set_i64(json, "word_images", (int64_t)outcome->result->word_images);
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
        if (outcome->options->mode == LUTRA_MODE_NOISY) {
            lutra_json_set_i64(layer, "displaced", (int64_t)seen->displaced);
            lutra_json_set_i64(layer, "changed", (int64_t)seen->changed);
        }
        if (has_zeros(op)) {
            lutra_json_set_f64(layer, "sparsity", (double)seen->zeros / (double)seen->elements);
        } else {
            lutra_json_set_null(layer, "sparsity");
        }
        if (outcome->layers != NULL) {
            simulate_set_layer(layer, outcome, i);
        }
    }
}

int simulate_print_json(const SimulateOutcome *outcome) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    const LutraDataset *const dataset = outcome->dataset;
    LutraJson *json = lutra_json_create("lutra.simulate/1");
    const double images = (double)result->images * outcome->runs->count;
    lutra_json_set_text(json, "circuit", options->circuit_path);
    lutra_json_set_text(json, "network", outcome->circuit->name);
    lutra_json_set_text(json, "data", options->data_path);
    lutra_json_set_text(json, "data_source", dataset->source);
    lutra_json_set_text(json, "data_checksum", dataset->checksum);
    lutra_json_set_text(json, "split", lutra_split_name(options->split));
    lutra_json_set_text(json, "mode", simulate_mode_names[options->mode]);
    lutra_json_set_i64(json, "threads", options->common.threads);
    lutra_json_set_i64(json, "images", (int64_t)result->images);
    lutra_json_set_f64(json, "top1", top1_of(outcome));
    lutra_json_set_f64(json, "top5", top5_of(outcome));
    const LutraInterval interval = interval_of(outcome);
    LutraJson *const ends = lutra_json_set_array(json, "top1_interval_95");
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
    lutra_json_set_f64(json, "seconds", result->seconds);
    lutra_json_set_f64(json, "images_per_second", images / result->seconds);
    lutra_json_set_i64(json, "out_of_range", (int64_t)result->out_of_range);
    if (options->mode == LUTRA_MODE_NOISY) {
        add_noise(json, outcome);
    }
    LutraJson *const confusion = lutra_json_set_array(json, "confusion");
    for (uint32_t r = 0; r < result->class_count; r++) {
        LutraJson *const row = lutra_json_add_array(confusion);
        for (uint32_t c = 0; c < result->class_count; c++) {
            lutra_json_add_i64(row, (int64_t)result->confusion[r * result->class_count + c]);
        }
    }
    if (outcome->layers != NULL) {
        lutra_json_set_f64(json, "expected_changed_lookups_per_image",
                           simulate_expected_changed(&outcome->layers->statistics));
    }
    add_layers(json, outcome);
    return cli_print_json(COMMAND, &json);
}

static void print_accuracy(const SimulateOutcome *outcome) {
    const LutraInterval interval = interval_of(outcome);
    printf("top-1       %.2f %%  (95 %% interval %.2f .. %.2f %%)", 100.0 * top1_of(outcome),
           100.0 * interval.low, 100.0 * interval.high);
    if (outcome->runs->count > 1) {
        printf(", mean of %" PRIu32 " runs, deviation %.2f", outcome->runs->count,
               100.0 * top1_deviation(outcome));
    }
    printf("\ntop-5       %.2f %%\n", 100.0 * top5_of(outcome));
}

/** What noise did, in one line. */
static void print_flips(const SimulateOutcome *outcome) {
    const LutraSimulation *const result = outcome->result;
    char words[32];
    printf("flips       %.1f look-ups per image read another entry, %.1f of them of another "
           "value\n",
           per_image(outcome, displaced_of(result)), per_image(outcome, changed_of(result)));
    if (result->word_images > 0) {
        printf("            %s images were run word by word\n",
               cli_grouped(words, result->word_images));
    }
}

static void print_operations(const SimulateOutcome *outcome, const char *left) {
    const bool noisy = outcome->options->mode == LUTRA_MODE_NOISY;
    printf("%-24s %-8s %10s %10s %12s %10s %7s", "operation", "kind", "min", "max", "unobserved",
           left, "zeros");
    printf(noisy ? " %12s %12s\n" : "\n", "displaced", "changed");
    for (uint32_t i = 0; i < outcome->result->operation_count; i++) {
        const LutraOperation *const op = &outcome->circuit->operations[i];
        const LutraOperationStatistics *const seen = &outcome->result->operations[i];
        const bool draws = op->kind == LUTRA_OPERATION_TABLE ||
                           op->kind == LUTRA_OPERATION_OUTPUT || seen->displaced > 0;
        printf("%-24s %-8s %10" PRId64 " %10" PRId64 " %12" PRIu64 " %10" PRIu64, op->name,
               lutra_operation_kind_name(op->kind), seen->min, seen->max, seen->outside_observed,
               seen->out_of_range);
        if (has_zeros(op)) {
            printf(" %5.1f %%", 100.0 * (double)seen->zeros / (double)seen->elements);
        }
        if (noisy && draws) {
            printf("%*s %10.3f %% %10.3f %%", has_zeros(op) ? 0 : 8, "",
                   100.0 * (double)seen->displaced / (double)seen->elements,
                   100.0 * (double)seen->changed / (double)seen->elements);
        }
        putchar('\n');
    }
}

int simulate_print_text(const SimulateOutcome *outcome) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    const LutraDataset *const dataset = outcome->dataset;
    const bool noisy = options->mode == LUTRA_MODE_NOISY;
    char number[32];
    char rate[32];
    const double images = (double)result->images * outcome->runs->count;
    printf("circuit     %s (%s), mode %s\n", options->circuit_path, outcome->circuit->name,
           simulate_mode_names[options->mode]);
    printf("data        %s, %s split, %s images\n", dataset->name, lutra_split_name(options->split),
           cli_grouped(number, result->images));
    printf("source      %s\n", dataset->source);
    if (noisy) {
        cli_print_noise(&options->noise, outcome->circuit);
    }
    print_accuracy(outcome);
    if (noisy) {
        print_flips(outcome);
    }
    printf("time        %.3f s, %s images/s, %" PRIu32 " thread%s\n", result->seconds,
           cli_grouped(rate, (uint64_t)(images / result->seconds)), options->common.threads,
           options->common.threads == 1 ? "" : "s");
    const char *const left = options->mode == LUTRA_MODE_CLEAR ? "saturated" : "wrapped";
    printf("%-11s %s values outside their range\n\n", left,
           cli_grouped(number, result->out_of_range));
    print_operations(outcome, left);
    if (outcome->layers != NULL) {
        simulate_print_layers(outcome);
    }
    return cli_end_text("lutra simulate");
}
