/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of chosen outputs, on toy ciphertexts that err on demand; and the sums that it
 * follows back. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "bridge/cone.h"
#include "bridge/verify.h"
#include "sim/simulate.h"
#include "sim/torus_encoding.h"
#include "tests/bridge/fake_backend.h"
#include "tests/bridge/rounded_circuit.h"

/* Hardly any noise in the prediction of a bootstrap: many small digits, few bits of the key. */
static const LutraCryptoParameters toy_set = {
    .lwe_dim = 4,
    .glwe_dim = 1,
    .log2_poly = FAKE_LOG2_POLY,
    .pbs_level = 20,
    .pbs_base_log = 2,
    .ks_level = 5,
    .ks_base_log = 4,
    .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
    .lwe_std = 1e-14,
    .glwe_std = 1e-17};

static LutraVerifySettings fake_settings(uint32_t neurons) {
    memset(&fake, 0, sizeof fake);
    LutraVerifySettings settings;
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    settings.neurons = neurons;
    settings.neuron_seed = 5;
    return settings;
}

static LutraVerifyResult verified(const LutraCircuit *circuit, uint64_t images,
                                  const LutraVerifySettings *settings) {
    uint8_t *pixels = circuit_random_pixels(circuit, check_key(8), images);
    LutraVerifyResult result;
    LutraError error = {""};
    check_status(lutra_verify(&result, circuit, pixels, images, settings, &error), LUTRA_OK,
                 &error);
    lutra_free(&pixels);
    assert_int_equal(fake.alive, 0);
    return result;
}

/* Sums of any circuit are those that the simulation has: sum of weight times value. */
static void cones_add_up_to_what_the_simulation_has(void **state) {
    (void)state;
    LutraCone cone = {0};
    for (uint32_t n = 0; n < 60; n++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
        if (n % 4 == 3) {
            circuit_make_hybrid(&circuit, check_key(500 + n));
        }
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(1000 + n), 1);
        LutraImageValues values = {0};
        LutraError error = {""};
        check_status(lutra_simulate_image_values(&values, &circuit, pixels, &error), LUTRA_OK,
                     &error);
        for (uint32_t i = 0; i + 1 < circuit.operation_count; i++) {
            const LutraOperation *const op = &circuit.operations[i];
            const size_t count = lutra_shape_elements(op->shape);
            for (size_t e = 0; e < count; e += 1 + count / 20) {
                check_status(lutra_cone_find(&cone, &circuit, i, e, &error), LUTRA_OK, &error);
                if (lutra_cone_ends_at(op)) {
                    assert_int_equal(cone.count, 1);
                    assert_int_equal(cone.terms[0].operation, i);
                    assert_int_equal(cone.terms[0].element, e);
                    continue;
                }
                if (op->kind == LUTRA_OPERATION_ROUND) {
                    continue; /* its value is rounded, its words are not */
                }
                int64_t sum = 0;
                for (size_t t = 0; t < cone.count; t++) {
                    const LutraConeTerm *const term = &cone.terms[t];
                    assert_true(term->weight != 0);
                    assert_true(t == 0 || term[-1].operation < term->operation ||
                                term[-1].element < term->element);
                    sum += term->weight * values.values[term->operation][term->element];
                }
                assert_int_equal(sum, values.values[i][e]);
                assert_true(cone.constant == 0);
            }
        }
        lutra_image_values_deinit(&values);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
    lutra_cone_deinit(&cone);
}

/* With more neurons than any operation has, every look-up is made, whatever the circuit. */
static void all_outputs_of_noise_free_circuits_are_right(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 40; n++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
        circuit_give_parameters(&circuit, toy_set);
        if (n % 4 == 3) {
            circuit_make_hybrid(&circuit, check_key(500 + n));
        }
        const LutraVerifySettings settings = fake_settings(LUTRA_VERIFY_MOST_NEURONS);
        LutraVerifyResult result = verified(&circuit, 2, &settings);
        assert_int_equal(result.sample_count, 2);
        assert_int_equal(result.lookups, 2 * lutra_circuit_pbs(&circuit));
        assert_int_equal(result.samples[0].lookups, lutra_circuit_pbs(&circuit));
        assert_int_equal(result.wrong_boxes, 0);
        assert_int_equal(result.strays, 0);
        lutra_verify_result_deinit(&result);
        lutra_circuit_deinit(&circuit);
    }
}

