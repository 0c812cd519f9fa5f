/* SPDX-License-Identifier: Apache-2.0 */
#include "train/evaluate.h"

#include <math.h>

#include "base/memory.h"

LutraStatus lutra_check_data_fits(const LutraDataset *dataset, const LutraNetwork *network,
                                  LutraError *error) {
    const LutraShape shape = network->layers[0].shape;
    if (dataset->channels != shape.channels || dataset->height != shape.height ||
        dataset->width != shape.width) {
        return lutra_error_set(error, LUTRA_EDATA, "images of dataset '%s' are %ux%ux%u, but "
                               "network '%s' wants %ux%ux%u", dataset->name, dataset->channels,
                               dataset->height, dataset->width, network->name, shape.channels,
                               shape.height, shape.width);
    }
    if (dataset->class_count != network->class_count) {
        return lutra_error_set(error, LUTRA_EDATA, "dataset '%s' has %u classes, but network '%s' "
                               "has %u", dataset->name, dataset->class_count, network->name,
                               network->class_count);
    }
    return LUTRA_OK;
}

LutraImageView lutra_split_images(const LutraDataset *dataset, LutraSplitKind split) {
    return (LutraImageView){dataset->splits[split].images, dataset->channels, dataset->height,
                         dataset->width};
}

/* One batch's part of the result. */
static void count_batch(LutraEvaluation *result, const LutraExecution *execution,
                        const uint16_t *labels, uint32_t *ranks, size_t classes, size_t images,
                        LutraLossKind kind) {
    const float *logits = lutra_execution_logits(execution);
    lutra_label_ranks(ranks, logits, labels, classes, images);
    for (size_t n = 0; n < images; n++) {
        result->right1 += ranks[n] == 0 ? 1u : 0u;
        result->right5 += ranks[n] < 5 ? 1u : 0u;
    }
    result->loss += lutra_loss(NULL, kind, logits, labels, classes, images) * (double)images;
    result->images += images;
}

LutraStatus lutra_evaluate_images(LutraEvaluation *result, float *logits,
                                  LutraExecution *execution, const LutraModel *model,
                                  const LutraImageView *images, const uint16_t *labels,
                                  const uint32_t *order, size_t count,
                                  const LutraEvaluateSettings *settings,
                                  const LutraProgress *progress, LutraError *error) {
    const size_t classes = model->network.class_count;
    LutraEvaluation total = {0};
    uint16_t *batch_labels = NULL;
    uint32_t *ranks = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&batch_labels, settings->batch, sizeof *batch_labels,
                                       error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&ranks, settings->batch, sizeof *ranks, error));
    for (size_t first = 0; first < count; first += settings->batch) {
        const size_t left = count - first;
        const size_t now = left < settings->batch ? left : settings->batch;
        const double share = total.images == 0 ? (double)NAN
                                               : (double)total.right1 / (double)total.images;
        if (lutra_progress_tick(progress, "evaluate", first, count, share)) {
            status = lutra_error_set(error, LUTRA_ECANCELLED, "stopped while evaluating");
            goto done;
        }
        lutra_batch_fill(lutra_execution_input(execution), images, order + first, now, NULL,
                         settings->threads);
        LUTRA_TRY_GOTO(status, lutra_execution_forward(execution, (uint32_t)now,
                                                       LUTRA_RUN_INFERENCE, error));
        for (size_t n = 0; n < now; n++) {
            batch_labels[n] = labels[order[first + n]];
        }
        count_batch(&total, execution, batch_labels, ranks, classes, now, settings->loss);
        for (size_t i = 0; logits != NULL && i < now * classes; i++) {
            logits[(first * classes) + i] =
                lutra_execution_logits(execution)[((i % classes) * now) + (i / classes)];
        }
    }
    total.loss = count == 0 ? (double)NAN : total.loss / (double)count;
    *result = total;
done:
    lutra_free(&batch_labels);
    lutra_free(&ranks);
    return status;
}

LutraStatus lutra_evaluate(LutraEvaluation *result, float *logits, LutraModel *model,
                           const LutraDataset *dataset, LutraSplitKind split,
                           const LutraEvaluateSettings *settings, const LutraProgress *progress,
                           LutraError *error) {
    const LutraSplit *data = &dataset->splits[split];
    const LutraImageView images = lutra_split_images(dataset, split);
    const LutraExecutionSettings execution_settings = {.most_images = settings->batch,
                                                       .threads = settings->threads,
                                                       .cpu_flags = settings->cpu_flags,
                                                       .mode = LUTRA_RUN_INFERENCE};
    LutraExecution *execution = NULL;
    uint32_t *order = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_check_data_fits(dataset, &model->network, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&order, data->count, sizeof *order, error));
    for (size_t i = 0; i < data->count; i++) {
        order[i] = (uint32_t)i;
    }
    LUTRA_TRY_GOTO(status, lutra_execution_create(&execution, model, &execution_settings, error));
    LUTRA_TRY_GOTO(status, lutra_evaluate_images(result, logits, execution, model, &images,
                                                 data->labels, order, data->count, settings,
                                                 progress, error));
done:
    lutra_execution_destroy(&execution);
    lutra_free(&order);
    return status;
}
