/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of histograms. Each panel: title, note, bars upwards for values, bars downwards for edges,
 * numbers along x below them. Dark against light, up against down: a grey print keeps them apart.
 */
#include <math.h>
#include <stdio.h>

#include "base/canvas_priv.h"
#include "base/chart.h"
#include "base/chart_axis_priv.h"

enum {
    PANEL_WIDTH = 384,
    PANEL_HEIGHT = 250,
    BRACKET = 15, /* height of a bracket above the bars */
    EDGE = 18,
    HEADING = 92, /* title, subtitle and legend above the panels */
    BAR_PIXELS = 2,
    INK_VALUES = 0x0B3C6F,
    INK_EDGES = 0xE07B00
};

/* One panel's place and scale. */
typedef struct {
    LutraCanvas *canvas;
    const LutraHistogramPanel *histogram;
    double left; /* of the plot, like the next four */
    double right;
    double top;
    double base; /* where upward and downward bars start */
    double bottom;
    size_t group; /* steps of one bar */
    double share_max;
    double edge_max;
} Panel;

static const LutraTextStyle small_text = {.size = 10.5, .colour = LUTRA_INK_TEXT};

static double sum_of(const double *values, size_t first, size_t group, size_t count) {
    double sum = 0.0;
    for (size_t i = first; i < first + group && i < count; i++) {
        sum += values[i];
    }
    return sum;
}

/** Groups steps so that a bar has some width, and finds the largest bars. */
static void scale_bars(Panel *panel) {
    const LutraHistogramPanel *const histogram = panel->histogram;
    const size_t bars = (size_t)((panel->right - panel->left) / BAR_PIXELS);
    panel->group = (histogram->count + bars - 1) / bars;
    for (size_t i = 0; i < histogram->count; i += panel->group) {
        panel->share_max = fmax(
            panel->share_max, sum_of(histogram->shares, i, panel->group, histogram->count));
        if (histogram->edges != NULL) {
            panel->edge_max = fmax(
                panel->edge_max, sum_of(histogram->edges, i, panel->group, histogram->count));
        }
    }
}

/** A bar covers half a step to each side of its values. */
static double x_of(const Panel *panel, double value) {
    const double share = (value - panel->histogram->first + 0.5) /
                         (double)panel->histogram->count;
    return panel->left + share * (panel->right - panel->left);
}

static void draw_bars(const Panel *panel) {
    const LutraHistogramPanel *const histogram = panel->histogram;
    for (size_t i = 0; i < histogram->count; i += panel->group) {
        const double x = x_of(panel, histogram->first + (double)i - 0.5);
        const size_t last = i + panel->group < histogram->count ? i + panel->group
                                                                : histogram->count;
        const double width = x_of(panel, histogram->first + (double)last - 0.5) - x;
        const double gap = width > 6.0 ? 1.0 : 0.0;
        const double share = sum_of(histogram->shares, i, panel->group, histogram->count);
        if (share > 0.0) {
            /* However rare, what was seen is visible. */
            const double height =
                fmax(1.0, share / panel->share_max * (panel->base - panel->top));
            lutra_canvas_fill(panel->canvas, x, panel->base - height, width - gap, height,
                              INK_VALUES);
        }
        const double edge = panel->edge_max > 0.0
                                ? sum_of(histogram->edges, i, panel->group, histogram->count)
                                : 0.0;
        if (edge > 0.0) {
            /* An edge stands between two values: on the left border of its bar. */
            const double height =
                fmax(1.0, edge / panel->edge_max * (panel->bottom - panel->base));
            const double thick = fmin(width, 4.0);
            lutra_canvas_fill(panel->canvas, panel->group == 1 ? x - thick / 2 : x, panel->base,
                              panel->group == 1 ? thick : width, height, INK_EDGES);
        }
    }
}

