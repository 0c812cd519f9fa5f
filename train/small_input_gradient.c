/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input gradient in eight bits: the inner dimension is result channels, in quads. Rows of a block
 * are weights of the fan-in plus WEIGHT_OFFSET, so that they have no sign; lanes are positions, and
 * their sums times WEIGHT_OFFSET are taken off. What comes out are gradients of patches, added to
 * the planes while they are in the cache.
 */
#include <string.h>

#include "base/parallel.h"
#include "train/input_slabs_priv.h"
#include "train/small_convolution_priv.h"

enum { QUAD = 4, WEIGHT_OFFSET = 128, TURN_ROWS = 16 };

enum { BLOCK_LANES = LUTRA_SMALL_VECTORS * LUTRA_SMALL_LANES };

static LutraInputSlabs cut_of(const LutraConvShape *shape) {
    return lutra_input_slabs(shape, QUAD, BLOCK_LANES, LUTRA_SMALL_LANES);
}

/* Packed gradients of a slab, patches of a group of channels, and three words for each column and
 * image: sums of lanes, inverses, steps. */
static size_t worker_words(const LutraInputSlabs *cut) {
    return cut->most_columns * (cut->steps + cut->group_rows + 3);
}

size_t lutra_small_input_scratch(const LutraConvShape *shape, uint32_t threads) {
    const LutraInputSlabs cut = cut_of(shape);
    return cut.table_words + (lutra_conv_fan_in(shape) * cut.row_words) +
           (threads * worker_words(&cut));
}

size_t lutra_small_scratch_floats(const LutraConvShape *shape, uint32_t threads) {
    const size_t weight = lutra_small_weight_scratch(shape, threads);
    const size_t input = lutra_small_input_scratch(shape, threads);
    return weight > input ? weight : input;
}

bool lutra_small_sums_fit(const LutraConvShape *shape, uint32_t threads) {
    return lutra_small_weight_sums_fit(shape, threads) &&
           lutra_round_up(shape->out_channels, QUAD) <= LUTRA_SMALL_MOST_TERMS;
}

typedef struct {
    const LutraConvShape *shape;
    const float *weights;
    const float *out_gradient;
    const LutraSmallKernels *small;
    const LutraTrainKernels *kernels;
    float *in_gradient;
    float alpha;
    LutraGradientDraws draws;
    LutraInputSlabs cut;
    uint32_t *row_offsets;  /* (group rows) */
    uint32_t *step_offsets; /* (steps) */
    uint32_t *turned;       /* (K, row_words) quads of weights */
    uint32_t *work;         /* (workers, worker_words) */
} Job;

/* Some weights of the fan-in, of all result channels. */
static void turn_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const size_t first = index * TURN_ROWS;
    const size_t rows = lutra_smaller(TURN_ROWS, fan_in - first);
    (void)worker;
    for (size_t step = 0; step < job->cut.steps; step++) {
        const size_t channels = lutra_smaller(QUAD, job->shape->out_channels - (QUAD * step));
        uint32_t words[TURN_ROWS] = {0};
        for (size_t j = 0; j < channels; j++) {
            const float *weights = job->weights + (((QUAD * step) + j) * fan_in) + first;
            for (size_t k = 0; k < rows; k++) {
                words[k] |= (uint32_t)((int32_t)weights[k] + WEIGHT_OFFSET) << (8 * j);
            }
        }
        for (size_t k = 0; k < rows; k++) {
            job->turned[((first + k) * job->cut.row_words) + step] = words[k];
        }
    }
}

typedef struct {
    size_t first; /* image */
    size_t images;
    size_t columns;
    uint32_t *lanes; /* (blocks of columns, steps, BLOCK_LANES) */
    float *patches;  /* (group rows, most_columns) */
    int32_t *bases;  /* (most_columns) */
    float *inverses; /* (most_columns) */
    float *steps;    /* (images) of the rounding of each image */
} Slab;

/* Step of each image, and its inverse at each column. */
static void measure_slab(const Job *job, const Slab *slab) {
    const size_t positions = lutra_conv_positions(job->shape);
    const size_t row = job->shape->images * positions;
    uint32_t *const largest = (uint32_t *)(void *)slab->steps;
    memset(largest, 0, slab->images * sizeof *largest);
    for (size_t o = 0; o < job->shape->out_channels; o++) {
        job->small->largest(largest, job->out_gradient + (o * row) + (slab->first * positions),
                            slab->images, positions);
    }
    for (size_t n = 0; n < slab->images; n++) {
        slab->steps[n] = lutra_gradient_step(largest[n]);
        const float inverse = lutra_gradient_inverse(slab->steps[n]);
        for (size_t p = 0; p < positions; p++) {
            slab->inverses[(n * positions) + p] = inverse;
        }
    }
}

