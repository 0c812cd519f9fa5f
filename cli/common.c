/* SPDX-License-Identifier: Apache-2.0 */
/* Options, errors and number parsing that every subcommand shares. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "cli/cli.h"

enum {
    KEY_JSON = 0x1000,
    KEY_SEED,
    KEY_THREADS,
    KEY_FORCE,
    KEY_CPU,
    KEY_PROGRESS,
    KEY_NO_PROGRESS,
    KEY_USAGE
};

static const struct argp_option common_options[] = {
    {NULL, 0, NULL, 0, "Common options:", 100},
    {"json", KEY_JSON, NULL, 0, "print one JSON object on stdout", 100},
    {"seed", KEY_SEED, "N", 0, "seed of every random choice (default 1)", 100},
    {"threads", KEY_THREADS, "N", 0, "threads to use (default: all processors)", 100},
    {"cpu", KEY_CPU, "SET", 0, "instruction sets: ref, avx2, avx512 or native (default)", 100},
    {"force", KEY_FORCE, NULL, 0, "overwrite existing output files", 100},
    {"progress", KEY_PROGRESS, NULL, 0, "show a progress bar even without a terminal", 100},
    {"no-progress", KEY_NO_PROGRESS, NULL, 0, "show no progress", 100},
    {"quiet", 'q', NULL, 0, "no progress, no notes", 100},
    {"help", 'h', NULL, 0, "show this help", 101},
    {"usage", KEY_USAGE, NULL, 0, "show all options in short", 101},
    {0}};

/* Help was asked for: on stdout, and nothing else is done. */
static void show_help(struct argp_state *state, unsigned flags) {
    argp_state_help(state, stdout, flags & ~(unsigned)ARGP_HELP_EXIT_OK);
    exit(cli_end_text(state->name));
}

