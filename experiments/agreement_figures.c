/* SPDX-License-Identifier: Apache-2.0 */
/* What the samples of agreement.c say together. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/median.h"
#include "base/memory.h"
#include "experiments/agreement_priv.h"
#include "experiments/encrypted_run.h"

enum { AT_BYTES = LUTRA_FIGURE_TEXT_BYTES };

static const char ALL[] = "all samples";

const char *lutra_agreement_place(char at[LUTRA_FIGURE_TEXT_BYTES], uint32_t sample,
                                  const char *layer) {
    (void)snprintf(at, AT_BYTES, "sample %" PRIu32 "%s%.64s", sample, layer[0] != '\0' ? "; " : "",
                   layer);
    return at;
}

/** Sum over the samples that are done. */
static double sum(const LutraFigures *samples, uint32_t count, const char *quantity,
                  const char *layer, uint64_t *trials) {
    double total = 0.0;
    char at[AT_BYTES];
    *trials = 0;
    for (uint32_t s = 0; s < count; s++) {
        const LutraFigure *const figure =
            lutra_figures_find(samples, quantity, lutra_agreement_place(at, s, layer));
        if (figure != NULL && isfinite(figure->value)) {
            total += figure->value;
            *trials += figure->trials;
        }
    }
    return total;
}

static LutraStatus conclude_place(LutraFigures *figures, const LutraFigures *samples,
                                  uint32_t count, const char *layer, LutraError *error) {
    const char *const at = layer[0] != '\0' ? layer : ALL;
    uint64_t lookups = 0;
    uint64_t elements = 0;
    const double wrong = sum(samples, count, LUTRA_AGREEMENT_WRONG, layer, &lookups);
    if (lookups > 0) {
        LUTRA_TRY(lutra_figures_add_fraction(figures, "wrong look-ups under FHE", at,
                                             LUTRA_FIGURE_ENCRYPTED, (uint64_t)wrong, lookups,
                                             error));
        const double expected = sum(samples, count, LUTRA_AGREEMENT_EXPECTED, layer, &lookups);
        LUTRA_TRY(lutra_figures_add_number(figures, LUTRA_AGREEMENT_EXPECTED, at, "fraction",
                                           LUTRA_FIGURE_PREDICTED, expected / (double)lookups,
                                           error));
    }
    const double variance = sum(samples, count, LUTRA_AGREEMENT_NOISE, layer, &elements);
    const double predicted = sum(samples, count, LUTRA_AGREEMENT_NOISE_PREDICTED, layer, &elements);
    if (layer[0] == '\0' || !(predicted > 0.0)) {
        return LUTRA_OK;
    }
    LutraFigure ratio = {.kind = LUTRA_FIGURE_ENCRYPTED, .value = sqrt(variance / predicted)};
    ratio.interval = (LutraInterval){(double)NAN, (double)NAN};
    (void)snprintf(ratio.quantity, sizeof ratio.quantity,
                   "deviation of noise measured over predicted");
    (void)snprintf(ratio.at, sizeof ratio.at, "%s", at);
    return lutra_figures_add(figures, &ratio, error);
}

/** Images with a yes under `quantity`, as a fraction called `name`. */
static LutraStatus conclude_answers(LutraFigures *figures, const LutraFigures *samples,
                                    uint32_t count, const char *quantity, const char *name,
                                    LutraFigureKind kind, LutraError *error) {
    uint64_t images = 0;
    const double yes = sum(samples, count, quantity, "", &images);
    return lutra_figures_add_fraction(figures, name, ALL, kind, (uint64_t)yes, images, error);
}

size_t lutra_agreement_logits(double *clear, double *encrypted, const LutraFigures *samples) {
    size_t count = 0;
    for (uint32_t i = 0; i < samples->count; i++) {
        const LutraFigure *const figure = &samples->figures[i];
        const LutraFigure *const other =
            strcmp(figure->quantity, LUTRA_AGREEMENT_CLEAR_LOGIT) == 0
                ? lutra_figures_find(samples, LUTRA_AGREEMENT_LOGIT, figure->at)
                : NULL;
        if (other != NULL) {
            clear[count] = figure->value;
            encrypted[count++] = other->value;
        }
    }
    return count;
}

