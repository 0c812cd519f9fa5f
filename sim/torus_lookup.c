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

uint64_t lutra_word_table_input(const LutraWordTable *table, uint64_t word) {
    /* 2^(p-1) steps of 2^(63-p) are 2^62 for every p */
    return table->is_signed ? word + (UINT64_C(1) << 62) : word;
}

static LutraWordLookup found(const LutraWordTable *table, int64_t value, uint64_t step) {
    return (LutraWordLookup){.value = value,
                             .word = lutra_word_encode(value, table->result_bits),
                             .step = step,
                             .in_padding = step >> table->bits != 0};
}

LutraWordLookup lutra_word_read_step(const LutraWordTable *table, uint64_t step) {
    const uint64_t entries = UINT64_C(1) << table->bits;
    const uint64_t cell = step % (2 * entries);
    return found(table,
                 cell < entries ? table->entries[cell] : -(int64_t)table->entries[cell - entries],
                 cell);
}

LutraWordLookup lutra_word_read_tick(const LutraWordTable *table, uint64_t tick,
                                     uint32_t log2_poly) {
    const uint64_t size = UINT64_C(1) << log2_poly;
    const uint64_t per_entry = size >> table->bits;
    const int64_t value = tick < size
                              ? lutra_word_table_coefficient(table, tick, log2_poly)
                              : -lutra_word_table_coefficient(table, tick - size, log2_poly);
    return found(table, value, (tick + per_entry / 2) % (2 * size) / per_entry);
}

LutraWordLookup lutra_word_look_up(const LutraWordTable *table, uint64_t word,
                                   uint32_t log2_poly) {
    const uint64_t input = lutra_word_table_input(table, word);
    return log2_poly > 0
               ? lutra_word_read_tick(table, lutra_word_switch_modulus(input, log2_poly), log2_poly)
               : lutra_word_read_step(table, lutra_word_steps(input, table->bits));
}
