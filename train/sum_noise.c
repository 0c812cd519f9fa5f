/* SPDX-License-Identifier: Apache-2.0 */
#include "train/sum_noise.h"

#include <math.h>

#include "base/memory.h"
#include "base/parallel.h"

enum { DRAWS_PER_BLOCK = 8, UNIT_BLOCKS = 4096 };

void lutra_sum_noise_deinit(LutraSumNoise *noise) {
    for (uint32_t bits = 0; bits <= LUTRA_NOISE_MOST_BITS; bits++) {
        lutra_free(&noise->of_draw[bits]);
    }
    *noise = (LutraSumNoise){0};
}

static double normal_distribution(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

double lutra_noise_of_p_error(double p_error) {
    LUTRA_ASSERT(p_error > 0.0 && p_error <= 0.9);
    double low = 0.0;
    double high = 40.0; /* erfc is 0 there */
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (erfc(middle * 0.70710678118654752440) > p_error) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 / high;
}

LutraStatus lutra_sum_noise_prepare(LutraSumNoise *noise, uint32_t bits, LutraError *error) {
    LUTRA_ASSERT(bits <= LUTRA_NOISE_MOST_BITS && noise->deviation > 0.0);
    if (noise->of_draw[bits] != NULL) {
        return LUTRA_OK;
    }
    const double deviation = ldexp(noise->deviation, (int)bits);
    int32_t *table = NULL;
    LUTRA_TRY(lutra_alloc(&table, LUTRA_NOISE_DRAWS, sizeof *table, error));
    int32_t e = (int32_t)floor(-5.0 * deviation) - 1; /* less than one draw lies below */
    for (uint32_t u = 0; u < LUTRA_NOISE_DRAWS; u++) {
        const double share = ((double)u + 0.5) / LUTRA_NOISE_DRAWS;
        while (normal_distribution(((double)e + 0.5) / deviation) <= share) {
            e++;
        }
        table[u] = e;
    }
    noise->of_draw[bits] = table;
    return LUTRA_OK;
}

typedef struct {
    float *sums;
    size_t total;
    const int32_t *of_draw;
    LutraRandomKey key;
    uint64_t first_counter;
} Job;

static void unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t first = index * UNIT_BLOCKS;
    (void)worker;
    for (size_t block = first; block < first + UNIT_BLOCKS; block++) {
        const size_t at = block * DRAWS_PER_BLOCK;
        uint32_t words[4];
        if (at >= job->total) {
            break;
        }
        lutra_random_words(words, job->key, job->first_counter + block, 0);
        const size_t left = job->total - at;
        const size_t count = left < DRAWS_PER_BLOCK ? left : DRAWS_PER_BLOCK;
        for (size_t i = 0; i < count; i++) {
            const uint32_t draw = (words[i / 2] >> (16 * (i % 2))) & 0xFFFFu;
            job->sums[at + i] += (float)job->of_draw[draw];
        }
    }
}

void lutra_sum_noise_add(float *sums, const LutraSumNoise *noise, uint32_t bits,
                         LutraRandomKey key, uint64_t step, const LutraChannelBatch *batch) {
    const size_t total = batch->channels * batch->count;
    Job job = {sums, total, noise->of_draw[bits], key, step << 32};
    LUTRA_ASSERT(job.of_draw != NULL);
    const size_t blocks = (total + DRAWS_PER_BLOCK - 1) / DRAWS_PER_BLOCK;
    lutra_parallel_for(batch->threads, (blocks + UNIT_BLOCKS - 1) / UNIT_BLOCKS, unit, &job);
}
