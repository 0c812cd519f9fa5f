/* SPDX-License-Identifier: Apache-2.0 */
/* E4: accuracy and time over p_error, and the largest p_error within a budget. See p-error.ini. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/encrypted_run.h"
#include "experiments/plot.h"
#include "experiments/study.h"

enum { MOST_ERRORS = 32, SEARCH_STEPS = 9 };

static const char TOP1[] = "top-1";
static const char LOSS[] = "top-1 lost";
static const char PREDICTED[] = "time of an image predicted";
static const char FOUND[] = "largest p_error within the budget";

typedef struct {
    uint32_t bits;
    uint32_t repeats;
    uint32_t samples;
    uint32_t test_images;
    uint32_t search_images;
    double budget; /* fraction */
    double errors[MOST_ERRORS];
    uint32_t error_count;
    double encrypted[MOST_ERRORS];
    uint32_t encrypted_count;
} Settings;

/* --- settings --------------------------------------------------------------------------------- */

static LutraStatus read_errors(double *errors, uint32_t *count, const LutraExperimentRun *run,
                               const char *key, LutraError *error) {
    const char *const section = lutra_experiment_setting(run);
    const char *rest = lutra_experiment_value(run->settings, section, key);
    char word[32];
    for (*count = 0; rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest);) {
        char *end = NULL;
        const double value = strtod(word, &end);
        if (*end != '\0' || !(value >= 1e-12 && value <= 0.9) || *count == MOST_ERRORS) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'%s': '%s' in section [%s] should be at most %d numbers from "
                                   "1e-12 to 0.9, separated by commas; found '%s'",
                                   run->settings_path, key, section, MOST_ERRORS, word);
        }
        errors[(*count)++] = value;
    }
    return LUTRA_OK;
}

static LutraStatus read_settings(Settings *settings, const LutraExperimentRun *run,
                                 LutraError *error) {
    static const char *const keys[] = {"epochs",      "train_images",  "calibration_images",
                                       "test_images", "bits",          "p_errors",
                                       "repeats",     "encrypted",     "samples",
                                       "budget",      "search_images", NULL};
    const char *const section = lutra_experiment_setting(run);
    *settings = (Settings){.bits = 0};
    LUTRA_TRY(lutra_experiment_check_keys(run, section, keys, error));
    LUTRA_TRY(lutra_experiment_number(&settings->bits, run, section, "bits", 1, LUTRA_MAX_ROUNDING,
                                      error));
    LUTRA_TRY(lutra_experiment_number(&settings->repeats, run, section, "repeats", 1, 1000, error));
    LUTRA_TRY(lutra_experiment_number(&settings->samples, run, section, "samples", 0, 1000, error));
    LUTRA_TRY(lutra_experiment_number(&settings->test_images, run, section, "test_images", 0,
                                      UINT32_MAX, error));
    LUTRA_TRY(lutra_experiment_number(&settings->search_images, run, section, "search_images", 1,
                                      UINT32_MAX, error));
    LUTRA_TRY(lutra_experiment_real(&settings->budget, run, section, "budget", 0.0, 100.0, error));
    settings->budget /= 100.0;
    LUTRA_TRY(read_errors(settings->errors, &settings->error_count, run, "p_errors", error));
    LUTRA_TRY(
        read_errors(settings->encrypted, &settings->encrypted_count, run, "encrypted", error));
    return settings->error_count > 0
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EDATA, "'%s': section [%s] has no 'p_errors'",
                                 run->settings_path, section);
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    const char *section = NULL;
    LUTRA_TRY(read_settings(&settings, run, error));
    return lutra_subject_choose(&section, run, "subject", error);
}

/* --- parts ------------------------------------------------------------------------------------ */

typedef struct {
    Settings settings;
    LutraSubject subject;
    const LutraExperimentRun *run;
    LutraStudyRow rows[MOST_ERRORS + 2]; /* no rounding; rounded without noise; each p_error */
    uint32_t row_count;
    bool has_encryption;
    double found; /* largest p_error within the budget; 0: none */
} Work;

static const char *error_text(char text[48], double p_error) {
    (void)snprintf(text, 48, "p_error %.3g", p_error);
    return text;
}

static LutraStudySetting noisy(const Work *work, double p_error) {
    return (LutraStudySetting){
        .bits = work->settings.bits, .mode = LUTRA_ROUNDING_APPROXIMATE, .p_error = p_error};
}

