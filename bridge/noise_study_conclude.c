/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a noise study's counts mean: intervals, predictions, verdicts.
 *
 * Formulas hold on average over keys. For one key, parts of a variance scale with the number of
 * ones in it, or with the noise that its keyswitch key happens to have: with few keys the average
 * is uncertain by more than sampling explains. The intervals of variances contain that part, by
 * formulas of their own; the observed spread is reported beside it.
 *
 * Legend: n, k, N, l as in sim/noise.h.
 */
#include <math.h>

#include "bridge/noise_study_priv.h"

static const double CONFIDENCE = 0.95;

/** Relative weight of everything but the encryption noise in a bootstrap's variance: what scales
 * with ones in the keys. */
static double bootstrap_rounding_share(const LutraCryptoParameters *set) {
    const double rounding =
        lutra_noise_bootstrap(LUTRA_NOISE_TFHE_RS, set->lwe_dim, set->glwe_dim, set->log2_poly,
                              set->pbs_level, set->pbs_base_log, 0.0);
    return rounding / lutra_noise_bootstrap_of(set, LUTRA_NOISE_TFHE_RS);
}

/** Variances by model and quantity. */
static void predict(double var_t2[LUTRA_QUANTITIES], const LutraNoiseStudySettings *settings,
                    LutraNoiseModel model) {
    const LutraCryptoParameters *const set = &settings->parameters;
    var_t2[LUTRA_QUANTITY_FRESH] = lutra_noise_fresh(set);
    var_t2[LUTRA_QUANTITY_BOOTSTRAP] = lutra_noise_bootstrap_of(set, model);
    var_t2[LUTRA_QUANTITY_LINEAR] = settings->norm_squared * var_t2[LUTRA_QUANTITY_BOOTSTRAP];
    var_t2[LUTRA_QUANTITY_KEYSWITCH] = lutra_noise_keyswitch(
        model, set->glwe_dim << set->log2_poly, set->ks_level, set->ks_base_log, set->lwe_std);
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        const double modulus_switch = lutra_noise_modulus_switch(model, (LutraModulusSwitch)kind,
                                                                 set->lwe_dim, set->log2_poly);
        var_t2[LUTRA_QUANTITY_SWITCH_STANDARD + kind] = modulus_switch;
        var_t2[LUTRA_QUANTITY_LOOKUP_STANDARD + kind] =
            var_t2[LUTRA_QUANTITY_LINEAR] + var_t2[LUTRA_QUANTITY_KEYSWITCH] + modulus_switch;
    }
}

/**
 * Relative standard deviation of each variance between keys. A binary key of m bits has a share of
 * ones that deviates by 1 / sqrt(m) of itself; the keyswitch key's kN l noises have a mean square
 * that deviates by sqrt(2 / (kN l)).
 */
static void predict_key_spread(double spread[LUTRA_QUANTITIES],
                               const double var_t2[LUTRA_QUANTITIES],
                               const LutraNoiseStudySettings *settings) {
    const LutraCryptoParameters *const set = &settings->parameters;
    const double big = exp2(set->log2_poly) * set->glwe_dim;
    const double rounding = bootstrap_rounding_share(set);
    const double keyswitch_rounding =
        lutra_noise_keyswitch(LUTRA_NOISE_TFHE_RS, set->glwe_dim << set->log2_poly, set->ks_level,
                              set->ks_base_log, 0.0) /
        var_t2[LUTRA_QUANTITY_KEYSWITCH];
    spread[LUTRA_QUANTITY_FRESH] = 0.0;
    spread[LUTRA_QUANTITY_BOOTSTRAP] = rounding * sqrt(1.0 / set->lwe_dim + 1.0 / big);
    spread[LUTRA_QUANTITY_LINEAR] = spread[LUTRA_QUANTITY_BOOTSTRAP];
    spread[LUTRA_QUANTITY_KEYSWITCH] =
        hypot((1.0 - keyswitch_rounding) * sqrt(2.0 / (big * set->ks_level)),
              keyswitch_rounding / sqrt(big));
    spread[LUTRA_QUANTITY_SWITCH_STANDARD] = 1.0 / sqrt(set->lwe_dim);
    spread[LUTRA_QUANTITY_SWITCH_CENTERED] = 0.0; /* every bit counts as +-1/2 */
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        const LutraNoiseQuantity parts[3] = {
            LUTRA_QUANTITY_LINEAR, LUTRA_QUANTITY_KEYSWITCH,
            (LutraNoiseQuantity)(LUTRA_QUANTITY_SWITCH_STANDARD + kind)};
        double squares = 0.0;
        for (size_t i = 0; i < 3; i++) {
            const double part = spread[parts[i]] * var_t2[parts[i]];
            squares += part * part;
        }
        spread[LUTRA_QUANTITY_LOOKUP_STANDARD + kind] =
            sqrt(squares) / var_t2[LUTRA_QUANTITY_LOOKUP_STANDARD + kind];
    }
}

