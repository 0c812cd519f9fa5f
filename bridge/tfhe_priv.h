/* SPDX-License-Identifier: Apache-2.0 */
/* What the C files over bridge/tfhe/lutra_tfhe.h share: statuses and parameters in its terms. */
#ifndef LUTRA_BRIDGE_TFHE_PRIV_H
#define LUTRA_BRIDGE_TFHE_PRIV_H

#include "base/status.h"
#include "bridge/tfhe/lutra_tfhe.h"
#include "sim/crypto_parameters.h"

/** The status of lutra for one of the Rust library, with its sentence. */
static inline LutraStatus tfhe_translate(int32_t status, LutraError *error) {
    switch (status) {
        case LUTRA_TFHE_OK:
            return LUTRA_OK;
        case LUTRA_TFHE_INVALID:
        case LUTRA_TFHE_TOO_LARGE:
        case LUTRA_TFHE_NO_KEY:
            return lutra_error_set(error, LUTRA_EINVAL, "%s", lutra_tfhe_last_error());
        case LUTRA_TFHE_CANCELLED:
            return lutra_error_set(error, LUTRA_ECANCELLED, "%s", lutra_tfhe_last_error());
        case LUTRA_TFHE_UNAVAILABLE:
            return lutra_error_set(error, LUTRA_EUNAVAILABLE, "%s", lutra_tfhe_last_error());
        default:
            return lutra_error_set(error, LUTRA_EBUG, "%s", lutra_tfhe_last_error());
    }
}

/** LUTRA_EUNAVAILABLE unless the linked library has the interface of its header. */
static inline LutraStatus tfhe_check_version(LutraError *error) {
    if (lutra_tfhe_abi_version() == LUTRA_TFHE_ABI_VERSION) {
        return LUTRA_OK;
    }
    return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                           "the tfhe-rs library has interface version %u; should be %u",
                           lutra_tfhe_abi_version(), LUTRA_TFHE_ABI_VERSION);
}

static inline LutraTfheParameters tfhe_parameters(const LutraCryptoParameters *parameters) {
    return (LutraTfheParameters){
        .struct_bytes = (uint32_t)sizeof(LutraTfheParameters),
        .lwe_dimension = parameters->lwe_dim,
        .glwe_dimension = parameters->glwe_dim,
        .log2_polynomial = parameters->log2_poly,
        .bootstrap_level = parameters->pbs_level,
        .bootstrap_base_log = parameters->pbs_base_log,
        .keyswitch_level = parameters->ks_level,
        .keyswitch_base_log = parameters->ks_base_log,
        .modulus_switch = parameters->modulus_switch,
        .lwe_standard_deviation = parameters->lwe_std,
        .glwe_standard_deviation = parameters->glwe_std,
    };
}

#endif