static error_t parse_common(int key, char *argument, struct argp_state *state) {
    CliCommon *const common = state->input;
    switch (key) {
        case ARGP_KEY_INIT:
            *common = (CliCommon){.seed = 1,
                                  .threads = lutra_parallel_threads(0),
                                  .cpu_flags = lutra_cpu_detect(),
                                  .progress = -1};
            return 0;
        case KEY_JSON: common->json = true; return 0;
        case KEY_SEED:
            common->seed = cli_parse_u64(state, "--seed", argument, 0, UINT64_MAX);
            return 0;
        case KEY_THREADS:
            common->threads = (uint32_t)cli_parse_u64(state, "--threads", argument, 1, 1024);
            return 0;
        case KEY_CPU: {
            const int64_t flags = lutra_cpu_flags_of_name(argument);
            if (flags < 0) {
                argp_failure(
                    state, CLI_EXIT_USAGE, 0,
                    "invalid value '%s' for '--cpu'; should be ref, avx2, avx512 or native",
                    argument);
            }
            common->cpu_flags = (uint32_t)flags;
            return 0;
        }
        case KEY_FORCE: common->force = true; return 0;
        case KEY_PROGRESS: common->progress = 1; return 0;
        case KEY_NO_PROGRESS: common->progress = 0; return 0;
        case 'q': common->quiet = true; return 0;
        case 'h': show_help(state, ARGP_HELP_STD_HELP); return 0;
        case KEY_USAGE: show_help(state, ARGP_HELP_USAGE); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_common_argp = {common_options, parse_common, NULL, NULL, NULL, NULL, NULL};

void cli_parse(const struct argp *argp, int argc, char **argv, void *options) {
    argp_err_exit_status = CLI_EXIT_USAGE;
    (void)setenv("ARGP_HELP_FMT", "rmargin=77", 0); /* unless the user has a taste */
    const error_t failed = argp_parse(argp, argc, argv, ARGP_NO_HELP, NULL, options);
    if (failed != 0) {
        fprintf(stderr, "%s: cannot parse the command line: %s\n", argv[0], strerror(failed));
        exit(CLI_EXIT_ENVIRONMENT);
    }
}

static int exit_code(LutraStatus status) {
    switch (status) {
        case LUTRA_OK: return CLI_EXIT_DONE;
        case LUTRA_EINVAL: return CLI_EXIT_USAGE;
        case LUTRA_EDATA:
        case LUTRA_EINFEASIBLE: return CLI_EXIT_DATA;
        case LUTRA_EIO:
        case LUTRA_ENOMEM:
        case LUTRA_EUNAVAILABLE: return CLI_EXIT_ENVIRONMENT;
        case LUTRA_ECANCELLED: return CLI_EXIT_INTERRUPTED;
        case LUTRA_EBUG: return CLI_EXIT_BUG;
    }
    return CLI_EXIT_BUG;
}

int cli_fail(const char *command, LutraStatus status, const LutraError *error) {
    const char *const message =
        error != NULL && error->message[0] != '\0' ? error->message : lutra_status_name(status);
    fprintf(stderr, "lutra %s: %s\n", command, message);
    return exit_code(status);
}

void cli_warn(const CliCommon *common, const char *command, const char *format, ...) {
    if (common->quiet) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "lutra %s: warning: ", command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void cli_note(const CliCommon *common, const char *command, const char *format, ...) {
    if (common->quiet) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "lutra %s: ", command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void cli_warn_of_sharing(const CliCommon *common, const char *command, double p_error) {
    if (p_error > 0x1p-64) {
        cli_warn(common, command,
                 "a p_error of %.2g is above 2^-64: not IND-CPA^D safe, never give decrypted "
                 "results to whoever evaluates",
                 p_error);
    }
}

uint64_t cli_parse_u64(struct argp_state *state, const char *option, const char *text, uint64_t min,
                       uint64_t max) {
    errno = 0;
    char *end = NULL;
    const uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < min || value > max) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '%s'; should be an integer from %" PRIu64
                     " to %" PRIu64,
                     text, option, min, max);
    }
    return value;
}

double cli_parse_f64(struct argp_state *state, const char *option, const char *text, double min,
                     double max) {
    errno = 0;
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= min && value <= max)) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '%s'; should be a number from %g to %g", text, option,
                     min, max);
    }
    return value;
}

int cli_parse_word(struct argp_state *state, const char *option, const char *text,
                   const char *const *words) {
    char allowed[256] = "";
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
        const size_t used = strlen(allowed);
        (void)snprintf(allowed + used, sizeof allowed - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    argp_failure(state, CLI_EXIT_USAGE, 0, "invalid value '%s' for '%s'; should be one of %s", text,
                 option, allowed);
    return 0;
}

LutraSplitKind cli_parse_split(struct argp_state *state, const char *text) {
    const char *const words[] = {lutra_split_name(LUTRA_SPLIT_TRAIN),
                                 lutra_split_name(LUTRA_SPLIT_TEST), NULL};
    return (LutraSplitKind)cli_parse_word(state, "--split", text, words);
}

int cli_end_text(const char *program) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%s: cannot write to standard output\n", program);
        return CLI_EXIT_ENVIRONMENT;
    }
    return CLI_EXIT_DONE;
}

int cli_print_json(const char *command, LutraJson **json) {
    char *text = NULL;
    LutraError error = {""};
    const LutraStatus status = lutra_json_text(&text, *json, &error);
    lutra_json_destroy(json);
    if (status != LUTRA_OK) {
        return cli_fail(command, status, &error);
    }
    fputs(text, stdout);
    lutra_free(&text);
    char program[64];
    (void)snprintf(program, sizeof program, "lutra %s", command);
    return cli_end_text(program);
}

const char *cli_grouped(char buffer[32], uint64_t value) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    size_t out = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            buffer[out++] = ',';
        }
        buffer[out++] = digits[i];
    }
    buffer[out] = '\0';
    return buffer;
}

const char *cli_bytes(char buffer[32], double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024.0;
        unit++;
    }
    (void)snprintf(buffer, 32, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return buffer;
}
