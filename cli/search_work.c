/* SPDX-License-Identifier: Apache-2.0 */
/* What a search runs: images, the circuits of its settings, and their right answers. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/search.h"
#include "experiments/calibration_run.h"
#include "sim/circuit_round.h"
#include "sim/simulate.h"

enum { SELECTION = 0, CONFIRMATION = 1 };

static const double SECONDS_BETWEEN_WRITES = 1.0; /* a file is synced to disk each time */

void search_deinit(Search *search) {
    for (int part = 0; part < 2; part++) {
        lutra_free(&search->parts[part].split.images);
        lutra_free(&search->parts[part].split.labels);
        lutra_free(&search->parts[part].plain_hits);
    }
    for (int rule = 0; rule < 3; rule++) {
        lutra_calibration_deinit(&search->calibrations[rule]);
    }
    lutra_search_result_deinit(&search->result);
    cli_profile_deinit(&search->machine);
    lutra_circuit_deinit(&search->plain);
    lutra_circuit_deinit(&search->chosen);
    lutra_model_deinit(&search->model);
    lutra_dataset_deinit(&search->dataset);
    lutra_free(&search->table_bits);
    lutra_free(&search->order);
    lutra_free(&search->variants);
    lutra_free(&search->reference);
    lutra_free(&search->csv_path);
    lutra_free(&search->known);
    lutra_free(&search->rows);
}

const char *search_table_name(const Search *search, uint32_t table) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < search->plain.operation_count; i++) {
        const LutraOperation *const op = &search->plain.operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE && count++ == table) {
            return op->name;
        }
    }
    return "";
}

/* ---- images ---- */

/* How many images are held out, and how many of these choices are made on. */
static LutraStatus share_images(uint64_t *held_out, uint64_t *selection, const Search *search,
                                LutraError *error) {
    const SearchOptions *const options = search->options;
    const double all = (double)search->train_images;
    *held_out = options->held_out > 0 ? options->held_out
                                      : (uint64_t)(SEARCH_HELD_OUT_SHARE * all);
    *selection = options->images > 0 ? options->images
                                     : (uint64_t)(SEARCH_SELECTION_SHARE * (double)*held_out);
    if (*held_out >= search->train_images) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'--held-out' leaves none of the %llu training images of '%s' to "
                               "calibrate on",
                               (unsigned long long)search->train_images, options->data);
    }
    if (*selection == 0 || *selection >= *held_out) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'--images' %llu of %llu held-out images; should leave some to "
                               "choose on and some to confirm the choice",
                               (unsigned long long)*selection, (unsigned long long)*held_out);
    }
    return LUTRA_OK;
}

/* Copies the images order[0 .. count). */
static LutraStatus gather(LutraSplit *part, const LutraSplit *from, const uint32_t *order,
                          uint64_t count, size_t image_bytes, LutraError *error) {
    LutraSplit made = {.count = count};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.images, (size_t)count, image_bytes, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.labels, (size_t)count, sizeof *made.labels, error));
    for (uint64_t i = 0; i < count; i++) {
        memcpy(made.images + (i * image_bytes), from->images + (order[i] * image_bytes),
               image_bytes);
        made.labels[i] = from->labels[order[i]];
    }
    *part = made;
    return LUTRA_OK;
done:
    lutra_free(&made.images);
    return status;
}

/* Puts the training images in a seeded order, the one by which training holds images out for
 * validation: with the seed of the training these are among the last, which confirm the choice. */
static LutraStatus split_images(Search *search, LutraSplit *calibration, LutraError *error) {
    const LutraSplit *const train = &search->dataset.splits[LUTRA_SPLIT_TRAIN];
    const LutraDataset *const dataset = &search->dataset;
    const size_t bytes = (size_t)dataset->channels * dataset->height * dataset->width;
    const LutraRandomKey key = {search->options->common.seed, LUTRA_STREAM_SPLIT, 0};
    uint64_t held_out = 0;
    uint64_t selection = 0;
    search->train_images = train->count;
    LUTRA_TRY(share_images(&held_out, &selection, search, error));
    const uint64_t rest = train->count - held_out;
    LUTRA_TRY(lutra_alloc(&search->order, (size_t)train->count, sizeof *search->order, error));
    lutra_random_permutation(search->order, (size_t)train->count, key);
    LUTRA_TRY(gather(&search->parts[SELECTION].split, train, search->order + rest, selection, bytes,
                     error));
    LUTRA_TRY(gather(&search->parts[CONFIRMATION].split, train, search->order + rest + selection,
                     held_out - selection, bytes, error));
    return gather(calibration, train, search->order, rest, bytes, error);
}

