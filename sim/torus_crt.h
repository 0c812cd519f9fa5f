/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the residue encoding, without padding bit: one word for each of a few small coprime
 * moduli, x mod m standing at (x mod m) / m of the torus.
 *
 * Concrete may choose it for circuits that neither round nor reinterpret. Circuits here always use
 * the native encoding (torus_encoding.h); this one is for reading and comparing such results. Sums
 * are sums of words, modulus by modulus; arithmetic is modulo the product of the moduli.
 */
#ifndef LUTRA_SIM_TORUS_CRT_H
#define LUTRA_SIM_TORUS_CRT_H

#include "sim/circuit.h"

enum { LUTRA_CRT_MOST_MODULI = 5, LUTRA_CRT_MOST_BITS = 16 };

typedef struct {
    uint32_t count;
    uint32_t moduli[LUTRA_CRT_MOST_MODULI];
    uint64_t product;
} LutraCrt;

/**
 * The moduli that Concrete uses.
 *
 * @param bits  of the values, 1 .. LUTRA_CRT_MOST_BITS
 * @source zama-ai/concrete, table of decompositions by precision
 */
LutraCrt lutra_crt_of_bits(uint32_t bits);

/** words (crt->count): floor((value mod m) 2^64 / m); value of either sign. */
void lutra_crt_encode(uint64_t *words, const LutraCrt *crt, int64_t value);

/** Nearest residues, put together; signed results from half the product on are negative. */
int64_t lutra_crt_decode(const uint64_t *words, const LutraCrt *crt, bool is_signed);

/**
 * Looks a value up without noise.
 *
 * @param[out] words    (crt->count) the entry, encoded
 * @param      entries  (2^encoding.bits), from the smallest input on; the entry of any value beyond
 *                      is 0
 */
void lutra_crt_look_up(uint64_t *words, const LutraCrt *crt, const uint64_t *x,
                       const int32_t *entries, LutraEncoding encoding);

#endif
