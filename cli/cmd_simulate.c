/* SPDX-License-Identifier: Apache-2.0 */
/* lutra simulate: accuracy and statistics of a circuit on a whole split. */
#include <inttypes.h>

#include "base/chart.h"
#include "base/file.h"
#include "base/interval.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/csv_file.h"
#include "cli/gallery.h"
#include "datasets/dataset.h"
#include "sim/simulate.h"

static const char *const COMMAND = "simulate";

enum {
    KEY_DATA = 1,
    KEY_MODE,
    KEY_SPLIT,
    KEY_LIMIT,
    KEY_LOGITS,
    KEY_PREDICTIONS,
    KEY_CONFUSION,
    KEY_GALLERY,
    KEY_STRICT
};

typedef struct {
    CliCommon common;
    const char *circuit_path;
    const char *data_path;
    const char *logits_path;
    const char *predictions_path;
    const char *confusion_path;
    const char *gallery_path;
    LutraSimulationMode mode;
    LutraSplitKind split;
    uint64_t limit;
    bool strict;
} Options;

static const char *const mode_names[] = {"clear", "torus", "noisy", NULL};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"data", KEY_DATA, "FILE", 0, "dataset to run (required)", 1},
    {"split", KEY_SPLIT, "NAME", 0, "train or test (default test)", 1},
    {"limit", KEY_LIMIT, "N", 0, "only the first N images (default: all)", 1},
    {NULL, 0, NULL, 0, "Run:", 2},
    {"mode", KEY_MODE, "MODE", 0, "clear (default): exact integers; torus: 64-bit words that wrap",
     2},
    {"strict", KEY_STRICT, NULL, 0, "exit with 1 if any value left its range", 2},
    {NULL, 0, NULL, 0, "Output:", 3},
    {"logits", KEY_LOGITS, "FILE.csv", 0, "write the logits of every image", 3},
    {"predictions", KEY_PREDICTIONS, "FILE.csv", 0, "write label and answer of every image", 3},
    {"confusion", KEY_CONFUSION, "FILE.png", 0, "draw the confusion matrix", 3},
    {"gallery", KEY_GALLERY, "FILE.png", 0, "draw the first images with their answers", 3},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data_path = argument; return 0;
        case KEY_MODE:
            options->mode =
                (LutraSimulationMode)cli_parse_word(state, "--mode", argument, mode_names);
            return 0;
        case KEY_SPLIT: options->split = cli_parse_split(state, argument); return 0;
        case KEY_LIMIT:
            options->limit = cli_parse_u64(state, "--limit", argument, 1, UINT32_MAX);
            return 0;
        case KEY_LOGITS: options->logits_path = argument; return 0;
        case KEY_PREDICTIONS: options->predictions_path = argument; return 0;
        case KEY_CONFUSION: options->confusion_path = argument; return 0;
        case KEY_GALLERY: options->gallery_path = argument; return 0;
        case KEY_STRICT: options->strict = true; return 0;
        case ARGP_KEY_ARG:
            if (options->circuit_path != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one circuit at a time, but found '%s'",
                             argument);
            }
            options->circuit_path = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->circuit_path == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "needs a circuit file");
            }
            if (options->data_path == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "needs --data FILE");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    option_table,
    parse,
    "CIRCUIT.h5",
    "Runs a circuit on every image of a split and reports accuracy, and for each operation the "
    "range of its values and how many left the declared range."
    "\vExamples:\n"
    "  lutra simulate small.circuit.h5 --data fashion-mnist.h5\n"
    "  lutra simulate vgg9.circuit.h5 --data cifar10.h5 --limit 1000 --json \\\n"
    "      --predictions answers.csv --confusion confusion.png\n\n"
    "Exit codes: 0 done; 1 done, but with --strict a value left its range; 2 usage; 3 bad input "
    "data; 4 environment; 5 bug in lutra; 130 interrupted.",
    children,
    NULL,
    NULL};

static LutraStatus write_predictions(const Options *options, const LutraSimulation *result,
                                     const uint16_t *labels, LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fputs("image,label,predicted,correct\n", csv.out);
    for (uint64_t i = 0; i < result->images; i++) {
        fprintf(csv.out, "%" PRIu64 ",%u,%" PRIu32 ",%d\n", i, labels[i], result->predictions[i],
                labels[i] == result->predictions[i] ? 1 : 0);
    }
    return cli_csv_close(&csv, options->predictions_path, options->common.force, error);
}

static LutraStatus write_confusion(const Options *options, const LutraSimulation *result,
                                   const LutraDataset *dataset, const LutraCircuit *circuit,
                                   LutraError *error) {
    char subtitle[256];
    (void)snprintf(subtitle, sizeof subtitle, "%s, %s split, %" PRIu64 " images, top-1 %.2f %%",
                   dataset->name, lutra_split_name(options->split), result->images,
                   100.0 * (double)result->top1_hits / (double)result->images);
    return lutra_chart_write_confusion(
        circuit->name, subtitle, result->confusion, (const char *const *)dataset->class_names,
        result->class_count, options->confusion_path, options->common.force, error);
}

