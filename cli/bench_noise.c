/* SPDX-License-Identifier: Apache-2.0 */
/* bench noise: what noisy simulation adds to each look-up, in every instruction set at hand. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random_fill.h"
#include "cli/bench.h"
#include "sim/displace.h"

enum { PIXELS = 196, CHANNELS = 128, DROPPED_BITS = 4, BLOCKS = 4096, EXTREME_DRAWS = 16 };

/** Inputs of all kernels: cells of 16 places, of which one look-up in about 50 moves. */
typedef struct {
    LutraDisplaceKernels kernels;
    LutraRandomFill random_fill;
    LutraRandomKey key;
    uint32_t *words; /* (4 * BLOCKS) */
    void *x;         /* (PIXELS, CHANNELS) int32, the wider type */
    void *y;
    uint16_t *draws;    /* (PIXELS, CHANNELS) */
    int32_t *to_place;  /* (CHANNELS) */
    uint32_t *first;    /* (CHANNELS) */
    uint32_t *shares;   /* (1 << DROPPED_BITS) */
    int32_t *bounds;    /* (CHANNELS) low, then (CHANNELS) high */
    uint32_t *flagged;  /* (PIXELS, CHANNELS) */
    LutraDisplaceKernel displace;
    LutraDisplaceTask task;
} Data;

static void data_deinit(Data *data) {
    lutra_free(&data->words);
    lutra_free(&data->x);
    lutra_free(&data->y);
    lutra_free(&data->draws);
    lutra_free(&data->to_place);
    lutra_free(&data->first);
    lutra_free(&data->shares);
    lutra_free(&data->bounds);
    lutra_free(&data->flagged);
}

static LutraStatus data_init(Data *data, uint64_t seed, LutraError *error) {
    const size_t values = (size_t)PIXELS * CHANNELS;
    const uint32_t share = UINT16_MAX / 100; /* to each side */
    data->key = (LutraRandomKey){.seed = seed, .stream = LUTRA_STREAM_CIRCUIT};
    LUTRA_TRY(lutra_alloc(&data->words, 4 * (size_t)BLOCKS, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&data->x, values, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->y, values, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->draws, values, sizeof(uint16_t), error));
    LUTRA_TRY(lutra_alloc(&data->to_place, CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->first, CHANNELS, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&data->shares, 1 << DROPPED_BITS, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&data->bounds, 2 * CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->flagged, values, sizeof(uint32_t), error));
    for (size_t i = 0; i < values; i++) {
        data->draws[i] = (uint16_t)lutra_random_below(data->key, i, UINT16_MAX + 1);
    }
    for (size_t i = 0; i < 1 << DROPPED_BITS; i++) {
        data->shares[i] = share | (UINT16_MAX - share) << 16;
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        data->bounds[c] = INT16_MIN / 2;
        data->bounds[CHANNELS + c] = INT16_MAX / 2;
    }
    data->task = (LutraDisplaceTask){.x = data->x,
                                     .y = data->y,
                                     .pixels = PIXELS,
                                     .stride = CHANNELS,
                                     .channels = CHANNELS,
                                     .draws = data->draws,
                                     .to_place = data->to_place,
                                     .first = data->first,
                                     .shares = data->shares,
                                     .dropped_bits = DROPPED_BITS,
                                     .low = data->bounds,
                                     .high = data->bounds + CHANNELS,
                                     .draw_low = EXTREME_DRAWS,
                                     .draw_high = UINT16_MAX - EXTREME_DRAWS,
                                     .flagged = data->flagged};
    return LUTRA_OK;
}

/** Inputs from -2000 to 2000. */
static void fill_inputs(Data *data, bool narrow) {
    for (size_t i = 0; i < (size_t)PIXELS * CHANNELS; i++) {
        const int32_t x = (int32_t)lutra_random_below(data->key, i, 4001) - 2000;
        if (narrow) {
            ((int16_t *)data->x)[i] = (int16_t)x;
        } else {
            ((int32_t *)data->x)[i] = x;
        }
    }
}

static void run_displace(void *user) {
    const Data *const data = user;
    (void)data->displace(&data->task);
}

static void run_random_fill(void *user) {
    const Data *const data = user;
    data->random_fill(data->words, data->key, 0, BLOCKS);
}

static LutraStatus measure(Bench *bench, const char *kernel, const char *set, double values,
                           BenchFunction function, Data *data, LutraError *error) {
    char name[BENCH_NAME_BYTES];
    (void)snprintf(name, sizeof name, "noise.%s.%s", kernel, set);
    return bench_rate(bench, name, "Mvalues/s", 1e-6 * values, function, data, error);
}

/** `below` NULL: measures all kernels, else those that differ from it. */
static LutraStatus measure_set(Bench *bench, const char *set, const Data *below, Data *data,
                               LutraError *error) {
    const double values = (double)PIXELS * CHANNELS;
    if (below == NULL || data->kernels.displace16 != below->kernels.displace16) {
        fill_inputs(data, true);
        data->displace = data->kernels.displace16;
        LUTRA_TRY(measure(bench, "displace16", set, values, run_displace, data, error));
    }
    if (below == NULL || data->kernels.displace32 != below->kernels.displace32) {
        fill_inputs(data, false);
        data->displace = data->kernels.displace32;
        LUTRA_TRY(measure(bench, "displace32", set, values, run_displace, data, error));
    }
    if (below == NULL || data->random_fill != below->random_fill) {
        LUTRA_TRY(measure(bench, "random-words", set, 4.0 * BLOCKS, run_random_fill, data, error));
    }
    return LUTRA_OK;
}

LutraStatus bench_noise(Bench *bench, LutraError *error) {
    Data data = {.displace = NULL};
    Data below = data;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, data_init(&data, bench->common->seed, error));
    for (size_t i = 0; i < BENCH_SETS; i++) {
        const uint32_t flags = bench_sets[i].mask & bench->common->cpu_flags;
        lutra_displace_kernels_init(&data.kernels, flags);
        data.random_fill = lutra_random_fill_for(flags);
        LUTRA_TRY_GOTO(status, measure_set(bench, bench_sets[i].name, i == 0 ? NULL : &below,
                                           &data, error));
        below = data;
    }
done:
    data_deinit(&data);
    return status;
}
