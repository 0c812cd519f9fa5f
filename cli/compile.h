/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of `lutra compile`, for it and for commands that compile many settings. */
#ifndef LUTRA_CLI_COMPILE_H
#define LUTRA_CLI_COMPILE_H

#include "base/json.h"
#include "base/progress.h"
#include "datasets/dataset.h"
#include "quant/lower.h"
#include "sim/circuit.h"
#include "sim/circuit_parameters.h"

/* ---- calibration ---- */

/** Images for histograms: as many as take COMPILE_DENSITY_MACS multiply-adds, in these bounds. */
enum { COMPILE_DENSITY_FEWEST = 64, COMPILE_DENSITY_MOST = 512 };
#define COMPILE_DENSITY_MACS UINT64_C(10000000000)

/** User data of the observer. */
typedef struct {
    const LutraSplit *images; /* (count, C, H, W) of the circuit's input shape */
    uint32_t threads;
    uint32_t cpu_flags;
    const LutraProgress *progress; /* may be NULL */
} CompileImages;

/** Runs the images in clear mode: all of them for ranges, the first few hundred for
 * histograms. `images` must outlive the observer. */
LutraObserver compile_observer(CompileImages *images);

/* ---- hybrid circuits ---- */

/**
 * Marks operations `from` to `to` (names, inclusive) to run in the clear, with the roundings
 * between them.
 *
 * @errors LUTRA_EINVAL an unknown name, or a choice that is neither first nor last in the circuit
 */
LUTRA_MUST_CHECK LutraStatus compile_mark_clear(LutraCircuit *circuit, const char *from,
                                                const char *to, LutraError *error);

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