static LutraStatus write_files(const Options *options, const LutraSimulation *result,
                               const LutraDataset *dataset, const LutraCircuit *circuit,
                               LutraError *error) {
    const uint16_t *const labels = dataset->splits[options->split].labels;
    if (options->logits_path != NULL) {
        LUTRA_TRY(cli_write_logits(options->logits_path, options->common.force, labels,
                                   result->logits, result->images, result->class_count, error));
    }
    if (options->predictions_path != NULL) {
        LUTRA_TRY(write_predictions(options, result, labels, error));
    }
    if (options->confusion_path != NULL) {
        LUTRA_TRY(write_confusion(options, result, dataset, circuit, error));
    }
    if (options->gallery_path != NULL) {
        char title[256];
        (void)snprintf(title, sizeof title, "%s on %s, %s split: wrong answers are framed",
                       circuit->name, dataset->name, lutra_split_name(options->split));
        LUTRA_TRY(cli_gallery_write(title, dataset, options->split, result->predictions,
                                    result->images, options->gallery_path, options->common.force,
                                    error));
    }
    return LUTRA_OK;
}

static LutraStatus check_outputs(const Options *options, LutraError *error) {
    const char *const paths[] = {options->logits_path, options->predictions_path,
                                 options->confusion_path, options->gallery_path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] != NULL) {
            LUTRA_TRY(lutra_file_check_output(paths[i], options->common.force, error));
        }
    }
    return LUTRA_OK;
}

static bool has_zeros(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE;
}

static void add_layers(LutraJson *json, const LutraSimulation *result,
                       const LutraCircuit *circuit) {
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
    }
}

static int print_json(const Options *options, const LutraSimulation *result,
                      const LutraDataset *dataset, const LutraCircuit *circuit) {
    LutraJson *json = lutra_json_create("lutra.simulate/1");
    const double images = (double)result->images;
    lutra_json_set_text(json, "circuit", options->circuit_path);
    lutra_json_set_text(json, "network", circuit->name);
    lutra_json_set_text(json, "data", options->data_path);
    lutra_json_set_text(json, "data_source", dataset->source);
    lutra_json_set_text(json, "data_checksum", dataset->checksum);
    lutra_json_set_text(json, "split", lutra_split_name(options->split));
    lutra_json_set_text(json, "mode", mode_names[options->mode]);
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
    add_layers(json, result, circuit);
    return cli_print_json(COMMAND, &json);
}

static int print_text(const Options *options, const LutraSimulation *result,
                      const LutraDataset *dataset, const LutraCircuit *circuit) {
    char number[32];
    char rate[32];
    const double images = (double)result->images;
    const LutraInterval interval = lutra_interval_binomial(result->top1_hits, result->images, 0.95);
    printf("circuit     %s (%s), mode %s\n", options->circuit_path, circuit->name,
           mode_names[options->mode]);
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
    return cli_end_text("lutra simulate");
}

/** Prints and writes what was found; returns an exit code. */
static int report(const Options *options, const LutraSimulation *result,
                  const LutraDataset *dataset, const LutraCircuit *circuit) {
    LutraError error = {""};
    const LutraStatus status = write_files(options, result, dataset, circuit, &error);
    if (status != LUTRA_OK) {
        return cli_fail(COMMAND, status, &error);
    }
    const int code = options->common.json ? print_json(options, result, dataset, circuit)
                                          : print_text(options, result, dataset, circuit);
    if (code == CLI_EXIT_DONE && result->out_of_range > 0) {
        cli_warn(&options->common, COMMAND, "%" PRIu64 " values were outside their range",
                 result->out_of_range);
        return options->strict ? CLI_EXIT_CONDITION : code;
    }
    return code;
}

static LutraStatus run(LutraSimulation *result, const Options *options, const LutraDataset *dataset,
                       const LutraCircuit *circuit, LutraError *error) {
    const LutraSplit *const split = &dataset->splits[options->split];
    const LutraImages images = {.pixels = split->images,
                                .labels = split->labels,
                                .count = split->count,
                                .shape = {dataset->channels, dataset->height, dataset->width},
                                .class_count = dataset->class_count};
    LutraSimulateSettings settings;
    CliProgress progress;
    lutra_simulate_default(&settings);
    settings.mode = options->mode;
    settings.threads = options->common.threads;
    settings.cpu_flags = options->common.cpu_flags;
    settings.keep_logits = options->logits_path != NULL;
    cli_progress_start(&progress, &options->common);
    settings.progress = &progress.progress;
    const LutraStatus status = lutra_simulate(result, circuit, &images, &settings, error);
    cli_progress_stop(&progress);
    return status;
}

int cmd_simulate(int argc, char **argv) {
    Options options = {.split = LUTRA_SPLIT_TEST, .mode = LUTRA_MODE_CLEAR};
    LutraCircuit circuit = {0};
    LutraDataset dataset = {0};
    LutraSimulation result = {0};
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    cli_parse(&argp, argc, argv, &options);
    LUTRA_TRY_GOTO(status, check_outputs(&options, &error));
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, options.circuit_path, &error));
    LUTRA_TRY_GOTO(status, lutra_dataset_read(&dataset, options.data_path, 1u << options.split,
                                              options.limit, &error));
    status = run(&result, &options, &dataset, &circuit, &error);
    if (result.images > 0) { /* Ctrl-C keeps what is finished */
        code = report(&options, &result, &dataset, &circuit);
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    lutra_simulation_deinit(&result);
    lutra_dataset_deinit(&dataset);
    lutra_circuit_deinit(&circuit);
    return code;
}
