/* SPDX-License-Identifier: Apache-2.0 */
/* lutra bench: how fast this machine runs the parts of lutra, compared with a stored baseline. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "bridge/backend.h"
#include "cli/bench.h"
#include "cli/bench_calibrate.h"
#include "cli/commands.h"
#include "cli/cost_report.h"

#define COMMAND "bench"

enum {
    KEY_SECONDS = 0x2000,
    KEY_REPEATS,
    KEY_CIRCUIT,
    KEY_CSV,
    KEY_BASELINE,
    KEY_SLOWER,
    KEY_CALIBRATE,
    KEY_LOG2_POLY
};

typedef struct {
    const char *name;
    LutraStatus (*run)(Bench *bench, LutraError *error);
} Group;

static const Group groups[] = {
    {"kernels", bench_kernels},
    {"noise", bench_noise},
    {"simulate", bench_simulate},
    {"start-up", bench_start_up},
    {"train", bench_train}};
enum { GROUPS = sizeof groups / sizeof groups[0] };

typedef struct {
    CliCommon common;
    double seconds;
    uint32_t repeats;
    const char *circuit;
    const char *csv;
    const char *baseline;
    double slower;
    bool wanted[GROUPS];
    bool calibrate;
    const char *profile; /* NULL: where other commands look */
    uint32_t smallest_log2_poly;
    uint32_t largest_log2_poly;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "How to measure:", 1},
    {"seconds", KEY_SECONDS, "S", 0, "time for each item (default 1)", 1},
    {"repeats", KEY_REPEATS, "N", 0, "portions of that time; the median counts (default 11)", 1},
    {"circuit", KEY_CIRCUIT, "C.h5", 0,
     "for simulate and start-up: this circuit instead of random ones", 1},
    {NULL, 0, NULL, 0, "Baseline:", 2},
    {"csv", KEY_CSV, "FILE", 0, "write the figures, to be a baseline later", 2},
    {"baseline", KEY_BASELINE, "FILE", 0, "compare with the figures of an earlier --csv", 2},
    {"slower", KEY_SLOWER, "FACTOR", 0,
     "exit with 1 if an item is slower than the baseline by more than this factor (default 1.5)",
     2},
    {NULL, 0, NULL, 0, "Speed of real FHE:", 3},
    {"calibrate", KEY_CALIBRATE, NULL, 0,
     "measure bootstraps, keyswitches, key generation and sums of ciphertexts, in about a minute, "
     "and write a machine profile: inspect and verify predict seconds with it", 3},
    {"output", 'o', "PROFILE", 0,
     "of --calibrate (default lutra/profile.ini in the user's configuration folder, where other "
     "commands look)", 3},
    {"log2-poly", KEY_LOG2_POLY, "A..B", 0,
     "of --calibrate: sizes of polynomials, 2^A to 2^B (default 8..13)", 3},
    {0}};

static const char documentation[] =
    "Measures kernels (every simulation kernel in every instruction set), noise (the same for "
    "noisy simulation), simulate (whole networks with random weights: images a second and memory), "
    "start-up (time to the first prediction) and train (the parts of training steps); all groups "
    "unless some are named. With --calibrate, measures real FHE instead."
    "\v"
    "Examples:\n"
    "  lutra bench --csv today.csv\n"
    "  lutra bench kernels --seconds 0.2 --baseline today.csv --json\n"
    "  lutra bench --calibrate\n"
    "\n"
    "Writes no files unless asked, but for temporary ones of start-up and the profile of "
    "--calibrate. Exit codes: 0 done, 1 an "
    "item is slower than the baseline allows, 2 usage, 3 bad data, 4 environment, 130 "
    "interrupted.";

static void want_group(Options *options, const char *name, struct argp_state *state) {
    for (size_t i = 0; i < GROUPS; i++) {
        if (strcmp(name, groups[i].name) == 0) {
            options->wanted[i] = true;
            return;
        }
    }
    argp_failure(state, CLI_EXIT_USAGE, 0,
                 "unknown group '%s'; should be kernels, noise, simulate or start-up", name);
}

