/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Circuits as HDF5.
 *
 *   attributes of the root    format = "lutra.circuit/1", name, network (INI text), provenance
 *                             (JSON), class_count, operation_count, parameter_count
 *   operations/NNNN           attributes: name, kind (number), kind_name, inputs, shape, encoding,
 *                             ranges, and the settings of the kind
 *   operations/NNNN/...       arrays: codes (C,256), weights (O,I) or (O,I,K,K) i8, offsets (C),
 *                             entries (tables, entries), table_of_channel (C), and per affine step
 *                             N the arrays N_mean, N_inverse_deviation, N_weight, N_bias (C) f32
 *   parameters/NN             attributes: the fields of LutraCryptoParameters
 *
 * Integer arrays have the narrowest element type that holds them. One "visit" function per struct
 * serves both directions, so that writing and reading cannot disagree.
 */
#include <stdio.h>
#include <string.h>

#include "base/hdf5_file.h"
#include "base/memory.h"
#include "sim/circuit.h"

static const char *const FORMAT = "lutra.circuit/1";

enum { PATH_BYTES = 96, MAX_ARRAY_ELEMENTS = 1 << 28 };

typedef struct {
    LutraH5 *file;
    bool writing;
    char group[PATH_BYTES / 2];
    LutraError *error;
} Visit;

static LutraStatus visit_i64(Visit *visit, const char *key, int64_t *value, int64_t min,
                             int64_t max) {
    if (visit->writing) {
        return lutra_h5_write_i64(visit->file, visit->group, key, *value, visit->error);
    }
    int64_t read = 0;
    LUTRA_TRY(lutra_h5_read_i64(&read, visit->file, visit->group, key, visit->error));
    if (read < min || read > max) {
        return lutra_error_set(visit->error, LUTRA_EDATA,
                               "'%s': '%s' of '%s' is %lld, should be %lld to %lld",
                               lutra_h5_path(visit->file), key, visit->group, (long long)read,
                               (long long)min, (long long)max);
    }
    *value = read;
    return LUTRA_OK;
}

static LutraStatus visit_u32(Visit *visit, const char *key, uint32_t *value, uint32_t max) {
    int64_t wide = *value;
    LUTRA_TRY(visit_i64(visit, key, &wide, 0, max));
    *value = (uint32_t)wide;
    return LUTRA_OK;
}

static LutraStatus visit_bool(Visit *visit, const char *key, bool *value) {
    int64_t wide = *value ? 1 : 0;
    LUTRA_TRY(visit_i64(visit, key, &wide, 0, 1));
    *value = wide != 0;
    return LUTRA_OK;
}

static LutraStatus visit_f64(Visit *visit, const char *key, double *value) {
    if (visit->writing) {
        return lutra_h5_write_f64(visit->file, visit->group, key, *value, visit->error);
    }
    return lutra_h5_read_f64(value, visit->file, visit->group, key, visit->error);
}

static LutraStatus visit_f32(Visit *visit, const char *key, float *value) {
    double wide = (double)*value;
    LUTRA_TRY(visit_f64(visit, key, &wide));
    *value = (float)wide;
    return LUTRA_OK;
}

/** Text into a fixed field, which must hold it whole. */
static LutraStatus visit_name(Visit *visit, const char *key, char *field, size_t field_bytes) {
    if (visit->writing) {
        return lutra_h5_write_text(visit->file, visit->group, key, field, visit->error);
    }
    char *text = NULL;
    LUTRA_TRY(lutra_h5_read_text(&text, visit->file, visit->group, key, visit->error));
    const size_t length = strlen(text);
    if (length < field_bytes) {
        memcpy(field, text, length + 1);
    }
    lutra_free(&text);
    return length < field_bytes
               ? LUTRA_OK
               : lutra_error_set(visit->error, LUTRA_EDATA, "'%s': '%s' of '%s' is too long",
                                 lutra_h5_path(visit->file), key, visit->group);
}

