/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of linear layers on ciphertexts, in a plain reference and in faster versions that give
 * the same bits: sums of words modulo 2^64 have no order.
 */
#ifndef LUTRA_BRIDGE_LINEAR_KERNELS_H
#define LUTRA_BRIDGE_LINEAR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    LUTRA_LINEAR_TILE = 64, /* words of a ciphertext at a time */
    LUTRA_LINEAR_ROWS = 32  /* ciphertexts at a time: their tiles fill half of a first cache */
};

typedef struct {
    /**
     * y[j] += sum over r of weights[r] * rows[r][j], modulo 2^64. Weights of 0 cost nothing, of
     * +-1 an addition.
     *
     * @param[in,out] y          (count), no part of rows
     * @param         rows       (row_count, LUTRA_LINEAR_TILE), of which `count` words are read
     * @param         weights    (row_count)
     * @param         row_count  0 .. LUTRA_LINEAR_ROWS
     * @param         count      1 .. LUTRA_LINEAR_TILE
     */
    void (*add_rows)(uint64_t *y, const uint64_t *rows, const int8_t *weights, size_t row_count,
                     size_t count);
} LutraLinearKernels;

/** The fastest versions that `cpu_flags` (LutraCpuFlag) and this processor allow. */
void lutra_linear_kernels_init(LutraLinearKernels *kernels, uint32_t cpu_flags);

/* One version each; kernels of other instruction sets must not run where those are missing. */
void lutra_linear_add_rows_ref(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                               size_t row_count, size_t count);
void lutra_linear_add_rows_avx2(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                                size_t row_count, size_t count);
void lutra_linear_add_rows_avx512(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                                  size_t row_count, size_t count);

#endif
