/* SPDX-License-Identifier: Apache-2.0 */
/* Predicted costs against sums made by hand. */
#include "sim/cost_model.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/* n 10, k 1, N 256, one level, keyswitch of two levels. */
static const LutraCryptoParameters SET = {.lwe_dim = 10,
                                          .glwe_dim = 1,
                                          .log2_poly = 8,
                                          .pbs_level = 1,
                                          .pbs_base_log = 20,
                                          .ks_level = 2,
                                          .ks_base_log = 4};
enum {
    KS = 512 + 512 * 11 + 511 * 11 + 1,   /* 256 inputs in two digits, 11 words each */
    CMUX = 2 * 2304 + 2 * 2304 + 4 * 256, /* a transform is 256 * 8 + 256 */
    BOOTSTRAP_KEY = 10 * 4 * 256 * 8,     /* bytes */
    KEYSWITCH_KEY = 11 * 2 * 256 * 8,
    WORDS = 257 /* of a ciphertext */
};

static LutraMachineProfile round_profile(void) {
    return (LutraMachineProfile){.cpu = "c",
                                 .backend = "b",
                                 .version = "v",
                                 .date = "d",
                                 .threads = 4,
                                 .bootstrap = {{2e-9, 0, 8e-9}, {3e-9, 0, 12e-9}},
                                 .bootstrap_key = {5e-9, 0, 20e-9},
                                 .keyswitch = 1e-9,
                                 .keyswitch_key = 7e-9,
                                 .key_byte = 1e-10,
                                 .encryption = 4e-9,
                                 .addition = 1e-9,
                                 .multiplication = 6e-9,
                                 .streaming = 2e-9,
                                 .bootstrap_alone = 0.4,
                                 .linear_alone = 0.7};
}

static void check_relative(double actual, double expected) {
    check_close(actual, expected, 1e-12 * fabs(expected));
}

