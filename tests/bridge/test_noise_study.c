/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise studies of planted noise: what is planted is found, and what deviates is noticed.
 *
 * 4 keys of 4,096 outputs: a variance is known to sqrt(2 / 16384) = 1.1 %, so that 20 % too much is
 * 18 deviations off. Seeds are fixed; limits of 5 deviations have a false-alarm rate of 6e-7.
 */
#include <math.h>
#include <string.h>

#include "bridge/noise_study.h"
#include "bridge/noise_study_priv.h"
#include "tests/bridge/planted_backend.h"
#include "tests/support/check.h"

enum { KEYS = 4, OUTPUTS = 4096, PRECISION = 3, NORM_SQUARED = 16, DROPPED = 5, VALUES = 16 };

static LutraNoiseStudySettings settings;
static LutraNoiseStudyResult result; /* large: not on the stack */

/** Settings of one set, and a backend with exactly the noise that tfhe-rs's formulas say. */
static int plant(void **state) {
    (void)state;
    lutra_noise_study_default(&settings);
    settings.backend = &planted_operations;
    settings.parameters = (LutraCryptoParameters){.lwe_dim = 726,
                                                  .glwe_dim = 6,
                                                  .log2_poly = 8,
                                                  .pbs_level = 1,
                                                  .pbs_base_log = 17,
                                                  .ks_level = 3,
                                                  .ks_base_log = 4,
                                                  .lwe_std = 2.3e-5,
                                                  .glwe_std = 1.95e-11};
    settings.precision_bits = PRECISION;
    settings.norm_squared = NORM_SQUARED;
    settings.keys = KEYS;
    settings.outputs = OUTPUTS;
    settings.rounds = 1;
    settings.confirmations = 512;
    settings.curve_values = VALUES;
    settings.curve_samples = OUTPUTS;
    settings.curve_dropped_bits = DROPPED;
    const LutraCryptoParameters *const set = &settings.parameters;
    memset(&planted, 0, sizeof planted);
    memset(&result, 0, sizeof result);
    planted.fresh_std = set->glwe_std;
    planted.bootstrap_std = sqrt(lutra_noise_bootstrap_of(set, LUTRA_NOISE_TFHE_RS));
    planted.keyswitch_std =
        sqrt(lutra_noise_keyswitch(LUTRA_NOISE_TFHE_RS, set->glwe_dim << set->log2_poly,
                                   set->ks_level, set->ks_base_log, set->lwe_std));
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        planted.switch_std[kind] = sqrt(lutra_noise_modulus_switch(
            LUTRA_NOISE_TFHE_RS, (LutraModulusSwitch)kind, set->lwe_dim, set->log2_poly));
    }
    planted.bias_ticks[LUTRA_MODULUS_SWITCH_STANDARD] = 0.5;
    return 0;
}

