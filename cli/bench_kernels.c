/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench kernels: every kernel of sim/kernels.h in every instruction set at hand, on the shapes of a
 * middle layer of a VGG. A set that adds no version of its own is left out.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "cli/bench.h"
#include "sim/kernels.h"

enum {
    IMAGE = 14, /* result pixels along one axis; the window is 3x3 */
    WINDOW = 3,
    CHANNELS = 128,
    LEVELS = 31,
    PAIRS = 1 << 14
};

/** Input for every kernel: any bits that keep its conditions. */
typedef struct {
    LutraSimKernels kernels;
    uint8_t *x;            /* IMAGE + 2 squared pixels of CHANNELS int32, the widest there is */
    uint8_t *weights;      /* CHANNELS results, WINDOW squared * CHANNELS words */
    int8_t *pair_tables;
    int32_t *correction;   /* (CHANNELS) */
    uint32_t *offsets;     /* (IMAGE * IMAGE) */
    void *thresholds;      /* (LEVELS, CHANNELS) */
    int16_t *direction;    /* (CHANNELS) */
    int16_t *base;         /* (CHANNELS) */
    int32_t *bounds;       /* (CHANNELS) INT32_MIN, then (CHANNELS) INT32_MAX */
    int32_t *zero;         /* (CHANNELS) */
    uint8_t *marked;
    void *y;
    LutraDotKernel dot;
    LutraDotTask dot_task;
    LutraStepsKernel steps;
    LutraStepsTask steps_task;
} Data;

static void data_deinit(Data *data) {
    lutra_free(&data->x);
    lutra_free(&data->weights);
    lutra_free(&data->pair_tables);
    lutra_free(&data->correction);
    lutra_free(&data->offsets);
    lutra_free(&data->thresholds);
    lutra_free(&data->direction);
    lutra_free(&data->base);
    lutra_free(&data->bounds);
    lutra_free(&data->zero);
    lutra_free(&data->marked);
    lutra_free(&data->y);
}

static LutraStatus data_init(Data *data, LutraError *error) {
    const size_t pixels = (size_t)(IMAGE + WINDOW - 1) * (IMAGE + WINDOW - 1);
    const size_t weights = (size_t)CHANNELS * WINDOW * WINDOW * CHANNELS * sizeof(int16_t);
    LUTRA_TRY(lutra_alloc(&data->x, pixels * CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->weights, weights, 1, error));
    LUTRA_TRY(lutra_alloc(&data->pair_tables, 9, 16, error));
    LUTRA_TRY(lutra_alloc(&data->correction, CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->offsets, IMAGE * IMAGE, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&data->thresholds, LEVELS * CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->direction, CHANNELS, sizeof(int16_t), error));
    LUTRA_TRY(lutra_alloc(&data->base, CHANNELS, sizeof(int16_t), error));
    LUTRA_TRY(lutra_alloc(&data->bounds, 2 * CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->zero, CHANNELS, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&data->marked, CHANNELS / LUTRA_SIM_LANES, 1, error));
    LUTRA_TRY(lutra_alloc(&data->y, IMAGE * IMAGE * CHANNELS, sizeof(int32_t), error));
    for (size_t c = 0; c < CHANNELS; c++) {
        data->direction[c] = 1;
        data->bounds[c] = INT32_MIN;
        data->bounds[CHANNELS + c] = INT32_MAX;
    }
    return LUTRA_OK;
}

/* ---- dot products ---- */

typedef struct {
    const char *name;
    size_t kernel;      /* offset in LutraSimKernels */
    uint32_t step_codes; /* codes that one step takes */
    uint32_t step_bytes;
    uint32_t largest_x; /* of the bytes of x; weights are 0 .. largest_weight */
    uint32_t largest_weight;
} DotCase;

