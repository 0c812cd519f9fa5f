/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products: choice of the method, packing of weights, staging of the input, execution. */
#include <string.h>

#include "base/memory.h"
#include "sim/clear_priv.h"

enum {
    MAX_PAIR_LEVELS = 11, /* 2 * 11^2 pair indexes fit in a byte */
    MAX_PAIR_SUM = 24,    /* |w0 x0 + w1 x1|: at least 5 steps between two widenings */
    TWO_ZEROS = 4         /* index of the pair of weights (0, 0) */
};

typedef struct {
    const int8_t *weights;
    uint32_t in_channels;
    uint32_t height; /* of the window */
    uint32_t width;
} Window;

static Window window_of(const LutraOperation *op, const ClearValue *x) {
    if (op->kind == LUTRA_OPERATION_LINEAR) {
        return (Window){op->u.linear.weights, x->channels, x->height, x->width};
    }
    return (Window){op->u.conv.weights, x->channels, op->u.conv.kernel, op->u.conv.kernel};
}

static size_t window_weights(const Window *window) {
    return (size_t)window->in_channels * window->height * window->width;
}

static int32_t largest_weight(const LutraOperation *op, const Window *window) {
    int32_t largest = 0;
    for (size_t i = 0; i < op->shape.channels * window_weights(window); i++) {
        const int32_t w = window->weights[i] < 0 ? -window->weights[i] : window->weights[i];
        largest = w > largest ? w : largest;
    }
    return largest;
}

static bool fits_int16(LutraRange range) {
    return range.min >= -INT16_MAX && range.max <= INT16_MAX;
}

/** Largest distance of a code from `low`. */
static int64_t largest_code(const ClearValue *x) {
    return x->range.max - x->low;
}

static int64_t largest_magnitude(const ClearValue *x) {
    return -x->range.min > x->range.max ? -x->range.min : x->range.max;
}

DotMethod lutra_clear_dot_method(const ClearValue *x, const LutraOperation *op,
                                 LutraRange range) {
    const Window window = window_of(op, x);
    const int64_t weight = largest_weight(op, &window);
    if (x->format == VALUE_U8) {
        if (weight <= 1 && x->stride % 2 == 0 && largest_code(x) < MAX_PAIR_LEVELS &&
            2 * largest_magnitude(x) <= MAX_PAIR_SUM && fits_int16(range)) {
            return DOT_TERNARY;
        }
        if (2 * weight * largest_code(x) <= INT16_MAX) {
            return DOT_BYTES;
        }
    }
    return x->format == VALUE_I32 ? DOT_GENERAL : DOT_WORDS;
}

/**
 * Puts the weights of one place of the window into the step that holds it, for up to one block of
 * channels; the others there stay 0.
 *
 * @param place  of the code among those of the step
 * @param w      of the first channel; those of the next are `fan_in` further
 */
static void put_weights(uint8_t *step, DotMethod method, size_t place, const int8_t *w,
                        size_t fan_in, size_t channels) {
    switch (method) {
        case DOT_TERNARY: /* 3 * (w0 + 1) + (w1 + 1) */
            for (size_t c = 0; c < channels; c++) {
                step[c] = (uint8_t)(step[c] + (place == 0 ? 3 : 1) * w[c * fan_in]);
            }
            break;
        case DOT_BYTES:
            for (size_t c = 0; c < channels; c++) {
                ((int8_t *)step)[4 * c + place] = w[c * fan_in];
            }
            break;
        case DOT_WORDS:
            for (size_t c = 0; c < channels; c++) {
                ((int16_t *)(void *)step)[2 * c + place] = w[c * fan_in];
            }
            break;
        case DOT_GENERAL: break;
    }
}

