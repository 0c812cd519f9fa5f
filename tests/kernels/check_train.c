/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant of the training kernels gives the bits of _ref, and writes nothing beside its
 * result. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/kernels.h"

static const size_t counts[] = {0,  1,  2,  3,  5,  7,  8,   9,   15,  16,
                                31, 33, 63, 64, 65, 17, 127, 900, 8200};
enum { COUNTS = sizeof counts / sizeof counts[0], MOST = 8200 };

typedef struct {
    LutraTrainKernels ref;
    LutraTrainKernels fast;
} Pair;

/* The instruction sets of this run of all tests. */
static uint32_t fast_flags;

static Pair kernels_pair(void) {
    Pair pair;
    lutra_train_kernels_init(&pair.ref, 0);
    lutra_train_kernels_init(&pair.fast, fast_flags);
    return pair;
}

static double draw(uint32_t number, size_t i) {
    return lutra_random_uniform(check_key(number), i);
}

/* Whole numbers of up to 3456 in magnitude. */
static void fill_sums(float *sums, size_t count, uint32_t number) {
    for (size_t i = 0; i < count; i++) {
        sums[i] = (float)floor((draw(number, i) - 0.5) * 6913.0);
    }
}

static void fill_reals(float *values, size_t count, uint32_t number) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)((draw(number, i) - 0.5) * 4.0);
    }
}

/* Channel functions of every kind, with thresholds that many sums meet exactly. */
static LutraChannelFunction function_of(int kind) {
    LutraChannelFunction function = {.scale = 1.0f, .quantizer = {-1, 1, 1.0f}};
    switch (kind) {
    case 0: /* ties: half-integers of a pool */
        function.scale = 0.25f;
        break;
    case 1:
        function = (LutraChannelFunction){1.0f / 128.0f, 0.0f, true, 0.37f, 0.11f, -1.3f, 0.2f,
                                          {-1, 1, 1.0f}, false};
        break;
    case 2:
        function = (LutraChannelFunction){0.01f, 0.5f, true, 1.5f, 0.2f, 0.9f, -0.1f,
                                          {-3, 3, 1.0f / 3.0f}, false};
        break;
    case 3:
        function = (LutraChannelFunction){0.02f, -3.0f, false, 0, 0, 0, 0, {0, 255, 0.25f},
                                          false};
        break;
    case 4:
        function = (LutraChannelFunction){0.001f, 0.0f, true, 0.0f, NAN, 1.0f, 0.0f,
                                          {-128, 127, 0.01f}, false};
        break;
    case 5:
        function = (LutraChannelFunction){1e30f, 0.0f, true, 0.0f, 1e30f, 1.0f, 0.0f,
                                          {-2, 1, 0.5f}, false};
        break;
    case 6: /* after relu, with sums of exactly 0 */
        function = (LutraChannelFunction){0.01f, 0.0f, false, 0, 0, 0, 0, {0, 15, 1.0f}, true};
        break;
    case 7:
        function = (LutraChannelFunction){0.01f, 0.5f, true, 1.5f, 0.2f, 0.9f, -0.1f,
                                          {0, 31, 0.07f}, true};
        break;
    case 8: /* no quantizer */
        function = (LutraChannelFunction){0.01f, 0.0f, false, 0, 0, 0, 0,
                                          {INT32_MIN, INT32_MAX, 1.0f}, true};
        break;
    default:
        break;
    }
    return function;
}
enum { FUNCTIONS = 9, QUANTIZERS = 8 };

/* Without a faster variant the comparisons below compare the reference with itself. */
static void test_variant_is_there(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    if (pair.fast.quantize == pair.ref.quantize) {
        print_message("skipped: this processor has no AVX2, its kernels are not compared\n");
        skip();
    }
}

static void test_moments(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static float sums[MOST];
    for (size_t c = 0; c < COUNTS; c++) {
        LutraMoments expected;
        LutraMoments actual;
        fill_sums(sums, counts[c], (uint32_t)c);
        pair.ref.moments(&expected, sums, counts[c]);
        pair.fast.moments(&actual, sums, counts[c]);
        assert_true(expected.sum == actual.sum);
        assert_true(expected.sum_of_squares == actual.sum_of_squares);
    }
}

