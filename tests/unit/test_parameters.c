/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter search against the sets that zama-ai/concrete's optimizer chooses. */
#include "sim/parameters.h"

#include <math.h>
#include <string.h>

#include "sim/crypto_cost.h"
#include "sim/decomposition.h"
#include "sim/security_curve.h"
#include "tests/support/check.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const double four_sigma = 1.0 - 0.999936657516;

typedef struct {
    uint32_t precision, log2_norm, k, log2_poly, n, pbs_level, pbs_base_log, ks_level, ks_base_log;
    uint32_t cost;  /* / 2^20, cut */
    double p_error; /* two digits; 0: not stated */
} Row;

static LutraParametersSettings settings_of(uint32_t precision, double norm2, double p_error,
                                           uint32_t security_bits) {
    LutraParametersSettings settings;
    lutra_parameters_default(&settings);
    settings.precision_bits = precision;
    settings.norm2 = norm2;
    settings.p_error = p_error;
    settings.security_bits = security_bits;
    settings.sum_size = 4096;
    return settings;
}

static void check_rows(const Row *rows, size_t count, double p_error, uint32_t security_bits) {
    LutraError error = {""};
    LutraParameterSearch *search = NULL;
    check_status(
        lutra_parameter_search_create(&search, security_bits, LUTRA_NOISE_CONCRETE, &error),
        LUTRA_OK, &error);
    for (size_t i = 0; i < count; i++) {
        const Row *const row = &rows[i];
        const LutraParametersSettings settings =
            settings_of(row->precision, exp2(row->log2_norm), p_error, security_bits);
        LutraCryptoParameters set;
        check_status(lutra_parameter_search_run(&set, search, &settings, &error), LUTRA_OK, &error);
        assert_int_equal(set.glwe_dim, row->k);
        assert_int_equal(set.log2_poly, row->log2_poly);
        assert_int_equal(set.lwe_dim, row->n);
        assert_int_equal(set.pbs_level, row->pbs_level);
        assert_int_equal(set.pbs_base_log, row->pbs_base_log);
        assert_int_equal(set.ks_level, row->ks_level);
        assert_int_equal(set.ks_base_log, row->ks_base_log);
        assert_int_equal(set.cost / 0x1p20, row->cost);
        if (row->p_error > 0.0) {
            check_close(set.p_error, row->p_error, 0.05e-5);
        }
        assert_true(set.p_error <= p_error);
        assert_int_equal(set.security_bits, security_bits);
        assert_int_equal(set.precision_bits, row->precision);
        check_close(set.norm2, exp2(row->log2_norm), 0.0);
    }
    lutra_parameter_search_destroy(&search);
    assert_null(search);
}

static void the_reference_table_comes_out(void **state) {
    (void)state;
    const Row rows[] = {
        {1, 0, 5, 8, 592, 1, 15, 3, 3, 30, 5.6e-5},
        {2, 4, 5, 8, 649, 2, 10, 4, 3, 48, 6.3e-5},
        {3, 0, 3, 9, 722, 1, 18, 3, 4, 46, 6.2e-5},
        {3, 8, 3, 9, 739, 2, 12, 5, 3, 71, 6.2e-5},
        {4, 0, 2, 10, 801, 1, 23, 3, 4, 76, 6.3e-5},
        {4, 4, 2, 10, 805, 1, 23, 3, 4, 76, 6.2e-5},
        {5, 4, 1, 11, 790, 1, 23, 5, 3, 103, 6.1e-5},
        {6, 4, 1, 12, 857, 2, 15, 5, 3, 337, 5.9e-5},
        {7, 4, 1, 13, 911, 2, 15, 6, 3, 772, 5.8e-5},
        {8, 4, 1, 14, 1007, 2, 15, 5, 4, 1763, 6.2e-5},
        {9, 4, 1, 15, 1071, 2, 15, 7, 3, 4077, 6.3e-5},
        {10, 4, 1, 16, 1105, 3, 11, 8, 3, 11583, 6.1e-5},
        {11, 0, 1, 17, 1188, 2, 14, 8, 3, 20116, 6.2e-5},
    };
    check_rows(rows, COUNT(rows), four_sigma, 128);
}

