/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/subject.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/idx.h"
#include "experiments/calibration_run.h"
#include "quant/lower.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/training.h"
#include "train/warm_start.h"

enum { PATH_BYTES = 4096, MOST_EPOCHS = 100000 };

void lutra_subject_deinit(LutraSubject *subject) {
    for (size_t i = 0; i < 3; i++) {
        lutra_calibration_deinit(&subject->calibrations[i]);
    }
    lutra_model_deinit(&subject->model);
    lutra_dataset_deinit(&subject->dataset);
    *subject = (LutraSubject){0};
}

/* --- settings --------------------------------------------------------------------------------- */

/** A whole number of [quick] or [full] that may be absent: 0. */
static LutraStatus optional(uint32_t *value, const LutraExperimentRun *run, const char *key,
                            uint32_t max, LutraError *error) {
    const char *const section = lutra_experiment_setting(run);
    *value = 0;
    return lutra_experiment_value(run->settings, section, key) == NULL
               ? LUTRA_OK
               : lutra_experiment_number(value, run, section, key, 0, max, error);
}

static const char *key_of(const LutraExperimentRun *run, const char *section, const char *key) {
    return lutra_experiment_value(run->settings, section, key);
}

/** Whether all that a section names is there; if not, `missing` is its name. */
static LutraStatus has_inputs(bool *has, const char **missing, const LutraExperimentRun *run,
                              const char *section, LutraError *error) {
    const char *const data = key_of(run, section, "data");
    const char *const model = key_of(run, section, "model");
    char *path = NULL;
    uint32_t epochs = 0;
    *has = false;
    if (data == NULL) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': section [%s] has no 'data'",
                               run->settings_path, section);
    }
    LUTRA_TRY(optional(&epochs, run, "epochs", MOST_EPOCHS, error));
    LUTRA_TRY(lutra_experiment_find_input(&path, run, data, error));
    *missing = path == NULL ? data : NULL;
    lutra_free(&path);
    if (*missing != NULL) {
        return LUTRA_OK;
    }
    if (model != NULL) {
        LUTRA_TRY(lutra_experiment_find_input(&path, run, model, error));
        *has = path != NULL;
        *missing = path == NULL ? model : NULL;
        lutra_free(&path);
    }
    /* a stand-in is preferred to a long training */
    const bool trains = key_of(run, section, "network") != NULL && epochs > 0;
    const bool may = run->full || model == NULL || strcmp(section, "stand-in") == 0 ||
                     key_of(run, "stand-in", "data") == NULL;
    if (!*has && trains && may) {
        *has = true;
        *missing = NULL;
    }
    return LUTRA_OK;
}

LutraStatus lutra_subject_choose(const char **section, const LutraExperimentRun *run,
                                 const char *wanted, LutraError *error) {
    const char *missing = NULL;
    const char *other = NULL;
    bool has = false;
    LUTRA_TRY(has_inputs(&has, &missing, run, wanted, error));
    if (has) {
        *section = wanted;
        return LUTRA_OK;
    }
    if (!run->full && key_of(run, "stand-in", "data") != NULL) {
        LUTRA_TRY(has_inputs(&has, &other, run, "stand-in", error));
        if (has) {
            *section = "stand-in";
            return LUTRA_OK;
        }
    }
    if (missing == NULL) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s': section [%s] names no model and no "
                               "network to train",
                               run->settings_path, wanted);
    }
    return lutra_experiment_missing_input(run, missing, error);
}

/* --- data ------------------------------------------------------------------------------------- */

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static LutraStatus read_data(LutraSubject *subject, const LutraExperimentRun *run,
                             const char *section, LutraError *error) {
    LutraDataset *const dataset = &subject->dataset;
    const char *const name = key_of(run, section, "data");
    char *path = NULL;
    uint32_t images = 0;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(optional(&images, run, "train_images", UINT32_MAX, error));
    LUTRA_TRY(lutra_experiment_find_input(&path, run, name, error));
    if (path == NULL) {
        return lutra_experiment_missing_input(run, name, error);
    }
    if (is_folder(path)) {
        status = lutra_idx_read(dataset, path, name, error);
        if (status == LUTRA_OK) {
            lutra_dataset_checksum(dataset->checksum, dataset);
        }
    } else {
        const uint32_t both = 1u << LUTRA_SPLIT_TRAIN | 1u << LUTRA_SPLIT_TEST;
        status = lutra_dataset_read(dataset, path, both, 0, error);
    }
    if (status == LUTRA_OK && (dataset->splits[0].count == 0 || dataset->splits[1].count == 0)) {
        status =
            lutra_error_set(error, LUTRA_EDATA, "'%s' needs images to train and to test", path);
    }
    lutra_free(&path);
    subject->train_in_file = dataset->splits[LUTRA_SPLIT_TRAIN].count;
    if (status == LUTRA_OK && images > 0 && images < dataset->splits[LUTRA_SPLIT_TRAIN].count) {
        dataset->splits[LUTRA_SPLIT_TRAIN].count = images;
    }
    return status;
}

