/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tensor_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hdf5_file.h"
#include "base/json.h"
#include "base/memory.h"

enum { LENGTH_BYTES = 8, MAX_HEADER_BYTES = 1 << 26, MAX_TENSORS = 65536, MAX_NAME_BYTES = 255 };

static const uint64_t MAX_FILE_BYTES = UINT64_C(1) << 32;

void lutra_tensor_file_deinit(LutraTensorFile *file) {
    for (size_t i = 0; file->tensors != NULL && i < file->count; i++) {
        lutra_free(&file->tensors[i].name);
    }
    lutra_free(&file->tensors);
    lutra_free(&file->path);
    lutra_bytes_deinit(&file->bytes);
    lutra_h5_close(&file->hdf5);
    *file = (LutraTensorFile){0};
}

void lutra_tensor_shape_text(char text[128], uint32_t rank, const uint64_t *dims) {
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t r = 0; r < rank && used < 100; r++) {
        used += (size_t)snprintf(text + used, 128 - used, "%s%llu", r == 0 ? "" : "x",
                                 (unsigned long long)dims[r]);
    }
}

static size_t type_bytes(LutraTensorType type) {
    return type == LUTRA_TENSOR_F64   ? 8
           : type == LUTRA_TENSOR_F32 ? 4
                                      : 2;
}

/* Sets the number of elements; false from 2^32 on. */
static bool set_count(LutraTensor *tensor) {
    tensor->count = 1;
    for (uint32_t r = 0; r < tensor->rank; r++) {
        const uint64_t dim = tensor->dims[r];
        if (dim > UINT32_MAX || (tensor->count *= dim) > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

static LutraStatus damaged(const char *path, const char *name, const char *what,
                           LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA, "'%s': tensor '%.100s' %s", path, name, what);
}

/* ---- safetensors ---- */

static LutraTensorType type_of(const char *word) {
    static const struct {
        const char *word;
        LutraTensorType type;
    } types[] = {{"F32", LUTRA_TENSOR_F32},
                 {"F64", LUTRA_TENSOR_F64},
                 {"F16", LUTRA_TENSOR_F16},
                 {"BF16", LUTRA_TENSOR_BF16}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].word, word) == 0) {
            return types[i].type;
        }
    }
    return LUTRA_TENSOR_OTHER;
}

/* Numbers of an array, at most `most`; false if it holds anything else. */
static bool read_numbers(uint64_t *numbers, uint32_t *count, uint32_t most,
                         const LutraJsonValue *array) {
    uint32_t used = 0;
    if (array == NULL || lutra_json_is_object(array) || lutra_json_string(array) != NULL) {
        return false;
    }
    for (const LutraJsonValue *v = lutra_json_first(array); v != NULL; v = lutra_json_next(v)) {
        if (used == most || !lutra_json_u64(&numbers[used], v)) {
            return false;
        }
        used++;
    }
    *count = used;
    return true;
}

static LutraStatus read_entry(LutraTensor *tensor, const LutraJsonValue *entry,
                              const LutraTensorFile *file, size_t data_start, LutraError *error) {
    const char *name = lutra_json_key(entry);
    const char *type = lutra_json_string(lutra_json_find(entry, "dtype"));
    uint64_t offsets[2] = {0, 0};
    uint32_t offset_count = 0;
    const uint64_t data_bytes = file->bytes.bytes - data_start;
    LUTRA_TRY(lutra_string_copy(&tensor->name, name, error));
    if (strlen(name) > MAX_NAME_BYTES) {
        return damaged(file->path, name, "has too long a name", error);
    }
    if (type == NULL || !read_numbers(tensor->dims, &tensor->rank, LUTRA_TENSOR_MAX_RANK,
                                      lutra_json_find(entry, "shape"))) {
        return damaged(file->path, name, "has no dtype, or no shape of at most 8 whole numbers",
                       error);
    }
    tensor->type = type_of(type);
    if (!read_numbers(offsets, &offset_count, 2, lutra_json_find(entry, "data_offsets")) ||
        offset_count != 2 || offsets[0] > offsets[1] || offsets[1] > data_bytes) {
        return damaged(file->path, name, "has no two data_offsets inside the file", error);
    }
    tensor->data = file->bytes.data + data_start + offsets[0];
    if (tensor->type == LUTRA_TENSOR_OTHER) {
        return LUTRA_OK;
    }
    if (!set_count(tensor) ||
        tensor->count * type_bytes(tensor->type) != offsets[1] - offsets[0]) {
        return damaged(file->path, name, "has not as many bytes as its shape asks for", error);
    }
    return LUTRA_OK;
}

