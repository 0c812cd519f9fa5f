/* SPDX-License-Identifier: Apache-2.0 */
/* E5: which layers run in the clear on the client. See hybrid.ini. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/encrypted_run.h"
#include "experiments/plot.h"
#include "experiments/study.h"

enum { MOST_SPLITS = 16, AT_BYTES = LUTRA_FIGURE_TEXT_BYTES };

static const char SECONDS[] = "time of an image predicted";
static const char INPUT[] = "bytes to the server";
static const char OUTPUT[] = "bytes from the server";
static const char KEYS[] = "bytes of evaluation keys";

typedef struct {
    char from[LUTRA_NAME_BYTES]; /* "" for all in FHE */
    char to[LUTRA_NAME_BYTES];
    bool is_measured;
} Split;

typedef struct {
    uint32_t bits;
    double p_error;
    uint32_t repeats;
    uint32_t test_images;
    uint32_t samples;
    Split splits[MOST_SPLITS]; /* the first is all in FHE */
    uint32_t split_count;
} Settings;

/* --- settings --------------------------------------------------------------------------------- */

static LutraStatus bad_split(const LutraExperimentRun *run, const char *section, const char *word,
                             LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA,
                           "'%s': in section [%s] '%s' should be two names such as conv1..act1",
                           run->settings_path, section, word);
}

static LutraStatus read_split(Split *split, const LutraExperimentRun *run, const char *section,
                              const char *word, LutraError *error) {
    const char *const dots = strstr(word, "..");
    *split = (Split){.is_measured = false};
    if (strcmp(word, "none") == 0) {
        return LUTRA_OK;
    }
    if (dots == NULL || dots == word || dots[2] == '\0' ||
        (size_t)(dots - word) >= sizeof split->from || strlen(dots + 2) >= sizeof split->to) {
        return bad_split(run, section, word, error);
    }
    memcpy(split->from, word, (size_t)(dots - word));
    memcpy(split->to, dots + 2, strlen(dots + 2) + 1);
    return LUTRA_OK;
}

static Split *find_split(Settings *settings, const Split *like) {
    for (uint32_t i = 0; i < settings->split_count; i++) {
        if (strcmp(settings->splits[i].from, like->from) == 0 &&
            strcmp(settings->splits[i].to, like->to) == 0) {
            return &settings->splits[i];
        }
    }
    return NULL;
}

static LutraStatus read_splits(Settings *settings, const LutraExperimentRun *run,
                               const char *section, LutraError *error) {
    const char *rest = lutra_experiment_value(run->settings, section, "splits");
    char word[2 * LUTRA_NAME_BYTES + 4];
    settings->split_count = 1;
    settings->splits[0] = (Split){.is_measured = false};
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        Split split;
        LUTRA_TRY(read_split(&split, run, section, word, error));
        if (settings->split_count == MOST_SPLITS || find_split(settings, &split) != NULL) {
            return bad_split(run, section, word, error);
        }
        settings->splits[settings->split_count++] = split;
    }
    rest = lutra_experiment_value(run->settings, section, "measured");
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        Split split;
        LUTRA_TRY(read_split(&split, run, section, word, error));
        Split *const known = find_split(settings, &split);
        if (known == NULL) {
            return bad_split(run, section, word, error);
        }
        known->is_measured = true;
    }
    return LUTRA_OK;
}

static LutraStatus read_settings(Settings *settings, const char **section,
                                 const LutraExperimentRun *run, LutraError *error) {
    static const char *const keys[] = {"epochs",      "train_images", "calibration_images",
                                       "test_images", "bits",         "p_error",
                                       "repeats",     "samples",      NULL};
    const char *const setting = lutra_experiment_setting(run);
    *settings = (Settings){.bits = 0};
    LUTRA_TRY(lutra_experiment_check_keys(run, setting, keys, error));
    LUTRA_TRY(lutra_experiment_number(&settings->bits, run, setting, "bits", 1, LUTRA_MAX_ROUNDING,
                                      error));
    LUTRA_TRY(
        lutra_experiment_real(&settings->p_error, run, setting, "p_error", 1e-12, 0.9, error));
    LUTRA_TRY(lutra_experiment_number(&settings->repeats, run, setting, "repeats", 1, 1000, error));
    LUTRA_TRY(lutra_experiment_number(&settings->test_images, run, setting, "test_images", 0,
                                      UINT32_MAX, error));
    LUTRA_TRY(lutra_experiment_number(&settings->samples, run, setting, "samples", 0, 1000, error));
    LUTRA_TRY(lutra_subject_choose(section, run, "subject.1", error));
    return read_splits(settings, run, *section, error);
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    const char *section = NULL;
    return read_settings(&settings, &section, run, error);
}

/* --- parts ------------------------------------------------------------------------------------ */

static const char *at_of(char at[AT_BYTES], const Split *split) {
    if (split->from[0] == '\0') {
        (void)snprintf(at, AT_BYTES, "all in FHE");
    } else {
        (void)snprintf(at, AT_BYTES, "%.34s..%.34s in the clear", split->from, split->to);
    }
    return at;
}

