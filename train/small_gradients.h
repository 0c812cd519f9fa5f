/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients in eight bits, and their products with bytes of codes.
 *
 * A gradient g becomes a whole number q in -127 .. 127 and a step: g is about q * step. The step is
 * the largest magnitude of a group of gradients over 127, made larger by a hair, so that nothing is
 * clipped. q is the whole number below g / step + u, with u uniform in (0, 1): 16 bits of a hash of
 * the gradient's place (LutraGradientDraws). The expected value of q * step is therefore g, but for
 * 2^-16 step, which those 16 bits and single precision may be off: rounding adds noise, not bias.
 * Its variance is step^2 f (1 - f), with f the fraction of g / step: at most step^2 / 4, on average
 * over f step^2 / 6. Different gradients are rounded independently, so a sum of products x g has
 * the variance step^2 * sum of x^2 f (1 - f).
 *
 * A word holds four neighbours of the inner dimension of a product, the first one in its lowest
 * byte: codes without sign in rows, gradients with sign in lanes. Products and sums are exact in 32
 * bits for up to LUTRA_SMALL_MOST_TERMS products: 255 * 128 * 65536 < 2^31.
 */
#ifndef LUTRA_TRAIN_SMALL_GRADIENTS_H
#define LUTRA_TRAIN_SMALL_GRADIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LUTRA_SMALL_ROWS = 6,    /* most rows of one call of `products` */
    LUTRA_SMALL_LANES = 16,  /* results of one row come in multiples of this */
    LUTRA_SMALL_VECTORS = 4, /* most such multiples in one call */
    LUTRA_SMALL_LARGEST = 127,
    LUTRA_SMALL_MOST_TERMS = 65536
};

/** One block of products. */
typedef struct {
    const uint32_t *rows;         /* words */
    const uint32_t *row_offsets;  /* (row_count) where each row starts in `rows` */
    const uint32_t *step_offsets; /* (steps) where each step stands in a row */
    uint32_t row_count;           /* 1 .. LUTRA_SMALL_ROWS */
    const uint32_t *lanes;        /* (steps, LUTRA_SMALL_LANES * vectors) words */
    size_t lanes_stride;          /* words from one step to the next */
    size_t steps;                 /* may be 0 */
    uint32_t vectors;             /* 1 .. LUTRA_SMALL_VECTORS */
} LutraSmallBlock;

/** What the rounding of one set of gradients is drawn from: two random words. */
typedef struct {
    uint32_t first;
    uint32_t second;
} LutraGradientDraws;

typedef struct {
    /**
     * largest[n] = the larger of it and the magnitudes of values[n * positions ..], as the bits of
     * single precision: whole numbers that are ordered as the magnitudes are, NaN above infinity.
     */
    void (*largest)(uint32_t *largest, const float *values, size_t images, size_t positions);

    /**
     * words[i] = four of lutra_gradient_byte: of rows[j][i] with inverses[i] at indexes[j] + i;
     * 0 for rows that are NULL.
     */
    void (*pack_columns)(uint32_t *words, const float *const rows[4], size_t count,
                         const float *inverses, LutraGradientDraws draws,
                         const uint32_t indexes[4]);

    /**
     * Up to 16 rows of up to 4 images, transposed: words[i * words_stride + r] = four of
     * lutra_gradient_byte, of first[r * row_stride + j * image_stride + i] with inverses[r] at
     * index + the same offset; 0 for images from `images` on. Words of r from `rows` to 15 become
     * 0.
     */
    void (*pack_across)(uint32_t *words, size_t words_stride, const float *first,
                        size_t image_stride, uint32_t images, size_t row_stride, uint32_t rows,
                        size_t count, const float *inverses, LutraGradientDraws draws,
                        uint32_t index);

    /** words[i] = rows[j][i] in byte j; 0 for rows that are NULL. */
    void (*weave)(uint32_t *words, const uint8_t *const rows[4], size_t count);

    /**
     * sums[r * sums_stride + l] = sum over steps s of the four products of
     * rows[row_offsets[r] + step_offsets[s]] and lanes[s * lanes_stride + l]; added to the old
     * value if `add`.
     */
    void (*products)(int32_t *sums, size_t sums_stride, const LutraSmallBlock *block, bool add);

    /** The same in single precision, with bases[l] added to each sum before it is rounded. */
    void (*product_reals)(float *sums, size_t sums_stride, const LutraSmallBlock *block,
                          const int32_t *bases);

    /** sums[l] = sum of all bytes of lane l over all steps; added to the old value if `add`. */
    void (*lane_sums)(int32_t *sums, const LutraSmallBlock *block, bool add);

    /** Whether these are faster than products of bfloat16. */
    bool fast;
} LutraSmallKernels;

/** Reference first, then the fastest that `cpu_flags` (LutraCpuFlag) allows. */
void lutra_small_kernels_init(LutraSmallKernels *kernels, uint32_t cpu_flags);

/** The step for a largest magnitude, given as bits: NaN unless finite; 0 if below 2^-100. */
float lutra_gradient_step(uint32_t largest);

/** 1 / step; 0 if the step is 0 or NaN. */
float lutra_gradient_inverse(float step);

/** Uniform 32 bits for one place: another bijection of 32-bit words for each pair of words. */
static inline uint32_t lutra_gradient_hash(LutraGradientDraws draws, uint32_t index) {
    uint32_t x = index + draws.first;
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = ((x ^ (x >> 15)) + draws.second) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

/** One gradient, rounded to -127 .. 127; a NaN gives something in that range. */
int32_t lutra_gradient_byte(float value, float inverse, LutraGradientDraws draws, uint32_t index);

#endif
