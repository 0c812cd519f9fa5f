/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noisy execution against the formulas: how often look-ups read another cell. Seeds are fixed, so a
 * test passes or fails for ever; had the seeds been drawn, a right program would fail one of the
 * comparisons here with the probability that stands beside it.
 *
 * A proportion is compared by z = (hits - n p) / sqrt(n p (1 - p)); |z| > 4.5 has probability
 * 7e-6 for a right program (Gaussian; expected hits are above 50 wherever it is used).
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/parameters.h"
#include "sim/prediction.h"
#include "sim/security_curve.h"
#include "sim/simulate.h"
#include "sim/torus_run.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static const double LIMIT = 4.5;

static void check_rate(uint64_t hits, uint64_t count, double probability, const char *what) {
    const double expected = (double)count * probability;
    const double z = ((double)hits - expected) / sqrt(expected * (1.0 - probability));
    if (!(fabs(z) <= LIMIT)) {
        fail_msg("%s: %lu of %lu, expected %.1f: %.1f deviations off", what, (unsigned long)hits,
                 (unsigned long)count, expected, z);
    }
}

/* --- draws ------------------------------------------------------------------------------------ */

/* n = 400,000: mean, variance, skew, and the tails beyond 3 and 4 deviations (expected 1,080 and
 * 25.3). */
static void gaussian_words_have_their_moments(void **state) {
    (void)state;
    enum { COUNT = 400000 };
    const double deviation = 0x1p-12;
    const LutraNoiseAddress address = lutra_noise_address(1, LUTRA_STREAM_KEYSWITCH, 3, 0, 5, 0);
    double sum = 0.0;
    double squares = 0.0;
    double cubes = 0.0;
    uint64_t beyond_3 = 0;
    uint64_t beyond_4 = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const double z =
            ldexp((double)(int64_t)lutra_noise_word(address, i, deviation), -64) / deviation;
        sum += z;
        squares += z * z;
        cubes += z * z * z;
        beyond_3 += fabs(z) > 3.0;
        beyond_4 += fabs(z) > 4.0;
    }
    const double n = COUNT;
    check_close(sum / n, 0.0, LIMIT / sqrt(n));             /* 7e-6 */
    check_close(squares / n, 1.0, LIMIT * sqrt(2.0 / n));   /* 7e-6 */
    check_close(cubes / n, 0.0, LIMIT * sqrt(15.0 / n));    /* 7e-6 */
    check_rate(beyond_3, COUNT, erfc(3.0 / sqrt(2.0)), "beyond 3 deviations");
    assert_true(beyond_4 >= 5 && beyond_4 <= 55); /* Poisson 25.3 outside: 1e-6 */
    assert_int_equal(lutra_noise_word(address, 7, 0.0), 0);
}

/* 2^14 draws, evenly spread: the cells read are those of the distribution function, exactly. */
static void displacements_invert_the_distribution(void **state) {
    (void)state;
    const LutraNoisyRead read = {.bits = 3, .deviation = 0.031, .bias = 0.002};
    const int64_t off_centre = INT64_C(1) << 57; /* an eighth of a cell of 2^60 */
    enum { COUNT = 1 << 14 };
    uint64_t counts[7] = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        const int64_t k = lutra_noisy_displacement(&read, off_centre, (2 * i + 1) << 49);
        assert_true(k >= -3 && k <= 3);
        counts[k + 3]++;
    }
    for (int k = -3; k <= 3; k++) {
        const double low = ((k - 0.5) * 0.0625 - 0x1p-7 - 0.002) / (0.031 * sqrt(2.0));
        const double high = ((k + 0.5) * 0.0625 - 0x1p-7 - 0.002) / (0.031 * sqrt(2.0));
        const double share = 0.5 * (erfc(low) - erfc(high));
        check_close((double)counts[k + 3], COUNT * share, 1.01);
    }
    assert_int_equal(lutra_noisy_displacement(&(LutraNoisyRead){.bits = 2}, 0, 0), 0);
    assert_int_equal(lutra_noisy_displacement(&(LutraNoisyRead){.bits = 2}, 0, UINT64_MAX), 0);
    const LutraNoisyRead plain = {.bits = 2, .wrong = 0.5};
    assert_int_equal(lutra_noisy_displacement(&plain, 0, (UINT64_C(1) << 62) - 1), -1);
    assert_int_equal(lutra_noisy_displacement(&plain, 0, UINT64_C(1) << 62), 0);
    assert_int_equal(lutra_noisy_displacement(&plain, 0, (UINT64_C(3) << 62) - 1), 0);
    assert_int_equal(lutra_noisy_displacement(&plain, 0, UINT64_C(3) << 62), 1);
}

