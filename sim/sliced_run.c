/* SPDX-License-Identifier: Apache-2.0 */
/* Execution of a bit-sliced program: one batch of images, stage by stage. */
#include "sim/sliced_run_priv.h"

#include <string.h>

#include "sim/operations.h"

/** Element of a stored value. */
static uint8_t *element_at(const SlicedBatch *batch, const SlicedValue *value, size_t row,
                           size_t column, size_t channel) {
    return batch->scratch + value->offset + (row + value->border) * value->row_bytes +
           (column + value->border) * value->pixel_bytes + channel * value->element_bytes;
}

/** Writes code 0 - low into the border. */
static void fill_border(const SlicedBatch *batch, const SlicedValue *value) {
    const size_t plane_bytes = batch->program->plane_bytes;
    const size_t width = value->shape.width + 2 * (size_t)value->border;
    const size_t height = value->shape.height + 2 * (size_t)value->border;
    const uint32_t zero = (uint32_t)-value->range.min;
    for (size_t r = 0; r < height; r++) {
        const bool whole = r < value->border || r >= height - value->border;
        for (size_t c = 0; c < width; c++) {
            if (!whole && c == value->border) {
                c = width - value->border;
            }
            uint8_t *plane = batch->scratch + value->offset + r * value->row_bytes +
                             c * value->pixel_bytes;
            for (size_t e = 0; e < value->shape.channels; e++) {
                for (uint32_t k = 0; k < value->planes; k++, plane += plane_bytes) {
                    memset(plane, (zero >> k & 1) != 0 ? 0xFF : 0, plane_bytes);
                }
            }
        }
    }
}

/* ---- input ---- */

/** Slices byte `part` of the codes of up to SLICED_TILE pixels of one channel. */
static void slice_tile(const SlicedBatch *batch, const LutraInputOperation *input,
                       const SlicedValue *y, size_t channel, size_t first, size_t pixels,
                       uint32_t part) {
    const LutraSlicedProgram *const program = batch->program;
    const size_t lanes = program->kernels.lanes;
    const size_t plane = (size_t)y->shape.height * y->shape.width;
    uint8_t *const bytes = batch->scratch + program->bytes_offset;
    uint8_t code[256];
    for (size_t p = 0; p < 256; p++) {
        const int32_t above_low =
            input->code_of_pixel[channel * 256 + p] - (int32_t)y->range.min;
        code[p] = (uint8_t)((uint32_t)above_low >> (8 * part));
    }
    for (size_t image = 0; image < batch->count; image++) {
        const uint8_t *const from =
            batch->pixels + (image * y->shape.channels + channel) * plane + first;
        for (size_t p = 0; p < pixels; p++) {
            bytes[p * lanes + image] = code[from[p]];
        }
    }
    const uint32_t planes = y->planes - 8 * part < 8 ? y->planes - 8 * part : 8;
    for (size_t p = 0; p < pixels; p++) {
        uint8_t *const element = element_at(batch, y, (first + p) / y->shape.width,
                                            (first + p) % y->shape.width, channel);
        program->kernels.slice(element + 8 * (size_t)part * program->plane_bytes, planes,
                               bytes + p * lanes);
    }
}

static void run_input(SlicedBatch *batch, uint32_t operation) {
    const LutraSlicedProgram *const program = batch->program;
    const LutraInputOperation *const input = &program->circuit->operations[operation].u.input;
    const SlicedValue *const y = &program->values[operation];
    const size_t plane = (size_t)y->shape.height * y->shape.width;
    /* lanes without an image: any code will do */
    memset(batch->scratch + program->bytes_offset, 0, (size_t)program->kernels.lanes * SLICED_TILE);
    lutra_sliced_set_code_bounds(batch, operation);
    for (size_t c = 0; c < y->shape.channels; c++) {
        for (size_t first = 0; first < plane; first += SLICED_TILE) {
            const size_t pixels = plane - first < SLICED_TILE ? plane - first : SLICED_TILE;
            for (uint32_t part = 0; 8 * part < y->planes; part++) {
                slice_tile(batch, input, y, c, first, pixels, part);
            }
        }
    }
    for (size_t r = 0; r < y->shape.height; r++) {
        for (size_t s = 0; s < y->shape.width; s++) {
            for (size_t c = 0; c < y->shape.channels; c++) {
                lutra_sliced_watch_code(batch, operation, element_at(batch, y, r, s, c));
            }
        }
    }
    batch->statistics[operation].elements +=
        (uint64_t)lutra_shape_elements(y->shape) * batch->count;
}

/* ---- the other stages ---- */

/** Where x of a stage is at one pixel: address for the first channel, and step to the next. */
typedef struct {
    const uint8_t *x; /* what the element is computed from; its window */
    size_t x_step;
    const uint8_t *x1; /* add: the second input */
    size_t x1_step;
} Place;

