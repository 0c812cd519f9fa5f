/* SPDX-License-Identifier: Apache-2.0 */
/* E6: real FHE against the simulation. See agreement.ini and agreement-lean.ini. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "experiments/agreement_priv.h"
#include "experiments/encrypted_run.h"

enum { AT_BYTES = LUTRA_FIGURE_TEXT_BYTES };

static const char SAMPLES[] = "samples.csv";

typedef struct {
    uint32_t bits;
    double p_error;
    uint32_t samples;
    LutraPartition partition;
} Settings;

/* --- settings --------------------------------------------------------------------------------- */

/** The key `partition`, as compile --partition; without it one set for all tables. */
static LutraStatus read_partition(LutraPartition *partition, const LutraExperimentRun *run,
                                  const char *setting, LutraError *error) {
    const char *const text = lutra_experiment_value(run->settings, setting, "partition");
    *partition = LUTRA_PARTITION_NONE;
    for (uint32_t i = 0; text != NULL && lutra_partition_names[i] != NULL; i++) {
        if (strcmp(text, lutra_partition_names[i]) == 0) {
            *partition = (LutraPartition)i;
            return LUTRA_OK;
        }
    }
    return text == NULL ? LUTRA_OK
                        : lutra_error_set(error, LUTRA_EDATA,
                                          "'%s': 'partition' in section [%s] is '%s'; should be "
                                          "none, width, norm or table",
                                          run->settings_path, setting, text);
}

static LutraStatus read_settings(Settings *settings, const char **section,
                                 const LutraExperimentRun *run, LutraError *error) {
    static const char *const keys[] = {"subject", "epochs",  "train_images", "calibration_images",
                                       "bits",    "p_error", "samples",      "partition",
                                       NULL};
    const char *const setting = lutra_experiment_setting(run);
    *settings = (Settings){.bits = 0};
    LUTRA_TRY(lutra_experiment_check_keys(run, setting, keys, error));
    LUTRA_TRY(lutra_experiment_number(&settings->bits, run, setting, "bits", 1, LUTRA_MAX_ROUNDING,
                                      error));
    LUTRA_TRY(
        lutra_experiment_real(&settings->p_error, run, setting, "p_error", 1e-12, 0.9, error));
    LUTRA_TRY(lutra_experiment_number(&settings->samples, run, setting, "samples", 1,
                                      LUTRA_AGREEMENT_MOST_SAMPLES, error));
    LUTRA_TRY(read_partition(&settings->partition, run, setting, error));
    const char *const wanted = lutra_experiment_value(run->settings, setting, "subject");
    return lutra_subject_choose(section, run, wanted != NULL ? wanted : "subject.1", error);
}

static LutraStatus check(const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    const char *section = NULL;
    LUTRA_TRY(lutra_experiment_encrypt_check(error));
    return read_settings(&settings, &section, run, error);
}

/* --- samples: one figures file of counts, so that a run can go on ----------------------------- */

/* The samples that one image after another is added to, and where in them. */
typedef struct {
    LutraFigures *samples;
    char at[AT_BYTES];
} Place;

static LutraStatus add(const Place *place, const char *quantity, LutraFigureKind kind, double value,
                       uint64_t trials, LutraError *error) {
    LutraFigure figure = {
        .kind = kind, .value = value, .interval = {(double)NAN, (double)NAN}, .trials = trials};
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", quantity);
    (void)snprintf(figure.at, sizeof figure.at, "%s", place->at);
    return lutra_figures_add(place->samples, &figure, error);
}

/** Wrong look-ups, of a layer or of all. */
static LutraStatus add_wrong(const Place *place, uint64_t wrong, double predicted, uint64_t lookups,
                             LutraError *error) {
    LUTRA_TRY(
        add(place, LUTRA_AGREEMENT_WRONG, LUTRA_FIGURE_ENCRYPTED, (double)wrong, lookups, error));
    return add(place, LUTRA_AGREEMENT_EXPECTED, LUTRA_FIGURE_PREDICTED, predicted, lookups, error);
}

static LutraStatus add_layer(const Place *place, const LutraVerifyLayer *layer, LutraError *error) {
    const double measured = layer->noise_std_measured;
    const double predicted = layer->noise_std_predicted;
    if (layer->lookups > 0) {
        LUTRA_TRY(
            add_wrong(place, layer->mismatches, layer->expected_mismatches, layer->lookups, error));
    }
    LUTRA_TRY(add(place, LUTRA_AGREEMENT_NOISE, LUTRA_FIGURE_ENCRYPTED, measured * measured,
                  layer->elements, error));
    return add(place, LUTRA_AGREEMENT_NOISE_PREDICTED, LUTRA_FIGURE_PREDICTED,
               predicted * predicted, layer->elements, error);
}

