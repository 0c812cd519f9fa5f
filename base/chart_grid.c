/* SPDX-License-Identifier: Apache-2.0 */
/* Grids of small images with captions. */
#include <math.h>

#include "base/canvas_priv.h"
#include "base/chart.h"

enum { TARGET_SIDE = 112, GAP = 14, EDGE = 16, LINE = 16, CAPTION_LINES = 2 };

typedef struct {
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    uint32_t factor; /* screen pixels per image pixel */
} TileShape;

static void draw_pixels(LutraCanvas *canvas, double left, double top, const TileShape *shape,
                        const uint8_t *planes) {
    const size_t plane = (size_t)shape->height * shape->width;
    for (uint32_t y = 0; y < shape->height; y++) {
        for (uint32_t x = 0; x < shape->width; x++) {
            const size_t at = (size_t)y * shape->width + x;
            uint32_t colour = 0;
            for (uint32_t c = 0; c < 3; c++) {
                /* Grey images repeat their one plane. */
                colour = colour << 8 | planes[(shape->channels == 3 ? c : 0) * plane + at];
            }
            lutra_canvas_fill(canvas, left + (double)x * shape->factor,
                              top + (double)y * shape->factor, shape->factor, shape->factor,
                              colour);
        }
    }
}

static void draw_tile(LutraCanvas *canvas, double left, double top, const TileShape *shape,
                      const LutraTile *tile) {
    const double width = (double)shape->width * shape->factor;
    const double height = (double)shape->height * shape->factor;
    draw_pixels(canvas, left, top, shape, tile->planes);
    const LutraStroke thin = {.width = 1, .colour = LUTRA_INK_AXIS};
    const LutraStroke thick = {.width = 4, .colour = LUTRA_INK_ALERT};
    if (tile->highlight) {
        lutra_canvas_frame(canvas, left - 2, top - 2, width + 4, height + 4, &thick);
    } else {
        lutra_canvas_frame(canvas, left - 0.5, top - 0.5, width + 1, height + 1, &thin);
    }
    if (tile->caption != NULL) {
        const LutraTextStyle style = {.size = 12,
                                      .colour = tile->highlight ? LUTRA_INK_ALERT : LUTRA_INK_TEXT,
                                      .align = LUTRA_ALIGN_CENTRE};
        (void)lutra_canvas_text_wrapped(canvas, left + width / 2, top + height + 13,
                                        width + GAP - 4, CAPTION_LINES, &style, tile->caption);
    }
}

LutraStatus lutra_chart_write_grid(const char *title, const LutraTile *tiles, size_t tile_count,
                                   uint32_t columns, uint32_t channels, uint32_t height,
                                   uint32_t width, const char *path, bool force,
                                   LutraError *error) {
    if (tile_count == 0 || columns == 0 || height == 0 || width == 0 ||
        (channels != 1 && channels != 3)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "a grid needs images with 1 or 3 channels, and columns");
    }
    TileShape shape = {.channels = channels, .height = height, .width = width, .factor = 1};
    if (width < TARGET_SIDE) {
        shape.factor = (TARGET_SIDE + width / 2) / width;
    }
    const double used_columns = tile_count < columns ? (double)tile_count : (double)columns;
    const double rows = ceil((double)tile_count / columns);
    const double step_x = (double)width * shape.factor + GAP;
    const double step_y = (double)height * shape.factor + GAP + CAPTION_LINES * LINE;
    const double heading = title == NULL || title[0] == '\0' ? 0 : 36;
    const double full_width = fmax(2 * EDGE + used_columns * step_x - GAP, 320);
    const double full_height = heading + 2 * EDGE + rows * step_y - GAP;
    if (full_width > UINT32_MAX || full_height > UINT32_MAX) {
        return lutra_error_set(error, LUTRA_EINVAL, "%zu images are too many for one picture",
                               tile_count);
    }
    LutraCanvas *canvas = NULL;
    LUTRA_TRY(lutra_canvas_create(&canvas, (uint32_t)full_width, (uint32_t)full_height, error));
    const LutraTextStyle bold = {.size = 18, .bold = true, .colour = LUTRA_INK_TEXT};
    lutra_canvas_text_fitted(canvas, EDGE, 26, full_width - 2 * EDGE, &bold,
                             title == NULL ? "" : title);
    for (size_t i = 0; i < tile_count; i++) {
        draw_tile(canvas, EDGE + (double)(i % columns) * step_x,
                  heading + EDGE + (double)(i / columns) * step_y, &shape, &tiles[i]);
    }
    const LutraStatus status = lutra_canvas_write(canvas, path, force, error);
    lutra_canvas_destroy(&canvas);
    return status;
}