static Place place_at(const SlicedBatch *batch, const SlicedStage *stage, size_t row,
                      size_t column) {
    const LutraSlicedProgram *const program = batch->program;
    Place place = {0};
    if (!stage->computes_x) {
        const SlicedValue *const x = &program->values[stage->x];
        place.x = element_at(batch, x, row, column, 0);
        place.x_step = x->element_bytes;
        return place;
    }
    const LutraOperation *const op = &program->circuit->operations[stage->x];
    const SlicedValue *const x = &program->values[op->inputs[0]];
    if (op->kind == LUTRA_OPERATION_ADD) {
        const SlicedValue *const x1 = &program->values[op->inputs[1]];
        place.x = element_at(batch, x, row, column, 0);
        place.x_step = x->element_bytes;
        place.x1 = element_at(batch, x1, row, column, 0);
        place.x1_step = x1->element_bytes;
        return place;
    }
    const SlicedWindow *const window = &stage->window;
    place.x = batch->scratch + x->offset +
              (row * window->window_stride + window->margin) * x->row_bytes +
              (column * window->window_stride + window->margin) * x->pixel_bytes;
    place.x_step = window->channel_bytes;
    return place;
}

/** Elements of some channels: where they stand or, if the stage computes them, were computed. */
typedef struct {
    const uint8_t *x;
    size_t step; /* bytes to the next channel */
} Panel;

static Panel panel_of(const SlicedBatch *batch, const SlicedStage *stage, const Place *place,
                      uint32_t channel, uint32_t count) {
    const LutraSlicedProgram *const program = batch->program;
    const uint8_t *const x = place->x + channel * place->x_step;
    uint8_t *const y = batch->scratch + program->element_offset;
    const uint32_t planes = program->values[stage->x].planes;
    const size_t step = (planes + LUTRA_SLICED_SPARE_PLANES) * (size_t)program->plane_bytes;
    if (!stage->computes_x) {
        return (Panel){.x = x, .step = place->x_step};
    }
    if (place->x1 == NULL && place->x_step == 0) {
        program->kernels.dots(y, step, &stage->window.dots[channel], count, x);
        return (Panel){.x = y, .step = step};
    }
    const LutraOperation *const op = &program->circuit->operations[stage->x];
    for (uint32_t i = 0; i < count; i++) {
        if (place->x1 == NULL) {
            program->kernels.dots(y + i * step, step, &stage->window.dots[channel + i], 1,
                                  x + i * place->x_step);
        } else {
            program->kernels.add(y + i * step, planes, x + i * place->x_step,
                                 program->values[op->inputs[0]].planes,
                                 place->x1 + (channel + i) * place->x1_step,
                                 program->values[op->inputs[1]].planes);
        }
    }
    return (Panel){.x = y, .step = step};
}

/** Stores what a stage makes of x. */
static void store_element(SlicedBatch *batch, const SlicedStage *stage, uint8_t *y,
                          size_t y_bytes, uint32_t channel, const uint8_t *x) {
    lutra_sliced_watch(batch, stage, channel, x);
    if (stage->table == SLICED_NONE) {
        memcpy(y, x, y_bytes);
        return;
    }
    batch->program->kernels.steps(y, &stage->to_code.steps[channel], x);
    lutra_sliced_watch_code(batch, stage->table, y);
}

/** One batch's own side of a stage. */
typedef struct {
    SlicedBatch *batch;
    const SlicedStage *stage;
    const SlicedValue *value; /* that the stage stores */
    uint8_t *y;               /* at one pixel */
} Side;

static Side side_of(SlicedBatch *batch, uint32_t s) {
    const SlicedStage *const stage = &batch->program->stages[s];
    const SlicedValue *const value = &batch->program->values[lutra_sliced_result(stage)];
    if (value->border > 0) {
        fill_border(batch, value);
    }
    return (Side){.batch = batch, .stage = stage, .value = value};
}

static void count_elements(const SlicedBatch *batch, const SlicedStage *stage) {
    const LutraShape shape = batch->program->values[stage->x].shape;
    const uint64_t elements = (uint64_t)lutra_shape_elements(shape) * batch->count;
    batch->statistics[stage->x].elements += stage->computes_x ? elements : 0;
    if (stage->round != SLICED_NONE) {
        batch->statistics[stage->round].elements += elements;
    }
    if (stage->table != SLICED_NONE) {
        batch->statistics[stage->table].elements += elements;
    }
}

