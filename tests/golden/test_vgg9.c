/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training steps against states that PyTorch computed (make_vgg9_golden.py): codes of every
 * quantizer, logits, loss, gradients, running statistics and ten Adam steps.
 *
 * Codes must agree exactly: the stored batches keep every value at least 2e-6 steps away from a
 * threshold, and exact ties fall on the even side in both programs. The stored gradients come from
 * a double precision run; ours may differ by what single precision costs. The unit of that cost is
 * eps = 2^-24 times the root mean square of an array; errors of some hundred sums in a row make
 * a few hundred eps. A wrong term is off by 1 / batch or more, a thousand times that.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/hdf5_file.h"
#include "base/memory.h"
#include "tests/support/check.h"
#include "train/execution.h"
#include "train/loss.h"
#include "train/optimizer.h"

enum { SLICE = 37, LONG_ARRAY = 4096, STEPS = 10, MEASURED = 2 };

#define GRADIENT_TOLERANCE (512.0 * 0x1p-24)
/* rounding to 2^-9 at each layer; sums over a channel, which a norm makes nearly cancel, feel it
 * most */
#define HALF_GRADIENT_TOLERANCE (64.0 * 0x1p-9)

static const char mixed_text[] =
    "[network]\nname = mixed\nclasses = 5\n"
    "[input]\ntype = input\nshape = 2x12x12\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[conv1]\ntype = conv\nchannels = 8\nkernel = 4\nstride = 2\nweight_codes = -31..31\n"
    "weight_scale = max\n"
    "[norm1]\ntype = batch_norm\n"
    "[act1]\ntype = activation\ncodes = -3..3\nstep = 1/3\n"
    "[conv2]\ntype = conv\nchannels = 12\nkernel = 3\npadding = 1\nweight_codes = -1..1\n"
    "weight_scale = fixed\n"
    "[pool2]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[norm2]\ntype = batch_norm\n"
    "[act2]\ntype = activation\ncodes = 0..7\nstep = 0.25\n"
    "[conv3]\ntype = conv\nchannels = 9\nkernel = 3\nbias = yes\nweight_codes = -3..3\n"
    "weight_scale = max\n"
    "[act3]\ntype = activation\ncodes = -7..7\nstep = 0.5\n"
    "[fc4]\ntype = linear\nfeatures = 5\nbias = yes\nweight_codes = -15..15\nweight_scale = max\n";

#define SMALL_QUANTIZER(codes) "type = activation\nstep = learned\ncodes = " codes "\n"
#define SMALL_BLOCK(n, channels, codes, pool)                                                 \
    "[conv" n "]\ntype = conv\nchannels = " channels "\nkernel = 3\npadding = 1\nbias = yes\n" \
    "weight_codes = -15..15\nweight_scale = max\n"                                            \
    "[relu" n "]\nfunction = relu\n" SMALL_QUANTIZER(codes)                                   \
    "[pool" n "]\ntype = average_pool\n" pool                                                 \
    "[pool" n "_act]\n" SMALL_QUANTIZER(codes)
#define SMALL_VGG11(codes)                                                                    \
    "[network]\nname = small\nclasses = 5\n"                                                 \
    "[input]\ntype = input\nshape = 3x8x8\nrange = 0..1\nmean = 0.4914, 0.4822, 0.4465\n"    \
    "deviation = 0.247, 0.243, 0.261\ncodes = -16..15\nstep = learned\n"                      \
    SMALL_BLOCK("1", "4", codes, "kernel = 2\nstride = 1\n")                                 \
    SMALL_BLOCK("2", "6", codes, "kernel = 2\n")                                             \
    SMALL_BLOCK("3", "8", codes, "kernel = 1\n")                                             \
    SMALL_BLOCK("4", "8", codes, "kernel = 3\nstride = 1\n")                                 \
    "[fc]\ntype = linear\nfeatures = 5\nbias = yes\nweight_codes = -15..15\nweight_scale = max\n"