static void test_quantize(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static float sums[MOST];
    static uint8_t expected[MOST];
    for (size_t c = 0; c < COUNTS; c++) {
        fill_sums(sums, counts[c], (uint32_t)c);
        for (int kind = 0; kind < QUANTIZERS; kind++) {
            const LutraChannelFunction function = function_of(kind);
            CheckBuffer actual;
            check_buffer_init(&actual, counts[c], 1);
            pair.ref.quantize(expected, sums, counts[c], &function);
            pair.fast.quantize(actual.data, sums, counts[c], &function);
            assert_memory_equal(actual.data, expected, counts[c]);
            check_buffer_done(&actual);
        }
    }
}

static void test_gradients(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static float sums[MOST];
    static float expected[MOST];
    const LutraGradientLine line = {0.7f, -0.01f, 0.3f};
    for (size_t c = 0; c < COUNTS; c++) {
        fill_sums(sums, counts[c], (uint32_t)c);
        for (int kind = 0; kind < FUNCTIONS; kind++) {
            const LutraChannelFunction function = function_of(kind);
            LutraGradientSums from_ref;
            LutraGradientSums from_fast;
            CheckBuffer actual;
            check_buffer_init(&actual, counts[c] * sizeof(float), 4);
            float *gradient = (float *)(void *)actual.data;
            fill_reals(expected, counts[c], 100 + (uint32_t)c);
            memcpy(gradient, expected, counts[c] * sizeof(float));
            pair.ref.gradient_sums(&from_ref, expected, sums, counts[c], &function);
            pair.fast.gradient_sums(&from_fast, gradient, sums, counts[c], &function);
            assert_memory_equal(&from_ref, &from_fast, sizeof from_ref);
            const double step_ref =
                pair.ref.step_gradient(expected, sums, counts[c], &function);
            const double step_fast =
                pair.fast.step_gradient(gradient, sums, counts[c], &function);
            assert_true(step_ref == step_fast || (isnan(step_ref) && isnan(step_fast)));
            pair.ref.gradient_apply(expected, sums, counts[c], &function, line);
            pair.fast.gradient_apply(gradient, sums, counts[c], &function, line);
            for (size_t i = 0; i < counts[c]; i++) { /* the sign of a NaN is nobody's business */
                assert_true(gradient[i] == expected[i] ||
                            (isnan(gradient[i]) && isnan(expected[i])));
            }
            check_buffer_done(&actual);
        }
    }
}

static void test_weight_codes(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    const LutraWeightQuantizer quantizers[] = {{-1, 1, LUTRA_WEIGHT_SCALE_FIXED},
                                               {-31, 31, LUTRA_WEIGHT_SCALE_MAX},
                                               {-127, 127, LUTRA_WEIGHT_SCALE_MAX},
                                               {-2, 3, LUTRA_WEIGHT_SCALE_MAX}};
    static float weights[MOST];
    static float expected[MOST];
    static int8_t codes[MOST];
    for (size_t c = 0; c < COUNTS; c++) {
        fill_reals(weights, counts[c], (uint32_t)c);
        if (counts[c] > 12) {
            weights[9] = NAN;
            weights[10] = 0.5f;
            weights[11] = -1.5f;
        }
        for (size_t q = 0; q < 4; q++) {
            const float scale = q == 0 ? 1.0f : 0.03f;
            CheckBuffer actual;
            check_buffer_init(&actual, counts[c] * sizeof(float), 4);
            float *result = (float *)(void *)actual.data;
            const double sum = pair.ref.weight_codes(expected, weights, counts[c], &quantizers[q],
                                                     scale);
            assert_true(pair.fast.weight_codes(result, weights, counts[c], &quantizers[q],
                                               scale) == sum);
            lutra_weight_codes(codes, &quantizers[q], weights, counts[c], scale);
            for (size_t i = 0; i < counts[c]; i++) {
                assert_true(result[i] == expected[i] && result[i] == (float)codes[i]);
            }
            check_buffer_done(&actual);
        }
    }
}

