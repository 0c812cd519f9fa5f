/* SPDX-License-Identifier: Apache-2.0 */
/* Costs and sizes. */
#include "sim/crypto_cost.h"

#include <math.h>

double lutra_cost_keyswitch(double input_dim, uint32_t lwe_dim, uint32_t level) {
    const double digits = input_dim * level;
    const double words = lwe_dim + 1.0;
    return digits + digits * words + (digits - 1.0) * words + 1.0;
}

double lutra_cost_cmux(uint32_t glwe_dim, uint32_t log2_poly, uint32_t level) {
    const double poly = exp2(log2_poly);
    const double fft = poly * log2_poly + poly;
    const double rows = glwe_dim + 1.0;
    return rows * level * fft + rows * fft + rows * rows * level * poly;
}

double lutra_cost_lookup(const LutraCryptoParameters *set) {
    return lutra_cost_keyswitch(set->glwe_dim << set->log2_poly, set->lwe_dim, set->ks_level) +
           set->lwe_dim * lutra_cost_cmux(set->glwe_dim, set->log2_poly, set->pbs_level);
}

static uint64_t word_bytes(uint64_t words) {
    return words * sizeof(uint64_t);
}

uint64_t lutra_bootstrap_key_bytes(const LutraCryptoParameters *set) {
    const uint64_t rows = set->glwe_dim + 1;
    return word_bytes(rows * rows * set->lwe_dim * set->pbs_level << set->log2_poly);
}

uint64_t lutra_keyswitch_key_bytes_from(const LutraCryptoParameters *set,
                                        const LutraCryptoParameters *from) {
    const uint64_t words = set->lwe_dim + 1;
    return word_bytes(words * from->glwe_dim * set->ks_level << from->log2_poly);
}

uint64_t lutra_keyswitch_key_bytes(const LutraCryptoParameters *set) {
    return lutra_keyswitch_key_bytes_from(set, set);
}

uint64_t lutra_ciphertext_bytes(const LutraCryptoParameters *set) {
    return word_bytes(((uint64_t)set->glwe_dim << set->log2_poly) + 1);
}
