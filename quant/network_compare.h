/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two networks compute the same. */
#ifndef LUTRA_QUANT_NETWORK_COMPARE_H
#define LUTRA_QUANT_NETWORK_COMPARE_H

#include "quant/network.h"

/** Same layers in the same order with the same names, shapes and settings. Names of the networks,
 * comments and the [training] section may differ. */
bool lutra_network_same(const LutraNetwork *a, const LutraNetwork *b);

#endif