/**
 * Independent samples among the sums of several rounds: sums that share inputs have correlated
 * noise, and their squares a correlation that is the square of it. One round more adds up to the
 * square of the inputs' share.
 */
static double effective(const LutraNoiseStudySettings *settings,
                        const double var_t2[LUTRA_QUANTITIES], LutraNoiseQuantity quantity,
                        double samples) {
    const double extra_rounds = lutra_noise_study_rounds(settings) - 1.0;
    double share = 0.0;
    if (quantity == LUTRA_QUANTITY_LINEAR) {
        share = 1.0;
    } else if (quantity >= LUTRA_QUANTITY_LOOKUP_STANDARD) {
        share = var_t2[LUTRA_QUANTITY_LINEAR] / var_t2[quantity];
    }
    return samples / (1.0 + extra_rounds * share * share);
}

static LutraNoiseVerdict judge(double predicted, LutraInterval measured) {
    return predicted < measured.low    ? LUTRA_MEASURED_LARGER
           : predicted > measured.high ? LUTRA_MEASURED_SMALLER
                                       : LUTRA_MEASURED_AGREES;
}

/** Variance around each key's own mean, pooled; and the relative spread between keys. */
static double pool(LutraNoiseQuantityResult *quantity, uint32_t keys, double effective_share) {
    double sum = 0.0;
    double degrees = 0.0;
    double average = 0.0;
    for (uint32_t k = 0; k < keys; k++) {
        const LutraNoiseMoments *const moments = &quantity->keys[k];
        const double variance = lutra_noise_moments_variance(moments);
        sum += variance * (double)(moments->count - 1);
        degrees += (double)(moments->count - 1);
        average += variance / keys;
    }
    double squares = 0.0;
    for (uint32_t k = 0; k < keys; k++) {
        const double off = lutra_noise_moments_variance(&quantity->keys[k]) / average - 1.0;
        squares += off * off;
    }
    const double per_key = effective_share * (double)quantity->keys[0].count;
    quantity->key_spread =
        keys < 2 ? (double)NAN : sqrt(fmax(0.0, squares / (keys - 1.0) - 2.0 / (per_key - 1.0)));
    return sum / degrees;
}

/** By how much, relatively, the variance of so few keys may differ from that of all. */
static double keys_reach(const LutraNoiseQuantityResult *quantity, uint32_t keys) {
    return lutra_noise_kappa(1.0 - CONFIDENCE) * quantity->key_spread_predicted /
           sqrt((double)keys);
}

/** Adds an independent relative uncertainty to both ends of a variance's interval. */
static LutraInterval widened(LutraInterval interval, double variance, double relative) {
    const double down = hypot(1.0 - interval.low / variance, relative);
    const double up = hypot(interval.high / variance - 1.0, relative);
    return (LutraInterval){variance * fmax(0.0, 1.0 - down), variance * (1.0 + up)};
}

