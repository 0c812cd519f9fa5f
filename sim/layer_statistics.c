/* SPDX-License-Identifier: Apache-2.0 */
/* What tables and the output read, from the counts of layer_counts.c; see layer_statistics.h. */
#include "sim/layer_statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "sim/layer_counts_priv.h"
#include "sim/prediction.h"

enum { DEFAULT_MEMORY_BYTES = 512 << 20 };

void lutra_layer_settings_default(LutraLayerSettings *settings) {
    *settings = (LutraLayerSettings){.threads = 1,
                                     .cpu_flags = lutra_cpu_detect(),
                                     .noise_model = LUTRA_NOISE_TFHE_RS,
                                     .memory_bytes = DEFAULT_MEMORY_BYTES};
}

void lutra_circuit_statistics_deinit(LutraCircuitStatistics *statistics) {
    for (uint32_t i = 0; i < statistics->layer_count; i++) {
        lutra_free(&statistics->layers[i].histogram);
        lutra_free(&statistics->layers[i].edges);
        lutra_free(&statistics->layers[i].result_values);
        lutra_free(&statistics->layers[i].results);
    }
    lutra_free(&statistics->layers);
    memset(statistics, 0, sizeof *statistics);
}

/* --- what the tables alone say ---------------------------------------------------------------- */

