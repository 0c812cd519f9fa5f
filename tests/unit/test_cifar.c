/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR folders in all four layouts, with a handful of images. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/cifar.h"
#include "tests/support/check.h"

enum { PIXELS = 3072, PER_FILE = 3 };

static char folder[256];

static void put(const char *name, const void *data, size_t bytes) {
    LutraError error;
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    check_status(lutra_file_write(path, data, bytes, true, &error), LUTRA_OK, &error);
}

static void fresh_folder(const char *name) {
    LutraError error;
    static unsigned number;
    char unique[64];
    (void)snprintf(unique, sizeof unique, "%s-%u", name, number++);
    (void)snprintf(folder, sizeof folder, "%s", check_temporary(unique));
    check_status(lutra_folder_create(folder, &error), LUTRA_OK, &error);
}

static uint8_t pixel(size_t file, size_t image, size_t at) {
    return (uint8_t)(file * 50 + image * 7 + at);
}

/* Writes one binary file; labels are (file + image) % classes. */
static void put_binary(const char *name, size_t file, size_t images, size_t label_bytes) {
    static uint8_t data[PER_FILE * (PIXELS + 2)];
    const size_t record = PIXELS + label_bytes;
    for (size_t i = 0; i < images; i++) {
        data[i * record] = 19; /* CIFAR-100: the coarse label, not to be used */
        data[i * record + label_bytes - 1] = (uint8_t)(file + i);
        for (size_t p = 0; p < PIXELS; p++) {
            data[i * record + label_bytes + p] = pixel(file, i, p);
        }
    }
    put(name, data, images * record);
}