static void other_errors_and_securities_come_out(void **state) {
    (void)state;
    const Row margin[] = {
        {1, 0, 5, 8, 613, 1, 14, 3, 3, 31, 5.7e-5},
        {1, 12, 6, 8, 609, 3, 9, 5, 2, 74, 6.3e-5},
        {1, 30, 4, 9, 633, 44, 1, 11, 1, 1070, 6.1e-5},
        {2, 0, 4, 8, 699, 2, 7, 4, 3, 41, 6.2e-5},
        {2, 6, 4, 9, 695, 1, 23, 3, 4, 58, 5.0e-5},
        {2, 28, 5, 9, 682, 15, 3, 6, 2, 529, 6.3e-5},
        {3, 15, 2, 10, 765, 2, 15, 5, 3, 110, 6.2e-5},
        {3, 27, 4, 9, 737, 22, 2, 7, 2, 639, 6.3e-5},
        {4, 0, 2, 10, 794, 1, 23, 4, 3, 78, 6.3e-5},
        {4, 1, 2, 10, 831, 1, 23, 3, 4, 78, 6.2e-5},
        {4, 5, 2, 10, 838, 1, 23, 3, 5, 79, 6.3e-5},
        {4, 17, 2, 10, 797, 3, 12, 7, 2, 153, 6.3e-5},
        {4, 26, 2, 10, 782, 45, 1, 15, 1, 1522, 6.3e-5},
        {5, 23, 1, 11, 815, 14, 3, 8, 2, 695, 6.3e-5},
        {6, 0, 1, 12, 909, 1, 22, 4, 4, 243, 5.9e-5},
        {6, 22, 1, 12, 863, 42, 1, 17, 1, 4466, 6.3e-5},
        {7, 12, 1, 13, 943, 4, 9, 6, 3, 1269, 5.9e-5},
        {8, 13, 1, 14, 991, 6, 6, 10, 2, 3997, 6.3e-5},
        {9, 4, 1, 15, 1122, 2, 15, 7, 3, 4266, 6.3e-5},
        {9, 16, 1, 15, 1098, 42, 1, 23, 1, 54687, 6.3e-5},
        {10, 0, 1, 16, 1176, 2, 14, 6, 4, 9224, 6.0e-5},
        {10, 12, 1, 16, 1127, 13, 3, 12, 2, 39139, 6.2e-5},
        {10, 13, 1, 16, 1137, 20, 2, 12, 2, 58387, 6.3e-5},
    };
    check_rows(margin, COUNT(margin), four_sigma, 132);
    const Row rare[] = {
        {3, 4, 4, 9, 747, 1, 23, 3, 4, 62, 0},     {4, 4, 2, 10, 823, 1, 23, 3, 5, 77, 0},
        {5, 4, 1, 11, 812, 1, 23, 5, 3, 106, 0},   {6, 4, 1, 12, 899, 2, 15, 4, 4, 346, 0},
        {8, 4, 1, 14, 1034, 2, 15, 5, 4, 1809, 0},
    };
    check_rows(rare, COUNT(rare), 1e-5, 128);
}

static void feasible_norms_end_where_the_reference_ends(void **state) {
    (void)state;
    const uint32_t largest[] = {30, 29, 27, 26, 24, 22, 20, 18, 16, 13, 11};
    LutraError error = {""};
    LutraParameterSearch *search = NULL;
    check_status(lutra_parameter_search_create(&search, 128, LUTRA_NOISE_CONCRETE, &error),
                 LUTRA_OK, &error);
    LutraCryptoParameters set;
    for (uint32_t precision = 1; precision <= COUNT(largest); precision++) {
        for (uint32_t log2_norm = 0; log2_norm < 32; log2_norm++) {
            const LutraParametersSettings settings =
                settings_of(precision, exp2(log2_norm), four_sigma, 128);
            const bool feasible = log2_norm <= largest[precision - 1];
            check_status(lutra_parameter_search_run(&set, search, &settings, &error),
                         feasible ? LUTRA_OK : LUTRA_EINFEASIBLE, &error);
        }
    }
    const LutraParametersSettings wide = settings_of(12, 1.0, four_sigma, 128);
    check_status(lutra_parameter_search_run(&set, search, &wide, &error), LUTRA_EINFEASIBLE,
                 &error);
    lutra_parameter_search_destroy(&search);
}

