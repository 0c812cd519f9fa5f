/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding of sums in training means what a circuit means by it: width of the range, round half up;
 * and only training rounds. */
#include <string.h>

#include "base/memory.h"
#include "sim/operations.h"
#include "tests/support/check.h"
#include "train/execution.h"
#include "train/rounding.h"

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
static void run(uint8_t *codes, size_t count, uint32_t rounding, LutraRunMode mode) {
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    LutraExecution *execution = NULL;
    const LutraExecutionSettings settings = {4, 2, 0, LUTRA_RUN_TRAINING, rounding};
    check_status(lutra_network_parse(&network, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, 7, &error), LUTRA_OK, &error);
    check_status(lutra_execution_create(&execution, &model, &settings, &error), LUTRA_OK, &error);
    uint8_t *const input = lutra_execution_input(execution);
    for (uint32_t i = 0; i < 4 * 2 * 5 * 5; i++) {
        input[i] = (uint8_t)lutra_random_below(check_key(99), i, 16);
    }
    check_status(lutra_execution_forward(execution, 4, mode, &error), LUTRA_OK, &error);
    memcpy(codes, lutra_execution_layer_bytes(execution, 2), count);
    lutra_execution_destroy(&execution);
    lutra_model_deinit(&model);
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

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_rounded_as_in_a_circuit),
                                       cmocka_unit_test(only_training_rounds)};
    return cmocka_run_group_tests_name("training rounding", tests, NULL, NULL);
}
