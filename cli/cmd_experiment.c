/* SPDX-License-Identifier: Apache-2.0 */
/* lutra experiment: published questions, each answered by one command. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "bridge/backend.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/run_stamp.h"
#include "experiments/experiment.h"

#ifndef LUTRA_VERSION
#define LUTRA_VERSION "unknown"
#endif

static const char *const COMMAND = "experiment";
static const char *const CONFIGURATION = "configuration.ini";
static const char *const RECORD = "run.json";

enum { KEY_QUICK = 1, KEY_FULL, KEY_SETTINGS, PATH_BYTES = 4096, MOST_SETTINGS = 1 << 20 };

typedef struct {
    CliCommon common;
    const char *action;
    const char *name;
    const char *settings_path;
    const char *folder;
    bool full;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "How much:", 1},
    {"quick", KEY_QUICK, NULL, 0, "few samples: minutes (default)", 1},
    {"full", KEY_FULL, NULL, 0, "the samples that published figures rest on", 1},
    {"settings", KEY_SETTINGS, "FILE", 0,
     "read this instead of the NAME.ini that comes with the program", 1},
    {NULL, 0, NULL, 0, "Output:", 2},
    {"output", 'o', "DIR", 0, "folder for configuration, record, tables and charts (required)", 2},
    {0}};

static void check_complete(const Options *options, struct argp_state *state) {
    const bool runs = options->action != NULL && strcmp(options->action, "run") == 0;
    if (options->action == NULL || (!runs && strcmp(options->action, "list") != 0)) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "should be 'list' or 'run NAME'");
    }
    if (!runs && options->name != NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'list' takes no name, but found '%s'",
                     options->name);
    }
    if (runs && options->name == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'run' needs a name; 'list' shows them");
    }
    if (runs && options->folder == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "needs -o DIR");
    }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_QUICK: options->full = false; return 0;
        case KEY_FULL: options->full = true; return 0;
        case KEY_SETTINGS: options->settings_path = argument; return 0;
        case 'o': options->folder = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->action == NULL) {
                options->action = argument;
            } else if (options->name == NULL) {
                options->name = argument;
            } else {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one experiment at a time, but found '%s'",
                             argument);
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
    "list\nrun NAME",
    "Lists or runs experiments: published questions, each answered by one command that writes "
    "its settings, tables and charts into one folder."
    "\vExamples:\n"
    "  lutra experiment list\n"
    "  lutra experiment run noise --quick -o noise-study\n\n"
    "Ctrl-C writes what is finished. An experiment's INI file is looked for beside the installed "
    "program, in its source tree and in the folder 'experiments'.\n\n"
    "Exit codes: 0 done; 1 done, but what was measured refutes the claim; 2 usage; 3 bad "
    "settings; 4 environment; 5 bug in lutra; 130 interrupted.",
    children,
    NULL,
    NULL};

/* --- the INI file ----------------------------------------------------------------------------- */

/** An INI file as it was read. */
typedef struct {
    char path[PATH_BYTES];
    LutraBytes text;
    LutraIni ini;
} Settings;

static void settings_deinit(Settings *settings) {
    lutra_ini_deinit(&settings->ini);
    lutra_bytes_deinit(&settings->text);
}

/** Where NAME.ini lies: beside the installed program, in the source tree, or here. */
static LutraStatus find_settings(char path[PATH_BYTES], const char *name, LutraError *error) {
    static const char *const places[] = {"/../share/lutra/experiments/", "/../../experiments/"};
    char program[PATH_BYTES / 2];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0) {
        program[length] = '\0';
        char *const slash = strrchr(program, '/');
        *(slash != NULL ? slash : program) = '\0';
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            (void)snprintf(path, PATH_BYTES, "%s%s%s.ini", program, places[i], name);
            if (lutra_file_exists(path)) {
                return LUTRA_OK;
            }
        }
    }
    (void)snprintf(path, PATH_BYTES, "experiments/%s.ini", name);
    if (lutra_file_exists(path)) {
        return LUTRA_OK;
    }
    return lutra_error_set(error, LUTRA_EIO, "cannot find '%s.ini'; give it with --settings FILE",
                           name);
}

