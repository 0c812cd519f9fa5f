/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choice of crypto parameters: the cheapest set whose noise allows the asked p_error, at a stated
 * security, for the pattern linear layer -> keyswitch -> modulus switch -> bootstrap.
 *
 * The search goes over k = 1 .. 6, N = 2^8 .. 2^17, n = 512 .. 2047 and both decompositions; it
 * takes the least cost and, at equal cost, the least noise. Deterministic.
 *
 * Legend: n, k, N as in noise.h; p = precision_bits.
 */
#ifndef LUTRA_SIM_PARAMETERS_H
#define LUTRA_SIM_PARAMETERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "sim/circuit.h"
#include "sim/noise.h"

enum {
    LUTRA_SMALLEST_LOG2_POLY = 8,
    LUTRA_LARGEST_LOG2_POLY = 17,
    LUTRA_MAX_PRECISION_BITS = LUTRA_MAX_TABLE_BITS
};

typedef struct {
    uint32_t precision_bits; /* p of the table's input, 0 .. 16; 0 is the look-up of one digit in
                                an exact rounding, whose margin is a quarter of the torus */
    double norm2;            /* L2 norm (not squared) of the integer weights before it, >= 0,
                                finite; all inputs are taken for outputs of bootstraps */
    double p_error;          /* per look-up, in (0, 1) */
    uint32_t security_bits;  /* 128, or 132 with a margin */
    uint32_t sum_size;       /* additions charged per look-up, each k * N operations */
    LutraNoiseModel noise_model;
    LutraModulusSwitch modulus_switch;
    uint32_t largest_log2_poly; /* of N, LUTRA_SMALLEST_LOG2_POLY .. LUTRA_LARGEST_LOG2_POLY */
} LutraParametersSettings;

/** 4 bits, norm 1, p_error 1e-5, 128 bits of security, no additions charged, concrete's noise
 * model, the standard modulus switch, every N. */
void lutra_parameters_default(LutraParametersSettings *settings);

/**
 * The cheapest set for one pattern.
 *
 * cost of the set includes the additions charged. Every set can be run by tfhe-rs.
 *
 * @errors LUTRA_EINVAL for settings outside their ranges, LUTRA_EINFEASIBLE if there is no set,
 *         LUTRA_ENOMEM
 * @source zama-ai/concrete, optimizer of one atomic pattern
 */
LUTRA_MUST_CHECK LutraStatus lutra_parameters_find(LutraCryptoParameters *set,
                                                   const LutraParametersSettings *settings,
                                                   LutraError *error);

/* --- many searches ---------------------------------------------------------------------------- */

/** Decompositions prepared for one curve and noise model; never changes, threads may share it. */
typedef struct LutraParameterSearch LutraParameterSearch;

/** @errors LUTRA_EINVAL for a security without a curve, LUTRA_ENOMEM */
LUTRA_MUST_CHECK LutraStatus lutra_parameter_search_create(LutraParameterSearch **search,
                                                           uint32_t security_bits,
                                                           LutraNoiseModel noise_model,
                                                           LutraError *error);
void lutra_parameter_search_destroy(LutraParameterSearch **search);

/** lutra_parameters_find; security and noise model must be those of the search (LUTRA_EINVAL). */
LUTRA_MUST_CHECK LutraStatus lutra_parameter_search_run(LutraCryptoParameters *set,
                                                        const LutraParameterSearch *search,
                                                        const LutraParametersSettings *settings,
                                                        LutraError *error);

/* --- one set for many tables ------------------------------------------------------------------ */

/** A kind of look-up that a circuit has. */
typedef struct {
    uint32_t precision_bits; /* p of the table's input, 0 .. 16 */
    double var_factor;       /* sum of w^2 over inputs that come out of a bootstrap, >= 0 */
    double fresh_factor;     /* sum of w^2 over freshly encrypted inputs, >= 0 */
} LutraLookupPattern;

/** Breakdown of one look-up of this pattern with this set. */
LutraNoiseBreakdown lutra_parameters_noise(const LutraCryptoParameters *set,
                                           const LutraLookupPattern *pattern,
                                           LutraNoiseModel noise_model);

/**
 * The cheapest set for which every pattern keeps settings->p_error.
 *
 * The largest precision p decides together with the largest norm, where fewer bits are worth a
 * larger norm: sqrt(var_factor + fresh_factor) 2^(bits - p). That is on the safe side twice: fresh
 * noise counts as a bootstrap's, which is larger, and a smaller table's margin is used for the
 * weights alone. Then every pattern is computed with its own variances, and set->p_error is the
 * worst of them. set->cost is that of one look-up: times the number of look-ups it is the
 * circuit's.
 *
 * @param settings  precision_bits and norm2 are not read
 * @errors as lutra_parameters_find; LUTRA_EINVAL too if there is no pattern
 */
LUTRA_MUST_CHECK LutraStatus lutra_parameters_choose(LutraCryptoParameters *set,
                                                     const LutraLookupPattern *patterns,
                                                     size_t pattern_count,
                                                     const LutraParametersSettings *settings,
                                                     LutraError *error);

#endif
