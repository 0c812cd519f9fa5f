/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence intervals; see interval.h. */
#include "base/interval.h"

#include <math.h>

/** Continued fraction of the incomplete beta function by Lentz's method; fast for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x) {
    const double tiny = 1e-300;
    double c = 1.0;
    double d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double result = d;
    for (int m = 1; m <= 10000; m++) {
        for (int odd = 0; odd < 2; odd++) {
            const double numerator =
                odd ? -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
                    : m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
            d = 1.0 + numerator * d;
            c = 1.0 + numerator / c;
            d = 1.0 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            result *= c * d;
        }
        if (fabs(c * d - 1.0) < 1e-15) {
            break;
        }
    }
    return result;
}

double lutra_incomplete_beta(double a, double b, double x) {
    if (x <= 0.0) {
        return 0.0;
    }
    if (x >= 1.0) {
        return 1.0;
    }
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0)) {
        return front * beta_fraction(a, b, x) / a;
    }
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/** x with I_x(a, b) = p, by halving: I grows with x. */
static double beta_quantile(double a, double b, double p) {
    double low = 0.0;
    double high = 1.0;
    for (int i = 0; i < 200 && high - low > 1e-16 * high; i++) {
        const double middle = 0.5 * (low + high);
        if (lutra_incomplete_beta(a, b, middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

LutraInterval lutra_interval_binomial(uint64_t events, uint64_t trials, double confidence) {
    LutraInterval interval = {0.0, 1.0};
    if (trials == 0) {
        return interval;
    }
    const double tail = 0.5 * (1.0 - confidence);
    const double k = (double)events;
    const double n = (double)trials;
    if (events > 0) {
        interval.low = beta_quantile(k, n - k + 1.0, tail);
    }
    if (events < trials) {
        interval.high = beta_quantile(k + 1.0, n - k, 1.0 - tail);
    }
    return interval;
}

/* ---- paired differences ---- */

/** z with P(|X| <= z) = confidence for a standard normal X, by halving. */
static double normal_bound(double confidence) {
    double low = 0.0;
    double high = 40.0;
    for (int i = 0; i < 100; i++) {
        const double middle = 0.5 * (low + high);
        if (erfc(middle * sqrt(0.5)) > 1.0 - confidence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

/**
 * Score of the difference d with b and c trials of one event alone among n; it falls with d.
 *
 * Under P(first alone) - P(second alone) = d the variance of b - c is n (2 q + d - d^2), where
 * q = P(second alone) is put at its most likely value: the larger root of
 * 2 n q^2 + ((2 n - b + c) d - b - c) q - c d (1 - d) = 0.
 */
static double paired_score(double b, double c, double n, double d) {
    const double linear = ((2.0 * n - b + c) * d) - b - c;
    const double constant = -c * d * (1.0 - d);
    const double root = sqrt(fmax(0.0, (linear * linear) - (8.0 * n * constant)));
    const double q = (root - linear) / (4.0 * n);
    const double variance = n * ((2.0 * q) + (d * (1.0 - d)));
    const double distance = b - c - (n * d);
    return distance == 0.0  ? 0.0
           : variance > 0.0 ? distance / sqrt(variance)
                            : copysign(HUGE_VAL, distance);
}

LutraInterval lutra_interval_paired(double only_first, double only_second, double trials,
                                    double confidence) {
    LutraInterval interval = {-1.0, 1.0};
    if (!(trials > 0.0)) {
        return interval;
    }
    const double z = normal_bound(confidence);
    const double observed = (only_first - only_second) / trials;
    for (int end = 0; end < 2; end++) {
        const double wanted = end == 0 ? z : -z;
        double low = end == 0 ? -1.0 : observed;
        double high = end == 0 ? observed : 1.0;
        for (int i = 0; i < 200 && high - low > 1e-16; i++) {
            const double middle = 0.5 * (low + high);
            if (paired_score(only_first, only_second, trials, middle) > wanted) {
                low = middle;
            } else {
                high = middle;
            }
        }
        *(end == 0 ? &interval.low : &interval.high) = 0.5 * (low + high);
    }
    return interval;
}