/* small_float of the script */
#define FLOAT_CONV(n, channels, more)                                                          \
    "[conv" n "]\ntype = conv\nchannels = " channels "\nkernel = 3\npadding = 1\n"             \
    "weight_codes = float\n" more
#define FLOAT_RELU(n, pool)                                                                    \
    "[relu" n "]\ntype = activation\nfunction = relu\ncodes = float\n"                         \
    "[pool" n "]\ntype = average_pool\n" pool
static const char float_text[] =
    "[network]\nname = small\nclasses = 5\n"
    "[input]\ntype = input\nshape = 3x8x8\nrange = 0..1\nmean = 0.4914, 0.4822, 0.4465\n"
    "deviation = 0.247, 0.243, 0.261\ncodes = float\n"
    FLOAT_CONV("1", "4", "bias = yes\n") FLOAT_RELU("1", "kernel = 2\nstride = 1\n")
    FLOAT_CONV("2", "6", "bias = yes\n") FLOAT_RELU("2", "kernel = 2\n")
    FLOAT_CONV("3", "8", "[norm3]\ntype = batch_norm\n") FLOAT_RELU("3", "kernel = 1\n")
    FLOAT_CONV("4", "8", "bias = yes\n") FLOAT_RELU("4", "kernel = 3\n")
    "[fc]\ntype = linear\nfeatures = 5\nbias = yes\nweight_codes = float\n";

typedef struct {
    LutraH5 *file;
    LutraModel model;
    LutraExecution *execution;
    LutraTrainKernels kernels;
    uint8_t *pixels;
    uint16_t *labels;
    uint32_t images;
    LutraLossKind loss;
    double gradient_tolerance;
} Golden;

/* The initial numbers of the script, computed from its docstring. */
static uint32_t mix(uint32_t x) {
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    return x ^ (x >> 16);
}

static double uniform(uint32_t array, size_t i) {
    const uint32_t word = mix((uint32_t)(i + (0x9E3779B9ull * (array + 1))));
    return (((double)(word >> 16) + 0.5) / 32768.0) - 1.0;
}

static void fill(float *values, size_t count, uint32_t array, double factor, double offset) {
    for (size_t i = 0; values != NULL && i < count; i++) {
        values[i] = (float)((uniform(array, i) * factor) + offset);
    }
}

static void set_initial(LutraModel *model) {
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        const LutraLayer *layer = &model->network.layers[i];
        LutraLayerParameters *values = &model->layers[i];
        const size_t weights = lutra_layer_weight_count(layer);
        const size_t norms = lutra_layer_norm_count(layer);
        double factor = 1.0;
        if (weights > 0 && layer->u.weighted.quantizer.scale != LUTRA_WEIGHT_SCALE_FIXED) {
            const double fan_in = (double)(weights / layer->shape.channels);
            factor = (double)(float)sqrt(6.0 / fan_in);
        }
        fill(values->weights, weights, 4 * i, factor, 0.0);
        fill(values->bias, layer->shape.channels, (4 * i) + 1, 0.5, 0.0);
        fill(values->gamma, norms, (4 * i) + 2, 1.0, 0.5);
        fill(values->beta, norms, (4 * i) + 3, 0.25, 0.0);
        if (layer->kind == LUTRA_LAYER_TENSOR_NORM) {
            values->gamma[0] = 1.5f;
            values->beta[0] = 0.125f;
        }
    }
}

static void *read_array(LutraH5 *file, const char *name, LutraH5Type type, size_t *count) {
    LutraError error = {{0}};
    LutraH5Shape shape;
    void *data = NULL;
    check_status(lutra_h5_shape(&shape, file, name, &error), LUTRA_OK, &error);
    *count = 1;
    for (uint32_t d = 0; d < shape.rank; d++) {
        *count *= (size_t)shape.dims[d];
    }
    check_status(lutra_alloc(&data, *count, lutra_h5_type_bytes(type), &error), LUTRA_OK, &error);
    check_status(lutra_h5_read(file, name, data, type, shape.rank, shape.dims, &error), LUTRA_OK,
                 &error);
    return data;
}

