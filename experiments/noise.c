/* SPDX-License-Identifier: Apache-2.0 */
/* The experiment 'noise': noise formulas against real ciphertexts, for several parameter sets. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/noise_priv.h"
#include "sim/parameters.h"

static const double REFUTATION_CONFIDENCE = 0.9999;

/* --- settings --------------------------------------------------------------------------------- */

static LutraStatus check_sections(const LutraExperimentRun *run, uint32_t sets, LutraError *error) {
    static const char *const experiment[] = {"name",       "question",   "method",    "source",
                                             "refuted_if", "quick_time", "full_time", NULL};
    static const char *const setting[] = {
        "keys",         "outputs",       "rounds",    "confirmations",
        "curve_values", "curve_samples", "tolerance", NULL};
    static const char *const curve[] = {"set", "dropped_bits", NULL};
    static const char *const set_keys[] = {"precision", "norm_squared", "p_error", NULL};
    static const char *const fixed[] = {"experiment", "quick", "full", "curve"};
    static const char *const *const keys[] = {experiment, setting, setting, curve};
    for (size_t i = 0; i < 4; i++) {
        LUTRA_TRY(lutra_experiment_check_keys(run, fixed[i], keys[i], error));
    }
    char section[16];
    for (uint32_t number = 1; number <= sets; number++) {
        (void)snprintf(section, sizeof section, "set.%" PRIu32, number);
        LUTRA_TRY(lutra_experiment_check_keys(run, section, set_keys, error));
    }
    for (size_t i = 0; i < run->settings->entry_count; i++) {
        const LutraIniEntry *const entry = &run->settings->entries[i];
        bool known = false;
        for (size_t k = 0; k < 4 && !known; k++) {
            known = strcmp(entry->section, fixed[k]) == 0;
        }
        for (uint32_t number = 1; number <= sets && !known; number++) {
            (void)snprintf(section, sizeof section, "set.%" PRIu32, number);
            known = strcmp(entry->section, section) == 0;
        }
        if (!known) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'%s':%d: unknown section [%s]; sets are numbered from 1",
                                   run->settings_path, entry->line, entry->section);
        }
    }
    return LUTRA_OK;
}

/** What all sets share. */
static LutraStatus read_setting(LutraNoiseStudySettings *s, double *tolerance,
                                const LutraExperimentRun *run, LutraError *error) {
    const char *const section = lutra_experiment_setting(run);
    const struct {
        uint32_t *value;
        const char *key;
        uint32_t min;
        uint32_t max;
    } numbers[] = {{&s->keys, "keys", 1, LUTRA_NOISE_STUDY_MAX_KEYS},
                   {&s->outputs, "outputs", 4, 1 << 20},
                   {&s->rounds, "rounds", 1, 64},
                   {&s->confirmations, "confirmations", 0, 1 << 20},
                   {&s->curve_values, "curve_values", 0, LUTRA_NOISE_STUDY_MAX_CURVE},
                   {&s->curve_samples, "curve_samples", 0, 1 << 20}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        LUTRA_TRY(lutra_experiment_number(numbers[i].value, run, section, numbers[i].key,
                                          numbers[i].min, numbers[i].max, error));
    }
    LUTRA_TRY(lutra_experiment_number(&s->curve_dropped_bits, run, "curve", "dropped_bits", 1, 16,
                                      error));
    return lutra_experiment_real(tolerance, run, section, "tolerance", 0.0, 1.0, error);
}

static LutraStatus read_set(NoiseSet *set, uint32_t number, uint32_t curve_set,
                            const LutraNoiseStudySettings *shared, const LutraExperimentRun *run,
                            LutraError *error) {
    LutraParametersSettings wanted;
    lutra_parameters_default(&wanted);
    wanted.security_bits = 132;
    wanted.noise_model = LUTRA_NOISE_TFHE_RS;
    wanted.modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
    char section[16];
    (void)snprintf(section, sizeof section, "set.%" PRIu32, number);
    set->number = number;
    set->settings = *shared;
    set->settings.seed = run->seed + number;
    LUTRA_TRY(lutra_experiment_number(&wanted.precision_bits, run, section, "precision", 1,
                                      LUTRA_MAX_PRECISION_BITS, error));
    LUTRA_TRY(lutra_experiment_number(&set->settings.norm_squared, run, section, "norm_squared", 1,
                                      LUTRA_NOISE_STUDY_MAX_NORM_SQUARED, error));
    LUTRA_TRY(lutra_experiment_real(&wanted.p_error, run, section, "p_error", 1e-300, 1.0 - 0x1p-53,
                                    error));
    wanted.norm2 = sqrt((double)set->settings.norm_squared);
    set->p_error = wanted.p_error;
    set->settings.precision_bits = wanted.precision_bits;
    if (number != curve_set) {
        set->settings.curve_values = 0;
    }
    const LutraStatus status = lutra_parameters_find(&set->settings.parameters, &wanted, error);
    return status == LUTRA_OK ? status : lutra_error_prefix(error, status, section);
}

