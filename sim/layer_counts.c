/* SPDX-License-Identifier: Apache-2.0 */
/* Counting what tables and the output read; see layer_counts_priv.h. */
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "sim/layer_counts_priv.h"

enum {
    UNIT_IMAGES = 8,
    ROUND_IMAGES = 128, /* between two calls of the progress listener */
    MERGE_COUNTERS = 1 << 16
};

static const uint32_t NONE = UINT32_MAX;

/* --- kinds of pixels -------------------------------------------------------------------------- */

static bool equal_noise(const double *var_t2, const LutraCountedLayer *layer, size_t a, size_t b) {
    for (size_t c = 0; c < layer->channels; c++) {
        if (var_t2[c * layer->pixels + a] != var_t2[c * layer->pixels + b]) {
            return false;
        }
    }
    return true;
}

/** @param var_t2  (channels, pixels) or NULL: one kind */
static void find_kinds(LutraCountedLayer *layer, const double *var_t2) {
    layer->kind_count = 1;
    for (size_t p = 1; p < layer->pixels && var_t2 != NULL; p++) {
        uint32_t kind = 0;
        while (kind < layer->kind_count &&
               !equal_noise(var_t2, layer, p, layer->pixel_of_kind[kind])) {
            kind++;
        }
        if (kind == layer->kind_count) {
            layer->pixel_of_kind[layer->kind_count++] = p;
        }
        layer->kind_of_pixel[p] = kind;
    }
}

/* --- plan ------------------------------------------------------------------------------------- */

static LutraStatus init_layer(LutraCountedLayer *layer, const LutraCircuit *circuit,
                              uint32_t operation, const LutraSimulation *simulation,
                              const LutraPrediction *prediction, LutraError *error) {
    const LutraOperation *const op = &circuit->operations[operation];
    layer->reading = lutra_reading_of(circuit, operation);
    const LutraOperation *const source = &circuit->operations[layer->reading.source];
    const LutraOperationStatistics *const seen = &simulation->operations[layer->reading.source];
    LUTRA_ASSERT(seen->min <= seen->max);
    layer->channels = source->shape.channels;
    layer->pixels = (size_t)source->shape.height * source->shape.width;
    layer->first_value = seen->min;
    layer->value_count = (size_t)(seen->max - seen->min) + 1;
    layer->is_predicted = prediction != NULL && op->kind == LUTRA_OPERATION_TABLE &&
                          lutra_operation_is_encrypted(op);
    if (simulation->images > UINT32_MAX / layer->pixels) {
        return lutra_error_set(error, LUTRA_EINVAL, "statistics of layers take at most %llu images",
                               (unsigned long long)(UINT32_MAX / layer->pixels));
    }
    LUTRA_TRY(lutra_alloc(&layer->kind_of_pixel, layer->pixels, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&layer->pixel_of_kind, layer->pixels, sizeof(size_t), error));
    find_kinds(layer, layer->is_predicted ? prediction->var_t2[op->inputs[0]] : NULL);
    return LUTRA_OK;
}

static size_t counters_per_channel(const LutraCountedLayer *layer) {
    return (size_t)layer->kind_count * layer->value_count;
}

/** Fewest counters that run everything at once, but not more than the memory holds. */
static LutraStatus size_counters(LutraLayerCounts *counts, size_t memory_bytes,
                                 LutraError *error) {
    const size_t most = memory_bytes / sizeof(uint32_t) / counts->threads;
    size_t all = 0;
    for (uint32_t i = 0; i < counts->layer_count; i++) {
        const LutraCountedLayer *const layer = &counts->layers[i];
        const size_t channel = counters_per_channel(layer);
        if (channel > most) {
            const LutraOperation *const op = &counts->circuit->operations[layer->reading.operation];
            return lutra_error_set(error, LUTRA_ENOMEM,
                                   "statistics of '%s' need %zu MiB for one channel; use fewer "
                                   "threads",
                                   op->name,
                                   (channel * sizeof(uint32_t) * counts->threads >> 20) + 1);
        }
        all += all > most ? 0 : channel * layer->channels; /* cannot overflow: bounded elements */
    }
    counts->capacity = all < most ? all : most;
    return LUTRA_OK;
}

