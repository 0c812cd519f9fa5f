/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures of results as PNG (cairo behind it): line charts with intervals and axes, matrices and
 * labelled image grids. One look for all: sans serif, colours that stay apart in greyscale, text
 * that never overlaps the data.
 */
#ifndef LUTRA_BASE_CHART_H
#define LUTRA_BASE_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** One curve or point set. NAN in y leaves a gap. */
typedef struct {
    const char *label; /* legend text; NULL leaves it out of the legend */
    const double *x;
    const double *y;
    const double *y_low;  /* NULL or (count) lower ends of intervals */
    const double *y_high; /* NULL or (count) upper ends */
    size_t count;
    bool line;   /* join the points */
    bool marker; /* draw the points */
} LutraSeries;

typedef struct {
    const char *title;
    const char *subtitle; /* data, machine, setting; may be NULL */
    const char *x_label;  /* with unit */
    const char *y_label;
    bool x_log10;
    bool y_log10;
    double y_min; /* NAN = automatic */
    double y_max;
    uint32_t width;  /* pixels, at least 320 */
    uint32_t height; /* pixels, at least 240 */
} LutraChart;

/** Fills defaults: 960 x 640, linear axes, automatic ranges. */
void lutra_chart_default(LutraChart *chart);

LUTRA_MUST_CHECK LutraStatus lutra_chart_write(const LutraChart *chart, const LutraSeries *series,
                                               size_t series_count, const char *path, bool force,
                                               LutraError *error);

/**
 * Confusion matrix: counts[(row * classes) + column], rows = true class, columns = predicted.
 * Cells show counts; shade is the share of the row.
 */
LUTRA_MUST_CHECK LutraStatus lutra_chart_write_confusion(const char *title, const char *subtitle,
                                                         const uint64_t *counts,
                                                         const char *const *class_names,
                                                         uint32_t classes, const char *path,
                                                         bool force, LutraError *error);

/** One tile of an image grid. */
typedef struct {
    const uint8_t *planes; /* (C,H,W) */
    const char *caption;   /* up to two lines separated by '\n' */
    bool highlight;        /* frame it (a wrong prediction) */
} LutraTile;

/** Grid of equally sized images with captions, enlarged by a whole factor without smoothing. */
LUTRA_MUST_CHECK LutraStatus lutra_chart_write_grid(const char *title, const LutraTile *tiles,
                                                    size_t tile_count, uint32_t columns,
                                                    uint32_t channels, uint32_t height,
                                                    uint32_t width, const char *path, bool force,
                                                    LutraError *error);

#endif
