/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear operations on tensors of words (C,H,W), modulo 2^64: the definitions of operations.h with
 * another kind of number. The same functions serve signed 64-bit integers in two's complement.
 */
#ifndef LUTRA_SIM_TORUS_LINEAR_H
#define LUTRA_SIM_TORUS_LINEAR_H

#include "sim/circuit.h"

/** y[o] = sum over the flattened x; `outputs` rows of weights. */
void lutra_words_linear(uint64_t *y, const LutraLinearOperation *linear, uint32_t outputs,
                        const uint64_t *x);

/** y of shape `shape` from x of shape `x_shape`; x is 0 outside the image. */
void lutra_words_conv(uint64_t *y, const LutraConvOperation *conv, LutraShape shape,
                      const uint64_t *x, LutraShape x_shape);

void lutra_words_sum_pool(uint64_t *y, const LutraSumPoolOperation *pool, LutraShape shape,
                          const uint64_t *x, LutraShape x_shape);

/** y[i] = x0[i] + x1[i]. */
void lutra_words_add(uint64_t *y, const uint64_t *x0, const uint64_t *x1, size_t count);

#endif
