/* SPDX-License-Identifier: Apache-2.0 */
/* The state of an execution; for the files execution*.c only. */
#ifndef LUTRA_TRAIN_EXECUTION_PRIV_H
#define LUTRA_TRAIN_EXECUTION_PRIV_H

#include "train/byte_products.h"
#include "train/convolution.h"
#include "train/execution.h"
#include "train/half_convolution.h"
#include "train/norm.h"
#include "train/percentile.h"
#include "train/pool.h"
#include "train/small_convolution.h"
#include "train/sum_noise.h"
#include "train/ternary_products.h"

/* Integers in single precision are exact below this. */
#define LUTRA_EXACT_LIMIT 16777216.0

/* Where the real value of an integer stands, as lutra_accumulator_scale wants it. */
typedef struct {
    float step; /* of the codes that the sums were made from */
    float weight_scale;
    uint32_t pooled;
} LutraPendingScale;

/* What one layer keeps between forward and backward. Arrays its kind does not have are NULL. */
typedef struct {
    LutraShape in_shape;
    uint8_t *pixels;      /* input: (C,N,H,W) */
    uint8_t *bytes;       /* input, activation: (C,N,H,W) */
    float *sums;          /* conv, linear, average_pool, float input and activation: (C,N,H,W) */
    float *weight_codes;  /* conv, linear: (O,K), whole numbers */
    double *row_sums;     /* conv, linear: (O) sums of magnitudes of a row's codes */
    LutraByteWeights packed; /* conv, linear over bytes: the codes again, for the forward pass */
    bool on_bytes;           /* the last weights fit there */
    LutraTernaryWeights ternary; /* conv of ternary codes: in place of `packed` */
    double largest_row;      /* largest of row_sums */
    float weight_scale;
    double *row_pulls;    /* conv, linear with scale max: (O) gradients of the scale */
    LutraChannelFunction *functions; /* activation: (C) */
    LutraQuantizer quantizer; /* input, activation: of the last forward */
    double *step_gradients; /* input, activation with a learned step: (C) */
    bool measuring;       /* the last forward measured the threshold */
    float *mean;              /* batch_norm, tensor_norm: what the last forward used */
    float *variance;
    float inverse_deviation; /* tensor_norm */
    LutraPendingScale pending;
    float scale;    /* real value of one unit of the result */
    double bound;   /* largest magnitude of an integer of the result; 0: real numbers */
    uint32_t largest_byte; /* input, activation */
    uint32_t source; /* layer whose integers this one reads */
} LutraLayerState;

struct LutraExecution {
    LutraModel *model; /* borrowed */
    LutraExecutionSettings settings;
    LutraTrainKernels kernels;
    LutraHalfKernels halves;
    LutraSmallKernels small;
    LutraTernaryKernels ternary;
    uint32_t images; /* of the last forward */
    LutraRunMode mode; /* of the last forward */
    LutraSumNoise noise;
    uint64_t draw_seed;
    uint64_t draw_step;
    bool weights_ready; /* inference only: weights were quantized once */
    uint32_t last_weighted; /* the linear layer that gives the logits */
    LutraLayerState *layers;
    LutraLayerGradients *gradients; /* training */
    float *scratch;         /* of convolutions */
    uint32_t *counters;     /* of percentiles; training with learned steps */
    float *back[2];         /* gradients of integers, as real values; training */
    float *values;          /* logits before tensor_norm, (classes, N) */
    float *logits;          /* (classes, N) */
    float *logit_gradient;  /* training */
};

/* Sizes of a conv or linear layer over a batch. */
LutraConvShape lutra_execution_conv_shape(const LutraExecution *execution, uint32_t layer,
                                          uint32_t images);
LutraPoolShape lutra_execution_pool_shape(const LutraExecution *execution, uint32_t layer,
                                          uint32_t images);
LutraConvWorkspace lutra_execution_workspace(const LutraExecution *execution);
/* What a layer reads. */
LutraConvInput lutra_execution_source(const LutraExecution *execution, uint32_t layer);
LutraChannelBatch lutra_execution_channels(const LutraExecution *execution, uint32_t layer);
/* (O,K) the weights that a conv or linear layer multiplies with, in units of its scale. */
const float *lutra_execution_weights(const LutraExecution *execution, uint32_t layer);
/* Whether gradients by what a layer gives are asked for. */
bool lutra_execution_goes_back(const LutraExecution *execution, uint32_t layer);
/* The bias right before layer, or NULL: (channels of layer). */
const float *lutra_execution_bias(const LutraExecution *execution, uint32_t layer);

#endif
