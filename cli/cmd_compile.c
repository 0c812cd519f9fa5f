/* SPDX-License-Identifier: Apache-2.0 */
/* lutra compile: model + dataset -> circuit. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/compile.h"
#include "cli/cost_report.h"
#include "cli/crypto_report.h"
#include "cli/setting_options.h"
#include "experiments/calibration_run.h"
#include "sim/circuit_border.h"

enum {
    MAX_ROUNDINGS = 1024,
    KEY_DATA = 0x2000,
    KEY_ROUNDING,
    KEY_MODE,
    KEY_OFFSETS,
    KEY_P_ERROR,
    KEY_GLOBAL,
    KEY_SECURITY,
    KEY_PARTITION,
    KEY_CALIBRATION,
    KEY_CLEAR,
    KEY_PROTECTION
};

static const char *const COMMAND = "compile";

typedef struct {
    CliCommon common;
    const char *model;
    const char *data;
    const char *output;
    uint32_t rounding[MAX_ROUNDINGS];
    LutraLowerSettings lower;
    LutraParametersTarget target;
    bool error_given; /* the user asked for a p_error: then there must be parameters */
    uint64_t calibration;
    char clear_from[LUTRA_NAME_BYTES]; /* "" = none */
    char clear_to[LUTRA_NAME_BYTES];
} Options;

static const struct argp_option OPTIONS[] = {
    {"data", KEY_DATA, "D.h5", 0, "dataset; its training images are the calibration", 1},
    {"output", 'o', "C.h5", 0, "circuit file to write", 1},
    {"rounding", KEY_ROUNDING, "P[,P...]", 0,
     "bits of each sum that its table reads: 1 to 16 or none; one for all tables or one each "
     "(default none)",
     2},
    {"rounding-mode", KEY_MODE, "MODE", 0,
     "approximate: the look-up rounds by itself (default); exact: one look-up more for each "
     "dropped bit",
     2},
    {"offsets", KEY_OFFSETS, "RULE", 0,
     "constants added before rounding: none (default), align or centre", 2},
    {"overflow-protection", KEY_PROTECTION, NULL, 0,
     "one bit more for tables whose largest sums round up beyond their P bits (not with centre); "
     "otherwise such sums are counted as out of range",
     2},
    {"calibration", KEY_CALIBRATION, "N", 0, "training images to measure ranges on (default all)",
     2},
    {"clear-layers", KEY_CLEAR, "A..B", 0,
     "run the first or last layers, from A to B, on the client in the clear", 2},
    {"p-error", KEY_P_ERROR, "P", 0, "probability that one look-up is wrong", 3},
    {"global-p-error", KEY_GLOBAL, "P", 0,
     "probability that any look-up of an image is wrong (default 0.01)", 3},
    {"security", KEY_SECURITY, "BITS", 0, "128, or 132: with a margin for better attacks (default)",
     3},
    {"partition", KEY_PARTITION, "RULE", 0,
     "tables that share crypto parameters: all, with none (default); with width those that read as "
     "many bits; with norm those that have about the same weights too; with table each its own, "
     "unless that saves less than 0.5 % of the cost. Keyswitches lead from set to set",
     3},
    {0}};

static const char DOCUMENTATION[] =
    "Turns a trained model into a circuit: measures the ranges of its sums on training images, "
    "makes integer weights and look-up tables, and chooses crypto parameters."
    "\v"
    "Examples:\n"
    "  lutra compile model.h5 --data cifar10.h5 --rounding 6 -o vgg9-6.h5\n"
    "  lutra compile model.h5 --data fmnist.h5 --rounding 6,5 --offsets align \\\n"
    "      --p-error 1e-5 -o mlp.h5\n"
    "\n"
    "A circuit whose tables are too wide for any parameters is still written, without them, unless "
    "a probability was asked for: it can be simulated in the clear.\n"
    "Exit codes: 0 done, 2 usage, 3 bad input data or no parameters, 4 environment.";

