/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rounding of gradients to eight bits adds no bias and as much noise as small_gradients.h says.
 * Seeds are fixed, so a test passes or fails for ever; had they been drawn, a right program would
 * fail one comparison with the probability that stands beside it. |z| > 4.5 has probability 7e-6
 * (Gaussian).
 */
#include <math.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/convolution.h"
#include "train/execution.h"
#include "train/small_convolution.h"

static const double LIMIT = 4.5;

static LutraGradientDraws draws_of(uint64_t step, uint32_t layer) {
    uint32_t words[4];
    const LutraRandomKey key = {1, LUTRA_STREAM_GRADIENT_ROUNDING, layer};
    lutra_random_words(words, key, step, 0);
    return (LutraGradientDraws){words[0], words[1]};
}

/* 41 values, n = 200,000 neighbours each, as one step of a layer rounds them: share rounded up
 * (7e-6 each, 2.9e-4 in all). Twice: along one array, and along the steps of one element. */
static void test_shares(void **state) {
    (void)state;
    enum { COUNT = 200000 };
    for (int along = 0; along < 2; along++) {
        for (int i = 0; i <= 40; i++) {
            const double value = -126.6 + (6.3 * i) + (0.013 * i);
            const double low = floor(value);
            const double fraction = (double)(float)value - low;
            uint64_t up = 0;
            for (uint32_t k = 0; k < COUNT; k++) {
                const LutraGradientDraws draws =
                    along == 0 ? draws_of(7, (uint32_t)i) : draws_of(k, (uint32_t)i);
                const int32_t q =
                    lutra_gradient_byte((float)value, 1.0f, draws, along == 0 ? k : 12345u);
                assert_true(q == (int32_t)low || q == (int32_t)low + 1);
                up += q != (int32_t)low;
            }
            const double deviation = sqrt(fraction * (1.0 - fraction) / COUNT);
            /* 2^-16: what 16 bits of the hash may be off */
            check_close((double)up / COUNT, fraction, (LIMIT * deviation) + 0x1p-16);
        }
    }
}

/* Errors of neighbours, of rows a power of two apart, of two layers and of two steps do not go
 * together: correlation over n = 400,000 pairs, 1 / sqrt(n) each (7e-6 each, 4.9e-5 in all). */
