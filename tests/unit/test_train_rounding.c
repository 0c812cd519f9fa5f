/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounding of sums in training means what a circuit means by it: width of the range, round half up;
 * noise is a rounded Gaussian that depends on seed, step, layer and place alone; and only training
 * has either.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/operations.h"
#include "tests/support/check.h"
#include "train/execution.h"
#include "train/rounding.h"
#include "train/sum_noise.h"

enum { CHANNELS = 3, COUNT = 97, TOTAL = CHANNELS * COUNT };

static void check_range(int64_t low, int64_t high, uint32_t kept, uint32_t number) {
    const LutraEncoding encoding = lutra_encoding_of_range(low < 0 ? low : 0, high > 0 ? high : 0);
    const uint32_t dropped = lutra_rounding_dropped_bits(encoding, kept);
    float original[TOTAL];
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        CheckBuffer buffer;
        check_buffer_init(&buffer, sizeof original, 4 * (number % 8));
        float *const sums = (float *)(void *)buffer.data;
        for (uint32_t i = 0; i < TOTAL; i++) {
            const uint64_t span = (uint64_t)(high - low) + 1;
            const int64_t draw =
                low + (int64_t)lutra_random_below(check_key(number), i, span);
            original[i] = (float)(i == 11 ? low : i == 201 ? high : draw);
        }
        memcpy(sums, original, sizeof original);
        const LutraChannelBatch batch = {CHANNELS, COUNT, NULL, threads};
        assert_int_equal(lutra_round_sums(sums, kept, &batch), dropped);
        for (uint32_t i = 0; i < TOTAL; i++) {
            const int64_t x = (int64_t)original[i];
            const int64_t expected =
                dropped == 0 ? x
                             : lutra_round_half_up(x, dropped) * (INT64_C(1) << dropped);
            check_close((double)sums[i], (double)expected, 0.0);
        }
        check_buffer_done(&buffer);
    }
}

static void sums_are_rounded_as_in_a_circuit(void **state) {
    (void)state;
    static const int64_t ranges[][2] = {{-1, 1},     {-8, 7},      {-8, 8},        {-9, 7},
                                        {0, 255},    {0, 256},     {3, 200},       {-200, -3},
                                        {-128, 127}, {-128, 128},  {-2048, 100},   {-576, 575},
                                        {0, 0},      {-4096, 4095}, {-8000000, 8000000}};
    uint32_t number = 0;
    for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
        for (uint32_t kept = 1; kept <= 16; kept++) {
            check_range(ranges[r][0], ranges[r][1], kept, number++);
        }
    }
}

static const char text[] =
    "[network]\nname = small\nclasses = 3\n"
    "[input]\ntype = input\nshape = 2x5x5\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[conv]\ntype = conv\nchannels = 7\nkernel = 3\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n";

/* The codes of the first activation on a drawn batch. */
static void run_with(uint8_t *codes, size_t count, uint32_t rounding, double noise, uint64_t step,
                     LutraRunMode mode) {
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    LutraExecution *execution = NULL;
    const LutraExecutionSettings settings = {.most_images = 4,
                                             .threads = 2,
                                             .mode = LUTRA_RUN_TRAINING,
                                             .rounding = rounding,
                                             .noise = noise};
    check_status(lutra_network_parse(&network, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, 7, &error), LUTRA_OK, &error);
    check_status(lutra_execution_create(&execution, &model, &settings, &error), LUTRA_OK, &error);
    uint8_t *const input = lutra_execution_input(execution);
    for (uint32_t i = 0; i < 4 * 2 * 5 * 5; i++) {
        input[i] = (uint8_t)lutra_random_below(check_key(99), i, 16);
    }
    lutra_execution_set_draws(execution, 12, step);
    check_status(lutra_execution_forward(execution, 4, mode, &error), LUTRA_OK, &error);
    memcpy(codes, lutra_execution_layer_bytes(execution, 2), count);
    lutra_execution_destroy(&execution);
    lutra_model_deinit(&model);
}

static void run(uint8_t *codes, size_t count, uint32_t rounding, LutraRunMode mode) {
    run_with(codes, count, rounding, 0.0, 0, mode);
}

