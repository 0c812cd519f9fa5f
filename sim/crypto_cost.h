/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a set of crypto parameters costs: elementary operations of a look-up, bytes of keys and
 * ciphertexts.
 *
 * The operations are zama-ai/concrete's model of a processor: good for choosing between sets.
 * cost_model.h makes seconds of them, with the profile of a machine.
 *
 * Legend: n, k, N, l as in noise.h.
 */
#ifndef LUTRA_SIM_CRYPTO_COST_H
#define LUTRA_SIM_CRYPTO_COST_H

#include <stdint.h>

#include "sim/crypto_parameters.h"

/** Operations of a keyswitch from `input_dim` to `lwe_dim`: an affine function of `input_dim`, so
 * that the mean of several keyswitches is that of their mean dimension. */
double lutra_cost_keyswitch(double input_dim, uint32_t lwe_dim, uint32_t level);

/** Operations of one CMUX; a bootstrap has n of them. */
double lutra_cost_cmux(uint32_t glwe_dim, uint32_t log2_poly, uint32_t level);

/** Operations of one look-up: keyswitch and bootstrap, without the linear layer. */
double lutra_cost_lookup(const LutraCryptoParameters *set);

/** Bytes of the bootstrap key, n (k+1)^2 l N words; the same in the Fourier domain. */
uint64_t lutra_bootstrap_key_bytes(const LutraCryptoParameters *set);

/** Bytes of the keyswitch key, k N l (n+1) words. */
uint64_t lutra_keyswitch_key_bytes(const LutraCryptoParameters *set);

/** The same from the big key of another set, `from`, to the small key of `set`. */
uint64_t lutra_keyswitch_key_bytes_from(const LutraCryptoParameters *set,
                                        const LutraCryptoParameters *from);

/** Bytes of one ciphertext between operations (under the big key), k N + 1 words. */
uint64_t lutra_ciphertext_bytes(const LutraCryptoParameters *set);

#endif
