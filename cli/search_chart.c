/* SPDX-License-Identifier: Apache-2.0 */
/* Loss against cost: what was measured, what nothing beats, what was chosen. */
#include <math.h>
#include <string.h>

#include "base/chart.h"
#include "base/memory.h"
#include "cli/search.h"

typedef enum { UNIFORM = 0, PER_TABLE, CONFIRMED, CHOSEN, FRONT, BUDGET, SERIES } SeriesKind;

/* Points of one series: x, y and the ends of intervals, (4, most), owned. */
typedef struct {
    double *values;
    size_t most;
    size_t count;
} Points;

static void add_point(Points *points, const LutraSearchRow *row) {
    LutraInterval ends;
    const double loss = lutra_search_row_loss(row, &ends);
    const size_t i = points->count++;
    points->values[i] = row->price.seconds;
    points->values[points->most + i] = 100.0 * loss;
    points->values[(2 * points->most) + i] = 100.0 * ends.low;
    points->values[(3 * points->most) + i] = 100.0 * ends.high;
}

static LutraSeries series_of(const Points *points, const char *label, SeriesKind kind) {
    const double *const values = points->values;
    const bool is_line = kind == FRONT || kind == BUDGET;
    const bool has_intervals = kind == CONFIRMED || kind == CHOSEN;
    return (LutraSeries){.label = label,
                         .x = values,
                         .y = values + points->most,
                         .y_low = has_intervals ? values + (2 * points->most) : NULL,
                         .y_high = has_intervals ? values + (3 * points->most) : NULL,
                         .count = points->count,
                         .line = is_line,
                         .marker = !is_line};
}

/* Top of the picture: a few budgets, so that the settings that matter are not flattened. */
static double most_loss(const Search *search) {
    return fmax(10.0 * search->options->budget, 5.0);
}

static bool is_shown(const Search *search, const LutraSearchRow *row) {
    LutraInterval ignored;
    return row->stage != LUTRA_SEARCH_ALONE && row->price.feasible && row->counts.images > 0 &&
           100.0 * lutra_search_row_loss(row, &ignored) <= most_loss(search);
}

/* A level line from the cheapest to the dearest setting that is shown. */
static void place_budget(Points *points, const Search *search) {
    double low = HUGE_VAL;
    double high = 0.0;
    for (uint32_t i = 0; i < search->result.count; i++) {
        const LutraSearchRow *const row = &search->result.rows[i];
        if (is_shown(search, row)) {
            low = fmin(low, row->price.seconds);
            high = fmax(high, row->price.seconds);
        }
    }
    for (int end = 0; end < 2 && low < high; end++) {
        points->values[points->count] = end == 0 ? low : high;
        points->values[points->most + points->count++] = search->options->budget;
    }
}

static void place(Points *points, const Search *search, const uint32_t *front, uint32_t count) {
    const LutraSearchResult *const result = &search->result;
    for (uint32_t i = 0; i < result->count; i++) {
        const LutraSearchRow *const row = &result->rows[i];
        const SeriesKind kind = i == result->chosen                    ? CHOSEN
                                : row->stage == LUTRA_SEARCH_CONFIRM ? CONFIRMED
                                : row->stage == LUTRA_SEARCH_UNIFORM ? UNIFORM
                                                                     : PER_TABLE;
        if (is_shown(search, row) || kind == CHOSEN) {
            add_point(&points[kind], row);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_shown(search, &result->rows[front[i]])) {
            add_point(&points[FRONT], &result->rows[front[i]]);
        }
    }
    place_budget(&points[BUDGET], search);
}

static LutraStatus draw(const Search *search, const Points *points, const char *path,
                        LutraError *error) {
    static const char *const labels[SERIES] = {"all tables alike", "per table",
                                               "on confirmation images", "chosen",
                                               "nothing is better", "budget"};
    LutraSeries series[SERIES];
    LutraChart chart;
    char title[256];
    char subtitle[512];
    char selection[32];
    char confirmation[32];
    char x_label[LUTRA_PROFILE_TEXT_BYTES + 64];
    size_t count = 0;
    for (int i = 0; i < SERIES; i++) {
        if (points[i].count > 0) {
            series[count++] = series_of(&points[i], labels[i], (SeriesKind)i);
        }
    }
    if (count == 0) {
        return LUTRA_OK;
    }
    (void)snprintf(title, sizeof title, "%s: accuracy lost against predicted time",
                   search->plain.name);
    (void)snprintf(subtitle, sizeof subtitle,
                   "%s, training images: %s to choose, %s to confirm; budget %g points; bars: 95 "
                   "%% intervals",
                   search->dataset.name, cli_grouped(selection, search->parts[0].split.count),
                   cli_grouped(confirmation, search->parts[1].split.count),
                   search->options->budget);
    (void)snprintf(x_label, sizeof x_label, "seconds an image, predicted: %u threads, %s",
                   search->machine.profile.threads, search->machine.profile.cpu);
    lutra_chart_default(&chart);
    chart.title = title;
    chart.subtitle = subtitle;
    chart.x_label = x_label;
    chart.y_label = "top-1 lost (points)";
    chart.x_log10 = true;
    return lutra_chart_write(&chart, series, count, path, true, error);
}

LutraStatus search_draw(const Search *search, const char *path, LutraError *error) {
    const size_t rows = search->result.count;
    Points points[SERIES] = {{0}};
    uint32_t *front = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&front, rows, sizeof *front, error));
    for (int i = 0; i < SERIES; i++) {
        points[i].most = rows + 2;
        LUTRA_TRY_GOTO(status, lutra_alloc(&points[i].values, 4 * (rows + 2),
                                           sizeof *points[i].values, error));
    }
    place(points, search, front,
          lutra_search_pareto(front, &search->result, search->parts[0].split.count, 1.0));
    status = draw(search, points, path, error);
done:
    for (int i = 0; i < SERIES; i++) {
        lutra_free(&points[i].values);
    }
    lutra_free(&front);
    return status;
}
