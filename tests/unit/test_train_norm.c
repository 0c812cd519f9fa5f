/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, running averages and gradients of normed channels, against plain double formulas and
 * central differences. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/norm.h"

enum { CHANNELS = 3, COUNT = 41 };

static LutraTrainKernels kernels;

static LutraChannelBatch batch_of(uint32_t threads) {
    lutra_train_kernels_init(&kernels, lutra_cpu_detect());
    return (LutraChannelBatch){CHANNELS, COUNT, &kernels, threads};
}

static void fill(float *sums, LutraChannelFunction *functions) {
    for (size_t i = 0; i < (size_t)CHANNELS * COUNT; i++) {
        sums[i] = (float)lutra_random_below(check_key(1), i, 41) - 17.0f;
    }
    for (int c = 0; c < CHANNELS; c++) {
        functions[c] = (LutraChannelFunction){.scale = 0.125f, .bias = (float)c - 0.75f};
    }
}

static void test_statistics(void **state) {
    (void)state;
    float sums[CHANNELS * COUNT];
    float mean[CHANNELS];
    float variance[CHANNELS];
    LutraChannelFunction functions[CHANNELS];
    const LutraChannelBatch batch = batch_of(2);
    fill(sums, functions);
    lutra_norm_statistics(mean, variance, sums, functions, &batch);
    for (int c = 0; c < CHANNELS; c++) {
        double total = 0.0;
        double squares = 0.0;
        for (int i = 0; i < COUNT; i++) {
            total += ((double)sums[(c * COUNT) + i] * 0.125) + (double)c - 0.75;
        }
        for (int i = 0; i < COUNT; i++) {
            const double z = ((double)sums[(c * COUNT) + i] * 0.125) + (double)c - 0.75;
            squares += (z - (total / COUNT)) * (z - (total / COUNT));
        }
        check_close((double)mean[c], total / COUNT, 1e-6);
        check_close((double)variance[c], squares / COUNT, 1e-6);
    }
}

static void test_constant_channel(void **state) {
    (void)state;
    float sums[CHANNELS * COUNT];
    float mean[CHANNELS];
    float variance[CHANNELS];
    LutraChannelFunction functions[CHANNELS];
    const LutraChannelBatch batch = batch_of(1);
    fill(sums, functions);
    for (int i = 0; i < COUNT; i++) {
        sums[i] = 3333.0f;
    }
    lutra_norm_statistics(mean, variance, sums, functions, &batch);
    assert_true(variance[0] == 0.0f);
    check_close((double)mean[0], (3333.0 / 8.0) - 0.75, 1e-4);
}

static void test_update(void **state) {
    (void)state;
    float running_mean[2] = {1.0f, 0.0f};
    float running_variance[2] = {2.0f, 1.0f};
    const float mean[2] = {3.0f, -1.0f};
    const float variance[2] = {4.0f, 0.0f};
    lutra_norm_update(running_mean, running_variance, mean, variance, 2, 5, 0.25f);
    check_close((double)running_mean[0], 1.5, 1e-6);
    check_close((double)running_variance[0], (0.75 * 2.0) + (0.25 * 4.0 * 5.0 / 4.0), 1e-6);
    lutra_norm_update(running_mean, running_variance, mean, variance, 2, 1, 0.25f);
    assert_true(isfinite(running_variance[0]));
}

/* Sum of g * y over one channel, with the batch's own statistics, in double. */
static double objective(const double *z, const double *g, double weight, double shift,
                        double epsilon) {
    double mean = 0.0;
    double variance = 0.0;
    double total = 0.0;
    for (int i = 0; i < COUNT; i++) {
        mean += z[i] / COUNT;
    }
    for (int i = 0; i < COUNT; i++) {
        variance += (z[i] - mean) * (z[i] - mean) / COUNT;
    }
    for (int i = 0; i < COUNT; i++) {
        total += g[i] * (((z[i] - mean) / sqrt(variance + epsilon) * weight) + shift);
    }
    return total;
}

