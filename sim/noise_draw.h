/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of random draws in noisy simulation. A draw depends on the seed, the repeat, the image,
 * the operation and the element, and on nothing else: not on threads, batches, other draws, or
 * which engine computes.
 *
 * Elements are counted pixel by pixel, channels side by side: element = pixel * channels + channel,
 * so that the draws of neighbouring channels lie in one block of the generator.
 */
#ifndef LUTRA_SIM_NOISE_DRAW_H
#define LUTRA_SIM_NOISE_DRAW_H

#include "base/random.h"

enum {
    LUTRA_NOISE_MOST_REPEATS = 1 << 20,
    LUTRA_NOISE_ELEMENTS_PER_BLOCK = 8 /* elements whose uniform draws begin in one block */
};

/** What all draws of one kind, in one operation and for one image, have in common. */
typedef struct {
    LutraRandomKey key;
    uint64_t counter; /* of element 0 */
} LutraNoiseAddress;

/**
 * @param stream     which purpose (base/random.h)
 * @param operation  index, below LUTRA_MAX_OPERATIONS (2^12)
 * @param repeat     below LUTRA_NOISE_MOST_REPEATS
 * @param image      index in the split, below 2^32
 * @param part       which of several look-ups of one element, 0 .. 31
 */
LutraNoiseAddress lutra_noise_address(uint64_t seed, LutraRandomStream stream, uint32_t operation,
                                      uint32_t repeat, uint64_t image, uint32_t part);

/**
 * Uniform 64-bit word of one element, below 2^26.
 *
 * Its upper 16 bits are those at place element % 8 (lower half of a word before the upper) of block
 * element / 8, so that many elements' can be computed at once (base/random_fill.h); the other 48,
 * seldom needed, come out of a block of their own.
 */
uint64_t lutra_noise_uniform(LutraNoiseAddress address, size_t element);

/** A Gaussian of this deviation (fraction of the torus) as a word, modulo 2^64; 0 if it is 0. */
uint64_t lutra_noise_word(LutraNoiseAddress address, size_t element, double deviation);

#endif
