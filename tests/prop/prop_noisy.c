/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise of look-ups in fast execution against its definition on words: logits and all statistics,
 * on random circuits, for every set of instructions. And the draws' independence of how work is
 * divided.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/simulate.h"
#include "sim/torus_run.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { OPERATIONS = 64, IMAGES = 2, CLASSES = 128 };

/* What the comparisons met, so that no law holds for want of cases. */
typedef struct {
    uint64_t fast;      /* images that fast execution could do */
    uint64_t escaped;   /* ... and could not */
    uint64_t outside;   /* that it could do with values outside their range */
    uint64_t displaced; /* look-ups, in images that it could do */
    uint64_t changed;
    uint64_t decoded;   /* decryptions that noise changed */
    uint64_t divided;   /* circuits with several parameter sets in use */
    uint64_t does_not_apply; /* circuits */
} Met;

static uint32_t cases(void) {
    const char *const text = getenv("LUTRA_TEST_ITERS");
    const long scale = text == NULL ? 1 : strtol(text, NULL, 10);
    return 60u * (scale > 0 ? (uint32_t)scale : 1u);
}

/** Parameters under which the keyswitch alone has about this deviation; 2^-38 as noise of the big
 * key makes bootstraps loud enough for decryption to fail now and then. */
static LutraCryptoParameters noisy_set(double deviation, LutraModulusSwitch kind,
                                       double big_key_std) {
    LutraCryptoParameters set = {.lwe_dim = 800,
                                 .glwe_dim = 1,
                                 .log2_poly = 17,
                                 .pbs_level = 2,
                                 .pbs_base_log = 15,
                                 .ks_level = 5,
                                 .ks_base_log = 3,
                                 .modulus_switch = kind,
                                 .glwe_std = big_key_std,
                                 .security_bits = 128,
                                 .precision_bits = 8,
                                 .norm2 = 1.0,
                                 .p_error_target = 0.01,
                                 .p_error = 0.01};
    set.lwe_std = 1.0;
    set.lwe_std = deviation / sqrt(lutra_noise_keyswitch(LUTRA_NOISE_TFHE_RS, 1u << 17, 5, 3, 1.0));
    return set;
}

static uint32_t widest_table_bits(const LutraCircuit *circuit) {
    uint32_t bits = 1;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            const uint32_t reads = circuit->operations[op->inputs[0]].encoding.bits;
            bits = reads > bits ? reads : bits;
        }
    }
    return bits;
}

static void compare_images(const LutraCircuit *circuit, const LutraNoisePlan *plan,
                           const uint8_t *pixels, uint32_t cpu_flags, Met *met) {
    LutraError error = {""};
    LutraClearProgram *program = NULL;
    CheckBuffer fast_scratch;
    CheckBuffer word_scratch;
    const size_t stride = lutra_shape_elements(circuit->operations[0].shape);
    check_status(lutra_clear_program_create_noisy(&program, circuit, plan, cpu_flags, &error),
                 LUTRA_OK, &error);
    if (program == NULL) {
        met->does_not_apply++;
        return;
    }
    check_buffer_init(&fast_scratch, lutra_clear_scratch_bytes(program), 0);
    check_buffer_init(&word_scratch, lutra_torus_scratch_bytes(circuit), 0);
    for (uint64_t image = 0; image < IMAGES; image++) {
        LutraOperationStatistics fast[OPERATIONS];
        LutraOperationStatistics words[OPERATIONS];
        float fast_logits[CLASSES];
        float word_logits[CLASSES];
        for (size_t i = 0; i < OPERATIONS; i++) {
            fast[i] = words[i] = lutra_operation_statistics_empty();
        }
        memset(fast_scratch.data, 0x5A, fast_scratch.bytes);
        memset(word_scratch.data, 0xA5, word_scratch.bytes);
        const LutraTorusNoise noise = {.plan = plan, .image = 77 + image};
        const bool could = lutra_clear_run_noisy(program, fast_logits, fast,
                                                 pixels + image * stride, noise.image,
                                                 fast_scratch.data);
        met->fast += could;
        met->escaped += !could;
        lutra_torus_run(circuit, &noise, word_logits, words, pixels + image * stride,
                        word_scratch.data);
        uint64_t out_of_range = 0;
        for (uint32_t i = 0; i < circuit->operation_count; i++) {
            out_of_range += words[i].out_of_range;
            if (!could) {
                continue;
            }
            met->displaced += words[i].displaced;
            met->changed += words[i].changed;
            met->decoded +=
                circuit->operations[i].kind == LUTRA_OPERATION_OUTPUT ? words[i].displaced : 0;
            if (memcmp(&fast[i], &words[i], sizeof fast[i]) != 0) {
                fail_msg("'%s' (%s): displaced %ld %ld, changed %ld %ld, min %ld %ld, max %ld %ld, "
                         "zeros %ld %ld, out of range %ld %ld",
                         circuit->operations[i].name,
                         lutra_operation_kind_name(circuit->operations[i].kind),
                         (long)fast[i].displaced, (long)words[i].displaced, (long)fast[i].changed,
                         (long)words[i].changed, (long)fast[i].min, (long)words[i].min,
                         (long)fast[i].max, (long)words[i].max, (long)fast[i].zeros,
                         (long)words[i].zeros, (long)fast[i].out_of_range,
                         (long)words[i].out_of_range);
            }
        }
        if (could) {
            assert_memory_equal(fast_logits, word_logits, circuit->class_count * sizeof(float));
        } else { /* it must have had a reason: a value outside, and a table without noise */
            const bool all_noisy = plan->settings.only_operation == UINT32_MAX &&
                                   (plan->settings.kind != LUTRA_NOISE_P_ERROR ||
                                    plan->settings.p_error > 0.0);
            assert_true(out_of_range > 0 && !all_noisy);
        }
        met->outside += could && out_of_range > 0;
    }
    check_buffer_done(&fast_scratch);
    check_buffer_done(&word_scratch);
    lutra_clear_program_destroy(&program);
}