/* The quantizer is so fine and wide that every gradient passes. */
static void test_gradient(void **state) {
    (void)state;
    const double epsilon = 1e-4;
    const LutraChannelBatch batch = batch_of(1);
    float sums[CHANNELS * COUNT];
    float gradient[CHANNELS * COUNT];
    float mean[CHANNELS];
    float variance[CHANNELS];
    float weight_gradient[CHANNELS];
    float shift_gradient[CHANNELS];
    LutraChannelFunction functions[CHANNELS];
    fill(sums, functions);
    lutra_norm_statistics(mean, variance, sums, functions, &batch);
    for (int c = 0; c < CHANNELS; c++) {
        functions[c].normed = true;
        functions[c].mean = mean[c];
        functions[c].inverse_deviation = lutra_inverse_deviation(variance[c], (float)epsilon);
        functions[c].weight = 0.5f - (float)c;
        functions[c].shift = 0.25f;
        functions[c].quantizer = (LutraQuantizer){-128, 127, 1.0f};
    }
    for (size_t i = 0; i < (size_t)CHANNELS * COUNT; i++) {
        gradient[i] = (float)(lutra_random_uniform(check_key(2), i) - 0.4);
    }
    float before[CHANNELS * COUNT];
    memcpy(before, gradient, sizeof before);
    lutra_activation_backward(gradient, weight_gradient, shift_gradient, sums, functions, &batch);
    for (int c = 0; c < CHANNELS; c++) {
        double z[COUNT];
        double g[COUNT];
        const double weight = (double)functions[c].weight;
        for (int i = 0; i < COUNT; i++) {
            z[i] = ((double)sums[(c * COUNT) + i] * 0.125) + (double)functions[c].bias;
            g[i] = (double)before[(c * COUNT) + i];
        }
        const double h = 1e-4;
        for (int i = 0; i < COUNT; i++) {
            const double own = z[i];
            z[i] = own + h;
            const double above = objective(z, g, weight, 0.25, epsilon);
            z[i] = own - h;
            const double below = objective(z, g, weight, 0.25, epsilon);
            z[i] = own;
            check_close((double)gradient[(c * COUNT) + i], (above - below) / (2.0 * h), 2e-6);
        }
        check_close((double)weight_gradient[c],
                    (objective(z, g, weight + h, 0.25, epsilon) -
                     objective(z, g, weight - h, 0.25, epsilon)) / (2.0 * h), 1e-5);
        check_close((double)shift_gradient[c],
                    (objective(z, g, weight, 0.25 + h, epsilon) -
                     objective(z, g, weight, 0.25 - h, epsilon)) / (2.0 * h), 1e-5);
    }
}

/* Ternary: the window is |x| < 1.5; 1.5 itself rounds to 2 and is blocked. */
static void test_window(void **state) {
    (void)state;
    float sums[6] = {-6.0f, -5.0f, -2.0f, 0.0f, 5.0f, 6.0f}; /* quarters */
    float gradient[6] = {1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    const float expected[6] = {0.0f, 1.0f, 1.0f, 1.0f, 1.0f, 0.0f};
    uint8_t bytes[6];
    const uint8_t expected_bytes[6] = {0, 0, 1, 1, 2, 2}; /* -0.5 ties to 0 */
    const LutraChannelFunction function = {.scale = 0.25f, .quantizer = {-1, 1, 1.0f}};
    LutraChannelBatch batch = batch_of(1);
    batch.channels = 1;
    batch.count = 6;
    lutra_activation_forward(bytes, sums, &function, &batch);
    assert_memory_equal(bytes, expected_bytes, sizeof bytes);
    lutra_activation_backward(gradient, NULL, NULL, sums, &function, &batch);
    assert_memory_equal(gradient, expected, sizeof expected);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics), cmocka_unit_test(test_constant_channel),
        cmocka_unit_test(test_update),     cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_window),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("train norm", tests, NULL, NULL);
}
