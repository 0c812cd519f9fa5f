/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a table or the output reads the circuit: which accumulator, through which rounding, and where
 * along that accumulator a table's result changes.
 *
 * An edge stands between two neighbouring accumulator values with different results, half a step
 * from both. Tables repeat their end entries beyond their domain, as in operations.h, so no edge
 * lies there.
 */
#ifndef LUTRA_SIM_READING_H
#define LUTRA_SIM_READING_H

#include "sim/circuit.h"

typedef struct {
    const LutraCircuit *circuit;
    const LutraTableOperation *table; /* NULL: the output */
    const LutraRoundOperation *round; /* in between; NULL: none */
    uint32_t operation;               /* the table or the output */
    uint32_t source;                  /* operation whose result is read, before the rounding */
    uint32_t dropped_bits;            /* t; buckets are 2^t accumulator steps wide */
} LutraReading;

/** Whether an operation is a table or the output. */
bool lutra_operation_reads(const LutraOperation *operation);

/** The reading of a table or the output. */
LutraReading lutra_reading_of(const LutraCircuit *circuit, uint32_t operation);

/** The integer that is read, in buckets, for accumulator x of a channel. */
int64_t lutra_reading_bucket(const LutraReading *reading, uint32_t channel, int64_t x);

/** The integer in the word that is read, for lutra_prediction_lookup: the bucket, unless an
 * approximate rounding leaves the low bits to the table; then x and the channel's offset. */
int64_t lutra_reading_word_value(const LutraReading *reading, uint32_t channel, int64_t x);

/** Smallest accumulator of a bucket. */
int64_t lutra_reading_bucket_start(const LutraReading *reading, uint32_t channel, int64_t bucket);

/** A table's result for accumulator x. */
int32_t lutra_reading_result(const LutraReading *reading, uint32_t channel, int64_t x);

/** Edges of one channel's table: entries that differ from the one before. */
uint32_t lutra_reading_edges(const LutraReading *reading, uint32_t channel);

/** Whether an edge of a table is at most half a bucket away from x. */
bool lutra_reading_is_near_edge(const LutraReading *reading, uint32_t channel, int64_t x);

/** Steps from x to the nearest edge of a table, at least 1/2; infinity if there is none. */
double lutra_reading_edge_distance(const LutraReading *reading, uint32_t channel, int64_t x);

#endif
