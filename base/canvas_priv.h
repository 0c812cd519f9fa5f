/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A drawing area in pixels, y downwards (cairo behind it). Drawing calls cannot fail; what went
 * wrong on the way is reported by lutra_canvas_write. Colours are 0xRRGGBB.
 */
#ifndef LUTRA_BASE_CANVAS_PRIV_H
#define LUTRA_BASE_CANVAS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define LUTRA_QUARTER_TURN 1.57079632679489661923 /* radians */

typedef struct LutraCanvas LutraCanvas;

typedef enum { LUTRA_ALIGN_LEFT = 0, LUTRA_ALIGN_CENTRE = 1, LUTRA_ALIGN_RIGHT = 2 } LutraAlign;

typedef struct {
    double size; /* pixels */
    bool bold;
    uint32_t colour;
    LutraAlign align;
    double angle; /* radians, clockwise, about the given point */
} LutraTextStyle;

/** `dash` picks one of a few patterns; 0 = solid. */
typedef struct {
    double width; /* pixels */
    uint32_t colour;
    uint32_t dash;
} LutraStroke;

/* Inks that all pictures share. */
enum {
    LUTRA_INK_TEXT = 0x1F2328,
    LUTRA_INK_SOFT = 0x5B626B,
    LUTRA_INK_AXIS = 0x8A9099,
    LUTRA_INK_GRID = 0xE4E7EB,
    LUTRA_INK_ALERT = 0xC0271F
};

/** White area; LUTRA_EINVAL if a side is 0 or over 16384 or the area is over 2^26 pixels. */
LUTRA_MUST_CHECK LutraStatus lutra_canvas_create(LutraCanvas **canvas, uint32_t width,
                                                 uint32_t height, LutraError *error);
void lutra_canvas_destroy(LutraCanvas **canvas);

/** Whether all drawing and measuring so far went well; LUTRA_ENOMEM if memory ran out. */
LUTRA_MUST_CHECK LutraStatus lutra_canvas_check(const LutraCanvas *canvas, LutraError *error);

/** Writes a PNG. LUTRA_ENOMEM if a drawing call ran out of memory. */
LUTRA_MUST_CHECK LutraStatus lutra_canvas_write(LutraCanvas *canvas, const char *path, bool force,
                                                LutraError *error);

/** One line of text whose vertical middle is at y. Bytes that are no UTF-8 show as '?'. */
void lutra_canvas_text(LutraCanvas *canvas, double x, double y, const LutraTextStyle *style,
                       const char *text);
double lutra_canvas_text_width(LutraCanvas *canvas, const LutraTextStyle *style, const char *text);

/** The same, cut with an ellipsis where it would be wider than max_width. */
void lutra_canvas_text_fitted(LutraCanvas *canvas, double x, double y, double max_width,
                              const LutraTextStyle *style, const char *text);

/**
 * Text broken at blanks and at '\n' into at most max_lines lines, the last one cut if need be. The
 * first line's middle is at y, the others follow at 1.35 times the size. Returns the lines used.
 */
uint32_t lutra_canvas_text_wrapped(LutraCanvas *canvas, double x, double y, double max_width,
                                   uint32_t max_lines, const LutraTextStyle *style,
                                   const char *text);

void lutra_canvas_line(LutraCanvas *canvas, double x0, double y0, double x1, double y1,
                       const LutraStroke *stroke);

/** Joins (x[i], y[i]); NAN starts a new line. */
void lutra_canvas_polyline(LutraCanvas *canvas, const double *x, const double *y, size_t count,
                           const LutraStroke *stroke);

void lutra_canvas_fill(LutraCanvas *canvas, double x, double y, double width, double height,
                       uint32_t colour);
void lutra_canvas_frame(LutraCanvas *canvas, double x, double y, double width, double height,
                        const LutraStroke *stroke);

/** Point symbol `shape` modulo the number of shapes, `radius` pixels. */
void lutra_canvas_marker(LutraCanvas *canvas, double x, double y, double radius, uint32_t shape,
                         uint32_t colour);

/** Restricts drawing to a rectangle until lutra_canvas_unclip. */
void lutra_canvas_clip(LutraCanvas *canvas, double x, double y, double width, double height);
void lutra_canvas_unclip(LutraCanvas *canvas);

#endif
