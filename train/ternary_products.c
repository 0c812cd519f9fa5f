/* SPDX-License-Identifier: Apache-2.0 */
#include "train/ternary_products.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    ROWS = LUTRA_TERNARY_ROWS,
    WORD_CHANNELS = LUTRA_TERNARY_CHANNELS,
    LEAST_CHANNELS = 32,
    LEAST_POSITIONS = 4
};

static size_t round_up(size_t value, size_t multiple) {
    return ((value + multiple - 1) / multiple) * multiple;
}

static size_t group_count(const LutraConvShape *shape) {
    return round_up(shape->in_channels, WORD_CHANNELS) / WORD_CHANNELS;
}

static size_t pitch(const LutraConvShape *shape) {
    return (size_t)shape->in_width + (2 * (size_t)shape->padding);
}

static size_t plane_words(const LutraConvShape *shape) {
    return pitch(shape) * ((size_t)shape->in_height + (2 * (size_t)shape->padding));
}

/* Positions that the products run over, those between result rows included. */
static size_t run_positions(const LutraConvShape *shape) {
    return round_up(((shape->out_height - 1) * pitch(shape)) + shape->out_width,
                    LUTRA_TERNARY_POSITIONS);
}

static bool is_ternary(int32_t code_min, int32_t code_max) {
    return code_min == -1 && code_max == 1;
}

bool lutra_ternary_fits(const LutraConvShape *shape, const LutraLayer *source,
                        const LutraLayer *weighted) {
    const LutraWeightQuantizer *weights = &weighted->u.weighted.quantizer;
    const bool codes =
        !source->coding.is_float &&
        ((source->kind == LUTRA_LAYER_ACTIVATION &&
          is_ternary(source->u.activation.code_min, source->u.activation.code_max)) ||
         (source->kind == LUTRA_LAYER_MAX_POOL &&
          is_ternary(source->u.pool.codes.code_min, source->u.pool.codes.code_max)));
    return codes && !lutra_layer_is_float(weighted) &&
           is_ternary(weights->code_min, weights->code_max) && shape->stride == 1 &&
           shape->in_channels >= LEAST_CHANNELS &&
           lutra_conv_positions(shape) >= LEAST_POSITIONS;
}

LutraStatus lutra_ternary_weights_init(LutraTernaryWeights *packed, const LutraConvShape *shape,
                                       LutraError *error) {
    LutraTernaryWeights made = {
        .steps = group_count(shape) * shape->kernel_height * shape->kernel_width};
    LutraStatus status = LUTRA_OK;
    const size_t words = round_up(shape->out_channels, ROWS) * made.steps * 2;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.words, words, sizeof *made.words, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.offsets, made.steps, sizeof *made.offsets, error));
    size_t s = 0;
    for (size_t g = 0; g < group_count(shape); g++) {
        for (size_t a = 0; a < shape->kernel_height; a++) {
            for (size_t b = 0; b < shape->kernel_width; b++) {
                made.offsets[s++] =
                    (uint32_t)((g * plane_words(shape)) + (a * pitch(shape)) + b);
            }
        }
    }
    *packed = made;
    return LUTRA_OK;
done:
    lutra_ternary_weights_deinit(&made);
    return status;
}

void lutra_ternary_weights_deinit(LutraTernaryWeights *packed) {
    lutra_free(&packed->words);
    lutra_free(&packed->offsets);
    packed->steps = 0;
}

typedef struct {
    LutraTernaryWeights *packed;
    const LutraConvShape *shape;
    const float *weights;
} PackJob;

/* Four rows of weights. */
static void pack_unit(void *user, size_t index, uint32_t worker) {
    const PackJob *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const size_t block_words = job->packed->steps * ROWS * 2;
    uint64_t *block = job->packed->words + (index * block_words);
    (void)worker;
    memset(block, 0, block_words * sizeof *block);
    for (size_t r = 0; r < ROWS && (index * ROWS) + r < shape->out_channels; r++) {
        const float *weights =
            job->weights + (((index * ROWS) + r) * lutra_conv_fan_in(shape));
        for (size_t i = 0; i < shape->in_channels; i++) {
            const uint64_t bit = UINT64_C(1) << (i % WORD_CHANNELS);
            uint64_t *to = block + ((((i / WORD_CHANNELS) * taps * ROWS) + r) * 2);
            for (size_t t = 0; t < taps; t++, to += 2 * (size_t)ROWS) {
                const float weight = *weights++;
                to[0] |= weight == 0.0f ? 0 : bit;
                to[1] |= weight < 0.0f ? bit : 0;
            }
        }
    }
}

