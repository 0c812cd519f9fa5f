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

static bool outside(LutraRange observed, int64_t value) {
    return observed.min <= observed.max && (value < observed.min || value > observed.max);
}

static void run_input(const LutraOperation *op, const ClearValue *y,
                      LutraOperationStatistics *statistics, const uint8_t *pixels,
                      uint8_t *scratch, int32_t *row) {
    for (size_t p = 0; p < y->pixels; p++) {
        for (size_t c = 0; c < y->channels; c++) {
            const int32_t code =
                op->u.input.code_of_pixel[c * 256 + pixels[c * y->pixels + p]];
            row[c] = code;
            statistics->zeros += code == 0;
            statistics->min = code < statistics->min ? code : statistics->min;
            statistics->max = code > statistics->max ? code : statistics->max;
            statistics->outside_observed += outside(op->observed_range, code);
        }
        lutra_clear_store_row(row, y, scratch, p);
    }
    statistics->elements += (uint64_t)y->pixels * y->channels;
}

static void run_pool(const LutraSumPoolOperation *pool, const ClearValue *y, const ClearValue *x,
                     uint8_t *scratch, int32_t *sum, int32_t *row) {
    for (size_t r = 0; r < y->height; r++) {
        for (size_t s = 0; s < y->width; s++) {
            memset(sum, 0, y->stride * sizeof *sum);
            for (size_t a = 0; a < pool->kernel; a++) {
                for (size_t b = 0; b < pool->kernel; b++) {
                    const size_t pixel =
                        (r * pool->stride + a) * x->width + s * pool->stride + b;
                    lutra_clear_load_row(row, x, scratch, pixel);
                    for (size_t c = 0; c < x->channels; c++) {
                        sum[c] += row[c];
                    }
                }
            }
            lutra_clear_store_row(sum, y, scratch, r * y->width + s);
        }
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

static void run_output(const LutraOperation *op, const ClearValue *x, float *logits,
                       LutraOperationStatistics *statistics, const uint8_t *scratch,
                       int32_t *row) {
    const int64_t low = lutra_encoding_min(op->encoding);
    const int64_t high = lutra_encoding_max(op->encoding);
    lutra_clear_load_row(row, x, scratch, 0);
    lutra_operation_output(logits, &op->u.output, op->shape.channels, row);
    for (size_t c = 0; c < x->channels; c++) {
        statistics->min = row[c] < statistics->min ? row[c] : statistics->min;
        statistics->max = row[c] > statistics->max ? row[c] : statistics->max;
        statistics->outside_observed += outside(op->observed_range, row[c]);
        statistics->out_of_range += row[c] < low || row[c] > high;
    }
    statistics->elements += x->channels;
}

/** Statistics of a value that no table's stage takes. */
static void observe(LutraOperationStatistics *statistics, LutraRange observed, const ClearValue *y,
                    const uint8_t *scratch, int32_t *row) {
    for (size_t p = 0; p < y->pixels; p++) {
        lutra_clear_load_row(row, y, scratch, p);
        for (size_t c = 0; c < y->channels; c++) {
            statistics->min = row[c] < statistics->min ? row[c] : statistics->min;
            statistics->max = row[c] > statistics->max ? row[c] : statistics->max;
            statistics->outside_observed += outside(observed, row[c]);
        }
    }
    statistics->elements += (uint64_t)y->pixels * y->channels;
}

void lutra_clear_run(const LutraClearProgram *program, float *logits,
                     LutraOperationStatistics *statistics, const uint8_t *pixels, void *scratch) {
    uint8_t *const block = scratch;
    int32_t *const row0 = (int32_t *)(void *)(block + program->rows_offset);
    int32_t *const row1 = row0 + program->max_lanes;
    for (uint32_t s = 0; s < program->stage_count; s++) {
        const ClearStage *const stage = &program->stages[s];
        const uint32_t index = stage->operation;
        const LutraOperation *const op = &program->circuit->operations[index];
        const ClearValue *const y = &program->values[index];
        const ClearValue *const x =
            op->input_count > 0 ? &program->values[op->inputs[0]] : NULL;
        switch (op->kind) {
            case LUTRA_OPERATION_INPUT:
                run_input(op, y, &statistics[index], pixels, block, row0);
                continue;
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
                lutra_clear_table_run(program, stage, statistics, block);
                continue;
            case LUTRA_OPERATION_OUTPUT:
                run_output(op, x, logits, &statistics[index], block, row0);
                continue;
        }
        if (!stage->observed_later) {
            observe(&statistics[index], op->observed_range, y, block, row0);
        }
    }
}
