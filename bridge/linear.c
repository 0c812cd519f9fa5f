/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear operations on encrypted tensors; see linear.h.
 *
 * A layer on ciphertexts is a small integer matrix times a very wide one (a row per element, a
 * column per word). Work is cut by output position and by tiles of TILE columns; within a tile a
 * block of output rows stays in the first-level cache while the input rows pass by once.
 */
#include "bridge/linear.h"

#include <string.h>

#include "base/parallel.h"
#include "sim/operations.h"

enum {
    TILE_WORDS = 128,      /* 1 KiB of one ciphertext */
    OUTPUT_BLOCK = 16,     /* 16 KiB of outputs at a time */
    CHUNK_WORDS = 1 << 16  /* of operations word by word */
};

/** y += weight * x, `count` words. */
static void accumulate(uint64_t *restrict y, const uint64_t *restrict x, size_t count,
                       int8_t weight) {
    if (weight == 1) {
        for (size_t j = 0; j < count; j++) {
            y[j] += x[j];
        }
    } else if (weight == -1) {
        for (size_t j = 0; j < count; j++) {
            y[j] -= x[j];
        }
    } else {
        /* The magnitude has at most 8 bits: two 32-bit products, which vector units have, are
         * enough for the low 64 bits. */
        const uint64_t magnitude = (uint64_t)(weight < 0 ? -weight : weight);
        const uint64_t sign = weight < 0 ? UINT64_MAX : 0;
        for (size_t j = 0; j < count; j++) {
            const uint64_t low = (x[j] & UINT32_MAX) * magnitude;
            const uint64_t high = (x[j] >> 32) * magnitude;
            y[j] += ((low + (high << 32)) ^ sign) - sign;
        }
    }
}

typedef struct {
    uint64_t *y;
    const uint64_t *x;
    const LutraConvOperation *conv;
    LutraShape shape;
    LutraShape x_shape;
    size_t words;
    size_t tiles;
} ConvWork;

/** One tile of one input ciphertext into a block of outputs at the same position. */
static void conv_tap(const ConvWork *work, size_t x_element, size_t weight_in_filter,
                     size_t position, size_t first_output, size_t last_output, size_t first_word,
                     size_t count) {
    const LutraConvOperation *const conv = work->conv;
    const size_t plane = (size_t)work->shape.height * work->shape.width;
    const size_t filter = (size_t)conv->in_channels * conv->kernel * conv->kernel;
    const uint64_t *const x = work->x + x_element * work->words + first_word;
    for (size_t o = first_output; o < last_output; o++) {
        const int8_t weight = conv->weights[o * filter + weight_in_filter];
        if (weight != 0) {
            accumulate(work->y + (o * plane + position) * work->words + first_word, x, count,
                       weight);
        }
    }
}

/** One tile of a block of outputs at output row r, column c. */
static void conv_block(const ConvWork *work, size_t r, size_t c, size_t first_output,
                       size_t last_output, size_t first_word, size_t count) {
    const LutraConvOperation *const conv = work->conv;
    const size_t plane = (size_t)work->shape.height * work->shape.width;
    const size_t position = r * work->shape.width + c;
    for (size_t o = first_output; o < last_output; o++) {
        memset(work->y + (o * plane + position) * work->words + first_word, 0,
               count * sizeof(uint64_t));
    }
    for (size_t i = 0; i < conv->in_channels; i++) {
        for (size_t a = 0; a < conv->kernel; a++) {
            const int64_t row = (int64_t)(r * conv->stride + a) - conv->padding;
            if (row < 0 || row >= work->x_shape.height) {
                continue;
            }
            for (size_t b = 0; b < conv->kernel; b++) {
                const int64_t column = (int64_t)(c * conv->stride + b) - conv->padding;
                if (column < 0 || column >= work->x_shape.width) {
                    continue;
                }
                const size_t x_element =
                    (i * work->x_shape.height + (size_t)row) * work->x_shape.width +
                    (size_t)column;
                conv_tap(work, x_element, (i * conv->kernel + a) * conv->kernel + b, position,
                         first_output, last_output, first_word, count);
            }
        }
    }
}

static void conv_unit(void *user, size_t index, uint32_t worker) {
    const ConvWork *const work = user;
    (void)worker;
    const size_t position = index / work->tiles;
    const size_t first_word = index % work->tiles * TILE_WORDS;
    const size_t rest = work->words - first_word;
    const size_t count = rest < TILE_WORDS ? rest : TILE_WORDS;
    const size_t r = position / work->shape.width;
    const size_t c = position % work->shape.width;
    for (size_t o = 0; o < work->shape.channels; o += OUTPUT_BLOCK) {
        const size_t end = o + OUTPUT_BLOCK;
        conv_block(work, r, c, o, end < work->shape.channels ? end : work->shape.channels,
                   first_word, count);
    }
}

