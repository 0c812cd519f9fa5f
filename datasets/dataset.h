/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset: labelled 8-bit images in two splits, one HDF5 file. */
#ifndef LUTRA_DATASETS_DATASET_H
#define LUTRA_DATASETS_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef enum { LUTRA_SPLIT_TRAIN = 0, LUTRA_SPLIT_TEST = 1 } LutraSplitKind;

enum { LUTRA_MAX_CLASSES = 1000 };

/** One split in memory. */
typedef struct {
    uint64_t count;
    uint8_t *images;  /* (count, C, H, W), owned */
    uint16_t *labels; /* (count), each < class_count, owned */
} LutraSplit;

typedef struct {
    char *name;   /* such as "fashion-mnist" */
    char *source; /* where it came from and in what form, one line for reports */
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    uint32_t class_count;
    char **class_names; /* (class_count) */
    LutraSplit splits[2]; /* indexed by LutraSplitKind; a split that was not loaded has count 0 */
    uint64_t stored_counts[2]; /* images of each split in the file */
    char checksum[17]; /* hex of a 64-bit checksum over images and labels of both splits */
} LutraDataset;

void lutra_dataset_deinit(LutraDataset *dataset);

/**
 * Reads a dataset file.
 *
 * @param split_mask  1 << LUTRA_SPLIT_TRAIN | 1 << LUTRA_SPLIT_TEST: which splits to load
 * @param limit       load at most this many images of each split from its start; 0 = all
 */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_read(LutraDataset *dataset, const char *path,
                                                uint32_t split_mask, uint64_t limit,
                                                LutraError *error);

/** Writes both splits; computes the checksum. */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_write(const LutraDataset *dataset, const char *path,
                                                 bool force, LutraError *error);

#endif