static void conclude_quantity(LutraNoiseQuantityResult *quantity, double effective_samples,
                              uint32_t keys) {
    LutraNoiseMoments all = {0};
    for (uint32_t k = 0; k < keys; k++) {
        lutra_noise_moments_merge(&all, &quantity->keys[k]);
    }
    quantity->samples = all.count;
    quantity->effective_samples = effective_samples;
    const double variance = pool(quantity, keys, effective_samples / (double)all.count);
    const LutraInterval sampled =
        lutra_interval_variance(variance, effective_samples - keys, CONFIDENCE);
    const LutraInterval interval = widened(sampled, variance, keys_reach(quantity, keys));
    quantity->std = sqrt(variance);
    quantity->std_95 = (LutraInterval){sqrt(interval.low), sqrt(interval.high)};
    quantity->mean = lutra_noise_moments_mean(&all);
    quantity->mean_95 =
        lutra_interval_mean(quantity->mean, quantity->std / sqrt(effective_samples), CONFIDENCE);
    for (uint32_t model = 0; model < LUTRA_NOISE_MODELS; model++) {
        quantity->verdict[model] = judge(quantity->std_predicted[model], quantity->std_95);
    }
}

/** A prediction agrees if any variance that so few keys may have would. */
static LutraNoiseVerdict judge_rate(const LutraNoiseRate *rate, double var_t2, uint32_t log2_poly,
                                    double reach) {
    const double low = lutra_noise_p_error_ticks(var_t2 * (1.0 - reach), rate->table_bits,
                                                 log2_poly, rate->modulus_switch);
    const double high = lutra_noise_p_error_ticks(var_t2 * (1.0 + reach), rate->table_bits,
                                                  log2_poly, rate->modulus_switch);
    return high < rate->rate_95.low   ? LUTRA_MEASURED_LARGER
           : low > rate->rate_95.high ? LUTRA_MEASURED_SMALLER
                                      : LUTRA_MEASURED_AGREES;
}

static void conclude_rates(LutraNoiseStudyResult *result, const LutraNoiseStudySettings *settings,
                           const LutraNoiseTally *tallies, uint32_t keys) {
    const uint32_t log2_poly = settings->parameters.log2_poly;
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        const LutraModulusSwitch modulus_switch = (LutraModulusSwitch)kind;
        const LutraNoiseQuantityResult *const lookup =
            &result->quantities[LUTRA_QUANTITY_LOOKUP_STANDARD + kind];
        const double few_keys = keys_reach(lookup, keys);
        for (uint32_t wider = 0; wider < LUTRA_NOISE_STUDY_RATES; wider++) {
            LutraNoiseRate *const rate = &result->rates[kind][wider];
            const uint32_t bits = settings->precision_bits + wider;
            *rate = (LutraNoiseRate){.modulus_switch = modulus_switch, .table_bits = bits};
            for (uint32_t k = 0; k < keys; k++) {
                rate->trials += tallies[k].trials;
                rate->failures += tallies[k].failures[kind][wider];
            }
            rate->rate_95 = lutra_interval_binomial(rate->failures, rate->trials, CONFIDENCE);
            rate->predicted_of_measured = lutra_noise_p_error_ticks(lookup->std * lookup->std, bits,
                                                                    log2_poly, modulus_switch);
            for (uint32_t model = 0; model < LUTRA_NOISE_MODELS; model++) {
                const double std = lookup->std_predicted[model];
                rate->predicted[model] =
                    lutra_noise_p_error_ticks(std * std, bits, log2_poly, modulus_switch);
                rate->verdict[model] = judge_rate(rate, std * std, log2_poly, few_keys);
            }
        }
        for (uint32_t k = 0; k < keys; k++) {
            const LutraNoiseConfirmation *const from = &tallies[k].confirmations[kind];
            result->confirmations[kind].lookups += from->lookups;
            result->confirmations[kind].failures += from->failures;
            result->confirmations[kind].disagreements += from->disagreements;
        }
        const LutraNoiseQuantityResult *const alone =
            &result->quantities[LUTRA_QUANTITY_SWITCH_STANDARD + kind];
        const double ticks = exp2(log2_poly + 1.0);
        result->bias_ticks[kind] = alone->mean * ticks;
        result->bias_ticks_95[kind] =
            (LutraInterval){alone->mean_95.low * ticks, alone->mean_95.high * ticks};
    }
}

