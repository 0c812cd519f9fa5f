/* SPDX-License-Identifier: Apache-2.0 */
/* Results of the experiment 'noise' as CSV, JSON and text. */
#include <inttypes.h>
#include <math.h>

#include "experiments/noise_priv.h"

/* --- CSV -------------------------------------------------------------------------------------- */

/** A number, or nothing where there is none. */
static void print_number(FILE *out, double value) {
    if (isfinite(value)) {
        fprintf(out, ",%.6g", value);
    } else {
        fputc(',', out);
    }
}

static void print_sets(FILE *out, const NoiseExperiment *experiment) {
    fputs(
        "set,precision_bits,norm,weights,p_error_asked,lwe_dim,glwe_dim,log2_poly,pbs_level,"
        "pbs_base_log,ks_level,ks_base_log,lwe_std,glwe_std,security_bits,keys,outputs,rounds,"
        "key_bytes,seconds,bias_ticks_standard,bias_ticks_standard_low_95,"
        "bias_ticks_standard_high_95,bias_ticks_centred,bias_ticks_centred_low_95,"
        "bias_ticks_centred_high_95,holds\n",
        out);
    for (uint32_t i = 0; i < experiment->finished; i++) {
        const NoiseSet *const set = &experiment->sets[i];
        const LutraCryptoParameters *const p = &set->settings.parameters;
        const LutraNoiseStudyResult *const r = &set->result;
        fprintf(out, "%" PRIu32 ",%" PRIu32 ",%.6g,%d %d %d %d,%.6g", set->number,
                set->settings.precision_bits, sqrt((double)set->settings.norm_squared),
                r->weights[0], r->weights[1], r->weights[2], r->weights[3], set->p_error);
        fprintf(out,
                ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32
                ",%.6g,%.6g,%" PRIu32,
                p->lwe_dim, p->glwe_dim, p->log2_poly, p->pbs_level, p->pbs_base_log, p->ks_level,
                p->ks_base_log, p->lwe_std, p->glwe_std, p->security_bits);
        fprintf(out, ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%.1f", r->keys,
                set->settings.outputs, set->settings.rounds, r->key_bytes, r->seconds);
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            print_number(out, r->bias_ticks[kind]);
            print_number(out, r->bias_ticks_95[kind].low);
            print_number(out, r->bias_ticks_95[kind].high);
        }
        fprintf(out, ",%d\n", noise_holds(experiment, set) ? 1 : 0);
    }
}

static void print_quantity(FILE *out, const NoiseSet *set, LutraNoiseQuantity q) {
    const LutraNoiseQuantityResult *const quantity = &set->result.quantities[q];
    const char *const name = lutra_noise_quantity_name(q);
    fprintf(out, "%" PRIu32 ",%s,all,%" PRIu64, set->number, name, quantity->samples);
    const double numbers[] = {quantity->effective_samples,
                              quantity->std,
                              quantity->std_95.low,
                              quantity->std_95.high,
                              quantity->std_predicted[LUTRA_NOISE_CONCRETE],
                              quantity->std_predicted[LUTRA_NOISE_TFHE_RS],
                              quantity->std / quantity->std_predicted[LUTRA_NOISE_CONCRETE],
                              quantity->std / quantity->std_predicted[LUTRA_NOISE_TFHE_RS]};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        print_number(out, numbers[i]);
    }
    fprintf(out, ",%s,%s", lutra_noise_verdict_name(quantity->verdict[LUTRA_NOISE_CONCRETE]),
            lutra_noise_verdict_name(quantity->verdict[LUTRA_NOISE_TFHE_RS]));
    const double means[] = {quantity->mean,         quantity->mean_95.low,
                            quantity->mean_95.high, quantity->mean_predicted,
                            quantity->key_spread,   quantity->key_spread_predicted};
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        print_number(out, means[i]);
    }
    fputc('\n', out);
    for (uint32_t k = 0; k < set->result.keys; k++) {
        const LutraNoiseMoments *const key = &quantity->keys[k];
        fprintf(out, "%" PRIu32 ",%s,key %" PRIu32 ",%" PRIu64 ",", set->number, name, k,
                key->count);
        print_number(out, sqrt(lutra_noise_moments_variance(key)));
        fputs(",,,,,,,,", out);
        print_number(out, lutra_noise_moments_mean(key));
        fputs(",,,,,\n", out);
    }
}

