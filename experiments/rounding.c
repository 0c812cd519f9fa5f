/* SPDX-License-Identifier: Apache-2.0 */
/* E1 and E3: accuracy and cost over the bits that look-ups read, of one subject or several. See
 * rounding.ini and accumulators.ini. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/plot.h"
#include "experiments/study.h"

enum { MOST_BITS = 16, MOST_SUBJECTS = 8, MOST_CLAIMS = 8, AT_BYTES = LUTRA_FIGURE_TEXT_BYTES };

static const char TOP1[] = "top-1";
static const char LOSS[] = "top-1 lost to rounding";
static const char SECONDS[] = "time of an image predicted";
static const char LOOKUPS[] = "look-ups of an image";

typedef struct {
    uint32_t bits[MOST_BITS];
    uint32_t bits_count;
    LutraOffsetRule offsets[3];
    uint32_t offset_count;
    LutraRoundingMode noise[2];
    uint32_t noise_count;
    double p_error;
    uint32_t repeats;
    uint32_t test_images;
    uint32_t exact_images; /* for the noise of exact rounding, which is simulated slowly; 0: only
                              its cost is predicted */
    LutraTuning tuning;    /* epochs 0: none */
    uint32_t claim_bits[MOST_CLAIMS];
    double claim_loss[MOST_CLAIMS]; /* fractions */
    uint32_t claim_count;
} Settings;

/* --- settings --------------------------------------------------------------------------------- */

static LutraStatus bad_list(const LutraExperimentRun *run, const char *section, const char *key,
                            const char *should, LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA, "'%s': '%s' in section [%s] should be %s",
                           run->settings_path, key, section, should);
}