/* "6" or "7,none,5". */
static void parse_rounding(Options *options, const char *text, struct argp_state *state) {
    uint32_t count = 0;
    for (const char *p = text;; p++) {
        char word[8] = "";
        const size_t length = strcspn(p, ",");
        if (length == 0 || length >= sizeof word || count == MAX_ROUNDINGS) {
            argp_failure(state, CLI_EXIT_USAGE, 0,
                         "invalid value '%s' for '--rounding'; should be "
                         "none or 1 to 16, or a list of these separated by commas",
                         text);
            return;
        }
        memcpy(word, p, length);
        options->rounding[count++] =
            strcmp(word, "none") == 0
                ? LUTRA_ROUNDING_NONE
                : (uint32_t)cli_parse_u64(state, "--rounding", word, 1, LUTRA_MAX_ROUNDING);
        p += length;
        if (*p == '\0') {
            break;
        }
    }
    options->lower.rounding = options->rounding;
    options->lower.rounding_count = count;
}

static void parse_layers(Options *options, const char *text, struct argp_state *state) {
    const char *dots = strstr(text, "..");
    const size_t length = dots == NULL ? 0 : (size_t)(dots - text);
    if (length == 0 || length >= LUTRA_NAME_BYTES || dots[2] == '\0' ||
        strlen(dots + 2) >= LUTRA_NAME_BYTES) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '--clear-layers'; should be "
                     "two layer names such as conv1..act1",
                     text);
        return;
    }
    memcpy(options->clear_from, text, length);
    options->clear_from[length] = '\0';
    memcpy(options->clear_to, dots + 2, strlen(dots + 2) + 1);
}

static error_t check_arguments(const Options *options, struct argp_state *state) {
    if (options->model == NULL || options->data == NULL || options->output == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "%s is missing; see 'lutra compile --help'",
                     options->model == NULL  ? "the model"
                     : options->data == NULL ? "'--data'"
                                             : "'-o'");
    }
    return 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data = argument; return 0;
        case 'o': options->output = argument; return 0;
        case KEY_ROUNDING: parse_rounding(options, argument, state); return 0;
        case KEY_MODE:
            options->lower.mode = cli_parse_rounding_mode(state, argument);
            return 0;
        case KEY_OFFSETS:
            options->lower.offsets = cli_parse_offsets(state, argument);
            return 0;
        case KEY_PROTECTION: options->lower.overflow_protected = true; return 0;
        case KEY_P_ERROR:
            options->target.p_error = cli_parse_f64(state, "--p-error", argument, 1e-30, 0.9);
            options->error_given = true;
            return 0;
        case KEY_GLOBAL:
            options->target.global_p_error =
                cli_parse_f64(state, "--global-p-error", argument, 1e-30, 0.999);
            options->error_given = true;
            return 0;
        case KEY_SECURITY:
            options->target.security_bits = cli_parse_security(state, argument);
            return 0;
        case KEY_PARTITION:
            options->target.partition = cli_parse_partition(state, argument);
            return 0;
        case KEY_CALIBRATION:
            options->calibration = cli_parse_u64(state, "--calibration", argument, 1, UINT32_MAX);
            return 0;
        case KEY_CLEAR: parse_layers(options, argument, state); return 0;
        case ARGP_KEY_ARG:
            if (options->model != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "more than one model: '%s'", argument);
            }
            options->model = argument;
            return 0;
        case ARGP_KEY_END: return check_arguments(options, state);
        default: return ARGP_ERR_UNKNOWN;
    }
}

static LutraStatus check_data(const LutraModel *model, const LutraDataset *data,
                              const Options *options, LutraError *error) {
    const LutraShape shape = model->network.layers[0].shape;
    if (!lutra_shape_equal((LutraShape){data->channels, data->height, data->width}, shape)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "images of '%s' are %" PRIu32 "x%" PRIu32 "x%" PRIu32
                               ", but model '%s' reads %" PRIu32 "x%" PRIu32 "x%" PRIu32,
                               options->data, data->channels, data->height, data->width,
                               options->model, shape.channels, shape.height, shape.width);
    }
    if (data->class_count != model->network.class_count) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has %" PRIu32
                               " classes, but model '%s' "
                               "tells %" PRIu32 " apart",
                               options->data, data->class_count, options->model,
                               model->network.class_count);
    }
    if (data->splits[LUTRA_SPLIT_TRAIN].count == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no training images to calibrate on",
                               options->data);
    }
    return LUTRA_OK;
}