static void print_quantities(FILE *out, const NoiseExperiment *experiment) {
    fputs(
        "set,quantity,keys,samples,effective_samples,std,std_low_95,std_high_95,"
        "std_predicted_concrete,std_predicted_tfhe_rs,ratio_concrete,ratio_tfhe_rs,"
        "verdict_concrete,verdict_tfhe_rs,mean,mean_low_95,mean_high_95,mean_predicted,"
        "key_spread,key_spread_predicted\n",
        out);
    for (uint32_t i = 0; i < experiment->finished; i++) {
        for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
            print_quantity(out, &experiment->sets[i], (LutraNoiseQuantity)q);
        }
    }
}

static void print_rates(FILE *out, const NoiseExperiment *experiment) {
    fputs(
        "set,modulus_switch,table_bits,lookups,failures,rate,rate_low_95,rate_high_95,"
        "predicted_concrete,predicted_tfhe_rs,predicted_of_measured_std,verdict_concrete,"
        "verdict_tfhe_rs,bootstraps,bootstrap_failures,bootstrap_disagreements\n",
        out);
    for (uint32_t i = 0; i < experiment->finished; i++) {
        const NoiseSet *const set = &experiment->sets[i];
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            for (uint32_t wider = 0; wider < LUTRA_NOISE_STUDY_RATES; wider++) {
                const LutraNoiseRate *const rate = &set->result.rates[kind][wider];
                fprintf(out, "%" PRIu32 ",%s,%" PRIu32 ",%" PRIu64 ",%" PRIu64, set->number,
                        lutra_modulus_switch_name(rate->modulus_switch), rate->table_bits,
                        rate->trials, rate->failures);
                const double numbers[] = {(double)rate->failures / (double)rate->trials,
                                          rate->rate_95.low,
                                          rate->rate_95.high,
                                          rate->predicted[LUTRA_NOISE_CONCRETE],
                                          rate->predicted[LUTRA_NOISE_TFHE_RS],
                                          rate->predicted_of_measured};
                for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
                    print_number(out, numbers[n]);
                }
                fprintf(out, ",%s,%s",
                        lutra_noise_verdict_name(rate->verdict[LUTRA_NOISE_CONCRETE]),
                        lutra_noise_verdict_name(rate->verdict[LUTRA_NOISE_TFHE_RS]));
                const LutraNoiseConfirmation *const c = &set->result.confirmations[kind];
                if (wider == 0) {
                    fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", c->lookups, c->failures,
                            c->disagreements);
                } else {
                    fputs(",,,\n", out);
                }
            }
        }
    }
}

static void print_curve(FILE *out, const NoiseExperiment *experiment) {
    fputs(
        "set,x,modulus_switch,lookups,flips,rate,rate_low_95,rate_high_95,predicted_concrete,"
        "predicted_tfhe_rs,without_bias_concrete,without_bias_tfhe_rs\n",
        out);
    for (uint32_t i = 0; i < experiment->finished; i++) {
        const NoiseSet *const set = &experiment->sets[i];
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            for (uint32_t v = 0; v < set->result.curve_count; v++) {
                const LutraNoiseCurvePoint *const point = &set->result.curve[v];
                const bool biased = kind == LUTRA_MODULUS_SWITCH_STANDARD;
                fprintf(out, "%" PRIu32 ",%" PRId64 ",%s,%" PRIu64 ",%" PRIu64, set->number,
                        point->x, lutra_modulus_switch_name((LutraModulusSwitch)kind),
                        point->trials[kind], point->flips[kind]);
                print_number(out, (double)point->flips[kind] / (double)point->trials[kind]);
                print_number(out, point->rate_95[kind].low);
                print_number(out, point->rate_95[kind].high);
                print_number(out, point->predicted[kind][LUTRA_NOISE_CONCRETE]);
                print_number(out, point->predicted[kind][LUTRA_NOISE_TFHE_RS]);
                for (uint32_t model = 0; model < LUTRA_NOISE_MODELS; model++) {
                    print_number(out, biased ? point->without_bias[model] : (double)NAN);
                }
                fputc('\n', out);
            }
        }
    }
}

