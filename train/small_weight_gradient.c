/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weight gradient in eight bits: the inner dimension is (quads of images, positions). Rows of a
 * block are weights of the fan-in, read straight from the padded planes as codes without sign, one
 * more row of ones gives what code_min adds; lanes are result channels.
 */
#include <string.h>

#include "base/parallel.h"
#include "train/packed_planes_priv.h"
#include "train/small_convolution_priv.h"

enum {
    QUAD = 4,
    BLOCK_STEPS = 512, /* products between two visits to the partial sums */
    LEAST_CHUNK_STEPS = 512,
    LEAST_CHUNKS = 4, /* fewer: threads share the rows instead */
    ROWS_OF_UNIT = 48,
    MOST_PARTIAL_WORDS = 1 << 24
};

typedef struct {
    size_t quads; /* of images */
    size_t steps_of_quad;
    LutraPackedPlanes planes; /* groups are quads */
    size_t lanes;             /* O rounded up */
    size_t block_quads;       /* packed at once by one worker, or all */
    size_t chunks;
} Cut;

/* Partial sums of one chunk: a row for each weight of the fan-in and one for the sums of lanes. */
static size_t partial_words(const LutraConvShape *shape, const Cut *cut) {
    return (lutra_conv_fan_in(shape) + 1) * cut->lanes;
}

/* Sums are exact, so that the number of chunks shows in no result: as few as threads and the bound
 * of sums allow. */
static Cut cut_of(const LutraConvShape *shape, uint32_t threads) {
    Cut cut = {.quads = lutra_ceiling(shape->images, QUAD),
               .steps_of_quad = lutra_conv_positions(shape),
               .planes = lutra_packed_planes(shape, shape->in_channels),
               .lanes = lutra_round_up(shape->out_channels, LUTRA_SMALL_LANES)};
    const size_t partial = partial_words(shape, &cut);
    const size_t steps = cut.quads * cut.steps_of_quad;
    const size_t bound = lutra_ceiling(steps * QUAD, LUTRA_SMALL_MOST_TERMS / 2);
    const size_t wanted = bound > 2 * (size_t)threads ? bound : 2 * (size_t)threads;
    cut.chunks = lutra_smaller(wanted > LEAST_CHUNKS ? wanted : LEAST_CHUNKS, cut.quads);
    cut.chunks = lutra_smaller(cut.chunks, steps / LEAST_CHUNK_STEPS);
    cut.chunks = lutra_smaller(cut.chunks, MOST_PARTIAL_WORDS / partial);
    if (cut.chunks < LEAST_CHUNKS) {
        cut.chunks = 1;
        cut.block_quads = cut.quads;
    } else {
        cut.block_quads = lutra_smaller(lutra_ceiling(BLOCK_STEPS, cut.steps_of_quad),
                                        lutra_ceiling(cut.quads, cut.chunks));
    }
    return cut;
}

/* What a worker packs at once. */
static size_t packed_words(const Cut *cut) {
    return lutra_round_up(cut->block_quads * cut->planes.group_words, 16) +
           (cut->block_quads * cut->steps_of_quad * cut->lanes);
}

static size_t table_words(const LutraConvShape *shape, const Cut *cut) {
    return (2 * cut->lanes) + lutra_round_up(lutra_conv_fan_in(shape) +
                                                 (cut->block_quads * cut->steps_of_quad),
                                             16);
}

size_t lutra_small_weight_scratch(const LutraConvShape *shape, uint32_t threads) {
    const Cut cut = cut_of(shape, threads);
    return table_words(shape, &cut) + (cut.chunks * partial_words(shape, &cut)) +
           (packed_words(&cut) * (cut.chunks == 1 ? 1 : threads));
}

bool lutra_small_weight_sums_fit(const LutraConvShape *shape, uint32_t threads) {
    const Cut cut = cut_of(shape, threads);
    return lutra_ceiling(cut.quads, cut.chunks) * cut.steps_of_quad * QUAD <=
           LUTRA_SMALL_MOST_TERMS;
}

typedef struct {
    const LutraConvShape *shape;
    const LutraConvInput *input;
    const float *out_gradient;
    const LutraSmallKernels *small;
    float *gradient;
    float alpha;
    LutraGradientDraws draws;
    Cut cut;
    float *steps;           /* (lanes) of the rounding of each result channel */
    float *inverses;        /* (lanes) */
    uint32_t *row_offsets;  /* (K) */
    uint32_t *step_offsets; /* (block_quads * steps_of_quad) */
    int32_t *partials;      /* (chunks, K + 1, lanes) */
    uint32_t *packed;       /* (workers, packed_words) */
} Job;

/* The words of one block of quads. */
typedef struct {
    uint32_t *planes; /* (quads, I, padded plane) */
    uint32_t *lanes;  /* (quads, positions, lanes) */
} Packed;

