/* SPDX-License-Identifier: Apache-2.0 */
/* The reference versions: plain loops that say what the faster ones must give. */
#include "base/cpu.h"
#include "train/kernels_priv.h"

void lutra_train_moments_ref(LutraMoments *moments, const float *sums, size_t count) {
    LutraMoments total = {0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        const double value = (double)sums[i];
        total.sum += value;
        total.sum_of_squares += value * value;
    }
    *moments = total;
}

void lutra_train_quantize_ref(uint8_t *bytes, const float *sums, size_t count,
                              const LutraChannelFunction *function) {
    for (size_t i = 0; i < count; i++) {
        const float y = lutra_channel_y(function, lutra_channel_z(function, sums[i]));
        bytes[i] =
            (uint8_t)(lutra_quantizer_code(&function->quantizer, y) - function->quantizer.code_min);
    }
}

void lutra_train_gradient_sums_ref(LutraGradientSums *result, const float *gradient,
                                   const float *sums, size_t count,
                                   const LutraChannelFunction *function) {
    double plain[LUTRA_TRAIN_LANES] = {0.0};
    double weighted[LUTRA_TRAIN_LANES] = {0.0};
    for (size_t i = 0; i < count; i++) {
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

void lutra_train_gradient_apply_ref(float *gradient, const float *sums, size_t count,
                                    const LutraChannelFunction *function, LutraGradientLine line) {
    for (size_t i = 0; i < count; i++) {
        const float z = lutra_channel_z(function, sums[i]);
        const bool passes = lutra_channel_passes(function, lutra_channel_y(function, z));
        const float inner = passes ? gradient[i] : 0.0f;
        if (function->normed) {
            const float x = (z - function->mean) * function->inverse_deviation;
            gradient[i] = ((inner * line.slope) - line.constant) - (x * line.tilt);
        } else {
            gradient[i] = inner;
        }
    }
}

double lutra_train_step_gradient_ref(const float *gradient, const float *sums, size_t count,
                                     const LutraChannelFunction *function) {
    double lanes[LUTRA_TRAIN_LANES] = {0.0};
    for (size_t i = 0; i < count; i++) {
        lanes[i % LUTRA_TRAIN_LANES] += lutra_step_part(function, gradient[i], sums[i]);
    }
    return lutra_lanes_total(lanes);
}

double lutra_train_weight_codes_ref(float *codes, const float *weights, size_t count,
                                    const LutraWeightQuantizer *quantizer, float scale) {
    double magnitudes = 0.0;
    for (size_t i = 0; i < count; i++) {
        int8_t code = 0;
        lutra_weight_codes(&code, quantizer, weights + i, 1, scale);
        codes[i] = (float)code;
        magnitudes += fabs((double)code);
    }
    return magnitudes;
}

void lutra_train_adam_ref(float *values, float *first, float *second, const float *gradient,
                          size_t count, const LutraAdamStep *step) {
    for (size_t i = 0; i < count; i++) {
        const float g = gradient[i] + (values[i] * step->decay);
        first[i] = (first[i] * step->first_keep) + (g * step->first_take);
        second[i] = (second[i] * step->second_keep) + ((g * g) * step->second_take);
        const float deviation = (sqrtf(second[i]) / step->second_correction) + step->epsilon;
        const float value = (values[i] * step->shrink) - (step->rate * (first[i] / deviation));
        /* a NaN passes both comparisons and stays visible */
        values[i] = value < -step->limit ? -step->limit : value > step->limit ? step->limit : value;
    }
}

void lutra_train_byte_products_ref(float *sums, const uint8_t *bytes, const uint32_t *offsets,
                                   size_t quads, const int8_t *weights,
                                   const int32_t corrections[4], size_t positions) {
    for (size_t j = 0; j < 4; j++) {
        for (size_t p = 0; p < positions; p++) {
            int32_t total = corrections[j];
            for (size_t q = 0; q < quads; q++) {
                for (size_t i = 0; i < 4; i++) {
                    total += bytes[offsets[q] + (4 * p) + i] * weights[(((q * 4) + j) * 4) + i];
                }
            }
            sums[(j * positions) + p] = (float)total;
        }
    }
}

void lutra_train_close_rows_ref(float *to, const float *from, size_t rows, size_t width,
                                size_t from_stride) {
    for (size_t r = 0; r < rows; r++) {
        memcpy(to + (r * width), from + (r * from_stride), width * sizeof *to);
    }
}

void lutra_train_widen_ref(float *values, const uint8_t *bytes, size_t count, float offset) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)bytes[i] + offset;
    }
}

void lutra_train_gather_ref(float *patches, size_t row_stride, const float *plane,
                            const LutraConvShape *shape) {
    lutra_gather_inline(patches, row_stride, plane, shape);
}

void lutra_train_scatter_ref(float *plane, const float *patches, size_t row_stride,
                             const LutraConvShape *shape) {
    lutra_scatter_inline(plane, patches, row_stride, shape);
}

void lutra_train_kernels_init(LutraTrainKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraTrainKernels){
        .moments = lutra_train_moments_ref,
        .quantize = lutra_train_quantize_ref,
        .gradient_sums = lutra_train_gradient_sums_ref,
        .gradient_apply = lutra_train_gradient_apply_ref,
        .step_gradient = lutra_train_step_gradient_ref,
        .weight_codes = lutra_train_weight_codes_ref,
        .adam = lutra_train_adam_ref,
        .byte_products = lutra_train_byte_products_ref,
        .byte_limit = 1 << 30,
        .close_rows = lutra_train_close_rows_ref,
        .widen = lutra_train_widen_ref,
        .gather = lutra_train_gather_ref,
        .scatter = lutra_train_scatter_ref,
    };
#if defined(__x86_64__)
    if ((cpu_flags & LUTRA_CPU_AVX2) != 0) {
        lutra_train_kernels_avx2(kernels);
    }
    if ((cpu_flags & LUTRA_CPU_AVX512) != 0) {
        lutra_train_elements_avx512(kernels);
    }
    const uint32_t wide = LUTRA_CPU_AVX512 | LUTRA_CPU_VNNI;
    if ((cpu_flags & wide) == wide) {
        lutra_train_kernels_avx512(kernels);
    }
#else
    (void)cpu_flags;
#endif
}
