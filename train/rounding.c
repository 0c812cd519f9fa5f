/* SPDX-License-Identifier: Apache-2.0 */
#include "train/rounding.h"

#include <math.h>

#include "base/parallel.h"

enum { MOST_UNITS = 64 };

/* A share of the elements of a batch for each unit of work. */
typedef struct {
    float *sums;
    size_t total;
    size_t unit; /* elements */
    uint32_t dropped_bits;
    float low[MOST_UNITS];
    float high[MOST_UNITS];
} Job;

static size_t end_of(const Job *job, size_t index) {
    const size_t end = (index + 1) * job->unit;
    return end < job->total ? end : job->total;
}

static void range_unit(void *user, size_t index, uint32_t worker) {
    Job *const job = user;
    float low = 0.0f;
    float high = 0.0f;
    (void)worker;
    for (size_t i = index * job->unit; i < end_of(job, index); i++) {
        low = job->sums[i] < low ? job->sums[i] : low;
        high = job->sums[i] > high ? job->sums[i] : high;
    }
    job->low[index] = low;
    job->high[index] = high;
}

/* Whole numbers below 2^24: int32 holds them with what is added. Shifts of negative numbers go
 * down, as everywhere in this project. */
static void round_unit(void *user, size_t index, uint32_t worker) {
    const Job *const job = user;
    const uint32_t bits = job->dropped_bits;
    const int32_t half = INT32_C(1) << (bits - 1);
    (void)worker;
    for (size_t i = index * job->unit; i < end_of(job, index); i++) {
        job->sums[i] = (float)((((int32_t)job->sums[i] + half) >> bits) * (INT32_C(1) << bits));
    }
}

/* Fewest bits that hold low <= 0 and high >= 0: two's complement if low < 0. */
static uint32_t width_of(float low, float high) {
    uint32_t bits = 1;
    if (low < 0.0f) {
        while (low < -ldexpf(1.0f, (int)bits - 1) || high >= ldexpf(1.0f, (int)bits - 1)) {
            bits++;
        }
        return bits;
    }
    while (high >= ldexpf(1.0f, (int)bits)) {
        bits++;
    }
    return bits;
}

static Job job_over(float *sums, const LutraChannelBatch *batch) {
    const size_t total = batch->channels * batch->count;
    return (Job){.sums = sums, .total = total, .unit = (total + MOST_UNITS - 1) / MOST_UNITS};
}

static size_t units_of(const Job *job) {
    return job->unit == 0 ? 0 : (job->total + job->unit - 1) / job->unit;
}

uint32_t lutra_dropped_bits(const float *sums, uint32_t kept, const LutraChannelBatch *batch) {
    if (kept == 0) {
        return 0;
    }
    Job job = job_over((float *)(uintptr_t)sums, batch); /* range_unit only reads */
    const size_t units = units_of(&job);
    float low = 0.0f;
    float high = 0.0f;
    lutra_parallel_for(batch->threads, units, range_unit, &job);
    for (size_t i = 0; i < units; i++) {
        low = job.low[i] < low ? job.low[i] : low;
        high = job.high[i] > high ? job.high[i] : high;
    }
    const uint32_t bits = width_of(low, high);
    return bits > kept ? bits - kept : 0;
}

void lutra_round_to(float *sums, uint32_t dropped_bits, const LutraChannelBatch *batch) {
    Job job = job_over(sums, batch);
    job.dropped_bits = dropped_bits;
    if (dropped_bits > 0) {
        lutra_parallel_for(batch->threads, units_of(&job), round_unit, &job);
    }
}

uint32_t lutra_round_sums(float *sums, uint32_t kept, const LutraChannelBatch *batch) {
    const uint32_t dropped_bits = lutra_dropped_bits(sums, kept, batch);
    lutra_round_to(sums, dropped_bits, batch);
    return dropped_bits;
}