/** What FHE adds to a logit, against how far logits lie apart: deviation over deviation. */
static LutraStatus conclude_logits(LutraFigures *figures, const LutraFigures *samples,
                                   LutraError *error) {
    double *clear = NULL; /* and behind it the decrypted ones */
    double mean = 0.0;
    double squares = 0.0;
    double differences = 0.0;
    LUTRA_TRY(lutra_alloc(&clear, 2 * (size_t)samples->count, sizeof *clear, error));
    const double *const encrypted = clear + samples->count;
    const size_t count = lutra_agreement_logits(clear, clear + samples->count, samples);
    for (size_t i = 0; i < count; i++) {
        mean += clear[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        squares += (clear[i] - mean) * (clear[i] - mean);
        differences += (encrypted[i] - clear[i]) * (encrypted[i] - clear[i]);
    }
    lutra_free(&clear);
    return count == 0 ? LUTRA_OK
                      : lutra_figures_add_number(
                            figures, "deviation of logits under FHE over that between logits", ALL,
                            "", LUTRA_FIGURE_ENCRYPTED, sqrt(differences / squares), error);
}

/** Of an image; other programs that come and go move a mean, not this. */
static double median_seconds(const LutraFigures *samples, uint32_t count) {
    double seconds[LUTRA_AGREEMENT_MOST_SAMPLES] = {0.0};
    char at[AT_BYTES];
    for (uint32_t s = 0; s < count; s++) {
        const LutraFigure *const figure =
            lutra_figures_find(samples, "seconds", lutra_agreement_place(at, s, ""));
        seconds[s] = figure != NULL ? figure->value : 0.0;
    }
    return lutra_median(seconds, count);
}

LutraStatus lutra_agreement_conclude(LutraExperimentOutcome *outcome, const LutraFigures *samples,
                                     const LutraCircuit *circuit, double predicted_seconds,
                                     const LutraExperimentRun *run, LutraError *error) {
    const uint32_t count = outcome->done;
    LutraFigures *const figures = run->figures;
    uint64_t trials = 0;
    LUTRA_TRY(conclude_place(figures, samples, count, "", error));
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        LUTRA_TRY(conclude_place(figures, samples, count, circuit->operations[i].name, error));
    }
    LUTRA_TRY(conclude_answers(figures, samples, count, "same answer",
                               "same answer under FHE as simulated", LUTRA_FIGURE_ENCRYPTED,
                               error));
    LUTRA_TRY(conclude_answers(figures, samples, count, "right answer", "right answer under FHE",
                               LUTRA_FIGURE_ENCRYPTED, error));
    LUTRA_TRY(conclude_answers(figures, samples, count, "right answer simulated",
                               "right answer simulated without noise", LUTRA_FIGURE_SIMULATED,
                               error));
    LUTRA_TRY(conclude_logits(figures, samples, error));
    const double strays = sum(samples, count, "strays", "", &trials);
    LUTRA_TRY(lutra_figures_add_number(figures, "results far from every entry (strays)", ALL, "",
                                       LUTRA_FIGURE_COUNTED, strays, error));
    const double seconds = median_seconds(samples, count);
    LUTRA_TRY(lutra_figures_add_number(figures, "time of an image under FHE", ALL, "s",
                                       LUTRA_FIGURE_TIMED, seconds, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "core-seconds of an image under FHE", ALL, "s",
                                       LUTRA_FIGURE_TIMED, seconds * run->threads, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "time of an image predicted", ALL, "s",
                                       LUTRA_FIGURE_PREDICTED, predicted_seconds, error));
    LUTRA_TRY(lutra_figures_add_number(figures, "key generation", ALL, "s", LUTRA_FIGURE_TIMED,
                                       sum(samples, count, "key generation", "", &trials) / count,
                                       error));
    LUTRA_TRY(lutra_figures_add_number(figures, "bytes of keys", ALL, "B", LUTRA_FIGURE_COUNTED,
                                       sum(samples, count, "bytes of keys", "", &trials) / count,
                                       error));
    LUTRA_TRY(lutra_figures_add_number(
        figures, "bytes of ciphertexts alive at once", ALL, "B", LUTRA_FIGURE_COUNTED,
        sum(samples, count, "bytes of ciphertexts", "", &trials) / count, error));
    outcome->holds = lutra_experiment_encrypt_holds(figures, ALL);
    return LUTRA_OK;
}
