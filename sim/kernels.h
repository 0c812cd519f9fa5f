/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner loops of clear execution. Every variant gives the same bits as the one in kernels_ref.c.
 * Kernels never allocate and cannot fail.
 *
 * Values lie pixel by pixel: (pixels, stride) with the channels of one pixel side by side, stride a
 * multiple of 16 lanes for accumulators; lanes beyond the last channel are zero.
 *
 * A dot product reads, for each result pixel, a window: `rows` runs of `row_steps` steps, the runs
 * `row_bytes` apart. The weights of one step fill 64 bytes for a block of output channels:
 *
 *   ternary  1 byte of x: twice the index of a pair of codes, 64 channels: weights[c] = index of
 *            a pair of weights, 3 * (w0 + 1) + (w1 + 1); pair_tables[16 * pair + weights[c]]
 *            is their dot product, from -127 to 127
 *   bytes    4 bytes of x: codes 0 .. 255, 16 channels: weights[4 c + i], int8; no sum of two
 *            neighbouring products may leave int16
 *   words    2 int16 of x, 16 channels: weights[2 c + i], int16
 *
 * Sums wrap: only the final result must fit, which lutra_circuit_check guarantees.
 */
#ifndef LUTRA_SIM_KERNELS_H
#define LUTRA_SIM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LUTRA_SIM_STEP_BYTES = 64,      /* weights of one step */
    LUTRA_SIM_TERNARY_CHANNELS = 64, /* output channels of one block of weights */
    LUTRA_SIM_DOT_CHANNELS = 16,     /* the same for bytes and words */
    LUTRA_SIM_LANES = 16             /* strides of accumulators are multiples of this */
};

typedef struct {
    const uint8_t *x;
    const uint32_t *pixel_offsets; /* (pixels) byte offset in x of each result's window */
    size_t pixels;
    size_t row_bytes;
    uint32_t rows;
    uint32_t row_steps;
    uint32_t flush_steps; /* ternary, bytes to int32: steps before narrow sums could overflow */
    const uint8_t *weights; /* (blocks, rows, row_steps, 64), 64-byte aligned */
    const int8_t *pair_tables; /* ternary: (pair_count, 16), 16-byte aligned */
    uint32_t pair_count;
    const int32_t *correction; /* (stride) added to each result */
    void *y;                   /* (pixels, stride) int16 or int32 */
    size_t stride;
} LutraDotTask;

/** y = x . weights + correction; one declaration serves all dot kernels. */
typedef void (*LutraDotKernel)(const LutraDotTask *task);

/**
 * Step tables: y = base[c] + direction[c] * (number of levels with x > thresholds[level][c]).
 * Results lie in 0 .. 255.
 */
typedef struct {
    const void *x; /* (pixels, x_stride) int16 or int32 */
    size_t x_stride;
    uint8_t *y; /* (pixels, y_stride), y_stride >= channels */
    size_t y_stride;
    size_t pixels;
    uint32_t channels;
    uint32_t level_count;
    const void *thresholds;   /* (level_count, x_stride), element type of x */
    const int16_t *direction; /* (x_stride) 1 or -1; 0 beyond the last channel */
    const int16_t *base;      /* (x_stride); 0 beyond the last channel */
    const int32_t *offsets;   /* (x_stride) for shifted_min and shifted_max */
    const int32_t *low;       /* (x_stride) x below low or above high marks its chunk */
    const int32_t *high;      /* (x_stride) */
    uint8_t zero;             /* code counted in zeros */
    uint8_t *marked;          /* (x_stride / 16) set to 1 where some x was outside low .. high */
} LutraStepsTask;

/** What was seen; the initial content is overwritten. */
typedef struct {
    int32_t x_min;
    int32_t x_max;
    int64_t shifted_min; /* of x + offsets[c] */
    int64_t shifted_max;
    uint32_t y_min;
    uint32_t y_max;
    uint64_t zeros;
    bool any_marked;
} LutraStepsSeen;

typedef void (*LutraStepsKernel)(const LutraStepsTask *task, LutraStepsSeen *seen);

/** y[i] = 2 * (levels * x[2 i] + x[2 i + 1]); x[...] < levels <= 11. */
typedef void (*LutraPairsKernel)(uint8_t *y, const uint8_t *x, size_t pairs, uint32_t levels);

typedef struct {
    LutraDotKernel dot_ternary16; /* int16 results */
    LutraDotKernel dot_bytes16;
    LutraDotKernel dot_bytes32; /* int32 results */
    LutraDotKernel dot_words32;
    LutraStepsKernel steps16; /* int16 x */
    LutraStepsKernel steps32; /* int32 x */
    LutraPairsKernel pairs;
} LutraSimKernels;

/** Fills every pointer for a LutraCpuFlag mask (base/cpu.h): portable first, then better ones. */
void lutra_sim_kernels_init(LutraSimKernels *kernels, uint32_t cpu_flags);

#define LUTRA_DECLARE_SIM_DOT_KERNELS(suffix)                        \
    void lutra_sim_dot_ternary16_##suffix(const LutraDotTask *task); \
    void lutra_sim_dot_bytes16_##suffix(const LutraDotTask *task);   \
    void lutra_sim_dot_bytes32_##suffix(const LutraDotTask *task);   \
    void lutra_sim_dot_words32_##suffix(const LutraDotTask *task)

#define LUTRA_DECLARE_SIM_CODE_KERNELS(suffix)                                         \
    void lutra_sim_steps16_##suffix(const LutraStepsTask *task, LutraStepsSeen *seen); \
    void lutra_sim_steps32_##suffix(const LutraStepsTask *task, LutraStepsSeen *seen); \
    void lutra_sim_pairs_##suffix(uint8_t *y, const uint8_t *x, size_t pairs, uint32_t levels)

LUTRA_DECLARE_SIM_DOT_KERNELS(ref);
LUTRA_DECLARE_SIM_DOT_KERNELS(avx2);
LUTRA_DECLARE_SIM_DOT_KERNELS(avx512);
LUTRA_DECLARE_SIM_CODE_KERNELS(ref);
LUTRA_DECLARE_SIM_CODE_KERNELS(avx2);

#endif
