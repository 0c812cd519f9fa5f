/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execution of a circuit on torus words, operation by operation: what real FHE would compute, with
 * noise or as if no ciphertext had any. Without noise it equals clear execution while every value
 * stays in its encoding. A value that leaves it wraps, may reach the padding bit, and then reads a
 * negated table entry, where clear execution saturates.
 *
 * Look-ups go through the ticks of the table's crypto parameters; a circuit without parameters uses
 * the closed form. The two differ only after approximate rounding with a polynomial so small that
 * several values share a tick (log2 N < bits before the rounding).
 *
 * Beside each word runs the integer that it stands for, as 64-bit two's complement, so that leaving
 * an encoding is counted even where a word has wrapped all the way round.
 */
#ifndef LUTRA_SIM_TORUS_RUN_H
#define LUTRA_SIM_TORUS_RUN_H

#include "sim/clear.h"
#include "sim/torus_noise.h"

/**
 * Checks what this mode needs beyond lutra_circuit_check; the same as real FHE needs, but for
 * having parameters at all.
 *
 * @errors LUTRA_EUNAVAILABLE something other than a table reads an approximately rounded value;
 *         LUTRA_EINVAL a table is wider than its parameters' polynomial
 */
LUTRA_MUST_CHECK LutraStatus lutra_torus_check(const LutraCircuit *circuit, LutraError *error);

/** Bytes of scratch that one worker needs, from lutra_alloc. */
size_t lutra_torus_scratch_bytes(const LutraCircuit *circuit);

/**
 * Runs one image of a circuit that passed lutra_torus_check. Allocates nothing and cannot fail.
 *
 * Statistics have their meaning of clear.h, except out_of_range. Encrypted tables: inputs whose
 * integer lies outside the encoding, and inputs whose word was found in the padding bit's half.
 * Output: inputs whose integer lies outside the encoding; min and max are those of the decoded
 * values.
 *
 * @param         noise       what to draw (noise_plan.h); NULL: nothing
 * @param[out]    logits      (class_count)
 * @param[in,out] statistics  (operation_count), increased
 * @param         pixels      (C,H,W) of the input operation
 * @param         scratch     lutra_torus_scratch_bytes; content is ignored and overwritten
 */
void lutra_torus_run(const LutraCircuit *circuit, const LutraTorusNoise *noise, float *logits,
                     LutraOperationStatistics *statistics, const uint8_t *pixels, void *scratch);

/** One operation's result. */
typedef struct {
    uint64_t *words; /* (elements); of operations in the clear: their encryption */
    int64_t *values; /* (elements) the integers that the words stand for */
} LutraTorusResult;

/** Results of an operation, the output excepted, after lutra_torus_run; they lie in the scratch. */
LutraTorusResult lutra_torus_result(const LutraCircuit *circuit, uint32_t index, void *scratch);

#endif
