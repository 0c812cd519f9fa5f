/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a programmable bootstrap returns for a word without noise, padding bit included.
 *
 * The blind rotation picks a coefficient of a polynomial modulo X^N + 1. Each of the 2^p entries
 * owns M = N / 2^p coefficients, centred on its codeword, so the last M/2 coefficients belong to
 * the lower half of entry 0 and hold its negative. Past N coefficients all signs turn: an input
 * with the padding bit set gives minus the entry half a torus away.
 *
 * Signed inputs are first moved up by half the encoding, a clear constant; entries are ordered from
 * the smallest input on, as in circuits, which is the table rotated by the same half.
 *
 * Two forms: on ticks of 2N (what FHE computes), and the closed form that reads the nearest step of
 * the encoding. They agree on every word at least half a tick away from the middle between two
 * steps.
 *
 * Legend: p = bits of the input; N = 2^log2_poly.
 */
#ifndef LUTRA_SIM_TORUS_LOOKUP_H
#define LUTRA_SIM_TORUS_LOOKUP_H

#include "sim/torus_encoding.h"

/** One table as a bootstrap sees it; plain data, nothing is owned. */
typedef struct {
    const int32_t *entries; /* (2^bits), from the smallest input on */
    uint32_t bits;          /* of the input; 0: one entry, its sign tells the halves apart */
    bool is_signed;         /* the input is */
    uint32_t result_bits;   /* encoding of the result */
} LutraWordTable;

/** The table that an operation of a circuit uses for one channel. */
LutraWordTable lutra_word_table_of(const LutraTableOperation *table, uint32_t channel,
                                   LutraEncoding x, LutraEncoding y);

/**
 * Coefficient `index` of the table's polynomial: an entry or minus entry 0, not yet encoded.
 *
 * @param index      0 .. N - 1
 * @param log2_poly  at least table->bits; equal: one coefficient per entry
 */
int64_t lutra_word_table_coefficient(const LutraWordTable *table, uint64_t index,
                                     uint32_t log2_poly);

/** What a look-up found. */
typedef struct {
    int64_t value;   /* the entry or its negative */
    uint64_t word;   /* value on result_bits */
    uint64_t step;   /* the cell that was read, 0 .. 2^(bits + 1) - 1, after a signed shift */
    bool in_padding; /* that cell lies in the padding bit's half */
} LutraWordLookup;

/** The word that a bootstrap sees: inputs of signed tables are moved up by half their encoding. */
uint64_t lutra_word_table_input(const LutraWordTable *table, uint64_t word);

/** What stands in a cell of the closed form; any step, taken modulo 2^(bits + 1). */
LutraWordLookup lutra_word_read_step(const LutraWordTable *table, uint64_t step);

/** What stands at a tick, 0 .. 2N - 1; log2_poly = log2 N >= table->bits. */
LutraWordLookup lutra_word_read_tick(const LutraWordTable *table, uint64_t tick,
                                     uint32_t log2_poly);

/**
 * Looks up a word.
 *
 * @param log2_poly  log2 N >= table->bits: through ticks; 0: the closed form
 */
LutraWordLookup lutra_word_look_up(const LutraWordTable *table, uint64_t word, uint32_t log2_poly);

#endif
