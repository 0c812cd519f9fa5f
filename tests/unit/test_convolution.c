/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast convolutions against the reference on odd sizes, and on different numbers of threads.
 * Forward sums are exact. A gradient is a sum of `terms` products added in another order, so it may
 * differ by terms * 2^-24 * sum |products|; with |g| <= 1 and |x| <= 8 that is terms^2 * 2^-21.
 * The gradients on bfloat16 stay as close to the reference on rounded gradients; those in eight
 * bits give its bits, given the draws.
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "tests/support/check.h"
#include "train/byte_products.h"
#include "train/convolution.h"
#include "train/gemm.h"
#include "train/half_convolution.h"
#include "train/small_convolution.h"
#include "train/ternary_products.h"

/* One layer with input, weights and gradients. */
typedef struct {
    LutraConvShape shape;
    LutraTrainKernels kernels;
    LutraConvInput input;
    uint8_t *bytes;
    float *sums;
    float *weights;
    float *out_gradient;
    size_t in_count;
    size_t out_count;
    size_t weight_count;
    double largest; /* magnitude of codes and weights */
} Layer;

static float *floats(size_t count) {
    float *values = NULL;
    LutraError error = {""};
    check_status(lutra_alloc(&values, count, sizeof *values, &error), LUTRA_OK, &error);
    return values;
}

static void layer_init(Layer *layer, LutraConvShape shape, bool from_bytes) {
    LutraError error = {""};
    shape.out_height =
        ((shape.in_height + (2 * shape.padding) - shape.kernel_height) / shape.stride) + 1;
    shape.out_width =
        ((shape.in_width + (2 * shape.padding) - shape.kernel_width) / shape.stride) + 1;
    *layer = (Layer){.shape = shape, .largest = 8.0};
    layer->in_count =
        (size_t)shape.in_channels * shape.images * shape.in_height * shape.in_width;
    layer->out_count = (size_t)shape.out_channels * shape.images * lutra_conv_positions(&shape);
    layer->weight_count = shape.out_channels * lutra_conv_fan_in(&shape);
    check_status(lutra_alloc(&layer->bytes, layer->in_count, 1, &error), LUTRA_OK, &error);
    layer->sums = floats(layer->in_count);
    layer->weights = floats(layer->weight_count);
    layer->out_gradient = floats(layer->out_count);
    for (size_t i = 0; i < layer->in_count; i++) {
        layer->bytes[i] = (uint8_t)lutra_random_below(check_key(1), i, 9);
        layer->sums[i] = (float)layer->bytes[i] - 3.0f;
    }
    for (size_t i = 0; i < layer->weight_count; i++) {
        layer->weights[i] = (float)lutra_random_below(check_key(2), i, 3) - 1.0f;
    }
    for (size_t i = 0; i < layer->out_count; i++) {
        layer->out_gradient[i] = (float)((2.0 * lutra_random_uniform(check_key(3), i)) - 1.0);
    }
    layer->input = from_bytes ? (LutraConvInput){layer->bytes, NULL, -3}
                              : (LutraConvInput){NULL, layer->sums, 0};
    lutra_train_kernels_init(&layer->kernels, lutra_cpu_detect());
    lutra_gemm_prepare();
}

static void layer_deinit(Layer *layer) {
    lutra_free(&layer->bytes);
    lutra_free(&layer->sums);
    lutra_free(&layer->weights);
    lutra_free(&layer->out_gradient);
}

/* Scratch as another layer leaves it. */
static float *used_floats(size_t count) {
    float *values = floats(count);
    memset(values, 0xA5, count * sizeof *values);
    return values;
}

/* The three results, one after the other. */
static float *run_fast(const Layer *layer, uint32_t threads) {
    float *results = floats(layer->out_count + layer->weight_count + layer->in_count);
    float *scratch = used_floats(lutra_conv_scratch_floats(&layer->shape, threads));
    const LutraConvWorkspace workspace = {&layer->kernels, threads, scratch};
    lutra_conv_forward(results, &layer->shape, layer->input, layer->weights, &workspace);
    lutra_conv_weight_gradient(results + layer->out_count, &layer->shape, layer->input,
                               layer->out_gradient, 0.25f, &workspace);
    lutra_conv_input_gradient(results + layer->out_count + layer->weight_count, &layer->shape,
                              layer->weights, layer->out_gradient, 0.5f, &workspace);
    lutra_free(&scratch);
    return results;
}

