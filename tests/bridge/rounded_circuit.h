/* SPDX-License-Identifier: Apache-2.0 */
/* A small circuit with a rounding, for tests of verification on toy ciphertexts. */
#ifndef LUTRA_TESTS_BRIDGE_ROUNDED_CIRCUIT_H
#define LUTRA_TESTS_BRIDGE_ROUNDED_CIRCUIT_H

#include "tests/support/check.h"
#include "tests/support/circuits.h"

/** Input, ternary layer of `hidden` outputs, 6-bit table that `dropped` bits are rounded off for,
 * layer, output. */
static inline void rounded_circuit(LutraCircuit *circuit, uint32_t dropped, uint32_t hidden,
                                   LutraCryptoParameters set) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(7), CIRCUIT_TERNARY);
    const LutraEncoding wide = {6 + dropped, true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 5, 5}, wide, -1, 1);
    x = builder_linear(&builder, x, hidden);
    if (dropped > 0) {
        x = builder_round(&builder, x, dropped, true);
        builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    }
    x = builder_table(&builder, x, wide, -1, 1, false);
    x = builder_linear(&builder, x, 4);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    circuit_give_parameters(circuit, set);
}

#endif
