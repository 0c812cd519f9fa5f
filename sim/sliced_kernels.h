/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner loops of bit-sliced execution: many images at once, one bit of each in every machine word.
 * Every variant gives the same bits as the one in sliced_kernels_ref.c. Kernels never allocate and
 * cannot fail.
 *
 * A plane holds one bit of one value for every image (lane): lane i is bit i % 8 of byte i / 8. A
 * number is a run of planes, lowest bit first: the code 0 .. 2^planes - 1 of each lane. All planes
 * are 64-byte aligned, or 32-byte aligned where a plane has 32 bytes.
 *
 * A constant that all lanes are compared with comes as mask words, one int32 a bit: 0 where its bit
 * is 1, -1 where its bit is 0 (lutra_sliced_masks).
 */
#ifndef LUTRA_SIM_SLICED_KERNELS_H
#define LUTRA_SIM_SLICED_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LUTRA_SLICED_MAX_LANES = 512,
    LUTRA_SLICED_MAX_PLANES = 32,  /* of any number */
    LUTRA_SLICED_SPARE_PLANES = 5, /* a dot product writes these beyond its result */
    LUTRA_SLICED_MAX_CODE_PLANES = 16 /* of a table's result */
};

/** y = (start - sum of subtracted inputs + sum of added inputs) mod 2^planes. */
typedef struct {
    uint32_t planes;      /* of the result, 1 .. 31 */
    uint32_t x_planes;    /* of each input, at most `planes` */
    bool ternary;         /* every input is 0, 1 or 2, in two planes */
    uint32_t start;       /* modulo 2^planes */
    uint32_t subtracted;  /* inputs with weight -1 */
    uint32_t added;       /* inputs with weight 1 */
    const uint32_t *taps; /* byte offsets from x: subtracted inputs, then added ones */
} LutraSlicedDot;

/**
 * `count` dot products of the same inputs, in general as fast as one alone or faster.
 *
 * @param[out] y        results, each with room for planes + LUTRA_SLICED_SPARE_PLANES planes; the
 *                      spare ones receive anything
 * @param      y_bytes  from one result to the next
 * @param      dots     (count) alike in planes, x_planes and ternary
 */
typedef void (*LutraSlicedDotsKernel)(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots,
                                      uint32_t count, const uint8_t *x);

/** A function of a number that changes at a few places: y = start, then ^ toggles[i] for every i
 * with x >= bounds[i]. */
typedef struct {
    uint32_t x_planes;
    uint32_t y_planes; /* 1 .. LUTRA_SLICED_MAX_CODE_PLANES */
    uint32_t step_count;
    const int32_t *start; /* (y_planes) all bits of a plane: -1 or 0 */
    const int32_t *words; /* (step_count, x_planes + y_planes): mask words of bounds[i], then
                             -1 for the planes that it toggles and 0 for the others */
} LutraSlicedSteps;

typedef void (*LutraSlicedStepsKernel)(uint8_t *y, const LutraSlicedSteps *steps,
                                       const uint8_t *x);

/** Number of lanes in use with x < low or x > high. */
typedef uint32_t (*LutraSlicedOutsideKernel)(const uint8_t *x, uint32_t planes,
                                             const int32_t *low,  /* (planes) mask words */
                                             const int32_t *high, /* (planes) mask words */
                                             const uint8_t *used /* one plane */);

/** Smallest and largest number in the lanes in use, of which there is at least one. */
typedef void (*LutraSlicedExtremesKernel)(uint32_t *min, uint32_t *max, const uint8_t *x,
                                          uint32_t planes, const uint8_t *used);

/** y = x0 + x1 mod 2^planes. */
typedef void (*LutraSlicedAddKernel)(uint8_t *y, uint32_t planes, //
                                     const uint8_t *x0, uint32_t x0_planes, //
                                     const uint8_t *x1, uint32_t x1_planes);

/** The lowest `planes` <= 8 bits of one byte per lane. */
typedef void (*LutraSlicedSliceKernel)(uint8_t *y, uint32_t planes, const uint8_t *bytes);

typedef struct {
    uint32_t lanes; /* images of one batch, a multiple of 64 */
    LutraSlicedDotsKernel dots;
    LutraSlicedStepsKernel steps;
    LutraSlicedOutsideKernel outside;
    LutraSlicedExtremesKernel extremes;
    LutraSlicedAddKernel add;
    LutraSlicedSliceKernel slice;
} LutraSlicedKernels;

/** Fills everything for a LutraCpuFlag mask (base/cpu.h). */
void lutra_sliced_kernels_init(LutraSlicedKernels *kernels, uint32_t cpu_flags);

static inline uint32_t lutra_sliced_plane_bytes(const LutraSlicedKernels *kernels) {
    return kernels->lanes / 8;
}

/** Mask words of a constant. */
static inline void lutra_sliced_masks(int32_t *words, uint32_t planes, uint32_t value) {
    for (uint32_t k = 0; k < planes; k++) {
        words[k] = (value >> k & 1) != 0 ? 0 : -1;
    }
}

#define LUTRA_DECLARE_SLICED_KERNELS(suffix)                                                      \
    void lutra_sliced_dots_##suffix(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots,       \
                                    uint32_t count, const uint8_t *x);                            \
    void lutra_sliced_steps_##suffix(uint8_t *y, const LutraSlicedSteps *steps,                   \
                                     const uint8_t *x);                                           \
    uint32_t lutra_sliced_outside_##suffix(const uint8_t *x, uint32_t planes, const int32_t *low, \
                                           const int32_t *high, const uint8_t *used);             \
    void lutra_sliced_extremes_##suffix(uint32_t *min, uint32_t *max, const uint8_t *x,           \
                                        uint32_t planes, const uint8_t *used);                    \
    void lutra_sliced_add_##suffix(uint8_t *y, uint32_t planes, const uint8_t *x0,                \
                                   uint32_t x0_planes, const uint8_t *x1, uint32_t x1_planes);    \
    void lutra_sliced_slice_##suffix(uint8_t *y, uint32_t planes, const uint8_t *bytes)

LUTRA_DECLARE_SLICED_KERNELS(ref);    /* 256 lanes */
LUTRA_DECLARE_SLICED_KERNELS(ref512); /* 512 lanes, for tests */
LUTRA_DECLARE_SLICED_KERNELS(avx2);   /* 256 lanes */
LUTRA_DECLARE_SLICED_KERNELS(avx512); /* 512 lanes */

#endif