/* --- look-ups -------------------------------------------------------------------- */

enum { COLUMNS = 8, ROWS = 100, ELEMENTS = COLUMNS * ROWS };

/** Input codes of `bits` bits, a rounding if bits are dropped, and the identity as table. */
static void build_columns(LutraCircuit *circuit, uint32_t bits, uint32_t dropped,
                          const LutraCryptoParameters *set) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(1), CIRCUIT_SMALL);
    const LutraEncoding encoding = {bits, false};
    const int64_t last = (INT64_C(1) << bits) - 1;
    uint32_t x = builder_input(&builder, (LutraShape){1, ROWS, COLUMNS}, encoding, 0, last);
    for (size_t i = 0; i < 256; i++) {
        builder.circuit.operations[x].u.input.code_of_pixel[i] =
            (int16_t)((int64_t)i > last ? last : (int64_t)i);
    }
    if (dropped > 0) {
        x = builder_round(&builder, x, dropped, false);
        builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    }
    const uint32_t left = bits - dropped;
    const uint32_t y = builder_table(&builder, x, (LutraEncoding){left, false}, 0,
                                     (INT64_C(1) << left) - 1, false);
    LutraTableOperation *const table = &builder.circuit.operations[y].u.table;
    for (uint32_t i = 0; i < table->entry_count; i++) {
        table->entries[i] = (int32_t)i;
    }
    (void)builder_output(&builder, builder_linear(&builder, y, 2), 0);
    builder_finish(&builder, circuit);
    if (set != NULL) {
        circuit_give_parameters(circuit, *set);
    }
}

/** Look-ups of each column that read the cell above or below the right one, over many images. */
static void count_columns(uint64_t up[COLUMNS], uint64_t down[COLUMNS],
                          const LutraCircuit *circuit, const LutraNoiseSettings *settings,
                          uint8_t first, uint32_t images) {
    LutraError error = {""};
    LutraNoisePlan plan;
    LutraImageValues right;
    uint8_t pixels[ELEMENTS];
    void *scratch = NULL;
    LutraOperationStatistics statistics[16];
    float logits[2];
    const uint32_t table = circuit->operation_count - 3;
    for (size_t i = 0; i < ELEMENTS; i++) {
        pixels[i] = (uint8_t)(first + i % COLUMNS);
    }
    for (size_t i = 0; i < 16; i++) {
        statistics[i] = lutra_operation_statistics_empty();
    }
    check_status(lutra_simulate_image_values(&right, circuit, pixels, &error), LUTRA_OK, &error);
    check_status(lutra_noise_plan_init(&plan, circuit, settings, &error), LUTRA_OK, &error);
    check_status(lutra_alloc(&scratch, lutra_torus_scratch_bytes(circuit), 1, &error), LUTRA_OK,
                 &error);
    memset(up, 0, COLUMNS * sizeof *up);
    memset(down, 0, COLUMNS * sizeof *down);
    for (uint32_t image = 0; image < images; image++) {
        const LutraTorusNoise noise = {.plan = &plan, .image = image};
        lutra_torus_run(circuit, &noise, logits, statistics, pixels, scratch);
        const LutraTorusResult y = lutra_torus_result(circuit, table, scratch);
        for (size_t i = 0; i < ELEMENTS; i++) {
            up[i % COLUMNS] += y.values[i] > right.values[table][i];
            down[i % COLUMNS] += y.values[i] < right.values[table][i];
        }
    }
    lutra_free(&scratch);
    lutra_noise_plan_deinit(&plan);
    lutra_image_values_deinit(&right);
}

