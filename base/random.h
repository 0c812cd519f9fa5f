/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counter-based random numbers (Philox 4x32-10, [Random123]).
 *
 * A draw is a pure function of seed, stream, index and counter: it never depends on threads, batch
 * size or the order of calls. A stream is the tag of one purpose, so two uses of one seed never
 * share numbers.
 */
#ifndef LUTRA_BASE_RANDOM_H
#define LUTRA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** The tags in use, in one place so that they stay distinct. Never renumber. */
typedef enum {
    LUTRA_STREAM_INIT = 1,    /* initial weights; index = layer */
    LUTRA_STREAM_SHUFFLE = 2, /* order of training images; index = epoch */
    LUTRA_STREAM_AUGMENT = 3, /* crop, flip, cutout; index = epoch, counter = image */
    LUTRA_STREAM_SPLIT = 4,   /* which training images are held out for validation */
    LUTRA_STREAM_LOOKUP = 5,  /* all noise of one look-up (sim/noise_draw.h, like the next five) */
    LUTRA_STREAM_DECODE = 6,  /* all noise of one decrypted value */
    LUTRA_STREAM_ENCRYPT = 7, /* noise of one fresh ciphertext */
    LUTRA_STREAM_KEYSWITCH = 8,
    LUTRA_STREAM_MODULUS_SWITCH = 9,
    LUTRA_STREAM_BOOTSTRAP = 10,
    LUTRA_STREAM_NOISE_STUDY = 20, /* which results are added up (bridge/noise_study_key.c) */
    LUTRA_STREAM_NEURONS = 21,      /* which outputs are verified; index = operation */
    LUTRA_STREAM_NEURON_NOISE = 22, /* noise that their inputs carry */
    LUTRA_STREAM_TRAIN_NOISE = 30, /* noise on sums in training; index = layer */
    LUTRA_STREAM_GRADIENT_ROUNDING = 31, /* of gradients to eight bits; index = layer */
    LUTRA_STREAM_CIRCUIT = 90, /* weights of random circuits, pixels to run them on */
    LUTRA_STREAM_TEST = 1000  /* tests */
} LutraRandomStream;

/** Key of one family of draws. Plain data; copy freely. */
typedef struct {
    uint64_t seed;
    uint32_t stream; /* LutraRandomStream */
    uint32_t index;  /* epoch or layer; 0 where the stream has none */
} LutraRandomKey;

/** Four uniform 32-bit words for (key, counter, block). */
void lutra_random_words(uint32_t words[4], LutraRandomKey key, uint64_t counter, uint32_t block);

/** Uniform 64-bit word. */
uint64_t lutra_random_u64(LutraRandomKey key, uint64_t counter);

/** Uniform in [0, bound), exactly unbiased (rejection over blocks); bound >= 1. */
uint64_t lutra_random_below(LutraRandomKey key, uint64_t counter, uint64_t bound);

/** Uniform in (0, 1), 52 bits, never 0 or 1. */
double lutra_random_uniform(LutraRandomKey key, uint64_t counter);

/** Standard normal (Box-Muller in double precision). */
double lutra_random_normal(LutraRandomKey key, uint64_t counter);

/** Fisher-Yates permutation of 0 .. count-1 into order (count entries, count < 2^32). */
void lutra_random_permutation(uint32_t *order, size_t count, LutraRandomKey key);

#endif