static void infeasible_names_what_was_asked(void **state) {
    (void)state;
    LutraError error = {""};
    LutraCryptoParameters set = {.lwe_dim = 7};
    const LutraParametersSettings settings = settings_of(10, 20000.0, 1e-6, 128);
    check_status(lutra_parameters_find(&set, &settings, &error), LUTRA_EINFEASIBLE, &error);
    assert_int_equal(set.lwe_dim, 7);
    assert_non_null(strstr(error.message, "10 bits"));
    assert_non_null(strstr(error.message, "norm 20000"));
    assert_non_null(strstr(error.message, "p_error 1e-06"));
}

static void bad_settings_are_refused(void **state) {
    (void)state;
    const LutraParametersSettings good = settings_of(4, 1.0, 1e-5, 128);
    LutraParametersSettings bad[11];
    for (size_t i = 0; i < COUNT(bad); i++) {
        bad[i] = good;
    }
    bad[0].precision_bits = 17;
    bad[1].norm2 = -1.0;
    bad[2].norm2 = NAN;
    bad[3].norm2 = INFINITY;
    bad[4].p_error = 0.0;
    bad[5].p_error = 1.0;
    bad[6].p_error = NAN;
    bad[7].p_error = -0.5;
    bad[8].security_bits = 100;
    bad[9].largest_log2_poly = 7;
    bad[10].largest_log2_poly = 18;
    LutraError error = {""};
    LutraCryptoParameters set = {.lwe_dim = 7};
    for (size_t i = 0; i < COUNT(bad); i++) {
        check_status(lutra_parameters_find(&set, &bad[i], &error), LUTRA_EINVAL, &error);
        assert_int_equal(set.lwe_dim, 7);
    }
    LutraParameterSearch *search = NULL;
    check_status(lutra_parameter_search_create(&search, 132, LUTRA_NOISE_CONCRETE, &error),
                 LUTRA_OK, &error);
    check_status(lutra_parameter_search_run(&set, search, &good, &error), LUTRA_EINVAL, &error);
    lutra_parameter_search_destroy(&search);
}

/* Every set that comes out, by the public formulas: noise, cost, curve, limits of a backend. */
static void sets_keep_their_promises(void **state) {
    (void)state;
    const double errors[] = {0.9, 0.01, 1e-5, 0x1p-64, 0x1p-128};
    LutraError error = {""};
    for (int model = LUTRA_NOISE_CONCRETE; model <= LUTRA_NOISE_TFHE_RS; model++) {
        LutraParameterSearch *search = NULL;
        check_status(lutra_parameter_search_create(&search, 132, (LutraNoiseModel)model, &error),
                     LUTRA_OK, &error);
        for (uint32_t i = 0; i < 2 * 9 * COUNT(errors); i++) {
            LutraParametersSettings settings = settings_of(i / 2 % 9, 8.0, errors[i / 18], 132);
            settings.noise_model = (LutraNoiseModel)model;
            settings.modulus_switch = (LutraModulusSwitch)(i % 2);
            settings.sum_size = 0;
            LutraCryptoParameters set;
            check_status(lutra_parameter_search_run(&set, search, &settings, &error), LUTRA_OK,
                         &error);
            const LutraNoiseBreakdown noise =
                lutra_noise_of_lookup(&set, settings.noise_model,
                                      64.0 * lutra_noise_bootstrap_of(&set, settings.noise_model),
                                      settings.precision_bits);
            check_close(noise.p_error / set.p_error, 1.0, 1e-9);
            assert_true(set.p_error <= settings.p_error);
            check_close(set.cost / lutra_cost_lookup(&set), 1.0, 1e-12);
            assert_int_equal(set.modulus_switch, settings.modulus_switch);
            assert_true(set.log2_poly > set.precision_bits);
            assert_true(set.pbs_level * set.pbs_base_log <= 64);
            assert_true(set.ks_level * set.ks_base_log <= 64);
            const LutraSecurityCurve *const curve = lutra_security_curve(132);
            check_close(set.lwe_std, lutra_security_std(curve, set.lwe_dim), 0.0);
            check_close(set.glwe_std, lutra_security_std(curve, set.glwe_dim << set.log2_poly),
                        0.0);
            assert_string_equal(set.curve, curve->name);
        }
        lutra_parameter_search_destroy(&search);
    }
}

