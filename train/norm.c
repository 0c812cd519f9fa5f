/* SPDX-License-Identifier: Apache-2.0 */
#include "train/norm.h"

#include "base/parallel.h"
#include "train/kernels_priv.h"

enum { UNIT_ELEMENTS = 16384 }; /* least work worth handing to a thread */

typedef struct {
    const LutraChannelBatch *batch;
    const LutraChannelFunction *functions;
    const float *sums;
    const float *values;
    float *gradient;
    float *first;  /* mean, weight gradient or total */
    float *second; /* variance or shift gradient */
    double *totals;
    uint8_t *bytes;
    void (*channel)(void *job, size_t index);
    size_t unit_channels;
} Job;

static void unit(void *user, size_t index, uint32_t worker) {
    Job *job = user;
    const size_t first = index * job->unit_channels;
    size_t end = first + job->unit_channels;
    end = end < job->batch->channels ? end : job->batch->channels;
    (void)worker;
    for (size_t channel = first; channel < end; channel++) {
        job->channel(job, channel);
    }
}

static void run(Job *job) {
    const size_t count = job->batch->count == 0 ? 1 : job->batch->count;
    job->unit_channels = 1 + ((UNIT_ELEMENTS - 1) / count);
    const size_t units =
        (job->batch->channels + job->unit_channels - 1) / job->unit_channels;
    lutra_parallel_for(job->batch->threads, units, unit, job);
}

static void statistics_channel(void *user, size_t index) {
    Job *job = user;
    const size_t count = job->batch->count;
    LutraMoments moments;
    job->batch->kernels->moments(&moments, job->sums + (index * count), count);
    const double scale = (double)job->functions[index].scale;
    const double mean = moments.sum / (double)count;
    const double spread = moments.sum_of_squares - (moments.sum * mean);
    const double variance = spread > 0.0 ? spread / (double)count : 0.0;
    job->first[index] = (float)((mean * scale) + (double)job->functions[index].bias);
    job->second[index] = (float)(variance * (scale * scale));
}

void lutra_norm_statistics(float *mean, float *variance, const float *sums,
                           const LutraChannelFunction *functions, const LutraChannelBatch *batch) {
    Job job = {.batch = batch, .functions = functions, .sums = sums, .first = mean,
               .second = variance, .channel = statistics_channel};
    run(&job);
}

void lutra_norm_update(float *running_mean, float *running_variance, const float *mean,
                       const float *variance, size_t channels, size_t count, float momentum) {
    const float unbiased = count > 1 ? (float)((double)count / (double)(count - 1)) : 1.0f;
    for (size_t c = 0; c < channels; c++) {
        running_mean[c] = ((1.0f - momentum) * running_mean[c]) + (momentum * mean[c]);
        running_variance[c] =
            ((1.0f - momentum) * running_variance[c]) + (momentum * (variance[c] * unbiased));
    }
}

static void forward_channel(void *user, size_t index) {
    Job *job = user;
    const size_t count = job->batch->count;
    job->batch->kernels->quantize(job->bytes + (index * count), job->sums + (index * count), count,
                                  &job->functions[index]);
}

void lutra_activation_forward(uint8_t *bytes, const float *sums,
                              const LutraChannelFunction *functions,
                              const LutraChannelBatch *batch) {
    Job job = {.batch = batch, .functions = functions, .sums = sums, .bytes = bytes,
               .channel = forward_channel};
    run(&job);
}

static void values_channel(void *user, size_t index) {
    Job *job = user;
    const LutraChannelFunction function = job->functions[index];
    const size_t count = job->batch->count;
    const float *sums = job->sums + (index * count);
    float *values = job->gradient + (index * count);
    for (size_t i = 0; i < count; i++) {
        const float y = lutra_channel_y(&function, lutra_channel_z(&function, sums[i]));
        values[i] = function.relu && y <= 0.0f ? 0.0f : y; /* a NaN stays visible */
    }
}

void lutra_activation_values(float *values, const float *sums,
                             const LutraChannelFunction *functions,
                             const LutraChannelBatch *batch) {
    Job job = {.batch = batch, .functions = functions, .sums = sums, .gradient = values,
               .channel = values_channel};
    run(&job);
}

static void step_channel(void *user, size_t index) {
    Job *job = user;
    const size_t count = job->batch->count;
    job->totals[index] = job->batch->kernels->step_gradient(
        job->values + (index * count), job->sums + (index * count), count, &job->functions[index]);
}

void lutra_activation_step_gradients(double *totals, const float *gradient, const float *sums,
                                     const LutraChannelFunction *functions,
                                     const LutraChannelBatch *batch) {
    Job job = {.batch = batch, .functions = functions, .sums = sums, .values = gradient,
               .totals = totals, .channel = step_channel};
    run(&job);
}

static void backward_channel(void *user, size_t index) {
    Job *job = user;
    const LutraChannelFunction *function = &job->functions[index];
    const size_t count = job->batch->count;
    const float *sums = job->sums + (index * count);
    float *gradient = job->gradient + (index * count);
    LutraGradientLine line = {0.0f, 0.0f, 0.0f};
    if (function->normed) {
        LutraGradientSums sums_of;
        job->batch->kernels->gradient_sums(&sums_of, gradient, sums, count, function);
        const double slope = (double)function->weight * (double)function->inverse_deviation;
        line.slope = (float)slope;
        line.constant = (float)(slope * sums_of.gradient / (double)count);
        line.tilt = (float)(slope * sums_of.gradient_x / (double)count);
        job->first[index] = (float)sums_of.gradient_x;
        job->second[index] = (float)sums_of.gradient;
    }
    job->batch->kernels->gradient_apply(gradient, sums, count, function, line);
}

void lutra_activation_backward(float *gradient, float *weight_gradient, float *shift_gradient,
                               const float *sums, const LutraChannelFunction *functions,
                               const LutraChannelBatch *batch) {
    Job job = {.batch = batch, .functions = functions, .sums = sums, .gradient = gradient,
               .first = weight_gradient, .second = shift_gradient, .channel = backward_channel};
    run(&job);
}

static void total_channel(void *user, size_t index) {
    Job *job = user;
    const float *values = job->values + (index * job->batch->count);
    double total = 0.0;
    for (size_t i = 0; i < job->batch->count; i++) {
        total += (double)values[i];
    }
    job->first[index] = (float)total;
}

void lutra_channel_totals(float *total, const float *values, const LutraChannelBatch *batch) {
    Job job = {.batch = batch, .values = values, .first = total, .channel = total_channel};
    run(&job);
}
