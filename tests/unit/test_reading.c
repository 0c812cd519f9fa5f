/* SPDX-License-Identifier: Apache-2.0 */
/* Edges and buckets by hand, and by looking at every accumulator. */
#include "sim/reading.h"

#include <math.h>

#include "sim/operations.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/** One channel: a pixel times 1, rounded by 2 bits with offset 1, a signed 3-bit table. */
static void build(LutraCircuit *circuit, const int32_t entries[8]) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(1), CIRCUIT_TERNARY);
    const LutraEncoding wide = {5, true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 1, 1}, wide, -1, 1);
    x = builder_linear(&builder, x, 1);
    x = builder_round(&builder, x, 2, true);
    x = builder_table(&builder, x, wide, 0, 7, false);
    builder.circuit.operations[2].u.round.offsets[0] = 1;
    for (size_t i = 0; i < 8; i++) {
        builder.circuit.operations[x].u.table.entries[i] = entries[i];
    }
    builder.circuit.operations[x].u.table.table_of_channel[0] = 0;
    builder.circuit.operations[x].static_range = (LutraRange){0, 7};
    x = builder_linear(&builder, x, 1);
    (void)builder_output(&builder, x, 0);
    builder_finish(&builder, circuit);
}

static void edges_stand_where_the_buckets_say(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, (const int32_t[]){5, 5, 5, 5, 2, 2, 2, 7}); /* buckets -4 .. 3 */
    const LutraReading reading = lutra_reading_of(&circuit, 3);
    assert_int_equal(reading.source, 1);
    assert_int_equal(reading.dropped_bits, 2);
    assert_int_equal(lutra_reading_edges(&reading, 0), 2);
    /* Bucket b holds x + 1 in [4 b - 2, 4 b + 1], so bucket 0 starts at x = -3 and 3 at 9. */
    assert_int_equal(lutra_reading_bucket_start(&reading, 0, 0), -3);
    assert_int_equal(lutra_reading_bucket_start(&reading, 0, 3), 9);
    assert_int_equal(lutra_reading_bucket(&reading, 0, -4), -1);
    assert_int_equal(lutra_reading_bucket(&reading, 0, -3), 0);
    assert_int_equal(lutra_reading_result(&reading, 0, -4), 5);
    assert_int_equal(lutra_reading_result(&reading, 0, -3), 2);
    assert_int_equal(lutra_reading_result(&reading, 0, 9), 7);
    assert_int_equal(lutra_reading_result(&reading, 0, -100), 5);
    assert_int_equal(lutra_reading_result(&reading, 0, 100), 7);
    check_close(lutra_reading_edge_distance(&reading, 0, -3), 0.5, 0.0);
    check_close(lutra_reading_edge_distance(&reading, 0, -10), 6.5, 0.0);
    check_close(lutra_reading_edge_distance(&reading, 0, 4), 4.5, 0.0);
    check_close(lutra_reading_edge_distance(&reading, 0, 100), 91.5, 0.0);
    /* Half a bucket is 2 steps: the two values on each side of -3.5 and 8.5. */
    for (int64_t x = -20; x < 20; x++) {
        const bool near = (x >= -5 && x <= -2) || (x >= 7 && x <= 10);
        assert_int_equal(lutra_reading_is_near_edge(&reading, 0, x), near);
    }
    const LutraReading output = lutra_reading_of(&circuit, 5);
    assert_null(output.table);
    assert_int_equal(output.source, 4);
    lutra_circuit_deinit(&circuit);
}

static void constant_tables_have_no_edge(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, (const int32_t[]){1, 1, 1, 1, 1, 1, 1, 1});
    const LutraReading reading = lutra_reading_of(&circuit, 3);
    assert_int_equal(lutra_reading_edges(&reading, 0), 0);
    assert_true(isinf(lutra_reading_edge_distance(&reading, 0, 0)));
    assert_false(lutra_reading_is_near_edge(&reading, 0, 0));
    lutra_circuit_deinit(&circuit);
}

/** The definition: neighbouring accumulators with different results, looked for one by one. */
static double slow_distance(const LutraReading *reading, uint32_t channel, int64_t x,
                            int64_t reach) {
    const int32_t here = lutra_reading_result(reading, channel, x);
    for (int64_t step = 1; step <= reach; step++) {
        if (lutra_reading_result(reading, channel, x + step) != here ||
            lutra_reading_result(reading, channel, x - step) != here) {
            return (double)step - 0.5;
        }
    }
    return (double)INFINITY;
}

static void distances_agree_with_a_search(void **state) {
    (void)state;
    uint32_t tables = 0;
    for (uint32_t n = 0; n < 60; n++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
        for (uint32_t i = 0; i < circuit.operation_count; i++) {
            if (circuit.operations[i].kind != LUTRA_OPERATION_TABLE) {
                continue;
            }
            const LutraReading reading = lutra_reading_of(&circuit, i);
            const int64_t width = INT64_C(1) << reading.dropped_bits;
            const LutraTableOperation *const table = reading.table;
            const int64_t reach = ((int64_t)table->entry_count + 4) * width;
            const int64_t first = lutra_reading_bucket_start(&reading, 0, table->first_input - 2);
            const int64_t stride = 1 + reach / 100;
            for (int64_t x = first; x < first + reach; x += stride) {
                const double slow = slow_distance(&reading, 0, x, 2 * reach);
                const double fast = lutra_reading_edge_distance(&reading, 0, x);
                assert_true(fast == slow); /* bit for bit, infinity too */
                assert_int_equal(lutra_reading_is_near_edge(&reading, 0, x),
                                 fast <= fmax(0.5, (double)width / 2));
            }
            tables++;
        }
        lutra_circuit_deinit(&circuit);
    }
    assert_true(tables > 60);
}

/* The integer in a word: all of it where the table rounds, the bucket where that has happened. */
static void words_hold_what_the_rounding_leaves(void **state) {
    (void)state;
    LutraCircuit circuit;
    build(&circuit, (const int32_t[]){0, 1, 2, 3, 4, 5, 6, 7});
    const LutraReading reading = lutra_reading_of(&circuit, 3);
    circuit.operations[2].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    assert_int_equal(lutra_reading_word_value(&reading, 0, 6), 7);
    circuit.operations[2].u.round.mode = LUTRA_ROUNDING_EXACT;
    assert_int_equal(lutra_reading_word_value(&reading, 0, 6), 2);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_stand_where_the_buckets_say),
        cmocka_unit_test(constant_tables_have_no_edge),
        cmocka_unit_test(distances_agree_with_a_search),
        cmocka_unit_test(words_hold_what_the_rounding_leaves),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("sim/reading", tests, NULL, NULL);
}
