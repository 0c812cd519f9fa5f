/* SPDX-License-Identifier: Apache-2.0 */
/* Portable kernels: the definition that the others must equal. Sums are unsigned, so they wrap. */
#include "sim/kernels.h"

#include "sim/kernels_priv.h"

/** Sum of one result before the correction; `channel` counts from 0 over all blocks. */
static uint32_t dot_ternary(const LutraDotTask *task, size_t pixel, size_t channel) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const uint8_t *weights =
        task->weights + channel / LUTRA_SIM_TERNARY_CHANNELS * steps * LUTRA_SIM_STEP_BYTES +
        channel % LUTRA_SIM_TERNARY_CHANNELS;
    uint32_t sum = 0;
    for (uint32_t r = 0; r < task->rows; r++) {
        const uint8_t *const x = task->x + task->pixel_offsets[pixel] + r * task->row_bytes;
        for (uint32_t s = 0; s < task->row_steps; s++) {
            const int32_t pair = task->pair_tables[8 * (size_t)x[s] + *weights];
            sum += (uint32_t)pair;
            weights += LUTRA_SIM_STEP_BYTES;
        }
    }
    return sum;
}

static uint32_t dot_bytes(const LutraDotTask *task, size_t pixel, size_t channel) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const int8_t *weights =
        (const int8_t *)task->weights +
        channel / LUTRA_SIM_DOT_CHANNELS * steps * LUTRA_SIM_STEP_BYTES +
        channel % LUTRA_SIM_DOT_CHANNELS * 4;
    uint32_t sum = 0;
    for (uint32_t r = 0; r < task->rows; r++) {
        const uint8_t *const x = task->x + task->pixel_offsets[pixel] + r * task->row_bytes;
        for (uint32_t s = 0; s < task->row_steps; s++) {
            for (size_t i = 0; i < 4; i++) {
                const int32_t product = x[4 * (size_t)s + i] * weights[i];
                sum += (uint32_t)product;
            }
            weights += LUTRA_SIM_STEP_BYTES;
        }
    }
    return sum;
}

static uint32_t dot_words(const LutraDotTask *task, size_t pixel, size_t channel) {
    const size_t steps = (size_t)task->rows * task->row_steps;
    const int16_t *weights =
        (const int16_t *)(const void *)task->weights +
        (channel / LUTRA_SIM_DOT_CHANNELS * steps * LUTRA_SIM_STEP_BYTES) / sizeof(int16_t) +
        channel % LUTRA_SIM_DOT_CHANNELS * 2;
    uint32_t sum = 0;
    for (uint32_t r = 0; r < task->rows; r++) {
        const int16_t *const x = (const int16_t *)(const void *)(task->x +
                                                                 task->pixel_offsets[pixel] +
                                                                 r * task->row_bytes);
        for (uint32_t s = 0; s < task->row_steps; s++) {
            const int32_t even = x[2 * (size_t)s] * weights[0];
            const int32_t odd = x[2 * (size_t)s + 1] * weights[1];
            sum += (uint32_t)even + (uint32_t)odd;
            weights += LUTRA_SIM_STEP_BYTES / sizeof(int16_t);
        }
    }
    return sum;
}

static void store16(const LutraDotTask *task, size_t at, size_t channel, uint32_t sum) {
    ((int16_t *)task->y)[at] = (int16_t)(uint16_t)(sum + (uint32_t)task->correction[channel]);
}

static void store32(const LutraDotTask *task, size_t at, size_t channel, uint32_t sum) {
    ((int32_t *)task->y)[at] = (int32_t)(sum + (uint32_t)task->correction[channel]);
}

void lutra_sim_dot_ternary16_ref(const LutraDotTask *task) {
    for (size_t p = 0; p < task->pixels; p++) {
        for (size_t c = 0; c < task->stride; c++) {
            store16(task, p * task->stride + c, c, dot_ternary(task, p, c));
        }
    }
}

void lutra_sim_dot_bytes16_ref(const LutraDotTask *task) {
    for (size_t p = 0; p < task->pixels; p++) {
        for (size_t c = 0; c < task->stride; c++) {
            store16(task, p * task->stride + c, c, dot_bytes(task, p, c));
        }
    }
}

void lutra_sim_dot_bytes32_ref(const LutraDotTask *task) {
    for (size_t p = 0; p < task->pixels; p++) {
        for (size_t c = 0; c < task->stride; c++) {
            store32(task, p * task->stride + c, c, dot_bytes(task, p, c));
        }
    }
}

void lutra_sim_dot_words32_ref(const LutraDotTask *task) {
    for (size_t p = 0; p < task->pixels; p++) {
        for (size_t c = 0; c < task->stride; c++) {
            store32(task, p * task->stride + c, c, dot_words(task, p, c));
        }
    }
}

/** y of one input; thresholds are read with the given element type. */
static inline uint8_t step_code(const LutraStepsTask *task, size_t channel, int32_t x,
                                bool narrow) {
    int32_t count = 0;
    for (uint32_t level = 0; level < task->level_count; level++) {
        const size_t at = level * task->x_stride + channel;
        const int32_t threshold = narrow ? ((const int16_t *)task->thresholds)[at]
                                         : ((const int32_t *)task->thresholds)[at];
        count += x > threshold;
    }
    return (uint8_t)(task->base[channel] + task->direction[channel] * count);
}

static inline void steps(const LutraStepsTask *task, LutraStepsSeen *seen, bool narrow) {
    lutra_steps_seen_start(seen);
    for (size_t first = 0; first < task->channels; first += LUTRA_SIM_LANES) {
        const size_t end = first + LUTRA_SIM_LANES < task->y_stride ? first + LUTRA_SIM_LANES
                                                                    : task->y_stride;
        int32_t min[LUTRA_SIM_LANES];
        int32_t max[LUTRA_SIM_LANES];
        uint8_t y_min[LUTRA_SIM_LANES];
        uint8_t y_max[LUTRA_SIM_LANES];
        for (size_t c = first; c < end; c++) {
            const size_t lane = c - first;
            min[lane] = INT32_MAX;
            max[lane] = INT32_MIN;
            y_min[lane] = UINT8_MAX;
            y_max[lane] = 0;
            for (size_t p = 0; p < task->pixels; p++) {
                const size_t at = p * task->x_stride + c;
                const int32_t x = narrow ? ((const int16_t *)task->x)[at]
                                         : ((const int32_t *)task->x)[at];
                const uint8_t y = step_code(task, c, x, narrow);
                task->y[p * task->y_stride + c] = y;
                min[lane] = x < min[lane] ? x : min[lane];
                max[lane] = x > max[lane] ? x : max[lane];
                y_min[lane] = y < y_min[lane] ? y : y_min[lane];
                y_max[lane] = y > y_max[lane] ? y : y_max[lane];
                seen->zeros += c < task->channels && y == task->zero;
            }
        }
        lutra_steps_chunk_end(task, seen, first, min, max, y_min, y_max);
    }
}

void lutra_sim_steps16_ref(const LutraStepsTask *task, LutraStepsSeen *seen) {
    steps(task, seen, true);
}

void lutra_sim_steps32_ref(const LutraStepsTask *task, LutraStepsSeen *seen) {
    steps(task, seen, false);
}

void lutra_sim_pairs_ref(uint8_t *y, const uint8_t *x, size_t pairs, uint32_t levels) {
    for (size_t i = 0; i < pairs; i++) {
        y[i] = (uint8_t)(2 * (levels * x[2 * i] + x[2 * i + 1]));
    }
}
