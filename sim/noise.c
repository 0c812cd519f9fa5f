/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise formulas, in the order of the header.
 *
 * Legend: n, k, N, l, B, q, p as there; kn = k * N; all variances in torus squared.
 */
#include "sim/noise.h"

#include <math.h>

#include "base/status.h"

static const double sqrt_2 = 1.41421356237309504880;
static const double two_over_sqrt_pi = 1.12837916709551257390;
static const double inverse_q = 0x1p-64;
static const double inverse_q2 = 0x1p-128;

const char *lutra_noise_model_name(LutraNoiseModel model) {
    return model == LUTRA_NOISE_TFHE_RS ? "tfhe-rs" : "concrete";
}

const char *lutra_modulus_switch_name(LutraModulusSwitch kind) {
    return kind == LUTRA_MODULUS_SWITCH_CENTERED ? "centred" : "standard";
}

/* --- variances of the steps ------------------------------------------------------------------- */

double lutra_noise_fresh(const LutraCryptoParameters *set) {
    return set->glwe_std * set->glwe_std;
}

/* B^(-2l) */
static double digit_rest(uint32_t level, uint32_t base_log) {
    return exp2(-2.0 * level * base_log);
}

/* Mean square of a signed digit in base B, as both models have it: (B^2 + 2) / 12. */
static double digit_square(uint32_t base_log) {
    return (exp2(2.0 * base_log) + 2.0) / 12.0;
}

double lutra_noise_keyswitch(LutraNoiseModel model, uint32_t input_dim, uint32_t level,
                             uint32_t base_log, double lwe_std) {
    const double rest = digit_rest(level, base_log);
    const double key = level * lwe_std * lwe_std * digit_square(base_log);
    /* Rounding of one mask word to l digits: variance times E[s^2] = 1/2, plus its mean's share. */
    const double rounding = model == LUTRA_NOISE_TFHE_RS
                                ? inverse_q2 / 48.0 + rest / 24.0
                                : (rest - inverse_q2) / 24.0 + inverse_q2 / 16.0;
    return input_dim * (key + rounding);
}

double lutra_noise_modulus_switch(LutraNoiseModel model, LutraModulusSwitch kind, uint32_t lwe_dim,
                                  uint32_t log2_poly) {
    const double n = lwe_dim;
    const double tick2 = exp2(-2.0 * (log2_poly + 1.0));
    if (kind == LUTRA_MODULUS_SWITCH_CENTERED) {
        return n * (tick2 / 48.0 + inverse_q2 / 24.0);
    }
    const double body = model == LUTRA_NOISE_TFHE_RS ? tick2 : tick2 - inverse_q2;
    return n * (tick2 / 24.0 + inverse_q2 / 48.0) + body / 12.0;
}

/* Errors of a 53-bit FFT: the products lose 64 - 53 bits. */
static double fft_error(LutraNoiseModel model, double k, double poly, double level,
                        uint32_t base_log) {
    const double lost2 = exp2(2.0 * (64 - 53) + 2.0 * base_log) * inverse_q2;
    if (model == LUTRA_NOISE_TFHE_RS) {
        return 0.00705 * lost2 * pow(level, 1.01827) * pow(k, 1.22003) * pow(poly, 2.22003) *
               pow(k + 1.0, 1.01827);
    }
    return exp2(-2.57722494) * lost2 * level * poly * poly * (k + 1.0);
}

double lutra_noise_bootstrap(LutraNoiseModel model, uint32_t lwe_dim, uint32_t glwe_dim,
                             uint32_t log2_poly, uint32_t level, uint32_t base_log,
                             double glwe_std) {
    const double k = glwe_dim;
    const double poly = exp2(log2_poly);
    const double kn = k * poly;
    const double rest = digit_rest(level, base_log);
    const double key = level * (k + 1.0) * poly * digit_square(base_log) * glwe_std * glwe_std;
    double rounding;
    if (model == LUTRA_NOISE_TFHE_RS) {
        rounding = kn / 2.0 * (inverse_q2 / 48.0 + rest / 24.0) + (rest - inverse_q2) / 24.0;
    } else {
        const double mean = (1.0 - kn) * inverse_q;
        rounding = (rest - inverse_q2) / 24.0 * (1.0 + kn / 2.0) + kn * inverse_q2 / 32.0 +
                   mean * mean / 64.0;
    }
    return lwe_dim * (key + rounding + fft_error(model, k, poly, level, base_log));
}

double lutra_noise_bootstrap_of(const LutraCryptoParameters *set, LutraNoiseModel model) {
    return lutra_noise_bootstrap(model, set->lwe_dim, set->glwe_dim, set->log2_poly, set->pbs_level,
                                 set->pbs_base_log, set->glwe_std);
}

