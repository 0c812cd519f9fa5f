/* SPDX-License-Identifier: Apache-2.0 */
/* The space that parameters.c and partition.c search: decompositions prepared for one curve. */
#ifndef LUTRA_SIM_PARAMETERS_PRIV_H
#define LUTRA_SIM_PARAMETERS_PRIV_H

#include "sim/decomposition.h"
#include "sim/parameters.h"
#include "sim/security_curve.h"

enum {
    LUTRA_LARGEST_GLWE_DIM = 6,
    LUTRA_SMALLEST_LWE_DIM = 512,
    LUTRA_LARGEST_LWE_DIM = 2047,
    LUTRA_POLY_COUNT = LUTRA_LARGEST_LOG2_POLY - LUTRA_SMALLEST_LOG2_POLY + 1,
    LUTRA_LWE_COUNT = LUTRA_LARGEST_LWE_DIM - LUTRA_SMALLEST_LWE_DIM + 1
};

typedef struct {
    uint32_t count; /* 0 if the dimension is too small for the curve */
    LutraDecomposition entries[LUTRA_MAX_DECOMPOSITIONS];
} LutraDecompositionList;

struct LutraParameterSearch {
    const LutraSecurityCurve *curve;
    LutraNoiseModel noise_model;
    LutraDecompositionList bootstrap[LUTRA_LARGEST_GLWE_DIM][LUTRA_POLY_COUNT];
    LutraDecompositionList keyswitch[LUTRA_LWE_COUNT];
};

/** The smallest N of the search with room for tables of so many bits: two ticks for each entry,
 * since entries are centred on their code. */
uint32_t lutra_smallest_log2_poly(uint32_t precision_bits);

#endif
