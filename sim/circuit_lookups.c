/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups of a circuit and their classes; see circuit_lookups.h. */
#include "sim/circuit_lookups.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "sim/crypto_cost.h"
#include "sim/key_layout.h"

enum { NO_CLASS = UINT32_MAX };

const char *const lutra_partition_names[] = {[LUTRA_PARTITION_NONE] = "none",
                                             [LUTRA_PARTITION_WIDTH] = "width",
                                             [LUTRA_PARTITION_NORM] = "norm",
                                             [LUTRA_PARTITION_TABLE] = "table",
                                             NULL};

static double square(double x) {
    return x * x;
}

static bool is_encrypted_table(const LutraOperation *operation) {
    return operation->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(operation);
}

/* --- classes ---------------------------------------------------------------------------------- */

static uint32_t width_of(const LutraCircuit *circuit, uint32_t table) {
    return circuit->operations[circuit->operations[table].inputs[0]].encoding.bits;
}

/** The power of two that holds a table's norm; the same for all norms up to 1. */
static int norm_class(const LutraWeightNorm *norm) {
    const double largest = hypot(norm->from_tables, norm->from_client);
    return largest <= 1.0 ? 0 : (int)ceil(log2(largest));
}

static bool are_alike(const LutraCircuit *circuit, const LutraWeightNorm *norms,
                      LutraPartition partition, uint32_t a, uint32_t b) {
    return partition == LUTRA_PARTITION_NONE ||
           (partition != LUTRA_PARTITION_TABLE && width_of(circuit, a) == width_of(circuit, b) &&
            (partition == LUTRA_PARTITION_WIDTH ||
             norm_class(&norms[a]) == norm_class(&norms[b])));
}

/** Gives every table of class `from` the class `to`. */
static void join(uint32_t *class_of_table, const LutraCircuit *circuit, uint32_t from,
                 uint32_t to) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (is_encrypted_table(&circuit->operations[i]) && class_of_table[i] == from) {
            class_of_table[i] = to;
        }
    }
}

/** Classes as the first table of each; then numbers them from 0. */
static uint32_t make_classes(uint32_t *class_of_table, const LutraCircuit *circuit,
                             const uint32_t *groups, const LutraWeightNorm *norms,
                             LutraPartition partition) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        class_of_table[i] = is_encrypted_table(&circuit->operations[i]) ? i : NO_CLASS;
    }
    for (uint32_t b = 0; b < circuit->operation_count; b++) {
        for (uint32_t a = 0; a < b; a++) {
            if (class_of_table[a] != NO_CLASS && class_of_table[b] != NO_CLASS &&
                class_of_table[a] != class_of_table[b] &&
                (groups[a] == groups[b] || are_alike(circuit, norms, partition, a, b))) {
                join(class_of_table, circuit, class_of_table[b], class_of_table[a]);
            }
        }
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        /* Names of classes are still indexes of tables; numbers begin behind them. */
        if (class_of_table[i] < circuit->operation_count) {
            join(class_of_table, circuit, class_of_table[i], circuit->operation_count + count);
            count++;
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        class_of_table[i] -= class_of_table[i] == NO_CLASS ? 0 : circuit->operation_count;
    }
    return count;
}

/** Class under whose key the values of a group stand: key_layout.h's rule. */
static uint32_t class_of_group(const LutraCircuitLookups *lookups, const LutraCircuit *circuit,
                               const uint32_t *groups, uint32_t group) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (is_encrypted_table(&circuit->operations[i]) && groups[i] == group) {
            return lookups->class_of_table[i];
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (is_encrypted_table(op) && groups[op->inputs[0]] == group) {
            return lookups->class_of_table[i];
        }
    }
    return 0;
}

/* --- patterns --------------------------------------------------------------------------------- */

static void append(LutraCircuitLookups *lookups, LutraCircuitLookup lookup) {
    lookups->items[lookups->count++] = lookup;
}

/**
 * An exact rounding shifts digit i (from the lowest) of a p-bit sum up to the padding bit: its
 * noise grows by 2^(p-i), the margin is a quarter of the torus, and each digit taken off adds the
 * noise of a bootstrap. Digit 0 has the most of what came in, digit 1 the most of what digit 0
 * added.
 */
