/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include <cairo.h>

#include "base/canvas_priv.h"
#include "base/memory.h"
#include "base/png_image.h"
#include "base/utf8.h"

enum { MAX_SIDE = 16384, MAX_PIXELS = 1 << 26, MAX_TEXT_BYTES = 600 };

struct LutraCanvas {
    cairo_surface_t *surface;
    cairo_t *context;
    uint32_t width;
    uint32_t height;
    bool out_of_memory;
};

LutraStatus lutra_canvas_create(LutraCanvas **canvas, uint32_t width, uint32_t height,
                                LutraError *error) {
    *canvas = NULL;
    if (width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE ||
        (uint64_t)width * height > MAX_PIXELS) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "a picture of %u x %u pixels cannot be drawn; at most %d pixels a "
                               "side and %d in all",
                               width, height, MAX_SIDE, MAX_PIXELS);
    }
    LutraCanvas *made = NULL;
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    made->width = width;
    made->height = height;
    made->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
    made->context = cairo_create(made->surface);
    if (cairo_status(made->context) != CAIRO_STATUS_SUCCESS) {
        lutra_canvas_destroy(&made);
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory: a picture of %u x %u pixels",
                               width, height);
    }
    cairo_set_source_rgb(made->context, 1, 1, 1);
    cairo_paint(made->context);
    *canvas = made;
    return LUTRA_OK;
}

void lutra_canvas_destroy(LutraCanvas **canvas) {
    if (canvas == NULL || *canvas == NULL) {
        return;
    }
    cairo_destroy((*canvas)->context);
    cairo_surface_destroy((*canvas)->surface);
    lutra_free(canvas);
}

LutraStatus lutra_canvas_check(const LutraCanvas *canvas, LutraError *error) {
    const cairo_status_t drawn = cairo_status(canvas->context);
    if (canvas->out_of_memory || drawn == CAIRO_STATUS_NO_MEMORY) {
        return lutra_error_set(error, LUTRA_ENOMEM, "cannot draw a picture: out of memory");
    }
    if (drawn != CAIRO_STATUS_SUCCESS) {
        return lutra_error_set(error, LUTRA_EBUG, "cannot draw a picture: %s",
                               cairo_status_to_string(drawn));
    }
    return LUTRA_OK;
}

LutraStatus lutra_canvas_write(LutraCanvas *canvas, const char *path, bool force,
                               LutraError *error) {
    LUTRA_TRY(lutra_canvas_check(canvas, error));
    cairo_surface_flush(canvas->surface);
    const uint8_t *const data = cairo_image_surface_get_data(canvas->surface);
    const size_t stride = (size_t)cairo_image_surface_get_stride(canvas->surface);
    LutraImage image = {.width = canvas->width, .height = canvas->height, .channels = 3};
    LUTRA_TRY(lutra_alloc(&image.pixels, (size_t)image.width * image.height, 3, error));
    for (uint32_t y = 0; y < image.height; y++) {
        for (uint32_t x = 0; x < image.width; x++) {
            uint32_t pixel = 0;
            memcpy(&pixel, data + y * stride + (size_t)x * 4, sizeof pixel);
            uint8_t *const target = image.pixels + ((size_t)y * image.width + x) * 3;
            target[0] = (uint8_t)(pixel >> 16 & 255u);
            target[1] = (uint8_t)(pixel >> 8 & 255u);
            target[2] = (uint8_t)(pixel & 255u);
        }
    }
    const LutraStatus status = lutra_png_write(&image, path, force, error);
    lutra_image_deinit(&image);
    return status;
}

static void set_colour(LutraCanvas *canvas, uint32_t colour) {
    cairo_set_source_rgb(canvas->context, (colour >> 16 & 255u) / 255.0,
                         (colour >> 8 & 255u) / 255.0, (colour & 255u) / 255.0);
}

static void set_font(LutraCanvas *canvas, const LutraTextStyle *style) {
    cairo_select_font_face(canvas->context, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           style->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->context, style->size);
}

/* Width of text that is UTF-8, in the current font. */
static double advance(LutraCanvas *canvas, const char *text) {
    cairo_text_extents_t extents;
    cairo_text_extents(canvas->context, text, &extents);
    return extents.x_advance;
}

double lutra_canvas_text_width(LutraCanvas *canvas, const LutraTextStyle *style, const char *text) {
    char *clean = NULL;
    if (lutra_utf8_copy(&clean, text, NULL) != LUTRA_OK) {
        canvas->out_of_memory = true;
        return 0;
    }
    set_font(canvas, style);
    const double width = advance(canvas, clean);
    lutra_free(&clean);
    return width;
}

