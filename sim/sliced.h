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

/* Most programs of one LutraSlicedGroup. */
enum { LUTRA_SLICED_MOST_TOGETHER = 16 };

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

/**
 * Programs that run together over the same images. What their circuits have in common from the
 * first operation on is computed once for all of them (lutra_circuit_common_prefix), down to the
 * sums before the first tables that differ; each program has answers and statistics of its own, as
 * if it had run alone.
 */
typedef struct LutraSlicedGroup LutraSlicedGroup;

/**
 * @param programs  (count) of circuits with equal input shapes, prepared with the same cpu_flags;
 *                  they must outlive the group
 * @param count     1 .. LUTRA_SLICED_MOST_TOGETHER
 */
LUTRA_MUST_CHECK LutraStatus lutra_sliced_group_create(LutraSlicedGroup **group,
                                                       const LutraSlicedProgram *const *programs,
                                                       uint32_t count, LutraError *error);
void lutra_sliced_group_destroy(LutraSlicedGroup **group);

/** Bytes of scratch that one worker needs, from lutra_alloc (64-byte aligned). */
size_t lutra_sliced_group_scratch_bytes(const LutraSlicedGroup *group);

/**
 * lutra_sliced_run of every program. Allocates nothing and cannot fail.
 *
 * @param[out]    logits      (programs) each (count, class_count)
 * @param[in,out] statistics  (programs) each (operation_count), increased; before the call those of
 *                            operations in common are equal
 */
void lutra_sliced_group_run(const LutraSlicedGroup *group, float *const *logits,
                            LutraOperationStatistics *const *statistics, const uint8_t *pixels,
                            uint32_t count, void *scratch);

#endif
