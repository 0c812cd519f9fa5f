/* SPDX-License-Identifier: Apache-2.0 */
/* What operations mean in the clear; numbers are those of semantics section 7. */
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/** R_r in the value's own units, as the vectors state it. */
static int64_t rounded(int64_t x, uint32_t bits) {
    return lutra_round_half_up(x, bits) * (INT64_C(1) << bits);
}

static void rounding_follows_the_vectors(void **state) {
    (void)state;
    static const struct {
        uint32_t bits;
        int64_t x, expected;
    } cases[] = {
        /* vector 1 */
        {3, 3, 0}, {3, 4, 8}, {3, 11, 8}, {3, 12, 16}, {3, 15, 16}, {0, 3, 3},
        /* vector 2 */
        {3, 163, 160}, {3, 164, 168}, {3, 188, 192},
        /* vector 3 */
        {2, 1, 0}, {2, 2, 4}, {2, 5, 4}, {2, 6, 8}, {2, 29, 28}, {2, 30, 32}, {2, 31, 32},
        /* vector 4 */
        {2, -1, 0}, {2, -2, 0}, {2, -3, -4}, {2, -5, -4}, {2, -6, -4}, {2, -7, -8}, {2, -10, -8},
        {1, -1, 0}, {1, -3, -2},
        /* vector 5 */
        {1, 0, 0}, {1, 1, 2}, {1, 2, 2}, {1, 3, 4}, {1, 4, 4}, {1, 5, 6}, {1, 6, 6}, {1, 7, 8},
        /* vector 8 */
        {3, -4, 0}, {3, -3, 0}, {3, 3, 0}, {3, 4, 8}, {3, 5, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(rounded(cases[i].x, cases[i].bits), cases[i].expected);
    }
}

static void rounding_is_floor_of_x_plus_half(void **state) {
    (void)state;
    for (uint32_t bits = 1; bits < 8; bits++) {
        const int64_t step = INT64_C(1) << bits;
        for (int64_t x = -600; x <= 600; x++) {
            const int64_t y = lutra_round_half_up(x, bits);
            assert_true(2 * (y * step) - step <= 2 * x);
            assert_true(2 * x < 2 * (y * step) + step);
        }
    }
    const int64_t limit = (INT64_C(1) << 61) - 1;
    assert_int_equal(lutra_round_half_up(limit, 60), 2);
    assert_int_equal(lutra_round_half_up(-limit, 60), -2);
}

static void offsets_come_before_rounding(void **state) {
    (void)state;
    int32_t offsets[2] = {-4, 3};
    const LutraRoundOperation round = {.dropped_bits = 3, .offsets = offsets};
    const LutraShape shape = {.channels = 2, .height = 1, .width = 10};
    int32_t x[20];
    int32_t y[20];
    for (int32_t i = 0; i < 10; i++) {
        x[i] = i;
        x[10 + i] = i;
    }
    lutra_operation_round(y, &round, shape, x);
    /* vector 8 in the first channel: R_3(x - 4) / 8 */
    static const int32_t expected[20] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
                                         0, 1, 1, 1, 1, 1, 1, 1, 1, 2};
    check_equal_i32(y, expected, 20);
}

static void tables_saturate_and_count(void **state) {
    (void)state;
    /* vector 17's table on the domain of esint2, then a second table */
    int32_t entries[8] = {3, 0, 2, -1, 10, 11, 12, 13};
    uint32_t table_of_channel[2] = {0, 1};
    const LutraTableOperation table = {.table_count = 2,
                                       .entry_count = 4,
                                       .first_input = -2,
                                       .entries = entries,
                                       .table_of_channel = table_of_channel};
    const LutraShape shape = {.channels = 2, .height = 2, .width = 3};
    const int32_t x[12] = {-2, -1, 0, 1, 2, -3, -2, 1, 2000000000, -2000000000, 0, -1};
    int32_t y[12];
    assert_int_equal(lutra_operation_table(y, &table, shape, x), 4);
    static const int32_t expected[12] = {3, 0, 2, -1, -1, 3, 10, 13, 13, 10, 12, 11};
    check_equal_i32(y, expected, 12);
}

static void several_tables_follow_their_channels(void **state) {
    (void)state;
    /* vector 19: squares and cubes, one table per column */
    int32_t entries[8] = {0, 1, 4, 9, 0, 1, 8, 27};
    uint32_t table_of_channel[2] = {0, 1};
    const LutraTableOperation table = {.table_count = 2,
                                       .entry_count = 4,
                                       .entries = entries,
                                       .table_of_channel = table_of_channel};
    const LutraShape shape = {.channels = 2, .height = 3, .width = 1};
    const int32_t x[6] = {0, 2, 3, 1, 3, 0};
    int32_t y[6];
    assert_int_equal(lutra_operation_table(y, &table, shape, x), 0);
    static const int32_t expected[6] = {0, 4, 9, 1, 27, 0};
    check_equal_i32(y, expected, 6);
}