/* Shortens `text` (with room for 4 more bytes) until it is no wider than max_width. */
static void fit(LutraCanvas *canvas, char *text, double max_width) {
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t length = strlen(text);
    while (length > 0 && advance(canvas, text) > max_width) {
        /* Step back over the ellipsis of the last round and one whole character. */
        if (length >= 3 && memcmp(text + length - 3, ellipsis, 3) == 0) {
            length -= 3;
        }
        do {
            length -= length > 0;
        } while (length > 0 && ((uint8_t)text[length] & 0xC0u) == 0x80u);
        while (length > 0 && text[length - 1] == ' ') {
            length--;
        }
        memcpy(text + length, ellipsis, sizeof ellipsis);
        if (length == 0) {
            return;
        }
        length += 3;
    }
}

/* No picture has room for more, and measuring is slow. */
static void cut_long(char *text) {
    size_t length = strlen(text);
    if (length > MAX_TEXT_BYTES) {
        length = MAX_TEXT_BYTES;
        while (((uint8_t)text[length] & 0xC0u) == 0x80u) {
            length--;
        }
        text[length] = '\0';
    }
}

void lutra_canvas_text_fitted(LutraCanvas *canvas, double x, double y, double max_width,
                              const LutraTextStyle *style, const char *text) {
    char *clean = NULL;
    char *roomy = NULL;
    if (lutra_utf8_copy(&clean, text, NULL) != LUTRA_OK ||
        lutra_alloc(&roomy, strlen(clean) + 5, 1, NULL) != LUTRA_OK) {
        canvas->out_of_memory = true;
        lutra_free(&clean);
        return;
    }
    memcpy(roomy, clean, strlen(clean));
    cut_long(roomy);
    set_font(canvas, style);
    fit(canvas, roomy, max_width);
    const double width = advance(canvas, roomy);
    const double shift = style->align == LUTRA_ALIGN_LEFT     ? 0
                         : style->align == LUTRA_ALIGN_CENTRE ? width / 2
                                                              : width;
    cairo_save(canvas->context);
    set_colour(canvas, style->colour);
    cairo_translate(canvas->context, x, y);
    cairo_rotate(canvas->context, style->angle);
    /* 0.36 em is half the height of a capital: it puts the middle of the text on y. */
    cairo_move_to(canvas->context, -shift, 0.36 * style->size);
    cairo_show_text(canvas->context, roomy);
    cairo_restore(canvas->context);
    lutra_free(&roomy);
    lutra_free(&clean);
}

void lutra_canvas_text(LutraCanvas *canvas, double x, double y, const LutraTextStyle *style,
                       const char *text) {
    lutra_canvas_text_fitted(canvas, x, y, INFINITY, style, text);
}

/* Length of the longest run of whole words of `text` that fits, at least one word. */
static size_t words_that_fit(LutraCanvas *canvas, char *text, double max_width) {
    size_t best = 0;
    for (size_t i = 1;; i++) {
        if (text[i] != ' ' && text[i] != '\0') {
            continue;
        }
        const char kept = text[i];
        text[i] = '\0';
        const bool fits = advance(canvas, text) <= max_width;
        text[i] = kept;
        if (fits || best == 0) {
            best = i;
        }
        if (!fits || kept == '\0') {
            return best;
        }
    }
}

uint32_t lutra_canvas_text_wrapped(LutraCanvas *canvas, double x, double y, double max_width,
                                   uint32_t max_lines, const LutraTextStyle *style,
                                   const char *text) {
    char *clean = NULL;
    if (lutra_utf8_copy(&clean, text, NULL) != LUTRA_OK) {
        canvas->out_of_memory = true;
        return 0;
    }
    cut_long(clean);
    set_font(canvas, style);
    uint32_t lines = 0;
    char *next = clean;
    while (*next != '\0' && lines < max_lines) {
        char *const newline = strchr(next, '\n');
        if (newline != NULL) {
            *newline = '\0';
        }
        const size_t length = *next == '\0' || lines + 1 == max_lines
                                  ? strlen(next)
                                  : words_that_fit(canvas, next, max_width);
        const char kept = next[length];
        next[length] = '\0';
        lutra_canvas_text_fitted(canvas, x, y + lines * 1.35 * style->size, max_width, style, next);
        next[length] = kept;
        lines++;
        next += length;
        if (newline != NULL) {
            *newline = '\n';
        }
        next += *next == ' ' || *next == '\n';
    }
    lutra_free(&clean);
    return lines;
}

