/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear operations on encrypted tensors; see linear.h.
 *
 * A layer on ciphertexts is a small integer matrix times a very wide one (a row per element, a
 * column per word). Work is cut by tiles of words and output positions. One tile of all input
 * ciphertexts that a position reads is packed in blocks that stay in the first-level cache while
 * all outputs take their rows from them; neighbouring positions of the same tile follow one
 * another, so that what they share comes from a farther cache, but not from memory again.
 */
#include "bridge/linear.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "sim/operations.h"

enum { CHUNK_WORDS = 1 << 16 /* of operations word by word */ };

typedef struct {
    uint64_t *y;
    const LutraLinearKernels *kernels;
    const uint64_t *x;
    const LutraConvOperation *conv;
    LutraShape shape;
    LutraShape x_shape;
    size_t words;
} ConvWork;

/* Words [first, first + count) of every ciphertext. */
typedef struct {
    size_t first;
    size_t count;
} Tile;

/** The input ciphertext that weight `at` of a filter reads at output row r, column c; NULL outside
 * the image. */
static const uint64_t *input_at(const ConvWork *work, size_t at, size_t r, size_t c) {
    const LutraConvOperation *const conv = work->conv;
    const size_t b = at % conv->kernel;
    const size_t a = at / conv->kernel % conv->kernel;
    const size_t channel = at / conv->kernel / conv->kernel;
    const int64_t row = (int64_t)(r * conv->stride + a) - conv->padding;
    const int64_t column = (int64_t)(c * conv->stride + b) - conv->padding;
    if (row < 0 || row >= work->x_shape.height || column < 0 || column >= work->x_shape.width) {
        return NULL;
    }
    const size_t element = (channel * work->x_shape.height + (size_t)row) * work->x_shape.width +
                           (size_t)column;
    return work->x + element * work->words;
}

/** One tile of all outputs at output row r, column c. */
static void conv_tile(const ConvWork *work, size_t r, size_t c, Tile tile) {
    uint64_t rows[LUTRA_LINEAR_ROWS * LUTRA_LINEAR_TILE]
        __attribute__((aligned(LUTRA_ALIGNMENT_BYTES)));
    const LutraConvOperation *const conv = work->conv;
    const size_t plane = (size_t)work->shape.height * work->shape.width;
    const size_t filter = (size_t)conv->in_channels * conv->kernel * conv->kernel;
    uint64_t *const y = work->y + (r * work->shape.width + c) * work->words + tile.first;
    for (size_t o = 0; o < work->shape.channels; o++) {
        memset(y + o * plane * work->words, 0, tile.count * sizeof *y);
    }
    for (size_t first = 0; first < filter; first += LUTRA_LINEAR_ROWS) {
        const size_t rest = filter - first;
        const size_t row_count = rest < LUTRA_LINEAR_ROWS ? rest : LUTRA_LINEAR_ROWS;
        for (size_t i = 0; i < row_count; i++) {
            uint64_t *const row = rows + i * LUTRA_LINEAR_TILE;
            const uint64_t *const x = input_at(work, first + i, r, c);
            if (x == NULL) {
                memset(row, 0, tile.count * sizeof *row);
            } else {
                memcpy(row, x + tile.first, tile.count * sizeof *row);
            }
        }
        for (size_t o = 0; o < work->shape.channels; o++) {
            work->kernels->add_rows(y + o * plane * work->words, rows,
                                    conv->weights + o * filter + first, row_count, tile.count);
        }
    }
}

static void conv_unit(void *user, size_t index, uint32_t worker) {
    const ConvWork *const work = user;
    (void)worker;
    const size_t positions = (size_t)work->shape.height * work->shape.width;
    const size_t position = index % positions;
    const size_t first = index / positions * LUTRA_LINEAR_TILE;
    const size_t rest = work->words - first;
    const Tile tile = {first, rest < LUTRA_LINEAR_TILE ? rest : LUTRA_LINEAR_TILE};
    conv_tile(work, position / work->shape.width, position % work->shape.width, tile);
}

void lutra_ciphertexts_conv(uint64_t *y, const LutraLinearKernels *kernels,
                            const LutraConvOperation *conv, LutraShape shape, const uint64_t *x,
                            LutraShape x_shape, size_t words, uint32_t threads) {
    ConvWork work = {.y = y,
                     .kernels = kernels,
                     .x = x,
                     .conv = conv,
                     .shape = shape,
                     .x_shape = x_shape,
                     .words = words};
    const size_t positions = (size_t)shape.height * shape.width;
    const size_t tiles = (words + LUTRA_LINEAR_TILE - 1) / LUTRA_LINEAR_TILE;
    lutra_parallel_for(threads, positions * tiles, conv_unit, &work);
}

void lutra_ciphertexts_linear(uint64_t *y, const LutraLinearKernels *kernels,
                              const LutraLinearOperation *linear, uint32_t outputs,
                              const uint64_t *x, size_t words, uint32_t threads) {
    const LutraConvOperation conv = lutra_linear_as_conv(linear);
    const LutraShape shape = {outputs, 1, 1};
    const LutraShape x_shape = {linear->in_features, 1, 1};
    lutra_ciphertexts_conv(y, kernels, &conv, shape, x, x_shape, words, threads);
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
            const uint64_t *const x = work->x + element * work->words;
            for (size_t j = 0; j < work->words; j++) {
                y[j] += x[j];
            }
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
