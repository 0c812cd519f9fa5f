/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { NAME_BYTES = 300, MAX_POSITION = 100000 };

/* What one layer takes; NULL where the file has nothing for it. */
typedef struct {
    const LutraTensor *weight;
    const LutraTensor *bias;
    float *weights; /* read, until all layers are */
    float *biases;
} Pick;

/* N of "PREFIX.N.weight", or -1. */
static long position_of(const char *name, const char *prefix) {
    const size_t length = strlen(prefix);
    char *end = NULL;
    if (strncmp(name, prefix, length) != 0 || name[length] != '.' || name[length + 1] < '0' ||
        name[length + 1] > '9') {
        return -1;
    }
    const long position = strtol(name + length + 1, &end, 10);
    return strcmp(end, ".weight") == 0 && position <= MAX_POSITION ? position : -1;
}

/* The array PREFIX.N.weight with the smallest N above `after`, of a rank. */
static const LutraTensor *next_weight(const LutraTensorFile *file, const char *prefix,
                                      uint32_t rank, long *after) {
    const LutraTensor *found = NULL;
    long best = 0;
    for (size_t i = 0; i < file->count; i++) {
        const long position = position_of(file->tensors[i].name, prefix);
        if (file->tensors[i].rank == rank && position > *after &&
            (found == NULL || position < best)) {
            found = &file->tensors[i];
            best = position;
        }
    }
    *after = found == NULL ? *after : best;
    return found;
}

static uint32_t count_weights(const LutraTensorFile *file, const char *prefix, uint32_t rank) {
    uint32_t count = 0;
    long after = -1;
    while (next_weight(file, prefix, rank, &after) != NULL) {
        count++;
    }
    return count;
}

static const LutraTensor *find_named(const LutraTensorFile *file, const char *stem,
                                     const char *ending) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.255s%s", stem, ending);
    return lutra_tensor_find(file, name);
}

/* "features.3" of "features.3.weight", so that its bias is found. */
static const LutraTensor *bias_beside(const LutraTensorFile *file, const LutraTensor *weight) {
    char stem[NAME_BYTES];
    const size_t length = strlen(weight->name) - strlen(".weight");
    snprintf(stem, sizeof stem, "%.*s", (int)length, weight->name);
    return find_named(file, stem, ".bias");
}

static void pick_named(Pick *picks, const LutraNetwork *network, const LutraTensorFile *file) {
    for (uint32_t i = 0; i < network->layer_count; i++) {
        if (lutra_layer_weight_count(&network->layers[i]) > 0) {
            picks[i].weight = find_named(file, network->layers[i].name, ".weight");
        }
    }
}

/* By position, for the layers of one kind that found nothing by name. */
static LutraStatus pick_positions(Pick *picks, const LutraNetwork *network,
                                  const LutraTensorFile *file, LutraLayerKind kind,
                                  LutraError *error) {
    const bool conv = kind == LUTRA_LAYER_CONV;
    const char *const prefix = conv ? "features" : "classifier";
    const uint32_t there = count_weights(file, prefix, conv ? 4 : 2);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < network->layer_count; i++) {
        wanted += network->layers[i].kind == kind && picks[i].weight == NULL ? 1u : 0u;
    }
    if (there != wanted && conv && there > 0 && wanted > 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has %u convolutions features.N.weight, "
                               "but network '%s' has %u", file->path, there, network->name,
                               wanted);
    }
    long after = -1;
    for (uint32_t i = 0; there == wanted && i < network->layer_count; i++) {
        if (network->layers[i].kind == kind && picks[i].weight == NULL) {
            picks[i].weight = next_weight(file, prefix, conv ? 4 : 2, &after);
        }
    }
    return LUTRA_OK;
}

static LutraStatus check_shape(const LutraTensor *tensor, uint32_t rank, const uint64_t *dims,
                               const LutraLayer *layer, const char *path, LutraError *error) {
    bool same = tensor->rank == rank;
    for (uint32_t r = 0; same && r < rank; r++) {
        same = tensor->dims[r] == dims[r];
    }
    if (same) {
        return LUTRA_OK;
    }
    char found[128];
    char expected[128];
    lutra_tensor_shape_text(found, tensor->rank, tensor->dims);
    lutra_tensor_shape_text(expected, rank, dims);
    return lutra_error_set(error, LUTRA_EDATA, "'%s': tensor '%s' is %s, but layer '%s' wants %s",
                           path, tensor->name, found, layer->name, expected);
}