/* The settings that a report repeats and a circuit remembers. */
static void set_settings(LutraJson *object, const Options *options, const LutraModel *model,
                         const LutraDataset *data, const LutraCalibration *calibration) {
    lutra_json_set_text(object, "network", model->network.name);
    lutra_json_set_text(object, "dataset", data->name);
    lutra_json_set_text(object, "dataset_checksum", data->checksum);
    lutra_json_set_i64(object, "calibration_images", (int64_t)calibration->images);
    lutra_json_set_i64(object, "calibration_passes", calibration->passes);
    LutraJson *rounding = lutra_json_set_array(object, "rounding_bits");
    for (uint32_t i = 0; i < options->lower.rounding_count; i++) {
        lutra_json_add_i64(rounding, options->lower.rounding[i]);
    }
    lutra_json_set_text(object, "rounding_mode", cli_rounding_modes[options->lower.mode]);
    lutra_json_set_text(object, "offsets", cli_offset_rules[options->lower.offsets]);
    lutra_json_set_bool(object, "overflow_protected", options->lower.overflow_protected);
    lutra_json_set_text(object, "partition", lutra_partition_names[options->target.partition]);
    lutra_json_set_text(object, "clear_layers_from", options->clear_from);
    lutra_json_set_text(object, "clear_layers_to", options->clear_to);
}

static LutraStatus set_provenance(LutraCircuit *circuit, const Options *options,
                                  const LutraModel *model, const LutraDataset *data,
                                  const LutraCalibration *calibration, LutraError *error) {
    LutraJson *object = lutra_json_create("lutra.provenance/1");
    char *text = NULL;
    lutra_json_set_text(object, "command", COMMAND);
    lutra_json_set_text(object, "version", LUTRA_VERSION);
    set_settings(object, options, model, data, calibration);
    lutra_json_set_text(object, "model_provenance", model->provenance);
    const LutraStatus status = lutra_json_text(&text, object, error);
    lutra_json_destroy(&object);
    if (status == LUTRA_OK) {
        lutra_free(&circuit->provenance);
        circuit->provenance = text;
    }
    return status;
}

/* Everything that one compilation makes. */
typedef struct {
    LutraModel model;
    LutraDataset data;
    LutraCalibration calibration;
    LutraCircuit circuit;
    LutraParametersChoice choice;
    double *off_by_one; /* compile_find_off_by_one */
} Compilation;

static void compilation_deinit(Compilation *work) {
    lutra_free(&work->off_by_one);
    lutra_parameters_choice_deinit(&work->choice);
    lutra_circuit_deinit(&work->circuit);
    lutra_calibration_deinit(&work->calibration);
    lutra_dataset_deinit(&work->data);
    lutra_model_deinit(&work->model);
}

static LutraStatus compile(Compilation *work, const Options *options, const LutraProgress *progress,
                           LutraError *error) {
    static const LutraCalibrateKind kinds[] = {[LUTRA_OFFSETS_NONE] = LUTRA_CALIBRATE_RANGES,
                                               [LUTRA_OFFSETS_ALIGN] = LUTRA_CALIBRATE_DENSITIES,
                                               [LUTRA_OFFSETS_CENTRE] = LUTRA_CALIBRATE_CENTRED};
    LUTRA_TRY(lutra_file_check_output(options->output, options->common.force, error));
    LUTRA_TRY(lutra_model_read(&work->model, options->model, error));
    LUTRA_TRY(lutra_dataset_read(&work->data, options->data, 1u << LUTRA_SPLIT_TRAIN,
                                 options->calibration, error));
    LUTRA_TRY(check_data(&work->model, &work->data, options, error));
    LutraCalibrationRun images = {&work->data.splits[LUTRA_SPLIT_TRAIN], options->common.threads,
                            options->common.cpu_flags, progress};
    const LutraObserver observer = lutra_calibration_observer(&images);
    LUTRA_TRY(lutra_calibrate(&work->calibration, &work->model, kinds[options->lower.offsets],
                              &observer, error));
    LUTRA_TRY(
        lutra_lower(&work->circuit, &work->model, &work->calibration, &options->lower, error));
    if (options->clear_from[0] != '\0') {
        LUTRA_TRY(lutra_circuit_mark_clear(&work->circuit, options->clear_from, options->clear_to,
                                           error));
    }
    LUTRA_TRY(
        lutra_circuit_choose_parameters(&work->choice, &work->circuit, &options->target, error));
    return compile_find_off_by_one(&work->off_by_one, &work->circuit, error);
}

