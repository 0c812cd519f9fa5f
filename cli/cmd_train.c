/* SPDX-License-Identifier: Apache-2.0 */
/* lutra train: a network file and a dataset to a model file. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/chart.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "quant/network_compare.h"
#include "train/checkpoint.h"
#include "train/gemm.h"
#include "train/warm_start.h"

#define COMMAND "train"

enum {
    KEY_DATA = 0x2000,
    KEY_EPOCHS,
    KEY_BATCH,
    KEY_RATE,
    KEY_ROUNDING,
    KEY_NOISE,
    KEY_P_ERROR,
    KEY_VALIDATION,
    KEY_SET,
    KEY_INIT,
    KEY_TEACHER,
    KEY_RESUME,
    KEY_CURVE,
    KEY_LIMIT,
    KEY_MINUTES,
    KEY_STRIP,
    MOST_CHANGES = 32
};

/* One training key that the command line changes. */
typedef struct {
    char key[40];
    const char *value;
} Change;

typedef struct {
    CliCommon common;
    const char *network;
    const char *data;
    const char *output;
    const char *init;
    const char *teacher;
    const char *curve;
    Change changes[MOST_CHANGES];
    size_t change_count;
    uint64_t limit;
    double checkpoint_minutes;
    bool resume;
    bool strip;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "What to train on, and into what:", 1},
    {"data", KEY_DATA, "D.h5", 0, "dataset", 1},
    {"output", 'o', "M.h5", 0, "model file; rewritten after every epoch", 1},
    {"init", KEY_INIT, "M.h5", 0, "begin with the weights of another model", 1},
    {"teacher", KEY_TEACHER, "T.h5", 0,
     "learn from the logits of a trained model too (keys teacher_weight, teacher_temperature, "
     "teacher_fade, views)",
     1},
    {"resume", KEY_RESUME, NULL, 0, "go on where the output file stands", 1},
    {"limit-train", KEY_LIMIT, "N", 0, "use the first N training images only", 1},
    {NULL, 0, NULL, 0, "Changes to the network file's [training] section:", 2},
    {"epochs", KEY_EPOCHS, "E", 0, "passes over the training images", 2},
    {"batch", KEY_BATCH, "N", 0, "images of one step", 2},
    {"learning-rate", KEY_RATE, "R", 0, "learning rate at its peak", 2},
    {"rounding", KEY_ROUNDING, "P", 0,
     "train for circuits compiled with --rounding P: sums keep P bits before every activation", 2},
    {"noise", KEY_NOISE, "S", 0,
     "Gaussian noise on sums before every activation, deviation in cells of the rounding, such as "
     "0.2",
     2},
    {"p-error", KEY_P_ERROR, "P", 0,
     "the same noise, by the probability that a value in the middle of its cell is read wrongly, "
     "as in compile --p-error",
     2},
    {"validation", KEY_VALIDATION, "N", 0, "training images held out", 2},
    {"set", KEY_SET, "KEY=VALUE", 0, "any other key, such as schedule=linear", 2},
    {NULL, 0, NULL, 0, "Output:", 3},
    {"curve", KEY_CURVE, "PNG", 0, "picture of accuracy over epochs", 3},
    {"checkpoint-minutes", KEY_MINUTES, "M", 0,
     "also save inside an epoch after M minutes (default 10, 0: never)", 3},
    {"strip", KEY_STRIP, NULL, 0, "leave the training state out of the finished model file", 3},
    {0}};

static const char documentation[] =
    "Trains a quantized network."
    "\v"
    "Ctrl-C keeps everything up to the last step; --resume goes on to the same result.\n"
    "\n"
    "Examples:\n"
    "  lutra train fmnist-mlp.ini --data fmnist.h5 -o mlp.h5\n"
    "  lutra train vgg9.ini --data cifar10.h5 --epochs 10 -o vgg9.h5 \\\n"
    "      --curve vgg9.png\n"
    "  lutra train lean.ini --data cifar10.h5 --teacher teacher.h5 -o lean.h5 \\\n"
    "      --set average_keep=0.999\n"
    "\n"
    "Writes the model file and, if asked, a picture. Exit codes: 0 done, 2 usage, 3 bad "
    "data or a training that diverged, 4 environment, 130 interrupted.";

