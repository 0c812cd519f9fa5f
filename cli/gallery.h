/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of samples with what was predicted for them. */
#ifndef LUTRA_CLI_GALLERY_H
#define LUTRA_CLI_GALLERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "datasets/dataset.h"

/**
 * Draws the first images of a split with true and predicted class; wrong predictions are framed.
 *
 * @param title        heading of the picture
 * @param predictions  (count) predicted classes of the split's first images
 * @param count        drawn: at most 40
 */
LUTRA_MUST_CHECK LutraStatus cli_gallery_write(const char *title, const LutraDataset *dataset,
                                               LutraSplitKind split, const uint32_t *predictions,
                                               uint64_t count, const char *path, bool force,
                                               LutraError *error);

#endif
