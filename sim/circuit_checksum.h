/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two circuits compute the same: a checksum of what decides results, not of records. */
#ifndef LUTRA_SIM_CIRCUIT_CHECKSUM_H
#define LUTRA_SIM_CIRCUIT_CHECKSUM_H

#include "sim/circuit.h"

/** Of operations, weights, tables and crypto parameters; names of operations count, texts do not.
 * @param circuit  passed lutra_circuit_check */
uint64_t lutra_circuit_checksum(const LutraCircuit *circuit);

#endif
