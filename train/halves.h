/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of bfloat16, two to a 32-bit word, and their products: eight bits of significand with the
 * exponents of single precision. Whole numbers up to 256 in magnitude are exact in it. A word holds
 * two neighbours of the inner dimension of a product, the first one in its low half.
 *
 * Products are exact in single precision and are added there; the order within a pair, and whether
 * its first sum is rounded, is the instruction set's. With S the sum of the magnitudes of all
 * 2 * steps products of one result, every version is within 2 * steps * 2^-24 * S of the exact sum
 * (numbers below 2^-126 may count as 0).
 */
#ifndef LUTRA_TRAIN_HALVES_H
#define LUTRA_TRAIN_HALVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LUTRA_HALF_ROWS = 6,     /* most rows of one call of `products` */
    LUTRA_HALF_LANES = 16,   /* results of one row come in multiples of this */
    LUTRA_HALF_VECTORS = 4,  /* most such multiples in one call */
    LUTRA_HALF_LARGEST = 256 /* largest magnitude of a whole number that is exact */
};

/** One block of products. */
typedef struct {
    const uint32_t *rows;         /* words */
    const uint32_t *row_offsets;  /* (row_count) where each row starts in `rows` */
    const uint32_t *step_offsets; /* (steps) where each step stands in a row */
    uint32_t row_count;           /* 1 .. LUTRA_HALF_ROWS */
    const uint32_t *lanes;        /* (steps, LUTRA_HALF_LANES * vectors) words */
    size_t lanes_stride;          /* words from one step to the next */
    size_t steps;                 /* may be 0 */
    uint32_t vectors;             /* 1 .. LUTRA_HALF_VECTORS */
} LutraHalfBlock;

typedef struct {
    /**
     * words[i] = bfloat16 of first[i], and of second[i] in the high half; rounded half to even.
     *
     * @param second  may be NULL: zeros
     */
    void (*pack_reals)(uint32_t *words, const float *first, const float *second, size_t count);

    /**
     * The same for up to 16 rows, transposed:
     * words[i * words_stride + r] = pair of first[r * row_stride + i], second[r * row_stride + i].
     * Words of r from `rows` to 15 become 0.
     */
    void (*pack_reals_across)(uint32_t *words, size_t words_stride, const float *first,
                              const float *second, size_t row_stride, uint32_t rows, size_t count);

    /**
     * words[i] = pair of first[i] + offset, second[i] + offset, each at most LUTRA_HALF_LARGEST in
     * magnitude.
     *
     * @param second  may be NULL: zeros
     */
    void (*pack_bytes)(uint32_t *words, const uint8_t *first, const uint8_t *second, size_t count,
                       int32_t offset);

    /**
     * sums[r * sums_stride + l] = sum over steps s of the two products of the pairs
     * rows[row_offsets[r] + step_offsets[s]] and lanes[s * lanes_stride + l]; added to the old
     * value if `add`.
     */
    void (*products)(float *sums, size_t sums_stride, const LutraHalfBlock *block, bool add);

    /** Whether these are faster than matrix products in single precision. */
    bool fast;
} LutraHalfKernels;

/** Reference first, then the fastest that `cpu_flags` (LutraCpuFlag) allows. */
void lutra_half_kernels_init(LutraHalfKernels *kernels, uint32_t cpu_flags);

/** The nearest bfloat16, half to even; subnormal numbers become 0, a NaN stays one. */
float lutra_half_round(float value);

#endif
