/* SPDX-License-Identifier: Apache-2.0 */
#include "train/byte_products.h"

#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum { QUAD = 4, VECTOR_POSITIONS = 16, SLACK_BYTES = 128, UNIT_QUADS = 64 };

static size_t round_up(size_t value, size_t multiple) {
    return ((value + multiple - 1) / multiple) * multiple;
}

/* One position per image: positions run over images. */
static bool is_flat(const LutraConvShape *shape) {
    return lutra_conv_positions(shape) == 1 && shape->padding == 0 &&
           shape->kernel_height == shape->in_height && shape->kernel_width == shape->in_width;
}

bool lutra_byte_sums_fit(const LutraTrainKernels *kernels, uint32_t largest_byte,
                         double largest_row) {
    return (double)largest_byte * largest_row <= (double)kernels->byte_limit;
}

/* Elements of a padded axis that a stride meets from one start. */
static size_t phase_extent(const LutraConvShape *shape, size_t extent) {
    return (extent + (2 * (size_t)shape->padding) + shape->stride - 1) / shape->stride;
}

static size_t pitch(const LutraConvShape *shape) {
    return phase_extent(shape, shape->in_width);
}

/* Positions of one phase of a padded plane. */
static size_t phase_positions(const LutraConvShape *shape) {
    return pitch(shape) * phase_extent(shape, shape->in_height);
}

/* Positions of all phases. */
static size_t plane_positions(const LutraConvShape *shape) {
    return phase_positions(shape) * shape->stride * shape->stride;
}

/* Where row and column of a padded plane stand. */
static size_t place(const LutraConvShape *shape, size_t row, size_t column) {
    const size_t stride = shape->stride;
    const size_t phase = ((row % stride) * stride) + (column % stride);
    return (phase * phase_positions(shape)) + ((row / stride) * pitch(shape)) + (column / stride);
}

static size_t quad_count(const LutraConvShape *shape) {
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    return is_flat(shape) ? round_up(lutra_conv_fan_in(shape), QUAD) / QUAD
                          : (round_up(shape->in_channels, QUAD) / QUAD) * taps;
}

/* Positions that the products run over, those between result rows included. */
static size_t run_positions(const LutraConvShape *shape) {
    const size_t wanted = is_flat(shape) ? shape->images
                                         : ((shape->out_height - 1) * pitch(shape)) +
                                               shape->out_width;
    return round_up(wanted, VECTOR_POSITIONS);
}

LutraStatus lutra_byte_weights_init(LutraByteWeights *packed, const LutraConvShape *shape,
                                    LutraError *error) {
    LutraByteWeights made = {.quads = quad_count(shape)};
    const size_t rows = round_up(shape->out_channels, QUAD);
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.weights, rows * made.quads, QUAD, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.corrections, rows, sizeof *made.corrections, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.offsets, made.quads, sizeof *made.offsets, error));
    *packed = made;
    return LUTRA_OK;
done:
    lutra_byte_weights_deinit(&made);
    return status;
}

void lutra_byte_weights_deinit(LutraByteWeights *packed) {
    lutra_free(&packed->weights);
    lutra_free(&packed->corrections);
    lutra_free(&packed->offsets);
    packed->quads = 0;
}

static void set_offsets(LutraByteWeights *packed, const LutraConvShape *shape) {
    size_t q = 0;
    if (is_flat(shape)) {
        const size_t quad_bytes = run_positions(shape) * QUAD;
        for (; q < packed->quads; q++) {
            packed->offsets[q] = (uint32_t)(q * quad_bytes);
        }
        return;
    }
    const size_t groups = round_up(shape->in_channels, QUAD) / QUAD;
    for (size_t g = 0; g < groups; g++) {
        for (size_t a = 0; a < shape->kernel_height; a++) {
            for (size_t b = 0; b < shape->kernel_width; b++, q++) {
                packed->offsets[q] =
                    (uint32_t)(((g * plane_positions(shape)) + place(shape, a, b)) * QUAD);
            }
        }
    }
}

typedef struct {
    LutraByteWeights *packed;
    const LutraConvShape *shape;
    const float *weights;
    int32_t code_min;
} PackJob;

/* Quad and place in it of weight k of a row. */
static size_t packed_place(const LutraConvShape *shape, size_t k) {
    if (is_flat(shape)) {
        return ((k / QUAD) * QUAD * QUAD) + (k % QUAD);
    }
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const size_t channel = k / taps;
    const size_t quad = ((channel / QUAD) * taps) + (k % taps);
    return (quad * QUAD * QUAD) + (channel % QUAD);
}

