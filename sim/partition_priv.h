/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that give up a set of their own; see partition.h. */
#ifndef LUTRA_SIM_PARTITION_PRIV_H
#define LUTRA_SIM_PARTITION_PRIV_H

#include "sim/partition.h"

/**
 * Lets classes take over each other's sets: all classes that have one set take another's.
 *
 * @param[in,out] sets  (class_count), feasible
 * @param         trial (class_count) scratch
 * @param         most  operations of all look-ups that are not exceeded
 */
void lutra_partition_share(LutraCryptoParameters *sets, LutraCryptoParameters *trial,
                           const LutraCircuitLookups *lookups, LutraNoiseModel model,
                           const LutraPartitionDemand *demand, double most);

#endif