static Packed packed_of(const Job *job, uint32_t worker) {
    uint32_t *const words = job->packed + (worker * packed_words(&job->cut));
    return (Packed){words,
                    words + lutra_round_up(job->cut.block_quads * job->cut.planes.group_words, 16)};
}

static void channel_unit(void *user, size_t channel, uint32_t worker) {
    const Job *job = user;
    const size_t row = job->shape->images * job->cut.steps_of_quad;
    uint32_t largest = 0;
    (void)worker;
    job->small->largest(&largest, job->out_gradient + (channel * row), 1, row);
    job->steps[channel] = lutra_gradient_step(largest);
    job->inverses[channel] = lutra_gradient_inverse(job->steps[channel]);
}

static size_t images_of(const Job *job, size_t quad) {
    return lutra_smaller(QUAD, job->shape->images - (QUAD * quad));
}

static void pack_planes(const Job *job, uint32_t *words, size_t quad) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t images = images_of(job, quad);
    for (size_t i = 0; i < shape->in_channels; i++, words += job->cut.planes.plane_words) {
        const uint8_t *first = job->input->bytes + (((i * shape->images) + (QUAD * quad)) * plane);
        const uint8_t *rows[QUAD] = {NULL};
        for (size_t j = 0; j < images; j++) {
            rows[j] = first + (j * plane);
        }
        if (shape->padding == 0) {
            job->small->weave(words, rows, plane);
            continue;
        }
        memset(words, -job->input->code_min, job->cut.planes.plane_words * sizeof *words);
        for (size_t r = 0; r < shape->in_height; r++) {
            const size_t at = ((r + shape->padding) * job->cut.planes.pitch) + shape->padding;
            job->small->weave(words + at, rows, shape->in_width);
            for (size_t j = 0; j < images; j++) {
                rows[j] += shape->in_width;
            }
        }
    }
}

static void pack_lanes(const Job *job, uint32_t *words, size_t quad) {
    const LutraConvShape *shape = job->shape;
    const size_t positions = job->cut.steps_of_quad;
    for (size_t o = 0; o < shape->out_channels; o += LUTRA_SMALL_LANES) {
        const size_t first = ((o * shape->images) + (QUAD * quad)) * positions;
        job->small->pack_across(
            words + o, job->cut.lanes, job->out_gradient + first, positions,
            (uint32_t)images_of(job, quad), shape->images * positions,
            (uint32_t)lutra_smaller(LUTRA_SMALL_LANES, shape->out_channels - o), positions,
            job->inverses + o, job->draws, (uint32_t)first);
    }
}

static void pack_quad(const Job *job, const Packed *packed, size_t at, size_t quad) {
    pack_planes(job, packed->planes + (at * job->cut.planes.group_words), quad);
    pack_lanes(job, packed->lanes + (at * job->cut.steps_of_quad * job->cut.lanes), quad);
}

/* Some rows of the fan-in over the first quads of a block. */
static void multiply(const Job *job, const Packed *packed, int32_t *partial, size_t first_row,
                     size_t end_row, size_t quads, bool add) {
    LutraSmallBlock block = {.rows = packed->planes,
                            .step_offsets = job->step_offsets,
                            .lanes_stride = job->cut.lanes,
                            .steps = quads * job->cut.steps_of_quad};
    const size_t most = (size_t)LUTRA_SMALL_VECTORS * LUTRA_SMALL_LANES;
    for (size_t lane = 0; lane < job->cut.lanes; lane += most) {
        block.lanes = packed->lanes + lane;
        block.vectors =
            (uint32_t)(lutra_smaller(most, job->cut.lanes - lane) / LUTRA_SMALL_LANES);
        if (first_row == 0) {
            job->small->lane_sums(
                partial + (lutra_conv_fan_in(job->shape) * job->cut.lanes) + lane, &block, add);
        }
        for (size_t row = first_row; row < end_row; row += LUTRA_SMALL_ROWS) {
            block.row_offsets = job->row_offsets + row;
            block.row_count = (uint32_t)lutra_smaller(LUTRA_SMALL_ROWS, end_row - row);
            job->small->products(partial + (row * job->cut.lanes) + lane, job->cut.lanes, &block,
                                  add);
        }
    }
}

static void chunk_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const Packed packed = packed_of(job, worker);
    int32_t *partial = job->partials + (index * partial_words(job->shape, &job->cut));
    const size_t first = (index * job->cut.quads) / job->cut.chunks;
    const size_t end = ((index + 1) * job->cut.quads) / job->cut.chunks;
    for (size_t quad = first; quad < end; quad += job->cut.block_quads) {
        const size_t quads = lutra_smaller(job->cut.block_quads, end - quad);
        for (size_t m = 0; m < quads; m++) {
            pack_quad(job, &packed, m, quad + m);
        }
        multiply(job, &packed, partial, 0, fan_in, quads, quad > first);
    }
}

