/* SPDX-License-Identifier: Apache-2.0 */
/* Execution of a prepared program: one image, stage by stage. */
#include <string.h>

#include "sim/clear_priv.h"
#include "sim/operations.h"

void lutra_clear_load_row(int32_t *row, const ClearValue *x, const uint8_t *scratch,
                          size_t pixel) {
    const uint8_t *const base =
        scratch + x->offset + pixel * x->stride * lutra_clear_format_bytes(x->format);
    switch (x->format) {
        case VALUE_U8:
            for (size_t c = 0; c < x->channels; c++) {
                row[c] = base[c] + x->low;
            }
            break;
        case VALUE_I16:
            for (size_t c = 0; c < x->channels; c++) {
                row[c] = ((const int16_t *)(const void *)base)[c];
            }
            break;
        case VALUE_I32: memcpy(row, base, x->channels * sizeof(int32_t)); break;
        case VALUE_NONE: break;
    }
    for (size_t c = x->channels; c < x->stride; c++) {
        row[c] = 0;
    }
}

void lutra_clear_store_row(const int32_t *row, const ClearValue *y, uint8_t *scratch,
                           size_t pixel) {
    const size_t lane_bytes = lutra_clear_format_bytes(y->format);
    uint8_t *const base = scratch + y->offset + pixel * y->stride * lane_bytes;
    switch (y->format) {
        case VALUE_U8:
            for (size_t c = 0; c < y->channels; c++) {
                base[c] = (uint8_t)(row[c] - y->low);
            }
            break;
        case VALUE_I16:
            for (size_t c = 0; c < y->channels; c++) {
                ((int16_t *)(void *)base)[c] = (int16_t)row[c];
            }
            break;
        case VALUE_I32: memcpy(base, row, y->channels * sizeof(int32_t)); break;
        case VALUE_NONE: break;
    }
    memset(base + y->channels * lane_bytes, 0, (y->stride - y->channels) * lane_bytes);
}

/* ---- operations without kernels ---- */

static bool outside(LutraRange observed, int64_t value) {
    return observed.min <= observed.max && (value < observed.min || value > observed.max);
}

static void run_input(const LutraOperation *op, const ClearValue *y,
                      LutraOperationStatistics *statistics, const uint8_t *pixels,
                      uint8_t *scratch) {
    const size_t lane_bytes = lutra_clear_format_bytes(y->format);
    memset(scratch + y->offset, 0, y->pixels * y->stride * lane_bytes);
    for (size_t c = 0; c < y->channels; c++) {
        const int16_t *const codes = op->u.input.code_of_pixel + c * 256;
        int32_t min = INT32_MAX;
        int32_t max = INT32_MIN;
        uint64_t zeros = 0;
        for (size_t p = 0; p < y->pixels; p++) {
            const int32_t code = codes[pixels[c * y->pixels + p]];
            const size_t at = p * y->stride + c;
            if (y->format == VALUE_U8) {
                scratch[y->offset + at] = (uint8_t)(code - y->low);
            } else {
                ((int16_t *)(void *)(scratch + y->offset))[at] = (int16_t)code;
            }
            min = code < min ? code : min;
            max = code > max ? code : max;
            zeros += code == 0;
        }
        statistics->min = min < statistics->min ? min : statistics->min;
        statistics->max = max > statistics->max ? max : statistics->max;
        statistics->zeros += zeros;
        if (outside(op->observed_range, min) || outside(op->observed_range, max)) {
            for (size_t p = 0; p < y->pixels; p++) {
                statistics->outside_observed +=
                    outside(op->observed_range, codes[pixels[c * y->pixels + p]]);
            }
        }
    }
    statistics->elements += (uint64_t)y->pixels * y->channels;
}

