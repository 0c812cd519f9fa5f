/* SPDX-License-Identifier: Apache-2.0 */
/* Charts of agreement.c. */
#include <math.h>

#include "base/memory.h"
#include "experiments/agreement_priv.h"
#include "experiments/plot.h"

enum { MOST_LAYERS = LUTRA_PLOT_MOST };

static LutraStatus draw_layers(const LutraCircuit *circuit, const char *what,
                               const LutraExperimentRun *run, LutraError *error) {
    const LutraFigures *const figures = run->figures;
    LutraPoints seen = {.count = 0};
    LutraPoints predicted = {.count = 0};
    LutraPoints ratios = {.count = 0};
    LutraPoints one = {.count = 0};
    const char *tables[MOST_LAYERS];
    const char *layers[MOST_LAYERS];
    size_t table_count = 0;
    size_t layer_count = 0;
    LutraChart chart;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const char *const name = circuit->operations[i].name;
        const LutraFigure *const wrong =
            lutra_figures_find(figures, "wrong look-ups under FHE", name);
        const LutraFigure *const ratio =
            lutra_figures_find(figures, "deviation of noise measured over predicted", name);
        if (wrong != NULL && table_count < MOST_LAYERS) {
            const double x = (double)table_count;
            lutra_points_add_figure(&seen, x - 0.08, wrong, 100.0);
            lutra_points_add_figure(&predicted, x + 0.08,
                                    lutra_figures_find(figures, LUTRA_AGREEMENT_EXPECTED, name),
                                    100.0);
            tables[table_count++] = name;
        }
        if (ratio != NULL && layer_count < MOST_LAYERS) {
            lutra_points_add_figure(&ratios, (double)layer_count, ratio, 1.0);
            lutra_points_add(&one, (double)layer_count, 1.0, (double)NAN, (double)NAN);
            layers[layer_count++] = name;
        }
    }
    const LutraSeries failures[2] = {lutra_points_marks("counted, 95 % intervals", &seen),
                                     lutra_points_marks("predicted", &predicted)};
    const LutraSeries noise[2] = {lutra_points_line("measured = predicted", &one),
                                  lutra_points_marks("measured over predicted", &ratios)};
    lutra_chart_default(&chart);
    chart.x_label = "layer";
    if (table_count > 0) {
        chart.title = "Wrong look-ups on ciphertexts, by layer";
        chart.y_label = "% of the layer's look-ups";
        chart.x_names = tables;
        chart.x_name_count = table_count;
        chart.y_min = 0.0;
        LUTRA_TRY(lutra_plot_write(&chart, failures, 2, what, run, "agreement-wrong.png", error));
    }
    if (layer_count == 0) {
        return LUTRA_OK;
    }
    chart.title = "Noise on ciphertexts, by layer";
    chart.y_label = "ratio of standard deviations";
    chart.x_names = layers;
    chart.x_name_count = layer_count;
    chart.y_min = (double)NAN;
    return lutra_plot_write(&chart, noise, 2, what, run, "agreement-noise.png", error);
}

static LutraStatus draw_logits(const LutraFigures *samples, const char *what,
                               const LutraExperimentRun *run, LutraError *error) {
    double ends[2] = {HUGE_VAL, -HUGE_VAL};
    double *values = NULL; /* simulated, then under FHE */
    LutraChart chart;
    LUTRA_TRY(lutra_alloc(&values, 2 * (size_t)samples->count, sizeof *values, error));
    double *const encrypted = values + samples->count;
    const size_t count = lutra_agreement_logits(values, encrypted, samples);
    if (count == 0) {
        lutra_free(&values);
        return LUTRA_OK;
    }
    for (size_t i = 0; i < count; i++) {
        ends[0] = fmin(ends[0], fmin(values[i], encrypted[i]));
        ends[1] = fmax(ends[1], fmax(values[i], encrypted[i]));
    }
    const LutraSeries series[2] = {
        {.label = "equal", .x = ends, .y = ends, .count = 2, .line = true},
        {.label = "a class of an image",
         .x = values,
         .y = encrypted,
         .count = count,
         .marker = true}};
    lutra_chart_default(&chart);
    chart.title = "Logits under FHE against the simulation";
    chart.x_label = "logit, simulated without noise (no unit)";
    chart.y_label = "logit, decrypted (no unit)";
    const LutraStatus status =
        lutra_plot_write(&chart, series, 2, what, run, "agreement-logits.png", error);
    lutra_free(&values);
    return status;
}

LutraStatus lutra_agreement_draw(const LutraCircuit *circuit, const LutraFigures *samples,
                                 const char *what, const LutraExperimentRun *run,
                                 LutraError *error) {
    LUTRA_TRY(draw_layers(circuit, what, run, error));
    return draw_logits(samples, what, run, error);
}
