/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of training share: a few noisy images to learn, comparisons of models bit by bit. */
#ifndef LUTRA_TESTS_SUPPORT_TOY_TRAINING_H
#define LUTRA_TESTS_SUPPORT_TOY_TRAINING_H

#include "datasets/dataset.h"
#include "quant/model.h"
#include "train/execution.h"

/** Pixels of class k are k * step and noise below `noise`. */
typedef struct {
    uint32_t channels;
    uint32_t side; /* height and width */
    uint32_t classes;
    uint32_t images; /* of the training split; the test split is empty */
    uint32_t noise;
    uint32_t step;
} ToyImages;

/** Fills the arrays and a dataset called "toy" that borrows them. */
void toy_dataset(LutraDataset *data, char name[8], uint8_t *images, uint16_t *labels,
                 const ToyImages *toy);

/** Both NULL, or the same bits. */
void check_same_array(const float *a, const float *b, size_t count);

/** Every trained or measured number of all layers. */
void check_same_layers(const LutraModel *a, const LutraModel *b);

/** The arrays of every layer of `network`. */
void check_same_gradients(const LutraLayerGradients *a, const LutraLayerGradients *b,
                          const LutraNetwork *network);

/** All records of epochs but for their seconds. */
void check_same_history(const LutraModel *a, const LutraModel *b);

#endif