static void add_table(LutraCircuitLookups *lookups, const LutraCircuit *circuit, uint32_t index,
                      const LutraWeightNorm *norm, uint32_t source) {
    const LutraOperation *const table = &circuit->operations[index];
    const LutraOperation *const before = &circuit->operations[table->inputs[0]];
    double taken_off = 0.0;
    if (before->kind == LUTRA_OPERATION_ROUND && !before->in_clear &&
        before->u.round.mode == LUTRA_ROUNDING_EXACT && before->u.round.dropped_bits > 0) {
        taken_off = before->u.round.dropped_bits;
        const uint32_t sum_bits = before->encoding.bits + before->u.round.dropped_bits;
        const double scale = ldexp(1.0, 2 * (int)sum_bits);
        append(lookups, (LutraCircuitLookup){
                            .pattern = {0, (square(norm->from_tables) + 0.25) * scale,
                                        square(norm->from_client) * scale},
                            .count = lutra_operation_pbs(before),
                            .table = index,
                            .reader = source,
                            .source = source});
    }
    append(lookups, (LutraCircuitLookup){.pattern = {before->encoding.bits,
                                                     square(norm->from_tables) + taken_off,
                                                     square(norm->from_client)},
                                         .count = lutra_operation_pbs(table),
                                         .table = index,
                                         .reader = lookups->class_of_table[index],
                                         .source = source});
}

LutraStatus lutra_circuit_lookups_init(LutraCircuitLookups *lookups, const LutraCircuit *circuit,
                                       const LutraWeightNorm *norms, LutraPartition partition,
                                       LutraError *error) {
    const uint32_t count = circuit->operation_count;
    LutraCircuitLookups made = {0};
    uint32_t *groups = NULL;
    LutraStatus status = LUTRA_OK;
    memset(lookups, 0, sizeof *lookups);
    LUTRA_TRY_GOTO(status, lutra_alloc(&groups, count, sizeof *groups, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.class_of_table, count, sizeof(uint32_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.items, 2 * (size_t)count, sizeof *made.items, error));
    lutra_key_groups(groups, circuit);
    made.class_count = make_classes(made.class_of_table, circuit, groups, norms, partition);
    for (uint32_t i = 0; i < count; i++) {
        if (is_encrypted_table(&circuit->operations[i])) {
            const uint32_t group = groups[circuit->operations[i].inputs[0]];
            add_table(&made, circuit, i, &norms[i], class_of_group(&made, circuit, groups, group));
        }
    }
    made.output_source =
        class_of_group(&made, circuit, groups, groups[circuit->operations[count - 1].inputs[0]]);
    *lookups = made;
    made = (LutraCircuitLookups){0};
done:
    lutra_free(&groups);
    lutra_circuit_lookups_deinit(&made);
    return status;
}

void lutra_circuit_lookups_deinit(LutraCircuitLookups *lookups) {
    lutra_free(&lookups->items);
    lutra_free(&lookups->class_of_table);
    memset(lookups, 0, sizeof *lookups);
}

/* --- with parameter sets ---------------------------------------------------------------------- */

double lutra_circuit_lookup_input(const LutraCircuitLookup *lookup,
                                  const LutraCryptoParameters *sets, LutraNoiseModel model) {
    const LutraCryptoParameters *const source = &sets[lookup->source];
    return lookup->pattern.var_factor * lutra_noise_bootstrap_of(source, model) +
           lookup->pattern.fresh_factor * lutra_noise_fresh(source);
}

double lutra_circuit_lookup_error(const LutraCircuitLookup *lookup,
                                  const LutraCryptoParameters *sets, LutraNoiseModel model) {
    return lutra_noise_of_lookup_from(&sets[lookup->reader], &sets[lookup->source], model,
                                      lutra_circuit_lookup_input(lookup, sets, model),
                                      lookup->pattern.precision_bits)
        .p_error;
}

double lutra_circuit_lookups_cost(const LutraCircuitLookups *lookups,
                                  const LutraCryptoParameters *sets) {
    double sum = 0.0;
    for (size_t i = 0; i < lookups->count; i++) {
        const LutraCircuitLookup *const lookup = &lookups->items[i];
        const LutraCryptoParameters *const set = &sets[lookup->reader];
        const LutraCryptoParameters *const from = &sets[lookup->source];
        sum += (double)lookup->count *
               (lutra_cost_keyswitch(from->glwe_dim << from->log2_poly, set->lwe_dim,
                                     set->ks_level) +
                set->lwe_dim * lutra_cost_cmux(set->glwe_dim, set->log2_poly, set->pbs_level));
    }
    return sum;
}
