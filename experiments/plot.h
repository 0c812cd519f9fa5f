/* SPDX-License-Identifier: Apache-2.0 */
/* Points with intervals, and the charts that experiments make of them. */
#ifndef LUTRA_EXPERIMENTS_PLOT_H
#define LUTRA_EXPERIMENTS_PLOT_H

#include "base/chart.h"
#include "experiments/experiment.h"

enum { LUTRA_PLOT_MOST = 64 };

typedef struct {
    size_t count;
    double x[LUTRA_PLOT_MOST];
    double y[LUTRA_PLOT_MOST];
    double low[LUTRA_PLOT_MOST];
    double high[LUTRA_PLOT_MOST];
} LutraPoints;

/** Points beyond LUTRA_PLOT_MOST are left out. */
void lutra_points_add(LutraPoints *points, double x, double y, double low, double high);

/** A figure's value and interval, times `scale`; nothing if `figure` is NULL or not a number. */
void lutra_points_add_figure(LutraPoints *points, double x, const LutraFigure *figure,
                             double scale);

/** Markers with intervals; borrows the points. */
LutraSeries lutra_points_marks(const char *label, const LutraPoints *points);
/** A line without markers. */
LutraSeries lutra_points_line(const char *label, const LutraPoints *points);
/** Both. */
LutraSeries lutra_points_curve(const char *label, const LutraPoints *points);

/** Writes the chart into the folder of the run; series without points are left out. `what` (NULL:
 * none) stands before the run's stamp in the subtitle. */
LUTRA_MUST_CHECK LutraStatus lutra_plot_write(LutraChart *chart, const LutraSeries *series,
                                              size_t count, const char *what,
                                              const LutraExperimentRun *run, const char *name,
                                              LutraError *error);

#endif
