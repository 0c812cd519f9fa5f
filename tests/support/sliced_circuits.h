/* SPDX-License-Identifier: Apache-2.0 */
/* Random circuits of the kind that runs bit-sliced: ternary weights, tables that change at few
 * places. */
#ifndef LUTRA_TESTS_SUPPORT_SLICED_CIRCUITS_H
#define LUTRA_TESTS_SUPPORT_SLICED_CIRCUITS_H

#include "tests/support/circuits.h"

/** From some place on a circuit is drawn with another key: before or after a window, before a
 * table, before the last layer or the output. */
typedef struct {
    uint32_t place; /* 0 .. SLICED_PLACES - 1; a shorter circuit may not come to it */
    LutraRandomKey key;
} SlicedParting;

enum { SLICED_PLACES = 14 };

/** @param parting  may be NULL */
void sliced_circuit(LutraCircuit *circuit, LutraRandomKey key, const SlicedParting *parting);

#endif