static void draw_axis(const Panel *panel) {
    const LutraHistogramPanel *const histogram = panel->histogram;
    const LutraStroke grid = {.width = 1, .colour = LUTRA_INK_GRID};
    LutraTextStyle style = small_text;
    style.align = LUTRA_ALIGN_CENTRE;
    const double last = histogram->first + (double)histogram->count - 1.0;
    const double step =
        fmax(1.0, lutra_axis_step((double)histogram->count, (panel->right - panel->left) / 64));
    for (double x = step * ceil(histogram->first / step); x <= last; x += step) {
        char label[LUTRA_AXIS_LABEL_BYTES];
        const double at = floor(x_of(panel, x)) + 0.5;
        lutra_axis_label(label, x, 0);
        lutra_canvas_line(panel->canvas, at, panel->top, at, panel->bottom, &grid);
        lutra_canvas_text(panel->canvas, at, panel->bottom + 10, &style, label);
    }
}

/** The largest bars' heights beside the plot, and the common base line. */
static void draw_heights(const Panel *panel) {
    const LutraStroke line = {.width = 1, .colour = LUTRA_INK_AXIS};
    LutraTextStyle style = small_text;
    char label[32];
    style.align = LUTRA_ALIGN_RIGHT;
    lutra_canvas_line(panel->canvas, panel->left, floor(panel->base) + 0.5, panel->right,
                      floor(panel->base) + 0.5, &line);
    style.colour = INK_VALUES;
    (void)snprintf(label, sizeof label, "%.3g %%", 100.0 * panel->share_max);
    lutra_canvas_text(panel->canvas, panel->left - 5, panel->top + 4, &style, label);
    style.colour = LUTRA_INK_TEXT;
    lutra_canvas_text(panel->canvas, panel->left - 5, panel->base, &style, "0");
    if (panel->edge_max > 0.0) {
        style.colour = 0x9A5500; /* the edges' ink, dark enough to read */
        (void)snprintf(label, sizeof label, "%.2g", panel->edge_max);
        lutra_canvas_text(panel->canvas, panel->left - 5, panel->bottom - 4, &style, label);
    }
}

/** A length in steps as a bracket with its name, right-aligned; moves y below it. */
static void draw_bracket(const Panel *panel, double *next_y, double steps, const char *name) {
    const double y = *next_y;
    const LutraStroke line = {.width = 1.4, .colour = LUTRA_INK_TEXT};
    LutraTextStyle style = small_text;
    char label[64];
    if (!isfinite(steps)) {
        return;
    }
    *next_y += BRACKET;
    const double per_step = (panel->right - panel->left) / (double)panel->histogram->count;
    const double length = steps * per_step;
    const double shown = fmin(fmax(length, 1.0), 0.4 * (panel->right - panel->left));
    const double right = panel->right - 4;
    (void)snprintf(label, sizeof label, "%s %.3g%s", name, steps,
                   length > shown ? " (cut)" : "");
    lutra_canvas_line(panel->canvas, right - shown, y, right, y, &line);
    lutra_canvas_line(panel->canvas, right - shown, y - 3, right - shown, y + 3, &line);
    lutra_canvas_line(panel->canvas, right, y - 3, right, y + 3, &line);
    style.align = LUTRA_ALIGN_RIGHT;
    lutra_canvas_text(panel->canvas, right - shown - 5, y, &style, label);
}