/* The byte path gives the forward sums once more, also for fewer images than it was packed for. */
static void check_bytes(const Layer *layer, const float *expected, uint32_t cpu_flags) {
    LutraError error = {""};
    LutraTrainKernels kernels;
    LutraByteWeights packed;
    LutraConvShape shape = layer->shape;
    lutra_train_kernels_init(&kernels, cpu_flags);
    shape.images += 9;
    check_status(lutra_byte_weights_init(&packed, &shape, &error), LUTRA_OK, &error);
    lutra_byte_weights_pack(&packed, &shape, layer->weights, layer->input.code_min, 2);
    for (uint32_t threads = 1; threads <= 2; threads++) {
        float *sums = floats(layer->out_count);
        float *scratch = used_floats(lutra_byte_scratch_floats(&layer->shape, threads));
        const LutraConvWorkspace workspace = {&kernels, threads, scratch};
        lutra_byte_forward(sums, &layer->shape, layer->input, &packed, &workspace);
        assert_memory_equal(sums, expected, layer->out_count * sizeof *sums);
        lutra_free(&sums);
        lutra_free(&scratch);
    }
    lutra_byte_weights_deinit(&packed);
}

static float *run_ref(const Layer *layer) {
    float *results = floats(layer->out_count + layer->weight_count + layer->in_count);
    lutra_conv_forward_ref(results, &layer->shape, layer->input, layer->weights);
    lutra_conv_weight_gradient_ref(results + layer->out_count, &layer->shape, layer->input,
                                   layer->out_gradient, 0.25f);
    lutra_conv_input_gradient_ref(results + layer->out_count + layer->weight_count, &layer->shape,
                                  layer->weights, layer->out_gradient, 0.5f);
    return results;
}

static double tolerance_of(const Layer *layer, bool of_weights) {
    const double terms = of_weights ? (double)layer->shape.images *
                                          (double)lutra_conv_positions(&layer->shape)
                                    : (double)layer->shape.out_channels *
                                          (double)lutra_conv_fan_in(&layer->shape);
    return terms * terms * layer->largest * 0x1p-24;
}

/* Weight gradient, input gradient, and for sums the forward products. */
static float *run_halves(const Layer *layer, uint32_t cpu_flags, uint32_t threads) {
    float *results = floats(layer->weight_count + layer->in_count + layer->out_count);
    float *scratch = used_floats(lutra_half_scratch_floats(&layer->shape, threads));
    const LutraConvWorkspace workspace = {&layer->kernels, threads, scratch};
    LutraHalfKernels halves;
    lutra_half_kernels_init(&halves, cpu_flags);
    lutra_half_weight_gradient(results, &layer->shape, layer->input, layer->out_gradient, 0.25f,
                               &halves, &workspace);
    lutra_half_input_gradient(results + layer->weight_count, &layer->shape, layer->weights,
                              layer->out_gradient, 0.5f, &halves, &workspace);
    if (layer->input.bytes == NULL) {
        lutra_half_forward(results + layer->weight_count + layer->in_count, &layer->shape,
                           layer->sums, layer->weights, &halves, &workspace);
    }
    lutra_free(&scratch);
    return results;
}