static LutraStatus settings_read(Settings *settings, const char *name, const char *given,
                                 LutraError *error) {
    if (given != NULL) {
        (void)snprintf(settings->path, PATH_BYTES, "%s", given);
    } else {
        LUTRA_TRY(find_settings(settings->path, name, error));
    }
    LUTRA_TRY(lutra_file_read(&settings->text, settings->path, MOST_SETTINGS, error));
    return lutra_ini_parse(&settings->ini, (const char *)settings->text.data, settings->path,
                           error);
}

static const char *about(const Settings *settings, const char *key) {
    const char *const value = lutra_experiment_value(&settings->ini, "experiment", key);
    return value != NULL ? value : "";
}

/* --- list ------------------------------------------------------------------------------------- */

static int list(const Options *options) {
    LutraJson *json = options->common.json ? lutra_json_create("lutra.experiment/1") : NULL;
    LutraJson *const array = lutra_json_set_array(json, "experiments");
    static const char *const keys[] = {"question",   "method",     "source",
                                       "refuted_if", "quick_time", "full_time"};
    for (size_t i = 0; lutra_experiments[i] != NULL; i++) {
        Settings settings = {.ini = {0}};
        LutraError error = {""};
        const char *const name = lutra_experiments[i]->name;
        const LutraStatus status = settings_read(&settings, name, NULL, &error);
        if (status != LUTRA_OK) {
            settings_deinit(&settings);
            lutra_json_destroy(&json);
            return cli_fail(COMMAND, status, &error);
        }
        if (options->common.json) {
            LutraJson *const object = lutra_json_add_object(array);
            lutra_json_set_text(object, "name", name);
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
                lutra_json_set_text(object, keys[k], about(&settings, keys[k]));
            }
        } else {
            printf("%s\n", name);
            for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
                printf("  %-11s %s\n", keys[k], about(&settings, keys[k]));
            }
        }
        settings_deinit(&settings);
    }
    return options->common.json ? cli_print_json(COMMAND, &json) : CLI_EXIT_DONE;
}

/* --- run -------------------------------------------------------------------------------------- */

static LutraStatus find(const LutraExperiment **experiment, const char *name, LutraError *error) {
    for (size_t i = 0; lutra_experiments[i] != NULL; i++) {
        if (strcmp(lutra_experiments[i]->name, name) == 0) {
            *experiment = lutra_experiments[i];
            return LUTRA_OK;
        }
    }
    return lutra_error_set(error, LUTRA_EINVAL,
                           "unknown experiment '%s'; 'lutra experiment list' shows them", name);
}

static LutraStatus check_output(const LutraExperimentRun *run, const char *name,
                                LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, name, error));
    const LutraStatus status = lutra_file_check_output(path, run->force, error);
    lutra_free(&path);
    return status;
}

/** Makes the folder and refuses to overwrite, before long work. */
static LutraStatus check_folder(const LutraExperimentRun *run, const LutraExperiment *experiment,
                                LutraError *error) {
    LUTRA_TRY(lutra_folder_create(run->folder, error));
    LUTRA_TRY(check_output(run, CONFIGURATION, error));
    LUTRA_TRY(check_output(run, RECORD, error));
    for (size_t i = 0; experiment->files[i] != NULL; i++) {
        LUTRA_TRY(check_output(run, experiment->files[i], error));
    }
    return LUTRA_OK;
}

static LutraStatus write_bytes(const LutraExperimentRun *run, const char *name, const void *data,
                               size_t bytes, LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, name, error));
    const LutraStatus status = lutra_file_write(path, data, bytes, run->force, error);
    lutra_free(&path);
    return status;
}

static LutraJson *new_record(const LutraExperimentRun *run, const LutraExperiment *experiment,
                             const Settings *settings, const CliRunStamp *stamp) {
    LutraJson *const json = lutra_json_create("lutra.experiment/1");
    lutra_json_set_text(json, "experiment", experiment->name);
    lutra_json_set_text(json, "question", about(settings, "question"));
    lutra_json_set_text(json, "setting", lutra_experiment_setting(run));
    lutra_json_set_text(json, "settings_path", settings->path);
    lutra_json_set_i64(json, "seed", (int64_t)run->seed);
    lutra_json_set_i64(json, "threads", run->threads);
    lutra_json_set_text(json, "version", LUTRA_VERSION);
    lutra_json_set_text(json, "backend", lutra_backend_tfhe()->name());
    lutra_json_set_text(json, "processor", stamp->processor);
    lutra_json_set_text(json, "system", stamp->system);
    lutra_json_set_text(json, "date", stamp->date);
    return json;
}

