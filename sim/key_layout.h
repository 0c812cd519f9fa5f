/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Under which keys the values of a circuit stand, where tables have several parameter sets.
 *
 * A look-up of set C gives ciphertexts under the big key of C. Linear operations keep the key of
 * what they read, so all ciphertexts that meet in a sum must come from one set P; the look-up of
 * set C that reads such a sum begins with a keyswitch from the big key of P to the small key of C,
 * with C's decomposition. There is one keyswitching key for each pair (P, C) that occurs.
 *
 *   group   values joined by linear operations and roundings: they stand under one key. A table
 *           reads one group and its result belongs to the next.
 *
 * The look-ups of one digit in an exact rounding add to the very sum they read: they belong to the
 * group's set, not to that of the table behind them. Values that the client encrypts without any
 * table in their group stand under the key of the first table that reads them: that pair costs no
 * other key.
 */
#ifndef LUTRA_SIM_KEY_LAYOUT_H
#define LUTRA_SIM_KEY_LAYOUT_H

#include <stdint.h>

#include "sim/circuit.h"

/**
 * Group of every operation's result: the smallest index of an operation in it.
 *
 * Results that never are ciphertexts are groups by themselves. Never fails, allocates nothing.
 *
 * @param[out] groups  (operation_count)
 */
void lutra_key_groups(uint32_t *groups, const LutraCircuit *circuit);

/** A keyswitching key: from the big key of set `from` to the small key of set `to`. */
typedef struct {
    uint32_t from;
    uint32_t to;
} LutraKeyswitchPair;

typedef struct {
    uint32_t operation_count;
    uint32_t *set_of_result; /* [operation] under whose big key its ciphertexts stand, owned */
    uint32_t keyswitch_count;
    LutraKeyswitchPair *keyswitches; /* all different, by rising `to` then `from`, owned */
} LutraKeyLayout;

/**
 * Layout of a circuit with crypto parameters.
 *
 * @param[out] layout  deinit it; zeroed on error
 * @errors LUTRA_EDATA naming a table whose set differs from that of another one that it meets in a
 *         sum; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_key_layout_init(LutraKeyLayout *layout,
                                                   const LutraCircuit *circuit,
                                                   LutraError *error);

void lutra_key_layout_deinit(LutraKeyLayout *layout);

/** The set that an operation's look-ups are made with: a table's own, the group's for an exact
 * rounding. @param operation  an encrypted table or rounding */
uint32_t lutra_key_layout_lookup_set(const LutraKeyLayout *layout, const LutraCircuit *circuit,
                                     uint32_t operation);

#endif
