/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy against look-ups and predicted seconds, network beside network. See family.ini. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/plot.h"
#include "experiments/study.h"
#include "train/evaluate.h"

enum { MOST_MEMBERS = 12, MOST_WIDTHS = 12, AT_BYTES = LUTRA_FIGURE_TEXT_BYTES, BATCH = 100 };

static const char TOP[] = "top-1";
static const char LOOKUPS[] = "look-ups of an image";
static const char SECONDS[] = "time of an image predicted";

typedef struct {
    char name[LUTRA_NAME_BYTES];
    bool is_trained_here; /* a network to train; else a model that is an input */
} Member;

typedef struct {
    const char *section;
    Member members[MOST_MEMBERS];
    uint32_t member_count;
    uint32_t bits[MOST_WIDTHS];
    uint32_t bits_count;
    uint32_t claim_bits; /* 0: no claim */
    double p_error;
    uint32_t repeats;
    uint32_t test_images;
    uint32_t epochs;
} Settings;

/* --- settings --------------------------------------------------------------------------------- */

static LutraStatus has_input(bool *has, const LutraExperimentRun *run, const char *name,
                             LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_find_input(&path, run, name, error));
    *has = path != NULL;
    lutra_free(&path);
    return LUTRA_OK;
}

static LutraStatus add_members(Settings *settings, const LutraExperimentRun *run, const char *key,
                               bool is_trained_here, LutraError *error) {
    const char *rest = lutra_experiment_value(run->settings, settings->section, key);
    char word[LUTRA_NAME_BYTES];
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        bool has = is_trained_here;
        if (!has) {
            LUTRA_TRY(has_input(&has, run, word, error));
        }
        if (has && settings->member_count == MOST_MEMBERS) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'%s': section [%s] has more than %d networks",
                                   run->settings_path, settings->section, MOST_MEMBERS);
        }
        if (has) {
            Member *const member = &settings->members[settings->member_count++];
            (void)snprintf(member->name, sizeof member->name, "%s", word);
            member->is_trained_here = is_trained_here;
        }
    }
    return LUTRA_OK;
}

/** Members of `section`, if its data are there; *missing is the input that is not. */
static LutraStatus read_members(Settings *settings, const char **missing,
                                const LutraExperimentRun *run, const char *section,
                                LutraError *error) {
    const char *const data = lutra_experiment_value(run->settings, section, "data");
    bool has = false;
    settings->section = section;
    settings->member_count = 0;
    if (data == NULL) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': section [%s] has no 'data'",
                               run->settings_path, section);
    }
    LUTRA_TRY(has_input(&has, run, data, error));
    *missing = has ? NULL : data;
    if (has) {
        LUTRA_TRY(add_members(settings, run, "models", false, error));
        LUTRA_TRY(add_members(settings, run, "networks", true, error));
    }
    return LUTRA_OK;
}

static LutraStatus choose_members(Settings *settings, const LutraExperimentRun *run,
                                  LutraError *error) {
    const char *missing = NULL;
    const char *other = NULL;
    LUTRA_TRY(read_members(settings, &missing, run, "subject.1", error));
    if (settings->member_count == 0 && !run->full &&
        lutra_experiment_value(run->settings, "stand-in", "data") != NULL) {
        LUTRA_TRY(read_members(settings, &other, run, "stand-in", error));
    }
    if (settings->member_count > 0) {
        return LUTRA_OK;
    }
    return missing != NULL ? lutra_experiment_missing_input(run, missing, error)
                           : lutra_error_set(error, LUTRA_EUNAVAILABLE,
                                             "none of the models that section [subject.1] of '%s' "
                                             "names is there; give some with --input NAME=FILE",
                                             run->settings_path);
}

static LutraStatus read_widths(Settings *settings, const LutraExperimentRun *run,
                               const char *section, LutraError *error) {
    const char *const text = lutra_experiment_value(run->settings, section, "rounding");
    const char *rest = text;
    char word[32];
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        unsigned bits = 0;
        char more = '\0';
        if (settings->bits_count == MOST_WIDTHS || sscanf(word, "%3u%c", &bits, &more) != 1 ||
            bits < 1 || bits > LUTRA_MAX_ROUNDING) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'%s': 'rounding' in section [%s] is '%s'; should be at most %d "
                                   "numbers of bits from 1 to %d",
                                   run->settings_path, section, text, MOST_WIDTHS,
                                   LUTRA_MAX_ROUNDING);
        }
        settings->bits[settings->bits_count++] = bits;
    }
    return settings->bits_count > 0
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EDATA, "'%s': section [%s] has no 'rounding'",
                                 run->settings_path, section);
}

