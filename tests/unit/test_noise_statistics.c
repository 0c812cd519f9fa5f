/* SPDX-License-Identifier: Apache-2.0 */
/* Moments, chi-square and normal intervals against published tables. */
#include <math.h>

#include "bridge/noise_statistics.h"
#include "tests/support/check.h"

static void moments_of_known_numbers(void **state) {
    (void)state;
    static const double numbers[] = {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0};
    LutraNoiseMoments all = {0};
    LutraNoiseMoments halves[2] = {{0}, {0}};
    check_close(lutra_noise_moments_mean(&all), 0.0, 0.0);
    check_close(lutra_noise_moments_variance(&all), 0.0, 0.0);
    for (size_t i = 0; i < 8; i++) {
        lutra_noise_moments_add(&all, numbers[i]);
        lutra_noise_moments_add(&halves[i % 2], numbers[i]);
    }
    check_close(lutra_noise_moments_mean(&all), 5.0, 1e-15);
    check_close(lutra_noise_moments_variance(&all), 32.0 / 7.0, 1e-14);
    lutra_noise_moments_merge(&halves[0], &halves[1]);
    assert_int_equal(halves[0].count, 8);
    check_close(halves[0].sum, all.sum, 1e-14);
    check_close(halves[0].squares, all.squares, 1e-12);
}

static void incomplete_gamma_has_closed_forms(void **state) {
    (void)state;
    for (double x = 0.01; x < 30.0; x *= 1.7) {
        check_close(lutra_incomplete_gamma(1.0, x), 1.0 - exp(-x), 1e-14);
        check_close(lutra_incomplete_gamma(0.5, x), erf(sqrt(x)), 1e-14);
        check_close(lutra_incomplete_gamma(2.0, x), 1.0 - exp(-x) * (1.0 + x), 1e-14);
    }
    check_close(lutra_incomplete_gamma(3.0, 0.0), 0.0, 0.0);
}

/* Values of printed chi-square tables, four decimals. */
static void quantiles_are_those_of_the_tables(void **state) {
    (void)state;
    static const struct {
        double degrees;
        double p;
        double quantile;
    } known[] = {{1, 0.95, 3.8415},    {1, 0.05, 0.0039},     {2, 0.95, 5.9915},
                 {10, 0.025, 3.2470},  {10, 0.975, 20.4832},  {30, 0.025, 16.7908},
                 {30, 0.975, 46.9792}, {100, 0.025, 74.2219}, {100, 0.975, 129.5612}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        check_close(lutra_chi_square_quantile(known[i].degrees, known[i].p), known[i].quantile,
                    5e-5);
    }
    /* Large numbers of degrees: Wilson and Hilferty's cube, good to some 1e-7 there. */
    for (double degrees = 1e4; degrees < 2e6; degrees *= 7.0) {
        const double c = 2.0 / (9.0 * degrees);
        const double cube = pow(1.0 - c + 1.959963985 * sqrt(c), 3.0);
        check_close(lutra_chi_square_quantile(degrees, 0.975) / degrees, cube, 1e-6);
    }
}

static void intervals_are_two_sided(void **state) {
    (void)state;
    const LutraInterval variance = lutra_interval_variance(4.0, 10.0, 0.95);
    check_close(variance.low, 40.0 / 20.4832, 1e-4);
    check_close(variance.high, 40.0 / 3.2470, 1e-3);
    const LutraInterval mean = lutra_interval_mean(3.0, 0.5, 0.95);
    check_close(mean.low, 3.0 - 0.5 * 1.959963985, 1e-8);
    check_close(mean.high, 3.0 + 0.5 * 1.959963985, 1e-8);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_of_known_numbers),
        cmocka_unit_test(incomplete_gamma_has_closed_forms),
        cmocka_unit_test(quantiles_are_those_of_the_tables),
        cmocka_unit_test(intervals_are_two_sided),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/noise_statistics", tests, NULL, NULL);
}
