/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/run_circuit.h"

#include <stdlib.h>

#include "sim/operations.h"
#include "tests/support/check.h"

int32_t **run_circuit(const LutraCircuit *circuit, const uint8_t *pixels, float *logits) {
    int32_t **values = calloc(circuit->operation_count, sizeof *values);
    assert_non_null(values);
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        const size_t count = lutra_shape_elements(circuit->operations[i].shape);
        values[i] = calloc(count, sizeof **values);
        assert_non_null(values[i]);
        const int32_t *before[LUTRA_MAX_OPERATIONS];
        for (uint32_t k = 0; k < i; k++) {
            before[k] = values[k];
        }
        lutra_operation_apply(values[i], circuit, i, pixels, before);
    }
    const LutraOperation *last = &circuit->operations[circuit->operation_count - 1];
    if (logits != NULL) {
        lutra_operation_output(logits, &last->u.output, last->shape.channels,
                               values[last->inputs[0]]);
    }
    return values;
}

void run_circuit_free(int32_t **values, const LutraCircuit *circuit) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        free(values[i]);
    }
    free(values);
}

LutraStatus run_ranges(void *user, LutraRange *ranges, uint64_t *images,
                       const LutraCircuit *circuit, uint64_t limit, LutraError *error) {
    RunImages *run = user;
    (void)error;
    const uint64_t count = limit == 0 || limit > run->count ? run->count : limit;
    run->calls++;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        ranges[i] = (LutraRange){1, 0};
    }
    for (uint64_t n = 0; n < count; n++) {
        int32_t **values = run_circuit(circuit, run->images + (n * run->image_bytes), NULL);
        for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
            const size_t elements = lutra_shape_elements(circuit->operations[i].shape);
            for (size_t e = 0; e < elements; e++) {
                const int64_t value = values[i][e];
                if (ranges[i].min > ranges[i].max) {
                    ranges[i] = (LutraRange){value, value};
                }
                ranges[i].min = value < ranges[i].min ? value : ranges[i].min;
                ranges[i].max = value > ranges[i].max ? value : ranges[i].max;
            }
        }
        run_circuit_free(values, circuit);
    }
    *images = count;
    return LUTRA_OK;
}

LutraStatus run_histograms(void *user, LutraHistogram *histograms, const LutraCircuit *circuit,
                           LutraError *error) {
    RunImages *run = user;
    (void)error;
    for (uint64_t n = 0; n < run->count; n++) {
        int32_t **values = run_circuit(circuit, run->images + (n * run->image_bytes), NULL);
        for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
            LutraHistogram *histogram = &histograms[i];
            const LutraShape shape = circuit->operations[i].shape;
            const size_t area = (size_t)shape.height * shape.width;
            for (size_t e = 0; e < histogram->channels * area; e++) {
                const int64_t bin = values[i][e] - histogram->first;
                if (bin >= 0 && bin < histogram->bins) {
                    histogram->counts[((e / area) * histogram->bins) + (size_t)bin]++;
                }
            }
        }
        run_circuit_free(values, circuit);
    }
    return LUTRA_OK;
}
