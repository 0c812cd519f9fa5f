/* SPDX-License-Identifier: Apache-2.0 */
/* Lowering: against circuits made by hand, the float expression and the float network. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "quant/lower.h"
#include "sim/operations.h"
#include "tests/support/check.h"
#include "tests/support/run_circuit.h"

static void make_model(LutraModel *model, const char *text, uint64_t seed) {
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
}

/* Gives every norm and bias numbers that spread the codes. */
static void shake_norms(LutraModel *model, uint64_t seed) {
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        const LutraLayer *layer = &model->network.layers[i];
        LutraLayerParameters *p = &model->layers[i];
        const LutraRandomKey key = {seed, LUTRA_STREAM_TEST, i};
        for (size_t c = 0; c < lutra_layer_norm_count(layer); c++) {
            p->gamma[c] = (float)lutra_random_normal(key, 4 * c);
            p->beta[c] = 0.5f * (float)lutra_random_normal(key, (4 * c) + 1);
            p->running_mean[c] = 0.3f * (float)lutra_random_normal(key, (4 * c) + 2);
            p->running_variance[c] = 0.5f * (float)lutra_random_uniform(key, (4 * c) + 3);
        }
        if (p->threshold != NULL) {
            p->threshold[0] = 0.6f + (float)lutra_random_uniform(key, 0);
            p->threshold_batches[0] = 1.0f;
        }
        for (uint32_t c = 0; p->bias != NULL && c < layer->shape.channels; c++) {
            p->bias[c] = 0.3f * (float)lutra_random_normal(key, c);
        }
    }
}

static void lower(LutraCircuit *circuit, const LutraModel *model, const uint32_t *rounding,
                  uint32_t count) {
    LutraLowerSettings settings;
    LutraError error = {""};
    lutra_lower_default(&settings);
    settings.rounding = rounding;
    settings.rounding_count = count;
    check_status(lutra_lower(circuit, model, NULL, &settings, &error), LUTRA_OK, &error);
}

static const LutraOperation *find(const LutraCircuit *circuit, const char *name) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (strcmp(circuit->operations[i].name, name) == 0) {
            return &circuit->operations[i];
        }
    }
    fail_msg("no operation '%s'", name);
    return NULL;
}

/* ---- a network small enough to lower by hand ---- */

static const char *const TINY =
    "[network]\nname = tiny\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x2x2\nrange = 0..1\ncodes = 0..3\nstep = 1/3\n"
    "[fc1]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[norm]\ntype = batch_norm\n"
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1/2\n"
    "[fc2]\ntype = linear\nfeatures = 2\nweight_codes = -7..7\nweight_scale = max\nbias = yes\n"
    "[logits]\ntype = tensor_norm\n";

static void make_tiny(LutraModel *model) {
    static const float fc1[12] = {1.0f, -1.0f, 0.2f, 0.9f,   0.6f, 0.6f, 0.6f, -0.6f,
                                  1.0f, -1.0f, 0.5f, 0.75f};
    static const float fc2[6] = {0.7f, -0.35f, 0.1f, -0.7f, 0.0f, 0.3f};
    make_model(model, TINY, 1);
    memcpy(model->layers[1].weights, fc1, sizeof fc1);
    memcpy(model->layers[4].weights, fc2, sizeof fc2);
    for (int c = 0; c < 3; c++) {
        model->layers[2].running_mean[c] = c == 1 ? 1.0f : 0.5f;
        model->layers[2].gamma[c] = c == 1 ? -1.0f : 1.0f;
        model->layers[2].running_variance[c] = 0.9999f;
    }
    model->layers[4].bias[0] = 0.25f;
    model->layers[4].bias[1] = -0.5f;
    model->layers[5].running_mean[0] = 0.125f;
    model->layers[5].gamma[0] = 2.0f;
    model->layers[5].beta[0] = 1.0f;
    model->layers[5].running_variance[0] = 3.9999f;
}

