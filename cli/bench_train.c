/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench train: steps of the ternary VGG9 and of a lean network on random images, by part, and the
 * products of each of their layers by themselves. What a step takes beyond its products is work on
 * elements: norms, quantizers, pools. Augmentation and reading are not in the steps: they take
 * about a hundredth.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/bench.h"
#include "train/byte_products.h"
#include "train/convolution.h"
#include "train/gemm.h"
#include "train/half_convolution.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/small_convolution.h"
#include "train/ternary_products.h"

enum { BATCH = 100, EPOCH_IMAGES = 50000, TEXT_BYTES = 4096 };

/* ---- the network ---- */

typedef struct {
    char text[TEXT_BYTES];
    size_t length;
} Text;

static void put(Text *text, const char *words) {
    const size_t length = strlen(words);
    LUTRA_ASSERT(text->length + length < TEXT_BYTES);
    memcpy(text->text + text->length, words, length + 1);
    text->length += length;
}

static void put_number(Text *text, const char *before, uint32_t number, const char *after) {
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%" PRIu32, number);
    put(text, before);
    put(text, digits);
    put(text, after);
}

static void put_activation(Text *text, const char *name, uint32_t number) {
    put_number(text, name, number, "]\ntype = activation\ncodes = -1..1\nstep = 1\n");
}

static void put_normed_activation(Text *text, uint32_t number) {
    put_number(text, "[norm", number, "]\ntype = batch_norm\n");
    put_activation(text, "[act", number);
}

/* Layers 1 to 6 are convolutions, 7 to 9 linear; pools follow the second and the fourth. */
static void describe_vgg9(Text *text) {
    static const uint32_t outputs[] = {64, 64, 128, 128, 256, 256, 512, 512, 10};
    static const char ternary[] = "\nweight_codes = -1..1\nweight_scale = fixed\n";
    text->length = 0;
    put(text, "[network]\nname = vgg9\nclasses = 10\n[training]\nepochs = 1\n"
              "[input]\ntype = input\nshape = 3x32x32\nrange = -1..1\ncodes = -128..127\n"
              "step = 1/128\n");
    for (uint32_t i = 1; i <= 9; i++) {
        put_number(text, i <= 6 ? "[conv" : "[fc", i,
                   i <= 6 ? "]\ntype = conv\nkernel = 3\n" : "]\ntype = linear\n");
        put_number(text, i <= 6 ? "channels = " : "features = ", outputs[i - 1], ternary);
        if (i < 9) {
            put_normed_activation(text, i);
        }
        if (i == 2 || i == 4) {
            put_number(text, "[pool", i, "]\ntype = average_pool\nkernel = 2\n");
            put_activation(text, "[pool_act", i);
        }
    }
    put(text, "[logits]\ntype = tensor_norm\n");
}

static void put_conv(Text *text, uint32_t number, uint32_t channels, const char *rest) {
    put_number(text, "[conv", number, "]\ntype = conv\n");
    put_number(text, "channels = ", channels, "\n");
    put(text, rest);
}

static void put_seven_levels(Text *text, uint32_t number) {
    put_number(text, "[norm", number, "]\ntype = batch_norm\n");
    put_number(text, "[act", number, "]\ntype = activation\ncodes = -3..3\nstep = 1/3\n");
}

/* As experiments/networks/lean.ini. */
static void describe_lean(Text *text) {
    static const char ternary[] = "weight_codes = -1..1\nweight_scale = fixed\n";
    static const char square[] = "kernel = 3\nweight_codes = -1..1\nweight_scale = fixed\n";
    text->length = 0;
    put(text, "[network]\nname = lean\nclasses = 10\n[training]\nepochs = 1\n"
              "[input]\ntype = input\nshape = 3x32x32\nrange = -1..1\ncodes = -128..127\n"
              "step = 1/128\n");
    put_conv(text, 1, 64, "kernel = 4\nstride = 2\nweight_codes = -31..31\nweight_scale = max\n");
    put_seven_levels(text, 1);
    put_conv(text, 2, 128, square);
    put(text, "[pool]\ntype = average_pool\nkernel = 2\n");
    put_seven_levels(text, 2);
    put_conv(text, 3, 256, square);
    put_seven_levels(text, 3);
    put_conv(text, 4, 256, square);
    put_seven_levels(text, 4);
    put(text, "[fc5]\ntype = linear\nfeatures = 512\n");
    put(text, ternary);
    put_seven_levels(text, 5);
    put(text, "[fc6]\ntype = linear\nfeatures = 10\n");
    put(text, ternary);
    put(text, "[logits]\ntype = tensor_norm\n");
}

