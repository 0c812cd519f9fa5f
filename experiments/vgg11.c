/* SPDX-License-Identifier: Apache-2.0 */
/* E2: from a float network over a quantized one to a circuit. See vgg11.ini. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/plot.h"
#include "experiments/study.h"
#include "train/evaluate.h"

enum { MOST_SUBJECTS = 8, STAGES = 3, AT_BYTES = LUTRA_FIGURE_TEXT_BYTES };

static const char TOP1[] = "top-1";
static const char *const stages[STAGES] = {"float", "quantized", "circuit"};
static const double MOST_LOSS = 0.02; /* of quantization, that the claim allows */

typedef struct {
    uint32_t float_epochs;
    uint32_t epochs;
    uint32_t test_images;
} Settings;

static const char *key(const LutraExperimentRun *run, const char *section, const char *name) {
    return lutra_experiment_value(run->settings, section, name);
}

static LutraStatus read_settings(Settings *settings, const LutraExperimentRun *run,
                                 LutraError *error) {
    static const char *const keys[] = {"float_epochs",       "epochs",      "train_images",
                                       "calibration_images", "test_images", NULL};
    const char *const section = lutra_experiment_setting(run);
    LUTRA_TRY(lutra_experiment_check_keys(run, section, keys, error));
    LUTRA_TRY(lutra_experiment_number(&settings->float_epochs, run, section, "float_epochs", 0,
                                      100000, error));
    LUTRA_TRY(lutra_experiment_number(&settings->epochs, run, section, "epochs", 0, 100000, error));
    return lutra_experiment_number(&settings->test_images, run, section, "test_images", 0,
                                   UINT32_MAX, error);
}

/* --- which subjects ------------------------------------------------------------------------------
 */

typedef struct {
    char sections[MOST_SUBJECTS][32];
    uint32_t count;
    char left_out[LUTRA_ERROR_BYTES];
} Choice;

/** Looks for one input; remembers why it is missing. */
static LutraStatus look_for(bool *is_there, Choice *choice, const LutraExperimentRun *run,
                            const char *name, LutraError *error) {
    char *path = NULL;
    *is_there = false;
    if (name == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_experiment_find_input(&path, run, name, error));
    *is_there = path != NULL;
    lutra_free(&path);
    if (!*is_there && choice->left_out[0] == '\0') {
        LutraError missing = {""};
        (void)lutra_experiment_missing_input(run, name, &missing);
        (void)snprintf(choice->left_out, sizeof choice->left_out, "%s", missing.message);
    }
    return LUTRA_OK;
}

static LutraStatus add_section(Choice *choice, const Settings *settings,
                               const LutraExperimentRun *run, const char *section,
                               LutraError *error) {
    bool data = false;
    bool real = false;
    bool quantized = false;
    LUTRA_TRY(look_for(&data, choice, run, key(run, section, "data"), error));
    LUTRA_TRY(look_for(&real, choice, run, key(run, section, "float"), error));
    LUTRA_TRY(look_for(&quantized, choice, run, key(run, section, "model"), error));
    real = real || (key(run, section, "float_network") != NULL && settings->float_epochs > 0);
    quantized = quantized || (key(run, section, "network") != NULL && settings->epochs > 0);
    if (data && real && quantized) {
        (void)snprintf(choice->sections[choice->count++], sizeof choice->sections[0], "%s",
                       section);
    }
    return LUTRA_OK;
}

static LutraStatus choose_subjects(Choice *choice, const Settings *settings,
                                   const LutraExperimentRun *run, LutraError *error) {
    *choice = (Choice){.count = 0};
    for (uint32_t n = 1; n <= MOST_SUBJECTS; n++) {
        char section[32];
        (void)snprintf(section, sizeof section, "subject.%" PRIu32, n);
        if (key(run, section, "data") == NULL) {
            break;
        }
        LUTRA_TRY(add_section(choice, settings, run, section, error));
    }
    if (choice->count == 0 && !run->full && key(run, "stand-in", "data") != NULL) {
        LUTRA_TRY(add_section(choice, settings, run, "stand-in", error));
    }
    return choice->count > 0
               ? LUTRA_OK
               : lutra_error_set(
                     error, LUTRA_EUNAVAILABLE, "%s",
                     choice->left_out[0] != '\0' ? choice->left_out : "no section [subject.1]");
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    Choice choice;
    LUTRA_TRY(read_settings(&settings, run, error));
    return choose_subjects(&choice, &settings, run, error);
}

/* --- one subject --------------------------------------------------------------------------------
 */

typedef struct {
    const LutraExperimentRun *run;
    const Settings *settings;
    const char *section;
    const char *label;
    uint32_t number;
    LutraSubject subject; /* data, and the quantized model */
    LutraModel real;      /* the float one */
    float *logits;        /* (images, classes) of the quantized model */
} Work;