static LutraStatus read_settings(Settings *settings, const LutraExperimentRun *run,
                                 LutraError *error) {
    static const char *const keys[] = {"epochs",
                                       "train_images",
                                       "calibration_images",
                                       "test_images",
                                       "rounding",
                                       "p_error",
                                       "repeats",
                                       NULL};
    const char *const section = lutra_experiment_setting(run);
    *settings = (Settings){.member_count = 0};
    LUTRA_TRY(lutra_experiment_check_keys(run, section, keys, error));
    LUTRA_TRY(lutra_experiment_number(&settings->epochs, run, section, "epochs", 0, 100000, error));
    LUTRA_TRY(
        lutra_experiment_real(&settings->p_error, run, section, "p_error", 1e-12, 0.9, error));
    LUTRA_TRY(lutra_experiment_number(&settings->repeats, run, section, "repeats", 1, 1000, error));
    LUTRA_TRY(lutra_experiment_number(&settings->test_images, run, section, "test_images", 0,
                                      UINT32_MAX, error));
    LUTRA_TRY(read_widths(settings, run, section, error));
    if (lutra_experiment_value(run->settings, "claim", "bits") != NULL) {
        LUTRA_TRY(lutra_experiment_number(&settings->claim_bits, run, "claim", "bits", 1,
                                          LUTRA_MAX_ROUNDING, error));
    }
    return choose_members(settings, run, error);
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    return read_settings(&settings, run, error);
}

/* --- one network ------------------------------------------------------------------------------ */

static const char *at_of(char at[AT_BYTES], const Member *member, uint32_t bits) {
    (void)snprintf(at, AT_BYTES, "%.63s; %" PRIu32 " bits", member->name, bits);
    return at;
}

/** What the trained model answers before it is a circuit. */
static LutraStatus evaluate(LutraSubject *member, const Member *who, const LutraDataset *dataset,
                            const Settings *settings, const LutraExperimentRun *run,
                            LutraError *error) {
    const LutraEvaluateSettings how = {.batch = BATCH,
                                       .threads = run->threads,
                                       .cpu_flags = run->cpu_flags,
                                       .loss = LUTRA_LOSS_CROSS_ENTROPY};
    LutraDataset cut = *dataset; /* borrowed */
    LutraSplit *const test = &cut.splits[LUTRA_SPLIT_TEST];
    LutraEvaluation result;
    char at[AT_BYTES];
    test->count = lutra_subject_images(dataset, LUTRA_SPLIT_TEST, settings->test_images).count;
    LUTRA_TRY(lutra_evaluate(&result, NULL, &member->model, &cut, LUTRA_SPLIT_TEST, &how,
                             run->progress, error));
    (void)snprintf(at, sizeof at, "%.63s; quantized model", who->name);
    return lutra_figures_add_fraction(run->figures, TOP, at, LUTRA_FIGURE_SIMULATED, result.right1,
                                      result.images, error);
}

static LutraStatus add_row(const Member *who, const LutraStudyRow *row,
                           const LutraExperimentRun *run, LutraError *error) {
    char at[AT_BYTES];
    (void)at_of(at, who, row->setting.bits);
    LUTRA_TRY(lutra_study_add_top(run->figures, TOP, at, row, 1, error));
    if (!row->feasible) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_figures_add_number(run->figures, SECONDS, at, "s", LUTRA_FIGURE_PREDICTED,
                                       row->seconds, error));
    LUTRA_TRY(lutra_figures_add_number(run->figures, "core-seconds of an image predicted", at, "s",
                                       LUTRA_FIGURE_PREDICTED, row->core_seconds, error));
    return lutra_figures_add_number(run->figures, "bytes of evaluation keys", at, "B",
                                    LUTRA_FIGURE_COUNTED, (double)row->key_bytes, error);
}

static LutraStatus simulate(LutraSubject *member, const Member *who, const LutraDataset *dataset,
                            const Settings *settings, const LutraExperimentRun *run,
                            LutraError *error) {
    const LutraImages images =
        lutra_subject_images(dataset, LUTRA_SPLIT_TEST, settings->test_images);
    const uint32_t count = settings->bits_count + 1;
    LutraStudyRow rows[MOST_WIDTHS + 1];
    char at[AT_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = (LutraStudyRow){
            .setting = {.bits = settings->bits[i > 0 ? i - 1 : 0],
                        .mode = LUTRA_ROUNDING_APPROXIMATE,
                        .p_error = i > 0 ? settings->p_error : 0.0, /* the first: without noise */
                        .partition = LUTRA_PARTITION_WIDTH}};
    }
    LUTRA_TRY(
        lutra_study_run(rows, count, member, dataset, &images, settings->repeats, run, error));
    LUTRA_TRY(lutra_figures_add_number(run->figures, LOOKUPS, who->name, "", LUTRA_FIGURE_COUNTED,
                                       (double)rows[0].lookups, error));
    (void)snprintf(at, sizeof at, "%.63s; %" PRIu32 " bits without noise", who->name,
                   rows[0].setting.bits);
    LUTRA_TRY(lutra_study_add_top(run->figures, TOP, at, &rows[0], 1, error));
    for (uint32_t i = 1; i < count; i++) {
        LUTRA_TRY(add_row(who, &rows[i], run, error));
    }
    return lutra_experiment_checkpoint(run, error);
}

