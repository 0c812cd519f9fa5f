/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line charts. From top to bottom: title, subtitle, legend (in rows above the data, so that it can
 * never cover them), plot, tick labels, axis label. Curves differ by colour, lightness, dash and
 * symbol, so that a grey print keeps them apart.
 */
#include "base/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/canvas_priv.h"
#include "base/chart_axis_priv.h"
#include "base/memory.h"

enum { MAX_TICKS = 40, MIN_WIDTH = 320, MIN_HEIGHT = 240 };

/* Ordered so that neighbours differ in lightness. */
static const uint32_t palette[] = {0x0B3C6F, 0xE07B00, 0x7A1F5C, 0x2F9E8F,
                                   0x222222, 0x62A9E0, 0xA83232, 0x8C8C8C};

typedef struct {
    bool log10;
    double low; /* of the axis itself: log10 of the value on logarithmic axes */
    double high;
    double pixel_low;
    double pixel_high;
} Axis;

typedef struct {
    double values[MAX_TICKS];
    char labels[MAX_TICKS][LUTRA_AXIS_LABEL_BYTES]; /* "" draws a line without a number */
    size_t count;
} Ticks;

typedef struct {
    LutraCanvas *canvas;
    double scale; /* 1 at 960 x 640 */
    LutraTextStyle title;
    LutraTextStyle subtitle;
    LutraTextStyle text;
} Pen;

void lutra_chart_default(LutraChart *chart) {
    *chart = (LutraChart){.title = "",
                          .x_label = "",
                          .y_label = "",
                          .y_min = (double)NAN,
                          .y_max = (double)NAN,
                          .width = 960,
                          .height = 640};
}

/* ---- axes ---- */

/* Where a value lies on its axis; NAN where it has no place. */
static double coordinate(const Axis *axis, double value) {
    if (!axis->log10) {
        return value;
    }
    return value > 0 ? log10(value) : (double)NAN;
}

static double pixel(const Axis *axis, double value) {
    const double share = (coordinate(axis, value) - axis->low) / (axis->high - axis->low);
    return axis->pixel_low + share * (axis->pixel_high - axis->pixel_low);
}

static void widen(double *low, double *high, double value) {
    if (isfinite(value)) {
        *low = fmin(*low, value);
        *high = fmax(*high, value);
    }
}

/* Smallest and largest coordinate of the drawn values of one axis. */
static void data_range(double *low, double *high, const Axis *axis, const LutraSeries *series,
                       size_t series_count, bool vertical) {
    *low = (double)INFINITY;
    *high = -(double)INFINITY;
    for (size_t s = 0; s < series_count; s++) {
        for (size_t i = 0; i < series[s].count; i++) {
            if (!isfinite(series[s].x[i])) {
                continue;
            }
            if (!vertical) {
                widen(low, high, coordinate(axis, series[s].x[i]));
                continue;
            }
            widen(low, high, coordinate(axis, series[s].y[i]));
            if (series[s].y_low != NULL) {
                widen(low, high, coordinate(axis, series[s].y_low[i]));
            }
            if (series[s].y_high != NULL) {
                widen(low, high, coordinate(axis, series[s].y_high[i]));
            }
        }
    }
    if (!(*low <= *high)) {
        *low = 0;
        *high = 1;
    }
    if (!(*high - *low > 1e-12 * fmax(fabs(*low), fabs(*high)))) {
        const double half = axis->log10 || *low == 0 ? 0.5 : 0.1 * fabs(*low);
        *low -= half;
        *high += half;
    }
}

/* "10" with `exponent` in superscript digits. */
static void power_label(char *label, int exponent) {
    static const char *const digits[] = {
        "\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",     "\xc2\xb3",     "\xe2\x81\xb4",
        "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7", "\xe2\x81\xb8", "\xe2\x81\xb9"};
    char plain[16];
    (void)snprintf(plain, sizeof plain, "%d", exponent);
    size_t used = (size_t)snprintf(label, LUTRA_AXIS_LABEL_BYTES, "10");
    for (size_t i = 0; plain[i] != '\0'; i++) {
        const char *const glyph = plain[i] == '-' ? "\xe2\x81\xbb" : digits[plain[i] - '0'];
        used += (size_t)snprintf(label + used, LUTRA_AXIS_LABEL_BYTES - used, "%s", glyph);
    }
}

