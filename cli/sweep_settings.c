/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep runs: its settings, and the circuit of each. */
#include <string.h>

#include "base/memory.h"
#include "cli/source_file.h"
#include "cli/sweep.h"
#include "experiments/calibration_run.h"
#include "sim/circuit_round.h"

bool sweep_setting_equal(const SweepSetting *a, const SweepSetting *b) {
    return a->rounding == b->rounding && a->offsets == b->offsets &&
           strcmp(a->layer, b->layer) == 0 && a->mode == b->mode && a->p_error == b->p_error;
}

/* ---- the source ---- */

static LutraStatus check_train_split(const LutraModel *model, const LutraDataset *dataset,
                                     const SweepOptions *options, LutraError *error) {
    const LutraShape shape = model->network.layers[0].shape;
    const LutraShape images = {dataset->channels, dataset->height, dataset->width};
    if (!lutra_shape_equal(images, shape) ||
        dataset->class_count != model->network.class_count) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has images of %u x %u x %u in %u classes, but the model takes "
                               "%u x %u x %u in %u",
                               options->data, dataset->channels, dataset->height, dataset->width,
                               dataset->class_count, shape.channels, shape.height, shape.width,
                               model->network.class_count);
    }
    if (dataset->splits[LUTRA_SPLIT_TRAIN].count == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no training images to calibrate on",
                               options->data);
    }
    return LUTRA_OK;
}

static bool is_asked(const SweepOptions *options, LutraOffsetRule rule) {
    for (uint32_t i = 0; i < options->offset_count; i++) {
        if (options->offsets[i] == rule) {
            return true;
        }
    }
    return false;
}

/* Whose calibration serves the plain circuit: every kind measures the same ranges. */
static LutraOffsetRule plain_rule(const SweepOptions *options) {
    return is_asked(options, LUTRA_OFFSETS_ALIGN)    ? LUTRA_OFFSETS_ALIGN
           : is_asked(options, LUTRA_OFFSETS_CENTRE) ? LUTRA_OFFSETS_CENTRE
                                                     : LUTRA_OFFSETS_NONE;
}

static LutraStatus calibrate(SweepSource *source, const SweepOptions *options,
                             const LutraProgress *progress, LutraError *error) {
    static const LutraCalibrateKind kinds[] = {[LUTRA_OFFSETS_NONE] = LUTRA_CALIBRATE_RANGES,
                                               [LUTRA_OFFSETS_ALIGN] = LUTRA_CALIBRATE_DENSITIES,
                                               [LUTRA_OFFSETS_CENTRE] = LUTRA_CALIBRATE_CENTRED};
    LutraDataset train = {0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_dataset_read(&train, options->data, 1u << LUTRA_SPLIT_TRAIN,
                                              options->calibration, error));
    LUTRA_TRY_GOTO(status, check_train_split(&source->model, &train, options, error));
    LutraCalibrationRun images = {&train.splits[LUTRA_SPLIT_TRAIN], options->common.threads,
                            options->common.cpu_flags, progress};
    const LutraObserver observer = lutra_calibration_observer(&images);
    for (int rule = 0; rule < 3; rule++) {
        if (rule == (int)plain_rule(options) ||
            (rule != LUTRA_OFFSETS_NONE && is_asked(options, (LutraOffsetRule)rule))) {
            LUTRA_TRY_GOTO(status, lutra_calibrate(&source->calibrations[rule], &source->model,
                                                   kinds[rule], &observer, error));
        }
    }
    source->calibration_images = source->calibrations[plain_rule(options)].images;
done:
    lutra_dataset_deinit(&train);
    return status;
}

static LutraStatus read_model(SweepSource *source, const SweepOptions *options,
                              const LutraProgress *progress, LutraError *error) {
    LutraLowerSettings settings;
    lutra_lower_default(&settings);
    LUTRA_TRY(lutra_model_read(&source->model, options->source, error));
    LUTRA_TRY(calibrate(source, options, progress, error));
    return lutra_lower(&source->plain, &source->model,
                       &source->calibrations[plain_rule(options)], &settings, error);
}

/* Rounding to nothing: refuses what has a rounding already, in the words of lutra_circuit_round. */
static LutraStatus check_plain(const LutraCircuit *circuit, LutraError *error) {
    static const uint32_t none = LUTRA_ROUNDING_NONE;
    const LutraRoundSettings settings = {&none, 1, LUTRA_ROUNDING_EXACT};
    LutraCircuit copy = {0};
    const LutraStatus status = lutra_circuit_round(&copy, circuit, &settings, error);
    lutra_circuit_deinit(&copy);
    return status;
}

static LutraStatus read_circuit(SweepSource *source, const SweepOptions *options,
                                LutraError *error) {
    if (is_asked(options, LUTRA_OFFSETS_ALIGN) || is_asked(options, LUTRA_OFFSETS_CENTRE)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' is a circuit; '--offsets' needs the model it was made from",
                               options->source);
    }
    LUTRA_TRY(lutra_circuit_read(&source->plain, options->source, error));
    return check_plain(&source->plain, error);
}

LutraStatus sweep_source_read(SweepSource *source, const SweepOptions *options,
                              const LutraProgress *progress, LutraError *error) {
    SweepSource read = {0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, cli_is_model_file(&read.is_model, options->source, error));
    LUTRA_TRY_GOTO(status, cli_file_checksum(read.checksum, options->source, error));
    LUTRA_TRY_GOTO(status, read.is_model ? read_model(&read, options, progress, error)
                                         : read_circuit(&read, options, error));
    *source = read;
    read = (SweepSource){0};
done:
    sweep_source_deinit(&read);
    return status;
}

