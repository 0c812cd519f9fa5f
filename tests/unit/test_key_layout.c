/* SPDX-License-Identifier: Apache-2.0 */
/* Under which keys values stand, by hand. */
#include <string.h>

#include "base/memory.h"
#include "sim/key_layout.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { FIRST = 2, ROUND = 4, SECOND = 5, THIRD = 6, ADD = 7, OUTPUT = 9 };

/* input -> conv -> FIRST -> conv -> ROUND -> SECOND; FIRST -> THIRD; SECOND + THIRD -> linear. */
static void make(LutraCircuit *circuit, LutraRoundingMode mode, const uint32_t sets[3]) {
    CircuitBuilder builder;
    LutraCryptoParameters set = {.lwe_dim = 700,
                                 .glwe_dim = 1,
                                 .log2_poly = 10,
                                 .pbs_level = 1,
                                 .pbs_base_log = 20,
                                 .ks_level = 3,
                                 .ks_base_log = 4};
    builder_start(&builder, check_key(8), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){1, 4, 4}, (LutraEncoding){6, true}, -1, 1);
    at = builder_conv(&builder, at, 2, 3, 1, 1);
    const uint32_t first = builder_table(&builder, at, (LutraEncoding){8, true}, -1, 1, true);
    at = builder_conv(&builder, first, 2, 3, 1, 1);
    at = builder_round(&builder, at, 2, false);
    builder.circuit.operations[at].u.round.mode = mode;
    const uint32_t second = builder_table(&builder, at, (LutraEncoding){8, true}, -1, 1, true);
    const uint32_t third = builder_table(&builder, first, (LutraEncoding){8, true}, -1, 1, true);
    at = builder_linear(&builder, builder_add(&builder, second, third), 3);
    assert_int_equal(builder_output(&builder, at, 0), OUTPUT);
    builder_finish(&builder, circuit);
    check_status(lutra_alloc(&circuit->parameters, 3, sizeof set, NULL), LUTRA_OK, NULL);
    circuit->parameter_count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        circuit->parameters[i] = set;
    }
    circuit->operations[FIRST].u.table.parameter_index = sets[0];
    circuit->operations[SECOND].u.table.parameter_index = sets[1];
    circuit->operations[THIRD].u.table.parameter_index = sets[2];
}

static void check_pairs(const LutraKeyLayout *layout, const LutraKeyswitchPair *pairs,
                        uint32_t count) {
    assert_int_equal(layout->keyswitch_count, count);
    assert_memory_equal(layout->keyswitches, pairs, count * sizeof *pairs);
}

static void values_stand_under_the_key_of_their_producer(void **state) {
    (void)state;
    static const uint32_t sets[3] = {2, 1, 1};
    static const uint32_t expected[OUTPUT] = {2, 2, 2, 2, 2, 1, 1, 1, 1};
    static const LutraKeyswitchPair pairs[] = {{2, 1}, {2, 2}};
    for (int exact = 0; exact < 2; exact++) {
        LutraCircuit circuit;
        LutraKeyLayout layout;
        LutraError error = {""};
        make(&circuit, exact == 1 ? LUTRA_ROUNDING_EXACT : LUTRA_ROUNDING_APPROXIMATE, sets);
        check_status(lutra_circuit_check(&circuit, &error), LUTRA_OK, &error);
        check_status(lutra_key_layout_init(&layout, &circuit, &error), LUTRA_OK, &error);
        assert_memory_equal(layout.set_of_result, expected, sizeof expected);
        /* digits of an exact rounding are taken off with the set of what is rounded */
        check_pairs(&layout, pairs, 2);
        assert_int_equal(lutra_key_layout_lookup_set(&layout, &circuit, ROUND), 2);
        assert_int_equal(lutra_key_layout_lookup_set(&layout, &circuit, SECOND), 1);
        lutra_key_layout_deinit(&layout);
        lutra_circuit_deinit(&circuit);
    }
}

static void sums_of_two_sets_are_refused(void **state) {
    (void)state;
    static const uint32_t sets[3] = {0, 1, 2};
    LutraCircuit circuit;
    LutraKeyLayout layout;
    LutraError error = {""};
    make(&circuit, LUTRA_ROUNDING_APPROXIMATE, sets);
    memset(&layout, 0x5A, sizeof layout);
    check_status(lutra_key_layout_init(&layout, &circuit, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "set 2, but meets results of set 1"));
    assert_null(layout.set_of_result);
    assert_null(layout.keyswitches);
    check_status(lutra_circuit_check(&circuit, &error), LUTRA_EDATA, &error);
    lutra_circuit_deinit(&circuit);
}

/* A client's value that no table produces takes the set of its first reader; where the client runs
 * the first table itself, so do what it encrypts; a circuit without tables has set 0. */
static void fresh_values_take_their_readers_set(void **state) {
    (void)state;
    static const uint32_t sets[3] = {2, 1, 1};
    static const LutraKeyswitchPair without_first[] = {{1, 1}};
    LutraCircuit circuit;
    LutraKeyLayout layout;
    LutraError error = {""};
    make(&circuit, LUTRA_ROUNDING_APPROXIMATE, sets);
    circuit.operations[1].in_clear = true;
    circuit.operations[FIRST].in_clear = true;
    check_status(lutra_key_layout_init(&layout, &circuit, &error), LUTRA_OK, &error);
    check_pairs(&layout, without_first, 1);
    assert_int_equal(layout.set_of_result[FIRST], 1);
    lutra_key_layout_deinit(&layout);
    for (uint32_t i = FIRST; i <= THIRD; i++) {
        circuit.operations[i].in_clear = true;
    }
    check_status(lutra_key_layout_init(&layout, &circuit, &error), LUTRA_OK, &error);
    assert_int_equal(layout.keyswitch_count, 0);
    assert_int_equal(layout.set_of_result[ADD], 0);
    lutra_key_layout_deinit(&layout);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_under_the_key_of_their_producer),
        cmocka_unit_test(sums_of_two_sets_are_refused),
        cmocka_unit_test(fresh_values_take_their_readers_set),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("sim/key_layout", tests, NULL, NULL);
}
