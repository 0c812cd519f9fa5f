/* SPDX-License-Identifier: Apache-2.0 */
/* lutra evaluate: accuracy of a quantized model on a dataset. */
#include <inttypes.h>
#include <stdio.h>

#include "base/chart.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/csv_file.h"
#include "train/evaluate.h"

#define COMMAND "evaluate"

enum { KEY_DATA = 0x2000, KEY_SPLIT, KEY_LIMIT, KEY_LOGITS, KEY_CONFUSION, BATCH = 100 };

typedef struct {
    CliCommon common;
    const char *model;
    const char *data;
    const char *logits;
    const char *confusion;
    LutraSplitKind split;
    uint64_t limit;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "What to evaluate on:", 1},
    {"data", KEY_DATA, "D.h5", 0, "dataset", 1},
    {"split", KEY_SPLIT, "SPLIT", 0, "test (default) or train", 1},
    {"limit", KEY_LIMIT, "N", 0, "the first N images only", 1},
    {NULL, 0, NULL, 0, "Output:", 2},
    {"logits", KEY_LOGITS, "CSV", 0, "write the logits of every image", 2},
    {"confusion", KEY_CONFUSION, "PNG", 0, "draw the confusion matrix", 2},
    {0}};

static const char documentation[] =
    "Accuracy of a trained model with quantized weights and activations: what its circuit "
    "gives without rounding and noise."
    "\v"
    "Examples:\n"
    "  lutra evaluate mlp.h5 --data fmnist.h5\n"
    "  lutra evaluate vgg9.h5 --data cifar10.h5 --split train --limit 5000 --json\n"
    "  lutra evaluate lean.h5 --data cifar10.h5 --confusion confusion.png\n"
    "\n"
    "Writes no files unless asked. Exit codes: 0 done, 2 usage, 3 bad data, 4 environment, "
    "130 interrupted.";

static void check_complete(const Options *options, struct argp_state *state) {
    if (options->model == NULL || options->data == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' is missing",
                     options->model == NULL ? "MODEL.h5" : "--data");
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data = argument; return 0;
        case KEY_LOGITS: options->logits = argument; return 0;
        case KEY_CONFUSION: options->confusion = argument; return 0;
        case KEY_SPLIT: options->split = cli_parse_split(state, argument); return 0;
        case KEY_LIMIT:
            options->limit = cli_parse_u64(state, "--limit", argument, 1, UINT32_MAX);
            return 0;
        case ARGP_KEY_ARG:
            if (options->model != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one model at a time; '%s' is a second one",
                             argument);
            }
            options->model = argument;
            return 0;
        case ARGP_KEY_END: check_complete(options, state); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

/* Everything that one evaluation makes. */
typedef struct {
    LutraModel model;
    LutraDataset data;
    LutraEvaluation result;
    float *logits; /* (images, classes) */
    double seconds;
} Work;

static void work_deinit(Work *work) {
    lutra_free(&work->logits);
    lutra_dataset_deinit(&work->data);
    lutra_model_deinit(&work->model);
}

static LutraStatus evaluate(Work *work, const Options *options, const LutraProgress *progress,
                            LutraError *error) {
    if (options->logits != NULL) {
        LUTRA_TRY(lutra_file_check_output(options->logits, options->common.force, error));
    }
    if (options->confusion != NULL) {
        LUTRA_TRY(lutra_file_check_output(options->confusion, options->common.force, error));
    }
    LUTRA_TRY(lutra_model_read(&work->model, options->model, error));
    LUTRA_TRY(lutra_dataset_read(&work->data, options->data, 1u << options->split, options->limit,
                                 error));
    const uint64_t images = work->data.splits[options->split].count;
    if (images == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no %s images", options->data,
                               lutra_split_name(options->split));
    }
    if (options->logits != NULL || options->confusion != NULL) {
        LUTRA_TRY(lutra_alloc(&work->logits, images * work->model.network.class_count,
                              sizeof *work->logits, error));
    }
    const LutraEvaluateSettings settings = {BATCH, options->common.threads,
                                            options->common.cpu_flags, LUTRA_LOSS_CROSS_ENTROPY};
    const double start = lutra_seconds();
    LUTRA_TRY(lutra_evaluate(&work->result, work->logits, &work->model, &work->data, options->split,
                             &settings, progress, error));
    work->seconds = lutra_seconds() - start;
    return LUTRA_OK;
}