static LutraStatus read_settings(NoiseExperiment *experiment, const LutraExperimentRun *run,
                                 LutraError *error) {
    LutraNoiseStudySettings shared;
    lutra_noise_study_default(&shared);
    shared.backend_settings.threads = run->threads;
    char section[16];
    uint32_t sets = 0;
    do {
        (void)snprintf(section, sizeof section, "set.%" PRIu32, sets + 1);
    } while (lutra_experiment_value(run->settings, section, "precision") != NULL && ++sets != 0 &&
             sets < NOISE_MAX_SETS);
    if (sets == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': there is no section [set.1]",
                               run->settings_path);
    }
    LUTRA_TRY(check_sections(run, sets, error));
    LUTRA_TRY(read_setting(&shared, &experiment->tolerance, run, error));
    LUTRA_TRY(lutra_experiment_number(&experiment->curve_set, run, "curve", "set", 1, sets, error));
    for (uint32_t i = 0; i < sets; i++) {
        LUTRA_TRY(
            read_set(&experiment->sets[i], i + 1, experiment->curve_set, &shared, run, error));
    }
    experiment->set_count = sets;
    return LUTRA_OK;
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    NoiseExperiment *experiment = NULL;
    LUTRA_TRY(lutra_alloc(&experiment, 1, sizeof *experiment, error));
    LutraStatus status = read_settings(experiment, run, error);
    if (status == LUTRA_OK) {
        status = lutra_backend_check(lutra_backend_tfhe(), error);
    }
    lutra_free(&experiment);
    return status;
}

/* --- the run ---------------------------------------------------------------------------------- */

/** One bar over all sets, in elementary operations. */
typedef struct {
    const LutraProgress *outer;
    double done;
    double total;
} Ticker;

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const Ticker *const ticker = user;
    (void)total;
    const double at = fmin(ticker->done + (double)done, ticker->total) / 1e6;
    return lutra_progress_tick(ticker->outer, stage, (uint64_t)at, (uint64_t)(ticker->total / 1e6),
                               figure)
               ? 1
               : 0;
}

/** Whether failures are so many more than predicted that neither chance nor few keys explain it. */
static bool fails_too_often(const NoiseSet *set, const LutraNoiseRate *rate) {
    const LutraNoiseQuantityResult *const lookup =
        &set->result.quantities[LUTRA_QUANTITY_LOOKUP_STANDARD + rate->modulus_switch];
    const double std = lookup->std_predicted[LUTRA_NOISE_TFHE_RS];
    const double few_keys = lutra_noise_kappa(1.0 - REFUTATION_CONFIDENCE) *
                            lookup->key_spread_predicted / sqrt((double)set->result.keys);
    const double most =
        lutra_noise_p_error_ticks(std * std * (1.0 + few_keys), rate->table_bits,
                                  set->settings.parameters.log2_poly, rate->modulus_switch);
    return lutra_interval_binomial(rate->failures, rate->trials, REFUTATION_CONFIDENCE).low > most;
}

bool noise_holds(const NoiseExperiment *experiment, const NoiseSet *set) {
    bool holds = true;
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        const LutraNoiseQuantityResult *const quantity = &set->result.quantities[q];
        holds = holds && quantity->std_95.low <= (1.0 + experiment->tolerance) *
                                                     quantity->std_predicted[LUTRA_NOISE_TFHE_RS];
    }
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        for (uint32_t i = 0; i < LUTRA_NOISE_STUDY_RATES; i++) {
            holds = holds && !fails_too_often(set, &set->result.rates[kind][i]);
        }
        holds = holds && set->result.confirmations[kind].disagreements == 0;
    }
    return holds;
}