static void conclude_curve(LutraNoiseStudyResult *result, const LutraNoiseStudySettings *settings,
                           const LutraNoiseTally *tallies, uint32_t keys) {
    LutraNoiseRounding rounding = {.bits = settings->precision_bits + settings->curve_dropped_bits,
                                   .dropped_bits = settings->curve_dropped_bits,
                                   .symmetrized = true,
                                   .log2_poly = settings->parameters.log2_poly};
    result->curve_count = settings->curve_values;
    for (uint32_t i = 0; i < result->curve_count; i++) {
        LutraNoiseCurvePoint *const point = &result->curve[i];
        point->x = lutra_noise_study_first_value(settings) + i;
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            const double *const std =
                result->quantities[LUTRA_QUANTITY_LOOKUP_STANDARD + kind].std_predicted;
            for (uint32_t k = 0; k < keys; k++) {
                point->trials[kind] += tallies[k].curve_trials;
                point->flips[kind] += tallies[k].flips[kind][i];
            }
            point->rate_95[kind] =
                lutra_interval_binomial(point->flips[kind], point->trials[kind], CONFIDENCE);
            for (uint32_t model = 0; model < LUTRA_NOISE_MODELS; model++) {
                const double var_t2 = std[model] * std[model];
                rounding.modulus_switch = (LutraModulusSwitch)kind;
                point->predicted[kind][model] = lutra_noise_off_by_one(&rounding, point->x, var_t2);
                if (kind == LUTRA_MODULUS_SWITCH_STANDARD) {
                    rounding.modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
                    point->without_bias[model] =
                        lutra_noise_off_by_one(&rounding, point->x, var_t2);
                }
            }
        }
    }
}

void lutra_noise_study_conclude(LutraNoiseStudyResult *result,
                                const LutraNoiseStudySettings *settings,
                                const LutraNoiseTally *tallies, uint32_t keys) {
    double var_t2[LUTRA_NOISE_MODELS][LUTRA_QUANTITIES];
    double spread[LUTRA_QUANTITIES];
    for (uint32_t model = 0; model < LUTRA_NOISE_MODELS; model++) {
        predict(var_t2[model], settings, (LutraNoiseModel)model);
    }
    const double *const own = var_t2[LUTRA_NOISE_TFHE_RS]; /* of the library that runs */
    predict_key_spread(spread, own, settings);
    result->keys = keys;
    lutra_noise_study_weights(result->weights, settings->norm_squared);
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        LutraNoiseQuantityResult *const quantity = &result->quantities[q];
        double samples = 0.0;
        for (uint32_t k = 0; k < keys; k++) {
            quantity->keys[k] = tallies[k].moments[q];
            samples += (double)tallies[k].moments[q].count;
        }
        for (uint32_t model = 0; model < LUTRA_NOISE_MODELS; model++) {
            quantity->std_predicted[model] = sqrt(var_t2[model][q]);
        }
        quantity->key_spread_predicted = spread[q];
        if (q == LUTRA_QUANTITY_SWITCH_STANDARD || q == LUTRA_QUANTITY_LOOKUP_STANDARD) {
            quantity->mean_predicted = exp2(-2.0 - settings->parameters.log2_poly);
        }
        conclude_quantity(quantity, effective(settings, own, (LutraNoiseQuantity)q, samples), keys);
    }
    conclude_rates(result, settings, tallies, keys);
    conclude_curve(result, settings, tallies, keys);
}
