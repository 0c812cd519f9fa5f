/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partial choices grow table by table; those that another one beats in cost and loss can be no part
 * of a best whole. With one set of parameters that is done under each ceiling for the cost of a
 * look-up, where the options of a table are those that the ceiling allows.
 */
#include "sim/search_front.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef struct {
    const LutraSearchChoices *choices;
    LutraSearchPoint *points; /* partial choices, (LUTRA_SEARCH_MOST_PARTIAL) */
    LutraSearchPoint *grown;  /* with one table more, times LUTRA_SEARCH_MOST_OPTIONS */
    uint32_t count;
    LutraSearchFront front;
} Work;

static int order(double a, double b) {
    return (a > b) - (a < b);
}

static int compare_points(const void *a, const void *b) {
    const LutraSearchPoint *const x = a;
    const LutraSearchPoint *const y = b;
    if (x->cost != y->cost) {
        return order(x->cost, y->cost);
    }
    return x->loss != y->loss ? order(x->loss, y->loss)
                              : memcmp(x->options, y->options, sizeof x->options);
}

/* Sorts points and keeps those that nothing beats; returns how many. */
static uint32_t keep_best(LutraSearchPoint *points, uint32_t count) {
    uint32_t kept = 0;
    if (count > 0) {
        qsort(points, count, sizeof *points, compare_points);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || points[i].loss < points[kept - 1].loss) {
            points[kept++] = points[i];
        }
    }
    return kept;
}

/* Keeps LUTRA_SEARCH_MOST_PARTIAL of them, the first and the last among these. */
static uint32_t thin(LutraSearchPoint *points, uint32_t count) {
    if (count <= LUTRA_SEARCH_MOST_PARTIAL) {
        return count;
    }
    for (uint64_t i = 0; i < LUTRA_SEARCH_MOST_PARTIAL; i++) {
        points[i] = points[i * (count - 1) / (LUTRA_SEARCH_MOST_PARTIAL - 1)];
    }
    return LUTRA_SEARCH_MOST_PARTIAL;
}

/* Adds every option of a table to every partial choice. */
static void add_table(Work *work, uint32_t table, double ceiling) {
    const bool is_shared = work->choices->sharing == LUTRA_SHARING_ONE_SET;
    const LutraSearchOption *const options =
        work->choices->options + ((size_t)table * LUTRA_SEARCH_MOST_OPTIONS);
    uint32_t grown = 0;
    for (uint32_t o = 0; o < work->choices->option_counts[table]; o++) {
        const LutraSearchOption *const option = &options[o];
        if (!(option->lookup_cost <= ceiling) || !isfinite(option->lookup_cost) ||
            !isfinite(option->loss)) {
            continue;
        }
        const double each = is_shared ? ceiling : option->lookup_cost;
        for (uint32_t i = 0; i < work->count; i++) {
            LutraSearchPoint *const point = &work->grown[grown++];
            *point = work->points[i];
            point->cost += each * (double)option->lookups;
            point->loss += option->loss;
            point->options[table] = (uint8_t)o;
        }
    }
    work->count = thin(work->grown, keep_best(work->grown, grown));
    memcpy(work->points, work->grown, work->count * sizeof *work->points);
}

/* Adds the best whole choices under a ceiling to the front. */
static LutraStatus add_ceiling(Work *work, double ceiling, LutraError *error) {
    LutraSearchFront *const front = &work->front;
    work->points[0] = (LutraSearchPoint){.cost = 0.0};
    work->count = 1;
    for (uint32_t t = 0; t < work->choices->table_count && work->count > 0; t++) {
        add_table(work, t, ceiling);
    }
    LUTRA_TRY(lutra_resize(&front->points, front->count, (size_t)front->count + work->count,
                           sizeof *front->points, error));
    memcpy(front->points + front->count, work->points, work->count * sizeof *work->points);
    front->count = keep_best(front->points, front->count + work->count);
    return LUTRA_OK;
}

static LutraStatus add_ceilings(Work *work, LutraError *error) {
    const LutraSearchChoices *const choices = work->choices;
    if (choices->sharing == LUTRA_SHARING_SET_PER_TABLE) {
        return add_ceiling(work, HUGE_VAL, error);
    }
    double last = 0.0;
    for (;;) {
        double ceiling = HUGE_VAL; /* the next larger cost that an option has */
        for (uint32_t t = 0; t < choices->table_count; t++) {
            for (uint32_t o = 0; o < choices->option_counts[t]; o++) {
                const double cost =
                    choices->options[((size_t)t * LUTRA_SEARCH_MOST_OPTIONS) + o].lookup_cost;
                ceiling = cost > last && cost < ceiling ? cost : ceiling;
            }
        }
        if (!isfinite(ceiling)) {
            return LUTRA_OK;
        }
        LUTRA_TRY(add_ceiling(work, ceiling, error));
        last = ceiling;
    }
}

LutraStatus lutra_search_front_find(LutraSearchFront *front, const LutraSearchChoices *choices,
                                    LutraError *error) {
    const size_t most_grown = (size_t)LUTRA_SEARCH_MOST_PARTIAL * LUTRA_SEARCH_MOST_OPTIONS;
    Work work = {.choices = choices};
    LutraStatus status = LUTRA_OK;
    bool possible = choices->table_count >= 1 && choices->table_count <= LUTRA_SEARCH_MOST_TABLES;
    for (uint32_t t = 0; possible && t < choices->table_count; t++) {
        possible = choices->option_counts[t] >= 1 &&
                   choices->option_counts[t] <= LUTRA_SEARCH_MOST_OPTIONS;
    }
    if (!possible) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "widths for %u tables; should be 1 to %d tables with 1 to %d each",
                               choices->table_count, LUTRA_SEARCH_MOST_TABLES,
                               LUTRA_SEARCH_MOST_OPTIONS);
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&work.points, LUTRA_SEARCH_MOST_PARTIAL,
                                       sizeof *work.points, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&work.grown, most_grown, sizeof *work.grown, error));
    LUTRA_TRY_GOTO(status, add_ceilings(&work, error));
    *front = work.front;
    work.front = (LutraSearchFront){0};
done:
    lutra_search_front_deinit(&work.front);
    lutra_free(&work.grown);
    lutra_free(&work.points);
    return status;
}

void lutra_search_front_deinit(LutraSearchFront *front) {
    lutra_free(&front->points);
    *front = (LutraSearchFront){0};
}
