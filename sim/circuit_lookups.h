/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look-ups of a circuit as a choice of crypto parameters sees them: how wide and how noisy the
 * sums are that they read, how many there are, and which of them share a parameter set.
 *
 *   class   tables that share a parameter set: numbered from 0. Tables whose results meet in a sum
 *           are always in one class (key_layout.h)
 */
#ifndef LUTRA_SIM_CIRCUIT_LOOKUPS_H
#define LUTRA_SIM_CIRCUIT_LOOKUPS_H

#include <stddef.h>

#include "sim/circuit.h"
#include "sim/parameters.h"
#include "sim/weight_norm.h"

/** What decides which tables share a parameter set. */
typedef enum {
    LUTRA_PARTITION_NONE = 0,  /* one set for the circuit */
    LUTRA_PARTITION_WIDTH = 1, /* one for each width that tables read */
    LUTRA_PARTITION_NORM = 2,  /* one for each width and power of two that holds the norm */
    LUTRA_PARTITION_TABLE = 3  /* one for each table; sets that save little are given up again */
} LutraPartition;

/** "none", "width", "norm", "table" by value, ended by NULL: words of options and files. */
extern const char *const lutra_partition_names[];

/** Look-ups of one kind: those of one table, or of the digits of one exact rounding. */
typedef struct {
    LutraLookupPattern pattern; /* in units of the noise of class `source` */
    uint64_t count;             /* per image */
    uint32_t table;             /* operation index of the table, also for digits before it */
    uint32_t reader;            /* class whose small key they go to */
    uint32_t source;            /* class under whose big key the sums stand that they read */
} LutraCircuitLookup;

typedef struct {
    size_t count;
    LutraCircuitLookup *items; /* owned */
    uint32_t class_count;
    uint32_t *class_of_table; /* [operation], owned; only those of encrypted tables mean anything */
    uint32_t output_source;   /* class under whose big key the sums stand that are decrypted */
} LutraCircuitLookups;

/**
 * Lists the look-ups of a circuit that passed lutra_circuit_check.
 *
 * @param[out] lookups  deinit it; zeroed on error. No items and no class: no encrypted table
 * @param norms  (operation_count) of encrypted tables, by lutra_circuit_norm
 * @errors LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_lookups_init(LutraCircuitLookups *lookups,
                                                        const LutraCircuit *circuit,
                                                        const LutraWeightNorm *norms,
                                                        LutraPartition partition,
                                                        LutraError *error);

void lutra_circuit_lookups_deinit(LutraCircuitLookups *lookups);

/** Variance of the sum that look-ups read, before their keyswitch.
 * @param sets  (class_count) */
double lutra_circuit_lookup_input(const LutraCircuitLookup *lookup,
                                  const LutraCryptoParameters *sets, LutraNoiseModel model);

/** p_error of each of these look-ups. @param sets  (class_count) */
double lutra_circuit_lookup_error(const LutraCircuitLookup *lookup,
                                  const LutraCryptoParameters *sets, LutraNoiseModel model);

/** Operations of all look-ups of an image, as crypto_cost.h counts them.
 * @param sets  (class_count) */
double lutra_circuit_lookups_cost(const LutraCircuitLookups *lookups,
                                  const LutraCryptoParameters *sets);

#endif
