/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that parse a network; not for others. */
#ifndef LUTRA_QUANT_NETWORK_PRIV_H
#define LUTRA_QUANT_NETWORK_PRIV_H

#include "quant/network.h"

enum {
    LUTRA_MAX_LAYERS = 1024,
    LUTRA_MAX_CHANNELS = 16384,
    LUTRA_MAX_FEATURES = 65536,
    LUTRA_MAX_KERNEL = 64,
    LUTRA_MAX_EXTENT = 4096,
    LUTRA_MAX_NETWORK_CLASSES = 1000,
    LUTRA_MAX_LAYER_WEIGHTS = 1 << 28
};

/** "NAME:LINE: sentence" as LUTRA_EDATA. */
LutraStatus lutra_network_fail(LutraError *error, const char *name, int line, const char *format,
                               ...) LUTRA_PRINTF(4, 5);

/**
 * Checks the order of the layers, works out their shapes and in_channels and checks that kernels
 * fit and codes can be stored.
 *
 * @param[in,out] network  layers parsed, shapes set for the input layer only
 * @param name  what errors call the text
 */
LUTRA_MUST_CHECK LutraStatus lutra_network_shapes(LutraNetwork *network, const char *name,
                                                  LutraError *error);

#endif