/* ---- whole steps ---- */

typedef enum { PART_FORWARD = 0, PART_BACKWARD, PART_UPDATE, PARTS } Part;

typedef struct {
    Bench *bench;
    const char *basis; /* of the names of items */
    LutraModel model;
    LutraExecution *execution;
    LutraOptimizer optimizer;
    LutraLayerSteps *steps; /* (layers) */
    LutraTrainKernels kernels;
    LutraHalfKernels halves;
    LutraSmallKernels small;
    LutraTernaryKernels ternary;
    double *times; /* (PARTS + 1, repeats): of a step's parts and an epoch */
    double products[2]; /* milliseconds of all layers: forward, backward */
} Work;

static void draw_step(const Work *work) {
    const LutraRandomKey key = {.seed = work->bench->common->seed, .stream = LUTRA_STREAM_CIRCUIT};
    uint8_t *const input = lutra_execution_input(work->execution);
    float *const gradient = lutra_execution_logit_gradient(work->execution);
    const LutraShape shape = work->model.network.layers[0].shape;
    const size_t pixels = (size_t)BATCH * lutra_shape_elements(shape);
    for (size_t i = 0; i < pixels; i++) {
        input[i] = (uint8_t)lutra_random_below(key, i, 256);
    }
    for (size_t i = 0; i < (size_t)BATCH * work->model.network.class_count; i++) {
        gradient[i] = (float)(lutra_random_uniform(key, pixels + i) - 0.5) / BATCH;
    }
}

static LutraStatus run_step(Work *work, double seconds[PARTS], LutraError *error) {
    draw_step(work);
    double start = lutra_seconds();
    LUTRA_TRY(lutra_execution_forward(work->execution, BATCH, LUTRA_RUN_TRAINING, error));
    seconds[PART_FORWARD] = lutra_seconds() - start;
    start = lutra_seconds();
    lutra_execution_backward(work->execution);
    seconds[PART_BACKWARD] = lutra_seconds() - start;
    start = lutra_seconds();
    lutra_optimizer_step(&work->optimizer, &work->model,
                         lutra_execution_gradients(work->execution), work->steps, 1e-3,
                         &work->kernels, work->bench->common->threads);
    seconds[PART_UPDATE] = lutra_seconds() - start;
    return LUTRA_OK;
}

static LutraStatus tick(Bench *bench, const char *name, uint32_t done, LutraError *error) {
    return lutra_progress_tick(&bench->progress->progress, name, done, bench->repeats, 0.0)
               ? lutra_error_set(error, LUTRA_ECANCELLED, "the measurement was cancelled")
               : LUTRA_OK;
}

static LutraStatus measure_steps(Work *work, LutraError *error) {
    static const char *const parts[] = {"forward", "backward", "update"};
    Bench *const bench = work->bench;
    const uint32_t repeats = bench->repeats;
    char name[BENCH_NAME_BYTES];
    double seconds[PARTS];
    LUTRA_TRY(run_step(work, seconds, error)); /* warms up */
    for (uint32_t i = 0; i < repeats; i++) {
        LUTRA_TRY(tick(bench, work->basis, i, error));
        LUTRA_TRY(run_step(work, seconds, error));
        double step = 0.0;
        for (int p = 0; p < PARTS; p++) {
            work->times[((size_t)p * repeats) + i] = 1e3 * seconds[p];
            step += seconds[p];
        }
        work->times[((size_t)PARTS * repeats) + i] = step * EPOCH_IMAGES / BATCH;
    }
    (void)snprintf(name, sizeof name, "%s.epoch-of-50000", work->basis);
    LUTRA_TRY(bench_add(bench, name, "s", true, work->times + ((size_t)PARTS * repeats), repeats,
                        error));
    for (int p = 0; p < PARTS; p++) {
        (void)snprintf(name, sizeof name, "%s.batch-of-100.%s", work->basis, parts[p]);
        LUTRA_TRY(bench_add(bench, name, "ms", true, work->times + ((size_t)p * repeats), repeats,
                            error));
    }
    return LUTRA_OK;
}

/* ---- products of one layer ---- */

