/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of PNG images. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/png_image.h"
#include "datasets/png_folder.h"
#include "tests/support/check.h"

enum { WIDTH = 4, HEIGHT = 3 };

static char folder[256];

/* Writes one image that is `value` everywhere, `value` + 1 in the blue plane if coloured. */
static void put(const char *split, const char *class_name, const char *name, uint32_t width,
                uint8_t value, bool coloured) {
    LutraError error;
    char path[400];
    uint8_t pixels[64 * 3];
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, split, class_name);
    check_status(lutra_folder_create(path, &error), LUTRA_OK, &error);
    (void)snprintf(path, sizeof path, "%s/%s/%s/%s", folder, split, class_name, name);
    memset(pixels, value, sizeof pixels);
    for (size_t i = 2; i < sizeof pixels && coloured; i += 3) {
        pixels[i] = (uint8_t)(value + 1);
    }
    const LutraImage image = {.width = width, .height = HEIGHT, .channels = 3, .pixels = pixels};
    check_status(lutra_png_write(&image, path, true, &error), LUTRA_OK, &error);
}

static void write_good(bool coloured) {
    LutraError error;
    static unsigned number;
    char name[32];
    (void)snprintf(name, sizeof name, "png-%u", number++);
    (void)snprintf(folder, sizeof folder, "%s", check_temporary(name));
    put("train", "zebra", "b.png", WIDTH, 40, coloured);
    put("train", "zebra", "a.PNG", WIDTH, 30, false);
    put("train", "ant", "1.png", WIDTH, 10, false);
    put("test", "zebra", "1.png", WIDTH, 50, false);
    char path[400];
    (void)snprintf(path, sizeof path, "%s/train/ant/notes.txt", folder);
    check_status(lutra_file_write(path, "x", 1, false, &error), LUTRA_OK, &error);
    (void)snprintf(path, sizeof path, "%s/train/readme", folder);
    check_status(lutra_file_write(path, "x", 1, false, &error), LUTRA_OK, &error);
}

static void images_come_in_turns_of_classes(void **state) {
    (void)state;
    LutraError error;
    for (int coloured = 0; coloured < 2; coloured++) {
        LutraDataset dataset = {0};
        write_good(coloured == 1);
        check_status(lutra_png_folder_read(&dataset, folder, "zoo", &error), LUTRA_OK, &error);
        assert_string_equal(dataset.name, "zoo");
        assert_int_equal(dataset.class_count, 2);
        assert_string_equal(dataset.class_names[0], "ant");
        assert_string_equal(dataset.class_names[1], "zebra");
        const uint32_t channels = coloured == 1 ? 3 : 1;
        assert_int_equal(dataset.channels, channels);
        assert_int_equal(dataset.height, HEIGHT);
        assert_int_equal(dataset.width, WIDTH);
        assert_int_equal(dataset.splits[0].count, 3);
        assert_int_equal(dataset.splits[1].count, 1);
        static const uint16_t labels[] = {0, 1, 1};
        static const uint8_t values[] = {10, 30, 40};
        const size_t image_bytes = (size_t)channels * HEIGHT * WIDTH;
        for (size_t i = 0; i < 3; i++) {
            const uint8_t *const image = dataset.splits[0].images + i * image_bytes;
            assert_int_equal(dataset.splits[0].labels[i], labels[i]);
            assert_int_equal(image[0], values[i]);
            assert_int_equal(image[image_bytes - 1],
                             i == 2 && coloured == 1 ? values[i] + 1 : values[i]);
        }
        assert_int_equal(dataset.splits[1].labels[0], 1);
        assert_int_equal(dataset.splits[1].images[0], 50);
        lutra_dataset_deinit(&dataset);
    }
}

static void check_refused(LutraStatus status, const char *part) {
    LutraError error = {""};
    LutraDataset dataset = {.channels = 99};
    check_status(lutra_png_folder_read(&dataset, folder, NULL, &error), status, &error);
    if (strstr(error.message, part) == NULL || strstr(error.message, folder) == NULL) {
        fail_msg("the sentence is: %s", error.message);
    }
    assert_int_equal(dataset.channels, 99);
}

static void bad_folders_are_refused(void **state) {
    (void)state;
    LutraError error;
    char path[400];
    write_good(false);
    put("train", "ant", "2.png", WIDTH + 1, 1, false);
    check_refused(LUTRA_EDATA, "2.png' is 5 x 3 pixels");
    write_good(false);
    put("test", "bear", "1.png", WIDTH, 1, false);
    check_refused(LUTRA_EDATA, "has class 'bear', the training images do not");
    write_good(false);
    (void)snprintf(path, sizeof path, "%s/train/ant/9.png", folder);
    check_status(lutra_file_write(path, "no picture", 10, false, &error), LUTRA_OK, &error);
    check_refused(LUTRA_EDATA, "9.png' is not a PNG image");
    (void)snprintf(folder, sizeof folder, "%s", check_temporary("png-empty"));
    (void)snprintf(path, sizeof path, "%s/train", folder);
    check_status(lutra_folder_create(path, &error), LUTRA_OK, &error);
    check_refused(LUTRA_EDATA, "holds 0 folders");
    (void)snprintf(path, sizeof path, "%s/train/ant", folder);
    check_status(lutra_folder_create(path, &error), LUTRA_OK, &error);
    check_refused(LUTRA_EDATA, "holds no PNG images");
    (void)snprintf(folder, sizeof folder, "/nowhere");
    check_refused(LUTRA_EIO, "No such file");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_come_in_turns_of_classes),
        cmocka_unit_test(bad_folders_are_refused),
    };
    return cmocka_run_group_tests_name("png_folder", tests, NULL, NULL);
}