static void choices_follow_from_the_seed(void **state) {
    (void)state;
    LutraCircuit circuit;
    rounded_circuit(&circuit, 2, 50, toy_set);
    LutraVerifySettings settings = fake_settings(9);
    LutraVerifyResult first = verified(&circuit, 3, &settings);
    LutraVerifyResult again = verified(&circuit, 3, &settings);
    settings.neuron_seed = 6;
    LutraVerifyResult other = verified(&circuit, 3, &settings);
    assert_int_equal(first.neuron_count, 27);
    assert_int_equal(first.lookups, 27);
    bool same = true;
    bool same_in_next_image = true;
    for (size_t i = 0; i < 27; i++) {
        assert_int_equal(first.neurons[i].element, again.neurons[i].element);
        assert_int_equal(first.neurons[i].image, i / 9);
        assert_true(first.neurons[i].element < 50);
        same = same && first.neurons[i].element == other.neurons[i].element;
        same_in_next_image =
            same_in_next_image && first.neurons[i].element == first.neurons[i % 9].element;
        for (size_t k = i / 9 * 9; k < i; k++) {
            assert_true(first.neurons[k].element != first.neurons[i].element);
        }
    }
    assert_false(same);
    assert_false(same_in_next_image);
    lutra_verify_result_deinit(&first);
    lutra_verify_result_deinit(&again);
    lutra_verify_result_deinit(&other);
    lutra_circuit_deinit(&circuit);
}

/*
 * The sums carry the noise that the prediction has for them: those of inputs the fake's, those of
 * table results that of a bootstrap, which the fake's encryption has not. 400 sums a layer have a
 * deviation of 3.5 %, 64 of the last one 9 %, and noise that several sums share makes it larger.
 */
static void sums_carry_the_noise_of_their_place(void **state) {
    (void)state;
    for (uint32_t dropped = 0; dropped < 3; dropped += 2) {
        LutraCircuit circuit;
        rounded_circuit(&circuit, dropped, 400, toy_set);
        circuit.parameters[0].glwe_std = 1e-7;
        const LutraVerifySettings settings = fake_settings(25);
        fake.position_bits = 6;
        fake.noise_std = circuit.parameters[0].glwe_std;
        LutraVerifyResult result = verified(&circuit, 16, &settings);
        for (uint32_t i = 0; i < result.layer_count; i++) {
            const LutraVerifyLayer *const layer = &result.layers[i];
            if (layer->kind != LUTRA_OPERATION_TABLE) {
                assert_true(layer->noise_std_predicted < 0.02);
                check_close(layer->noise_std_measured / layer->noise_std_predicted, 1.0, 0.35);
            }
        }
        lutra_verify_result_deinit(&result);
        lutra_circuit_deinit(&circuit);
    }
}

static void planted_faults_are_found(void **state) {
    (void)state;
    LutraCircuit circuit;
    rounded_circuit(&circuit, 0, 50, toy_set);
    LutraVerifySettings settings = fake_settings(20);
    fake.position_bits = 6;
    fake.wrong_every = 10;
    LutraVerifyResult result = verified(&circuit, 8, &settings);
    assert_int_equal(result.verdict, LUTRA_VERDICT_MORE);
    assert_true(result.wrong_boxes > 3 && result.wrong_boxes < 50);
    uint64_t different = 0;
    for (uint64_t i = 0; i < result.neuron_count; i++) {
        different += result.neurons[i].found != result.neurons[i].expected;
    }
    assert_int_equal(different, result.mismatches);
    lutra_verify_result_deinit(&result);

    settings = fake_settings(20); /* a table entry that is not the circuit's */
    fake.position_bits = 6;
    fake.wrong_lookup_bit = 1;
    fake.wrong_table_word = lutra_word_encode(1, 6);
    result = verified(&circuit, 40, &settings); /* 800 random positions among 64 entries */
    assert_int_equal(result.verdict, LUTRA_VERDICT_BROKEN);
    lutra_verify_result_deinit(&result);

    settings = fake_settings(20); /* another client's key */
    fake.wrong_decryption_bit = 1;
    result = verified(&circuit, 1, &settings);
    assert_int_equal(result.verdict, LUTRA_VERDICT_BROKEN);
    lutra_verify_result_deinit(&result);
    lutra_circuit_deinit(&circuit);
}

static void every_failing_call_gives_its_status_and_no_result(void **state) {
    (void)state;
    LutraCircuit circuit;
    rounded_circuit(&circuit, 2, 12, toy_set);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(8), 1);
    uint64_t calls = 0;
    for (uint64_t fail_at = 0; fail_at <= calls; fail_at++) {
        const LutraVerifySettings settings = fake_settings(5);
        fake.fail_at = fail_at;
        LutraVerifyResult result;
        const LutraStatus status = lutra_verify(&result, &circuit, pixels, 1, &settings, NULL);
        if (fail_at == 0) {
            assert_int_equal(status, LUTRA_OK);
            calls = fake.calls;
            assert_true(calls > 8);
        } else {
            assert_true(status != LUTRA_OK);
            assert_null(result.samples);
            assert_null(result.neurons);
        }
        assert_int_equal(fake.alive, 0);
        lutra_verify_result_deinit(&result);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cones_add_up_to_what_the_simulation_has),
        cmocka_unit_test(all_outputs_of_noise_free_circuits_are_right),
        cmocka_unit_test(choices_follow_from_the_seed),
        cmocka_unit_test(sums_carry_the_noise_of_their_place),
        cmocka_unit_test(planted_faults_are_found),
        cmocka_unit_test(every_failing_call_gives_its_status_and_no_result),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/verify_sampled", tests, NULL, NULL);
}
