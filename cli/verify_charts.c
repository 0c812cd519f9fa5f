/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of a verification; see verify_charts.h. */
#include "cli/verify_charts.h"

#include <math.h>

#include "base/chart.h"
#include "base/memory.h"
#include "sim/operations.h"

/* --- logits ----------------------------------------------------------------------------------- */

/** Splits logits into those of the simulation's answers and the others. */
static void sort_logits(double *answers, double *others, double ends[2],
                        const LutraVerifyResult *result) {
    const uint32_t classes = result->class_count;
    const size_t samples = (size_t)result->sample_count;
    const size_t rest = samples * (classes - 1);
    size_t at = 0;
    for (size_t s = 0; s < samples; s++) {
        const float *const clear = result->clear_logits + s * classes;
        const float *const encrypted = result->encrypted_logits + s * classes;
        for (uint32_t c = 0; c < classes; c++) {
            ends[0] = fmin(ends[0], (double)fminf(clear[c], encrypted[c]));
            ends[1] = fmax(ends[1], (double)fmaxf(clear[c], encrypted[c]));
            if (c == result->samples[s].clear_class) {
                answers[s] = (double)clear[c];
                answers[samples + s] = (double)encrypted[c];
            } else {
                others[at] = (double)clear[c];
                others[rest + at] = (double)encrypted[c];
                at++;
            }
        }
    }
}

LutraStatus verify_draw_logits(const LutraVerifyResult *result, const char *what, const char *path,
                               bool force, LutraError *error) {
    const size_t samples = (size_t)result->sample_count;
    const size_t rest = samples * (result->class_count - 1);
    double ends[2] = {HUGE_VAL, -HUGE_VAL};
    double *answers = NULL; /* x, then y */
    double *others = NULL;
    LutraChart chart;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&answers, 2 * samples, sizeof *answers, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&others, 2 * rest, sizeof *others, error));
    sort_logits(answers, others, ends, result);
    const LutraSeries series[3] = {
        {.label = "equal", .x = ends, .y = ends, .count = 2, .line = true},
        {.label = "answer of the simulation",
         .x = answers,
         .y = answers + samples,
         .count = samples,
         .marker = true},
        {.label = "other classes", .x = others, .y = others + rest, .count = rest, .marker = true}};
    lutra_chart_default(&chart);
    chart.title = "Logits under FHE against the simulation in the clear";
    chart.subtitle = what;
    chart.x_label = "logit, simulated without noise (no unit)";
    chart.y_label = "logit, decrypted (no unit)";
    status = lutra_chart_write(&chart, series, 3, path, force, error);
done:
    lutra_free(&answers);
    lutra_free(&others);
    return status;
}

/* --- layers ----------------------------------------------------------------------------------- */

typedef struct {
    const char **names;
    double *values; /* x of counted, x of expected, counted, low, high, expected: (6, count) */
    size_t count;
} Layers;

static void place_layers(Layers *layers, const LutraVerifyResult *result) {
    const size_t count = layers->count;
    size_t at = 0;
    for (uint32_t i = 0; i < result->layer_count; i++) {
        const LutraVerifyLayer *const layer = &result->layers[i];
        const double lookups = (double)layer->lookups;
        if (layer->lookups == 0) {
            continue;
        }
        layers->names[at] = layer->name;
        layers->values[at] = (double)at - 0.08;
        layers->values[count + at] = (double)at + 0.08;
        layers->values[2 * count + at] = 100.0 * (double)layer->mismatches / lookups;
        layers->values[3 * count + at] = 100.0 * layer->mismatch_interval.low;
        layers->values[4 * count + at] = 100.0 * layer->mismatch_interval.high;
        layers->values[5 * count + at] = 100.0 * layer->expected_mismatches / lookups;
        at++;
    }
}

LutraStatus verify_draw_layers(const LutraVerifyResult *result, const char *what, const char *path,
                               bool force, LutraError *error) {
    Layers layers = {.count = 0};
    LutraChart chart;
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; i < result->layer_count; i++) {
        layers.count += result->layers[i].lookups > 0;
    }
    const size_t count = layers.count;
    if (count == 0) {
        return LUTRA_OK;
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&layers.names, count, sizeof *layers.names, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&layers.values, 6 * count, sizeof(double), error));
    place_layers(&layers, result);
    const double *const values = layers.values;
    const LutraSeries series[2] = {{.label = "counted, 95 % intervals",
                                    .x = values,
                                    .y = values + 2 * count,
                                    .y_low = values + 3 * count,
                                    .y_high = values + 4 * count,
                                    .count = count,
                                    .marker = true},
                                   {.label = "expected by the noise model",
                                    .x = values + count,
                                    .y = values + 5 * count,
                                    .count = count,
                                    .marker = true}};
    lutra_chart_default(&chart);
    chart.title = "Wrong look-ups under FHE, by layer";
    chart.subtitle = what;
    chart.x_label = "layer";
    chart.y_label = "wrong results, % of the layer's look-ups";
    chart.x_names = layers.names;
    chart.x_name_count = count;
    chart.y_min = 0.0;
    status = lutra_chart_write(&chart, series, 2, path, force, error);
done:
    lutra_free(&layers.names);
    lutra_free(&layers.values);
    return status;
}