static void linear_ticks(Ticks *ticks, const Axis *axis, double step) {
    const double largest = fmax(fabs(axis->low), fabs(axis->high));
    const int decimals = (int)fmax(0, -floor(log10(step) + 1e-9));
    const double first = ceil(axis->low / step - 1e-9);
    for (int i = 0; i < MAX_TICKS; i++) {
        const double value = (first + i) * step;
        if (value > axis->high + 1e-9 * step) {
            break;
        }
        ticks->values[i] = value;
        if (largest >= 1e9 || step < 1e-6) {
            (void)snprintf(ticks->labels[i], LUTRA_AXIS_LABEL_BYTES, "%.6g",
                           fabs(value) < step / 2 ? 0 : value);
        } else {
            lutra_axis_label(ticks->labels[i], value, decimals);
        }
        ticks->count = (size_t)i + 1;
    }
}

/* A tick at `lead` times ten to the `exponent`, if it lies on the axis. */
static void add_log_tick(Ticks *ticks, const Axis *axis, int lead, int exponent, bool numbered) {
    const double place = exponent + log10(lead);
    if (place < axis->low - 1e-9 || place > axis->high + 1e-9 || ticks->count == MAX_TICKS) {
        return;
    }
    char *const label = ticks->labels[ticks->count];
    ticks->values[ticks->count++] = pow(10, place);
    label[0] = '\0';
    /* One way of writing for the whole axis. */
    const bool plain = axis->low > -3.3 && axis->high < 5.3;
    if (numbered && plain) {
        lutra_axis_label(label, lead * pow(10, exponent), exponent < 0 ? -exponent : 0);
    } else if (numbered && lead == 1) {
        power_label(label, exponent);
    } else if (numbered) {
        (void)snprintf(label, LUTRA_AXIS_LABEL_BYTES, "%de%d", lead, exponent);
    }
}

static void log_ticks(Ticks *ticks, const Axis *axis, double count) {
    const double span = axis->high - axis->low;
    const int stride = (int)fmax(1, ceil(span / fmax(count, 1)));
    const int last = (int)ceil(axis->high);
    const int start = (int)(stride * floor(floor(axis->low) / stride));
    for (int exponent = start; exponent <= last; exponent += stride) {
        add_log_tick(ticks, axis, 1, exponent, true);
        for (int lead = 2; lead <= 9 && stride == 1 && span <= 3.5; lead++) {
            const bool numbered = span <= 0.8 || (span <= 1.7 && (lead == 2 || lead == 5));
            add_log_tick(ticks, axis, lead, exponent, numbered);
        }
    }
}

/* Whether all points stand at whole numbers: then nothing between them means anything. */
static bool whole_numbers(const LutraSeries *series, size_t series_count) {
    for (size_t s = 0; s < series_count; s++) {
        for (size_t i = 0; i < series[s].count; i++) {
            if (isfinite(series[s].x[i]) && series[s].x[i] != floor(series[s].x[i])) {
                return false;
            }
        }
    }
    return true;
}

static void make_ticks(Ticks *ticks, const Axis *axis, double count, bool whole) {
    ticks->count = 0;
    if (axis->log10) {
        log_ticks(ticks, axis, count);
    } else {
        const double step = lutra_axis_step(axis->high - axis->low, count);
        linear_ticks(ticks, axis, whole ? fmax(step, 1) : step);
    }
}

/* Ticks at named positions, as many as stand beside each other on the axis. */
static void name_ticks(Ticks *ticks, const Pen *pen, const LutraChart *chart, const Axis *axis) {
    const double room = (axis->pixel_high - axis->pixel_low) / (double)chart->x_name_count;
    double widest = 0;
    for (size_t i = 0; i < chart->x_name_count; i++) {
        widest = fmax(widest, lutra_canvas_text_width(pen->canvas, &pen->text, chart->x_names[i]));
    }
    const size_t fitting = (size_t)fmax(1, ceil((widest + 10 * pen->scale) / room));
    const size_t places = (chart->x_name_count + MAX_TICKS - 1) / MAX_TICKS;
    const size_t stride = fitting > places ? fitting : places;
    ticks->count = 0;
    for (size_t i = 0; i < chart->x_name_count; i += stride) {
        ticks->values[ticks->count] = (double)i;
        (void)snprintf(ticks->labels[ticks->count++], LUTRA_AXIS_LABEL_BYTES, "%s",
                       chart->x_names[i]);
    }
}