static LutraStatus run_member(const LutraSubject *data, const Member *who, const Settings *settings,
                              const LutraExperimentRun *run, LutraError *error) {
    LutraSubject member = {.is_stand_in = data->is_stand_in};
    char file[LUTRA_NAME_BYTES + 8];
    (void)snprintf(file, sizeof file, "%s.h5", who->name);
    const LutraModelSource source = {.input = who->is_trained_here ? NULL : who->name,
                                     .network = who->is_trained_here ? who->name : NULL,
                                     .epochs = settings->epochs,
                                     .file = file};
    LutraStatus status =
        lutra_subject_model(&member.model, &member.was_trained, data, &source, run, error);
    if (status == LUTRA_OK) {
        status = evaluate(&member, who, &data->dataset, settings, run, error);
    }
    if (status == LUTRA_OK) {
        status = simulate(&member, who, &data->dataset, settings, run, error);
    }
    lutra_subject_deinit(&member);
    return status;
}

static bool is_known(const Member *member, const Settings *settings, const LutraFigures *figures) {
    char at[AT_BYTES];
    (void)at_of(at, member, settings->bits[settings->bits_count - 1]);
    return lutra_figures_find(figures, TOP, at) != NULL;
}

/* --- the claim -------------------------------------------------------------------------------- */

static const LutraFigure *accuracy_of(const LutraFigures *figures, const Settings *settings,
                                      uint32_t member) {
    char at[AT_BYTES];
    return lutra_figures_find(figures, TOP,
                              at_of(at, &settings->members[member], settings->claim_bits));
}

static double lookups_of(const LutraFigures *figures, const Settings *settings, uint32_t member) {
    const LutraFigure *const figure =
        lutra_figures_find(figures, LOOKUPS, settings->members[member].name);
    return figure != NULL ? figure->value : 0.0;
}

/** False if there are small networks and the largest beats them all, beyond the intervals. */
static bool holds(const LutraFigures *figures, const Settings *settings) {
    bool any = false;
    const LutraFigure *best = NULL; /* of those with the most look-ups */
    double most = 0.0;
    for (uint32_t i = 0; i < settings->member_count; i++) {
        const LutraFigure *const figure = accuracy_of(figures, settings, i);
        const double lookups = lookups_of(figures, settings, i);
        const bool better = lookups > most || best == NULL || best->value < figure->value;
        if (figure != NULL && isfinite(figure->value) && lookups >= most && better) {
            best = figure;
            most = lookups;
        }
    }
    for (uint32_t i = 0; best != NULL && i < settings->member_count; i++) {
        const LutraFigure *const figure = accuracy_of(figures, settings, i);
        if (figure == NULL || !isfinite(figure->value) ||
            4.0 * lookups_of(figures, settings, i) > most) {
            continue;
        }
        const LutraFigureDifference difference = lutra_figure_difference(figure, best);
        if (!difference.is_apart || difference.difference >= 0.0) {
            return true;
        }
        any = true;
    }
    return !any;
}

/* --- charts ----------------------------------------------------------------------------------- */

enum { MOST_SERIES = MOST_MEMBERS + 1 };

static void gather(LutraPoints *points, const Settings *settings, uint32_t member,
                   const LutraFigures *figures, bool by_seconds) {
    char at[AT_BYTES];
    for (uint32_t i = 0; i < settings->bits_count; i++) {
        (void)at_of(at, &settings->members[member], settings->bits[i]);
        const LutraFigure *const seconds = lutra_figures_find(figures, SECONDS, at);
        const double x = by_seconds ? (seconds != NULL ? seconds->value : 0.0)
                                    : lookups_of(figures, settings, member);
        if (x > 0.0 && (by_seconds || settings->bits[i] == settings->claim_bits)) {
            lutra_points_add_figure(points, x, lutra_figures_find(figures, TOP, at), 100.0);
        }
    }
}

static void gather_published(LutraPoints *points, const Settings *settings,
                             const LutraFigures *published) {
    char at[AT_BYTES];
    (void)snprintf(at, sizeof at, "vgg9; %" PRIu32 " bits", settings->claim_bits);
    const LutraFigure *const lookups = lutra_figures_find(published, LOOKUPS, "vgg9");
    if (lookups != NULL) {
        lutra_points_add_figure(points, lookups->value, lutra_figures_find(published, TOP, at),
                                100.0);
    }
}

