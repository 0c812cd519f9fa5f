/* SPDX-License-Identifier: Apache-2.0 */
#include "train/pool.h"

#include <string.h>

#include "base/parallel.h"

enum { UNIT_PLANES = 64 };

typedef struct {
    const LutraPoolShape *shape;
    const LutraConvInput *input;
    const float *out_gradient;
    float *result;
} Job;

static size_t unit_end(const LutraPoolShape *shape, size_t first) {
    const size_t end = first + UNIT_PLANES;
    return end < shape->planes ? end : shape->planes;
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

static void forward_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraPoolShape *shape = job->shape;
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t out_plane = (size_t)shape->out_height * shape->out_width;
    const size_t end = unit_end(shape, index * UNIT_PLANES);
    (void)worker;
    for (size_t p = index * UNIT_PLANES; p < end; p++) {
        float *sums = job->result + (p * out_plane);
        if (job->input->bytes != NULL) {
            sum_bytes(sums, job->input->bytes + (p * in_plane), shape, job->input->code_min);
        } else {
            sum_floats(sums, job->input->sums + (p * in_plane), shape);
        }
    }
}

void lutra_pool_forward(float *sums, const LutraPoolShape *shape, LutraConvInput input) {
    Job job = {.shape = shape, .input = &input, .result = sums};
    lutra_parallel_for(shape->threads, (shape->planes + UNIT_PLANES - 1) / UNIT_PLANES,
                       forward_unit, &job);
}

static void backward_plane(float *plane, const float *out_gradient, const LutraPoolShape *shape) {
    const float share = 1.0f / (float)(shape->kernel * shape->kernel);
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

static void backward_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraPoolShape *shape = job->shape;
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t out_plane = (size_t)shape->out_height * shape->out_width;
    const size_t end = unit_end(shape, index * UNIT_PLANES);
    (void)worker;
    for (size_t p = index * UNIT_PLANES; p < end; p++) {
        backward_plane(job->result + (p * in_plane), job->out_gradient + (p * out_plane), shape);
    }
}

void lutra_pool_backward(float *in_gradient, const LutraPoolShape *shape,
                         const float *out_gradient) {
    Job job = {.shape = shape, .out_gradient = out_gradient, .result = in_gradient};
    lutra_parallel_for(shape->threads, (shape->planes + UNIT_PLANES - 1) / UNIT_PLANES,
                       backward_unit, &job);
}
