/* SPDX-License-Identifier: Apache-2.0 */
/* lutra search: the cheapest widths, offsets and p_error within a budget of lost accuracy. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/search.h"
#include "cli/setting_options.h"

static const char *const COMMAND = "search";

enum {
    KEY_DATA = 1,
    KEY_BUDGET,
    KEY_BITS,
    KEY_MODE,
    KEY_OFFSETS,
    KEY_P_ERROR,
    KEY_GLOBAL,
    KEY_SECURITY,
    KEY_PARTITION,
    KEY_HELD_OUT,
    KEY_IMAGES,
    KEY_RESUME
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"data", KEY_DATA, "FILE", 0, "dataset; only its training images are used (required)", 1},
    {"held-out", KEY_HELD_OUT, "N", 0,
     "training images that calibration does not see (default: 2 of 5)", 1},
    {"images", KEY_IMAGES, "N", 0,
     "of these, to choose settings on; the others confirm the choice (default: 1 of 4)", 1},
    {NULL, 0, NULL, 0, "What is looked for:", 2},
    {"budget", KEY_BUDGET, "POINTS", 0,
     "largest loss of top-1 against no rounding and no noise, in points (default 0.5)", 2},
    {"bits", KEY_BITS, "P,...", 0,
     "bits of its sum that a table may read, 1 to 16 (default 8,7,6,5,4,3)", 2},
    {"rounding-mode", KEY_MODE, "MODE,...", 0, "approximate (default), exact", 2},
    {"offsets", KEY_OFFSETS, "RULE,...", 0,
     "constants added before rounding: none, align, centre (default: none,align for a model, none "
     "for a circuit)",
     2},
    {"p-error", KEY_P_ERROR, "P,...", 0,
     "probabilities that one look-up is wrong (default 1e-2,1e-3,1e-4,1e-5)", 2},
    {"global-p-error", KEY_GLOBAL, "P", 0,
     "in their place: probability that any look-up of an image is wrong", 2},
    {"security", KEY_SECURITY, "BITS", 0, "128, or 132: with a margin for better attacks (default)",
     2},
    {"partition", KEY_PARTITION, "RULE", 0,
     "tables that share crypto parameters: all, with none (default); with width those that read as "
     "many bits; with norm those that have about the same weights too; with table each its own, "
     "unless that saves less than 0.5 % of the cost", 2},
    {NULL, 0, NULL, 0, "Output:", 3},
    {"output", 'o', "DIR", 0,
     "folder for search.csv, pareto.csv, pareto.png, split.csv and circuit.h5 (required)", 3},
    {"resume", KEY_RESUME, NULL, 0, "keep the runs that are in search.csv", 3},
    {0}};

/* ---- options ---- */

static void refuse_twice(const char *option, const char *word, struct argp_state *state) {
    argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' stands twice in '%s'", word, option);
}

static void parse_bits(SearchOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--bits";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->bits_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->bits_count,
                         LUTRA_MAX_ROUNDING)) {
        const uint32_t bits = (uint32_t)cli_parse_u64(state, option, word, 1, LUTRA_MAX_ROUNDING);
        uint32_t place = options->bits_count++;
        for (; place > 0 && options->bits[place - 1] <= bits; place--) {
            if (options->bits[place - 1] == bits) {
                refuse_twice(option, word, state);
            }
            options->bits[place] = options->bits[place - 1];
        }
        options->bits[place] = bits;
    }
}

static void parse_p_errors(SearchOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--p-error";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->p_error_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->p_error_count,
                         SEARCH_MOST_ERRORS)) {
        const double p_error = cli_parse_f64(state, option, word, 1e-30, 0.9);
        uint32_t place = options->p_error_count++;
        for (; place > 0 && options->p_errors[place - 1] <= p_error; place--) {
            if (options->p_errors[place - 1] == p_error) {
                refuse_twice(option, word, state);
            }
            options->p_errors[place] = options->p_errors[place - 1];
        }
        options->p_errors[place] = p_error;
    }
}

static void parse_modes(SearchOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--rounding-mode";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->mode_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->mode_count, 2)) {
        const LutraRoundingMode mode = cli_parse_rounding_mode(state, word);
        if (options->mode_count == 1 && options->modes[0] == mode) {
            refuse_twice(option, word, state);
        }
        options->modes[options->mode_count++] = mode;
    }
}

static void parse_offsets(SearchOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--offsets";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->offset_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->offset_count, 3)) {
        const LutraOffsetRule rule = cli_parse_offsets(state, word);
        for (uint32_t i = 0; i < options->offset_count; i++) {
            if (options->offsets[i] == rule) {
                refuse_twice(option, word, state);
            }
        }
        options->offsets[options->offset_count++] = rule;
    }
}