static const char *at_of(char at[AT_BYTES], const Work *work, const char *stage) {
    (void)snprintf(at, AT_BYTES, "%.24s%s%s", work->label,
                   work->label[0] != '\0' && stage[0] != '\0' ? "; " : "", stage);
    return at;
}

static LutraStatus evaluate(Work *work, LutraModel *model, const char *stage, float *logits,
                            LutraError *error) {
    const LutraEvaluateSettings settings = {.batch = 100,
                                            .threads = work->run->threads,
                                            .cpu_flags = work->run->cpu_flags,
                                            .loss = LUTRA_LOSS_CROSS_ENTROPY};
    LutraEvaluation result;
    char at[AT_BYTES];
    LUTRA_TRY(lutra_evaluate(&result, logits, model, &work->subject.dataset, LUTRA_SPLIT_TEST,
                             &settings, work->run->progress, error));
    return lutra_figures_add_fraction(work->run->figures, TOP1, at_of(at, work, stage),
                                      LUTRA_FIGURE_SIMULATED, result.right1, result.images, error);
}

static LutraStatus open_models(Work *work, LutraError *error) {
    const LutraExperimentRun *const run = work->run;
    const char *const section = work->section;
    char file[2][32];
    bool was_trained = false;
    (void)snprintf(file[0], sizeof file[0], "float-%" PRIu32 ".h5", work->number);
    (void)snprintf(file[1], sizeof file[1], "model-%" PRIu32 ".h5", work->number);
    const LutraModelSource real = {.input = key(run, section, "float"),
                                   .network = key(run, section, "float_network"),
                                   .epochs = work->settings->float_epochs,
                                   .file = file[0]};
    LUTRA_TRY(lutra_subject_model(&work->real, &was_trained, &work->subject, &real, run, error));
    const LutraModelSource quantized = {.input = key(run, section, "model"),
                                        .network = key(run, section, "network"),
                                        .epochs = work->settings->epochs,
                                        .from = &work->real,
                                        .file = file[1]};
    return lutra_subject_model(&work->subject.model, &work->subject.was_trained, &work->subject,
                               &quantized, run, error);
}

/** Images whose logits are equal, bit for bit, in the quantized model and in its circuit. */
static LutraStatus compare_logits(Work *work, const LutraSimulation *simulation,
                                  LutraError *error) {
    uint64_t equal = 0;
    char at[AT_BYTES];
    for (uint64_t i = 0; i < simulation->images; i++) {
        const size_t first = (size_t)i * simulation->class_count;
        equal += memcmp(work->logits + first, simulation->logits + first,
                        simulation->class_count * sizeof *work->logits) == 0;
    }
    return lutra_figures_add_fraction(
        work->run->figures, "images with equal logits in model and circuit", at_of(at, work, ""),
        LUTRA_FIGURE_SIMULATED, equal, simulation->images, error);
}

