/* SPDX-License-Identifier: Apache-2.0 */
#include "train/teacher.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

struct LutraTeacher {
    LutraModel *model; /* borrowed */
    LutraTeacherSettings settings;
    LutraExecution *execution;
    uint32_t *missing; /* (most_images) places in `order` whose logits must be computed */
    uint32_t *ordered; /* (most_images) the images at those places */
    float *kept;       /* (views, all_images, classes); NULL without views */
    uint8_t *known;    /* (views, all_images) */
};

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; bytes != NULL && i < count; i++) {
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

void lutra_teacher_checksum(char checksum[LUTRA_CHECKSUM_BYTES], const LutraModel *model) {
    const char *text = model->network.text;
    uint64_t hash = mix_bytes(UINT64_C(0xcbf29ce484222325), text, strlen(text));
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        const LutraLayer *layer = &model->network.layers[i];
        const LutraLayerParameters *values = &model->layers[i];
        const size_t norms = lutra_layer_norm_count(layer) * sizeof(float);
        hash = mix_bytes(hash, values->weights, lutra_layer_weight_count(layer) * sizeof(float));
        hash = mix_bytes(hash, values->bias, layer->shape.channels * sizeof(float));
        hash = mix_bytes(hash, values->gamma, norms);
        hash = mix_bytes(hash, values->beta, norms);
        hash = mix_bytes(hash, values->running_mean, norms);
        hash = mix_bytes(hash, values->running_variance, norms);
        hash = mix_bytes(hash, values->threshold, sizeof(float));
    }
    (void)snprintf(checksum, LUTRA_CHECKSUM_BYTES, "%016" PRIx64, hash);
}

static LutraStatus alloc_all(LutraTeacher *teacher, LutraError *error) {
    const LutraTeacherSettings *settings = &teacher->settings;
    const LutraExecutionSettings execution = {.most_images = settings->most_images,
                                              .threads = settings->threads,
                                              .cpu_flags = settings->cpu_flags,
                                              .mode = LUTRA_RUN_INFERENCE};
    LUTRA_TRY(lutra_execution_create(&teacher->execution, teacher->model, &execution, error));
    LUTRA_TRY(lutra_alloc(&teacher->missing, settings->most_images, sizeof *teacher->missing,
                          error));
    LUTRA_TRY(lutra_alloc(&teacher->ordered, settings->most_images, sizeof *teacher->ordered,
                          error));
    if (settings->views > 0) {
        const size_t moves = (size_t)settings->views * settings->all_images; /* below 2^64 */
        size_t logits = 0;
        LUTRA_TRY(lutra_size_mul(&logits, moves, teacher->model->network.class_count));
        LUTRA_TRY(lutra_alloc(&teacher->known, moves, 1, error));
        LUTRA_TRY(lutra_alloc(&teacher->kept, logits, sizeof *teacher->kept, error));
    }
    return LUTRA_OK;
}

LutraStatus lutra_teacher_create(LutraTeacher **teacher, LutraModel *model,
                                 const LutraTeacherSettings *settings, LutraError *error) {
    LutraTeacher *made = NULL;
    *teacher = NULL;
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    made->model = model;
    made->settings = *settings;
    const LutraStatus status = alloc_all(made, error);
    if (status != LUTRA_OK) {
        lutra_teacher_destroy(&made);
        return status;
    }
    *teacher = made;
    return LUTRA_OK;
}

void lutra_teacher_destroy(LutraTeacher **teacher) {
    if (*teacher == NULL) {
        return;
    }
    lutra_execution_destroy(&(*teacher)->execution);
    lutra_free(&(*teacher)->missing);
    lutra_free(&(*teacher)->ordered);
    lutra_free(&(*teacher)->kept);
    lutra_free(&(*teacher)->known);
    lutra_free(teacher);
}

/* Place of an image's move among all that are kept. */
static size_t move_index(const LutraTeacher *teacher, uint32_t epoch, uint32_t image) {
    return ((size_t)(epoch - 1) * teacher->settings.all_images) + image;
}

/* Fills `missing` and `ordered`; returns how many. */
static uint32_t find_missing(LutraTeacher *teacher, const uint32_t *order, uint32_t count,
                             uint32_t epoch) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (teacher->kept == NULL || !teacher->known[move_index(teacher, epoch, order[i])]) {
            teacher->missing[found] = i;
            teacher->ordered[found++] = order[i];
        }
    }
    return found;
}

LutraStatus lutra_teacher_logits(float *logits, LutraTeacher *teacher,
                                 const LutraImageView *images, const uint32_t *order,
                                 uint32_t count, const LutraAugmentation *augmentation,
                                 LutraError *error) {
    const size_t classes = teacher->model->network.class_count;
    const uint32_t epoch = augmentation->epoch;
    LUTRA_ASSERT(count <= teacher->settings.most_images &&
                 (teacher->kept == NULL || (epoch > 0 && epoch <= teacher->settings.views)));
    const uint32_t missing = find_missing(teacher, order, count, epoch);
    if (missing > 0) {
        lutra_batch_fill(lutra_execution_input(teacher->execution), images, teacher->ordered,
                         missing, augmentation, teacher->settings.threads);
        LUTRA_TRY(lutra_execution_forward(teacher->execution, missing, LUTRA_RUN_INFERENCE,
                                          error));
    }
    const float *computed = lutra_execution_logits(teacher->execution);
    for (uint32_t m = 0; m < missing; m++) {
        for (size_t c = 0; c < classes; c++) {
            logits[(c * count) + teacher->missing[m]] = computed[(c * missing) + m];
        }
    }
    for (uint32_t i = 0; teacher->kept != NULL && i < count; i++) {
        const size_t move = move_index(teacher, epoch, order[i]);
        float *kept = teacher->kept + (move * classes);
        for (size_t c = 0; c < classes; c++) {
            if (teacher->known[move]) {
                logits[(c * count) + i] = kept[c];
            } else {
                kept[c] = logits[(c * count) + i];
            }
        }
        teacher->known[move] = 1;
    }
    return LUTRA_OK;
}