static void open_golden(Golden *golden, const char *path, const char *text, bool from_file,
                        LutraLossKind loss, uint32_t cpu_flags, uint32_t threads) {
    LutraError error = {{0}};
    LutraNetwork network;
    size_t count = 0;
    *golden = (Golden){.loss = loss, .gradient_tolerance = GRADIENT_TOLERANCE};
    check_status(from_file ? lutra_network_read(&network, text, &error)
                           : lutra_network_parse(&network, text, "mixed.ini", &error),
                 LUTRA_OK, &error);
    check_status(lutra_model_create(&golden->model, &network, 1, &error), LUTRA_OK, &error);
    set_initial(&golden->model);
    check_status(lutra_h5_open(&golden->file, path, &error), LUTRA_OK, &error);
    golden->labels = read_array(golden->file, "labels", LUTRA_H5_U16, &count);
    golden->images = (uint32_t)count;
    golden->pixels = read_array(golden->file, "pixels", LUTRA_H5_U8, &count);
    const LutraExecutionSettings settings = {.most_images = golden->images,
                                             .threads = threads,
                                             .cpu_flags = cpu_flags,
                                             .mode = LUTRA_RUN_TRAINING,
                                             .threshold_batches = MEASURED,
                                             .threshold_percentile = 99.9};
    check_status(lutra_execution_create(&golden->execution, &golden->model, &settings, &error),
                 LUTRA_OK, &error);
    lutra_train_kernels_init(&golden->kernels, cpu_flags);
}

static void close_golden(Golden *golden) {
    lutra_execution_destroy(&golden->execution);
    lutra_model_deinit(&golden->model);
    lutra_h5_close(&golden->file);
    lutra_free(&golden->pixels);
    lutra_free(&golden->labels);
}

/* Forward and backward; gives the loss. */
static double pass(Golden *golden) {
    LutraError error = {{0}};
    const LutraLayer *input = &golden->model.network.layers[0];
    const size_t plane = (size_t)input->shape.height * input->shape.width;
    uint8_t *to = lutra_execution_input(golden->execution);
    for (size_t c = 0; c < input->shape.channels; c++) {
        for (size_t n = 0; n < golden->images; n++) {
            for (size_t i = 0; i < plane; i++) {
                *to++ = golden->pixels[(((n * input->shape.channels) + c) * plane) + i];
            }
        }
    }
    check_status(lutra_execution_forward(golden->execution, golden->images, LUTRA_RUN_TRAINING,
                                         &error),
                 LUTRA_OK, &error);
    const double loss = lutra_loss(lutra_execution_logit_gradient(golden->execution), golden->loss,
                                   lutra_execution_logits(golden->execution), golden->labels,
                                   golden->model.network.class_count, golden->images);
    lutra_execution_backward(golden->execution);
    return loss;
}

static void check_codes(const Golden *golden, uint32_t layer) {
    const LutraLayer *described = &golden->model.network.layers[layer];
    const LutraQuantizer quantizer = lutra_layer_quantizer(described, &golden->model.layers[layer]);
    const uint8_t *bytes = lutra_execution_layer_bytes(golden->execution, layer);
    char name[128];
    size_t count = 0;
    snprintf(name, sizeof name, "codes/%s", described->name);
    int16_t *expected = read_array(golden->file, name, LUTRA_H5_I16, &count);
    const size_t channels = described->shape.channels;
    const size_t plane = (size_t)described->shape.height * described->shape.width;
    assert_int_equal(count, channels * plane * golden->images);
    for (size_t n = 0; n < golden->images; n++) {
        for (size_t c = 0; c < channels; c++) {
            for (size_t i = 0; i < plane; i++) {
                const int ours =
                    bytes[(((c * golden->images) + n) * plane) + i] + quantizer.code_min;
                const int theirs = expected[(((n * channels) + c) * plane) + i];
                if (ours != theirs) {
                    fail_msg("%s image %zu channel %zu element %zu: code %d, expected %d",
                             described->name, n, c, i, ours, theirs);
                }
            }
        }
    }
    lutra_free(&expected);
}

