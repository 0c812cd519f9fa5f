/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weight gradient: the inner dimension is (pairs of images, positions). Rows of a block are weights
 * of the fan-in, read straight from the padded planes; lanes are result channels.
 */
#include <string.h>

#include "base/parallel.h"
#include "train/half_convolution_priv.h"
#include "train/packed_planes_priv.h"

enum {
    BLOCK_STEPS = 512,     /* products between two visits to the partial sums */
    LEAST_CHUNK_STEPS = 1024,
    MOST_CHUNKS = 16,
    LEAST_CHUNKS = 4,      /* fewer: threads share the rows instead */
    ROWS_OF_UNIT = 48,
    MOST_PARTIAL_FLOATS = 1 << 24
};

typedef struct {
    size_t pairs; /* of images */
    size_t steps_of_pair;
    LutraPackedPlanes planes; /* groups are pairs */
    size_t lanes;             /* O rounded up */
    size_t block_pairs;       /* packed at once by one worker, or all */
    size_t chunks;
} Cut;

static Cut cut_of(const LutraConvShape *shape) {
    Cut cut = {.pairs = lutra_ceiling(shape->images, 2),
               .steps_of_pair = lutra_conv_positions(shape),
               .planes = lutra_packed_planes(shape, shape->in_channels),
               .lanes = lutra_round_up(shape->out_channels, LUTRA_HALF_LANES)};
    const size_t partial = lutra_conv_fan_in(shape) * cut.lanes;
    cut.chunks = (cut.pairs * cut.steps_of_pair) / LEAST_CHUNK_STEPS;
    cut.chunks = lutra_smaller(lutra_smaller(cut.chunks, MOST_CHUNKS), cut.pairs);
    cut.chunks = lutra_smaller(cut.chunks, MOST_PARTIAL_FLOATS / partial);
    if (cut.chunks < LEAST_CHUNKS) {
        cut.chunks = 1;
        cut.block_pairs = cut.pairs;
    } else {
        cut.block_pairs = lutra_smaller(lutra_ceiling(BLOCK_STEPS, cut.steps_of_pair),
                                        lutra_ceiling(cut.pairs, cut.chunks));
    }
    return cut;
}

/* What a worker packs at once. */
static size_t packed_words(const Cut *cut) {
    return lutra_round_up(cut->block_pairs * cut->planes.group_words, 16) +
           (cut->block_pairs * cut->steps_of_pair * cut->lanes);
}

static size_t table_words(const LutraConvShape *shape, const Cut *cut) {
    return lutra_round_up(lutra_conv_fan_in(shape) + (cut->block_pairs * cut->steps_of_pair), 16);
}

size_t lutra_half_weight_scratch(const LutraConvShape *shape, uint32_t threads) {
    const Cut cut = cut_of(shape);
    return table_words(shape, &cut) + (cut.chunks * lutra_conv_fan_in(shape) * cut.lanes) +
           (packed_words(&cut) * (cut.chunks == 1 ? 1 : threads));
}

typedef struct {
    const LutraConvShape *shape;
    const LutraConvInput *input;
    const float *out_gradient;
    const LutraHalfKernels *halves;
    float *gradient;
    float alpha;
    Cut cut;
    uint32_t *row_offsets;  /* (K) */
    uint32_t *step_offsets; /* (block_pairs * steps_of_pair) */
    float *partials;        /* (chunks, K, lanes) */
    uint32_t *packed;       /* (workers, packed_words) */
} Job;

/* The words of one block of pairs. */
typedef struct {
    uint32_t *planes; /* (pairs, I, padded plane) */
    uint32_t *lanes;  /* (pairs, positions, lanes) */
} Packed;

static Packed packed_of(const Job *job, uint32_t worker) {
    uint32_t *const words = job->packed + (worker * packed_words(&job->cut));
    return (Packed){words,
                    words + lutra_round_up(job->cut.block_pairs * job->cut.planes.group_words, 16)};
}

/* Words of `count` neighbours of the input, from element `at` on of the first image of a pair and
 * the same of the second, `plane` elements further. */
static void pack_input(const Job *job, uint32_t *words, size_t at, size_t plane, size_t count,
                       bool second) {
    if (job->input->bytes != NULL) {
        const uint8_t *bytes = job->input->bytes + at;
        job->halves->pack_bytes(words, bytes, second ? bytes + plane : NULL, count,
                                job->input->code_min);
    } else {
        const float *sums = job->input->sums + at;
        job->halves->pack_reals(words, sums, second ? sums + plane : NULL, count);
    }
}

static void pack_planes(const Job *job, uint32_t *words, size_t pair) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const bool second = (2 * pair) + 1 < shape->images;
    for (size_t i = 0; i < shape->in_channels; i++, words += job->cut.planes.plane_words) {
        const size_t first = ((i * shape->images) + (2 * pair)) * plane;
        if (shape->padding == 0) {
            pack_input(job, words, first, plane, plane, second);
            continue;
        }
        memset(words, 0, job->cut.planes.plane_words * sizeof *words);
        for (size_t r = 0; r < shape->in_height; r++) {
            pack_input(job, words + ((r + shape->padding) * job->cut.planes.pitch) + shape->padding,
                       first + (r * shape->in_width), plane, shape->in_width, second);
        }
    }
}

