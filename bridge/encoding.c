/* SPDX-License-Identifier: Apache-2.0 */
/* Integers on the torus; see encoding.h. */
#include "bridge/encoding.h"

#include <math.h>

double lutra_torus_deviation(uint64_t word, int64_t value, uint32_t bits) {
    const uint64_t distance = word - lutra_word_encode(value, bits);
    const double magnitude = distance >> 63 != 0 ? -(double)(0 - distance) : (double)distance;
    return ldexp(magnitude, -64);
}

int64_t lutra_torus_lookup(const LutraTableOperation *table, uint32_t channel, int64_t value,
                           LutraEncoding encoding) {
    const uint64_t entries = UINT64_C(1) << encoding.bits;
    LUTRA_ASSERT(entries == table->entry_count);
    const uint64_t index =
        ((uint64_t)value - (uint64_t)(int64_t)table->first_input) & (2 * entries - 1);
    const int32_t *const row =
        table->entries + (size_t)table->table_of_channel[channel] * table->entry_count;
    return index < entries ? row[index] : -(int64_t)row[index - entries];
}

uint64_t lutra_torus_round_constant(const LutraRoundOperation *round, uint32_t channel,
                                    uint32_t bits) {
    const int64_t offset = round->offsets == NULL ? 0 : round->offsets[channel];
    const uint64_t half_step = round->dropped_bits == 0 ? 0 : (UINT64_C(1) << (62 - bits)) - 2;
    return lutra_word_encode(offset, bits) + half_step;
}