static void only_training_rounds(void **state) {
    (void)state;
    enum { CODES = 4 * 7 * 3 * 3 };
    uint8_t exact[CODES];
    uint8_t codes[CODES];
    run(exact, CODES, 0, LUTRA_RUN_TRAINING);
    run(codes, CODES, 16, LUTRA_RUN_TRAINING);
    assert_memory_equal(codes, exact, CODES);
    run(codes, CODES, 2, LUTRA_RUN_INFERENCE);
    assert_memory_equal(codes, exact, CODES);
    run(codes, CODES, 2, LUTRA_RUN_TRAINING);
    assert_memory_not_equal(codes, exact, CODES);
}

static void only_training_has_noise(void **state) {
    (void)state;
    enum { CODES = 4 * 7 * 3 * 3 };
    uint8_t exact[CODES];
    uint8_t codes[CODES];
    uint8_t again[CODES];
    run(exact, CODES, 3, LUTRA_RUN_TRAINING);
    run_with(codes, CODES, 3, 0.3, 5, LUTRA_RUN_TRAINING);
    assert_memory_not_equal(codes, exact, CODES);
    run_with(again, CODES, 3, 0.3, 5, LUTRA_RUN_TRAINING);
    assert_memory_equal(codes, again, CODES);
    run_with(again, CODES, 3, 0.3, 6, LUTRA_RUN_TRAINING);
    assert_memory_not_equal(codes, again, CODES);
    run(exact, CODES, 0, LUTRA_RUN_INFERENCE);
    run_with(codes, CODES, 3, 0.3, 5, LUTRA_RUN_INFERENCE);
    assert_memory_equal(codes, exact, CODES);
}

/* Each table holds every whole number as often as the normal distribution asks for, but for the two
 * draws at its edges. */
static void noise_tables_hold_a_rounded_gaussian(void **state) {
    (void)state;
    LutraError error = {""};
    LutraSumNoise noise = {.deviation = 0.3};
    for (uint32_t bits = 0; bits <= 7; bits += 7) {
        const double s = 0.3 * (double)(1 << bits);
        check_status(lutra_sum_noise_prepare(&noise, bits, &error), LUTRA_OK, &error);
        const int32_t *table = noise.of_draw[bits];
        for (int32_t e = -40; e <= 40; e++) {
            double count = 0.0;
            for (int u = 0; u < LUTRA_NOISE_DRAWS; u++) {
                count += table[u] == e ? 1.0 : 0.0;
            }
            const double above = erf(((double)e + 0.5) / (s * sqrt(2.0)));
            const double below = erf(((double)e - 0.5) / (s * sqrt(2.0)));
            check_close(count, 0.5 * (above - below) * LUTRA_NOISE_DRAWS, 1.0 + 1e-6);
        }
        for (int u = 0; u < LUTRA_NOISE_DRAWS; u++) { /* symmetric, rising */
            assert_int_equal(table[u], -table[LUTRA_NOISE_DRAWS - 1 - u]);
            assert_true(u == 0 || table[u] >= table[u - 1]);
        }
    }
    lutra_sum_noise_deinit(&noise);
}

/* 20,000 draws of deviation 4.8: mean within 6 standard errors (false alarm 2e-9), variance within
 * 6 of its own; draws of other layers and steps, and neighbours, are not correlated. */
