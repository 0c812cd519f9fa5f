/* SPDX-License-Identifier: Apache-2.0 */
/* Linear layers on ciphertexts are the integer layers on every word. */
#include "bridge/linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "sim/operations.h"
#include "sim/torus_linear.h"
#include "tests/support/check.h"

typedef struct {
    LutraShape x_shape;
    uint32_t outputs;
    uint32_t kernel;
    uint32_t stride;
    uint32_t padding;
    size_t words;
} Case;

enum { VERSIONS = 3 };
static const uint32_t versions[VERSIONS] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};

static const Case cases[] = {
    {{1, 1, 1}, 1, 1, 1, 0, 1},   {{2, 3, 5}, 3, 3, 1, 1, 3},   {{3, 6, 4}, 17, 2, 2, 0, 5},
    {{5, 5, 5}, 33, 5, 1, 0, 2},  {{2, 4, 4}, 2, 3, 2, 1, 127}, {{1, 3, 3}, 16, 3, 1, 2, 128},
    {{4, 2, 2}, 15, 2, 1, 1, 129}, {{7, 1, 1}, 9, 1, 1, 0, 300},  {{8, 3, 3}, 3, 2, 1, 1, 64},
    {{65, 1, 1}, 2, 1, 1, 0, 97},
};

static LutraShape shape_of(const Case *c) {
    return (LutraShape){c->outputs,
                        (c->x_shape.height + 2 * c->padding - c->kernel) / c->stride + 1,
                        (c->x_shape.width + 2 * c->padding - c->kernel) / c->stride + 1};
}

static uint64_t *random_words(size_t count, LutraRandomKey key) {
    uint64_t *words = malloc(count * sizeof *words);
    assert_non_null(words);
    for (size_t i = 0; i < count; i++) {
        words[i] = lutra_random_u64(key, i);
    }
    return words;
}

/** All weights, with 0, 1, -1 and the ends common. */
static int8_t *random_weights(size_t count, LutraRandomKey key) {
    static const int8_t common[8] = {0, 1, -1, 127, -128, 2, -3, 0};
    int8_t *weights = malloc(count);
    assert_non_null(weights);
    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = lutra_random_u64(key, i);
        weights[i] = draw & 8 ? (int8_t)(uint8_t)(draw >> 8) : common[draw & 7];
    }
    return weights;
}

/** Word `word` of every ciphertext; free. */
static uint64_t *plane_of(const uint64_t *x, size_t count, size_t words, size_t word) {
    uint64_t *plane = malloc(count * sizeof *plane);
    assert_non_null(plane);
    for (size_t i = 0; i < count; i++) {
        plane[i] = x[i * words + word];
    }
    return plane;
}

/** Fails unless each word of the outputs is the convolution of that word of the inputs. */
static void check_conv(const Case *c, const LutraConvOperation *conv, const uint64_t *y,
                       const uint64_t *x) {
    const LutraShape shape = shape_of(c);
    const size_t count = lutra_shape_elements(shape);
    uint64_t *expected = malloc(count * sizeof *expected);
    assert_non_null(expected);
    for (size_t word = 0; word < c->words; word++) {
        uint64_t *inputs = plane_of(x, lutra_shape_elements(c->x_shape), c->words, word);
        uint64_t *outputs = plane_of(y, count, c->words, word);
        lutra_words_conv(expected, conv, shape, inputs, c->x_shape);
        assert_memory_equal(outputs, expected, count * sizeof *expected);
        free(inputs);
        free(outputs);
    }
    free(expected);
}

/* All versions of the kernel against the reference: every number of rows and of words, all weights,
 * off the alignment of vectors, with canaries around the results. */
static void versions_give_the_same_words(void **state) {
    (void)state;
    const uint32_t flags = lutra_cpu_detect();
    uint64_t *rows = random_words((size_t)LUTRA_LINEAR_ROWS * LUTRA_LINEAR_TILE + 1, check_key(70));
    LutraLinearKernels kernels;
    lutra_linear_kernels_init(&kernels, LUTRA_CPU_AVX2);
    assert_int_equal(kernels.add_rows != lutra_linear_add_rows_ref, (flags & LUTRA_CPU_AVX2) != 0);
    lutra_linear_kernels_init(&kernels, LUTRA_CPU_ALL);
    assert_int_equal(kernels.add_rows == lutra_linear_add_rows_avx512,
                     (flags & LUTRA_CPU_AVX512) != 0);
    for (uint32_t version = 1; version < VERSIONS; version++) {
        lutra_linear_kernels_init(&kernels, versions[version]);
        for (uint32_t n = 0; n < 300; n++) {
            const size_t count = 1 + n % LUTRA_LINEAR_TILE;
            const size_t row_count = n % (LUTRA_LINEAR_ROWS + 1);
            int8_t *weights = random_weights(row_count + 1, check_key(200 + n));
            uint64_t expected[LUTRA_LINEAR_TILE];
            CheckBuffer buffer;
            check_buffer_init(&buffer, count * sizeof(uint64_t), 8);
            uint64_t *y = (uint64_t *)(void *)buffer.data;
            memcpy(y, rows, count * sizeof *y);
            memcpy(expected, rows, count * sizeof *y);
            lutra_linear_add_rows_ref(expected, rows + 1, weights, row_count, count);
            kernels.add_rows(y, rows + 1, weights, row_count, count);
            assert_memory_equal(y, expected, count * sizeof *y);
            check_buffer_done(&buffer);
            free(weights);
        }
    }
    free(rows);
}

