/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confusion matrices. Small ones show class names and counts; from about 25 classes on the cells
 * get too small for text and only their shade speaks.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/canvas_priv.h"
#include "base/chart.h"

enum { MAX_NAMED_CLASSES = 40, MAX_COUNTED_CLASSES = 25 };

typedef struct {
    LutraCanvas *canvas;
    double left; /* of the cells */
    double top;
    double cell; /* side of one cell, pixels */
    uint32_t classes;
} Matrix;

/* White at 0, dark blue at 1; lightness falls steadily, so that grey prints show the same. */
static uint32_t shade(double share) {
    static const double from[3] = {255, 255, 255};
    static const double to[3] = {8, 48, 107};
    uint32_t colour = 0;
    /* The root lifts small shares: a few wrong answers in a thousand stay visible. */
    const double mixed = pow(fmin(fmax(share, 0), 1), 0.6);
    for (int i = 0; i < 3; i++) {
        colour = colour << 8 | (uint32_t)lround(from[i] + (to[i] - from[i]) * mixed);
    }
    return colour;
}

static void draw_cells(const Matrix *matrix, const uint64_t *counts) {
    for (uint32_t row = 0; row < matrix->classes; row++) {
        const uint64_t *const cells = counts + (size_t)row * matrix->classes;
        double total = 0;
        for (uint32_t column = 0; column < matrix->classes; column++) {
            total += (double)cells[column];
        }
        for (uint32_t column = 0; column < matrix->classes; column++) {
            const double share = total > 0 ? (double)cells[column] / total : 0;
            const double x = matrix->left + column * matrix->cell;
            const double y = matrix->top + row * matrix->cell;
            lutra_canvas_fill(matrix->canvas, x, y, matrix->cell, matrix->cell, shade(share));
            if (matrix->classes > MAX_COUNTED_CLASSES) {
                continue;
            }
            char text[24];
            (void)snprintf(text, sizeof text, "%" PRIu64, cells[column]);
            const LutraTextStyle style = {.size = 13,
                                          .bold = row == column,
                                          .colour = share > 0.3          ? 0xFFFFFF
                                                    : cells[column] == 0 ? 0xA9AFB7
                                                                         : LUTRA_INK_TEXT,
                                          .align = LUTRA_ALIGN_CENTRE};
            lutra_canvas_text_fitted(matrix->canvas, x + matrix->cell / 2, y + matrix->cell / 2,
                                     matrix->cell - 4, &style, text);
        }
    }
    const double side = matrix->cell * matrix->classes;
    const LutraStroke edge = {.width = 1, .colour = LUTRA_INK_AXIS};
    const LutraStroke line = {.width = 1, .colour = LUTRA_INK_GRID};
    for (uint32_t i = 1; i < matrix->classes && matrix->classes <= MAX_NAMED_CLASSES; i++) {
        const double x = floor(matrix->left + i * matrix->cell) + 0.5;
        const double y = floor(matrix->top + i * matrix->cell) + 0.5;
        lutra_canvas_line(matrix->canvas, x, matrix->top, x, matrix->top + side, &line);
        lutra_canvas_line(matrix->canvas, matrix->left, y, matrix->left + side, y, &line);
    }
    lutra_canvas_frame(matrix->canvas, floor(matrix->left) + 0.5, floor(matrix->top) + 0.5, side,
                       side, &edge);
}

/* Names of the classes on both sides, or every so many numbers where names have no room. */
static void draw_names(const Matrix *matrix, const char *const *class_names, double room) {
    LutraTextStyle style = {.size = 12.5, .colour = LUTRA_INK_TEXT, .align = LUTRA_ALIGN_RIGHT};
    const uint32_t stride = matrix->classes <= MAX_NAMED_CLASSES ? 1
                            : matrix->classes <= 200             ? 10
                                                                 : 100;
    const double bottom = matrix->top + matrix->cell * matrix->classes;
    for (uint32_t i = 0; i < matrix->classes; i += stride) {
        char number[16];
        (void)snprintf(number, sizeof number, "%" PRIu32, i);
        const char *const name = stride == 1 ? class_names[i] : number;
        const double middle = (i + 0.5) * matrix->cell;
        style.angle = 0;
        lutra_canvas_text_fitted(matrix->canvas, matrix->left - 8, matrix->top + middle, room,
                                 &style, name);
        style.angle = -LUTRA_QUARTER_TURN / 2;
        lutra_canvas_text_fitted(matrix->canvas, matrix->left + middle + 4, bottom + 9, room,
                                 &style, name);
    }
}

