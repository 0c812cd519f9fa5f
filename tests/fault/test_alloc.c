/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of base/ and datasets/ fails once: the status says so, outputs stay unchanged,
 * nothing leaks (the address sanitizer watches) and nothing has the final name.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/chart.h"
#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/ini_file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/png_image.h"
#include "datasets/cifar.h"
#include "datasets/dataset.h"
#include "datasets/idx.h"
#include "datasets/png_folder.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"

static char folder[300];

static const char *in_folder(const char *name) {
    static char paths[4][400];
    static unsigned next;
    char *const path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static LutraStatus write_file(LutraError *error) {
    const char *const path = in_folder("file");
    const LutraStatus status = lutra_file_write(path, "hello", 5, true, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    (void)remove(path);
    return status;
}

static LutraStatus read_file(LutraError *error) {
    LutraBytes bytes = {0};
    const LutraStatus status = lutra_file_read(&bytes, in_folder("kept"), 100, error);
    assert_int_equal(bytes.data != NULL, status == LUTRA_OK);
    lutra_bytes_deinit(&bytes);
    return status;
}

static LutraStatus parse_ini(LutraError *error) {
    LutraIni ini = {0};
    const LutraStatus status = lutra_ini_parse(&ini, "[a]\nb = c\n[d]\ne = f\n", "x", error);
    assert_int_equal(ini.entries != NULL, status == LUTRA_OK);
    lutra_ini_deinit(&ini);
    return status;
}

static LutraStatus print_json(LutraError *error) {
    LutraJson *json = lutra_json_create("s");
    LutraJson *const list = lutra_json_set_array(json, "list");
    lutra_json_set_text(lutra_json_add_object(list), "k", "v");
    lutra_json_add_text(list, "text");
    char *text = NULL;
    const LutraStatus status = lutra_json_text(&text, json, error);
    assert_int_equal(text != NULL, status == LUTRA_OK);
    lutra_free(&text);
    lutra_json_destroy(&json);
    return status;
}

static LutraStatus write_and_read_hdf5(LutraError *error) {
    LutraH5 *file = NULL;
    const char *const path = in_folder("some.h5");
    const uint16_t numbers[3] = {1, 2, 3};
    char *text = NULL;
    LutraStatus status = lutra_h5_create(&file, path, true, error);
    if (status == LUTRA_OK) {
        status = lutra_h5_write(file, "a/b", numbers, LUTRA_H5_U16, 1, (uint64_t[]){3}, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_h5_write_text(file, "", "text", "words", error);
    }
    if (status == LUTRA_OK) {
        status = lutra_h5_commit(&file, error);
    }
    lutra_h5_close(&file);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    if (status == LUTRA_OK) {
        status = lutra_h5_open(&file, path, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_h5_read_text(&text, file, "", "text", error);
    }
    lutra_h5_close(&file);
    assert_null(file);
    lutra_free(&text);
    (void)remove(path);
    return status;
}

static LutraStatus write_and_read_png(LutraError *error) {
    uint8_t pixels[12] = {0};
    const LutraImage image = {.width = 2, .height = 2, .channels = 3, .pixels = pixels};
    LutraImage read = {0};
    LutraStatus status = lutra_png_write(&image, in_folder("some.png"), true, error);
    if (status == LUTRA_OK) {
        status = lutra_png_read(&read, in_folder("some.png"), 3, error);
    }
    assert_int_equal(read.pixels != NULL, status == LUTRA_OK);
    lutra_image_deinit(&read);
    return status;
}

static LutraStatus draw_chart(LutraError *error) {
    static const double x[] = {1, 2};
    static const double y[] = {1, 3};
    const LutraSeries series = {"name", x, y, y, y, 2, true, true};
    LutraChart chart;
    lutra_chart_default(&chart);
    chart.width = 320;
    chart.height = 240;
    chart.title = "title";
    return lutra_chart_write(&chart, &series, 1, in_folder("chart.png"), true, error);
}

static LutraStatus draw_matrix(LutraError *error) {
    static const uint64_t counts[] = {1, 2, 3, 4};
    static const char *const names[] = {"a", "b"};
    return lutra_chart_write_confusion("t", "s", counts, names, 2, in_folder("matrix.png"), true,
                                       error);
}

static LutraStatus draw_grid(LutraError *error) {
    static const uint8_t planes[4];
    const LutraTile tile = {planes, "one\ntwo", true};
    return lutra_chart_write_grid("t", &tile, 1, 1, 1, 2, 2, in_folder("grid.png"), true, error);
}

static LutraStatus store_dataset(LutraError *error) {
    LutraDataset made = {.channels = 1, .height = 2, .width = 2};
    LutraDataset read = {0};
    const char *const path = in_folder("set.h5");
    LutraStatus status = lutra_dataset_set_origin(&made, "name", "source", error);
    if (status == LUTRA_OK) {
        status = lutra_dataset_set_classes(&made, NULL, 2, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_dataset_allocate_split(&made, LUTRA_SPLIT_TRAIN, 3, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_dataset_write(&made, path, true, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_dataset_read(&read, path, 1, 0, error);
    }
    assert_int_equal(read.name != NULL, status == LUTRA_OK);
    lutra_dataset_deinit(&read);
    lutra_dataset_deinit(&made);
    return status;
}

static LutraStatus read_idx(LutraError *error) {
    LutraDataset read = {0};
    const LutraStatus status = lutra_idx_read(&read, folder, NULL, error);
    assert_int_equal(read.name != NULL, status == LUTRA_OK);
    lutra_dataset_deinit(&read);
    return status;
}

static LutraStatus read_cifar(LutraError *error) {
    LutraDataset read = {0};
    const LutraStatus status = lutra_cifar_read(&read, LUTRA_CIFAR_10, folder, NULL, error);
    assert_int_equal(read.name != NULL, status == LUTRA_OK);
    lutra_dataset_deinit(&read);
    return status;
}

static LutraStatus read_cifar_python(LutraError *error) {
    LutraDataset read = {0};
    const LutraStatus status =
        lutra_cifar_read(&read, LUTRA_CIFAR_100, in_folder("python"), NULL, error);
    assert_int_equal(read.name != NULL, status == LUTRA_OK);
    lutra_dataset_deinit(&read);
    return status;
}

static LutraStatus read_png_folder(LutraError *error) {
    LutraDataset read = {0};
    const LutraStatus status = lutra_png_folder_read(&read, in_folder("png"), NULL, error);
    assert_int_equal(read.name != NULL, status == LUTRA_OK);
    lutra_dataset_deinit(&read);
    return status;
}

static void put(const char *name, const void *data, size_t bytes) {
    LutraError error;
    check_status(lutra_file_write(in_folder(name), data, bytes, true, &error), LUTRA_OK, &error);
}

/* A pickle with one image, and one with 100 class names. */
static void put_python(void) {
    static uint8_t batch[4000];
    static const char start[] =
        "\x80\x02}(U\x0b"
        "fine_labels]K\x07"
        "aU\x04"
        "datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01"
        "b\x87R(K\x01K\x01M\x00\x0c\x86"
        "cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89T\x00\x0c\x00\x00";
    char names[1000] =
        "\x80\x02}(U\x10"
        "fine_label_names](";
    size_t used = 5 + 1 + 16 + 2;
    memcpy(batch, start, sizeof start - 1);
    memcpy(batch + sizeof start - 1 + 3072, "tbu.", 4);
    put("python/train", batch, sizeof start - 1 + 3072 + 4);
    put("python/test", batch, sizeof start - 1 + 3072 + 4);
    for (int i = 0; i < 100; i++) {
        memcpy(names + used,
               "U\x01"
               "n",
               3);
        used += 3;
    }
    memcpy(names + used, "eu.", 3);
    put("python/meta", names, used + 3);
}

static int prepare(void **state) {
    (void)state;
    LutraError error;
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 77};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 0};
    static const uint8_t record[3073];
    static const char *const folders[] = {"", "python", "png/train/a", "png/test/a"};
    (void)snprintf(folder, sizeof folder, "%s", check_temporary("alloc"));
    for (size_t i = 0; i < 4; i++) {
        check_status(lutra_folder_create(in_folder(folders[i]), &error), LUTRA_OK, &error);
    }
    put("kept", "hello", 5);
    put("train-images-idx3-ubyte", images, sizeof images);
    put("train-labels-idx1-ubyte", labels, sizeof labels);
    put("t10k-images-idx3-ubyte", images, sizeof images);
    put("t10k-labels-idx1-ubyte", labels, sizeof labels);
    for (char c = '1'; c <= '5'; c++) {
        char name[] = "data_batch_1.bin";
        name[11] = c;
        put(name, record, sizeof record);
    }
    put("test_batch.bin", record, sizeof record);
    put("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 20);
    put_python();
    uint8_t pixels[3] = {1, 1, 1};
    const LutraImage image = {.width = 1, .height = 1, .channels = 3, .pixels = pixels};
    check_status(lutra_png_write(&image, in_folder("png/train/a/1.png"), true, &error), LUTRA_OK,
                 &error);
    check_status(lutra_png_write(&image, in_folder("png/test/a/1.png"), true, &error), LUTRA_OK,
                 &error);
    return 0;
}

static void files(void **state) {
    (void)state;
    allocfail_each(write_file);
    allocfail_each(read_file);
    allocfail_each(write_and_read_png);
}

static void texts(void **state) {
    (void)state;
    allocfail_each(parse_ini);
    allocfail_each(print_json);
}

static void hdf5(void **state) {
    (void)state;
    allocfail_each(write_and_read_hdf5);
}

static void pictures(void **state) {
    (void)state;
    allocfail_each(draw_chart);
    allocfail_each(draw_matrix);
    allocfail_each(draw_grid);
}

static void datasets(void **state) {
    (void)state;
    allocfail_each(store_dataset);
    allocfail_each(read_idx);
    allocfail_each(read_cifar);
    allocfail_each(read_cifar_python);
    allocfail_each(read_png_folder);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),    cmocka_unit_test(texts),    cmocka_unit_test(hdf5),
        cmocka_unit_test(pictures), cmocka_unit_test(datasets),
    };
    return cmocka_run_group_tests_name("alloc", tests, prepare, NULL);
}
