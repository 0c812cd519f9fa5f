/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves inputs of look-ups by whole cells, as their noise does: the inner loop of noisy simulation.
 *
 * An input's place inside its cell decides which draws move it (noisy_read.h). The 2^t places of a
 * cell have their shares side by side, cut to 16 bits; the draws' upper 16 bits are compared with
 * them. Where that does not decide, the element is flagged and left to the caller:
 *
 *   equal to a share; a draw so extreme that it may move more than a cell; an input that a cell
 *   more takes beyond the end of the table, or of its number format, or that is there already.
 *
 * Kernels never allocate and cannot fail; all give the same results.
 */
#ifndef LUTRA_SIM_DISPLACE_H
#define LUTRA_SIM_DISPLACE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const void *x; /* (pixels, stride) int16 or int32 */
    void *y;       /* (pixels, stride), element type of x: moved inputs */
    size_t pixels;
    size_t stride;
    uint32_t channels;         /* lanes beyond are copied */
    const uint16_t *draws;     /* (pixels, channels) upper 16 bits of uniform 64-bit draws */
    const int32_t *to_place;   /* (stride): place = (x + to_place[c]) mod 2^dropped_bits */
    const uint32_t *first;     /* (stride) index in shares of the channel's place 0 */
    const uint32_t *shares;    /* low half: draws below it move down; high half: above it, up */
    uint32_t dropped_bits;     /* t; a cell is 2^t wide */
    const int32_t *low;        /* (stride) inputs below it must not move down, */
    const int32_t *high;       /* ... above it not up; a cell further out all are flagged */
    uint32_t draw_low;         /* draws (16 bits) at or below it, or at or above draw_high, too */
    uint32_t draw_high;
    uint32_t *flagged;         /* out: indexes pixel * stride + channel, ascending; room for all */
} LutraDisplaceTask;

typedef struct {
    size_t flagged;
    uint64_t displaced; /* moved, those flagged not counted */
} LutraDisplaced;

typedef LutraDisplaced (*LutraDisplaceKernel)(const LutraDisplaceTask *task);

typedef struct {
    LutraDisplaceKernel displace16; /* int16 x; what a move would not fit is to be flagged */
    LutraDisplaceKernel displace32;
} LutraDisplaceKernels;

/** The fastest for a LutraCpuFlag mask (base/cpu.h). */
void lutra_displace_kernels_init(LutraDisplaceKernels *kernels, uint32_t cpu_flags);

LutraDisplaced lutra_displace16_ref(const LutraDisplaceTask *task);
LutraDisplaced lutra_displace32_ref(const LutraDisplaceTask *task);
LutraDisplaced lutra_displace16_avx2(const LutraDisplaceTask *task);
LutraDisplaced lutra_displace32_avx2(const LutraDisplaceTask *task);

#endif