/** One block of output channels from `first` on; `w` walks through the window as it is stored. */
static void pack_block(const ClearDot *dot, uint8_t *packed, const Window *window,
                       size_t x_stride, size_t first, size_t channels) {
    const size_t log2_lanes = dot->method == DOT_BYTES ? 2 : 1; /* of one step */
    const size_t fan_in = window_weights(window);
    const int8_t *w = window->weights + first * fan_in;
    for (size_t i = 0; i < window->in_channels; i++) {
        for (size_t a = 0; a < window->height; a++) {
            for (size_t b = 0; b < window->width; b++) {
                const size_t lane = b * x_stride + i;
                const size_t step = a * dot->task.row_steps + (lane >> log2_lanes);
                put_weights(packed + step * LUTRA_SIM_STEP_BYTES, dot->method,
                            lane & (((size_t)1 << log2_lanes) - 1), w++, fan_in, channels);
            }
        }
    }
}

static LutraStatus pack_weights(ClearDot *dot, const ClearValue *y, const Window *window,
                                size_t x_stride, LutraError *error) {
    const size_t block =
        dot->method == DOT_TERNARY ? LUTRA_SIM_TERNARY_CHANNELS : LUTRA_SIM_DOT_CHANNELS;
    const size_t blocks = (y->stride + block - 1) / block;
    const size_t steps = (size_t)dot->task.rows * dot->task.row_steps;
    size_t total = 0;
    LUTRA_TRY(lutra_size_mul(&total, blocks, steps));
    LUTRA_TRY(lutra_alloc(&dot->weights, total, LUTRA_SIM_STEP_BYTES, error));
    if (dot->method == DOT_TERNARY) {
        memset(dot->weights, TWO_ZEROS, total * LUTRA_SIM_STEP_BYTES);
    }
    for (size_t first = 0; first < y->channels; first += block) {
        pack_block(dot, (uint8_t *)dot->weights + first / block * steps * LUTRA_SIM_STEP_BYTES,
                   window, x_stride, first,
                   y->channels - first < block ? y->channels - first : block);
    }
    dot->task.weights = dot->weights;
    return LUTRA_OK;
}

/** DOT_GENERAL: (outputs, window rows, lanes of a row) as they are met. */
static LutraStatus pack_general(ClearDot *dot, const ClearValue *y, const Window *window,
                                size_t x_stride, LutraError *error) {
    const size_t lanes = window->width * x_stride;
    LUTRA_TRY(lutra_alloc(&dot->weights, (size_t)y->channels * window->height, lanes, error));
    const int8_t *w = window->weights;
    for (size_t o = 0; o < y->channels; o++) {
        int8_t *const rows = (int8_t *)dot->weights + o * window->height * lanes;
        for (size_t i = 0; i < window->in_channels; i++) {
            for (size_t a = 0; a < window->height; a++) {
                for (size_t b = 0; b < window->width; b++) {
                    rows[a * lanes + b * x_stride + i] = *w++;
                }
            }
        }
    }
    return LUTRA_OK;
}

/** Dot products of every pair of codes with every pair of ternary weights. */
static LutraStatus make_pair_tables(ClearDot *dot, const ClearValue *x, LutraError *error) {
    const int32_t levels = (int32_t)dot->levels;
    LUTRA_TRY(lutra_alloc(&dot->pair_tables, (size_t)levels * (size_t)levels, 16, error));
    int8_t *table = dot->pair_tables;
    for (int32_t a = x->low; a < x->low + levels; a++) {
        for (int32_t b = x->low; b < x->low + levels; b++) {
            for (int32_t w = 0; w < 9; w++) {
                table[w] = (int8_t)(a * (w / 3 - 1) + b * (w % 3 - 1));
            }
            table += 16;
        }
    }
    dot->task.pair_tables = dot->pair_tables;
    dot->task.pair_count = (uint32_t)(levels * levels);
    const int64_t magnitude = largest_magnitude(x);
    dot->task.flush_steps = (uint32_t)(INT8_MAX / (2 * (magnitude > 0 ? magnitude : 1)));
    return LUTRA_OK;
}

