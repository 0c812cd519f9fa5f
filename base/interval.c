/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence interval of a probability; see interval.h. */
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