static void check_logits(const Golden *golden) {
    size_t count = 0;
    double *expected = read_array(golden->file, "logits", LUTRA_H5_F64, &count);
    const float *logits = lutra_execution_logits(golden->execution);
    const size_t classes = golden->model.network.class_count;
    for (size_t n = 0; n < golden->images; n++) {
        for (size_t c = 0; c < classes; c++) {
            const double theirs = expected[(n * classes) + c];
            /* a product, two sums and a product more: 8 roundings of values up to |theirs| + 4 */
            check_close((double)logits[(c * golden->images) + n], theirs,
                        8.0 * 0x1p-24 * (fabs(theirs) + 4.0));
        }
    }
    lutra_free(&expected);
}

static void check_gradient(const Golden *golden, const char *prefix, const char *layer,
                           const char *kind, const float *gradient, size_t count, size_t rows) {
    if (gradient == NULL) {
        return;
    }
    char name[128];
    size_t stored = 0;
    snprintf(name, sizeof name, "%sgradient_scale/%s/%s", prefix, layer, kind);
    double *scale = read_array(golden->file, name, LUTRA_H5_F64, &stored);
    snprintf(name, sizeof name, "%sgradients/%s/%s", prefix, layer, kind);
    double *expected = read_array(golden->file, name, LUTRA_H5_F64, &stored);
    const size_t step = count > LONG_ARRAY ? SLICE : 1;
    assert_int_equal(stored, (count + step - 1) / step);
    /* gradients that vanish but for rounding have no size of their own */
    const double tolerance = golden->gradient_tolerance * (scale[0] + 1e-3);
    for (size_t i = 0; i < stored; i++) {
        if (!(fabs((double)gradient[i * step] - expected[i]) <= tolerance)) {
            fail_msg("gradient of %s/%s at %zu: %.9g, expected %.9g within %.3g", layer, kind,
                     i * step, (double)gradient[i * step], expected[i], tolerance);
        }
    }
    lutra_free(&expected);
    snprintf(name, sizeof name, "%sgradient_rows/%s/%s", prefix, layer, kind);
    expected = read_array(golden->file, name, LUTRA_H5_F64, &stored);
    assert_int_equal(stored, rows);
    for (size_t r = 0; r < rows; r++) {
        double sum = 0.0;
        for (size_t i = 0; i < count / rows; i++) {
            sum += (double)gradient[(r * (count / rows)) + i];
        }
        if (!(fabs(sum - expected[r]) <= tolerance * (double)(count / rows))) {
            fail_msg("gradient of %s/%s, sum of row %zu: %.9g, expected %.9g", layer, kind, r, sum,
                     expected[r]);
        }
    }
    lutra_free(&expected);
    lutra_free(&scale);
}

static void check_gradients(const Golden *golden, const char *prefix, uint32_t index) {
    const LutraLayer *layer = &golden->model.network.layers[index];
    const LutraLayerGradients *ours = &lutra_execution_gradients(golden->execution)[index];
    const size_t channels = layer->shape.channels;
    const size_t norms = lutra_layer_norm_count(layer);
    check_gradient(golden, prefix, layer->name, "weights", ours->weights,
                   lutra_layer_weight_count(layer), channels);
    check_gradient(golden, prefix, layer->name, "bias", ours->bias, channels, channels);
    check_gradient(golden, prefix, layer->name, "gamma", ours->gamma, norms, norms);
    check_gradient(golden, prefix, layer->name, "beta", ours->beta, norms, norms);
    check_gradient(golden, prefix, layer->name, "threshold", ours->threshold, 1, 1);
}

static void check_running(const Golden *golden, const LutraLayer *layer, const float *values,
                          const char *kind) {
    char name[128];
    size_t count = 0;
    snprintf(name, sizeof name, "%s/%s", kind, layer->name);
    double *expected = read_array(golden->file, name, LUTRA_H5_F64, &count);
    assert_int_equal(count, lutra_layer_norm_count(layer));
    for (size_t i = 0; i < count; i++) {
        check_close((double)values[i], expected[i], 4.0 * 0x1p-24 * (fabs(expected[i]) + 1.0));
    }
    lutra_free(&expected);
}