LutraImages lutra_subject_images(const LutraDataset *dataset, LutraSplitKind split,
                                 uint64_t limit) {
    const LutraSplit *const from = &dataset->splits[split];
    return (LutraImages){.pixels = from->images,
                         .labels = from->labels,
                         .count = limit > 0 && limit < from->count ? limit : from->count,
                         .shape = {dataset->channels, dataset->height, dataset->width},
                         .class_count = dataset->class_count};
}

LutraStatus lutra_subject_held_out(LutraImages *images, const LutraSubject *subject, uint64_t limit,
                                   LutraError *error) {
    const LutraSplit *const train = &subject->dataset.splits[LUTRA_SPLIT_TRAIN];
    const uint64_t left = subject->train_in_file - train->count;
    LutraImages made = lutra_subject_images(&subject->dataset, LUTRA_SPLIT_TRAIN, 1);
    if (left == 0) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'train_images' leaves no training images of '%s' to search on",
                               subject->dataset.name);
    }
    made.pixels = train->images + (train->count * lutra_shape_elements(made.shape));
    made.labels = train->labels + train->count;
    made.count = limit > 0 && limit < left ? limit : left;
    *images = made;
    return LUTRA_OK;
}

/* --- models ----------------------------------------------------------------------------------- */

/** Whether the network file is in `folder`, as a path or as NAME of networks/ or ../networks/. */
static bool find_network(char path[PATH_BYTES], const char *folder, const char *name) {
    static const char *const places[] = {"%s%s", "%snetworks/%s.ini", "%s../networks/%s.ini"};
    const bool is_path = strstr(name, ".ini") != NULL;
    for (size_t i = is_path ? 0 : 1; i < (is_path ? 1u : 3u); i++) {
        (void)snprintf(path, PATH_BYTES, places[i], folder, name);
        if (lutra_file_exists(path)) {
            return true;
        }
    }
    return false;
}

/** Networks lie beside the settings, or beside the experiments that come with the program. */
static LutraStatus read_network(LutraNetwork *network, const LutraExperimentRun *run,
                                const char *name, LutraError *error) {
    const char *const slash = strrchr(run->settings_path, '/');
    const int length = slash != NULL ? (int)(slash - run->settings_path) + 1 : 0;
    char folder[PATH_BYTES / 2];
    char path[PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%.*s", length, run->settings_path);
    bool found = find_network(path, folder, name);
    if (!found && run->assets_folder != NULL) {
        (void)snprintf(folder, sizeof folder, "%s/", run->assets_folder);
        found = find_network(path, folder, name);
    }
    return found ? lutra_network_read(network, path, error)
                 : lutra_error_set(error, LUTRA_EIO, "cannot find the network file '%s' near '%s'",
                                   name, run->settings_path);
}

/** Trains `model` by the recipe, going on from the file if that may be. */
static LutraStatus train(LutraModel *model, const LutraRecipe *recipe, const LutraDataset *dataset,
                         const LutraExperimentRun *run, const char *file, LutraError *error) {
    LutraTraining training = {0};
    char *path = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_experiment_path(&path, run, file, error));
    const bool goes_on = run->resume && lutra_file_exists(path);
    const LutraTrainingSettings settings = {.threads = run->threads,
                                            .cpu_flags = run->cpu_flags,
                                            .path = path,
                                            .force = run->force || run->resume,
                                            .checkpoint_seconds = 600.0};
    if (goes_on) {
        lutra_model_deinit(model);
        LUTRA_TRY_GOTO(status, lutra_checkpoint_read(&training, model, path, error));
        LUTRA_TRY_GOTO(status,
                       lutra_training_check_same(&training, recipe, run->seed, dataset, error));
    } else {
        LUTRA_TRY_GOTO(status,
                       lutra_training_init(&training, model, recipe, run->seed, dataset, error));
    }
    status = lutra_training_run(&training, model, dataset, &settings, run->progress, error);
done:
    lutra_training_deinit(&training);
    lutra_free(&path);
    return status;
}

/** Images held out of a short training: no more than a tenth. */
static LutraStatus fit_validation(LutraRecipe *recipe, const LutraDataset *dataset) {
    const uint64_t tenth = dataset->splits[LUTRA_SPLIT_TRAIN].count / 10;
    recipe->validation = recipe->validation > tenth ? (uint32_t)tenth : recipe->validation;
    return LUTRA_OK;
}

