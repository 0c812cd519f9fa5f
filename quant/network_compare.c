/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/network_compare.h"

#include <string.h>

static bool same_quantizer(const LutraQuantizer *a, const LutraQuantizer *b) {
    return a->code_min == b->code_min && a->code_max == b->code_max && a->step == b->step;
}

static bool same_coding(const LutraCoding *a, const LutraCoding *b) {
    return a->is_float == b->is_float && a->learned == b->learned && a->relu == b->relu &&
           a->divisor == b->divisor;
}

static bool same_statistics(const float *a, uint32_t a_count, const float *b, uint32_t b_count) {
    bool same = a_count == b_count;
    for (uint32_t i = 0; same && i < a_count; i++) {
        same = a[i] == b[i];
    }
    return same;
}

static bool same_input(const LutraInputLayer *a, const LutraInputLayer *b) {
    return a->range_min == b->range_min && a->range_max == b->range_max &&
           same_statistics(a->mean, a->mean_count, b->mean, b->mean_count) &&
           same_statistics(a->deviation, a->deviation_count, b->deviation, b->deviation_count) &&
           same_quantizer(&a->quantizer, &b->quantizer);
}

static bool same_weighted(const LutraWeightLayer *a, const LutraWeightLayer *b) {
    return a->kernel == b->kernel && a->stride == b->stride && a->padding == b->padding &&
           a->in_channels == b->in_channels && a->out_channels == b->out_channels &&
           a->bias == b->bias && a->quantizer.code_min == b->quantizer.code_min &&
           a->quantizer.code_max == b->quantizer.code_max &&
           a->quantizer.scale == b->quantizer.scale;
}

static bool same_layer(const LutraLayer *a, const LutraLayer *b) {
    if (strcmp(a->name, b->name) != 0 || a->kind != b->kind ||
        !lutra_shape_equal(a->shape, b->shape) || !same_coding(&a->coding, &b->coding)) {
        return false;
    }
    switch (a->kind) {
        case LUTRA_LAYER_INPUT: return same_input(&a->u.input, &b->u.input);
        case LUTRA_LAYER_CONV:
        case LUTRA_LAYER_LINEAR: return same_weighted(&a->u.weighted, &b->u.weighted);
        case LUTRA_LAYER_AVERAGE_POOL:
        case LUTRA_LAYER_MAX_POOL:
            return a->u.pool.kernel == b->u.pool.kernel && a->u.pool.stride == b->u.pool.stride;
        case LUTRA_LAYER_BATCH_NORM:
        case LUTRA_LAYER_TENSOR_NORM:
            return a->u.norm.epsilon == b->u.norm.epsilon &&
                   a->u.norm.momentum == b->u.norm.momentum;
        case LUTRA_LAYER_ACTIVATION: return same_quantizer(&a->u.activation, &b->u.activation);
    }
    return false;
}

bool lutra_network_same(const LutraNetwork *a, const LutraNetwork *b) {
    bool same = a->layer_count == b->layer_count;
    for (uint32_t i = 0; same && i < a->layer_count; i++) {
        same = same_layer(&a->layers[i], &b->layers[i]);
    }
    return same;
}