static void parse_range(Options *options, const char *text, struct argp_state *state) {
    unsigned first = 0;
    unsigned last = 0;
    int used = 0;
    if (sscanf(text, "%2u..%2u%n", &first, &last, &used) != 2 || text[used] != '\0' ||
        first < LUTRA_SMALLEST_LOG2_POLY || last > LUTRA_LARGEST_LOG2_POLY || first > last) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '--log2-poly'; should be A..B from %d to %d", text,
                     LUTRA_SMALLEST_LOG2_POLY, LUTRA_LARGEST_LOG2_POLY);
    }
    options->smallest_log2_poly = first;
    options->largest_log2_poly = last;
}

static void check_usage(const Options *options, struct argp_state *state) {
    const bool others = state->arg_num > 0 || options->csv != NULL || options->baseline != NULL;
    if (options->calibrate && others) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "--calibrate measures real FHE only: no groups and no baseline");
    }
    if (!options->calibrate && options->profile != NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "--output needs --calibrate; see --csv");
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_SECONDS:
            options->seconds = cli_parse_f64(state, "--seconds", argument, 1e-3, 3600.0);
            return 0;
        case KEY_REPEATS:
            options->repeats = (uint32_t)cli_parse_u64(state, "--repeats", argument, 1, 10000);
            return 0;
        case KEY_CIRCUIT: options->circuit = argument; return 0;
        case KEY_CSV: options->csv = argument; return 0;
        case KEY_BASELINE: options->baseline = argument; return 0;
        case KEY_SLOWER:
            options->slower = cli_parse_f64(state, "--slower", argument, 1.0, 1000.0);
            return 0;
        case KEY_CALIBRATE: options->calibrate = true; return 0;
        case 'o': options->profile = argument; return 0;
        case KEY_LOG2_POLY: parse_range(options, argument, state); return 0;
        case ARGP_KEY_ARG: want_group(options, argument, state); return 0;
        case ARGP_KEY_END:
            check_usage(options, state);
            for (size_t i = 0; i < GROUPS && state->arg_num == 0; i++) {
                options->wanted[i] = true;
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {option_table, parse_option, "[GROUP...]", documentation,
                                 children,     NULL,         NULL};

static void describe_sets(char text[BENCH_SETS_BYTES], uint32_t flags) {
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{LUTRA_CPU_AVX2, "avx2"},
                 {LUTRA_CPU_AVX512, "avx512"},
                 {LUTRA_CPU_VNNI, "vnni"},
                 {LUTRA_CPU_VPOPCNTDQ, "vpopcntdq"},
                 {LUTRA_CPU_BF16, "bf16"}};
    size_t used = (size_t)snprintf(text, BENCH_SETS_BYTES, "ref");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags & names[i].flag) != 0) {
            used += (size_t)snprintf(text + used, BENCH_SETS_BYTES - used, " %s", names[i].name);
        }
    }
}

static void describe_machine(BenchItems *items, uint32_t flags) {
    lutra_cpu_model(items->cpu);
    for (char *at = strchr(items->cpu, ','); at != NULL; at = strchr(at, ',')) {
        *at = ' '; /* a field of a CSV */
    }
    describe_sets(items->sets, flags);
}

static bool is_slower(const BenchItem *now, const BenchItem *before, double factor) {
    return !(bench_relative_speed(now, before) * factor >= 1.0);
}

/** Items that both have and that are slower than allowed; *compared counts those that both have. */
static uint32_t count_slower(uint32_t *compared, const BenchItems *now, const BenchItems *before,
                             double factor) {
    uint32_t slower = 0;
    *compared = 0;
    for (uint32_t i = 0; i < now->count; i++) {
        const BenchItem *const other = bench_find(before, now->items[i].name);
        *compared += other != NULL;
        slower += other != NULL && is_slower(&now->items[i], other, factor);
    }
    return slower;
}

