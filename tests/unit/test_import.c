/* SPDX-License-Identifier: Apache-2.0 */
/* Files of named arrays, and their way into a model: by name, by position, and every refusal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hdf5_file.h"
#include "base/memory.h"
#include "quant/import.h"
#include "tests/support/check.h"

static const char network_text[] =
    "[network]\nname = net\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = float\n"
    "[first]\ntype = conv\nchannels = 2\nkernel = 2\nbias = yes\nweight_codes = float\n"
    "[r]\ntype = activation\ncodes = float\nfunction = relu\n"
    "[second]\ntype = conv\nchannels = 3\nkernel = 1\nweight_codes = float\n"
    "[s]\ntype = activation\ncodes = float\nfunction = relu\n"
    "[fc]\ntype = linear\nfeatures = 2\nbias = yes\nweight_codes = float\n";

/* A safetensors file: header and data one after the other. */
static LutraStatus parse(LutraTensorFile *file, const char *header, const void *data,
                         size_t data_bytes, LutraError *error) {
    LutraBytes bytes = {0};
    const size_t length = strlen(header);
    check_status(lutra_alloc(&bytes.data, 9 + length + data_bytes, 1, error), LUTRA_OK, error);
    bytes.bytes = 8 + length + data_bytes;
    bytes.data[0] = (uint8_t)length;
    bytes.data[1] = (uint8_t)(length >> 8);
    memcpy(bytes.data + 8, header, length);
    memcpy(bytes.data + 8 + length, data, data_bytes);
    const LutraStatus status = lutra_safetensors_parse(file, &bytes, "w.safetensors", error);
    assert_true((bytes.data == NULL) == (status == LUTRA_OK));
    lutra_bytes_deinit(&bytes);
    return status;
}

static void every_type_is_read(void **state) {
    (void)state;
    static const uint8_t data[] = {
        0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0xB9, 0x3F,              /* 0.1 in 64 bits */
        0x00, 0x3C, 0x01, 0x00, 0x00, 0xC4, 0xFF, 0x7B, 0x00, 0x80, /* 1, 2^-24, -4, 65504, -0 */
        0x80, 0x3F, 0x00, 0x00, 0x40, 0xC0};                        /* bfloat16 1; -3 */
    LutraTensorFile file = {0};
    LutraError error = {""};
    float values[5];
    check_status(parse(&file,
                       "{\"__metadata__\":{\"x\":\"y\"},"
                       "\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                       "\"b\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[8,18]},"
                       "\"c\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[18,20]},"
                       "\"d\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[20,24]},"
                       "\"e\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]}}  ",
                       data, sizeof data, &error), LUTRA_OK, &error);
    assert_int_equal(file.count, 5);
    check_status(lutra_tensor_read(values, &file, lutra_tensor_find(&file, "a"), &error), LUTRA_OK,
                 &error);
    assert_true(values[0] == 0.1f);
    check_status(lutra_tensor_read(values, &file, lutra_tensor_find(&file, "b"), &error), LUTRA_OK,
                 &error);
    assert_true(values[0] == 1.0f && values[1] == 0x1p-24f && values[2] == -4.0f &&
                values[3] == 65504.0f && values[4] == 0.0f && signbit(values[4]));
    check_status(lutra_tensor_read(values, &file, lutra_tensor_find(&file, "c"), &error), LUTRA_OK,
                 &error);
    assert_true(values[0] == 1.0f);
    check_status(lutra_tensor_read(values, &file, lutra_tensor_find(&file, "d"), &error), LUTRA_OK,
                 &error);
    assert_true(values[0] == -3.0f);
    check_status(lutra_tensor_read(values, &file, lutra_tensor_find(&file, "e"), &error),
                 LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "tensor 'e' is not F32"));
    assert_null(lutra_tensor_find(&file, "__metadata__"));
    lutra_tensor_file_deinit(&file);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
#define TENSOR(shape, offsets) \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    static const struct {
        const char *header;
        const char *sentence;
    } files[] = {
        {"{", "is not one JSON value"},
        {"{} {}", "is not one JSON value"},
        {"[]", "is not an object of tensors"},
        {"{\"a\":7}", "tensor 'a' has no dtype"},
        {"{\"a\":{\"dtype\":\"F32\"}}", "tensor 'a' has no dtype, or no shape"},
        {TENSOR("[1,-1]", "[0,4]"), "no shape of at most 8 whole numbers"},
        {TENSOR("[1.5]", "[0,4]"), "no shape of at most 8 whole numbers"},
        {TENSOR("[1,1,1,1,1,1,1,1,1]", "[0,4]"), "no shape of at most 8"},
        {TENSOR("[1]", "[0]"), "no two data_offsets inside the file"},
        {TENSOR("[1]", "[4,0]"), "no two data_offsets inside the file"},
        {TENSOR("[2]", "[4,12]"), "no two data_offsets inside the file"},
        {TENSOR("[2]", "[0,4]"), "not as many bytes as its shape asks for"},
        {TENSOR("[65536,65536,4294967295]", "[0,4]"), "not as many bytes as its shape"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        LutraTensorFile file = {0};
        LutraError error = {""};
        check_status(parse(&file, files[i].header, "12345678", 8, &error), LUTRA_EDATA, &error);
        if (strstr(error.message, files[i].sentence) == NULL) {
            fail_msg("file %zu: '%s' does not contain '%s'", i, error.message, files[i].sentence);
        }
        assert_null(file.tensors);
    }
    LutraBytes tiny = {0};
    LutraTensorFile file = {0};
    LutraError error = {""};
    check_status(lutra_alloc(&tiny.data, 8, 1, &error), LUTRA_OK, &error);
    tiny.bytes = 7;
    check_status(lutra_safetensors_parse(&file, &tiny, "tiny", &error), LUTRA_EDATA, &error);
    tiny.bytes = 8;
    tiny.data[6] = 1; /* a header of 2^48 bytes */
    check_status(lutra_safetensors_parse(&file, &tiny, "tiny", &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "neither HDF5 nor safetensors"));
    lutra_bytes_deinit(&tiny);
}

