/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of measured noise: moments, and intervals for a variance and a mean of Gaussian
 * deviations. Probabilities have theirs in base/interval.h.
 */
#ifndef LUTRA_BRIDGE_NOISE_STATISTICS_H
#define LUTRA_BRIDGE_NOISE_STATISTICS_H

#include <stdint.h>

#include "base/interval.h"

/** Sums over deviations of one kind; all zero is empty. */
typedef struct {
    uint64_t count;
    double sum;
    double squares;
} LutraNoiseMoments;

void lutra_noise_moments_add(LutraNoiseMoments *moments, double deviation);

/** Adds `from` to `into`. */
void lutra_noise_moments_merge(LutraNoiseMoments *into, const LutraNoiseMoments *from);

/** Mean; 0 of none. */
double lutra_noise_moments_mean(const LutraNoiseMoments *moments);

/** Sample variance around the sample mean, divided by count - 1; 0 of fewer than two. */
double lutra_noise_moments_variance(const LutraNoiseMoments *moments);

/**
 * Chi-square quantile: x with P(X <= x) = p.
 *
 * @param degrees  of freedom, > 0, up to 1e9
 * @param p        in (0, 1)
 */
double lutra_chi_square_quantile(double degrees, double p);

/**
 * Interval that holds the true variance in `confidence` of all cases.
 *
 * @param variance    of the sample
 * @param degrees     of freedom: independent samples less estimated means; > 0
 * @param confidence  in (0, 1)
 * @assumes Gaussian deviations
 */
LutraInterval lutra_interval_variance(double variance, double degrees, double confidence);

/**
 * Interval of a mean whose standard deviation is known well: many samples.
 *
 * @param std_of_mean  standard deviation of the mean itself
 */
LutraInterval lutra_interval_mean(double mean, double std_of_mean, double confidence);

/** Regularized lower incomplete gamma function P(a, x); a > 0, x >= 0. */
double lutra_incomplete_gamma(double a, double x);

#endif
