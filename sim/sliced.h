/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bit-sliced execution in the clear: a whole batch of images at once, one bit of each in every
 * machine word (sliced_kernels.h). The answers and statistics are those of lutra_clear_run, bit for
 * bit. It pays for networks of ternary weights whose tables change at few places: a dot product is
 * then counting bits, and zero weights cost nothing.
 */
#ifndef LUTRA_SIM_SLICED_H
#define LUTRA_SIM_SLICED_H

#include "sim/clear.h"

/** A circuit prepared for one set of instructions; never changes after creation. */
typedef struct LutraSlicedProgram LutraSlicedProgram;

/**
 * Prepares a circuit that passed lutra_circuit_check. The circuit must outlive the program.
 *
 * @param[out] program    NULL, without an error, if the circuit is not of the kind named above
 * @param      cpu_flags  LutraCpuFlag mask of instruction sets to use (base/cpu.h)
 */
LUTRA_MUST_CHECK LutraStatus lutra_sliced_program_create(LutraSlicedProgram **program,
                                                         const LutraCircuit *circuit,
                                                         uint32_t cpu_flags, LutraError *error);
void lutra_sliced_program_destroy(LutraSlicedProgram **program);

/** Most images of one batch: 256 or 512. A smaller batch takes as long as a full one. */
uint32_t lutra_sliced_batch_images(const LutraSlicedProgram *program);

/** Bytes of scratch that one worker needs, from lutra_alloc (64-byte aligned). */
size_t lutra_sliced_scratch_bytes(const LutraSlicedProgram *program);

/**
 * Runs one batch. Allocates nothing and cannot fail.
 *
 * @param[out]    logits      (count, class_count)
 * @param[in,out] statistics  (operation_count), increased
 * @param         pixels      (count, C, H, W) of the input operation
 * @param         count       1 .. lutra_sliced_batch_images
 * @param         scratch     lutra_sliced_scratch_bytes; content is ignored and overwritten
 */
void lutra_sliced_run(const LutraSlicedProgram *program, float *logits,
                      LutraOperationStatistics *statistics, const uint8_t *pixels, uint32_t count,
                      void *scratch);

#endif