void lutra_ciphertexts_conv(uint64_t *y, const LutraConvOperation *conv, LutraShape shape,
                            const uint64_t *x, LutraShape x_shape, size_t words,
                            uint32_t threads) {
    ConvWork work = {.y = y,
                     .x = x,
                     .conv = conv,
                     .shape = shape,
                     .x_shape = x_shape,
                     .words = words,
                     .tiles = (words + TILE_WORDS - 1) / TILE_WORDS};
    const size_t positions = (size_t)shape.height * shape.width;
    lutra_parallel_for(threads, positions * work.tiles, conv_unit, &work);
}

void lutra_ciphertexts_linear(uint64_t *y, const LutraLinearOperation *linear, uint32_t outputs,
                              const uint64_t *x, size_t words, uint32_t threads) {
    const LutraConvOperation conv = lutra_linear_as_conv(linear);
    const LutraShape shape = {outputs, 1, 1};
    const LutraShape x_shape = {linear->in_features, 1, 1};
    lutra_ciphertexts_conv(y, &conv, shape, x, x_shape, words, threads);
}

typedef struct {
    uint64_t *y;
    const uint64_t *x;
    const LutraSumPoolOperation *pool;
    LutraShape shape;
    LutraShape x_shape;
    size_t words;
} PoolWork;

static void pool_unit(void *user, size_t index, uint32_t worker) {
    const PoolWork *const work = user;
    (void)worker;
    const size_t column = index % work->shape.width;
    const size_t row = index / work->shape.width % work->shape.height;
    const size_t channel = index / work->shape.width / work->shape.height;
    uint64_t *const y = work->y + index * work->words;
    memset(y, 0, work->words * sizeof *y);
    for (size_t a = 0; a < work->pool->kernel; a++) {
        const size_t x_row = channel * work->x_shape.height + row * work->pool->stride + a;
        for (size_t b = 0; b < work->pool->kernel; b++) {
            const size_t element = x_row * work->x_shape.width + column * work->pool->stride + b;
            accumulate(y, work->x + element * work->words, work->words, 1);
        }
    }
}

void lutra_ciphertexts_sum_pool(uint64_t *y, const LutraSumPoolOperation *pool, LutraShape shape,
                                const uint64_t *x, LutraShape x_shape, size_t words,
                                uint32_t threads) {
    PoolWork work = {y, x, pool, shape, x_shape, words};
    lutra_parallel_for(threads, lutra_shape_elements(shape), pool_unit, &work);
}

typedef struct WordWork WordWork;
struct WordWork {
    uint64_t *y;
    const uint64_t *x0;
    const uint64_t *x1;
    uint32_t bits;
    size_t count;
    void (*work)(const WordWork *work, size_t first, size_t last); /* of words [first, last) */
};

static void chunk_unit(void *user, size_t index, uint32_t worker) {
    const WordWork *const work = user;
    const size_t first = index * CHUNK_WORDS;
    (void)worker;
    work->work(work, first,
               work->count - first < CHUNK_WORDS ? work->count : first + CHUNK_WORDS);
}

static void run_chunks(WordWork work, uint32_t threads) {
    lutra_parallel_for(threads, (work.count + CHUNK_WORDS - 1) / CHUNK_WORDS, chunk_unit, &work);
}

static void add_words(const WordWork *work, size_t first, size_t last) {
    for (size_t j = first; j < last; j++) {
        work->y[j] = work->x0[j] + work->x1[j];
    }
}

static void subtract_words(const WordWork *work, size_t first, size_t last) {
    for (size_t j = first; j < last; j++) {
        work->y[j] -= work->x0[j];
    }
}

static void shift_words(const WordWork *work, size_t first, size_t last) {
    for (size_t j = first; j < last; j++) {
        work->y[j] = work->x0[j] << work->bits;
    }
}

void lutra_ciphertexts_add(uint64_t *y, const uint64_t *x0, const uint64_t *x1, size_t count,
                           uint32_t threads) {
    run_chunks((WordWork){.y = y, .x0 = x0, .x1 = x1, .count = count, .work = add_words},
               threads);
}

void lutra_ciphertexts_subtract(uint64_t *y, const uint64_t *x, size_t count, uint32_t threads) {
    run_chunks((WordWork){.y = y, .x0 = x, .count = count, .work = subtract_words}, threads);
}

void lutra_ciphertexts_shift(uint64_t *y, const uint64_t *x, uint32_t bits, size_t count,
                             uint32_t threads) {
    LUTRA_ASSERT(bits < 64);
    run_chunks((WordWork){.y = y, .x0 = x, .bits = bits, .count = count, .work = shift_words},
               threads);
}

void lutra_ciphertexts_add_constant(uint64_t *y, uint64_t constant, size_t count, size_t words) {
    for (size_t i = 0; i < count; i++) {
        y[i * words + words - 1] += constant;
    }
}
