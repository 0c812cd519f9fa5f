/* SPDX-License-Identifier: Apache-2.0 */
/* How tables and the output read a circuit; see reading.h. */
#include "sim/reading.h"

#include <math.h>

#include "sim/operations.h"

bool lutra_operation_reads(const LutraOperation *operation) {
    return operation->kind == LUTRA_OPERATION_TABLE || operation->kind == LUTRA_OPERATION_OUTPUT;
}

LutraReading lutra_reading_of(const LutraCircuit *circuit, uint32_t operation) {
    const LutraOperation *const op = &circuit->operations[operation];
    LUTRA_ASSERT(lutra_operation_reads(op));
    LutraReading reading = {.circuit = circuit, .operation = operation, .source = op->inputs[0]};
    if (op->kind == LUTRA_OPERATION_TABLE) {
        const LutraOperation *const x = &circuit->operations[op->inputs[0]];
        reading.table = &op->u.table;
        if (x->kind == LUTRA_OPERATION_ROUND) {
            reading.round = &x->u.round;
            reading.source = x->inputs[0];
            reading.dropped_bits = x->u.round.dropped_bits;
        }
    }
    return reading;
}

static int64_t offset_of(const LutraReading *reading, uint32_t channel) {
    const LutraRoundOperation *const round = reading->round;
    return round == NULL || round->offsets == NULL ? 0 : round->offsets[channel];
}

int64_t lutra_reading_bucket(const LutraReading *reading, uint32_t channel, int64_t x) {
    return lutra_round_half_up(x + offset_of(reading, channel), reading->dropped_bits);
}

int64_t lutra_reading_word_value(const LutraReading *reading, uint32_t channel, int64_t x) {
    const LutraCircuit *const circuit = reading->circuit;
    const uint32_t input = circuit->operations[reading->operation].inputs[0];
    return lutra_operation_bits_left(&circuit->operations[input]) > 0
               ? x + offset_of(reading, channel)
               : lutra_reading_bucket(reading, channel, x);
}

int64_t lutra_reading_bucket_start(const LutraReading *reading, uint32_t channel, int64_t bucket) {
    const int64_t width = INT64_C(1) << reading->dropped_bits;
    return bucket * width - width / 2 - offset_of(reading, channel);
}

/** Place of a bucket in its table, the ends standing for what lies beyond. */
static int64_t place_of(const LutraTableOperation *table, int64_t bucket) {
    const int64_t place = bucket - table->first_input;
    const int64_t last = (int64_t)table->entry_count - 1;
    return place < 0 ? 0 : place > last ? last : place;
}

static const int32_t *entries_of(const LutraTableOperation *table, uint32_t channel) {
    return table->entries + (size_t)table->table_of_channel[channel] * table->entry_count;
}

static int32_t entry_at(const LutraReading *reading, uint32_t channel, int64_t bucket) {
    return entries_of(reading->table, channel)[place_of(reading->table, bucket)];
}

int32_t lutra_reading_result(const LutraReading *reading, uint32_t channel, int64_t x) {
    return entry_at(reading, channel, lutra_reading_bucket(reading, channel, x));
}

uint32_t lutra_reading_edges(const LutraReading *reading, uint32_t channel) {
    const int32_t *const entries = entries_of(reading->table, channel);
    uint32_t edges = 0;
    for (uint32_t i = 1; i < reading->table->entry_count; i++) {
        edges += entries[i] != entries[i - 1];
    }
    return edges;
}

bool lutra_reading_is_near_edge(const LutraReading *reading, uint32_t channel, int64_t x) {
    const int64_t bucket = lutra_reading_bucket(reading, channel, x);
    const int64_t within = x - lutra_reading_bucket_start(reading, channel, bucket);
    const int64_t width = INT64_C(1) << reading->dropped_bits;
    const int32_t result = entry_at(reading, channel, bucket);
    /* A bucket of one step has both its edges half a step away. */
    const bool lower = 2 * within < width;
    const bool upper = 2 * within >= width || width == 1;
    return (lower && entry_at(reading, channel, bucket - 1) != result) ||
           (upper && entry_at(reading, channel, bucket + 1) != result);
}

double lutra_reading_edge_distance(const LutraReading *reading, uint32_t channel, int64_t x) {
    const LutraTableOperation *const table = reading->table;
    const int32_t *const entries = entries_of(table, channel);
    const int64_t here = place_of(table, lutra_reading_bucket(reading, channel, x));
    double nearest = (double)INFINITY;
    for (int64_t below = here; below > 0; below--) {
        if (entries[below] != entries[below - 1]) {
            const int64_t start =
                lutra_reading_bucket_start(reading, channel, table->first_input + below);
            nearest = (double)(x - start) + 0.5;
            break;
        }
    }
    for (int64_t above = here + 1; above < table->entry_count; above++) {
        if (entries[above] != entries[above - 1]) {
            const int64_t start =
                lutra_reading_bucket_start(reading, channel, table->first_input + above);
            nearest = fmin(nearest, (double)(start - x) - 0.5);
            break;
        }
    }
    return nearest;
}
