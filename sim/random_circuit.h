/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Circuits of a given shape with random weights, for benchmarks: the work is that of a trained
 * network, the answers mean nothing.
 *
 * Every layer but the last is followed by a table whose steps lie at the quantiles that the sum
 * would have for independent, uniform codes: so all codes of a table occur, about equally often, as
 * if someone had trained it. Encodings are those of a calibrated circuit, not of the static bounds.
 */
#ifndef LUTRA_SIM_RANDOM_CIRCUIT_H
#define LUTRA_SIM_RANDOM_CIRCUIT_H

#include "sim/circuit.h"

/** One linear part: conv, sum_pool or linear. */
typedef struct {
    LutraOperationKind kind;
    uint32_t channels; /* of the result; ignored by sum_pool */
    uint32_t kernel;   /* ignored by linear, like the next two */
    uint32_t stride;
    uint32_t padding; /* conv only */
} LutraRandomLayer;

typedef struct {
    const char *name;
    LutraShape input;
    LutraRange input_codes;
    LutraRange codes;       /* results of every table */
    int8_t largest_weight;  /* weights are uniform in -largest_weight .. largest_weight */
    uint32_t rounding_bits; /* wider sums are rounded to this before their table; 0: never */
    const LutraRandomLayer *layers; /* the last is linear: its results are the logits */
    uint32_t layer_count;
} LutraRandomNetwork;

/** Ternary VGG9: 158,336 look-ups, 59,461,376 multiply-adds, no rounding. */
extern const LutraRandomNetwork lutra_random_vgg9;

/**
 * VGG11 on 32x32 images with 5-bit weights (-15 .. 15) and 5-bit codes (0 .. 31), rounded to 8
 * bits: 676,312,064 multiply-adds and 532,544 look-ups, those of the reference without its second
 * quantizer of the flattened 512 features.
 */
extern const LutraRandomNetwork lutra_random_vgg11;

/** A pure function of network and seed; passes lutra_circuit_check. */
LUTRA_MUST_CHECK LutraStatus lutra_random_circuit_create(LutraCircuit *circuit,
                                                         const LutraRandomNetwork *network,
                                                         uint64_t seed, LutraError *error);

#endif