static LutraStatus simulate(Work *work, LutraError *error) {
    LutraFigures *const figures = work->run->figures;
    const LutraImages images = lutra_subject_images(&work->subject.dataset, LUTRA_SPLIT_TEST, 0);
    LutraStudyRow row = {.setting = {.mode = LUTRA_ROUNDING_APPROXIMATE}};
    LutraSimulation simulation = {0};
    LutraCircuit circuit = {0};
    LutraSimulateSettings settings;
    char at[AT_BYTES];
    lutra_simulate_default(&settings);
    settings.threads = work->run->threads;
    settings.cpu_flags = work->run->cpu_flags;
    settings.keep_logits = true;
    settings.progress = work->run->progress;
    LUTRA_TRY(lutra_study_circuit(&circuit, &row, &work->subject, &work->subject.dataset, work->run,
                                  error));
    LutraStatus status = lutra_simulate(&simulation, &circuit, &images, &settings, error);
    if (status == LUTRA_OK) {
        status = lutra_figures_add_fraction(figures, TOP1, at_of(at, work, stages[2]),
                                            LUTRA_FIGURE_SIMULATED, simulation.top1_hits,
                                            simulation.images, error);
    }
    if (status == LUTRA_OK) {
        status = compare_logits(work, &simulation, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_figures_add_number(figures, "bits of the widest sum", at_of(at, work, ""),
                                          "", LUTRA_FIGURE_COUNTED, row.widest_bits, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_figures_add_number(figures, "look-ups of an image", at_of(at, work, ""), "",
                                          LUTRA_FIGURE_COUNTED, (double)row.lookups, error);
    }
    lutra_simulation_deinit(&simulation);
    lutra_circuit_deinit(&circuit);
    return status;
}

static bool holds(const Work *work) {
    const LutraFigures *const figures = work->run->figures;
    char at[3][AT_BYTES];
    const LutraFigure *const real = lutra_figures_find(figures, TOP1, at_of(at[0], work, "float"));
    const LutraFigure *const quantized =
        lutra_figures_find(figures, TOP1, at_of(at[1], work, "quantized"));
    const LutraFigure *const equal = lutra_figures_find(
        figures, "images with equal logits in model and circuit", at_of(at[2], work, ""));
    const bool exact = equal == NULL || equal->value == 1.0;
    if (real == NULL || quantized == NULL || work->subject.is_stand_in) {
        return exact;
    }
    return exact && lutra_figure_difference(quantized, real).interval.high >= -MOST_LOSS;
}

static LutraStatus run_subject(LutraExperimentOutcome *outcome, Work *work, LutraError *error) {
    const LutraExperimentRun *const run = work->run;
    char prefix[40] = "";
    if (work->label[0] != '\0') {
        (void)snprintf(prefix, sizeof prefix, "%.32s ", work->label);
    }
    LUTRA_TRY(lutra_subject_open_data(&work->subject, run, work->section, error));
    LutraSplit *const test = &work->subject.dataset.splits[LUTRA_SPLIT_TEST];
    if (work->settings->test_images > 0 && work->settings->test_images < test->count) {
        test->count = work->settings->test_images;
    }
    LUTRA_TRY(open_models(work, error));
    LUTRA_TRY(lutra_subject_describe(&work->subject, run, prefix, error));
    LUTRA_TRY(lutra_alloc(&work->logits, (size_t)test->count * work->subject.dataset.class_count,
                          sizeof *work->logits, error));
    LUTRA_TRY(evaluate(work, &work->real, stages[0], NULL, error));
    LUTRA_TRY(evaluate(work, &work->subject.model, stages[1], work->logits, error));
    LUTRA_TRY(simulate(work, error));
    LUTRA_TRY(lutra_experiment_checkpoint(run, error));
    outcome->holds = outcome->holds && holds(work);
    outcome->done++;
    return LUTRA_OK;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static LutraStatus draw(const Choice *choice, const LutraExperimentRun *run, LutraError *error) {
    LutraFigures published = {0};
    LutraPoints points[2 * MOST_SUBJECTS];
    LutraSeries series[2 * MOST_SUBJECTS];
    char labels[2 * MOST_SUBJECTS][80];
    LutraChart chart;
    size_t n = 0;
    LUTRA_TRY(lutra_experiment_published(&published, run, error));
    memset(points, 0, sizeof points);
    for (uint32_t i = 0; i < choice->count; i++) {
        const char *const given = key(run, choice->sections[i], "label");
        const Work work = {.label = given != NULL ? given : ""};
        for (uint32_t s = 0; s < STAGES; s++) {
            char at[AT_BYTES];
            (void)at_of(at, &work, stages[s]);
            const double aside = 0.06 * (double)n;
            lutra_points_add_figure(&points[n], s + aside,
                                    lutra_figures_find(run->figures, TOP1, at), 100.0);
            lutra_points_add_figure(&points[n + 1], s + aside + 0.06,
                                    lutra_figures_find(&published, TOP1, at), 100.0);
        }
        (void)snprintf(labels[n], sizeof labels[n], "%.60s", work.label);
        (void)snprintf(labels[n + 1], sizeof labels[n + 1], "%.50s, published", work.label);
        series[n] = lutra_points_curve(labels[n], &points[n]);
        series[n + 1] = lutra_points_marks(labels[n + 1], &points[n + 1]);
        n += 2;
    }
    lutra_chart_default(&chart);
    chart.title = "From a float network to a circuit";
    chart.x_label = "step";
    chart.y_label = "top-1 accuracy, % of the test images, 95 % intervals";
    chart.x_names = stages;
    chart.x_name_count = STAGES;
    const LutraStatus status =
        lutra_plot_write(&chart, series, n, NULL, run, "vgg11-accuracy.png", error);
    lutra_figures_deinit(&published);
    return status;
}

static LutraStatus run_vgg11(LutraExperimentOutcome *outcome, LutraJson *results,
                             const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    Choice choice;
    LutraStatus status = LUTRA_OK;
    (void)results;
    *outcome = (LutraExperimentOutcome){.holds = true};
    LUTRA_TRY(read_settings(&settings, run, error));
    LUTRA_TRY(choose_subjects(&choice, &settings, run, error));
    outcome->parts = choice.count;
    if (choice.left_out[0] != '\0') {
        LUTRA_TRY(lutra_figures_set_fact(run->figures, "left out", choice.left_out, error));
    }
    for (uint32_t i = 0; status == LUTRA_OK && i < choice.count; i++) {
        const char *const label = key(run, choice.sections[i], "label");
        Work work = {.run = run,
                     .settings = &settings,
                     .section = choice.sections[i],
                     .label = label != NULL ? label : "",
                     .number = i + 1};
        status = run_subject(outcome, &work, error);
        lutra_free(&work.logits);
        lutra_model_deinit(&work.real);
        lutra_subject_deinit(&work.subject);
    }
    return status == LUTRA_OK ? draw(&choice, run, error) : status;
}

static const char *const files[] = {"vgg11-accuracy.png", NULL};

const LutraExperiment lutra_experiment_vgg11 = {
    .name = "vgg11", .files = files, .check = check, .run = run_vgg11};
