/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bootstrap key ready for blind rotations: each encrypted bit of the small key as points of the
 * Fourier transform, in the order in which products read them. It is a public evaluation key.
 */
#ifndef LUTRA_BRIDGE_BOOTSTRAP_KEY_H
#define LUTRA_BRIDGE_BOOTSTRAP_KEY_H

#include <stdbool.h>

#include "bridge/lookup_kernels.h"
#include "sim/crypto_parameters.h"

typedef struct {
    LutraCryptoParameters parameters;
    LutraLookupKernels kernels;
    LutraFourierPlan plan;
    double *points; /* (n, M / 8, l (k+1), k+1, 2, 8), owned */
} LutraBootstrapKey;

/** Whether these parameters fit the kernels: N of 2^8 .. 2^17, digits that doubles and 32 bits
 * hold. Those of every published set do. */
bool lutra_bootstrap_key_supports(const LutraCryptoParameters *parameters);

/**
 * Room for a key; lutra_bootstrap_key_fill makes it one.
 *
 * @param[out] key        deinit it; zeroed on error
 * @param      cpu_flags  LutraCpuFlag, of the kernels that will use it
 */
LUTRA_MUST_CHECK LutraStatus lutra_bootstrap_key_init(LutraBootstrapKey *key,
                                                      const LutraCryptoParameters *parameters,
                                                      uint32_t cpu_flags, LutraError *error);

/**
 * Transforms the encryptions of some bits of the small key.
 *
 * @param words    (count, l, k+1, k+1, N) torus words: level l first; within a level a row for each
 *                 polynomial of the secret key and one for the body; in a row masks, then body
 * @param threads  >= 1
 * @errors LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_bootstrap_key_fill(LutraBootstrapKey *key, size_t first_bit,
                                                      size_t count, const uint64_t *words,
                                                      uint32_t threads, LutraError *error);

void lutra_bootstrap_key_deinit(LutraBootstrapKey *key);

/** Doubles of one encrypted bit. */
size_t lutra_bootstrap_key_bit_points(const LutraCryptoParameters *parameters);

#endif