/* ---- the source ---- */

static LutraStatus check_fit(LutraShape shape, uint32_t class_count, const Search *search,
                             LutraError *error) {
    const LutraDataset *const dataset = &search->dataset;
    const LutraShape images = {dataset->channels, dataset->height, dataset->width};
    if (!lutra_shape_equal(images, shape) || dataset->class_count != class_count) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has images of %u x %u x %u in %u classes, but '%s' takes "
                               "%u x %u x %u in %u",
                               search->options->data, images.channels, images.height, images.width,
                               dataset->class_count, search->options->source, shape.channels,
                               shape.height, shape.width, class_count);
    }
    return LUTRA_OK;
}

static bool is_asked(const SearchOptions *options, LutraOffsetRule rule) {
    for (uint32_t i = 0; i < options->offset_count; i++) {
        if (options->offsets[i] == rule) {
            return true;
        }
    }
    return false;
}

static LutraStatus read_model(Search *search, const LutraSplit *images, LutraError *error) {
    static const LutraCalibrateKind kinds[] = {[LUTRA_OFFSETS_NONE] = LUTRA_CALIBRATE_RANGES,
                                               [LUTRA_OFFSETS_ALIGN] = LUTRA_CALIBRATE_DENSITIES,
                                               [LUTRA_OFFSETS_CENTRE] = LUTRA_CALIBRATE_CENTRED};
    const SearchOptions *const options = search->options;
    LutraCalibrationRun run = {images, options->common.threads, options->common.cpu_flags,
                         search->progress};
    const LutraObserver observer = lutra_calibration_observer(&run);
    LutraLowerSettings settings;
    LutraOffsetRule rule = LUTRA_OFFSETS_NONE; /* every kind measures the same ranges */
    LUTRA_TRY(lutra_model_read(&search->model, options->source, error));
    LUTRA_TRY(check_fit(search->model.network.layers[0].shape, search->model.network.class_count,
                        search, error));
    for (int i = 0; i < 3; i++) {
        if (is_asked(options, (LutraOffsetRule)i)) {
            LUTRA_TRY(lutra_calibrate(&search->calibrations[i], &search->model, kinds[i], &observer,
                                      error));
            rule = (LutraOffsetRule)i;
        }
    }
    search->calibration_images = search->calibrations[rule].images;
    lutra_lower_default(&settings);
    return lutra_lower(&search->plain, &search->model, &search->calibrations[rule], &settings,
                       error);
}

static LutraStatus read_circuit(Search *search, LutraError *error) {
    static const uint32_t none = LUTRA_ROUNDING_NONE;
    const LutraRoundSettings settings = {&none, 1, LUTRA_ROUNDING_APPROXIMATE};
    const SearchOptions *const options = search->options;
    LutraCircuit copy = {0};
    if (is_asked(options, LUTRA_OFFSETS_ALIGN) || is_asked(options, LUTRA_OFFSETS_CENTRE)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' is a circuit; '--offsets' needs the model it was made from",
                               options->source);
    }
    LUTRA_TRY(lutra_circuit_read(&search->plain, options->source, error));
    LUTRA_TRY(check_fit(search->plain.operations[0].shape, search->plain.class_count, search,
                        error));
    /* refuses what is rounded already */
    const LutraStatus status = lutra_circuit_round(&copy, &search->plain, &settings, error);
    lutra_circuit_deinit(&copy);
    return status;
}

/* What each table reads without rounding. */
static LutraStatus measure_tables(Search *search, LutraError *error) {
    const LutraCircuit *const plain = &search->plain;
    const uint32_t tables = lutra_circuit_table_count(plain);
    uint32_t table = 0;
    if (tables == 0 || tables > LUTRA_SEARCH_MOST_TABLES) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has %u tables; a search needs 1 to %d",
                               search->options->source, tables, LUTRA_SEARCH_MOST_TABLES);
    }
    LUTRA_TRY(lutra_alloc(&search->table_bits, tables, sizeof *search->table_bits, error));
    for (uint32_t i = 0; i < plain->operation_count; i++) {
        const LutraOperation *const op = &plain->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            search->table_bits[table++] = plain->operations[op->inputs[0]].encoding.bits;
        }
    }
    return LUTRA_OK;
}

/* ---- variants ---- */

