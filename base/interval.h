/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence interval of a probability that was observed as a count. */
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

/** Regularized incomplete beta function I_x(a, b); a, b > 0, x in [0, 1]. */
double lutra_incomplete_beta(double a, double b, double x);

#endif
