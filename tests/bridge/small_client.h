/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit with two toy parameter sets, for tests of client and server. Standard deviations are
 * small, not secure: answers are exact. */
#ifndef LUTRA_TESTS_BRIDGE_SMALL_CLIENT_H
#define LUTRA_TESTS_BRIDGE_SMALL_CLIENT_H

#include "bridge/ciphertext_files.h"
#include "sim/server_circuit.h"
#include "tests/support/circuits.h"

enum { SMALL_IMAGES = 3, SMALL_PIXELS = 4, SMALL_CLASSES = 2 };

static const uint8_t small_pixels[SMALL_IMAGES * SMALL_PIXELS] = {1,   200, 3,  90,  255, 0,
                                                                  130, 7,   64, 128, 33,  250};

/** Two tables with a set each; with `hybrid` the first layer and the last run on the client. */
static inline void small_client_circuit(LutraCircuit *circuit, bool hybrid) {
    static const LutraCryptoParameters sets[2] = {{.lwe_dim = 35,
                                                   .glwe_dim = 1,
                                                   .log2_poly = 8,
                                                   .pbs_level = 3,
                                                   .pbs_base_log = 11,
                                                   .ks_level = 5,
                                                   .ks_base_log = 5,
                                                   .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
                                                   .lwe_std = 1e-15,
                                                   .glwe_std = 1e-17},
                                                  {.lwe_dim = 20,
                                                   .glwe_dim = 2,
                                                   .log2_poly = 8,
                                                   .pbs_level = 2,
                                                   .pbs_base_log = 15,
                                                   .ks_level = 7,
                                                   .ks_base_log = 4,
                                                   .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
                                                   .lwe_std = 1e-15,
                                                   .glwe_std = 1e-17}};
    const LutraRandomKey key = {1, LUTRA_STREAM_TEST, 3};
    CircuitBuilder builder;
    builder_start(&builder, key, CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){1, 2, 2}, (LutraEncoding){3, true}, -1, 1);
    x = builder_linear(&builder, x, 3);
    x = builder_table(&builder, x, (LutraEncoding){4, true}, -1, 1, false);
    x = builder_linear(&builder, x, 4);
    x = builder_table(&builder, x, (LutraEncoding){5, true}, -1, 1, false);
    x = builder_linear(&builder, x, SMALL_CLASSES);
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    circuit_give_sets(circuit, sets, 2);
    if (hybrid) {
        circuit->operations[1].in_clear = true;
        circuit->operations[5].in_clear = true;
    }
}

#endif
