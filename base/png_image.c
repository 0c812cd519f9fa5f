/* SPDX-License-Identifier: Apache-2.0 */
#include "base/png_image.h"

#include <string.h>

#include <png.h>

#include "base/file.h"
#include "base/memory.h"

enum { MAX_SIDE = 4096, MAX_FILE_BYTES = 1 << 27 };

void lutra_image_deinit(LutraImage *image) {
    if (image != NULL) {
        lutra_free(&image->pixels);
        *image = (LutraImage){0};
    }
}

static uint32_t format_of(uint32_t channels) {
    return channels == 1 ? (uint32_t)PNG_FORMAT_GRAY : (uint32_t)PNG_FORMAT_RGB;
}

LutraStatus lutra_png_read(LutraImage *image, const char *path, uint32_t channels,
                           LutraError *error) {
    LUTRA_ASSERT(channels == 1 || channels == 3);
    LutraBytes bytes = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, MAX_FILE_BYTES, error));
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    LutraImage read = {.channels = channels};
    LutraStatus status = LUTRA_OK;
    if (png_image_begin_read_from_memory(&png, bytes.data, bytes.bytes) == 0) {
        status =
            lutra_error_set(error, LUTRA_EDATA, "'%s' is not a PNG image: %s", path, png.message);
        goto done;
    }
    if (png.width > MAX_SIDE || png.height > MAX_SIDE) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' is %u x %u pixels, at most %d x %d",
                                 path, png.width, png.height, MAX_SIDE, MAX_SIDE);
        goto done;
    }
    png.format = format_of(channels);
    read.width = png.width;
    read.height = png.height;
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&read.pixels, (size_t)png.width * png.height, channels, error));
    const png_color black = {0, 0, 0};
    if (png_image_finish_read(&png, &black, read.pixels, 0, NULL) == 0) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' is a damaged PNG image: %s", path,
                                 png.message);
    }

done:
    png_image_free(&png);
    lutra_bytes_deinit(&bytes);
    if (status != LUTRA_OK) {
        lutra_image_deinit(&read);
        return status;
    }
    *image = read;
    return LUTRA_OK;
}

LutraStatus lutra_png_write(const LutraImage *image, const char *path, bool force,
                            LutraError *error) {
    LUTRA_ASSERT(image->channels == 1 || image->channels == 3);
    LUTRA_ASSERT(image->width > 0 && image->height > 0);
    LUTRA_TRY(lutra_file_check_output(path, force, error));
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    png.width = image->width;
    png.height = image->height;
    png.format = format_of(image->channels);
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(png);
    uint8_t *packed = NULL;
    LUTRA_TRY(lutra_alloc(&packed, bytes, 1, error));
    LutraStatus status = LUTRA_OK;
    if (png_image_write_to_memory(&png, packed, &bytes, 0, image->pixels, 0, NULL) == 0) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", path, png.message);
    } else {
        status = lutra_file_write(path, packed, bytes, force, error);
    }
    png_image_free(&png);
    lutra_free(&packed);
    return status;
}
