/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bridge needs beyond sim/torus_encoding.h to judge words that carry noise: distances, the
 * meaning of a look-up for any integer, and the constant of approximate rounding.
 *
 * Legend: p = message bits; one code step is 2^(63-p), so the torus holds 2^(p+1) steps.
 */
#ifndef LUTRA_BRIDGE_ENCODING_H
#define LUTRA_BRIDGE_ENCODING_H

#include <stdint.h>

#include "sim/circuit.h"
#include "sim/torus_encoding.h"

/** Signed distance of a word from a value's codeword, as a fraction of the torus, [-1/2, 1/2). */
double lutra_torus_deviation(uint64_t word, int64_t value, uint32_t bits);

/**
 * What a noise-free look-up gives for a decoded input, padding bit included: the entry, or the
 * negative entry of the value half a torus away.
 *
 * @param channel  picks the table
 * @param value    any integer; only value modulo 2^(p+1) matters
 */
int64_t lutra_torus_lookup(const LutraTableOperation *table, uint32_t channel, int64_t value,
                           LutraEncoding encoding);

/**
 * What approximate rounding adds to each word of channel c before the table: the channel's offset
 * and, if bits are dropped, half a step of the finest digit less two units, which puts thresholds
 * between two integers.
 *
 * @param bits  p of the rounding's input
 */
uint64_t lutra_torus_round_constant(const LutraRoundOperation *round, uint32_t channel,
                                    uint32_t bits);

#endif
