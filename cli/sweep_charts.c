/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of a sweep. Curves stand a little beside each other, so that their intervals do not lie
 * on top of each other. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/chart.h"
#include "base/memory.h"
#include "cli/setting_options.h"
#include "cli/sweep.h"

enum { MOST_CURVES = 12, MOST_POSITIONS = LUTRA_MAX_ROUNDING + 1, LABEL_BYTES = 96 };

/* What the rows of one curve have in common. */
typedef struct {
    LutraOffsetRule offsets;
    double p_error;
    uint32_t rounding; /* of the curves of layers; else LUTRA_ROUNDING_NONE */
    char label[LABEL_BYTES];
    double *values; /* x, y, low, high: (4, positions), owned */
} Curve;

typedef struct {
    const SweepOptions *options;
    const SweepSource *source;
    const SweepTable *table;
    bool of_layers;
    uint32_t position_count;
    const char **names; /* (position_count), owned; what they point to is not */
    Curve curves[MOST_CURVES];
    uint32_t curve_count;
} Picture;

static bool belongs(const Picture *picture, const Curve *curve, const SweepRow *row) {
    return row->setting.offsets == curve->offsets && row->setting.p_error == curve->p_error &&
           (!picture->of_layers || row->setting.rounding == curve->rounding);
}

static void name_curve(const Picture *picture, Curve *curve) {
    char offsets[32] = "";
    char what[32] = "no noise";
    if (curve->offsets != LUTRA_OFFSETS_NONE) {
        (void)snprintf(offsets, sizeof offsets, ", offsets %s",
                       cli_offset_rules[curve->offsets]);
    }
    if (picture->of_layers) {
        (void)snprintf(what, sizeof what, "%" PRIu32 " bits", curve->rounding);
    } else if (curve->p_error > 0.0) {
        (void)snprintf(what, sizeof what, "p_error %.3g", curve->p_error);
    }
    (void)snprintf(curve->label, sizeof curve->label, "%s%s", what, offsets);
}

/* The rows that a picture shows: of layers, or of all of them at once. */
static bool is_shown(const Picture *picture, const SweepRow *row) {
    return picture->of_layers == (row->setting.layer[0] != '\0');
}

static LutraStatus find_curves(Picture *picture, LutraError *error) {
    for (uint32_t i = 0; i < picture->table->count; i++) {
        const SweepRow *const row = &picture->table->rows[i];
        uint32_t known = 0;
        while (known < picture->curve_count && !belongs(picture, &picture->curves[known], row)) {
            known++;
        }
        if (!is_shown(picture, row) || known < picture->curve_count || known == MOST_CURVES) {
            continue; /* more curves than can be told apart are in the table alone */
        }
        Curve *const curve = &picture->curves[picture->curve_count];
        *curve = (Curve){.offsets = row->setting.offsets,
                         .p_error = row->setting.p_error,
                         .rounding = row->setting.rounding};
        name_curve(picture, curve);
        LUTRA_TRY(lutra_alloc(&curve->values, 4 * (size_t)picture->position_count,
                              sizeof *curve->values, error));
        picture->curve_count++;
    }
    return LUTRA_OK;
}

/* Position of a row, or position_count if it has none. */
static uint32_t position_of(const Picture *picture, const SweepRow *row) {
    char text[16];
    const char *const name = picture->of_layers
                                 ? row->setting.layer
                                 : sweep_rounding_text(text, row->setting.rounding);
    uint32_t position = 0;
    while (position < picture->position_count && strcmp(picture->names[position], name) != 0) {
        position++;
    }
    return position;
}

static void place_row(const Picture *picture, Curve *curve, uint32_t position,
                      const SweepRow *row) {
    const size_t count = picture->position_count;
    LutraInterval ends;
    const double value = picture->of_layers ? sweep_row_loss(picture->table, row, &ends)
                                            : sweep_row_top1(picture->table, row, &ends);
    curve->values[count + position] = 100.0 * value;
    curve->values[(2 * count) + position] = 100.0 * ends.low;
    curve->values[(3 * count) + position] = 100.0 * ends.high;
}

static void place_rows(Picture *picture) {
    const size_t count = picture->position_count;
    const double between = fmin(0.12, 0.6 / picture->curve_count);
    for (uint32_t c = 0; c < picture->curve_count; c++) {
        Curve *const curve = &picture->curves[c];
        for (uint32_t i = 0; i < count; i++) {
            curve->values[i] = i + (between * (c - (0.5 * (picture->curve_count - 1))));
            curve->values[count + i] = (double)NAN;
            curve->values[(2 * count) + i] = (double)NAN;
            curve->values[(3 * count) + i] = (double)NAN;
        }
        for (uint32_t i = 0; i < picture->table->count; i++) {
            const SweepRow *const row = &picture->table->rows[i];
            const uint32_t position = position_of(picture, row);
            if (is_shown(picture, row) && row->feasible && belongs(picture, curve, row) &&
                position < count) {
                place_row(picture, curve, position, row);
            }
        }
    }
}