static LutraStatus draw(const LutraSubject *data, const Settings *settings,
                        const LutraExperimentRun *run, LutraError *error) {
    LutraFigures published = {0};
    LutraPoints *points = NULL; /* (2, MOST_SERIES) */
    LutraSeries lookups[MOST_SERIES];
    LutraSeries seconds[MOST_SERIES];
    LutraChart chart;
    char what[320];
    char title[128];
    char name[128];
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_alloc(&points, (size_t)2 * MOST_SERIES, sizeof *points, error));
    LUTRA_TRY_GOTO(status, lutra_experiment_published(&published, run, error));
    const uint32_t members = settings->member_count;
    for (uint32_t i = 0; i < members; i++) {
        gather(&points[i], settings, i, run->figures, false);
        gather(&points[MOST_SERIES + i], settings, i, run->figures, true);
        lookups[i] = lutra_points_marks(settings->members[i].name, &points[i]);
        seconds[i] = lutra_points_curve(settings->members[i].name, &points[MOST_SERIES + i]);
    }
    if (!data->is_stand_in) {
        gather_published(&points[members], settings, &published);
    }
    lookups[members] = lutra_points_marks("vgg9, published", &points[members]);
    (void)snprintf(what, sizeof what, "%s, p_error %.3g, with noise",
                   lutra_subject_data_title(name, data), settings->p_error);
    lutra_chart_default(&chart);
    chart.title = title;
    chart.x_log10 = true;
    chart.y_label = "top-1 in percent";
    (void)snprintf(title, sizeof title, "Accuracy against look-ups, tables of %" PRIu32 " bits",
                   settings->claim_bits);
    chart.x_label = "look-ups of an image";
    LUTRA_TRY_GOTO(status, lutra_plot_write(&chart, lookups, members + 1, what, run,
                                            "family-lookups.png", error));
    (void)snprintf(title, sizeof title, "Accuracy against time under FHE, by width of the tables");
    (void)snprintf(
        what, sizeof what,
        "%s, p_error %.3g, with noise, %" PRIu32 " thread%s; from right to left: %s bits", name,
        settings->p_error, run->threads, run->threads == 1 ? "" : "s",
        lutra_experiment_value(run->settings, lutra_experiment_setting(run), "rounding"));
    chart.x_label = "predicted seconds of an image";
    status = lutra_plot_write(&chart, seconds, members, what, run, "family-seconds.png", error);
done:
    lutra_figures_deinit(&published);
    lutra_free(&points);
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static LutraStatus note_absent(const Settings *settings, const LutraExperimentRun *run,
                               LutraError *error) {
    const char *rest = lutra_experiment_value(run->settings, settings->section, "models");
    char word[LUTRA_NAME_BYTES];
    char text[512] = "";
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        bool has = false;
        LUTRA_TRY(has_input(&has, run, word, error));
        const size_t length = strlen(text);
        if (!has) {
            (void)snprintf(text + length, sizeof text - length, "%smodel '%s'",
                           length > 0 ? ", " : "", word);
        }
    }
    return text[0] != '\0' ? lutra_figures_set_fact(run->figures, "left out", text, error)
                           : LUTRA_OK;
}

static LutraStatus run_family(LutraExperimentOutcome *outcome, LutraJson *results,
                              const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    LutraSubject data = {.is_stand_in = false};
    LutraStatus status = LUTRA_OK;
    (void)results;
    LUTRA_TRY(read_settings(&settings, run, error));
    *outcome = (LutraExperimentOutcome){.holds = true, .parts = settings.member_count};
    LUTRA_TRY(lutra_subject_open_data(&data, run, settings.section, error));
    LUTRA_TRY_GOTO(status, lutra_subject_describe_data(&data, run, "", error));
    LUTRA_TRY_GOTO(status, note_absent(&settings, run, error));
    for (uint32_t i = 0; status == LUTRA_OK && i < settings.member_count; i++) {
        if (!run->resume || !is_known(&settings.members[i], &settings, run->figures)) {
            status = run_member(&data, &settings.members[i], &settings, run, error);
        }
        outcome->done += status == LUTRA_OK;
    }
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        LutraError later = {""};
        const LutraStatus drawn = draw(&data, &settings, run, &later);
        if (drawn != LUTRA_OK) {
            status = lutra_error_set(error, drawn, "%s", later.message);
        }
    }
    outcome->holds = holds(run->figures, &settings);
done:
    lutra_subject_deinit(&data);
    return status;
}

static const char *const files[] = {"family-lookups.png", "family-seconds.png", NULL};

const LutraExperiment lutra_experiment_family = {
    .name = "family", .files = files, .check = check, .run = run_family};