static void add_change(Options *options, struct argp_state *state, const char *key,
                       size_t key_bytes, const char *value) {
    LutraRecipe scratch;
    LutraError error = {""};
    if (options->change_count == MOST_CHANGES || key_bytes >= sizeof options->changes[0].key) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "too many or too long changes of training keys");
        return;
    }
    Change *change = &options->changes[options->change_count++];
    (void)snprintf(change->key, sizeof change->key, "%.*s", (int)key_bytes, key);
    change->value = value;
    lutra_recipe_default(&scratch);
    if (lutra_recipe_set(&scratch, change->key, value, &error) != LUTRA_OK) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "%s", error.message);
    }
}

static void add_named_change(Options *options, struct argp_state *state, const char *key,
                             const char *value) {
    add_change(options, state, key, strlen(key), value);
}

static void add_set(Options *options, struct argp_state *state, const char *text) {
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '--set'; should be KEY=VALUE", text);
        return;
    }
    add_change(options, state, text, (size_t)(equals - text), equals + 1);
}

static void check_complete(const Options *options, struct argp_state *state) {
    if (options->network == NULL || options->data == NULL || options->output == NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' is missing",
                     options->network == NULL ? "NETWORK.ini"
                     : options->data == NULL  ? "--data"
                                              : "--output");
    }
    if (options->resume && options->init != NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "'--resume' goes on with the weights of the output file; leave out '--init'");
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    Options *options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data = argument; return 0;
        case 'o': options->output = argument; return 0;
        case KEY_INIT: options->init = argument; return 0;
        case KEY_TEACHER: options->teacher = argument; return 0;
        case KEY_RESUME: options->resume = true; return 0;
        case KEY_CURVE: options->curve = argument; return 0;
        case KEY_STRIP: options->strip = true; return 0;
        case KEY_EPOCHS: add_named_change(options, state, "epochs", argument); return 0;
        case KEY_BATCH: add_named_change(options, state, "batch", argument); return 0;
        case KEY_RATE: add_named_change(options, state, "learning_rate", argument); return 0;
        case KEY_ROUNDING: add_named_change(options, state, "rounding", argument); return 0;
        case KEY_P_ERROR: add_named_change(options, state, "p_error", argument); return 0;
        case KEY_NOISE: add_named_change(options, state, "noise", argument); return 0;
        case KEY_VALIDATION: add_named_change(options, state, "validation", argument); return 0;
        case KEY_SET: add_set(options, state, argument); return 0;
        case KEY_LIMIT:
            options->limit = cli_parse_u64(state, "--limit-train", argument, 1, UINT32_MAX);
            return 0;
        case KEY_MINUTES:
            options->checkpoint_minutes =
                cli_parse_f64(state, "--checkpoint-minutes", argument, 0.0, 1e6);
            return 0;
        case ARGP_KEY_ARG:
            if (options->network != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "one network file at a time; '%s' is a "
                             "second one",
                             argument);
            }
            options->network = argument;
            return 0;
        case ARGP_KEY_END: check_complete(options, state); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

/* Everything that one training makes. */
typedef struct {
    LutraModel model;
    LutraModel teacher; /* empty without one */
    LutraDataset data;
    LutraTraining training;
    LutraRecipe recipe;
    bool resumed;
} Work;

static void work_deinit(Work *work) {
    lutra_training_deinit(&work->training);
    lutra_dataset_deinit(&work->data);
    lutra_model_deinit(&work->model);
    lutra_model_deinit(&work->teacher);
}

static LutraStatus read_recipe(Work *work, const Options *options, const LutraNetwork *network,
                               LutraError *error) {
    LUTRA_TRY(lutra_recipe_parse(&work->recipe, network->text, options->network, error));
    for (size_t i = 0; i < options->change_count; i++) {
        LUTRA_TRY(lutra_recipe_set(&work->recipe, options->changes[i].key,
                                   options->changes[i].value, error));
    }
    return LUTRA_OK;
}

static LutraStatus begin_with(Work *work, const Options *options, LutraError *error) {
    LutraModel other = {0};
    uint32_t copied = 0;
    uint32_t kept = 0;
    LUTRA_TRY(lutra_model_read(&other, options->init, error));
    const LutraStatus status = lutra_warm_start(&work->model, &other, &copied, &kept, error);
    lutra_model_deinit(&other);
    if (status == LUTRA_OK && kept > 0) {
        cli_warn(&options->common, COMMAND,
                 "%" PRIu32 " of %" PRIu32
                 " layers are not in '%s' and "
                 "begin at random",
                 kept, kept + copied, options->init);
    }
    return status;
}