/* Tells what stands in the way of crypto parameters. */
static LutraStatus check_feasible(const Compilation *work, const Options *options,
                                  LutraError *error) {
    const LutraParametersChoice *choice = &work->choice;
    char reason[COMPILE_REASON_BYTES];
    if (choice->feasible || choice->lookups == 0) {
        return LUTRA_OK;
    }
    compile_explain_infeasible(reason, &work->circuit, choice);
    (void)lutra_error_set(error, LUTRA_EINFEASIBLE, "%s", reason);
    if (options->error_given) {
        return LUTRA_EINFEASIBLE;
    }
    cli_note(&options->common, COMMAND, "%s; the circuit is written without parameters",
             error->message);
    return LUTRA_OK;
}

/** Seconds of one image on real ciphertexts, or NaN. The circuit is written by now, so that a bad
 * machine profile is worth a warning and no more. */
static double predicted_seconds(const Compilation *work, const Options *options) {
    LutraCircuitCost cost = {0};
    LutraError error = {""};
    if (work->circuit.parameter_count == 0) {
        return NAN;
    }
    if (cli_predict(&cost, &work->circuit, options->common.threads, &error) != LUTRA_OK) {
        cli_warn(&options->common, COMMAND, "%s", error.message);
        return NAN;
    }
    const double seconds = cost.seconds;
    lutra_circuit_cost_deinit(&cost);
    return seconds;
}

static int report(const Compilation *work, const Options *options) {
    const double seconds = predicted_seconds(work, options);
    if (work->circuit.parameter_count > 0) {
        cli_warn_of_sharing(&options->common, COMMAND, lutra_circuit_worst_p_error(&work->circuit));
    }
    if (work->choice.feasible && !(options->target.p_error > 0.0) &&
        work->choice.global_p_error > options->target.global_p_error) {
        cli_warn(&options->common, COMMAND,
                 "an image meets an error with probability %.3g, not %.3g: decrypted sums are too "
                 "wide for any parameters",
                 work->choice.global_p_error, options->target.global_p_error);
    }
    if (!options->common.json) {
        char images[32];
        printf("%s: %s, ranges from %s training images of %s\n", options->output,
               work->circuit.name, cli_grouped(images, work->calibration.images), work->data.name);
        compile_print(&work->circuit, &work->choice, work->off_by_one);
        if (isfinite(seconds)) {
            char duration[32];
            printf("predicted   %s an image with %" PRIu32 " threads; lutra inspect has more\n",
                   cli_duration(duration, seconds), options->common.threads);
        }
        return CLI_EXIT_DONE;
    }
    LutraJson *object = lutra_json_create("lutra.compile/1");
    lutra_json_set_text(object, "circuit", options->output);
    set_settings(object, options, &work->model, &work->data, &work->calibration);
    compile_set_json(object, &work->circuit, &work->choice, work->off_by_one);
    lutra_json_set_f64(object, "predicted_seconds", seconds);
    return cli_print_json(COMMAND, &object);
}

int cmd_compile(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {OPTIONS,  parse_option, "MODEL.h5", DOCUMENTATION,
                                     children, NULL,         NULL};
    Options options = {0};
    Compilation work = {0};
    CliProgress progress;
    LutraError error = {""};
    lutra_lower_default(&options.lower);
    lutra_parameters_target_default(&options.target);
    cli_parse(&argp, argc, argv, &options);
    cli_progress_start(&progress, &options.common);
    LutraStatus status = compile(&work, &options, &progress.progress, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK) {
        status = check_feasible(&work, &options, &error);
    }
    if (status == LUTRA_OK) {
        status = set_provenance(&work.circuit, &options, &work.model, &work.data, &work.calibration,
                                &error);
    }
    if (status == LUTRA_OK) {
        status = lutra_circuit_write(&work.circuit, options.output, options.common.force, &error);
    }
    const int code =
        status == LUTRA_OK ? report(&work, &options) : cli_fail(COMMAND, status, &error);
    compilation_deinit(&work);
    return code;
}