static bool has_several_sets(const LutraCircuit *circuit) {
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(op)) {
            if (first != UINT32_MAX && op->u.table.parameter_index != first) {
                return true;
            }
            first = op->u.table.parameter_index;
        }
    }
    return false;
}

static void compare(LutraCircuit *circuit, LutraRandomKey key, Met *met) {
    LutraError error = {""};
    LutraNoisePlan plan;
    LutraNoiseSettings settings;
    lutra_noise_settings_default(&settings);
    settings.seed = lutra_random_u64(key, 0);
    settings.repeat = (uint32_t)lutra_random_below(key, 1, 1000);
    const double cell = exp2(-1.0 - widest_table_bits(circuit));
    const double share = 0.02 + 0.5 * lutra_random_uniform(key, 2);
    if (lutra_random_below(key, 3, 3) == 0) {
        settings.kind = LUTRA_NOISE_P_ERROR;
        settings.p_error = lutra_random_below(key, 4, 4) == 0 ? 0.0 : share;
    }
    if (lutra_random_below(key, 5, 4) == 0) {
        settings.only_operation = (uint32_t)lutra_random_below(key, 6, circuit->operation_count);
    }
    const LutraModulusSwitch kind = (LutraModulusSwitch)lutra_random_below(key, 7, 2);
    const double big_key_std = lutra_random_below(key, 8, 2) == 0 ? 0x1p-50 : 0x1p-38;
    LutraCryptoParameters sets[3];
    for (uint32_t s = 0; s < 3; s++) { /* noise of three strengths */
        sets[s] = noisy_set(share * cell / (1.0 + s), kind, big_key_std * (1.0 + s));
    }
    circuit_give_sets(circuit, sets, 1 + (uint32_t)lutra_random_below(key, 9, 3));
    met->divided += has_several_sets(circuit);
    check_status(lutra_noise_plan_init(&plan, circuit, &settings, &error), LUTRA_OK, &error);
    if (!lutra_clear_noise_applies(circuit, &plan)) {
        met->does_not_apply++;
    } else {
        uint8_t *pixels = circuit_random_pixels(circuit, key, IMAGES);
        compare_images(circuit, &plan, pixels, 0, met);
        compare_images(circuit, &plan, pixels, lutra_cpu_detect(), met);
        lutra_free(&pixels);
    }
    lutra_noise_plan_deinit(&plan);
}

static void fast_noise_equals_its_definition(void **state) {
    (void)state;
    for (uint32_t style = 0; style < CIRCUIT_STYLES; style++) {
        Met met = {0};
        for (uint32_t i = 0; i < cases(); i++) {
            LutraCircuit circuit;
            const uint32_t number = 9000 + i * CIRCUIT_STYLES + style;
            circuit_random(&circuit, check_key(number), (CircuitStyle)style);
            if (i % 2 == 1) {
                circuit_make_thin(&circuit, check_key(number + 3000000));
            }
            if (i % 5 == 2) {
                circuit_make_hybrid(&circuit, check_key(number + 2000000));
            }
            for (uint32_t k = 0; k < circuit.operation_count; k++) {
                if (circuit.operations[k].kind == LUTRA_OPERATION_ROUND && i % 4 != 3) {
                    circuit.operations[k].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
                }
            }
            if (lutra_torus_check(&circuit, NULL) == LUTRA_OK) {
                compare(&circuit, check_key(number + 1000000), &met);
            }
            lutra_circuit_deinit(&circuit);
        }
        print_message("style %u: %lu images, %lu with values out of range, %lu escaped, "
                      "%lu displaced, %lu changed, %lu decoded, %lu circuits do not apply, "
                      "%lu have several sets\n",
                      style, (unsigned long)met.fast, (unsigned long)met.outside,
                      (unsigned long)met.escaped,
                      (unsigned long)met.displaced, (unsigned long)met.changed,
                      (unsigned long)met.decoded, (unsigned long)met.does_not_apply,
                      (unsigned long)met.divided);
        assert_true(met.divided > 2);
        assert_true(met.fast > 10 && met.outside > 10 && met.displaced > 50 && met.changed > 20 &&
                    met.decoded > 0);
    }
}