static void write_binary10(void) {
    fresh_folder("bin");
    for (size_t file = 0; file < 5; file++) {
        char name[32];
        (void)snprintf(name, sizeof name, "data_batch_%zu.bin", file + 1);
        put_binary(name, file, PER_FILE, 1);
    }
    put_binary("test_batch.bin", 5, PER_FILE, 1);
    put("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
}

/* Appends a pickle of PER_FILE images to the buffer; returns its length. */
static size_t make_pickle(uint8_t *data, size_t file, const char *label_key) {
    static const char array[] =
        "cnumpy.core.multiarray\n_reconstruct\nq\x07"
        "cnumpy\nndarray\nq\x08K\x00\x85U\x01"
        "b\x87Rq\x09(K\x01K\x03M\x00\x0c\x86"
        "cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        "J\xff\xff\xff\xffK\x00tb\x89T\x00\x24\x00\x00";
    size_t used = 0;
    const size_t key_bytes = strlen(label_key);
    memcpy(data, "\x80\x02}(U", 5);
    used = 5;
    data[used++] = (uint8_t)key_bytes;
    memcpy(data + used, label_key, key_bytes);
    used += key_bytes;
    memcpy(data + used, "](", 2);
    used += 2;
    for (size_t i = 0; i < PER_FILE; i++) {
        data[used++] = 'K';
        data[used++] = (uint8_t)(file + i);
    }
    memcpy(data + used,
           "eU\x04"
           "data",
           7);
    used += 7;
    memcpy(data + used, array, sizeof array - 1);
    used += sizeof array - 1;
    for (size_t i = 0; i < PER_FILE; i++) {
        for (size_t p = 0; p < PIXELS; p++) {
            data[used++] = pixel(file, i, p);
        }
    }
    memcpy(data + used, "tbu.", 4);
    return used + 4;
}

static void put_pickle(const char *name, size_t file, const char *label_key) {
    static uint8_t data[PER_FILE * PIXELS + 1000];
    put(name, data, make_pickle(data, file, label_key));
}

static void write_python10(void) {
    fresh_folder("py");
    for (size_t file = 0; file < 5; file++) {
        char name[32];
        (void)snprintf(name, sizeof name, "data_batch_%zu", file + 1);
        put_pickle(name, file, "labels");
    }
    put_pickle("test_batch", 5, "labels");
    static const char meta[] =
        "\x80\x02}(U\x0blabel_names](U\x01"
        "aU\x01"
        "bU\x01"
        "cU\x01"
        "dU\x01"
        "eU\x01"
        "fU\x01"
        "gU\x01"
        "hU\x01"
        "iU\x01"
        "jeu.";
    put("batches.meta", meta, sizeof meta - 1);
}

static void check_images(const LutraDataset *dataset, size_t train_files) {
    assert_int_equal(dataset->channels, 3);
    assert_int_equal(dataset->height, 32);
    assert_int_equal(dataset->width, 32);
    assert_int_equal(dataset->splits[0].count, train_files * PER_FILE);
    assert_int_equal(dataset->splits[1].count, PER_FILE);
    for (size_t file = 0; file <= train_files; file++) {
        const LutraSplit *const split = &dataset->splits[file == train_files];
        for (size_t i = 0; i < PER_FILE; i++) {
            const size_t image = file == train_files ? i : file * PER_FILE + i;
            assert_int_equal(split->labels[image], file + i);
            for (size_t p = 0; p < PIXELS; p++) {
                assert_int_equal(split->images[image * PIXELS + p], pixel(file, i, p));
            }
        }
    }
}

static void both_layouts_of_cifar10_are_read(void **state) {
    (void)state;
    LutraError error;
    LutraDataset dataset = {0};
    for (int python = 0; python < 2; python++) {
        if (python == 1) {
            write_python10();
        } else {
            write_binary10();
        }
        check_status(lutra_cifar_read(&dataset, LUTRA_CIFAR_10, folder, NULL, &error), LUTRA_OK,
                     &error);
        assert_string_equal(dataset.name, "cifar-10");
        assert_non_null(strstr(dataset.source, python == 1 ? "Python" : "binary"));
        assert_int_equal(dataset.class_count, 10);
        assert_string_equal(dataset.class_names[0], "a");
        assert_string_equal(dataset.class_names[9], "j");
        check_images(&dataset, 5);
        lutra_dataset_deinit(&dataset);
    }
}

static void both_layouts_of_cifar100_are_read(void **state) {
    (void)state;
    LutraError error;
    LutraDataset dataset = {0};
    fresh_folder("bin100");
    put_binary("train.bin", 0, PER_FILE, 2);
    put_binary("test.bin", 1, PER_FILE, 2);
    check_status(lutra_cifar_read(&dataset, LUTRA_CIFAR_100, folder, "mine", &error), LUTRA_OK,
                 &error);
    assert_string_equal(dataset.name, "mine");
    assert_int_equal(dataset.class_count, 100);
    assert_string_equal(dataset.class_names[99], "99");
    check_images(&dataset, 1);
    lutra_dataset_deinit(&dataset);

    fresh_folder("py100");
    put_pickle("train", 0, "fine_labels");
    put_pickle("test", 1, "fine_labels");
    check_status(lutra_cifar_read(&dataset, LUTRA_CIFAR_100, folder, NULL, &error), LUTRA_OK,
                 &error);
    assert_string_equal(dataset.name, "cifar-100");
    check_images(&dataset, 1);
    lutra_dataset_deinit(&dataset);
    put_pickle("train", 0, "coarse_labels");
    check_status(lutra_cifar_read(&dataset, LUTRA_CIFAR_100, folder, NULL, &error), LUTRA_EDATA,
                 &error);
}

static void the_unpacked_folder_may_lie_below(void **state) {
    (void)state;
    LutraError error;
    LutraDataset dataset = {0};
    char outer[256];
    char inner[400];
    fresh_folder("outer");
    memcpy(outer, folder, sizeof outer);
    (void)snprintf(inner, sizeof inner, "%s/cifar-10-batches-bin", outer);
    write_binary10();
    assert_int_equal(rename(folder, inner), 0);
    check_status(lutra_cifar_read(&dataset, LUTRA_CIFAR_10, outer, NULL, &error), LUTRA_OK, &error);
    check_images(&dataset, 5);
    lutra_dataset_deinit(&dataset);
}

static void check_refused(LutraStatus status, const char *part) {
    LutraError error = {""};
    LutraDataset dataset = {.channels = 99};
    check_status(lutra_cifar_read(&dataset, LUTRA_CIFAR_10, folder, NULL, &error), status, &error);
    if (strstr(error.message, part) == NULL || strstr(error.message, folder) == NULL) {
        fail_msg("the sentence is: %s", error.message);
    }
    assert_int_equal(dataset.channels, 99);
}

static void bad_files_are_refused_by_name(void **state) {
    (void)state;
    static uint8_t data[PER_FILE * (PIXELS + 1)];
    write_binary10();
    put("data_batch_3.bin", data, PER_FILE * (PIXELS + 1) - 1);
    check_refused(LUTRA_EDATA, "data_batch_3.bin' is truncated or foreign");
    put("data_batch_3.bin", data, 2 * (PIXELS + 1));
    check_refused(LUTRA_EDATA, "data_batch_3.bin' holds 2 images, the batch before it 3");
    put("data_batch_3.bin", data, 0);
    check_refused(LUTRA_EDATA, "data_batch_3.bin' is empty");
    data[PIXELS + 1] = 10;
    put("data_batch_3.bin", data, sizeof data);
    check_refused(LUTRA_EDATA, "image 1 has label 10, labels go from 0 to 9");
    write_binary10();
    put_binary("test_batch.bin", 5, 2, 1);
    check_refused(LUTRA_EDATA, "test_batch.bin' holds 2 images");
    write_binary10();
    put("batches.meta.txt", "a\nb\n", 4);
    check_refused(LUTRA_EDATA, "names 2 classes, not 10");
    write_binary10();
    char path[400];
    (void)snprintf(path, sizeof path, "%s/data_batch_5.bin", folder);
    assert_int_equal(remove(path), 0);
    check_refused(LUTRA_EIO, "data_batch_5.bin': No such file");
    (void)snprintf(path, sizeof path, "%s/data_batch_1.bin", folder);
    assert_int_equal(remove(path), 0);
    check_refused(LUTRA_EIO, "holds neither 'data_batch_1.bin' nor 'data_batch_1'");
    write_python10();
    put("data_batch_2",
        "\x80\x02"
        "cos\nsystem\nU\x04true\x85R.",
        22);
    check_refused(LUTRA_EDATA, "data_batch_2' is not a CIFAR pickle: it asks for code");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_layouts_of_cifar10_are_read),
        cmocka_unit_test(both_layouts_of_cifar100_are_read),
        cmocka_unit_test(the_unpacked_folder_may_lie_below),
        cmocka_unit_test(bad_files_are_refused_by_name),
    };
    return cmocka_run_group_tests_name("cifar", tests, NULL, NULL);
}
