/* SPDX-License-Identifier: Apache-2.0 */
/* A model: a network with its trained numbers, as plain data. */
#ifndef LUTRA_QUANT_MODEL_H
#define LUTRA_QUANT_MODEL_H

#include "base/hdf5_file.h"
#include "quant/network.h"

/** Trained numbers of one layer; arrays that its kind does not have are NULL. All owned. */
typedef struct {
    float *weights;          /* conv (O,I,K,K), linear (O,I): latent weights */
    float *bias;             /* (O) or NULL */
    float *gamma;            /* batch_norm (C), tensor_norm (1): weight of the affine */
    float *beta;             /* same shape as gamma */
    float *running_mean;     /* same shape as gamma */
    float *running_variance; /* same shape as gamma, unbiased */
    float *threshold;        /* (1) input and activation with a learned step; 0: not measured yet */
    float *threshold_batches; /* (1) training batches that were measured for it; a whole number */
} LutraLayerParameters;

/** Figures of one epoch. NAN where not measured. */
typedef struct {
    uint32_t epoch; /* from 1 */
    double learning_rate; /* at its last step */
    double train_loss;
    double train_top1;
    double validation_loss;
    double validation_top1;
    double seconds;
} LutraEpochRecord;

typedef struct {
    LutraNetwork network;
    LutraLayerParameters *layers; /* (network.layer_count) */
    LutraEpochRecord *history;    /* (history_count) */
    uint32_t history_count;
    char *provenance; /* one JSON object: settings, data checksum, versions; may be "{}" */
} LutraModel;

void lutra_model_deinit(LutraModel *model);

/**
 * Allocates a model for a network and initialises it: latent weights U(-1, 1) for weight_scale
 * fixed, U(-b, b) with b = sqrt(6 / fan_in) for weight_scale max; bias 0, gamma 1, beta 0,
 * running mean 0, running variance 1, thresholds not measured. A pure function of `seed`. Weights
 * that are not quantized begin as those of weight_scale max.
 *
 * @param[in] network  taken: moved into the model on success, untouched on error
 */
LUTRA_MUST_CHECK LutraStatus lutra_model_create(LutraModel *model, LutraNetwork *network,
                                                uint64_t seed, LutraError *error);

/** The quantizer of an input or activation layer, with the step that its threshold gives if that is
 * learned (0 if not measured yet). Without a quantizer (float) every value passes. */
LutraQuantizer lutra_layer_quantizer(const LutraLayer *layer,
                                     const LutraLayerParameters *parameters);

/** Whether the step of the layer is learned and its threshold not measured yet. */
bool lutra_layer_is_unmeasured(const LutraLayer *layer, const LutraLayerParameters *parameters);

/** Floats in gamma, beta and the running statistics of a layer: C, 1, or 0 for other kinds. */
size_t lutra_layer_norm_count(const LutraLayer *layer);

/**
 * The model's groups in an open HDF5 file, so that a checkpoint can put the training state beside
 * them. Format in docs/formats.md.
 */
LUTRA_MUST_CHECK LutraStatus lutra_model_write_groups(const LutraModel *model, LutraH5 *file,
                                                      LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_model_read_groups(LutraModel *model, LutraH5 *file,
                                                     LutraError *error);

/** A whole model file. */
LUTRA_MUST_CHECK LutraStatus lutra_model_write(const LutraModel *model, const char *path,
                                               bool force, LutraError *error);

/**
 * A model file that holds what inference needs, in a quarter of the space or less: weights as codes
 * (weight_packing.h). Every logit is the same; the latent weights between two codes are lost, so a
 * training goes on from it as from --init.
 *
 * @param[out] kept  layers whose weights would not have come back exactly and stayed as they are
 */
LUTRA_MUST_CHECK LutraStatus lutra_model_write_packed(const LutraModel *model, const char *path,
                                                      bool force, uint32_t *kept,
                                                      LutraError *error);

/** Reads both kinds. */
LUTRA_MUST_CHECK LutraStatus lutra_model_read(LutraModel *model, const char *path,
                                              LutraError *error);

#endif
