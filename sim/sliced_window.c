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

/** Bytes from the window's first pixel to tap i of any channel. */
static uint32_t tap_offset(const LutraOperation *op, const SlicedValue *x, size_t i) {
    size_t channel = 0;
    size_t row = 0;
    size_t column = 0;
    if (op->kind == LUTRA_OPERATION_LINEAR) {
        const size_t plane = (size_t)x->shape.height * x->shape.width;
        channel = i / plane;
        row = i % plane / x->shape.width;
        column = i % x->shape.width;
    } else {
        const size_t kernel =
            op->kind == LUTRA_OPERATION_CONV ? op->u.conv.kernel : op->u.sum_pool.kernel;
        channel = i / (kernel * kernel);
        row = i / kernel % kernel;
        column = i % kernel;
    }
    return (uint32_t)(row * x->row_bytes + column * x->pixel_bytes + channel * x->element_bytes);
}

/** Notes the taps of one channel behind `taps` and returns how many there are. */
static size_t fill_dot(LutraSlicedDot *dot, uint32_t *taps, const LutraOperation *op,
                       const SlicedValue *y, const SlicedValue *x, size_t channel) {
    const Weights of = weights_of(op);
    const int8_t *const weights = of.weights == NULL ? NULL : of.weights + channel * of.taps;
    size_t count = 0;
    for (size_t i = 0; weights != NULL && i < of.taps; i++) {
        if (weights[i] < 0) {
            taps[count++] = tap_offset(op, x, i);
        }
    }
    dot->subtracted = (uint32_t)count;
    /* there and back: the window's end is still in the cache where the way back begins */
    for (size_t i = of.taps; i-- > 0;) {
        if (weights == NULL || weights[i] > 0) {
            taps[count++] = tap_offset(op, x, i);
        }
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
    LUTRA_TRY(lutra_alloc(&window->dots, channels, sizeof(LutraSlicedDot), error));
    LUTRA_TRY(lutra_alloc(&window->taps, count_taps(op), sizeof(uint32_t), error));
    window->margin = x->border;
    window->window_stride = 1;
    if (op->kind == LUTRA_OPERATION_CONV) {
        window->margin -= op->u.conv.padding;
        window->window_stride = op->u.conv.stride;
    } else if (op->kind == LUTRA_OPERATION_SUM_POOL) {
        window->window_stride = op->u.sum_pool.stride;
        window->channel_bytes = x->element_bytes;
        (void)fill_dot(&window->dots[0], window->taps, op, y, x, 0);
        for (uint32_t c = 1; c < channels; c++) {
            window->dots[c] = window->dots[0];
        }
        return LUTRA_OK;
    }
    uint32_t *taps = window->taps;
    for (uint32_t c = 0; c < channels; c++) {
        taps += fill_dot(&window->dots[c], taps, op, y, x, c);
    }
    return LUTRA_OK;
}

void lutra_sliced_window_deinit(SlicedWindow *window) {
    lutra_free(&window->dots);
    lutra_free(&window->taps);
}