/** All channels of one pixel. */
static void run_pixel(Side *sides, uint32_t count, size_t row, size_t column) {
    const SlicedBatch *const first = sides[0].batch;
    const SlicedStage *const stage = sides[0].stage;
    const uint32_t channels = first->program->values[stage->x].shape.channels;
    const Place place = place_at(first, stage, row, column);
    for (uint32_t i = 0; i < count; i++) {
        sides[i].y = element_at(sides[i].batch, sides[i].value, row, column, 0);
    }
    for (uint32_t channel = 0; channel < channels; channel += SLICED_PANEL) {
        const uint32_t panel =
            channels - channel < SLICED_PANEL ? channels - channel : SLICED_PANEL;
        const Panel x = panel_of(first, stage, &place, channel, panel);
        for (uint32_t i = 0; i < count; i++) {
            const size_t bytes = sides[i].value->element_bytes;
            for (uint32_t c = 0; c < panel; c++) {
                store_element(sides[i].batch, sides[i].stage, sides[i].y, bytes, channel + c,
                              x.x + c * x.step);
                sides[i].y += bytes;
            }
        }
    }
}

void lutra_sliced_run_stage(SlicedBatch *const *batches, uint32_t count, uint32_t s) {
    Side sides[LUTRA_SLICED_MOST_TOGETHER];
    LUTRA_ASSERT(count >= 1 && count <= LUTRA_SLICED_MOST_TOGETHER);
    for (uint32_t i = 0; i < count; i++) {
        sides[i] = side_of(batches[i], s);
    }
    const LutraSlicedProgram *const program = batches[0]->program;
    const SlicedStage *const stage = &program->stages[s];
    if (stage->computes_x && program->circuit->operations[stage->x].kind == LUTRA_OPERATION_INPUT) {
        LUTRA_ASSERT(count == 1);
        run_input(batches[0], stage->x);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        lutra_sliced_set_bounds(batches[i], sides[i].stage);
        if (sides[i].stage->table != SLICED_NONE) {
            lutra_sliced_set_code_bounds(batches[i], sides[i].stage->table);
        }
    }
    const LutraShape shape = program->values[stage->x].shape;
    for (size_t row = 0; row < shape.height; row++) {
        for (size_t column = 0; column < shape.width; column++) {
            run_pixel(sides, count, row, column);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        count_elements(batches[i], sides[i].stage);
    }
}

void lutra_sliced_run_output(SlicedBatch *batch, float *logits) {
    const LutraSlicedProgram *const program = batch->program;
    const LutraCircuit *const circuit = program->circuit;
    const LutraOperation *const op = &circuit->operations[circuit->operation_count - 1];
    const SlicedValue *const x = &program->values[op->inputs[0]];
    const uint32_t classes = circuit->class_count;
    int32_t *const values = (int32_t *)(void *)(batch->scratch + program->bytes_offset);
    for (uint32_t c = 0; c < classes; c++) {
        const uint8_t *const element = element_at(batch, x, 0, 0, c);
        lutra_sliced_note_output(batch, element);
        for (uint32_t i = 0; i < batch->count; i++) {
            uint32_t code = 0;
            for (uint32_t k = 0; k < x->planes; k++) {
                code |= (uint32_t)(element[k * program->plane_bytes + i / 8] >> i % 8 & 1) << k;
            }
            values[(size_t)i * classes + c] = (int32_t)(code + x->range.min);
        }
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        lutra_operation_output(logits + (size_t)i * classes, &op->u.output, classes,
                               values + (size_t)i * classes);
    }
}

void lutra_sliced_batch_init(SlicedBatch *batch, const LutraSlicedProgram *program,
                             LutraOperationStatistics *statistics, const uint8_t *pixels,
                             uint32_t count, void *scratch) {
    LUTRA_ASSERT(count >= 1 && count <= program->kernels.lanes);
    *batch = (SlicedBatch){.program = program,
                           .statistics = statistics,
                           .pixels = pixels,
                           .count = count,
                           .scratch = scratch};
    batch->used = batch->scratch + program->used_offset;
    batch->bounds = (int32_t *)(void *)(batch->scratch + program->bounds_offset);
    memset(batch->used, 0, program->plane_bytes);
    for (uint32_t i = 0; i < count; i++) {
        batch->used[i / 8] = (uint8_t)(batch->used[i / 8] | 1u << i % 8);
    }
}

void lutra_sliced_run(const LutraSlicedProgram *program, float *logits,
                      LutraOperationStatistics *statistics, const uint8_t *pixels, uint32_t count,
                      void *scratch) {
    SlicedBatch batch;
    SlicedBatch *const batches = &batch;
    lutra_sliced_batch_init(&batch, program, statistics, pixels, count, scratch);
    for (uint32_t s = 0; s < program->stage_count; s++) {
        lutra_sliced_run_stage(&batches, 1, s);
    }
    lutra_sliced_run_output(&batch, logits);
}
