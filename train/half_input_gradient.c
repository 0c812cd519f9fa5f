/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input gradient: the inner dimension is result channels, in pairs. Rows of a block are weights of
 * the fan-in, lanes are positions; what comes out are gradients of patches, added to the planes
 * while they are in the cache.
 */
#include <string.h>

#include "base/parallel.h"
#include "train/half_convolution_priv.h"
#include "train/input_slabs_priv.h"

enum { BLOCK_LANES = LUTRA_HALF_VECTORS * LUTRA_HALF_LANES };

static LutraInputSlabs cut_of(const LutraConvShape *shape) {
    return lutra_input_slabs(shape, 2, BLOCK_LANES, LUTRA_HALF_LANES);
}

/* Packed gradients of a slab, and patches of a group of channels. */
static size_t worker_words(const LutraInputSlabs *cut) {
    return cut->most_columns * (cut->steps + cut->group_rows);
}

size_t lutra_half_input_scratch(const LutraConvShape *shape, uint32_t threads) {
    const LutraInputSlabs cut = cut_of(shape);
    return cut.table_words + (lutra_conv_fan_in(shape) * cut.row_words) +
           (threads * worker_words(&cut));
}

size_t lutra_half_scratch_floats(const LutraConvShape *shape, uint32_t threads) {
    const size_t weight = lutra_half_weight_scratch(shape, threads);
    const size_t input = lutra_half_input_scratch(shape, threads);
    const size_t forward = lutra_half_forward_scratch(shape, threads);
    const size_t gradients = weight > input ? weight : input;
    return gradients > forward ? gradients : forward;
}

typedef struct {
    const LutraConvShape *shape;
    const float *weights;
    const float *out_gradient;
    const LutraHalfKernels *halves;
    const LutraTrainKernels *kernels;
    float *in_gradient;
    float alpha;
    LutraInputSlabs cut;
    uint32_t *row_offsets;  /* (group rows) */
    uint32_t *step_offsets; /* (steps) */
    uint32_t *turned;       /* (K, row_words) pairs of weights */
    uint32_t *work;         /* (workers, worker_words) */
} Job;

/* The weights of sixteen pairs of result channels. */
static void turn_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const size_t first = index * LUTRA_HALF_LANES;
    const size_t whole = job->shape->out_channels / 2; /* pairs with both channels */
    const size_t end = lutra_smaller(first + LUTRA_HALF_LANES, whole);
    const float *from = job->weights + (2 * first * fan_in);
    (void)worker;
    job->halves->pack_reals_across(job->turned + first, job->cut.row_words, from, from + fan_in,
                                   2 * fan_in, (uint32_t)(end > first ? end - first : 0), fan_in);
    if (whole < job->cut.steps && whole >= first && whole < first + LUTRA_HALF_LANES) {
        for (size_t k = 0; k < fan_in; k++) {
            job->halves->pack_reals(job->turned + (k * job->cut.row_words) + whole,
                                    job->weights + (2 * whole * fan_in) + k, NULL, 1);
        }
    }
}

typedef struct {
    size_t first; /* image */
    size_t images;
    size_t columns;
    uint32_t *lanes; /* (blocks of columns, steps, BLOCK_LANES) */
    float *patches;  /* (group rows, most_columns) */
} Slab;

static void pack_slab(const Job *job, const Slab *slab) {
    const size_t positions = lutra_conv_positions(job->shape);
    const size_t row = job->shape->images * positions;
    for (size_t column = 0; column < slab->columns; column += BLOCK_LANES) {
        const size_t count = lutra_smaller(BLOCK_LANES, slab->columns - column);
        uint32_t *words = slab->lanes + (column * job->cut.steps);
        for (size_t s = 0; s < job->cut.steps; s++, words += BLOCK_LANES) {
            const float *first =
                job->out_gradient + (2 * s * row) + (slab->first * positions) + column;
            const bool second = (2 * s) + 1 < job->shape->out_channels;
            job->halves->pack_reals(words, first, second ? first + row : NULL, count);
            for (size_t c = count; c < BLOCK_LANES; c++) {
                words[c] = 0;
            }
        }
    }
}

static void multiply(const Job *job, const Slab *slab, size_t first_row, size_t rows) {
    LutraHalfBlock block = {.step_offsets = job->step_offsets,
                            .lanes_stride = BLOCK_LANES,
                            .steps = job->cut.steps};
    for (size_t column = 0; column < slab->columns; column += BLOCK_LANES) {
        const size_t left = lutra_smaller(BLOCK_LANES, slab->columns - column);
        block.lanes = slab->lanes + (column * job->cut.steps);
        block.vectors = (uint32_t)lutra_ceiling(left, LUTRA_HALF_LANES);
        for (size_t row = 0; row < rows; row += LUTRA_HALF_ROWS) {
            block.rows = job->turned + ((first_row + row) * job->cut.row_words);
            block.row_offsets = job->row_offsets;
            block.row_count = (uint32_t)lutra_smaller(LUTRA_HALF_ROWS, rows - row);
            job->halves->products(slab->patches + (row * job->cut.most_columns) + column,
                                  job->cut.most_columns, &block, false);
        }
    }
}

static void scale(float *values, size_t count, float factor) {
    for (size_t i = 0; factor != 1.0f && i < count; i++) {
        values[i] *= factor;
    }
}

static void scatter_channel(const Job *job, const Slab *slab, size_t channel,
                            const float *patches) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    float *to = job->in_gradient + (((channel * shape->images) + slab->first) * plane);
    lutra_input_slab_scatter(to, patches, slab->images, shape, &job->cut, job->kernels);
    scale(to, slab->images * plane, job->alpha);
}

static void slab_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    uint32_t *const work = job->work + (worker * worker_words(&job->cut));
    Slab slab = {.first = index * job->cut.slab_images};
    slab.images = lutra_smaller(job->cut.slab_images, shape->images - slab.first);
    slab.columns = slab.images * lutra_conv_positions(shape);
    slab.lanes = work;
    slab.patches = (float *)(void *)(work + (job->cut.most_columns * job->cut.steps));
    pack_slab(job, &slab);
    for (size_t i = 0; i < shape->in_channels; i += job->cut.group_channels) {
        const size_t channels = lutra_smaller(job->cut.group_channels, shape->in_channels - i);
        multiply(job, &slab, i * taps, channels * taps);
        for (size_t c = 0; c < channels; c++) {
            scatter_channel(job, &slab, i + c, slab.patches + (c * taps * job->cut.most_columns));
        }
    }
}

void lutra_half_input_gradient(float *in_gradient, const LutraConvShape *shape,
                               const float *weights, const float *out_gradient, float alpha,
                               const LutraHalfKernels *halves,
                               const LutraConvWorkspace *workspace) {
    Job job = {.shape = shape, .weights = weights, .out_gradient = out_gradient, .halves = halves,
               .kernels = workspace->kernels, .in_gradient = in_gradient, .alpha = alpha,
               .cut = cut_of(shape)};
    job.row_offsets = (uint32_t *)(void *)workspace->scratch;
    job.step_offsets = job.row_offsets + job.cut.group_rows;
    job.turned = job.row_offsets + job.cut.table_words;
    job.work = job.turned + (lutra_conv_fan_in(shape) * job.cut.row_words);
    lutra_input_slab_tables(job.row_offsets, job.step_offsets, &job.cut);
    lutra_parallel_for(workspace->threads, job.cut.row_words / LUTRA_HALF_LANES, turn_unit, &job);
    lutra_parallel_for(workspace->threads, job.cut.slabs, slab_unit, &job);
}
