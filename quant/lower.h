/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lowering: from a trained model to the integer program that runs under FHE.
 *
 * conv and linear layers become integer weights, average pools become integer sums, a max_pool an
 * integer sum and a table (window_codes.h); everything
 * between such a sum and the next quantizer (scale, bias, batch_norm, activation) becomes one table
 * per channel, made by evaluating the model's own single precision expression on every integer of
 * the table's domain. Equal tables of a layer are stored once. What follows the last linear layer
 * is the client's affine.
 *
 * Operations carry the names of their layers; a rounding is called NAME_round after the activation
 * or max_pool that it serves, the sum of a max_pool NAME_sum.
 *
 * Legend: p = message bits of an encoding, P = bits that a rounding keeps, t = dropped bits.
 */
#ifndef LUTRA_QUANT_LOWER_H
#define LUTRA_QUANT_LOWER_H

#include "quant/calibrate.h"
#include "quant/model.h"
#include "sim/circuit.h"

/** Integer constants added per channel before a rounding. */
typedef enum {
    LUTRA_OFFSETS_NONE = 0,
    /** Within +-2^(t-1): puts the thresholds of the channel's step function where the edges of the
     * buckets are, as well as one number can; sums that are met often count more. */
    LUTRA_OFFSETS_ALIGN = 1,
    /** Moves the middle between the outermost thresholds of the channel to 0. A channel whose step
     * is then odd reads correctly up to a whole range beyond the table's domain, because a table
     * under FHE continues with the opposite sign; if all channels of a layer are such, the layer
     * keeps one bit more (t is one smaller at equal P). A layer that gains no bit gets no
     * offsets. */
    LUTRA_OFFSETS_CENTRE = 2
} LutraOffsetRule;

typedef struct {
    /** (rounding_count) P of each table in order, LUTRA_ROUNDING_NONE or 1 .. LUTRA_MAX_ROUNDING.
     * rounding_count 0: no rounding; 1: the same P for all; else one for each table. */
    const uint32_t *rounding;
    uint32_t rounding_count;
    LutraRoundingMode mode;
    LutraOffsetRule offsets;
    /** Where the range of a sum rounds up beyond 2^P buckets, it gets one bit more and its table
     * reads P + 1. Else such a sum reads the last entry in the clear, and wraps under FHE. Not with
     * LUTRA_OFFSETS_CENTRE, which has its own answer to sums beyond the end. */
    bool overflow_protected;
} LutraLowerSettings;

/** No rounding, approximate mode, no offsets, no protection. */
void lutra_lower_default(LutraLowerSettings *settings);

/** Tables that lowering gives, one for each activation and max_pool. */
uint32_t lutra_network_table_count(const LutraNetwork *network);

/**
 * Lowers a model. No crypto parameters are chosen. The result passes lutra_circuit_check.
 *
 * The width p of an accumulator, and of everything that shares its encoding, is that of the ranges
 * in `calibration`, joined with the codes that enter; without calibration that of the static
 * ranges. t = max(0, p - P).
 *
 * @param calibration  ranges of this model's plain circuit (see calibrate.h), or NULL
 *
 * @errors LUTRA_EINVAL bad settings; LUTRA_EDATA parameters that are not finite, accumulators
 *         beyond 24 bits (single precision stops being exact there); LUTRA_EINFEASIBLE a table
 *         input wider than LUTRA_MAX_TABLE_BITS, naming layer and width
 */
LUTRA_MUST_CHECK LutraStatus lutra_lower(LutraCircuit *circuit, const LutraModel *model,
                                         const LutraCalibration *calibration,
                                         const LutraLowerSettings *settings, LutraError *error);

#endif
