/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CIFAR-10 and CIFAR-100 as their authors publish them, in the binary or the Python layout:
 *
 *   CIFAR-10   data_batch_1.bin .. data_batch_5.bin, test_batch.bin, batches.meta.txt
 *              data_batch_1 .. data_batch_5, test_batch, batches.meta      (pickles)
 *   CIFAR-100  train.bin, test.bin, fine_label_names.txt
 *              train, test, meta                                            (pickles)
 *
 * The folder may also be the one above, as the archives unpack it.
 */
#ifndef LUTRA_DATASETS_CIFAR_H
#define LUTRA_DATASETS_CIFAR_H

#include "datasets/dataset.h"

/* Pinned numbers: the classes. */
typedef enum { LUTRA_CIFAR_10 = 10, LUTRA_CIFAR_100 = 100 } LutraCifarKind;

/**
 * Reads train and test images (N,3,32,32), CIFAR-100 with its fine labels. All CIFAR-10 batches
 * must hold equally many images, so that a batch that was cut between two images is noticed.
 *
 * @param name  the dataset's name; NULL gives "cifar-10" or "cifar-100"
 * @errors LUTRA_EIO a file is missing or unreadable; LUTRA_EDATA truncated, foreign, a label out of
 *         range or counts that disagree; *dataset is unchanged then
 */
LUTRA_MUST_CHECK LutraStatus lutra_cifar_read(LutraDataset *dataset, LutraCifarKind kind,
                                              const char *folder, const char *name,
                                              LutraError *error);

#endif