LutraStatus noise_write_tables(const NoiseExperiment *experiment, const LutraExperimentRun *run,
                               LutraError *error) {
    static const struct {
        const char *name;
        void (*print)(FILE *out, const NoiseExperiment *experiment);
    } tables[] = {{"noise-sets.csv", print_sets},
                  {"noise-quantities.csv", print_quantities},
                  {"noise-rates.csv", print_rates},
                  {"noise-curve.csv", print_curve}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        LutraExperimentFile file;
        LUTRA_TRY(lutra_experiment_csv_open(&file, run, error));
        tables[i].print(file.out, experiment);
        LUTRA_TRY(lutra_experiment_csv_close(&file, run, tables[i].name, error));
    }
    return LUTRA_OK;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void set_interval(LutraJson *object, const char *key, LutraInterval interval) {
    LutraJson *const ends = lutra_json_set_array(object, key);
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
}

static void fill_quantities(LutraJson *array, const LutraNoiseStudyResult *result) {
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        const LutraNoiseQuantityResult *const from = &result->quantities[q];
        LutraJson *const to = lutra_json_add_object(array);
        lutra_json_set_text(to, "quantity", lutra_noise_quantity_name((LutraNoiseQuantity)q));
        lutra_json_set_i64(to, "samples", (int64_t)from->samples);
        lutra_json_set_f64(to, "std_measured", from->std);
        set_interval(to, "std_interval_95", from->std_95);
        lutra_json_set_f64(to, "std_predicted_concrete", from->std_predicted[LUTRA_NOISE_CONCRETE]);
        lutra_json_set_f64(to, "std_predicted_tfhe_rs", from->std_predicted[LUTRA_NOISE_TFHE_RS]);
        lutra_json_set_text(to, "verdict_concrete",
                            lutra_noise_verdict_name(from->verdict[LUTRA_NOISE_CONCRETE]));
        lutra_json_set_text(to, "verdict_tfhe_rs",
                            lutra_noise_verdict_name(from->verdict[LUTRA_NOISE_TFHE_RS]));
        lutra_json_set_f64(to, "mean_measured", from->mean);
        lutra_json_set_f64(to, "mean_predicted", from->mean_predicted);
        lutra_json_set_f64(to, "key_spread_measured", from->key_spread);
        lutra_json_set_f64(to, "key_spread_predicted", from->key_spread_predicted);
    }
}

static void fill_rates(LutraJson *array, const LutraNoiseStudyResult *result) {
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        for (uint32_t i = 0; i < LUTRA_NOISE_STUDY_RATES; i++) {
            const LutraNoiseRate *const from = &result->rates[kind][i];
            LutraJson *const to = lutra_json_add_object(array);
            lutra_json_set_text(to, "modulus_switch",
                                lutra_modulus_switch_name(from->modulus_switch));
            lutra_json_set_i64(to, "table_bits", from->table_bits);
            lutra_json_set_i64(to, "lookups", (int64_t)from->trials);
            lutra_json_set_i64(to, "failures", (int64_t)from->failures);
            set_interval(to, "rate_interval_95", from->rate_95);
            lutra_json_set_f64(to, "predicted_concrete", from->predicted[LUTRA_NOISE_CONCRETE]);
            lutra_json_set_f64(to, "predicted_tfhe_rs", from->predicted[LUTRA_NOISE_TFHE_RS]);
            if (i == 0) {
                const LutraNoiseConfirmation *const c = &result->confirmations[kind];
                lutra_json_set_i64(to, "bootstraps", (int64_t)c->lookups);
                lutra_json_set_i64(to, "bootstrap_failures", (int64_t)c->failures);
                lutra_json_set_i64(to, "bootstrap_disagreements", (int64_t)c->disagreements);
            }
        }
    }
}