static LutraStudySetting setting_of(const Settings *settings, const Split *split) {
    return (LutraStudySetting){.bits = settings->bits,
                               .mode = LUTRA_ROUNDING_APPROXIMATE,
                               .p_error = settings->p_error,
                               .clear_from = split->from[0] != '\0' ? split->from : NULL,
                               .clear_to = split->to};
}

static LutraStatus add_row(LutraFigures *figures, const char *at, const LutraStudyRow *row,
                           LutraError *error) {
    static const char *const ranks[LUTRA_STUDY_RANKS] = {"top-1", "top-2", "top-3"};
    for (uint32_t k = 0; k < LUTRA_STUDY_RANKS; k++) {
        LUTRA_TRY(lutra_study_add_top(figures, ranks[k], at, row, k + 1, error));
    }
    if (!row->feasible) {
        return LUTRA_OK;
    }
    const struct {
        const char *quantity;
        const char *unit;
        double value;
    } counted[] = {{"look-ups of an image", "", (double)row->lookups},
                   {"multiply-adds in the clear", "fraction", row->clear_macs},
                   {INPUT, "B", (double)row->input_bytes},
                   {OUTPUT, "B", (double)row->output_bytes},
                   {KEYS, "B", (double)row->key_bytes}};
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        LUTRA_TRY(lutra_figures_add_number(figures, counted[i].quantity, at, counted[i].unit,
                                           LUTRA_FIGURE_COUNTED, counted[i].value, error));
    }
    LUTRA_TRY(lutra_figures_add_number(figures, "core-seconds of an image predicted", at, "s",
                                       LUTRA_FIGURE_PREDICTED, row->core_seconds, error));
    return lutra_figures_add_number(figures, SECONDS, at, "s", LUTRA_FIGURE_PREDICTED, row->seconds,
                                    error);
}

static LutraStatus simulate(LutraSubject *subject, const Settings *settings,
                            const LutraExperimentRun *run, LutraError *error) {
    const LutraImages images =
        lutra_subject_images(&subject->dataset, LUTRA_SPLIT_TEST, settings->test_images);
    LutraStudyRow *rows = NULL;
    char at[AT_BYTES];
    LUTRA_TRY(lutra_alloc(&rows, settings->split_count + 1, sizeof *rows, error));
    rows[0].setting =
        (LutraStudySetting){.bits = settings->bits, .mode = LUTRA_ROUNDING_APPROXIMATE};
    for (uint32_t i = 0; i < settings->split_count; i++) {
        rows[i + 1].setting = setting_of(settings, &settings->splits[i]);
    }
    LutraStatus status = lutra_study_run(rows, settings->split_count + 1, subject,
                                         &subject->dataset, &images, settings->repeats, run, error);
    if (status == LUTRA_OK) {
        status = lutra_study_add_top(run->figures, "top-1", "no noise", &rows[0], 1, error);
    }
    for (uint32_t i = 0; status == LUTRA_OK && i < settings->split_count; i++) {
        status = add_row(run->figures, at_of(at, &settings->splits[i]), &rows[i + 1], error);
    }
    lutra_free(&rows);
    return status == LUTRA_OK ? lutra_experiment_checkpoint(run, error) : status;
}

static LutraStatus encrypt(LutraSubject *subject, const Settings *settings, const Split *split,
                           const LutraExperimentRun *run, LutraError *error) {
    LutraStudyRow row = {.setting = setting_of(settings, split)};
    LutraVerifyResult result = {0};
    LutraCircuit circuit = {0};
    char at[AT_BYTES];
    (void)at_of(at, split);
    if (lutra_experiment_encrypt_known(run->figures, at)) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_study_circuit(&circuit, &row, subject, &subject->dataset, run, error));
    LutraStatus status = LUTRA_OK;
    if (row.feasible && row.lookups > 0) {
        status = lutra_experiment_encrypt(&result, &circuit, &subject->dataset, 0,
                                          settings->samples, run, error);
        if (status == LUTRA_OK) {
            status =
                lutra_experiment_encrypt_add(run->figures, at, &result, &row, run->threads, error);
        }
    }
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
    return status == LUTRA_OK ? lutra_experiment_checkpoint(run, error) : status;
}

static LutraStatus encrypt_measured(LutraExperimentOutcome *outcome, LutraSubject *subject,
                                    const Settings *settings, const LutraExperimentRun *run,
                                    LutraError *error) {
    LutraError missing = {""};
    if (settings->samples > 0 && lutra_experiment_encrypt_check(&missing) != LUTRA_OK) {
        return lutra_figures_set_fact(run->figures, "left out", missing.message, error);
    }
    for (uint32_t i = 0; settings->samples > 0 && i < settings->split_count; i++) {
        char at[AT_BYTES];
        if (settings->splits[i].is_measured) {
            LUTRA_TRY(encrypt(subject, settings, &settings->splits[i], run, error));
            outcome->holds = outcome->holds && lutra_experiment_encrypt_holds(
                                                   run->figures, at_of(at, &settings->splits[i]));
        }
    }
    return LUTRA_OK;
}

