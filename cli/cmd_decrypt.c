/* SPDX-License-Identifier: Apache-2.0 */
/* lutra decrypt: the server's answers as logits and classes. */
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/client_files.h"
#include "cli/commands.h"
#include "cli/csv_file.h"
#include "sim/circuit_parameters.h"

#define COMMAND "decrypt"

enum { KEY_KEY = 1 };

typedef struct {
    CliCommon common;
    const char *circuit;
    const char *key;
    const char *outputs;
    const char *csv;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"key", KEY_KEY, "FILE", 0, "client key of 'lutra keygen' (required)", 1},
    {NULL, 0, NULL, 0, "Output:", 2},
    {"output", 'o', "FILE.csv", 0, "write image, class and logits there", 2},
    {0}};

static const char documentation[] =
    "Decrypts the answers of 'lutra run': the client's last step."
    "\v"
    "Decrypts, runs last layers that are in the clear, and turns sums into logits. The class is "
    "that of the largest logit, of equal ones the first.\n"
    "\n"
    "Never hand decrypted results to whoever evaluates or to third parties if the circuit's "
    "p_error "
    "is above 2^-64: they tell about the secret key (IND-CPA^D).\n"
    "\n"
    "Examples:\n"
    "  lutra decrypt circuit.h5 --key keys/client.key outputs.ct\n"
    "  lutra decrypt circuit.h5 --key keys/client.key outputs.ct -o answers.csv\n"
    "\n"
    "Exit codes: 0 done, 2 usage, 3 bad data, 4 environment.";

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_KEY: options->key = argument; return 0;
        case 'o': options->csv = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->outputs != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "one circuit and one file of outputs, but found '%s'", argument);
            }
            *(options->circuit == NULL ? &options->circuit : &options->outputs) = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->outputs == NULL || options->key == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "needs a circuit, encrypted outputs and "
                             "--key");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static uint32_t class_of(const float *logits, uint32_t classes) {
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++) {
        best = logits[c] > logits[best] ? c : best;
    }
    return best;
}

static LutraStatus write_csv(const Options *options, const float *logits, uint64_t images,
                             uint32_t classes, LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fputs("image,class", csv.out);
    for (uint32_t c = 0; c < classes; c++) {
        fprintf(csv.out, ",logit_%" PRIu32, c);
    }
    fputc('\n', csv.out);
    for (uint64_t i = 0; i < images; i++) {
        const float *const row = logits + (size_t)i * classes;
        fprintf(csv.out, "%" PRIu64 ",%" PRIu32, i, class_of(row, classes));
        for (uint32_t c = 0; c < classes; c++) {
            fprintf(csv.out, ",%.9g", (double)row[c]);
        }
        fputc('\n', csv.out);
    }
    return cli_csv_close(&csv, options->csv, options->common.force, error);
}

static int print_json(const float *logits, uint64_t images, uint32_t classes) {
    LutraJson *json = lutra_json_create("lutra.decrypt/1");
    LutraJson *const answers = lutra_json_set_array(json, "answers");
    for (uint64_t i = 0; i < images; i++) {
        const float *const row = logits + (size_t)i * classes;
        LutraJson *const answer = lutra_json_add_object(answers);
        lutra_json_set_i64(answer, "class", class_of(row, classes));
        LutraJson *const list = lutra_json_set_array(answer, "logits");
        for (uint32_t c = 0; c < classes; c++) {
            lutra_json_add_f64(list, (double)row[c]);
        }
    }
    return cli_print_json(COMMAND, &json);
}

static int print_text(const float *logits, uint64_t images, uint32_t classes) {
    for (uint64_t i = 0; i < images; i++) {
        const float *const row = logits + (size_t)i * classes;
        printf("image %" PRIu64 ": class %" PRIu32 ", logits", i, class_of(row, classes));
        for (uint32_t c = 0; c < classes; c++) {
            printf(" %.4g", (double)row[c]);
        }
        putchar('\n');
    }
    return cli_end_text("lutra decrypt");
}

static int decrypt(const Options *options) {
    ClientFiles files = {.client = {.circuit = NULL}};
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    float *logits = NULL;
    uint64_t images = 0;
    int code = CLI_EXIT_DONE;
    if (options->csv != NULL) {
        LUTRA_TRY_GOTO(status,
                       lutra_file_check_output(options->csv, options->common.force, &error));
    }
    LUTRA_TRY_GOTO(status, client_files_open(&files, options->circuit, options->key,
                                             options->common.threads, &error));
    const uint32_t classes = files.circuit.class_count;
    LUTRA_TRY_GOTO(status,
                   lutra_client_decrypt(&logits, &images, &files.client, options->outputs, &error));
    cli_warn_of_sharing(&options->common, COMMAND, lutra_circuit_worst_p_error(&files.circuit));
    if (options->csv != NULL) {
        LUTRA_TRY_GOTO(status, write_csv(options, logits, images, classes, &error));
    }
    code = options->common.json ? print_json(logits, images, classes)
                                : print_text(logits, images, classes);
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    lutra_free(&logits);
    client_files_close(&files);
    return code;
}

int cmd_decrypt(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        option_table, parse_option, "CIRCUIT.h5 OUTPUTS", documentation, children, NULL, NULL};
    Options options = {.circuit = NULL};
    cli_parse(&argp, argc, argv, &options);
    return decrypt(&options);
}