/** A new model of a network file, trained; with the weights of another one if there is one. */
static LutraStatus train_network(LutraModel *model, const LutraDataset *dataset,
                                 const LutraModelSource *source, const LutraExperimentRun *run,
                                 LutraError *error) {
    LutraNetwork network = {0};
    LutraRecipe recipe;
    LUTRA_TRY(read_network(&network, run, source->network, error));
    LutraStatus status = lutra_recipe_parse(&recipe, network.text, source->network, error);
    if (status == LUTRA_OK) {
        status = lutra_model_create(model, &network, run->seed, error);
    }
    lutra_network_deinit(&network);
    LUTRA_TRY(status);
    if (source->from != NULL) {
        LUTRA_TRY(lutra_warm_start(model, source->from, NULL, NULL, error));
    }
    recipe.epochs = source->epochs;
    LUTRA_TRY(fit_validation(&recipe, dataset));
    return train(model, &recipe, dataset, run, source->file, error);
}

/** Reads the model that the user gave; *found is false if there is none. */
static LutraStatus read_model(bool *found, LutraModel *model, const LutraExperimentRun *run,
                              const char *name, LutraError *error) {
    char *path = NULL;
    *found = false;
    if (name == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_experiment_find_input(&path, run, name, error));
    if (path == NULL) {
        return LUTRA_OK;
    }
    const LutraStatus status = lutra_model_read(model, path, error);
    lutra_free(&path);
    *found = status == LUTRA_OK;
    return status;
}

LutraStatus lutra_subject_model(LutraModel *model, bool *was_trained, const LutraSubject *subject,
                                const LutraModelSource *source, const LutraExperimentRun *run,
                                LutraError *error) {
    LutraModel made = {0};
    bool found = false;
    LutraStatus status = read_model(&found, &made, run, source->input, error);
    if (status == LUTRA_OK && !found) {
        status = source->network == NULL || source->epochs == 0
                     ? lutra_experiment_missing_input(
                           run, source->input != NULL ? source->input : "model", error)
                     : train_network(&made, &subject->dataset, source, run, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_check_data_fits(&subject->dataset, &made.network, error);
    }
    if (status == LUTRA_OK) {
        *model = made;
        *was_trained = !found;
    } else {
        lutra_model_deinit(&made);
    }
    return status;
}

LutraStatus lutra_subject_open_data(LutraSubject *subject, const LutraExperimentRun *run,
                                    const char *section, LutraError *error) {
    *subject = (LutraSubject){.is_stand_in = strcmp(section, "stand-in") == 0};
    return read_data(subject, run, section, error);
}

LutraStatus lutra_subject_open(LutraSubject *subject, const LutraExperimentRun *run,
                               const char *section, const char *file, LutraError *error) {
    LutraSubject made = {.is_stand_in = false};
    LutraModelSource source = {.input = key_of(run, section, "model"),
                               .network = key_of(run, section, "network"),
                               .file = file};
    *subject = (LutraSubject){0};
    LUTRA_TRY(optional(&source.epochs, run, "epochs", MOST_EPOCHS, error));
    LutraStatus status = lutra_subject_open_data(&made, run, section, error);
    if (status == LUTRA_OK) {
        status = lutra_subject_model(&made.model, &made.was_trained, &made, &source, run, error);
    }
    if (status == LUTRA_OK) {
        *subject = made;
    } else {
        lutra_subject_deinit(&made);
    }
    return status;
}

static LutraStatus tune(LutraSubject *made, const LutraSubject *from, const LutraExperimentRun *run,
                        const LutraTuning *tuning, const char *file, LutraError *error) {
    LutraNetwork network = {0};
    LutraRecipe recipe;
    LUTRA_TRY(
        lutra_network_parse(&network, from->model.network.text, from->model.network.name, error));
    LutraStatus status = lutra_recipe_parse(&recipe, network.text, network.name, error);
    if (status == LUTRA_OK) {
        status = lutra_model_create(&made->model, &network, run->seed, error);
    }
    lutra_network_deinit(&network);
    LUTRA_TRY(status);
    LUTRA_TRY(lutra_warm_start(&made->model, &from->model, NULL, NULL, error));
    recipe.epochs = tuning->epochs;
    recipe.rounding = tuning->rounding_bits;
    recipe.learning_rate = tuning->learning_rate;
    LUTRA_TRY(fit_validation(&recipe, &from->dataset));
    made->was_trained = true;
    return train(&made->model, &recipe, &from->dataset, run, file, error);
}

LutraStatus lutra_subject_tune(LutraSubject *tuned, const LutraSubject *from,
                               const LutraExperimentRun *run, const char *name,
                               const LutraTuning *tuning, const char *file, LutraError *error) {
    LutraSubject made = {.is_stand_in = from->is_stand_in};
    bool found = false;
    *tuned = (LutraSubject){0};
    LutraStatus status = read_model(&found, &made.model, run, name, error);
    if (status == LUTRA_OK) {
        status = found ? lutra_check_data_fits(&from->dataset, &made.model.network, error)
                       : tune(&made, from, run, tuning, file, error);
    }
    if (status == LUTRA_OK) {
        *tuned = made;
    } else {
        lutra_subject_deinit(&made);
    }
    return status;
}

/* --- calibration and words -------------------------------------------------------------------- */

LutraStatus lutra_subject_calibrate(LutraSubject *subject, const LutraDataset *dataset,
                                    const LutraExperimentRun *run, uint32_t offset_rule,
                                    LutraError *error) {
    static const LutraCalibrateKind kinds[] = {[LUTRA_OFFSETS_NONE] = LUTRA_CALIBRATE_RANGES,
                                               [LUTRA_OFFSETS_ALIGN] = LUTRA_CALIBRATE_DENSITIES,
                                               [LUTRA_OFFSETS_CENTRE] = LUTRA_CALIBRATE_CENTRED};
    LutraCalibration *const calibration = &subject->calibrations[offset_rule];
    if (calibration->count > 0) {
        return LUTRA_OK;
    }
    LutraSplit train = dataset->splits[LUTRA_SPLIT_TRAIN]; /* borrowed */
    uint32_t limit = 0;
    LUTRA_TRY(optional(&limit, run, "calibration_images", UINT32_MAX, error));
    train.count = limit > 0 && limit < train.count ? limit : train.count;
    LutraCalibrationRun images = {&train, run->threads, run->cpu_flags, run->progress};
    const LutraObserver observer = lutra_calibration_observer(&images);
    return lutra_calibrate(calibration, &subject->model, kinds[offset_rule], &observer, error);
}

LutraStatus lutra_subject_describe_data(const LutraSubject *subject, const LutraExperimentRun *run,
                                        const char *prefix, LutraError *error) {
    const LutraDataset *const data = &subject->dataset;
    char key[96];
    char text[512];
    (void)snprintf(key, sizeof key, "%sdata", prefix);
    (void)snprintf(text, sizeof text, "%s, checksum %s, %s", data->name, data->checksum,
                   data->source);
    const char *const known = lutra_figures_fact(run->figures, key);
    if (known != NULL && strcmp(known, text) != 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "the figures in '%s' are of other data ('%.100s'); begin anew in "
                               "another folder",
                               run->folder, known);
    }
    LUTRA_TRY(lutra_figures_set_fact(run->figures, key, text, error));
    if (!subject->is_stand_in) {
        return LUTRA_OK;
    }
    (void)snprintf(key, sizeof key, "%sstand-in", prefix);
    (void)snprintf(text, sizeof text,
                   "yes: other data and another network than the published figures are of; only "
                   "the shape of the answer can be compared");
    return lutra_figures_set_fact(run->figures, key, text, error);
}

