/* SPDX-License-Identifier: Apache-2.0 */
#include "base/interval.h"

#include <math.h>

#include "tests/support/check.h"

static void published_intervals_come_out(void **state) {
    (void)state;
    static const struct {
        uint64_t events;
        uint64_t trials;
        double low;
        double high;
    } cases[] = {
        /* For 0 of n the bound is 1 - 0.025^(1/n). */
        {0, 10, 0.0, 0.30849710781876083},   {10, 10, 0.69150289218123917, 1.0},
        {5, 10, 0.18708602844739, 0.81291397155261}, {1, 100, 0.00025314603297, 0.05445938539208},
        {0, 0, 0.0, 1.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const LutraInterval interval =
            lutra_interval_binomial(cases[i].events, cases[i].trials, 0.95);
        check_close(interval.low, cases[i].low, 1e-9);
        check_close(interval.high, cases[i].high, 1e-9);
    }
}

/** P(X >= k) for X binomial, summed directly. */
static double upper_tail(uint64_t k, uint64_t n, double p) {
    double sum = 0.0;
    for (uint64_t i = k; i <= n; i++) {
        const double a = (double)i;
        const double b = (double)n;
        sum += exp(lgamma(b + 1) - lgamma(a + 1) - lgamma(b - a + 1) + a * log(p) +
                   (b - a) * log1p(-p));
    }
    return sum;
}

static void ends_have_the_tails_that_define_them(void **state) {
    (void)state;
    for (uint64_t n = 1; n <= 400; n = 3 * n + 1) {
        for (uint64_t k = 1; k < n; k = 2 * k + 1) {
            const LutraInterval interval = lutra_interval_binomial(k, n, 0.95);
            check_close(upper_tail(k, n, interval.low), 0.025, 1e-9);
            check_close(1.0 - upper_tail(k + 1, n, interval.high), 0.025, 1e-9);
        }
    }
    const LutraInterval large = lutra_interval_binomial(1000, 100000000, 0.95);
    check_close(large.low * 1e8, 1000 - 1.96 * sqrt(1000.0), 3.0);
    check_close(large.high * 1e8, 1000 + 1.96 * sqrt(1000.0), 4.0);
}

static void incomplete_beta_has_its_known_values(void **state) {
    (void)state;
    check_close(lutra_incomplete_beta(2, 3, 0.5), 0.6875, 1e-14);
    check_close(lutra_incomplete_beta(1, 1, 0.3), 0.3, 1e-14);
    check_close(lutra_incomplete_beta(7.5, 7.5, 0.5), 0.5, 1e-13);
    check_close(lutra_incomplete_beta(3, 2, 0.0), 0.0, 0.0);
    check_close(lutra_incomplete_beta(3, 2, 1.0), 1.0, 0.0);
    for (double x = 0.05; x < 1.0; x += 0.05) {
        check_close(lutra_incomplete_beta(4, 9, x) + lutra_incomplete_beta(9, 4, 1.0 - x), 1.0,
                    1e-13);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_intervals_come_out),
        cmocka_unit_test(ends_have_the_tails_that_define_them),
        cmocka_unit_test(incomplete_beta_has_its_known_values),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("interval", tests, NULL, NULL);
}