static void check_first_pass(Golden *golden) {
    const double loss = pass(golden);
    size_t count = 0;
    double *losses = read_array(golden->file, "losses", LUTRA_H5_F64, &count);
    check_close(loss, losses[0], 1e-6 * losses[0]);
    lutra_free(&losses);
    check_logits(golden);
    assert_int_equal(lutra_execution_first_bad_layer(golden->execution), -1);
    for (uint32_t i = 0; i < golden->model.network.layer_count; i++) {
        const LutraLayer *layer = &golden->model.network.layers[i];
        const LutraLayerParameters *values = &golden->model.layers[i];
        const size_t norms = lutra_layer_norm_count(layer);
        if (lutra_execution_layer_bytes(golden->execution, i) != NULL) {
            check_codes(golden, i);
        }
        check_gradients(golden, "", i);
        if (norms > 0) {
            check_running(golden, layer, values->running_mean, "running_mean");
            check_running(golden, layer, values->running_variance, "running_variance");
        }
    }
}

static void check_last(const Golden *golden, const char *layer, const char *kind,
                       const float *values, size_t count) {
    if (values == NULL) {
        return;
    }
    char name[128];
    size_t stored = 0;
    size_t apart = 0;
    snprintf(name, sizeof name, "last/%s/%s", layer, kind);
    double *expected = read_array(golden->file, name, LUTRA_H5_F64, &stored);
    const size_t step = count > LONG_ARRAY ? SLICE : 1;
    assert_int_equal(stored, (count + step - 1) / step);
    for (size_t i = 0; i < stored; i++) {
        apart += fabs((double)values[i * step] - expected[i]) <= 1e-3 ? 0u : 1u;
    }
    if (apart > 0) {
        fail_msg("%s/%s after ten steps: %zu of %zu numbers more than 0.001 apart", layer, kind,
                 apart, stored);
    }
    lutra_free(&expected);
}

/* The steps after a first pass: the loss of each, the gradients once learned steps have some, and
 * all numbers at the end. */
static void check_steps(Golden *golden, double rate, double epsilon, bool later) {
    const LutraOptimizerSettings settings = {LUTRA_OPTIMIZER_ADAM, 0.0, 0.9, 0.999, epsilon, 0.0};
    LutraError error = {{0}};
    LutraOptimizer optimizer;
    LutraLayerSteps layer_steps[64];
    size_t count = 0;
    double *losses = read_array(golden->file, "losses", LUTRA_H5_F64, &count);
    assert_int_equal(count, STEPS + 1);
    for (size_t i = 0; i < 64; i++) {
        layer_steps[i] = (LutraLayerSteps){1.0, 1.0};
    }
    check_status(lutra_optimizer_init(&optimizer, &golden->model, &settings, &error), LUTRA_OK,
                 &error);
    for (size_t step = 1; step <= STEPS; step++) {
        lutra_optimizer_step(&optimizer, &golden->model,
                             lutra_execution_gradients(golden->execution), layer_steps, rate,
                             &golden->kernels, 1);
        const double loss = pass(golden);
        check_close(loss, losses[step], 2e-5);
        if (step == MEASURED && later) {
            for (uint32_t i = 0; i < golden->model.network.layer_count; i++) {
                check_gradients(golden, "later/", i);
            }
        }
    }
    for (uint32_t i = 0; i < golden->model.network.layer_count; i++) {
        const LutraLayer *layer = &golden->model.network.layers[i];
        const LutraLayerParameters *values = &golden->model.layers[i];
        const size_t norms = lutra_layer_norm_count(layer);
        check_last(golden, layer->name, "weights", values->weights,
                   lutra_layer_weight_count(layer));
        check_last(golden, layer->name, "bias", values->bias, layer->shape.channels);
        check_last(golden, layer->name, "gamma", values->gamma, norms);
        check_last(golden, layer->name, "beta", values->beta, norms);
        check_last(golden, layer->name, "threshold", values->threshold, 1);
    }
    lutra_optimizer_deinit(&optimizer);
    lutra_free(&losses);
}

