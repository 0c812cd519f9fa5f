/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 versions of the passes over elements: sixteen at a time, the same operations in the same
 * order as _ref. */
#include <math.h>

#include "train/kernels_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = 16, NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };

/* A channel function spread over vectors. */
typedef struct {
    __m512 scale;
    __m512 bias;
    __m512 mean;
    __m512 inverse_deviation;
    __m512 weight;
    __m512 shift;
    __m512 step;
    __m512 code_min;
    __m512 code_max;
    __m512 above; /* gradients pass where y is larger */
} Spread;

static inline Spread spread(const LutraChannelFunction *function) {
    return (Spread){
        .scale = _mm512_set1_ps(function->scale),
        .bias = _mm512_set1_ps(function->bias),
        .mean = _mm512_set1_ps(function->mean),
        .inverse_deviation = _mm512_set1_ps(function->inverse_deviation),
        .weight = _mm512_set1_ps(function->weight),
        .shift = _mm512_set1_ps(function->shift),
        .step = _mm512_set1_ps(function->quantizer.step),
        .code_min = _mm512_set1_ps((float)function->quantizer.code_min),
        .code_max = _mm512_set1_ps((float)function->quantizer.code_max),
        .above = _mm512_set1_ps(function->relu ? 0.0f : -HUGE_VALF),
    };
}

static inline __m512 z_of(const Spread *f, const float *sums) {
    return _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(sums), f->scale), f->bias);
}

static inline __m512 x_of(const Spread *f, __m512 z) {
    return _mm512_mul_ps(_mm512_sub_ps(z, f->mean), f->inverse_deviation);
}

static inline __m512 y_of(const Spread *f, __m512 z, bool normed) {
    return normed ? _mm512_add_ps(_mm512_mul_ps(x_of(f, z), f->weight), f->shift) : z;
}

/* rint(y / step), not clamped. */
static inline __m512 unclamped(const Spread *f, __m512 y, bool divide) {
    return _mm512_roundscale_ps(divide ? _mm512_div_ps(y, f->step) : y, NEAREST);
}

static inline __mmask16 passing(const Spread *f, __m512 y, bool divide) {
    const __m512 code = unclamped(f, y, divide);
    return _mm512_mask_cmp_ps_mask(
        _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(code, f->code_min, _CMP_GE_OQ), code,
                                f->code_max, _CMP_LE_OQ),
        y, f->above, _CMP_GT_OQ);
}

static inline __m512d low_half(__m512 values) {
    return _mm512_cvtps_pd(_mm512_castps512_ps256(values));
}

static inline __m512d high_half(__m512 values) {
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(values, 1));
}

static void moments_avx512(LutraMoments *moments, const float *sums, size_t count) {
    __m512d sum = _mm512_setzero_pd();
    __m512d low_squares = _mm512_setzero_pd();
    __m512d high_squares = _mm512_setzero_pd();
    const size_t whole = count - (count % LANES);
    for (size_t i = 0; i < whole; i += LANES) {
        const __m512 values = _mm512_loadu_ps(sums + i);
        const __m512d low = low_half(values);
        const __m512d high = high_half(values);
        sum = _mm512_add_pd(sum, _mm512_add_pd(low, high));
        low_squares = _mm512_fmadd_pd(low, low, low_squares);
        high_squares = _mm512_fmadd_pd(high, high, high_squares);
    }
    /* every partial sum is an integer below 2^53, so the order does not matter */
    LutraMoments rest;
    lutra_train_moments_ref(&rest, sums + whole, count - whole);
    rest.sum += _mm512_reduce_add_pd(sum);
    rest.sum_of_squares += _mm512_reduce_add_pd(_mm512_add_pd(low_squares, high_squares));
    *moments = rest;
}

static inline size_t quantize_blocks(uint8_t *bytes, const float *sums, size_t count,
                                     const Spread *f, bool normed, bool divide) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const __m512 code = unclamped(f, y_of(f, z_of(f, sums + i), normed), divide);
        /* max takes its second operand where the first is NaN */
        const __m512 clamped = _mm512_min_ps(_mm512_max_ps(code, f->code_min), f->code_max);
        const __m512i words = _mm512_cvtps_epi32(_mm512_sub_ps(clamped, f->code_min));
        _mm_storeu_si128((__m128i *)(void *)(bytes + i), _mm512_cvtepi32_epi8(words));
    }
    return i;
}