static const DotCase dot_cases[] = {
    {"dot-ternary16", offsetof(LutraSimKernels, dot_ternary16), 2, 1, 8, 8},
    {"dot-bytes16", offsetof(LutraSimKernels, dot_bytes16), 4, 4, 31, 15},
    {"dot-bytes32", offsetof(LutraSimKernels, dot_bytes32), 4, 4, 31, 15},
    {"dot-words32", offsetof(LutraSimKernels, dot_words32), 2, 4, 31, 15}};

static LutraDotKernel dot_of(const LutraSimKernels *kernels, const DotCase *c) {
    LutraDotKernel kernel;
    memcpy(&kernel, (const char *)kernels + c->kernel, sizeof kernel);
    return kernel;
}

static void fill(uint8_t *bytes, size_t count, uint32_t largest, uint32_t factor, uint64_t seed) {
    const LutraRandomKey key = {.seed = seed, .stream = LUTRA_STREAM_CIRCUIT};
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(lutra_random_below(key, i, largest + 1) * factor);
    }
}

static void prepare_dot(Data *data, const DotCase *c, uint64_t seed) {
    const uint32_t pixel_bytes = CHANNELS / c->step_codes * c->step_bytes;
    const size_t row_bytes = (size_t)(IMAGE + WINDOW - 1) * pixel_bytes;
    const uint32_t row_steps = WINDOW * CHANNELS / c->step_codes;
    const size_t channels = c->step_codes == 2 && c->step_bytes == 1
                                ? (size_t)LUTRA_SIM_TERNARY_CHANNELS
                                : (size_t)LUTRA_SIM_DOT_CHANNELS;
    for (size_t p = 0; p < IMAGE * IMAGE; p++) {
        data->offsets[p] = (uint32_t)(p / IMAGE * row_bytes + p % IMAGE * pixel_bytes);
    }
    fill(data->x, row_bytes * (IMAGE + WINDOW - 1), c->largest_x, c->step_bytes == 1 ? 2 : 1,
         seed);
    fill(data->weights,
         CHANNELS / channels * WINDOW * row_steps * LUTRA_SIM_STEP_BYTES, c->largest_weight, 1,
         seed + 1);
    data->dot_task = (LutraDotTask){.x = data->x,
                                    .pixel_offsets = data->offsets,
                                    .pixels = IMAGE * IMAGE,
                                    .row_bytes = row_bytes,
                                    .rows = WINDOW,
                                    .row_steps = row_steps,
                                    .flush_steps = c->step_bytes == 1 ? 63 : 35,
                                    .weights = data->weights,
                                    .pair_tables = data->pair_tables,
                                    .pair_count = 9,
                                    .correction = data->correction,
                                    .y = data->y,
                                    .stride = CHANNELS};
}

static void run_dot(void *user) {
    const Data *const data = user;
    data->dot(&data->dot_task);
}

/* ---- steps ---- */

typedef struct {
    const char *name;
    size_t kernel;
    uint32_t levels;
} StepsCase;

static const StepsCase steps_cases[] = {
    {"steps16-2", offsetof(LutraSimKernels, steps16), 2},
    {"steps16-31", offsetof(LutraSimKernels, steps16), LEVELS},
    {"steps32-2", offsetof(LutraSimKernels, steps32), 2},
    {"steps32-31", offsetof(LutraSimKernels, steps32), LEVELS}};

static LutraStepsKernel steps_of(const LutraSimKernels *kernels, const StepsCase *c) {
    LutraStepsKernel kernel;
    memcpy(&kernel, (const char *)kernels + c->kernel, sizeof kernel);
    return kernel;
}