/* The class of the largest logit; of equal ones the lower class. */
static size_t answer(const float *logits, size_t classes) {
    size_t best = 0;
    for (size_t c = 1; c < classes; c++) {
        best = logits[c] > logits[best] ? c : best;
    }
    return best;
}

static LutraStatus write_confusion(const Work *work, const Options *options, LutraError *error) {
    const size_t classes = work->model.network.class_count;
    const uint16_t *labels = work->data.splits[options->split].labels;
    char subtitle[256];
    uint64_t *counts = NULL;
    LUTRA_TRY(lutra_alloc(&counts, classes * classes, sizeof *counts, error));
    for (uint64_t n = 0; n < work->result.images; n++) {
        counts[(labels[n] * classes) + answer(work->logits + (n * classes), classes)]++;
    }
    (void)snprintf(subtitle, sizeof subtitle, "%s, %s split, %" PRIu64 " images, top-1 %.2f %%",
                   work->data.name, lutra_split_name(options->split), work->result.images,
                   100.0 * (double)work->result.right1 / (double)work->result.images);
    const LutraStatus status = lutra_chart_write_confusion(
        work->model.network.name, subtitle, counts, (const char *const *)work->data.class_names,
        (uint32_t)classes, options->confusion, options->common.force, error);
    lutra_free(&counts);
    return status;
}

static int report(const Work *work, const Options *options) {
    const double images = (double)work->result.images;
    const double top1 = (double)work->result.right1 / images;
    const double top5 = (double)work->result.right5 / images;
    if (!options->common.json) {
        char count[32];
        printf("%s: %s %s images of %s: top-1 %.2f %%, top-5 %.2f %%, loss %.4f (%.2f s)\n",
               options->model, cli_grouped(count, work->result.images),
               lutra_split_name(options->split), work->data.name, 100.0 * top1, 100.0 * top5,
               work->result.loss, work->seconds);
        printf("data: %s\n", work->data.source);
        return CLI_EXIT_DONE;
    }
    LutraJson *object = lutra_json_create("lutra.evaluate/1");
    lutra_json_set_text(object, "model", options->model);
    lutra_json_set_text(object, "network", work->model.network.name);
    lutra_json_set_text(object, "data", work->data.name);
    lutra_json_set_text(object, "data_source", work->data.source);
    lutra_json_set_text(object, "data_checksum", work->data.checksum);
    lutra_json_set_text(object, "split", lutra_split_name(options->split));
    lutra_json_set_i64(object, "images", (int64_t)work->result.images);
    lutra_json_set_f64(object, "top1", top1);
    lutra_json_set_f64(object, "top5", top5);
    lutra_json_set_f64(object, "loss_cross_entropy", work->result.loss);
    lutra_json_set_f64(object, "seconds", work->seconds);
    lutra_json_set_f64(object, "images_per_second", images / work->seconds);
    lutra_json_set_i64(object, "threads", options->common.threads);
    return cli_print_json(COMMAND, &object);
}

int cmd_evaluate(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, "MODEL.h5", documentation,
                                     children,     NULL,         NULL};
    Options options = {.split = LUTRA_SPLIT_TEST};
    Work work = {0};
    CliProgress progress;
    LutraError error = {""};
    cli_parse(&argp, argc, argv, &options);
    cli_progress_start(&progress, &options.common);
    LutraStatus status = evaluate(&work, &options, &progress.progress, &error);
    cli_progress_stop(&progress);
    if (status == LUTRA_OK && options.logits != NULL) {
        status = cli_write_logits(options.logits, options.common.force,
                                  work.data.splits[options.split].labels, work.logits,
                                  work.result.images, work.model.network.class_count, &error);
    }
    if (status == LUTRA_OK && options.confusion != NULL) {
        status = write_confusion(&work, &options, &error);
    }
    const int code =
        status == LUTRA_OK ? report(&work, &options) : cli_fail(COMMAND, status, &error);
    work_deinit(&work);
    return code;
}