static LutraStatus visit_text(Visit *visit, const char *key, char **text) {
    if (visit->writing) {
        const char *const value = *text == NULL ? "" : *text;
        return lutra_h5_write_text(visit->file, visit->group, key, value, visit->error);
    }
    return lutra_h5_read_text(text, visit->file, visit->group, key, visit->error);
}

static LutraStatus element_count(Visit *visit, size_t *count, const char *name, uint32_t rank,
                                 const uint64_t *dims) {
    size_t product = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] == 0 || dims[i] > MAX_ARRAY_ELEMENTS ||
            product > MAX_ARRAY_ELEMENTS / (size_t)dims[i]) {
            return lutra_error_set(visit->error, LUTRA_EDATA, "'%s': '%s/%s' is empty or too large",
                                   lutra_h5_path(visit->file), visit->group, name);
        }
        product *= (size_t)dims[i];
    }
    *count = product;
    return LUTRA_OK;
}

static void array_path(char path[PATH_BYTES], const Visit *visit, const char *name) {
    (void)snprintf(path, PATH_BYTES, "%.*s/%.32s", PATH_BYTES / 2, visit->group, name);
}

/** An array whose element type in the file is the one in memory. */
static LutraStatus visit_plain(Visit *visit, const char *name, void *pointer, LutraH5Type type,
                               uint32_t rank, const uint64_t *dims) {
    char path[PATH_BYTES];
    size_t count = 0;
    void *data = NULL;
    array_path(path, visit, name);
    LUTRA_TRY(element_count(visit, &count, name, rank, dims));
    if (visit->writing) {
        memcpy(&data, pointer, sizeof data);
        return lutra_h5_write(visit->file, path, data, type, rank, dims, visit->error);
    }
    LutraH5Shape shape;
    LUTRA_TRY(lutra_h5_shape(&shape, visit->file, path, visit->error));
    LUTRA_TRY(lutra_alloc(&data, count, lutra_h5_type_bytes(type), visit->error));
    const LutraStatus status =
        lutra_h5_read(visit->file, path, data, type, rank, dims, visit->error);
    if (status != LUTRA_OK) {
        lutra_free(&data);
        return status;
    }
    memcpy(pointer, &data, sizeof data);
    return LUTRA_OK;
}

static LutraH5Type narrowest(const int32_t *values, size_t count) {
    int32_t min = 0;
    int32_t max = 0;
    for (size_t i = 0; i < count; i++) {
        min = values[i] < min ? values[i] : min;
        max = values[i] > max ? values[i] : max;
    }
    if (min >= INT8_MIN && max <= INT8_MAX) {
        return LUTRA_H5_I8;
    }
    if (min >= 0 && max <= UINT8_MAX) {
        return LUTRA_H5_U8;
    }
    if (min >= INT16_MIN && max <= INT16_MAX) {
        return LUTRA_H5_I16;
    }
    return min >= 0 && max <= UINT16_MAX ? LUTRA_H5_U16 : LUTRA_H5_I32;
}

static void squeeze(void *narrow, LutraH5Type type, const int32_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        switch (type) {
            case LUTRA_H5_I8: ((int8_t *)narrow)[i] = (int8_t)values[i]; break;
            case LUTRA_H5_U8: ((uint8_t *)narrow)[i] = (uint8_t)values[i]; break;
            case LUTRA_H5_I16: ((int16_t *)narrow)[i] = (int16_t)values[i]; break;
            case LUTRA_H5_U16: ((uint16_t *)narrow)[i] = (uint16_t)values[i]; break;
            default: ((int32_t *)narrow)[i] = values[i]; break;
        }
    }
}

static void widen(int32_t *values, const void *narrow, LutraH5Type type, size_t count) {
    for (size_t i = 0; i < count; i++) {
        switch (type) {
            case LUTRA_H5_I8: values[i] = ((const int8_t *)narrow)[i]; break;
            case LUTRA_H5_U8: values[i] = ((const uint8_t *)narrow)[i]; break;
            case LUTRA_H5_I16: values[i] = ((const int16_t *)narrow)[i]; break;
            case LUTRA_H5_U16: values[i] = ((const uint16_t *)narrow)[i]; break;
            default: values[i] = ((const int32_t *)narrow)[i]; break;
        }
    }
}

