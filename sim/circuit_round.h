/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounding a circuit that has none: what lowering the same model with a rounding gives, without the
 * model.
 *
 * A rounded table reads bucket b in place of the integer x = b * 2^t, so its entries are a choice
 * from those of the unrounded one, and nothing has to be evaluated again.
 *
 * Legend: p = message bits of a table's input, P = bits that a rounding keeps, t = dropped bits.
 */
#ifndef LUTRA_SIM_CIRCUIT_ROUND_H
#define LUTRA_SIM_CIRCUIT_ROUND_H

#include "sim/circuit.h"

typedef struct {
    /** (bits_count) P of each table in the order of the operations, LUTRA_ROUNDING_NONE or
     * 1 .. LUTRA_MAX_ROUNDING; bits_count 1: the same P for all */
    const uint32_t *bits;
    uint32_t bits_count;
    LutraRoundingMode mode;
} LutraRoundSettings;

/** Tables of a circuit, those in the clear included. */
uint32_t lutra_circuit_table_count(const LutraCircuit *circuit);

/**
 * The circuit with a rounding, without offsets, before every table that would read more than its P
 * bits: t = max(0, p - P).
 *
 * Widths are decided as lowering does it, by the observed ranges joined with the codes that enter,
 * where that rule explains the widths of `plain` and gives no wider ones; other circuits, and those
 * with an add, keep the widths they have. A rounding is called NAME_round after its table NAME, and
 * runs in the clear if the table does. Proved ranges are proved again; observed ranges stay those
 * of the circuit without rounding. There are no crypto parameters in the result.
 *
 * @param[out] rounded  owned by the caller; passes lutra_circuit_check
 * @param      plain    passed lutra_circuit_check
 *
 * @errors LUTRA_EINVAL bits outside their range, or not one for all nor one for each table;
 *         LUTRA_EDATA there is a rounding in `plain` already; LUTRA_ENOMEM
 * @checked tests/unit/test_circuit_round.c (equal to lowering, byte for byte; by definition)
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_round(LutraCircuit *rounded, const LutraCircuit *plain,
                                                 const LutraRoundSettings *settings,
                                                 LutraError *error);

#endif
