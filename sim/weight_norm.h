/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much noise linear layers let through: L2 norms of the integer weights between look-ups.
 *
 * A table reads y = sum of w_i * x_i over values x_i that come out of other tables, or fresh from
 * the client. Their noises are independent, so the variance of y is (sum of w_i^2) times theirs.
 * The w_i are those of the whole way: a pool over a convolution adds up the weights that fall on
 * the same x_i before they are squared.
 */
#ifndef LUTRA_SIM_WEIGHT_NORM_H
#define LUTRA_SIM_WEIGHT_NORM_H

#include <stdbool.h>

#include "sim/circuit.h"

/** Of the way to one operation's input. */
typedef struct {
    double from_tables; /* L2 norm over table outputs, largest over channels; 0 if there are none */
    double from_client; /* the same over values that the client encrypted */
} LutraWeightNorm;

/**
 * Norm of what operation `index` reads: a table, or the output (decryption).
 *
 * @assumes the image is large: borders, where fewer weights count, are not looked at; the two
 *          inputs of an add are independent
 * @errors LUTRA_ENOMEM
 * @checked tests/unit/test_weight_norm.c (by hand, and against impulse responses)
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_norm(LutraWeightNorm *norm, const LutraCircuit *circuit,
                                                uint32_t index, LutraError *error);

#endif
