/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of one's own as PNG files: FOLDER/train/CLASS/NAME.png and FOLDER/test/CLASS/NAME.png.
 */
#ifndef LUTRA_DATASETS_PNG_FOLDER_H
#define LUTRA_DATASETS_PNG_FOLDER_H

#include "datasets/dataset.h"

/**
 * Reads all images of both splits; FOLDER/test may be missing. Classes are the folder names below
 * train in strcmp order. Images of a split come class by class in turns (first of each class,
 * second of each class, ...), each class in strcmp order of its files, so that any beginning of a
 * split has all classes. If every pixel of every image is grey, images become (N,1,H,W), otherwise
 * (N,3,H,W).
 *
 * @param name  the dataset's name; NULL takes the folder's
 * @errors LUTRA_EIO a folder or file cannot be read; LUTRA_EDATA no images, a damaged image, images
 *         of different sizes, or a test class that train does not have; *dataset is unchanged then
 */
LUTRA_MUST_CHECK LutraStatus lutra_png_folder_read(LutraDataset *dataset, const char *folder,
                                                   const char *name, LutraError *error);

#endif
