/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bridge needs beyond sim/torus_*.h to judge words that carry noise: distances, and the
 * constant of approximate rounding.
 */
#ifndef LUTRA_BRIDGE_ENCODING_H
#define LUTRA_BRIDGE_ENCODING_H

#include <stdint.h>

#include "sim/circuit.h"
#include "sim/torus_encoding.h"

/** Signed distance of a word from a value's codeword, as a fraction of the torus, [-1/2, 1/2). */
double lutra_torus_deviation(uint64_t word, int64_t value, uint32_t bits);

/**
 * What approximate rounding adds to each word of channel c before the table: the channel's offset
 * and, if bits are dropped, what lutra_word_round_approximate adds to any word.
 *
 * @param bits  message bits of the rounding's input
 */
uint64_t lutra_torus_round_constant(const LutraRoundOperation *round, uint32_t channel,
                                    uint32_t bits);

#endif
