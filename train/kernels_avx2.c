/* SPDX-License-Identifier: Apache-2.0 */
/* AVX2 versions: eight elements at a time, the same operations in the same order as _ref. */
#include "train/kernels_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* A channel function spread over vectors. */
typedef struct {
    __m256 scale;
    __m256 bias;
    __m256 mean;
    __m256 inverse_deviation;
    __m256 weight;
    __m256 shift;
    __m256 step;
    __m256 code_min;
    __m256 code_max;
    __m256 above; /* gradients pass where y is larger */
} Spread;

static inline Spread spread(const LutraChannelFunction *function) {
    return (Spread){
        .scale = _mm256_set1_ps(function->scale),
        .bias = _mm256_set1_ps(function->bias),
        .mean = _mm256_set1_ps(function->mean),
        .inverse_deviation = _mm256_set1_ps(function->inverse_deviation),
        .weight = _mm256_set1_ps(function->weight),
        .shift = _mm256_set1_ps(function->shift),
        .step = _mm256_set1_ps(function->quantizer.step),
        .code_min = _mm256_set1_ps((float)function->quantizer.code_min),
        .code_max = _mm256_set1_ps((float)function->quantizer.code_max),
        .above = _mm256_set1_ps(function->relu ? 0.0f : -HUGE_VALF),
    };
}

static inline __m256 z_of(const Spread *f, __m256 sums) {
    return _mm256_add_ps(_mm256_mul_ps(sums, f->scale), f->bias);
}

static inline __m256 x_of(const Spread *f, __m256 z) {
    return _mm256_mul_ps(_mm256_sub_ps(z, f->mean), f->inverse_deviation);
}

static inline __m256 y_of(const Spread *f, __m256 z, bool normed) {
    return normed ? _mm256_add_ps(_mm256_mul_ps(x_of(f, z), f->weight), f->shift) : z;
}

/* rint(y / step), not clamped. */
static inline __m256 unclamped(const Spread *f, __m256 y, bool divide) {
    const __m256 ratio = divide ? _mm256_div_ps(y, f->step) : y;
    return _mm256_round_ps(ratio, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __m256 pass_mask(const Spread *f, __m256 y, __m256 code) {
    const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(code, f->code_min, _CMP_GE_OQ),
                                        _mm256_cmp_ps(code, f->code_max, _CMP_LE_OQ));
    return _mm256_and_ps(inside, _mm256_cmp_ps(y, f->above, _CMP_GT_OQ));
}

static void moments_avx2(LutraMoments *moments, const float *sums, size_t count) {
    __m256d sum = _mm256_setzero_pd();
    __m256d squares = _mm256_setzero_pd();
    const size_t whole = count - (count % 8);
    for (size_t i = 0; i < whole; i += 8) {
        const __m256 values = _mm256_loadu_ps(sums + i);
        const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
        const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));
        sum = _mm256_add_pd(sum, _mm256_add_pd(low, high));
        squares = _mm256_fmadd_pd(low, low, squares);
        squares = _mm256_fmadd_pd(high, high, squares);
    }
    /* every partial sum is an integer below 2^53, so the order does not matter */
    double sum_lanes[4];
    double square_lanes[4];
    _mm256_storeu_pd(sum_lanes, sum);
    _mm256_storeu_pd(square_lanes, squares);
    LutraMoments rest;
    lutra_train_moments_ref(&rest, sums + whole, count - whole);
    for (int i = 0; i < 4; i++) {
        rest.sum += sum_lanes[i];
        rest.sum_of_squares += square_lanes[i];
    }
    *moments = rest;
}

static inline __m256i codes_of(const Spread *f, const float *sums, bool normed, bool divide) {
    const __m256 y = y_of(f, z_of(f, _mm256_loadu_ps(sums)), normed);
    const __m256 code = unclamped(f, y, divide);
    /* max takes its second operand where the first is NaN */
    const __m256 clamped = _mm256_min_ps(_mm256_max_ps(code, f->code_min), f->code_max);
    return _mm256_cvtps_epi32(_mm256_sub_ps(clamped, f->code_min));
}