/** Codes are distances from `low`: results lack low * (sum of weights). */
static LutraStatus make_correction(ClearDot *dot, const ClearValue *y, const ClearValue *x,
                                   const Window *window, LutraError *error) {
    LUTRA_TRY(lutra_alloc(&dot->correction, y->stride, sizeof(int32_t), error));
    const size_t count = window_weights(window);
    for (size_t o = 0; dot->method == DOT_BYTES && o < y->channels; o++) {
        uint32_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            const int32_t product = window->weights[o * count + i] * x->low;
            sum += (uint32_t)product;
        }
        dot->correction[o] = (int32_t)sum;
    }
    dot->task.correction = dot->correction;
    return LUTRA_OK;
}

static LutraStatus make_offsets(ClearDot *dot, const ClearValue *y, size_t row_bytes,
                                LutraError *error) {
    LUTRA_TRY(lutra_alloc(&dot->pixel_offsets, y->pixels, sizeof(uint32_t), error));
    size_t at = 0;
    for (size_t r = 0; r < y->height; r++) {
        for (size_t c = 0; c < y->width; c++) {
            const size_t offset =
                (r * row_bytes + c * dot->pixel_bytes) * (size_t)dot->window_stride;
            if (offset > UINT32_MAX) {
                return lutra_error_set(error, LUTRA_EDATA, "an image of %zu bytes is too large",
                                       offset);
            }
            dot->pixel_offsets[at++] = (uint32_t)offset;
        }
    }
    dot->task.pixel_offsets = dot->pixel_offsets;
    dot->task.pixels = y->pixels;
    return LUTRA_OK;
}

static void choose_kernel(ClearDot *dot, const ClearValue *y, const LutraSimKernels *kernels) {
    switch (dot->method) {
        case DOT_TERNARY: dot->kernel = kernels->dot_ternary16; break;
        case DOT_BYTES:
            dot->kernel = y->format == VALUE_I16 ? kernels->dot_bytes16 : kernels->dot_bytes32;
            break;
        case DOT_WORDS: dot->kernel = kernels->dot_words32; break;
        case DOT_GENERAL: dot->kernel = NULL; break;
    }
}

/** Bytes of one pixel as the kernel reads it. */
static size_t pixel_bytes_of(DotMethod method, size_t stride) {
    switch (method) {
        case DOT_TERNARY: return stride / 2;
        case DOT_BYTES: return stride;
        case DOT_WORDS: return stride * sizeof(int16_t);
        case DOT_GENERAL: break;
    }
    return stride * sizeof(int32_t);
}

/**
 * Whether int16 sums of packed bytes, taken anew every `count` steps, hold whatever the codes are.
 * Sums inside may wrap and come back: only where they end must they fit.
 */
static bool int16_sums_fit(const int8_t *weights, size_t steps, size_t count, int64_t code) {
    enum { LANES = LUTRA_SIM_STEP_BYTES / 2 }; /* two products each */
    for (size_t first = 0; first < steps; first += count) {
        const size_t end = steps - first < count ? steps : first + count;
        int32_t above[LANES] = {0};
        int32_t below[LANES] = {0};
        for (size_t s = first; s < end; s++) {
            const int8_t *const step = weights + s * LUTRA_SIM_STEP_BYTES;
            for (size_t i = 0; i < LANES; i++) {
                const int32_t w0 = step[2 * i];
                const int32_t w1 = step[2 * i + 1];
                above[i] += (w0 > 0 ? w0 : 0) + (w1 > 0 ? w1 : 0);
                below[i] += (w0 < 0 ? w0 : 0) + (w1 < 0 ? w1 : 0);
            }
        }
        for (size_t i = 0; i < LANES; i++) {
            if (above[i] * code > INT16_MAX || below[i] * code < INT16_MIN) {
                return false;
            }
        }
    }
    return true;
}

static bool all_int16_sums_fit(const ClearDot *dot, size_t blocks, size_t count, int64_t code) {
    const size_t steps = (size_t)dot->task.rows * dot->task.row_steps;
    const int8_t *weights = dot->weights;
    for (size_t b = 0; b < blocks; b++) {
        if (!int16_sums_fit(weights, steps, count, code)) {
            return false;
        }
        weights += steps * LUTRA_SIM_STEP_BYTES;
    }
    return true;
}

