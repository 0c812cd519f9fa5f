/* SPDX-License-Identifier: Apache-2.0 */
/* Random circuits have the stated size, repeat, use all their codes, and run as the reference. */
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/random_circuit.h"
#include "sim/simulate.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static const LutraRandomLayer small_layers[] = {{LUTRA_OPERATION_CONV, 24, 3, 1, 1},
                                                {LUTRA_OPERATION_SUM_POOL, 0, 2, 2, 0},
                                                {LUTRA_OPERATION_CONV, 40, 3, 2, 0},
                                                {LUTRA_OPERATION_LINEAR, 7, 1, 1, 0}};

static const LutraRandomNetwork small_network = {.name = "small",
                                                 .input = {2, 12, 12},
                                                 .input_codes = {-16, 15},
                                                 .codes = {0, 31},
                                                 .largest_weight = 15,
                                                 .rounding_bits = 8,
                                                 .layers = small_layers,
                                                 .layer_count = 4};

static void build(LutraCircuit *circuit, const LutraRandomNetwork *network, uint64_t seed) {
    LutraError error = {""};
    check_status(lutra_random_circuit_create(circuit, network, seed, &error), LUTRA_OK, &error);
}

static void known_networks_have_the_stated_size(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, &lutra_random_vgg9, 1);
    assert_int_equal(lutra_circuit_macs(&circuit), 59461376);
    assert_int_equal(lutra_circuit_pbs(&circuit), 158336);
    lutra_circuit_deinit(&circuit);
    build(&circuit, &lutra_random_vgg11, 1);
    assert_int_equal(lutra_circuit_macs(&circuit), 676312064);
    assert_int_equal(lutra_circuit_pbs(&circuit), 532544);
    lutra_circuit_deinit(&circuit);
}

static void a_seed_repeats_and_another_one_differs(void **state) {
    (void)state;
    LutraCircuit circuits[3];
    for (uint32_t i = 0; i < 3; i++) {
        build(&circuits[i], &small_network, i == 2 ? 2 : 1);
        assert_string_equal(circuits[i].operations[1].name, "conv1");
    }
    const size_t bytes = (size_t)24 * 2 * 3 * 3;
    assert_memory_equal(circuits[0].operations[1].u.conv.weights,
                        circuits[1].operations[1].u.conv.weights, bytes);
    assert_memory_not_equal(circuits[0].operations[1].u.conv.weights,
                            circuits[2].operations[1].u.conv.weights, bytes);
    for (uint32_t i = 0; i < 3; i++) {
        lutra_circuit_deinit(&circuits[i]);
    }
}

static void all_codes_occur_and_answers_are_the_reference(void **state) {
    (void)state;
    enum { IMAGES = 16 };
    LutraCircuit circuit;
    LutraSimulation result;
    LutraSimulateSettings settings;
    build(&circuit, &small_network, 1);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(1), IMAGES);
    const uint16_t labels[IMAGES] = {0};
    const LutraImages images = {.pixels = pixels,
                                .labels = labels,
                                .count = IMAGES,
                                .shape = circuit.operations[0].shape,
                                .class_count = circuit.class_count};
    lutra_simulate_default(&settings);
    settings.keep_logits = true;
    check_status(lutra_simulate(&result, &circuit, &images, &settings, NULL), LUTRA_OK, NULL);
    for (uint32_t i = 0; i < circuit.operation_count; i++) {
        if (circuit.operations[i].kind == LUTRA_OPERATION_TABLE) {
            assert_int_equal(result.operations[i].min, 0);
            assert_int_equal(result.operations[i].max, 31);
        }
    }
    for (size_t image = 0; image < IMAGES; image++) {
        LutraImageValues values;
        check_status(lutra_simulate_image_values(
                         &values, &circuit, pixels + image * lutra_shape_elements(images.shape),
                         NULL),
                     LUTRA_OK, NULL);
        assert_memory_equal(values.logits, result.logits + image * circuit.class_count,
                            circuit.class_count * sizeof(float));
        lutra_image_values_deinit(&values);
    }
    lutra_simulation_deinit(&result);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_networks_have_the_stated_size),
        cmocka_unit_test(a_seed_repeats_and_another_one_differs),
        cmocka_unit_test(all_codes_occur_and_answers_are_the_reference),
    };
    return cmocka_run_group_tests_name("random_circuit", tests, NULL, NULL);
}
