/* SPDX-License-Identifier: Apache-2.0 */
/* Hybrid circuits: where encryption begins and ends. */
#ifndef LUTRA_SIM_CIRCUIT_BORDER_H
#define LUTRA_SIM_CIRCUIT_BORDER_H

#include "sim/circuit.h"

/**
 * Marks operations `from` to `to` (names, inclusive) to run in the clear on the client, with the
 * roundings between them.
 *
 * @param[in,out] circuit  passed lutra_circuit_check; on error some operations may be marked
 * @errors LUTRA_EINVAL an unknown name, or a choice that is neither first nor last in the circuit
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_mark_clear(LutraCircuit *circuit, const char *from,
                                                      const char *to, LutraError *error);

#endif
