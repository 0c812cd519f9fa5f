/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which decompositions are worth considering: for each number of levels the base with the least
 * noise, and only levels that lower it. Costs rise with the number of levels, so such a list
 * is ordered by rising cost and falling noise.
 *
 * Legend: l = levels, B = 2^base_log.
 */
#ifndef LUTRA_SIM_DECOMPOSITION_H
#define LUTRA_SIM_DECOMPOSITION_H

#include <stdint.h>

#include "sim/noise.h"

enum { LUTRA_MAX_DECOMPOSITIONS = 64 }; /* l * base_log <= 64, the bits of a word */

typedef struct {
    uint32_t level;
    uint32_t base_log;
    double var_t2; /* of one CMUX, or of a keyswitch per input dimension */
} LutraDecomposition;

/**
 * List for the bootstrap key: variances of one CMUX (a bootstrap has n of them).
 *
 * @param[out] list  LUTRA_MAX_DECOMPOSITIONS entries
 * @param glwe_std   noise of the bootstrap key, fraction of the torus
 * @return how many entries were written, at least 1
 */
uint32_t lutra_decomposition_list_bootstrap(LutraDecomposition *list, LutraNoiseModel model,
                                            uint32_t glwe_dim, uint32_t log2_poly, double glwe_std);

/** List for the keyswitch key: variances per dimension of the key that it comes from. */
uint32_t lutra_decomposition_list_keyswitch(LutraDecomposition *list, LutraNoiseModel model,
                                            double lwe_std);

#endif