static LutraStatus list_variants(Search *search, LutraError *error) {
    const SearchOptions *const options = search->options;
    const uint32_t errors = options->p_error_count > 0 ? options->p_error_count : 1;
    const size_t most = (size_t)options->mode_count * options->offset_count * errors;
    LUTRA_TRY(lutra_alloc(&search->variants, most, sizeof *search->variants, error));
    LUTRA_TRY(lutra_alloc(&search->reference, most, sizeof *search->reference, error));
    for (uint32_t m = 0; m < options->mode_count; m++) {
        for (uint32_t o = 0; o < options->offset_count; o++) {
            const uint32_t first = search->variant_count; /* the noisiest */
            for (uint32_t p = 0; p < errors; p++) {
                SearchVariant *const variant = &search->variants[search->variant_count];
                *variant = (SearchVariant){.mode = options->modes[m],
                                           .offsets = options->offsets[o]};
                lutra_parameters_target_default(&variant->target);
                variant->target.security_bits = options->security_bits;
                variant->target.partition = options->partition;
                variant->target.global_p_error = options->global_p_error;
                variant->target.p_error =
                    options->p_error_count > 0 ? options->p_errors[p] : 0.0;
                search->reference[search->variant_count++] = first;
            }
        }
    }
    return LUTRA_OK;
}

/* ---- circuits ---- */

static LutraStatus make_circuit(LutraCircuit *circuit, const Search *search, uint32_t variant,
                                const uint32_t *bits, LutraError *error) {
    const SearchVariant *const what = &search->variants[variant];
    const uint32_t count = lutra_circuit_table_count(&search->plain);
    if (what->offsets == LUTRA_OFFSETS_NONE) {
        const LutraRoundSettings settings = {bits, count, what->mode};
        return lutra_circuit_round(circuit, &search->plain, &settings, error);
    }
    const LutraLowerSettings settings = {.rounding = bits,
                                         .rounding_count = count,
                                         .mode = what->mode,
                                         .offsets = what->offsets};
    return lutra_lower(circuit, &search->model, &search->calibrations[what->offsets], &settings,
                       error);
}

/* Widths as circuits take them: a table that keeps all is not rounded. */
static void list_bits(uint32_t *bits, const Search *search, const LutraSearchSetting *setting) {
    const uint32_t count = lutra_circuit_table_count(&search->plain);
    for (uint32_t t = 0; t < count; t++) {
        bits[t] = setting->bits[t] < search->table_bits[t] ? setting->bits[t] : LUTRA_ROUNDING_NONE;
    }
}

/* The n-th table of a circuit of this search. */
static uint32_t operation_of_table(const LutraCircuit *circuit, uint32_t table) {
    uint32_t i = 0;
    for (uint32_t count = 0;; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_TABLE && count++ == table) {
            return i;
        }
    }
}

static LutraTableOperation *table_of(LutraCircuit *circuit, uint32_t table) {
    return &circuit->operations[operation_of_table(circuit, table)].u.table;
}

/* The width of one table; the others keep what the polynomials of their parameters can read, which
 * is all or nearly all. @param whole  with the parameters of all */
static void list_bits_alone(uint32_t *bits, const Search *search, const LutraSearchSetting *setting,
                            uint32_t table, LutraCircuit *whole) {
    const uint32_t count = lutra_circuit_table_count(&search->plain);
    for (uint32_t t = 0; t < count; t++) {
        const uint32_t most =
            whole->parameters[table_of(whole, t)->parameter_index].log2_poly;
        const uint32_t kept = t == table ? setting->bits[t] : most;
        bits[t] = kept < search->table_bits[t] ? kept : LUTRA_ROUNDING_NONE;
    }
}

/* Gives a circuit the parameters of another one with the same tables. */
static void move_parameters(LutraCircuit *to, LutraCircuit *from) {
    for (uint32_t t = 0; t < lutra_circuit_table_count(to); t++) {
        table_of(to, t)->parameter_index = table_of(from, t)->parameter_index;
    }
    to->parameters = from->parameters;
    to->parameter_count = from->parameter_count;
    from->parameters = NULL;
    from->parameter_count = 0;
}