static void set_stroke(LutraCanvas *canvas, const LutraStroke *stroke) {
    static const struct {
        double lengths[6]; /* in line widths */
        int count;
    } dashes[] = {
        {{0}, 0},      {{5, 2.5}, 2},
        {{1.2, 2}, 2}, {{6, 2, 1.2, 2}, 4},
        {{9, 3}, 2},   {{6, 2, 1.2, 2, 1.2, 2}, 6},
    };
    const size_t index = stroke->dash % (sizeof dashes / sizeof dashes[0]);
    double lengths[6];
    for (int i = 0; i < dashes[index].count; i++) {
        lengths[i] = dashes[index].lengths[i] * stroke->width;
    }
    set_colour(canvas, stroke->colour);
    cairo_set_line_width(canvas->context, stroke->width);
    cairo_set_dash(canvas->context, lengths, dashes[index].count, 0);
    cairo_set_line_join(canvas->context, CAIRO_LINE_JOIN_ROUND);
}

void lutra_canvas_line(LutraCanvas *canvas, double x0, double y0, double x1, double y1,
                       const LutraStroke *stroke) {
    set_stroke(canvas, stroke);
    cairo_move_to(canvas->context, x0, y0);
    cairo_line_to(canvas->context, x1, y1);
    cairo_stroke(canvas->context);
}

void lutra_canvas_polyline(LutraCanvas *canvas, const double *x, const double *y, size_t count,
                           const LutraStroke *stroke) {
    set_stroke(canvas, stroke);
    bool open = false;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) {
            open = false;
        } else if (open) {
            cairo_line_to(canvas->context, x[i], y[i]);
        } else {
            cairo_move_to(canvas->context, x[i], y[i]);
            open = true;
        }
    }
    cairo_stroke(canvas->context);
}

void lutra_canvas_fill(LutraCanvas *canvas, double x, double y, double width, double height,
                       uint32_t colour) {
    set_colour(canvas, colour);
    cairo_rectangle(canvas->context, x, y, width, height);
    cairo_fill(canvas->context);
}

void lutra_canvas_frame(LutraCanvas *canvas, double x, double y, double width, double height,
                        const LutraStroke *stroke) {
    set_stroke(canvas, stroke);
    cairo_set_line_join(canvas->context, CAIRO_LINE_JOIN_MITER);
    cairo_rectangle(canvas->context, x, y, width, height);
    cairo_stroke(canvas->context);
}

/* A closed figure with `corners` corners, the first at `angle`. */
static void polygon(cairo_t *context, double x, double y, double radius, int corners,
                    double angle) {
    for (int i = 0; i < corners; i++) {
        const double turn = angle + 4 * LUTRA_QUARTER_TURN * i / corners;
        const double corner_x = x + radius * cos(turn);
        const double corner_y = y + radius * sin(turn);
        if (i == 0) {
            cairo_move_to(context, corner_x, corner_y);
        } else {
            cairo_line_to(context, corner_x, corner_y);
        }
    }
    cairo_close_path(context);
}

void lutra_canvas_marker(LutraCanvas *canvas, double x, double y, double radius, uint32_t shape,
                         uint32_t colour) {
    cairo_t *const context = canvas->context;
    set_colour(canvas, colour);
    cairo_new_path(context);
    switch (shape % 6) {
        case 0: cairo_arc(context, x, y, radius, 0, 4 * LUTRA_QUARTER_TURN); break;
        case 1: polygon(context, x, y, radius * 1.25, 4, LUTRA_QUARTER_TURN / 2); break;
        case 2: polygon(context, x, y, radius * 1.35, 3, -LUTRA_QUARTER_TURN); break;
        case 3: polygon(context, x, y, radius * 1.35, 4, 0); break;
        case 4: polygon(context, x, y, radius * 1.35, 3, LUTRA_QUARTER_TURN); break;
        default:
            cairo_arc(context, x, y, radius, 0, 4 * LUTRA_QUARTER_TURN);
            cairo_set_line_width(context, radius / 2);
            cairo_set_dash(context, NULL, 0, 0);
            cairo_set_source_rgb(context, 1, 1, 1);
            cairo_fill_preserve(context);
            set_colour(canvas, colour);
            cairo_stroke(context);
            return;
    }
    cairo_fill(context);
}

void lutra_canvas_clip(LutraCanvas *canvas, double x, double y, double width, double height) {
    cairo_save(canvas->context);
    cairo_rectangle(canvas->context, x, y, width, height);
    cairo_clip(canvas->context);
}

void lutra_canvas_unclip(LutraCanvas *canvas) {
    cairo_restore(canvas->context);
}