/* Sets low and high from the data and the caller's wishes (coordinates, NAN = automatic). */
static void fix_range(Axis *axis, double data_low, double data_high, double wish_low,
                      double wish_high, double tick_count, bool snap) {
    const double margin = 0.04 * (data_high - data_low);
    axis->low = data_low - margin;
    axis->high = data_high + margin;
    if (snap && !axis->log10) {
        /* Values never cross zero only because of the margin. */
        axis->low = data_low >= 0 ? fmax(axis->low, 0) : axis->low;
        axis->high = data_high <= 0 ? fmin(axis->high, 0) : axis->high;
        const double step = lutra_axis_step(axis->high - axis->low, tick_count);
        axis->low = step * floor(axis->low / step + 1e-9);
        axis->high = step * ceil(axis->high / step - 1e-9);
    }
    if (!isnan(wish_low)) {
        axis->low = wish_low;
    }
    if (!isnan(wish_high)) {
        axis->high = wish_high;
    }
    if (!(axis->low < axis->high)) {
        /* One wished end lies beyond the data. */
        if (isnan(wish_high)) {
            axis->high = axis->low + 1;
        } else {
            axis->low = axis->high - 1;
        }
    }
}

/* ---- parts of the picture ---- */

static double widest_label(const Pen *pen, const Ticks *ticks) {
    double widest = 0;
    for (size_t i = 0; i < ticks->count; i++) {
        widest = fmax(widest, lutra_canvas_text_width(pen->canvas, &pen->text, ticks->labels[i]));
    }
    return widest;
}

/* Title and subtitle; returns the y below them. */
static double draw_heading(const Pen *pen, const LutraChart *chart, double left, double width) {
    double y = 12 * pen->scale;
    if (chart->title != NULL && chart->title[0] != '\0') {
        y += 0.7 * pen->title.size;
        const uint32_t lines =
            lutra_canvas_text_wrapped(pen->canvas, left, y, width, 2, &pen->title, chart->title);
        y += (1.35 * lines - 0.6) * pen->title.size;
    }
    if (chart->subtitle != NULL && chart->subtitle[0] != '\0') {
        y += 0.7 * pen->subtitle.size;
        const uint32_t lines = lutra_canvas_text_wrapped(pen->canvas, left, y, width, 3,
                                                         &pen->subtitle, chart->subtitle);
        y += (1.35 * lines - 0.6) * pen->subtitle.size;
    }
    return y;
}

static LutraStroke series_stroke(const Pen *pen, size_t index) {
    const size_t colours = sizeof palette / sizeof palette[0];
    return (LutraStroke){
        .width = 2 * pen->scale, .colour = palette[index % colours], .dash = (uint32_t)(index % 6)};
}

/* Rows of samples with their names; returns the y below them. */
static double draw_legend(const Pen *pen, const LutraSeries *series, size_t series_count,
                          double left, double width, double top) {
    const double row = 20 * pen->scale;
    const double sample = 34 * pen->scale;
    double x = left;
    double y = top + row / 2;
    bool any = false;
    for (size_t s = 0; s < series_count; s++) {
        if (series[s].label == NULL) {
            continue;
        }
        const double room = width - sample - 8 * pen->scale;
        const double text_width =
            fmin(room, lutra_canvas_text_width(pen->canvas, &pen->text, series[s].label));
        const double entry = sample + text_width + 30 * pen->scale;
        if (any && x + entry - 24 * pen->scale > left + width) {
            x = left;
            y += row;
        }
        any = true;
        const LutraStroke stroke = series_stroke(pen, s);
        if (series[s].line) {
            lutra_canvas_line(pen->canvas, x, y, x + sample, y, &stroke);
        }
        if (series[s].marker) {
            lutra_canvas_marker(pen->canvas, x + sample / 2, y, 4.2 * pen->scale, (uint32_t)s,
                                stroke.colour);
        }
        LutraTextStyle style = pen->text;
        style.align = LUTRA_ALIGN_LEFT;
        lutra_canvas_text_fitted(pen->canvas, x + sample + 8 * pen->scale, y, room, &style,
                                 series[s].label);
        x += entry;
    }
    return any ? y + row / 2 : top;
}

