/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise of tables that are made of steps. Chunk by chunk inputs are moved by whole cells, then
 * compared with the thresholds as always. The few that a kernel leaves undecided, such as those at
 * the table's ends, where noise leads to negated entries, are looked up one by one and their codes
 * put in place afterwards.
 */
#include <string.h>

#include "sim/clear_priv.h"

/** One chunk of pixels. */
typedef struct {
    const LutraClearProgram *program;
    const ClearStage *stage;
    uint64_t image;
    size_t pixel; /* first */
    size_t pixels;
    uint8_t *scratch;
} Chunk;

static const uint8_t *inputs_of(const Chunk *chunk) {
    const ClearValue *const x = &chunk->program->values[chunk->stage->table.x];
    return chunk->scratch + x->offset +
           chunk->pixel * x->stride * lutra_clear_format_bytes(x->format);
}

/** Moves the chunk's inputs. @return how many are left undecided */
static size_t displace(const Chunk *chunk, LutraOperationStatistics *of_table) {
    const ClearNoise *const noise = &chunk->stage->noise;
    const ClearValue *const x = &chunk->program->values[chunk->stage->table.x];
    const LutraDisplaceTask task = {
        .x = inputs_of(chunk),
        .y = chunk->scratch + noise->moved_offset,
        .pixels = chunk->pixels,
        .stride = x->stride,
        .channels = x->channels,
        .draws = lutra_clear_noise_draws(chunk->program, chunk->stage, chunk->image, chunk->pixel,
                                         chunk->pixels, chunk->scratch),
        .to_place = noise->to_place,
        .first = noise->first,
        .shares = noise->shares,
        .dropped_bits = noise->dropped_bits,
        .low = noise->low,
        .high = noise->high,
        .draw_low = noise->draw_low,
        .draw_high = noise->draw_high,
        .flagged = (uint32_t *)(void *)(chunk->scratch + noise->flagged_offset)};
    const LutraDisplaced seen = x->format == VALUE_I16
                                    ? chunk->program->displace.displace16(&task)
                                    : chunk->program->displace.displace32(&task);
    of_table->displaced += seen.displaced;
    return seen.flagged;
}

/** Puts the codes of undecided elements in place: exact ones in y, noisy ones among the moved. */
static void decide(const Chunk *chunk, size_t undecided, LutraOperationStatistics *of_table,
                   uint8_t *exact_codes, uint8_t *codes) {
    const ClearNoise *const noise = &chunk->stage->noise;
    const ClearValue *const x = &chunk->program->values[chunk->stage->table.x];
    const ClearValue *const y = &chunk->program->values[chunk->stage->operation];
    const uint32_t *const flagged =
        (const uint32_t *)(const void *)(chunk->scratch + noise->flagged_offset);
    const void *const inputs = inputs_of(chunk);
    for (size_t i = 0; i < undecided; i++) {
        const size_t at = flagged[i];
        const size_t pixel = at / x->stride;
        const uint32_t c = (uint32_t)(at % x->stride);
        const int32_t input = x->format == VALUE_I16 ? ((const int16_t *)inputs)[at]
                                                     : ((const int32_t *)inputs)[at];
        const ClearNoisyRead read = lutra_clear_noisy_read(
            chunk->program, chunk->stage, chunk->image, chunk->pixel + pixel, c, input);
        exact_codes[pixel * y->stride + c] = (uint8_t)(read.exact - y->low);
        codes[pixel * y->stride + c] = (uint8_t)(read.value - y->low);
        of_table->displaced += read.is_displaced;
        of_table->out_of_range += read.is_outside;
    }
}

/** What is seen of codes that were not all computed by the kernel. */
static void see_codes(LutraStepsSeen *seen, const Chunk *chunk, const uint8_t *codes) {
    const ClearValue *const y = &chunk->program->values[chunk->stage->operation];
    const uint8_t zero = (uint8_t)-y->low;
    seen->y_min = UINT32_MAX;
    seen->y_max = 0;
    seen->zeros = 0;
    for (size_t p = 0; p < chunk->pixels; p++) {
        for (size_t c = 0; c < y->channels; c++) {
            const uint8_t code = codes[p * y->stride + c];
            seen->y_min = code < seen->y_min ? code : seen->y_min;
            seen->y_max = code > seen->y_max ? code : seen->y_max;
            seen->zeros += code == zero;
        }
    }
}

static void run_chunk(const Chunk *chunk, LutraOperationStatistics *of_table,
                      LutraStepsSeen *seen) {
    const ClearNoise *const noise = &chunk->stage->noise;
    const ClearValue *const y = &chunk->program->values[chunk->stage->operation];
    uint8_t *const exact_codes = chunk->scratch + y->offset + chunk->pixel * y->stride;
    const size_t undecided = displace(chunk, of_table);
    LutraStepsTask task = lutra_clear_steps_task(chunk->program, chunk->stage, chunk->scratch);
    task.x = chunk->scratch + noise->moved_offset;
    task.y = chunk->scratch + noise->codes_offset;
    task.pixels = chunk->pixels;
    task.marked = chunk->scratch + noise->marked_offset;
    lutra_clear_steps_kernel(chunk->program, chunk->stage)(&task, seen);
    if (undecided > 0) {
        decide(chunk, undecided, of_table, exact_codes, task.y);
        see_codes(seen, chunk, task.y);
    }
    uint64_t changed = 0;
    for (size_t i = 0; i < chunk->pixels * y->stride; i++) {
        changed += exact_codes[i] != task.y[i];
    }
    of_table->changed += changed;
    memcpy(exact_codes, task.y, chunk->pixels * y->stride);
}

void lutra_clear_noisy_steps(const LutraClearProgram *program, const ClearStage *stage,
                             LutraOperationStatistics *of_table, LutraStepsSeen *seen,
                             uint64_t image, uint8_t *scratch) {
    const size_t pixels = program->values[stage->table.x].pixels;
    const size_t most = stage->noise.chunk_pixels;
    seen->y_min = UINT32_MAX;
    seen->y_max = 0;
    seen->zeros = 0;
    for (size_t p = 0; p < pixels; p += most) {
        const Chunk chunk = {program, stage, image, p, most < pixels - p ? most : pixels - p,
                             scratch};
        LutraStepsSeen part;
        run_chunk(&chunk, of_table, &part);
        seen->zeros += part.zeros;
        seen->y_min = part.y_min < seen->y_min ? part.y_min : seen->y_min;
        seen->y_max = part.y_max > seen->y_max ? part.y_max : seen->y_max;
    }
}
