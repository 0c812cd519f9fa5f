/* SPDX-License-Identifier: Apache-2.0 */
/* lutra run: the server's part, from encrypted inputs to encrypted outputs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "bridge/ciphertext_files.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "sim/server_circuit.h"

#define COMMAND "run"

enum { KEY_KEY = 1, KEY_KEY_LIMIT };

typedef struct {
    CliCommon common;
    const char *circuit;
    const char *inputs;
    const char *key;
    const char *output;
    uint64_t key_limit_gib;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"key", KEY_KEY, "FILE", 0, "evaluation key of 'lutra keygen' (required)", 1},
    {"key-limit", KEY_KEY_LIMIT, "GIB", 0, "refuse larger keys in memory (default 8)", 1},
    {NULL, 0, NULL, 0, "Output:", 2},
    {"output", 'o', "FILE", 0, "file of encrypted outputs (required)", 2},
    {0}};

static const char documentation[] =
    "Runs a circuit on ciphertexts: the server's part, without any secret."
    "\v"
    "Takes the server's circuit, the evaluation key and encrypted inputs, and nothing else. It "
    "learns how many images there are and what the circuit tells, not what is in them.\n"
    "\n"
    "Examples:\n"
    "  lutra run server.h5 --key evaluation.key twenty.ct -o answers.ct --json\n"
    "  lutra run server.h5 --key evaluation.key inputs.ct -o outputs.ct\n"
    "\n"
    "Exit codes: 0 done, 2 usage, 3 bad data, 4 environment, 130 interrupted.";

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_KEY: options->key = argument; return 0;
        case KEY_KEY_LIMIT:
            options->key_limit_gib = cli_parse_u64(state, "--key-limit", argument, 1, 1 << 20);
            return 0;
        case 'o': options->output = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->inputs != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "one circuit and one file of inputs, but found '%s'", argument);
            }
            *(options->circuit == NULL ? &options->circuit : &options->inputs) = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->inputs == NULL || options->key == NULL || options->output == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "needs a circuit, encrypted inputs, --key and --output");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static int report(const Options *options, const LutraServerReport *done, uint32_t threads) {
    const double core_ms =
        done->lookups > 0 ? 1e3 * done->seconds * threads / (double)done->lookups : 0.0;
    char lookups[32];
    char bytes[32];
    if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.run/1");
        lutra_json_set_text(json, "file", options->output);
        lutra_json_set_i64(json, "images", (int64_t)done->images);
        lutra_json_set_i64(json, "pbs_run", (int64_t)done->lookups);
        lutra_json_set_f64(json, "run_seconds", done->seconds);
        lutra_json_set_i64(json, "ciphertext_bytes", (int64_t)done->ciphertext_bytes);
        return cli_print_json(COMMAND, &json);
    }
    printf("%s: %" PRIu64
           " image%s, %s look-ups in %.1f s, %.2f core-ms each, %s of "
           "ciphertexts\n",
           options->output, done->images, done->images == 1 ? "" : "s",
           cli_grouped(lookups, done->lookups), done->seconds, core_ms,
           cli_bytes(bytes, (double)done->ciphertext_bytes));
    return cli_end_text("lutra run");
}

static LutraStatus evaluate(LutraServerReport *done, const Options *options,
                            const LutraCircuit *server, const LutraProgress *progress,
                            LutraError *error) {
    LutraBackendSettings backend;
    LutraCircuitKeys keys = {.set_count = 0};
    LutraKeyId id;
    lutra_backend_settings_default(&backend);
    backend.threads = options->common.threads;
    backend.cpu_flags = options->common.cpu_flags;
    backend.maximum_key_bytes = options->key_limit_gib << 30;
    const LutraEncryptedSettings settings = {.threads = options->common.threads,
                                             .cpu_flags = options->common.cpu_flags,
                                             .progress = progress};
    LUTRA_TRY(
        lutra_evaluation_key_read(&keys, &id, options->key, server, &backend, progress, error));
    const LutraStatus status =
        lutra_server_run(done, options->inputs, options->output, options->common.force, server,
                         &keys, &id, &settings, error);
    lutra_circuit_keys_deinit(&keys);
    return status;
}

static int run(const Options *options) {
    LutraCircuit circuit = {0};
    LutraCircuit server = {0};
    LutraServerReport done = {0};
    CliProgress progress;
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    LUTRA_TRY_GOTO(status, lutra_file_check_output(options->output, options->common.force, &error));
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, options->circuit, &error));
    LUTRA_TRY_GOTO(status, lutra_encrypted_check(&circuit, &error));
    LUTRA_TRY_GOTO(status, lutra_server_circuit(&server, &circuit, &error));
    cli_progress_start(&progress, &options->common);
    status = evaluate(&done, options, &server, &progress.progress, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK) {
        code = report(options, &done, options->common.threads);
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    lutra_circuit_deinit(&server);
    lutra_circuit_deinit(&circuit);
    return code;
}

int cmd_run(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        option_table, parse_option, "SERVER.h5 INPUTS", documentation, children, NULL, NULL};
    Options options = {.key_limit_gib = 8};
    cli_parse(&argp, argc, argv, &options);
    return run(&options);
}
