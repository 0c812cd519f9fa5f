/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the torus without noise: what a 64-bit word means, and what a modulus switch makes of
 * it.
 *
 * A value x of p message bits stands on the torus as x * 2^(63-p) mod 2^64: one padding bit on top,
 * p message bits, then 63-p bits for noise. The torus holds 2^(p+1) steps of 2^(63-p). Negative
 * values set the padding bit: signed values live in both halves.
 *
 * Linear operations are plain arithmetic of words modulo 2^64: sums of words, words times clear
 * integers, words plus encoded clear integers. Nothing saturates; a sum that leaves its encoding
 * wraps modulo 2^(p+1) and is seen at the next look-up or decoding.
 *
 * Reinterpreting a word needs no function: it is read with another number of bits. With fewer bits
 * the value is divided and what lies below a step stays in the word; with more it is multiplied.
 *
 * Legend: p = bits; N = 2^log2_poly coefficients; a tick is 1/(2N) of the torus.
 */
#ifndef LUTRA_SIM_TORUS_ENCODING_H
#define LUTRA_SIM_TORUS_ENCODING_H

#include "sim/circuit.h"

enum {
    LUTRA_WORD_MAX_BITS = 61, /* widest encoding of a word: half a step is still a whole unit */
    LUTRA_WORD_MAX_LOG2_POLY = 30
};

/** value * 2^(63 - bits) modulo 2^64; bits 0 .. LUTRA_WORD_MAX_BITS. */
uint64_t lutra_word_encode(int64_t value, uint32_t bits);

/** Nearest step of a word, in [0, 2^(bits+1)); ties go up. */
uint64_t lutra_word_steps(uint64_t word, uint32_t bits);

/**
 * Nearest value. Unsigned: [0, 2^(p+1) - 1], the padding bit stays visible. Signed:
 * [-2^p, 2^(p-1) - 1]: an underflow keeps its value for one more bit, an overflow wraps by 2^p.
 */
int64_t lutra_word_decode(uint64_t word, LutraEncoding encoding);

/** Signed distance of a word from a value's codeword, as a fraction of the torus, [-1/2, 1/2). */
double lutra_word_deviation(uint64_t word, int64_t value, uint32_t bits);

/** word * factor modulo 2^64, for clear factors of either sign. */
uint64_t lutra_word_multiply(uint64_t word, int64_t factor);

/**
 * Nearest tick, in [0, 2N); ties go up. Word and noise are to be added before: rounding them
 * separately and adding the ticks modulo 2N is Concrete's simulation, not what FHE does.
 *
 * @param log2_poly  1 .. LUTRA_WORD_MAX_LOG2_POLY
 */
uint64_t lutra_word_switch_modulus(uint64_t word, uint32_t log2_poly);

#endif