static void draw_axes(const Pen *pen, const LutraChart *chart, const Axis *x_axis,
                      const Axis *y_axis, const Ticks *x_ticks, const Ticks *y_ticks) {
    const LutraStroke grid = {.width = 1, .colour = LUTRA_INK_GRID};
    const LutraStroke edge = {.width = 1, .colour = LUTRA_INK_AXIS};
    const double left = x_axis->pixel_low;
    const double right = x_axis->pixel_high;
    const double bottom = y_axis->pixel_low;
    const double top = y_axis->pixel_high;
    LutraTextStyle style = pen->text;
    style.align = LUTRA_ALIGN_RIGHT;
    for (size_t i = 0; i < y_ticks->count; i++) {
        const double y = floor(pixel(y_axis, y_ticks->values[i])) + 0.5;
        lutra_canvas_line(pen->canvas, left, y, right, y, &grid);
        lutra_canvas_text(pen->canvas, left - 8 * pen->scale, y, &style, y_ticks->labels[i]);
    }
    style.align = LUTRA_ALIGN_CENTRE;
    for (size_t i = 0; i < x_ticks->count; i++) {
        const double x = floor(pixel(x_axis, x_ticks->values[i])) + 0.5;
        lutra_canvas_line(pen->canvas, x, top, x, bottom, &grid);
        lutra_canvas_text(pen->canvas, x, bottom + 14 * pen->scale, &style, x_ticks->labels[i]);
    }
    lutra_canvas_line(pen->canvas, left, floor(bottom) + 0.5, right, floor(bottom) + 0.5, &edge);
    lutra_canvas_line(pen->canvas, floor(left) + 0.5, top, floor(left) + 0.5, bottom, &edge);

    LutraTextStyle name = pen->text;
    name.align = LUTRA_ALIGN_CENTRE;
    name.size = 13.5 * pen->scale;
    name.colour = LUTRA_INK_TEXT;
    lutra_canvas_text_fitted(pen->canvas, (left + right) / 2, bottom + 38 * pen->scale,
                             right - left, &name, chart->x_label == NULL ? "" : chart->x_label);
    name.angle = -LUTRA_QUARTER_TURN;
    lutra_canvas_text_fitted(pen->canvas, 18 * pen->scale, (top + bottom) / 2, bottom - top, &name,
                             chart->y_label == NULL ? "" : chart->y_label);
}

/* Interval of one point; ends without a place (zero on a logarithmic axis) reach the axis. */
static void draw_interval(const Pen *pen, const Axis *y_axis, double x, double low, double high,
                          uint32_t colour) {
    double top = pixel(y_axis, high);
    double bottom = pixel(y_axis, low);
    if (isnan(low) || isnan(high) || !isfinite(x) || isnan(top)) {
        return;
    }
    if (isnan(bottom)) {
        bottom = y_axis->pixel_low;
    }
    top = fmax(top, y_axis->pixel_high);
    bottom = fmin(bottom, y_axis->pixel_low);
    const double cap = 4 * pen->scale;
    const LutraStroke stroke = {.width = 1.3 * pen->scale, .colour = colour};
    lutra_canvas_line(pen->canvas, x, top, x, bottom, &stroke);
    lutra_canvas_line(pen->canvas, x - cap, top, x + cap, top, &stroke);
    lutra_canvas_line(pen->canvas, x - cap, bottom, x + cap, bottom, &stroke);
}

static LutraStatus draw_series(const Pen *pen, const LutraSeries *series, size_t index,
                               const Axis *x_axis, const Axis *y_axis, LutraError *error) {
    const LutraStroke stroke = series_stroke(pen, index);
    double *places = NULL;
    LUTRA_TRY(lutra_alloc(&places, series->count * 2 + 1, sizeof *places, error));
    double *const x = places;
    double *const y = places + series->count;
    for (size_t i = 0; i < series->count; i++) {
        x[i] = pixel(x_axis, series->x[i]);
        y[i] = pixel(y_axis, series->y[i]);
    }
    const double margin = 6 * pen->scale;
    lutra_canvas_clip(pen->canvas, x_axis->pixel_low - margin, y_axis->pixel_high - margin,
                      x_axis->pixel_high - x_axis->pixel_low + 2 * margin,
                      y_axis->pixel_low - y_axis->pixel_high + 2 * margin);
    if (series->y_low != NULL && series->y_high != NULL) {
        for (size_t i = 0; i < series->count; i++) {
            draw_interval(pen, y_axis, x[i], series->y_low[i], series->y_high[i], stroke.colour);
        }
    }
    if (series->line) {
        lutra_canvas_polyline(pen->canvas, x, y, series->count, &stroke);
    }
    if (series->marker) {
        for (size_t i = 0; i < series->count; i++) {
            if (isfinite(x[i]) && isfinite(y[i])) {
                lutra_canvas_marker(pen->canvas, x[i], y[i], 4.2 * pen->scale, (uint32_t)index,
                                    stroke.colour);
            }
        }
    }
    lutra_canvas_unclip(pen->canvas);
    lutra_free(&places);
    return LUTRA_OK;
}

/* ---- the whole ---- */

