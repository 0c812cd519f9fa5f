/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the layers, between lower.c (what operations a layer becomes) and lower_border.c
 * (how wide they are); not for others.
 *
 * A "group" is what one table or the input makes plus the linear operations that read it up to the
 * next table: all of it shares one encoding, because linear operations keep their input's. A group
 * is closed when its last sum is known: at a border.
 */
#ifndef LUTRA_QUANT_LOWERING_PRIV_H
#define LUTRA_QUANT_LOWERING_PRIV_H

#include "quant/lower_priv.h"

typedef struct {
    const LutraModel *model;
    const LutraLowerPlan *plan;
    LutraError *error;
    LutraCircuit circuit;
    uint32_t group_start; /* operation that opened the group */
    uint32_t plain;       /* operations but roundings so far */
    uint32_t tables;
    float step; /* of the codes or sums that the last weights read; with the next two: the scale */
    float weight_scale;
    uint32_t pooled_elements;
    LutraPending pending;
} LutraLowering;

/** What happens to the sum that ends the open group. */
typedef struct {
    LutraEncoding encoding; /* of the whole group */
    uint32_t dropped_bits;
    int32_t *offsets; /* (channels) or NULL; owned until a rounding takes them */
} LutraBorder;

/** The operation that was added last. */
LutraOperation *lutra_lowering_last(LutraLowering *builder);

/** Whether calibration saw results of it. */
bool lutra_lowering_is_observed(const LutraOperation *operation);

/** The encoding that holds all values of the open group. */
LutraEncoding lutra_lowering_encoding(const LutraLowering *builder);

/** Gives it to all operations of the open group. */
void lutra_lowering_set_encoding(LutraLowering *builder, LutraEncoding encoding);

/** Decides widths, dropped bits and offsets by the plan. *border may hold offsets also on error. */
LUTRA_MUST_CHECK LutraStatus lutra_lowering_border(LutraBorder *border, LutraLowering *builder);

#endif