static void noise_is_drawn_by_place(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    static float one[DRAWS];
    static float two[DRAWS];
    static float other[DRAWS];
    LutraError error = {""};
    LutraSumNoise noise = {.deviation = 0.3};
    check_status(lutra_sum_noise_prepare(&noise, 4, &error), LUTRA_OK, &error);
    const LutraRandomKey key = {7, LUTRA_STREAM_TRAIN_NOISE, 3};
    const LutraRandomKey next = {7, LUTRA_STREAM_TRAIN_NOISE, 4};
    const LutraChannelBatch single = {1, DRAWS, NULL, 1};
    const LutraChannelBatch many = {10, DRAWS / 10, NULL, 3};
    for (int turn = 0; turn < 2; turn++) {
        memset(one, 0, sizeof one);
        memset(two, 0, sizeof two);
        memset(other, 0, sizeof other);
        lutra_sum_noise_add(one, &noise, 4, key, 9, &single);
        lutra_sum_noise_add(two, &noise, 4, key, 9, &many);
        lutra_sum_noise_add(other, &noise, 4, turn == 0 ? key : next, turn == 0 ? 10 : 9, &single);
        assert_memory_equal(one, two, sizeof one);
        double mean = 0.0;
        double square = 0.0;
        double across = 0.0;
        double along = 0.0;
        for (int i = 0; i < DRAWS; i++) {
            const double x = (double)one[i];
            mean += x / DRAWS;
            square += x * x / DRAWS;
            across += x * (double)other[i] / DRAWS;
            along += x * (double)one[(i + 1) % DRAWS] / DRAWS;
        }
        const double variance = (4.8 * 4.8) + (1.0 / 12.0); /* rounded to whole numbers */
        const double share = 6.0 / sqrt((double)DRAWS);
        check_close(mean, 0.0, share * sqrt(variance));
        check_close(square, variance, share * variance * sqrt(2.0));
        check_close(across, 0.0, share * variance);
        check_close(along, 0.0, share * variance);
    }
    lutra_sum_noise_deinit(&noise);
}

/* Deviations for given p_error, from tables of the normal distribution: 0.5 / 2.5758 for 1 %. */
static void noise_follows_from_p_error(void **state) {
    (void)state;
    static const double quantiles[][2] = {{0.5, 0.6744897502},    {0.1, 1.6448536270},
                                          {0.01, 2.5758293035},   {0.0027, 2.9999769927},
                                          {6.3e-5, 4.0012828313},    {0.9, 0.1256613469}};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        check_close(lutra_noise_of_p_error(quantiles[i][0]) * quantiles[i][1], 0.5, 1e-6);
    }
}

/* 500,000 sums in the middle of cells of 256, noise and rounding as an execution applies them: as
 * many are read as another cell as p_error says; z beyond 4.5 has probability 7e-6, for each of
 * three. The table of 65,536 draws adds up to 2 of them at the edges. */
static void values_leave_their_cell_with_p_error(void **state) {
    (void)state;
    enum { SUMS = 500000, BITS = 8 };
    static const double p_errors[] = {0.5, 0.1, 0.01};
    static float sums[SUMS];
    LutraError error = {""};
    for (uint32_t i = 0; i < 3; i++) {
        const double p = p_errors[i];
        LutraSumNoise noise = {.deviation = lutra_noise_of_p_error(p)};
        const LutraRandomKey key = {11, LUTRA_STREAM_TRAIN_NOISE, i};
        const LutraChannelBatch batch = {1, SUMS, NULL, 2};
        check_status(lutra_sum_noise_prepare(&noise, BITS, &error), LUTRA_OK, &error);
        for (uint32_t k = 0; k < SUMS; k++) {
            sums[k] = 256.0f * (float)((int)(k % 64) - 32);
        }
        lutra_sum_noise_add(sums, &noise, BITS, key, 3, &batch);
        lutra_round_to(sums, BITS, &batch);
        double others = 0.0;
        for (uint32_t k = 0; k < SUMS; k++) {
            others += sums[k] == 256.0f * (float)((int)(k % 64) - 32) ? 0.0 : 1.0;
        }
        const double table = 2.0 / LUTRA_NOISE_DRAWS;
        check_close(others / SUMS, p, (4.5 * sqrt(p * (1.0 - p) / SUMS)) + table);
        lutra_sum_noise_deinit(&noise);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_rounded_as_in_a_circuit),
                                       cmocka_unit_test(only_training_rounds),
                                       cmocka_unit_test(only_training_has_noise),
                                       cmocka_unit_test(noise_tables_hold_a_rounded_gaussian),
                                       cmocka_unit_test(noise_is_drawn_by_place),
                                       cmocka_unit_test(noise_follows_from_p_error),
                                       cmocka_unit_test(values_leave_their_cell_with_p_error)};
    return cmocka_run_group_tests_name("training rounding", tests, NULL, NULL);
}