static void pack_lanes(const Job *job, uint32_t *words, size_t pair) {
    const LutraConvShape *shape = job->shape;
    const size_t positions = job->cut.steps_of_pair;
    const bool second = (2 * pair) + 1 < shape->images;
    for (size_t o = 0; o < shape->out_channels; o += LUTRA_HALF_LANES) {
        const float *first =
            job->out_gradient + (((o * shape->images) + (2 * pair)) * positions);
        job->halves->pack_reals_across(
            words + o, job->cut.lanes, first, second ? first + positions : NULL,
            shape->images * positions,
            (uint32_t)lutra_smaller(LUTRA_HALF_LANES, shape->out_channels - o), positions);
    }
}

static void pack_pair(const Job *job, const Packed *packed, size_t at, size_t pair) {
    pack_planes(job, packed->planes + (at * job->cut.planes.group_words), pair);
    pack_lanes(job, packed->lanes + (at * job->cut.steps_of_pair * job->cut.lanes), pair);
}

/* Some rows of the fan-in over the first pairs of a block. */
static void multiply(const Job *job, const Packed *packed, float *partial, size_t first_row,
                     size_t end_row, size_t pairs, bool add) {
    LutraHalfBlock block = {.rows = packed->planes,
                            .step_offsets = job->step_offsets,
                            .lanes_stride = job->cut.lanes,
                            .steps = pairs * job->cut.steps_of_pair};
    const size_t most = (size_t)LUTRA_HALF_VECTORS * LUTRA_HALF_LANES;
    for (size_t lane = 0; lane < job->cut.lanes; lane += most) {
        block.lanes = packed->lanes + lane;
        block.vectors =
            (uint32_t)(lutra_smaller(most, job->cut.lanes - lane) / LUTRA_HALF_LANES);
        for (size_t row = first_row; row < end_row; row += LUTRA_HALF_ROWS) {
            block.row_offsets = job->row_offsets + row;
            block.row_count = (uint32_t)lutra_smaller(LUTRA_HALF_ROWS, end_row - row);
            job->halves->products(partial + (row * job->cut.lanes) + lane, job->cut.lanes, &block,
                                  add);
        }
    }
}

static void chunk_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const Packed packed = packed_of(job, worker);
    float *partial = job->partials + (index * fan_in * job->cut.lanes);
    const size_t first = (index * job->cut.pairs) / job->cut.chunks;
    const size_t end = ((index + 1) * job->cut.pairs) / job->cut.chunks;
    for (size_t pair = first; pair < end; pair += job->cut.block_pairs) {
        const size_t pairs = lutra_smaller(job->cut.block_pairs, end - pair);
        for (size_t m = 0; m < pairs; m++) {
            pack_pair(job, &packed, m, pair + m);
        }
        multiply(job, &packed, partial, 0, fan_in, pairs, pair > first);
    }
}

static void pack_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const Packed packed = packed_of(job, 0);
    (void)worker;
    pack_pair(job, &packed, index, index);
}

static void rows_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const Packed packed = packed_of(job, 0);
    const size_t first = index * ROWS_OF_UNIT;
    const size_t end = lutra_smaller(first + ROWS_OF_UNIT, lutra_conv_fan_in(job->shape));
    (void)worker;
    multiply(job, &packed, job->partials, first, end, job->cut.pairs, false);
}

/* Adds the partial sums of some weights of the fan-in, in order, and turns (K,O) to (O,K). */
static void finish_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const size_t outputs = job->shape->out_channels;
    const size_t end = lutra_smaller((index + 1) * LUTRA_HALF_LANES, fan_in);
    (void)worker;
    for (size_t k = index * LUTRA_HALF_LANES; k < end; k++) {
        float *const row = job->partials + (k * job->cut.lanes);
        for (size_t chunk = 1; chunk < job->cut.chunks; chunk++) {
            const float *other = row + (chunk * fan_in * job->cut.lanes);
            for (size_t o = 0; o < outputs; o++) {
                row[o] += other[o];
            }
        }
    }
    for (size_t o = 0; o < outputs; o++) {
        for (size_t k = index * LUTRA_HALF_LANES; k < end; k++) {
            job->gradient[(o * fan_in) + k] =
                job->alpha * job->partials[(k * job->cut.lanes) + o];
        }
    }
}

void lutra_half_weight_gradient(float *gradient, const LutraConvShape *shape, LutraConvInput input,
                                const float *out_gradient, float alpha,
                                const LutraHalfKernels *halves,
                                const LutraConvWorkspace *workspace) {
    const size_t fan_in = lutra_conv_fan_in(shape);
    Job job = {.shape = shape, .input = &input, .out_gradient = out_gradient, .halves = halves,
               .gradient = gradient, .alpha = alpha, .cut = cut_of(shape)};
    job.row_offsets = (uint32_t *)(void *)workspace->scratch;
    job.step_offsets = job.row_offsets + fan_in;
    job.partials = workspace->scratch + table_words(shape, &job.cut);
    job.packed =
        (uint32_t *)(void *)(job.partials + (job.cut.chunks * fan_in * job.cut.lanes));
    lutra_packed_taps(job.row_offsets, shape, &job.cut.planes, shape->in_channels);
    lutra_packed_positions(job.step_offsets, shape, &job.cut.planes, job.cut.block_pairs);
    if (job.cut.chunks == 1) {
        lutra_parallel_for(workspace->threads, job.cut.pairs, pack_unit, &job);
        lutra_parallel_for(workspace->threads, lutra_ceiling(fan_in, ROWS_OF_UNIT), rows_unit,
                           &job);
    } else {
        lutra_parallel_for(workspace->threads, job.cut.chunks, chunk_unit, &job);
    }
    lutra_parallel_for(workspace->threads, lutra_ceiling(fan_in, LUTRA_HALF_LANES), finish_unit,
                       &job);
}
