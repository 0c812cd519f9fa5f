/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of operations share nothing with the original; one changed number makes two differ. */
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_copy.h"
#include "sim/circuit_round.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static void copies_are_equal_and_their_own(void **state) {
    (void)state;
    for (uint32_t number = 1; number <= 30; number++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(number), (CircuitStyle)(number % CIRCUIT_STYLES));
        for (uint32_t i = 0; i < circuit.operation_count; i++) {
            LutraOperation copy;
            LutraError error = {""};
            check_status(lutra_operation_copy(&copy, &circuit.operations[i], &error), LUTRA_OK,
                         &error);
            assert_string_equal(copy.name, circuit.operations[i].name);
            assert_true(lutra_operation_equal(&copy, &circuit.operations[i]));
            lutra_operation_deinit(&copy); /* a shared array would be freed twice below */
        }
        lutra_circuit_deinit(&circuit);
    }
}

/* input, conv, round with offsets, table, sum_pool, add, linear, output */
static void make(LutraCircuit *circuit) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(7), CIRCUIT_SMALL);
    uint32_t at = builder_input(&builder, (LutraShape){2, 6, 6}, (LutraEncoding){8, true}, -3, 3);
    at = builder_conv(&builder, at, 3, 3, 1, 0);
    at = builder_round(&builder, at, 2, true);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -3, 3, true);
    at = builder_sum_pool(&builder, at, 2, 2);
    at = builder_add(&builder, at, at);
    at = builder_linear(&builder, at, 3);
    builder_output(&builder, at, 2);
    builder_finish(&builder, circuit);
    assert_int_equal(circuit->operation_count, 8);
}

/* Each change alone makes its operation, and no other, another one. */
static void one_change(LutraCircuit *c, int change, uint32_t *changed) {
    LutraOperation *const ops = c->operations;
    static const uint32_t of[] = {0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3,
                                  4, 4, 5, 6, 6, 7, 7, 7, 7, 7};
    *changed = change < (int)(sizeof of / sizeof of[0]) ? of[change] : UINT32_MAX;
    switch (change) {
        case 0: ops[0].u.input.code_of_pixel[511]++; break;
        case 1: ops[0].u.input.scale *= 2.0f; break;
        case 2: ops[1].u.conv.weights[53]++; break;
        case 3: ops[1].u.conv.padding++; break;
        case 4: ops[1].u.conv.stride++; break;
        case 5: ops[1].observed_range.max++; break;
        case 6: ops[1].encoding.bits++; break;
        case 7: ops[1].in_clear = true; break;
        case 8: ops[2].u.round.offsets[2]++; break;
        case 9: ops[2].u.round.dropped_bits++; break;
        case 10: ops[2].u.round.mode = (LutraRoundingMode)!ops[2].u.round.mode; break;
        case 11: lutra_free(&ops[2].u.round.offsets); break;
        case 12: ops[3].u.table.entries[(ops[3].u.table.table_count * 64) - 1]++; break;
        case 13: ops[3].u.table.table_of_channel[2]++; break;
        case 14: ops[3].u.table.first_input++; break;
        case 15: ops[3].shape.width++; break;
        case 16: ops[3].inputs[0]--; break;
        case 17: ops[4].u.sum_pool.kernel++; break;
        case 18: ops[4].u.sum_pool.stride++; break;
        case 19: ops[5].inputs[1]--; break;
        case 20: ops[6].u.linear.weights[35]++; break;
        case 21: ops[6].encoding.is_signed = !ops[6].encoding.is_signed; break;
        case 22: ops[7].u.output.steps[1].bias[2] += 1.0f; break;
        case 23: ops[7].u.output.steps[0].mean[0] += 1.0f; break;
        case 24: ops[7].u.output.scale *= 2.0f; break;
        case 25: ops[7].u.output.step_count--; break;
        case 26: ops[7].observed_range.min--; break;
        default: break;
    }
}

static void any_change_is_seen_where_it_is(void **state) {
    (void)state;
    uint32_t changed = 0;
    for (int change = 0; changed != UINT32_MAX; change++) {
        LutraCircuit a;
        LutraCircuit b;
        make(&a);
        make(&b);
        const uint32_t steps = b.operations[7].u.output.step_count;
        one_change(&b, change, &changed);
        for (uint32_t i = 0; i < 8; i++) {
            const bool equal = lutra_operation_equal(&a.operations[i], &b.operations[i]);
            if (equal == (i == changed)) {
                fail_msg("change %d, operation %u: equal is %d", change, i, equal);
            }
        }
        const LutraCircuit *const both[] = {&a, &b};
        assert_int_equal(lutra_circuit_common_prefix(both, 2), changed < 8 ? changed : 8);
        b.operations[7].u.output.step_count = steps;
        lutra_circuit_deinit(&a);
        lutra_circuit_deinit(&b);
    }
}

static void names_and_proofs_do_not_matter(void **state) {
    (void)state;
    LutraCircuit a;
    LutraCircuit b;
    make(&a);
    make(&b);
    b.operations[2].name[0]++;
    b.operations[1].static_range.max++;
    b.operations[3].u.table.parameter_index++;
    const LutraCircuit *const both[] = {&a, &b};
    assert_int_equal(lutra_circuit_common_prefix(both, 2), 8);
    lutra_circuit_deinit(&a);
    lutra_circuit_deinit(&b);
}

static void roundings_share_what_stands_before_the_first_of_them(void **state) {
    (void)state;
    static const uint32_t bits[3][2] = {{0, 0}, {0, 3}, {4, 3}};
    LutraCircuit plain;
    LutraCircuit rounded[3];
    LutraError error = {""};
    CircuitBuilder builder;
    builder_start(&builder, check_key(8), CIRCUIT_SMALL);
    uint32_t at = builder_input(&builder, (LutraShape){2, 6, 6}, (LutraEncoding){8, true}, -3, 3);
    at = builder_conv(&builder, at, 3, 3, 1, 0);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -3, 3, true);
    at = builder_linear(&builder, at, 4);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -3, 3, true);
    at = builder_linear(&builder, at, 3);
    builder_output(&builder, at, 2);
    builder_finish(&builder, &plain);
    for (int i = 0; i < 3; i++) {
        const LutraRoundSettings settings = {bits[i], 2, LUTRA_ROUNDING_APPROXIMATE};
        check_status(lutra_circuit_round(&rounded[i], &plain, &settings, &error), LUTRA_OK, &error);
    }
    const LutraCircuit *const all[] = {&rounded[0], &rounded[1], &rounded[2], &plain};
    const LutraCircuit *const late[] = {&rounded[1], &plain};
    const LutraCircuit *const same[] = {&rounded[0], &plain};
    assert_int_equal(lutra_circuit_common_prefix(all, 4), 2);
    assert_int_equal(lutra_circuit_common_prefix(late, 2), 4);
    assert_int_equal(lutra_circuit_common_prefix(same, 2), 7);
    assert_int_equal(lutra_circuit_common_prefix(all, 1), 7);
    assert_int_equal(lutra_circuit_common_prefix(all, 0), 0);
    for (int i = 0; i < 3; i++) {
        lutra_circuit_deinit(&rounded[i]);
    }
    lutra_circuit_deinit(&plain);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_equal_and_their_own),
        cmocka_unit_test(any_change_is_seen_where_it_is),
        cmocka_unit_test(names_and_proofs_do_not_matter),
        cmocka_unit_test(roundings_share_what_stands_before_the_first_of_them),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("circuit_copy", tests, NULL, NULL);
}
