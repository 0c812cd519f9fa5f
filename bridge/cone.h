/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ciphertexts one value is a sum of: the way back through linear operations and roundings by
 * a constant, to values that come out of a look-up or from the client.
 */
#ifndef LUTRA_BRIDGE_CONE_H
#define LUTRA_BRIDGE_CONE_H

#include "sim/circuit.h"

typedef struct {
    uint32_t operation; /* a table, an exact rounding, or a value in the clear */
    size_t element;
    int64_t weight; /* not 0 */
} LutraConeTerm;

typedef struct {
    size_t count;
    LutraConeTerm *terms; /* (count), all different, by rising operation then element; owned */
    size_t capacity;
    uint64_t constant; /* torus word to add */
} LutraCone;

/** Whether ciphertexts of this operation begin with it: cones end there. */
bool lutra_cone_ends_at(const LutraOperation *operation);

/**
 * The cone of one result of an operation that cones do not end at; that of another one is itself.
 *
 * @param[in,out] cone     zeroed, or of an earlier call: its memory is used again; deinit it
 * @param         circuit  passed lutra_circuit_check
 * @errors LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_cone_find(LutraCone *cone, const LutraCircuit *circuit,
                                             uint32_t operation, size_t element,
                                             LutraError *error);

void lutra_cone_deinit(LutraCone *cone);

#endif