static LutraStatus write_integers(Visit *visit, const char *path, const int32_t *values,
                                  size_t count, uint32_t rank, const uint64_t *dims) {
    const LutraH5Type type = narrowest(values, count);
    void *narrow = NULL;
    LUTRA_TRY(lutra_alloc(&narrow, count, lutra_h5_type_bytes(type), visit->error));
    squeeze(narrow, type, values, count);
    const LutraStatus status =
        lutra_h5_write(visit->file, path, narrow, type, rank, dims, visit->error);
    lutra_free(&narrow);
    return status;
}

static LutraStatus read_integers(Visit *visit, const char *path, int32_t **values, size_t count,
                                 uint32_t rank, const uint64_t *dims) {
    LutraH5Shape shape;
    LUTRA_TRY(lutra_h5_shape(&shape, visit->file, path, visit->error));
    if (shape.type > LUTRA_H5_I32) {
        return lutra_error_set(visit->error, LUTRA_EDATA, "'%s': '%s' has no small integers",
                               lutra_h5_path(visit->file), path);
    }
    LutraStatus status = LUTRA_OK;
    int32_t *wide = NULL;
    void *narrow = NULL;
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&narrow, count, lutra_h5_type_bytes(shape.type), visit->error));
    LUTRA_TRY_GOTO(status, lutra_h5_read(visit->file, path, narrow, shape.type, rank, dims,
                                         visit->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&wide, count, sizeof *wide, visit->error));
    widen(wide, narrow, shape.type, count);
    *values = wide;
done:
    lutra_free(&narrow);
    return status;
}

/** An int32 array, stored in the narrowest type. */
static LutraStatus visit_integers(Visit *visit, const char *name, int32_t **values, uint32_t rank,
                                  const uint64_t *dims) {
    char path[PATH_BYTES];
    size_t count = 0;
    array_path(path, visit, name);
    LUTRA_TRY(element_count(visit, &count, name, rank, dims));
    return visit->writing ? write_integers(visit, path, *values, count, rank, dims)
                          : read_integers(visit, path, values, count, rank, dims);
}

static LutraStatus visit_input(Visit *visit, LutraOperation *op) {
    LutraInputOperation *const input = &op->u.input;
    const uint64_t dims[2] = {op->shape.channels, 256};
    LUTRA_TRY(visit_f32(visit, "scale", &input->scale));
    return visit_plain(visit, "codes", &input->code_of_pixel, LUTRA_H5_I16, 2, dims);
}

static LutraStatus visit_linear(Visit *visit, LutraOperation *op) {
    LutraLinearOperation *const linear = &op->u.linear;
    LUTRA_TRY(visit_u32(visit, "in_features", &linear->in_features, MAX_ARRAY_ELEMENTS));
    const uint64_t dims[2] = {op->shape.channels, linear->in_features};
    return visit_plain(visit, "weights", &linear->weights, LUTRA_H5_I8, 2, dims);
}

static LutraStatus visit_conv(Visit *visit, LutraOperation *op) {
    LutraConvOperation *const conv = &op->u.conv;
    LUTRA_TRY(visit_u32(visit, "in_channels", &conv->in_channels, MAX_ARRAY_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "kernel", &conv->kernel, MAX_ARRAY_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "stride", &conv->stride, MAX_ARRAY_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "padding", &conv->padding, MAX_ARRAY_ELEMENTS));
    const uint64_t dims[4] = {op->shape.channels, conv->in_channels, conv->kernel, conv->kernel};
    return visit_plain(visit, "weights", &conv->weights, LUTRA_H5_I8, 4, dims);
}

static LutraStatus visit_pool(Visit *visit, LutraOperation *op) {
    LUTRA_TRY(visit_u32(visit, "kernel", &op->u.sum_pool.kernel, MAX_ARRAY_ELEMENTS));
    return visit_u32(visit, "stride", &op->u.sum_pool.stride, MAX_ARRAY_ELEMENTS);
}

