/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of `lutra compile`, for it and for commands that compile many settings. */
#ifndef LUTRA_CLI_COMPILE_H
#define LUTRA_CLI_COMPILE_H

#include <stdbool.h>

#include "base/json.h"
#include "base/progress.h"
#include "datasets/dataset.h"
#include "quant/lower.h"
#include "sim/circuit.h"
#include "sim/weight_norm.h"

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

/* ---- crypto parameters ---- */

typedef struct {
    double p_error;        /* per look-up; 0: from global_p_error */
    double global_p_error; /* that an image meets any wrong look-up */
    uint32_t security_bits;
} CompileTarget;

typedef struct {
    uint64_t lookups;         /* per image, those of exact roundings included */
    double p_error;           /* per look-up, asked for */
    bool feasible;            /* the circuit has parameters */
    double output_p_error;    /* that a decrypted sum is wrong; 0 if not feasible */
    uint32_t widest;          /* operation index of the widest table; 0 if there is none */
    uint32_t widest_bits;     /* that it reads */
    uint32_t enough_rounding; /* if not feasible: bits to round to that would be; 0 = none found */
    LutraWeightNorm *norms;   /* (operation_count) of tables and the output; owned */
} CompileChoice;

/**
 * Chooses one set of crypto parameters for all look-ups of a circuit and puts it there; a circuit
 * without encrypted tables gets none.
 *
 * @errors LUTRA_ENOMEM, LUTRA_EINVAL; that there is no set is no error: see choice->feasible
 */
LUTRA_MUST_CHECK LutraStatus compile_choose(CompileChoice *choice, LutraCircuit *circuit,
                                            const CompileTarget *target, LutraError *error);
void compile_choice_deinit(CompileChoice *choice);

/* ---- report ---- */

/** One row per table on stdout, then totals and parameters. */
void compile_print(const LutraCircuit *circuit, const CompileChoice *choice);

/** The same as members of a JSON object. */
void compile_set_json(LutraJson *object, const LutraCircuit *circuit, const CompileChoice *choice);

#endif
