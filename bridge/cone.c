/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of ciphertexts, followed back; see cone.h. */
#include "bridge/cone.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sim/operations.h"
#include "sim/torus_rounding.h"

typedef struct {
    LutraCone *cone;
    const LutraCircuit *circuit;
    LutraError *error;
} Walk;

bool lutra_cone_ends_at(const LutraOperation *operation) {
    return !lutra_operation_is_encrypted(operation) || operation->kind == LUTRA_OPERATION_TABLE ||
           (operation->kind == LUTRA_OPERATION_ROUND &&
            operation->u.round.mode == LUTRA_ROUNDING_EXACT &&
            operation->u.round.dropped_bits > 0);
}

static LutraStatus push(const Walk *walk, uint32_t operation, size_t element, int64_t weight) {
    LutraCone *const cone = walk->cone;
    if (cone->count == cone->capacity) {
        const size_t capacity = cone->capacity == 0 ? 64 : 2 * cone->capacity;
        LUTRA_TRY(lutra_resize(&cone->terms, cone->count, capacity, sizeof *cone->terms,
                               walk->error));
        cone->capacity = capacity;
    }
    cone->terms[cone->count++] = (LutraConeTerm){operation, element, weight};
    return LUTRA_OK;
}

static LutraStatus follow(const Walk *walk, uint32_t index, size_t element, int64_t weight);

static LutraStatus follow_conv(const Walk *walk, const LutraOperation *op,
                               const LutraConvOperation *conv, LutraShape x_shape, size_t element,
                               int64_t weight) {
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    const size_t channel = element / plane;
    const size_t row = element % plane / op->shape.width;
    const size_t column = element % op->shape.width;
    const size_t taps = (size_t)conv->kernel * conv->kernel;
    for (size_t i = 0; i < conv->in_channels; i++) {
        for (size_t tap = 0; tap < taps; tap++) {
            const int8_t w = conv->weights[(channel * conv->in_channels + i) * taps + tap];
            const int64_t r = (int64_t)(row * conv->stride + tap / conv->kernel) - conv->padding;
            const int64_t c = (int64_t)(column * conv->stride + tap % conv->kernel) - conv->padding;
            if (w != 0 && r >= 0 && r < x_shape.height && c >= 0 && c < x_shape.width) {
                const size_t x = (i * x_shape.height + (size_t)r) * x_shape.width + (size_t)c;
                LUTRA_TRY(follow(walk, op->inputs[0], x, weight * w));
            }
        }
    }
    return LUTRA_OK;
}

static LutraStatus follow_pool(const Walk *walk, const LutraOperation *op, LutraShape x_shape,
                               size_t element, int64_t weight) {
    const LutraSumPoolOperation *const pool = &op->u.sum_pool;
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    const size_t row = element % plane / op->shape.width * pool->stride;
    const size_t column = element % op->shape.width * pool->stride;
    for (size_t a = 0; a < pool->kernel; a++) {
        for (size_t b = 0; b < pool->kernel; b++) {
            const size_t x =
                (element / plane * x_shape.height + row + a) * x_shape.width + column + b;
            LUTRA_TRY(follow(walk, op->inputs[0], x, weight));
        }
    }
    return LUTRA_OK;
}

/** A rounding that only adds a constant. */
static LutraStatus follow_round(const Walk *walk, const LutraOperation *op, size_t element,
                                int64_t weight) {
    const LutraOperation *const x = &walk->circuit->operations[op->inputs[0]];
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    walk->cone->constant +=
        (uint64_t)weight * lutra_word_round_constant(&op->u.round, (uint32_t)(element / plane),
                                                     x->encoding.bits);
    return follow(walk, op->inputs[0], element, weight);
}

static LutraStatus follow(const Walk *walk, uint32_t index, size_t element, int64_t weight) {
    const LutraOperation *const op = &walk->circuit->operations[index];
    if (lutra_cone_ends_at(op)) {
        return push(walk, index, element, weight);
    }
    const LutraShape x_shape = walk->circuit->operations[op->inputs[0]].shape;
    if (op->kind == LUTRA_OPERATION_LINEAR) {
        const LutraConvOperation conv = lutra_linear_as_conv(&op->u.linear);
        const LutraShape flat = {op->u.linear.in_features, 1, 1};
        return follow_conv(walk, op, &conv, flat, element, weight);
    }
    if (op->kind == LUTRA_OPERATION_CONV) {
        return follow_conv(walk, op, &op->u.conv, x_shape, element, weight);
    }
    if (op->kind == LUTRA_OPERATION_SUM_POOL) {
        return follow_pool(walk, op, x_shape, element, weight);
    }
    if (op->kind == LUTRA_OPERATION_ROUND) {
        return follow_round(walk, op, element, weight);
    }
    LUTRA_ASSERT(op->kind == LUTRA_OPERATION_ADD);
    LUTRA_TRY(follow(walk, op->inputs[0], element, weight));
    return follow(walk, op->inputs[1], element, weight);
}

static int compare(const void *a, const void *b) {
    const LutraConeTerm *const x = a;
    const LutraConeTerm *const y = b;
    if (x->operation != y->operation) {
        return x->operation < y->operation ? -1 : 1;
    }
    return x->element < y->element ? -1 : x->element > y->element;
}

/** One term for each ciphertext. */
static void merge(LutraCone *cone) {
    size_t kept = 0;
    if (cone->count > 0) {
        qsort(cone->terms, cone->count, sizeof *cone->terms, compare);
    }
    for (size_t i = 0; i < cone->count; i++) {
        if (kept > 0 && compare(&cone->terms[kept - 1], &cone->terms[i]) == 0) {
            cone->terms[kept - 1].weight += cone->terms[i].weight;
        } else {
            kept += kept == 0 || cone->terms[kept - 1].weight != 0;
            cone->terms[kept - 1] = cone->terms[i];
        }
    }
    kept -= kept > 0 && cone->terms[kept - 1].weight == 0;
    cone->count = kept;
}

LutraStatus lutra_cone_find(LutraCone *cone, const LutraCircuit *circuit, uint32_t operation,
                            size_t element, LutraError *error) {
    const Walk walk = {cone, circuit, error};
    cone->count = 0;
    cone->constant = 0;
    LUTRA_TRY(follow(&walk, operation, element, 1));
    merge(cone);
    return LUTRA_OK;
}

void lutra_cone_deinit(LutraCone *cone) {
    lutra_free(&cone->terms);
    memset(cone, 0, sizeof *cone);
}
