/* SPDX-License-Identifier: Apache-2.0 */
/* lutra dataset: turns published image collections into one file, describes it and shows it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/chart.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "datasets/cifar.h"
#include "datasets/dataset.h"
#include "datasets/idx.h"
#include "datasets/png_folder.h"

enum { KEY_NAME = 0x2000, KEY_NOTE, KEY_SPLIT, KEY_COUNT, MAX_WORDS = 3, MAX_TILES = 1000 };
enum { TILE_COLUMNS = 10, DEFAULT_TILES = 40, BOTH_SPLITS = 3 };

typedef enum { ACTION_IMPORT = 0, ACTION_INFO = 1, ACTION_SHOW = 2 } Action;

/* The order is that of the words in parse_word's tables. */
typedef enum { FORMAT_CIFAR10 = 0, FORMAT_CIFAR100 = 1, FORMAT_IDX = 2, FORMAT_PNG = 3 } Format;

typedef struct {
    CliCommon common;
    Action action;
    Format format;
    const char *words[MAX_WORDS]; /* action and its arguments */
    unsigned word_count;
    const char *output;
    const char *name;
    const char *note;
    const char *split_word; /* as given; NULL = default */
    LutraSplitKind split;
    uint64_t count; /* 0 = default */
} Options;

static const char *const action_words[] = {"import", "info", "show", NULL};
static const char *const format_words[] = {"cifar10", "cifar100", "idx", "png", NULL};

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "import: the dataset to write; show: the PNG to write", 1},
    {"name", KEY_NAME, "NAME", 0,
     "import: name kept in the dataset (default: from the source); 'fashion-mnist' brings its "
     "class names",
     1},
    {"note", KEY_NOTE, "TEXT", 0, "import: remark kept with the source, shown in reports", 1},
    {"split", KEY_SPLIT, "SPLIT", 0, "show: train or test (default test)", 1},
    {"count", KEY_COUNT, "N", 0, "show: images, from the start of the split (default 40)", 1},
    {0}};

static const char help_usage[] =
    "import cifar10|cifar100|idx|png SRC -o D.h5\n"
    "info D.h5\n"
    "show D.h5 -o GRID.png";

static const char help_text[] =
    "Reads published image collections into one HDF5 file, describes such a file, or draws its "
    "images.\n\nSRC is a folder:\n"
    "  cifar10   data_batch_1.bin ..., or the Python files data_batch_1 ...\n"
    "  cifar100  train.bin and test.bin, or the Python files train and test\n"
    "  idx       train-images-idx3-ubyte[.gz] and its three companions (MNIST)\n"
    "  png       train/CLASS/*.png and test/CLASS/*.png, all of one size"
    "\v"
    "Examples:\n"
    "  lutra dataset import idx /usr/share/datasets/fashion-mnist -o fmnist.h5\n"
    "  lutra dataset show fmnist.h5 --split test --count 20 -o fmnist.png\n\n"
    "Exit codes: 0 done, 2 usage, 3 bad input data, 4 file or memory.";

/* ---- command line ---- */

static void check_complete(struct argp_state *state, Options *options) {
    static const unsigned wanted[] = {3, 2, 2};
    if (options->word_count == 0) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "what to do is missing; should be one of import, info, show");
    }
    options->action =
        (Action)cli_parse_word(state, "dataset ACTION", options->words[0], action_words);
    const char *const action = action_words[options->action];
    if (options->action == ACTION_IMPORT && options->word_count > 1) {
        options->format =
            (Format)cli_parse_word(state, "dataset import", options->words[1], format_words);
    }
    if (options->word_count < wanted[options->action]) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' needs %s", action,
                     options->action == ACTION_IMPORT ? "a format and a folder" : "a dataset file");
    }
    if (options->word_count > wanted[options->action]) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "unexpected argument '%s' for '%s'",
                     options->words[wanted[options->action]], action);
    }
    if (options->action != ACTION_INFO && options->output == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' needs an output file: -o FILE", action);
    }
    const bool foreign =
        (options->action != ACTION_IMPORT && (options->name != NULL || options->note != NULL)) ||
        (options->action != ACTION_SHOW && (options->split_word != NULL || options->count != 0)) ||
        (options->action == ACTION_INFO && options->output != NULL);
    if (foreign) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "an option does not belong to '%s'; 'lutra dataset --help' lists them",
                     action);
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case 'o': options->output = argument; return 0;
        case KEY_NAME:
            if (argument[0] == '\0') {
                argp_failure(state, CLI_EXIT_USAGE, 0, "invalid value '' for '--name'");
            }
            options->name = argument;
            return 0;
        case KEY_NOTE: options->note = argument; return 0;
        case KEY_SPLIT:
            options->split_word = argument;
            options->split = cli_parse_split(state, argument);
            return 0;
        case KEY_COUNT:
            options->count = cli_parse_u64(state, "--count", argument, 1, MAX_TILES);
            return 0;
        case ARGP_KEY_ARG:
            if (options->word_count == MAX_WORDS) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "unexpected argument '%s'", argument);
                return EINVAL;
            }
            options->words[options->word_count++] = argument;
            return 0;
        case ARGP_KEY_END: check_complete(state, options); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- import ---- */