LutraStatus lutra_subject_describe(const LutraSubject *subject, const LutraExperimentRun *run,
                                   const char *prefix, LutraError *error) {
    char key[96];
    char text[512];
    uint32_t limit = 0;
    LUTRA_TRY(lutra_subject_describe_data(subject, run, prefix, error));
    (void)snprintf(key, sizeof key, "%snetwork", prefix);
    const uint64_t train = subject->dataset.splits[LUTRA_SPLIT_TRAIN].count;
    LUTRA_TRY(optional(&limit, run, "calibration_images", UINT32_MAX, error));
    (void)snprintf(text, sizeof text, "%s, %s, calibrated on %" PRIu64 " training images",
                   subject->model.network.name,
                   subject->was_trained ? "trained by this run" : "model given",
                   limit > 0 && limit < train ? limit : train);
    return lutra_figures_set_fact(run->figures, key, text, error);
}

const char *lutra_subject_data_title(char text[128], const LutraSubject *subject) {
    const char *const remark = strrchr(subject->dataset.source, ';');
    (void)snprintf(text, 128, "%.60s%s%.40s%s%s", subject->dataset.name, remark != NULL ? " (" : "",
                   remark != NULL ? remark + 1 + strspn(remark + 1, " ") : "",
                   remark != NULL ? ")" : "", subject->is_stand_in ? " (stand-in)" : "");
    return text;
}

const char *lutra_subject_title(char text[192], const LutraSubject *subject) {
    char data[128];
    (void)snprintf(text, 192, "%.60s on %.120s", subject->model.network.name,
                   lutra_subject_data_title(data, subject));
    return text;
}
