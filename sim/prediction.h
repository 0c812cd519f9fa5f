/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the noise model expects of a circuit on real ciphertexts: the variance of every value, and
 * how probable it is that one look-up reads a wrong entry.
 *
 * Variances are fractions of the torus, squared (suffix var_t2). They hold on average over keys: a
 * particular key with more ones than zeros has somewhat more noise.
 */
#ifndef LUTRA_SIM_PREDICTION_H
#define LUTRA_SIM_PREDICTION_H

#include "sim/circuit.h"
#include "sim/noise.h"
#include "sim/torus_lookup.h"

/** What the look-ups of one operation add, by the set that they use and the key they read. */
typedef struct {
    double bootstrap_var_t2; /* of their results */
    double lookup_var_t2;    /* what keyswitch and modulus switch add to their inputs */
    double lookup_bias;      /* by how much cells lie too low: 1 / (4 N) for the standard modulus
                                switch, 0 for the centred */
} LutraLookupNoise;

typedef struct {
    uint32_t operation_count;
    double **var_t2; /* [operation][element], owned; NULL for operations that stay in the clear
                        and are read by none that is encrypted */
    LutraLookupNoise *lookups; /* [operation], owned; zeros where there are no look-ups */
} LutraPrediction;

/**
 * Variance of every encrypted value: fresh for encrypted inputs, the bootstrap's for table
 * results, sums of w^2 * var in between.
 *
 * @param[out] prediction  deinit it; zeroed on error
 * @param      circuit     has crypto parameters, and sums of one set's results (key_layout.h)
 * @assumes  noises are independent. A value that reaches one sum by two ways is counted as two
 * @errors LUTRA_EDATA as lutra_key_layout_init; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_prediction_init(LutraPrediction *prediction,
                                                   const LutraCircuit *circuit,
                                                   LutraNoiseModel model, LutraError *error);

void lutra_prediction_deinit(LutraPrediction *prediction);

/** What a noise-free look-up gives for any integer, padding bit included. */
int64_t lutra_prediction_entry(const LutraWordTable *table, int64_t index);

/** One look-up whose exact accumulator is known. */
typedef struct {
    LutraWordTable table; /* its input has the bits that are left after rounding */
    int64_t index;        /* what the table should read: any integer, taken modulo the torus */
    double off_centre;    /* exact value minus the centre of its cell, fraction of the torus */
    double var_t2;        /* all noise up to the blind rotation */
    double bias;          /* LutraLookupNoise.lookup_bias */
} LutraPredictedLookup;

/**
 * One element's look-up in an encrypted table.
 *
 * @param table    operation index; its input has a variance in `prediction`
 * @param element  of the table's shape, for the noise; `channel` is its channel
 * @param exact    integer in the words that the table reads: after an approximate rounding the
 *                 value before it, plus the channel's offset
 */
LutraPredictedLookup lutra_prediction_lookup(const LutraPrediction *prediction,
                                             const LutraCircuit *circuit, uint32_t table,
                                             uint32_t channel, size_t element, int64_t exact);

typedef struct {
    double wrong_box;   /* probability of reading any other entry */
    double wrong_value; /* probability of reading an entry of another value */
} LutraLookupRisk;

/** Both probabilities, from the Gaussian's share of the neighbouring cells, five on each side. */
LutraLookupRisk lutra_prediction_risk(const LutraPredictedLookup *lookup);

/**
 * Share of a table's look-ups that read the entry beside theirs because the table rounds
 * approximately: p_error does not bound it. Of sums that lie evenly in their buckets; those of a
 * real network pile up around 0 (layer_statistics.h counts them).
 *
 * @param table  an encrypted table
 * @return 0 if it does not round approximately. A channel has the noise of the element in its
 *         middle, where windows are whole
 */
double lutra_prediction_off_by_one(const LutraPrediction *prediction, const LutraCircuit *circuit,
                                   uint32_t table);

/** Probability that one of `dropped_bits` sign look-ups of an exact rounding is wrong, summed.
 *
 * @param noise   of the rounding's look-ups
 * @param var_t2  of the value before the rounding
 * @param bits    p of the value before the rounding
 */
double lutra_prediction_exact_rounding(const LutraLookupNoise *noise, double var_t2,
                                       uint32_t bits, uint32_t dropped_bits);

/** The same, over all elements of an encrypted exact rounding; 0 for any other operation. */
double lutra_prediction_roundings(const LutraPrediction *prediction, const LutraCircuit *circuit,
                                  uint32_t operation);

/** Standard deviation of the noise in one element's look-up of an encrypted table, in steps of the
 * accumulator: of what is read before a rounding, if there is one. */
double lutra_prediction_deviation_steps(const LutraPrediction *prediction,
                                        const LutraCircuit *circuit, uint32_t table,
                                        size_t element);

#endif