LutraStatus lutra_layer_counts_init(LutraLayerCounts *counts, const LutraCircuit *circuit,
                                    const LutraSimulation *simulation,
                                    const LutraPrediction *prediction, uint32_t threads,
                                    size_t memory_bytes, LutraError *error) {
    *counts = (LutraLayerCounts){.circuit = circuit, .threads = threads};
    const uint32_t operations = circuit->operation_count;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&counts->layers, operations, sizeof *counts->layers, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&counts->pieces, operations, sizeof *counts->pieces, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&counts->first_piece, operations, sizeof(uint32_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&counts->wanted, operations, sizeof(bool), error));
    for (uint32_t i = 0; i < operations; i++) {
        if (lutra_operation_reads(&circuit->operations[i])) {
            LutraCountedLayer *const layer = &counts->layers[counts->layer_count++];
            LUTRA_TRY_GOTO(status,
                           init_layer(layer, circuit, i, simulation, prediction, error));
        }
    }
    LUTRA_TRY_GOTO(status, size_counters(counts, memory_bytes, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&counts->counters, threads,
                                       counts->capacity * sizeof(uint32_t), error));
    while (lutra_layer_counts_next(counts)) {
        counts->pass_count++;
    }
    counts->next_layer = 0;
done:
    if (status != LUTRA_OK) {
        lutra_layer_counts_deinit(counts);
    }
    return status;
}

void lutra_layer_counts_deinit(LutraLayerCounts *counts) {
    for (uint32_t i = 0; i < counts->layer_count; i++) {
        lutra_free(&counts->layers[i].kind_of_pixel);
        lutra_free(&counts->layers[i].pixel_of_kind);
    }
    lutra_free(&counts->layers);
    lutra_free(&counts->pieces);
    lutra_free(&counts->first_piece);
    lutra_free(&counts->wanted);
    lutra_free(&counts->counters);
    memset(counts, 0, sizeof *counts);
}

bool lutra_layer_counts_next(LutraLayerCounts *counts) {
    size_t used = 0;
    counts->piece_count = 0;
    for (uint32_t i = 0; i < counts->circuit->operation_count; i++) {
        counts->first_piece[i] = NONE;
        counts->wanted[i] = false;
    }
    while (counts->next_layer < counts->layer_count) {
        const LutraCountedLayer *const layer = &counts->layers[counts->next_layer];
        const size_t room = (counts->capacity - used) / counters_per_channel(layer);
        const uint32_t left = layer->channels - counts->next_channel;
        const uint32_t channels = room < left ? (uint32_t)room : left;
        if (channels == 0) {
            break;
        }
        const uint32_t source = layer->reading.source;
        counts->pieces[counts->piece_count] =
            (LutraCountedPiece){.layer = counts->next_layer,
                                .first_channel = counts->next_channel,
                                .channels = channels,
                                .next = counts->first_piece[source],
                                .offset = used};
        counts->first_piece[source] = counts->piece_count++;
        counts->wanted[source] = true;
        used += channels * counters_per_channel(layer);
        counts->next_channel += channels;
        if (counts->next_channel == layer->channels) {
            counts->next_channel = 0;
            counts->next_layer++;
        }
    }
    return counts->piece_count > 0;
}

/* --- run -------------------------------------------------------------------------------------- */

typedef struct {
    const LutraLayerCounts *counts;
    uint32_t *counters; /* of this worker */
} Watch;

typedef struct {
    const LutraLayerCounts *counts;
    const LutraClearProgram *program;
    const LutraImages *images;
    size_t pixels_per_image;
    uint64_t first;
    uint64_t end;
    uint8_t *scratch; /* (threads, scratch_stride) */
    size_t scratch_stride;
    float *logits;                        /* (threads, classes) not used further, like the next */
    LutraOperationStatistics *statistics; /* (threads, operations) */
    Watch *watches;                       /* (threads) */
} Run;

static void count_row(void *user, uint32_t operation, size_t pixel, const int32_t *values) {
    const Watch *const watch = user;
    const LutraLayerCounts *const counts = watch->counts;
    for (uint32_t i = counts->first_piece[operation]; i != NONE; i = counts->pieces[i].next) {
        const LutraCountedPiece *const piece = &counts->pieces[i];
        const LutraCountedLayer *const layer = &counts->layers[piece->layer];
        const size_t value_count = layer->value_count;
        const int32_t *const x = values + piece->first_channel;
        uint32_t *at = watch->counters + piece->offset +
                       layer->kind_of_pixel[pixel] * (piece->channels * value_count);
        for (uint32_t c = 0; c < piece->channels; c++) {
            const uint64_t place = (uint64_t)(x[c] - layer->first_value);
            LUTRA_ASSERT(place < value_count); /* the simulation saw the same images */
            at[place]++;
            at += value_count;
        }
    }
}

