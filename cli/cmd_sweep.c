/* SPDX-License-Identifier: Apache-2.0 */
/* lutra sweep: many rounding settings and error rates of one network over the same images. */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/compile.h"
#include "cli/cost_report.h"
#include "cli/setting_options.h"
#include "cli/sweep.h"

static const char *const COMMAND = "sweep";

enum {
    KEY_DATA = 1,
    KEY_SPLIT,
    KEY_LIMIT,
    KEY_CALIBRATION,
    KEY_ROUNDING,
    KEY_MODE,
    KEY_OFFSETS,
    KEY_P_ERROR,
    KEY_SECURITY,
    KEY_PARTITION,
    KEY_REPEATS,
    KEY_LAYERS,
    KEY_RESUME
};

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"data", KEY_DATA, "FILE", 0, "dataset to run (required)", 1},
    {"split", KEY_SPLIT, "NAME", 0, "train or test (default test)", 1},
    {"limit", KEY_LIMIT, "N", 0, "only the first N images (default: all)", 1},
    {"calibration", KEY_CALIBRATION, "N", 0,
     "training images to measure a model's ranges on (default: all)", 1},
    {NULL, 0, NULL, 0, "What to vary, in lists separated by commas:", 2},
    {"rounding", KEY_ROUNDING, "P,...", 0,
     "bits of each sum that its table reads: 1 to 16 or none (required)", 2},
    {"offsets", KEY_OFFSETS, "RULE,...", 0,
     "constants added before rounding: none (default), align or centre; models only", 2},
    {"p-error", KEY_P_ERROR, "P,...", 0,
     "choose crypto parameters for this probability that one look-up is wrong, and simulate their "
     "noise; none (default) is without noise",
     2},
    {"each-layer", KEY_LAYERS, NULL, 0, "round every layer alone, too (without noise)",
     2},
    {NULL, 0, NULL, 0, "The same for all:", 3},
    {"rounding-mode", KEY_MODE, "MODE", 0, "approximate (default) or exact", 3},
    {"security", KEY_SECURITY, "BITS", 0, "128, or 132: with a margin for better attacks (default)",
     3},
    {"partition", KEY_PARTITION, "RULE", 0,
     "tables that share crypto parameters: all, with none (default); with width those that read as "
     "many bits; with norm those that have about the same weights too; with table each its own, "
     "unless that saves less than 0.5 % of the cost", 3},
    {"repeats", KEY_REPEATS, "R", 0, "draws of noise for every image (default 1)", 3},
    {NULL, 0, NULL, 0, "Output:", 4},
    {"output", 'o', "DIR", 0, "folder for sweep.csv, sweep.png and layers.png (required)", 4},
    {"resume", KEY_RESUME, NULL, 0, "keep the rows that are in sweep.csv and run the others", 4},
    {0}};

/* ---- options ---- */

static void parse_rounding(SweepOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--rounding";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->rounding_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->rounding_count,
                         SWEEP_MOST_VALUES)) {
        options->rounding[options->rounding_count++] =
            strcmp(word, "none") == 0
                ? LUTRA_ROUNDING_NONE
                : (uint32_t)cli_parse_u64(state, option, word, 1, LUTRA_MAX_ROUNDING);
    }
}

static void parse_offsets(SweepOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--offsets";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->offset_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->offset_count,
                         SWEEP_MOST_VALUES)) {
        options->offsets[options->offset_count++] = cli_parse_offsets(state, word);
    }
}

static void parse_p_errors(SweepOptions *options, const char *text, struct argp_state *state) {
    static const char option[] = "--p-error";
    char word[CLI_WORD_BYTES];
    const char *rest = text;
    options->p_error_count = 0;
    while (cli_next_word(word, &rest, state, option, text, options->p_error_count,
                         SWEEP_MOST_VALUES)) {
        options->p_errors[options->p_error_count++] =
            strcmp(word, "none") == 0 ? 0.0 : cli_parse_f64(state, option, word, 1e-30, 0.9);
    }
}