static void convolutions_match_the_definition(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const Case *const c = &cases[n];
        const LutraShape shape = shape_of(c);
        const size_t y_words = lutra_shape_elements(shape) * c->words;
        const LutraRandomKey key = check_key((uint32_t)n);
        uint64_t *x = random_words(lutra_shape_elements(c->x_shape) * c->words, key);
        int8_t *weights = random_weights(
            (size_t)c->outputs * c->x_shape.channels * c->kernel * c->kernel, check_key(50));
        const LutraConvOperation conv = {c->x_shape.channels, c->kernel, c->stride, c->padding,
                                         weights};
        for (uint32_t version = 0; version < VERSIONS; version++) {
            LutraLinearKernels kernels;
            CheckBuffer buffer;
            lutra_linear_kernels_init(&kernels, versions[version]);
            check_buffer_init(&buffer, y_words * sizeof(uint64_t), 8);
            uint64_t *y = (uint64_t *)(void *)buffer.data;
            lutra_ciphertexts_conv(y, &kernels, &conv, shape, x, c->x_shape, c->words,
                                   1 + version);
            check_conv(c, &conv, y, x);
            check_buffer_done(&buffer);
        }
        free(x);
        free(weights);
    }
}

/* Small integers as words: the same numbers as the clear reference, for all operations. */
static void words_follow_the_clear_reference(void **state) {
    (void)state;
    enum { WORDS = 3 };
    const LutraShape x_shape = {3, 7, 6};
    const size_t count = lutra_shape_elements(x_shape);
    int32_t *codes = malloc(count * sizeof *codes);
    uint64_t *x = malloc(count * WORDS * sizeof *x);
    for (size_t i = 0; i < count; i++) {
        codes[i] = (int32_t)lutra_random_below(check_key(60), i, 2001) - 1000;
        for (size_t j = 0; j < WORDS; j++) {
            x[i * WORDS + j] = (uint64_t)(int64_t)codes[i] << (j * 20);
        }
    }
    const LutraSumPoolOperation pool = {3, 2};
    const LutraShape pooled = {3, 3, 2};
    int8_t *weights = random_weights(5 * count, check_key(61));
    const LutraLinearOperation linear = {(uint32_t)count, weights};
    int32_t expected[18];
    uint64_t y[18 * WORDS];
    lutra_operation_sum_pool(expected, &pool, pooled, codes, x_shape);
    lutra_ciphertexts_sum_pool(y, &pool, pooled, x, x_shape, WORDS, 2);
    for (size_t i = 0; i < 18 * WORDS; i++) {
        assert_true(y[i] == (uint64_t)(int64_t)expected[i / WORDS] << (i % WORDS * 20));
    }
    lutra_operation_linear(expected, &linear, 5, codes);
    LutraLinearKernels kernels;
    lutra_linear_kernels_init(&kernels, LUTRA_CPU_ALL);
    lutra_ciphertexts_linear(y, &kernels, &linear, 5, x, WORDS, 2);
    for (size_t i = 0; i < 5 * WORDS; i++) {
        assert_true(y[i] == (uint64_t)(int64_t)expected[i / WORDS] << (i % WORDS * 20));
    }
    free(codes);
    free(x);
    free(weights);
}

static void word_operations_may_work_in_place(void **state) {
    (void)state;
    const size_t counts[] = {0, 1, 7, 65535, 65536, 65537, 200000};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        const size_t count = counts[n];
        uint64_t *a = random_words(count + 1, check_key(70));
        uint64_t *b = random_words(count + 1, check_key(71));
        uint64_t *y = random_words(count + 1, check_key(72));
        for (size_t i = 0; i < count; i++) {
            y[i] = a[i];
        }
        const uint64_t after = y[count];
        lutra_ciphertexts_add(y, y, b, count, 2);
        for (size_t i = 0; i < count; i++) {
            assert_true(y[i] == a[i] + b[i]);
        }
        lutra_ciphertexts_subtract(y, a, count, 2);
        assert_memory_equal(y, b, count * sizeof *y);
        lutra_ciphertexts_shift(y, y, 13, count, 2);
        for (size_t i = 0; i < count; i++) {
            assert_true(y[i] == b[i] << 13);
        }
        assert_true(y[count] == after);
        free(a);
        free(b);
        free(y);
    }
}

static void constants_go_to_bodies_only(void **state) {
    (void)state;
    uint64_t y[6] = {1, 2, 3, 4, 5, UINT64_MAX};
    lutra_ciphertexts_add_constant(y, 10, 2, 3);
    const uint64_t expected[6] = {1, 2, 13, 4, 5, 9};
    assert_memory_equal(y, expected, sizeof y);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_give_the_same_words),
        cmocka_unit_test(convolutions_match_the_definition),
        cmocka_unit_test(words_follow_the_clear_reference),
        cmocka_unit_test(word_operations_may_work_in_place),
        cmocka_unit_test(constants_go_to_bodies_only),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/linear", tests, NULL, NULL);
}
