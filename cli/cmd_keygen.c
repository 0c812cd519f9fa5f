/* SPDX-License-Identifier: Apache-2.0 */
/* lutra keygen: the keys of a circuit as files, one for the client and one for the server. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "bridge/encrypted.h"
#include "bridge/key_files.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "sim/circuit_parameters.h"
#include "sim/server_circuit.h"

#define COMMAND "keygen"

enum { CLIENT = 0, EVALUATION = 1, SERVER = 2, FILES = 3 };

static const char *const file_names[FILES] = {"client.key", "evaluation.key", "server.h5"};

typedef struct {
    CliCommon common;
    const char *circuit;
    const char *folder;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Output:", 1},
    {"output", 'o', "DIR", 0, "folder of the three files (required)", 1},
    {0}};

static const char documentation[] =
    "Makes the keys that a circuit runs with on real ciphertexts (tfhe-rs), as files."
    "\v"
    "DIR gets\n"
    "  client.key      the SECRET key: only its owner may read it (mode 0600);\n"
    "                  encrypt and decrypt need it\n"
    "  evaluation.key  for the server: look-ups on ciphertexts, no decryption\n"
    "  server.h5       the circuit for the server: without the meaning of\n"
    "                  pixels and results and without layers in the clear\n"
    "\n"
    "Keys come from the system's entropy. Masks of the evaluation key follow from public seeds in "
    "the file.\n"
    "\n"
    "Examples:\n"
    "  lutra keygen vgg9.circuit.h5 -o vgg9-keys --threads 2\n"
    "  lutra keygen circuit.h5 -o keys\n"
    "  lutra encrypt circuit.h5 --key keys/client.key --data fmnist.h5 \\\n"
    "      -o inputs.ct\n"
    "  lutra run keys/server.h5 --key keys/evaluation.key inputs.ct -o outputs.ct\n"
    "  lutra decrypt circuit.h5 --key keys/client.key outputs.ct\n"
    "\n"
    "Exit codes: 0 done, 2 usage, 3 bad data, 4 environment, 130 interrupted.";

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case 'o': options->folder = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->circuit != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one circuit at a time, but found '%s'",
                             argument);
            }
            options->circuit = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->circuit == NULL || options->folder == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' is missing",
                             options->circuit == NULL ? "CIRCUIT.h5" : "--output");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static uint64_t file_bytes(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
}

static int report(const Options *options, char *const *paths, double seconds) {
    if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.keygen/1");
        lutra_json_set_text(json, "client_key", paths[CLIENT]);
        lutra_json_set_i64(json, "client_key_bytes", (int64_t)file_bytes(paths[CLIENT]));
        lutra_json_set_text(json, "evaluation_key", paths[EVALUATION]);
        lutra_json_set_i64(json, "evaluation_key_bytes", (int64_t)file_bytes(paths[EVALUATION]));
        lutra_json_set_text(json, "server_circuit", paths[SERVER]);
        lutra_json_set_i64(json, "server_circuit_bytes", (int64_t)file_bytes(paths[SERVER]));
        lutra_json_set_f64(json, "seconds", seconds);
        return cli_print_json(COMMAND, &json);
    }
    static const char *const meanings[FILES] = {"SECRET: stays with the client",
                                                "goes to the server", "goes to the server"};
    for (int i = 0; i < FILES; i++) {
        char bytes[32];
        printf("%s: %s, %s\n", paths[i], cli_bytes(bytes, (double)file_bytes(paths[i])),
               meanings[i]);
    }
    printf("made in %.1f s\n", seconds);
    return cli_end_text("lutra keygen");
}

/** Writes the three files; the client's key last, so that nobody has one without the others. */
static LutraStatus write_files(const Options *options, char *const *paths,
                               const LutraCircuit *server, const LutraProgress *progress,
                               LutraError *error) {
    const bool force = options->common.force;
    LutraClientKey key;
    LUTRA_TRY(lutra_client_key_draw(&key, server, error));
    LutraStatus status = lutra_evaluation_key_write(paths[EVALUATION], force, &key, server,
                                                    options->common.threads, progress, error);
    if (status == LUTRA_OK) {
        status = lutra_circuit_write(server, paths[SERVER], force, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_client_key_write(&key, paths[CLIENT], force, error);
    }
    lutra_client_key_deinit(&key);
    return status;
}

static LutraStatus make_paths(char **paths, const Options *options, LutraError *error) {
    LUTRA_TRY(lutra_folder_create(options->folder, error));
    for (int i = 0; i < FILES; i++) {
        LUTRA_TRY(lutra_file_path_in(&paths[i], options->folder, file_names[i], error));
        LUTRA_TRY(lutra_file_check_output(paths[i], options->common.force, error));
    }
    return LUTRA_OK;
}

static int keygen(const Options *options) {
    LutraCircuit circuit = {0};
    LutraCircuit server = {0};
    char *paths[FILES] = {NULL, NULL, NULL};
    CliProgress progress;
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    const double start = lutra_seconds();
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, options->circuit, &error));
    LUTRA_TRY_GOTO(status, lutra_encrypted_check(&circuit, &error));
    LUTRA_TRY_GOTO(status, lutra_seeded_check(&error));
    LUTRA_TRY_GOTO(status, lutra_server_circuit(&server, &circuit, &error));
    LUTRA_TRY_GOTO(status, make_paths(paths, options, &error));
    cli_warn_of_sharing(&options->common, COMMAND, lutra_circuit_worst_p_error(&circuit));
    cli_progress_start(&progress, &options->common);
    status = write_files(options, paths, &server, &progress.progress, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK) {
        code = report(options, paths, lutra_seconds() - start);
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    for (int i = 0; i < FILES; i++) {
        lutra_free(&paths[i]);
    }
    lutra_circuit_deinit(&server);
    lutra_circuit_deinit(&circuit);
    return code;
}

int cmd_keygen(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, "CIRCUIT.h5", documentation,
                                     children,     NULL,         NULL};
    Options options = {.circuit = NULL};
    cli_parse(&argp, argc, argv, &options);
    return keygen(&options);
}
