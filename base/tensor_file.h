/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of named arrays of real numbers that other programs write: safetensors, or HDF5 with the
 * arrays in its root.
 *
 * A safetensors file is 8 bytes with the length of a JSON header (little-endian), the header
 * {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [from, to]}, ..., "__metadata__": {..}},
 * then the data, row-major and little-endian. dtype F32, F64, F16 and BF16 are read; arrays of
 * other types are listed and cannot be read.
 *
 * @source the format description of the safetensors library
 */
#ifndef LUTRA_BASE_TENSOR_FILE_H
#define LUTRA_BASE_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/status.h"

enum { LUTRA_TENSOR_MAX_RANK = 8 };

typedef enum {
    LUTRA_TENSOR_OTHER = 0, /* cannot be read */
    LUTRA_TENSOR_F32,
    LUTRA_TENSOR_F64,
    LUTRA_TENSOR_F16,
    LUTRA_TENSOR_BF16
} LutraTensorType;

typedef struct {
    char *name;
    LutraTensorType type;
    uint32_t rank;
    uint64_t dims[LUTRA_TENSOR_MAX_RANK];
    uint64_t count;      /* product of dims; below 2^32 for types that can be read */
    const uint8_t *data; /* in a safetensors file's bytes; NULL in HDF5 */
} LutraTensor;

typedef struct {
    char *path;
    LutraBytes bytes; /* of a safetensors file */
    struct LutraH5 *hdf5; /* NULL for safetensors */
    size_t count;
    LutraTensor *tensors; /* (count) */
} LutraTensorFile;

void lutra_tensor_file_deinit(LutraTensorFile *file);

/**
 * Lists a file. Which kind it is, its first bytes say.
 *
 * @errors LUTRA_EIO; LUTRA_EDATA neither kind, damaged, or larger than 4 GiB
 */
LUTRA_MUST_CHECK LutraStatus lutra_tensor_file_open(LutraTensorFile *file, const char *path,
                                                    LutraError *error);

/**
 * The same for the bytes of a safetensors file.
 *
 * @param bytes  taken on success, untouched on error
 * @param name   what errors call the file
 */
LUTRA_MUST_CHECK LutraStatus lutra_safetensors_parse(LutraTensorFile *file, LutraBytes *bytes,
                                                     const char *name, LutraError *error);

/** The array of this name, or NULL. */
const LutraTensor *lutra_tensor_find(const LutraTensorFile *file, const char *name);

/**
 * The numbers of one array, rounded to single precision.
 *
 * @param[out] values  (tensor->count); partly written on error
 * @errors LUTRA_EDATA a type that cannot be read, or a number that is not finite; it names both
 */
LUTRA_MUST_CHECK LutraStatus lutra_tensor_read(float *values, const LutraTensorFile *file,
                                               const LutraTensor *tensor, LutraError *error);

/** "64x3x3x3"; "" for rank 0. */
void lutra_tensor_shape_text(char text[128], uint32_t rank, const uint64_t *dims);

#endif