static LutraStatus read_source(LutraDataset *dataset, const Options *options, LutraError *error) {
    const char *const folder = options->words[2];
    switch (options->format) {
        case FORMAT_CIFAR10:
            return lutra_cifar_read(dataset, LUTRA_CIFAR_10, folder, options->name, error);
        case FORMAT_CIFAR100:
            return lutra_cifar_read(dataset, LUTRA_CIFAR_100, folder, options->name, error);
        case FORMAT_IDX: return lutra_idx_read(dataset, folder, options->name, error);
        case FORMAT_PNG: return lutra_png_folder_read(dataset, folder, options->name, error);
    }
    return LUTRA_EBUG;
}

/* "SOURCE; NOTE" */
static LutraStatus add_note(LutraDataset *dataset, const char *note, LutraError *error) {
    char source[1024];
    (void)snprintf(source, sizeof source, "%s; %s", dataset->source, note);
    return lutra_dataset_set_origin(dataset, dataset->name, source, error);
}

/* What all three actions say about a dataset in JSON. */
static LutraJson *describe(const LutraDataset *dataset, const char *schema, const char *path) {
    LutraJson *const json = lutra_json_create(schema);
    lutra_json_set_text(json, "path", path);
    lutra_json_set_text(json, "name", dataset->name);
    lutra_json_set_text(json, "source", dataset->source);
    lutra_json_set_i64(json, "channels", dataset->channels);
    lutra_json_set_i64(json, "height", dataset->height);
    lutra_json_set_i64(json, "width", dataset->width);
    lutra_json_set_i64(json, "train_images", (int64_t)dataset->stored_counts[0]);
    lutra_json_set_i64(json, "test_images", (int64_t)dataset->stored_counts[1]);
    if (dataset->checksum[0] != '\0') {
        lutra_json_set_text(json, "checksum", dataset->checksum);
    }
    return json;
}

static LutraStatus import(LutraDataset *dataset, const Options *options, LutraError *error) {
    /* The output is checked first: reading takes a while. */
    LUTRA_TRY(lutra_file_check_output(options->output, options->common.force, error));
    LUTRA_TRY(read_source(dataset, options, error));
    if (options->note != NULL) {
        LUTRA_TRY(add_note(dataset, options->note, error));
    }
    if (cli_interrupted()) {
        return lutra_error_set(error, LUTRA_ECANCELLED, "interrupted; nothing was written");
    }
    return lutra_dataset_write(dataset, options->output, options->common.force, error);
}

static int run_import(const Options *options) {
    static const char command[] = "dataset import";
    LutraError error = {""};
    LutraDataset dataset = {0};
    CliProgress progress;
    cli_progress_start(&progress, &options->common);
    const double started = lutra_seconds();
    const LutraStatus status = import(&dataset, options, &error);
    cli_progress_stop(&progress);
    int code = CLI_EXIT_DONE;
    if (status != LUTRA_OK) {
        code = cli_fail(command, status, &error);
    } else if (options->common.json) {
        LutraJson *json = describe(&dataset, "lutra.dataset_import/1", options->output);
        lutra_json_set_i64(json, "classes", dataset.class_count);
        lutra_json_set_f64(json, "seconds", lutra_seconds() - started);
        code = cli_print_json(command, &json);
    } else {
        char train[32];
        char test[32];
        printf("%s: %s, %s train and %s test images of %" PRIu32 " x %" PRIu32 " x %" PRIu32
               ", %" PRIu32 " classes\n",
               options->output, dataset.name, cli_grouped(train, dataset.splits[0].count),
               cli_grouped(test, dataset.splits[1].count), dataset.channels, dataset.height,
               dataset.width, dataset.class_count);
    }
    lutra_dataset_deinit(&dataset);
    return code;
}

/* ---- info ---- */

/* Images per class of both splits: counts[2 * class + split]. */
static LutraStatus count_classes(uint64_t **counts, const LutraDataset *dataset,
                                 LutraError *error) {
    LUTRA_TRY(lutra_alloc(counts, (size_t)dataset->class_count * 2, sizeof **counts, error));
    for (size_t s = 0; s < 2; s++) {
        for (uint64_t i = 0; i < dataset->splits[s].count; i++) {
            (*counts)[2u * dataset->splits[s].labels[i] + s]++;
        }
    }
    return LUTRA_OK;
}

static int print_info_json(const LutraDataset *dataset, const uint64_t *counts, const char *path) {
    LutraJson *json = describe(dataset, "lutra.dataset_info/1", path);
    LutraJson *const classes = lutra_json_set_array(json, "classes");
    for (uint32_t i = 0; i < dataset->class_count; i++) {
        LutraJson *const one = lutra_json_add_object(classes);
        lutra_json_set_text(one, "name", dataset->class_names[i]);
        lutra_json_set_i64(one, "train_images", (int64_t)counts[2 * i]);
        lutra_json_set_i64(one, "test_images", (int64_t)counts[2 * i + 1]);
    }
    return cli_print_json("dataset info", &json);
}