static LutraCryptoParameters published_set(void) {
    const LutraSecurityCurve *const curve = lutra_security_curve(128);
    return (LutraCryptoParameters){.lwe_dim = 739,
                                   .glwe_dim = 3,
                                   .log2_poly = 9,
                                   .pbs_level = 2,
                                   .pbs_base_log = 12,
                                   .ks_level = 5,
                                   .ks_base_log = 3,
                                   .lwe_std = lutra_security_std(curve, 739),
                                   .glwe_std = lutra_security_std(curve, 3 << 9),
                                   .security_bits = 128,
                                   .precision_bits = 3,
                                   .norm2 = 1.0,
                                   .p_error_target = 0.01,
                                   .p_error = 0.01};
}

/* Flip rates of 8 -> 3 bits for x = 12 .. 19: the published Monte Carlo (20,000 draws each, so
 * itself good to 0.0035) and the formula, with 40,000 draws each here. 40 comparisons: 3e-4. */
static void approximate_rounding_flips_as_published(void **state) {
    (void)state;
    enum { IMAGES = 400, DRAWS = IMAGES * ROWS };
    static const double measured[] = {.146, .237, .339, .473, .402, .289, .190, .110};
    LutraCryptoParameters set = published_set();
    for (uint32_t variant = 0; variant < 4; variant++) {
        LutraCircuit circuit;
        LutraNoiseSettings settings;
        uint64_t up[COLUMNS];
        uint64_t down[COLUMNS];
        lutra_noise_settings_default(&settings);
        settings.model = LUTRA_NOISE_CONCRETE;
        settings.kind = variant < 3 ? LUTRA_NOISE_SOURCES : LUTRA_NOISE_LOOKUPS;
        settings.rounds_separately = variant == 0;
        set.modulus_switch =
            variant == 2 ? LUTRA_MODULUS_SWITCH_CENTERED : LUTRA_MODULUS_SWITCH_STANDARD;
        build_columns(&circuit, 8, 5, &set);
        count_columns(up, down, &circuit, &settings, 12, IMAGES);
        const LutraNoiseBreakdown noise = lutra_noise_of_lookup(
            &set, LUTRA_NOISE_CONCRETE, lutra_noise_fresh(&set), 3);
        const LutraNoiseRounding rounding = {
            .bits = 8,
            .dropped_bits = 5,
            .symmetrized = true,
            .log2_poly = 9,
            .modulus_switch = (LutraModulusSwitch)set.modulus_switch};
        /* rounding the noise on its own adds a twelfth of a squared tick */
        const double var_t2 = noise.total_var_t2 + (variant == 0 ? 0x1p-20 / 12.0 : 0.0);
        for (size_t i = 0; i < COLUMNS; i++) {
            const double expected = lutra_noise_off_by_one(&rounding, 12 + (int64_t)i, var_t2);
            const uint64_t flips = i < 4 ? up[i] : down[i];
            /* the formula takes ticks as fine; four of them to a digit here cost it up to 0.004 */
            const double rate = (double)flips / DRAWS;
            if (variant < 3) {
                check_close(rate, expected, 0.004 + LIMIT * sqrt(0.25 / DRAWS));
            } else {
                check_rate(flips, DRAWS, expected, "one draw for each look-up");
            }
            if (variant == 0) {
                check_close(rate, measured[i], LIMIT * sqrt(0.25 / DRAWS + 0.25 / 20000));
            }
        }
        lutra_circuit_deinit(&circuit);
    }
}

/* Vector 27: a 3-bit identity at p_error 0.5, 0.01 and 0.005. Wrong look-ups are as frequent as the
 * parameters promise. 80,000 look-ups each, 12 comparisons: 8e-5. */