static void groups_fit_the_cache_and_the_threads(void **state) {
    (void)state;
    static const struct {
        uint32_t log2_poly, count, threads, batch, group;
    } cases[] = {
        {8, 1, 1, 1, 1},     {8, 16, 1, 16, 16},    {8, 17, 1, 17, 9}, /* two groups */
        {8, 64, 1, 64, 16},  {8, 65, 1, 33, 11},    /* two batches of three groups */
        {8, 100, 2, 50, 13}, {8, 100000, 2, 64, 16}, {8, 8, 4, 2, 2},
        {13, 64, 1, 64, 4}, /* accumulators of 2^17 bytes, four in the cache */
        {17, 64, 1, 64, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraCryptoParameters set = SET;
        set.log2_poly = cases[i].log2_poly;
        const LutraLookupGroups groups =
            lutra_cost_groups(&set, cases[i].count, cases[i].threads);
        assert_int_equal(groups.batch, cases[i].batch);
        assert_int_equal(groups.group, cases[i].group);
    }
}

static void a_lookup_is_keyswitch_bootstrap_and_its_part_of_the_keys(void **state) {
    (void)state;
    const LutraMachineProfile profile = round_profile();
    LutraLookupCost cost = lutra_cost_of_lookup(&SET, &SET, &profile, 64, 4);
    check_relative(cost.keyswitch, KS * 1e-9 + KEYSWITCH_KEY * 1e-10 / 16);
    check_relative(cost.bootstrap, 10.0 * CMUX * 2e-9 + BOOTSTRAP_KEY * 1e-10 / 16);
    /* two of four threads: a third of the way from alone to all */
    cost = lutra_cost_of_lookup(&SET, &SET, &profile, 100, 2);
    check_relative(cost.keyswitch, 0.6 * (KS * 1e-9 + KEYSWITCH_KEY * 1e-10 / 50));
    check_relative(cost.bootstrap, 0.6 * (10.0 * CMUX * 2e-9 + BOOTSTRAP_KEY * 1e-10 / 13));
    /* one look-up keeps one thread busy */
    cost = lutra_cost_of_lookup(&SET, &SET, &profile, 1, 4);
    check_relative(cost.keyswitch, 0.4 * (KS * 1e-9 + KEYSWITCH_KEY * 1e-10));
    cost = lutra_cost_of_lookup(&SET, &SET, &profile, 8 * 16, 8);
    check_relative(cost.keyswitch, KS * 1e-9 + KEYSWITCH_KEY * 1e-10 / 16);
}

static void polynomials_between_and_beyond_measured_ones(void **state) {
    (void)state;
    const LutraMachineProfile profile = round_profile();
    static const double expected[] = {5e-9, 10e-9, 20e-9, 20e-9}; /* N = 2^8 .. 2^11 */
    for (uint32_t i = 0; i < 4; i++) {
        LutraCryptoParameters set = SET;
        set.log2_poly += i;
        check_relative(lutra_cost_of_keys(&set, &profile),
                       (1 << i) * (BOOTSTRAP_KEY / 8 * expected[i] + KEYSWITCH_KEY / 8 * 7e-9));
    }
    LutraMachineProfile one = profile; /* only N = 2^10 */
    memset(one.bootstrap_key, 0, sizeof one.bootstrap_key);
    one.bootstrap_key[2] = 1e-9;
    check_relative(lutra_cost_of_keys(&SET, &one),
                   BOOTSTRAP_KEY / 8 * 1e-9 + KEYSWITCH_KEY / 8 * 7e-9);
    LutraCryptoParameters set = SET;
    set.pbs_level = 3; /* counts as two */
    const double transforms = 2 * 3 * 2304 + 2 * 2304 + 4 * 3 * 256;
    check_relative(lutra_cost_of_lookup(&set, &set, &profile, 64, 4).bootstrap,
                   10.0 * transforms * 3e-9 + 3.0 * BOOTSTRAP_KEY * 1e-10 / 16);
}

static uint32_t draw(LutraRandomKey key, uint64_t index, uint32_t count) {
    return (uint32_t)lutra_random_below(key, index, count);
}

/** Counts by doing it. */
static LutraLinearCounts count_slowly(const LutraConvOperation *conv, LutraShape shape,
                                      LutraShape x_shape) {
    LutraLinearCounts counts = {0};
    const int64_t kernel = conv->kernel;
    for (int64_t o = 0; o < shape.channels; o++) {
        for (int64_t at = 0; at < (int64_t)shape.height * shape.width; at++) {
            for (int64_t i = 0; i < (int64_t)conv->in_channels * kernel * kernel; i++) {
                const int64_t row =
                    at / shape.width * conv->stride + i / kernel % kernel - conv->padding;
                const int64_t column =
                    at % shape.width * conv->stride + i % kernel - conv->padding;
                const int weight = conv->weights[o * conv->in_channels * kernel * kernel + i];
                if (row >= 0 && row < x_shape.height && column >= 0 && column < x_shape.width) {
                    counts.additions += weight == 1 || weight == -1;
                    counts.multiplications += weight < -1 || weight > 1;
                }
            }
        }
    }
    return counts;
}

static void convolutions_count_weights_inside_the_image(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        const LutraRandomKey key = check_key(i);
        const LutraShape x_shape = {1 + draw(key, 0, 3),
                                    1 + draw(key, 1, 7),
                                    1 + draw(key, 2, 7)};
        int8_t weights[3 * 3 * 4 * 4]; /* more than any of these convolutions has */
        for (uint32_t k = 0; k < sizeof weights; k++) {
            weights[k] = (int8_t)((int)draw(key, 10 + k, 7) - 3);
        }
        const uint32_t kernel = 1 + draw(key, 3, 4);
        const LutraConvOperation conv = {.in_channels = x_shape.channels,
                                         .kernel = kernel,
                                         .stride = 1 + draw(key, 4, 3),
                                         .padding = draw(key, 5, kernel),
                                         .weights = weights};
        const LutraShape shape = {
            1 + draw(key, 6, 3),
            lutra_window_positions(x_shape.height, kernel, conv.stride, conv.padding),
            lutra_window_positions(x_shape.width, kernel, conv.stride, conv.padding)};
        const LutraLinearCounts fast = lutra_cost_conv_counts(&conv, shape, x_shape);
        const LutraLinearCounts slow = count_slowly(&conv, shape, x_shape);
        assert_int_equal(fast.additions, slow.additions);
        assert_int_equal(fast.multiplications, slow.multiplications);
    }
}

/* 1x4x4 input; conv of two filters; exact rounding by 2; table; pool; linear; output. */
static void build(LutraCircuit *circuit) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(0), CIRCUIT_TERNARY);
    const LutraEncoding wide = {8, true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 4, 4}, wide, -3, 3);
    x = builder_conv(&builder, x, 2, 2, 2, 0); /* 2x2x2, eight taps */
    x = builder_round(&builder, x, 2, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_EXACT;
    x = builder_table(&builder, x, wide, -2, 2, true);
    x = builder_sum_pool(&builder, x, 2, 2); /* 2x1x1 */
    x = builder_linear(&builder, x, 3);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    circuit_give_parameters(circuit, SET);
    static const int8_t filters[] = {1, -1, 0, 1, 2, -3, 0, 1};
    static const int8_t matrix[] = {1, 0, -1, 1, 0, 0};
    memcpy(circuit->operations[1].u.conv.weights, filters, sizeof filters);
    memcpy(circuit->operations[5].u.linear.weights, matrix, sizeof matrix);
}