/* A centred modulus switch, a smaller error demand, a smaller norm or fewer bits never cost more.
 */
static void easier_demands_cost_no_more(void **state) {
    (void)state;
    LutraError error = {""};
    const LutraParametersSettings hard = settings_of(6, 20.0, 1e-6, 128);
    LutraParametersSettings easy[4] = {hard, hard, hard, hard};
    easy[0].modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
    easy[1].p_error = 1e-3;
    easy[2].norm2 = 3.0;
    easy[3].precision_bits = 5;
    LutraCryptoParameters set;
    check_status(lutra_parameters_find(&set, &hard, &error), LUTRA_OK, &error);
    for (size_t i = 0; i < COUNT(easy); i++) {
        LutraCryptoParameters cheaper;
        check_status(lutra_parameters_find(&cheaper, &easy[i], &error), LUTRA_OK, &error);
        assert_true(cheaper.cost < set.cost);
    }
}

/* However many errors are allowed, a table entry has at least two ticks. */
static void tables_fit_their_polynomial(void **state) {
    (void)state;
    LutraError error = {""};
    for (uint32_t precision = 1; precision <= 10; precision++) {
        const LutraParametersSettings settings = settings_of(precision, 0.0, 0.99999, 128);
        LutraCryptoParameters set;
        check_status(lutra_parameters_find(&set, &settings, &error), LUTRA_OK, &error);
        assert_true(set.log2_poly > precision);
    }
}

static void largest_poly_is_kept(void **state) {
    (void)state;
    LutraError error = {""};
    LutraParametersSettings settings = settings_of(8, 16.0, 0.01, 128);
    LutraCryptoParameters set;
    check_status(lutra_parameters_find(&set, &settings, &error), LUTRA_OK, &error);
    settings.largest_log2_poly = set.log2_poly;
    LutraCryptoParameters same;
    check_status(lutra_parameters_find(&same, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(same.lwe_dim, set.lwe_dim);
    settings.largest_log2_poly = set.log2_poly - 1;
    const LutraStatus status = lutra_parameters_find(&same, &settings, &error);
    assert_true(status == LUTRA_EINFEASIBLE || same.log2_poly < set.log2_poly);
    settings.largest_log2_poly = 9;
    check_status(lutra_parameters_find(&same, &settings, &error), LUTRA_EINFEASIBLE, &error);
}

static void one_set_serves_many_tables(void **state) {
    (void)state;
    LutraError error = {""};
    const LutraParametersSettings settings = settings_of(0, 0.0, 1e-4, 128);
    const LutraLookupPattern patterns[] = {
        {.precision_bits = 5, .fresh_factor = 900.0},
        {.precision_bits = 6, .var_factor = 50.0, .fresh_factor = 14.0},
        {.precision_bits = 3, .var_factor = 3000.0},
        {.precision_bits = 0, .var_factor = 65536.0},
    };
    LutraCryptoParameters set;
    check_status(lutra_parameters_choose(&set, patterns, COUNT(patterns), &settings, &error),
                 LUTRA_OK, &error);
    /* The first decides: sqrt(900) / 2; the others come to 8, 6.8 and 4. */
    LutraParametersSettings hardest = settings;
    hardest.precision_bits = 6;
    hardest.norm2 = 15.0;
    LutraCryptoParameters expected;
    check_status(lutra_parameters_find(&expected, &hardest, &error), LUTRA_OK, &error);
    assert_int_equal(set.lwe_dim, expected.lwe_dim);
    assert_int_equal(set.precision_bits, 6);
    check_close(set.norm2, 15.0, 1e-12);
    check_close(set.cost / expected.cost, 1.0, 1e-12);
    double worst = 0.0;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        worst =
            fmax(worst, lutra_parameters_noise(&set, &patterns[i], settings.noise_model).p_error);
    }
    check_close(set.p_error, worst, 0.0);
    assert_true(worst <= settings.p_error);
    /* By hand for the second. */
    const double input_t2 = 50.0 * lutra_noise_bootstrap_of(&set, LUTRA_NOISE_CONCRETE) +
                            14.0 * lutra_noise_fresh(&set);
    check_close(
        lutra_parameters_noise(&set, &patterns[1], LUTRA_NOISE_CONCRETE).input_var_t2 / input_t2,
        1.0, 1e-12);
    check_status(lutra_parameters_choose(&set, patterns, 0, &settings, &error), LUTRA_EINVAL,
                 &error);
    const LutraLookupPattern negative = {.precision_bits = 3, .var_factor = -1.0};
    check_status(lutra_parameters_choose(&set, &negative, 1, &settings, &error), LUTRA_EINVAL,
                 &error);
    const LutraLookupPattern infinite = {.precision_bits = 3, .var_factor = INFINITY};
    check_status(lutra_parameters_choose(&set, &infinite, 1, &settings, &error), LUTRA_EINVAL,
                 &error);
}

static void decompositions_trade_cost_for_noise(void **state) {
    (void)state;
    LutraDecomposition list[LUTRA_MAX_DECOMPOSITIONS];
    const double std = lutra_security_std(lutra_security_curve(128), 1024);
    const uint32_t count =
        lutra_decomposition_list_bootstrap(list, LUTRA_NOISE_CONCRETE, 2, 9, std);
    assert_true(count >= 3 && count <= LUTRA_MAX_DECOMPOSITIONS);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(i == 0 || list[i].level > list[i - 1].level);
        assert_true(i == 0 || list[i].var_t2 <= list[i - 1].var_t2);
        /* The base is the best of its level: compared with every other. */
        for (uint32_t base_log = 1; base_log * list[i].level <= 64; base_log++) {
            const double other =
                lutra_noise_bootstrap(LUTRA_NOISE_CONCRETE, 1, 2, 9, list[i].level, base_log, std);
            assert_true(list[i].var_t2 <= other);
        }
    }
}

