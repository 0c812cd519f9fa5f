/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trained model that a training learns from: its logits, in inference mode, for the images of a
 * step, moved as the student sees them. It reads pixels through its own input quantizer.
 */
#ifndef LUTRA_TRAIN_TEACHER_H
#define LUTRA_TRAIN_TEACHER_H

#include "datasets/dataset.h"
#include "train/augment.h"
#include "train/execution.h"

typedef struct {
    uint32_t most_images; /* of a step, at least 1 */
    uint32_t threads;
    uint32_t cpu_flags;
    uint32_t all_images; /* images that may come */
    uint32_t views;      /* augmentation epochs 1 .. views are kept once computed; 0: none */
} LutraTeacherSettings;

typedef struct LutraTeacher LutraTeacher;

/** Tells models apart: over the network's text and all trained numbers and statistics. */
void lutra_teacher_checksum(char checksum[LUTRA_CHECKSUM_BYTES], const LutraModel *model);

/** @param model  borrowed, not changed; its images must have the dataset's shape */
LUTRA_MUST_CHECK LutraStatus lutra_teacher_create(LutraTeacher **teacher, LutraModel *model,
                                                  const LutraTeacherSettings *settings,
                                                  LutraError *error);
void lutra_teacher_destroy(LutraTeacher **teacher);

/**
 * Logits of images. Equal for equal (image, move), whatever was asked before.
 *
 * @param[out] logits        (classes, count)
 * @param      order         (count) indexes, each below all_images; count at most most_images
 * @param      augmentation  its epoch is at most views if there are any
 */
LUTRA_MUST_CHECK LutraStatus lutra_teacher_logits(float *logits, LutraTeacher *teacher,
                                                  const LutraImageView *images,
                                                  const uint32_t *order, uint32_t count,
                                                  const LutraAugmentation *augmentation,
                                                  LutraError *error);

#endif