static void pack_unit(void *user, size_t index, uint32_t worker) {
    const PackJob *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t fan_in = lutra_conv_fan_in(shape);
    int8_t *block = job->packed->weights + (index * job->packed->quads * QUAD * QUAD);
    (void)worker;
    memset(block, 0, job->packed->quads * QUAD * QUAD);
    for (size_t j = 0; j < QUAD; j++) {
        const size_t row = (index * QUAD) + j;
        int32_t total = 0;
        if (row < shape->out_channels && is_flat(shape)) {
            const float *weights = job->weights + (row * fan_in);
            for (size_t k = 0; k < fan_in; k++) {
                block[packed_place(shape, k) + (j * QUAD)] = (int8_t)weights[k];
                total += (int32_t)weights[k];
            }
        } else if (row < shape->out_channels) {
            const float *weights = job->weights + (row * fan_in);
            const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
            for (size_t i = 0; i < shape->in_channels; i++) {
                int8_t *to = block + packed_place(shape, i * taps) + (j * QUAD);
                for (size_t t = 0; t < taps; t++) {
                    to[t * QUAD * QUAD] = (int8_t)*weights;
                    total += (int32_t)*weights++;
                }
            }
        }
        job->packed->corrections[row] = total * job->code_min;
    }
}

void lutra_byte_weights_pack(LutraByteWeights *packed, const LutraConvShape *shape,
                             const float *weights, int32_t code_min, uint32_t threads) {
    PackJob job = {packed, shape, weights, code_min};
    lutra_parallel_for(threads, round_up(shape->out_channels, QUAD) / QUAD, pack_unit, &job);
}

/* Bytes of the laid-out input: of one image, or of the whole batch if flat. */
static size_t laid_bytes(const LutraConvShape *shape) {
    const size_t groups = round_up(shape->in_channels, QUAD) / QUAD;
    const size_t bytes = is_flat(shape)
                             ? quad_count(shape) * run_positions(shape) * QUAD
                             : groups * plane_positions(shape) * QUAD;
    return round_up(bytes + SLACK_BYTES, 64);
}

/* A worker's floats: sums of four rows, and the laid-out image unless flat. */
static size_t worker_floats(const LutraConvShape *shape) {
    const size_t sums = QUAD * run_positions(shape);
    return sums + (is_flat(shape) ? 0 : laid_bytes(shape) / sizeof(float));
}

size_t lutra_byte_scratch_floats(const LutraConvShape *shape, uint32_t threads) {
    return (threads * worker_floats(shape)) +
           (is_flat(shape) ? laid_bytes(shape) / sizeof(float) : 0);
}

typedef struct {
    float *sums;
    const LutraConvShape *shape;
    const LutraConvInput *input;
    const LutraByteWeights *packed;
    const LutraConvWorkspace *workspace;
    uint8_t *laid; /* flat: the whole batch */
} Job;

static float *worker_scratch(const Job *job, uint32_t worker) {
    return job->workspace->scratch + (worker * worker_floats(job->shape));
}

/* Four rows of bytes woven into one row of quads; missing rows are NULL and give 0. */
static void weave(uint8_t *to, const uint8_t *const rows[QUAD], size_t count) {
    if (rows[0] != NULL && rows[1] != NULL && rows[2] != NULL && rows[3] != NULL) {
        const uint8_t *a = rows[0];
        const uint8_t *b = rows[1];
        const uint8_t *c = rows[2];
        const uint8_t *d = rows[3];
        for (size_t i = 0; i < count; i++) {
            to[4 * i] = a[i];
            to[(4 * i) + 1] = b[i];
            to[(4 * i) + 2] = c[i];
            to[(4 * i) + 3] = d[i];
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < QUAD; j++) {
            to[(4 * i) + j] = rows[j] == NULL ? 0 : rows[j][i];
        }
    }
}

/* Row `row` of a padded plane, but for its border. */
static void lay_row(uint8_t *plane, const LutraConvShape *shape, const uint8_t *const rows[QUAD],
                    size_t row) {
    if (shape->stride == 1) {
        weave(plane + (place(shape, row, shape->padding) * QUAD), rows, shape->in_width);
        return;
    }
    for (size_t c = 0; c < shape->in_width; c++) {
        uint8_t *to = plane + (place(shape, row, c + shape->padding) * QUAD);
        for (size_t j = 0; j < QUAD; j++) {
            to[j] = rows[j] == NULL ? 0 : rows[j][c];
        }
    }
}

