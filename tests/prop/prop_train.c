/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laws of training over random layers: the two gradients of a convolution are adjoint to it, a
 * quantizer's gradient window is where its code is in range, and the circuit that a trained model
 * is lowered to gives the very logits of its evaluation.
 */
#include <math.h>
#include <stdio.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "quant/lower.h"
#include "tests/support/check.h"
#include "tests/support/run_circuit.h"
#include "train/convolution.h"
#include "train/evaluate.h"
#include "train/gemm.h"
#include "train/training.h"

static uint32_t pick(uint32_t number, uint64_t *counter, uint32_t low, uint32_t high) {
    return low + (uint32_t)lutra_random_below(check_key(number), (*counter)++, high - low + 1);
}

static float *floats(size_t count) {
    float *values = NULL;
    LutraError error = {""};
    check_status(lutra_alloc(&values, count, sizeof *values, &error), LUTRA_OK, &error);
    return values;
}

static float *whole_numbers(size_t count, uint32_t number, uint64_t *counter, uint32_t span) {
    float *values = floats(count);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)pick(number, counter, 0, 2 * span) - (float)span;
    }
    return values;
}

static double dot(const float *a, const float *b, size_t count) {
    double total = 0.0;
    for (size_t i = 0; i < count; i++) {
        total += (double)a[i] * (double)b[i];
    }
    return total;
}

static LutraConvShape random_shape(uint32_t number, uint64_t *counter) {
    LutraConvShape shape = {0};
    shape.images = pick(number, counter, 1, 12);
    shape.in_channels = pick(number, counter, 1, 9);
    shape.out_channels = pick(number, counter, 1, 17);
    shape.kernel_height = pick(number, counter, 1, 4);
    shape.kernel_width = pick(number, counter, 1, 4);
    shape.stride = pick(number, counter, 1, 3);
    shape.padding = pick(number, counter, 0, 1);
    shape.in_height = shape.kernel_height + pick(number, counter, 0, 9);
    shape.in_width = shape.kernel_width + pick(number, counter, 0, 9);
    shape.out_height =
        ((shape.in_height + (2 * shape.padding) - shape.kernel_height) / shape.stride) + 1;
    shape.out_width =
        ((shape.in_width + (2 * shape.padding) - shape.kernel_width) / shape.stride) + 1;
    return shape;
}

/* With whole numbers everywhere all sums are exact: <conv(x, w), g> = <w, dW> = <x, dX>. */
static void check_adjoint(uint32_t number) {
    uint64_t counter = 0;
    const LutraConvShape shape = random_shape(number, &counter);
    const size_t in_count =
        (size_t)shape.in_channels * shape.images * shape.in_height * shape.in_width;
    const size_t weight_count = shape.out_channels * lutra_conv_fan_in(&shape);
    const size_t out_count =
        (size_t)shape.out_channels * shape.images * lutra_conv_positions(&shape);
    const uint32_t threads = pick(number, &counter, 1, 3);
    LutraTrainKernels kernels;
    lutra_train_kernels_init(&kernels, lutra_cpu_detect());
    float *x = whole_numbers(in_count, number, &counter, 7);
    float *w = whole_numbers(weight_count, number, &counter, 1);
    float *g = whole_numbers(out_count, number, &counter, 3);
    float *y = floats(out_count);
    float *dw = floats(weight_count);
    float *dx = floats(in_count);
    float *scratch = floats(lutra_conv_scratch_floats(&shape, threads));
    const LutraConvWorkspace workspace = {&kernels, threads, scratch};
    const LutraConvInput input = {NULL, x, 0};
    lutra_conv_forward(y, &shape, input, w, &workspace);
    lutra_conv_weight_gradient(dw, &shape, input, g, 1.0f, &workspace);
    lutra_conv_input_gradient(dx, &shape, w, g, 1.0f, &workspace);
    const double forward = dot(y, g, out_count);
    if (dot(w, dw, weight_count) != forward || dot(x, dx, in_count) != forward) {
        fail_msg("case %u: <y,g> %.17g, <w,dw> %.17g, <x,dx> %.17g", number, forward,
                 dot(w, dw, weight_count), dot(x, dx, in_count));
    }
    lutra_free(&x);
    lutra_free(&w);
    lutra_free(&g);
    lutra_free(&y);
    lutra_free(&dw);
    lutra_free(&dx);
    lutra_free(&scratch);
}

static void test_adjoint(void **state) {
    (void)state;
    lutra_gemm_prepare();
    for (uint32_t number = 0; number < 60; number++) {
        check_adjoint(number);
    }
}