static LutraStatus add_row(Work *work, const LutraStudyRow *row, LutraError *error) {
    LutraFigures *const figures = work->run->figures;
    char at[48];
    (void)error_text(at, row->setting.p_error);
    LUTRA_TRY(lutra_study_add_top(figures, TOP1, at, row, 1, error));
    if (!row->feasible) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_study_add_loss(figures, LOSS, at, row, error));
    LUTRA_TRY(lutra_figures_add_number(figures, PREDICTED, at, "s", LUTRA_FIGURE_PREDICTED,
                                       row->seconds, error));
    return lutra_figures_add_number(figures, "polynomial size N", at, "", LUTRA_FIGURE_COUNTED,
                                    exp2(row->set.log2_poly), error);
}

static LutraStatus simulate(Work *work, LutraError *error) {
    const Settings *const settings = &work->settings;
    const LutraImages images =
        lutra_subject_images(&work->subject.dataset, LUTRA_SPLIT_TEST, settings->test_images);
    LutraFigures *const figures = work->run->figures;
    work->row_count = settings->error_count + 2;
    work->rows[1].setting.bits = settings->bits;
    work->rows[1].setting.mode = LUTRA_ROUNDING_APPROXIMATE;
    for (uint32_t i = 0; i < settings->error_count; i++) {
        work->rows[i + 2].setting = noisy(work, settings->errors[i]);
    }
    LUTRA_TRY(lutra_study_run(work->rows, work->row_count, &work->subject, &work->subject.dataset,
                              &images, settings->repeats, work->run, error));
    LUTRA_TRY(
        lutra_study_add_top(figures, TOP1, "no rounding and no noise", &work->rows[0], 1, error));
    LUTRA_TRY(lutra_study_add_top(figures, TOP1, "no noise", &work->rows[1], 1, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "look-ups of an image", "", "",
                                       LUTRA_FIGURE_COUNTED, (double)work->rows[1].lookups, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "bits of the widest sum", "", "",
                                       LUTRA_FIGURE_COUNTED, work->rows[1].widest_bits, error));
    for (uint32_t i = 2; i < work->row_count; i++) {
        LUTRA_TRY(add_row(work, &work->rows[i], error));
    }
    return lutra_experiment_checkpoint(work->run, error);
}

static LutraStatus encrypt_one(Work *work, double p_error, LutraError *error) {
    LutraStudyRow row = {.setting = noisy(work, p_error)};
    LutraVerifyResult result = {0};
    LutraCircuit circuit = {0};
    char at[48];
    (void)error_text(at, p_error);
    if (lutra_experiment_encrypt_known(work->run->figures, at)) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_study_circuit(&circuit, &row, &work->subject, &work->subject.dataset, work->run,
                                  error));
    LutraStatus status = LUTRA_OK;
    if (row.feasible) {
        status = lutra_experiment_encrypt(&result, &circuit, &work->subject.dataset, 0,
                                          work->settings.samples, work->run, error);
        if (status == LUTRA_OK) {
            status = lutra_experiment_encrypt_add(work->run->figures, at, &result, &row,
                                                  work->run->threads, error);
        }
    }
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
    return status == LUTRA_OK ? lutra_experiment_checkpoint(work->run, error) : status;
}

static LutraStatus encrypt(Work *work, LutraError *error) {
    LutraError missing = {""};
    if (work->settings.samples == 0 || work->settings.encrypted_count == 0) {
        return LUTRA_OK;
    }
    if (lutra_experiment_encrypt_check(&missing) != LUTRA_OK) {
        return lutra_figures_set_fact(work->run->figures, "left out", missing.message, error);
    }
    work->has_encryption = true;
    for (uint32_t i = 0; i < work->settings.encrypted_count; i++) {
        LUTRA_TRY(encrypt_one(work, work->settings.encrypted[i], error));
    }
    return LUTRA_OK;
}

/** Whether a p_error loses no more than the budget on held-out images, against rounding alone. */
static LutraStatus try_error(bool *keeps, Work *work, double p_error, const LutraImages *images,
                             LutraError *error) {
    LutraStudyRow rows[2] = {{.setting = noisy(work, 0.0)}, {.setting = noisy(work, p_error)}};
    char at[48];
    LUTRA_TRY(lutra_study_run(rows, 2, &work->subject, &work->subject.dataset, images,
                              work->settings.repeats, work->run, error));
    (void)snprintf(at, sizeof at, "p_error %.4g", p_error);
    *keeps = rows[1].feasible &&
             (rows[1].worse - rows[1].better) / (double)rows[1].images <= work->settings.budget;
    return lutra_study_add_loss(work->run->figures, "search: top-1 lost on held-out images", at,
                                &rows[1], error);
}

