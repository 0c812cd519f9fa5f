/* SPDX-License-Identifier: Apache-2.0 */
/* Medians by counting: as many values below as above. */
#include "base/median.h"
#include "tests/support/check.h"

static void test_by_hand(void **state) {
    (void)state;
    double one[1] = {-3.0};
    double two[2] = {5.0, 2.0};
    double three[3] = {711.0, 596.0, 620.0};
    double four[4] = {4.0, 1.0, 3.0, 1000.0};
    assert_true(lutra_median(one, 1) == -3.0);
    assert_true(lutra_median(two, 2) == 3.5);
    assert_true(lutra_median(three, 3) == 620.0);
    assert_true(lutra_median(four, 4) == 3.5);
    assert_true(four[0] == 1.0 && four[1] == 3.0 && four[2] == 4.0 && four[3] == 1000.0);
}

/* Of 1 to 40 values, many of them equal. */
static void test_counts(void **state) {
    (void)state;
    for (size_t count = 1; count <= 40; count++) {
        double values[40];
        size_t below = 0;
        size_t above = 0;
        for (size_t i = 0; i < count; i++) {
            values[i] = (double)lutra_random_below(check_key((uint32_t)count), i, 15);
        }
        const double median = lutra_median(values, count);
        for (size_t i = 0; i < count; i++) {
            below += values[i] < median;
            above += values[i] > median;
            assert_true(i == 0 || values[i - 1] <= values[i]);
        }
        assert_true(2 * below <= count && 2 * above <= count);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_counts),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("base/median", tests, NULL, NULL);
}
