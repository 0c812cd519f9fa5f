/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDX files as MNIST, Fashion-MNIST and their kin come: a folder with
 * train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
 * t10k-labels-idx1-ubyte, each plain or with ".gz".
 */
#ifndef LUTRA_DATASETS_IDX_H
#define LUTRA_DATASETS_IDX_H

#include "datasets/dataset.h"

/**
 * Reads the four files. Images become (N,1,H,W); class_count is the largest label + 1.
 *
 * @param name  the dataset's name; NULL takes the folder's. If this name or the folder's is
 *              "fashion-mnist", the classes get their names; otherwise "0", "1", ...
 * @errors LUTRA_EIO a file is missing or unreadable; LUTRA_EDATA wrong magic number, truncated, too
 *         long, or counts that disagree; *dataset is unchanged then
 */
LUTRA_MUST_CHECK LutraStatus lutra_idx_read(LutraDataset *dataset, const char *folder,
                                            const char *name, LutraError *error);

#endif
