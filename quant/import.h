/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of other programs into a model, by name and position.
 *
 * A layer NAME with weights takes the arrays NAME.weight and NAME.bias of the file if there is one
 * of that name. Otherwise, as in torchvision's models: the n-th conv layer takes the n-th of the
 * arrays features.N.weight of rank 4, in the order of N, with features.N.bias, and there must be as
 * many of both; the n-th linear layer takes the n-th of classifier.N.weight if there are as many,
 * and keeps its numbers if not (a file for another number of classes has another head). Shapes are
 * (O,I,K,K) and (O,I), as here. Layers of batch_norm keep their numbers.
 */
#ifndef LUTRA_QUANT_IMPORT_H
#define LUTRA_QUANT_IMPORT_H

#include "base/tensor_file.h"
#include "quant/model.h"

typedef struct {
    uint32_t copied; /* layers whose weights were in the file */
    uint32_t kept;   /* layers with weights that were not */
    uint32_t unused; /* arrays of the file that no layer took */
    char first_kept[LUTRA_NAME_BYTES];   /* "" for none */
    char first_unused[LUTRA_NAME_BYTES]; /* "" for none; cut if long */
} LutraImportReport;

/**
 * @param[in,out] model  unchanged on error
 * @errors LUTRA_EDATA an array has another shape than its layer, with both; a bias is missing;
 *         there are more or fewer arrays than layers; none fits; a number is not finite
 */
LUTRA_MUST_CHECK LutraStatus lutra_import_weights(LutraModel *model, const LutraTensorFile *file,
                                                  LutraImportReport *report, LutraError *error);

#endif