static void quantize_avx512(uint8_t *bytes, const float *sums, size_t count,
                            const LutraChannelFunction *function) {
    const Spread f = spread(function);
    const bool divide = function->quantizer.step != 1.0f;
    size_t done = 0;
    if (function->normed) {
        done = divide ? quantize_blocks(bytes, sums, count, &f, true, true)
                      : quantize_blocks(bytes, sums, count, &f, true, false);
    } else {
        done = quantize_blocks(bytes, sums, count, &f, false, divide);
    }
    lutra_train_quantize_ref(bytes + done, sums + done, count - done, function);
}

static void gradient_sums_avx512(LutraGradientSums *result, const float *gradient,
                                 const float *sums, size_t count,
                                 const LutraChannelFunction *function) {
    const Spread f = spread(function);
    const bool divide = function->quantizer.step != 1.0f;
    __m512d plain_lanes = _mm512_setzero_pd();
    __m512d weighted_lanes = _mm512_setzero_pd();
    const size_t whole = count - (count % LANES);
    for (size_t i = 0; i < whole; i += LANES) {
        const __m512 z = z_of(&f, sums + i);
        const __mmask16 mask = passing(&f, y_of(&f, z, function->normed), divide);
        const __m512 g = _mm512_maskz_loadu_ps(mask, gradient + i);
        const __m512 gx = _mm512_maskz_mul_ps(mask, g, x_of(&f, z));
        plain_lanes = _mm512_add_pd(_mm512_add_pd(plain_lanes, low_half(g)), high_half(g));
        weighted_lanes =
            _mm512_add_pd(_mm512_add_pd(weighted_lanes, low_half(gx)), high_half(gx));
    }
    double plain[LUTRA_TRAIN_LANES];
    double weighted[LUTRA_TRAIN_LANES];
    _mm512_storeu_pd(plain, plain_lanes);
    _mm512_storeu_pd(weighted, weighted_lanes);
    for (size_t i = whole; i < count; i++) {
        const float z = lutra_channel_z(function, sums[i]);
        if (lutra_channel_passes(function, lutra_channel_y(function, z))) {
            const float x = (z - function->mean) * function->inverse_deviation;
            plain[i % LUTRA_TRAIN_LANES] += (double)gradient[i];
            weighted[i % LUTRA_TRAIN_LANES] += (double)(gradient[i] * x);
        }
    }
    result->gradient = lutra_lanes_total(plain);
    result->gradient_x = lutra_lanes_total(weighted);
}

static void gradient_apply_avx512(float *gradient, const float *sums, size_t count,
                                  const LutraChannelFunction *function, LutraGradientLine line) {
    const Spread f = spread(function);
    const bool divide = function->quantizer.step != 1.0f;
    const __m512 slope = _mm512_set1_ps(line.slope);
    const __m512 constant = _mm512_set1_ps(line.constant);
    const __m512 tilt = _mm512_set1_ps(line.tilt);
    const size_t whole = count - (count % LANES);
    for (size_t i = 0; i < whole; i += LANES) {
        const __m512 z = z_of(&f, sums + i);
        const __mmask16 mask = passing(&f, y_of(&f, z, function->normed), divide);
        __m512 g = _mm512_maskz_loadu_ps(mask, gradient + i);
        if (function->normed) {
            g = _mm512_sub_ps(_mm512_sub_ps(_mm512_mul_ps(g, slope), constant),
                              _mm512_mul_ps(x_of(&f, z), tilt));
        }
        _mm512_storeu_ps(gradient + i, g);
    }
    lutra_train_gradient_apply_ref(gradient + whole, sums + whole, count - whole, function, line);
}

static void close_rows_avx512(float *to, const float *from, size_t rows, size_t width,
                              size_t from_stride) {
    const size_t whole = width - (width % LANES);
    const __mmask16 rest = (__mmask16)((1u << (width % LANES)) - 1u);
    for (size_t r = 0; r < rows; r++, to += width, from += from_stride) {
        for (size_t c = 0; c < whole; c += LANES) {
            _mm512_storeu_ps(to + c, _mm512_loadu_ps(from + c));
        }
        _mm512_mask_storeu_ps(to + whole, rest, _mm512_maskz_loadu_ps(rest, from + whole));
    }
}

void lutra_train_elements_avx512(LutraTrainKernels *kernels) {
    kernels->moments = moments_avx512;
    kernels->quantize = quantize_avx512;
    kernels->gradient_sums = gradient_sums_avx512;
    kernels->gradient_apply = gradient_apply_avx512;
    kernels->close_rows = close_rows_avx512;
}
#endif