/* What the network computes must be the same; comments and [training] may differ, for the recipe is
 * compared key by key. */
static LutraStatus check_same_network(const Work *work, const LutraNetwork *network,
                                      const Options *options, LutraError *error) {
    if (!lutra_network_same(&work->model.network, network)) {
        return lutra_error_set(error, LUTRA_EINVAL, "'%s' holds another network than '%s'",
                               options->output, options->network);
    }
    return LUTRA_OK;
}

static LutraStatus resume(Work *work, const LutraNetwork *network, const Options *options,
                          LutraError *error) {
    LUTRA_TRY(lutra_checkpoint_read(&work->training, &work->model, options->output, error));
    LUTRA_TRY(check_same_network(work, network, options, error));
    LUTRA_TRY(lutra_training_check_same(&work->training, &work->recipe, options->common.seed,
                                        &work->data, error));
    work->resumed = true;
    cli_note(&options->common, COMMAND,
             "going on after epoch %" PRIu32 " of %" PRIu32 ", step %" PRIu64, work->training.epoch,
             work->recipe.epochs, work->training.step);
    return LUTRA_OK;
}

static LutraStatus begin(Work *work, LutraNetwork *network, const Options *options,
                         LutraError *error) {
    LUTRA_TRY(lutra_file_check_output(options->output, options->common.force, error));
    LUTRA_TRY(lutra_model_create(&work->model, network, options->common.seed, error));
    if (options->init != NULL) {
        LUTRA_TRY(begin_with(work, options, error));
    }
    LUTRA_TRY(lutra_training_init(&work->training, &work->model, &work->recipe,
                                  options->common.seed, &work->data, error));
    lutra_training_set_teacher(&work->training, options->teacher == NULL ? NULL : &work->teacher);
    return LUTRA_OK;
}

static LutraStatus set_provenance(Work *work, const Options *options, LutraError *error) {
    char text[LUTRA_RECIPE_TEXT_BYTES];
    char *json = NULL;
    LutraJson *object = lutra_json_create("lutra.provenance/1");
    lutra_recipe_text(text, &work->recipe);
    lutra_json_set_text(object, "command", COMMAND);
    lutra_json_set_text(object, "version", LUTRA_VERSION);
    lutra_json_set_text(object, "recipe", text);
    lutra_json_set_i64(object, "seed", (int64_t)options->common.seed);
    lutra_json_set_text(object, "data", work->data.name);
    lutra_json_set_text(object, "data_source", work->data.source);
    lutra_json_set_text(object, "data_checksum", work->data.checksum);
    lutra_json_set_i64(object, "train_images", (int64_t)work->training.train_images);
    lutra_json_set_text(object, "gemm_kernel", lutra_gemm_kernel_name());
    lutra_json_set_text(object, "gemm_library", lutra_gemm_library());
    if (options->init != NULL) {
        lutra_json_set_text(object, "init", options->init);
    }
    if (options->teacher != NULL) {
        lutra_json_set_text(object, "teacher", options->teacher);
        lutra_json_set_text(object, "teacher_network", work->teacher.network.name);
        lutra_json_set_text(object, "teacher_checksum", work->training.teacher_checksum);
    }
    const LutraStatus status = lutra_json_text(&json, object, error);
    lutra_json_destroy(&object);
    if (status == LUTRA_OK) {
        lutra_free(&work->model.provenance);
        work->model.provenance = json;
    }
    return status;
}

static void tell_start(const Work *work, const Options *options) {
    char images[32];
    const char *pinned = getenv("OPENBLAS_CORETYPE");
    if (pinned != NULL && pinned[0] != '\0') {
        cli_warn(&options->common, COMMAND,
                 "OPENBLAS_CORETYPE=%s pins the matrix kernels; unset "
                 "it unless that is meant",
                 pinned);
    }
    cli_note(&options->common, COMMAND,
             "%s on %s training images, %" PRIu32 " held out, %" PRIu64
             " steps an epoch; OpenBLAS kernel %s, %" PRIu32 " threads",
             work->model.network.name,
             cli_grouped(images, work->training.train_images - work->recipe.validation),
             work->recipe.validation, lutra_training_steps_per_epoch(&work->training),
             lutra_gemm_kernel_name(), options->common.threads);
}