static void a_circuit_costs_the_sum_of_its_operations(void **state) {
    (void)state;
    const LutraMachineProfile profile = round_profile();
    LutraCircuit circuit;
    LutraCircuitCost cost;
    LutraError error = {""};
    build(&circuit);
    check_status(lutra_circuit_cost(&cost, &circuit, &profile, 4, &error), LUTRA_OK, &error);
    const double keyswitch = KS * 1e-9 + KEYSWITCH_KEY * 1e-10 / 2; /* groups of two */
    const double bootstrap = 10.0 * CMUX * 2e-9 + BOOTSTRAP_KEY * 1e-10 / 2;
    const double lookup = keyswitch + bootstrap;
    /* per position: four weights of +-1, two others, none of the zeros */
    const double conv = WORDS * (16 * 1e-9 + 8 * 6e-9 + 8 * 2e-9);
    const double bits = WORDS * (2 * 2 * 8 * 2e-9);
    const double pool = WORDS * (8 * 2e-9);
    const double linear = WORDS * (3 * 1e-9 + 3 * 2e-9);
    check_relative(cost.operations[1].core_seconds, conv);
    check_relative(cost.operations[1].seconds, conv / 4);
    assert_int_equal(cost.operations[1].ciphertext_bytes, 8 * WORDS * 8);
    assert_int_equal(cost.operations[2].lookups, 16);
    check_relative(cost.operations[2].core_seconds, 16 * lookup + bits);
    check_relative(cost.operations[2].seconds, 4 * lookup + bits / 4);
    check_relative(cost.operations[3].core_seconds, 8 * lookup);
    check_relative(cost.operations[4].core_seconds, pool);
    check_relative(cost.operations[5].core_seconds, linear);
    check_close(cost.operations[6].core_seconds, 0.0, 0.0);
    assert_int_equal(cost.lookups, 24);
    check_relative(cost.core_seconds, 24 * lookup + conv + bits + pool + linear);
    check_relative(cost.seconds, 6 * lookup + (conv + bits + pool + linear) / 4);
    check_relative(cost.keyswitch_core_seconds, 24 * keyswitch);
    check_relative(cost.bootstrap_core_seconds, 24 * bootstrap);
    check_relative(cost.linear_core_seconds, conv + bits + pool + linear);
    check_relative(cost.encrypt_seconds, 16 * WORDS * 4e-9 / 4);
    check_relative(cost.keygen_seconds, (BOOTSTRAP_KEY / 8 * 5e-9 + KEYSWITCH_KEY / 8 * 7e-9) / 4);
    assert_int_equal(cost.key_bytes, BOOTSTRAP_KEY + KEYSWITCH_KEY);
    assert_int_equal(cost.input_bytes, 16 * WORDS * 8);
    assert_int_equal(cost.ciphertext_bytes, 24 * WORDS * 8); /* image and result of conv */
    assert_int_equal(cost.memory_bytes, cost.key_bytes + cost.ciphertext_bytes);
    lutra_circuit_cost_deinit(&cost);
    assert_null(cost.operations);
    lutra_circuit_deinit(&circuit);
}

/* The second table has a set of its own: n 12, k 2. Its keyswitch comes from the first one's big
 * key, of which there is one more key; nothing reads its own results by a look-up, so that it has
 * no keyswitch to itself. Digits of the exact rounding are the first set's. */
