/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files in and out. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/png_image.h"
#include "tests/support/check.h"

enum { WIDTH = 37, HEIGHT = 21 };

static void fill(LutraImage *image, uint8_t *pixels, uint32_t channels) {
    *image = (LutraImage){.width = WIDTH, .height = HEIGHT, .channels = channels, .pixels = pixels};
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT * channels; i++) {
        pixels[i] = (uint8_t)(i * i * 3 + i / 5);
    }
}

static void put(const char *path, const void *data, size_t bytes) {
    FILE *const stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

static void pixels_come_back(void **state) {
    (void)state;
    LutraError error;
    uint8_t pixels[WIDTH * HEIGHT * 3];
    for (uint32_t channels = 1; channels <= 3; channels += 2) {
        LutraImage image;
        LutraImage read = {0};
        fill(&image, pixels, channels);
        const char *const path = check_temporary("image.png");
        check_status(lutra_png_write(&image, path, false, &error), LUTRA_OK, &error);
        check_status(lutra_png_write(&image, path, false, &error), LUTRA_EINVAL, &error);
        check_status(lutra_png_read(&read, path, channels, &error), LUTRA_OK, &error);
        assert_int_equal(read.width, WIDTH);
        assert_int_equal(read.height, HEIGHT);
        assert_int_equal(read.channels, channels);
        assert_memory_equal(read.pixels, pixels, (size_t)WIDTH * HEIGHT * channels);
        lutra_image_deinit(&read);
        assert_null(read.pixels);
    }
}

static void grey_and_colour_convert(void **state) {
    (void)state;
    LutraError error;
    uint8_t pixels[WIDTH * HEIGHT];
    LutraImage image;
    LutraImage read = {0};
    fill(&image, pixels, 1);
    const char *const path = check_temporary("grey.png");
    check_status(lutra_png_write(&image, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_png_read(&read, path, 3, &error), LUTRA_OK, &error);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        assert_int_equal(read.pixels[3 * i], pixels[i]);
        assert_int_equal(read.pixels[3 * i + 2], pixels[i]);
    }
    lutra_image_deinit(&read);
}

/* One pixel: red 200 at alpha 0. */
static void alpha_is_composed_on_black(void **state) {
    (void)state;
    static const uint8_t transparent[] = {
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
        0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00,
        0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78,
        0x9c, 0x63, 0x38, 0xc1, 0xc0, 0xc0, 0x00, 0x00, 0x03, 0x25, 0x00, 0xc9, 0xae, 0x4b,
        0x82, 0x3d, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
    LutraError error;
    LutraImage read = {0};
    const char *const path = check_temporary("alpha.png");
    put(path, transparent, sizeof transparent);
    check_status(lutra_png_read(&read, path, 3, &error), LUTRA_OK, &error);
    assert_int_equal(read.width, 1);
    assert_int_equal(read.pixels[0], 0);
    lutra_image_deinit(&read);
}

static void damaged_and_foreign_files_are_refused(void **state) {
    (void)state;
    LutraError error;
    uint8_t pixels[WIDTH * HEIGHT * 3];
    LutraImage image;
    LutraImage read = {0};
    fill(&image, pixels, 3);
    const char *const whole_path = check_temporary("whole.png");
    check_status(lutra_png_write(&image, whole_path, false, &error), LUTRA_OK, &error);
    LutraBytes whole = {0};
    check_status(lutra_file_read(&whole, whole_path, 1 << 20, &error), LUTRA_OK, &error);
    const char *const path = check_temporary("cut.png");
    for (size_t length = 0; length < whole.bytes - 20; length += 13) {
        put(path, whole.data, length);
        check_status(lutra_png_read(&read, path, 3, &error), LUTRA_EDATA, &error);
        assert_non_null(strstr(error.message, path));
        assert_null(read.pixels);
    }
    put(path, "plain text, no picture", 22);
    check_status(lutra_png_read(&read, path, 1, &error), LUTRA_EDATA, &error);
    /* Width 4097: the header's checksum follows it. */
    static const uint8_t wide[] = {
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
        0x52, 0x00, 0x00, 0x10, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x94,
        0x88, 0x5f, 0x9e, 0x00, 0x00, 0x00, 0x00, 0x49, 0x44, 0x41, 0x54, 0x35, 0xaf, 0x06, 0x1e};
    put(path, wide, sizeof wide);
    check_status(lutra_png_read(&read, path, 1, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "4097 x 1"));
    check_status(lutra_png_read(&read, "/nowhere/x.png", 1, &error), LUTRA_EIO, &error);
    lutra_bytes_deinit(&whole);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_back),
        cmocka_unit_test(grey_and_colour_convert),
        cmocka_unit_test(alpha_is_composed_on_black),
        cmocka_unit_test(damaged_and_foreign_files_are_refused),
    };
    return cmocka_run_group_tests_name("png_image", tests, NULL, NULL);
}