static LutraStatus read_header(LutraTensorFile *file, LutraError *error) {
    uint64_t length = 0;
    LutraJsonValue *root = NULL;
    LutraStatus status = LUTRA_OK;
    for (size_t i = LENGTH_BYTES; file->bytes.bytes >= LENGTH_BYTES && i-- > 0;) {
        length = (length << 8) | file->bytes.data[i];
    }
    if (file->bytes.bytes < LENGTH_BYTES || length > MAX_HEADER_BYTES ||
        length > file->bytes.bytes - LENGTH_BYTES) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is neither HDF5 nor safetensors: it does "
                               "not begin with the length of a header that it holds", file->path);
    }
    const size_t data_start = LENGTH_BYTES + (size_t)length;
    LUTRA_TRY(lutra_json_parse(&root, (const char *)file->bytes.data + LENGTH_BYTES,
                               (size_t)length, file->path, error));
    size_t count = 0;
    if (!lutra_json_is_object(root)) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s': its header is not an object of tensors",
                                 file->path);
        goto done;
    }
    for (const LutraJsonValue *v = lutra_json_first(root); v != NULL; v = lutra_json_next(v)) {
        count++;
    }
    if (count > MAX_TENSORS) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' lists %zu tensors; at most %d are read",
                                 file->path, count, MAX_TENSORS);
        goto done;
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&file->tensors, count == 0 ? 1 : count,
                                       sizeof *file->tensors, error));
    for (const LutraJsonValue *v = lutra_json_first(root); v != NULL; v = lutra_json_next(v)) {
        if (strcmp(lutra_json_key(v), "__metadata__") != 0) {
            file->count++;
            LUTRA_TRY_GOTO(status, read_entry(&file->tensors[file->count - 1], v, file,
                                              data_start, error));
        }
    }
done:
    lutra_json_release(&root);
    return status;
}

LutraStatus lutra_safetensors_parse(LutraTensorFile *file, LutraBytes *bytes, const char *name,
                                    LutraError *error) {
    LutraTensorFile built = {.bytes = *bytes};
    LutraStatus status = lutra_string_copy(&built.path, name, error);
    if (status == LUTRA_OK) {
        status = read_header(&built, error);
    }
    if (status != LUTRA_OK) {
        built.bytes = (LutraBytes){0};
        lutra_tensor_file_deinit(&built);
        return status;
    }
    *bytes = (LutraBytes){0};
    *file = built;
    return LUTRA_OK;
}