static void vgg9_with_noise_equals_its_definition(void **state) {
    (void)state;
    LutraCircuit circuit;
    Met met = {0};
    circuit_vgg9(&circuit, check_key(5), true);
    for (uint32_t k = 0; k < circuit.operation_count; k++) {
        if (circuit.operations[k].kind == LUTRA_OPERATION_ROUND) {
            circuit.operations[k].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
        }
    }
    compare(&circuit, check_key(9), &met);
    assert_true(met.fast > 0 && met.displaced > 1000 && met.changed > 100);
    lutra_circuit_deinit(&circuit);
}

/* Wide cells would need a share for every place in each: such a circuit runs on words. */
static void wide_cells_are_left_to_words(void **state) {
    (void)state;
    const uint32_t dropped[] = {20, 21};
    for (uint32_t i = 0; i < 2; i++) {
        LutraError error = {""};
        LutraCircuit circuit;
        LutraNoisePlan plan;
        LutraNoiseSettings settings;
        CircuitBuilder builder;
        builder_start(&builder, check_key(3), CIRCUIT_TERNARY);
        const LutraEncoding wide = {.bits = 24, .is_signed = true};
        uint32_t x = builder_input(&builder, (LutraShape){4, 1, 1}, wide, -1, 1);
        x = builder_round(&builder, x, dropped[i], false);
        builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
        x = builder_table(&builder, x, (LutraEncoding){4, true}, -1, 1, true);
        x = builder_linear(&builder, x, 2);
        (void)builder_output(&builder, x, 1);
        builder_finish(&builder, &circuit);
        circuit_give_parameters(&circuit, noisy_set(0x1p-9, LUTRA_MODULUS_SWITCH_CENTERED,
                                                    0x1p-50));
        lutra_noise_settings_default(&settings);
        check_status(lutra_noise_plan_init(&plan, &circuit, &settings, &error), LUTRA_OK, &error);
        assert_int_equal(lutra_clear_noise_applies(&circuit, &plan), dropped[i] == 20);
        lutra_noise_plan_deinit(&plan);
        lutra_circuit_deinit(&circuit);
    }
}

/** Threads, batches and the start of a run do not change any draw; seed and repeat do. */
static void draws_depend_on_their_address_only(void **state) {
    (void)state;
    enum { COUNT = 23 };
    LutraError error = {""};
    LutraCircuit circuit;
    /* not of the seed under test: some circuits are too small to tell repeats apart */
    circuit_random(&circuit, (LutraRandomKey){1, LUTRA_STREAM_TEST, 9000}, CIRCUIT_TERNARY);
    circuit_give_parameters(&circuit, noisy_set(0.3 * exp2(-1.0 - widest_table_bits(&circuit)),
                                                LUTRA_MODULUS_SWITCH_CENTERED, 0x1p-50));
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(1), COUNT);
    const uint16_t labels[COUNT] = {0};
    const LutraImages images = {.pixels = pixels,
                                .labels = labels,
                                .count = COUNT,
                                .shape = circuit.operations[0].shape,
                                .class_count = circuit.class_count};
    LutraSimulation results[5];
    for (uint32_t i = 0; i < 5; i++) {
        LutraSimulateSettings settings;
        lutra_simulate_default(&settings);
        settings.mode = LUTRA_MODE_NOISY;
        settings.keep_logits = true;
        settings.threads = i == 1 ? 3 : 1;
        settings.limit = i == 2 ? 7 : 0;
        settings.noise.seed = i == 3 ? 2 : 1;
        settings.noise.repeat = i == 4 ? 1 : 0;
        check_status(lutra_simulate(&results[i], &circuit, &images, &settings, &error), LUTRA_OK,
                     &error);
    }
    const size_t row = circuit.class_count * sizeof(float);
    const size_t seen = circuit.operation_count * sizeof(LutraOperationStatistics);
    assert_memory_equal(results[0].logits, results[1].logits, COUNT * row);
    assert_memory_equal(results[0].operations, results[1].operations, seen);
    assert_memory_equal(results[0].logits, results[2].logits, 7 * row);
    assert_memory_not_equal(results[0].operations, results[3].operations, seen);
    assert_memory_not_equal(results[0].operations, results[4].operations, seen);
    for (uint32_t i = 0; i < 5; i++) {
        lutra_simulation_deinit(&results[i]);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_noise_equals_its_definition),
        cmocka_unit_test(wide_cells_are_left_to_words),
        cmocka_unit_test(vgg9_with_noise_equals_its_definition),
        cmocka_unit_test(draws_depend_on_their_address_only),
    };
    return cmocka_run_group_tests_name("noise: fast execution", tests, NULL, NULL);
}
