/* SPDX-License-Identifier: Apache-2.0 */
/* lutra simulate: accuracy and statistics of a circuit on a whole split. */
#include <inttypes.h>

#include "cli/commands.h"
#include "cli/simulate.h"

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
    KEY_LAYERS,
    KEY_EXPLAIN,
    KEY_STRICT
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"data", KEY_DATA, "FILE", 0, "dataset to run (required)", 1},
    {"split", KEY_SPLIT, "NAME", 0, "train or test (default test)", 1},
    {"limit", KEY_LIMIT, "N", 0, "only the first N images (default: all)", 1},
    {NULL, 0, NULL, 0, "Run:", 2},
    {"mode", KEY_MODE, "MODE", 0,
     "clear (default): exact integers; torus: 64-bit words that wrap; noisy: with noise", 2},
    {"strict", KEY_STRICT, NULL, 0, "exit with 1 if any value left its range", 2},
    {NULL, 0, NULL, 0, "Output:", 3},
    {"logits", KEY_LOGITS, "FILE.csv", 0, "write the logits of every image", 3},
    {"predictions", KEY_PREDICTIONS, "FILE.csv", 0, "write label and answer of every image", 3},
    {"confusion", KEY_CONFUSION, "FILE.png", 0, "draw the confusion matrix", 3},
    {"gallery", KEY_GALLERY, "FILE.png", 0, "draw the first images with their answers", 3},
    {"layers", KEY_LAYERS, "DIR", 0,
     "histograms of what tables read, in the clear; with --mode noisy also what the noise of each "
     "alone does: layers.csv, layers.h5, layers.png",
     3},
    {"explain", KEY_EXPLAIN, "IMAGE", 0,
     "print one image's way through the circuit instead; the first is 0", 3},
    {0}};

