/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gallery.h"

#include <stdio.h>

#include "base/chart.h"

enum { MOST_TILES = 40, COLUMNS = 10, CAPTION_BYTES = 224 };

LutraStatus cli_gallery_write(const char *title, const LutraDataset *dataset, LutraSplitKind split,
                              const uint32_t *predictions, uint64_t count, const char *path,
                              bool force, LutraError *error) {
    char captions[MOST_TILES][CAPTION_BYTES];
    LutraTile tiles[MOST_TILES];
    const LutraSplit *const images = &dataset->splits[split];
    const size_t pixels = (size_t)dataset->channels * dataset->height * dataset->width;
    const size_t shown = count < MOST_TILES ? (size_t)count : MOST_TILES;
    for (size_t i = 0; i < shown; i++) {
        const uint32_t label = images->labels[i];
        const bool wrong = predictions[i] != label;
        if (wrong) {
            (void)snprintf(captions[i], CAPTION_BYTES, "%s\nnot %s", dataset->class_names[label],
                           dataset->class_names[predictions[i]]);
        } else {
            (void)snprintf(captions[i], CAPTION_BYTES, "%s", dataset->class_names[label]);
        }
        tiles[i] = (LutraTile){
            .planes = images->images + i * pixels, .caption = captions[i], .highlight = wrong};
    }
    return lutra_chart_write_grid(title, tiles, shown, COLUMNS, dataset->channels, dataset->height,
                                  dataset->width, path, force, error);
}