/** Index of a word in a list of names; -1: none of them. */
static int index_of(const char *word, const char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        if (strcmp(word, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static LutraStatus read_bits(Settings *settings, const LutraExperimentRun *run, LutraError *error) {
    const char *const section = lutra_experiment_setting(run);
    const char *rest = lutra_experiment_value(run->settings, section, "rounding");
    char word[16];
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        char *end = NULL;
        const long bits = strtol(word, &end, 10);
        if (*end != '\0' || bits < 1 || bits > LUTRA_MAX_ROUNDING ||
            settings->bits_count == MOST_BITS) {
            return bad_list(run, section, "rounding",
                            "whole numbers from 1 to 16, at most 16 of "
                            "them",
                            error);
        }
        settings->bits[settings->bits_count++] = (uint32_t)bits;
    }
    return settings->bits_count > 0
               ? LUTRA_OK
               : bad_list(run, section, "rounding", "whole numbers from 1 to 16", error);
}

static LutraStatus read_rules(Settings *settings, const LutraExperimentRun *run,
                              LutraError *error) {
    const char *const section = lutra_experiment_setting(run);
    const char *rest = lutra_experiment_value(run->settings, section, "offsets");
    char word[16];
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        const int rule = index_of(word, lutra_study_offset_names, 3);
        if (rule < 0 || settings->offset_count == 3) {
            return bad_list(run, section, "offsets", "none, align, centre", error);
        }
        settings->offsets[settings->offset_count++] = (LutraOffsetRule)rule;
    }
    if (settings->offset_count == 0) {
        settings->offset_count = 1;
    }
    rest = lutra_experiment_value(run->settings, section, "noise");
    while (rest != NULL && lutra_experiment_next_word(word, sizeof word, &rest)) {
        const int mode = index_of(word, lutra_study_mode_names, 2);
        if (mode < 0 || settings->noise_count == 2) {
            return bad_list(run, section, "noise", "approximate, exact", error);
        }
        settings->noise[settings->noise_count++] = (LutraRoundingMode)mode;
    }
    return LUTRA_OK;
}

static LutraStatus read_claims(Settings *settings, const LutraExperimentRun *run,
                               LutraError *error) {
    const char *bits = lutra_experiment_value(run->settings, "claim", "bits");
    const char *loss = lutra_experiment_value(run->settings, "claim", "loss");
    char word[16];
    char other[16];
    while (bits != NULL && loss != NULL && lutra_experiment_next_word(word, sizeof word, &bits)) {
        if (!lutra_experiment_next_word(other, sizeof other, &loss) ||
            settings->claim_count == MOST_CLAIMS) {
            return bad_list(run, "claim", "loss", "as many numbers as 'bits', at most 8", error);
        }
        settings->claim_bits[settings->claim_count] = (uint32_t)strtoul(word, NULL, 10);
        settings->claim_loss[settings->claim_count++] = strtod(other, NULL) / 100.0;
    }
    return LUTRA_OK;
}

static LutraStatus read_tuning(Settings *settings, const LutraExperimentRun *run,
                               LutraError *error) {
    const char *const section = lutra_experiment_setting(run);
    LutraTuning *const tuning = &settings->tuning;
    if (lutra_experiment_value(run->settings, section, "tune_epochs") == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(
        lutra_experiment_number(&tuning->epochs, run, section, "tune_epochs", 0, 10000, error));
    LUTRA_TRY(lutra_experiment_number(&tuning->rounding_bits, run, section, "tune_bits", 1,
                                      LUTRA_MAX_ROUNDING, error));
    return lutra_experiment_real(&tuning->learning_rate, run, section, "tune_rate", 1e-9, 1e3,
                                 error);
}

static LutraStatus read_settings(Settings *settings, const LutraExperimentRun *run,
                                 LutraError *error) {
    static const char *const keys[] = {"epochs",
                                       "train_images",
                                       "calibration_images",
                                       "test_images",
                                       "rounding",
                                       "offsets",
                                       "noise",
                                       "p_error",
                                       "repeats",
                                       "exact_images",
                                       "tune_bits",
                                       "tune_epochs",
                                       "tune_rate",
                                       NULL};
    const char *const section = lutra_experiment_setting(run);
    *settings = (Settings){.bits_count = 0};
    LUTRA_TRY(lutra_experiment_check_keys(run, section, keys, error));
    LUTRA_TRY(lutra_experiment_number(&settings->repeats, run, section, "repeats", 1, 1000, error));
    LUTRA_TRY(lutra_experiment_number(&settings->test_images, run, section, "test_images", 0,
                                      UINT32_MAX, error));
    if (lutra_experiment_value(run->settings, section, "exact_images") != NULL) {
        LUTRA_TRY(lutra_experiment_number(&settings->exact_images, run, section, "exact_images", 0,
                                          UINT32_MAX, error));
    }
    LUTRA_TRY(
        lutra_experiment_real(&settings->p_error, run, section, "p_error", 1e-12, 0.9, error));
    LUTRA_TRY(read_bits(settings, run, error));
    LUTRA_TRY(read_rules(settings, run, error));
    LUTRA_TRY(read_tuning(settings, run, error));
    return read_claims(settings, run, error);
}

/* --- subjects --------------------------------------------------------------------------------- */

typedef struct {
    const char *sections[MOST_SUBJECTS]; /* to open */
    char wanted[MOST_SUBJECTS][32];
    uint32_t count;
    char left_out[LUTRA_ERROR_BYTES]; /* why the first one that is missing is */
} Choice;

/** Those whose inputs are there; in a quick run the stand-in if there are none. */
static LutraStatus choose_subjects(Choice *choice, const LutraExperimentRun *run,
                                   LutraError *error) {
    *choice = (Choice){.count = 0};
    bool stands_in = false;
    for (uint32_t n = 1; n <= MOST_SUBJECTS; n++) {
        char *const wanted = choice->wanted[choice->count];
        const char *section = NULL;
        LutraError missing = {""};
        (void)snprintf(wanted, sizeof choice->wanted[0], "subject.%" PRIu32, n);
        if (lutra_experiment_value(run->settings, wanted, "data") == NULL) {
            break;
        }
        const LutraStatus status = lutra_subject_choose(&section, run, wanted, &missing);
        if (status == LUTRA_EUNAVAILABLE || (status == LUTRA_OK && section != wanted)) {
            stands_in = stands_in || status == LUTRA_OK;
            if (choice->left_out[0] == '\0' && status == LUTRA_EUNAVAILABLE) {
                (void)snprintf(choice->left_out, sizeof choice->left_out, "%s", missing.message);
            }
            continue;
        }
        if (status != LUTRA_OK) {
            return lutra_error_set(error, status, "%s", missing.message);
        }
        choice->sections[choice->count++] = wanted;
    }
    if (choice->count == 0 && stands_in) {
        choice->sections[choice->count++] = "stand-in";
    }
    if (choice->count == 0) {
        return lutra_error_set(
            error, LUTRA_EUNAVAILABLE, "%s",
            choice->left_out[0] != '\0' ? choice->left_out : "no section [subject.1]");
    }
    return LUTRA_OK;
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    Choice choice;
    LUTRA_TRY(read_settings(&settings, run, error));
    return choose_subjects(&choice, run, error);
}

/* --- one subject ------------------------------------------------------------------------------ */

/** Where a row stands: "LABEL; 6 bits; align; noise of exact rounding; tuned". */
static const char *at_of(char at[AT_BYTES], const char *label, const LutraStudySetting *setting,
                         bool tuned) {
    char bits[32];
    const bool rounds = setting->bits != LUTRA_ROUNDING_NONE;
    (void)snprintf(at, AT_BYTES, "%.24s%s%s%s%s%s%s%s%s", label, label[0] != '\0' ? "; " : "",
                   lutra_study_bits_text(bits, setting->bits),
                   rounds && setting->offsets != LUTRA_OFFSETS_NONE ? "; " : "",
                   rounds && setting->offsets != LUTRA_OFFSETS_NONE
                       ? lutra_study_offset_names[setting->offsets]
                       : "",
                   setting->p_error > 0.0 ? "; noise of " : "",
                   setting->p_error > 0.0 ? lutra_study_mode_names[setting->mode] : "",
                   setting->p_error > 0.0 ? " rounding" : "", tuned ? "; tuned" : "");
    return at;
}

/** Rows of one model: without rounding, then offsets x (no noise, noise) x bits; or the first and
 * those with the noise of exact rounding. */
static uint32_t list_rows(LutraStudyRow *rows, const Settings *settings, bool exact) {
    uint32_t count = 1;
    rows[0] = (LutraStudyRow){.setting = {.mode = LUTRA_ROUNDING_APPROXIMATE}};
    for (uint32_t o = 0; o < settings->offset_count; o++) {
        for (uint32_t n = 0; n <= settings->noise_count; n++) {
            const LutraRoundingMode mode =
                n == 0 ? LUTRA_ROUNDING_APPROXIMATE : settings->noise[n - 1];
            for (uint32_t b = 0;
                 exact == (mode == LUTRA_ROUNDING_EXACT) && b < settings->bits_count; b++) {
                rows[count++].setting =
                    (LutraStudySetting){.bits = settings->bits[b],
                                        .offsets = settings->offsets[o],
                                        .mode = mode,
                                        .p_error = n == 0 ? 0.0 : settings->p_error};
            }
        }
    }
    return count;
}

static LutraStatus add_row(LutraFigures *figures, const char *at, const LutraStudyRow *row,
                           bool is_first, LutraError *error) {
    if (row->images > 0 || !row->feasible) {
        LUTRA_TRY(lutra_study_add_top(figures, TOP1, at, row, 1, error));
    }
    if (is_first) {
        return lutra_figures_add_number(figures, "bits of the widest sum", at, "",
                                        LUTRA_FIGURE_COUNTED, row->widest_bits, error);
    }
    LUTRA_TRY(lutra_study_add_loss(figures, LOSS, at, row, error));
    if (row->setting.p_error > 0.0 && row->feasible) {
        LUTRA_TRY(lutra_figures_add_number(figures, LOOKUPS, at, "", LUTRA_FIGURE_COUNTED,
                                           (double)row->lookups, error));
        LUTRA_TRY(lutra_figures_add_number(figures, SECONDS, at, "s", LUTRA_FIGURE_PREDICTED,
                                           row->seconds, error));
    }
    return LUTRA_OK;
}

/** Costs without runs. */
static LutraStatus price(LutraStudyRow *rows, uint32_t count, LutraSubject *subject,
                         const LutraDataset *dataset, const LutraExperimentRun *run,
                         LutraError *error) {
    for (uint32_t i = 0; i < count; i++) {
        LutraCircuit circuit = {0};
        LUTRA_TRY(lutra_study_circuit(&circuit, &rows[i], subject, dataset, run, error));
        lutra_circuit_deinit(&circuit);
    }
    return LUTRA_OK;
}

static LutraStatus study(LutraSubject *subject, const LutraDataset *dataset,
                         const Settings *settings, const char *label, bool tuned, bool exact,
                         const LutraExperimentRun *run, LutraError *error) {
    const LutraImages images = lutra_subject_images(
        dataset, LUTRA_SPLIT_TEST, exact ? settings->exact_images : settings->test_images);
    const size_t most =
        1 + ((size_t)settings->offset_count * (settings->noise_count + 1) * settings->bits_count);
    const bool runs = !exact || settings->exact_images > 0;
    LutraStudyRow *rows = NULL;
    char at[AT_BYTES];
    LUTRA_TRY(lutra_alloc(&rows, most, sizeof *rows, error));
    const uint32_t count = list_rows(rows, settings, exact);
    LutraStatus status = runs ? lutra_study_run(rows, count, subject, dataset, &images,
                                                settings->repeats, run, error)
                              : price(rows, count, subject, dataset, run, error);
    for (uint32_t i = exact ? 1 : 0; status == LUTRA_OK && i < count; i++) {
        status = add_row(run->figures, at_of(at, label, &rows[i].setting, tuned), &rows[i], i == 0,
                         error);
    }
    lutra_free(&rows);
    return status == LUTRA_OK ? lutra_experiment_checkpoint(run, error) : status;
}

/* --- charts ----------------------------------------------------------------------------------- */

typedef struct {
    const Settings *settings;
    const LutraExperimentRun *run;
    const LutraFigures *published;
    const char *label;
    bool has_tuned;
    bool is_stand_in;
} Drawing;

/** Curves stand side by side, so that no interval covers another. */
static double aside_of(size_t series) {
    return 0.06 * ((double)series - 2.5);
}

/** Places on the axis: 0 = no rounding, then the bits in their order. */
static void gather(LutraPoints *points, const Drawing *drawing, const LutraFigures *figures,
                   LutraStudySetting setting, bool tuned, double aside) {
    const Settings *const settings = drawing->settings;
    char at[AT_BYTES];
    for (uint32_t i = 0; i <= settings->bits_count; i++) {
        if (i == 0 && setting.p_error > 0.0) {
            continue; /* without rounding there are no crypto parameters */
        }
        setting.bits = i == 0 ? LUTRA_ROUNDING_NONE : settings->bits[i - 1];
        (void)at_of(at, drawing->label, &setting, tuned);
        lutra_points_add_figure(points, i + aside, lutra_figures_find(figures, TOP1, at), 100.0);
    }
}

static void name_places(char names[MOST_BITS + 1][16], const char *list[MOST_BITS + 1],
                        const Settings *settings) {
    for (uint32_t i = 0; i <= settings->bits_count; i++) {
        if (i == 0) {
            (void)snprintf(names[i], 16, "none");
        } else {
            (void)snprintf(names[i], 16, "%" PRIu32, settings->bits[i - 1]);
        }
        list[i] = names[i];
    }
}

static LutraStatus draw_accuracy(const Drawing *drawing, const char *what, const char *file,
                                 LutraError *error) {
    enum { SERIES = 8 };
    const Settings *const settings = drawing->settings;
    LutraPoints *points = NULL;
    LutraSeries series[SERIES];
    char labels[SERIES][96];
    char names[MOST_BITS + 1][16];
    const char *list[MOST_BITS + 1];
    LutraChart chart;
    size_t n = 0;
    LUTRA_TRY(lutra_alloc(&points, SERIES, sizeof *points, error));
    for (uint32_t o = 0; o < settings->offset_count; o++, n++) {
        const LutraStudySetting setting = {.offsets = settings->offsets[o],
                                           .mode = LUTRA_ROUNDING_APPROXIMATE};
        gather(&points[n], drawing, drawing->run->figures, setting, false, aside_of(n));
        (void)snprintf(labels[n], sizeof labels[n], "%s%s",
                       settings->offsets[o] == LUTRA_OFFSETS_NONE ? "no offsets" : "offsets ",
                       settings->offsets[o] == LUTRA_OFFSETS_NONE
                           ? ""
                           : lutra_study_offset_names[settings->offsets[o]]);
        series[n] = lutra_points_curve(labels[n], &points[n]);
    }
    for (uint32_t k = 0; k < settings->noise_count; k++, n++) {
        const LutraStudySetting setting = {.mode = settings->noise[k],
                                           .p_error = settings->p_error};
        gather(&points[n], drawing, drawing->run->figures, setting, false, aside_of(n));
        (void)snprintf(labels[n], sizeof labels[n], "no offsets, noise of %s rounding",
                       lutra_study_mode_names[settings->noise[k]]);
        series[n] = lutra_points_curve(labels[n], &points[n]);
    }
    if (drawing->has_tuned) {
        const LutraStudySetting setting = {.mode = LUTRA_ROUNDING_APPROXIMATE};
        gather(&points[n], drawing, drawing->run->figures, setting, true, aside_of(n));
        series[n] = lutra_points_curve("trained on with rounding, no offsets", &points[n]);
        n++;
    }
    const LutraStudySetting plain = {.mode = LUTRA_ROUNDING_APPROXIMATE};
    gather(&points[n], drawing, drawing->published, plain, false, aside_of(n));
    series[n] = lutra_points_marks(
        drawing->is_stand_in ? "published, of another network and data" : "published", &points[n]);
    n++;
    name_places(names, list, settings);
    lutra_chart_default(&chart);
    chart.title = "Accuracy against the bits that look-ups read";
    chart.x_label = "bits kept of every sum";
    chart.y_label = "top-1 accuracy, % of the test images";
    chart.x_names = list;
    chart.x_name_count = settings->bits_count + 1;
    const LutraStatus status = lutra_plot_write(&chart, series, n, what, drawing->run, file, error);
    lutra_free(&points);
    return status;
}

static LutraStatus draw_time(const Drawing *drawing, const char *what, const char *file,
                             LutraError *error) {
    enum { SERIES = 6 };
    const Settings *const settings = drawing->settings;
    LutraPoints *points = NULL;
    LutraSeries series[SERIES];
    char labels[SERIES][96];
    LutraChart chart;
    size_t n = 0;
    LUTRA_TRY(lutra_alloc(&points, SERIES, sizeof *points, error));
    for (uint32_t o = 0; o < settings->offset_count; o++) {
        for (uint32_t k = 0; k < settings->noise_count && n < SERIES; k++, n++) {
            for (uint32_t b = 0; b < settings->bits_count; b++) {
                const LutraStudySetting setting = {.bits = settings->bits[b],
                                                   .offsets = settings->offsets[o],
                                                   .mode = settings->noise[k],
                                                   .p_error = settings->p_error};
                char at[AT_BYTES];
                (void)at_of(at, drawing->label, &setting, false);
                const LutraFigure *const time =
                    lutra_figures_find(drawing->run->figures, SECONDS, at);
                if (time != NULL) {
                    lutra_points_add_figure(&points[n], time->value,
                                            lutra_figures_find(drawing->run->figures, TOP1, at),
                                            100.0);
                }
            }
            (void)snprintf(labels[n], sizeof labels[n], "offsets %s, %s rounding",
                           lutra_study_offset_names[settings->offsets[o]],
                           lutra_study_mode_names[settings->noise[k]]);
            series[n] = lutra_points_curve(labels[n], &points[n]);
        }
    }
    lutra_chart_default(&chart);
    chart.title = "Accuracy with noise against predicted time of an image";
    chart.x_label = "seconds of an image under FHE, predicted; a point for each number of bits";
    chart.y_label = "top-1 accuracy, % of the test images";
    chart.x_log10 = true;
    const LutraStatus status =
        n > 0 ? lutra_plot_write(&chart, series, n, what, drawing->run, file, error) : LUTRA_OK;
    lutra_free(&points);
    return status;
}

static LutraStatus draw(const Drawing *drawing, const LutraSubject *subject, uint32_t number,
                        LutraError *error) {
    char title[192];
    char what[320];
    char file[64];
    (void)snprintf(what, sizeof what, "%s, 95 %% intervals, noise at p_error %.3g",
                   lutra_subject_title(title, subject), drawing->settings->p_error);
    (void)snprintf(file, sizeof file, "%s-accuracy%s.png", drawing->run->name,
                   number == 0 ? "" : "-2");
    LUTRA_TRY(draw_accuracy(drawing, what, file, error));
    (void)snprintf(file, sizeof file, "%s-time%s.png", drawing->run->name, number == 0 ? "" : "-2");
    return draw_time(drawing, what, file, error);
}

/* --- the whole -------------------------------------------------------------------------------- */

/** Whether the claimed losses at their bits are kept; a stand-in is not judged. */
static bool holds(const Settings *settings, const LutraSubject *subject, const char *label,
                  const LutraFigures *figures) {
    bool all = true;
    for (uint32_t i = 0; !subject->is_stand_in && i < settings->claim_count; i++) {
        const LutraStudySetting setting = {.bits = settings->claim_bits[i],
                                           .mode = LUTRA_ROUNDING_APPROXIMATE};
        char at[AT_BYTES];
        const LutraFigure *const lost =
            lutra_figures_find(figures, LOSS, at_of(at, label, &setting, false));
        all = all && (lost == NULL || lost->interval.low <= settings->claim_loss[i]);
    }
    return all;
}

static LutraStatus one_subject(LutraExperimentOutcome *outcome, const Settings *settings,
                               const char *section, uint32_t number, const LutraExperimentRun *run,
                               LutraError *error) {
    const char *const given = lutra_experiment_value(run->settings, section, "label");
    const char *const label = given != NULL ? given : "";
    const char *const tuned_name = lutra_experiment_value(run->settings, section, "tuned");
    char prefix[40] = "";
    char file[32];
    LutraSubject subject = {.is_stand_in = false};
    LutraSubject tuned = {.is_stand_in = false};
    LutraFigures published = {0};
    const bool tunes = settings->tuning.epochs > 0;
    LutraStatus status = LUTRA_OK;
    if (label[0] != '\0') {
        (void)snprintf(prefix, sizeof prefix, "%.32s ", label);
    }
    (void)snprintf(file, sizeof file, "model-%" PRIu32 ".h5", number + 1);
    LUTRA_TRY_GOTO(status, lutra_subject_open(&subject, run, section, file, error));
    LUTRA_TRY_GOTO(status, lutra_subject_describe(&subject, run, prefix, error));
    LUTRA_TRY_GOTO(status,
                   study(&subject, &subject.dataset, settings, label, false, false, run, error));
    LUTRA_TRY_GOTO(status,
                   study(&subject, &subject.dataset, settings, label, false, true, run, error));
    outcome->done++;
    if (tunes) {
        (void)snprintf(file, sizeof file, "tuned-%" PRIu32 ".h5", number + 1);
        LUTRA_TRY_GOTO(status, lutra_subject_tune(&tuned, &subject, run, tuned_name,
                                                  &settings->tuning, file, error));
        LUTRA_TRY_GOTO(status,
                       study(&tuned, &subject.dataset, settings, label, true, false, run, error));
        outcome->done++;
    }
    LUTRA_TRY_GOTO(status, lutra_experiment_published(&published, run, error));
    outcome->holds = outcome->holds && holds(settings, &subject, label, run->figures);
    const Drawing drawing = {settings, run, &published, label, tunes, subject.is_stand_in};
    status = draw(&drawing, &subject, number, error);
done:
    lutra_figures_deinit(&published);
    lutra_subject_deinit(&tuned);
    lutra_subject_deinit(&subject);
    return status;
}

static LutraStatus run_rounding(LutraExperimentOutcome *outcome, LutraJson *results,
                                const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    Choice choice;
    (void)results;
    *outcome = (LutraExperimentOutcome){.holds = true};
    LUTRA_TRY(read_settings(&settings, run, error));
    LUTRA_TRY(choose_subjects(&choice, run, error));
    outcome->parts = choice.count * (settings.tuning.epochs > 0 ? 2 : 1);
    if (choice.left_out[0] != '\0') {
        LUTRA_TRY(lutra_figures_set_fact(run->figures, "left out", choice.left_out, error));
    }
    for (uint32_t i = 0; i < choice.count; i++) {
        LUTRA_TRY(one_subject(outcome, &settings, choice.sections[i], i, run, error));
    }
    return LUTRA_OK;
}

static const char *const rounding_files[] = {"rounding-accuracy.png", "rounding-time.png", NULL};
static const char *const accumulators_files[] = {
    "accumulators-accuracy.png", "accumulators-time.png", "accumulators-accuracy-2.png",
    "accumulators-time-2.png", NULL};

const LutraExperiment lutra_experiment_rounding = {
    .name = "rounding", .files = rounding_files, .check = check, .run = run_rounding};
const LutraExperiment lutra_experiment_accumulators = {
    .name = "accumulators", .files = accumulators_files, .check = check, .run = run_rounding};
