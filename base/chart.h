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
    /** Names of the positions 0, 1, .. x_name_count - 1 on a linear x axis that has words in place
     * of numbers; NULL: numbers. Where they would overlap, every second, third .. is written. */
    const char *const *x_names;
    size_t x_name_count;
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

/** One panel of a picture of histograms. Bars stand at first, first + 1, ... */
typedef struct {
    const char *title;
    const char *note;     /* one line below the title; may be NULL */
    double first;
    size_t count;         /* >= 1 */
    const double *shares; /* (count) of all values, drawn upwards */
    const double *edges;  /* (count) 0 .. 1, drawn downwards, each just below its bar; or NULL */
    double bucket;        /* width of a bucket in steps; NAN: none is shown */
    double deviation;     /* of noise in steps; NAN: none is shown */
} LutraHistogramPanel;

typedef struct {
    const char *title;
    const char *subtitle;    /* may be NULL */
    const char *x_label;     /* with unit */
    const char *shares_label; /* what bars upwards mean */
    const char *edges_label;  /* what bars downwards mean */
    uint32_t columns;        /* of panels, >= 1 */
} LutraHistogramPage;

/**
 * A page of histograms, row by row. Bars that would be narrower than a pixel are put together, and
 * both kinds keep their sums; each panel has its own axes.
 *
 * @errors LUTRA_EINVAL no panel, or more than one picture can hold
 */
LUTRA_MUST_CHECK LutraStatus lutra_chart_write_histograms(const LutraHistogramPage *page,
                                                          const LutraHistogramPanel *panels,
                                                          size_t panel_count, const char *path,
                                                          bool force, LutraError *error);

#endif