/** --explain is a report of its own. */
static void check_explain(struct argp_state *state, const SimulateOptions *options) {
    const struct {
        bool given;
        const char *name;
    } others[] = {{options->limit != 0, "--limit"},
                  {options->logits_path != NULL, "--logits"},
                  {options->predictions_path != NULL, "--predictions"},
                  {options->confusion_path != NULL, "--confusion"},
                  {options->gallery_path != NULL, "--gallery"},
                  {options->layers_folder != NULL, "--layers"},
                  {options->mode != LUTRA_MODE_CLEAR, "--mode"},
                  {options->strict, "--strict"}};
    for (size_t i = 0; options->explains && i < sizeof others / sizeof others[0]; i++) {
        if (others[i].given) {
            argp_failure(state, CLI_EXIT_USAGE, 0,
                         "--explain shows one image in the clear: leave %s out", others[i].name);
        }
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    SimulateOptions *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT:
            state->child_inputs[0] = &options->common;
            state->child_inputs[1] = &options->noise;
            return 0;
        case KEY_DATA: options->data_path = argument; return 0;
        case KEY_MODE:
            options->mode =
                (LutraSimulationMode)cli_parse_word(state, "--mode", argument, simulate_mode_names);
            return 0;
        case KEY_SPLIT: options->split = cli_parse_split(state, argument); return 0;
        case KEY_LIMIT:
            options->limit = cli_parse_u64(state, "--limit", argument, 1, UINT32_MAX);
            return 0;
        case KEY_LOGITS: options->logits_path = argument; return 0;
        case KEY_PREDICTIONS: options->predictions_path = argument; return 0;
        case KEY_CONFUSION: options->confusion_path = argument; return 0;
        case KEY_GALLERY: options->gallery_path = argument; return 0;
        case KEY_LAYERS: options->layers_folder = argument; return 0;
        case KEY_EXPLAIN:
            options->explained_image = cli_parse_u64(state, "--explain", argument, 0, UINT32_MAX);
            options->explains = true;
            return 0;
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
            if (options->noise.is_given && options->mode != LUTRA_MODE_NOISY) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "--noise, --noise-model, --noise-rounding and --repeats need --mode "
                             "noisy");
            }
            check_explain(state, options);
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {
    {&cli_common_argp, 0, NULL, 0}, {&cli_noise_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    option_table,
    parse,
    "CIRCUIT.h5",
    "Runs a circuit on every image of a split and reports accuracy, and for each operation the "
    "range of its values and how many left the declared range."
    "\vExamples:\n"
    "  lutra simulate small.circuit.h5 --data fashion-mnist.h5\n"
    "  lutra simulate vgg9.circuit.h5 --data cifar10.h5 --limit 1000 --json \\\n"
    "      --predictions answers.csv --confusion confusion.png\n"
    "  lutra simulate vgg9.circuit.h5 --data cifar10.h5 --mode noisy --repeats 10\n"
    "  lutra simulate vgg9.circuit.h5 --data cifar10.h5 --layers layers\n"
    "  lutra simulate vgg9.circuit.h5 --data cifar10.h5 --explain 42\n\n"
    "Exit codes: 0 done; 1 done, but with --strict a value left its range; 2 usage; 3 bad input "
    "data; 4 environment; 5 bug in lutra; 130 interrupted.",
    children,
    NULL,
    NULL};

/** Prints and writes what was found; returns an exit code. */
static int report(const SimulateOutcome *outcome) {
    const SimulateOptions *const options = outcome->options;
    const uint64_t out_of_range = outcome->result->out_of_range;
    LutraError error = {""};
    const LutraStatus status = simulate_write_files(outcome, &error);
    if (status != LUTRA_OK) {
        return cli_fail(COMMAND, status, &error);
    }
    const int code =
        options->common.json ? simulate_print_json(outcome) : simulate_print_text(outcome);
    if (options->mode == LUTRA_MODE_NOISY) {
        cli_warn_of_sharing(&options->common, COMMAND,
                            cli_noise_p_error(&options->noise, outcome->circuit));
    }
    if (code == CLI_EXIT_DONE && out_of_range > 0) {
        cli_warn(&options->common, COMMAND, "%" PRIu64 " values were outside their range",
                 out_of_range);
        return options->strict ? CLI_EXIT_CONDITION : code;
    }
    return code;
}

static LutraImages images_of(const SimulateOptions *options, const LutraDataset *dataset) {
    const LutraSplit *const split = &dataset->splits[options->split];
    return (LutraImages){.pixels = split->images,
                         .labels = split->labels,
                         .count = split->count,
                         .shape = {dataset->channels, dataset->height, dataset->width},
                         .class_count = dataset->class_count};
}

int cmd_simulate(int argc, char **argv) {
    SimulateOptions options = {.split = LUTRA_SPLIT_TEST, .mode = LUTRA_MODE_CLEAR};
    LutraCircuit circuit = {0};
    LutraDataset dataset = {0};
    SimulateRuns runs = {0};
    SimulateLayers layers = {0};
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    cli_parse(&argp, argc, argv, &options);
    options.noise.settings.seed = options.common.seed;
    LUTRA_TRY_GOTO(status, simulate_check_outputs(&options, &error));
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, options.circuit_path, &error));
    const uint64_t limit = options.explains ? options.explained_image + 1 : options.limit;
    LUTRA_TRY_GOTO(status, lutra_dataset_read(&dataset, options.data_path, 1u << options.split,
                                              limit, &error));
    if (options.explains) {
        code = simulate_explain(&options, &circuit, &dataset);
        goto done;
    }
    const LutraImages images = images_of(&options, &dataset);
    status = simulate_run(&runs, &options, &images, &circuit, &error);
    if (status == LUTRA_OK && options.layers_folder != NULL) {
        status = simulate_run_layers(&layers, &options, &runs.result, &images, &circuit, &error);
    }
    if (runs.count > 0) { /* Ctrl-C keeps what is finished */
        const SimulateOutcome outcome = {&options, &circuit, &dataset, &runs.result, &runs,
                                         layers.statistics.layer_count > 0 ? &layers : NULL};
        code = report(&outcome);
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    simulate_layers_deinit(&layers);
    simulate_runs_deinit(&runs);
    lutra_dataset_deinit(&dataset);
    lutra_circuit_deinit(&circuit);
    return code;
}