static void a_tiny_network_is_lowered_as_by_hand(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    make_tiny(&model);
    lower(&circuit, &model, NULL, 0);
    assert_int_equal(circuit.operation_count, 5);
    assert_string_equal(circuit.name, "tiny");
    assert_string_equal(circuit.network_text, TINY);
    const LutraOperation *ops = circuit.operations;
    /* pixels 0..255 over codes 0..3: code = rint(3 p / 255) */
    assert_int_equal(ops[0].u.input.code_of_pixel[42], 0);
    assert_int_equal(ops[0].u.input.code_of_pixel[43], 1);
    assert_int_equal(ops[0].u.input.code_of_pixel[255], 3);
    static const int8_t fc1[12] = {1, -1, 0, 1, 1, 1, 1, -1, 1, -1, 0, 1};
    assert_memory_equal(ops[1].u.linear.weights, fc1, sizeof fc1);
    assert_int_equal(ops[1].static_range.min, -3);
    assert_int_equal(ops[1].static_range.max, 9);
    assert_true(ops[1].observed_range.min > ops[1].observed_range.max);
    assert_int_equal(ops[1].encoding.bits, 5);
    assert_true(ops[1].encoding.is_signed);
    assert_int_equal(ops[0].encoding.bits, 5);
    /* Channels 0 and 2 are equal: y = x/3 - 0.5, code rint(2 y) in -1..1: a tie at x = 0.75 and
     * 2.25; so codes are -1 to x = 0, 0 at x = 1 and 2 (2 y = -1/3 and 1/3), 1 from x = 3.
     * Channel 1: y = 1 - x/3, 2 y >= 1/2 to x = 2, 0 at 3 and for 4 (-2/3: -1). */
    const LutraTableOperation *table = &ops[2].u.table;
    assert_int_equal(table->table_count, 2);
    assert_int_equal(table->entry_count, 32);
    assert_int_equal(table->first_input, -16);
    assert_int_equal(table->table_of_channel[0], 0);
    assert_int_equal(table->table_of_channel[1], 1);
    assert_int_equal(table->table_of_channel[2], 0);
    for (int x = -16; x < 16; x++) {
        assert_int_equal(table->entries[x + 16], x <= 0 ? -1 : x <= 2 ? 0 : 1);
        assert_int_equal(table->entries[32 + x + 16], x <= 2 ? 1 : x == 3 ? 0 : -1);
    }
    static const int8_t fc2[6] = {7, -4, 1, -7, 0, 3}; /* scale 0.1; -3.5 is a tie */
    assert_memory_equal(ops[3].u.linear.weights, fc2, sizeof fc2);
    assert_int_equal(ops[3].static_range.max, 12);
    assert_int_equal(ops[2].encoding.bits, 5);
    assert_int_equal(ops[2].static_range.min, -1);
    const LutraOutputOperation *output = &ops[4].u.output;
    assert_string_equal(ops[4].name, "logits");
    check_close((double)output->scale, 0.05, 1e-8);
    assert_int_equal(output->step_count, 2);
    float logits[2];
    lutra_operation_output(logits, output, 2, (const int32_t[2]){10, -4});
    check_close((double)logits[0], (0.5 + 0.25 - 0.125) / 2.0 * 2.0 + 1.0, 1e-6);
    check_close((double)logits[1], (-0.2 - 0.5 - 0.125) / 2.0 * 2.0 + 1.0, 1e-6);
    assert_int_equal(lutra_circuit_pbs(&circuit), 3);
    assert_int_equal(lutra_circuit_macs(&circuit), 18);
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

/* ---- the float network, layer by layer, as training evaluates it ---- */

typedef struct {
    float values[4096]; /* codes or sums */
    LutraShape shape;
    float step, weight_scale;
    uint32_t pooled;
    const float *bias;
} Flow;

static float flow_scale(const Flow *flow) {
    return (flow->step * flow->weight_scale) / (float)flow->pooled;
}

static void flow_weights(Flow *flow, const LutraLayer *layer, const LutraLayerParameters *p) {
    static float out[4096];
    const LutraWeightLayer *w = &layer->u.weighted;
    const bool conv = layer->kind == LUTRA_LAYER_CONV;
    const uint32_t in_channels = conv ? w->in_channels : 1;
    const size_t count = lutra_layer_weight_count(layer);
    const float scale = lutra_weight_scale(&w->quantizer, p->weights, count);
    const float low = (float)w->quantizer.code_min;
    const float high = (float)w->quantizer.code_max;
    const size_t fan_in = count / w->out_channels;
    for (uint32_t o = 0; o < layer->shape.channels; o++) {
        for (uint32_t y = 0; y < layer->shape.height; y++) {
            for (uint32_t x = 0; x < layer->shape.width; x++) {
                float sum = 0.0f;
                for (size_t k = 0; k < fan_in; k++) {
                    const float code = rintf(p->weights[(o * fan_in) + k] / scale);
                    const float weight = fminf(fmaxf(code, low), high);
                    size_t at = k;
                    if (conv) {
                        const uint32_t i = (uint32_t)(k / (w->kernel * w->kernel));
                        const int64_t a = (int64_t)((k / w->kernel) % w->kernel);
                        const int64_t b = (int64_t)(k % w->kernel);
                        const int64_t r = (int64_t)(y * w->stride) + a - w->padding;
                        const int64_t s = (int64_t)(x * w->stride) + b - w->padding;
                        assert_true(i < in_channels);
                        if (r < 0 || s < 0 || r >= flow->shape.height || s >= flow->shape.width) {
                            continue;
                        }
                        at = (((size_t)i * flow->shape.height) + (size_t)r) * flow->shape.width +
                             (size_t)s;
                    }
                    sum += weight * flow->values[at];
                }
                out[((o * layer->shape.height) + y) * layer->shape.width + x] = sum;
            }
        }
    }
    memcpy(flow->values, out, sizeof out);
    flow->step = flow_scale(flow);
    flow->weight_scale = scale;
    flow->pooled = 1;
    flow->bias = p->bias;
    flow->shape = layer->shape;
}

static void flow_pool(Flow *flow, const LutraLayer *layer) {
    static float out[4096];
    const uint32_t k = layer->u.pool.kernel;
    const uint32_t stride = layer->u.pool.stride;
    for (uint32_t c = 0; c < layer->shape.channels; c++) {
        for (uint32_t y = 0; y < layer->shape.height; y++) {
            for (uint32_t x = 0; x < layer->shape.width; x++) {
                float sum = 0.0f;
                for (uint32_t a = 0; a < k * k; a++) {
                    const uint32_t r = (y * stride) + (a / k);
                    const uint32_t s = (x * stride) + (a % k);
                    sum += flow->values[((c * flow->shape.height) + r) * flow->shape.width + s];
                }
                out[((c * layer->shape.height) + y) * layer->shape.width + x] = sum;
            }
        }
    }
    memcpy(flow->values, out, sizeof out);
    flow->pooled *= k * k;
    flow->shape = layer->shape;
}

static void flow_max(Flow *flow, const LutraLayer *layer) {
    static float out[4096];
    const uint32_t k = layer->u.pool.kernel;
    const uint32_t stride = layer->u.pool.stride;
    for (uint32_t c = 0; c < layer->shape.channels; c++) {
        for (uint32_t y = 0; y < layer->shape.height; y++) {
            for (uint32_t x = 0; x < layer->shape.width; x++) {
                float best = -1e30f;
                for (uint32_t a = 0; a < k * k; a++) {
                    const uint32_t r = (y * stride) + (a / k);
                    const uint32_t s = (x * stride) + (a % k);
                    best = fmaxf(best, flow->values[((c * flow->shape.height) + r) *
                                                        flow->shape.width + s]);
                }
                out[((c * layer->shape.height) + y) * layer->shape.width + x] = best;
            }
        }
    }
    memcpy(flow->values, out, sizeof out);
    flow->shape = layer->shape;
}

static float flow_real(const Flow *flow, size_t i) {
    const size_t area = (size_t)flow->shape.height * flow->shape.width;
    const float z = flow->values[i] * flow_scale(flow);
    return flow->bias == NULL ? z : z + flow->bias[i / area];
}

static float flow_norm(float z, const LutraLayer *layer, const LutraLayerParameters *p, size_t c) {
    const float inverse = 1.0f / sqrtf(p->running_variance[c] + layer->u.norm.epsilon);
    return ((z - p->running_mean[c]) * inverse) * p->gamma[c] + p->beta[c];
}

/* What a table writes for a code of an activation: before a max_pool powers that add up. */
static int32_t written_code(int32_t code, const LutraLayer *activation) {
    const LutraLayer *next = activation + 1; /* an activation is never the last layer */
    const int32_t level = code - activation->u.activation.code_min;
    if (next->kind != LUTRA_LAYER_MAX_POOL) {
        return code;
    }
    const double base = (double)(next->u.pool.kernel * next->u.pool.kernel) + 1.0;
    return level == 0 ? 0 : (int32_t)lround(pow(base, level - 1));
}

/* Codes of every activation (appended to codes) and the logits. */
static void run_float(float *logits, int32_t *codes, const LutraModel *model,
                      const uint8_t *pixels) {
    static Flow flow;
    const LutraLayer *norm = NULL;
    const LutraLayerParameters *norm_parameters = NULL;
    for (uint32_t l = 0; l < model->network.layer_count; l++) {
        const LutraLayer *layer = &model->network.layers[l];
        const LutraLayerParameters *p = &model->layers[l];
        const size_t count = lutra_shape_elements(layer->shape);
        const size_t area = (size_t)layer->shape.height * layer->shape.width;
        assert_true(count <= 4096);
        LutraQuantizer quantizer = layer->kind == LUTRA_LAYER_INPUT ? layer->u.input.quantizer
                                                                    : layer->u.activation;
        if (p->threshold != NULL) { /* 5 bits, signed or not */
            quantizer.step = p->threshold[0] / (layer->coding.divisor == 31.0f ? 31.0f : 16.0f);
        }
        switch (layer->kind) {
        case LUTRA_LAYER_INPUT: {
            const LutraInputLayer *in = &layer->u.input;
            const float span = in->range_max - in->range_min;
            for (size_t i = 0; i < count; i++) {
                float x = in->range_min + (span * (float)pixels[i]) / 255.0f;
                x = in->mean_count > 1 ? x - in->mean[i / area] : x;
                x = in->deviation_count == 1 ? x / in->deviation[0] : x;
                flow.values[i] = (float)lutra_quantizer_code(&quantizer, x);
            }
            flow.step = quantizer.step;
            flow.weight_scale = 1.0f;
            flow.pooled = 1;
            flow.bias = NULL;
            flow.shape = layer->shape;
            break;
        }
        case LUTRA_LAYER_CONV:
        case LUTRA_LAYER_LINEAR:
            flow_weights(&flow, layer, p);
            break;
        case LUTRA_LAYER_AVERAGE_POOL:
            flow_pool(&flow, layer);
            break;
        case LUTRA_LAYER_BATCH_NORM:
            norm = layer;
            norm_parameters = p;
            break;
        case LUTRA_LAYER_ACTIVATION:
            for (size_t i = 0; i < count; i++) {
                float z = flow_real(&flow, i);
                if (norm != NULL) {
                    z = flow_norm(z, norm, norm_parameters, i / area);
                }
                z = layer->coding.relu && z < 0.0f ? 0.0f : z;
                flow.values[i] = (float)lutra_quantizer_code(&quantizer, z);
                *codes++ = written_code((int32_t)flow.values[i], layer);
            }
            norm = NULL;
            flow.step = quantizer.step;
            flow.weight_scale = 1.0f;
            flow.pooled = 1;
            flow.bias = NULL;
            break;
        case LUTRA_LAYER_MAX_POOL:
            flow_max(&flow, layer);
            for (size_t i = 0; i < count; i++) {
                *codes++ = (int32_t)flow.values[i];
            }
            break;
        case LUTRA_LAYER_TENSOR_NORM:
            break;
        }
    }
    const uint32_t last = model->network.layer_count - 1;
    const LutraLayer *end = &model->network.layers[last];
    for (uint32_t c = 0; c < model->network.class_count; c++) {
        const float z = flow_real(&flow, c);
        logits[c] = end->kind == LUTRA_LAYER_TENSOR_NORM
                        ? flow_norm(z, end, &model->layers[last], 0)
                        : z;
    }
}

static const char *const MIXED =
    "[network]\nname = mixed\nclasses = 3\n"
    "[in]\ntype = input\nshape = 2x13x11\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[c1]\ntype = conv\nchannels = 5\nkernel = 3\npadding = 1\nstride = 2\nbias = yes\n"
    "weight_codes = -7..7\nweight_scale = max\n"
    "[n1]\ntype = batch_norm\n"
    "[a1]\ntype = activation\ncodes = -3..3\nstep = 1/3\n"
    "[c2]\ntype = conv\nchannels = 6\nkernel = 2\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[p2]\ntype = average_pool\nkernel = 3\nstride = 1\n"
    "[n2]\ntype = batch_norm\nepsilon = 0.001\n"
    "[a2]\ntype = activation\ncodes = 0..6\nstep = 0.4\n"
    "[p3]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[a3]\ntype = activation\ncodes = 0..5\nstep = 0.3\n"
    "[f1]\ntype = linear\nfeatures = 7\nweight_codes = -3..3\nweight_scale = max\nbias = yes\n"
    "[a4]\ntype = activation\ncodes = -2..2\nstep = 0.7\n"
    "[out]\ntype = linear\nfeatures = 3\nweight_codes = -2..3\nweight_scale = max\nbias = yes\n";

/* A pool after a biased convolution's codes, and pools right before weights. */
static const char *const POOLS =
    "[network]\nname = pools\nclasses = 3\n"
    "[in]\ntype = input\nshape = 1x12x12\nrange = 0..1\ncodes = 0..7\nstep = 1/7\n"
    "[p0]\ntype = average_pool\nkernel = 3\n"
    "[c]\ntype = conv\nchannels = 4\nkernel = 1\nweight_codes = -3..3\nweight_scale = max\n"
    "bias = yes\n"
    "[a]\ntype = activation\ncodes = -2..2\nstep = 0.25\n"
    "[p1]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[b]\ntype = activation\ncodes = -3..3\nstep = 0.1\n"
    "[p2]\ntype = average_pool\nkernel = 3\n"
    "[out]\ntype = linear\nfeatures = 3\nweight_codes = -2..3\nweight_scale = max\n";

/* Maximum pools of two, three and four levels, overlapping ones too. */
static const char *const MAXIMA =
    "[network]\nname = maxima\nclasses = 3\n"
    "[in]\ntype = input\nshape = 1x14x14\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[c]\ntype = conv\nchannels = 4\nkernel = 3\nweight_codes = -3..3\nweight_scale = max\n"
    "[n]\ntype = batch_norm\n"
    "[a]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[m]\ntype = max_pool\nkernel = 2\n"
    "[d]\ntype = conv\nchannels = 5\nkernel = 2\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[o]\ntype = batch_norm\n"
    "[b]\ntype = activation\ncodes = 0..3\nstep = 0.5\n"
    "[p]\ntype = max_pool\nkernel = 2\nstride = 1\n"
    "[q]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[e]\ntype = activation\ncodes = 0..1\nstep = 0.7\n"
    "[r]\ntype = max_pool\nkernel = 3\nstride = 1\n"
    "[out]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n"
    "bias = yes\n";

/* Learned steps, ReLU on signed and unsigned codes, normalised pixels, a maximum. */
static const char *const LEARNED =
    "[network]\nname = learned\nclasses = 3\n"
    "[in]\ntype = input\nshape = 2x9x9\nrange = 0..1\nmean = 0.4, 0.6\ndeviation = 0.3\n"
    "codes = -16..15\nstep = learned\n"
    "[c1]\ntype = conv\nchannels = 4\nkernel = 3\npadding = 1\nbias = yes\n"
    "weight_codes = -15..15\nweight_scale = max\n"
    "[r1]\ntype = activation\nfunction = relu\ncodes = -16..15\nstep = learned\n"
    "[p1]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[a1]\ntype = activation\ncodes = -16..15\nstep = learned\n"
    "[c2]\ntype = conv\nchannels = 5\nkernel = 2\nbias = yes\nweight_codes = -7..7\n"
    "weight_scale = max\n"
    "[r2]\ntype = activation\nfunction = relu\ncodes = 0..31\nstep = learned\n"
    "[c3]\ntype = conv\nchannels = 3\nkernel = 2\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[n3]\ntype = batch_norm\n"
    "[r3]\ntype = activation\nfunction = relu\ncodes = 0..2\nstep = 0.4\n"
    "[m]\ntype = max_pool\nkernel = 2\n"
    "[out]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = -15..15\n"
    "weight_scale = max\n";

static void circuits_give_the_codes_and_logits_of_the_network(void **state) {
    (void)state;
    static const char *const texts[5] = {TINY, MIXED, POOLS, MAXIMA, LEARNED};
    for (uint32_t t = 0; t < 5; t++) {
        size_t distinct = 0;
        for (uint64_t seed = 1; seed <= 5; seed++) {
            LutraModel model = {0};
            LutraCircuit circuit = {0};
            make_model(&model, texts[t], seed);
            shake_norms(&model, seed);
            lower(&circuit, &model, NULL, 0);
            for (uint32_t image = 0; image < 20; image++) {
                uint8_t pixels[286];
                int32_t codes[1024];
                float logits[2][3];
                for (uint32_t i = 0; i < 286; i++) {
                    pixels[i] = (uint8_t)lutra_random_below(check_key(image), i, 256);
                }
                run_float(logits[0], codes, &model, pixels);
                int32_t **values = run_circuit(&circuit, pixels, logits[1]);
                const int32_t *expected = codes;
                for (uint32_t i = 0; i < circuit.operation_count; i++) {
                    const LutraOperation *op = &circuit.operations[i];
                    if (op->kind == LUTRA_OPERATION_TABLE) {
                        const size_t count = lutra_shape_elements(op->shape);
                        check_equal_i32(values[i], expected, count);
                        for (size_t e = 1; e < count; e++) {
                            distinct += expected[e] != expected[0];
                        }
                        expected += count;
                    }
                }
                assert_memory_equal(logits[0], logits[1],
                                    circuit.class_count * sizeof(float));
                run_circuit_free(values, &circuit);
            }
            lutra_circuit_deinit(&circuit);
            lutra_model_deinit(&model);
        }
        assert_true(distinct > 40); /* the comparison is about something */
    }
}

static void static_ranges_are_those_of_the_simulator(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    const uint32_t rounding = 4;
    make_model(&model, MIXED, 3);
    shake_norms(&model, 3);
    lower(&circuit, &model, &rounding, 1);
    for (uint32_t i = 0; i + 1 < circuit.operation_count; i++) {
        const LutraOperation *op = &circuit.operations[i];
        const LutraOperation *x = &circuit.operations[op->inputs[0]];
        const LutraRange range = lutra_operation_static_range(op, x->shape, &x->static_range);
        assert_int_equal(op->static_range.min, range.min);
        assert_int_equal(op->static_range.max, range.max);
    }
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

/* Codes 8 .. 15 only: what padding adds is 0, which no pixel gives. */
static void padding_counts_in_static_ranges(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    make_model(&model,
               "[network]\nname = n\nclasses = 2\n"
               "[in]\ntype = input\nshape = 1x3x3\nrange = 0.52..1\ncodes = 0..15\nstep = 1/15\n"
               "[c]\ntype = conv\nchannels = 1\nkernel = 2\npadding = 1\nweight_codes = -1..1\n"
               "weight_scale = fixed\n"
               "[a]\ntype = activation\ncodes = 0..1\nstep = 1\n"
               "[f]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n", 1);
    for (int i = 0; i < 4; i++) {
        model.layers[1].weights[i] = 1.0f;
    }
    lower(&circuit, &model, NULL, 0);
    assert_int_equal(circuit.operations[0].static_range.min, 8);
    assert_int_equal(circuit.operations[1].static_range.min, 0);
    assert_int_equal(circuit.operations[1].static_range.max, 60);
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

/* ---- VGG9 ---- */

static void vgg9_has_its_counts_codes_and_tables(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraNetwork network = {0};
    LutraCircuit circuit = {0};
    LutraError error = {""};
    check_status(lutra_network_read(&network, "experiments/networks/vgg9.ini", &error), LUTRA_OK,
                 &error);
    check_status(lutra_model_create(&model, &network, 1, &error), LUTRA_OK, &error);
    shake_norms(&model, 1);
    lower(&circuit, &model, NULL, 0);
    assert_int_equal(lutra_circuit_pbs(&circuit), 158336);
    assert_int_equal(lutra_circuit_macs(&circuit), 59461376);
    assert_int_equal(find(&circuit, "act1")->u.table.entry_count,
                     1u << find(&circuit, "conv1")->encoding.bits);
    assert_true(find(&circuit, "conv1")->encoding.bits <= 13);
    assert_int_equal(find(&circuit, "pool1_act")->u.table.entry_count, 16);
    const int32_t *pool = find(&circuit, "pool1_act")->u.table.entries;
    assert_int_equal(find(&circuit, "pool1_act")->u.table.table_count, 1);
    for (int s = -8; s < 8; s++) {
        assert_int_equal(pool[s + 8], s >= 3 ? 1 : s <= -3 ? -1 : 0);
    }
    for (int32_t c = 0; c < 3; c++) {
        for (int32_t p = 0; p < 256; p++) {
            const int32_t code = p - 128 + (p >= 128);
            assert_int_equal(circuit.operations[0].u.input.code_of_pixel[(c * 256) + p],
                             code > 127 ? 127 : code);
        }
    }
    const LutraOperation *table = find(&circuit, "act1");
    const LutraLayerParameters *norm = &model.layers[2];
    for (uint32_t c = 0; c < 64; c++) {
        const int32_t *entries =
            table->u.table.entries +
            ((size_t)table->u.table.table_of_channel[c] * table->u.table.entry_count);
        const float inverse = 1.0f / sqrtf(norm->running_variance[c] + 1e-4f);
        for (uint32_t e = 0; e < table->u.table.entry_count; e++) {
            const float z = (float)((int32_t)e + table->u.table.first_input) * (1.0f / 128.0f);
            const float y =
                ((z - norm->running_mean[c]) * inverse) * norm->gamma[c] + norm->beta[c];
            const float code = fminf(fmaxf(rintf(y), -1.0f), 1.0f);
            assert_int_equal(entries[e], (int32_t)code);
        }
    }
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

/* ---- rounding ---- */

static void vgg11_has_its_counts(void **state) {
    (void)state;
    static const struct {
        const char *path;
        uint64_t lookups;
        uint64_t multiply_adds;
        uint32_t tables;
    } files[4] = {
        {"experiments/networks/vgg11.ini", 533056, 676312064, 14},
        {"experiments/networks/vgg11-unsigned.ini", 507456, 676312064, 12},
        {"experiments/networks/vgg11-cifar100.ini", 533056, 676358144, 14},
        {"experiments/networks/vgg11-cifar100-unsigned.ini", 507456, 676358144, 12},
    };
    const uint32_t rounding = 4;
    for (size_t f = 0; f < 4; f++) {
        LutraNetwork network = {0};
        LutraModel model = {0};
        LutraCircuit circuit = {0};
        LutraError error = {""};
        check_status(lutra_network_read(&network, files[f].path, &error), LUTRA_OK, &error);
        check_status(lutra_model_create(&model, &network, 1, &error), LUTRA_OK, &error);
        shake_norms(&model, 1);
        lower(&circuit, &model, &rounding, 1);
        assert_int_equal(lutra_circuit_pbs(&circuit), files[f].lookups);
        assert_int_equal(lutra_circuit_macs(&circuit), files[f].multiply_adds);
        assert_int_equal(lutra_network_table_count(&model.network), files[f].tables);
        lutra_circuit_deinit(&circuit);
        lutra_model_deinit(&model);
    }
}

/* The float network has the layers of the quantized one, and none that it has not. */
static void vgg11_begins_as_float(void **state) {
    (void)state;
    static const char *const files[6] = {
        "experiments/networks/vgg11-float.ini", "experiments/networks/vgg11.ini",
        "experiments/networks/vgg11-unsigned.ini", "experiments/networks/vgg11-cifar100-float.ini",
        "experiments/networks/vgg11-cifar100.ini",
        "experiments/networks/vgg11-cifar100-unsigned.ini"};
    for (size_t f = 0; f < 6; f++) {
        LutraNetwork network = {0};
        LutraNetwork quantized = {0};
        LutraError error = {""};
        uint32_t weighted = 0;
        check_status(lutra_network_read(&network, files[f - (f % 3)], &error), LUTRA_OK, &error);
        check_status(lutra_network_read(&quantized, files[f], &error), LUTRA_OK, &error);
        for (uint32_t i = 0; i < quantized.layer_count; i++) {
            for (uint32_t j = 0; j < network.layer_count; j++) {
                const bool same = strcmp(network.layers[j].name, quantized.layers[i].name) == 0;
                const size_t count = lutra_layer_weight_count(&network.layers[j]);
                weighted += same && count > 0 ? 1u : 0u;
                assert_true(!same || count == lutra_layer_weight_count(&quantized.layers[i]));
                assert_true(!same || lutra_shape_equal(network.layers[j].shape,
                                                       quantized.layers[i].shape));
            }
        }
        assert_int_equal(weighted, 9);
        lutra_network_deinit(&network);
        lutra_network_deinit(&quantized);
    }
}

static void rounding_drops_bits_before_each_table(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit plain = {0};
    LutraCircuit circuit = {0};
    const uint32_t rounding[4] = {5, LUTRA_ROUNDING_NONE, 3, 16};
    make_model(&model, MIXED, 2);
    shake_norms(&model, 2);
    lower(&plain, &model, NULL, 0);
    lower(&circuit, &model, rounding, 4);
    assert_int_equal(circuit.operation_count, plain.operation_count + 2);
    const LutraOperation *round = find(&circuit, "a1_round");
    const LutraOperation *table = find(&circuit, "a1");
    const LutraOperation *before = find(&plain, "a1");
    const uint32_t bits = find(&plain, "c1")->encoding.bits;
    const uint32_t dropped = bits - 5;
    assert_int_equal(find(&circuit, "c1")->encoding.bits, bits);
    assert_int_equal(round->u.round.dropped_bits, dropped);
    assert_int_equal(round->u.round.mode, LUTRA_ROUNDING_APPROXIMATE);
    assert_null(round->u.round.offsets);
    assert_int_equal(round->encoding.bits, 5);
    assert_int_equal(table->u.table.entry_count, 32);
    assert_int_equal(table->u.table.first_input, -16);
    /* bucket b holds what the plain table holds at b * 2^t */
    for (uint32_t c = 0; c < 5; c++) {
        for (int32_t b = -16; b < 16; b++) {
            uint64_t outside = 0;
            assert_int_equal(lutra_table_lookup(&table->u.table, c, b, &outside),
                             lutra_table_lookup(&before->u.table, c, b * (1 << dropped),
                                                &outside));
            assert_int_equal(outside, 0);
        }
    }
    assert_int_equal(find(&circuit, "a3")->u.table.entry_count, 8);
    assert_int_equal(find(&circuit, "a2")->u.table.entry_count,
                     find(&plain, "a2")->u.table.entry_count);
    lutra_circuit_deinit(&plain);
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

/* Every sum of a protected circuit rounds to a bucket that its table has; where that was so before,
 * nothing changes, elsewhere the table reads one bit more. */
static void protection_gives_a_bit_where_sums_round_up_beyond_the_end(void **state) {
    (void)state;
    LutraModel model = {0};
    uint32_t met[2] = {0};
    make_model(&model, MIXED, 2);
    shake_norms(&model, 2);
    for (uint32_t bits = 1; bits <= 9; bits++) {
        LutraCircuit plain = {0};
        LutraCircuit circuit = {0};
        LutraLowerSettings settings;
        LutraError error = {""};
        lower(&plain, &model, &bits, 1);
        lutra_lower_default(&settings);
        assert_false(settings.overflow_protected);
        settings.rounding = &bits;
        settings.rounding_count = 1;
        settings.overflow_protected = true;
        check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_OK, &error);
        assert_int_equal(circuit.operation_count, plain.operation_count);
        for (uint32_t i = 0; i < plain.operation_count; i++) {
            const LutraOperation *before = &plain.operations[i];
            const LutraOperation *after = &circuit.operations[i];
            if (before->kind != LUTRA_OPERATION_ROUND) {
                continue;
            }
            const bool fits = lutra_encoding_holds(before->encoding, before->static_range.min) &&
                              lutra_encoding_holds(before->encoding, before->static_range.max);
            met[fits]++;
            assert_int_equal(before->encoding.bits, bits);
            assert_int_equal(after->encoding.bits, bits + !fits);
            assert_int_equal(after->u.round.dropped_bits, before->u.round.dropped_bits);
            assert_true(lutra_encoding_holds(after->encoding, after->static_range.min));
            assert_true(lutra_encoding_holds(after->encoding, after->static_range.max));
        }
        lutra_circuit_deinit(&plain);
        lutra_circuit_deinit(&circuit);
    }
    assert_true(met[0] > 0 && met[1] > 0);
    lutra_model_deinit(&model);
}

static void names_of_roundings_avoid_those_of_layers(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    const uint32_t rounding = 2;
    make_model(&model,
               "[network]\nname = n\nclasses = 2\n"
               "[output]\ntype = input\nshape = 1x2x2\nrange = 0..1\ncodes = 0..3\nstep = 1/3\n"
               "[a_round]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\n"
               "weight_scale = fixed\n"
               "[a]\ntype = activation\ncodes = 0..1\nstep = 1\n"
               "[f]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n", 1);
    lower(&circuit, &model, &rounding, 1);
    assert_string_equal(circuit.operations[2].name, "a_round2");
    assert_string_equal(circuit.operations[5].name, "output2");
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

/* ---- refusals ---- */

static void impossible_requests_are_refused(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    LutraError error = {""};
    LutraLowerSettings settings;
    const uint32_t rounding[3] = {5, 5, 17};
    lutra_lower_default(&settings);
    make_tiny(&model);
    settings.rounding = rounding;
    settings.rounding_count = 3;
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_EINVAL, &error);
    assert_non_null(strstr(error.message, "3 rounding widths for the 1 tables"));
    settings.rounding = rounding + 2;
    settings.rounding_count = 1;
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_EINVAL, &error);
    settings.rounding_count = 0;
    LutraRange ranges[3] = {{0, 1}};
    const LutraCalibration wrong = {.count = 3, .ranges = ranges};
    check_status(lutra_lower(&circuit, &model, &wrong, &settings, &error), LUTRA_EINVAL, &error);
    model.layers[2].gamma[1] = NAN;
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "layer 'norm' has a parameter that is not finite"));
    assert_null(circuit.operations);
    lutra_model_deinit(&model);
}

static const char *const WIDE =
    "[network]\nname = wide\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x%s\nrange = 0..1\ncodes = 0..255\nstep = 1/255\n"
    "[f]\ntype = linear\nfeatures = 2\nweight_codes = -127..127\nweight_scale = max\n"
    "[a]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[o]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n";

static void make_wide(LutraModel *model, const char *extent, float weight) {
    char text[1024];
    snprintf(text, sizeof text, WIDE, extent);
    make_model(model, text, 1);
    for (size_t i = 0; i < lutra_layer_weight_count(&model->network.layers[1]); i++) {
        model->layers[1].weights[i] = i % 2 == 0 ? weight : -weight;
    }
}

static void too_wide_sums_are_refused(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    LutraError error = {""};
    LutraLowerSettings settings;
    const uint32_t rounding = 6;
    lutra_lower_default(&settings);
    make_wide(&model, "2x8", 1.0f); /* +-8 * 127 * 255 = 259,080: 19 bits */
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_EINFEASIBLE,
                 &error);
    assert_non_null(strstr(error.message, "the table of layer 'a' would read 19 bits; at most 16"));
    settings.rounding = &rounding;
    settings.rounding_count = 1;
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(circuit.operations[2].u.round.dropped_bits, 13);
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
    make_wide(&model, "37x28", 1.0f); /* 518 * 127 * 255 = 16,775,430 <= 2^24 */
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_OK, &error);
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
    make_wide(&model, "40x26", 1.0f);
    check_status(lutra_lower(&circuit, &model, NULL, &settings, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "sums of layer 'f' can reach -16840200 .. 16840200"));
    lutra_model_deinit(&model);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tiny_network_is_lowered_as_by_hand),
        cmocka_unit_test(circuits_give_the_codes_and_logits_of_the_network),
        cmocka_unit_test(static_ranges_are_those_of_the_simulator),
        cmocka_unit_test(padding_counts_in_static_ranges),
        cmocka_unit_test(vgg9_has_its_counts_codes_and_tables),
        cmocka_unit_test(vgg11_has_its_counts),
        cmocka_unit_test(vgg11_begins_as_float),
        cmocka_unit_test(rounding_drops_bits_before_each_table),
        cmocka_unit_test(protection_gives_a_bit_where_sums_round_up_beyond_the_end),
        cmocka_unit_test(names_of_roundings_avoid_those_of_layers),
        cmocka_unit_test(impossible_requests_are_refused),
        cmocka_unit_test(too_wide_sums_are_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("lower", tests, NULL, NULL);
}
