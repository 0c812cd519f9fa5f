/* SPDX-License-Identifier: Apache-2.0 */
/* Charts of the experiment 'noise'. */
#include <math.h>
#include <string.h>

#include "base/chart.h"
#include "base/memory.h"
#include "experiments/noise_priv.h"

enum { MOST_POINTS = NOISE_MAX_SETS * LUTRA_QUANTITIES, MOST_SERIES = 8 };

/** Points with intervals. */
typedef struct {
    size_t count;
    double x[MOST_POINTS];
    double y[MOST_POINTS];
    double low[MOST_POINTS];
    double high[MOST_POINTS];
} Points;

static void add(Points *points, double x, double y, double low, double high) {
    if (points->count < MOST_POINTS) {
        points->x[points->count] = x;
        points->y[points->count] = y;
        points->low[points->count] = low;
        points->high[points->count] = high;
        points->count++;
    }
}

static LutraSeries marks(const char *label, const Points *points) {
    return (LutraSeries){.label = label,
                         .x = points->x,
                         .y = points->y,
                         .y_low = points->low,
                         .y_high = points->high,
                         .count = points->count,
                         .marker = true};
}

static LutraSeries line(const char *label, const Points *points) {
    return (LutraSeries){
        .label = label, .x = points->x, .y = points->y, .count = points->count, .line = true};
}

/** The line y = x from the smallest to the largest x. */
static void diagonal(Points *to, const Points *from) {
    double low = (double)INFINITY;
    double high = 0.0;
    for (size_t i = 0; i < from->count; i++) {
        low = fmin(low, from->x[i]);
        high = fmax(high, from->x[i]);
    }
    to->count = 0;
    add(to, low, low, 0.0, 0.0);
    add(to, high, high, 0.0, 0.0);
}

static LutraStatus write_chart(LutraChart *chart, const LutraSeries *series, size_t count,
                               const LutraExperimentRun *run, const char *name, LutraError *error) {
    char *path = NULL;
    chart->subtitle = run->stamp;
    LUTRA_TRY(lutra_experiment_path(&path, run, name, error));
    const LutraStatus status = lutra_chart_write(chart, series, count, path, run->force, error);
    lutra_free(&path);
    return status;
}

/* --- deviations ------------------------------------------------------------------------------- */

/** Measured against predicted deviations of one model. */
static void gather(Points *points, const NoiseExperiment *experiment, LutraNoiseModel model) {
    points->count = 0;
    for (uint32_t i = 0; i < experiment->finished; i++) {
        for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
            const LutraNoiseQuantityResult *const from = &experiment->sets[i].result.quantities[q];
            add(points, from->std_predicted[model], from->std, from->std_95.low, from->std_95.high);
        }
    }
}

static LutraStatus chart_deviations(Points points[3], const NoiseExperiment *experiment,
                                    const LutraExperimentRun *run, LutraError *error) {
    LutraChart chart;
    lutra_chart_default(&chart);
    gather(&points[1], experiment, LUTRA_NOISE_TFHE_RS);
    gather(&points[2], experiment, LUTRA_NOISE_CONCRETE);
    diagonal(&points[0], &points[1]);
    const LutraSeries series[3] = {line("measured = predicted", &points[0]),
                                   marks("Concrete's formulas", &points[2]),
                                   marks("tfhe-rs's formulas", &points[1])};
    chart.title = "Noise on ciphertexts: measured against predicted";
    chart.x_label = "predicted standard deviation (fraction of the torus)";
    chart.y_label = "measured standard deviation (fraction of the torus)";
    chart.x_log10 = true;
    chart.y_log10 = true;
    return write_chart(&chart, series, 3, run, "noise-deviation.png", error);
}

/** Measured over predicted, side by side for each set. */
static LutraStatus chart_ratios(Points points[], const NoiseExperiment *experiment,
                                const LutraExperimentRun *run, LutraError *error) {
    static const struct {
        const char *label;
        LutraNoiseQuantity quantity;
        LutraNoiseModel model;
    } shown[] = {{"encryption", LUTRA_QUANTITY_FRESH, LUTRA_NOISE_TFHE_RS},
                 {"bootstrap", LUTRA_QUANTITY_BOOTSTRAP, LUTRA_NOISE_TFHE_RS},
                 {"bootstrap, Concrete's formulas", LUTRA_QUANTITY_BOOTSTRAP, LUTRA_NOISE_CONCRETE},
                 {"keyswitch", LUTRA_QUANTITY_KEYSWITCH, LUTRA_NOISE_TFHE_RS},
                 {"modulus switch, standard", LUTRA_QUANTITY_SWITCH_STANDARD, LUTRA_NOISE_TFHE_RS},
                 {"modulus switch, centred", LUTRA_QUANTITY_SWITCH_CENTERED, LUTRA_NOISE_TFHE_RS},
                 {"whole look-up, centred", LUTRA_QUANTITY_LOOKUP_CENTERED, LUTRA_NOISE_TFHE_RS}};
    enum { SHOWN = sizeof shown / sizeof *shown };
    LutraSeries series[SHOWN + 1];
    LutraChart chart;
    lutra_chart_default(&chart);
    points[0].count = 0;
    add(&points[0], 0.5, 1.0, 0.0, 0.0);
    add(&points[0], experiment->finished + 0.5, 1.0, 0.0, 0.0);
    series[0] = line("predicted", &points[0]);
    for (size_t s = 0; s < SHOWN; s++) {
        Points *const these = &points[s + 1];
        these->count = 0;
        for (uint32_t i = 0; i < experiment->finished; i++) {
            const LutraNoiseQuantityResult *const from =
                &experiment->sets[i].result.quantities[shown[s].quantity];
            const double unit = from->std_predicted[shown[s].model];
            add(these, i + 1.0 + 0.1 * ((double)s - 0.5 * (SHOWN - 1)), from->std / unit,
                from->std_95.low / unit, from->std_95.high / unit);
        }
        series[s + 1] = marks(shown[s].label, these);
    }
    chart.title = "Noise on ciphertexts: measured over predicted (tfhe-rs's formulas)";
    chart.x_label = "parameter set";
    chart.y_label = "ratio of standard deviations, 95 % intervals";
    return write_chart(&chart, series, SHOWN + 1, run, "noise-ratio.png", error);
}