void noise_fill_json(LutraJson *results, const NoiseExperiment *experiment) {
    LutraJson *const sets = lutra_json_set_array(results, "sets");
    for (uint32_t i = 0; i < experiment->finished; i++) {
        const NoiseSet *const from = &experiment->sets[i];
        LutraJson *const to = lutra_json_add_object(sets);
        lutra_json_set_i64(to, "set", from->number);
        lutra_json_set_i64(to, "precision_bits", from->settings.precision_bits);
        lutra_json_set_f64(to, "norm", sqrt((double)from->settings.norm_squared));
        lutra_json_set_f64(to, "p_error_asked", from->p_error);
        lutra_json_set_i64(to, "lwe_dim", from->settings.parameters.lwe_dim);
        lutra_json_set_i64(to, "glwe_dim", from->settings.parameters.glwe_dim);
        lutra_json_set_i64(to, "log2_poly", from->settings.parameters.log2_poly);
        lutra_json_set_i64(to, "keys", from->result.keys);
        lutra_json_set_bool(to, "holds", noise_holds(experiment, from));
        lutra_json_set_f64(to, "bias_ticks_standard",
                           from->result.bias_ticks[LUTRA_MODULUS_SWITCH_STANDARD]);
        lutra_json_set_f64(to, "bias_ticks_centred",
                           from->result.bias_ticks[LUTRA_MODULUS_SWITCH_CENTERED]);
        lutra_json_set_f64(to, "seconds", from->result.seconds);
        fill_quantities(lutra_json_set_array(to, "quantities"), &from->result);
        fill_rates(lutra_json_set_array(to, "rates"), &from->result);
    }
}

/* --- text ------------------------------------------------------------------------------------- */

void noise_print(FILE *out, const NoiseExperiment *experiment, const NoiseSet *set) {
    const LutraNoiseStudyResult *const r = &set->result;
    const LutraCryptoParameters *const p = &set->settings.parameters;
    fprintf(out,
            "set %" PRIu32 "  %" PRIu32 " bits, norm %.4g, p_error %.3g: n %" PRIu32 ", k %" PRIu32
            ", N %u; %" PRIu32 " keys, %.0f s\n",
            set->number, set->settings.precision_bits, sqrt((double)set->settings.norm_squared),
            set->p_error, p->lwe_dim, p->glwe_dim, 1u << p->log2_poly, r->keys, r->seconds);
    fprintf(out, "  %-24s %8s %16s %16s %16s\n", "deviation of", "samples", "measured 2^",
            "/ tfhe-rs", "/ concrete");
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        const LutraNoiseQuantityResult *const quantity = &r->quantities[q];
        fprintf(out, "  %-24s %8" PRIu64 " %9.2f +-%.2f",
                lutra_noise_quantity_name((LutraNoiseQuantity)q), quantity->samples,
                log2(quantity->std), 0.5 * log2(quantity->std_95.high / quantity->std_95.low));
        for (int model = LUTRA_NOISE_TFHE_RS; model >= 0; model--) {
            fprintf(out, "  %6.3f %-7s", quantity->std / quantity->std_predicted[model],
                    lutra_noise_verdict_name(quantity->verdict[model]));
        }
        fputc('\n', out);
    }
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        for (uint32_t i = 0; i < LUTRA_NOISE_STUDY_RATES; i++) {
            const LutraNoiseRate *const rate = &r->rates[kind][i];
            fprintf(out,
                    "  failures, %s switch, %" PRIu32 " bits: %" PRIu64 " of %" PRIu64
                    ", 95 %% %.3g .. %.3g; predicted %.3g: %s\n",
                    lutra_modulus_switch_name(rate->modulus_switch), rate->table_bits,
                    rate->failures, rate->trials, rate->rate_95.low, rate->rate_95.high,
                    rate->predicted[LUTRA_NOISE_TFHE_RS],
                    lutra_noise_verdict_name(rate->verdict[LUTRA_NOISE_TFHE_RS]));
        }
        const LutraNoiseConfirmation *const c = &r->confirmations[kind];
        fprintf(out,
                "  bias %.2f ticks, 95 %% %.2f .. %.2f; %" PRIu64 " bootstraps, %" PRIu64
                " wrong, %" PRIu64 " unlike their positions\n",
                r->bias_ticks[kind], r->bias_ticks_95[kind].low, r->bias_ticks_95[kind].high,
                c->lookups, c->failures, c->disagreements);
    }
    fprintf(out, "  %s\n\n", noise_holds(experiment, set) ? "holds" : "REFUTES the noise model");
}