LutraStatus search_circuit(LutraCircuit *circuit, LutraParametersChoice *choice,
                           const Search *search, const LutraSearchSetting *setting,
                           LutraError *error) {
    uint32_t bits[LUTRA_SEARCH_MOST_TABLES];
    LutraCircuit made = {0};
    list_bits(bits, search, setting);
    LUTRA_TRY(make_circuit(&made, search, setting->variant, bits, error));
    const LutraStatus status = lutra_circuit_choose_parameters(
        choice, &made, &search->variants[setting->variant].target, error);
    if (status != LUTRA_OK) {
        lutra_circuit_deinit(&made);
        return status;
    }
    *circuit = made;
    return LUTRA_OK;
}

/* One table rounded, with the parameters of the setting that rounds all, of which there are some;
 * *operation is the table. */
static LutraStatus make_alone(LutraCircuit *circuit, uint32_t *operation, const Search *search,
                              const LutraSearchSetting *setting, uint32_t table,
                              LutraError *error) {
    uint32_t bits[LUTRA_SEARCH_MOST_TABLES];
    LutraParametersChoice choice = {0};
    LutraCircuit whole = {0};
    LutraCircuit made = {0};
    LUTRA_TRY(search_circuit(&whole, &choice, search, setting, error));
    lutra_parameters_choice_deinit(&choice);
    LUTRA_ASSERT(whole.parameter_count > 0);
    list_bits_alone(bits, search, setting, table, &whole);
    const LutraStatus status = make_circuit(&made, search, setting->variant, bits, error);
    if (status == LUTRA_OK) {
        move_parameters(&made, &whole);
        *operation = operation_of_table(&made, table);
        *circuit = made;
    }
    lutra_circuit_deinit(&whole);
    return status;
}

/* ---- runs ---- */

/* Passes the ticks of one run on as those of all runs of its stage; a second, longer look at a
 * setting does not lead back. */
typedef struct {
    Search *search;
    const LutraSearchTask *task;
    uint64_t each; /* images of a complete run */
} Relay;

static int relay_tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const Relay *const relay = user;
    const LutraSearchTask *const task = relay->task;
    Search *const search = relay->search;
    const uint64_t all = (task->done * relay->each) + done;
    (void)stage;
    (void)total;
    search->shown = task->stage == search->shown_stage && all < search->shown ? search->shown : all;
    search->shown_stage = task->stage;
    return lutra_progress_tick(search->progress, lutra_search_stage_name(task->stage),
                               search->shown, task->total * relay->each, figure);
}

static void relay_note(void *user, const char *line) {
    const Relay *const relay = user;
    lutra_progress_note(relay->search->progress, line);
}

static LutraStatus simulate(LutraSimulation *simulation, const Search *search,
                            const LutraCircuit *circuit, const SearchImages *images,
                            const LutraSimulateSettings *what, LutraError *error) {
    const LutraDataset *const dataset = &search->dataset;
    const LutraImages all = {.pixels = images->split.images,
                             .labels = images->split.labels,
                             .count = images->split.count,
                             .shape = {dataset->channels, dataset->height, dataset->width},
                             .class_count = dataset->class_count};
    LutraSimulateSettings settings = *what;
    settings.threads = search->options->common.threads;
    settings.cpu_flags = search->options->common.cpu_flags;
    const LutraStatus status = lutra_simulate(simulation, circuit, &all, &settings, error);
    if (status == LUTRA_ECANCELLED) {
        lutra_simulation_deinit(simulation);
        return lutra_error_set(error, status, "stopped after %u settings", search->row_count);
    }
    return status;
}

/* Remembers which images the plain circuit gets right. */
static LutraStatus run_plain(const Search *search, SearchImages *images, LutraError *error) {
    LutraSimulation simulation = {0};
    LutraSimulateSettings settings;
    lutra_simulate_default(&settings);
    settings.progress = search->progress;
    LUTRA_TRY(lutra_alloc(&images->plain_hits, (size_t)images->split.count, 1, error));
    LUTRA_TRY(simulate(&simulation, search, &search->plain, images, &settings, error));
    for (uint64_t i = 0; i < simulation.images; i++) {
        images->plain_hits[i] = simulation.predictions[i] == images->split.labels[i];
    }
    lutra_simulation_deinit(&simulation);
    return LUTRA_OK;
}

static LutraSearchCounts count(const LutraSimulation *simulation, const SearchImages *images) {
    LutraSearchCounts counts = {.images = simulation->images,
                                .out_of_range = simulation->out_of_range,
                                .seconds = simulation->seconds};
    for (uint64_t i = 0; i < simulation->images; i++) {
        const bool hit = simulation->predictions[i] == images->split.labels[i];
        counts.hits += hit;
        counts.worse += !hit && images->plain_hits[i];
        counts.better += hit && !images->plain_hits[i];
    }
    return counts;
}

