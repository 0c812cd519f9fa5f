/* SPDX-License-Identifier: Apache-2.0 */
#include "train/augment.h"

#include <string.h>

#include "base/parallel.h"
#include "base/random.h"

LutraImageMove lutra_augment_move(const LutraAugmentation *augmentation, uint32_t image) {
    LutraImageMove move = {.flipped = 0};
    if (augmentation == NULL) {
        return move;
    }
    uint32_t words[4];
    LutraRandomKey key = {augmentation->seed, LUTRA_STREAM_AUGMENT, augmentation->epoch};
    lutra_random_words(words, key, image, 0);
    const uint64_t choices = (2 * (uint64_t)augmentation->crop) + 1;
    /* the high word of a product: each choice within 2^-25 of its share */
    move.down = (int32_t)((words[0] * choices) >> 32) - (int32_t)augmentation->crop;
    move.right = (int32_t)((words[1] * choices) >> 32) - (int32_t)augmentation->crop;
    move.hole_down = words[3] >> 16;
    move.hole_right = words[3] & 0xFFFFu;
    if (augmentation->flip == LUTRA_FLIP_RANDOM) {
        move.flipped = (int)(words[2] >> 31);
    } else if (augmentation->flip == LUTRA_FLIP_ALTERNATING) {
        key.index = 0; /* one bit for the whole training: the side of odd epochs */
        lutra_random_words(words, key, image, 0);
        move.flipped = (int)((words[2] >> 31) ^ (augmentation->epoch & 1u));
    }
    return move;
}

typedef struct {
    uint8_t *pixels;
    const LutraImageView *images;
    const uint32_t *order;
    size_t count;
    const LutraAugmentation *augmentation;
} Job;

static void fill_plane(uint8_t *to, const Job *job, const uint8_t *plane, LutraImageMove move) {
    const int32_t height = (int32_t)job->images->height;
    const int32_t width = (int32_t)job->images->width;
    for (int32_t r = 0; r < height; r++) {
        const int32_t row = r + move.down;
        for (int32_t c = 0; c < width; c++) {
            const int32_t column = (move.flipped ? width - 1 - c : c) + move.right;
            const int inside = row >= 0 && row < height && column >= 0 && column < width;
            *to++ = inside ? plane[(row * width) + column] : 0;
        }
    }
}

/** Rows or columns first .. end - 1 of `extent` that the square hides. */
static void hide(uint32_t *first, uint32_t *end, uint32_t share, uint32_t size, uint32_t extent) {
    const uint32_t middle = (uint32_t)(((uint64_t)share * extent) >> 16);
    const uint32_t before = size / 2;
    const uint32_t after = size - before;
    *first = middle > before ? middle - before : 0;
    *end = after < extent - middle ? middle + after : extent; /* middle < extent */
}

static void fill_hole(uint8_t *plane, const LutraImageView *images, uint32_t size,
                      LutraImageMove move) {
    uint32_t rows[2];
    uint32_t columns[2];
    hide(&rows[0], &rows[1], move.hole_down, size, images->height);
    hide(&columns[0], &columns[1], move.hole_right, size, images->width);
    for (uint32_t r = rows[0]; r < rows[1]; r++) {
        memset(plane + ((size_t)r * images->width) + columns[0], LUTRA_CUTOUT_PIXEL,
               columns[1] - columns[0]);
    }
}

static void image_unit(void *user, size_t index, uint32_t worker) {
    const Job *job = user;
    const size_t plane = (size_t)job->images->height * job->images->width;
    const uint32_t image = job->order[index];
    const LutraImageMove move = lutra_augment_move(job->augmentation, image);
    (void)worker;
    const uint32_t cutout = job->augmentation != NULL ? job->augmentation->cutout : 0;
    for (size_t c = 0; c < job->images->channels; c++) {
        uint8_t *const to = job->pixels + (((c * job->count) + index) * plane);
        fill_plane(to, job,
                   job->images->images + (((image * (size_t)job->images->channels) + c) * plane),
                   move);
        if (cutout > 0) {
            fill_hole(to, job->images, cutout, move);
        }
    }
}

void lutra_batch_fill(uint8_t *pixels, const LutraImageView *images, const uint32_t *order,
                      size_t count, const LutraAugmentation *augmentation, uint32_t threads) {
    Job job = {pixels, images, order, count, augmentation};
    lutra_parallel_for(threads, count, image_unit, &job);
}