static LutraStatus prepare(Work *work, const Options *options, LutraError *error) {
    LutraNetwork network = {0};
    LUTRA_TRY(lutra_network_read(&network, options->network, error));
    LutraStatus status = read_recipe(work, options, &network, error);
    if (status == LUTRA_OK && options->curve != NULL) {
        status = lutra_file_check_output(options->curve, options->common.force || options->resume,
                                         error);
    }
    if (status == LUTRA_OK) {
        status = lutra_dataset_read(&work->data, options->data, 1u << LUTRA_SPLIT_TRAIN,
                                    options->limit, error);
    }
    if (status == LUTRA_OK && options->teacher != NULL) {
        status = lutra_model_read(&work->teacher, options->teacher, error);
    }
    if (status == LUTRA_OK) {
        status = options->resume && lutra_file_exists(options->output)
                     ? resume(work, &network, options, error)
                     : begin(work, &network, options, error);
    }
    lutra_network_deinit(&network); /* empty if the model took it */
    return status;
}

/* Adds what was chosen at the end to the JSON object of the provenance. */
static LutraStatus add_choice(Work *work, LutraError *error) {
    const LutraTraining *training = &work->training;
    char *old = work->model.provenance;
    const char *end = strrchr(old, '}');
    const size_t bytes = strlen(old) + 160;
    char figures[96] = "";
    char *text = NULL;
    if (end == NULL || strstr(old, "\"kept_weights\"") != NULL) {
        return LUTRA_OK;
    }
    if (!isnan(training->averaged_top1)) {
        (void)snprintf(figures, sizeof figures,
                       ", \"last_validation_top1\": %.6f, \"average_validation_top1\": %.6f",
                       training->last_top1, training->averaged_top1);
    }
    LUTRA_TRY(lutra_alloc(&text, bytes, 1, error));
    (void)snprintf(text, bytes, "%.*s, \"kept_weights\": \"%s\"%s}", (int)(end - old), old,
                   training->averaged ? "average" : "last", figures);
    lutra_free(&work->model.provenance);
    work->model.provenance = text;
    return LUTRA_OK;
}

/* Writes the finished model with what was chosen at the end. */
static LutraStatus write_end(Work *work, const Options *options, LutraError *error) {
    if (work->training.average.steps > 0) {
        LUTRA_TRY(add_choice(work, error));
    }
    if (options->strip) {
        return lutra_model_write(&work->model, options->output, true, error);
    }
    return work->training.average.steps > 0
               ? lutra_checkpoint_write(&work->training, &work->model, options->output, true, error)
               : LUTRA_OK;
}

static LutraStatus train(Work *work, const Options *options, const LutraProgress *progress,
                         LutraError *error) {
    const LutraTrainingSettings settings = {
        .threads = options->common.threads,
        .cpu_flags = options->common.cpu_flags,
        .path = options->output,
        .force = options->common.force || work->resumed,
        .checkpoint_seconds = 60.0 * options->checkpoint_minutes,
        .teacher = options->teacher == NULL ? NULL : &work->teacher,
    };
    LUTRA_TRY(
        lutra_training_run(&work->training, &work->model, &work->data, &settings, progress, error));
    return write_end(work, options, error);
}

/* Fills a series with one figure of the history, in percent. */
static void fill_series(LutraSeries *series, double *x, double *y, const LutraModel *model,
                        const char *label, bool validation) {
    for (uint32_t i = 0; i < model->history_count; i++) {
        const LutraEpochRecord *record = &model->history[i];
        x[i] = (double)record->epoch;
        y[i] = 100.0 * (validation ? record->validation_top1 : record->train_top1);
    }
    *series = (LutraSeries){.label = label,
                            .x = x,
                            .y = y,
                            .count = model->history_count,
                            .line = true,
                            .marker = model->history_count < 40};
}

static LutraStatus write_curve(const Work *work, const Options *options, LutraError *error) {
    const uint32_t count = work->model.history_count;
    double *values = NULL;
    LutraSeries series[2];
    LutraChart chart;
    LUTRA_TRY(lutra_alloc(&values, (size_t)count * 4, sizeof *values, error));
    fill_series(&series[0], values, values + count, &work->model, "training images, augmented",
                false);
    fill_series(&series[1], values + (2 * (size_t)count), values + (3 * (size_t)count),
                &work->model, "validation images", true);
    lutra_chart_default(&chart);
    chart.title = work->model.network.name;
    chart.subtitle = work->data.name;
    chart.x_label = "epoch";
    chart.y_label = "top-1 accuracy, %";
    const LutraStatus status =
        lutra_chart_write(&chart, series, work->recipe.validation > 0 ? 2 : 1, options->curve,
                          options->common.force || options->resume, error);
    lutra_free(&values);
    return status;
}