static void run_vgg9(uint32_t cpu_flags, uint32_t threads) {
    Golden golden;
    open_golden(&golden, "tests/golden/data/vgg9.h5", "experiments/networks/vgg9.ini", true,
                LUTRA_LOSS_CROSS_ENTROPY, cpu_flags, threads);
    check_first_pass(&golden);
    check_steps(&golden, 0.02, 1e-2, false);
    close_golden(&golden);
}

/* The first pass with gradients rounded to bfloat16. */
static void run_halves(const char *path, const char *text, bool from_file, LutraLossKind loss) {
    Golden golden;
    open_golden(&golden, path, text, from_file, loss, lutra_cpu_detect(), 2);
    golden.gradient_tolerance = HALF_GRADIENT_TOLERANCE;
    check_first_pass(&golden);
    close_golden(&golden);
}

/* Everything but products in bfloat16. */
static uint32_t exact_flags(void) {
    return lutra_cpu_detect() & ~(uint32_t)LUTRA_CPU_BF16;
}

static void run_mixed(uint32_t cpu_flags, uint32_t threads) {
    Golden golden;
    open_golden(&golden, "tests/golden/data/mixed.h5", mixed_text, false,
                LUTRA_LOSS_SQUARED_HINGE, cpu_flags, threads);
    check_first_pass(&golden);
    check_steps(&golden, 0.01, 1e-8, false);
    close_golden(&golden);
}

static void run_float(uint32_t cpu_flags, uint32_t threads) {
    Golden golden;
    open_golden(&golden, "tests/golden/data/float.h5", float_text, false,
                LUTRA_LOSS_CROSS_ENTROPY, cpu_flags, threads);
    check_first_pass(&golden);
    check_steps(&golden, 0.01, 1e-3, false);
    close_golden(&golden);
}

static void test_float(void **state) {
    (void)state;
    run_float(exact_flags(), 2);
    run_float(0, 1);
}

static void run_small(const char *path, const char *text, uint32_t cpu_flags, uint32_t threads) {
    Golden golden;
    open_golden(&golden, path, text, false, LUTRA_LOSS_CROSS_ENTROPY, cpu_flags, threads);
    check_first_pass(&golden);
    check_steps(&golden, 0.01, 1e-3, true);
    close_golden(&golden);
}

static void test_learned_signed(void **state) {
    (void)state;
    run_small("tests/golden/data/signed.h5", SMALL_VGG11("-16..15"), exact_flags(), 2);
    run_small("tests/golden/data/signed.h5", SMALL_VGG11("-16..15"), 0, 1);
}

static void test_learned_unsigned(void **state) {
    (void)state;
    run_small("tests/golden/data/unsigned.h5", SMALL_VGG11("0..31"), exact_flags(), 2);
    run_small("tests/golden/data/unsigned.h5", SMALL_VGG11("0..31"), 0, 1);
}

static void test_vgg9(void **state) {
    (void)state;
    run_vgg9(exact_flags(), 2);
}

static void test_mixed(void **state) {
    (void)state;
    run_mixed(exact_flags(), 2);
}

static void test_halves(void **state) {
    (void)state;
    run_halves("tests/golden/data/vgg9.h5", "experiments/networks/vgg9.ini", true,
               LUTRA_LOSS_CROSS_ENTROPY);
    run_halves("tests/golden/data/mixed.h5", mixed_text, false, LUTRA_LOSS_SQUARED_HINGE);
    run_halves("tests/golden/data/signed.h5", SMALL_VGG11("-16..15"), false,
               LUTRA_LOSS_CROSS_ENTROPY);
}

static void test_mixed_ref(void **state) {
    (void)state;
    run_mixed(0, 1);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_ref),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_float),
        cmocka_unit_test(test_learned_signed),
        cmocka_unit_test(test_learned_unsigned),
        cmocka_unit_test(test_vgg9),
        cmocka_unit_test(test_halves),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("vgg9", tests, NULL, NULL);
}