static void error_rates_are_those_promised(void **state) {
    (void)state;
    enum { IMAGES = 100, DRAWS = IMAGES * ELEMENTS };
    static const double targets[] = {0.5, 0.01, 0.005};
    for (size_t t = 0; t < 3; t++) {
        LutraParametersSettings wanted;
        LutraCryptoParameters set;
        LutraError error = {""};
        lutra_parameters_default(&wanted);
        wanted.precision_bits = 3;
        wanted.p_error = targets[t];
        wanted.modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD;
        wanted.noise_model = LUTRA_NOISE_CONCRETE;
        check_status(lutra_parameters_find(&set, &wanted, &error), LUTRA_OK, &error);
        for (uint32_t kind = 0; kind < 4; kind++) {
            LutraCircuit circuit;
            LutraNoiseSettings settings;
            uint64_t up[COLUMNS];
            uint64_t down[COLUMNS];
            uint64_t wrong = 0;
            build_columns(&circuit, 3, 0, &set);
            lutra_noise_settings_default(&settings);
            settings.model = wanted.noise_model;
            settings.kind = kind < 2 ? LUTRA_NOISE_SOURCES : (LutraNoiseKind)(2 * (kind - 2));
            settings.rounds_separately = kind == 1;
            settings.p_error = targets[t];
            count_columns(up, down, &circuit, &settings, 0, IMAGES);
            for (size_t i = 0; i < COLUMNS; i++) {
                wrong += up[i] + down[i];
            }
            double expected = targets[t];
            if (settings.kind != LUTRA_NOISE_P_ERROR) { /* fresh inputs: the set's own breakdown */
                const LutraNoiseBreakdown noise = lutra_noise_of_lookup(
                    &set, settings.model, lutra_noise_fresh(&set), 3);
                expected = lutra_noise_p_error_ticks(noise.total_var_t2, 3, set.log2_poly,
                                                     LUTRA_MODULUS_SWITCH_STANDARD);
            }
            const double rate = (double)wrong / DRAWS;
            assert_true(rate > 0.25 * targets[t] && rate < 1.75 * targets[t]);
            if (kind >= 2) {
                check_rate(wrong, DRAWS, expected, lutra_noise_kind_name(settings.kind));
            } else { /* ticks are coarse at such p_errors: N is small */
                check_close(rate, expected, 0.12 * expected + LIMIT * sqrt(expected / DRAWS));
            }
            lutra_circuit_deinit(&circuit);
        }
    }
}

/* --- circuits -------------------------------------------------------------------- */

/** Two ternary convolutions and a linear layer, no borders. */
static void build_network(LutraCircuit *circuit) {
    CircuitBuilder builder;
    const LutraEncoding wide = {7, true}; /* room for the sums of the next layer */
    builder_start(&builder, check_key(4), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){2, 10, 10}, (LutraEncoding){12, true}, -100,
                               100);
    for (uint32_t layer = 0; layer < 2; layer++) {
        x = builder_conv(&builder, x, 6, 3, 1, 0);
        const uint32_t bits = builder.circuit.operations[x].encoding.bits;
        x = builder_round(&builder, x, bits - 4, false);
        builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
        x = builder_table(&builder, x, wide, -1, 1, true);
    }
    (void)builder_output(&builder, builder_linear(&builder, x, 3), 0);
    builder_finish(&builder, circuit);
}

/** Look-ups of each operation that noise displaced, image by image. */
static void count_displaced(uint32_t *counts, const LutraCircuit *circuit,
                            const LutraNoiseSettings *settings, const uint8_t *pixels,
                            uint32_t images) {
    LutraError error = {""};
    LutraNoisePlan plan;
    void *scratch = NULL;
    float logits[3];
    check_status(lutra_noise_plan_init(&plan, circuit, settings, &error), LUTRA_OK, &error);
    check_status(lutra_alloc(&scratch, lutra_torus_scratch_bytes(circuit), 1, &error), LUTRA_OK,
                 &error);
    for (uint32_t image = 0; image < images; image++) {
        LutraOperationStatistics seen[16];
        const LutraTorusNoise noise = {.plan = &plan, .image = image};
        for (size_t i = 0; i < 16; i++) {
            seen[i] = lutra_operation_statistics_empty();
        }
        lutra_torus_run(circuit, &noise, logits, seen, pixels, scratch);
        for (uint32_t i = 0; i < circuit->operation_count; i++) {
            counts[image * circuit->operation_count + i] = (uint32_t)seen[i].displaced;
        }
    }
    lutra_free(&scratch);
    lutra_noise_plan_deinit(&plan);
}

