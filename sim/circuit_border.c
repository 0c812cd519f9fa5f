/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/circuit_border.h"

#include <string.h>

static uint32_t find_operation(const LutraCircuit *circuit, const char *name) {
    uint32_t i = 0;
    while (i < circuit->operation_count && strcmp(circuit->operations[i].name, name) != 0) {
        i++;
    }
    return i;
}

LutraStatus lutra_circuit_mark_clear(LutraCircuit *circuit, const char *from, const char *to,
                                     LutraError *error) {
    const uint32_t first = find_operation(circuit, from);
    const uint32_t last = find_operation(circuit, to);
    const uint32_t count = circuit->operation_count;
    if (first == count || last == count || last < first) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "no layers '%s'..'%s'; the first is '%s', the "
                               "last '%s'",
                               from, to, circuit->operations[0].name,
                               circuit->operations[count - 1].name);
    }
    if (first > 1 && last + 2 < count) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "layers '%s'..'%s' stand in the middle; only "
                               "the first or the last layers can run in the clear",
                               from, to);
    }
    for (uint32_t i = first; i <= last; i++) {
        circuit->operations[i].in_clear = true;
    }
    /* a rounding whose table is in the clear has nothing to do under encryption */
    if (first > 1 && circuit->operations[first - 1].kind == LUTRA_OPERATION_ROUND) {
        circuit->operations[first - 1].in_clear = true;
    }
    return lutra_circuit_check(circuit, error);
}
