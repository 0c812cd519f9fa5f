/* SPDX-License-Identifier: Apache-2.0 */
/* Draws of noise; see noise_draw.h. */
#include "sim/noise_draw.h"

#include <math.h>

#include "base/status.h"
#include "sim/circuit.h"

enum { OPERATION_BITS = 12, PART_BITS = 5, ELEMENT_BITS = 26 };

LutraNoiseAddress lutra_noise_address(uint64_t seed, LutraRandomStream stream, uint32_t operation,
                                      uint32_t repeat, uint64_t image, uint32_t part) {
    LUTRA_ASSERT(operation < 1u << OPERATION_BITS && repeat < LUTRA_NOISE_MOST_REPEATS &&
                 image <= UINT32_MAX && part < 1u << PART_BITS);
    return (LutraNoiseAddress){
        .key = {.seed = seed,
                .stream = (uint32_t)stream,
                .index = repeat << OPERATION_BITS | operation},
        .counter = image << 32 | (uint64_t)part << ELEMENT_BITS};
}

uint64_t lutra_noise_uniform(LutraNoiseAddress address, size_t element) {
    uint32_t high[4];
    uint32_t low[4];
    const uint64_t counter = address.counter + element / LUTRA_NOISE_ELEMENTS_PER_BLOCK;
    const uint32_t place = (uint32_t)(element % LUTRA_NOISE_ELEMENTS_PER_BLOCK);
    LUTRA_ASSERT(element < LUTRA_MAX_CIRCUIT_ELEMENTS);
    lutra_random_words(high, address.key, counter, 0);
    lutra_random_words(low, address.key, counter, 1 + place);
    const uint64_t upper = high[place / 2] >> (16 * (place % 2)) & 0xFFFF;
    return upper << 48 | (uint64_t)(low[1] & 0xFFFF) << 32 | low[0];
}

uint64_t lutra_noise_word(LutraNoiseAddress address, size_t element, double deviation) {
    LUTRA_ASSERT(element < LUTRA_MAX_CIRCUIT_ELEMENTS);
    if (deviation == 0.0) {
        return 0;
    }
    double torus = deviation * lutra_random_normal(address.key, address.counter + element);
    torus -= floor(torus + 0.5); /* in [-1/2, 1/2) */
    return (uint64_t)llrint(ldexp(torus, 64) >= 0x1p63 ? -0x1p63 : ldexp(torus, 64));
}