static void run_unit(void *user, size_t index, uint32_t worker) {
    const Run *const run = user;
    const LutraCircuit *const circuit = run->counts->circuit;
    const uint64_t first = run->first + (uint64_t)index * UNIT_IMAGES;
    const uint64_t end = first + UNIT_IMAGES < run->end ? first + UNIT_IMAGES : run->end;
    const LutraClearObserver observer = {count_row, &run->watches[worker], run->counts->wanted};
    for (uint64_t image = first; image < end; image++) {
        lutra_clear_run_observed(
            run->program, run->logits + (size_t)worker * circuit->class_count,
            run->statistics + (size_t)worker * circuit->operation_count,
            run->images->pixels + (size_t)image * run->pixels_per_image,
            run->scratch + worker * run->scratch_stride, &observer);
    }
}

static LutraStatus run_images(Run *run, uint64_t count, uint32_t pass,
                              const LutraProgress *progress, LutraError *error) {
    const LutraLayerCounts *const counts = run->counts;
    for (uint64_t done = 0; done < count; done = run->end) {
        run->first = done;
        run->end = count - done < ROUND_IMAGES ? count : done + ROUND_IMAGES;
        const size_t units = (size_t)((run->end - done + UNIT_IMAGES - 1) / UNIT_IMAGES);
        lutra_parallel_for(counts->threads, units, run_unit, run);
        if (lutra_progress_tick(progress, "layers", pass * count + run->end,
                                counts->pass_count * count, 0.0) &&
            (run->end < count || pass + 1 < counts->pass_count)) {
            return lutra_error_set(error, LUTRA_ECANCELLED, "stopped while counting layers");
        }
    }
    return LUTRA_OK;
}

/** Adds the other workers' counters to the first's. */
static void merge_unit(void *user, size_t index, uint32_t worker) {
    const LutraLayerCounts *const counts = user;
    const size_t first = index * MERGE_COUNTERS;
    const size_t left = counts->capacity - first;
    const size_t end = first + (left < MERGE_COUNTERS ? left : MERGE_COUNTERS);
    (void)worker;
    for (uint32_t w = 1; w < counts->threads; w++) {
        const uint32_t *const from = counts->counters + w * counts->capacity;
        for (size_t i = first; i < end; i++) {
            counts->counters[i] += from[i];
        }
    }
}

LutraStatus lutra_layer_counts_run(LutraLayerCounts *counts, const LutraClearProgram *program,
                                   const LutraImages *images, uint64_t count, uint32_t pass,
                                   const LutraProgress *progress, LutraError *error) {
    LutraStatus status = LUTRA_OK;
    const uint32_t threads = counts->threads;
    Run run = {.counts = counts,
               .program = program,
               .images = images,
               .pixels_per_image = lutra_shape_elements(images->shape)};
    run.scratch_stride = (lutra_clear_scratch_bytes(program) + LUTRA_ALIGNMENT_BYTES - 1) /
                         LUTRA_ALIGNMENT_BYTES * LUTRA_ALIGNMENT_BYTES;
    LUTRA_TRY_GOTO(status, lutra_alloc(&run.scratch, threads, run.scratch_stride, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&run.logits, (size_t)threads * counts->circuit->class_count,
                                       sizeof(float), error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&run.statistics, (size_t)threads * counts->circuit->operation_count,
                               sizeof *run.statistics, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&run.watches, threads, sizeof *run.watches, error));
    memset(counts->counters, 0, threads * counts->capacity * sizeof(uint32_t));
    for (uint32_t w = 0; w < threads; w++) {
        run.watches[w] = (Watch){counts, counts->counters + w * counts->capacity};
    }
    LUTRA_TRY_GOTO(status, run_images(&run, count, pass, progress, error));
    lutra_parallel_for(threads, (counts->capacity + MERGE_COUNTERS - 1) / MERGE_COUNTERS,
                       merge_unit, counts);
done:
    lutra_free(&run.scratch);
    lutra_free(&run.logits);
    lutra_free(&run.statistics);
    lutra_free(&run.watches);
    return status;
}

const uint32_t *lutra_layer_counts_of(const LutraLayerCounts *counts,
                                      const LutraCountedPiece *piece, uint32_t kind,
                                      uint32_t channel) {
    const size_t value_count = counts->layers[piece->layer].value_count;
    const size_t row = (size_t)kind * piece->channels + (channel - piece->first_channel);
    return counts->counters + piece->offset + row * value_count;
}
