/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights as codes and back: what inference needs of a layer, in a byte a weight.
 *
 * The latent weights that come back are code * scale, and those of the extreme code the largest
 * magnitude itself, so that quantizing them gives the same scale and the same codes, bit for bit.
 */
#ifndef LUTRA_QUANT_WEIGHT_PACKING_H
#define LUTRA_QUANT_WEIGHT_PACKING_H

#include "base/status.h"
#include "quant/quantizer.h"

/**
 * @param[out] codes    (count)
 * @param[out] largest  largest magnitude of a weight
 * @return false if the codes would not come back exactly: such weights must be kept as they are
 */
bool lutra_weights_pack(int8_t *codes, float *largest, const LutraWeightQuantizer *quantizer,
                        const float *weights, size_t count);

/**
 * @param[out] weights  (count)
 * @param      codes    (count) each within the quantizer's
 * @param      largest  finite, at least 0; not read for weight_scale fixed
 */
void lutra_weights_unpack(float *weights, const LutraWeightQuantizer *quantizer,
                          const int8_t *codes, size_t count, float largest);

#endif
