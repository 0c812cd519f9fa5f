/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounding and truncation of words by look-ups, without noise.
 *
 * Exact rounding adds half a bucket and takes the low bits off one by one, one look-up each.
 * Approximate rounding reads the word with fewer bits and leaves the rounding to the look-up that
 * follows; its options guard against values that round up to one bucket more than the target bits
 * can count.
 *
 * Legend: p = bits of the word; r = dropped bits; bucket = 2^r finest digits; q = p - r.
 */
#ifndef LUTRA_SIM_TORUS_ROUNDING_H
#define LUTRA_SIM_TORUS_ROUNDING_H

#include "sim/torus_encoding.h"
#include "sim/torus_lookup.h"

/**
 * The lowest message bit of a word, in its place: 0 or 2^(63 - bits). One look-up.
 *
 * @param word  a codeword; noise would have to stay below a quarter of its lowest bit
 * @param bits  1 .. LUTRA_WORD_MAX_BITS - 1
 */
uint64_t lutra_word_lowest_bit(uint64_t word, uint32_t bits);

/** A look-up that reads the lowest of `bits` message bits, as lutra_word_lowest_bit does, perhaps
 * with noise; `part` counts the look-ups of one value from 0. */
typedef uint64_t (*LutraLowestBit)(void *user, uint64_t word, uint32_t bits, uint32_t part);

/**
 * floor((x + 2^(r-1)) / 2^r) on p - r bits, padding bit and all: a value that rounds up to
 * 2^(p-r) lands there. r look-ups.
 *
 * @param dropped_bits  r, 0 .. bits - 1
 */
uint64_t lutra_word_round_exact(uint64_t word, uint32_t bits, uint32_t dropped_bits);

/** The same with look-ups of the caller's. */
uint64_t lutra_word_round_exact_by(uint64_t word, uint32_t bits, uint32_t dropped_bits,
                                   LutraLowestBit read, void *user);

/** The word on which a table of one entry, `sign`, tells the lowest of `bits` message bits: its
 * answer plus lutra_word_encode(1, bits + 1) is that bit in its place. */
uint64_t lutra_word_lowest_bit_input(uint64_t word, uint32_t bits);
LutraWordTable lutra_word_lowest_bit_table(uint32_t bits);

/** The word on p bits with its r low bits cleared, towards minus infinity. r look-ups. */
uint64_t lutra_word_truncate(uint64_t word, uint32_t bits, uint32_t dropped_bits);

/** Approximate rounding with Concrete's options. */
typedef struct {
    LutraEncoding values;     /* of the values to round, before a bit is added for protection */
    uint32_t dropped_bits;    /* r, 1 .. values.bits - 1 */
    bool overflow_protected;  /* words have one bit more than the values: p = values.bits + 1 */
    bool symmetrized;         /* thresholds stand between two integers instead of on the upper one;
                                 default on */
    bool logical_clipping;    /* the following table repeats its last target entry; default on */
    bool approximate_clipping; /* large values are lowered by a look-up of their own; default on,
                                  needs protection */
    uint32_t clipping_start_bits; /* ... from this many target bits on; default 5 */
    bool reduced_precision;   /* ... and the protecting bit is then given up; default on */
} LutraWordRounding;

/** The defaults that the struct names. */
void lutra_word_rounding_default(LutraWordRounding *rounding, LutraEncoding values,
                                 uint32_t dropped_bits, bool overflow_protected);

/** p: bits of the words to round. */
uint32_t lutra_word_rounding_input_bits(const LutraWordRounding *rounding);

/** Encoding of the buckets as the following table reads them. */
LutraEncoding lutra_word_rounding_result(const LutraWordRounding *rounding);

/** Look-ups of the rounding itself: 1 with approximate clipping, else 0. */
uint32_t lutra_word_rounding_lookups(const LutraWordRounding *rounding);

/**
 * The word that the following table reads: not yet rounded, the low bits are still there.
 *
 * Clipping looks at the value at m = max(2, target - 1) bits, half a bucket lower: from 1.5 buckets
 * below the first bucket too many on, three quarters of a bucket are taken off (a whole bucket
 * another cell further up).
 */
uint64_t lutra_word_round_approximate(uint64_t word, const LutraWordRounding *rounding);

/**
 * What a circuit's approximate rounding adds to each word of one channel before the table: the
 * channel's offset and, if bits are dropped, what lutra_word_round_approximate adds to any word.
 *
 * @param bits  message bits of the rounding's input
 */
uint64_t lutra_word_round_constant(const LutraRoundOperation *round, uint32_t channel,
                                   uint32_t bits);

/**
 * The following table as it must be built.
 *
 * @param[out] physical  (2^bits of lutra_word_rounding_result)
 * @param      table     (2^(p - r)), from the smallest bucket on
 */
void lutra_word_rounding_table(int32_t *physical, const int32_t *table,
                               const LutraWordRounding *rounding);

#endif
