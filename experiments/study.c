/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/study.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_border.h"
#include "sim/simulate_many.h"

const char *const lutra_study_offset_names[3] = {"none", "align", "centre"};
const char *const lutra_study_mode_names[2] = {"exact", "approximate"};

const char *lutra_study_bits_text(char text[32], uint32_t bits) {
    if (bits == LUTRA_ROUNDING_NONE) {
        (void)snprintf(text, 32, "no rounding");
    } else {
        (void)snprintf(text, 32, "%" PRIu32 " bits", bits);
    }
    return text;
}

/* --- circuits --------------------------------------------------------------------------------- */

/** Bytes of the ciphertexts that the client gets: results that are read in the clear. */
static uint64_t output_bytes(const LutraCircuit *circuit) {
    const LutraCryptoParameters *const set = &circuit->parameters[0];
    const uint64_t words = ((uint64_t)set->glwe_dim << set->log2_poly) + 1;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const from = &circuit->operations[i];
        bool is_read = false;
        for (uint32_t j = i + 1; j < circuit->operation_count; j++) {
            const LutraOperation *const to = &circuit->operations[j];
            for (uint32_t k = 0; k < to->input_count; k++) {
                is_read = is_read || (to->inputs[k] == i &&
                                      (to->in_clear || to->kind == LUTRA_OPERATION_OUTPUT));
            }
        }
        if (is_read && !from->in_clear && from->kind != LUTRA_OPERATION_INPUT) {
            bytes += lutra_shape_elements(from->shape) * words * 8;
        }
    }
    return bytes;
}

static void measure_circuit(LutraStudyRow *row, const LutraCircuit *circuit) {
    uint64_t clear = 0;
    row->lookups = lutra_circuit_pbs(circuit);
    row->widest_bits = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const bool sums = op->kind == LUTRA_OPERATION_LINEAR || op->kind == LUTRA_OPERATION_CONV;
        clear += op->in_clear ? lutra_operation_macs(op) : 0;
        if (sums && op->encoding.bits > row->widest_bits) {
            row->widest_bits = op->encoding.bits;
        }
    }
    const uint64_t macs = lutra_circuit_macs(circuit);
    row->clear_macs = macs > 0 ? (double)clear / (double)macs : 0.0;
}

static LutraStatus predict(LutraStudyRow *row, const LutraCircuit *circuit,
                           const LutraExperimentRun *run, LutraError *error) {
    LutraCircuitCost cost = {0};
    LUTRA_TRY(lutra_circuit_cost(&cost, circuit, run->machine, run->threads, error));
    row->set = circuit->parameters[0];
    row->seconds = cost.seconds;
    row->core_seconds = cost.core_seconds;
    row->keygen_seconds = cost.keygen_seconds;
    row->key_bytes = cost.key_bytes;
    row->input_bytes = cost.input_bytes;
    row->output_bytes = output_bytes(circuit);
    lutra_circuit_cost_deinit(&cost);
    return LUTRA_OK;
}

static LutraStatus choose(LutraStudyRow *row, LutraCircuit *circuit, const LutraExperimentRun *run,
                          LutraError *error) {
    LutraParametersTarget target;
    LutraParametersChoice choice = {0};
    lutra_parameters_target_default(&target);
    target.p_error = row->setting.p_error;
    target.partition = row->setting.partition;
    LUTRA_TRY(lutra_circuit_choose_parameters(&choice, circuit, &target, error));
    row->feasible = choice.feasible && circuit->parameter_count > 0;
    row->expected_wrong = choice.expected_wrong;
    lutra_parameters_choice_deinit(&choice);
    return row->feasible ? predict(row, circuit, run, error) : LUTRA_OK;
}