void sweep_source_deinit(SweepSource *source) {
    for (int rule = 0; rule < 3; rule++) {
        lutra_calibration_deinit(&source->calibrations[rule]);
    }
    lutra_circuit_deinit(&source->plain);
    lutra_model_deinit(&source->model);
    *source = (SweepSource){0};
}

/* ---- settings ---- */

typedef struct {
    SweepSetting *items;
    uint32_t count;
} List;

static void add(List *list, SweepSetting setting) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (sweep_setting_equal(&list->items[i], &setting)) {
            return;
        }
    }
    list->items[list->count++] = setting;
}

static LutraStatus check_names(const LutraCircuit *plain, LutraError *error) {
    for (uint32_t i = 0; i < plain->operation_count; i++) {
        if (strpbrk(plain->operations[i].name, ",\"\n\r") != NULL) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "the name of layer '%s' cannot stand in a CSV file",
                                   plain->operations[i].name);
        }
    }
    return LUTRA_OK;
}

/* Each table alone, without noise: beside tables at full width there are no crypto parameters. */
static void add_layers(List *list, SweepSetting setting, const LutraCircuit *plain) {
    setting.p_error = 0.0;
    for (uint32_t i = 0; i < plain->operation_count; i++) {
        const LutraOperation *const op = &plain->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            (void)snprintf(setting.layer, sizeof setting.layer, "%s", op->name);
            add(list, setting);
        }
    }
}

LutraStatus sweep_settings(SweepSetting **settings, uint32_t *count, const SweepSource *source,
                           const SweepOptions *options, LutraError *error) {
    const uint32_t tables = options->each_layer ? lutra_circuit_table_count(&source->plain) : 0;
    const size_t most = 1 + ((size_t)options->rounding_count * options->offset_count *
                             options->p_error_count * (tables + 1));
    List list = {0};
    if (options->each_layer) {
        LUTRA_TRY(check_names(&source->plain, error));
    }
    LUTRA_TRY(lutra_alloc(&list.items, most, sizeof *list.items, error));
    add(&list, (SweepSetting){.mode = options->mode});
    for (uint32_t o = 0; o < options->offset_count; o++) {
        for (uint32_t p = 0; p < options->p_error_count; p++) {
            for (uint32_t r = 0; r < options->rounding_count; r++) {
                const SweepSetting setting = {.rounding = options->rounding[r],
                                              .offsets = options->offsets[o],
                                              .mode = options->mode,
                                              .p_error = options->p_errors[p]};
                add(&list, setting);
                if (options->each_layer && setting.rounding != LUTRA_ROUNDING_NONE) {
                    add_layers(&list, setting, &source->plain);
                }
            }
        }
    }
    *settings = list.items;
    *count = list.count;
    return LUTRA_OK;
}

/* ---- circuits ---- */

/* P of every table: the setting's, or none but for its one layer. */
static LutraStatus make_bits(uint32_t **bits, uint32_t *count, const LutraCircuit *plain,
                             const SweepSetting *setting, LutraError *error) {
    *count = lutra_circuit_table_count(plain);
    LUTRA_TRY(lutra_alloc(bits, *count, sizeof **bits, error));
    uint32_t table = 0;
    for (uint32_t i = 0; i < plain->operation_count; i++) {
        const LutraOperation *const op = &plain->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            const bool chosen = setting->layer[0] == '\0' || strcmp(setting->layer, op->name) == 0;
            (*bits)[table++] = chosen ? setting->rounding : LUTRA_ROUNDING_NONE;
        }
    }
    return LUTRA_OK;
}

static LutraStatus make_circuit(LutraCircuit *circuit, const SweepSource *source,
                                const SweepSetting *setting, LutraError *error) {
    uint32_t *bits = NULL;
    uint32_t count = 0;
    LUTRA_TRY(make_bits(&bits, &count, &source->plain, setting, error));
    LutraStatus status = LUTRA_OK;
    if (setting->offsets == LUTRA_OFFSETS_NONE) {
        const LutraRoundSettings settings = {bits, count, setting->mode};
        status = lutra_circuit_round(circuit, &source->plain, &settings, error);
    } else {
        const LutraLowerSettings settings = {.rounding = bits,
                                             .rounding_count = count,
                                             .mode = setting->mode,
                                             .offsets = setting->offsets};
        status = lutra_lower(circuit, &source->model, &source->calibrations[setting->offsets],
                             &settings, error);
    }
    lutra_free(&bits);
    return status;
}

LutraStatus sweep_circuit(LutraCircuit *circuit, LutraParametersChoice *choice,
                          const SweepSource *source, const SweepSetting *setting,
                          const SweepOptions *options, LutraError *error) {
    LutraCircuit made = {0};
    LutraParametersChoice chosen = {0};
    LUTRA_TRY(make_circuit(&made, source, setting, error));
    if (setting->p_error > 0.0) {
        LutraParametersTarget target;
        lutra_parameters_target_default(&target);
        target.p_error = setting->p_error;
        target.security_bits = options->security_bits;
        target.partition = options->partition;
        const LutraStatus status = lutra_circuit_choose_parameters(&chosen, &made, &target, error);
        if (status != LUTRA_OK) {
            lutra_circuit_deinit(&made);
            return status;
        }
    }
    *circuit = made;
    *choice = chosen;
    return LUTRA_OK;
}
