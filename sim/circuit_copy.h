/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of operations, and what two circuits have in common. */
#ifndef LUTRA_SIM_CIRCUIT_COPY_H
#define LUTRA_SIM_CIRCUIT_COPY_H

#include "sim/circuit.h"

/**
 * A deep copy of an operation of a circuit that passed lutra_circuit_check.
 *
 * @param[out] copy  owned by the caller, lutra_operation_deinit; unchanged on error
 * @errors LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_operation_copy(LutraOperation *copy,
                                                  const LutraOperation *operation,
                                                  LutraError *error);

/**
 * Whether two operations compute the same results from the same inputs in every mode, and count the
 * same of them: all members but the name, the proved range and a table's parameter_index are equal,
 * with the arrays they own.
 */
bool lutra_operation_equal(const LutraOperation *a, const LutraOperation *b);

/**
 * How many operations, from the first on, are equal in all circuits: their results on an image are
 * the same in all of them (under noise only with the same crypto parameters and the same draws).
 *
 * @param circuits  (count) that passed lutra_circuit_check; one has all of its operations in common
 *                  with itself, none gives 0
 */
uint32_t lutra_circuit_common_prefix(const LutraCircuit *const *circuits, size_t count);

#endif