void lutra_ternary_weights_pack(LutraTernaryWeights *packed, const LutraConvShape *shape,
                                const float *weights, uint32_t threads) {
    PackJob job = {packed, shape, weights};
    lutra_parallel_for(threads, round_up(shape->out_channels, ROWS) / ROWS, pack_unit, &job);
}

/* Words of one of the two planes of all groups; the products run past the end of the last one. */
static size_t laid_words(const LutraConvShape *shape) {
    return (group_count(shape) * plane_words(shape)) + LUTRA_TERNARY_POSITIONS;
}

/* A worker's planes and sums of four rows, in floats; an even number. */
static size_t worker_floats(const LutraConvShape *shape) {
    return (4 * laid_words(shape)) + (ROWS * run_positions(shape));
}

size_t lutra_ternary_scratch_floats(const LutraConvShape *shape, uint32_t threads) {
    return threads * worker_floats(shape);
}

typedef struct {
    float *sums;
    const LutraConvShape *shape;
    const LutraConvInput *input;
    const LutraTernaryWeights *packed;
    const LutraTernaryKernels *kernels;
    const LutraConvWorkspace *workspace;
} Job;

/* One image in words of channels, with a border of zeros. */
static void lay_image(uint64_t *nonzero, uint64_t *negative, const Job *job, size_t image) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t stride = shape->images * plane;
    const bool whole = shape->padding == 0;
    if (!whole) {
        memset(nonzero, 0, laid_words(shape) * sizeof *nonzero);
        memset(negative, 0, laid_words(shape) * sizeof *negative);
    }
    for (size_t g = 0; g < group_count(shape); g++) {
        const size_t first = g * WORD_CHANNELS;
        const size_t left = shape->in_channels - first;
        const uint32_t channels = (uint32_t)(left < WORD_CHANNELS ? left : WORD_CHANNELS);
        const uint8_t *bytes = job->input->bytes + (((first * shape->images) + image) * plane);
        for (size_t r = 0; r < (whole ? 1 : shape->in_height); r++) {
            const size_t at = (g * plane_words(shape)) + ((r + shape->padding) * pitch(shape)) +
                              shape->padding;
            job->kernels->pack(nonzero + at, negative + at, bytes + (r * shape->in_width), stride,
                               channels, whole ? plane : shape->in_width);
        }
    }
}

static void image_unit(void *user, size_t image, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t positions = run_positions(shape);
    const size_t result = lutra_conv_positions(shape);
    float *const scratch = job->workspace->scratch + (worker * worker_floats(shape));
    uint64_t *const nonzero = (uint64_t *)(void *)scratch;
    uint64_t *const negative = nonzero + laid_words(shape);
    float *const rows = scratch + (4 * laid_words(shape));
    const LutraTernaryPlanes planes = {nonzero, negative};
    lay_image(nonzero, negative, job, image);
    for (size_t first = 0; first < shape->out_channels; first += ROWS) {
        job->kernels->products(rows, &planes, job->packed->offsets, job->packed->steps,
                               job->packed->words + (first * job->packed->steps * 2), positions);
        for (size_t j = 0; j < ROWS && first + j < shape->out_channels; j++) {
            float *to = job->sums + ((((first + j) * shape->images) + image) * result);
            job->workspace->kernels->close_rows(to, rows + (j * positions), shape->out_height,
                                                shape->out_width, pitch(shape));
        }
    }
}

void lutra_ternary_forward(float *sums, const LutraConvShape *shape, LutraConvInput input,
                           const LutraTernaryWeights *packed, const LutraTernaryKernels *kernels,
                           const LutraConvWorkspace *workspace) {
    Job job = {sums, shape, &input, packed, kernels, workspace};
    lutra_parallel_for(workspace->threads, shape->images, image_unit, &job);
}