static LutraStatus add_logits(Place *place, uint32_t sample, const LutraVerifyResult *result,
                              LutraError *error) {
    char class[24];
    for (uint32_t c = 0; c < result->class_count; c++) {
        (void)snprintf(class, sizeof class, "class %" PRIu32, c);
        (void)lutra_agreement_place(place->at, sample, class);
        LUTRA_TRY(add(place, LUTRA_AGREEMENT_CLEAR_LOGIT, LUTRA_FIGURE_SIMULATED,
                      (double)result->clear_logits[c], 0, error));
        LUTRA_TRY(add(place, LUTRA_AGREEMENT_LOGIT, LUTRA_FIGURE_ENCRYPTED,
                      (double)result->encrypted_logits[c], 0, error));
    }
    return LUTRA_OK;
}

/** One image: `label` is what it shows. Adds at most figures_of_sample. */
static LutraStatus add_sample(LutraFigures *samples, uint32_t sample,
                              const LutraVerifyResult *result, uint32_t label, LutraError *error) {
    const LutraVerifySample *const one = &result->samples[0];
    Place place = {.samples = samples};
    LUTRA_TRY(add_logits(&place, sample, result, error));
    for (uint32_t i = 0; i < result->layer_count; i++) {
        (void)lutra_agreement_place(place.at, sample, result->layers[i].name);
        LUTRA_TRY(add_layer(&place, &result->layers[i], error));
    }
    (void)lutra_agreement_place(place.at, sample, "");
    LUTRA_TRY(
        add_wrong(&place, result->mismatches, result->expected_mismatches, result->lookups, error));
    const struct {
        const char *quantity;
        LutraFigureKind kind;
        double value;
        uint64_t trials;
    } whole[] = {
        {"strays", LUTRA_FIGURE_ENCRYPTED, (double)result->strays, result->lookups},
        {"same answer", LUTRA_FIGURE_ENCRYPTED, (double)result->top1_agree, 1},
        {"right answer", LUTRA_FIGURE_ENCRYPTED, one->encrypted_class == label, 1},
        {"right answer simulated", LUTRA_FIGURE_SIMULATED, one->clear_class == label, 1},
        {"seconds", LUTRA_FIGURE_TIMED, result->run_seconds, 0},
        {"key generation", LUTRA_FIGURE_TIMED, result->keygen_seconds, 0},
        {"bytes of keys", LUTRA_FIGURE_COUNTED, (double)result->key_bytes, 0},
        {"bytes of ciphertexts", LUTRA_FIGURE_COUNTED, (double)result->ciphertext_bytes, 0},
    };
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        LUTRA_TRY(
            add(&place, whole[i].quantity, whole[i].kind, whole[i].value, whole[i].trials, error));
    }
    return LUTRA_OK;
}

/** Most figures of one image: four of an operation, two of a class, ten of the whole. */
static uint32_t figures_of_sample(const LutraCircuit *circuit) {
    return (4 * circuit->operation_count) + (2 * circuit->class_count) + 10;
}

/** Before hours of work: whether samples.csv can hold them all. */
static LutraStatus check_samples(uint32_t samples, const LutraCircuit *circuit,
                                 const LutraExperimentRun *run, LutraError *error) {
    const uint32_t most = LUTRA_MOST_FIGURES / figures_of_sample(circuit);
    return samples <= most
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EDATA,
                                 "'%s': 'samples' in section [%s] is %" PRIu32
                                 "; should be at most %" PRIu32
                                 " for a circuit of so many operations",
                                 run->settings_path, lutra_experiment_setting(run), samples, most);
}

static LutraStatus read_samples(LutraFigures *samples, const LutraExperimentRun *run,
                                LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, SAMPLES, error));
    LutraStatus status = LUTRA_OK;
    if (run->resume && lutra_file_exists(path)) {
        status = lutra_figures_read(samples, path, error);
    }
    lutra_free(&path);
    return status;
}

