/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of noisy simulation fails once: the status says so, outputs stay unchanged,
 * nothing leaks (the address sanitizer watches). */
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/simulate.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { IMAGES = 3 };

static LutraCircuit circuit;
static uint8_t *pixels;

static int prepare(void **state) {
    (void)state;
    CircuitBuilder builder;
    const LutraEncoding codes = {.bits = 6, .is_signed = true};
    builder_start(&builder, check_key(3), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){2, 4, 4}, (LutraEncoding){9, true}, -8, 7);
    x = builder_conv(&builder, x, 3, 3, 1, 1);
    x = builder_round(&builder, x, 3, true);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    x = builder_table(&builder, x, codes, -1, 1, true);
    x = builder_sum_pool(&builder, x, 2, 2);
    x = builder_table(&builder, x, codes, -1, 1, false);
    (void)builder_output(&builder, builder_linear(&builder, x, 3), 1);
    builder_finish(&builder, &circuit);
    circuit_give_parameters(&circuit, (LutraCryptoParameters){.lwe_dim = 600,
                                                              .glwe_dim = 1,
                                                              .log2_poly = 10,
                                                              .pbs_level = 2,
                                                              .pbs_base_log = 15,
                                                              .ks_level = 5,
                                                              .ks_base_log = 3,
                                                              .lwe_std = 0x1p-14,
                                                              .glwe_std = 0x1p-40});
    pixels = circuit_random_pixels(&circuit, check_key(4), IMAGES);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    lutra_circuit_deinit(&circuit);
    lutra_free(&pixels);
    return 0;
}

static LutraStatus simulate_with(LutraNoiseKind kind, LutraError *error) {
    static const uint16_t labels[IMAGES] = {0, 1, 2};
    const LutraImages images = {.pixels = pixels,
                                .labels = labels,
                                .count = IMAGES,
                                .shape = circuit.operations[0].shape,
                                .class_count = circuit.class_count};
    LutraSimulateSettings settings;
    LutraSimulation simulation;
    memset(&simulation, 0x5A, sizeof simulation);
    const LutraSimulation before = simulation;
    lutra_simulate_default(&settings);
    settings.mode = LUTRA_MODE_NOISY;
    settings.noise.kind = kind;
    settings.noise.p_error = 0.1;
    const LutraStatus status = lutra_simulate(&simulation, &circuit, &images, &settings, error);
    if (status == LUTRA_OK) {
        lutra_simulation_deinit(&simulation);
    } else {
        assert_memory_equal(&simulation, &before, sizeof simulation);
    }
    return status;
}

static LutraStatus lookups(LutraError *error) {
    return simulate_with(LUTRA_NOISE_LOOKUPS, error);
}

static LutraStatus sources(LutraError *error) {
    return simulate_with(LUTRA_NOISE_SOURCES, error);
}

static LutraStatus p_error(LutraError *error) {
    return simulate_with(LUTRA_NOISE_P_ERROR, error);
}

static void every_kind_of_noise_survives(void **state) {
    (void)state;
    allocfail_each(lookups);
    allocfail_each(sources);
    allocfail_each(p_error);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_of_noise_survives)};
    return cmocka_run_group_tests_name("faults: noisy simulation", tests, prepare, clean_up);
}