LutraStatus lutra_study_circuit(LutraCircuit *circuit, LutraStudyRow *row, LutraSubject *subject,
                                const LutraDataset *dataset, const LutraExperimentRun *run,
                                LutraError *error) {
    const LutraStudySetting setting = row->setting;
    const LutraLowerSettings lower = {.rounding = &setting.bits,
                                      .rounding_count = 1,
                                      .mode = setting.mode,
                                      .offsets = setting.offsets};
    LutraCircuit made = {0};
    LUTRA_TRY(lutra_subject_calibrate(subject, dataset, run, setting.offsets, error));
    LUTRA_TRY(lutra_lower(&made, &subject->model, &subject->calibrations[setting.offsets], &lower,
                          error));
    LutraStatus status = LUTRA_OK;
    if (setting.clear_from != NULL) {
        status = lutra_circuit_mark_clear(&made, setting.clear_from, setting.clear_to, error);
    }
    *row = (LutraStudyRow){.setting = setting, .feasible = true};
    measure_circuit(row, &made);
    if (status == LUTRA_OK && setting.p_error > 0.0) {
        status = choose(row, &made, run, error);
    }
    if (status == LUTRA_OK) {
        *circuit = made;
    } else {
        lutra_circuit_deinit(&made);
    }
    return status;
}

/* --- runs ------------------------------------------------------------------------------------- */

typedef struct {
    LutraStudyRow *rows;
    uint32_t count;
    uint32_t repeats;
    const LutraImages *images;
    LutraCircuit *circuits;       /* (count) */
    uint32_t *row_of_case;        /* (cases) */
    LutraSimulationCase *cases;   /* (case_count) */
    LutraSimulation *simulations; /* (case_count) */
    uint32_t case_count;
    uint8_t *first_hits; /* (images) whether row 0 answers rightly */
} Study;

static void study_deinit(Study *study) {
    for (uint32_t i = 0; study->circuits != NULL && i < study->count; i++) {
        lutra_circuit_deinit(&study->circuits[i]);
    }
    for (uint32_t i = 0; study->simulations != NULL && i < study->case_count; i++) {
        lutra_simulation_deinit(&study->simulations[i]);
    }
    lutra_free(&study->circuits);
    lutra_free(&study->row_of_case);
    lutra_free(&study->cases);
    lutra_free(&study->simulations);
    lutra_free(&study->first_hits);
}

static void make_cases(Study *study, uint64_t seed) {
    for (uint32_t i = 0; i < study->count; i++) {
        const LutraStudyRow *const row = &study->rows[i];
        const bool noisy = row->setting.p_error > 0.0;
        const uint32_t runs = !row->feasible ? 0 : noisy ? study->repeats : 1;
        for (uint32_t r = 0; r < runs; r++) {
            LutraSimulationCase *const one = &study->cases[study->case_count];
            study->row_of_case[study->case_count++] = i;
            one->circuit = &study->circuits[i];
            one->mode = noisy ? LUTRA_MODE_NOISY : LUTRA_MODE_CLEAR;
            lutra_noise_settings_default(&one->noise);
            one->noise.seed = seed;
            one->noise.repeat = r;
        }
    }
}

/** Position of the label among the logits, from 0; the first of equals comes first. */
static uint32_t rank_of(const float *logits, uint32_t classes, uint32_t label) {
    uint32_t rank = 0;
    for (uint32_t c = 0; c < classes; c++) {
        rank += logits[c] > logits[label] || (c < label && !(logits[c] < logits[label]));
    }
    return rank;
}

static void count_case(Study *study, const LutraSimulation *simulation, uint32_t index) {
    LutraStudyRow *const row = &study->rows[study->row_of_case[index]];
    const double share = row->setting.p_error > 0.0 ? 1.0 / study->repeats : 1.0;
    const uint32_t classes = simulation->class_count;
    row->images = simulation->images;
    for (uint64_t i = 0; i < simulation->images; i++) {
        const uint32_t rank =
            rank_of(simulation->logits + (i * classes), classes, study->images->labels[i]);
        for (uint32_t k = rank; k < LUTRA_STUDY_RANKS; k++) {
            row->hits[k] += share;
        }
        if (study->row_of_case[index] == 0) {
            study->first_hits[i] = rank == 0;
        }
        row->worse += rank > 0 && study->first_hits[i] ? share : 0.0;
        row->better += rank == 0 && !study->first_hits[i] ? share : 0.0;
    }
    row->out_of_range += simulation->out_of_range;
    row->simulate_seconds += simulation->seconds;
}