/* By hand; the largest set that can be written down must not overflow. */
static void sizes_and_costs_are_counted(void **state) {
    (void)state;
    const LutraCryptoParameters small = {
        .lwe_dim = 600, .glwe_dim = 2, .log2_poly = 10, .pbs_level = 3, .ks_level = 5};
    assert_int_equal(lutra_bootstrap_key_bytes(&small), UINT64_C(600) * 9 * 3 * 1024 * 8);
    assert_int_equal(lutra_keyswitch_key_bytes(&small), UINT64_C(2048) * 5 * 601 * 8);
    assert_int_equal(lutra_ciphertext_bytes(&small), UINT64_C(2049) * 8);
    /* 2048 5 + 2048 5 601 + (2048 5 - 1) 601 + 1 */
    check_close(lutra_cost_keyswitch(2048, 600, 5), 12318120.0, 0.0);
    /* F = 1024 10 + 1024; 3 3 F + 3 F + 9 3 1024 */
    check_close(lutra_cost_cmux(2, 10, 3), 162816.0, 0.0);
    check_close(lutra_cost_lookup(&small), 12318120.0 + 600 * 162816.0, 0.0);
    const LutraCryptoParameters large = {
        .lwe_dim = 2047, .glwe_dim = 6, .log2_poly = 17, .pbs_level = 64, .ks_level = 64};
    assert_int_equal(lutra_bootstrap_key_bytes(&large), UINT64_C(2047) * 49 * 64 * 131072 * 8);
    assert_int_equal(lutra_keyswitch_key_bytes(&large), UINT64_C(6) * 131072 * 64 * 2048 * 8);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_table_comes_out),
        cmocka_unit_test(other_errors_and_securities_come_out),
        cmocka_unit_test(feasible_norms_end_where_the_reference_ends),
        cmocka_unit_test(infeasible_names_what_was_asked),
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(sets_keep_their_promises),
        cmocka_unit_test(easier_demands_cost_no_more),
        cmocka_unit_test(tables_fit_their_polynomial),
        cmocka_unit_test(largest_poly_is_kept),
        cmocka_unit_test(one_set_serves_many_tables),
        cmocka_unit_test(decompositions_trade_cost_for_noise),
        cmocka_unit_test(sizes_and_costs_are_counted),
    };
    return cmocka_run_group_tests_name("parameters", tests, NULL, NULL);
}
