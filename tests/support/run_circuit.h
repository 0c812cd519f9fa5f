/* SPDX-License-Identifier: Apache-2.0 */
/* Plain execution of circuits for tests, through the definitions in sim/operations.h. */
#ifndef LUTRA_TESTS_SUPPORT_RUN_CIRCUIT_H
#define LUTRA_TESTS_SUPPORT_RUN_CIRCUIT_H

#include "quant/calibrate.h"
#include "sim/circuit.h"

/** Values of every operation but the output for one image; free with run_circuit_free. */
int32_t **run_circuit(const LutraCircuit *circuit, const uint8_t *pixels, float *logits);
void run_circuit_free(int32_t **values, const LutraCircuit *circuit);

/** Images that run_observer feeds. */
typedef struct {
    const uint8_t *images; /* (count, C*H*W) */
    uint64_t count;
    size_t image_bytes;
    uint32_t calls;
} RunImages;

/** A LutraObserver's functions; user is a RunImages. */
LutraStatus run_ranges(void *user, LutraRange *ranges, uint64_t *images,
                       const LutraCircuit *circuit, uint64_t limit, LutraError *error);
LutraStatus run_histograms(void *user, LutraHistogram *histograms, const LutraCircuit *circuit,
                           LutraError *error);

#endif
