/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Average pools by hand, with overlap and with a rest that no window covers; maximum pools against
 * a plain search for the first of the largest elements.
 */
#include "tests/support/check.h"
#include "train/pool.h"

static void test_forward(void **state) {
    (void)state;
    const uint8_t bytes[9] = {0, 1, 2, 2, 2, 2, 1, 0, 2}; /* codes -1 .. 1 */
    const float floats[9] = {-1, 0, 1, 1, 1, 1, 0, -1, 1};
    const LutraPoolShape whole = {1, 3, 3, 1, 1, 2, 2, 1};
    const LutraPoolShape overlapping = {1, 3, 3, 2, 2, 2, 1, 2};
    const float expected[4] = {1, 3, 1, 2};
    float sums[4] = {0};
    lutra_pool_forward(sums, &whole, (LutraConvInput){bytes, NULL, -1});
    assert_true(sums[0] == 1.0f);
    lutra_pool_forward(sums, &overlapping, (LutraConvInput){bytes, NULL, -1});
    assert_memory_equal(sums, expected, sizeof expected);
    sums[2] = 99.0f;
    lutra_pool_forward(sums, &overlapping, (LutraConvInput){NULL, floats, 0});
    assert_memory_equal(sums, expected, sizeof expected);
}

static void test_backward(void **state) {
    (void)state;
    const float gradient[4] = {4, 8, 16, 32};
    const LutraPoolShape overlapping = {1, 3, 3, 2, 2, 2, 1, 1};
    const LutraPoolShape apart = {4, 3, 3, 1, 1, 2, 2, 2};
    const float expected[9] = {1, 3, 2, 5, 15, 10, 4, 12, 8};
    float in_gradient[36];
    lutra_pool_backward(in_gradient, &overlapping, gradient);
    assert_memory_equal(in_gradient, expected, sizeof expected);
    lutra_pool_backward(in_gradient, &apart, gradient);
    for (int p = 0; p < 4; p++) {
        for (int i = 0; i < 9; i++) {
            const float share = i % 3 < 2 && i / 3 < 2 ? gradient[p] / 4.0f : 0.0f;
            assert_true(in_gradient[(p * 9) + i] == share);
        }
    }
}

/* The element of a window that is larger than all before it and no smaller than all after it. */
static size_t plain_first_largest(const uint8_t *plane, size_t width, size_t row, size_t column,
                                  size_t kernel) {
    for (size_t i = 0; i < kernel * kernel; i++) {
        const uint8_t value = plane[((row + (i / kernel)) * width) + column + (i % kernel)];
        int first = 1;
        for (size_t j = 0; j < kernel * kernel; j++) {
            const uint8_t other = plane[((row + (j / kernel)) * width) + column + (j % kernel)];
            first &= j < i ? other < value : other <= value;
        }
        if (first) {
            return ((row + (i / kernel)) * width) + column + (i % kernel);
        }
    }
    fail_msg("a window without a largest element");
    return 0;
}

static void check_max(const LutraPoolShape *shape, uint32_t number) {
    enum { MOST = 4096 };
    static uint8_t input[MOST];
    static uint8_t bytes[MOST];
    static float out_gradient[MOST];
    static float in_gradient[MOST];
    static float expected[MOST];
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t out_plane = (size_t)shape->out_height * shape->out_width;
    for (size_t i = 0; i < shape->planes * in_plane; i++) {
        input[i] = (uint8_t)lutra_random_below(check_key(number), i, 3);
        expected[i] = 0.0f;
        in_gradient[i] = 77.0f;
    }
    for (size_t i = 0; i < shape->planes * out_plane; i++) {
        out_gradient[i] = (float)lutra_random_below(check_key(number + 1), i, 100);
    }
    lutra_max_pool_forward(bytes, shape, input);
    lutra_max_pool_backward(in_gradient, shape, out_gradient, input);
    for (size_t i = 0; i < shape->planes * out_plane; i++) {
        const uint8_t *plane = input + ((i / out_plane) * in_plane);
        const size_t row = ((i % out_plane) / shape->out_width) * shape->stride;
        const size_t column = (i % shape->out_width) * shape->stride;
        const size_t best =
            plain_first_largest(plane, shape->in_width, row, column, shape->kernel);
        assert_int_equal(bytes[i], plane[best]);
        expected[((i / out_plane) * in_plane) + best] += out_gradient[i]; /* whole: exact */
    }
    assert_memory_equal(in_gradient, expected, shape->planes * in_plane * sizeof *expected);
}

static void test_max(void **state) {
    (void)state;
    const LutraPoolShape shapes[3] = {{130, 5, 4, 2, 2, 2, 2, 2}, /* a row is left over */
                                      {7, 9, 11, 7, 9, 3, 1, 1},  /* windows overlap */
                                      {1, 3, 3, 1, 1, 3, 3, 1}};
    for (uint32_t i = 0; i < 3; i++) {
        check_max(&shapes[i], 10 * (i + 1));
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward),
                                       cmocka_unit_test(test_backward),
                                       cmocka_unit_test(test_max)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