/* ---- into a model, from HDF5 files made here ---- */

static float next_value;

static void put(LutraH5 *file, const char *name, uint32_t rank, uint64_t a, uint64_t b, uint64_t c,
                uint64_t d) {
    LutraError error = {""};
    float values[64];
    const uint64_t dims[4] = {a, b, c, d};
    size_t count = 1;
    for (uint32_t r = 0; r < rank; r++) {
        count *= (size_t)dims[r];
    }
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        values[i] = next_value;
        next_value += 0.25f;
    }
    check_status(lutra_h5_write(file, name, values, LUTRA_H5_F32, rank, dims, &error), LUTRA_OK,
                 &error);
}

typedef enum { PLAIN, NO_BIAS, WRONG_SHAPE, ONE_MORE, OTHER_HEAD, NAMED, NOTHING, CASES } Case;

static void make_file(const char *path, Case which) {
    LutraH5 *file = NULL;
    LutraError error = {""};
    next_value = 1.0f;
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    if (which != NOTHING) {
        put(file, "features.0.weight", 4, 2, 1, 2, 2); /* 1.00 .. */
        if (which != NO_BIAS) {
            put(file, "features.0.bias", 1, 2, 0, 0, 0); /* 3.00, 3.25 */
        }
        put(file, "features.10.weight", 4, 3, 2, 1, which == WRONG_SHAPE ? 2 : 1); /* 3.50 .. */
    }
    if (which == ONE_MORE) {
        put(file, "features.3.weight", 4, 3, 2, 1, 1);
    }
    if (which == OTHER_HEAD) {
        put(file, "classifier.0.weight", 2, 4, 3, 0, 0);
        put(file, "classifier.0.bias", 1, 4, 0, 0, 0);
        put(file, "classifier.6.weight", 2, 2, 4, 0, 0);
    } else {
        put(file, which == NAMED ? "fc.weight" : which == NOTHING ? "x.weight"
                                                                  : "classifier.6.weight",
            2, 2, 27, 0, 0);
        put(file, which == NAMED ? "fc.bias" : "classifier.6.bias", 1, 2, 0, 0, 0);
    }
    check_status(lutra_h5_write_text(file, "some_group", "key", "text", &error), LUTRA_OK, &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
}

static void layers_take_arrays_by_name_and_position(void **state) {
    (void)state;
    static const char *const sentences[CASES] = {
        [NO_BIAS] = "has 'features.0.weight', but no bias beside it; layer 'first' wants one of 2",
        [WRONG_SHAPE] = "tensor 'features.10.weight' is 3x2x1x2, but layer 'second' wants 3x2x1x1",
        [ONE_MORE] = "has 3 convolutions features.N.weight, but network 'net' has 2",
        [NOTHING] = "has no weights for network 'net'"};
    for (Case which = PLAIN; which < CASES; which++) {
        const char *path = check_temporary("weights.h5");
        LutraNetwork network = {0};
        LutraModel model = {0};
        LutraTensorFile file = {0};
        LutraImportReport report = {.copied = 77};
        LutraError error = {""};
        make_file(path, which);
        check_status(lutra_network_parse(&network, network_text, "t", &error), LUTRA_OK, &error);
        check_status(lutra_model_create(&model, &network, 1, &error), LUTRA_OK, &error);
        const float first = model.layers[1].weights[0];
        const float head = model.layers[5].weights[0];
        check_status(lutra_tensor_file_open(&file, path, &error), LUTRA_OK, &error);
        const LutraStatus status = lutra_import_weights(&model, &file, &report, &error);
        check_status(status, sentences[which] == NULL ? LUTRA_OK : LUTRA_EDATA, &error);
        if (sentences[which] != NULL) {
            if (strstr(error.message, sentences[which]) == NULL) {
                fail_msg("case %d: '%s'", (int)which, error.message);
            }
            assert_int_equal(report.copied, 77);
            assert_true(model.layers[1].weights[0] == first);
        } else {
            assert_true(model.layers[1].weights[7] == 2.75f && model.layers[1].bias[1] == 3.25f);
            assert_true(model.layers[3].weights[0] == 3.5f);
            assert_int_equal(report.copied, which == OTHER_HEAD ? 2 : 3);
            assert_int_equal(report.kept, which == OTHER_HEAD ? 1 : 0);
            assert_int_equal(report.unused, which == OTHER_HEAD ? 3 : 0);
            assert_true((model.layers[5].weights[0] == head) == (which == OTHER_HEAD));
            assert_string_equal(report.first_kept, which == OTHER_HEAD ? "fc" : "");
            assert_string_equal(report.first_unused,
                                which == OTHER_HEAD ? "classifier.0.bias" : "");
        }
        lutra_tensor_file_deinit(&file);
        lutra_model_deinit(&model);
    }
}

static void other_files_are_refused(void **state) {
    (void)state;
    const char *path = check_temporary("other.txt");
    LutraTensorFile file = {0};
    LutraError error = {""};
    check_status(lutra_file_write(path, "no weights, but some words", 26, true, &error), LUTRA_OK,
                 &error);
    check_status(lutra_tensor_file_open(&file, path, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "is neither HDF5 nor safetensors"));
    check_status(lutra_tensor_file_open(&file, "/no/such/file", &error), LUTRA_EIO, &error);
    assert_null(file.path);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(layers_take_arrays_by_name_and_position),
        cmocka_unit_test(other_files_are_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