static LutraStatus read_pick(Pick *pick, const LutraLayer *layer, const LutraTensorFile *file,
                             LutraError *error) {
    const LutraWeightLayer *weighted = &layer->u.weighted;
    const uint64_t dims[4] = {weighted->out_channels, weighted->in_channels, weighted->kernel,
                              weighted->kernel};
    LUTRA_TRY(check_shape(pick->weight, layer->kind == LUTRA_LAYER_CONV ? 4 : 2, dims, layer,
                          file->path, error));
    LUTRA_TRY(lutra_alloc(&pick->weights, lutra_layer_weight_count(layer), sizeof(float), error));
    LUTRA_TRY(lutra_tensor_read(pick->weights, file, pick->weight, error));
    if (!weighted->bias) {
        return LUTRA_OK;
    }
    pick->bias = bias_beside(file, pick->weight);
    if (pick->bias == NULL) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has '%s', but no bias beside it; layer "
                               "'%s' wants one of %u numbers", file->path, pick->weight->name,
                               layer->name, weighted->out_channels);
    }
    LUTRA_TRY(check_shape(pick->bias, 1, dims, layer, file->path, error));
    LUTRA_TRY(lutra_alloc(&pick->biases, weighted->out_channels, sizeof(float), error));
    return lutra_tensor_read(pick->biases, file, pick->bias, error);
}

static void count_unused(LutraImportReport *report, const Pick *picks, uint32_t layers,
                         const LutraTensorFile *file) {
    for (size_t t = 0; t < file->count; t++) {
        const LutraTensor *tensor = &file->tensors[t];
        bool used = false;
        for (uint32_t i = 0; i < layers; i++) {
            used = used || picks[i].weight == tensor || picks[i].bias == tensor;
        }
        if (!used && report->unused++ == 0) {
            snprintf(report->first_unused, sizeof report->first_unused, "%.63s", tensor->name);
        }
    }
}

static LutraStatus read_all(Pick *picks, LutraImportReport *report, const LutraNetwork *network,
                            const LutraTensorFile *file, LutraError *error) {
    pick_named(picks, network, file);
    LUTRA_TRY(pick_positions(picks, network, file, LUTRA_LAYER_CONV, error));
    LUTRA_TRY(pick_positions(picks, network, file, LUTRA_LAYER_LINEAR, error));
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraLayer *layer = &network->layers[i];
        if (picks[i].weight != NULL) {
            LUTRA_TRY(read_pick(&picks[i], layer, file, error));
            report->copied++;
        } else if (lutra_layer_weight_count(layer) > 0 && report->kept++ == 0) {
            snprintf(report->first_kept, sizeof report->first_kept, "%s", layer->name);
        }
    }
    if (report->copied == 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no weights for network '%s': neither "
                               "LAYER.weight with the names of its layers, nor features.N.weight "
                               "or classifier.N.weight", file->path, network->name);
    }
    count_unused(report, picks, network->layer_count, file);
    return LUTRA_OK;
}

static void exchange(float **a, float **b) {
    float *kept = *a;
    *a = *b;
    *b = kept;
}

LutraStatus lutra_import_weights(LutraModel *model, const LutraTensorFile *file,
                                 LutraImportReport *report, LutraError *error) {
    const uint32_t layers = model->network.layer_count;
    LutraImportReport made = {0};
    Pick *picks = NULL;
    LUTRA_TRY(lutra_alloc(&picks, layers, sizeof *picks, error));
    const LutraStatus status = read_all(picks, &made, &model->network, file, error);
    for (uint32_t i = 0; i < layers; i++) {
        if (status == LUTRA_OK && picks[i].weights != NULL) {
            exchange(&picks[i].weights, &model->layers[i].weights);
        }
        if (status == LUTRA_OK && picks[i].biases != NULL) {
            exchange(&picks[i].biases, &model->layers[i].bias);
        }
        lutra_free(&picks[i].weights);
        lutra_free(&picks[i].biases);
    }
    lutra_free(&picks);
    if (status == LUTRA_OK) {
        *report = made;
    }
    return status;
}