static void check_arguments(const SweepOptions *options, struct argp_state *state) {
    const char *const missing = options->source == NULL       ? "a circuit or model file"
                                : options->data == NULL       ? "--data FILE"
                                : options->rounding_count == 0 ? "--rounding P,..."
                                : options->folder == NULL     ? "-o DIR"
                                                              : NULL;
    if (missing != NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "needs %s", missing);
    }
    cli_check_resume(state, options->resume, options->common.force);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    SweepOptions *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data = argument; return 0;
        case KEY_SPLIT: options->split = cli_parse_split(state, argument); return 0;
        case KEY_LIMIT:
            options->limit = cli_parse_u64(state, "--limit", argument, 1, UINT32_MAX);
            return 0;
        case KEY_CALIBRATION:
            options->calibration = cli_parse_u64(state, "--calibration", argument, 1, UINT32_MAX);
            return 0;
        case KEY_ROUNDING: parse_rounding(options, argument, state); return 0;
        case KEY_MODE:
            options->mode = cli_parse_rounding_mode(state, argument);
            return 0;
        case KEY_OFFSETS: parse_offsets(options, argument, state); return 0;
        case KEY_P_ERROR: parse_p_errors(options, argument, state); return 0;
        case KEY_SECURITY:
            options->security_bits = cli_parse_security(state, argument);
            return 0;
        case KEY_PARTITION:
            options->partition = cli_parse_partition(state, argument);
            return 0;
        case KEY_REPEATS:
            options->repeats = (uint32_t)cli_parse_u64(state, "--repeats", argument, 1, 10000);
            return 0;
        case KEY_LAYERS: options->each_layer = true; return 0;
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
    "Runs many settings of one network over the same images and compares each with the circuit "
    "that is not rounded. A circuit must have been compiled without rounding; a model is "
    "calibrated and lowered once."
    "\vExamples:\n"
    "  lutra sweep vgg9.h5 --data cifar10.h5 --rounding none,8,7,6,5,4 -o sweep\n"
    "  lutra sweep model.h5 --data fmnist.h5 --rounding none,6,5,4 --each-layer \\\n"
    "      --offsets none,align --p-error none,1e-2,1e-5 --limit 1000 -o sweep\n\n"
    "The interval of top-1 is Clopper and Pearson's; that of the loss is Tango's (1998) for pairs, "
    "from the images that only one of the two circuits answers rightly. With --repeats both are "
    "those of the mean counts, so rather too wide.\n"
    "Ctrl-C keeps the rows that are finished; --resume goes on.\n"
    "Exit codes: 0 done; 2 usage; 3 bad input data; 4 environment; 5 bug in lutra; 130 "
    "interrupted.",
    children,
    NULL,
    NULL};

/* ---- files ---- */

typedef enum { FILE_CSV = 0, FILE_ACCURACY, FILE_LAYERS, FILES } OutputFile;

static LutraStatus list_paths(char *paths[FILES], const char *folder, LutraError *error) {
    static const char *const names[FILES] = {"sweep.csv", "sweep.png", "layers.png"};
    for (int file = 0; file < FILES; file++) {
        LUTRA_TRY(lutra_file_path_in(&paths[file], folder, names[file], error));
    }
    return LUTRA_OK;
}

/* ---- the run ---- */

/* A setting that is run: its circuit, and where its cases are. */
typedef struct {
    SweepRow row;
    LutraCircuit circuit;
    uint32_t first_case;
    uint32_t case_count;
} Member;

typedef struct {
    const SweepOptions *options;
    char *paths[FILES];
    SweepSource source;
    CliProfile machine;
    LutraDataset dataset;
    SweepSetting *settings;
    uint32_t setting_count;
    SweepTable table;
    Member *members; /* (member_count): the plain circuit first, whether its row is known or not */
    uint32_t member_count;
    LutraSimulationCase *cases;
    LutraSimulation *simulations; /* (case_count), of both */
    uint32_t case_count;
    uint32_t next; /* member whose cases are being run */
    uint8_t *plain_hits; /* (images) whether the plain circuit is right */
} Sweep;

