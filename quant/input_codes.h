/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of the input: 8-bit pixels to codes, one definition for training and FHE. */
#ifndef LUTRA_QUANT_INPUT_CODES_H
#define LUTRA_QUANT_INPUT_CODES_H

#include "quant/network.h"

/** Real value of a pixel, 0 .. 255: range_min + pixel * (range_max - range_min) / 255, evaluated
 * from left to right in single precision. */
static inline float lutra_pixel_value(const LutraInputLayer *input, uint32_t pixel) {
    return input->range_min + ((float)pixel * (input->range_max - input->range_min)) / 255.0f;
}

/** Codes of all pixels. */
static inline void lutra_pixel_codes(int16_t codes[256], const LutraInputLayer *input) {
    for (uint32_t pixel = 0; pixel < 256; pixel++) {
        codes[pixel] = (int16_t)lutra_quantizer_code(&input->quantizer,
                                                     lutra_pixel_value(input, pixel));
    }
}

#endif