static void several_sets_cost_what_each_does(void **state) {
    (void)state;
    enum {
        KS_BETWEEN = 512 + 512 * 13 + 511 * 13 + 1,
        CMUX_2 = 3 * 2304 + 3 * 2304 + 9 * 256,
        BOOTSTRAP_KEY_2 = 12 * 9 * 256 * 8,
        KEYSWITCH_KEY_BETWEEN = 13 * 2 * 256 * 8,
        WORDS_2 = 513
    };
    const LutraMachineProfile profile = round_profile();
    LutraCryptoParameters sets[2] = {SET, SET};
    sets[1].lwe_dim = 12;
    sets[1].glwe_dim = 2;
    LutraCircuit circuit;
    LutraCircuitCost cost;
    LutraError error = {""};
    CircuitBuilder builder;
    const LutraEncoding wide = {8, true};
    builder_start(&builder, check_key(0), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){1, 4, 4}, wide, -3, 3);
    x = builder_conv(&builder, x, 2, 2, 2, 0); /* 2x2x2 */
    x = builder_round(&builder, x, 1, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_EXACT;
    x = builder_table(&builder, x, wide, -2, 2, true);
    x = builder_linear(&builder, x, 4);
    x = builder_table(&builder, x, wide, -2, 2, true);
    (void)builder_output(&builder, builder_linear(&builder, x, 3), 1);
    builder_finish(&builder, &circuit);
    circuit_give_sets(&circuit, sets, 2);
    circuit.operations[3].u.table.parameter_index = 0;
    circuit.operations[5].u.table.parameter_index = 1;
    memset(circuit.operations[6].u.linear.weights, 1, 12);
    check_status(lutra_circuit_cost(&cost, &circuit, &profile, 4, &error), LUTRA_OK, &error);
    const double first = (KS * 1e-9 + KEYSWITCH_KEY * 1e-10 / 2) +
                         (10.0 * CMUX * 2e-9 + BOOTSTRAP_KEY * 1e-10 / 2); /* groups of two */
    const double second = (KS_BETWEEN * 1e-9 + KEYSWITCH_KEY_BETWEEN * 1e-10) +
                          (12.0 * CMUX_2 * 2e-9 + BOOTSTRAP_KEY_2 * 1e-10);
    check_relative(cost.operations[2].core_seconds, 8 * first + WORDS * (2 * 8 * 2e-9));
    check_relative(cost.operations[3].core_seconds, 8 * first);
    check_relative(cost.operations[5].core_seconds, 4 * second);
    check_relative(cost.operations[6].core_seconds, WORDS_2 * (12 * 1e-9 + 3 * 2e-9));
    assert_int_equal(cost.operations[4].ciphertext_bytes, 4 * WORDS * 8);
    assert_int_equal(cost.operations[5].ciphertext_bytes, 4 * WORDS_2 * 8);
    assert_int_equal(cost.input_bytes, 16 * WORDS * 8);
    assert_int_equal(cost.key_bytes, BOOTSTRAP_KEY + KEYSWITCH_KEY + BOOTSTRAP_KEY_2 +
                                         KEYSWITCH_KEY_BETWEEN);
    check_relative(cost.keygen_seconds,
                   ((BOOTSTRAP_KEY + BOOTSTRAP_KEY_2) / 8 * 5e-9 +
                    (KEYSWITCH_KEY + KEYSWITCH_KEY_BETWEEN) / 8 * 7e-9) / 4);
    lutra_circuit_cost_deinit(&cost);
    lutra_circuit_deinit(&circuit);
}

static void lookups_stay_on_one_thread(void **state) {
    (void)state;
    LutraMachineProfile profile = round_profile();
    profile.bootstrap_alone = 1.0;
    LutraCircuit circuit;
    LutraCircuitCost cost;
    LutraError error = {""};
    build(&circuit);
    check_status(lutra_circuit_cost(&cost, &circuit, &profile, 3, &error), LUTRA_OK, &error);
    check_relative(cost.operations[3].seconds, cost.operations[3].core_seconds * 3 / 8);
    lutra_circuit_cost_deinit(&cost);
    check_status(lutra_circuit_cost(&cost, &circuit, &profile, 100, &error), LUTRA_OK, &error);
    check_relative(cost.operations[3].seconds, cost.operations[3].core_seconds / 8);
    lutra_circuit_cost_deinit(&cost);
    lutra_circuit_deinit(&circuit);
}

static void circuits_without_parameters_are_refused(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraCircuitCost cost;
    LutraCircuitCost before;
    LutraError error = {""};
    build(&circuit);
    lutra_free(&circuit.parameters);
    circuit.parameter_count = 0;
    memset(&before, 0x5A, sizeof before);
    cost = before;
    check_status(lutra_circuit_cost(&cost, &circuit, lutra_machine_profile_builtin(), 1, &error),
                 LUTRA_EUNAVAILABLE, &error);
    assert_memory_equal(&cost, &before, sizeof cost);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_fit_the_cache_and_the_threads),
        cmocka_unit_test(a_lookup_is_keyswitch_bootstrap_and_its_part_of_the_keys),
        cmocka_unit_test(polynomials_between_and_beyond_measured_ones),
        cmocka_unit_test(convolutions_count_weights_inside_the_image),
        cmocka_unit_test(a_circuit_costs_the_sum_of_its_operations),
        cmocka_unit_test(several_sets_cost_what_each_does),
        cmocka_unit_test(lookups_stay_on_one_thread),
        cmocka_unit_test(circuits_without_parameters_are_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("cost_model", tests, NULL, NULL);
}
