/* SPDX-License-Identifier: Apache-2.0 */
/* One set of TFHE parameters, as plain data. Words: semantics of [CGGI20] in KS -> PBS order. */
#ifndef LUTRA_SIM_CRYPTO_PARAMETERS_H
#define LUTRA_SIM_CRYPTO_PARAMETERS_H

#include <stdint.h>

/* Pinned numbers: they stand in circuit files. */
typedef enum {
    LUTRA_MODULUS_SWITCH_STANDARD = 0,
    LUTRA_MODULUS_SWITCH_CENTERED = 1 /* mean-compensated, binary keys (tfhe-rs) */
} LutraModulusSwitch;

enum { LUTRA_CURVE_NAME_BYTES = 96 };

/**
 * Ciphertexts travel under the big LWE key (glwe_dim * 2^log2_poly). A look-up is keyswitch to
 * lwe_dim, modulus switch to 2 * 2^log2_poly, blind rotation. Standard deviations are fractions of
 * the torus (whole torus = 1).
 */
typedef struct {
    uint32_t lwe_dim;      /* n */
    uint32_t glwe_dim;     /* k */
    uint32_t log2_poly;    /* log2 N */
    uint32_t pbs_level;    /* l of the bootstrap key */
    uint32_t pbs_base_log; /* log2 B of the bootstrap key */
    uint32_t ks_level;     /* l of the keyswitch key */
    uint32_t ks_base_log;  /* log2 B of the keyswitch key */
    uint32_t modulus_switch; /* LutraModulusSwitch */
    double lwe_std;        /* noise of the small key, from the security curve */
    double glwe_std;       /* noise of the big key, from the security curve */
    uint32_t security_bits;  /* 128 or 132 */
    uint32_t precision_bits; /* bits p that a table of this set may read */
    double norm2;            /* L2 norm of the integer weights before the table that it allows */
    double p_error_target;   /* asked for */
    double p_error;          /* reached, by the noise model of the same modulus switch */
    double cost;             /* elementary operations of one look-up: keyswitch, bootstrap and the
                                additions charged to it (parameters.h) */
    char curve[LUTRA_CURVE_NAME_BYTES]; /* security curve's name and date */
} LutraCryptoParameters;

#endif