/** Halves on a logarithmic scale between the smallest and the largest p_error of the list. */
static LutraStatus search(Work *work, LutraError *error) {
    LutraImages images;
    double low = work->settings.errors[0];
    double high = low;
    bool keeps = false;
    for (uint32_t i = 1; i < work->settings.error_count; i++) {
        low = fmin(low, work->settings.errors[i]);
        high = fmax(high, work->settings.errors[i]);
    }
    if (work->subject.train_in_file == work->subject.dataset.splits[LUTRA_SPLIT_TRAIN].count) {
        return lutra_figures_set_fact(work->run->figures, "no search",
                                      "no training images are held out; see train_images", error);
    }
    LUTRA_TRY(lutra_subject_held_out(&images, &work->subject, work->settings.search_images, error));
    LUTRA_TRY(try_error(&keeps, work, low, &images, error));
    for (uint32_t step = 0; keeps && step < SEARCH_STEPS; step++) {
        const double middle = sqrt(low * high);
        work->found = low;
        LUTRA_TRY(try_error(&keeps, work, middle, &images, error));
        low = keeps ? middle : low;
        high = keeps ? high : middle;
        keeps = true;
        work->found = low;
    }
    LutraFigure figure = {.kind = LUTRA_FIGURE_SIMULATED,
                          .value = work->found,
                          .interval = {(double)NAN, (double)NAN}};
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", FOUND);
    (void)snprintf(figure.note, sizeof figure.note,
                   "halving in %d steps; an estimate that "
                   "depends on the images and the draws of noise",
                   SEARCH_STEPS);
    return lutra_figures_add(work->run->figures, &figure, error);
}

/* --- charts ----------------------------------------------------------------------------------- */

static LutraStatus draw_accuracy(const Work *work, const LutraFigures *published,
                                 LutraError *error) {
    const LutraFigures *const figures = work->run->figures;
    LutraPoints ours = {.count = 0};
    LutraPoints base = {.count = 0};
    LutraPoints theirs = {.count = 0};
    LutraPoints found = {.count = 0};
    const LutraFigure *const quiet = lutra_figures_find(figures, TOP1, "no noise");
    LutraChart chart;
    char title[192];
    char what[320];
    for (uint32_t i = 0; i < work->settings.error_count; i++) {
        char at[48];
        const double p = work->settings.errors[i];
        (void)error_text(at, p);
        lutra_points_add_figure(&ours, p, lutra_figures_find(figures, TOP1, at), 100.0);
        lutra_points_add_figure(&base, p, quiet, 100.0);
        lutra_points_add_figure(&theirs, p, lutra_figures_find(published, TOP1, at), 100.0);
    }
    if (work->found > 0.0 && quiet != NULL) {
        lutra_points_add(&found, work->found, 100.0 * (quiet->value - work->settings.budget),
                         (double)NAN, (double)NAN);
    }
    const LutraSeries series[4] = {lutra_points_curve("with noise, simulated", &ours),
                                   lutra_points_line("without noise", &base),
                                   lutra_points_marks("published (another network)", &theirs),
                                   lutra_points_marks("largest within the budget", &found)};
    (void)snprintf(what, sizeof what, "%s, tables of %" PRIu32 " bits, 95 %% intervals",
                   lutra_subject_title(title, &work->subject), work->settings.bits);
    lutra_chart_default(&chart);
    chart.title = "Accuracy against the probability of a wrong look-up";
    chart.x_label = "p_error of one look-up";
    chart.y_label = "top-1 accuracy, % of the test images";
    chart.x_log10 = true;
    chart.y_min = 0.0;
    chart.y_max = 100.0;
    return lutra_plot_write(&chart, series, 4, what, work->run, "p-error-accuracy.png", error);
}