/* --- one look-up -------------------------------------------------------------------------------
 */

LutraNoiseBreakdown lutra_noise_of_lookup(const LutraCryptoParameters *set, LutraNoiseModel model,
                                          double input_var_t2, uint32_t precision_bits) {
    return lutra_noise_of_lookup_from(set, set, model, input_var_t2, precision_bits);
}

LutraNoiseBreakdown lutra_noise_of_lookup_from(const LutraCryptoParameters *set,
                                               const LutraCryptoParameters *from,
                                               LutraNoiseModel model, double input_var_t2,
                                               uint32_t precision_bits) {
    LutraNoiseBreakdown noise = {.input_var_t2 = input_var_t2};
    noise.keyswitch_var_t2 = lutra_noise_keyswitch(model, from->glwe_dim << from->log2_poly,
                                                   set->ks_level, set->ks_base_log, set->lwe_std);
    noise.modulus_switch_var_t2 = lutra_noise_modulus_switch(
        model, (LutraModulusSwitch)set->modulus_switch, set->lwe_dim, set->log2_poly);
    noise.total_var_t2 = noise.input_var_t2 + noise.keyswitch_var_t2 + noise.modulus_switch_var_t2;
    noise.p_error = lutra_noise_p_error(noise.total_var_t2, precision_bits);
    return noise;
}

/* --- variance and error ----------------------------------------------------------------------- */

/* Newton's method on log erfc(x) - log p. That function is concave and falls, so from the right of
 * the root every step stays on the right and comes nearer. erfc(x) <= exp(-x^2) puts the start
 * there. */
double lutra_erfc_inverse(double p) {
    if (!(p > 0.0 && p < 2.0)) {
        return NAN;
    }
    if (p > 1.0) {
        return -lutra_erfc_inverse(2.0 - p);
    }
    const double target = log(p);
    double x = sqrt(-target);
    for (int i = 0; i < 100; i++) {
        const double tail = erfc(x);
        const double slope = -two_over_sqrt_pi * exp(-x * x) / tail;
        const double step = (log(tail) - target) / slope;
        if (!(step > 0.0)) {
            break;
        }
        x -= step;
    }
    return x;
}

double lutra_noise_kappa(double p_error) {
    return sqrt_2 * lutra_erfc_inverse(p_error);
}

/* Half the width of a cell: noise beyond it reads a wrong entry. */
static double margin(uint32_t precision_bits) {
    return exp2(-2.0 - precision_bits);
}

double lutra_noise_variance_bound(uint32_t precision_bits, double p_error) {
    const double std = margin(precision_bits) / lutra_noise_kappa(p_error);
    return std * std;
}

double lutra_noise_p_error(double total_var_t2, uint32_t precision_bits) {
    return erfc(margin(precision_bits) / sqrt(2.0 * total_var_t2));
}

/* How far the standard modulus switch has a cell's borders below their ideal place. */
static double half_tick(uint32_t log2_poly, LutraModulusSwitch kind) {
    return kind == LUTRA_MODULUS_SWITCH_CENTERED ? 0.0 : exp2(-2.0 - log2_poly);
}

double lutra_noise_p_error_ticks(double total_var_t2, uint32_t precision_bits, uint32_t log2_poly,
                                 LutraModulusSwitch kind) {
    const double scale = sqrt(2.0 * total_var_t2);
    const double low = half_tick(log2_poly, kind);
    const double above = margin(precision_bits) - low;
    const double below = margin(precision_bits) + low;
    return 0.5 * erfc(above / scale) + 0.5 * erfc(below / scale);
}

double lutra_noise_off_by_one(const LutraNoiseRounding *rounding, int64_t x, double total_var_t2) {
    LUTRA_ASSERT(rounding->dropped_bits < rounding->bits && rounding->bits < 62);
    if (rounding->dropped_bits == 0) {
        return 0.0;
    }
    const int64_t step = INT64_C(1) << rounding->dropped_bits;
    const int64_t digit = x >= 0 ? x / step : -((step - 1 - x) / step); /* floor */
    const int64_t threshold = digit * step + step / 2;
    const double integer = exp2(-(double)rounding->bits - 1.0); /* 1 on the torus */
    const double low = half_tick(rounding->log2_poly, rounding->modulus_switch);
    const double symmetry = rounding->symmetrized ? 0.5 : 0.0;
    const double distance = ((double)(x - threshold) + symmetry) * integer + low;
    const double scale = sqrt(2.0 * total_var_t2);
    return x >= threshold ? 0.5 * erfc(distance / scale) : 0.5 * erfc(-distance / scale);
}