static int compare_values(const void *a, const void *b) {
    const int32_t x = *(const int32_t *)a;
    const int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/** Distinct entries of all tables, ascending. */
static LutraStatus list_results(LutraLayerStatistics *layer, LutraError *error) {
    const LutraTableOperation *const table = layer->reading.table;
    const size_t entries = (size_t)table->table_count * table->entry_count;
    LUTRA_TRY(lutra_alloc(&layer->result_values, entries, sizeof(int32_t), error));
    memcpy(layer->result_values, table->entries, entries * sizeof(int32_t));
    qsort(layer->result_values, entries, sizeof(int32_t), compare_values);
    for (size_t i = 0; i < entries; i++) {
        if (i == 0 || layer->result_values[i] != layer->result_values[i - 1]) {
            layer->result_values[layer->result_count++] = layer->result_values[i];
        }
    }
    return lutra_alloc(&layer->results, layer->result_count, sizeof(uint64_t), error);
}

static void mark_edges(LutraLayerStatistics *layer, uint32_t channels) {
    const LutraReading *const reading = &layer->reading;
    uint64_t edges = 0;
    for (uint32_t c = 0; c < channels; c++) {
        edges += lutra_reading_edges(reading, c);
        int32_t below = lutra_reading_result(reading, c, layer->first_value - 1);
        for (size_t i = 0; i < layer->value_count; i++) {
            const int32_t here =
                lutra_reading_result(reading, c, layer->first_value + (int64_t)i);
            layer->edges[i] += here != below;
            below = here;
        }
    }
    layer->edges_per_channel = (double)edges / channels;
}

static void predict_elements(LutraLayerStatistics *layer, const LutraPrediction *prediction) {
    const LutraCircuit *const circuit = layer->reading.circuit;
    const uint32_t table = layer->reading.operation;
    const size_t elements = lutra_shape_elements(circuit->operations[table].shape);
    double squares = 0.0;
    for (size_t i = 0; i < elements; i++) {
        const double deviation = lutra_prediction_deviation_steps(prediction, circuit, table, i);
        squares += deviation * deviation;
    }
    layer->noise_deviation = sqrt(squares / (double)elements);
    layer->expected_rounding = lutra_prediction_roundings(
        prediction, circuit, circuit->operations[table].inputs[0]);
}

static LutraStatus init_layer(LutraLayerStatistics *layer, const LutraCountedLayer *counted,
                              const LutraPrediction *prediction, LutraError *error) {
    layer->reading = counted->reading;
    layer->first_value = counted->first_value;
    layer->value_count = counted->value_count;
    layer->is_predicted = counted->is_predicted;
    LUTRA_TRY(lutra_alloc(&layer->histogram, layer->value_count, sizeof(uint64_t), error));
    if (layer->reading.table != NULL) {
        LUTRA_TRY(lutra_alloc(&layer->edges, layer->value_count, sizeof(uint32_t), error));
        LUTRA_TRY(list_results(layer, error));
        mark_edges(layer, counted->channels);
    }
    if (layer->is_predicted) {
        predict_elements(layer, prediction);
    }
    return LUTRA_OK;
}

/* --- what one pass counted -------------------------------------------------------------------- */

static void add_result(LutraLayerStatistics *layer, int32_t result, uint64_t count) {
    const int32_t *const found = bsearch(&result, layer->result_values, layer->result_count,
                                         sizeof result, compare_values);
    layer->results[found - layer->result_values] += count;
}

static void add_piece(LutraLayerStatistics *layer, const LutraLayerCounts *counts,
                      const LutraCountedPiece *piece) {
    const uint32_t kinds = counts->layers[piece->layer].kind_count;
    for (uint32_t k = 0; k < piece->channels; k++) {
        const uint32_t c = piece->first_channel + k;
        for (size_t i = 0; i < layer->value_count; i++) {
            uint64_t count = 0;
            for (uint32_t kind = 0; kind < kinds; kind++) {
                count += lutra_layer_counts_of(counts, piece, kind, c)[i];
            }
            layer->reads += count;
            layer->histogram[i] += count;
            if (layer->reading.table != NULL && count > 0) {
                const int64_t x = layer->first_value + (int64_t)i;
                add_result(layer, lutra_reading_result(&layer->reading, c, x), count);
                layer->near_edge +=
                    lutra_reading_is_near_edge(&layer->reading, c, x) ? count : 0;
            }
        }
    }
}

/** Expected wrong look-ups of the channels of one piece; every unit writes its own. */
typedef struct {
    const LutraLayerCounts *counts;
    const LutraCountedPiece *piece;
    const LutraPrediction *prediction;
    LutraLookupRisk *risks; /* (channels of the piece) */
} Risks;

static void risk_unit(void *user, size_t index, uint32_t worker) {
    const Risks *const work = user;
    const LutraCountedLayer *const layer = &work->counts->layers[work->piece->layer];
    const LutraReading *const reading = &layer->reading;
    const uint32_t c = work->piece->first_channel + (uint32_t)index;
    (void)worker;
    for (uint32_t kind = 0; kind < layer->kind_count; kind++) {
        const uint32_t *const row = lutra_layer_counts_of(work->counts, work->piece, kind, c);
        const size_t element = c * layer->pixels + layer->pixel_of_kind[kind];
        for (size_t i = 0; i < layer->value_count; i++) {
            if (row[i] == 0) {
                continue;
            }
            const int64_t x = layer->first_value + (int64_t)i;
            const LutraPredictedLookup lookup = lutra_prediction_lookup(
                work->prediction, reading->circuit, reading->operation, c, element,
                lutra_reading_word_value(reading, c, x));
            const LutraLookupRisk risk = lutra_prediction_risk(&lookup);
            work->risks[index].wrong_box += row[i] * risk.wrong_box;
            work->risks[index].wrong_value += row[i] * risk.wrong_value;
        }
    }
}

static LutraStatus add_risks(LutraLayerStatistics *layer, const LutraLayerCounts *counts,
                             const LutraCountedPiece *piece, const LutraPrediction *prediction,
                             LutraError *error) {
    Risks work = {.counts = counts, .piece = piece, .prediction = prediction};
    LUTRA_TRY(lutra_alloc(&work.risks, piece->channels, sizeof *work.risks, error));
    lutra_parallel_for(counts->threads, piece->channels, risk_unit, &work);
    for (uint32_t k = 0; k < piece->channels; k++) { /* in order, whoever computed them */
        layer->expected_displaced += work.risks[k].wrong_box;
        layer->expected_changed += work.risks[k].wrong_value;
    }
    lutra_free(&work.risks);
    return LUTRA_OK;
}

/* --- after the last pass ---------------------------------------------------------------------- */

static void summarize(LutraLayerStatistics *layer, uint64_t images) {
    const double reads = (double)layer->reads;
    double sum = 0.0;
    for (size_t i = 0; i < layer->value_count; i++) {
        sum += (double)i * (double)layer->histogram[i];
    }
    layer->mean = sum / reads + (double)layer->first_value;
    double squares = 0.0;
    for (size_t i = 0; i < layer->value_count; i++) {
        const double off = (double)layer->first_value + (double)i - layer->mean;
        squares += off * off * (double)layer->histogram[i];
    }
    layer->deviation = sqrt(squares / reads);
    for (size_t i = 0; i < layer->result_count; i++) {
        const double share = (double)layer->results[i] / reads;
        layer->result_entropy_bits -= share > 0.0 ? share * log2(share) : 0.0;
    }
    layer->expected_displaced /= (double)images;
    layer->expected_changed /= (double)images;
}

static LutraStatus run_passes(LutraCircuitStatistics *statistics, LutraLayerCounts *counts,
                              const LutraClearProgram *program, const LutraImages *images,
                              const LutraPrediction *prediction,
                              const LutraLayerSettings *settings, LutraError *error) {
    for (uint32_t pass = 0; lutra_layer_counts_next(counts); pass++) {
        LUTRA_TRY(lutra_layer_counts_run(counts, program, images, statistics->images, pass,
                                         settings->progress, error));
        for (uint32_t i = 0; i < counts->piece_count; i++) {
            const LutraCountedPiece *const piece = &counts->pieces[i];
            LutraLayerStatistics *const layer = &statistics->layers[piece->layer];
            add_piece(layer, counts, piece);
            if (layer->is_predicted) {
                LUTRA_TRY(add_risks(layer, counts, piece, prediction, error));
            }
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_circuit_statistics(LutraCircuitStatistics *statistics,
                                     const LutraCircuit *circuit, const LutraImages *images,
                                     const LutraSimulation *simulation,
                                     const LutraLayerSettings *settings, LutraError *error) {
    if (settings->threads == 0 || simulation->images == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "statistics need images and threads");
    }
    LUTRA_ASSERT(simulation->images <= images->count);
    const bool is_predicted = circuit->parameter_count > 0;
    LutraStatus status = LUTRA_OK;
    LutraCircuitStatistics result = {.images = simulation->images};
    LutraPrediction prediction = {0};
    LutraLayerCounts counts = {0};
    LutraClearProgram *program = NULL;
    if (is_predicted) {
        LUTRA_TRY_GOTO(status, lutra_prediction_init(&prediction, circuit, settings->noise_model,
                                                     error));
    }
    LUTRA_TRY_GOTO(status, lutra_layer_counts_init(&counts, circuit, simulation,
                                                   is_predicted ? &prediction : NULL,
                                                   settings->threads, settings->memory_bytes,
                                                   error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&result.layers, counts.layer_count,
                                       sizeof *result.layers, error));
    result.layer_count = counts.layer_count;
    for (uint32_t i = 0; i < result.layer_count; i++) {
        LUTRA_TRY_GOTO(status,
                       init_layer(&result.layers[i], &counts.layers[i], &prediction, error));
    }
    LUTRA_TRY_GOTO(status,
                   lutra_clear_program_create(&program, circuit, settings->cpu_flags, error));
    LUTRA_TRY_GOTO(status, run_passes(&result, &counts, program, images, &prediction, settings,
                                      error));
    for (uint32_t i = 0; i < result.layer_count; i++) {
        summarize(&result.layers[i], result.images);
    }
    *statistics = result;
    memset(&result, 0, sizeof result);
done:
    lutra_clear_program_destroy(&program);
    lutra_layer_counts_deinit(&counts);
    lutra_prediction_deinit(&prediction);
    lutra_circuit_statistics_deinit(&result);
    return status;
}