static LutraStatus visit_round(Visit *visit, LutraOperation *op) {
    LutraRoundOperation *const round = &op->u.round;
    uint32_t mode = (uint32_t)round->mode;
    bool has_offsets = round->offsets != NULL;
    LUTRA_TRY(visit_u32(visit, "dropped_bits", &round->dropped_bits, LUTRA_MAX_VALUE_BITS));
    LUTRA_TRY(visit_u32(visit, "mode", &mode, LUTRA_ROUNDING_APPROXIMATE));
    LUTRA_TRY(visit_bool(visit, "has_offsets", &has_offsets));
    round->mode = (LutraRoundingMode)mode;
    const uint64_t dims[1] = {op->shape.channels};
    return has_offsets ? visit_integers(visit, "offsets", &round->offsets, 1, dims) : LUTRA_OK;
}

/** Channel indexes are small integers: they travel as int32. */
static LutraStatus visit_table_of_channel(Visit *visit, uint32_t **table_of_channel,
                                          uint32_t channels) {
    int32_t *signed_values = NULL;
    LutraStatus status = LUTRA_OK;
    const uint64_t dims[1] = {channels};
    if (visit->writing) {
        LUTRA_TRY(lutra_alloc(&signed_values, channels, sizeof *signed_values, visit->error));
        for (uint32_t c = 0; c < channels; c++) {
            signed_values[c] = (int32_t)(*table_of_channel)[c];
        }
    }
    LUTRA_TRY_GOTO(status, visit_integers(visit, "table_of_channel", &signed_values, 1, dims));
    if (!visit->writing) {
        LUTRA_TRY_GOTO(status, lutra_alloc(table_of_channel, channels, sizeof(uint32_t),
                                           visit->error));
        for (uint32_t c = 0; c < channels; c++) {
            (*table_of_channel)[c] = (uint32_t)signed_values[c];
        }
    }
done:
    lutra_free(&signed_values);
    return status;
}

static LutraStatus visit_table(Visit *visit, LutraOperation *op) {
    LutraTableOperation *const table = &op->u.table;
    int64_t first = table->first_input;
    LUTRA_TRY(visit_u32(visit, "table_count", &table->table_count, MAX_ARRAY_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "entry_count", &table->entry_count, 1 << LUTRA_MAX_TABLE_BITS));
    LUTRA_TRY(visit_i64(visit, "first_input", &first, INT32_MIN, 0));
    LUTRA_TRY(visit_u32(visit, "parameter_index", &table->parameter_index, LUTRA_MAX_OPERATIONS));
    table->first_input = (int32_t)first;
    const uint64_t dims[2] = {table->table_count, table->entry_count};
    LUTRA_TRY(visit_integers(visit, "entries", &table->entries, 2, dims));
    return visit_table_of_channel(visit, &table->table_of_channel, op->shape.channels);
}

static LutraStatus visit_output(Visit *visit, LutraOperation *op) {
    LutraOutputOperation *const output = &op->u.output;
    const uint64_t dims[1] = {op->shape.channels};
    LUTRA_TRY(visit_f32(visit, "scale", &output->scale));
    LUTRA_TRY(visit_u32(visit, "step_count", &output->step_count, LUTRA_MAX_AFFINE_STEPS));
    for (uint32_t s = 0; s < output->step_count; s++) {
        LutraAffineStep *const step = &output->steps[s];
        const struct {
            const char *name;
            float **values;
        } arrays[] = {{"mean", &step->mean},
                      {"inverse_deviation", &step->inverse_deviation},
                      {"weight", &step->weight},
                      {"bias", &step->bias}};
        for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "%u_%s", s, arrays[i].name);
            LUTRA_TRY(visit_plain(visit, name, arrays[i].values, LUTRA_H5_F32, 1, dims));
        }
    }
    return LUTRA_OK;
}

static LutraStatus visit_range(Visit *visit, const char *min_key, const char *max_key,
                               LutraRange *range) {
    LUTRA_TRY(visit_i64(visit, min_key, &range->min, INT64_MIN, INT64_MAX));
    return visit_i64(visit, max_key, &range->max, INT64_MIN, INT64_MAX);
}

