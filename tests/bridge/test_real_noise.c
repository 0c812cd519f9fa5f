/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A noise study on real ciphertexts of a small, insecure set: seconds. Keys and noise come from a
 * fixed seed, so the result is the same at every run up to the rounding of the Fourier transform.
 */
#include <math.h>

#include "bridge/noise_study.h"
#include "tests/bridge/support.h"
#include "tests/support/check.h"

static LutraNoiseStudyResult result;

/*
 * 2 keys of 512 outputs: a deviation is known to sqrt(0.5 / 1024) = 2.2 %, and keys of 200 bits
 * differ by some 5 % in variance. 15 % is five of both together. Both kinds of switch show their
 * bias: 200 bits blur positions by 2.9 and 2.0 ticks, so that a mean of 2,048 sums is known to less
 * than 0.07 ticks.
 */
static void the_model_holds_on_a_small_set(void **state) {
    (void)state;
    LutraNoiseStudySettings settings;
    lutra_noise_study_default(&settings);
    settings.parameters = (LutraCryptoParameters){.lwe_dim = 200,
                                                  .glwe_dim = 1,
                                                  .log2_poly = 9,
                                                  .pbs_level = 2,
                                                  .pbs_base_log = 10,
                                                  .ks_level = 3,
                                                  .ks_base_log = 4,
                                                  .lwe_std = 2e-5,
                                                  .glwe_std = 1e-9};
    settings.precision_bits = 5;
    settings.norm_squared = 9;
    settings.backend_settings.threads = 2;
    settings.outputs = 512;
    settings.confirmations = 64;
    settings.curve_values = 4;
    settings.curve_samples = 512;
    LutraError error = {""};
    check_status(lutra_noise_study(&result, &settings, &error), LUTRA_OK, &error);
    for (uint32_t q = 0; q < LUTRA_QUANTITIES; q++) {
        const LutraNoiseQuantityResult *const found = &result.quantities[q];
        check_close(found->std / found->std_predicted[LUTRA_NOISE_TFHE_RS], 1.0, 0.15);
    }
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        check_close(result.bias_ticks[kind], kind == LUTRA_MODULUS_SWITCH_STANDARD ? 0.5 : 0.0,
                    0.35);
        const LutraNoiseRate *const rate = &result.rates[kind][1];
        assert_true(rate->failures > 0);
        const LutraInterval wide =
            lutra_interval_binomial(rate->failures, rate->trials, 1.0 - 1e-6);
        const double predicted = rate->predicted_of_measured;
        assert_true(wide.low <= predicted && predicted <= wide.high);
        assert_int_equal(result.confirmations[kind].lookups, 128);
        assert_int_equal(result.confirmations[kind].disagreements, 0);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_model_holds_on_a_small_set)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return RUN_REAL_TESTS("bridge/noise", tests, NULL, NULL);
}
