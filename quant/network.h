/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network file, parsed: layers in order, with shapes worked out and checked.
 *
 * INI text. `[network]` has name and classes. Every other section but `[training]` (read by
 * train/recipe.h) is one layer with a `type`:
 *
 *   input         shape = 3x32x32, range = -1..1 (real values of pixels 0 and 255),
 *                 mean = 0.5, deviation = 0.25 (then x = (value - mean) / deviation; one number or
 *                 one for each channel, "0.49, 0.48, 0.45"),
 *                 codes = -128..127, step = 1/128        (first layer, client side, no look-up)
 *   conv          channels, kernel, stride = 1, padding = 0, bias = no,
 *                 weight_codes = -1..1 | float, weight_scale = fixed | max
 *   linear        features, bias = no, weight_codes, weight_scale   (flattens its input)
 *   average_pool  kernel, stride = kernel
 *   max_pool      kernel, stride = kernel                (only right after an activation of few
 *                                                         levels; one look-up per element)
 *   batch_norm    epsilon = 0.0001, momentum = 0.1
 *   activation    codes = -1..1, step = 1, function = none | relu   (one look-up per element)
 *   tensor_norm   epsilon = 0.0001, momentum = 0.1       (only after the last linear layer)
 *
 * `step = learned` makes the step of an input or activation a trained number: threshold / -code_min
 * (/ code_max if no code is negative), the threshold first being the average over some training
 * batches of a high percentile of |x| (train/recipe.h). `function = relu` puts max(x, 0) before the
 * quantizer; of signed codes only 0 .. code_max then remain. `float` in place of codes leaves a
 * quantizer out (then without step or weight_scale): such a network can be trained and evaluated
 * and give its weights to a quantized one, but has no circuit.
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

enum { LUTRA_MAX_INPUT_STATISTICS = 16 };

typedef struct {
    float range_min; /* real value of pixel 0 */
    float range_max; /* real value of pixel 255 */
    uint32_t mean_count; /* 0: none is subtracted; 1: the same for all channels; else C */
    uint32_t deviation_count; /* the same for the divisor */
    float mean[LUTRA_MAX_INPUT_STATISTICS];
    float deviation[LUTRA_MAX_INPUT_STATISTICS];
    LutraQuantizer quantizer; /* read lutra_layer_quantizer if the step may be learned */
} LutraInputLayer;

/** How the quantizer of an input or activation came about. */
typedef struct {
    bool is_float; /* no quantizer */
    bool learned;  /* the step is threshold / divisor; the quantizer's own step is 0 */
    bool relu;
    float divisor;
} LutraCoding;

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
    LutraCoding coding; /* input, activation */
    union {
        LutraInputLayer input;
        LutraWeightLayer weighted; /* conv and linear */
        LutraPoolLayer pool;
        LutraNormLayer norm; /* batch_norm and tensor_norm */
        LutraQuantizer activation; /* read lutra_layer_quantizer if the step may be learned */
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

/** Whether the layer has no quantizer where it could have one: weights, input or activation. */
bool lutra_layer_is_float(const LutraLayer *layer);

/** A fixed word, such as "conv". */
const char *lutra_layer_kind_name(LutraLayerKind kind);

#endif