static void check_halves(const Layer *layer, uint32_t cpu_flags) {
    const size_t gradients = layer->weight_count + layer->in_count;
    float *expected = floats(gradients + layer->out_count);
    float *rounded = floats(layer->out_count);
    float *weights = floats(layer->weight_count);
    float *sums = floats(layer->in_count);
    LutraConvInput input = layer->input;
    float *once = run_halves(layer, cpu_flags, 1);
    float *threaded = run_halves(layer, cpu_flags, 3);
    for (size_t i = 0; i < layer->out_count; i++) {
        rounded[i] = lutra_half_round(layer->out_gradient[i]);
    }
    for (size_t i = 0; i < layer->weight_count; i++) {
        weights[i] = lutra_half_round(layer->weights[i]);
    }
    for (size_t i = 0; i < layer->in_count; i++) {
        sums[i] = lutra_half_round(layer->sums[i]);
    }
    input.sums = input.bytes == NULL ? sums : NULL;
    lutra_conv_weight_gradient_ref(expected, &layer->shape, input, rounded, 0.25f);
    lutra_conv_input_gradient_ref(expected + layer->weight_count, &layer->shape, weights, rounded,
                                  0.5f);
    for (size_t i = 0; i < layer->weight_count + layer->in_count; i++) {
        check_close((double)once[i], (double)expected[i],
                    tolerance_of(layer, i < layer->weight_count));
    }
    if (input.bytes == NULL) {
        lutra_conv_forward_ref(expected + gradients, &layer->shape, input, weights);
        const double terms = (double)lutra_conv_fan_in(&layer->shape);
        for (size_t i = gradients; i < gradients + layer->out_count; i++) {
            check_close((double)once[i], (double)expected[i], terms * terms * 8.0 * 0x1p-23);
        }
    }
    assert_memory_equal(once, threaded, (gradients + layer->out_count) * sizeof *once);
    lutra_free(&expected);
    lutra_free(&rounded);
    lutra_free(&weights);
    lutra_free(&sums);
    lutra_free(&once);
    lutra_free(&threaded);
}

/* Weight gradient, then input gradient. */
static float *run_small(const Layer *layer, uint32_t cpu_flags, uint32_t threads) {
    const LutraGradientDraws draws[2] = {{123456789u, 987654321u}, {0xFFFFFFF0u, 5u}};
    float *results = floats(layer->weight_count + layer->in_count);
    float *const of_input = results + layer->weight_count;
    if (threads == 0) {
        lutra_small_weight_gradient_ref(results, &layer->shape, layer->input, layer->out_gradient,
                                        0.25f, draws[0]);
        lutra_small_input_gradient_ref(of_input, &layer->shape, layer->weights,
                                       layer->out_gradient, 0.5f, draws[1]);
        return results;
    }
    float *scratch = used_floats(lutra_small_scratch_floats(&layer->shape, threads));
    const LutraConvWorkspace workspace = {&layer->kernels, threads, scratch};
    LutraSmallKernels small;
    lutra_small_kernels_init(&small, cpu_flags);
    lutra_small_weight_gradient(results, &layer->shape, layer->input, layer->out_gradient, 0.25f,
                                draws[0], &small, &workspace);
    lutra_small_input_gradient(of_input, &layer->shape, layer->weights, layer->out_gradient, 0.5f,
                               draws[1], &small, &workspace);
    lutra_free(&scratch);
    return results;
}

static void check_small(const Layer *layer, uint32_t cpu_flags) {
    const size_t count = layer->weight_count + layer->in_count;
    float *expected = run_small(layer, 0, 0);
    float *once = run_small(layer, cpu_flags, 1);
    float *threaded = run_small(layer, cpu_flags, 3);
    assert_true(lutra_small_sums_fit(&layer->shape, 3));
    for (size_t i = 0; i < count; i++) {
        assert_true(once[i] == expected[i]); /* zeros may differ in sign */
    }
    assert_memory_equal(once, threaded, count * sizeof *once);
    lutra_free(&expected);
    lutra_free(&once);
    lutra_free(&threaded);
}

