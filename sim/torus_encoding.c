/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the torus; see torus_encoding.h. */
#include "sim/torus_encoding.h"

#include <math.h>

uint64_t lutra_word_encode(int64_t value, uint32_t bits) {
    LUTRA_ASSERT(bits <= LUTRA_WORD_MAX_BITS);
    return (uint64_t)value << (63 - bits);
}

uint64_t lutra_word_steps(uint64_t word, uint32_t bits) {
    LUTRA_ASSERT(bits <= LUTRA_WORD_MAX_BITS);
    /* Adding half a step may wrap from the last step to step 0, as it should. */
    return (word + (UINT64_C(1) << (62 - bits))) >> (63 - bits);
}

int64_t lutra_word_decode(uint64_t word, LutraEncoding encoding) {
    LUTRA_ASSERT(encoding.bits >= 1);
    const int64_t steps = (int64_t)lutra_word_steps(word, encoding.bits);
    const int64_t half = INT64_C(1) << (encoding.bits - 1);
    if (!encoding.is_signed || steps < half) {
        return steps;
    }
    return steps < 2 * half ? steps - 2 * half : steps - 4 * half;
}

double lutra_word_deviation(uint64_t word, int64_t value, uint32_t bits) {
    const uint64_t distance = word - lutra_word_encode(value, bits);
    const double magnitude = distance >> 63 != 0 ? -(double)(0 - distance) : (double)distance;
    return ldexp(magnitude, -64);
}

uint64_t lutra_word_multiply(uint64_t word, int64_t factor) {
    return word * (uint64_t)factor;
}

uint64_t lutra_word_switch_modulus(uint64_t word, uint32_t log2_poly) {
    LUTRA_ASSERT(log2_poly >= 1 && log2_poly <= LUTRA_WORD_MAX_LOG2_POLY);
    /* 2N ticks are steps of log2 N message bits. */
    return lutra_word_steps(word, log2_poly);
}