static void print_info(const LutraDataset *dataset, const uint64_t *counts) {
    char train[32];
    char test[32];
    printf("name      %s\nsource    %s\n", dataset->name, dataset->source);
    printf("images    %" PRIu32 " x %" PRIu32 " x %" PRIu32
           " (channels x height x width), 8 bits\n",
           dataset->channels, dataset->height, dataset->width);
    printf("checksum  %s\n\n", dataset->checksum);
    size_t widest = 5;
    for (uint32_t i = 0; i < dataset->class_count; i++) {
        const size_t length = strlen(dataset->class_names[i]);
        widest = length > widest ? length : widest;
    }
    printf("%5s  %-*s  %9s  %9s\n", "label", (int)widest, "class", "train", "test");
    for (uint32_t i = 0; i < dataset->class_count; i++) {
        printf("%5" PRIu32 "  %-*s  %9s  %9s\n", i, (int)widest, dataset->class_names[i],
               cli_grouped(train, counts[2 * i]), cli_grouped(test, counts[2 * i + 1]));
    }
    printf("%5s  %-*s  %9s  %9s\n", "", (int)widest, "total",
           cli_grouped(train, dataset->stored_counts[0]),
           cli_grouped(test, dataset->stored_counts[1]));
}

static int run_info(const Options *options) {
    LutraError error = {""};
    LutraDataset dataset = {0};
    uint64_t *counts = NULL;
    LutraStatus status = lutra_dataset_read(&dataset, options->words[1], BOTH_SPLITS, 0, &error);
    if (status == LUTRA_OK) {
        status = count_classes(&counts, &dataset, &error);
    }
    int code = CLI_EXIT_DONE;
    if (status != LUTRA_OK) {
        code = cli_fail("dataset info", status, &error);
    } else if (options->common.json) {
        code = print_info_json(&dataset, counts, options->words[1]);
    } else {
        print_info(&dataset, counts);
    }
    lutra_free(&counts);
    lutra_dataset_deinit(&dataset);
    return code;
}

/* ---- show ---- */

/* Draws the first images of the loaded split; *shown is how many. */
static LutraStatus draw(uint64_t *shown, const LutraDataset *dataset, const Options *options,
                        LutraError *error) {
    const LutraSplit *const split = &dataset->splits[options->split];
    LutraTile *tiles = NULL;
    char title[200];
    if (split->count == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no %s images", options->words[1],
                               lutra_split_name(options->split));
    }
    LUTRA_TRY(lutra_alloc(&tiles, (size_t)split->count, sizeof *tiles, error));
    const size_t bytes = (size_t)dataset->channels * dataset->height * dataset->width;
    for (uint64_t i = 0; i < split->count; i++) {
        tiles[i] = (LutraTile){.planes = split->images + i * bytes,
                               .caption = dataset->class_names[split->labels[i]]};
    }
    (void)snprintf(title, sizeof title, "%s, %s images 1 to %" PRIu64, dataset->name,
                   lutra_split_name(options->split), split->count);
    const LutraStatus status = lutra_chart_write_grid(
        title, tiles, (size_t)split->count, TILE_COLUMNS, dataset->channels, dataset->height,
        dataset->width, options->output, options->common.force, error);
    lutra_free(&tiles);
    *shown = split->count;
    return status;
}

static int run_show(const Options *options) {
    static const char command[] = "dataset show";
    LutraError error = {""};
    LutraDataset dataset = {0};
    uint64_t shown = 0;
    const uint64_t count = options->count == 0 ? DEFAULT_TILES : options->count;
    LutraStatus status = lutra_file_check_output(options->output, options->common.force, &error);
    if (status == LUTRA_OK) {
        status =
            lutra_dataset_read(&dataset, options->words[1], 1u << options->split, count, &error);
    }
    if (status == LUTRA_OK) {
        status = draw(&shown, &dataset, options, &error);
    }
    int code = CLI_EXIT_DONE;
    if (status != LUTRA_OK) {
        code = cli_fail(command, status, &error);
    } else if (options->common.json) {
        LutraJson *json = describe(&dataset, "lutra.dataset_show/1", options->words[1]);
        lutra_json_set_text(json, "picture", options->output);
        lutra_json_set_text(json, "split", lutra_split_name(options->split));
        lutra_json_set_i64(json, "images", (int64_t)shown);
        code = cli_print_json(command, &json);
    } else {
        printf("%s: %" PRIu64 " %s images of %s\n", options->output, shown,
               lutra_split_name(options->split), dataset.name);
    }
    lutra_dataset_deinit(&dataset);
    return code;
}

int cmd_dataset(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, help_usage, help_text,
                                     children,     NULL,         NULL};
    Options options = {.split = LUTRA_SPLIT_TEST};
    cli_parse(&argp, argc, argv, &options);
    switch (options.action) {
        case ACTION_IMPORT: return run_import(&options);
        case ACTION_INFO: return run_info(&options);
        case ACTION_SHOW: return run_show(&options);
    }
    return CLI_EXIT_BUG;
}