/**
 * Steps of a sum of packed bytes before it is added to int32. What any weights of this size allow
 * is the start; these weights mostly allow several times as many.
 */
static uint32_t bytes_flush_steps(const ClearDot *dot, size_t blocks, int64_t weight,
                                  int64_t code) {
    const size_t steps = (size_t)dot->task.rows * dot->task.row_steps;
    size_t count = weight * code == 0 ? INT16_MAX : (size_t)(INT16_MAX / (2 * weight * code));
    size_t more = count;
    while (count < steps && all_int16_sums_fit(dot, blocks, count + more, code)) {
        count += more;
        more = count;
    }
    for (more /= 2; count < steps && 8 * more > count; more /= 2) {
        count += all_int16_sums_fit(dot, blocks, count + more, code) ? more : 0;
    }
    return (uint32_t)(count < UINT32_MAX ? count : UINT32_MAX);
}

LutraStatus lutra_clear_dot_prepare(ClearDot *dot, const ClearValue *y, const ClearValue *x,
                                    const LutraOperation *op, const LutraSimKernels *kernels,
                                    LutraError *error) {
    const Window window = window_of(op, x);
    const bool conv = op->kind == LUTRA_OPERATION_CONV;
    dot->method = lutra_clear_dot_method(x, op, y->range);
    dot->kernel_height = window.height;
    dot->kernel_width = window.width;
    dot->window_stride = conv ? op->u.conv.stride : 1;
    dot->padding = conv ? op->u.conv.padding : 0;
    dot->levels = (uint32_t)(largest_code(x) + 1);
    choose_kernel(dot, y, kernels);
    dot->pixel_bytes = pixel_bytes_of(dot->method, x->stride);
    dot->staged = dot->padding > 0 || dot->method != DOT_BYTES;
    const size_t row_bytes = (x->width + 2 * (size_t)dot->padding) * dot->pixel_bytes;
    dot->stage_bytes =
        dot->staged ? row_bytes * (x->height + 2 * (size_t)dot->padding) : 0;
    dot->task.row_bytes = row_bytes;
    dot->task.rows = window.height;
    const size_t step_bytes = dot->method == DOT_TERNARY ? 1 : 4;
    dot->task.row_steps =
        (uint32_t)((window.width * dot->pixel_bytes + step_bytes - 1) / step_bytes);
    dot->task.stride = y->stride;
    LUTRA_TRY(make_offsets(dot, y, row_bytes, error));
    LUTRA_TRY(make_correction(dot, y, x, &window, error));
    if (dot->method == DOT_GENERAL) {
        return pack_general(dot, y, &window, x->stride, error);
    }
    if (dot->method == DOT_TERNARY) {
        LUTRA_TRY(make_pair_tables(dot, x, error));
    }
    LUTRA_TRY(pack_weights(dot, y, &window, x->stride, error));
    if (dot->method == DOT_BYTES && y->format != VALUE_I16) {
        dot->task.flush_steps =
            bytes_flush_steps(dot, y->stride / LUTRA_SIM_DOT_CHANNELS,
                              largest_weight(op, &window), largest_code(x));
    }
    return LUTRA_OK;
}

void lutra_clear_dot_deinit(ClearDot *dot) {
    lutra_free(&dot->weights);
    lutra_free(&dot->pair_tables);
    lutra_free(&dot->correction);
    lutra_free(&dot->pixel_offsets);
}

