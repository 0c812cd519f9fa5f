/* SPDX-License-Identifier: Apache-2.0 */
/* What each kernel computes, plainly; see lookup_kernels.h. */
#include <math.h>
#include <stdbool.h>

#include "bridge/lookup_kernels_priv.h"

static void rotated_digits(double *points, size_t stride, const uint64_t *polynomial, size_t n,
                           size_t rotation, LutraDigits digits) {
    for (size_t j = 0; j < n; j++) {
        const size_t from = (j + 2 * n - rotation) % (2 * n); /* X^N = -1 */
        const uint64_t rotated = from < n ? polynomial[from] : 0 - polynomial[from - n];
        const uint64_t word = rotated - polynomial[j] + lutra_digits_offset(digits);
        for (uint32_t i = 1; i <= digits.level; i++) {
            const uint64_t field =
                word >> (64 - i * digits.base_log) & ((UINT64_C(1) << digits.base_log) - 1);
            points[(digits.level - i) * stride + j] =
                (double)field - ldexp(0.5, (int)digits.base_log);
        }
    }
}

/** Where a point stands after the transposition of each 8 x 8 matrix. */
static size_t transposed(size_t j) {
    return (j & ~(size_t)63) | (j & 7) << 3 | (j >> 3 & 7);
}

static void transpose(double *points, size_t m) {
    for (size_t j = 0; j < m; j++) {
        const size_t k = transposed(j);
        if (j < k) {
            for (size_t part = 0; part < 2; part++) {
                const double kept = points[part * m + j];
                points[part * m + j] = points[part * m + k];
                points[part * m + k] = kept;
            }
        }
    }
}

typedef struct {
    double re;
    double im;
} Complex;

/** The factor to multiply by; *turned if the product is then to be multiplied by i. Depths are done
 * three by three, counted back from the last three: the first of them uses a node's own factor,
 * the others that of the first sister. */
static Complex factor_of(const LutraFourierPlan *plan, uint32_t depth, size_t node, bool *turned) {
    const size_t m = (size_t)1 << plan->log2_points;
    const bool own = (plan->log2_points - depth) % 3 == 0;
    *turned = !own && node % 2 == 1;
    const size_t at = ((size_t)1 << depth) + (*turned ? node - 1 : node);
    return (Complex){plan->factors[at], plan->factors[m + at]};
}

static void forward(double *points, const LutraFourierPlan *plan) {
    const size_t m = (size_t)1 << plan->log2_points;
    double *const re = points;
    double *const im = points + m;
    for (uint32_t depth = 0; depth < plan->log2_points; depth++) {
        const size_t half = m >> (depth + 1);
        for (size_t node = 0; node < (size_t)1 << depth; node++) {
            bool turned = false;
            const Complex s = factor_of(plan, depth, node, &turned);
            for (size_t j = node * 2 * half; j < (node * 2 + 1) * half; j++) {
                const Complex v = {re[j + half], im[j + half]};
                const double product_re = fma(s.re, v.re, -(s.im * v.im));
                const double product_im = fma(s.re, v.im, s.im * v.re);
                const double t_re = turned ? -product_im : product_re;
                const double t_im = turned ? product_re : product_im;
                const Complex u = {re[j], im[j]};
                re[j] = u.re + t_re;
                im[j] = u.im + t_im;
                re[j + half] = u.re - t_re;
                im[j + half] = u.im - t_im;
            }
        }
    }
    transpose(points, m);
}

static void inverse(double *points, const LutraFourierPlan *plan) {
    const size_t m = (size_t)1 << plan->log2_points;
    double *const re = points;
    double *const im = points + m;
    transpose(points, m);
    for (uint32_t depth = plan->log2_points; depth-- > 0;) {
        const size_t half = m >> (depth + 1);
        for (size_t node = 0; node < (size_t)1 << depth; node++) {
            bool turned = false;
            const Complex s = factor_of(plan, depth, node, &turned);
            for (size_t j = node * 2 * half; j < (node * 2 + 1) * half; j++) {
                const Complex low = {re[j], im[j]};
                const Complex high = {re[j + half], im[j + half]};
                const Complex d = {low.re - high.re, low.im - high.im};
                const Complex t = {turned ? d.im : d.re, turned ? -d.re : d.im}; /* / i */
                re[j] = low.re + high.re;
                im[j] = low.im + high.im;
                re[j + half] = fma(s.re, t.re, s.im * t.im); /* times the conjugate */
                im[j + half] = fma(s.re, t.im, -(s.im * t.re));
            }
        }
    }
}

static void products(double *sums, const double *rows, const double *key, size_t n, size_t stride,
                     size_t row_count, size_t columns) {
    const size_t m = n / 2;
    for (size_t c = 0; c < columns; c++) {
        for (size_t j = 0; j < m; j++) {
            Complex sum = {0.0, 0.0};
            for (size_t r = 0; r < row_count; r++) {
                const Complex x = {rows[r * stride + j], rows[r * stride + m + j]};
                const double *const block = key + ((j / 8 * row_count + r) * columns + c) * 16;
                const Complex k = {block[j % 8], block[8 + j % 8]};
                if (r == 0) {
                    sum.re = fma(x.re, k.re, -(x.im * k.im));
                    sum.im = fma(x.re, k.im, x.im * k.re);
                } else {
                    sum.re = fma(-x.im, k.im, fma(x.re, k.re, sum.re));
                    sum.im = fma(x.im, k.re, fma(x.re, k.im, sum.im));
                }
            }
            sums[c * stride + j] = sum.re;
            sums[c * stride + m + j] = sum.im;
        }
    }
}

static void add_torus(uint64_t *words, const double *x, size_t n) {
    for (size_t j = 0; j < n; j++) {
        const double word = rint(ldexp(x[j] - rint(x[j]), 64)); /* -2^63 .. 2^63 */
        words[j] += word >= 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)(int64_t)word;
    }
}

static void keyswitch(uint64_t *sums, const int64_t *digits, const uint64_t *key, size_t columns,
                      size_t row_count, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < row_count; r++) {
            for (size_t j = 0; j < columns; j++) {
                sums[i * columns + j] +=
                    (uint64_t)digits[i * row_count + r] * key[r * columns + j];
            }
        }
    }
}

void lutra_lookup_kernels_ref(LutraLookupKernels *kernels) {
    *kernels = (LutraLookupKernels){.rotated_digits = rotated_digits,
                                    .forward = forward,
                                    .inverse = inverse,
                                    .products = products,
                                    .add_torus = add_torus,
                                    .keyswitch = keyswitch};
}