static LutraStatus visit_head(Visit *visit, LutraOperation *op) {
    uint32_t kind = (uint32_t)op->kind;
    LUTRA_TRY(visit_name(visit, "name", op->name, sizeof op->name));
    LUTRA_TRY(visit_u32(visit, "kind", &kind, LUTRA_OPERATION_OUTPUT));
    op->kind = (LutraOperationKind)kind;
    if (visit->writing) {
        LUTRA_TRY(lutra_h5_write_text(visit->file, visit->group, "kind_name",
                                      lutra_operation_kind_name(op->kind), visit->error));
    }
    LUTRA_TRY(visit_u32(visit, "input_count", &op->input_count, LUTRA_MAX_OPERATION_INPUTS));
    for (uint32_t i = 0; i < op->input_count; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "input_%u", i);
        LUTRA_TRY(visit_u32(visit, key, &op->inputs[i], LUTRA_MAX_OPERATIONS));
    }
    LUTRA_TRY(visit_u32(visit, "channels", &op->shape.channels, LUTRA_MAX_CIRCUIT_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "height", &op->shape.height, LUTRA_MAX_CIRCUIT_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "width", &op->shape.width, LUTRA_MAX_CIRCUIT_ELEMENTS));
    LUTRA_TRY(visit_u32(visit, "bits", &op->encoding.bits, LUTRA_MAX_VALUE_BITS));
    LUTRA_TRY(visit_bool(visit, "is_signed", &op->encoding.is_signed));
    LUTRA_TRY(visit_bool(visit, "in_clear", &op->in_clear));
    LUTRA_TRY(visit_range(visit, "static_min", "static_max", &op->static_range));
    return visit_range(visit, "observed_min", "observed_max", &op->observed_range);
}

static LutraStatus visit_operation(Visit *visit, LutraOperation *op) {
    LUTRA_TRY(visit_head(visit, op));
    switch (op->kind) {
        case LUTRA_OPERATION_INPUT: return visit_input(visit, op);
        case LUTRA_OPERATION_LINEAR: return visit_linear(visit, op);
        case LUTRA_OPERATION_CONV: return visit_conv(visit, op);
        case LUTRA_OPERATION_SUM_POOL: return visit_pool(visit, op);
        case LUTRA_OPERATION_ADD: return LUTRA_OK;
        case LUTRA_OPERATION_ROUND: return visit_round(visit, op);
        case LUTRA_OPERATION_TABLE: return visit_table(visit, op);
        case LUTRA_OPERATION_OUTPUT: return visit_output(visit, op);
    }
    return LUTRA_EDATA;
}

static LutraStatus visit_parameters(Visit *visit, LutraCryptoParameters *p) {
    const struct {
        const char *key;
        uint32_t *value;
    } integers[] = {{"lwe_dim", &p->lwe_dim},
                    {"glwe_dim", &p->glwe_dim},
                    {"log2_poly", &p->log2_poly},
                    {"pbs_level", &p->pbs_level},
                    {"pbs_base_log", &p->pbs_base_log},
                    {"ks_level", &p->ks_level},
                    {"ks_base_log", &p->ks_base_log},
                    {"modulus_switch", &p->modulus_switch},
                    {"security_bits", &p->security_bits},
                    {"precision_bits", &p->precision_bits}};
    const struct {
        const char *key;
        double *value;
    } reals[] = {{"lwe_std", &p->lwe_std},
                 {"glwe_std", &p->glwe_std},
                 {"norm2", &p->norm2},
                 {"p_error_target", &p->p_error_target},
                 {"p_error", &p->p_error},
                 {"cost", &p->cost}};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        LUTRA_TRY(visit_u32(visit, integers[i].key, integers[i].value, INT32_MAX));
    }
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        LUTRA_TRY(visit_f64(visit, reals[i].key, reals[i].value));
    }
    return visit_name(visit, "curve", p->curve, sizeof p->curve);
}