/** One image row of the input into the staged image. */
static void stage_row(const ClearDot *dot, uint8_t *to, const ClearValue *x,
                      const uint8_t *scratch, size_t row, const LutraSimKernels *kernels) {
    const size_t first = row * x->width;
    const size_t lanes = x->width * x->stride;
    if (dot->method == DOT_TERNARY) {
        kernels->pairs(to, scratch + x->offset + row * lanes, lanes / 2, dot->levels);
    } else if (dot->method == DOT_BYTES) {
        memcpy(to, scratch + x->offset + row * lanes, lanes);
    } else if (dot->method == DOT_WORDS && x->format == VALUE_I16) {
        memcpy(to, scratch + x->offset + row * lanes * sizeof(int16_t), lanes * sizeof(int16_t));
    } else if (dot->method == DOT_WORDS) {
        const uint8_t *const codes = scratch + x->offset + row * lanes;
        int16_t *const words = (int16_t *)(void *)to;
        for (size_t i = 0; i < lanes; i++) {
            words[i] = (int16_t)(codes[i] + x->low);
        }
    } else {
        for (size_t c = 0; c < x->width; c++) {
            lutra_clear_load_row((int32_t *)(void *)to + c * x->stride, x, scratch, first + c);
        }
    }
}

/** Byte that stands for value 0 everywhere in the staged image. */
static int zero_byte(const ClearDot *dot, const ClearValue *x) {
    const int32_t zero = -x->low;
    switch (dot->method) {
        case DOT_TERNARY: return 2 * (zero * (int32_t)dot->levels + zero);
        case DOT_BYTES: return zero;
        case DOT_WORDS:
        case DOT_GENERAL: break;
    }
    return 0;
}

static void stage_input(const ClearDot *dot, const ClearValue *x, uint8_t *scratch,
                        const LutraSimKernels *kernels) {
    uint8_t *const staged = scratch + dot->stage_offset;
    if (dot->padding > 0) {
        memset(staged, zero_byte(dot, x), dot->stage_bytes);
    }
    for (size_t r = 0; r < x->height; r++) {
        uint8_t *const to = staged + (r + dot->padding) * dot->task.row_bytes +
                            dot->padding * dot->pixel_bytes;
        stage_row(dot, to, x, scratch, r, kernels);
    }
}

/** Portable loops over int32 inputs; sums wrap, results fit. */
static void run_general(const ClearDot *dot, const ClearValue *y, const ClearValue *x,
                        uint8_t *scratch) {
    const uint8_t *const staged = scratch + dot->stage_offset;
    const size_t lanes = dot->kernel_width * x->stride;
    for (size_t p = 0; p < y->pixels; p++) {
        const int8_t *weights = dot->weights;
        for (size_t o = 0; o < y->channels; o++) {
            uint32_t sum = 0;
            for (size_t a = 0; a < dot->kernel_height; a++) {
                const int32_t *const row =
                    (const int32_t *)(const void *)(staged + dot->pixel_offsets[p] +
                                                    a * dot->task.row_bytes);
                for (size_t lane = 0; lane < lanes; lane++) {
                    const uint32_t w = (uint32_t)(int32_t)weights[lane];
                    sum += w * (uint32_t)row[lane];
                }
                weights += lanes;
            }
            const size_t at = p * y->stride + o;
            if (y->format == VALUE_I16) {
                ((int16_t *)(void *)(scratch + y->offset))[at] = (int16_t)(int32_t)sum;
            } else {
                ((int32_t *)(void *)(scratch + y->offset))[at] = (int32_t)sum;
            }
        }
    }
}

static void clear_padding_lanes(const ClearValue *y, uint8_t *scratch) {
    const size_t lane_bytes = lutra_clear_format_bytes(y->format);
    for (size_t p = 0; p < y->pixels && y->stride > y->channels; p++) {
        memset(scratch + y->offset + (p * y->stride + y->channels) * lane_bytes, 0,
               (y->stride - y->channels) * lane_bytes);
    }
}

void lutra_clear_dot_run(const ClearDot *dot, const ClearValue *y, const ClearValue *x,
                         uint8_t *scratch, const LutraSimKernels *kernels) {
    if (dot->staged) {
        stage_input(dot, x, scratch, kernels);
    }
    if (dot->kernel == NULL) {
        run_general(dot, y, x, scratch);
        clear_padding_lanes(y, scratch);
        return;
    }
    LutraDotTask task = dot->task;
    task.x = scratch + (dot->staged ? dot->stage_offset : x->offset);
    task.y = scratch + y->offset;
    dot->kernel(&task);
}
