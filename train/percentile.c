/* SPDX-License-Identifier: Apache-2.0 */
#include "train/percentile.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "quant/input_codes.h"
#include "train/kernels_priv.h"

/* The order of numbers >= 0 is that of their bits: the upper 16 pick a bucket, the lower 16 a
 * number in it. */
enum { BUCKETS = 1 << 16, HALF = 16 };

size_t lutra_percentile_counters(uint32_t threads) {
    return (size_t)threads * BUCKETS;
}

static uint32_t magnitude_bits(float x) {
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7FFFFFFFu; /* NaN comes last */
}

static float of_bits(uint32_t bits) {
    const uint32_t infinity = 0x7F800000u;
    const uint32_t shown = bits < infinity ? bits : infinity;
    float x = 0.0f;
    memcpy(&x, &shown, sizeof x);
    return x;
}

static uint64_t rank_of(uint64_t count, double percent) {
    const uint64_t rank = (uint64_t)floor((percent / 100.0 * (double)count) + 0.5);
    return rank < 1 ? 1 : rank > count ? count : rank;
}

typedef struct {
    const float *sums;
    const LutraChannelFunction *functions;
    const LutraChannelBatch *batch;
    uint32_t *counters;
    uint32_t bucket; /* BUCKETS: count buckets; else numbers in this one */
} Job;

static void count_channel(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const LutraChannelFunction *function = &job->functions[index];
    const float *sums = job->sums + (index * job->batch->count);
    uint32_t *counters = job->counters + ((size_t)worker * BUCKETS);
    for (size_t i = 0; i < job->batch->count; i++) {
        float y = lutra_channel_y(function, lutra_channel_z(function, sums[i]));
        y = function->relu && y < 0.0f ? 0.0f : y;
        const uint32_t bits = magnitude_bits(y);
        if (job->bucket == BUCKETS) {
            counters[bits >> HALF]++;
        } else if (bits >> HALF == job->bucket) {
            counters[bits & (BUCKETS - 1)]++;
        }
    }
}

/* Counts, then finds the counter in which the number of that rank is; *rank becomes its rank among
 * those of the counter. */
static uint32_t find_counter(Job *job, uint64_t *rank) {
    const uint32_t threads = job->batch->threads;
    memset(job->counters, 0, lutra_percentile_counters(threads) * sizeof *job->counters);
    lutra_parallel_for(threads, job->batch->channels, count_channel, job);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        uint64_t here = 0;
        for (uint32_t worker = 0; worker < threads; worker++) {
            here += job->counters[((size_t)worker * BUCKETS) + i];
        }
        if (*rank <= here) {
            return i;
        }
        *rank -= here;
    }
    return BUCKETS - 1;
}

float lutra_channel_percentile(const float *sums, const LutraChannelFunction *functions,
                               const LutraChannelBatch *batch, double percent,
                               uint32_t *counters) {
    Job job = {sums, functions, batch, counters, BUCKETS};
    uint64_t rank = rank_of((uint64_t)batch->channels * batch->count, percent);
    job.bucket = find_counter(&job, &rank);
    return of_bits((job.bucket << HALF) | find_counter(&job, &rank));
}

/* How many pixels of all channels have at most this magnitude. */
static uint64_t count_up_to(const uint8_t *pixels, const LutraInputLayer *input, uint32_t channels,
                            size_t count, uint32_t bits) {
    uint64_t total = 0;
    for (uint32_t c = 0; c < channels; c++) {
        uint8_t inside[256];
        for (uint32_t pixel = 0; pixel < 256; pixel++) {
            inside[pixel] = magnitude_bits(lutra_pixel_value(input, c, pixel)) <= bits ? 1 : 0;
        }
        for (size_t i = 0; i < count; i++) {
            total += inside[pixels[(c * count) + i]];
        }
    }
    return total;
}

float lutra_pixel_percentile(const uint8_t *pixels, const LutraInputLayer *input,
                             uint32_t channels, size_t count, double percent) {
    const uint64_t rank = rank_of((uint64_t)channels * count, percent);
    uint32_t low = 0;
    uint32_t high = 0x7F800000u;
    while (low < high) { /* the smallest magnitude that enough pixels do not exceed */
        const uint32_t middle = low + ((high - low) / 2);
        if (count_up_to(pixels, input, channels, count, middle) >= rank) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return of_bits(low);
}