static void print_text(const Options *options, const BenchItems *now, const BenchItems *before) {
    const bool compare = options->baseline != NULL;
    printf("%s; %s; %u threads\n\n", now->cpu, now->sets, options->common.threads);
    printf("%-30s %10s %10s  %-10s%s\n", "item", "median", "best", "unit",
           compare ? "   baseline   speed" : "");
    for (uint32_t i = 0; i < now->count; i++) {
        const BenchItem *const item = &now->items[i];
        const BenchItem *const other = compare ? bench_find(before, item->name) : NULL;
        printf("%-30s %10.4g %10.4g  %-10s", item->name, item->median, item->best, item->unit);
        if (other != NULL) {
            printf(" %10.4g  %5.2fx%s", other->median, bench_relative_speed(item, other),
                   is_slower(item, other, options->slower) ? "  slower" : "");
        }
        printf("\n");
    }
}

static int print_json(const Options *options, const BenchItems *now, const BenchItems *before,
                      uint32_t slower) {
    LutraJson *json = lutra_json_create("lutra.bench/1");
    lutra_json_set_text(json, "cpu", now->cpu);
    lutra_json_set_text(json, "instruction_sets", now->sets);
    lutra_json_set_i64(json, "threads", options->common.threads);
    lutra_json_set_i64(json, "seed", (int64_t)options->common.seed);
    lutra_json_set_f64(json, "seconds", options->seconds);
    lutra_json_set_i64(json, "repeats", options->repeats);
    if (options->baseline != NULL) {
        lutra_json_set_text(json, "baseline", options->baseline);
        lutra_json_set_text(json, "baseline_cpu", before->cpu);
        lutra_json_set_f64(json, "slower_factor", options->slower);
        lutra_json_set_i64(json, "slower", slower);
    }
    LutraJson *const items = lutra_json_set_array(json, "items");
    for (uint32_t i = 0; i < now->count; i++) {
        const BenchItem *const item = &now->items[i];
        LutraJson *const object = lutra_json_add_object(items);
        lutra_json_set_text(object, "name", item->name);
        lutra_json_set_text(object, "unit", item->unit);
        lutra_json_set_bool(object, "less_is_better", item->less_is_better);
        lutra_json_set_f64(object, "median", item->median);
        lutra_json_set_f64(object, "best", item->best);
        lutra_json_set_f64(object, "worst", item->worst);
        lutra_json_set_i64(object, "repeats", item->repeats);
        const BenchItem *const other =
            options->baseline != NULL ? bench_find(before, item->name) : NULL;
        if (other != NULL) {
            lutra_json_set_f64(object, "baseline_median", other->median);
            lutra_json_set_f64(object, "relative_speed", bench_relative_speed(item, other));
        }
    }
    return cli_print_json(COMMAND, &json);
}

/** Prints what was measured; the exit code. */
static int report(const Options *options, const BenchItems *now, const BenchItems *before) {
    uint32_t compared = 0;
    const uint32_t slower = count_slower(&compared, now, before, options->slower);
    const bool compare = options->baseline != NULL;
    if (compare && (strcmp(now->cpu, before->cpu) != 0 || strcmp(now->sets, before->sets) != 0)) {
        cli_note(&options->common, COMMAND, "the baseline is of another processor: %s; %s",
                 before->cpu, before->sets);
    }
    if (compare && compared == 0) {
        cli_warn(&options->common, COMMAND, "the baseline has none of these items");
    }
    if (options->common.json) {
        const int code = print_json(options, now, before, slower);
        if (code != CLI_EXIT_DONE) {
            return code;
        }
    } else {
        print_text(options, now, before);
    }
    if (slower > 0) {
        cli_note(&options->common, COMMAND, "%u of %u items are slower than 1/%g of the baseline",
                 slower, compared, options->slower);
        const int code = cli_end_text("lutra " COMMAND);
        return code != CLI_EXIT_DONE ? code : CLI_EXIT_CONDITION;
    }
    return CLI_EXIT_DONE;
}

static LutraStatus run_groups(Bench *bench, const Options *options, LutraError *error) {
    for (size_t i = 0; i < GROUPS; i++) {
        if (options->wanted[i]) {
            LUTRA_TRY(groups[i].run(bench, error));
        }
    }
    return LUTRA_OK;
}