/* --- failures --------------------------------------------------------------------------------- */

static LutraStatus chart_failures(Points points[5], const NoiseExperiment *experiment,
                                  const LutraExperimentRun *run, LutraError *error) {
    LutraChart chart;
    lutra_chart_default(&chart);
    Points *const none = &points[2];
    points[0].count = points[1].count = none->count = 0;
    for (uint32_t i = 0; i < experiment->finished; i++) {
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            for (uint32_t w = 0; w < LUTRA_NOISE_STUDY_RATES; w++) {
                const LutraNoiseRate *const rate = &experiment->sets[i].result.rates[kind][w];
                const double predicted = rate->predicted[LUTRA_NOISE_TFHE_RS];
                if (rate->failures > 0) {
                    add(&points[kind], predicted, (double)rate->failures / (double)rate->trials,
                        rate->rate_95.low, rate->rate_95.high);
                } else {
                    add(none, predicted, rate->rate_95.high, rate->rate_95.high,
                        rate->rate_95.high);
                }
            }
        }
    }
    points[3].count = 0;
    for (size_t s = 0; s < 3; s++) {
        for (size_t i = 0; i < points[s].count; i++) {
            add(&points[3], points[s].x[i], 0.0, 0.0, 0.0);
        }
    }
    diagonal(&points[4], &points[3]);
    const LutraSeries series[4] = {
        line("measured = predicted", &points[4]), marks("standard modulus switch", &points[0]),
        marks("centred modulus switch", &points[1]), marks("none seen: 95 % upper bound", none)};
    chart.title = "Wrong look-ups: measured against predicted";
    chart.x_label = "predicted share of wrong look-ups (tfhe-rs's formulas)";
    chart.y_label = "measured share, 95 % intervals";
    chart.x_log10 = true;
    chart.y_log10 = true;
    return write_chart(&chart, series, none->count > 0 ? 4 : 3, run, "noise-failures.png", error);
}

/* --- off by one ------------------------------------------------------------------------------- */

static LutraStatus chart_curve(Points points[5], const NoiseSet *set, const LutraExperimentRun *run,
                               LutraError *error) {
    LutraChart chart;
    lutra_chart_default(&chart);
    for (size_t s = 0; s < 5; s++) {
        points[s].count = 0;
    }
    for (uint32_t i = 0; i < set->result.curve_count; i++) {
        const LutraNoiseCurvePoint *const p = &set->result.curve[i];
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            const double beside = kind == 0 ? -0.06 : 0.06; /* so that both can be seen */
            add(&points[kind], (double)p->x + beside,
                (double)p->flips[kind] / (double)p->trials[kind], p->rate_95[kind].low,
                p->rate_95[kind].high);
            add(&points[2 + kind], (double)p->x, p->predicted[kind][LUTRA_NOISE_TFHE_RS], 0.0, 0.0);
        }
        add(&points[4], (double)p->x, p->without_bias[LUTRA_NOISE_TFHE_RS], 0.0, 0.0);
    }
    const LutraSeries series[5] = {line("standard switch, predicted", &points[2]),
                                   line("centred switch, predicted", &points[3]),
                                   line("standard without the half-tick bias", &points[4]),
                                   marks("standard switch, measured", &points[0]),
                                   marks("centred switch, measured", &points[1])};
    char title[128];
    char x_label[128];
    (void)snprintf(title, sizeof title, "Approximate rounding of %u to %u bits: off by one",
                   (unsigned)(set->settings.precision_bits + set->settings.curve_dropped_bits),
                   (unsigned)set->settings.precision_bits);
    (void)snprintf(
        x_label, sizeof x_label, "value (one cell of the table is %u wide; its edge lies at %.1f)",
        1u << set->settings.curve_dropped_bits, exp2(set->settings.curve_dropped_bits - 1.0) - 0.5);
    chart.title = title;
    chart.x_label = x_label;
    chart.y_label = "share rounded to the other side, 95 % intervals";
    chart.y_min = 0.0;
    return write_chart(&chart, series, 5, run, "noise-off-by-one.png", error);
}

LutraStatus noise_write_charts(const NoiseExperiment *experiment, const LutraExperimentRun *run,
                               LutraError *error) {
    Points *points = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_alloc(&points, MOST_SERIES, sizeof *points, error));
    LUTRA_TRY_GOTO(status, chart_deviations(points, experiment, run, error));
    LUTRA_TRY_GOTO(status, chart_ratios(points, experiment, run, error));
    LUTRA_TRY_GOTO(status, chart_failures(points, experiment, run, error));
    for (uint32_t i = 0; i < experiment->finished; i++) {
        if (experiment->sets[i].result.curve_count > 0) {
            LUTRA_TRY_GOTO(status, chart_curve(points, &experiment->sets[i], run, error));
        }
    }
done:
    lutra_free(&points);
    return status;
}
