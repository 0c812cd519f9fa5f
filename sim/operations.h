/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each operation of a circuit means in the clear: the one definition. Everything else that
 * computes a circuit (fast kernels, torus simulation, real FHE) is tested against these functions.
 *
 * Plain loops over int32 tensors (C,H,W), row-major, with 64-bit sums. They rely on
 * lutra_circuit_check: a result that does not fit in int32_t is a bug and aborts.
 *
 * A table's input outside its domain takes the entry of the nearest end of the domain and is
 * counted: no wrong value passes silently. (The torus would wrap instead.)
 */
#ifndef LUTRA_SIM_OPERATIONS_H
#define LUTRA_SIM_OPERATIONS_H

#include "sim/circuit.h"

/**
 * Rounding that drops t low bits: floor((x + 2^(t-1)) / 2^t); t = 0 gives x. Ties go up, for both
 * signs. The result counts steps of 2^t.
 *
 * @param x             |x| < 2^61
 * @param dropped_bits  t, 0 .. 60
 */
int64_t lutra_round_half_up(int64_t x, uint32_t dropped_bits);

/** Client-side quantization: codes (C,H,W) of pixels (C,H,W). */
void lutra_operation_input(int32_t *codes, const LutraInputOperation *input, LutraShape shape,
                           const uint8_t *pixels);

/** y[o] = sum over the flattened x; `outputs` rows of weights. */
void lutra_operation_linear(int32_t *y, const LutraLinearOperation *linear, uint32_t outputs,
                            const int32_t *x);

/** A vector is an image of one pixel: the layer as a 1 x 1 convolution with the same weights. */
LutraConvOperation lutra_linear_as_conv(const LutraLinearOperation *linear);

/** y of shape `shape` from x of shape `x_shape`; x is 0 outside the image. */
void lutra_operation_conv(int32_t *y, const LutraConvOperation *conv, LutraShape shape,
                          const int32_t *x, LutraShape x_shape);

void lutra_operation_sum_pool(int32_t *y, const LutraSumPoolOperation *pool, LutraShape shape,
                              const int32_t *x, LutraShape x_shape);

/** y[i] = x0[i] + x1[i]; y may be x0 or x1. */
void lutra_operation_add(int32_t *y, const int32_t *x0, const int32_t *x1, size_t count);

/** Adds the channel's offset, then lutra_round_half_up; y may be x. */
void lutra_operation_round(int32_t *y, const LutraRoundOperation *round, LutraShape shape,
                           const int32_t *x);

/** Entry of one input of channel c; *out_of_domain is increased if x had to be saturated. */
int32_t lutra_table_lookup(const LutraTableOperation *table, uint32_t channel, int64_t x,
                           uint64_t *out_of_domain);

/** Looks up every element; returns how many inputs lay outside the domain. y may be x. */
uint64_t lutra_operation_table(int32_t *y, const LutraTableOperation *table, LutraShape shape,
                               const int32_t *x);

/** Client-side logits (C) in single precision, in exactly the order that circuit.h states. */
void lutra_operation_output(float *logits, const LutraOutputOperation *output, uint32_t channels,
                            const int32_t *x);

/**
 * Applies any operation but the output.
 *
 * @param[out] y       result, (shape of circuit->operations[index])
 * @param      pixels  (C,H,W) of the input operation; read only by it
 * @param      values  values[i] is the result of operation i, for all of this operation's inputs
 * @return     table inputs outside the domain (0 for other operations)
 */
uint64_t lutra_operation_apply(int32_t *y, const LutraCircuit *circuit, uint32_t index,
                               const uint8_t *pixels, const int32_t *const *values);

/** Index of the largest of `count` >= 1 logits; the first of equals. */
uint32_t lutra_argmax(const float *logits, uint32_t count);

#endif
