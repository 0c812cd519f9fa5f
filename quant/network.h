/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network file, parsed: layers in order, with shapes worked out and checked.
 *
 * INI text. `[network]` has name and classes. Every other section but `[training]` (read by
 * train/recipe.h) is one layer with a `type`:
 *
 *   input         shape = 3x32x32, range = -1..1 (real values of pixels 0 and 255),
 *                 codes = -128..127, step = 1/128        (first layer, client side, no look-up)
 *   conv          channels, kernel, stride = 1, padding = 0, bias = no,
 *                 weight_codes = -1..1, weight_scale = fixed | max
 *   linear        features, bias = no, weight_codes, weight_scale   (flattens its input)
 *   average_pool  kernel, stride = kernel
 *   max_pool      kernel, stride = kernel                (only right after an activation of few
 *                                                         levels; one look-up per element)
 *   batch_norm    epsilon = 0.0001, momentum = 0.1
 *   activation    codes = -1..1, step = 1                (one look-up per element)
 *   tensor_norm   epsilon = 0.0001, momentum = 0.1       (only after the last linear layer)
 *
 * A layer reads the layer above it. Allowed order: input; then any number of
 * (conv | linear | average_pool)+ (batch_norm)? activation (max_pool)?; then linear (tensor_norm)?
 * at the end. A max_pool gives codes of the activation before it.
 * Padding pads with code 0. A bias may stand where the sum is finished: right before batch_norm,
 * activation, tensor_norm or the end.
 */
#ifndef LUTRA_QUANT_NETWORK_H
#define LUTRA_QUANT_NETWORK_H

#include <stdint.h>

#include "base/status.h"
#include "quant/quantizer.h"
#include "sim/circuit.h"

/* Pinned numbers. */
typedef enum {
    LUTRA_LAYER_INPUT = 0,
    LUTRA_LAYER_CONV = 1,
    LUTRA_LAYER_LINEAR = 2,
    LUTRA_LAYER_AVERAGE_POOL = 3,
    LUTRA_LAYER_BATCH_NORM = 4,
    LUTRA_LAYER_ACTIVATION = 5,
    LUTRA_LAYER_TENSOR_NORM = 6,
    LUTRA_LAYER_MAX_POOL = 7
} LutraLayerKind;

typedef struct {
    float range_min; /* real value of pixel 0 */
    float range_max; /* real value of pixel 255 */
    LutraQuantizer quantizer;
} LutraInputLayer;

typedef struct {
    uint32_t kernel; /* conv; a linear layer counts as a 1x1 kernel over in_channels features */
    uint32_t stride;
    uint32_t padding;
    uint32_t in_channels; /* linear: flattened features C*H*W */
    uint32_t out_channels;
    bool bias;
    LutraWeightQuantizer quantizer;
} LutraWeightLayer;

typedef struct {
    uint32_t kernel;
    uint32_t stride;
    LutraQuantizer codes; /* max_pool: those of the activation before it */
} LutraPoolLayer;

typedef struct {
    float epsilon;
    float momentum;
} LutraNormLayer;

typedef struct {
    char name[LUTRA_NAME_BYTES]; /* section name */
    LutraLayerKind kind;
    int line;         /* of the section's first entry */
    LutraShape shape; /* of the result */
    union {
        LutraInputLayer input;
        LutraWeightLayer weighted; /* conv and linear */
        LutraPoolLayer pool;
        LutraNormLayer norm; /* batch_norm and tensor_norm */
        LutraQuantizer activation;
    } u;
} LutraLayer;

typedef struct {
    char *name;
    char *text; /* the INI text itself */
    uint32_t class_count;
    uint32_t layer_count;
    LutraLayer *layers;
} LutraNetwork;

void lutra_network_deinit(LutraNetwork *network);

/**
 * Parses and checks. Every error is "NAME:LINE: ..." and says what would be allowed.
 *
 * @param name  what errors call the text, usually the path
 */
LUTRA_MUST_CHECK LutraStatus lutra_network_parse(LutraNetwork *network, const char *text,
                                                 const char *name, LutraError *error);

/** Reads a file and parses it. */
LUTRA_MUST_CHECK LutraStatus lutra_network_read(LutraNetwork *network, const char *path,
                                                LutraError *error);

/** Weights of a conv or linear layer: out * in * kernel * kernel; 0 for other kinds. */
size_t lutra_layer_weight_count(const LutraLayer *layer);

/** A fixed word, such as "conv". */
const char *lutra_layer_kind_name(LutraLayerKind kind);

#endif