static void check_layer(LutraConvShape shape, bool from_bytes) {
    Layer layer;
    layer_init(&layer, shape, from_bytes);
    float *expected = run_ref(&layer);
    float *once = run_fast(&layer, 1);
    float *threaded = run_fast(&layer, 3);
    const size_t total = layer.out_count + layer.weight_count + layer.in_count;
    for (size_t i = 0; i < total; i++) {
        const double tolerance =
            i < layer.out_count ? 0.0
                                : tolerance_of(&layer, i < layer.out_count + layer.weight_count);
        check_close((double)once[i], (double)expected[i], tolerance);
    }
    assert_memory_equal(once, threaded, total * sizeof(float));
    if (from_bytes) {
        check_bytes(&layer, expected, 0);
        check_bytes(&layer, expected, lutra_cpu_detect() & LUTRA_CPU_AVX2);
        check_bytes(&layer, expected, lutra_cpu_detect());
    }
    if (!from_bytes) { /* a layer that is not quantized */
        for (size_t i = 0; i < layer.in_count; i++) {
            layer.sums[i] += 0.7f * layer.out_gradient[i % layer.out_count];
        }
        for (size_t i = 0; i < layer.weight_count; i++) {
            layer.weights[i] *= 0.37f;
        }
    }
    check_halves(&layer, 0);
    check_halves(&layer, lutra_cpu_detect());
    if (from_bytes) {
        if (layer.out_count < 100000) {
            check_small(&layer, 0);
        }
        check_small(&layer, lutra_cpu_detect());
    }
    lutra_free(&expected);
    lutra_free(&once);
    lutra_free(&threaded);
    layer_deinit(&layer);
}

static void test_sizes(void **state) {
    (void)state;
    const LutraConvShape shapes[] = {
        {.images = 1, .in_channels = 1, .in_height = 1, .in_width = 1, .out_channels = 1,
         .kernel_height = 1, .kernel_width = 1, .stride = 1},
        {.images = 7, .in_channels = 3, .in_height = 9, .in_width = 8, .out_channels = 5,
         .kernel_height = 3, .kernel_width = 3, .stride = 1},
        {.images = 5, .in_channels = 2, .in_height = 7, .in_width = 7, .out_channels = 9,
         .kernel_height = 3, .kernel_width = 3, .stride = 2, .padding = 1},
        {.images = 9, .in_channels = 4, .in_height = 5, .in_width = 6, .out_channels = 3,
         .kernel_height = 5, .kernel_width = 6, .stride = 1}, /* linear */
        {.images = 33, .in_channels = 17, .in_height = 1, .in_width = 1, .out_channels = 13,
         .kernel_height = 1, .kernel_width = 1, .stride = 1}, /* linear over points */
        {.images = 3, .in_channels = 2, .in_height = 31, .in_width = 29, .out_channels = 2,
         .kernel_height = 4, .kernel_width = 4, .stride = 3, .padding = 2},
        {.images = 40, .in_channels = 2, .in_height = 8, .in_width = 8, .out_channels = 4,
         .kernel_height = 3, .kernel_width = 3, .stride = 1, .padding = 1},
        {.images = 95, .in_channels = 3, .in_height = 13, .in_width = 12, .out_channels = 67,
         .kernel_height = 3, .kernel_width = 3, .stride = 1}, /* chunks, two blocks of lanes */
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_layer(shapes[i], true);
        check_layer(shapes[i], false);
    }
}

/* Largest sums that sixteen bits hold: 128 bytes of 255 with weights of one sign, and one more. */
static void test_extremes(void **state) {
    (void)state;
    LutraConvShape shape = {.images = 9, .in_channels = 128, .in_height = 1, .in_width = 1,
                            .out_channels = 3, .kernel_height = 1, .kernel_width = 1, .stride = 1};
    Layer layer;
    layer_init(&layer, shape, true);
    layer.input.code_min = -128;
    for (size_t i = 0; i < layer.in_count; i++) {
        layer.bytes[i] = 255;
    }
    for (size_t i = 0; i < layer.weight_count; i++) {
        layer.weights[i] = i < 128 ? 1.0f : i < 256 ? -1.0f : (i % 2 == 0 ? 1.0f : -1.0f);
    }
    layer.kernels.byte_limit = 32767;
    assert_true(lutra_byte_sums_fit(&layer.kernels, 255, 128.0));
    assert_false(lutra_byte_sums_fit(&layer.kernels, 255, 129.0));
    float *expected = run_ref(&layer);
    assert_true(expected[0] == 127.0f * 128.0f && expected[9] == -127.0f * 128.0f);
    check_bytes(&layer, expected, 0);
    check_bytes(&layer, expected, lutra_cpu_detect() & LUTRA_CPU_AVX2);
    check_bytes(&layer, expected, lutra_cpu_detect());
    lutra_free(&expected);
    layer_deinit(&layer);
}