static LutraStatus draw(Picture *picture, const LutraDataset *dataset, const char *path,
                        LutraError *error) {
    LutraSeries series[MOST_CURVES];
    LutraChart chart;
    char title[256];
    char subtitle[512];
    char images[32];
    const size_t count = picture->position_count;
    for (uint32_t c = 0; c < picture->curve_count; c++) {
        const double *const values = picture->curves[c].values;
        series[c] = (LutraSeries){.label = picture->curves[c].label,
                                  .x = values,
                                  .y = values + count,
                                  .y_low = values + (2 * count),
                                  .y_high = values + (3 * count),
                                  .count = count,
                                  .line = !picture->of_layers,
                                  .marker = true};
    }
    (void)snprintf(title, sizeof title, "%s: %s", picture->source->plain.name,
                   picture->of_layers ? "accuracy lost when one layer alone is rounded"
                                      : "accuracy of the rounded circuit");
    (void)snprintf(subtitle, sizeof subtitle,
                   "%s, %s split, %s images, %s rounding; bars: 95 %% %s", dataset->name,
                   lutra_split_name(picture->options->split),
                   cli_grouped(images, picture->table->images),
                   picture->options->mode == LUTRA_ROUNDING_EXACT ? "exact" : "approximate",
                   picture->of_layers ? "intervals, paired by image" : "intervals");
    lutra_chart_default(&chart);
    chart.title = title;
    chart.subtitle = subtitle;
    chart.x_label = picture->of_layers ? "layer" : "bits that a table reads";
    chart.y_label = picture->of_layers ? "top-1 lost (%)" : "top-1 (%)";
    chart.x_names = picture->names;
    chart.x_name_count = count;
    return lutra_chart_write(&chart, series, picture->curve_count, path, true, error);
}

static void picture_deinit(Picture *picture) {
    for (uint32_t c = 0; c < picture->curve_count; c++) {
        lutra_free(&picture->curves[c].values);
    }
    lutra_free(&picture->names);
}

static LutraStatus draw_picture(Picture *picture, const LutraDataset *dataset, const char *path,
                                LutraError *error) {
    LutraStatus status = find_curves(picture, error);
    if (status == LUTRA_OK && picture->curve_count > 0) {
        place_rows(picture);
        status = draw(picture, dataset, path, error);
    }
    picture_deinit(picture);
    return status;
}

LutraStatus sweep_draw_accuracy(const SweepOptions *options, const SweepSource *source,
                                const SweepTable *table, const LutraDataset *dataset,
                                const char *path, LutraError *error) {
    char texts[MOST_POSITIONS][16];
    bool used[MOST_POSITIONS] = {false};
    Picture picture = {.options = options, .source = source, .table = table};
    LUTRA_TRY(lutra_alloc(&picture.names, MOST_POSITIONS, sizeof *picture.names, error));
    for (uint32_t i = 0; i < table->count; i++) {
        used[table->rows[i].setting.rounding] |= is_shown(&picture, &table->rows[i]);
    }
    for (uint32_t i = 0; i < MOST_POSITIONS; i++) {
        /* none, then from many bits to few */
        const uint32_t rounding = i == 0 ? LUTRA_ROUNDING_NONE : MOST_POSITIONS - i;
        if (used[rounding]) {
            picture.names[picture.position_count] =
                sweep_rounding_text(texts[picture.position_count], rounding);
            picture.position_count++;
        }
    }
    return draw_picture(&picture, dataset, path, error);
}

LutraStatus sweep_draw_layers(const SweepOptions *options, const SweepSource *source,
                              const SweepTable *table, const LutraDataset *dataset,
                              const char *path, LutraError *error) {
    const LutraCircuit *const plain = &source->plain;
    Picture picture = {.options = options, .source = source, .table = table, .of_layers = true};
    LUTRA_TRY(lutra_alloc(&picture.names, plain->operation_count, sizeof *picture.names, error));
    for (uint32_t i = 0; i < plain->operation_count; i++) {
        if (plain->operations[i].kind == LUTRA_OPERATION_TABLE) {
            picture.names[picture.position_count++] = plain->operations[i].name;
        }
    }
    return draw_picture(&picture, dataset, path, error);
}