/* Mean displaced look-ups of each table, 400 runs of one image each way; Welch's z, two tables:
 * 1.4e-5. Most of the second layer's noise comes out of bootstraps, so it is carried through a
 * convolution in one way and computed in the other. */
static void check_agreement(uint32_t set_count) {
    enum { IMAGES = 400, OPERATIONS = 16 };
    LutraCircuit circuit;
    static uint32_t counts[2][IMAGES * OPERATIONS];
    build_network(&circuit);
    assert_true(circuit.operation_count <= OPERATIONS);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 1);
    LutraCryptoParameters set = published_set();
    set.log2_poly = 11; /* ticks fine enough for the digits; still noise to speak of */
    set.modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
    set.glwe_std = 0x1p-31;
    LutraCryptoParameters sets[2] = {set, set};
    sets[1].log2_poly = 10; /* the second table's keyswitch comes from twice as large a key */
    sets[1].lwe_dim = 700;
    sets[1].lwe_std = lutra_security_std(lutra_security_curve(128), 700);
    circuit_give_sets(&circuit, sets, set_count);
    for (uint32_t i = 0, table = 0; i < circuit.operation_count; i++) {
        if (circuit.operations[i].kind == LUTRA_OPERATION_TABLE) {
            circuit.operations[i].u.table.parameter_index = table++ % set_count;
        }
    }
    for (size_t kind = 0; kind < 2; kind++) {
        LutraNoiseSettings settings;
        lutra_noise_settings_default(&settings);
        settings.kind = kind == 0 ? LUTRA_NOISE_LOOKUPS : LUTRA_NOISE_SOURCES;
        count_displaced(counts[kind], &circuit, &settings, pixels, IMAGES);
    }
    uint32_t tables = 0;
    for (uint32_t i = 0; i < circuit.operation_count; i++) {
        double mean[2];
        double variance[2];
        for (size_t kind = 0; kind < 2; kind++) {
            double sum = 0.0;
            double squares = 0.0;
            for (size_t image = 0; image < IMAGES; image++) {
                const double count = counts[kind][image * circuit.operation_count + i];
                sum += count;
                squares += count * count;
            }
            mean[kind] = sum / IMAGES;
            variance[kind] = squares / IMAGES - mean[kind] * mean[kind];
        }
        if (circuit.operations[i].kind == LUTRA_OPERATION_TABLE) {
            const double z = (mean[0] - mean[1]) / sqrt((variance[0] + variance[1]) / IMAGES);
            print_message("'%s': %.2f and %.2f displaced, z %.2f\n", circuit.operations[i].name,
                          mean[0], mean[1], z);
            assert_true(mean[0] > 1.0 && fabs(z) <= LIMIT);
            tables++;
        }
    }
    assert_int_equal(tables, 2);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static void sources_and_lookups_agree(void **state) {
    (void)state;
    check_agreement(1);
}

static void sources_and_lookups_agree_with_two_sets(void **state) {
    (void)state;
    check_agreement(2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaussian_words_have_their_moments),
        cmocka_unit_test(displacements_invert_the_distribution),
        cmocka_unit_test(approximate_rounding_flips_as_published),
        cmocka_unit_test(error_rates_are_those_promised),
        cmocka_unit_test(sources_and_lookups_agree),
        cmocka_unit_test(sources_and_lookups_agree_with_two_sets),
    };
    return cmocka_run_group_tests_name("noise: statistics", tests, NULL, NULL);
}
