/* SPDX-License-Identifier: Apache-2.0 */
/* lutra export: a model file without training state, its weights packed to codes. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "quant/model.h"

#define COMMAND "export"

typedef struct {
    CliCommon common;
    const char *model;
    const char *output;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Output:", 1},
    {"output", 'o', "P.h5", 0, "packed model file", 1},
    {0}};

static const char documentation[] =
    "Packs a trained model: no training state, and weights as the codes that inference "
    "multiplies with."
    "\v"
    "The packed file is a model file: evaluate, compile, train --init and train --teacher read it, "
    "and every logit is the same. Its history is kept. What is lost is where a latent weight stood "
    "between two codes, and so the means to go on with --resume.\n"
    "\n"
    "Examples:\n"
    "  lutra export vgg9.h5 -o experiments/pretrained/vgg9.h5\n"
    "  lutra export model.h5 -o packed.h5 --force --json\n"
    "\n"
    "Writes the packed file. Exit codes: 0 done, 2 usage, 3 bad data, 4 environment.";

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case 'o': options->output = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->model != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one model at a time; '%s' is a second one",
                             argument);
            }
            options->model = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->model == NULL || options->output == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' is missing",
                             options->model == NULL ? "MODEL.h5" : "--output");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

/* 0 if it cannot be told: the figure is for people only. */
static uint64_t file_bytes(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
}

static size_t count_weights(const LutraModel *model) {
    size_t weights = 0;
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        weights += lutra_layer_weight_count(&model->network.layers[i]);
    }
    return weights;
}

static int report(const Options *options, const LutraModel *model, uint32_t kept,
                  uint64_t model_bytes) {
    const uint64_t packed_bytes = file_bytes(options->output);
    char weights[32];
    char before[32];
    char after[32];
    if (!options->common.json) {
        printf("%s: %s, %s weights, %s bytes in place of %s\n", options->output,
               model->network.name, cli_grouped(weights, count_weights(model)),
               cli_grouped(after, packed_bytes), cli_grouped(before, model_bytes));
        return CLI_EXIT_DONE;
    }
    LutraJson *object = lutra_json_create("lutra.export/1");
    lutra_json_set_text(object, "model", options->output);
    lutra_json_set_text(object, "network", model->network.name);
    lutra_json_set_i64(object, "weights", (int64_t)count_weights(model));
    lutra_json_set_i64(object, "epochs", model->history_count);
    lutra_json_set_i64(object, "unpacked_layers", kept);
    lutra_json_set_i64(object, "model_bytes", (int64_t)model_bytes);
    lutra_json_set_i64(object, "packed_bytes", (int64_t)packed_bytes);
    return cli_print_json(COMMAND, &object);
}

int cmd_export(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, "MODEL.h5", documentation,
                                     children,     NULL,         NULL};
    Options options = {0};
    LutraModel model = {0};
    LutraError error = {""};
    uint32_t kept = 0;
    cli_parse(&argp, argc, argv, &options);
    LutraStatus status = lutra_model_read(&model, options.model, &error);
    const uint64_t model_bytes = file_bytes(options.model);
    if (status == LUTRA_OK) {
        status = lutra_model_write_packed(&model, options.output, options.common.force, &kept,
                                          &error);
    }
    if (status == LUTRA_OK && kept > 0) {
        cli_warn(&options.common, COMMAND,
                 "weights of %" PRIu32 " layers would not have come back exactly and stay as they "
                 "are",
                 kept);
    }
    const int code = status == LUTRA_OK ? report(&options, &model, kept, model_bytes)
                                        : cli_fail(COMMAND, status, &error);
    lutra_model_deinit(&model);
    return code;
}