static void convolutions_pad_with_zero_and_stride(void **state) {
    (void)state;
    /* 2 channels of 3 x 3; one filter that picks x[0] at (a,b) = (0,0) and 2 x[1] at (1,1) */
    int8_t weights[8] = {1, 0, 0, 0, 0, 0, 0, 2};
    const LutraConvOperation conv = {
        .in_channels = 2, .kernel = 2, .stride = 2, .padding = 1, .weights = weights};
    int32_t x[18];
    for (int32_t i = 0; i < 18; i++) {
        x[i] = i + 1;
    }
    int32_t y[4];
    lutra_operation_conv(y, &conv, (LutraShape){1, 2, 2}, x, (LutraShape){2, 3, 3});
    /* windows start at (-1,-1), (-1,1), (1,-1), (1,1) */
    static const int32_t expected[4] = {2 * 10, 2 * 12, 2 * 16, 5 + 2 * 18};
    check_equal_i32(y, expected, 4);

    /* the same filter step by step over 2 x 1 pixels: every edge is crossed */
    const LutraConvOperation dense = {
        .in_channels = 2, .kernel = 2, .stride = 1, .padding = 1, .weights = weights};
    static const int32_t small[4] = {1, 2, 30, 40};
    int32_t z[6];
    lutra_operation_conv(z, &dense, (LutraShape){1, 3, 2}, small, (LutraShape){2, 2, 1});
    static const int32_t dense_expected[6] = {60, 0, 80, 1, 0, 2};
    check_equal_i32(z, dense_expected, 6);
}

static void linear_runs_over_channels_first(void **state) {
    (void)state;
    int8_t weights[12] = {1, 2, 3, 4, 5, 6, -128, 0, 0, 0, 0, 127};
    const LutraLinearOperation linear = {.in_features = 6, .weights = weights};
    const int32_t x[6] = {1, 10, 100, 1000, 10000, 100000};
    int32_t y[2];
    lutra_operation_linear(y, &linear, 2, x);
    static const int32_t expected[2] = {654321, 12699872};
    check_equal_i32(y, expected, 2);
}

static void pools_sum_their_windows(void **state) {
    (void)state;
    const LutraSumPoolOperation pool = {.kernel = 2, .stride = 1};
    const int32_t x[12] = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
    int32_t y[4];
    lutra_operation_sum_pool(y, &pool, (LutraShape){2, 1, 2}, x, (LutraShape){2, 2, 3});
    static const int32_t expected[4] = {12, 16, -12, -16};
    check_equal_i32(y, expected, 4);
}

static void outputs_apply_their_steps_in_single_precision(void **state) {
    (void)state;
    float mean[2] = {0.1f, -3.0f};
    float inverse[2] = {0.3f, 7.0f};
    float weight[2] = {1.7f, -2.0f};
    float bias[2] = {1e-3f, 0.5f};
    const LutraOutputOperation output = {
        .scale = 0.007f, .step_count = 1, .steps = {{mean, inverse, weight, bias}}};
    const int32_t x[2] = {16777217, -5};
    float logits[2];
    lutra_operation_output(logits, &output, 2, x);
    for (size_t c = 0; c < 2; c++) {
        volatile float y = (float)x[c]; /* each step rounded to single precision */
        y = y * 0.007f;
        y = y - mean[c];
        y = y * inverse[c];
        y = y * weight[c];
        y = y + bias[c];
        assert_true(y == logits[c]);
    }
    const LutraOutputOperation plain = {.scale = 0.5f};
    lutra_operation_output(logits, &plain, 2, x);
    assert_true(logits[1] == -2.5f);
}

static void ties_of_logits_go_to_the_first(void **state) {
    (void)state;
    static const float logits[5] = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f};
    assert_int_equal(lutra_argmax(logits, 5), 1);
    assert_int_equal(lutra_argmax(logits, 1), 0);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_follows_the_vectors),
        cmocka_unit_test(rounding_is_floor_of_x_plus_half),
        cmocka_unit_test(offsets_come_before_rounding),
        cmocka_unit_test(tables_saturate_and_count),
        cmocka_unit_test(several_tables_follow_their_channels),
        cmocka_unit_test(convolutions_pad_with_zero_and_stride),
        cmocka_unit_test(linear_runs_over_channels_first),
        cmocka_unit_test(pools_sum_their_windows),
        cmocka_unit_test(outputs_apply_their_steps_in_single_precision),
        cmocka_unit_test(ties_of_logits_go_to_the_first),
    };
    return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