static void study(void) {
    LutraError error = {""};
    check_status(lutra_noise_study(&result, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(planted.alive, 0);
}

static const LutraNoiseQuantityResult *quantity(LutraNoiseQuantity which) {
    return &result.quantities[which];
}

static double ratio(LutraNoiseQuantity which) {
    return quantity(which)->std / quantity(which)->std_predicted[LUTRA_NOISE_TFHE_RS];
}

static void check_verdict(LutraNoiseQuantity which, LutraNoiseVerdict expected) {
    assert_string_equal(lutra_noise_verdict_name(quantity(which)->verdict[LUTRA_NOISE_TFHE_RS]),
                        lutra_noise_verdict_name(expected));
}

static void planted_noise_is_found(void **state) {
    (void)state;
    study();
    assert_int_equal(result.keys, KEYS);
    assert_int_equal(result.key_bytes, 123);
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        const LutraNoiseQuantityResult *const found = quantity((LutraNoiseQuantity)q);
        assert_int_equal(found->samples, KEYS * OUTPUTS);
        check_close(ratio((LutraNoiseQuantity)q), 1.0, 5.0 * sqrt(0.5 / (KEYS * OUTPUTS)));
        check_close((found->mean - found->mean_predicted) / found->std, 0.0,
                    5.0 / sqrt(KEYS * OUTPUTS));
        assert_true(found->std_95.low < found->std && found->std < found->std_95.high);
        /* what is planted does not depend on keys: 4 variances of 4,096 samples */
        check_close(found->key_spread, 0.0, 5.0 * sqrt(2.0 / OUTPUTS));
    }
    check_close(result.bias_ticks[LUTRA_MODULUS_SWITCH_STANDARD], 0.5, 0.25);
    check_close(result.bias_ticks[LUTRA_MODULUS_SWITCH_CENTERED], 0.0, 0.25);
}

static void failures_are_those_of_the_positions(void **state) {
    (void)state;
    study();
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        for (uint32_t i = 0; i < LUTRA_NOISE_STUDY_RATES; i++) {
            const LutraNoiseRate *const rate = &result.rates[kind][i];
            assert_int_equal(rate->table_bits, PRECISION + i);
            assert_int_equal(rate->trials, KEYS * OUTPUTS);
            const LutraInterval wide =
                lutra_interval_binomial(rate->failures, rate->trials, 1.0 - 6e-7);
            const double predicted = rate->predicted[LUTRA_NOISE_TFHE_RS];
            assert_true(wide.low <= predicted && predicted <= wide.high);
            check_close(rate->predicted_of_measured / predicted, 1.0, 0.5);
        }
        const LutraNoiseConfirmation *const c = &result.confirmations[kind];
        assert_int_equal(c->lookups, KEYS * 512);
        assert_int_equal(c->disagreements, 0);
        const LutraInterval seen = lutra_interval_binomial(c->failures, c->lookups, 1.0 - 6e-7);
        const double rate = result.rates[kind][0].predicted[LUTRA_NOISE_TFHE_RS];
        assert_true(seen.low <= rate && rate <= seen.high);
    }
}

static void the_curve_is_the_predicted_one(void **state) {
    (void)state;
    study();
    assert_int_equal(result.curve_count, VALUES);
    for (uint32_t i = 0; i < VALUES; i++) {
        const LutraNoiseCurvePoint *const point = &result.curve[i];
        assert_int_equal(point->x, 8 + i); /* the threshold of 8 -> 3 bits is 16 */
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            assert_int_equal(point->trials[kind], KEYS * OUTPUTS);
            const LutraInterval wide =
                lutra_interval_binomial(point->flips[kind], point->trials[kind], 1.0 - 6e-7);
            const double predicted = point->predicted[kind][LUTRA_NOISE_TFHE_RS];
            assert_true(wide.low <= predicted && predicted <= wide.high);
        }
    }
    /* Half a tick is half an integer here: without the bias the edge would be seen elsewhere. */
    const LutraNoiseCurvePoint *const below = &result.curve[4];
    const LutraInterval wide = lutra_interval_binomial(below->flips[0], below->trials[0], 0.999);
    assert_true(below->without_bias[LUTRA_NOISE_TFHE_RS] < wide.low);
}

static void a_variance_a_fifth_off_is_noticed(void **state) {
    (void)state;
    planted.keyswitch_std *= sqrt(1.2);
    planted.bootstrap_std *= sqrt(0.8);
    study();
    check_verdict(LUTRA_QUANTITY_KEYSWITCH, LUTRA_MEASURED_LARGER);
    check_verdict(LUTRA_QUANTITY_BOOTSTRAP, LUTRA_MEASURED_SMALLER);
    check_verdict(LUTRA_QUANTITY_LINEAR, LUTRA_MEASURED_SMALLER);
    check_close(ratio(LUTRA_QUANTITY_KEYSWITCH), sqrt(1.2), 0.03);
    check_close(ratio(LUTRA_QUANTITY_BOOTSTRAP), sqrt(0.8), 0.03);
    check_close(ratio(LUTRA_QUANTITY_SWITCH_CENTERED), 1.0, 0.03); /* and nothing else */
    check_close(ratio(LUTRA_QUANTITY_FRESH), 1.0, 0.03);
}

