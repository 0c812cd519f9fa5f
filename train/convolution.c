/* SPDX-License-Identifier: Apache-2.0 */
#include "train/convolution.h"

#include <string.h>

#include "base/parallel.h"
#include "train/gemm.h"

enum {
    SLAB_POSITIONS = 512,        /* columns of a patch matrix at which products run well */
    LEAST_SLABS = 4,             /* so that small layers also run on some threads */
    MOST_CHUNKS = 8,             /* partial sums of a weight gradient */
    MOST_PARTIAL_FLOATS = 1 << 24 /* in all partial sums together */
};

/* How a batch is cut: a function of the sizes alone. */
typedef struct {
    size_t slab_images;
    size_t slabs;
    size_t chunk_slabs;
    size_t chunks;
} Cut;

static size_t ceiling(size_t a, size_t b) {
    return (a + b - 1) / b;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static Cut cut_of(const LutraConvShape *shape) {
    const size_t images = shape->images;
    size_t wanted = ceiling(images * lutra_conv_positions(shape), SLAB_POSITIONS);
    wanted = smaller(wanted < LEAST_SLABS ? LEAST_SLABS : wanted, images);
    Cut cut;
    cut.slab_images = ceiling(images, wanted);
    cut.slabs = ceiling(images, cut.slab_images);
    const size_t weights = shape->out_channels * lutra_conv_fan_in(shape);
    size_t chunks = smaller(smaller(cut.slabs, MOST_CHUNKS), MOST_PARTIAL_FLOATS / weights);
    chunks = chunks == 0 ? 1 : chunks;
    cut.chunk_slabs = ceiling(cut.slabs, chunks);
    cut.chunks = ceiling(cut.slabs, cut.chunk_slabs);
    return cut;
}

static size_t plane_floats(const LutraConvShape *shape) {
    return ceiling((size_t)shape->in_height * shape->in_width, 16) * 16;
}

static size_t worker_floats(const LutraConvShape *shape, const Cut *cut) {
    const size_t columns = cut->slab_images * lutra_conv_positions(shape);
    return plane_floats(shape) + (ceiling(lutra_conv_fan_in(shape) * columns, 16) * 16);
}

size_t lutra_conv_scratch_floats(const LutraConvShape *shape, uint32_t threads) {
    const Cut cut = cut_of(shape);
    const size_t partials = cut.chunks * shape->out_channels * lutra_conv_fan_in(shape);
    return (threads * worker_floats(shape, &cut)) + partials;
}

/* One call of a fast function, as the units of work see it. */
typedef struct {
    const LutraConvShape *shape;
    const LutraConvInput *input;
    const LutraConvWorkspace *workspace;
    const float *weights;
    const float *out_gradient;
    float *result;
    float *partials;
    float alpha;
    Cut cut;
} Job;

/* The images of one slab and this worker's scratch. */
typedef struct {
    size_t first;
    size_t images;
    size_t columns; /* images * P */
    float *plane;
    float *patches; /* (K, columns) */
} Slab;

static Slab slab_at(const Job *job, size_t index, uint32_t worker) {
    Slab slab;
    slab.first = index * job->cut.slab_images;
    slab.images = smaller(job->cut.slab_images, job->shape->images - slab.first);
    slab.columns = slab.images * lutra_conv_positions(job->shape);
    slab.plane = job->workspace->scratch + (worker * worker_floats(job->shape, &job->cut));
    slab.patches = slab.plane + plane_floats(job->shape);
    return slab;
}

/* A whole row of patches at once where planes and kernels have one element. */
static void gather_points(const Job *job, const Slab *slab) {
    const LutraTrainKernels *kernels = job->workspace->kernels;
    for (size_t i = 0; i < job->shape->in_channels; i++) {
        float *row = slab->patches + (i * slab->columns);
        const size_t from = (i * job->shape->images) + slab->first;
        if (job->input->bytes != NULL) {
            kernels->widen(row, job->input->bytes + from, slab->images,
                           (float)job->input->code_min);
        } else {
            memcpy(row, job->input->sums + from, slab->images * sizeof *row);
        }
    }
}

static void gather_slab(const Job *job, const Slab *slab) {
    const LutraConvShape *shape = job->shape;
    const LutraTrainKernels *kernels = job->workspace->kernels;
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const size_t positions = lutra_conv_positions(shape);
    if (in_plane == 1 && taps == 1 && shape->padding == 0) {
        gather_points(job, slab);
        return;
    }
    for (size_t i = 0; i < shape->in_channels; i++) {
        for (size_t n = 0; n < slab->images; n++) {
            const size_t from = ((i * shape->images) + slab->first + n) * in_plane;
            const float *plane = slab->plane;
            if (job->input->bytes != NULL) {
                kernels->widen(slab->plane, job->input->bytes + from, in_plane,
                               (float)job->input->code_min);
            } else {
                plane = job->input->sums + from;
            }
            kernels->gather(slab->patches + (i * taps * slab->columns) + (n * positions),
                            slab->columns, plane, shape);
        }
    }
}

static void forward_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const Slab slab = slab_at(job, index, worker);
    const size_t positions = lutra_conv_positions(job->shape);
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    gather_slab(job, &slab);
    lutra_gemm_nn(job->result + (slab.first * positions), job->shape->images * positions,
                  (LutraMatrix){job->weights, fan_in}, (LutraMatrix){slab.patches, slab.columns},
                  job->shape->out_channels, slab.columns, fan_in, 1.0f, 0.0f);
}

