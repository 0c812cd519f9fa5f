/* SPDX-License-Identifier: Apache-2.0 */
/* lutra import: weights of another program, as a model file. */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "quant/import.h"

#define COMMAND "import"

typedef struct {
    CliCommon common;
    const char *weights;
    const char *network;
    const char *output;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Output:", 1},
    {"output", 'o', "M.h5", 0, "model file", 1},
    {0}};

static const char documentation[] =
    "Makes a model of weights that another program trained."
    "\v"
    "WEIGHTS is a safetensors file or an HDF5 file with its arrays in the root. A layer takes "
    "LAYER.weight and LAYER.bias if the file has them; otherwise convolutions take "
    "features.N.weight and features.N.bias in order, as torchvision names them, and linear layers "
    "classifier.N.weight if there are as many. Other layers begin at random, by --seed. "
    "scripts/pth_to_safetensors.py converts PyTorch's own files.\n"
    "\n"
    "Examples:\n"
    "  lutra import vgg11.safetensors vgg11-float.ini -o imagenet.h5\n"
    "  lutra import weights.h5 vgg11.ini -o start.h5 --json\n"
    "\n"
    "Writes the model file. Exit codes: 0 done, 2 usage, 3 bad data or shapes that do not fit, "
    "4 environment.";

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case 'o': options->output = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->network != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one network at a time; '%s' is too much",
                             argument);
            }
            *(options->weights == NULL ? &options->weights : &options->network) = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->network == NULL || options->output == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' is missing",
                             options->weights == NULL   ? "WEIGHTS"
                             : options->network == NULL ? "NETWORK.ini"
                                                        : "--output");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static LutraStatus set_provenance(LutraModel *model, const Options *options,
                                  const LutraImportReport *done, LutraError *error) {
    char *json = NULL;
    LutraJson *object = lutra_json_create("lutra.provenance/1");
    lutra_json_set_text(object, "command", COMMAND);
    lutra_json_set_text(object, "version", LUTRA_VERSION);
    lutra_json_set_text(object, "weights", options->weights);
    lutra_json_set_i64(object, "layers_copied", done->copied);
    lutra_json_set_i64(object, "layers_kept", done->kept);
    lutra_json_set_i64(object, "seed", (int64_t)options->common.seed);
    const LutraStatus status = lutra_json_text(&json, object, error);
    lutra_json_destroy(&object);
    if (status == LUTRA_OK) {
        lutra_free(&model->provenance);
        model->provenance = json;
    }
    return status;
}

static LutraStatus make(LutraModel *model, LutraImportReport *done, const Options *options,
                        LutraError *error) {
    LutraNetwork network = {0};
    LutraTensorFile file = {0};
    LUTRA_TRY(lutra_file_check_output(options->output, options->common.force, error));
    LUTRA_TRY(lutra_network_read(&network, options->network, error));
    LutraStatus status = lutra_model_create(model, &network, options->common.seed, error);
    lutra_network_deinit(&network); /* empty if the model took it */
    LUTRA_TRY(status);
    LUTRA_TRY(lutra_tensor_file_open(&file, options->weights, error));
    status = lutra_import_weights(model, &file, done, error);
    lutra_tensor_file_deinit(&file);
    LUTRA_TRY(status);
    LUTRA_TRY(set_provenance(model, options, done, error));
    return lutra_model_write(model, options->output, options->common.force, error);
}

static int report(const Options *options, const LutraModel *model,
                  const LutraImportReport *done) {
    if (done->kept > 0) {
        cli_warn(&options->common, COMMAND,
                 "%" PRIu32 " layers, the first '%s', are not in '%s' and begin at random",
                 done->kept, done->first_kept, options->weights);
    }
    if (done->unused > 0) {
        cli_warn(&options->common, COMMAND,
                 "%" PRIu32 " arrays of '%s', the first '%s', belong to no layer", done->unused,
                 options->weights, done->first_unused);
    }
    if (!options->common.json) {
        printf("%s: %s, weights of %" PRIu32 " of %" PRIu32 " layers from %s\n", options->output,
               model->network.name, done->copied, done->copied + done->kept, options->weights);
        return CLI_EXIT_DONE;
    }
    LutraJson *object = lutra_json_create("lutra.import/1");
    lutra_json_set_text(object, "model", options->output);
    lutra_json_set_text(object, "network", model->network.name);
    lutra_json_set_text(object, "weights", options->weights);
    lutra_json_set_i64(object, "layers_copied", done->copied);
    lutra_json_set_i64(object, "layers_kept", done->kept);
    lutra_json_set_i64(object, "arrays_unused", done->unused);
    return cli_print_json(COMMAND, &object);
}

int cmd_import(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, "WEIGHTS NETWORK.ini",
                                     documentation, children,    NULL,
                                     NULL};
    Options options = {0};
    LutraModel model = {0};
    LutraImportReport done = {0};
    LutraError error = {""};
    cli_parse(&argp, argc, argv, &options);
    const LutraStatus status = make(&model, &done, &options, &error);
    const int code = status == LUTRA_OK ? report(&options, &model, &done)
                                        : cli_fail(COMMAND, status, &error);
    lutra_model_deinit(&model);
    return code;
}
