/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear operations on encrypted tensors.
 *
 * An LWE ciphertext is linear in its words: an integer combination of ciphertexts is the same
 * combination of their words modulo 2^64, without noise of its own. So these functions are
 * sim/operations.h with each integer replaced by `words` torus words, and nothing here knows keys.
 *
 * Tensors are (C,H,W,words), row-major. Results do not depend on `threads` or `kernels`. Weights of
 * 0 cost nothing, of +-1 an addition. Outputs may not overlap inputs unless said.
 */
#ifndef LUTRA_BRIDGE_LINEAR_H
#define LUTRA_BRIDGE_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "bridge/linear_kernels.h"
#include "sim/circuit.h"

/** y (outputs, words), x (in_features, words). */
void lutra_ciphertexts_linear(uint64_t *y, const LutraLinearKernels *kernels,
                              const LutraLinearOperation *linear, uint32_t outputs,
                              const uint64_t *x, size_t words, uint32_t threads);

/** y of shape `shape`, x of shape `x_shape`; x is 0 outside the image. */
void lutra_ciphertexts_conv(uint64_t *y, const LutraLinearKernels *kernels,
                            const LutraConvOperation *conv, LutraShape shape, const uint64_t *x,
                            LutraShape x_shape, size_t words, uint32_t threads);

void lutra_ciphertexts_sum_pool(uint64_t *y, const LutraSumPoolOperation *pool, LutraShape shape,
                                const uint64_t *x, LutraShape x_shape, size_t words,
                                uint32_t threads);

/** y = x0 + x1, `count` words each; y may be x0 or x1. */
void lutra_ciphertexts_add(uint64_t *y, const uint64_t *x0, const uint64_t *x1, size_t count,
                           uint32_t threads);

/** y = y - x, `count` words each. */
void lutra_ciphertexts_subtract(uint64_t *y, const uint64_t *x, size_t count, uint32_t threads);

/** y = x * 2^bits, `count` words each; bits below 64; y may be x. */
void lutra_ciphertexts_shift(uint64_t *y, const uint64_t *x, uint32_t bits, size_t count,
                             uint32_t threads);

/** Adds a known torus word to the value of each of `count` ciphertexts: to their bodies. */
void lutra_ciphertexts_add_constant(uint64_t *y, uint64_t constant, size_t count, size_t words);

#endif