void lutra_conv_forward(float *sums, const LutraConvShape *shape, LutraConvInput input,
                        const float *weights, const LutraConvWorkspace *workspace) {
    Job job = {.shape = shape, .input = &input, .workspace = workspace, .weights = weights,
               .result = sums, .cut = cut_of(shape)};
    lutra_parallel_for(workspace->threads, job.cut.slabs, forward_unit, &job);
}

static void weight_gradient_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t positions = lutra_conv_positions(job->shape);
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const size_t first = index * job->cut.chunk_slabs;
    const size_t end = smaller(first + job->cut.chunk_slabs, job->cut.slabs);
    float *partial = job->partials + (index * job->shape->out_channels * fan_in);
    for (size_t s = first; s < end; s++) {
        const Slab slab = slab_at(job, s, worker);
        gather_slab(job, &slab);
        const LutraMatrix gradient = {job->out_gradient + (slab.first * positions),
                                      job->shape->images * positions};
        lutra_gemm_nt(partial, fan_in, gradient, (LutraMatrix){slab.patches, slab.columns},
                      job->shape->out_channels, fan_in, slab.columns, job->alpha,
                      s == first ? 0.0f : 1.0f);
    }
}

/* Adds the partial sums of one output channel, in order. */
static void add_partials_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t fan_in = lutra_conv_fan_in(job->shape);
    const size_t weights = job->shape->out_channels * fan_in;
    float *row = job->result + (index * fan_in);
    (void)worker;
    memcpy(row, job->partials + (index * fan_in), fan_in * sizeof *row);
    for (size_t chunk = 1; chunk < job->cut.chunks; chunk++) {
        const float *partial = job->partials + (chunk * weights) + (index * fan_in);
        for (size_t k = 0; k < fan_in; k++) {
            row[k] += partial[k];
        }
    }
}

void lutra_conv_weight_gradient(float *gradient, const LutraConvShape *shape, LutraConvInput input,
                                const float *out_gradient, float alpha,
                                const LutraConvWorkspace *workspace) {
    Job job = {.shape = shape, .input = &input, .workspace = workspace,
               .out_gradient = out_gradient, .result = gradient, .alpha = alpha,
               .cut = cut_of(shape)};
    job.partials = workspace->scratch + (workspace->threads * worker_floats(shape, &job.cut));
    lutra_parallel_for(workspace->threads, job.cut.chunks, weight_gradient_unit, &job);
    lutra_parallel_for(workspace->threads, shape->out_channels, add_partials_unit, &job);
}

static void input_gradient_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraConvShape *shape = job->shape;
    const Slab slab = slab_at(job, index, worker);
    const size_t positions = lutra_conv_positions(shape);
    const size_t fan_in = lutra_conv_fan_in(shape);
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    const LutraMatrix gradient = {job->out_gradient + (slab.first * positions),
                                  shape->images * positions};
    lutra_gemm_tn(slab.patches, slab.columns, (LutraMatrix){job->weights, fan_in}, gradient, fan_in,
                  slab.columns, shape->out_channels, job->alpha, 0.0f);
    for (size_t i = 0; i < shape->in_channels; i++) {
        for (size_t n = 0; n < slab.images; n++) {
            float *plane = job->result + (((i * shape->images) + slab.first + n) * in_plane);
            job->workspace->kernels->scatter(
                plane, slab.patches + (i * taps * slab.columns) + (n * positions), slab.columns,
                shape);
        }
    }
}

void lutra_conv_input_gradient(float *in_gradient, const LutraConvShape *shape,
                               const float *weights, const float *out_gradient, float alpha,
                               const LutraConvWorkspace *workspace) {
    Job job = {.shape = shape, .workspace = workspace, .weights = weights,
               .out_gradient = out_gradient, .result = in_gradient, .alpha = alpha,
               .cut = cut_of(shape)};
    lutra_parallel_for(workspace->threads, job.cut.slabs, input_gradient_unit, &job);
}