static void test_independence(void **state) {
    (void)state;
    enum { COUNT = 400000 };
    static const struct {
        uint32_t shift;
        uint64_t step;
        uint32_t layer;
    } others[] = {{1, 0, 0},     {2, 0, 0}, {64, 0, 0}, {65536, 0, 0},
                  {78400, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    for (size_t o = 0; o < sizeof others / sizeof others[0]; o++) {
        const LutraGradientDraws a = draws_of(3, 4);
        const LutraGradientDraws b = draws_of(3 + others[o].step, 4 + others[o].layer);
        double together = 0.0;
        for (uint32_t k = 0; k < COUNT; k++) {
            const double first = (double)lutra_gradient_byte(0.5f, 1.0f, a, k) - 0.5;
            const double second =
                (double)lutra_gradient_byte(0.5f, 1.0f, b, k + others[o].shift) - 0.5;
            together += 4.0 * first * second;
        }
        check_close(together / COUNT, 0.0, LIMIT / sqrt((double)COUNT));
    }
}

enum { IN = 3, OUT = 4, WEIGHTS = OUT * IN * 9, INPUTS = IN * 2 * 36, OUTPUTS = OUT * 2 * 16 };

typedef struct {
    LutraConvShape shape;
    uint8_t bytes[INPUTS];
    float weights[WEIGHTS];
    float out_gradient[OUTPUTS];
} Layer;

/* Gradients of many sizes, a few of them large: most are below one step. */
static void layer_init(Layer *layer) {
    layer->shape = (LutraConvShape){.images = 2, .in_channels = IN, .in_height = 6, .in_width = 6,
                                    .out_channels = OUT, .out_height = 4, .out_width = 4,
                                    .kernel_height = 3, .kernel_width = 3, .stride = 1};
    for (uint32_t i = 0; i < INPUTS; i++) {
        layer->bytes[i] = (uint8_t)lutra_random_below(check_key(1), i, 8);
    }
    for (uint32_t i = 0; i < WEIGHTS; i++) {
        layer->weights[i] = (float)lutra_random_below(check_key(2), i, 3) - 1.0f;
    }
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        const double real = lutra_random_normal(check_key(3), i);
        layer->out_gradient[i] = (float)(real * real * real * 1e-4);
    }
}

/* Mean and variance of both gradients of a layer over n = 4,000 roundings, against the unrounded
 * gradients and the variance that small_gradients.h states: 108 + 216 means by z (7e-6 each,
 * 2.3e-3 in all), the sums of all variances within 5 % (n = 4,000: one is known to 2.2 %). */
static void test_gradients(void **state) {
    (void)state;
    enum { COUNT = 4000 };
    static Layer layer;
    static float exact[WEIGHTS + INPUTS];
    static float rounded[WEIGHTS + INPUTS];
    static double sums[WEIGHTS + INPUTS];
    static double squares[WEIGHTS + INPUTS];
    const LutraConvInput input = {layer.bytes, NULL, -3};
    layer_init(&layer);
    lutra_conv_weight_gradient_ref(exact, &layer.shape, input, layer.out_gradient, 2.0f);
    lutra_conv_input_gradient_ref(exact + WEIGHTS, &layer.shape, layer.weights, layer.out_gradient,
                                  2.0f);
    for (uint32_t k = 0; k < COUNT; k++) {
        lutra_small_weight_gradient_ref(rounded, &layer.shape, input, layer.out_gradient, 2.0f,
                                        draws_of(k, 0));
        lutra_small_input_gradient_ref(rounded + WEIGHTS, &layer.shape, layer.weights,
                                       layer.out_gradient, 2.0f, draws_of(k, 1));
        for (size_t i = 0; i < WEIGHTS + INPUTS; i++) {
            const double error = (double)rounded[i] - (double)exact[i];
            sums[i] += error;
            squares[i] += error * error;
        }
    }
    double measured[2] = {0.0, 0.0};
    for (size_t i = 0; i < WEIGHTS + INPUTS; i++) {
        const double variance = squares[i] / COUNT;
        check_close(sums[i] / COUNT, 0.0, LIMIT * sqrt(variance / COUNT) + 1e-9);
        measured[i < WEIGHTS ? 0 : 1] += variance;
    }
    /* the same from f (1 - f) step^2, product by product */
    double stated[2] = {0.0, 0.0};
    for (size_t at = 0; at < OUTPUTS; at++) {
        const size_t o = at / 32;
        const size_t n = (at / 16) % 2;
        float most[2] = {0.0f, 0.0f}; /* of the channel, of the image */
        for (size_t i = 0; i < OUTPUTS; i++) {
            const float magnitude = fabsf(layer.out_gradient[i]);
            most[0] = i / 32 == o ? fmaxf(most[0], magnitude) : most[0];
            most[1] = (i / 16) % 2 == n ? fmaxf(most[1], magnitude) : most[1];
        }
        double factors[2] = {0.0, 0.0}; /* sums of squares of what it is multiplied with */
        for (size_t k = 0; k < IN * 9; k++) {
            const size_t row = ((at % 16) / 4) + ((k % 9) / 3);
            const size_t column = (at % 4) + (k % 3);
            const size_t from = ((((k / 9) * 2) + n) * 36) + (row * 6) + column;
            const double code = (double)layer.bytes[from] - 3.0;
            const double weight = (double)layer.weights[(o * IN * 9) + k];
            factors[0] += code * code;
            factors[1] += weight * weight;
        }
        for (int g = 0; g < 2; g++) {
            const double step = (double)most[g] / 127.0;
            const double steps = (double)layer.out_gradient[at] / step;
            const double f = steps - floor(steps);
            stated[g] += 4.0 * step * step * f * (1.0 - f) * factors[g];
        }
    }
    for (int g = 0; g < 2; g++) {
        check_close(measured[g] / stated[g], 1.0, 0.05);
    }
}

static const char text[] =
    "[network]\nname = small\nclasses = 3\n"
    "[input]\ntype = input\nshape = 2x6x6\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[conv1]\ntype = conv\nchannels = 5\nkernel = 3\nweight_codes = -7..7\nweight_scale = max\n"
    "[norm1]\ntype = batch_norm\n[act1]\ntype = activation\ncodes = -3..3\nstep = 1/3\n"
    "[conv2]\ntype = conv\nchannels = 7\nkernel = 3\nweight_codes = -1..1\n"
    "weight_scale = fixed\n[norm2]\ntype = batch_norm\n"
    "[act2]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n";

enum { LAYERS = 8, MOST_WEIGHTS = 512, IMAGES = 6 };

/* Gradients of all weights of one batch, one after the other; returns how many. */
static size_t network_gradients(double *gradients, LutraModel *model, uint32_t bits,
                                uint64_t step) {
    LutraError error = {""};
    LutraExecution *execution = NULL;
    size_t count = 0;
    const LutraExecutionSettings settings = {.most_images = IMAGES, .threads = 1,
                                             .cpu_flags = lutra_cpu_detect(),
                                             .mode = LUTRA_RUN_TRAINING, .gradient_bits = bits};
    check_status(lutra_execution_create(&execution, model, &settings, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i < IMAGES * 72; i++) {
        lutra_execution_input(execution)[i] = (uint8_t)lutra_random_below(check_key(50), i, 256);
    }
    lutra_execution_set_draws(execution, 21, step);
    check_status(lutra_execution_forward(execution, IMAGES, LUTRA_RUN_TRAINING, &error), LUTRA_OK,
                 &error);
    for (uint32_t i = 0; i < 3 * IMAGES; i++) {
        lutra_execution_logit_gradient(execution)[i] =
            (float)(lutra_random_uniform(check_key(51), i) - 0.5);
    }
    lutra_execution_backward(execution);
    for (uint32_t l = 0; l < LAYERS; l++) {
        const size_t weights = lutra_layer_weight_count(&model->network.layers[l]);
        for (size_t i = 0; i < weights; i++) {
            gradients[count++] =
                (double)lutra_execution_gradients(execution)[l].weights[i];
        }
    }
    lutra_execution_destroy(&execution);
    return count;
}

/* A whole way back, through norms, activations and two roundings a layer, is linear in each of
 * them: its mean over n = 1,500 steps is that of single precision. 489 means by z (7e-6 each,
 * 3.4e-3 in all); 1e-6 is room for sums in another order. */
static void test_network(void **state) {
    (void)state;
    enum { COUNT = 1500 };
    static double exact[MOST_WEIGHTS];
    static double rounded[MOST_WEIGHTS];
    static double sums[MOST_WEIGHTS];
    static double squares[MOST_WEIGHTS];
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    uint64_t differ = 0;
    LutraSmallKernels kernels;
    lutra_small_kernels_init(&kernels, lutra_cpu_detect());
    if (!kernels.fast) {
        print_message("skipped: no AVX-512 VNNI here, executions do not round to eight bits\n");
        skip();
    }
    check_status(lutra_network_parse(&network, text, "small.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, 7, &error), LUTRA_OK, &error);
    lutra_network_deinit(&network);
    const size_t count = network_gradients(exact, &model, 32, 0);
    assert_true(count == 90 + 315 + 84 && count <= MOST_WEIGHTS);
    for (uint64_t k = 0; k < COUNT; k++) {
        (void)network_gradients(rounded, &model, 8, k);
        for (size_t i = 0; i < count; i++) {
            const double off = rounded[i] - exact[i];
            sums[i] += off;
            squares[i] += off * off;
            differ += fabs(off) > 1e-6;
        }
    }
    assert_true(differ > count * COUNT / 2);
    for (size_t i = 0; i < count; i++) {
        check_close(sums[i] / COUNT, 0.0, (LIMIT * sqrt(squares[i] / COUNT / COUNT)) + 1e-6);
    }
    lutra_model_deinit(&model);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares),
                                       cmocka_unit_test(test_independence),
                                       cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_network)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