/* What the shades mean. */
static void draw_scale(const Matrix *matrix, double x) {
    const double side = matrix->cell * matrix->classes;
    const double height = fmin(side, 240);
    const double top = matrix->top;
    const int steps = 120;
    for (int i = 0; i < steps; i++) {
        const double y = top + height * i / steps;
        lutra_canvas_fill(matrix->canvas, x, floor(y), 14, ceil(height / steps) + 1,
                          shade(1 - (i + 0.5) / steps));
    }
    const LutraStroke edge = {.width = 1, .colour = LUTRA_INK_AXIS};
    lutra_canvas_frame(matrix->canvas, x + 0.5, floor(top) + 0.5, 14, ceil(height), &edge);
    LutraTextStyle style = {.size = 12, .colour = LUTRA_INK_SOFT, .align = LUTRA_ALIGN_LEFT};
    for (int i = 0; i <= 4; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d %%", 100 - 25 * i);
        lutra_canvas_text(matrix->canvas, x + 21, top + 4 + (height - 8) * i / 4, &style, text);
    }
    style.angle = LUTRA_QUARTER_TURN;
    style.align = LUTRA_ALIGN_CENTRE;
    lutra_canvas_text_fitted(matrix->canvas, x + 68, top + height / 2, height, &style,
                             "share of the true class");
}

/* Widest class name in pixels, within bounds. */
static double name_room(LutraCanvas *canvas, const char *const *class_names, uint32_t classes) {
    const LutraTextStyle style = {.size = 12.5};
    double widest = 24;
    for (uint32_t i = 0; i < classes && classes <= MAX_NAMED_CLASSES; i++) {
        widest = fmax(widest, lutra_canvas_text_width(canvas, &style, class_names[i]));
    }
    return fmin(widest + 2, 160);
}

LutraStatus lutra_chart_write_confusion(const char *title, const char *subtitle,
                                        const uint64_t *counts, const char *const *class_names,
                                        uint32_t classes, const char *path, bool force,
                                        LutraError *error) {
    if (classes == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "a confusion matrix needs at least one class");
    }
    LutraCanvas *ruler = NULL;
    LUTRA_TRY(lutra_canvas_create(&ruler, 1, 1, error));
    const double room = name_room(ruler, class_names, classes);
    const LutraStatus measured = lutra_canvas_check(ruler, error);
    lutra_canvas_destroy(&ruler);
    LUTRA_TRY(measured);

    Matrix matrix = {.classes = classes};
    matrix.cell = floor(fmin(fmax(620.0 / classes, classes <= MAX_COUNTED_CLASSES ? 46 : 2), 96));
    matrix.left = 34 + room + 10;
    const double side = matrix.cell * classes;
    const double heading = subtitle == NULL || subtitle[0] == '\0' ? 44 : 64;
    matrix.top = heading + 6;
    const double scale_x = matrix.left + side + 24;
    const double width = fmax(scale_x + 84, 420);
    const double height = fmax(matrix.top + side + 0.75 * room + 52, matrix.top + 260);
    LUTRA_TRY(
        lutra_canvas_create(&matrix.canvas, (uint32_t)ceil(width), (uint32_t)ceil(height), error));
    const LutraTextStyle bold = {.size = 18, .bold = true, .colour = LUTRA_INK_TEXT};
    const LutraTextStyle soft = {.size = 12.5, .colour = LUTRA_INK_SOFT};
    lutra_canvas_text_fitted(matrix.canvas, 14, 24, width - 28, &bold, title == NULL ? "" : title);
    lutra_canvas_text_fitted(matrix.canvas, 14, 47, width - 28, &soft,
                             subtitle == NULL ? "" : subtitle);
    draw_cells(&matrix, counts);
    draw_names(&matrix, class_names, room);
    draw_scale(&matrix, scale_x);
    LutraTextStyle axis = {.size = 13.5, .colour = LUTRA_INK_TEXT, .align = LUTRA_ALIGN_CENTRE};
    lutra_canvas_text(matrix.canvas, matrix.left + side / 2, height - 16, &axis, "predicted class");
    axis.angle = -LUTRA_QUARTER_TURN;
    lutra_canvas_text(matrix.canvas, 18, matrix.top + side / 2, &axis, "true class");
    const LutraStatus status = lutra_canvas_write(matrix.canvas, path, force, error);
    lutra_canvas_destroy(&matrix.canvas);
    return status;
}