static LutraStatus on_finished(void *user, uint32_t index, const LutraSimulation *simulation,
                               LutraError *error) {
    (void)error;
    count_case(user, simulation, index);
    return LUTRA_OK;
}

LutraStatus lutra_study_run(LutraStudyRow *rows, uint32_t count, LutraSubject *subject,
                            const LutraDataset *dataset, const LutraImages *images,
                            uint32_t repeats, const LutraExperimentRun *run, LutraError *error) {
    Study study = {.rows = rows, .count = count, .repeats = repeats, .images = images};
    const LutraSimulationListener listener = {on_finished, &study};
    const size_t most = (size_t)count * repeats;
    LutraSimulateSettings settings;
    LutraStatus status = LUTRA_OK;
    LUTRA_ASSERT(count > 0 && repeats > 0 && rows[0].setting.p_error == 0.0);
    lutra_simulate_default(&settings);
    settings.threads = run->threads;
    settings.cpu_flags = run->cpu_flags;
    settings.keep_logits = true;
    settings.progress = run->progress;
    LUTRA_TRY_GOTO(status, lutra_alloc(&study.circuits, count, sizeof *study.circuits, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&study.row_of_case, most, sizeof(uint32_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&study.cases, most, sizeof *study.cases, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&study.simulations, most, sizeof *study.simulations, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&study.first_hits, (size_t)images->count, 1, error));
    for (uint32_t i = 0; i < count; i++) {
        LUTRA_TRY_GOTO(status, lutra_study_circuit(&study.circuits[i], &rows[i], subject, dataset,
                                                   run, error));
    }
    make_cases(&study, run->seed);
    status = lutra_simulate_many(study.simulations, study.cases, study.case_count, images,
                                 &settings, &listener, error);
done:
    study_deinit(&study);
    return status;
}

/* --- figures ---------------------------------------------------------------------------------- */

LutraStatus lutra_study_add_top(LutraFigures *figures, const char *quantity, const char *at,
                                const LutraStudyRow *row, uint32_t rank, LutraError *error) {
    LutraFigure figure = {.unit = "fraction", .kind = LUTRA_FIGURE_SIMULATED};
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", quantity);
    (void)snprintf(figure.at, sizeof figure.at, "%s", at);
    if (row->feasible && row->images > 0) {
        const double hits = row->hits[rank - 1];
        figure.trials = row->images;
        figure.value = hits / (double)row->images;
        figure.interval = lutra_interval_binomial((uint64_t)nearbyint(hits), row->images, 0.95);
    } else {
        figure.value = figure.interval.low = figure.interval.high = (double)NAN;
        (void)snprintf(figure.note, sizeof figure.note, "no crypto parameters");
    }
    return lutra_figures_add(figures, &figure, error);
}

LutraStatus lutra_study_add_loss(LutraFigures *figures, const char *quantity, const char *at,
                                 const LutraStudyRow *row, LutraError *error) {
    const double images = (double)row->images;
    LutraFigure figure = {.unit = "fraction", .kind = LUTRA_FIGURE_SIMULATED};
    if (!row->feasible || row->images == 0) {
        return LUTRA_OK;
    }
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", quantity);
    (void)snprintf(figure.at, sizeof figure.at, "%s", at);
    figure.value = (row->worse - row->better) / images;
    figure.interval = lutra_interval_paired(row->worse, row->better, images, 0.95);
    figure.trials = row->images;
    return lutra_figures_add(figures, &figure, error);
}
