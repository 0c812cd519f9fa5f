/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/weight_packing.h"

/* What lutra_weight_scale gives for weights whose largest magnitude is `largest`. */
static float scale_of_largest(const LutraWeightQuantizer *quantizer, float largest) {
    return lutra_weight_scale(quantizer, &largest, 1);
}

/* The weight at `index` that comes back; `extreme` is the first index that stands for the largest
 * magnitude although its code is not code_max or -code_max, or any larger number. */
static float unpacked(const LutraWeightQuantizer *quantizer, int8_t code, size_t index,
                      size_t extreme, float scale, float largest) {
    if (code == quantizer->code_max) {
        return largest;
    }
    if (code == -quantizer->code_max || index == extreme) {
        return -largest;
    }
    return (float)code * scale;
}

/* With fewer negative codes than positive ones the largest magnitude may be that of a negative
 * weight, which was clamped to code_min. */
static size_t find_extreme(const LutraWeightQuantizer *quantizer, const int8_t *codes,
                           size_t count) {
    size_t first_lowest = count;
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == quantizer->code_max || codes[i] == -quantizer->code_max) {
            return count;
        }
        if (codes[i] == quantizer->code_min && first_lowest == count) {
            first_lowest = i;
        }
    }
    return first_lowest;
}

bool lutra_weights_pack(int8_t *codes, float *largest, const LutraWeightQuantizer *quantizer,
                        const float *weights, size_t count) {
    const float scale = lutra_weight_scale(quantizer, weights, count);
    lutra_weight_codes(codes, quantizer, weights, count, scale);
    *largest = 0.0f;
    for (size_t i = 0; i < count; i++) {
        *largest = fabsf(weights[i]) > *largest ? fabsf(weights[i]) : *largest;
    }
    if (quantizer->scale == LUTRA_WEIGHT_SCALE_FIXED) {
        return true;
    }
    const size_t extreme = find_extreme(quantizer, codes, count);
    float most = 0.0f;
    for (size_t i = 0; i < count; i++) {
        const float weight = unpacked(quantizer, codes[i], i, extreme, scale, *largest);
        int8_t again = 0;
        lutra_weight_codes(&again, quantizer, &weight, 1, scale);
        if (again != codes[i]) {
            return false;
        }
        most = fabsf(weight) > most ? fabsf(weight) : most;
    }
    return scale_of_largest(quantizer, most) == scale &&
           scale_of_largest(quantizer, *largest) == scale;
}

void lutra_weights_unpack(float *weights, const LutraWeightQuantizer *quantizer,
                          const int8_t *codes, size_t count, float largest) {
    if (quantizer->scale == LUTRA_WEIGHT_SCALE_FIXED) {
        for (size_t i = 0; i < count; i++) {
            weights[i] = (float)codes[i];
        }
        return;
    }
    const float scale = scale_of_largest(quantizer, largest);
    const size_t extreme = find_extreme(quantizer, codes, count);
    for (size_t i = 0; i < count; i++) {
        weights[i] = unpacked(quantizer, codes[i], i, extreme, scale, largest);
    }
}