/** Everything; `circuit` is a shallow copy when writing. */
static LutraStatus visit_circuit(Visit *visit, LutraCircuit *circuit) {
    visit->group[0] = '\0';
    LUTRA_TRY(visit_text(visit, "name", &circuit->name));
    LUTRA_TRY(visit_text(visit, "network", &circuit->network_text));
    LUTRA_TRY(visit_text(visit, "provenance", &circuit->provenance));
    LUTRA_TRY(visit_u32(visit, "class_count", &circuit->class_count, LUTRA_MAX_CIRCUIT_ELEMENTS));
    uint32_t operations = circuit->operation_count;
    uint32_t parameters = circuit->parameter_count;
    LUTRA_TRY(visit_u32(visit, "operation_count", &operations, LUTRA_MAX_OPERATIONS));
    LUTRA_TRY(visit_u32(visit, "parameter_count", &parameters, LUTRA_MAX_OPERATIONS));
    if (!visit->writing) {
        LUTRA_TRY(lutra_alloc(&circuit->operations, operations, sizeof(LutraOperation),
                              visit->error));
        circuit->operation_count = operations;
        LUTRA_TRY(lutra_alloc(&circuit->parameters, parameters, sizeof(LutraCryptoParameters),
                              visit->error));
        circuit->parameter_count = parameters;
    }
    for (uint32_t i = 0; i < operations; i++) {
        (void)snprintf(visit->group, sizeof visit->group, "operations/%04u", i);
        if (visit->writing) {
            LutraOperation copy = circuit->operations[i];
            LUTRA_TRY(visit_operation(visit, &copy));
        } else {
            LUTRA_TRY(visit_operation(visit, &circuit->operations[i]));
        }
    }
    for (uint32_t i = 0; i < parameters; i++) {
        (void)snprintf(visit->group, sizeof visit->group, "parameters/%02u", i);
        LutraCryptoParameters copy = circuit->parameters[i];
        LUTRA_TRY(visit_parameters(visit, &copy));
        if (!visit->writing) {
            circuit->parameters[i] = copy;
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_circuit_write(const LutraCircuit *circuit, const char *path, bool force,
                                LutraError *error) {
    Visit visit = {.writing = true, .error = error};
    LUTRA_TRY(lutra_circuit_check(circuit, error));
    LUTRA_TRY(lutra_h5_create(&visit.file, path, force, error));
    LutraStatus status = LUTRA_OK;
    LutraCircuit copy = *circuit;
    LUTRA_TRY_GOTO(status, lutra_h5_write_text(visit.file, "", "format", FORMAT, error));
    LUTRA_TRY_GOTO(status, visit_circuit(&visit, &copy));
    status = lutra_h5_commit(&visit.file, error);
done:
    lutra_h5_close(&visit.file);
    return status;
}

static LutraStatus check_format(LutraH5 *file, LutraError *error) {
    char *format = NULL;
    if (!lutra_h5_has_attribute(file, "", "format")) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is not a circuit", lutra_h5_path(file));
    }
    LUTRA_TRY(lutra_h5_read_text(&format, file, "", "format", error));
    LutraStatus status = LUTRA_OK;
    if (strcmp(format, FORMAT) != 0) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' is '%s', not '%s'", lutra_h5_path(file),
                                 format, FORMAT);
    }
    lutra_free(&format);
    return status;
}

LutraStatus lutra_circuit_read(LutraCircuit *circuit, const char *path, LutraError *error) {
    Visit visit = {.writing = false, .error = error};
    LutraCircuit read = {0};
    LUTRA_TRY(lutra_h5_open(&visit.file, path, error));
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, check_format(visit.file, error));
    LUTRA_TRY_GOTO(status, visit_circuit(&visit, &read));
    status = lutra_circuit_check(&read, error);
    if (status != LUTRA_OK) {
        (void)lutra_error_prefix(error, status, path);
        goto done;
    }
    *circuit = read;
    memset(&read, 0, sizeof read);
done:
    lutra_circuit_deinit(&read);
    lutra_h5_close(&visit.file);
    return status;
}
