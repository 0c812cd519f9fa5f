/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/circuit_copy.h"

#include <string.h>

#include "base/memory.h"

enum { MOST_ARRAYS = 4 * LUTRA_MAX_AFFINE_STEPS, PIXEL_VALUES = 256 };

/* An array that an operation owns, by the place of the pointer to it. */
typedef struct {
    void *pointer; /* address of the pointer */
    size_t count;
    size_t element_bytes;
} Array;

/* Fills `arrays` (MOST_ARRAYS) and returns how many there are: the same ones in the same order for
 * every operation of one kind and size. */
static size_t list_arrays(Array *arrays, LutraOperation *operation) {
    const size_t channels = operation->shape.channels;
    size_t count = 0;
    switch (operation->kind) {
        case LUTRA_OPERATION_INPUT:
            arrays[count++] = (Array){&operation->u.input.code_of_pixel, channels * PIXEL_VALUES,
                                      sizeof(int16_t)};
            break;
        case LUTRA_OPERATION_LINEAR: {
            LutraLinearOperation *const linear = &operation->u.linear;
            arrays[count++] = (Array){&linear->weights, channels * linear->in_features, 1};
            break;
        }
        case LUTRA_OPERATION_CONV: {
            LutraConvOperation *const conv = &operation->u.conv;
            arrays[count++] = (Array){
                &conv->weights, channels * conv->in_channels * conv->kernel * conv->kernel, 1};
            break;
        }
        case LUTRA_OPERATION_ROUND:
            arrays[count++] = (Array){&operation->u.round.offsets, channels, sizeof(int32_t)};
            break;
        case LUTRA_OPERATION_TABLE: {
            LutraTableOperation *const table = &operation->u.table;
            arrays[count++] = (Array){&table->entries,
                                      (size_t)table->table_count * table->entry_count,
                                      sizeof(int32_t)};
            arrays[count++] = (Array){&table->table_of_channel, channels, sizeof(uint32_t)};
            break;
        }
        case LUTRA_OPERATION_OUTPUT:
            for (uint32_t s = 0; s < operation->u.output.step_count; s++) {
                LutraAffineStep *const step = &operation->u.output.steps[s];
                arrays[count++] = (Array){&step->mean, channels, sizeof(float)};
                arrays[count++] = (Array){&step->inverse_deviation, channels, sizeof(float)};
                arrays[count++] = (Array){&step->weight, channels, sizeof(float)};
                arrays[count++] = (Array){&step->bias, channels, sizeof(float)};
            }
            break;
        case LUTRA_OPERATION_SUM_POOL:
        case LUTRA_OPERATION_ADD: break;
    }
    return count;
}

/* What the pointer at `array->pointer` points to. */
static void *target(const Array *array) {
    void *pointed = NULL;
    memcpy(&pointed, array->pointer, sizeof pointed);
    return pointed;
}

LutraStatus lutra_operation_copy(LutraOperation *copy, const LutraOperation *operation,
                                 LutraError *error) {
    LutraOperation from = *operation;
    LutraOperation built = *operation;
    Array sources[MOST_ARRAYS];
    Array copies[MOST_ARRAYS];
    const size_t count = list_arrays(sources, &from);
    (void)list_arrays(copies, &built);
    void *const none = NULL;
    for (size_t i = 0; i < count; i++) {
        memcpy(copies[i].pointer, &none, sizeof none);
    }
    for (size_t i = 0; i < count; i++) {
        const void *const source = target(&sources[i]);
        if (source == NULL) {
            continue; /* a rounding without offsets */
        }
        const LutraStatus status =
            lutra_alloc(copies[i].pointer, copies[i].count, copies[i].element_bytes, error);
        if (status != LUTRA_OK) {
            lutra_operation_deinit(&built);
            return status;
        }
        memcpy(target(&copies[i]), source, copies[i].count * copies[i].element_bytes);
    }
    *copy = built;
    return LUTRA_OK;
}

static bool range_equal(LutraRange a, LutraRange b) {
    return a.min == b.min && a.max == b.max;
}

/* Sizes and settings of the kind; what is left are the arrays. */
static bool settings_equal(const LutraOperation *a, const LutraOperation *b) {
    switch (a->kind) {
        case LUTRA_OPERATION_INPUT: return a->u.input.scale == b->u.input.scale;
        case LUTRA_OPERATION_LINEAR:
            return a->u.linear.in_features == b->u.linear.in_features;
        case LUTRA_OPERATION_CONV:
            return a->u.conv.in_channels == b->u.conv.in_channels &&
                   a->u.conv.kernel == b->u.conv.kernel && a->u.conv.stride == b->u.conv.stride &&
                   a->u.conv.padding == b->u.conv.padding;
        case LUTRA_OPERATION_SUM_POOL:
            return a->u.sum_pool.kernel == b->u.sum_pool.kernel &&
                   a->u.sum_pool.stride == b->u.sum_pool.stride;
        case LUTRA_OPERATION_ADD: return true;
        case LUTRA_OPERATION_ROUND:
            return a->u.round.dropped_bits == b->u.round.dropped_bits &&
                   a->u.round.mode == b->u.round.mode;
        case LUTRA_OPERATION_TABLE:
            return a->u.table.table_count == b->u.table.table_count &&
                   a->u.table.entry_count == b->u.table.entry_count &&
                   a->u.table.first_input == b->u.table.first_input;
        case LUTRA_OPERATION_OUTPUT:
            return a->u.output.scale == b->u.output.scale &&
                   a->u.output.step_count == b->u.output.step_count;
    }
    return false;
}

bool lutra_operation_equal(const LutraOperation *a, const LutraOperation *b) {
    if (a->kind != b->kind || a->input_count != b->input_count ||
        !lutra_shape_equal(a->shape, b->shape) || a->encoding.bits != b->encoding.bits ||
        a->encoding.is_signed != b->encoding.is_signed || a->in_clear != b->in_clear ||
        !range_equal(a->observed_range, b->observed_range) || !settings_equal(a, b)) {
        return false;
    }
    for (uint32_t i = 0; i < a->input_count; i++) {
        if (a->inputs[i] != b->inputs[i]) {
            return false;
        }
    }
    LutraOperation left = *a;
    LutraOperation right = *b;
    Array lefts[MOST_ARRAYS];
    Array rights[MOST_ARRAYS];
    const size_t count = list_arrays(lefts, &left);
    (void)list_arrays(rights, &right);
    for (size_t i = 0; i < count; i++) {
        const void *const x = target(&lefts[i]);
        const void *const y = target(&rights[i]);
        if ((x == NULL) != (y == NULL) ||
            (x != NULL && memcmp(x, y, lefts[i].count * lefts[i].element_bytes) != 0)) {
            return false;
        }
    }
    return true;
}

uint32_t lutra_circuit_common_prefix(const LutraCircuit *const *circuits, size_t count) {
    uint32_t prefix = count == 0 ? 0 : circuits[0]->operation_count;
    for (size_t c = 1; c < count; c++) {
        uint32_t equal = 0;
        while (equal < prefix && equal < circuits[c]->operation_count &&
               lutra_operation_equal(&circuits[0]->operations[equal],
                                     &circuits[c]->operations[equal])) {
            equal++;
        }
        prefix = equal;
    }
    return prefix;
}