static inline size_t quantize_blocks(uint8_t *bytes, const float *sums, size_t count,
                                     const Spread *f, bool normed, bool divide) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m256i low = codes_of(f, sums + i, normed, divide);
        const __m256i high = codes_of(f, sums + i + 8, normed, divide);
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
        const __m128i packed = _mm_packus_epi16(_mm256_castsi256_si128(words),
                                                _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)(void *)(bytes + i), packed);
    }
    return i;
}

static void quantize_avx2(uint8_t *bytes, const float *sums, size_t count,
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

static void gradient_sums_avx2(LutraGradientSums *result, const float *gradient, const float *sums,
                               size_t count, const LutraChannelFunction *function) {
    const Spread f = spread(function);
    const bool divide = function->quantizer.step != 1.0f;
    __m256d plain_low = _mm256_setzero_pd();
    __m256d plain_high = _mm256_setzero_pd();
    __m256d weighted_low = _mm256_setzero_pd();
    __m256d weighted_high = _mm256_setzero_pd();
    const size_t whole = count - (count % 8);
    for (size_t i = 0; i < whole; i += 8) {
        const __m256 z = z_of(&f, _mm256_loadu_ps(sums + i));
        const __m256 y = y_of(&f, z, function->normed);
        const __m256 mask = pass_mask(&f, y, unclamped(&f, y, divide));
        const __m256 inner = _mm256_loadu_ps(gradient + i);
        const __m256 g = _mm256_and_ps(inner, mask);
        const __m256 gx = _mm256_and_ps(_mm256_mul_ps(inner, x_of(&f, z)), mask);
        plain_low = _mm256_add_pd(plain_low, _mm256_cvtps_pd(_mm256_castps256_ps128(g)));
        plain_high = _mm256_add_pd(plain_high, _mm256_cvtps_pd(_mm256_extractf128_ps(g, 1)));
        weighted_low = _mm256_add_pd(weighted_low, _mm256_cvtps_pd(_mm256_castps256_ps128(gx)));
        weighted_high = _mm256_add_pd(weighted_high, _mm256_cvtps_pd(_mm256_extractf128_ps(gx, 1)));
    }
    double plain[LUTRA_TRAIN_LANES];
    double weighted[LUTRA_TRAIN_LANES];
    _mm256_storeu_pd(plain, plain_low);
    _mm256_storeu_pd(plain + 4, plain_high);
    _mm256_storeu_pd(weighted, weighted_low);
    _mm256_storeu_pd(weighted + 4, weighted_high);
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

static void gradient_apply_avx2(float *gradient, const float *sums, size_t count,
                                const LutraChannelFunction *function, LutraGradientLine line) {
    const Spread f = spread(function);
    const bool divide = function->quantizer.step != 1.0f;
    const __m256 slope = _mm256_set1_ps(line.slope);
    const __m256 constant = _mm256_set1_ps(line.constant);
    const __m256 tilt = _mm256_set1_ps(line.tilt);
    const size_t whole = count - (count % 8);
    for (size_t i = 0; i < whole; i += 8) {
        const __m256 z = z_of(&f, _mm256_loadu_ps(sums + i));
        const __m256 y = y_of(&f, z, function->normed);
        const __m256 mask = pass_mask(&f, y, unclamped(&f, y, divide));
        __m256 g = _mm256_and_ps(_mm256_loadu_ps(gradient + i), mask);
        if (function->normed) {
            g = _mm256_sub_ps(_mm256_sub_ps(_mm256_mul_ps(g, slope), constant),
                              _mm256_mul_ps(x_of(&f, z), tilt));
        }
        _mm256_storeu_ps(gradient + i, g);
    }
    lutra_train_gradient_apply_ref(gradient + whole, sums + whole, count - whole, function, line);
}

static double step_gradient_avx2(const float *gradient, const float *sums, size_t count,
                                 const LutraChannelFunction *function) {
    const Spread f = spread(function);
    __m256d low = _mm256_setzero_pd();
    __m256d high = _mm256_setzero_pd();
    const size_t whole = count - (count % 8);
    for (size_t i = 0; i < whole; i += 8) {
        const __m256 y = y_of(&f, z_of(&f, _mm256_loadu_ps(sums + i)), function->normed);
        const __m256 ratio = _mm256_div_ps(y, f.step);
        const __m256 code = _mm256_round_ps(ratio, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        const __m256 clamped = _mm256_min_ps(_mm256_max_ps(code, f.code_min), f.code_max);
        const __m256 passed = _mm256_and_ps(ratio, pass_mask(&f, y, code));
        const __m256 part =
            _mm256_mul_ps(_mm256_loadu_ps(gradient + i), _mm256_sub_ps(clamped, passed));
        low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(part)));
        high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(part, 1)));
    }
    double lanes[LUTRA_TRAIN_LANES];
    _mm256_storeu_pd(lanes, low);
    _mm256_storeu_pd(lanes + 4, high);
    for (size_t i = whole; i < count; i++) {
        lanes[i % LUTRA_TRAIN_LANES] += lutra_step_part(function, gradient[i], sums[i]);
    }
    return lutra_lanes_total(lanes);
}