static void more_failures_are_noticed(void **state) {
    (void)state;
    planted.switch_std[LUTRA_MODULUS_SWITCH_CENTERED] *= 1.2;
    study();
    const LutraNoiseRate *const rate = &result.rates[LUTRA_MODULUS_SWITCH_CENTERED][0];
    assert_int_equal(rate->verdict[LUTRA_NOISE_TFHE_RS], LUTRA_MEASURED_LARGER);
    check_verdict(LUTRA_QUANTITY_LOOKUP_CENTERED, LUTRA_MEASURED_LARGER);
}

static void half_a_tick_is_noticed(void **state) {
    (void)state;
    planted.bias_ticks[LUTRA_MODULUS_SWITCH_CENTERED] = 0.5;
    study();
    const LutraInterval *const bias = &result.bias_ticks_95[LUTRA_MODULUS_SWITCH_CENTERED];
    assert_true(bias->low > 0.25 && bias->high < 0.75);
    check_close(0.5 * (bias->low + bias->high), 0.5, 0.25);
}

static void misread_entries_are_noticed(void **state) {
    (void)state;
    planted.misread_every = 64;
    study();
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        assert_int_equal(result.confirmations[kind].disagreements, KEYS * 512 / 64);
    }
}

static void rounds_share_outputs_and_say_so(void **state) {
    (void)state;
    settings.rounds = 4;
    settings.outputs = 1024;
    settings.curve_samples = 1024;
    study();
    const double sums = 4.0 * KEYS * 1024;
    assert_int_equal(quantity(LUTRA_QUANTITY_LINEAR)->samples, (uint64_t)sums);
    check_close(quantity(LUTRA_QUANTITY_LINEAR)->effective_samples, sums / 4.0, 1e-6);
    check_close(quantity(LUTRA_QUANTITY_KEYSWITCH)->effective_samples, sums, 1e-6);
    const double share = lutra_noise_bootstrap_of(&settings.parameters, LUTRA_NOISE_TFHE_RS) *
                         NORM_SQUARED /
                         pow(quantity(LUTRA_QUANTITY_LOOKUP_CENTERED)->std_predicted[1], 2.0);
    check_close(quantity(LUTRA_QUANTITY_LOOKUP_CENTERED)->effective_samples,
                sums / (1.0 + 3.0 * share * share), 1e-6 * sums);
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        const double samples = quantity((LutraNoiseQuantity)q)->effective_samples;
        check_close(ratio((LutraNoiseQuantity)q), 1.0, 5.0 * sqrt(0.5 / samples));
    }
    /* A norm of one: a second round would repeat the first. */
    settings.norm_squared = 1;
    study();
    assert_int_equal(quantity(LUTRA_QUANTITY_LINEAR)->samples, KEYS * 1024);
}

static void without_noise_nothing_deviates(void **state) {
    (void)state;
    const uint32_t log2_poly = planted.log2_poly;
    memset(&planted, 0, sizeof planted);
    planted.log2_poly = log2_poly;
    settings.norm_squared = 7; /* 2, 1, 1, 1 */
    study();
    for (uint32_t q = 0; q <= LUTRA_QUANTITY_KEYSWITCH; q++) {
        assert_true(quantity((LutraNoiseQuantity)q)->std == 0.0);
        assert_true(quantity((LutraNoiseQuantity)q)->mean == 0.0);
    }
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        assert_int_equal(result.rates[kind][1].failures, 0);
        assert_int_equal(result.confirmations[kind].failures, 0);
        assert_int_equal(result.curve[VALUES / 2].flips[kind], 0);
    }
}

static void weights_have_the_norm(void **state) {
    (void)state;
    static const int32_t known[][5] = {{1, 1, 0, 0, 0},      {2, 1, 1, 0, 0},  {4, 1, 1, 1, 1},
                                       {7, 2, 1, 1, 1},      {16, 2, 2, 2, 2}, {64, 4, 4, 4, 4},
                                       {576, 12, 12, 12, 12}};
    int32_t w[4];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        lutra_noise_study_weights(w, (uint32_t)known[i][0]);
        check_equal_i32(w, &known[i][1], 4);
    }
    for (uint32_t norm_squared = 1; norm_squared < 700; norm_squared++) {
        lutra_noise_study_weights(w, norm_squared);
        assert_true(w[0] >= w[1] && w[1] >= w[2] && w[2] >= w[3] && w[3] >= 0);
        for (uint32_t a = 0; a < 4; a++) {
            for (uint32_t b = 0; b < 4; b++) {
                int32_t product = 0;
                for (uint32_t c = 0; c < 4; c++) {
                    product +=
                        lutra_noise_study_weight(w, a, c) * lutra_noise_study_weight(w, b, c);
                }
                assert_int_equal(product, a == b ? (int32_t)norm_squared : 0);
            }
        }
    }
}

