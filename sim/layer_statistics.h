/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tables and the output of a circuit read on many images: exact histograms of accumulators,
 * how near they stand to the edges of their tables, and how many look-ups noise will change.
 *
 * A layer here is a table or the output, together with the rounding before it. Values are those of
 * clear mode (operations.h), before that rounding.
 */
#ifndef LUTRA_SIM_LAYER_STATISTICS_H
#define LUTRA_SIM_LAYER_STATISTICS_H

#include "sim/noise.h"
#include "sim/reading.h"
#include "sim/simulate.h"

/** One table or the output over all images. */
typedef struct {
    LutraReading reading;
    uint64_t reads; /* values read: elements times images */

    int64_t first_value;    /* smallest value read */
    size_t value_count;     /* up to the largest */
    uint64_t *histogram;    /* (value_count) all channels together, owned */
    double mean;            /* accumulator steps, like the next */
    double deviation;       /* of the values themselves, not of a sample */

    /* Tables only; 0 and NULL for the output. */
    uint32_t *edges;          /* (value_count) channels with an edge just below this value, owned */
    double edges_per_channel; /* of whole tables, mean over channels */
    uint64_t near_edge;       /* look-ups at most half a bucket away from an edge */
    size_t result_count;      /* distinct entries of the tables */
    int32_t *result_values;   /* (result_count) ascending, owned */
    uint64_t *results;        /* (result_count) how often each came out, owned */
    double result_entropy_bits;

    /* Encrypted tables of a circuit with one set of crypto parameters. */
    bool is_predicted;
    double noise_deviation;    /* at the look-up, accumulator steps: root mean square of elements */
    double expected_displaced; /* look-ups per image that read another entry */
    double expected_changed;   /* ... of another value */
    double expected_rounding;  /* wrong signs per image in the exact rounding before; else 0 */
} LutraLayerStatistics;

typedef struct {
    uint64_t images;
    uint32_t layer_count;
    LutraLayerStatistics *layers; /* (layer_count) in order of operations, owned */
} LutraCircuitStatistics;

typedef struct {
    uint32_t threads;   /* >= 1; the result does not depend on it */
    uint32_t cpu_flags; /* LutraCpuFlag mask */
    LutraNoiseModel noise_model;
    size_t memory_bytes; /* for counting; a circuit that needs more is run several times */
    const LutraProgress *progress; /* may be NULL */
} LutraLayerSettings;

/** One thread, every instruction set, the noise model of tfhe-rs, 512 MiB. */
void lutra_layer_settings_default(LutraLayerSettings *settings);

/** Frees and zeroes. */
void lutra_circuit_statistics_deinit(LutraCircuitStatistics *statistics);

/**
 * Runs the images that a simulation in clear mode has run, and counts.
 *
 * @param[out] statistics  owned by the caller, refers to `circuit`; unchanged on error
 * @param      simulation  of the same circuit and images: its ranges bound the histograms
 * @errors LUTRA_EINVAL no images; LUTRA_ENOMEM, also if one channel needs more than memory_bytes;
 *         LUTRA_ECANCELLED
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_statistics(LutraCircuitStatistics *statistics,
                                                      const LutraCircuit *circuit,
                                                      const LutraImages *images,
                                                      const LutraSimulation *simulation,
                                                      const LutraLayerSettings *settings,
                                                      LutraError *error);

#endif
