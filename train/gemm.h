/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products in single precision (OpenBLAS behind it, named in gemm.c only).
 *
 * Every call runs on the calling thread; parallelism is the caller's, over images or channels. So a
 * result depends on the sizes of the call and on the processor kernel that OpenBLAS chose, never on
 * the number of threads.
 */
#ifndef LUTRA_TRAIN_GEMM_H
#define LUTRA_TRAIN_GEMM_H

#include <stddef.h>

/** One row-major matrix; element (r, c) is data[r * stride + c]. */
typedef struct {
    const float *data;
    size_t stride; /* elements from one row to the next */
} LutraMatrix;

/**
 * Makes OpenBLAS run each product on the thread that asks for it. Call once before the products,
 * from one thread; it is a setting of the whole process, so a program that also uses OpenBLAS
 * elsewhere sees it.
 */
void lutra_gemm_prepare(void);

/** Name of the kernel that OpenBLAS chose for this processor, such as "Haswell". */
const char *lutra_gemm_kernel_name(void);

/** Configuration line of the linked OpenBLAS: version and build options. */
const char *lutra_gemm_library(void);

/**
 * c = beta * c + alpha * a b, in its three layouts.
 *
 * _nn: a (rows, inner), b (inner, columns).  _nt: a (rows, inner), b (columns, inner).
 * _tn: a (inner, rows), b (inner, columns).  c is always (rows, columns). No extent may be 0 or
 * exceed 2^31 - 1. With beta 0 the old content of c is not read.
 */
void lutra_gemm_nn(float *c, size_t c_stride, LutraMatrix a, LutraMatrix b, size_t rows,
                   size_t columns, size_t inner, float alpha, float beta);
void lutra_gemm_nt(float *c, size_t c_stride, LutraMatrix a, LutraMatrix b, size_t rows,
                   size_t columns, size_t inner, float alpha, float beta);
void lutra_gemm_tn(float *c, size_t c_stride, LutraMatrix a, LutraMatrix b, size_t rows,
                   size_t columns, size_t inner, float alpha, float beta);

#endif
