/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files in and out (libpng's simplified interface behind it). */
#ifndef LUTRA_BASE_PNG_IMAGE_H
#define LUTRA_BASE_PNG_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Row-major pixels, channels interleaved: pixels[(y * width + x) * channels + c]. */
typedef struct {
    uint32_t width;
    uint32_t height;
    uint32_t channels; /* 1 grey or 3 RGB */
    uint8_t *pixels;   /* owned */
} LutraImage;

void lutra_image_deinit(LutraImage *image);

/**
 * Reads a PNG as grey (channels 1) or RGB (channels 3); alpha is composed on black.
 * Refuses images over 4096 x 4096. LUTRA_EDATA if it is no PNG or damaged.
 */
LUTRA_MUST_CHECK LutraStatus lutra_png_read(LutraImage *image, const char *path, uint32_t channels,
                                            LutraError *error);

LUTRA_MUST_CHECK LutraStatus lutra_png_write(const LutraImage *image, const char *path, bool force,
                                             LutraError *error);

#endif