static void draw_panel(LutraCanvas *canvas, double left, double top,
                       const LutraHistogramPanel *histogram) {
    const double width = PANEL_WIDTH - 24;
    const LutraTextStyle bold = {.size = 13, .bold = true, .colour = LUTRA_INK_TEXT};
    const LutraTextStyle soft = {.size = 10.5, .colour = LUTRA_INK_SOFT};
    Panel panel = {.canvas = canvas,
                   .histogram = histogram,
                   .left = left + 46,
                   .right = left + width,
                   .top = top + 42,
                   .bottom = top + PANEL_HEIGHT - 36};
    double bracket = panel.top + 4;
    panel.top += (isfinite(histogram->bucket) ? BRACKET : 0) +
                 (isfinite(histogram->deviation) ? BRACKET : 0);
    const double down = histogram->edges == NULL ? 0.0 : 0.28;
    panel.base = panel.bottom - down * (panel.bottom - panel.top);
    scale_bars(&panel);
    lutra_canvas_text_fitted(canvas, left, top + 8, width, &bold, histogram->title);
    lutra_canvas_text_fitted(canvas, left, top + 25, width, &soft,
                             histogram->note == NULL ? "" : histogram->note);
    draw_axis(&panel);
    draw_bars(&panel);
    draw_heights(&panel);
    draw_bracket(&panel, &bracket, histogram->bucket, "bucket");
    draw_bracket(&panel, &bracket, histogram->deviation, "noise \xcf\x83");
    if (panel.group > 1) {
        LutraTextStyle style = soft;
        char label[48];
        style.align = LUTRA_ALIGN_RIGHT;
        (void)snprintf(label, sizeof label, "one bar: %zu values", panel.group);
        lutra_canvas_text(canvas, panel.right, panel.bottom + 24, &style, label);
    }
}

/** What the inks mean, and the name of the x axes. */
static void draw_legend(LutraCanvas *canvas, double y, double width,
                        const LutraHistogramPage *page) {
    const LutraTextStyle text = {.size = 12, .colour = LUTRA_INK_TEXT};
    const char *const names[] = {page->shares_label, page->edges_label};
    const uint32_t inks[] = {INK_VALUES, INK_EDGES};
    double x = EDGE;
    for (size_t i = 0; i < 2; i++) {
        lutra_canvas_fill(canvas, x, y - 5, 10, 10, inks[i]);
        lutra_canvas_text_fitted(canvas, x + 15, y, width - x - 15, &text, names[i]);
        x += 15 + lutra_canvas_text_width(canvas, &text, names[i]) + 24;
    }
    lutra_canvas_text_fitted(canvas, x, y, width - x, &text, page->x_label);
}

LutraStatus lutra_chart_write_histograms(const LutraHistogramPage *page,
                                         const LutraHistogramPanel *panels, size_t panel_count,
                                         const char *path, bool force, LutraError *error) {
    const size_t columns = page->columns < panel_count ? page->columns : panel_count;
    if (columns == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "a page of histograms needs a panel");
    }
    const size_t rows = (panel_count + columns - 1) / columns;
    if (columns > 16384 / PANEL_WIDTH - 1 || rows > 16384 / PANEL_HEIGHT - 1) {
        return lutra_error_set(error, LUTRA_EINVAL, "%zu histograms are too many for one picture",
                               panel_count);
    }
    const uint32_t width = (uint32_t)(columns * PANEL_WIDTH) + EDGE;
    const uint32_t height = (uint32_t)(rows * PANEL_HEIGHT) + HEADING;
    const LutraTextStyle bold = {.size = 18, .bold = true, .colour = LUTRA_INK_TEXT};
    const LutraTextStyle soft = {.size = 12.5, .colour = LUTRA_INK_SOFT};
    LutraCanvas *canvas = NULL;
    LUTRA_TRY(lutra_canvas_create(&canvas, width, height, error));
    lutra_canvas_text_fitted(canvas, EDGE, 24, width - 2 * EDGE, &bold, page->title);
    lutra_canvas_text_fitted(canvas, EDGE, 46, width - 2 * EDGE, &soft,
                             page->subtitle == NULL ? "" : page->subtitle);
    draw_legend(canvas, 68, width - EDGE, page);
    for (size_t i = 0; i < panel_count; i++) {
        draw_panel(canvas, EDGE + (double)(i % columns * PANEL_WIDTH),
                   HEADING + (double)(i / columns * PANEL_HEIGHT), &panels[i]);
    }
    const LutraStatus status = lutra_canvas_write(canvas, path, force, error);
    lutra_canvas_destroy(&canvas);
    return status;
}