/* One image in quads of channels, with a border of code 0. */
static void lay_image(uint8_t *laid, const Job *job, size_t image) {
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t groups = round_up(shape->in_channels, QUAD) / QUAD;
    for (size_t g = 0; g < groups; g++) {
        uint8_t *to = laid + (g * plane_positions(shape) * QUAD);
        const uint8_t *rows[QUAD];
        for (size_t j = 0; j < QUAD; j++) {
            const size_t channel = (g * QUAD) + j;
            rows[j] = channel < shape->in_channels
                          ? job->input->bytes + (((channel * shape->images) + image) * plane)
                          : NULL;
        }
        if (shape->padding == 0 && shape->stride == 1) {
            weave(to, rows, plane);
            continue;
        }
        memset(to, -job->input->code_min, plane_positions(shape) * QUAD);
        for (size_t r = 0; r < shape->in_height; r++) {
            lay_row(to, shape, rows, r + shape->padding);
            for (size_t j = 0; j < QUAD; j++) {
                rows[j] = rows[j] == NULL ? NULL : rows[j] + shape->in_width;
            }
        }
    }
}

static void image_unit(void *user, size_t image, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t positions = run_positions(shape);
    const size_t result = lutra_conv_positions(shape);
    float *rows = worker_scratch(job, worker);
    uint8_t *laid = (uint8_t *)(rows + (QUAD * positions));
    lay_image(laid, job, image);
    for (size_t first = 0; first < shape->out_channels; first += QUAD) {
        job->workspace->kernels->byte_products(
            rows, laid, job->packed->offsets, job->packed->quads,
            job->packed->weights + (first * job->packed->quads * QUAD),
            job->packed->corrections + first, positions);
        for (size_t j = 0; j < QUAD && first + j < shape->out_channels; j++) {
            float *to = job->sums + ((((first + j) * shape->images) + image) * result);
            job->workspace->kernels->close_rows(to, rows + (j * positions), shape->out_height,
                                                shape->out_width, pitch(shape));
        }
    }
}

/* Some quads of features of all images. */
static void lay_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t features = lutra_conv_fan_in(shape);
    const size_t end = (index + 1) * UNIT_QUADS;
    (void)worker;
    for (size_t q = index * UNIT_QUADS; q < end && q < job->packed->quads; q++) {
        uint8_t *to = job->laid + (q * run_positions(shape) * QUAD);
        const uint8_t *rows[QUAD];
        for (size_t j = 0; j < QUAD; j++) {
            const size_t feature = (q * QUAD) + j;
            rows[j] = feature < features ? job->input->bytes +
                                               ((feature / plane) * shape->images * plane) +
                                               (feature % plane)
                                         : NULL;
        }
        if (plane == 1) {
            weave(to, rows, shape->images);
            continue;
        }
        for (size_t n = 0; n < shape->images; n++) {
            for (size_t j = 0; j < QUAD; j++) {
                to[(n * QUAD) + j] = rows[j] == NULL ? 0 : rows[j][n * plane];
            }
        }
    }
}

static void flat_unit(void *user, size_t block, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const size_t positions = run_positions(shape);
    const size_t first = block * QUAD;
    float *rows = worker_scratch(job, worker);
    job->workspace->kernels->byte_products(
        rows, job->laid, job->packed->offsets, job->packed->quads,
        job->packed->weights + (first * job->packed->quads * QUAD),
        job->packed->corrections + first, positions);
    for (size_t j = 0; j < QUAD && first + j < shape->out_channels; j++) {
        memcpy(job->sums + ((first + j) * shape->images), rows + (j * positions),
               shape->images * sizeof *rows);
    }
}

void lutra_byte_forward(float *sums, const LutraConvShape *shape, LutraConvInput input,
                        LutraByteWeights *packed, const LutraConvWorkspace *workspace) {
    Job job = {sums, shape, &input, packed, workspace, NULL};
    set_offsets(packed, shape); /* they depend on the number of images */
    if (!is_flat(shape)) {
        lutra_parallel_for(workspace->threads, shape->images, image_unit, &job);
        return;
    }
    job.laid = (uint8_t *)(workspace->scratch + (workspace->threads * worker_floats(shape)));
    lutra_parallel_for(workspace->threads, (packed->quads + UNIT_QUADS - 1) / UNIT_QUADS, lay_unit,
                       &job);
    lutra_parallel_for(workspace->threads, round_up(shape->out_channels, QUAD) / QUAD, flat_unit,
                       &job);
}
