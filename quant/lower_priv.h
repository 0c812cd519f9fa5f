/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files that lower a model; not for others.
 *
 * Legend: p = message bits of an encoding, t = dropped bits, b = bucket = a rounded value in units
 * of 2^t, o = offset; a bucket stands for the integer x = b * 2^t - o.
 */
#ifndef LUTRA_QUANT_LOWER_PRIV_H
#define LUTRA_QUANT_LOWER_PRIV_H

#include "quant/lower.h"

/** What stands between an integer sum and the next codes: single precision, in this order: scale,
 * bias, batch_norm, quantizer. Arrays are per channel and borrowed; NULL where there is none.
 *
 * Around a max_pool, codes stand as in window_codes.h: the table before it writes them so, its own
 * reads their sums, and nothing else stands between. */
typedef struct {
    float scale; /* real value of one unit of the sum */
    const float *bias;
    const LutraLayerParameters *norm;
    float epsilon; /* of the norm */
    LutraQuantizer quantizer;
    uint32_t writes_window; /* elements of the windows that results are summed in; 0: codes */
    uint32_t reads_window;  /* elements of the windows that sums are of; 0: as above */
} LutraPending;

/** The code of sum x in channel c, or what stands for it. */
int32_t lutra_pending_code(const LutraPending *pending, uint32_t channel, int64_t x);

/** Relative density that the running statistics of the norm suggest for the sums at x:
 * exp(-u^2 / 2) with u in standard deviations; 1 without a norm. */
double lutra_pending_density(const LutraPending *pending, uint32_t channel, int64_t x);

/** Where a table's domain lies and what its entries stand for. */
typedef struct {
    uint32_t channels;
    LutraEncoding encoding;  /* of the table's input, after rounding */
    uint32_t dropped_bits;   /* t */
    const int32_t *offsets;  /* (channels) or NULL */
} LutraTableDomain;

/** Evaluates the expression on the whole domain and keeps equal rows once. */
LUTRA_MUST_CHECK LutraStatus lutra_table_build(LutraTableOperation *table,
                                               const LutraPending *pending,
                                               const LutraTableDomain *domain, LutraError *error);

/**
 * Offsets (channels) within +-2^(t-1) for LUTRA_OFFSETS_ALIGN: those that change codes least,
 * added up over the sums in `range` by how often they are met.
 *
 * @param density  histogram of the sums, or NULL: then lutra_pending_density alone
 * @param dropped_bits  t >= 1
 */
LUTRA_MUST_CHECK LutraStatus lutra_offsets_align(int32_t *offsets, const LutraPending *pending,
                                                 uint32_t channels, LutraRange range,
                                                 const LutraHistogram *density,
                                                 uint32_t dropped_bits, LutraError *error);

/** Offsets (channels) for LUTRA_OFFSETS_CENTRE; 0 for a channel without threshold in range. */
void lutra_offsets_centre(int32_t *offsets, const LutraPending *pending, uint32_t channels,
                          LutraRange range);

/** Whether a table over `domain` gives the right code for every rounded value in `range`, reading
 * those outside the domain with the opposite sign one domain further in. */
bool lutra_offsets_wrap_is_right(const LutraPending *pending, const LutraTableDomain *domain,
                                 LutraRange range);

/** What lutra_lower and lutra_calibrate ask of the one walk over the layers. */
typedef struct {
    LutraLowerSettings settings;
    const LutraRange *ranges;  /* (plain operations) observed, or NULL: static */
    const LutraRange *centred; /* (plain operations) or NULL */
    const LutraHistogram *densities; /* (plain operations) or NULL */
    uint32_t range_count;
    uint32_t extra_bits; /* added to every width that follows from an observed range */
    bool narrow;         /* round inputs of too wide tables to LUTRA_CALIBRATION_BITS */
    bool shift_only;     /* offsets of LUTRA_OFFSETS_CENTRE with t = 0, widths that hold both */
} LutraLowerPlan;

LUTRA_MUST_CHECK LutraStatus lutra_lower_planned(LutraCircuit *circuit, const LutraModel *model,
                                                 const LutraLowerPlan *plan, LutraError *error);

#endif
