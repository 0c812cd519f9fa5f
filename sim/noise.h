/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise of TFHE look-ups: variances of each step, and what they mean for errors.
 *
 * A look-up is: linear layer on big-key ciphertexts -> keyswitch to the small key -> modulus switch
 * to 2N ticks -> blind rotation (bootstrap), which gives a fresh big-key ciphertext. Noise is taken
 * as Gaussian and independent between ciphertexts. Variances have the suffix var_t2: torus squared,
 * the whole torus being 1.
 *
 * Legend: n = small key's dimension, k, N = big key's GLWE dimension and polynomial size,
 * l, B = levels and base of a decomposition, q = 2^64, p = message bits below one padding bit.
 */
#ifndef LUTRA_SIM_NOISE_H
#define LUTRA_SIM_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/crypto_parameters.h"

/* Two published sets of formulas. They differ in the rounding terms, and in the floating-point FFT
 * term, where concrete's is the larger. */
typedef enum { LUTRA_NOISE_CONCRETE = 0, LUTRA_NOISE_TFHE_RS = 1 } LutraNoiseModel;

/** "concrete" or "tfhe-rs"; never NULL. */
const char *lutra_noise_model_name(LutraNoiseModel model);

/** "standard" or "centred"; never NULL. */
const char *lutra_modulus_switch_name(LutraModulusSwitch kind);

/* --- variances of the steps ------------------------------------------------------------------- */

/** Variance of a fresh encryption under the big key: glwe_std squared. */
double lutra_noise_fresh(const LutraCryptoParameters *set);

/**
 * Variance that a keyswitch adds.
 *
 * @param input_dim  dimension of the key that it comes from (k * N)
 * @param lwe_std    noise of the keyswitch key: the small key's, fraction of the torus
 * @source zama-ai/concrete noise model, keyswitch; tfhe-rs 1.7.0 noise_formulas/lwe_keyswitch
 */
double lutra_noise_keyswitch(LutraNoiseModel model, uint32_t input_dim, uint32_t level,
                             uint32_t base_log, double lwe_std);

/**
 * Variance that the modulus switch to 2N adds, for binary keys.
 *
 * The centred kind subtracts the expected rounding error: half the variance.
 *
 * @source zama-ai/concrete noise model, modulus_switching; tfhe-rs 1.7.0 noise_formulas
 */
double lutra_noise_modulus_switch(LutraNoiseModel model, LutraModulusSwitch kind, uint32_t lwe_dim,
                                  uint32_t log2_poly);

/**
 * Variance of a bootstrap's output; independent of its input.
 *
 * @param glwe_std  noise of the bootstrap key, fraction of the torus
 * @assumes binary keys, classic (not multi-bit) blind rotation, FFT in doubles
 * @source zama-ai/concrete noise model, blind_rotate; tfhe-rs 1.7.0 noise_formulas
 */
double lutra_noise_bootstrap(LutraNoiseModel model, uint32_t lwe_dim, uint32_t glwe_dim,
                             uint32_t log2_poly, uint32_t level, uint32_t base_log,
                             double glwe_std);

/** lutra_noise_bootstrap of a whole set. */
double lutra_noise_bootstrap_of(const LutraCryptoParameters *set, LutraNoiseModel model);

/* --- one look-up -------------------------------------------------------------------------------
 */

/** Where the noise of one look-up comes from. */
typedef struct {
    double input_var_t2;          /* of the ciphertext that enters the keyswitch */
    double keyswitch_var_t2;      /* added by the keyswitch */
    double modulus_switch_var_t2; /* added by the modulus switch */
    double total_var_t2;          /* their sum */
    double p_error;               /* that a table of precision_bits reads a wrong entry */
} LutraNoiseBreakdown;

/**
 * Breakdown of one look-up with this set.
 *
 * @param input_var_t2    variance after the linear layer: sum of w^2 * var over independent inputs,
 *                        var = lutra_noise_bootstrap_of (table outputs) or lutra_noise_fresh
 * @param precision_bits  p of the table's input
 * @assumes the inputs' noises are independent: x + x has 4 variances, which the sum of squares
 * gives only if equal inputs were added up into one weight first
 */
LutraNoiseBreakdown lutra_noise_of_lookup(const LutraCryptoParameters *set, LutraNoiseModel model,
                                          double input_var_t2, uint32_t precision_bits);

/** The same for inputs under the big key of another set, `from`, whose dimension the keyswitch sums
 * up; with `from` = `set` it is lutra_noise_of_lookup. */
LutraNoiseBreakdown lutra_noise_of_lookup_from(const LutraCryptoParameters *set,
                                               const LutraCryptoParameters *from,
                                               LutraNoiseModel model, double input_var_t2,
                                               uint32_t precision_bits);

/* --- variance and error ----------------------------------------------------------------------- */

/**
 * Inverse of erfc to full double precision.
 *
 * @param p  in (0, 2), down to the smallest normal double
 * @return NaN outside
 */
double lutra_erfc_inverse(double p);

/** kappa = sqrt(2) erfc^-1(p): a Gaussian lies beyond kappa deviations with probability p_error. */
double lutra_noise_kappa(double p_error);

/** (2^-(2+p) / kappa)^2: the largest variance at which a look-up of p bits fails with at most
 * p_error. */
double lutra_noise_variance_bound(uint32_t precision_bits, double p_error);

/** Probability of a wrong look-up: that Gaussian noise leaves the cell of width 2^-(1+p). */
double lutra_noise_p_error(double total_var_t2, uint32_t precision_bits);

/**
 * The same, with the two tails told apart: cells of a table are made of whole ticks of 1 / (2N), so
 * the standard modulus switch has each cell half a tick low. The centred kind corrects that, and
 * this is then lutra_noise_p_error.
 *
 * @source semantics of the blind rotation's table layout; not part of any published p_error
 */
double lutra_noise_p_error_ticks(double total_var_t2, uint32_t precision_bits, uint32_t log2_poly,
                                 LutraModulusSwitch kind);

/** A value about to be rounded by the look-up itself (approximate rounding). */
typedef struct {
    uint32_t bits;         /* p_e: message bits before the rounding */
    uint32_t dropped_bits; /* r, 0 .. bits - 1 */
    bool symmetrized;      /* half a step of the finest digit was added, less two units: the
                              threshold stands between two integers instead of on the upper one */
    uint32_t log2_poly;
    LutraModulusSwitch modulus_switch;
} LutraNoiseRounding;

/**
 * Probability that approximate rounding gives the neighbour of floor((x + 2^(r-1)) / 2^r), across
 * the nearer threshold. 0 if no bit is dropped. Leaving the cell on the far side is not counted:
 * that is what p_error bounds.
 *
 *   up(x) = erfc((threshold_eff - x) 2^-(p_e+1) / (std sqrt 2)) / 2
 *   threshold_eff = (c + 1/2) 2^r - (symmetrized ? 1/2 : 0) - (standard ? 2^(p_e-1) / N : 0)
 *
 * @param x             any value of up to 61 bits, either sign
 * @param total_var_t2  of the look-up that reads the rounded value; > 0
 */
double lutra_noise_off_by_one(const LutraNoiseRounding *rounding, int64_t x, double total_var_t2);

#endif