static void pack_slab(const Job *job, const Slab *slab) {
    const size_t positions = lutra_conv_positions(job->shape);
    const size_t row = job->shape->images * positions;
    for (size_t column = 0; column < slab->columns; column += BLOCK_LANES) {
        const size_t count = lutra_smaller(BLOCK_LANES, slab->columns - column);
        uint32_t *words = slab->lanes + (column * job->cut.steps);
        for (size_t s = 0; s < job->cut.steps; s++, words += BLOCK_LANES) {
            const float *rows[QUAD] = {NULL};
            uint32_t indexes[QUAD] = {0};
            for (size_t j = 0; j < QUAD && (QUAD * s) + j < job->shape->out_channels; j++) {
                const size_t at =
                    (((QUAD * s) + j) * row) + (slab->first * positions) + column;
                rows[j] = job->out_gradient + at;
                indexes[j] = (uint32_t)at;
            }
            job->small->pack_columns(words, rows, count, slab->inverses + column, job->draws,
                                     indexes);
            for (size_t c = count; c < BLOCK_LANES; c++) {
                words[c] = 0;
            }
        }
    }
}

/* What WEIGHT_OFFSET adds to each column, negative. */
static void set_bases(const Job *job, const Slab *slab) {
    LutraSmallBlock block = {.lanes_stride = BLOCK_LANES, .steps = job->cut.steps,
                             .vectors = LUTRA_SMALL_VECTORS};
    for (size_t column = 0; column < slab->columns; column += BLOCK_LANES) {
        block.lanes = slab->lanes + (column * job->cut.steps);
        job->small->lane_sums(slab->bases + column, &block, false);
        for (size_t c = column; c < column + BLOCK_LANES; c++) {
            slab->bases[c] *= -WEIGHT_OFFSET;
        }
    }
}

static void multiply(const Job *job, const Slab *slab, size_t first_row, size_t rows) {
    LutraSmallBlock block = {.step_offsets = job->step_offsets,
                            .lanes_stride = BLOCK_LANES,
                            .steps = job->cut.steps};
    for (size_t column = 0; column < slab->columns; column += BLOCK_LANES) {
        const size_t left = lutra_smaller(BLOCK_LANES, slab->columns - column);
        block.lanes = slab->lanes + (column * job->cut.steps);
        block.vectors = (uint32_t)lutra_ceiling(left, LUTRA_SMALL_LANES);
        for (size_t row = 0; row < rows; row += LUTRA_SMALL_ROWS) {
            block.rows = job->turned + ((first_row + row) * job->cut.row_words);
            block.row_offsets = job->row_offsets;
            block.row_count = (uint32_t)lutra_smaller(LUTRA_SMALL_ROWS, rows - row);
            job->small->product_reals(slab->patches + (row * job->cut.most_columns) + column,
                                      job->cut.most_columns, &block, slab->bases + column);
        }
    }
}

static void scale(float *values, size_t count, float factor) {
    for (size_t i = 0; i < count; i++) {
        values[i] *= factor;
    }
}

static void scatter_channel(const Job *job, const Slab *slab, size_t channel,
                            const float *patches) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    float *to = job->in_gradient + (((channel * shape->images) + slab->first) * plane);
    lutra_input_slab_scatter(to, patches, slab->images, shape, &job->cut, job->kernels);
    for (size_t n = 0; n < slab->images; n++) {
        scale(to + (n * plane), plane, job->alpha * slab->steps[n]);
    }
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
    slab.inverses = slab.patches + (job->cut.most_columns * job->cut.group_rows);
    slab.steps = slab.inverses + job->cut.most_columns;
    slab.bases = (int32_t *)(void *)(slab.steps + job->cut.most_columns);
    measure_slab(job, &slab);
    pack_slab(job, &slab);
    set_bases(job, &slab);
    for (size_t i = 0; i < shape->in_channels; i += job->cut.group_channels) {
        const size_t channels = lutra_smaller(job->cut.group_channels, shape->in_channels - i);
        multiply(job, &slab, i * taps, channels * taps);
        for (size_t c = 0; c < channels; c++) {
            scatter_channel(job, &slab, i + c, slab.patches + (c * taps * job->cut.most_columns));
        }
    }
}

void lutra_small_input_gradient(float *in_gradient, const LutraConvShape *shape,
                                const float *weights, const float *out_gradient, float alpha,
                                LutraGradientDraws draws, const LutraSmallKernels *small,
                                const LutraConvWorkspace *workspace) {
    Job job = {.shape = shape, .weights = weights, .out_gradient = out_gradient, .small = small,
               .kernels = workspace->kernels, .in_gradient = in_gradient, .alpha = alpha,
               .draws = draws, .cut = cut_of(shape)};
    job.row_offsets = (uint32_t *)(void *)workspace->scratch;
    job.step_offsets = job.row_offsets + job.cut.group_rows;
    job.turned = job.row_offsets + job.cut.table_words;
    job.work = job.turned + (lutra_conv_fan_in(shape) * job.cut.row_words);
    lutra_input_slab_tables(job.row_offsets, job.step_offsets, &job.cut);
    lutra_parallel_for(workspace->threads, lutra_ceiling(lutra_conv_fan_in(shape), TURN_ROWS),
                       turn_unit, &job);
    lutra_parallel_for(workspace->threads, job.cut.slabs, slab_unit, &job);
}