/* Codes of eight bits with weights of eight bits, far beyond sixteen bits. */
static void test_wide_sums(void **state) {
    (void)state;
    LutraConvShape shape = {.images = 3, .in_channels = 37, .in_height = 11, .in_width = 9,
                            .out_channels = 6, .kernel_height = 4, .kernel_width = 4, .stride = 2,
                            .padding = 1};
    Layer layer;
    layer_init(&layer, shape, true);
    layer.input.code_min = -128;
    layer.largest = 128.0;
    for (size_t i = 0; i < layer.in_count; i++) {
        layer.bytes[i] = (uint8_t)(i % 5 == 0 ? 255 : i * 37);
    }
    for (size_t i = 0; i < layer.weight_count; i++) {
        layer.weights[i] = (float)((int)(i % 250) - 125);
    }
    float *expected = run_ref(&layer);
    lutra_train_kernels_init(&layer.kernels, lutra_cpu_detect());
    check_bytes(&layer, expected, 0);
    if (layer.kernels.byte_limit > INT16_MAX) {
        check_bytes(&layer, expected, lutra_cpu_detect());
    }
    check_halves(&layer, lutra_cpu_detect());
    check_small(&layer, lutra_cpu_detect());
    lutra_free(&expected);
    layer_deinit(&layer);
}

static void check_ternary(const Layer *layer, const float *expected, uint32_t cpu_flags,
                          uint32_t threads) {
    LutraError error = {""};
    LutraTernaryKernels kernels;
    LutraTernaryWeights packed;
    float *sums = floats(layer->out_count);
    float *scratch = used_floats(lutra_ternary_scratch_floats(&layer->shape, threads));
    const LutraConvWorkspace workspace = {&layer->kernels, threads, scratch};
    lutra_ternary_kernels_init(&kernels, cpu_flags);
    check_status(lutra_ternary_weights_init(&packed, &layer->shape, &error), LUTRA_OK, &error);
    lutra_ternary_weights_pack(&packed, &layer->shape, layer->weights, threads);
    lutra_ternary_forward(sums, &layer->shape, layer->input, &packed, &kernels, &workspace);
    assert_memory_equal(sums, expected, layer->out_count * sizeof *sums);
    lutra_ternary_weights_deinit(&packed);
    lutra_free(&sums);
    lutra_free(&scratch);
}