static float of_bits(uint32_t bits) {
    float value = 0.0f;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float of_half(uint32_t bits) {
    const uint32_t exponent = (bits >> 10) & 31u;
    const float fraction = (float)(bits & 1023u);
    const float sign = (bits & 0x8000u) != 0 ? -1.0f : 1.0f;
    if (exponent == 31) {
        return fraction == 0.0f ? sign * HUGE_VALF : NAN;
    }
    return sign * (exponent == 0 ? ldexpf(fraction, -24)
                                 : ldexpf(1024.0f + fraction, (int)exponent - 25));
}

static float stored_value(const uint8_t *data, LutraTensorType type) {
    uint64_t bits = 0;
    for (size_t i = type_bytes(type); i-- > 0;) {
        bits = (bits << 8) | data[i];
    }
    switch (type) {
    case LUTRA_TENSOR_F64: {
        double value = 0.0;
        memcpy(&value, &bits, sizeof value);
        return (float)value;
    }
    case LUTRA_TENSOR_F16:
        return of_half((uint32_t)bits);
    case LUTRA_TENSOR_BF16:
        return of_bits((uint32_t)bits << 16);
    case LUTRA_TENSOR_F32:
    case LUTRA_TENSOR_OTHER:
        break;
    }
    return of_bits((uint32_t)bits);
}

/* ---- HDF5 ---- */

static LutraStatus list_hdf5(LutraTensorFile *file, char *const *names, size_t count,
                             LutraError *error) {
    LUTRA_TRY(lutra_alloc(&file->tensors, count == 0 ? 1 : count, sizeof *file->tensors, error));
    for (size_t i = 0; i < count; i++) {
        LutraH5Shape shape = {0};
        if (!lutra_h5_has(file->hdf5, names[i])) {
            continue; /* a group */
        }
        LUTRA_TRY(lutra_h5_shape(&shape, file->hdf5, names[i], error));
        LutraTensor *tensor = &file->tensors[file->count++];
        LUTRA_TRY(lutra_string_copy(&tensor->name, names[i], error));
        tensor->type = shape.type == LUTRA_H5_F32   ? LUTRA_TENSOR_F32
                       : shape.type == LUTRA_H5_F64 ? LUTRA_TENSOR_F64
                                                    : LUTRA_TENSOR_OTHER;
        tensor->rank = shape.rank;
        memcpy(tensor->dims, shape.dims, sizeof tensor->dims);
        if (!set_count(tensor)) {
            tensor->type = LUTRA_TENSOR_OTHER;
        }
    }
    return LUTRA_OK;
}

static LutraStatus open_hdf5(LutraTensorFile *file, const char *path, LutraError *error) {
    char **names = NULL;
    size_t count = 0;
    LUTRA_TRY(lutra_h5_open(&file->hdf5, path, error));
    LUTRA_TRY(lutra_h5_names(&names, &count, file->hdf5, error));
    const LutraStatus status = list_hdf5(file, names, count, error);
    lutra_h5_free_names(&names, count);
    return status;
}

static LutraStatus read_hdf5(float *values, const LutraTensorFile *file,
                             const LutraTensor *tensor, LutraError *error) {
    double *wide = NULL;
    if (tensor->type == LUTRA_TENSOR_F32) {
        return lutra_h5_read(file->hdf5, tensor->name, values, LUTRA_H5_F32, tensor->rank,
                             tensor->dims, error);
    }
    LUTRA_TRY(lutra_alloc(&wide, (size_t)tensor->count, sizeof *wide, error));
    const LutraStatus status = lutra_h5_read(file->hdf5, tensor->name, wide, LUTRA_H5_F64,
                                             tensor->rank, tensor->dims, error);
    for (size_t i = 0; status == LUTRA_OK && i < (size_t)tensor->count; i++) {
        values[i] = (float)wide[i];
    }
    lutra_free(&wide);
    return status;
}

/* ---- both ---- */

LutraStatus lutra_tensor_file_open(LutraTensorFile *file, const char *path, LutraError *error) {
    static const uint8_t hdf5_start[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    LutraTensorFile built = {0};
    LutraBytes bytes = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, (size_t)MAX_FILE_BYTES, error));
    LutraStatus status = LUTRA_OK;
    if (bytes.bytes < sizeof hdf5_start ||
        memcmp(bytes.data, hdf5_start, sizeof hdf5_start) != 0) {
        status = lutra_safetensors_parse(&built, &bytes, path, error);
    } else {
        lutra_bytes_deinit(&bytes);
        status = lutra_string_copy(&built.path, path, error);
        if (status == LUTRA_OK) {
            status = open_hdf5(&built, path, error);
        }
    }
    lutra_bytes_deinit(&bytes);
    if (status != LUTRA_OK) {
        lutra_tensor_file_deinit(&built);
        return status;
    }
    *file = built;
    return LUTRA_OK;
}

const LutraTensor *lutra_tensor_find(const LutraTensorFile *file, const char *name) {
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) {
            return &file->tensors[i];
        }
    }
    return NULL;
}

LutraStatus lutra_tensor_read(float *values, const LutraTensorFile *file,
                              const LutraTensor *tensor, LutraError *error) {
    if (tensor->type == LUTRA_TENSOR_OTHER) {
        return damaged(file->path, tensor->name, "is not F32, F64, F16 or BF16", error);
    }
    if (file->hdf5 != NULL) {
        LUTRA_TRY(read_hdf5(values, file, tensor, error));
    } else {
        const size_t step = type_bytes(tensor->type);
        for (size_t i = 0; i < (size_t)tensor->count; i++) {
            values[i] = stored_value(tensor->data + (i * step), tensor->type);
        }
    }
    for (size_t i = 0; i < (size_t)tensor->count; i++) {
        if (!isfinite(values[i])) {
            return damaged(file->path, tensor->name, "holds a number that is not finite", error);
        }
    }
    return LUTRA_OK;
}