static void sweep_deinit(Sweep *sweep) {
    for (uint32_t i = 0; sweep->members != NULL && i < sweep->member_count; i++) {
        lutra_circuit_deinit(&sweep->members[i].circuit);
    }
    for (uint32_t i = 0; sweep->simulations != NULL && i < sweep->case_count; i++) {
        lutra_simulation_deinit(&sweep->simulations[i]);
    }
    lutra_free(&sweep->members);
    lutra_free(&sweep->cases);
    lutra_free(&sweep->simulations);
    lutra_free(&sweep->plain_hits);
    lutra_free(&sweep->settings);
    sweep_table_deinit(&sweep->table);
    lutra_dataset_deinit(&sweep->dataset);
    sweep_source_deinit(&sweep->source);
    cli_profile_deinit(&sweep->machine);
    for (int file = 0; file < FILES; file++) {
        lutra_free(&sweep->paths[file]);
    }
}

static void tell_infeasible(const Sweep *sweep, const Member *member,
                            const LutraParametersChoice *choice) {
    char rounding[16];
    char reason[COMPILE_REASON_BYTES];
    (void)sweep_rounding_text(rounding, member->row.setting.rounding);
    if (choice->lookups == 0) {
        cli_note(&sweep->options->common, COMMAND,
                 "rounding %s: no look-up is encrypted, so there is no p_error", rounding);
        return;
    }
    compile_explain_infeasible(reason, &member->circuit, choice);
    cli_note(&sweep->options->common, COMMAND, "rounding %s: %s", rounding, reason);
}

/* What the row tells of its crypto parameters. */
static LutraStatus describe_parameters(SweepRow *row, const Sweep *sweep,
                                       const LutraCircuit *circuit, LutraError *error) {
    const LutraCryptoParameters *const set = lutra_circuit_main_set(circuit);
    LutraCircuitCost cost = {0};
    LUTRA_TRY(lutra_circuit_cost(&cost, circuit, &sweep->machine.profile,
                                 sweep->options->common.threads, error));
    row->p_error = lutra_circuit_worst_p_error(circuit);
    row->lwe_dim = set->lwe_dim;
    row->glwe_dim = set->glwe_dim;
    row->log2_poly = set->log2_poly;
    row->cost = set->cost;
    row->predicted_seconds = cost.seconds;
    row->parameter_sets = circuit->parameter_count;
    lutra_circuit_cost_deinit(&cost);
    return LUTRA_OK;
}

/* Makes the circuit of a setting; one without crypto parameters is a row, but nothing to run. */
static LutraStatus add_member(Sweep *sweep, const SweepSetting *setting, LutraError *error) {
    Member *const member = &sweep->members[sweep->member_count];
    LutraParametersChoice choice;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(sweep_circuit(&member->circuit, &choice, &sweep->source, setting, sweep->options,
                            error));
    sweep->member_count++;
    SweepRow *const row = &member->row;
    *row = (SweepRow){.setting = *setting,
                      .feasible = setting->p_error == 0.0 || choice.feasible,
                      .lookups = lutra_circuit_pbs(&member->circuit)};
    member->first_case = sweep->case_count;
    member->case_count = row->feasible ? sweep_row_runs(&sweep->table, row) : 0;
    sweep->case_count += member->case_count;
    if (setting->p_error > 0.0 && choice.feasible) {
        status = describe_parameters(row, sweep, &member->circuit, error);
    } else if (setting->p_error > 0.0) {
        tell_infeasible(sweep, member, &choice);
    }
    lutra_parameters_choice_deinit(&choice);
    return status;
}

static LutraStatus add_members(Sweep *sweep, LutraError *error) {
    LUTRA_TRY(lutra_alloc(&sweep->members, sweep->setting_count, sizeof *sweep->members, error));
    for (uint32_t i = 0; i < sweep->setting_count; i++) {
        const bool known = sweep_table_find(&sweep->table, &sweep->settings[i]) != NULL;
        if (i == 0 || !known) {
            LUTRA_TRY(add_member(sweep, &sweep->settings[i], error));
        }
    }
    if (sweep->member_count == 1 && sweep->table.count > 0 &&
        sweep_table_find(&sweep->table, &sweep->settings[0]) != NULL) {
        sweep->case_count = 0; /* all rows are known */
        sweep->members[0].case_count = 0;
    }
    return LUTRA_OK;
}