/** Sum of a window of codes: 8-bit lanes into 16-bit lanes. Sums wrap, results fit. */
static void pool_codes(uint16_t *sum, const uint8_t *window, size_t kernel, size_t row_bytes,
                       size_t x_stride, size_t lanes, int32_t low) {
    const uint16_t base = (uint16_t)((uint32_t)low * (uint32_t)(kernel * kernel));
    for (size_t c = 0; c < lanes; c++) {
        sum[c] = base;
    }
    for (size_t a = 0; a < kernel; a++) {
        for (size_t b = 0; b < kernel; b++) {
            const uint8_t *const codes = window + a * row_bytes + b * x_stride;
            for (size_t c = 0; c < lanes; c++) {
                sum[c] = (uint16_t)(sum[c] + codes[c]);
            }
        }
    }
}

static void run_pool(const LutraSumPoolOperation *pool, const ClearValue *y, const ClearValue *x,
                     uint8_t *scratch, int32_t *sum, int32_t *row) {
    const bool codes = x->format == VALUE_U8 && y->format == VALUE_I16;
    for (size_t p = 0; p < y->pixels; p++) {
        const size_t first =
            p / y->width * pool->stride * x->width + p % y->width * pool->stride;
        if (codes) {
            uint16_t *const to = (uint16_t *)(void *)(scratch + y->offset) + p * y->stride;
            pool_codes(to, scratch + x->offset + first * x->stride, pool->kernel,
                       x->width * x->stride, x->stride, x->channels, x->low);
            memset(to + x->channels, 0, (y->stride - x->channels) * sizeof *to);
            continue;
        }
        memset(sum, 0, y->stride * sizeof *sum);
        for (size_t a = 0; a < pool->kernel; a++) {
            for (size_t b = 0; b < pool->kernel; b++) {
                lutra_clear_load_row(row, x, scratch, first + a * x->width + b);
                for (size_t c = 0; c < x->channels; c++) {
                    sum[c] += row[c];
                }
            }
        }
        lutra_clear_store_row(sum, y, scratch, p);
    }
}

static void run_add(const ClearValue *y, const ClearValue *x0, const ClearValue *x1,
                    uint8_t *scratch, int32_t *row0, int32_t *row1) {
    for (size_t p = 0; p < y->pixels; p++) {
        lutra_clear_load_row(row0, x0, scratch, p);
        lutra_clear_load_row(row1, x1, scratch, p);
        for (size_t c = 0; c < y->channels; c++) {
            row0[c] += row1[c];
        }
        lutra_clear_store_row(row0, y, scratch, p);
    }
}

static void run_round(const LutraRoundOperation *round, const ClearValue *y, const ClearValue *x,
                      uint8_t *scratch, int32_t *row) {
    for (size_t p = 0; p < y->pixels; p++) {
        lutra_clear_load_row(row, x, scratch, p);
        for (size_t c = 0; c < y->channels; c++) {
            const int64_t offset = round->offsets == NULL ? 0 : round->offsets[c];
            row[c] = (int32_t)lutra_round_half_up(row[c] + offset, round->dropped_bits);
        }
        lutra_clear_store_row(row, y, scratch, p);
    }
}

/** Sums that decryption cannot tell from others. */
static void count_outside(const LutraOperation *op, LutraOperationStatistics *statistics,
                          const int32_t *row) {
    for (size_t c = 0; c < op->shape.channels; c++) {
        statistics->out_of_range += !lutra_encoding_holds(op->encoding, row[c]);
    }
}

/** Logits of the row that the client has decrypted. */
static void run_output(const LutraOperation *op, const ClearValue *x, float *logits,
                       LutraOperationStatistics *statistics, const int32_t *row) {
    lutra_operation_output(logits, &op->u.output, op->shape.channels, row);
    for (size_t c = 0; c < x->channels; c++) {
        lutra_operation_statistics_see(statistics, op->observed_range, row[c]);
    }
    statistics->elements += x->channels;
}

/** Statistics of a value that no table's stage takes. */
static void observe(LutraOperationStatistics *statistics, LutraRange observed, const ClearValue *y,
                    const uint8_t *scratch, int32_t *row) {
    for (size_t p = 0; p < y->pixels; p++) {
        lutra_clear_load_row(row, y, scratch, p);
        for (size_t c = 0; c < y->channels; c++) {
            lutra_operation_statistics_see(statistics, observed, row[c]);
        }
    }
    statistics->elements += (uint64_t)y->pixels * y->channels;
}

