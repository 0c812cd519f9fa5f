/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of bit-sliced simulation fails once: the status says so, outputs stay unchanged,
 * nothing leaks (the address sanitizer watches). */
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/simulate_many.h"
#include "sim/sliced.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { IMAGES = 300 };

static LutraCircuit ternary;
static LutraCircuit shifted;
static LutraCircuit refused; /* a weight of 2 in its last layer, after all else was prepared */
static uint8_t *pixels;
static uint16_t labels[IMAGES];

static void build(LutraCircuit *circuit, bool heavy) {
    CircuitBuilder builder;
    const LutraEncoding codes = {.bits = 6, .is_signed = true};
    builder_start(&builder, check_key(3), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){2, 4, 4}, (LutraEncoding){9, true}, -8, 7);
    x = builder_conv(&builder, x, 3, 3, 1, 1);
    x = builder_round(&builder, x, 3, true);
    x = builder_table(&builder, x, codes, -1, 1, true);
    x = builder_sum_pool(&builder, x, 2, 2);
    x = builder_table(&builder, x, codes, -1, 1, true);
    x = builder_linear(&builder, x, 3);
    if (heavy) {
        LutraOperation *const op = &builder.circuit.operations[x];
        op->u.linear.weights[0] = 2;
        op->static_range = (LutraRange){-100, 100};
    }
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
}

static int prepare(void **state) {
    (void)state;
    build(&ternary, false);
    build(&shifted, false);
    shifted.operations[0].u.input.code_of_pixel[7] ^= 1;
    build(&refused, true);
    pixels = circuit_random_pixels(&ternary, check_key(4), IMAGES);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    lutra_circuit_deinit(&ternary);
    lutra_circuit_deinit(&shifted);
    lutra_circuit_deinit(&refused);
    lutra_free(&pixels);
    return 0;
}

static LutraStatus create(LutraError *error) {
    LutraSlicedProgram *program = (LutraSlicedProgram *)(void *)&ternary; /* anything but NULL */
    const LutraStatus status =
        lutra_sliced_program_create(&program, &ternary, LUTRA_CPU_ALL, error);
    assert_int_equal(program != NULL, status == LUTRA_OK);
    lutra_sliced_program_destroy(&program);
    return status;
}

static LutraStatus create_refused(LutraError *error) {
    LutraSlicedProgram *program = (LutraSlicedProgram *)(void *)&ternary;
    const LutraStatus status =
        lutra_sliced_program_create(&program, &refused, LUTRA_CPU_ALL, error);
    assert_null(program);
    return status;
}

static LutraStatus simulate(LutraError *error) {
    const LutraImages images = {pixels, labels, IMAGES, ternary.operations[0].shape, 3};
    LutraSimulateSettings settings;
    LutraSimulation simulation;
    LutraSimulation untouched;
    memset(&simulation, 0x5A, sizeof simulation);
    untouched = simulation;
    lutra_simulate_default(&settings);
    settings.keep_logits = true;
    const LutraStatus status = lutra_simulate(&simulation, &ternary, &images, &settings, error);
    if (status != LUTRA_OK) {
        assert_memory_equal(&simulation, &untouched, sizeof simulation);
        return status;
    }
    lutra_simulation_deinit(&simulation);
    return status;
}

/* Two circuits together: the second has other codes of pixels. */
static LutraStatus simulate_together(LutraError *error) {
    const LutraImages images = {pixels, labels, IMAGES, ternary.operations[0].shape, 3};
    const LutraSimulationCase cases[2] = {{.circuit = &ternary, .mode = LUTRA_MODE_CLEAR},
                                          {.circuit = &shifted, .mode = LUTRA_MODE_CLEAR}};
    LutraSimulateSettings settings;
    LutraSimulation simulations[2];
    LutraSimulation untouched[2];
    memset(simulations, 0x5A, sizeof simulations);
    memcpy(untouched, simulations, sizeof untouched);
    lutra_simulate_default(&settings);
    const LutraStatus status =
        lutra_simulate_many(simulations, cases, 2, &images, &settings, NULL, error);
    if (status != LUTRA_OK) {
        assert_memory_equal(simulations, untouched, sizeof simulations);
        return status;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(simulations[i].images, IMAGES);
        lutra_simulation_deinit(&simulations[i]);
    }
    return status;
}

static void sliced_programs(void **state) {
    (void)state;
    allocfail_each(create);
    allocfail_each(create_refused);
}

static void sliced_simulations(void **state) {
    (void)state;
    allocfail_each(simulate);
    allocfail_each(simulate_together);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sliced_programs),
        cmocka_unit_test(sliced_simulations),
    };
    return cmocka_run_group_tests_name("alloc_sliced", tests, prepare, clean_up);
}
