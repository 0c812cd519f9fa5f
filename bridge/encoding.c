/* SPDX-License-Identifier: Apache-2.0 */
/* Integers on the torus; see encoding.h. */
#include "bridge/encoding.h"

#include <math.h>

#include "sim/torus_rounding.h"

double lutra_torus_deviation(uint64_t word, int64_t value, uint32_t bits) {
    const uint64_t distance = word - lutra_word_encode(value, bits);
    const double magnitude = distance >> 63 != 0 ? -(double)(0 - distance) : (double)distance;
    return ldexp(magnitude, -64);
}

uint64_t lutra_torus_round_constant(const LutraRoundOperation *round, uint32_t channel,
                                    uint32_t bits) {
    const int64_t offset = round->offsets == NULL ? 0 : round->offsets[channel];
    const uint64_t constant = lutra_word_encode(offset, bits);
    if (round->dropped_bits == 0) {
        return constant;
    }
    LutraWordRounding rounding;
    lutra_word_rounding_default(&rounding, (LutraEncoding){.bits = bits}, round->dropped_bits,
                                false);
    return lutra_word_round_approximate(constant, &rounding);
}