/* ---- calibration ---- */

static int report_profile(const Options *options, const LutraMachineProfile *profile,
                          const char *path) {
    if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.bench/1");
        lutra_json_set_text(json, "profile", path);
        lutra_json_set_text(json, "cpu", profile->cpu);
        lutra_json_set_text(json, "backend", profile->backend);
        lutra_json_set_i64(json, "threads", profile->threads);
        return cli_print_json(COMMAND, &json);
    }
    LutraError error = {""};
    char *text = NULL;
    const LutraStatus status = lutra_machine_profile_text(&text, profile, &error);
    if (status != LUTRA_OK) {
        return cli_fail(COMMAND, status, &error);
    }
    fputs(text, stdout);
    lutra_free(&text);
    cli_note(&options->common, COMMAND, "'%s' is the profile of this machine", path);
    return cli_end_text("lutra " COMMAND);
}

/** Finds where the profile goes; makes the folder if that is the usual one. */
static LutraStatus prepare_profile(char **path, const Options *options, LutraError *error) {
    if (options->profile != NULL) {
        LUTRA_TRY(lutra_string_copy(path, options->profile, error));
    } else {
        LUTRA_TRY(cli_profile_default_path(path, error));
        char *const slash = strrchr(*path, '/');
        *slash = '\0';
        const LutraStatus made = lutra_folder_create(*path, error);
        *slash = '/';
        LUTRA_TRY(made);
    }
    return lutra_file_check_output(*path, options->common.force, error);
}

static int calibrate(const Options *options) {
    LutraStatus status = LUTRA_OK;
    LutraError error = {""};
    LutraMachineProfile profile;
    CliProgress progress;
    char *path = NULL;
    int code = CLI_EXIT_DONE;
    LUTRA_TRY_GOTO(status, lutra_backend_check(lutra_backend_tfhe(), &error));
    LUTRA_TRY_GOTO(status, prepare_profile(&path, options, &error));
    cli_progress_start(&progress, &options->common);
    const BenchCalibration calibration = {&options->common, &progress,
                                          options->smallest_log2_poly,
                                          options->largest_log2_poly};
    status = bench_calibrate(&profile, &calibration, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK) {
        status = lutra_machine_profile_write(&profile, path, options->common.force, &error);
    }
    if (status == LUTRA_OK) {
        code = report_profile(options, &profile, path);
    }
done:
    lutra_free(&path);
    return status == LUTRA_OK ? code : cli_fail(COMMAND, status, &error);
}

int cmd_bench(int argc, char **argv) {
    Options options = {.seconds = 1.0,
                       .repeats = 11,
                       .slower = 1.5,
                       .smallest_log2_poly = LUTRA_SMALLEST_LOG2_POLY,
                       .largest_log2_poly = 13};
    cli_parse(&argp, argc, argv, &options);
    if (options.calibrate) {
        return calibrate(&options);
    }
    LutraStatus status = LUTRA_OK;
    LutraError error = {""};
    BenchItems before = {0};
    CliProgress progress;
    Bench bench = {.common = &options.common,
                   .seconds = options.seconds,
                   .repeats = options.repeats,
                   .circuit_path = options.circuit,
                   .progress = &progress};
    int code = CLI_EXIT_DONE;
    if (options.csv != NULL) {
        LUTRA_TRY_GOTO(status,
                       lutra_file_check_output(options.csv, options.common.force, &error));
    }
    if (options.baseline != NULL) {
        LUTRA_TRY_GOTO(status, bench_read_csv(&before, options.baseline, &error));
    }
    describe_machine(&bench.results, options.common.cpu_flags);
    cli_progress_start(&progress, &options.common);
    status = run_groups(&bench, &options, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK && options.csv != NULL) {
        status = bench_write_csv(&bench.results, options.csv, options.common.force, &error);
    }
    if (status == LUTRA_OK) {
        code = report(&options, &bench.results, &before);
    }
done:
    bench_items_deinit(&before);
    bench_items_deinit(&bench.results);
    return status == LUTRA_OK ? code : cli_fail(COMMAND, status, &error);
}
