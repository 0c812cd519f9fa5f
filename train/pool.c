/* SPDX-License-Identifier: Apache-2.0 */
#include "train/pool.h"

#include <string.h>

#include "base/parallel.h"

enum { UNIT_PLANES = 64 };

typedef struct Job {
    const LutraPoolShape *shape;
    const LutraConvInput *input;
    const uint8_t *codes; /* input of a maximum pool */
    const float *out_gradient;
    float *result;
    uint8_t *bytes; /* result of a maximum pool */
    void (*plane)(const struct Job *job, size_t in_element, size_t out_element);
} Job;

static void unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraPoolShape *shape = job->shape;
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t out_plane = (size_t)shape->out_height * shape->out_width;
    const size_t end = (index + 1) * UNIT_PLANES;
    (void)worker;
    for (size_t p = index * UNIT_PLANES; p < end && p < shape->planes; p++) {
        job->plane(job, p * in_plane, p * out_plane);
    }
}

static void run(Job *job) {
    lutra_parallel_for(job->shape->threads, (job->shape->planes + UNIT_PLANES - 1) / UNIT_PLANES,
                       unit, job);
}

static bool by_two(const LutraPoolShape *shape) {
    return shape->kernel == 2 && shape->stride == 2;
}

static void sum_bytes(float *sums, const uint8_t *plane, const LutraPoolShape *shape,
                      int32_t code_min) {
    const int32_t offset = code_min * (int32_t)(shape->kernel * shape->kernel);
    for (size_t r = 0; r < shape->out_height; r++) {
        for (size_t s = 0; s < shape->out_width; s++) {
            const uint8_t *window =
                plane + (r * shape->stride * shape->in_width) + (s * shape->stride);
            int32_t total = offset;
            for (size_t a = 0; a < shape->kernel; a++) {
                for (size_t b = 0; b < shape->kernel; b++) {
                    total += window[(a * shape->in_width) + b];
                }
            }
            *sums++ = (float)total;
        }
    }
}

/* Windows of 2 x 2 that do not overlap, the usual ones. */
static void sum_bytes_by_two(float *sums, const uint8_t *plane, const LutraPoolShape *shape,
                             int32_t code_min) {
    for (size_t r = 0; r < shape->out_height; r++) {
        const uint8_t *upper = plane + (2 * r * shape->in_width);
        const uint8_t *lower = upper + shape->in_width;
        for (size_t s = 0; s < shape->out_width; s++) {
            *sums++ = (float)((upper[2 * s] + upper[(2 * s) + 1]) +
                              (lower[2 * s] + lower[(2 * s) + 1]) + (4 * code_min));
        }
    }
}

static void sum_floats(float *sums, const float *plane, const LutraPoolShape *shape) {
    for (size_t r = 0; r < shape->out_height; r++) {
        for (size_t s = 0; s < shape->out_width; s++) {
            const float *window =
                plane + (r * shape->stride * shape->in_width) + (s * shape->stride);
            float total = 0.0f;
            for (size_t a = 0; a < shape->kernel; a++) {
                for (size_t b = 0; b < shape->kernel; b++) {
                    total += window[(a * shape->in_width) + b];
                }
            }
            *sums++ = total;
        }
    }
}

static void forward_plane(const Job *job, size_t in_element, size_t out_element) {
    float *sums = job->result + out_element;
    if (job->input->bytes != NULL && by_two(job->shape)) {
        sum_bytes_by_two(sums, job->input->bytes + in_element, job->shape, job->input->code_min);
    } else if (job->input->bytes != NULL) {
        sum_bytes(sums, job->input->bytes + in_element, job->shape, job->input->code_min);
    } else {
        sum_floats(sums, job->input->sums + in_element, job->shape);
    }
}

void lutra_pool_forward(float *sums, const LutraPoolShape *shape, LutraConvInput input) {
    Job job = {.shape = shape, .input = &input, .result = sums, .plane = forward_plane};
    run(&job);
}