/* Counting bits gives the sums of ternary codes and weights. */
static void test_ternary(void **state) {
    (void)state;
    const LutraConvShape shapes[] = {
        {.images = 1, .in_channels = 1, .in_height = 1, .in_width = 1, .out_channels = 1,
         .kernel_height = 1, .kernel_width = 1, .stride = 1},
        {.images = 5, .in_channels = 64, .in_height = 9, .in_width = 8, .out_channels = 6,
         .kernel_height = 3, .kernel_width = 3, .stride = 1},
        {.images = 4, .in_channels = 65, .in_height = 6, .in_width = 11, .out_channels = 9,
         .kernel_height = 3, .kernel_width = 2, .stride = 1, .padding = 1},
        {.images = 3, .in_channels = 40, .in_height = 5, .in_width = 5, .out_channels = 4,
         .kernel_height = 5, .kernel_width = 5, .stride = 1, .padding = 2},
        {.images = 2, .in_channels = 130, .in_height = 14, .in_width = 13, .out_channels = 3,
         .kernel_height = 3, .kernel_width = 3, .stride = 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        Layer layer;
        layer_init(&layer, shapes[i], true);
        layer.input.code_min = -1;
        for (size_t k = 0; k < layer.in_count; k++) {
            layer.bytes[k] %= 3;
        }
        float *expected = floats(layer.out_count);
        lutra_conv_forward_ref(expected, &layer.shape, layer.input, layer.weights);
        check_ternary(&layer, expected, 0, 1);
        check_ternary(&layer, expected, lutra_cpu_detect(), 1);
        check_ternary(&layer, expected, lutra_cpu_detect(), 3);
        lutra_free(&expected);
        layer_deinit(&layer);
    }
}

/* Only codes and weights -1 .. 1 are counted. */
static void test_what_is_ternary(void **state) {
    (void)state;
    const LutraConvShape shape = {.images = 1, .in_channels = 64, .out_height = 4, .out_width = 4,
                                  .stride = 1};
    LutraLayer source = {.kind = LUTRA_LAYER_ACTIVATION};
    LutraLayer conv = {.kind = LUTRA_LAYER_CONV};
    source.u.activation.code_min = -1;
    source.u.activation.code_max = 1;
    conv.u.weighted.quantizer.code_min = -1;
    conv.u.weighted.quantizer.code_max = 1;
    assert_true(lutra_ternary_fits(&shape, &source, &conv));
    conv.u.weighted.quantizer.code_max = 2;
    assert_false(lutra_ternary_fits(&shape, &source, &conv));
    conv.u.weighted.quantizer.code_max = 1;
    source.u.activation.code_min = 0;
    assert_false(lutra_ternary_fits(&shape, &source, &conv));
    source.u.activation.code_min = -1;
    source.coding.is_float = true;
    assert_false(lutra_ternary_fits(&shape, &source, &conv));
    source.coding.is_float = false;
    source.kind = LUTRA_LAYER_AVERAGE_POOL;
    assert_false(lutra_ternary_fits(&shape, &source, &conv));
    source.kind = LUTRA_LAYER_MAX_POOL;
    source.u.pool.codes.code_min = -1;
    source.u.pool.codes.code_max = 1;
    assert_true(lutra_ternary_fits(&shape, &source, &conv));
    LutraConvShape strided = shape;
    strided.stride = 2;
    assert_false(lutra_ternary_fits(&strided, &source, &conv));
}

/* In eight bits a NaN or an infinity shows in its channel and its image, and nowhere else. */
static void test_not_finite(void **state) {
    (void)state;
    const LutraConvShape shape = {.images = 6, .in_channels = 2, .in_height = 5, .in_width = 5,
                                  .out_channels = 3, .kernel_height = 3, .kernel_width = 3,
                                  .stride = 1};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 6; i++) {
        Layer layer;
        layer_init(&layer, shape, true);
        layer.out_gradient[(1 * 54) + (4 * 9) + 2] = bad[i / 2]; /* channel 1, image 4 */
        float *results = run_small(&layer, i % 2 == 0 ? 0 : lutra_cpu_detect(), 2);
        for (size_t k = 0; k < layer.weight_count; k++) {
            assert_int_equal(isnan(results[k]) != 0, k / 18 == 1);
        }
        for (size_t k = 0; k < layer.in_count; k++) {
            assert_int_equal(isnan(results[layer.weight_count + k]) != 0, (k / 25) % 6 == 4);
        }
        lutra_free(&results);
        layer_deinit(&layer);
    }
}

/* A batch with more products in a sum than 32 bits can hold is refused. */
static void test_sums_fit(void **state) {
    (void)state;
    LutraConvShape shape = {.images = 65536, .in_channels = 1, .in_height = 1, .in_width = 1,
                            .out_channels = 1, .out_height = 1, .out_width = 1, .kernel_height = 1,
                            .kernel_width = 1, .stride = 1};
    assert_true(lutra_small_sums_fit(&shape, 1));
    shape.out_channels = 65537;
    assert_false(lutra_small_sums_fit(&shape, 1));
    shape.out_channels = 1;
    shape.images = 13; /* four chunks of four images */
    shape.in_height = shape.in_width = shape.out_height = shape.out_width = 128;
    assert_true(lutra_small_sums_fit(&shape, 1));
    shape.in_height = shape.out_height = 129;
    assert_false(lutra_small_sums_fit(&shape, 1));
    shape.in_height = shape.out_height = 128;
    shape.images = 4000;
    assert_true(lutra_small_sums_fit(&shape, 1));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_extremes),
                                       cmocka_unit_test(test_wide_sums),
                                       cmocka_unit_test(test_ternary),
                                       cmocka_unit_test(test_what_is_ternary),
                                       cmocka_unit_test(test_not_finite),
                                       cmocka_unit_test(test_sums_fit)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("convolution", tests, NULL, NULL);
}
