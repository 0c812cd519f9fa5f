/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <Random123/philox.h>
#include <math.h>

void lutra_random_words(uint32_t words[4], LutraRandomKey key, uint64_t counter, uint32_t block) {
    /* Philox's key is the seed; its counter carries counter, index and, in the top word, stream
     * beside block. */
    const philox4x32_ctr_t in = {
        {(uint32_t)counter, (uint32_t)(counter >> 32), key.index, (key.stream << 16) ^ block}};
    const philox4x32_key_t philox_key = {{(uint32_t)key.seed, (uint32_t)(key.seed >> 32)}};
    const philox4x32_ctr_t out = philox4x32(in, philox_key);
    for (int i = 0; i < 4; i++) {
        words[i] = out.v[i];
    }
}

uint64_t lutra_random_u64(LutraRandomKey key, uint64_t counter) {
    uint32_t words[4];
    lutra_random_words(words, key, counter, 0);
    return (uint64_t)words[0] | ((uint64_t)words[1] << 32);
}

uint64_t lutra_random_below(LutraRandomKey key, uint64_t counter, uint64_t bound) {
    /* Words at or above the largest multiple of `bound` are rejected, so every residue is equally
     * likely. 2^64 mod bound == (-bound) mod bound in unsigned arithmetic. */
    const uint64_t rejected = (0u - bound) % bound;
    for (uint32_t block = 0; block < 0x10000u; block++) {
        uint32_t words[4];
        lutra_random_words(words, key, counter, block);
        for (int half = 0; half < 4; half += 2) {
            const uint64_t word = (uint64_t)words[half] | ((uint64_t)words[half + 1] << 32);
            if (word >= rejected) {
                return word % bound;
            }
        }
    }
    return 0; /* 131,072 rejections in a row: probability below 2^-131072 */
}

static double uniform_open(uint32_t low, uint32_t high) {
    const uint64_t word = (uint64_t)low | ((uint64_t)high << 32);
    /* 52 bits and a half: with 53 the largest value would round to 1. */
    return ((double)(word >> 12) + 0.5) * 0x1p-52;
}

double lutra_random_uniform(LutraRandomKey key, uint64_t counter) {
    uint32_t words[4];
    lutra_random_words(words, key, counter, 0);
    return uniform_open(words[0], words[1]);
}

double lutra_random_normal(LutraRandomKey key, uint64_t counter) {
    uint32_t words[4];
    lutra_random_words(words, key, counter, 0);
    const double radius = sqrt(-2.0 * log(uniform_open(words[0], words[1])));
    return radius * cos(6.283185307179586476925286766559 * uniform_open(words[2], words[3]));
}

void lutra_random_permutation(uint32_t *order, size_t count, LutraRandomKey key) {
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)lutra_random_below(key, i, i);
        const uint32_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