/* Each gradient goes to a window of its own. */
static void spread_by_two(float *plane, const LutraPoolShape *shape, const float *out_gradient) {
    const size_t width = shape->in_width;
    if (shape->in_height != 2 * shape->out_height || width != 2 * (size_t)shape->out_width) {
        memset(plane, 0, shape->in_height * width * sizeof *plane);
    }
    for (size_t r = 0; r < shape->out_height; r++, out_gradient += shape->out_width) {
        float *upper = plane + (2 * r * width);
        for (size_t s = 0; s < shape->out_width; s++) {
            const float gradient = out_gradient[s] * 0.25f;
            upper[2 * s] = gradient;
            upper[(2 * s) + 1] = gradient;
        }
        memcpy(upper + width, upper, 2 * (size_t)shape->out_width * sizeof *upper);
    }
}

static void backward_plane(const Job *job, size_t in_element, size_t out_element) {
    const LutraPoolShape *shape = job->shape;
    const float *out_gradient = job->out_gradient + out_element;
    float *plane = job->result + in_element;
    const float share = 1.0f / (float)(shape->kernel * shape->kernel);
    if (by_two(shape)) {
        spread_by_two(plane, shape, out_gradient);
        return;
    }
    memset(plane, 0, (size_t)shape->in_height * shape->in_width * sizeof *plane);
    for (size_t r = 0; r < shape->out_height; r++) {
        for (size_t s = 0; s < shape->out_width; s++) {
            float *window = plane + (r * shape->stride * shape->in_width) + (s * shape->stride);
            const float gradient = *out_gradient++ * share;
            for (size_t a = 0; a < shape->kernel; a++) {
                for (size_t b = 0; b < shape->kernel; b++) {
                    window[(a * shape->in_width) + b] += gradient;
                }
            }
        }
    }
}

void lutra_pool_backward(float *in_gradient, const LutraPoolShape *shape,
                         const float *out_gradient) {
    Job job = {.shape = shape, .out_gradient = out_gradient, .result = in_gradient,
               .plane = backward_plane};
    run(&job);
}

/* Index of the first of the largest bytes of the window that begins at `window`. */
static size_t first_largest(const uint8_t *window, const LutraPoolShape *shape) {
    size_t best = 0;
    for (size_t a = 0; a < shape->kernel; a++) {
        for (size_t b = 0; b < shape->kernel; b++) {
            const size_t at = (a * shape->in_width) + b;
            best = window[at] > window[best] ? at : best;
        }
    }
    return best;
}

static void max_plane(const Job *job, size_t in_element, size_t out_element) {
    const LutraPoolShape *shape = job->shape;
    const uint8_t *plane = job->codes + in_element;
    uint8_t *bytes = job->bytes + out_element;
    for (size_t r = 0; r < shape->out_height; r++) {
        for (size_t s = 0; s < shape->out_width; s++) {
            const uint8_t *window =
                plane + (r * shape->stride * shape->in_width) + (s * shape->stride);
            *bytes++ = window[first_largest(window, shape)];
        }
    }
}

void lutra_max_pool_forward(uint8_t *bytes, const LutraPoolShape *shape, const uint8_t *input) {
    Job job = {.shape = shape, .codes = input, .bytes = bytes, .plane = max_plane};
    run(&job);
}

static void max_backward_plane(const Job *job, size_t in_element, size_t out_element) {
    const LutraPoolShape *shape = job->shape;
    const float *out_gradient = job->out_gradient + out_element;
    float *plane = job->result + in_element;
    memset(plane, 0, (size_t)shape->in_height * shape->in_width * sizeof *plane);
    for (size_t r = 0; r < shape->out_height; r++) {
        for (size_t s = 0; s < shape->out_width; s++) {
            const size_t at = (r * shape->stride * shape->in_width) + (s * shape->stride);
            plane[at + first_largest(job->codes + in_element + at, shape)] += *out_gradient++;
        }
    }
}

void lutra_max_pool_backward(float *in_gradient, const LutraPoolShape *shape,
                             const float *out_gradient, const uint8_t *input) {
    Job job = {.shape = shape, .codes = input, .out_gradient = out_gradient,
               .result = in_gradient, .plane = max_backward_plane};
    run(&job);
}
