/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every subcommand shares: the command table, options that all have, exit codes, error
 * printing, number parsing, progress on the terminal and JSON on stdout.
 *
 * A command is one file cmd_<name>.c with `int cmd_<name>(int argc, char **argv)`, listed in
 * commands.c. Its options are one argp table (help and parsing cannot disagree) with
 * cli_common_argp as a child; argp's `input` for the child is the CliCommon in its options struct:
 *
 *     static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
 *     ... case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; break;
 *
 * Results go to stdout; progress, notes and warnings to stderr.
 */
#ifndef LUTRA_CLI_CLI_H
#define LUTRA_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/progress.h"
#include "base/status.h"
#include "datasets/dataset.h"

typedef enum {
    CLI_EXIT_DONE = 0,
    CLI_EXIT_CONDITION = 1, /* done, but a checked condition does not hold */
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_DATA = 3,        /* bad input data */
    CLI_EXIT_ENVIRONMENT = 4, /* file, memory, missing library */
    CLI_EXIT_BUG = 5,
    CLI_EXIT_INTERRUPTED = 130
} CliExit;

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is "lutra <name>" */
    const char *summary;
    const char *group;
} CliCommand;

/** The table, ended by a NULL name. */
extern const CliCommand cli_commands[];

/** Options that every command has. */
typedef struct {
    bool json;
    bool quiet;
    bool force;
    uint64_t seed;      /* default 1 */
    uint32_t threads;   /* resolved: at least 1 */
    uint32_t cpu_flags; /* LutraCpuFlag mask after --cpu */
    int progress;       /* -1 automatic, 0 off, 1 on */
} CliCommon;

extern const struct argp cli_common_argp;

/** Parses argv; wrong usage prints one line on stderr and exits with CLI_EXIT_USAGE. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *options);

/** Prints "lutra <command>: <sentence>" on stderr and returns the exit code of the status. */
int cli_fail(const char *command, LutraStatus status, const LutraError *error);

/** One "lutra <command>: warning: ..." line on stderr, unless --quiet. */
void cli_warn(const CliCommon *common, const char *command, const char *format, ...)
    LUTRA_PRINTF(3, 4);

/** One "lutra <command>: ..." note on stderr, unless --quiet. */
void cli_note(const CliCommon *common, const char *command, const char *format, ...)
    LUTRA_PRINTF(3, 4);

/** Warns if look-ups fail more often than 2^-64: decryptions then tell about the key's noise. */
void cli_warn_of_sharing(const CliCommon *common, const char *command, double p_error);

/** Numbers from option arguments. On a bad one: a usage error through argp naming value, option and
 * what is allowed; does not return then. */
uint64_t cli_parse_u64(struct argp_state *state, const char *option, const char *text, uint64_t min,
                       uint64_t max);
double cli_parse_f64(struct argp_state *state, const char *option, const char *text, double min,
                     double max);
/** Index of `text` in `words` (ended by NULL). */
int cli_parse_word(struct argp_state *state, const char *option, const char *text,
                   const char *const *words);
/** The argument of --split. */
LutraSplitKind cli_parse_split(struct argp_state *state, const char *text);

/** Progress on stderr: a bar with rate and ETA on a terminal, a plain line per milestone otherwise;
 * also turns Ctrl-C into a request to stop. */
typedef struct {
    LutraProgress progress; /* pass &x.progress to the library */
    bool bar;
    bool quiet;
    bool line_open; /* a bar stands on the terminal's current line */
    double stage_started;
    double last_shown;
    uint64_t first_done; /* of the stage: a resumed one does not begin at 0 */
    uint64_t last_done;
    char stage[64];
} CliProgress;

void cli_progress_start(CliProgress *progress, const CliCommon *common);
/** Clears the bar. Call before printing results. */
void cli_progress_stop(CliProgress *progress);
/** Whether Ctrl-C was pressed since the start. */
bool cli_interrupted(void);

/** Ends a report in plain text: whether all of it reached stdout, as an exit code; says so if not.
 * `program` is "lutra <command>". */
int cli_end_text(const char *program);

/** Prints the object on stdout and destroys it; returns an exit code. */
int cli_print_json(const char *command, LutraJson **json);

/** "1,234,567" into a buffer of 32 bytes; returns it. */
const char *cli_grouped(char buffer[32], uint64_t value);

/** "1.5 KiB" and the like into a buffer of 32 bytes; returns it. */
const char *cli_bytes(char buffer[32], double bytes);

#endif