static void test_adam(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    const LutraAdamStep step = {0.9f, 0.1f, 0.999f, 0.001f, 0.3f, 0.25f, 0.04f, 0.01f, 0.75f, 1.0f};
    static float gradient[MOST];
    for (size_t c = 0; c < COUNTS; c++) {
        CheckBuffer buffers[2][3];
        float *arrays[2][3];
        const size_t bytes = counts[c] * sizeof(float);
        for (int side = 0; side < 2; side++) {
            for (uint32_t a = 0; a < 3; a++) {
                check_buffer_init(&buffers[side][a], bytes, 4 * (a + 1));
                arrays[side][a] = (float *)(void *)buffers[side][a].data;
                fill_reals(arrays[side][a], counts[c], a);
                for (size_t i = 0; a == 2 && i < counts[c]; i++) {
                    arrays[side][a][i] = fabsf(arrays[side][a][i]);
                }
            }
        }
        fill_reals(gradient, counts[c], 7);
        pair.ref.adam(arrays[0][0], arrays[0][1], arrays[0][2], gradient, counts[c], &step);
        pair.fast.adam(arrays[1][0], arrays[1][1], arrays[1][2], gradient, counts[c], &step);
        for (int a = 0; a < 3; a++) {
            assert_memory_equal(arrays[0][a], arrays[1][a], bytes);
            check_buffer_done(&buffers[0][a]);
            check_buffer_done(&buffers[1][a]);
        }
    }
}

static void test_adam_keeps_nan(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    const LutraAdamStep step = {0.9f, 0.1f, 0.999f, 0.001f, 0.3f, 1e-8f, 0.04f, 0.0f, 1.0f, 1.0f};
    float values[9];
    float first[9] = {0.0f};
    float second[9] = {0.0f};
    float gradient[9] = {0.0f};
    for (int i = 0; i < 9; i++) {
        values[i] = NAN;
    }
    pair.fast.adam(values, first, second, gradient, 9, &step);
    assert_true(isnan(values[0]) && isnan(values[8]));
}

static void test_close_rows(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static float from[4 * 80];
    fill_reals(from, sizeof from / sizeof from[0], 5);
    for (size_t width = 1; width <= 50; width++) {
        CheckBuffer actual;
        check_buffer_init(&actual, 4 * width * sizeof(float), 4 * (width % 5));
        float *rows = (float *)(void *)actual.data;
        pair.fast.close_rows(rows, from + 1, 4, width, width + 13);
        for (size_t i = 0; i < 4 * width; i++) {
            assert_true(rows[i] == from[1 + ((i / width) * (width + 13)) + (i % width)]);
        }
        check_buffer_done(&actual);
    }
}

static void test_widen(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static uint8_t bytes[MOST + 1];
    for (size_t i = 0; i < MOST + 1; i++) {
        bytes[i] = (uint8_t)(i * 37);
    }
    for (size_t c = 0; c < COUNTS; c++) {
        CheckBuffer actual;
        check_buffer_init(&actual, counts[c] * sizeof(float), 4);
        float *values = (float *)(void *)actual.data;
        pair.fast.widen(values, bytes + 1, counts[c], -128.0f);
        for (size_t i = 0; i < counts[c]; i++) {
            assert_true(values[i] == (float)bytes[i + 1] - 128.0f);
        }
        check_buffer_done(&actual);
    }
}

/*
 * Products against the sums written out, for odd numbers of quads, random offsets and an odd number
 * of tiles; sometimes every product is an extreme one, so that the magnitudes reach 32767.
 */
