/* SPDX-License-Identifier: Apache-2.0 */
/* lutra encrypt: images of a dataset as ciphertexts for the server. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/client_files.h"
#include "cli/commands.h"
#include "datasets/dataset.h"

#define COMMAND "encrypt"

enum { KEY_KEY = 1, KEY_DATA, KEY_SPLIT, KEY_SAMPLES, KEY_FIRST };

typedef struct {
    CliCommon common;
    const char *circuit;
    const char *key;
    const char *data;
    const char *output;
    LutraSplitKind split;
    uint64_t samples;
    uint64_t first;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"key", KEY_KEY, "FILE", 0, "client key of 'lutra keygen' (required)", 1},
    {"data", KEY_DATA, "FILE", 0, "dataset to take images from (required)", 1},
    {"split", KEY_SPLIT, "NAME", 0, "train or test (default test)", 1},
    {"samples", KEY_SAMPLES, "K", 0, "images to encrypt (default 1)", 1},
    {"first", KEY_FIRST, "N", 0, "index of the first image (default 0)", 1},
    {NULL, 0, NULL, 0, "Output:", 2},
    {"output", 'o', "FILE", 0, "file of encrypted inputs (required)", 2},
    {0}};

static const char documentation[] =
    "Encrypts images for 'lutra run': the client's first step."
    "\v"
    "Pixels become codes, first layers that are in the clear are run, and the result is encrypted "
    "with fresh noise and masks that follow from a public seed in the file: eight bytes a value.\n"
    "\n"
    "Examples:\n"
    "  lutra encrypt circuit.h5 --key keys/client.key --data fmnist.h5 \\\n"
    "      --samples 20 -o twenty.ct\n"
    "  lutra encrypt circuit.h5 --key keys/client.key --data fmnist.h5 \\\n"
    "      --first 7 -o inputs.ct\n"
    "\n"
    "Exit codes: 0 done, 2 usage, 3 bad data, 4 environment, 130 interrupted.";

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_KEY: options->key = argument; return 0;
        case KEY_DATA: options->data = argument; return 0;
        case KEY_SPLIT: options->split = cli_parse_split(state, argument); return 0;
        case KEY_SAMPLES:
            options->samples = cli_parse_u64(state, "--samples", argument, 1, 1000000);
            return 0;
        case KEY_FIRST:
            options->first = cli_parse_u64(state, "--first", argument, 0, UINT32_MAX);
            return 0;
        case 'o': options->output = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->circuit != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one circuit at a time, but found '%s'",
                             argument);
            }
            options->circuit = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->circuit == NULL || options->key == NULL || options->data == NULL ||
                options->output == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "needs a circuit, --key, --data and --output");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static LutraStatus check_data(const Options *options, const LutraDataset *dataset,
                              const LutraCircuit *circuit, LutraError *error) {
    const LutraShape shape = circuit->operations[0].shape;
    const LutraShape images = {dataset->channels, dataset->height, dataset->width};
    const uint64_t count = dataset->splits[options->split].count;
    if (!lutra_shape_equal(images, shape)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has images of %u x %u x %u, but the circuit takes %u x %u x "
                               "%u",
                               options->data, images.channels, images.height, images.width,
                               shape.channels, shape.height, shape.width);
    }
    if (options->first >= count || options->samples > count - options->first) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' has %" PRIu64 " images in its %s split; cannot take %" PRIu64
                               " from %" PRIu64,
                               options->data, count, lutra_split_name(options->split),
                               options->samples, options->first);
    }
    return LUTRA_OK;
}

static int report(const Options *options, double seconds) {
    struct stat about;
    const uint64_t bytes = stat(options->output, &about) == 0 ? (uint64_t)about.st_size : 0;
    char text[32];
    if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.encrypt/1");
        lutra_json_set_text(json, "file", options->output);
        lutra_json_set_i64(json, "images", (int64_t)options->samples);
        lutra_json_set_i64(json, "bytes", (int64_t)bytes);
        lutra_json_set_f64(json, "seconds", seconds);
        return cli_print_json(COMMAND, &json);
    }
    printf("%s: %" PRIu64 " image%s from %" PRIu64 " of the %s split, %s, in %.2f s\n",
           options->output, options->samples, options->samples == 1 ? "" : "s", options->first,
           lutra_split_name(options->split), cli_bytes(text, (double)bytes), seconds);
    return cli_end_text("lutra encrypt");
}

static int encrypt(const Options *options) {
    ClientFiles files = {.client = {.circuit = NULL}};
    LutraDataset dataset = {0};
    CliProgress progress;
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    LUTRA_TRY_GOTO(status, lutra_file_check_output(options->output, options->common.force, &error));
    LUTRA_TRY_GOTO(status, client_files_open(&files, options->circuit, options->key,
                                             options->common.threads, &error));
    LUTRA_TRY_GOTO(status, lutra_dataset_read(&dataset, options->data, 1u << options->split,
                                              options->first + options->samples, &error));
    LUTRA_TRY_GOTO(status, check_data(options, &dataset, &files.circuit, &error));
    const double start = lutra_seconds();
    cli_progress_start(&progress, &options->common);
    status = lutra_client_encrypt(
        &files.client, options->output, options->common.force,
        dataset.splits[options->split].images +
            (size_t)options->first * lutra_shape_elements(files.circuit.operations[0].shape),
        options->samples, &progress.progress, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK) {
        code = report(options, lutra_seconds() - start);
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    lutra_dataset_deinit(&dataset);
    client_files_close(&files);
    return code;
}

int cmd_encrypt(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, "CIRCUIT.h5", documentation,
                                     children,     NULL,         NULL};
    Options options = {.split = LUTRA_SPLIT_TEST, .samples = 1};
    cli_parse(&argp, argc, argv, &options);
    return encrypt(&options);
}
