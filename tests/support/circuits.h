/* SPDX-License-Identifier: Apache-2.0 */
/* Circuits for tests: a builder, random circuits, and the VGG9 of the published use case. */
#ifndef LUTRA_TESTS_SUPPORT_CIRCUITS_H
#define LUTRA_TESTS_SUPPORT_CIRCUITS_H

#include "base/random.h"
#include "sim/operations.h"

/** How the weights and codes of a random circuit are drawn. */
typedef enum {
    CIRCUIT_TERNARY = 0, /* weights and codes in {-1,0,1}, step tables */
    CIRCUIT_SMALL = 1,   /* a few bits */
    CIRCUIT_WIDE = 2,    /* full int8 weights, codes of up to 10 bits, arbitrary tables */
    CIRCUIT_STYLES = 3
} CircuitStyle;

/** A growing circuit. Every add function returns the index of the new operation; aborts on bugs. */
typedef struct {
    LutraCircuit circuit;
    LutraRandomKey key;
    uint64_t draws;
    CircuitStyle style;
} CircuitBuilder;

void builder_start(CircuitBuilder *builder, LutraRandomKey key, CircuitStyle style);
/** Uniform in [min, max]. */
int64_t builder_draw(CircuitBuilder *builder, int64_t min, int64_t max);

uint32_t builder_input(CircuitBuilder *builder, LutraShape shape, LutraEncoding encoding,
                       int64_t code_min, int64_t code_max);
uint32_t builder_conv(CircuitBuilder *builder, uint32_t x, uint32_t channels, uint32_t kernel,
                      uint32_t stride, uint32_t padding);
uint32_t builder_linear(CircuitBuilder *builder, uint32_t x, uint32_t outputs);
uint32_t builder_sum_pool(CircuitBuilder *builder, uint32_t x, uint32_t kernel, uint32_t stride);
uint32_t builder_add(CircuitBuilder *builder, uint32_t x0, uint32_t x1);
uint32_t builder_round(CircuitBuilder *builder, uint32_t x, uint32_t dropped_bits, bool offsets);
/** Steps: per channel a monotone table (either direction) between min and max; else any entries. */
uint32_t builder_table(CircuitBuilder *builder, uint32_t x, LutraEncoding encoding, int64_t min,
                       int64_t max, bool steps);
uint32_t builder_output(CircuitBuilder *builder, uint32_t x, uint32_t step_count);

/** Checks the circuit and moves it out. */
void builder_finish(CircuitBuilder *builder, LutraCircuit *circuit);

/** A random small circuit of one style; deinit it. */
void circuit_random(LutraCircuit *circuit, LutraRandomKey key, CircuitStyle style);

/** The ternary VGG9 with random weights and step tables; dropped bits before the wide tables. */
void circuit_vgg9(LutraCircuit *circuit, LutraRandomKey key, bool rounded);

/** Runs a random number of the first, or of the last, operations on the client. */
void circuit_make_hybrid(LutraCircuit *circuit, LutraRandomKey key);

/** Leaves one weight of 1 per output, so that sums stay about as small as codes. */
void circuit_make_thin(LutraCircuit *circuit, LutraRandomKey key);

/**
 * For tests in which no crypto happens, or toy ciphertexts: n 600, k 1, bootstrap 2 x 15 bits,
 * keyswitch 5 x 4 bits, standard switch, deviations 1e-9 and 1e-14.
 */
LutraCryptoParameters circuit_toy_set(uint32_t log2_poly);

/** Makes `set` the one parameter set of a circuit that has none. */
void circuit_give_parameters(LutraCircuit *circuit, LutraCryptoParameters set);

/** Makes `sets` those of a circuit that has none, and deals them out to its tables; tables whose
 * results meet in a sum have the same. */
void circuit_give_sets(LutraCircuit *circuit, const LutraCryptoParameters *sets, uint32_t count);

/** Random pixels for a circuit, (count, C, H, W); free with lutra_free. */
uint8_t *circuit_random_pixels(const LutraCircuit *circuit, LutraRandomKey key, size_t count);

#endif