static double weight_codes_avx2(float *codes, const float *weights, size_t count,
                                const LutraWeightQuantizer *quantizer, float scale) {
    const __m256 divisor = _mm256_set1_ps(scale);
    const __m256 low = _mm256_set1_ps((float)quantizer->code_min);
    const __m256 high = _mm256_set1_ps((float)quantizer->code_max);
    const __m256i sign = _mm256_set1_epi32(0x7FFFFFFF);
    const size_t whole = count - (count % 8);
    double magnitudes = 0.0;
    size_t i = 0;
    while (i < whole) {
        /* a lane holds at most 1024 * 127 here: exact */
        const size_t end = whole - i > 8192 ? i + 8192 : whole;
        __m256 lanes = _mm256_setzero_ps();
        for (; i < end; i += 8) {
            const __m256 ratio = _mm256_div_ps(_mm256_loadu_ps(weights + i), divisor);
            const __m256 code =
                _mm256_round_ps(ratio, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
            const __m256 clamped = _mm256_min_ps(_mm256_max_ps(code, low), high);
            _mm256_storeu_ps(codes + i, clamped);
            lanes = _mm256_add_ps(lanes, _mm256_and_ps(clamped, _mm256_castsi256_ps(sign)));
        }
        float stored[8];
        _mm256_storeu_ps(stored, lanes);
        for (int lane = 0; lane < 8; lane++) {
            magnitudes += (double)stored[lane];
        }
    }
    return magnitudes + lutra_train_weight_codes_ref(codes + whole, weights + whole, count - whole,
                                                     quantizer, scale);
}

static void adam_avx2(float *values, float *first, float *second, const float *gradient,
                      size_t count, const LutraAdamStep *step) {
    const __m256 first_keep = _mm256_set1_ps(step->first_keep);
    const __m256 first_take = _mm256_set1_ps(step->first_take);
    const __m256 second_keep = _mm256_set1_ps(step->second_keep);
    const __m256 second_take = _mm256_set1_ps(step->second_take);
    const __m256 correction = _mm256_set1_ps(step->second_correction);
    const __m256 epsilon = _mm256_set1_ps(step->epsilon);
    const __m256 rate = _mm256_set1_ps(step->rate);
    const __m256 decay = _mm256_set1_ps(step->decay);
    const __m256 shrink = _mm256_set1_ps(step->shrink);
    const __m256 high = _mm256_set1_ps(step->limit);
    const __m256 low = _mm256_set1_ps(-step->limit);
    const size_t whole = count - (count % 8);
    for (size_t i = 0; i < whole; i += 8) {
        const __m256 old = _mm256_loadu_ps(values + i);
        const __m256 g = _mm256_add_ps(_mm256_loadu_ps(gradient + i), _mm256_mul_ps(old, decay));
        const __m256 m = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(first + i), first_keep),
                                       _mm256_mul_ps(g, first_take));
        const __m256 v = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(second + i), second_keep),
                                       _mm256_mul_ps(_mm256_mul_ps(g, g), second_take));
        const __m256 deviation =
            _mm256_add_ps(_mm256_div_ps(_mm256_sqrt_ps(v), correction), epsilon);
        const __m256 value =
            _mm256_sub_ps(_mm256_mul_ps(old, shrink),
                          _mm256_mul_ps(rate, _mm256_div_ps(m, deviation)));
        _mm256_storeu_ps(first + i, m);
        _mm256_storeu_ps(second + i, v);
        /* both give their second operand where it is NaN */
        _mm256_storeu_ps(values + i, _mm256_min_ps(high, _mm256_max_ps(low, value)));
    }
    lutra_train_adam_ref(values + whole, first + whole, second + whole, gradient + whole,
                         count - whole, step);
}