/* --- charts ----------------------------------------------------------------------------------- */

typedef struct {
    char names[MOST_SPLITS][2 * LUTRA_NAME_BYTES + 4];
    const char *list[MOST_SPLITS];
} Places;

static void name_places(Places *places, const Settings *settings) {
    for (uint32_t i = 0; i < settings->split_count; i++) {
        const Split *const split = &settings->splits[i];
        if (split->from[0] == '\0') {
            (void)snprintf(places->names[i], sizeof places->names[i], "nothing");
        } else {
            (void)snprintf(places->names[i], sizeof places->names[i], "%s..%s", split->from,
                           split->to);
        }
        places->list[i] = places->names[i];
    }
}

static void gather(LutraPoints *points, const Settings *settings, const LutraFigures *figures,
                   const char *quantity, double scale) {
    char at[AT_BYTES];
    for (uint32_t i = 0; i < settings->split_count; i++) {
        const LutraFigure *const figure =
            lutra_figures_find(figures, quantity, at_of(at, &settings->splits[i]));
        if (figure != NULL && figure->value > 0.0) {
            lutra_points_add(points, i, scale * figure->value, (double)NAN, (double)NAN);
        }
    }
}

static LutraStatus draw(const LutraSubject *subject, const Settings *settings,
                        const LutraExperimentRun *run, LutraError *error) {
    LutraFigures published = {0};
    Places *places = NULL;
    LutraPoints points[6] = {{.count = 0}};
    LutraChart chart;
    char title[192];
    char what[320];
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_alloc(&places, 1, sizeof *places, error));
    LUTRA_TRY_GOTO(status, lutra_experiment_published(&published, run, error));
    name_places(places, settings);
    gather(&points[0], settings, run->figures, SECONDS, 1.0);
    gather(&points[1], settings, run->figures, "time of an image under FHE", 1.0);
    gather(&points[2], settings, &published, "time of an image under FHE", 1.0);
    gather(&points[3], settings, run->figures, INPUT, 1.0 / 1048576.0);
    gather(&points[4], settings, run->figures, OUTPUT, 1.0 / 1048576.0);
    gather(&points[5], settings, run->figures, KEYS, 1.0 / 1048576.0);
    const LutraSeries times[3] = {lutra_points_curve("predicted", &points[0]),
                                  lutra_points_marks("measured on ciphertexts", &points[1]),
                                  lutra_points_marks("published (128 vCPU)", &points[2])};
    const LutraSeries bytes[3] = {lutra_points_curve("to the server, each image", &points[3]),
                                  lutra_points_curve("from the server, each image", &points[4]),
                                  lutra_points_curve("evaluation keys, once", &points[5])};
    (void)snprintf(
        what, sizeof what, "%s, tables of %" PRIu32 " bits, p_error %.3g, %" PRIu32 " threads",
        lutra_subject_title(title, subject), settings->bits, settings->p_error, run->threads);
    lutra_chart_default(&chart);
    chart.x_names = places->list;
    chart.x_name_count = settings->split_count;
    chart.x_label = "operations that the client runs in the clear";
    chart.y_log10 = true;
    chart.title = "Time of one image under FHE, by what runs in the clear";
    chart.y_label = "seconds of an image";
    LUTRA_TRY_GOTO(status, lutra_plot_write(&chart, times, 3, what, run, "hybrid-time.png", error));
    chart.title = "Bytes between client and server, by what runs in the clear";
    chart.y_label = "MiB";
    status = lutra_plot_write(&chart, bytes, 3, what, run, "hybrid-bytes.png", error);
done:
    lutra_figures_deinit(&published);
    lutra_free(&places);
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static LutraStatus run_hybrid(LutraExperimentOutcome *outcome, LutraJson *results,
                              const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    LutraSubject subject = {.is_stand_in = false};
    const char *section = NULL;
    LutraStatus status = LUTRA_OK;
    (void)results;
    *outcome = (LutraExperimentOutcome){.holds = true, .parts = 2};
    LUTRA_TRY(read_settings(&settings, &section, run, error));
    LUTRA_TRY_GOTO(status, lutra_subject_open(&subject, run, section, "model.h5", error));
    LUTRA_TRY_GOTO(status, lutra_subject_describe(&subject, run, "", error));
    LUTRA_TRY_GOTO(status, simulate(&subject, &settings, run, error));
    outcome->done++;
    status = encrypt_measured(outcome, &subject, &settings, run, error);
    outcome->done += status == LUTRA_OK;
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        LutraError later = {""};
        const LutraStatus drawn = draw(&subject, &settings, run, &later);
        if (drawn != LUTRA_OK) {
            status = lutra_error_set(error, drawn, "%s", later.message);
        }
    }
done:
    lutra_subject_deinit(&subject);
    return status;
}

static const char *const files[] = {"hybrid-time.png", "hybrid-bytes.png", NULL};

const LutraExperiment lutra_experiment_hybrid = {
    .name = "hybrid", .files = files, .check = check, .run = run_hybrid};