static LutraStatus write_samples(const LutraFigures *samples, const LutraExperimentRun *run,
                                 LutraError *error) {
    char *path = NULL;
    LUTRA_TRY(lutra_experiment_path(&path, run, SAMPLES, error));
    const LutraStatus status = lutra_figures_write(samples, path, true, error);
    lutra_free(&path);
    return status;
}

/* --- the runs --------------------------------------------------------------------------------- */

static LutraStatus encrypt(LutraFigures *samples, LutraExperimentOutcome *outcome,
                           const LutraCircuit *circuit, const LutraDataset *dataset,
                           const LutraExperimentRun *run, LutraError *error) {
    for (uint32_t s = 0; s < outcome->parts; s++) {
        LutraVerifyResult result = {0};
        char at[AT_BYTES];
        if (lutra_figures_find(samples, "bytes of ciphertexts", lutra_agreement_place(at, s, "")) !=
            NULL) {
            outcome->done++;
            continue;
        }
        LutraStatus status = lutra_experiment_encrypt(&result, circuit, dataset, s, 1, run, error);
        if (status == LUTRA_OK) {
            status =
                add_sample(samples, s, &result, dataset->splits[LUTRA_SPLIT_TEST].labels[s], error);
        }
        lutra_verify_result_deinit(&result);
        LUTRA_TRY(status);
        LUTRA_TRY(write_samples(samples, run, error));
        outcome->done++;
    }
    return LUTRA_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

static LutraStatus run_agreement(LutraExperimentOutcome *outcome, LutraJson *results,
                                 const LutraExperimentRun *run, LutraError *error) {
    Settings settings;
    LutraSubject subject = {.is_stand_in = false};
    LutraFigures samples = {0};
    LutraCircuit circuit = {0};
    LutraError later = {""};
    const char *section = NULL;
    char title[192];
    char what[384];
    LutraStatus status = LUTRA_OK;
    (void)results;
    *outcome = (LutraExperimentOutcome){.holds = true};
    LUTRA_TRY(read_settings(&settings, &section, run, error));
    outcome->parts = settings.samples;
    LutraStudyRow row = {.setting = {.bits = settings.bits,
                                     .mode = LUTRA_ROUNDING_APPROXIMATE,
                                     .p_error = settings.p_error,
                                     .partition = settings.partition}};
    LUTRA_TRY_GOTO(status, lutra_subject_open(&subject, run, section, "model.h5", error));
    LUTRA_TRY_GOTO(status, lutra_subject_describe(&subject, run, "", error));
    LUTRA_TRY_GOTO(status,
                   lutra_study_circuit(&circuit, &row, &subject, &subject.dataset, run, error));
    if (!row.feasible) {
        LUTRA_TRY_GOTO(status, lutra_error_set(error, LUTRA_EINFEASIBLE,
                                               "no crypto parameters for %" PRIu32 " bits at "
                                               "p_error %.3g",
                                               settings.bits, settings.p_error));
    }
    LUTRA_TRY_GOTO(status, check_samples(settings.samples, &circuit, run, error));
    LUTRA_TRY_GOTO(status, read_samples(&samples, run, error));
    status = encrypt(&samples, outcome, &circuit, &subject.dataset, run, error);
    if (outcome->done > 0 && (status == LUTRA_OK || status == LUTRA_ECANCELLED)) {
        (void)snprintf(
            what, sizeof what, "%s, %" PRIu32 " images, tables of %" PRIu32 " bits, p_error %.3g",
            lutra_subject_title(title, &subject), outcome->done, settings.bits, settings.p_error);
        LutraStatus then =
            lutra_agreement_conclude(outcome, &samples, &circuit, row.seconds, run, &later);
        then =
            then == LUTRA_OK ? lutra_agreement_draw(&circuit, &samples, what, run, &later) : then;
        status = then == LUTRA_OK ? status : lutra_error_set(error, then, "%s", later.message);
    }
done:
    lutra_circuit_deinit(&circuit);
    lutra_figures_deinit(&samples);
    lutra_subject_deinit(&subject);
    return status;
}

static const char *const files[] = {"samples.csv", "agreement-wrong.png", "agreement-noise.png",
                                    "agreement-logits.png", NULL};

const LutraExperiment lutra_experiment_agreement = {
    .name = "agreement", .files = files, .check = check, .run = run_agreement};

/* The same question on another subject: agreement-lean.ini. */
const LutraExperiment lutra_experiment_agreement_lean = {
    .name = "agreement-lean", .files = files, .check = check, .run = run_agreement};