static LutraStatus make_cases(Sweep *sweep, LutraError *error) {
    LUTRA_TRY(lutra_alloc(&sweep->cases, sweep->case_count, sizeof *sweep->cases, error));
    LUTRA_TRY(lutra_alloc(&sweep->simulations, sweep->case_count, sizeof *sweep->simulations,
                          error));
    LUTRA_TRY(lutra_alloc(&sweep->plain_hits, (size_t)sweep->table.images, 1, error));
    for (uint32_t i = 0; i < sweep->member_count; i++) {
        const Member *const member = &sweep->members[i];
        for (uint32_t r = 0; r < member->case_count; r++) {
            LutraSimulationCase *const one = &sweep->cases[member->first_case + r];
            one->circuit = &member->circuit;
            one->mode =
                member->row.setting.p_error > 0.0 ? LUTRA_MODE_NOISY : LUTRA_MODE_CLEAR;
            lutra_noise_settings_default(&one->noise);
            one->noise.seed = sweep->options->common.seed;
            one->noise.repeat = r;
        }
    }
    return LUTRA_OK;
}

/* Counts one run into its row. */
static void count_run(Sweep *sweep, SweepRow *row, const LutraSimulation *simulation,
                      bool is_plain) {
    const uint16_t *const labels = sweep->dataset.splits[sweep->options->split].labels;
    for (uint64_t i = 0; i < simulation->images; i++) {
        const bool hit = simulation->predictions[i] == labels[i];
        if (is_plain) {
            sweep->plain_hits[i] = hit;
        }
        row->hits += hit;
        row->worse += !hit && sweep->plain_hits[i];
        row->better += hit && !sweep->plain_hits[i];
    }
    row->out_of_range += simulation->out_of_range;
    row->seconds += simulation->seconds;
}

/* Adds the rows of all members whose runs are complete, in their order, and writes the table. */
static LutraStatus add_finished_rows(Sweep *sweep, uint32_t finished_cases, LutraError *error) {
    bool added = false;
    while (sweep->next < sweep->member_count) {
        const Member *const member = &sweep->members[sweep->next];
        if (member->first_case + member->case_count > finished_cases) {
            break;
        }
        if (sweep_table_find(&sweep->table, &member->row.setting) == NULL) {
            LUTRA_TRY(sweep_table_add(&sweep->table, &member->row, error));
            added = true;
        }
        sweep->next++;
    }
    return added ? sweep_table_write(&sweep->table, sweep->paths[FILE_CSV], error) : LUTRA_OK;
}

static LutraStatus on_finished(void *user, uint32_t index, const LutraSimulation *simulation,
                               LutraError *error) {
    Sweep *const sweep = user;
    /* members without cases stand before the one that this case belongs to */
    while (sweep->next < sweep->member_count && sweep->members[sweep->next].case_count == 0) {
        LUTRA_TRY(add_finished_rows(sweep, index, error));
    }
    count_run(sweep, &sweep->members[sweep->next].row, simulation, index == 0);
    return add_finished_rows(sweep, index + 1, error);
}

static LutraStatus run(Sweep *sweep, const LutraProgress *progress, LutraError *error) {
    const SweepOptions *const options = sweep->options;
    const LutraDataset *const dataset = &sweep->dataset;
    const LutraSplit *const split = &dataset->splits[options->split];
    const LutraImages images = {.pixels = split->images,
                                .labels = split->labels,
                                .count = split->count,
                                .shape = {dataset->channels, dataset->height, dataset->width},
                                .class_count = dataset->class_count};
    const LutraSimulationListener listener = {on_finished, sweep};
    LutraSimulateSettings settings;
    lutra_simulate_default(&settings);
    settings.threads = options->common.threads;
    settings.cpu_flags = options->common.cpu_flags;
    settings.progress = progress;
    LUTRA_TRY(add_members(sweep, error));
    if (sweep->case_count > 0) {
        LUTRA_TRY(make_cases(sweep, error));
        LUTRA_TRY(lutra_simulate_many(sweep->simulations, sweep->cases, sweep->case_count, &images,
                                      &settings, &listener, error));
    }
    return add_finished_rows(sweep, sweep->case_count, error);
}