typedef struct {
    LutraConvShape shape;
    uint8_t *bytes;      /* codes 0 .. 2, of -1 .. 1 */
    float *weights;      /* -1 .. 1 */
    float *out_gradient; /* of all kinds */
    float *result;       /* as large as the largest result */
    float *scratch;
} Layer;

static void layer_deinit(Layer *layer) {
    lutra_free(&layer->bytes);
    lutra_free(&layer->weights);
    lutra_free(&layer->out_gradient);
    lutra_free(&layer->result);
    lutra_free(&layer->scratch);
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static LutraStatus layer_init(Layer *layer, const Bench *bench, LutraConvShape shape,
                              LutraError *error) {
    const LutraRandomKey key = {.seed = bench->common->seed, .stream = LUTRA_STREAM_CIRCUIT};
    const size_t inputs =
        (size_t)shape.in_channels * shape.images * shape.in_height * shape.in_width;
    const size_t outputs = (size_t)shape.out_channels * shape.images * lutra_conv_positions(&shape);
    const size_t weights = shape.out_channels * lutra_conv_fan_in(&shape);
    layer->shape = shape;
    LUTRA_TRY(lutra_alloc(&layer->bytes, inputs, 1, error));
    LUTRA_TRY(lutra_alloc(&layer->weights, weights, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&layer->out_gradient, outputs, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&layer->result, largest(largest(inputs, outputs), weights),
                          sizeof(float), error));
    const size_t floats = lutra_conv_scratch_floats(&shape, bench->common->threads);
    const size_t halves = lutra_half_scratch_floats(&shape, bench->common->threads);
    const size_t bytes = lutra_byte_scratch_floats(&shape, bench->common->threads);
    const size_t small = lutra_small_scratch_floats(&shape, bench->common->threads);
    const size_t words = lutra_ternary_scratch_floats(&shape, bench->common->threads);
    const size_t most = largest(largest(floats, halves), largest(largest(bytes, small), words));
    LUTRA_TRY(lutra_alloc(&layer->scratch, most, sizeof(float), error));
    for (size_t i = 0; i < inputs; i++) {
        layer->bytes[i] = (uint8_t)lutra_random_below(key, i, 3);
    }
    for (size_t i = 0; i < weights; i++) {
        layer->weights[i] = (float)lutra_random_below(key, inputs + i, 3) - 1.0f;
    }
    for (size_t i = 0; i < outputs; i++) {
        layer->out_gradient[i] = (float)(lutra_random_uniform(key, i) - 0.5);
    }
    return LUTRA_OK;
}

typedef struct {
    const Layer *layer;
    const LutraHalfKernels *halves;
    const LutraSmallKernels *small;
    LutraByteWeights packed;
    const LutraTernaryKernels *counting;
    LutraTernaryWeights words; /* no steps: bytes are used */
    LutraConvWorkspace workspace;
} Call;

static void call_weight_gradient(void *user) {
    const Call *const call = user;
    const LutraConvInput input = {call->layer->bytes, NULL, -1};
    if (call->small->fast) {
        lutra_small_weight_gradient(call->layer->result, &call->layer->shape, input,
                                    call->layer->out_gradient, 1.0f, (LutraGradientDraws){1, 2},
                                    call->small, &call->workspace);
    } else if (call->halves->fast) {
        lutra_half_weight_gradient(call->layer->result, &call->layer->shape, input,
                                   call->layer->out_gradient, 1.0f, call->halves,
                                   &call->workspace);
    } else {
        lutra_conv_weight_gradient(call->layer->result, &call->layer->shape, input,
                                   call->layer->out_gradient, 1.0f, &call->workspace);
    }
}

static void call_input_gradient(void *user) {
    const Call *const call = user;
    if (call->small->fast) {
        lutra_small_input_gradient(call->layer->result, &call->layer->shape, call->layer->weights,
                                   call->layer->out_gradient, 1.0f, (LutraGradientDraws){3, 4},
                                   call->small, &call->workspace);
    } else if (call->halves->fast) {
        lutra_half_input_gradient(call->layer->result, &call->layer->shape, call->layer->weights,
                                  call->layer->out_gradient, 1.0f, call->halves,
                                  &call->workspace);
    } else {
        lutra_conv_input_gradient(call->layer->result, &call->layer->shape, call->layer->weights,
                                  call->layer->out_gradient, 1.0f, &call->workspace);
    }
}

static void call_forward(void *user) {
    Call *const call = user;
    if (call->words.steps > 0) {
        lutra_ternary_forward(call->layer->result, &call->layer->shape,
                              (LutraConvInput){call->layer->bytes, NULL, -1}, &call->words,
                              call->counting, &call->workspace);
        return;
    }
    lutra_byte_forward(call->layer->result, &call->layer->shape,
                       (LutraConvInput){call->layer->bytes, NULL, -1}, &call->packed,
                       &call->workspace);
}

/* One kind of product of one layer, as a rate; adds its time to *milliseconds. */
static LutraStatus measure_product(Work *work, const char *name, const char *kind,
                                   BenchFunction function, Call *call, double *milliseconds,
                                   LutraError *error) {
    const LutraConvShape *const shape = &call->layer->shape;
    const double products = 1e-9 * (double)shape->out_channels * (double)shape->images *
                            (double)lutra_conv_positions(shape) *
                            (double)lutra_conv_fan_in(shape);
    char item[BENCH_NAME_BYTES];
    (void)snprintf(item, sizeof item, "%s.%.8s.%s", work->basis, name, kind);
    LUTRA_TRY(bench_rate(work->bench, item, "GMAC/s", products, function, call, error));
    *milliseconds += 1e3 * products / bench_find(&work->bench->results, item)->median;
    return LUTRA_OK;
}

static LutraStatus measure_layer(Work *work, const LutraLayer *source, const LutraLayer *described,
                                 LutraConvShape shape, LutraError *error) {
    const char *const name = described->name;
    const bool reads_input = source->kind == LUTRA_LAYER_INPUT;
    Layer layer = {0};
    LutraStatus status = LUTRA_OK;
    Call call = {.layer = &layer, .halves = &work->halves, .small = &work->small,
                 .counting = &work->ternary};
    LUTRA_TRY_GOTO(status, layer_init(&layer, work->bench, shape, error));
    LUTRA_TRY_GOTO(status, lutra_byte_weights_init(&call.packed, &shape, error));
    call.workspace = (LutraConvWorkspace){&work->kernels, work->bench->common->threads,
                                          layer.scratch};
    lutra_byte_weights_pack(&call.packed, &shape, layer.weights, -1, 1);
    if (work->ternary.fast && lutra_ternary_fits(&shape, source, described)) {
        LUTRA_TRY_GOTO(status, lutra_ternary_weights_init(&call.words, &shape, error));
        lutra_ternary_weights_pack(&call.words, &shape, layer.weights, 1);
    }
    LUTRA_TRY_GOTO(status, measure_product(work, name, "forward", call_forward, &call,
                                           &work->products[0], error));
    LUTRA_TRY_GOTO(status, measure_product(work, name, "weight-gradient", call_weight_gradient,
                                           &call, &work->products[1], error));
    if (!reads_input) {
        status = measure_product(work, name, "input-gradient", call_input_gradient, &call,
                                 &work->products[1], error);
    }
done:
    lutra_byte_weights_deinit(&call.packed);
    lutra_ternary_weights_deinit(&call.words);
    layer_deinit(&layer);
    return status;
}

static LutraStatus add_products(Work *work, LutraError *error) {
    static const char *const kinds[] = {"forward-products", "backward-products"};
    char name[BENCH_NAME_BYTES];
    for (int i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s.batch-of-100.%s", work->basis, kinds[i]);
        LUTRA_TRY(bench_add(work->bench, name, "ms", true, &work->products[i], 1, error));
    }
    return LUTRA_OK;
}

static LutraStatus measure_layers(Work *work, LutraError *error) {
    const LutraNetwork *const network = &work->model.network;
    const LutraLayer *source = &network->layers[0];
    for (uint32_t i = 1; i < network->layer_count; i++) {
        const LutraLayer *const layer = &network->layers[i];
        const bool conv = layer->kind == LUTRA_LAYER_CONV;
        if (conv || layer->kind == LUTRA_LAYER_LINEAR) {
            const LutraConvShape shape = {
                .images = BATCH,
                .in_channels = source->shape.channels,
                .in_height = source->shape.height,
                .in_width = source->shape.width,
                .out_channels = layer->shape.channels,
                .out_height = layer->shape.height,
                .out_width = layer->shape.width,
                .kernel_height = conv ? layer->u.weighted.kernel : source->shape.height,
                .kernel_width = conv ? layer->u.weighted.kernel : source->shape.width,
                .stride = conv ? layer->u.weighted.stride : 1,
                .padding = conv ? layer->u.weighted.padding : 0};
            LUTRA_TRY(measure_layer(work, source, layer, shape, error));
        }
        if (layer->kind != LUTRA_LAYER_BATCH_NORM && layer->kind != LUTRA_LAYER_TENSOR_NORM) {
            source = layer;
        }
    }
    return add_products(work, error);
}

/* ---- the whole ---- */

/* What gradients are rounded to unless a recipe says otherwise. */
static uint32_t default_bits(void) {
    LutraRecipe recipe;
    lutra_recipe_default(&recipe);
    return lutra_recipe_gradient_bits(&recipe);
}

static LutraStatus prepare(Work *work, void (*describe)(Text *text), LutraError *error) {
    const CliCommon *const common = work->bench->common;
    LutraNetwork network = {0};
    Text text;
    describe(&text);
    LUTRA_TRY(lutra_network_parse(&network, text.text, work->basis, error));
    const LutraStatus status = lutra_model_create(&work->model, &network, common->seed, error);
    lutra_network_deinit(&network);
    LUTRA_TRY(status);
    const uint32_t layers = work->model.network.layer_count;
    const LutraExecutionSettings settings = {.most_images = BATCH,
                                             .threads = common->threads,
                                             .cpu_flags = common->cpu_flags,
                                             .mode = LUTRA_RUN_TRAINING,
                                             .gradient_bits = default_bits()};
    const LutraOptimizerSettings adam = {.kind = LUTRA_OPTIMIZER_ADAM,
                                         .first_decay = 0.9,
                                         .second_decay = 0.999,
                                         .epsilon = 1e-8};
    LUTRA_TRY(lutra_execution_create(&work->execution, &work->model, &settings, error));
    LUTRA_TRY(lutra_optimizer_init(&work->optimizer, &work->model, &adam, error));
    LUTRA_TRY(lutra_alloc(&work->steps, layers, sizeof *work->steps, error));
    for (uint32_t i = 0; i < layers; i++) {
        work->steps[i] = (LutraLayerSteps){1.0, 1.0};
    }
    return lutra_alloc(&work->times, (size_t)(PARTS + 1) * work->bench->repeats, sizeof(double),
                       error);
}

static LutraStatus measure_network(Bench *bench, const char *basis, void (*describe)(Text *text),
                                   LutraError *error) {
    Work work = {.bench = bench, .basis = basis};
    LutraStatus status = LUTRA_OK;
    lutra_train_kernels_init(&work.kernels, bench->common->cpu_flags);
    lutra_half_kernels_init(&work.halves, bench->common->cpu_flags);
    lutra_small_kernels_init(&work.small, bench->common->cpu_flags);
    lutra_ternary_kernels_init(&work.ternary, bench->common->cpu_flags);
    work.small.fast = work.small.fast && default_bits() == 8;
    LUTRA_TRY_GOTO(status, prepare(&work, describe, error));
    LUTRA_TRY_GOTO(status, measure_steps(&work, error));
    status = measure_layers(&work, error);
done:
    lutra_free(&work.times);
    lutra_free(&work.steps);
    lutra_optimizer_deinit(&work.optimizer);
    lutra_execution_destroy(&work.execution);
    lutra_model_deinit(&work.model);
    return status;
}

LutraStatus bench_train(Bench *bench, LutraError *error) {
    const char *const pinned = getenv("OPENBLAS_CORETYPE");
    LutraHalfKernels halves;
    LutraSmallKernels small;
    lutra_half_kernels_init(&halves, bench->common->cpu_flags);
    lutra_small_kernels_init(&small, bench->common->cpu_flags);
    const bool eight = small.fast && default_bits() == 8;
    lutra_gemm_prepare();
    if (pinned != NULL && pinned[0] != '\0') {
        cli_warn(bench->common, "bench", "OPENBLAS_CORETYPE=%s pins the matrix kernels", pinned);
    }
    cli_note(bench->common, "bench",
             "train: gradients %s, OpenBLAS kernel %s%s, %" PRIu32 " threads",
             eight         ? "in eight bits"
             : halves.fast ? "in bfloat16"
                           : "in single precision",
             lutra_gemm_kernel_name(),
             eight || halves.fast ? " (not used by these networks)" : "", bench->common->threads);
    LUTRA_TRY(measure_network(bench, "train.vgg9", describe_vgg9, error));
    return measure_network(bench, "train.lean", describe_lean, error);
}
