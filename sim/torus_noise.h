/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups, encryptions and decryptions of words with noise: what torus_run.h draws, element by
 * element. */
#ifndef LUTRA_SIM_TORUS_NOISE_H
#define LUTRA_SIM_TORUS_NOISE_H

#include "sim/noise_plan.h"
#include "sim/torus_lookup.h"

/** Noise of one image's run; nothing is owned. */
typedef struct {
    const LutraNoisePlan *plan;
    uint64_t image; /* index in the split */
} LutraTorusNoise;

/** One look-up of a circuit. */
typedef struct {
    uint32_t operation;
    uint32_t channel;
    size_t element; /* as noise_draw.h counts */
    uint32_t part;  /* of several for one element; 0 for tables */
} LutraLookupPlace;

/** Looks a word up with this image's noise. Look-ups that the plan leaves without noise take the
 * closed form (lutra_word_look_up), so that ticks never count twice. */
LutraWordLookup lutra_torus_noisy_look_up(const LutraTorusNoise *noise,
                                          const LutraLookupPlace *place,
                                          const LutraWordTable *table, uint64_t word);

/** The word of a fresh encryption. */
uint64_t lutra_torus_noisy_encryption(const LutraTorusNoise *noise, uint32_t operation,
                                      size_t element, uint64_t word);

/** The word as decryption gives it to the client, who then decodes it: the noise that is not
 * already in the word, in whole steps of the encoding. */
uint64_t lutra_torus_noisy_decryption(const LutraTorusNoise *noise, uint32_t operation,
                                      uint32_t channel, size_t element, uint64_t word,
                                      LutraEncoding encoding);

#endif