static void conclude_record(LutraJson *json, const LutraExperimentOutcome *outcome,
                            double seconds) {
    lutra_json_set_bool(json, "complete", outcome->done == outcome->parts);
    lutra_json_set_i64(json, "parts", outcome->parts);
    lutra_json_set_i64(json, "parts_done", outcome->done);
    if (outcome->done > 0) {
        lutra_json_set_bool(json, "holds", outcome->holds);
    } else {
        lutra_json_set_null(json, "holds");
    }
    lutra_json_set_f64(json, "seconds", seconds);
}

/** Text or JSON on stdout, and the record in the folder. */
static int conclude(const Options *options, const LutraExperimentRun *run,
                    const LutraExperimentOutcome *outcome, LutraJson **json, double seconds) {
    char *text = NULL;
    LutraError error = {""};
    conclude_record(*json, outcome, seconds);
    LutraStatus status = lutra_json_text(&text, *json, &error);
    if (status == LUTRA_OK) {
        status = write_bytes(run, RECORD, text, strlen(text), &error);
    }
    lutra_free(&text);
    if (status != LUTRA_OK) {
        return cli_fail(COMMAND, status, &error);
    }
    if (options->common.json) {
        const int code = cli_print_json(COMMAND, json);
        if (code != CLI_EXIT_DONE) {
            return code;
        }
    } else {
        printf("%" PRIu32 " of %" PRIu32 " parts in %.0f s, written to %s\n", outcome->done,
               outcome->parts, seconds, run->folder);
        printf("verdict  %s\n", outcome->done == 0 ? "nothing was measured"
                                : outcome->holds   ? "nothing that was measured refutes the claim"
                                                   : "what was measured refutes the claim");
    }
    return outcome->holds ? CLI_EXIT_DONE : CLI_EXIT_CONDITION;
}

static int run_checked(const Options *options, LutraExperimentRun *run,
                       const LutraExperiment *experiment, const Settings *settings,
                       const CliRunStamp *stamp) {
    CliProgress progress;
    LutraError error = {""};
    LutraExperimentOutcome outcome = {.holds = true};
    LutraJson *json = new_record(run, experiment, settings, stamp);
    const double start = lutra_seconds();
    cli_progress_start(&progress, &options->common);
    run->progress = &progress.progress;
    const LutraStatus status =
        experiment->run(&outcome, lutra_json_set_object(json, "results"), run, &error);
    cli_progress_stop(&progress);
    int code = CLI_EXIT_DONE;
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        code = conclude(options, run, &outcome, &json, lutra_seconds() - start);
    }
    lutra_json_destroy(&json);
    return status == LUTRA_OK ? code : cli_fail(COMMAND, status, &error);
}

static int run(const Options *options) {
    const LutraExperiment *experiment = NULL;
    Settings settings = {.ini = {0}};
    CliRunStamp stamp;
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    char line[512];
    cli_run_stamp(&stamp);
    (void)snprintf(line, sizeof line, "lutra %s, %s, %s, %s, %s", LUTRA_VERSION,
                   lutra_backend_tfhe()->name(), stamp.processor, stamp.system, stamp.date);
    LUTRA_TRY_GOTO(status, find(&experiment, options->name, &error));
    LUTRA_TRY_GOTO(status, settings_read(&settings, options->name, options->settings_path, &error));
    LutraExperimentRun asked = {.folder = options->folder,
                                .force = options->common.force,
                                .full = options->full,
                                .seed = options->common.seed,
                                .threads = options->common.threads,
                                .settings = &settings.ini,
                                .settings_path = settings.path,
                                .stamp = line,
                                .report = options->common.json ? NULL : stdout};
    LUTRA_TRY_GOTO(status, experiment->check(&asked, &error));
    LUTRA_TRY_GOTO(status, check_folder(&asked, experiment, &error));
    LUTRA_TRY_GOTO(status, write_bytes(&asked, CONFIGURATION, settings.text.data,
                                       settings.text.bytes, &error));
    code = run_checked(options, &asked, experiment, &settings, &stamp);
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    settings_deinit(&settings);
    return code;
}

int cmd_experiment(int argc, char **argv) {
    Options options = {.full = false};
    cli_parse(&argp, argc, argv, &options);
    return strcmp(options.action, "run") == 0 ? run(&options) : list(&options);
}
