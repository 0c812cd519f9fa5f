/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast execution of a circuit in the clear: bit for bit what operations.h says, one image per call,
 * any number of workers on one prepared program, each with its own scratch.
 */
#ifndef LUTRA_SIM_CLEAR_H
#define LUTRA_SIM_CLEAR_H

#include "sim/circuit.h"
#include "sim/noise_plan.h"

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
    uint64_t displaced;        /* with noise: look-ups and decryptions that read another cell than
                                  their exact input stands in */
    uint64_t changed;          /* ... and got another value for it */
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

/**
 * Whether a plan's noise can be drawn here, look-up by look-up: not from sources, and only by
 * tables, behind no rounding or one that they do themselves and that leaves cells of not too many
 * values (2^22 divided by the channels), and by the output's decryption.
 * Torus execution draws the rest.
 */
bool lutra_clear_noise_applies(const LutraCircuit *circuit, const LutraNoisePlan *plan);

/**
 * The same with noise, for plans to which lutra_clear_noise_applies; the plan must outlive the
 * program.
 *
 * @param[out] program  NULL without an error if negated entries could make sums too large for int32
 */
LUTRA_MUST_CHECK LutraStatus lutra_clear_program_create_noisy(LutraClearProgram **program,
                                                              const LutraCircuit *circuit,
                                                              const LutraNoisePlan *plan,
                                                              uint32_t cpu_flags,
                                                              LutraError *error);
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

/**
 * Runs one image with the noise of the program's plan: bit for bit what lutra_torus_run computes
 * with the same plan, statistics included, unless the input of an encrypted look-up that draws no
 * noise lies outside its table.
 *
 * @param  image  index in the split
 * @return whether it could; if not, logits and statistics are to be thrown away, and
 *         lutra_torus_run knows the answer
 */
LUTRA_MUST_CHECK bool lutra_clear_run_noisy(const LutraClearProgram *program, float *logits,
                                            LutraOperationStatistics *statistics,
                                            const uint8_t *pixels, uint64_t image, void *scratch);

/** Sees results of operations during a run. */
typedef struct {
    /** @param pixel   row * width + column
     *  @param values  (channels) of `operation`'s result there; valid during the call */
    void (*see)(void *user, uint32_t operation, size_t pixel, const int32_t *values);
    void *user;
    const bool *wanted; /* (operation_count); never seen: the output, and a rounding that only one
                           table reads, for it has no result of its own */
} LutraClearObserver;

/** lutra_clear_run, and shows every wanted result, operations and pixels in order. */
void lutra_clear_run_observed(const LutraClearProgram *program, float *logits,
                              LutraOperationStatistics *statistics, const uint8_t *pixels,
                              void *scratch, const LutraClearObserver *observer);

#endif