static void impossible_settings_are_refused(void **state) {
    (void)state;
    const LutraNoiseStudySettings good = settings;
    LutraNoiseStudySettings bad[14];
    for (size_t i = 0; i < 14; i++) {
        bad[i] = good;
    }
    bad[0].precision_bits = 0;
    bad[1].precision_bits = 7; /* a table of 8 bits would have cells of one tick */
    bad[2].norm_squared = 0;
    bad[3].norm_squared = UINT32_MAX;
    bad[4].keys = 0;
    bad[5].keys = LUTRA_NOISE_STUDY_MAX_KEYS + 1;
    bad[6].outputs = 6;
    bad[7].outputs = 0;
    bad[8].rounds = 0;
    bad[9].confirmations = OUTPUTS + 1;
    bad[10].curve_values = 3;
    bad[11].curve_values = 34; /* a cell has 32 */
    bad[12].curve_samples = OUTPUTS + 1;
    bad[13].curve_dropped_bits = 0;
    LutraNoiseStudyResult before = result;
    for (size_t i = 0; i < 14; i++) {
        LutraError error = {""};
        check_status(lutra_noise_study(&result, &bad[i], &error), LUTRA_EINVAL, &error);
        assert_true(strncmp(error.message, "cannot ", 7) == 0);
        assert_memory_equal(&result, &before, sizeof before);
    }
}

static void every_failing_call_is_reported(void **state) {
    (void)state;
    settings.keys = 2;
    settings.outputs = 8;
    settings.confirmations = 4;
    settings.curve_samples = 8;
    settings.curve_values = 2;
    study();
    const uint64_t calls = planted.calls;
    assert_true(calls > 20);
    memset(&result, 0x5A, sizeof result);
    LutraNoiseStudyResult before = result;
    for (uint64_t at = 1; at <= calls; at++) {
        LutraError error = {""};
        planted.calls = 0;
        planted.fail_at = at;
        check_status(lutra_noise_study(&result, &settings, &error), LUTRA_EIO, &error);
        assert_int_equal(planted.alive, 0);
        assert_memory_equal(&result, &before, sizeof before);
    }
}

static int stop_at(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    uint64_t *const left = user;
    (void)stage;
    (void)figure;
    assert_true(done <= total);
    return (*left)-- == 0;
}

static void a_study_can_be_cancelled(void **state) {
    (void)state;
    for (uint64_t ticks = 0; ticks < 40; ticks += 7) {
        uint64_t left = ticks;
        const LutraProgress progress = {stop_at, NULL, &left};
        LutraError error = {""};
        settings.progress = &progress;
        check_status(lutra_noise_study(&result, &settings, &error), LUTRA_ECANCELLED, &error);
        assert_int_equal(planted.alive, 0);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(planted_noise_is_found, plant),
        cmocka_unit_test_setup(failures_are_those_of_the_positions, plant),
        cmocka_unit_test_setup(the_curve_is_the_predicted_one, plant),
        cmocka_unit_test_setup(a_variance_a_fifth_off_is_noticed, plant),
        cmocka_unit_test_setup(more_failures_are_noticed, plant),
        cmocka_unit_test_setup(half_a_tick_is_noticed, plant),
        cmocka_unit_test_setup(misread_entries_are_noticed, plant),
        cmocka_unit_test_setup(rounds_share_outputs_and_say_so, plant),
        cmocka_unit_test_setup(without_noise_nothing_deviates, plant),
        cmocka_unit_test_setup(weights_have_the_norm, plant),
        cmocka_unit_test_setup(impossible_settings_are_refused, plant),
        cmocka_unit_test_setup(every_failing_call_is_reported, plant),
        cmocka_unit_test_setup(a_study_can_be_cancelled, plant),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/noise_study", tests, NULL, NULL);
}
