/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward products in bfloat16: the inner dimension is (pairs of channels, kernel elements). Rows
 * of a block are positions of the result, read straight from the padded planes, lanes are result
 * channels; sums come out position by position and are turned.
 */
#include <string.h>

#include "base/parallel.h"
#include "train/half_convolution_priv.h"
#include "train/packed_planes_priv.h"

enum {
    SLAB_POSITIONS = 240,
    TURN = 16,
    BLOCK_LANES = LUTRA_HALF_VECTORS * LUTRA_HALF_LANES
};

typedef struct {
    size_t slab_images;
    size_t slabs;
    size_t positions;         /* of a whole slab */
    LutraPackedPlanes planes; /* groups are images, planes pairs of channels */
    size_t pairs;             /* of channels */
    size_t steps;
    size_t lanes; /* O rounded up */
} Cut;

static Cut cut_of(const LutraConvShape *shape) {
    const size_t positions = lutra_conv_positions(shape);
    Cut cut = {.slab_images = lutra_smaller(lutra_ceiling(SLAB_POSITIONS, positions),
                                            lutra_ceiling(shape->images, 2)),
               .pairs = lutra_ceiling(shape->in_channels, 2),
               .lanes = lutra_round_up(shape->out_channels, LUTRA_HALF_LANES)};
    cut.slabs = lutra_ceiling(shape->images, cut.slab_images);
    cut.positions = cut.slab_images * positions;
    cut.planes = lutra_packed_planes(shape, cut.pairs);
    cut.steps = cut.pairs * shape->kernel_height * shape->kernel_width;
    return cut;
}

static size_t table_words(const Cut *cut) {
    return lutra_round_up(cut->positions + cut->steps, 16);
}

static size_t slab_words(const Cut *cut) {
    return lutra_round_up(cut->slab_images * cut->planes.group_words, 16);
}

/* Packed planes of a slab, and its sums. */
static size_t worker_words(const Cut *cut) {
    return slab_words(cut) + lutra_round_up(cut->positions * BLOCK_LANES, 16);
}

size_t lutra_half_forward_scratch(const LutraConvShape *shape, uint32_t threads) {
    const Cut cut = cut_of(shape);
    return table_words(&cut) + (cut.steps * cut.lanes) + (threads * worker_words(&cut));
}

typedef struct {
    float *sums;
    const LutraConvShape *shape;
    const float *values;
    const float *weights;
    const LutraHalfKernels *halves;
    Cut cut;
    uint32_t *row_offsets;  /* (positions) */
    uint32_t *step_offsets; /* (steps) */
    uint32_t *turned;       /* (steps, lanes) pairs of weights */
    uint32_t *work;         /* (workers, worker_words) */
} Job;

/* The weights of one pair of channels. */
static void turn_unit(void *user, size_t pair, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t fan_in = lutra_conv_fan_in(shape);
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const bool second = (2 * pair) + 1 < shape->in_channels;
    (void)worker;
    for (size_t o = 0; o < shape->out_channels; o += LUTRA_HALF_LANES) {
        const float *first = job->weights + (o * fan_in) + (2 * pair * taps);
        job->halves->pack_reals_across(
            job->turned + (pair * taps * job->cut.lanes) + o, job->cut.lanes, first,
            second ? first + taps : NULL, fan_in,
            (uint32_t)lutra_smaller(LUTRA_HALF_LANES, shape->out_channels - o), taps);
    }
}

static void pack_image(const Job *job, uint32_t *words, size_t image) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t channel = shape->images * plane;
    for (size_t i = 0; i < job->cut.pairs; i++, words += job->cut.planes.plane_words) {
        const bool second = (2 * i) + 1 < shape->in_channels;
        const float *first = job->values + (2 * i * channel) + (image * plane);
        if (shape->padding == 0) {
            job->halves->pack_reals(words, first, second ? first + channel : NULL, plane);
            continue;
        }
        memset(words, 0, job->cut.planes.plane_words * sizeof *words);
        for (size_t r = 0; r < shape->in_height; r++, first += shape->in_width) {
            job->halves->pack_reals(
                words + ((r + shape->padding) * job->cut.planes.pitch) + shape->padding, first,
                second ? first + channel : NULL, shape->in_width);
        }
    }
}

/* to[l * to_stride + p] = from[p * from_stride + l]. */
static void turn_sums(float *to, size_t to_stride, const float *from, size_t from_stride,
                      size_t positions, size_t lanes) {
    for (size_t p = 0; p < positions; p += TURN) {
        const size_t end = lutra_smaller(p + TURN, positions);
        for (size_t l = 0; l < lanes; l++) {
            for (size_t at = p; at < end; at++) {
                to[(l * to_stride) + at] = from[(at * from_stride) + l];
            }
        }
    }
}

static void slab_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t result = lutra_conv_positions(shape);
    const size_t first = index * job->cut.slab_images;
    const size_t images = lutra_smaller(job->cut.slab_images, shape->images - first);
    uint32_t *const planes = job->work + (worker * worker_words(&job->cut));
    float *const sums = (float *)(void *)(planes + slab_words(&job->cut));
    LutraHalfBlock block = {.rows = planes, .step_offsets = job->step_offsets,
                            .lanes_stride = job->cut.lanes, .steps = job->cut.steps};
    for (size_t n = 0; n < images; n++) {
        pack_image(job, planes + (n * job->cut.planes.group_words), first + n);
    }
    for (size_t lane = 0; lane < job->cut.lanes; lane += BLOCK_LANES) {
        const size_t lanes = lutra_smaller(BLOCK_LANES, shape->out_channels - lane);
        block.lanes = job->turned + lane;
        block.vectors = (uint32_t)lutra_ceiling(lanes, LUTRA_HALF_LANES);
        for (size_t p = 0; p < images * result; p += LUTRA_HALF_ROWS) {
            block.row_offsets = job->row_offsets + p;
            block.row_count = (uint32_t)lutra_smaller(LUTRA_HALF_ROWS, (images * result) - p);
            job->halves->products(sums + (p * BLOCK_LANES), BLOCK_LANES, &block, false);
        }
        turn_sums(job->sums + (((lane * shape->images) + first) * result),
                  shape->images * result, sums, BLOCK_LANES, images * result, lanes);
    }
}

void lutra_half_forward(float *sums, const LutraConvShape *shape, const float *values,
                        const float *weights, const LutraHalfKernels *halves,
                        const LutraConvWorkspace *workspace) {
    Job job = {.sums = sums, .shape = shape, .values = values, .weights = weights,
               .halves = halves, .cut = cut_of(shape)};
    job.row_offsets = (uint32_t *)(void *)workspace->scratch;
    job.step_offsets = job.row_offsets + job.cut.positions;
    job.turned = job.row_offsets + table_words(&job.cut);
    job.work = job.turned + (job.cut.steps * job.cut.lanes);
    lutra_packed_positions(job.row_offsets, shape, &job.cut.planes, job.cut.slab_images);
    lutra_packed_taps(job.step_offsets, shape, &job.cut.planes, job.cut.pairs);
    lutra_parallel_for(workspace->threads, job.cut.pairs, turn_unit, &job);
    lutra_parallel_for(workspace->threads, job.cut.slabs, slab_unit, &job);
}