static const char *const networks[] = {
    "[network]\nname = a\nclasses = 4\n"
    "[input]\ntype = input\nshape = 2x9x9\nrange = -1..1\ncodes = -128..127\nstep = 1/128\n"
    "[c1]\ntype = conv\nchannels = 6\nkernel = 3\npadding = 1\nweight_codes = -1..1\n"
    "weight_scale = fixed\n"
    "[n1]\ntype = batch_norm\n"
    "[a1]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[p1]\ntype = average_pool\nkernel = 2\n"
    "[q1]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[f1]\ntype = linear\nfeatures = 12\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[n2]\ntype = batch_norm\n"
    "[a2]\ntype = activation\ncodes = -3..3\nstep = 1/3\n"
    "[f2]\ntype = linear\nfeatures = 4\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[logits]\ntype = tensor_norm\n",
    "[network]\nname = b\nclasses = 4\n"
    "[input]\ntype = input\nshape = 2x9x9\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[c1]\ntype = conv\nchannels = 5\nkernel = 4\nstride = 2\nweight_codes = -31..31\n"
    "weight_scale = max\n"
    "[n1]\ntype = batch_norm\n"
    "[a1]\ntype = activation\ncodes = 0..7\nstep = 0.25\n"
    "[c2]\ntype = conv\nchannels = 7\nkernel = 2\nbias = yes\nweight_codes = -3..3\n"
    "weight_scale = max\n"
    "[a2]\ntype = activation\ncodes = -7..7\nstep = 0.3\n"
    "[f1]\ntype = linear\nfeatures = 4\nbias = yes\nweight_codes = -7..7\nweight_scale = max\n",
    /* maximum pools, pooling before the activation, seven and eight levels, wide weights */
    "[network]\nname = c\nclasses = 4\n"
    "[input]\ntype = input\nshape = 2x9x9\nrange = -1..1\ncodes = -128..127\nstep = 1/128\n"
    "[c1]\ntype = conv\nchannels = 6\nkernel = 3\npadding = 1\nweight_codes = -7..7\n"
    "weight_scale = max\n"
    "[n1]\ntype = batch_norm\n"
    "[a1]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[m1]\ntype = max_pool\nkernel = 3\nstride = 2\n"
    "[c2]\ntype = conv\nchannels = 9\nkernel = 2\npadding = 1\nweight_codes = -1..1\n"
    "weight_scale = fixed\n"
    "[p2]\ntype = average_pool\nkernel = 2\n"
    "[n2]\ntype = batch_norm\n"
    "[a2]\ntype = activation\ncodes = -3..3\nstep = 1/3\n"
    "[c3]\ntype = conv\nchannels = 5\nkernel = 1\nweight_codes = -127..127\nweight_scale = max\n"
    "[n3]\ntype = batch_norm\n"
    "[a3]\ntype = activation\ncodes = 0..255\nstep = 1/40\n"
    "[f1]\ntype = linear\nfeatures = 8\nweight_codes = -3..3\nweight_scale = max\n"
    "[n4]\ntype = batch_norm\n"
    "[a4]\ntype = activation\ncodes = 0..1\nstep = 0.5\n"
    "[m4]\ntype = max_pool\nkernel = 1\n"
    "[f2]\ntype = linear\nfeatures = 4\nweight_codes = -2..3\nweight_scale = max\n"
    "[logits]\ntype = tensor_norm\n",
};

enum { IMAGES = 40, IMAGE_BYTES = 2 * 9 * 9 };

static void check_circuit(const char *text, uint32_t number) {
    LutraError error = {""};
    LutraNetwork network;
    LutraModel model;
    LutraRecipe recipe;
    LutraTraining training;
    LutraCircuit circuit;
    LutraLowerSettings lower;
    LutraEvaluation evaluation;
    uint8_t images[IMAGES * IMAGE_BYTES];
    uint16_t labels[IMAGES];
    float logits[IMAGES * 4];
    char name[] = "random";
    LutraDataset data = {.name = name, .channels = 2, .height = 9, .width = 9, .class_count = 4};
    data.splits[LUTRA_SPLIT_TRAIN] = (LutraSplit){IMAGES, images, labels};
    for (size_t i = 0; i < sizeof images; i++) {
        images[i] = (uint8_t)lutra_random_below(check_key(number), i, 256);
    }
    for (size_t n = 0; n < IMAGES; n++) {
        labels[n] = (uint16_t)(n % 4);
    }
    check_status(lutra_network_parse(&network, text, "random.ini", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(&model, &network, number, &error), LUTRA_OK, &error);
    lutra_recipe_default(&recipe);
    recipe.epochs = 4;
    recipe.batch = 9;
    check_status(lutra_training_init(&training, &model, &recipe, number, &data, &error), LUTRA_OK,
                 &error);
    const LutraTrainingSettings settings = {1, lutra_cpu_detect(), NULL, false, 0.0, NULL};
    check_status(lutra_training_run(&training, &model, &data, &settings, NULL, &error), LUTRA_OK,
                 &error);
    const LutraEvaluateSettings how = {16, 2, lutra_cpu_detect(), LUTRA_LOSS_CROSS_ENTROPY};
    check_status(lutra_evaluate(&evaluation, logits, &model, &data, LUTRA_SPLIT_TRAIN, &how, NULL,
                                &error),
                 LUTRA_OK, &error);
    lutra_lower_default(&lower);
    check_status(lutra_lower(&circuit, &model, NULL, &lower, &error), LUTRA_OK, &error);
    for (size_t n = 0; n < IMAGES; n++) {
        float expected[4];
        int32_t **values = run_circuit(&circuit, images + (n * IMAGE_BYTES), expected);
        run_circuit_free(values, &circuit);
        for (size_t c = 0; c < 4; c++) {
            if (logits[(n * 4) + c] != expected[c]) {
                fail_msg("%s image %zu class %zu: %.9g, the circuit gives %.9g", model.network.name,
                         n, c, (double)logits[(n * 4) + c], (double)expected[c]);
            }
        }
    }
    lutra_circuit_deinit(&circuit);
    lutra_training_deinit(&training);
    lutra_model_deinit(&model);
}

static void test_circuit_gives_the_logits(void **state) {
    (void)state;
    for (uint32_t number = 1; number <= 3; number++) {
        check_circuit(networks[0], number);
        check_circuit(networks[1], number);
        check_circuit(networks[2], number);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_circuit_gives_the_logits),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("train laws", tests, NULL, NULL);
}