static LutraStatus price(void *user, LutraSearchPrice *price, const LutraSearchSetting *setting,
                         LutraError *error) {
    const Search *const search = user;
    LutraParametersChoice choice = {0};
    LutraCircuit circuit = {0};
    LUTRA_TRY(search_circuit(&circuit, &choice, search, setting, error));
    /* of the profile's threads, not of this run's: those must not change what is chosen */
    const LutraMachineProfile *const profile = &search->machine.profile;
    const LutraStatus status =
        lutra_search_price(price, &circuit, profile, profile->threads, error);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
    return status;
}

static LutraStatus measure(void *user, LutraSearchCounts *counts, const LutraSearchSetting *setting,
                           const LutraSearchTask *task, LutraError *error) {
    Search *const search = user;
    const int part = task->stage == LUTRA_SEARCH_CONFIRM ? CONFIRMATION : SELECTION;
    const SearchImages *const images = &search->parts[part];
    const LutraSearchRow *const known = search_table_find(search, setting, task);
    if (known != NULL) {
        *counts = known->counts;
        return LUTRA_OK;
    }
    Relay relay = {search, task, images->split.count};
    const LutraProgress progress = {relay_tick, relay_note, &relay};
    LutraParametersChoice choice = {0};
    LutraCircuit circuit = {0};
    LutraSimulation simulation = {0};
    LutraSimulateSettings settings;
    lutra_simulate_default(&settings);
    settings.mode = LUTRA_MODE_NOISY;
    settings.limit = task->images;
    settings.progress = search->progress == NULL ? NULL : &progress;
    settings.noise.seed = search->options->common.seed;
    settings.noise.repeat = (uint32_t)part; /* two parts never share draws */
    LUTRA_TRY(task->table == LUTRA_SEARCH_NONE
                  ? search_circuit(&circuit, &choice, search, setting, error)
                  : make_alone(&circuit, &settings.noise.only_operation, search, setting,
                               task->table, error));
    const LutraStatus status = simulate(&simulation, search, &circuit, images, &settings, error);
    if (status == LUTRA_OK) {
        *counts = count(&simulation, images);
    }
    lutra_simulation_deinit(&simulation);
    lutra_parameters_choice_deinit(&choice);
    lutra_circuit_deinit(&circuit);
    return status;
}

static LutraStatus record(void *user, const LutraSearchRow *row, LutraError *error) {
    Search *const search = user;
    LUTRA_TRY(lutra_resize(&search->rows, search->row_count, (size_t)search->row_count + 1,
                           sizeof *search->rows, error));
    search->rows[search->row_count++] = *row;
    if (lutra_seconds() - search->written < SECONDS_BETWEEN_WRITES) {
        return LUTRA_OK;
    }
    LUTRA_TRY(search_table_write(search, error));
    search->written = lutra_seconds();
    return LUTRA_OK;
}

LutraSearchWorker search_worker(Search *search) {
    return (LutraSearchWorker){price, measure, record, search};
}

/* ---- all of it ---- */

LutraStatus search_prepare(Search *search, LutraError *error) {
    const SearchOptions *const options = search->options;
    LutraSplit *const train = &search->dataset.splits[LUTRA_SPLIT_TRAIN];
    LutraSplit calibration = {0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(cli_is_model_file(&search->is_model, options->source, error));
    LUTRA_TRY(cli_file_checksum(search->checksum, options->source, error));
    LUTRA_TRY(lutra_dataset_read(&search->dataset, options->data, 1u << LUTRA_SPLIT_TRAIN, 0,
                                 error));
    if (train->count == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no training images", options->data);
    }
    LUTRA_TRY(cli_profile_find(&search->machine, NULL, error));
    LUTRA_TRY(list_variants(search, error));
    LUTRA_TRY_GOTO(status, split_images(search, &calibration, error));
    lutra_free(&train->images); /* the parts have them */
    LUTRA_TRY_GOTO(status, search->is_model ? read_model(search, &calibration, error)
                                            : read_circuit(search, error));
    LUTRA_TRY_GOTO(status, measure_tables(search, error));
    LUTRA_TRY_GOTO(status, run_plain(search, &search->parts[SELECTION], error));
    LUTRA_TRY_GOTO(status, run_plain(search, &search->parts[CONFIRMATION], error));
done:
    lutra_free(&calibration.images);
    lutra_free(&calibration.labels);
    return status;
}
