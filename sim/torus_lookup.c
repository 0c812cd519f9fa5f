/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups of words; see torus_lookup.h. */
#include "sim/torus_lookup.h"

LutraWordTable lutra_word_table_of(const LutraTableOperation *table, uint32_t channel,
                                   LutraEncoding x, LutraEncoding y) {
    LUTRA_ASSERT(table->entry_count == UINT64_C(1) << x.bits);
    LUTRA_ASSERT(table->first_input == lutra_encoding_min(x));
    const size_t row = table->table_of_channel[channel];
    return (LutraWordTable){.entries = table->entries + row * table->entry_count,
                            .bits = x.bits,
                            .is_signed = x.is_signed,
                            .result_bits = y.bits};
}

int64_t lutra_word_table_coefficient(const LutraWordTable *table, uint64_t index,
                                     uint32_t log2_poly) {
    LUTRA_ASSERT(log2_poly >= table->bits && log2_poly <= LUTRA_WORD_MAX_LOG2_POLY);
    const uint64_t per_entry = UINT64_C(1) << (log2_poly - table->bits);
    const uint64_t entry = (index + per_entry / 2) / per_entry;
    return entry >> table->bits == 0 ? table->entries[entry] : -(int64_t)table->entries[0];
}

/** Value of a word on 2N ticks, and the step that the tick belongs to. */
static int64_t look_up_tick(const LutraWordTable *table, uint64_t word, uint32_t log2_poly,
                            uint64_t *steps) {
    const uint64_t tick = lutra_word_switch_modulus(word, log2_poly);
    const uint64_t size = UINT64_C(1) << log2_poly;
    const uint64_t per_entry = size >> table->bits;
    *steps = (tick + per_entry / 2) % (2 * size) / per_entry;
    return tick < size ? lutra_word_table_coefficient(table, tick, log2_poly)
                       : -lutra_word_table_coefficient(table, tick - size, log2_poly);
}

LutraWordLookup lutra_word_look_up(const LutraWordTable *table, uint64_t word,
                                   uint32_t log2_poly) {
    const uint64_t entries = UINT64_C(1) << table->bits;
    if (table->is_signed) {
        word += UINT64_C(1) << 62; /* 2^(p-1) steps of 2^(63-p), for every p */
    }
    LutraWordLookup result = {0};
    uint64_t steps = 0;
    if (log2_poly > 0) {
        result.value = look_up_tick(table, word, log2_poly, &steps);
    } else {
        steps = lutra_word_steps(word, table->bits);
        result.value = steps < entries ? table->entries[steps]
                                       : -(int64_t)table->entries[steps - entries];
    }
    result.in_padding = steps >= entries;
    result.word = lutra_word_encode(result.value, table->result_bits);
    return result;
}
