/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast execution of a circuit in the clear: bit for bit what operations.h says, one image per call,
 * any number of workers on one prepared program, each with its own scratch.
 */
#ifndef LUTRA_SIM_CLEAR_H
#define LUTRA_SIM_CLEAR_H

#include "sim/circuit.h"

/** A circuit prepared for one set of instructions; never changes after creation. */
typedef struct LutraClearProgram LutraClearProgram;

/** What was seen of one operation's results over all images. */
typedef struct {
    uint64_t elements;         /* results computed */
    int64_t min;               /* smallest and largest result; min > max if none was computed */
    int64_t max;
    uint64_t zeros;            /* results that are 0; counted for input and table only */
    uint64_t out_of_range;     /* table: inputs that had to be saturated; output: inputs outside
                                  the encoding; 0 for others, whose sums may pass through */
    uint64_t outside_observed; /* results outside observed_range, if the circuit states one */
} LutraOperationStatistics;

/** The empty statistics. */
LutraOperationStatistics lutra_operation_statistics_empty(void);

/** Notes one result, but for elements, zeros and out_of_range. An empty `observed` never counts. */
static inline void lutra_operation_statistics_see(LutraOperationStatistics *statistics,
                                                  LutraRange observed, int64_t value) {
    statistics->min = value < statistics->min ? value : statistics->min;
    statistics->max = value > statistics->max ? value : statistics->max;
    statistics->outside_observed +=
        observed.min <= observed.max && (value < observed.min || value > observed.max);
}

/** Adds `from` to `into`. */
void lutra_operation_statistics_merge(LutraOperationStatistics *into,
                                      const LutraOperationStatistics *from);

/**
 * Prepares a circuit that passed lutra_circuit_check. The circuit must outlive the program.
 *
 * @param cpu_flags  LutraCpuFlag mask of instruction sets to use (base/cpu.h); 0 is portable C
 */
LUTRA_MUST_CHECK LutraStatus lutra_clear_program_create(LutraClearProgram **program,
                                                        const LutraCircuit *circuit,
                                                        uint32_t cpu_flags, LutraError *error);
void lutra_clear_program_destroy(LutraClearProgram **program);

/** Bytes of scratch that one worker needs, from lutra_alloc (64-byte aligned). */
size_t lutra_clear_scratch_bytes(const LutraClearProgram *program);

/**
 * Runs one image. Allocates nothing and cannot fail.
 *
 * @param[out]    logits      (class_count)
 * @param[in,out] statistics  (operation_count), increased
 * @param         pixels      (C,H,W) of the input operation
 * @param         scratch     lutra_clear_scratch_bytes; content is ignored and overwritten
 */
void lutra_clear_run(const LutraClearProgram *program, float *logits,
                     LutraOperationStatistics *statistics, const uint8_t *pixels, void *scratch);

#endif
