/* SPDX-License-Identifier: Apache-2.0 */
#include "train/gemm.h"

#include <cblas.h>
#include <limits.h>

#include "base/status.h"

void lutra_gemm_prepare(void) {
    openblas_set_num_threads(1);
}

const char *lutra_gemm_kernel_name(void) {
    return openblas_get_corename();
}

const char *lutra_gemm_library(void) {
    return openblas_get_config();
}

static void product(CBLAS_TRANSPOSE a_order, CBLAS_TRANSPOSE b_order, float *c, size_t c_stride,
                    LutraMatrix a, LutraMatrix b, size_t rows, size_t columns, size_t inner,
                    float alpha, float beta) {
    LUTRA_ASSERT(rows > 0 && rows <= INT_MAX && columns > 0 && columns <= INT_MAX && inner > 0 &&
                 inner <= INT_MAX);
    LUTRA_ASSERT(a.stride <= INT_MAX && b.stride <= INT_MAX && c_stride <= INT_MAX);
    cblas_sgemm(CblasRowMajor, a_order, b_order, (int)rows, (int)columns, (int)inner, alpha, a.data,
                (int)a.stride, b.data, (int)b.stride, beta, c, (int)c_stride);
}

void lutra_gemm_nn(float *c, size_t c_stride, LutraMatrix a, LutraMatrix b, size_t rows,
                   size_t columns, size_t inner, float alpha, float beta) {
    product(CblasNoTrans, CblasNoTrans, c, c_stride, a, b, rows, columns, inner, alpha, beta);
}

void lutra_gemm_nt(float *c, size_t c_stride, LutraMatrix a, LutraMatrix b, size_t rows,
                   size_t columns, size_t inner, float alpha, float beta) {
    product(CblasNoTrans, CblasTrans, c, c_stride, a, b, rows, columns, inner, alpha, beta);
}

void lutra_gemm_tn(float *c, size_t c_stride, LutraMatrix a, LutraMatrix b, size_t rows,
                   size_t columns, size_t inner, float alpha, float beta) {
    product(CblasTrans, CblasNoTrans, c, c_stride, a, b, rows, columns, inner, alpha, beta);
}