static void check_byte_products(const LutraTrainKernels *kernels, uint32_t number, size_t positions,
                                size_t quads) {
    enum { SPARE = 64, MOST_POSITIONS = 136, MOST_QUADS = 33 };
    static uint8_t bytes[4 * MOST_POSITIONS + SPARE];
    static uint32_t offsets[MOST_QUADS];
    static int8_t weights[16 * MOST_QUADS];
    assert_true(positions <= MOST_POSITIONS && quads <= MOST_QUADS);
    const bool extreme = draw(number, 0) < 0.25;
    const int32_t limit = quads == 0 ? 127 : (int32_t)(32767 / (255 * 4 * quads));
    const int32_t top = limit > 127 ? 127 : limit; /* a weight that 255 may meet */
    const int32_t byte = top > 0 ? 255 : (int32_t)(32767 / (4 * quads));
    const int32_t weight = top > 0 ? top : 1;
    int32_t corrections[4];
    CheckBuffer actual;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(extreme ? byte : (int32_t)(draw(number, 100 + i) * (byte + 1)));
    }
    for (size_t q = 0; q < quads; q++) {
        offsets[q] = (uint32_t)(draw(number, 2000 + q) * (SPARE + 1));
    }
    for (size_t i = 0; i < 16 * quads; i++) {
        const int32_t sign = i / 4 % 2 == 0 ? 1 : -1;
        const double span = 2 * weight + 1;
        weights[i] = (int8_t)(extreme ? sign * weight
                                      : (int32_t)(draw(number, 3000 + i) * span) - weight);
    }
    for (size_t j = 0; j < 4; j++) {
        corrections[j] = (int32_t)(draw(number, 5000 + j) * 60000.0) - 30000;
    }
    check_buffer_init(&actual, 4 * positions * sizeof(float), 4 * (number % 8));
    float *const sums = (float *)(void *)actual.data;
    kernels->byte_products(sums, bytes, offsets, quads, weights, corrections, positions);
    for (size_t j = 0; j < 4; j++) {
        for (size_t p = 0; p < positions; p++) {
            int32_t total = corrections[j];
            for (size_t k = 0; k < 4 * quads; k++) {
                total += bytes[offsets[k / 4] + (4 * p) + k % 4] *
                         weights[((k / 4 * 4) + j) * 4 + k % 4];
            }
            if (sums[(j * positions) + p] != (float)total) {
                fail_msg("%zu quads, %zu positions: row %zu, position %zu is %g, expected %d",
                         quads, positions, j, p, (double)sums[(j * positions) + p], (int)total);
            }
        }
    }
    check_buffer_done(&actual);
}

static void test_byte_products(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static const size_t positions[] = {0, 8, 16, 24, 40, 64, 136};
    static const size_t quads[] = {0, 1, 2, 3, 5, 8, 9, 17, 33};
    uint32_t number = 10000;
    for (size_t p = 0; p < sizeof positions / sizeof positions[0]; p++) {
        for (size_t q = 0; q < sizeof quads / sizeof quads[0]; q++) {
            for (int repeat = 0; repeat < 4; repeat++, number++) {
                check_byte_products(&pair.ref, number, positions[p], quads[q]);
                check_byte_products(&pair.fast, number, positions[p], quads[q]);
            }
        }
    }
}

/* One element of a patch, straight from the definition. */
static float patch_at(const float *plane, const LutraConvShape *shape, int a, int b, int r, int c) {
    const int row = (r * (int)shape->stride) + a - (int)shape->padding;
    const int column = (c * (int)shape->stride) + b - (int)shape->padding;
    if (row < 0 || column < 0 || row >= (int)shape->in_height || column >= (int)shape->in_width) {
        return 0.0f;
    }
    return plane[(row * (int)shape->in_width) + column];
}

static LutraConvShape shape_of(uint32_t height, uint32_t width, uint32_t kernel_height,
                               uint32_t kernel_width, uint32_t stride, uint32_t padding) {
    return (LutraConvShape){.images = 1,
                            .in_channels = 1,
                            .in_height = height,
                            .in_width = width,
                            .out_channels = 1,
                            .out_height = ((height + (2 * padding) - kernel_height) / stride) + 1,
                            .out_width = ((width + (2 * padding) - kernel_width) / stride) + 1,
                            .kernel_height = kernel_height,
                            .kernel_width = kernel_width,
                            .stride = stride,
                            .padding = padding};
}

