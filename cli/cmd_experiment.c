/* SPDX-License-Identifier: Apache-2.0 */
/* lutra experiment: published questions, each answered by one command. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/experiment.h"

static const char *const COMMAND = "experiment";

enum { KEY_QUICK = 1, KEY_FULL, KEY_SETTINGS, KEY_INPUT, KEY_INPUTS, KEY_RESUME, KEY_EXPECTED };

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "How much:", 1},
    {"quick", KEY_QUICK, NULL, 0, "few samples, a stand-in for what is missing: minutes (default)",
     1},
    {"full", KEY_FULL, NULL, 0, "the samples that published figures rest on", 1},
    {"settings", KEY_SETTINGS, "PATH", 0,
     "read this file, or NAME.ini in this folder, instead of the one that comes with the program",
     1},
    {NULL, 0, NULL, 0, "What it is done on:", 2},
    {"input", KEY_INPUT, "NAME=FILE", 0,
     "a dataset or model that an experiment asks for by name, such as cifar10=cifar10.h5", 2},
    {"inputs", KEY_INPUTS, "DIR", 0, "look for NAME.h5 in this folder", 2},
    {NULL, 0, NULL, 0, "Comparing:", 3},
    {"expected", KEY_EXPECTED, "FILE", 0,
     "figures to compare with instead of those that come with the program", 3},
    {NULL, 0, NULL, 0, "Output:", 4},
    {"output", 'o', "PATH", 0,
     "run: folder for record, figures and charts; report: the page (required for both)", 4},
    {"resume", KEY_RESUME, NULL, 0, "keep what is in the folder and do the rest", 4},
    {0}};

typedef struct {
    const char *name;
    const char *usage; /* what has to follow */
    bool needs_words;
    bool needs_output;
    int (*run)(const ExperimentOptions *options);
} Action;

static int list(const ExperimentOptions *options);

static const Action actions[] = {{"list", "nothing", false, false, list},
                                 {"run", "a name, several, or 'all'", true, true, experiment_run},
                                 {"compare", "folders of runs", true, false, experiment_compare},
                                 {"report", "folders of runs", true, true, experiment_report}};

static const Action *find_action(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

static void check_complete(const ExperimentOptions *options, struct argp_state *state) {
    const Action *const action = find_action(options->action);
    if (action == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "should be 'list', 'run NAME', 'compare DIR...' or 'report DIR...'");
        return;
    }
    if (!action->needs_words && options->word_count > 0) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' takes no name, but found '%s'", action->name,
                     options->words[0]);
    }
    if (action->needs_words && options->word_count == 0) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' needs %s; 'list' shows names", action->name,
                     action->usage);
    }
    if (action->needs_output && options->output == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "needs -o %s",
                     action->run == experiment_run ? "DIR" : "FILE.html");
    }
    if (options->resume && options->common.force) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "--resume keeps what --force would overwrite; give one of them");
    }
    for (uint32_t i = 0; action->run == experiment_run && i < options->word_count; i++) {
        if (strcmp(options->words[i], "all") == 0 && options->word_count > 1) {
            argp_failure(state, CLI_EXIT_USAGE, 0, "'all' stands alone, but found '%s'",
                         options->words[i == 0 ? 1 : 0]);
        }
    }
}

static void add_input(ExperimentOptions *options, char *text, struct argp_state *state) {
    char *const equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '--input'; should be NAME=FILE", text);
        return;
    }
    if (options->input_count == EXPERIMENT_MOST_WORDS) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "too many inputs");
    }
    *equals = '\0';
    options->inputs[options->input_count++] = (LutraExperimentInput){text, equals + 1};
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    ExperimentOptions *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_QUICK: options->full = false; return 0;
        case KEY_FULL: options->full = true; return 0;
        case KEY_SETTINGS: options->settings_path = argument; return 0;
        case KEY_INPUT: add_input(options, argument, state); return 0;
        case KEY_INPUTS: options->inputs_folder = argument; return 0;
        case KEY_EXPECTED: options->expected_path = argument; return 0;
        case KEY_RESUME: options->resume = true; return 0;
        case 'o': options->output = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->action == NULL) {
                options->action = argument;
            } else if (options->word_count < EXPERIMENT_MOST_WORDS) {
                options->words[options->word_count++] = argument;
            } else {
                argp_failure(state, CLI_EXIT_USAGE, 0, "too many arguments");
            }
            return 0;
        case ARGP_KEY_END: check_complete(options, state); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    option_table,
    parse,
    "list\nrun NAME...|all\ncompare DIR...\nreport DIR...",
    "Published questions, each answered by one command that writes its settings, figures and "
    "charts into one folder; 'compare' puts the figures beside published and stored ones, 'report' "
    "makes one page of HTML of several runs."
    "\vExamples:\n"
    "  lutra experiment list\n"
    "  lutra experiment run p-error --quick -o p-error\n"
    "  lutra experiment run rounding --full --input cifar10=cifar10.h5 \\\n"
    "      --input vgg9=vgg9.h5 -o rounding\n"
    "  lutra experiment compare p-error\n"
    "  lutra experiment run all --quick -o results\n\n"
    "'run' with several names or 'all' makes a folder for each in DIR, skips, with a note, what "
    "lacks its data, models or real FHE, and ends in DIR/report.html. Ctrl-C writes what is "
    "finished; --resume goes on. 'compare' exits with 1 if "
    "a stored figure has moved by more than both intervals allow; times are shown, not tested. "
    "Experiments are looked for beside the installed program, in its source tree and in the folder "
    "'experiments'.\n\n"
    "Exit codes: 0 done; 1 done, but what was measured refutes the claim, or a stored figure "
    "moved; 2 usage; 3 bad settings or data; 4 environment, or an input is missing; 5 bug in "
    "lutra; 130 interrupted.",
    children,
    NULL,
    NULL};

/* --- list ------------------------------------------------------------------------------------- */

static int list(const ExperimentOptions *options) {
    LutraJson *json = options->common.json ? lutra_json_create("lutra.experiment/1") : NULL;
    LutraJson *const array = lutra_json_set_array(json, "experiments");
    static const char *const keys[] = {"question",   "method",     "source",
                                       "refuted_if", "quick_time", "full_time"};
    for (size_t i = 0; lutra_experiments[i] != NULL; i++) {
        ExperimentSettings settings = {.ini = {0}};
        LutraError error = {""};
        const char *const name = lutra_experiments[i]->name;
        const LutraStatus status = experiment_settings_read(&settings, name, NULL, &error);
        if (status != LUTRA_OK) {
            experiment_settings_deinit(&settings);
            lutra_json_destroy(&json);
            return cli_fail(COMMAND, status, &error);
        }
        if (options->common.json) {
            LutraJson *const object = lutra_json_add_object(array);
            lutra_json_set_text(object, "name", name);
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
                lutra_json_set_text(object, keys[k], experiment_about(&settings, keys[k]));
            }
        } else {
            printf("%s\n", name);
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
                printf("  %-11s %s\n", keys[k], experiment_about(&settings, keys[k]));
            }
        }
        experiment_settings_deinit(&settings);
    }
    return options->common.json ? cli_print_json(COMMAND, &json) : CLI_EXIT_DONE;
}

int cmd_experiment(int argc, char **argv) {
    ExperimentOptions options = {.full = false};
    cli_parse(&argp, argc, argv, &options);
    return find_action(options.action)->run(&options);
}