static void json_history(LutraJson *object, const LutraModel *model) {
    LutraJson *array = lutra_json_set_array(object, "history");
    for (uint32_t i = 0; i < model->history_count; i++) {
        const LutraEpochRecord *record = &model->history[i];
        LutraJson *entry = lutra_json_add_object(array);
        lutra_json_set_i64(entry, "epoch", record->epoch);
        lutra_json_set_f64(entry, "learning_rate", record->learning_rate);
        lutra_json_set_f64(entry, "train_loss", record->train_loss);
        lutra_json_set_f64(entry, "train_top1", record->train_top1);
        lutra_json_set_f64(entry, "validation_loss", record->validation_loss);
        lutra_json_set_f64(entry, "validation_top1", record->validation_top1);
        lutra_json_set_f64(entry, "seconds", record->seconds);
    }
}

static int report(const Work *work, const Options *options) {
    const LutraEpochRecord *last = &work->model.history[work->model.history_count - 1];
    double seconds = 0.0;
    for (uint32_t i = 0; i < work->model.history_count; i++) {
        seconds += work->model.history[i].seconds;
    }
    if (!options->common.json) {
        printf("%s: %s, %" PRIu32 " epochs in %.1f s, training images %.2f %%", options->output,
               work->model.network.name, last->epoch, seconds, 100.0 * last->train_top1);
        if (work->recipe.validation > 0) {
            const LutraTraining *training = &work->training;
            printf(", validation images %.2f %%", 100.0 * (training->averaged
                                                               ? training->averaged_top1
                                                               : last->validation_top1));
        }
        if (work->training.averaged) {
            printf(" with averaged weights");
        }
        printf("\n");
        return CLI_EXIT_DONE;
    }
    LutraJson *object = lutra_json_create("lutra.train/1");
    lutra_json_set_text(object, "model", options->output);
    lutra_json_set_text(object, "network", work->model.network.name);
    lutra_json_set_text(object, "data", work->data.name);
    lutra_json_set_text(object, "data_source", work->data.source);
    lutra_json_set_text(object, "data_checksum", work->data.checksum);
    lutra_json_set_i64(object, "train_images",
                       (int64_t)(work->training.train_images - work->recipe.validation));
    lutra_json_set_i64(object, "validation_images", work->recipe.validation);
    lutra_json_set_i64(object, "seed", (int64_t)options->common.seed);
    lutra_json_set_i64(object, "threads", options->common.threads);
    lutra_json_set_text(object, "gemm_kernel", lutra_gemm_kernel_name());
    lutra_json_set_i64(object, "epochs", last->epoch);
    lutra_json_set_f64(object, "train_loss", last->train_loss);
    lutra_json_set_f64(object, "train_top1", last->train_top1);
    lutra_json_set_f64(object, "validation_top1", work->training.averaged
                                                      ? work->training.averaged_top1
                                                      : last->validation_top1);
    lutra_json_set_text(object, "weights", work->training.averaged ? "average" : "last");
    lutra_json_set_f64(object, "seconds", seconds);
    json_history(object, &work->model);
    return cli_print_json(COMMAND, &object);
}

int cmd_train(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {option_table, parse_option, "NETWORK.ini", documentation,
                                     children,     NULL,         NULL};
    Options options = {.checkpoint_minutes = 10.0};
    Work work = {0};
    CliProgress progress;
    LutraError error = {""};
    cli_parse(&argp, argc, argv, &options);
    LutraStatus status = prepare(&work, &options, &error);
    if (status == LUTRA_OK && !work.resumed) { /* what it began with stays true */
        status = set_provenance(&work, &options, &error);
    }
    if (status == LUTRA_OK) {
        tell_start(&work, &options);
        cli_progress_start(&progress, &options.common);
        status = train(&work, &options, &progress.progress, &error);
        cli_progress_stop(&progress);
    }
    if (status == LUTRA_OK && options.curve != NULL) {
        status = write_curve(&work, &options, &error);
    }
    const int code =
        status == LUTRA_OK ? report(&work, &options) : cli_fail(COMMAND, status, &error);
    work_deinit(&work);
    return code;
}