static LutraStatus check_settings(const LutraChart *chart, LutraError *error) {
    if (chart->width < MIN_WIDTH || chart->height < MIN_HEIGHT) {
        return lutra_error_set(error, LUTRA_EINVAL, "a chart needs %d x %d pixels, not %u x %u",
                               MIN_WIDTH, MIN_HEIGHT, chart->width, chart->height);
    }
    if (chart->y_min >= chart->y_max || isinf(chart->y_min) || isinf(chart->y_max)) {
        return lutra_error_set(error, LUTRA_EINVAL, "the y axis cannot reach from %g to %g",
                               chart->y_min, chart->y_max);
    }
    if (chart->x_names != NULL && (chart->x_name_count == 0 || chart->x_log10)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "named positions need a name and a linear x axis");
    }
    if (chart->y_log10 && (chart->y_min <= 0 || chart->y_max <= 0)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "a logarithmic y axis cannot reach from %g to %g", chart->y_min,
                               chart->y_max);
    }
    return LUTRA_OK;
}

static LutraStatus draw_chart(const Pen *pen, const LutraChart *chart, const LutraSeries *series,
                              size_t series_count, LutraError *error) {
    const double scale = pen->scale;
    const double right = chart->width - 24 * scale;
    const double outer_left = 14 * scale;
    Axis x_axis = {.log10 = chart->x_log10};
    Axis y_axis = {.log10 = chart->y_log10};
    double low = 0;
    double high = 0;

    double top = draw_heading(pen, chart, outer_left, right - outer_left);
    top = draw_legend(pen, series, series_count, outer_left, right - outer_left, top + 4 * scale);
    y_axis.pixel_high = top + 14 * scale;
    y_axis.pixel_low = fmax(chart->height - 54 * scale, y_axis.pixel_high + 20);
    const double y_count = (y_axis.pixel_low - y_axis.pixel_high) / (48 * scale);
    data_range(&low, &high, &y_axis, series, series_count, true);
    fix_range(&y_axis, low, high, coordinate(&y_axis, chart->y_min),
              coordinate(&y_axis, chart->y_max), y_count, true);
    Ticks y_ticks = {.count = 0};
    make_ticks(&y_ticks, &y_axis, y_count, false);

    x_axis.pixel_low = 32 * scale + widest_label(pen, &y_ticks) + 12 * scale;
    x_axis.pixel_high = fmax(right, x_axis.pixel_low + 20);
    const double x_count = (x_axis.pixel_high - x_axis.pixel_low) / (76 * scale);
    Ticks x_ticks = {.count = 0};
    if (chart->x_names != NULL) {
        x_axis.low = -0.5;
        x_axis.high = (double)chart->x_name_count - 0.5;
        name_ticks(&x_ticks, pen, chart, &x_axis);
    } else {
        data_range(&low, &high, &x_axis, series, series_count, false);
        fix_range(&x_axis, low, high, (double)NAN, (double)NAN, x_count, false);
        make_ticks(&x_ticks, &x_axis, x_count, whole_numbers(series, series_count));
    }

    draw_axes(pen, chart, &x_axis, &y_axis, &x_ticks, &y_ticks);
    for (size_t s = 0; s < series_count; s++) {
        LUTRA_TRY(draw_series(pen, &series[s], s, &x_axis, &y_axis, error));
    }
    return LUTRA_OK;
}

LutraStatus lutra_chart_write(const LutraChart *chart, const LutraSeries *series,
                              size_t series_count, const char *path, bool force,
                              LutraError *error) {
    LUTRA_TRY(check_settings(chart, error));
    Pen pen = {.canvas = NULL};
    LUTRA_TRY(lutra_canvas_create(&pen.canvas, chart->width, chart->height, error));
    const double area = (double)chart->width * chart->height;
    pen.scale = fmin(3, fmax(0.8, sqrt(area / (960.0 * 640.0))));
    pen.title = (LutraTextStyle){.size = 18 * pen.scale, .bold = true, .colour = LUTRA_INK_TEXT};
    pen.subtitle = (LutraTextStyle){.size = 12.5 * pen.scale, .colour = LUTRA_INK_SOFT};
    pen.text = (LutraTextStyle){.size = 12.5 * pen.scale, .colour = LUTRA_INK_TEXT};
    LutraStatus status = draw_chart(&pen, chart, series, series_count, error);
    if (status == LUTRA_OK) {
        status = lutra_canvas_write(pen.canvas, path, force, error);
    }
    lutra_canvas_destroy(&pen.canvas);
    return status;
}
