/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The norm is found by walking back from one element of the result: a "way" holds, for every
 * element that the walk has reached, how often it counts. Windows grow as the walk goes back; where
 * they leave the image their elements count too, which can only enlarge the norm.
 */
#include "sim/weight_norm.h"

#include <math.h>

#include "base/memory.h"

typedef struct {
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    double *counts; /* (channels, height, width), owned */
} Way;

typedef struct {
    const LutraCircuit *circuit;
    double table_squares;
    double client_squares;
    LutraError *error;
} Walk;

static LutraStatus way_init(Way *way, uint32_t channels, uint32_t height, uint32_t width,
                            LutraError *error) {
    size_t area = 0;
    size_t count = 0;
    if (lutra_size_mul(&area, height, width) != LUTRA_OK ||
        lutra_size_mul(&count, area, channels) != LUTRA_OK) {
        return lutra_error_set(error, LUTRA_ENOMEM, "a window of %u x %u is too large", height,
                               width);
    }
    *way = (Way){channels, height, width, NULL};
    return lutra_alloc(&way->counts, count, sizeof *way->counts, error);
}

static double *way_at(const Way *way, size_t channel, size_t row, size_t column) {
    return &way->counts[(((channel * way->height) + row) * way->width) + column];
}

static LutraStatus back_through_pool(Way *in, const Way *out, const LutraSumPoolOperation *pool,
                                     LutraError *error) {
    const uint32_t k = pool->kernel;
    LUTRA_TRY(way_init(in, out->channels, ((out->height - 1) * pool->stride) + k,
                       ((out->width - 1) * pool->stride) + k, error));
    for (size_t c = 0; c < out->channels; c++) {
        for (size_t y = 0; y < out->height; y++) {
            for (size_t x = 0; x < out->width; x++) {
                const double count = *way_at(out, c, y, x);
                for (size_t i = 0; count != 0.0 && i < (size_t)k * k; i++) {
                    *way_at(in, c, (y * pool->stride) + (i / k), (x * pool->stride) + (i % k)) +=
                        count;
                }
            }
        }
    }
    return LUTRA_OK;
}

/* Adds one output element's weights. */
static void spread_conv(Way *in, const LutraConvOperation *conv, const int8_t *weights, size_t row,
                        size_t column, double count) {
    const size_t k = conv->kernel;
    for (size_t i = 0; i < conv->in_channels; i++) {
        for (size_t a = 0; a < k; a++) {
            double *line = way_at(in, i, row + a, column);
            for (size_t b = 0; b < k; b++) {
                line[b] += count * weights[(((i * k) + a) * k) + b];
            }
        }
    }
}

static LutraStatus back_through_conv(Way *in, const Way *out, const LutraConvOperation *conv,
                                     LutraError *error) {
    const size_t per_output = (size_t)conv->in_channels * conv->kernel * conv->kernel;
    LUTRA_TRY(way_init(in, conv->in_channels, ((out->height - 1) * conv->stride) + conv->kernel,
                       ((out->width - 1) * conv->stride) + conv->kernel, error));
    for (size_t o = 0; o < out->channels; o++) {
        for (size_t y = 0; y < out->height; y++) {
            for (size_t x = 0; x < out->width; x++) {
                const double count = *way_at(out, o, y, x);
                if (count != 0.0) {
                    spread_conv(in, conv, conv->weights + (o * per_output), y * conv->stride,
                                x * conv->stride, count);
                }
            }
        }
    }
    return LUTRA_OK;
}

static LutraStatus back_through_linear(Way *in, const Way *out, const LutraLinearOperation *linear,
                                       LutraShape shape, LutraError *error) {
    LUTRA_TRY(way_init(in, shape.channels, shape.height, shape.width, error));
    for (size_t o = 0; o < out->channels; o++) {
        /* a vector has one element per channel; windows around it read nothing else */
        for (size_t e = 0; e < (size_t)out->height * out->width; e++) {
            const double count = out->counts[(o * out->height * out->width) + e];
            for (size_t i = 0; count != 0.0 && i < linear->in_features; i++) {
                in->counts[i] += count * linear->weights[(o * linear->in_features) + i];
            }
        }
    }
    return LUTRA_OK;
}

static double sum_squares(const Way *way) {
    const size_t count = (size_t)way->channels * way->height * way->width;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += way->counts[i] * way->counts[i];
    }
    return sum;
}

static bool is_source(const LutraOperation *operation) {
    return operation->kind == LUTRA_OPERATION_INPUT || operation->kind == LUTRA_OPERATION_TABLE ||
           operation->in_clear;
}

/* Walks from the results of operation `index` back to the values that hold fresh noise. */
static LutraStatus walk_back(Walk *walk, uint32_t index, const Way *way) {
    const LutraOperation *operation = &walk->circuit->operations[index];
    Way in = {0};
    if (is_source(operation)) {
        const bool client = operation->kind != LUTRA_OPERATION_TABLE || operation->in_clear;
        *(client ? &walk->client_squares : &walk->table_squares) += sum_squares(way);
        return LUTRA_OK;
    }
    const uint32_t before = operation->inputs[0];
    switch (operation->kind) {
    case LUTRA_OPERATION_ROUND:
        return walk_back(walk, before, way);
    case LUTRA_OPERATION_ADD:
        LUTRA_TRY(walk_back(walk, before, way));
        return walk_back(walk, operation->inputs[1], way);
    case LUTRA_OPERATION_SUM_POOL:
        LUTRA_TRY(back_through_pool(&in, way, &operation->u.sum_pool, walk->error));
        break;
    case LUTRA_OPERATION_CONV:
        LUTRA_TRY(back_through_conv(&in, way, &operation->u.conv, walk->error));
        break;
    case LUTRA_OPERATION_LINEAR:
        LUTRA_TRY(back_through_linear(&in, way, &operation->u.linear,
                                      walk->circuit->operations[before].shape, walk->error));
        break;
    default:
        LUTRA_ASSERT(!"an encrypted operation");
    }
    const LutraStatus status = walk_back(walk, before, &in);
    lutra_free(&in.counts);
    return status;
}

LutraStatus lutra_circuit_norm(LutraWeightNorm *norm, const LutraCircuit *circuit, uint32_t index,
                               LutraError *error) {
    const uint32_t before = circuit->operations[index].inputs[0];
    const uint32_t channels = circuit->operations[before].shape.channels;
    double tables = 0.0;
    double client = 0.0;
    Way way = {0};
    LutraStatus status = way_init(&way, channels, 1, 1, error);
    for (uint32_t c = 0; status == LUTRA_OK && c < channels; c++) {
        Walk walk = {circuit, 0.0, 0.0, error};
        way.counts[c] = 1.0;
        status = walk_back(&walk, before, &way);
        way.counts[c] = 0.0;
        tables = fmax(tables, walk.table_squares);
        client = fmax(client, walk.client_squares);
    }
    lutra_free(&way.counts);
    if (status == LUTRA_OK) {
        *norm = (LutraWeightNorm){sqrt(tables), sqrt(client)};
    }
    return status;
}
