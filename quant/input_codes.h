/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of the input: 8-bit pixels to codes, one definition for training and FHE. */
#ifndef LUTRA_QUANT_INPUT_CODES_H
#define LUTRA_QUANT_INPUT_CODES_H

#include "quant/network.h"

/**
 * Real value of a pixel, 0 .. 255, of one channel: range_min + pixel * (range_max - range_min) /
 * 255, less the mean, divided by the deviation; evaluated from left to right in single precision.
 */
static inline float lutra_pixel_value(const LutraInputLayer *input, uint32_t channel,
                                      uint32_t pixel) {
    const float span = input->range_max - input->range_min;
    float value = input->range_min + ((float)pixel * span) / 255.0f;
    if (input->mean_count > 0) {
        value -= input->mean[input->mean_count == 1 ? 0 : channel];
    }
    if (input->deviation_count > 0) {
        value /= input->deviation[input->deviation_count == 1 ? 0 : channel];
    }
    return value;
}

/** Codes of all pixels of one channel, by the quantizer that lutra_layer_quantizer gives. */
static inline void lutra_pixel_codes(int16_t codes[256], const LutraInputLayer *input,
                                     const LutraQuantizer *quantizer, uint32_t channel) {
    for (uint32_t pixel = 0; pixel < 256; pixel++) {
        codes[pixel] =
            (int16_t)lutra_quantizer_code(quantizer, lutra_pixel_value(input, channel, pixel));
    }
}

#endif
