/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of ternary codes with ternary weights by counting bits. A value is two bits: whether it
 * is not 0, and whether it is negative. With b = both not 0, the product is negative where the
 * signs differ: a sum of products is |b| - 2 |b and signs differ|, exact.
 */
#ifndef LUTRA_TRAIN_TERNARY_H
#define LUTRA_TRAIN_TERNARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LUTRA_TERNARY_CHANNELS = 64, /* of a word */
    LUTRA_TERNARY_ROWS = 4,      /* of one call of `products` */
    LUTRA_TERNARY_POSITIONS = 8  /* come in multiples of this */
};

/** Words of 64 channels at neighbouring positions. */
typedef struct {
    const uint64_t *nonzero;
    const uint64_t *negative; /* a part of nonzero */
} LutraTernaryPlanes;

typedef struct {
    /**
     * sums[r * positions + p] = sum over steps s of the products of the words at offsets[s] + p
     * with the weights of step s and row r.
     *
     * @param weights    (steps, LUTRA_TERNARY_ROWS, 2) words: not 0, negative
     * @param positions  a multiple of LUTRA_TERNARY_POSITIONS
     */
    void (*products)(float *sums, const LutraTernaryPlanes *planes, const uint32_t *offsets,
                     size_t steps, const uint64_t *weights, size_t positions);

    /**
     * Words of `count` positions: bit c of word i from bytes[c * channel_stride + i], code + 1.
     *
     * @param channels  1 .. 64; bits from there on become 0
     */
    void (*pack)(uint64_t *nonzero, uint64_t *negative, const uint8_t *bytes,
                 size_t channel_stride, uint32_t channels, size_t count);

    /** Whether these are faster than products of bytes. */
    bool fast;
} LutraTernaryKernels;

/** Reference first, then the fastest that `cpu_flags` (LutraCpuFlag) allows. */
void lutra_ternary_kernels_init(LutraTernaryKernels *kernels, uint32_t cpu_flags);

#endif