static void check_arguments(const SearchOptions *options, struct argp_state *state) {
    const char *const missing = options->source == NULL   ? "a circuit or model file"
                                : options->data == NULL   ? "--data FILE"
                                : options->folder == NULL ? "-o DIR"
                                                          : NULL;
    if (missing != NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "needs %s", missing);
    }
    cli_check_resume(state, options->resume, options->common.force);
    if (options->global_p_error > 0.0 && options->p_error_count > 0) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "give one of '--p-error' and '--global-p-error'");
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    SearchOptions *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data = argument; return 0;
        case KEY_HELD_OUT:
            options->held_out = cli_parse_u64(state, "--held-out", argument, 2, UINT32_MAX);
            return 0;
        case KEY_IMAGES:
            options->images = cli_parse_u64(state, "--images", argument, 1, UINT32_MAX);
            return 0;
        case KEY_BUDGET:
            options->budget = cli_parse_f64(state, "--budget", argument, 0.0, 100.0);
            return 0;
        case KEY_BITS: parse_bits(options, argument, state); return 0;
        case KEY_MODE: parse_modes(options, argument, state); return 0;
        case KEY_OFFSETS: parse_offsets(options, argument, state); return 0;
        case KEY_P_ERROR: parse_p_errors(options, argument, state); return 0;
        case KEY_GLOBAL:
            options->global_p_error =
                cli_parse_f64(state, "--global-p-error", argument, 1e-30, 0.999);
            return 0;
        case KEY_SECURITY:
            options->security_bits = cli_parse_security(state, argument);
            return 0;
        case KEY_PARTITION:
            options->partition = cli_parse_partition(state, argument);
            return 0;
        case 'o': options->folder = argument; return 0;
        case KEY_RESUME: options->resume = true; return 0;
        case ARGP_KEY_ARG: cli_take_source(state, &options->source, argument); return 0;
        case ARGP_KEY_END: check_arguments(options, state); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    option_table,
    parse,
    "CIRCUIT.h5|MODEL.h5",
    "Looks for the widths of all tables, the offsets and the p_error that cost least under FHE "
    "while the accuracy stays within a budget, by simulation with noise. A circuit must have been "
    "compiled without rounding; a model is calibrated on the training images that are not held "
    "out. The test split is never read."
    "\vExamples:\n"
    "  lutra search model.h5 --data cifar10.h5 -o search\n"
    "  lutra search plain.h5 --data fmnist.h5 --budget 1 --bits 7,6,5,4 \\\n"
    "      --p-error 1e-2,1e-4 --held-out 20000 -o search\n\n"
    "Settings are chosen on one part of the held-out images and confirmed on the other, in a fixed "
    "order from dear to cheap that ends with the first one whose loss is not shown to be within "
    "the budget at 95 % confidence (Tango's interval for pairs): the chosen setting breaks the "
    "budget with a probability of at most 5 %. The model has seen all of these images in training, "
    "except those that training held out; test images can tell another loss.\n"
    "With one set of crypto parameters the cost follows from the most demanding table, and every "
    "other one reads as many bits as that allows. With --partition narrower tables cost less.\n"
    "Ctrl-C keeps the runs that are finished; --resume goes on.\n"
    "Exit codes: 0 done; 1 no setting was shown to be within the budget; 2 usage; 3 bad input "
    "data; 4 environment; 5 bug in lutra; 130 interrupted.",
    children,
    NULL,
    NULL};

/* Fills in what was not asked for. */
static LutraStatus set_defaults(SearchOptions *options, LutraError *error) {
    static const uint32_t bits[] = {8, 7, 6, 5, 4, 3};
    static const double p_errors[] = {1e-2, 1e-3, 1e-4, 1e-5};
    if (options->bits_count == 0) {
        options->bits_count = sizeof bits / sizeof bits[0];
        memcpy(options->bits, bits, sizeof bits);
    }
    if (options->mode_count == 0) {
        options->modes[options->mode_count++] = LUTRA_ROUNDING_APPROXIMATE;
    }
    if (options->p_error_count == 0 && options->global_p_error == 0.0) {
        options->p_error_count = sizeof p_errors / sizeof p_errors[0];
        memcpy(options->p_errors, p_errors, sizeof p_errors);
    }
    if (options->offset_count == 0) {
        bool is_model = false;
        LUTRA_TRY(cli_is_model_file(&is_model, options->source, error));
        options->offsets[options->offset_count++] = LUTRA_OFFSETS_NONE;
        if (is_model) {
            options->offsets[options->offset_count++] = LUTRA_OFFSETS_ALIGN;
        }
    }
    return LUTRA_OK;
}

