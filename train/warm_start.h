/* SPDX-License-Identifier: Apache-2.0 */
/* Begin a training with the numbers of another model. */
#ifndef LUTRA_TRAIN_WARM_START_H
#define LUTRA_TRAIN_WARM_START_H

#include "quant/model.h"

/**
 * Copies trained numbers and running statistics into every layer of `model` for which `from` has
 * one of the same name, kind and sizes, and thresholds of learned steps into those of the same
 * name; other layers keep theirs. The history is not copied.
 *
 * @param[out] copied  layers with numbers that were copied; NULL if not wanted
 * @param[out] kept    layers with numbers that `from` does not have; NULL if not wanted
 * @errors LUTRA_EDATA a layer of the same name has another kind or size, or none has the same name;
 *         `model` is unchanged then
 */
LUTRA_MUST_CHECK LutraStatus lutra_warm_start(LutraModel *model, const LutraModel *from,
                                              uint32_t *copied, uint32_t *kept, LutraError *error);

#endif
