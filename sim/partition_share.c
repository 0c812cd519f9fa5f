/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that give up a set of their own; see partition.h. */
#include <math.h>
#include <string.h>

#include "sim/parameters_priv.h"
#include "sim/partition_priv.h"

bool lutra_partition_alike(const LutraCryptoParameters *a, const LutraCryptoParameters *b) {
    return a->lwe_dim == b->lwe_dim && a->glwe_dim == b->glwe_dim &&
           a->log2_poly == b->log2_poly && a->pbs_level == b->pbs_level &&
           a->pbs_base_log == b->pbs_base_log && a->ks_level == b->ks_level &&
           a->ks_base_log == b->ks_base_log;
}

/** Whether all look-ups and decryptions keep their errors. */
static bool is_feasible(const LutraCryptoParameters *sets, const LutraCircuitLookups *lookups,
                        LutraNoiseModel model, const LutraPartitionDemand *demand) {
    const LutraCryptoParameters *const last = &sets[lookups->output_source];
    if (demand->output.var_factor * lutra_noise_bootstrap_of(last, model) +
            demand->output.fresh_factor * lutra_noise_fresh(last) >
        demand->output_var_t2) {
        return false;
    }
    for (size_t i = 0; i < lookups->count; i++) {
        const LutraCircuitLookup *const lookup = &lookups->items[i];
        if (sets[lookup->reader].log2_poly <
                lutra_smallest_log2_poly(lookup->pattern.precision_bits) ||
            lutra_circuit_lookup_error(lookup, sets, model) > demand->p_error) {
            return false;
        }
    }
    return true;
}

/** `trial` is `sets`, but all classes with the set of class `to` have that of class `from`. */
static void exchange(LutraCryptoParameters *trial, const LutraCryptoParameters *sets,
                     uint32_t count, uint32_t to, uint32_t from) {
    for (uint32_t c = 0; c < count; c++) {
        trial[c] = lutra_partition_alike(&sets[c], &sets[to]) ? sets[from] : sets[c];
    }
}

void lutra_partition_share(LutraCryptoParameters *sets, LutraCryptoParameters *trial,
                           const LutraCircuitLookups *lookups, LutraNoiseModel model,
                           const LutraPartitionDemand *demand, double most) {
    const uint32_t count = lookups->class_count;
    const double worth = demand->worth * lutra_circuit_lookups_cost(lookups, sets);
    bool is_found = demand->worth > 0.0;
    while (is_found) { /* each round leaves one set less */
        double best = fmin(most, lutra_circuit_lookups_cost(lookups, sets) + worth);
        uint32_t best_to = 0;
        uint32_t best_from = 0;
        is_found = false;
        for (uint32_t i = 0; i < count * count; i++) {
            const uint32_t to = i / count;
            const uint32_t from = i % count;
            if (lutra_partition_alike(&sets[to], &sets[from])) {
                continue;
            }
            exchange(trial, sets, count, to, from);
            const double cost = lutra_circuit_lookups_cost(lookups, trial);
            if (cost < best && is_feasible(trial, lookups, model, demand)) {
                best = cost;
                best_to = to;
                best_from = from;
                is_found = true;
            }
        }
        if (is_found) {
            exchange(trial, sets, count, best_to, best_from);
            memcpy(sets, trial, count * sizeof *sets);
        }
    }
}