/* ---- files ---- */

typedef enum {
    FILE_CSV = 0,
    FILE_PARETO,
    FILE_PICTURE,
    FILE_SPLIT,
    FILE_CIRCUIT,
    FILES
} OutputFile;

static LutraStatus list_paths(char *paths[FILES], const char *folder, LutraError *error) {
    static const char *const names[FILES] = {"search.csv", "pareto.csv", "pareto.png", "split.csv",
                                             "circuit.h5"};
    for (int file = 0; file < FILES; file++) {
        LUTRA_TRY(lutra_file_path_in(&paths[file], folder, names[file], error));
    }
    return LUTRA_OK;
}

/* ---- the whole ---- */

static LutraStatus prepare(Search *search, char *const *paths, LutraError *error) {
    const SearchOptions *const options = search->options;
    LUTRA_TRY(cli_check_result_folder(options->folder, paths, FILES, options->resume,
                                      options->common.force, error));
    LUTRA_TRY(search_prepare(search, error));
    LUTRA_TRY(lutra_folder_create(options->folder, error));
    LUTRA_TRY(lutra_string_copy(&search->csv_path, paths[FILE_CSV], error));
    LUTRA_TRY(search_table_open(search, error));
    if (search->known_count > 0) {
        cli_note(&options->common, COMMAND, "going on with %u runs of '%s'", search->known_count,
                 search->csv_path);
    }
    if (!search->is_model) {
        cli_note(&options->common, COMMAND,
                 "'%s' was calibrated before: held-out images may be among those it has seen",
                 options->source);
    }
    return search_write_split(search, paths[FILE_SPLIT], error);
}

static LutraStatus run(Search *search, LutraError *error) {
    const SearchOptions *const options = search->options;
    const LutraSearchProblem problem = {
        .table_count = lutra_circuit_table_count(&search->plain),
        .table_bits = search->table_bits,
        .bits = options->bits,
        .bits_count = options->bits_count,
        .reference = search->reference,
        .variant_count = search->variant_count,
        .sharing = options->partition == LUTRA_PARTITION_NONE ? LUTRA_SHARING_ONE_SET
                                                              : LUTRA_SHARING_SET_PER_TABLE,
        .budget = options->budget / 100.0,
        .selection_images = search->parts[0].split.count,
        .confirmation_images = search->parts[1].split.count};
    const LutraSearchWorker worker = search_worker(search);
    const LutraStatus status = lutra_search_run(&search->result, &problem, &worker, error);
    if (status == LUTRA_OK || (status == LUTRA_ECANCELLED && search->row_count > 0)) {
        LUTRA_TRY(search_table_write(search, error));
    }
    return status;
}

static LutraStatus write_files(Search *search, char *const *paths, LutraError *error) {
    LUTRA_TRY(search_write_pareto(search, paths[FILE_PARETO], error));
    LUTRA_TRY(search_draw(search, paths[FILE_PICTURE], error));
    return search->result.chosen == LUTRA_SEARCH_NONE
               ? LUTRA_OK
               : search_write_circuit(search, paths[FILE_CIRCUIT], error);
}

static int report(const Search *search) {
    const CliCommon *const common = &search->options->common;
    const bool is_chosen = search->result.chosen != LUTRA_SEARCH_NONE;
    if (is_chosen) {
        cli_warn_of_sharing(common, COMMAND,
                            search->result.rows[search->result.chosen].price.p_error);
    }
    const int code = common->json ? search_print_json(search) : search_print(search);
    return code == CLI_EXIT_DONE && !is_chosen ? CLI_EXIT_CONDITION : code;
}

int cmd_search(int argc, char **argv) {
    SearchOptions options = {.budget = 0.5, .security_bits = 132};
    Search search = {.options = &options};
    char *paths[FILES] = {NULL};
    CliProgress progress;
    LutraError error = {""};
    cli_parse(&argp, argc, argv, &options);
    cli_progress_start(&progress, &options.common);
    search.progress = &progress.progress;
    LutraStatus status = set_defaults(&options, &error);
    if (status == LUTRA_OK) {
        status = list_paths(paths, options.folder, &error);
    }
    if (status == LUTRA_OK) {
        status = prepare(&search, paths, &error);
    }
    if (status == LUTRA_OK) {
        status = run(&search, &error);
    }
    if (status == LUTRA_OK) {
        status = write_files(&search, paths, &error);
    }
    cli_progress_stop(&progress);
    const int code = status == LUTRA_OK ? report(&search) : cli_fail(COMMAND, status, &error);
    for (int file = 0; file < FILES; file++) {
        lutra_free(&paths[file]);
    }
    search_deinit(&search);
    return code;
}
