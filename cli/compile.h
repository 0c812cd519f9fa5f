/* SPDX-License-Identifier: Apache-2.0 */
/* The report of `lutra compile`. */
#ifndef LUTRA_CLI_COMPILE_H
#define LUTRA_CLI_COMPILE_H

#include "base/json.h"
#include "sim/circuit.h"
#include "sim/circuit_parameters.h"

/* ---- report ---- */

/**
 * lutra_prediction_off_by_one of each table.
 *
 * @param[out] rates  (operation_count), owned by the caller; NULL if the circuit has no parameters
 *                    or rounds nothing approximately under encryption
 */
LUTRA_MUST_CHECK LutraStatus compile_find_off_by_one(double **rates, const LutraCircuit *circuit,
                                                     LutraError *error);

/** One row per table on stdout, then totals and parameters. @param rates  as above */
void compile_print(const LutraCircuit *circuit, const LutraParametersChoice *choice,
                   const double *rates);

/** The same as members of a JSON object. */
void compile_set_json(LutraJson *object, const LutraCircuit *circuit,
                      const LutraParametersChoice *choice, const double *rates);

enum { COMPILE_REASON_BYTES = 320 };

/**
 * Why a circuit has no crypto parameters, in one sentence: which layer, width and norm stand in the
 * way, and what rounding would do.
 *
 * @param choice  not feasible, with at least one look-up
 */
void compile_explain_infeasible(char text[COMPILE_REASON_BYTES], const LutraCircuit *circuit,
                                const LutraParametersChoice *choice);

#endif