static LutraStatus draw_time(const Work *work, const LutraFigures *published, LutraError *error) {
    const LutraFigures *const figures = work->run->figures;
    static const char measured[] = "time of an image under FHE";
    LutraPoints predicted = {.count = 0};
    LutraPoints ours = {.count = 0};
    LutraPoints theirs = {.count = 0};
    LutraChart chart;
    char title[192];
    char what[320];
    char at[48];
    for (uint32_t i = 0; i < work->settings.error_count; i++) {
        const double p = work->settings.errors[i];
        (void)error_text(at, p);
        lutra_points_add_figure(&predicted, p, lutra_figures_find(figures, PREDICTED, at), 1.0);
        lutra_points_add_figure(&theirs, p, lutra_figures_find(published, measured, at), 1.0);
    }
    for (uint32_t i = 0; i < work->settings.encrypted_count; i++) {
        const double p = work->settings.encrypted[i];
        (void)error_text(at, p);
        lutra_points_add_figure(&ours, p, lutra_figures_find(figures, measured, at), 1.0);
    }
    const LutraSeries series[3] = {
        lutra_points_curve("predicted", &predicted),
        lutra_points_marks("measured, one image on ciphertexts", &ours),
        lutra_points_marks("published (another network and machine)", &theirs)};
    (void)snprintf(what, sizeof what, "%s, tables of %" PRIu32 " bits, %" PRIu32 " threads",
                   lutra_subject_title(title, &work->subject), work->settings.bits,
                   work->run->threads);
    lutra_chart_default(&chart);
    chart.title = "Time of one image under FHE against the probability of a wrong look-up";
    chart.x_label = "p_error of one look-up";
    chart.y_label = "seconds of an image";
    chart.x_log10 = true;
    chart.y_log10 = true;
    return lutra_plot_write(&chart, series, 3, what, work->run, "p-error-time.png", error);
}

/* --- the whole -------------------------------------------------------------------------------- */

/** Accuracy at the smallest p_errors is that without noise, and ciphertexts fail no more often
 * than predicted. */
static bool holds(const Work *work) {
    bool all = true;
    for (uint32_t i = 0; i < work->settings.error_count; i++) {
        char at[48];
        const LutraFigure *const lost =
            lutra_figures_find(work->run->figures, LOSS, error_text(at, work->settings.errors[i]));
        const LutraFigure *const none = lutra_figures_find(work->run->figures, TOP1, "no noise");
        const LutraFigure *const here = lutra_figures_find(work->run->figures, TOP1, at);
        if (work->settings.errors[i] <= 1e-4 && lost != NULL && none != NULL && here != NULL) {
            all = all && !lutra_figure_difference(here, none).is_apart;
        }
    }
    for (uint32_t i = 0; i < work->settings.encrypted_count; i++) {
        char at[48];
        all = all && lutra_experiment_encrypt_holds(work->run->figures,
                                                    error_text(at, work->settings.encrypted[i]));
    }
    return all;
}

static LutraStatus parts(LutraExperimentOutcome *outcome, Work *work, LutraError *error) {
    const char *section = NULL;
    outcome->parts = 3;
    LUTRA_TRY(read_settings(&work->settings, work->run, error));
    LUTRA_TRY(lutra_subject_choose(&section, work->run, "subject", error));
    LUTRA_TRY(lutra_subject_open(&work->subject, work->run, section, "model.h5", error));
    LUTRA_TRY(lutra_subject_describe(&work->subject, work->run, "", error));
    LUTRA_TRY(simulate(work, error));
    outcome->done++;
    LUTRA_TRY(search(work, error));
    outcome->done++;
    LUTRA_TRY(encrypt(work, error));
    outcome->done++;
    return LUTRA_OK;
}

static LutraStatus run_p_error(LutraExperimentOutcome *outcome, LutraJson *results,
                               const LutraExperimentRun *run, LutraError *error) {
    Work *work = NULL;
    LutraFigures published = {0};
    *outcome = (LutraExperimentOutcome){.holds = true};
    (void)results;
    LUTRA_TRY(lutra_alloc(&work, 1, sizeof *work, error));
    work->run = run;
    LutraStatus status = parts(outcome, work, error);
    if (outcome->done > 0 && (status == LUTRA_OK || status == LUTRA_ECANCELLED)) {
        LutraError later = {""};
        outcome->holds = holds(work);
        LutraStatus drawn = lutra_experiment_published(&published, run, &later);
        drawn = drawn == LUTRA_OK ? draw_accuracy(work, &published, &later) : drawn;
        drawn = drawn == LUTRA_OK ? draw_time(work, &published, &later) : drawn;
        if (drawn != LUTRA_OK) {
            status = lutra_error_set(error, drawn, "%s", later.message);
        }
    }
    lutra_figures_deinit(&published);
    lutra_subject_deinit(&work->subject);
    lutra_free(&work);
    return status;
}

static const char *const files[] = {"p-error-accuracy.png", "p-error-time.png", NULL};

const LutraExperiment lutra_experiment_p_error = {
    .name = "p-error", .files = files, .check = check, .run = run_p_error};
