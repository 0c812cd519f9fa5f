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

/* ---- paired differences ---- */

static void published_paired_intervals_come_out(void **state) {
    (void)state;
    /* Outputs of the R package PropCIs 0.3-0, scoreci.mp, to the digits that were published. */
    const LutraInterval ninety = lutra_interval_paired(28, 25, 618, 0.90);
    check_close(ninety.low, -0.0148, 0.00005);
    check_close(ninety.high, 0.0247, 0.00005);
    const LutraInterval other = lutra_interval_paired(48, 41, 549, 0.90);
    check_close(other.low, -0.0157, 0.00005);
    check_close(other.high, 0.0414, 0.00005);
}

static void paired_intervals_are_those_of_the_likelihood(void **state) {
    (void)state;
    /* Computed apart: the likelihood maximized numerically under each difference. */
    const LutraInterval usual = lutra_interval_paired(40, 20, 160, 0.95);
    check_close(usual.low, 0.03086453, 1e-7);
    check_close(usual.high, 0.21806424, 1e-7);
    const LutraInterval few = lutra_interval_paired(7, 1, 50, 0.95);
    check_close(few.low, 0.01161969, 1e-7);
    check_close(few.high, 0.24658081, 1e-7);
}

static void no_differing_trial_gives_a_symmetric_interval(void **state) {
    (void)state;
    const double z2 = 1.959963984540054 * 1.959963984540054;
    for (double n = 1.0; n < 1e6; n *= 7.0) {
        const LutraInterval interval = lutra_interval_paired(0, 0, n, 0.95);
        check_close(interval.high, z2 / (n + z2), 1e-12);
        check_close(interval.low, -z2 / (n + z2), 1e-12);
    }
    const LutraInterval all = lutra_interval_paired(9, 0, 9, 0.95);
    check_close(all.high, 1.0, 1e-15);
    /* every trial differs one way: q = (1 - d) / 2, so n (1 - d)^2 = z^2 (1 - d) (1 + d) */
    check_close(all.low, (9.0 - z2) / (9.0 + z2), 1e-12);
    const LutraInterval none = lutra_interval_paired(0, 0, 0, 0.95);
    check_close(none.low, -1.0, 0.0);
    check_close(none.high, 1.0, 0.0);
}

static void swapping_the_events_mirrors_the_interval(void **state) {
    (void)state;
    static const double cases[][3] = {{3, 0, 40}, {0.5, 2.25, 60}, {40, 20, 160}, {30, 30, 60}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const LutraInterval a = lutra_interval_paired(cases[i][0], cases[i][1], cases[i][2], 0.95);
        const LutraInterval b = lutra_interval_paired(cases[i][1], cases[i][0], cases[i][2], 0.95);
        check_close(a.low, -b.high, 1e-12);
        check_close(a.high, -b.low, 1e-12);
        assert_true(a.low < (cases[i][0] - cases[i][1]) / cases[i][2]);
        assert_true(a.high > (cases[i][0] - cases[i][1]) / cases[i][2]);
        const LutraInterval wide =
            lutra_interval_paired(cases[i][0], cases[i][1], cases[i][2], 0.99);
        assert_true(wide.low < a.low && wide.high > a.high);
    }
}

/* Probability that the interval holds the true difference, over all outcomes of n trials. */
static double coverage(int n, double first, double second) {
    double sum = 0.0;
    for (int b = 0; b <= n; b++) {
        for (int c = 0; b + c <= n; c++) {
            const double log_p = lgamma(n + 1.0) - lgamma(b + 1.0) - lgamma(c + 1.0) -
                                 lgamma(n - b - c + 1.0) + (b * log(first)) + (c * log(second)) +
                                 ((n - b - c) * log1p(-first - second));
            if (log_p > -25.0) {
                const LutraInterval held = lutra_interval_paired(b, c, n, 0.95);
                const double truth = first - second;
                sum += held.low <= truth && truth <= held.high ? exp(log_p) : 0.0;
            }
        }
    }
    return sum;
}

static void paired_intervals_hold_the_truth_as_often_as_stated(void **state) {
    (void)state;
    /* Exact sums, no sampling. The method is asymptotic: at 50 trials within two percent. */
    static const double truths[][2] = {
        {0.02, 0.02}, {0.05, 0.02}, {0.1, 0.1}, {0.2, 0.05}, {0.3, 0.3}, {0.1, 0.01}};
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        const double held = coverage(50, truths[i][0], truths[i][1]);
        assert_true(held > 0.93 && held <= 1.0);
    }
    assert_true(coverage(200, 0.3, 0.25) < 0.96);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_intervals_come_out),
        cmocka_unit_test(ends_have_the_tails_that_define_them),
        cmocka_unit_test(incomplete_beta_has_its_known_values),
        cmocka_unit_test(published_paired_intervals_come_out),
        cmocka_unit_test(paired_intervals_are_those_of_the_likelihood),
        cmocka_unit_test(no_differing_trial_gives_a_symmetric_interval),
        cmocka_unit_test(swapping_the_events_mirrors_the_interval),
        cmocka_unit_test(paired_intervals_hold_the_truth_as_often_as_stated),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("interval", tests, NULL, NULL);
}