/* ---- the whole ---- */

static LutraStatus prepare(Sweep *sweep, const LutraProgress *progress, LutraError *error) {
    const SweepOptions *const options = sweep->options;
    LUTRA_TRY(list_paths(sweep->paths, options->folder, error));
    LUTRA_TRY(cli_check_result_folder(options->folder, sweep->paths, FILES, options->resume,
                                      options->common.force, error));
    LUTRA_TRY(lutra_dataset_read(&sweep->dataset, options->data, 1u << options->split,
                                 options->limit, error));
    LUTRA_TRY(cli_profile_find(&sweep->machine, NULL, error));
    LUTRA_TRY(sweep_source_read(&sweep->source, options, progress, error));
    LUTRA_TRY(lutra_folder_create(options->folder, error));
    LUTRA_TRY(sweep_table_init(&sweep->table, options, &sweep->source, &sweep->dataset, error));
    if (options->resume && lutra_file_exists(sweep->paths[FILE_CSV])) {
        LUTRA_TRY(sweep_table_read(&sweep->table, sweep->paths[FILE_CSV], error));
        cli_note(&options->common, COMMAND, "going on with %" PRIu32 " rows of '%s'",
                 sweep->table.count, sweep->paths[FILE_CSV]);
    }
    return sweep_settings(&sweep->settings, &sweep->setting_count, &sweep->source, options, error);
}

static bool has_layers(const SweepTable *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->rows[i].setting.layer[0] != '\0') {
            return true;
        }
    }
    return false;
}

static LutraStatus draw(const Sweep *sweep, LutraError *error) {
    LUTRA_TRY(sweep_draw_accuracy(sweep->options, &sweep->source, &sweep->table, &sweep->dataset,
                                  sweep->paths[FILE_ACCURACY], error));
    return !has_layers(&sweep->table)
               ? LUTRA_OK
               : sweep_draw_layers(sweep->options, &sweep->source, &sweep->table, &sweep->dataset,
                                   sweep->paths[FILE_LAYERS], error);
}

/** Draws and prints what was found; returns an exit code. */
static int report(const Sweep *sweep) {
    LutraError error = {""};
    const LutraStatus status = draw(sweep, &error);
    if (status != LUTRA_OK) {
        return cli_fail(COMMAND, status, &error);
    }
    cli_warn_of_sharing(&sweep->options->common, COMMAND, sweep_worst_p_error(&sweep->table));
    return sweep->options->common.json
               ? sweep_print_json(sweep->options, &sweep->source, &sweep->table, &sweep->dataset)
               : sweep_print(sweep->options, &sweep->source, &sweep->table, &sweep->dataset);
}

int cmd_sweep(int argc, char **argv) {
    SweepOptions options = {.split = LUTRA_SPLIT_TEST,
                            .mode = LUTRA_ROUNDING_APPROXIMATE,
                            .offset_count = 1,
                            .p_error_count = 1,
                            .security_bits = 132,
                            .repeats = 1};
    Sweep sweep = {.options = &options};
    CliProgress progress;
    LutraError error = {""};
    int code = CLI_EXIT_DONE;
    cli_parse(&argp, argc, argv, &options);
    cli_progress_start(&progress, &options.common);
    LutraStatus status = prepare(&sweep, &progress.progress, &error);
    if (status == LUTRA_OK) {
        status = run(&sweep, &progress.progress, &error);
    }
    cli_progress_stop(&progress);
    if (sweep.table.count > 0 && (status == LUTRA_OK || status == LUTRA_ECANCELLED)) {
        code = report(&sweep);
    }
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    sweep_deinit(&sweep);
    return code;
}