/*
 * Four rows by 8 * VECTORS positions. A 16-bit lane adds pairs of products; the sum of magnitudes
 * of all products of a position is at most 32767, so no lane overflows and no pair saturates.
 */
static inline __attribute__((always_inline)) void products_tile(
    float *sums, const uint8_t *bytes, const uint32_t *offsets, size_t quads,
    const int8_t *weights, const int32_t corrections[4], size_t positions, const int vectors) {
    __m256i lanes[4][2];
    for (int j = 0; j < 4; j++) {
        for (int v = 0; v < vectors; v++) {
            lanes[j][v] = _mm256_setzero_si256();
        }
    }
    for (size_t q = 0; q < quads; q++) {
        const uint8_t *from = bytes + offsets[q];
        __m256i x[2];
        for (int v = 0; v < vectors; v++) {
            x[v] = _mm256_loadu_si256((const __m256i *)(const void *)(from + (32 * v)));
        }
        for (int j = 0; j < 4; j++) {
            int32_t four = 0;
            memcpy(&four, weights + (q * 16) + (4 * j), sizeof four);
            const __m256i w = _mm256_set1_epi32(four);
            for (int v = 0; v < vectors; v++) {
                lanes[j][v] = _mm256_add_epi16(lanes[j][v], _mm256_maddubs_epi16(x[v], w));
            }
        }
    }
    const __m256i ones = _mm256_set1_epi16(1);
    for (int j = 0; j < 4; j++) {
        const __m256i correction = _mm256_set1_epi32(corrections[j]);
        for (int v = 0; v < vectors; v++) {
            const __m256i whole =
                _mm256_add_epi32(_mm256_madd_epi16(lanes[j][v], ones), correction);
            _mm256_storeu_ps(sums + ((size_t)j * positions) + (8 * v), _mm256_cvtepi32_ps(whole));
        }
    }
}

static void byte_products_avx2(float *sums, const uint8_t *bytes, const uint32_t *offsets,
                               size_t quads, const int8_t *weights, const int32_t corrections[4],
                               size_t positions) {
    size_t p = 0;
    for (; p + 16 <= positions; p += 16) {
        products_tile(sums + p, bytes + (4 * p), offsets, quads, weights, corrections, positions,
                      2);
    }
    if (p + 8 <= positions) {
        products_tile(sums + p, bytes + (4 * p), offsets, quads, weights, corrections, positions,
                      1);
    }
}

static void widen_avx2(float *values, const uint8_t *bytes, size_t count, float offset) {
    const __m256 offsets = _mm256_set1_ps(offset);
    const size_t whole = count - (count % 8);
    for (size_t i = 0; i < whole; i += 8) {
        const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(bytes + i));
        _mm256_storeu_ps(values + i, _mm256_add_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eight)),
                                                   offsets));
    }
    lutra_train_widen_ref(values + whole, bytes + whole, count - whole, offset);
}

static void gather_avx2(float *patches, size_t row_stride, const float *plane,
                        const LutraConvShape *shape) {
    lutra_gather_inline(patches, row_stride, plane, shape);
}

static void scatter_avx2(float *plane, const float *patches, size_t row_stride,
                         const LutraConvShape *shape) {
    lutra_scatter_inline(plane, patches, row_stride, shape);
}

void lutra_train_kernels_avx2(LutraTrainKernels *kernels) {
    kernels->moments = moments_avx2;
    kernels->quantize = quantize_avx2;
    kernels->gradient_sums = gradient_sums_avx2;
    kernels->gradient_apply = gradient_apply_avx2;
    kernels->step_gradient = step_gradient_avx2;
    kernels->weight_codes = weight_codes_avx2;
    kernels->adam = adam_avx2;
    kernels->byte_products = byte_products_avx2;
    kernels->byte_limit = INT16_MAX;
    kernels->bytes_are_fast = true;
    kernels->widen = widen_avx2;
    kernels->gather = gather_avx2;
    kernels->scatter = scatter_avx2;
}
#endif
