/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter sets for a circuit whose tables are divided into classes: the least cost that a search
 * by coordinates finds, from one set for all of them.
 *
 * With all other classes fixed, a class may take any set of the space of parameters.h for which
 *
 *   - each of its own look-ups keeps p_error: the noise of its source after the weights, of the
 *     keyswitch from the source's big key, and of the modulus switch;
 *   - each look-up of another class that reads its results keeps p_error, where the keyswitch sums
 *     up as many terms as this set's big key has;
 *   - decrypted sums of its results are no noisier than the limit.
 *
 * It takes the one with which all look-ups cost the least, its own and those that read it. Classes
 * take turns until no one gains. Every step is feasible and none costs more than the one before, so
 * the result is never dearer than the start; it need not be the best of all.
 *
 * Sets have keys of a hundred megabytes. So with many classes, one may then take another's set over
 * where that is feasible too and costs at most `worth` more of the whole, the cheapest exchange
 * first, as long as the whole is not dearer than the start.
 */
#ifndef LUTRA_SIM_PARTITION_H
#define LUTRA_SIM_PARTITION_H

#include <stdbool.h>

#include "sim/circuit_lookups.h"

typedef struct {
    double p_error;      /* of every look-up, in (0, 1) */
    LutraLookupPattern output; /* of the sums that are decrypted; its bits are not read */
    double output_var_t2;      /* limit for their variance */
    LutraModulusSwitch modulus_switch;
    uint32_t largest_log2_poly;
    double worth; /* part of the cost of all look-ups that a set of its own must save; 0: none */
} LutraPartitionDemand;

/**
 * Improves sets of a circuit's classes.
 *
 * Of each set, what is about the search is filled in too: precision_bits and norm2 are the largest
 * of its look-ups (norm2 over results of tables and of the client alike), p_error the worst of its
 * look-ups, cost the mean of theirs.
 *
 * @param[in,out] sets  (class_count), all equal and feasible at first, with the curve's names;
 *                      unchanged on error
 * @param search        prepared for the sets' curve and the noise model
 * @errors LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_partition_improve(LutraCryptoParameters *sets,
                                                     const LutraCircuitLookups *lookups,
                                                     const LutraParameterSearch *search,
                                                     const LutraPartitionDemand *demand,
                                                     LutraError *error);

/** Whether two sets run alike, whatever they say about the look-ups that use them. */
bool lutra_partition_alike(const LutraCryptoParameters *a, const LutraCryptoParameters *b);

#endif