static void pack_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const Packed packed = packed_of(job, 0);
    (void)worker;
    pack_quad(job, &packed, index, index);
}

static void rows_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const Packed packed = packed_of(job, 0);
    const size_t first = index * ROWS_OF_UNIT;
    const size_t end = lutra_smaller(first + ROWS_OF_UNIT, lutra_conv_fan_in(job->shape));
    (void)worker;
    multiply(job, &packed, job->partials, first, end, job->cut.quads, false);
}

/* Adds the partial sums of some weights of the fan-in and turns (K,O) to (O,K). */
static void finish_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const size_t lanes = job->cut.lanes;
    const size_t chunk_words = partial_words(job->shape, &job->cut);
    const size_t first = index * LUTRA_SMALL_LANES;
    const size_t rows = lutra_smaller(LUTRA_SMALL_LANES, fan_in - first);
    (void)worker;
    for (size_t o = 0; o < job->shape->out_channels; o += LUTRA_SMALL_LANES) {
        const size_t columns = lutra_smaller(LUTRA_SMALL_LANES, job->shape->out_channels - o);
        float totals[LUTRA_SMALL_LANES][LUTRA_SMALL_LANES];
        double lane_sums[LUTRA_SMALL_LANES] = {0.0}; /* whole numbers below 2^53: exact */
        for (size_t chunk = 0; chunk < job->cut.chunks; chunk++) {
            const int32_t *from = job->partials + (chunk * chunk_words) + (fan_in * lanes) + o;
            for (size_t l = 0; l < LUTRA_SMALL_LANES; l++) {
                lane_sums[l] += (double)from[l];
            }
        }
        for (size_t r = 0; r < rows; r++) {
            double sums[LUTRA_SMALL_LANES];
            for (size_t l = 0; l < LUTRA_SMALL_LANES; l++) {
                sums[l] = lane_sums[l] * (double)job->input->code_min;
            }
            for (size_t chunk = 0; chunk < job->cut.chunks; chunk++) {
                const int32_t *from =
                    job->partials + (chunk * chunk_words) + ((first + r) * lanes) + o;
                for (size_t l = 0; l < LUTRA_SMALL_LANES; l++) {
                    sums[l] += (double)from[l];
                }
            }
            for (size_t l = 0; l < LUTRA_SMALL_LANES; l++) {
                totals[r][l] = (float)sums[l];
            }
        }
        for (size_t l = 0; l < columns; l++) {
            const float factor = job->alpha * job->steps[o + l];
            for (size_t r = 0; r < rows; r++) {
                job->gradient[((o + l) * fan_in) + first + r] = factor * totals[r][l];
            }
        }
    }
}

void lutra_small_weight_gradient(float *gradient, const LutraConvShape *shape,
                                 LutraConvInput input, const float *out_gradient, float alpha,
                                 LutraGradientDraws draws, const LutraSmallKernels *small,
                                 const LutraConvWorkspace *workspace) {
    const size_t fan_in = lutra_conv_fan_in(shape);
    Job job = {.shape = shape, .input = &input, .out_gradient = out_gradient, .small = small,
               .gradient = gradient, .alpha = alpha, .draws = draws,
               .cut = cut_of(shape, workspace->threads)};
    job.steps = workspace->scratch;
    job.inverses = job.steps + job.cut.lanes;
    job.row_offsets = (uint32_t *)(void *)(job.inverses + job.cut.lanes);
    job.step_offsets = job.row_offsets + fan_in;
    job.partials = (int32_t *)(void *)(workspace->scratch + table_words(shape, &job.cut));
    job.packed = (uint32_t *)(void *)(job.partials +
                                      (job.cut.chunks * partial_words(shape, &job.cut)));
    lutra_packed_taps(job.row_offsets, shape, &job.cut.planes, shape->in_channels);
    lutra_packed_positions(job.step_offsets, shape, &job.cut.planes, job.cut.block_quads);
    lutra_parallel_for(workspace->threads, shape->out_channels, channel_unit, &job);
    if (job.cut.chunks == 1) {
        lutra_parallel_for(workspace->threads, job.cut.quads, pack_unit, &job);
        lutra_parallel_for(workspace->threads, lutra_ceiling(fan_in, ROWS_OF_UNIT), rows_unit,
                           &job);
    } else {
        lutra_parallel_for(workspace->threads, job.cut.chunks, chunk_unit, &job);
    }
    lutra_parallel_for(workspace->threads, lutra_ceiling(fan_in, LUTRA_SMALL_LANES), finish_unit,
                       &job);
}