static void check_patches(const LutraTrainKernels *kernels, const LutraConvShape *shape) {
    const size_t positions = lutra_conv_positions(shape);
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const size_t row_stride = positions + 5;
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    static float plane[32 * 32];
    float expected[32 * 32] = {0.0f};
    CheckBuffer patches;
    CheckBuffer back;
    fill_reals(plane, in_plane, 3);
    check_buffer_init(&patches, ((taps - 1) * row_stride + positions) * sizeof(float), 4);
    check_buffer_init(&back, in_plane * sizeof(float), 4);
    float *rows = (float *)(void *)patches.data;
    float *scattered = (float *)(void *)back.data;
    kernels->gather(rows, row_stride, plane, shape);
    for (int a = 0; a < (int)shape->kernel_height; a++) {
        for (int b = 0; b < (int)shape->kernel_width; b++) {
            const size_t tap = (size_t)((a * (int)shape->kernel_width) + b);
            for (int r = 0; r < (int)shape->out_height; r++) {
                for (int c = 0; c < (int)shape->out_width; c++) {
                    const size_t at = (tap * row_stride) +
                                      (size_t)((r * (int)shape->out_width) + c);
                    assert_true(rows[at] == patch_at(plane, shape, a, b, r, c));
                    const int row = (r * (int)shape->stride) + a - (int)shape->padding;
                    const int column = (c * (int)shape->stride) + b - (int)shape->padding;
                    if (row >= 0 && column >= 0 && row < (int)shape->in_height &&
                        column < (int)shape->in_width) {
                        expected[(row * (int)shape->in_width) + column] += rows[at];
                    }
                }
            }
        }
    }
    kernels->scatter(scattered, rows, row_stride, shape);
    assert_memory_equal(scattered, expected, in_plane * sizeof(float));
    check_buffer_done(&patches);
    check_buffer_done(&back);
}

static void test_patches(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    const LutraConvShape shapes[] = {
        shape_of(5, 7, 3, 3, 1, 0),  shape_of(5, 7, 3, 3, 1, 1), shape_of(9, 11, 3, 3, 2, 1),
        shape_of(12, 12, 4, 4, 2, 0), shape_of(1, 1, 1, 1, 1, 0), shape_of(28, 28, 28, 28, 1, 0),
        shape_of(3, 17, 2, 5, 1, 1), shape_of(10, 10, 5, 5, 3, 2), shape_of(30, 30, 3, 3, 1, 0),
        shape_of(2, 2, 3, 3, 1, 1),  shape_of(6, 6, 2, 2, 5, 1), shape_of(18, 19, 3, 18, 1, 2),
        shape_of(4, 31, 3, 3, 1, 1), shape_of(3, 15, 1, 2, 1, 1)};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_patches(&pair.ref, &shapes[i]);
        check_patches(&pair.fast, &shapes[i]);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variant_is_there),
        cmocka_unit_test(test_byte_products),
        cmocka_unit_test(test_moments),      cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_gradients),    cmocka_unit_test(test_weight_codes),
        cmocka_unit_test(test_adam),         cmocka_unit_test(test_adam_keeps_nan),
        cmocka_unit_test(test_close_rows),
        cmocka_unit_test(test_widen),        cmocka_unit_test(test_patches),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    fast_flags = lutra_cpu_detect() & LUTRA_CPU_AVX2;
    const int failed = cmocka_run_group_tests_name("train kernels, AVX2", tests, NULL, NULL);
    fast_flags = lutra_cpu_detect();
    if ((fast_flags & LUTRA_CPU_VNNI) == 0) {
        print_message("skipped: no AVX-512 VNNI here, its kernels are not compared\n");
        return failed;
    }
    return failed + cmocka_run_group_tests_name("train kernels, AVX-512", tests, NULL, NULL);
}
