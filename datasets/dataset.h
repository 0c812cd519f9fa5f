/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset: labelled 8-bit images in two splits, one HDF5 file. */
#ifndef LUTRA_DATASETS_DATASET_H
#define LUTRA_DATASETS_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef enum { LUTRA_SPLIT_TRAIN = 0, LUTRA_SPLIT_TEST = 1 } LutraSplitKind;

enum { LUTRA_MAX_CLASSES = 1000, LUTRA_CHECKSUM_BYTES = 17 };

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
    char **class_names;   /* (class_count) */
    LutraSplit splits[2]; /* indexed by LutraSplitKind; a split that was not loaded has count 0 */
    uint64_t stored_counts[2]; /* images of each split in the file */
    /** 16 hex digits over images and labels of both splits, set by reading */
    char checksum[LUTRA_CHECKSUM_BYTES];
} LutraDataset;

/** Frees everything and zeroes. */
void lutra_dataset_deinit(LutraDataset *dataset);

/* ---- what readers of foreign formats use; the dataset starts zeroed ---- */

/** Sets name and source (copied), freeing earlier ones. */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_set_origin(LutraDataset *dataset, const char *name,
                                                      const char *source, LutraError *error);

/**
 * Sets class_count and class_names (copied). `names` NULL gives "0", "1", ...
 *
 * @errors LUTRA_EDATA no class, more than LUTRA_MAX_CLASSES, or a name that is empty, longer than
 *         100 bytes or holds a control character
 */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_set_classes(LutraDataset *dataset,
                                                       const char *const *names, uint32_t count,
                                                       LutraError *error);

/**
 * Allocates zeroed images and labels of one split for the dataset's channels, height and width,
 * which must be set, and stores the count.
 *
 * @errors LUTRA_EDATA impossible shape or more than 2^36 bytes of images; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_allocate_split(LutraDataset *dataset,
                                                          LutraSplitKind split, uint64_t count,
                                                          LutraError *error);

/** Checks that every label is below class_count; LUTRA_EDATA names `path` and the image. */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_check_labels(const LutraDataset *dataset,
                                                        const char *path, LutraError *error);

/** The checksum that a file of this dataset has: 16 hex digits over both splits, which must be
 * loaded whole. */
void lutra_dataset_checksum(char text[LUTRA_CHECKSUM_BYTES], const LutraDataset *dataset);

/** "train" or "test". */
const char *lutra_split_name(LutraSplitKind split);

/* ---- the store ---- */

/**
 * Reads a dataset file. A split that is loaded whole is checked against its stored checksum.
 *
 * @param split_mask  1 << LUTRA_SPLIT_TRAIN | 1 << LUTRA_SPLIT_TEST: which splits to load
 * @param limit       load at most this many images of each split from its start; 0 = all
 * @errors LUTRA_EIO cannot open; LUTRA_EDATA not a dataset, damaged, or a label out of range;
 *         *dataset is unchanged then
 */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_read(LutraDataset *dataset, const char *path,
                                                uint32_t split_mask, uint64_t limit,
                                                LutraError *error);

/**
 * Writes both splits and their checksums. Equal datasets give equal files.
 *
 * File: attributes format ("lutra.dataset/1"), name, source, checksum, class_names (one a line);
 * per split with images: SPLIT/images u8 (N,C,H,W), SPLIT/labels u16 (N), attribute checksum.
 */
LUTRA_MUST_CHECK LutraStatus lutra_dataset_write(const LutraDataset *dataset, const char *path,
                                                 bool force, LutraError *error);

#endif
