/* SPDX-License-Identifier: Apache-2.0 */
/* Moments and intervals of measured noise; see noise_statistics.h. */
#include "bridge/noise_statistics.h"

#include <math.h>

#include "sim/noise.h"

enum { MOST_TERMS = 1000000 };

void lutra_noise_moments_add(LutraNoiseMoments *moments, double deviation) {
    moments->count++;
    moments->sum += deviation;
    moments->squares += deviation * deviation;
}

void lutra_noise_moments_merge(LutraNoiseMoments *into, const LutraNoiseMoments *from) {
    into->count += from->count;
    into->sum += from->sum;
    into->squares += from->squares;
}

double lutra_noise_moments_mean(const LutraNoiseMoments *moments) {
    return moments->count == 0 ? 0.0 : moments->sum / (double)moments->count;
}

double lutra_noise_moments_variance(const LutraNoiseMoments *moments) {
    if (moments->count < 2) {
        return 0.0;
    }
    const double mean = lutra_noise_moments_mean(moments);
    return fmax(0.0, moments->squares - mean * moments->sum) / (double)(moments->count - 1);
}

/** Series for x < a + 1: P = front * (1/a + x/(a(a+1)) + ...). */
static double gamma_series(double a, double x) {
    double term = 1.0 / a;
    double sum = term;
    for (int n = 1; n < MOST_TERMS && term > sum * 1e-17; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum;
}

/** Continued fraction for x >= a + 1 by Lentz's method: 1 - P = front * result. */
static double gamma_fraction(double a, double x) {
    const double tiny = 1e-300;
    double b = x + 1.0 - a;
    double c = 1.0 / tiny;
    double d = 1.0 / b;
    double result = d;
    for (int n = 1; n < MOST_TERMS; n++) {
        const double numerator = -(double)n * (n - a);
        b += 2.0;
        d = numerator * d + b;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = b + numerator / c;
        c = fabs(c) < tiny ? tiny : c;
        result *= c * d;
        if (fabs(c * d - 1.0) < 1e-16) {
            break;
        }
    }
    return result;
}

double lutra_incomplete_gamma(double a, double x) {
    if (!(x > 0.0)) {
        return 0.0;
    }
    const double front = exp(a * log(x) - x - lgamma(a));
    return x < a + 1.0 ? front * gamma_series(a, x) : 1.0 - front * gamma_fraction(a, x);
}

double lutra_chi_square_quantile(double degrees, double p) {
    double low = 0.0;
    double high = degrees + 40.0 * sqrt(2.0 * degrees) + 100.0;
    for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
        const double middle = 0.5 * (low + high);
        if (lutra_incomplete_gamma(0.5 * degrees, 0.5 * middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

LutraInterval lutra_interval_variance(double variance, double degrees, double confidence) {
    const double tail = 0.5 * (1.0 - confidence);
    const double sum = variance * degrees;
    return (LutraInterval){sum / lutra_chi_square_quantile(degrees, 1.0 - tail),
                           sum / lutra_chi_square_quantile(degrees, tail)};
}

LutraInterval lutra_interval_mean(double mean, double std_of_mean, double confidence) {
    const double reach = lutra_noise_kappa(1.0 - confidence) * std_of_mean;
    return (LutraInterval){mean - reach, mean + reach};
}
