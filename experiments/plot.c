/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plot.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"

enum { MOST_SERIES = 16 };

void lutra_points_add(LutraPoints *points, double x, double y, double low, double high) {
    if (points->count < LUTRA_PLOT_MOST) {
        points->x[points->count] = x;
        points->y[points->count] = y;
        points->low[points->count] = low;
        points->high[points->count] = high;
        points->count++;
    }
}

void lutra_points_add_figure(LutraPoints *points, double x, const LutraFigure *figure,
                             double scale) {
    if (figure != NULL && isfinite(figure->value)) {
        lutra_points_add(points, x, scale * figure->value, scale * figure->interval.low,
                         scale * figure->interval.high);
    }
}

static LutraSeries series_of(const char *label, const LutraPoints *points, bool line, bool marker) {
    return (LutraSeries){.label = label,
                         .x = points->x,
                         .y = points->y,
                         .y_low = marker ? points->low : NULL,
                         .y_high = marker ? points->high : NULL,
                         .count = points->count,
                         .line = line,
                         .marker = marker};
}

LutraSeries lutra_points_marks(const char *label, const LutraPoints *points) {
    return series_of(label, points, false, true);
}

LutraSeries lutra_points_line(const char *label, const LutraPoints *points) {
    return series_of(label, points, true, false);
}

LutraSeries lutra_points_curve(const char *label, const LutraPoints *points) {
    return series_of(label, points, true, true);
}

LutraStatus lutra_plot_write(LutraChart *chart, const LutraSeries *series, size_t count,
                             const char *what, const LutraExperimentRun *run, const char *name,
                             LutraError *error) {
    char subtitle[768];
    char *path = NULL;
    LutraSeries shown[MOST_SERIES];
    size_t shown_count = 0;
    for (size_t i = 0; i < count && shown_count < MOST_SERIES; i++) {
        if (series[i].count > 0) {
            shown[shown_count++] = series[i];
        }
    }
    (void)snprintf(subtitle, sizeof subtitle, "%s%s%s", what != NULL ? what : "",
                   what != NULL ? "; " : "", run->stamp);
    chart->subtitle = subtitle;
    LUTRA_TRY(lutra_experiment_path(&path, run, name, error));
    const LutraStatus status =
        lutra_chart_write(chart, shown, shown_count, path, run->force || run->resume, error);
    lutra_free(&path);
    chart->subtitle = NULL;
    return status;
}