/** Studies set after set; on LUTRA_ECANCELLED experiment->finished sets have results. */
static LutraStatus study(NoiseExperiment *experiment, const LutraExperimentRun *run,
                         LutraError *error) {
    Ticker ticker = {.outer = run->progress};
    const LutraProgress progress = {tick, NULL, &ticker};
    for (uint32_t i = 0; i < experiment->set_count; i++) {
        ticker.total += lutra_noise_study_work(&experiment->sets[i].settings);
    }
    for (uint32_t i = 0; i < experiment->set_count; i++) {
        NoiseSet *const set = &experiment->sets[i];
        set->settings.progress = &progress;
        LUTRA_TRY(lutra_noise_study(&set->result, &set->settings, error));
        ticker.done += lutra_noise_study_work(&set->settings);
        experiment->finished++;
        char line[128];
        (void)snprintf(line, sizeof line, "set %" PRIu32 " of %" PRIu32 ": %.0f s%s", i + 1,
                       experiment->set_count, set->result.seconds,
                       noise_holds(experiment, set) ? "" : ", refutes the noise model");
        lutra_progress_note(run->progress, line);
    }
    return LUTRA_OK;
}

static LutraStatus report(LutraExperimentOutcome *outcome, LutraJson *results,
                          const NoiseExperiment *experiment, const LutraExperimentRun *run,
                          LutraError *error) {
    *outcome = (LutraExperimentOutcome){
        .holds = true, .done = experiment->finished, .parts = experiment->set_count};
    for (uint32_t i = 0; i < experiment->finished; i++) {
        outcome->holds = outcome->holds && noise_holds(experiment, &experiment->sets[i]);
        if (run->report != NULL) {
            noise_print(run->report, experiment, &experiment->sets[i]);
        }
    }
    noise_fill_json(results, experiment);
    if (experiment->finished == 0) {
        return LUTRA_OK;
    }
    LUTRA_TRY(noise_write_tables(experiment, run, error));
    return noise_write_charts(experiment, run, error);
}

/** Counted and predicted wrong look-ups of one set as figures. */
static LutraStatus add_figures(const NoiseSet *set, LutraFigures *figures, LutraError *error) {
    static const char *const switches[LUTRA_MODULUS_SWITCHES] = {"standard", "centred"};
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        for (uint32_t w = 0; w < LUTRA_NOISE_STUDY_RATES; w++) {
            const LutraNoiseRate *const rate = &set->result.rates[kind][w];
            char at[LUTRA_FIGURE_TEXT_BYTES];
            (void)snprintf(at, sizeof at, "set %u; %s switch; table of %u bits",
                           (unsigned)set->number, switches[kind],
                           (unsigned)(set->settings.precision_bits + w));
            LUTRA_TRY(lutra_figures_add_fraction(figures, "wrong look-ups", at,
                                                 LUTRA_FIGURE_ENCRYPTED, rate->failures,
                                                 rate->trials, error));
            LUTRA_TRY(lutra_figures_add_number(figures, "wrong look-ups predicted", at, "fraction",
                                               LUTRA_FIGURE_PREDICTED,
                                               rate->predicted[LUTRA_NOISE_TFHE_RS], error));
        }
    }
    return LUTRA_OK;
}

static LutraStatus run_noise(LutraExperimentOutcome *outcome, LutraJson *results,
                             const LutraExperimentRun *run, LutraError *error) {
    NoiseExperiment *experiment = NULL;
    LUTRA_TRY(lutra_alloc(&experiment, 1, sizeof *experiment, error));
    LutraStatus status = read_settings(experiment, run, error);
    if (status == LUTRA_OK) {
        status = study(experiment, run, error);
    }
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        LutraError later = {""};
        LutraStatus written = report(outcome, results, experiment, run, &later);
        for (uint32_t i = 0; written == LUTRA_OK && i < experiment->finished; i++) {
            written = add_figures(&experiment->sets[i], run->figures, &later);
        }
        if (written != LUTRA_OK) {
            status = lutra_error_set(error, written, "%s", later.message);
        }
    }
    lutra_free(&experiment);
    return status;
}

static const char *const files[] = {"noise-sets.csv",     "noise-quantities.csv", "noise-rates.csv",
                                    "noise-curve.csv",    "noise-deviation.png",  "noise-ratio.png",
                                    "noise-failures.png", "noise-off-by-one.png", NULL};

const LutraExperiment lutra_experiment_noise = {
    .name = "noise", .files = files, .check = check, .run = run_noise};