/** @return false as lutra_clear_table_run */
static bool run_stage(const LutraClearProgram *program, const ClearStage *stage, float *logits,
                      LutraOperationStatistics *statistics, const uint8_t *pixels,
                      uint64_t image, uint8_t *block) {
    int32_t *const row0 = (int32_t *)(void *)(block + program->rows_offset);
    int32_t *const row1 = row0 + program->max_lanes;
    const uint32_t index = stage->operation;
    const LutraOperation *const op = &program->circuit->operations[index];
    const ClearValue *const y = &program->values[index];
    const ClearValue *const x = op->input_count > 0 ? &program->values[op->inputs[0]] : NULL;
    switch (op->kind) {
        case LUTRA_OPERATION_INPUT:
            run_input(op, y, &statistics[index], pixels, block);
            return true;
        case LUTRA_OPERATION_LINEAR:
        case LUTRA_OPERATION_CONV:
            lutra_clear_dot_run(&stage->dot, y, x, block, &program->kernels);
            break;
        case LUTRA_OPERATION_SUM_POOL:
            run_pool(&op->u.sum_pool, y, x, block, row0, row1);
            break;
        case LUTRA_OPERATION_ADD:
            run_add(y, x, &program->values[op->inputs[1]], block, row0, row1);
            break;
        case LUTRA_OPERATION_ROUND: run_round(&op->u.round, y, x, block, row0); break;
        case LUTRA_OPERATION_TABLE:
            return lutra_clear_table_run(program, stage, statistics, image, block);
        case LUTRA_OPERATION_OUTPUT:
            lutra_clear_load_row(row0, x, block, 0);
            count_outside(op, &statistics[index], row0);
            if (program->plan != NULL) {
                lutra_clear_noise_decrypt(program, op, &statistics[index], image, row0);
            }
            run_output(op, x, logits, &statistics[index], row0);
            return true;
    }
    if (!stage->observed_later) {
        observe(&statistics[index], op->observed_range, y, block, row0);
    }
    return true;
}

static bool run_image(const LutraClearProgram *program, float *logits,
                      LutraOperationStatistics *statistics, const uint8_t *pixels,
                      uint64_t image, void *scratch) {
    bool runs = true;
    for (uint32_t s = 0; s < program->stage_count && runs; s++) {
        runs = run_stage(program, &program->stages[s], logits, statistics, pixels, image, scratch);
    }
    return runs;
}

void lutra_clear_run(const LutraClearProgram *program, float *logits,
                     LutraOperationStatistics *statistics, const uint8_t *pixels, void *scratch) {
    LUTRA_ASSERT(program->plan == NULL);
    (void)run_image(program, logits, statistics, pixels, 0, scratch);
}

bool lutra_clear_run_noisy(const LutraClearProgram *program, float *logits,
                           LutraOperationStatistics *statistics, const uint8_t *pixels,
                           uint64_t image, void *scratch) {
    LUTRA_ASSERT(program->plan != NULL);
    return run_image(program, logits, statistics, pixels, image, scratch);
}

static void show(const LutraClearObserver *observer, const LutraClearProgram *program,
                 uint32_t operation, uint8_t *block) {
    const ClearValue *const y = &program->values[operation];
    int32_t *const row = (int32_t *)(void *)(block + program->rows_offset);
    if (!observer->wanted[operation] || y->format == VALUE_NONE) {
        return;
    }
    for (size_t p = 0; p < y->pixels; p++) {
        lutra_clear_load_row(row, y, block, p);
        observer->see(observer->user, operation, p, row);
    }
}

void lutra_clear_run_observed(const LutraClearProgram *program, float *logits,
                              LutraOperationStatistics *statistics, const uint8_t *pixels,
                              void *scratch, const LutraClearObserver *observer) {
    LUTRA_ASSERT(program->plan == NULL);
    for (uint32_t s = 0; s < program->stage_count; s++) {
        const ClearStage *const stage = &program->stages[s];
        (void)run_stage(program, stage, logits, statistics, pixels, 0, scratch);
        show(observer, program, stage->operation, scratch);
    }
}
