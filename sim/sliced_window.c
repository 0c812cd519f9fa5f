/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of bit-sliced execution: which elements each result of linear, conv and sum_pool adds and
 * which it subtracts. */
#include "base/memory.h"
#include "sim/sliced_priv.h"

enum { MAX_TAP_PLANES = 10 }; /* inputs of more planes are faster image by image */

/** Weights of one channel, in the order of the result's taps; a pool has none: all are 1. */
typedef struct {
    const int8_t *weights; /* (channels, taps) or NULL */
    size_t taps;           /* of one channel, zeros included */
} Weights;

static Weights weights_of(const LutraOperation *op) {
    switch (op->kind) {
        case LUTRA_OPERATION_LINEAR:
            return (Weights){op->u.linear.weights, op->u.linear.in_features};
        case LUTRA_OPERATION_CONV: {
            const LutraConvOperation *const conv = &op->u.conv;
            return (Weights){conv->weights,
                             (size_t)conv->in_channels * conv->kernel * conv->kernel};
        }
        case LUTRA_OPERATION_SUM_POOL:
            return (Weights){NULL, (size_t)op->u.sum_pool.kernel * op->u.sum_pool.kernel};
        default: break;
    }
    LUTRA_ASSERT(!"an operation with windows");
    return (Weights){NULL, 0};
}

bool lutra_sliced_window_applies(const LutraOperation *op, const SlicedValue *x) {
    const Weights of = weights_of(op);
    const size_t count = of.weights == NULL ? 0 : of.taps * op->shape.channels;
    for (size_t i = 0; i < count; i++) {
        if (of.weights[i] < -1 || of.weights[i] > 1) {
            return false;
        }
    }
    return x->planes <= MAX_TAP_PLANES && x->bytes <= UINT32_MAX;
}

/** One input of a window. */
typedef struct {
    uint32_t offset; /* bytes from the window's first pixel */
    uint32_t weight; /* its place among a channel's weights */
} Tap;

/** All inputs of a window, in the order of their addresses. */
static LutraStatus list_inputs(Tap **inputs, const LutraOperation *op, const SlicedValue *x,
                               LutraError *error) {
    const bool linear = op->kind == LUTRA_OPERATION_LINEAR;
    const bool conv = op->kind == LUTRA_OPERATION_CONV;
    const size_t kernel = conv ? op->u.conv.kernel : linear ? 0 : op->u.sum_pool.kernel;
    const size_t height = linear ? x->shape.height : kernel;
    const size_t width = linear ? x->shape.width : kernel;
    const size_t channels = linear || conv ? x->shape.channels : 1;
    Tap *made = NULL;
    size_t count = 0;
    LUTRA_TRY(lutra_alloc(&made, height * width * channels, sizeof(Tap), error));
    for (size_t row = 0; row < height; row++) {
        for (size_t column = 0; column < width; column++) {
            for (size_t c = 0; c < channels; c++) {
                made[count++] = (Tap){.offset = (uint32_t)(row * x->row_bytes +
                                                           column * x->pixel_bytes +
                                                           c * x->element_bytes),
                                      .weight = (uint32_t)((c * height + row) * width + column)};
            }
        }
    }
    *inputs = made;
    return LUTRA_OK;
}

/** Notes the inputs of one channel whose weights are not 0 behind `taps`, where there is room
 * for one more, and returns how many there are. */
static size_t fill_dot(LutraSlicedDot *dot, uint32_t *taps, const Tap *inputs,
                       const LutraOperation *op, const SlicedValue *y, const SlicedValue *x,
                       size_t channel) {
    const Weights of = weights_of(op);
    const int8_t *const weights = of.weights == NULL ? NULL : of.weights + channel * of.taps;
    size_t count = 0;
    /* the place behind the last tap is written too: cheaper than foreseeing random signs */
    for (size_t i = 0; weights != NULL && i < of.taps; i++) {
        taps[count] = inputs[i].offset;
        count += weights[inputs[i].weight] < 0;
    }
    dot->subtracted = (uint32_t)count;
    /* there and back: the window's end is still in the cache where the way back begins */
    for (size_t i = of.taps; i-- > 0;) {
        taps[count] = inputs[i].offset;
        count += weights == NULL || weights[inputs[i].weight] > 0;
    }
    dot->added = (uint32_t)count - dot->subtracted;
    /* codes are x - low: sum of weight * x = sum of weight * code + low * sum of weights */
    const int64_t weight_sum = (int64_t)dot->added - dot->subtracted;
    dot->start = (uint32_t)(x->range.min * weight_sum - y->range.min);
    dot->planes = y->planes;
    dot->x_planes = x->planes < y->planes ? x->planes : y->planes;
    dot->ternary = x->range.max - x->range.min == 2;
    dot->taps = taps;
    return count;
}

static size_t count_taps(const LutraOperation *op) {
    const Weights of = weights_of(op);
    if (of.weights == NULL) {
        return of.taps;
    }
    size_t count = 0;
    for (size_t i = 0; i < of.taps * op->shape.channels; i++) {
        count += of.weights[i] != 0;
    }
    return count;
}

LutraStatus lutra_sliced_window_prepare(SlicedWindow *window, const LutraOperation *op,
                                        const SlicedValue *y, const SlicedValue *x,
                                        LutraError *error) {
    const uint32_t channels = op->shape.channels;
    Tap *inputs = NULL;
    LUTRA_TRY(lutra_alloc(&window->dots, channels, sizeof(LutraSlicedDot), error));
    LUTRA_TRY(lutra_alloc(&window->taps, count_taps(op) + 1, sizeof(uint32_t), error));
    LUTRA_TRY(list_inputs(&inputs, op, x, error));
    window->margin = x->border;
    window->window_stride = 1;
    if (op->kind == LUTRA_OPERATION_CONV) {
        window->margin -= op->u.conv.padding;
        window->window_stride = op->u.conv.stride;
    } else if (op->kind == LUTRA_OPERATION_SUM_POOL) {
        window->window_stride = op->u.sum_pool.stride;
        window->channel_bytes = x->element_bytes;
    }
    uint32_t *taps = window->taps;
    for (uint32_t c = 0; c < channels; c++) {
        if (op->kind == LUTRA_OPERATION_SUM_POOL && c > 0) {
            window->dots[c] = window->dots[0];
        } else {
            taps += fill_dot(&window->dots[c], taps, inputs, op, y, x, c);
        }
    }
    lutra_free(&inputs);
    return LUTRA_OK;
}

void lutra_sliced_window_deinit(SlicedWindow *window) {
    lutra_free(&window->dots);
    lutra_free(&window->taps);
}
