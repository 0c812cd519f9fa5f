/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/encrypted_run.h"

#include <math.h>
#include <string.h>

static const char WRONG[] = "wrong look-ups under FHE";
static const char EXPECTED[] = "wrong look-ups predicted";
static const char SECONDS[] = "time of an image under FHE";

LutraStatus lutra_experiment_encrypt_check(LutraError *error) {
    return lutra_backend_check(lutra_backend_tfhe(), error);
}

LutraStatus lutra_experiment_encrypt(LutraVerifyResult *result, const LutraCircuit *circuit,
                                     const LutraDataset *dataset, uint64_t first, uint64_t count,
                                     const LutraExperimentRun *run, LutraError *error) {
    const LutraSplit *const split = &dataset->splits[LUTRA_SPLIT_TEST];
    const size_t image = lutra_shape_elements(circuit->operations[0].shape);
    LutraVerifySettings settings;
    uint8_t seed[LUTRA_TEST_SEED_BYTES] = {0};
    memcpy(seed, &run->seed, 8);
    memcpy(seed + 8, &first, 8);
    if (count == 0 || first >= split->count || count > split->count - first) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has fewer test images than the samples "
                               "that are asked for",
                               dataset->name);
    }
    lutra_verify_default(&settings);
    settings.backend_settings.threads = run->threads;
    settings.test_seed = seed;
    settings.progress = run->progress;
    return lutra_verify(result, circuit, split->images + (first * image), count, &settings, error);
}

static LutraStatus add_wrong(LutraFigures *figures, const char *at, const LutraVerifyResult *result,
                             LutraError *error) {
    LutraFigure figure = {.unit = "fraction", .kind = LUTRA_FIGURE_ENCRYPTED};
    const double lookups = (double)(result->lookups > 0 ? result->lookups : 1);
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", WRONG);
    (void)snprintf(figure.at, sizeof figure.at, "%s", at);
    figure.value = (double)result->mismatches / lookups;
    figure.interval = result->mismatch_interval;
    figure.trials = result->lookups;
    (void)snprintf(figure.note, sizeof figure.note, "%s", lutra_verdict_text(result->verdict));
    LUTRA_TRY(lutra_figures_add(figures, &figure, error));
    return lutra_figures_add_number(figures, EXPECTED, at, "fraction", LUTRA_FIGURE_PREDICTED,
                                    result->expected_mismatches / lookups, error);
}

LutraStatus lutra_experiment_encrypt_add(LutraFigures *figures, const char *at,
                                         const LutraVerifyResult *result, const LutraStudyRow *row,
                                         uint32_t threads, LutraError *error) {
    const double samples = (double)(result->sample_count > 0 ? result->sample_count : 1);
    const double seconds = result->run_seconds / samples;
    LUTRA_TRY(add_wrong(figures, at, result, error));
    LUTRA_TRY(lutra_figures_add_fraction(figures, "same answer under FHE as simulated", at,
                                         LUTRA_FIGURE_ENCRYPTED, result->top1_agree,
                                         result->sample_count, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "results far from every entry (strays)", at, "",
                                       LUTRA_FIGURE_COUNTED, (double)result->strays, error));
    LUTRA_TRY(
        lutra_figures_add_number(figures, SECONDS, at, "s", LUTRA_FIGURE_TIMED, seconds, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "core-seconds of an image under FHE", at, "s",
                                       LUTRA_FIGURE_TIMED, seconds * threads, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "time of an image predicted", at, "s",
                                       LUTRA_FIGURE_PREDICTED, row->seconds, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "key generation", at, "s", LUTRA_FIGURE_TIMED,
                                       result->keygen_seconds, error));
    return lutra_figures_add_number(figures, "bytes of keys", at, "B", LUTRA_FIGURE_COUNTED,
                                    (double)result->key_bytes, error);
}

bool lutra_experiment_encrypt_known(const LutraFigures *figures, const char *at) {
    return lutra_figures_find(figures, WRONG, at) != NULL &&
           lutra_figures_find(figures, "bytes of keys", at) != NULL;
}

bool lutra_experiment_encrypt_holds(const LutraFigures *figures, const char *at) {
    const LutraFigure *const wrong = lutra_figures_find(figures, WRONG, at);
    const LutraFigure *const expected = lutra_figures_find(figures, EXPECTED, at);
    const LutraFigure *const strays =
        lutra_figures_find(figures, "results far from every entry (strays)", at);
    if (wrong == NULL || expected == NULL) {
        return true;
    }
    return wrong->interval.low <= expected->value && (strays == NULL || strays->value == 0.0);
}