static void prepare_steps(Data *data, const StepsCase *c, bool narrow, uint64_t seed) {
    const LutraRandomKey key = {.seed = seed, .stream = LUTRA_STREAM_CIRCUIT};
    int16_t *const x16 = (int16_t *)(void *)data->x;
    int32_t *const x32 = (int32_t *)(void *)data->x;
    for (size_t i = 0; i < IMAGE * IMAGE * CHANNELS; i++) {
        const int32_t x = (int32_t)lutra_random_below(key, i, 4001) - 2000;
        if (narrow) {
            x16[i] = (int16_t)x;
        } else {
            x32[i] = x;
        }
    }
    for (size_t i = 0; i < (size_t)c->levels * CHANNELS; i++) {
        const int32_t level = (int32_t)(i / CHANNELS);
        const int32_t threshold = 4000 * (level + 1) / (int32_t)(c->levels + 1) - 2000;
        if (narrow) {
            ((int16_t *)data->thresholds)[i] = (int16_t)threshold;
        } else {
            ((int32_t *)data->thresholds)[i] = threshold;
        }
    }
    data->steps_task = (LutraStepsTask){.x = data->x,
                                        .x_stride = CHANNELS,
                                        .y = data->y,
                                        .y_stride = CHANNELS,
                                        .pixels = IMAGE * IMAGE,
                                        .channels = CHANNELS,
                                        .level_count = c->levels,
                                        .thresholds = data->thresholds,
                                        .direction = data->direction,
                                        .base = data->base,
                                        .offsets = data->zero,
                                        .low = data->bounds,
                                        .high = data->bounds + CHANNELS,
                                        .marked = data->marked};
}

static void run_steps(void *user) {
    const Data *const data = user;
    LutraStepsSeen seen;
    data->steps(&data->steps_task, &seen);
}

static void run_pairs(void *user) {
    const Data *const data = user;
    data->kernels.pairs(data->y, data->x, PAIRS, 3);
}

/* ---- the group ---- */

static LutraStatus measure(Bench *bench, const char *kernel, const char *set, const char *unit,
                           double work, BenchFunction function, Data *data, LutraError *error) {
    char name[BENCH_NAME_BYTES];
    (void)snprintf(name, sizeof name, "kernels.%s.%s", kernel, set);
    return bench_rate(bench, name, unit, work, function, data, error);
}

static LutraStatus measure_set(Bench *bench, const BenchSet *set,
                               const LutraSimKernels *below, Data *data, LutraError *error) {
    const LutraSimKernels *const kernels = &data->kernels;
    const double values = (double)IMAGE * IMAGE * CHANNELS;
    for (size_t i = 0; i < sizeof dot_cases / sizeof dot_cases[0]; i++) {
        const DotCase *const c = &dot_cases[i];
        data->dot = dot_of(kernels, c);
        if (below == NULL || data->dot != dot_of(below, c)) {
            prepare_dot(data, c, bench->common->seed);
            LUTRA_TRY(measure(bench, c->name, set->name, "GMAC/s",
                              1e-9 * values * WINDOW * WINDOW * CHANNELS, run_dot, data, error));
        }
    }
    for (size_t i = 0; i < sizeof steps_cases / sizeof steps_cases[0]; i++) {
        const StepsCase *const c = &steps_cases[i];
        data->steps = steps_of(kernels, c);
        if (below == NULL || data->steps != steps_of(below, c)) {
            prepare_steps(data, c, data->steps == kernels->steps16, bench->common->seed);
            LUTRA_TRY(measure(bench, c->name, set->name, "Mvalues/s", 1e-6 * values, run_steps,
                              data, error));
        }
    }
    if (below == NULL || kernels->pairs != below->pairs) {
        fill(data->x, 2 * (size_t)PAIRS, 2, 1, bench->common->seed);
        LUTRA_TRY(measure(bench, "pairs", set->name, "Mvalues/s", 2e-6 * PAIRS, run_pairs, data,
                          error));
    }
    return LUTRA_OK;
}

LutraStatus bench_kernels(Bench *bench, LutraError *error) {
    Data data = {0};
    LutraSimKernels below = {0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, data_init(&data, error));
    for (size_t i = 0; i < BENCH_SETS; i++) {
        lutra_sim_kernels_init(&data.kernels, bench_sets[i].mask & bench->common->cpu_flags);
        LUTRA_TRY_GOTO(status,
                       measure_set(bench, &bench_sets[i], i == 0 ? NULL : &below, &data, error));
        below = data.kernels;
    }
done:
    data_deinit(&data);
    return status;
}
