/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of values; see key_layout.h. */
#include "sim/key_layout.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { NO_SET = UINT32_MAX };

static bool is_encrypted_table(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(op);
}

/** Follows parents, which never have larger indexes, to the group's smallest. */
static uint32_t root_of(const uint32_t *groups, uint32_t index) {
    while (groups[index] != index) {
        index = groups[index];
    }
    return index;
}

void lutra_key_groups(uint32_t *groups, const LutraCircuit *circuit) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        groups[i] = i;
        if (!lutra_operation_is_encrypted(op) || op->kind == LUTRA_OPERATION_TABLE) {
            continue;
        }
        for (uint32_t k = 0; k < op->input_count; k++) {
            const uint32_t a = root_of(groups, i);
            const uint32_t b = root_of(groups, op->inputs[k]);
            groups[a > b ? a : b] = a < b ? a : b;
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        groups[i] = groups[groups[i]]; /* parents are final already: they come first */
    }
}

/** Sets of groups, at the places of their roots: of the tables whose results are in them. */
static LutraStatus take_producers(uint32_t *set_of_group, const uint32_t *groups,
                                  const LutraCircuit *circuit, LutraError *error) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (!is_encrypted_table(op)) {
            continue;
        }
        uint32_t *const set = &set_of_group[groups[i]];
        if (*set != NO_SET && *set != op->u.table.parameter_index) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'%s' has crypto parameter set %u, but meets results of set %u "
                                   "in a sum: they must have the same; compile the circuit again",
                                   op->name, op->u.table.parameter_index, *set);
        }
        *set = op->u.table.parameter_index;
    }
    return LUTRA_OK;
}

/** Sets of the groups that have none yet: of the first table that reads them, else set 0. */
static void take_readers(uint32_t *set_of_group, const uint32_t *groups,
                         const LutraCircuit *circuit) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (is_encrypted_table(op) && set_of_group[groups[op->inputs[0]]] == NO_SET) {
            set_of_group[groups[op->inputs[0]]] = op->u.table.parameter_index;
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (set_of_group[i] == NO_SET) {
            set_of_group[i] = 0;
        }
    }
}

static bool has_lookups(const LutraOperation *op) {
    return lutra_operation_is_encrypted(op) && lutra_operation_pbs(op) > 0;
}

static bool is_before(LutraKeyswitchPair a, LutraKeyswitchPair b) {
    return a.to < b.to || (a.to == b.to && a.from < b.from);
}

/** Puts a pair into its place unless it is there. */
static void add_pair(LutraKeyLayout *layout, LutraKeyswitchPair pair) {
    uint32_t at = 0;
    while (at < layout->keyswitch_count && is_before(layout->keyswitches[at], pair)) {
        at++;
    }
    if (at < layout->keyswitch_count && !is_before(pair, layout->keyswitches[at])) {
        return;
    }
    memmove(&layout->keyswitches[at + 1], &layout->keyswitches[at],
            (layout->keyswitch_count - at) * sizeof *layout->keyswitches);
    layout->keyswitches[at] = pair;
    layout->keyswitch_count++;
}

LutraStatus lutra_key_layout_init(LutraKeyLayout *layout, const LutraCircuit *circuit,
                                  LutraError *error) {
    const uint32_t count = circuit->operation_count;
    LutraKeyLayout made = {.operation_count = count};
    uint32_t *groups = NULL;
    uint32_t *set_of_group = NULL;
    LutraStatus status = LUTRA_OK;
    memset(layout, 0, sizeof *layout);
    LUTRA_TRY_GOTO(status, lutra_alloc(&groups, count, sizeof *groups, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&set_of_group, count, sizeof *set_of_group, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.set_of_result, count, sizeof(uint32_t), error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&made.keyswitches, count, sizeof *made.keyswitches, error));
    lutra_key_groups(groups, circuit);
    for (uint32_t i = 0; i < count; i++) {
        set_of_group[i] = NO_SET;
    }
    LUTRA_TRY_GOTO(status, take_producers(set_of_group, groups, circuit, error));
    take_readers(set_of_group, groups, circuit);
    for (uint32_t i = 0; i < count; i++) {
        made.set_of_result[i] = set_of_group[groups[i]];
    }
    for (uint32_t i = 0; i < count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (has_lookups(op)) {
            add_pair(&made, (LutraKeyswitchPair){made.set_of_result[op->inputs[0]],
                                                 lutra_key_layout_lookup_set(&made, circuit, i)});
        }
    }
    *layout = made;
    made = (LutraKeyLayout){0};
done:
    lutra_free(&groups);
    lutra_free(&set_of_group);
    lutra_key_layout_deinit(&made);
    return status;
}

void lutra_key_layout_deinit(LutraKeyLayout *layout) {
    lutra_free(&layout->set_of_result);
    lutra_free(&layout->keyswitches);
    memset(layout, 0, sizeof *layout);
}

uint32_t lutra_key_layout_lookup_set(const LutraKeyLayout *layout, const LutraCircuit *circuit,
                                     uint32_t operation) {
    const LutraOperation *const op = &circuit->operations[operation];
    return op->kind == LUTRA_OPERATION_TABLE ? op->u.table.parameter_index
                                             : layout->set_of_result[operation];
}
