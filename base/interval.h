/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence intervals of probabilities, and differences of them, that were observed as counts. */
#ifndef LUTRA_BASE_INTERVAL_H
#define LUTRA_BASE_INTERVAL_H

#include <stdint.h>

typedef struct {
    double low;
    double high;
} LutraInterval;

/**
 * Exact binomial interval of Clopper and Pearson: holds the true probability in at least
 * `confidence` of all cases. 0 events give low = 0 and a high above 0.
 *
 * @param events      <= trials
 * @param trials      0 gives [0, 1]
 * @param confidence  in (0, 1), such as 0.95
 */
LutraInterval lutra_interval_binomial(uint64_t events, uint64_t trials, double confidence);

/**
 * Difference of two probabilities that were observed on the same trials: P(first event) - P(second
 * event), from the trials on which just one of the two happened.
 *
 * The interval holds every difference that the score test does not reject: those whose distance
 * from (only_first - only_second) / trials is at most z standard deviations, taken under that
 * difference with the most likely rest. It is asymptotic, close to `confidence` from a few dozen
 * trials on, and never empty: if no trial differs, it is z^2 / (trials + z^2) wide to each side.
 *
 * @param only_first   trials with the first event alone, >= 0; need not be whole (means of repeats)
 * @param only_second  trials with the second event alone, >= 0; their sum is at most `trials`
 * @param trials       > 0; 0 gives [-1, 1]
 * @param confidence   in (0, 1), such as 0.95
 * @source T. Tango, Equivalence test and confidence interval for the difference in proportions for
 *         the paired-sample design, Statistics in Medicine 17 (1998) 891-908
 */
LutraInterval lutra_interval_paired(double only_first, double only_second, double trials,
                                    double confidence);

/** Regularized incomplete beta function I_x(a, b); a, b > 0, x in [0, 1]. */
double lutra_incomplete_beta(double a, double b, double x);

#endif
