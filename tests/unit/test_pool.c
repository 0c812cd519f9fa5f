/* SPDX-License-Identifier: Apache-2.0 */
/* Average pools by hand, with overlap and with a rest that no window covers. */
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

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward),
                                       cmocka_unit_test(test_backward)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
