/* SPDX-License-Identifier: Apache-2.0 */
/* Weight quantizers; the activation quantizer stands inline in the header. */
#include "quant/quantizer.h"

float lutra_weight_scale(const LutraWeightQuantizer *quantizer, const float *weights,
                         size_t count) {
    if (quantizer->scale != LUTRA_WEIGHT_SCALE_MAX) {
        return 1.0f;
    }
    float largest = 0.0f;
    for (size_t i = 0; i < count; i++) {
        const float magnitude = fabsf(weights[i]);
        if (magnitude > largest) {
            largest = magnitude;
        }
    }
    const float scale = largest / (float)quantizer->code_max;
    return scale > 0.0f ? scale : 1.0f; /* also where the division underflows */
}

void lutra_weight_codes(int8_t *codes, const LutraWeightQuantizer *quantizer, const float *weights,
                        size_t count, float scale) {
    const float low = (float)quantizer->code_min;
    const float high = (float)quantizer->code_max;
    for (size_t i = 0; i < count; i++) {
        float code = rintf(weights[i] / scale);
        if (!(code > low)) { /* NaN too */
            code = low;
        } else if (code > high) {
            code = high;
        }
        codes[i] = (int8_t)code;
    }
}
