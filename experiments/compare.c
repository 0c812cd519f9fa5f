/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/compare.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

void lutra_compare_deinit(LutraCompare *compare) {
    lutra_figures_deinit(&compare->ours);
    lutra_figures_deinit(&compare->published);
    lutra_figures_deinit(&compare->expected);
    lutra_free(&compare->expected_path);
    lutra_free(&compare->folder);
    *compare = (LutraCompare){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *fact(const LutraFigures *figures, const char *key) {
    const char *const value = lutra_figures_fact(figures, key);
    return value != NULL ? value : "";
}

/** Reads a file if it is there. */
static LutraStatus read_beside(LutraFigures *figures, char **found, const char *assets,
                               const char *file, LutraError *error) {
    char *path = NULL;
    if (assets == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_file_path_in(&path, assets, file, error));
    LutraStatus status = LUTRA_OK;
    if (lutra_file_exists(path)) {
        status = lutra_figures_read(figures, path, error);
    } else {
        lutra_free(&path);
    }
    if (found != NULL && status == LUTRA_OK) {
        *found = path;
    } else {
        lutra_free(&path);
    }
    return status;
}

const char *lutra_compare_stand_in(const LutraFigures *figures) {
    static const char end[] = "stand-in";
    for (uint32_t i = 0; i < figures->fact_count; i++) {
        const char *const key = figures->facts[i].key;
        const size_t length = strlen(key);
        if (length >= sizeof end - 1 && strcmp(key + length - (sizeof end - 1), end) == 0) {
            return figures->facts[i].value;
        }
    }
    return NULL;
}

bool lutra_compare_moved(const LutraFigure *ours, const LutraFigure *expected) {
    return ours == NULL || lutra_figure_difference(ours, expected).is_apart;
}

/** Whether a model of these figures was trained by the run: then sums of floats, and so the
 * library of matrix products with its kernel, have a part in them. */
static bool was_trained(const LutraFigures *figures) {
    for (uint32_t i = 0; i < figures->fact_count; i++) {
        if (strstr(figures->facts[i].value, "trained by this run") != NULL) {
            return true;
        }
    }
    return false;
}

/** Whether two values of a fact mean the same: of data, name and checksum, wherever they came
 * from. */
static bool is_same(const char *a, const char *b) {
    static const char mark[] = ", checksum ";
    enum { DIGITS = 16 };
    const char *const in_a = strstr(a, mark);
    const char *const in_b = strstr(b, mark);
    if (in_a != NULL && in_b != NULL && in_a - a == in_b - b) {
        return strncmp(a, b, (size_t)(in_a - a) + sizeof mark - 1 + DIGITS) == 0;
    }
    return strcmp(a, b) == 0;
}

/** Facts that decide whether two runs should have found the same. */
static const char *unlike_fact(const LutraFigures *a, const LutraFigures *b) {
    const bool trained = was_trained(b);
    for (uint32_t i = 0; i < b->fact_count; i++) {
        const char *const key = b->facts[i].key;
        const size_t length = strlen(key);
        const bool decides = strcmp(key, "experiment") == 0 || strcmp(key, "setting") == 0 ||
                             (length >= 4 && strcmp(key + length - 4, "data") == 0) ||
                             (length >= 7 && strcmp(key + length - 7, "network") == 0) ||
                             (trained && strcmp(key, "matrix products") == 0);
        if (decides && !is_same(fact(a, key), b->facts[i].value)) {
            return key;
        }
    }
    return NULL;
}

static void count_moves(LutraCompare *compare) {
    compare->unlike = unlike_fact(&compare->ours, &compare->expected);
    for (uint32_t i = 0; compare->unlike == NULL && i < compare->expected.count; i++) {
        const LutraFigure *const expected = &compare->expected.figures[i];
        if (lutra_figure_is_checked(expected)) {
            compare->compared++;
            compare->moved += lutra_compare_moved(
                lutra_figures_find(&compare->ours, expected->quantity, expected->at), expected);
        }
    }
}

static LutraStatus read_all(LutraCompare *made, const char *folder, const char *assets,
                            const char *expected, LutraError *error) {
    char *path = NULL;
    char file[256];
    LUTRA_TRY(lutra_string_copy(&made->folder, folder, error));
    LUTRA_TRY(lutra_file_path_in(&path, folder, "figures.csv", error));
    const LutraStatus status = lutra_figures_read(&made->ours, path, error);
    lutra_free(&path);
    LUTRA_TRY(status);
    const char *const name = fact(&made->ours, "experiment");
    (void)snprintf(file, sizeof file, "published/%.64s.csv", name);
    LUTRA_TRY(read_beside(&made->published, NULL, assets, file, error));
    if (expected != NULL) {
        LUTRA_TRY(lutra_string_copy(&made->expected_path, expected, error));
        LUTRA_TRY(lutra_figures_read(&made->expected, expected, error));
    } else {
        (void)snprintf(file, sizeof file, "expected/%.64s-%.16s.csv", name,
                       fact(&made->ours, "setting"));
        LUTRA_TRY(read_beside(&made->expected, &made->expected_path, assets, file, error));
    }
    count_moves(made);
    return LUTRA_OK;
}

LutraStatus lutra_compare_read(LutraCompare *compare, const char *folder, const char *assets,
                               const char *expected, LutraError *error) {
    LutraCompare made = {.folder = NULL};
    const LutraStatus status = read_all(&made, folder, assets, expected, error);
    if (status == LUTRA_OK) {
        *compare = made;
    } else {
        lutra_compare_deinit(&made);
    }
    return status;
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_difference(FILE *out, const LutraFigure *ours, const LutraFigure *theirs) {
    const LutraFigureDifference d = lutra_figure_difference(ours, theirs);
    char value[48];
    char low[48];
    char high[48];
    if (isnan(d.difference)) {
        return;
    }
    (void)lutra_figure_value_text(value, ours, d.difference);
    fprintf(out, "  %s%s", d.difference > 0.0 ? "+" : "", value);
    if (isfinite(d.interval.low) && d.interval.low < d.interval.high) {
        (void)lutra_figure_value_text(low, ours, d.interval.low);
        (void)lutra_figure_value_text(high, ours, d.interval.high);
        fprintf(out, " (%s .. %s)", low, high);
    }
}

static void print_pair(FILE *out, const LutraFigure *ours, const LutraFigure *theirs,
                       const char *name) {
    char value[48];
    char interval[96];
    fprintf(out, "%s%s%s\n", theirs->quantity, theirs->at[0] != '\0' ? ", " : "", theirs->at);
    if (ours == NULL) {
        fprintf(out, "  ours       not in this run\n");
    } else {
        fprintf(out, "  ours       %-12s %s %s\n",
                lutra_figure_value_text(value, ours, ours->value),
                lutra_figure_interval_text(interval, ours), ours->note);
    }
    fprintf(out, "  %-10s %-12s %s %s\n", name,
            lutra_figure_value_text(value, theirs, theirs->value),
            lutra_figure_interval_text(interval, theirs), theirs->note);
    if (ours != NULL) {
        fputs("  difference", out);
        print_difference(out, ours, theirs);
        fputc('\n', out);
    }
}

static void print_published(FILE *out, const LutraCompare *compare) {
    if (compare->published.count == 0) {
        return;
    }
    fprintf(out, "\nBeside the published figures (%s)\n", fact(&compare->published, "source"));
    for (uint32_t i = 0; i < compare->published.fact_count; i++) {
        const LutraFigureFact *const f = &compare->published.facts[i];
        if (strcmp(f->key, "source") != 0) {
            fprintf(out, "  %s: %s\n", f->key, f->value);
        }
    }
    if (lutra_compare_stand_in(&compare->ours) != NULL) {
        fprintf(out, "  STAND-IN: %s\n", lutra_compare_stand_in(&compare->ours));
    }
    fputc('\n', out);
    for (uint32_t i = 0; i < compare->published.count; i++) {
        const LutraFigure *const theirs = &compare->published.figures[i];
        print_pair(out, lutra_figures_find(&compare->ours, theirs->quantity, theirs->at), theirs,
                   "published");
    }
}

static void print_expected(FILE *out, const LutraCompare *compare) {
    if (compare->expected_path == NULL) {
        fprintf(out, "\nNo expected figures are stored for this experiment and setting.\n");
        return;
    }
    fprintf(out, "\nBeside the expected figures of %s (%s, %s)\n", compare->expected_path,
            fact(&compare->expected, "date"), fact(&compare->expected, "processor"));
    if (compare->unlike != NULL) {
        fprintf(out, "  not compared, because '%s' differs:\n  ours      %s\n  expected  %s\n",
                compare->unlike, fact(&compare->ours, compare->unlike),
                fact(&compare->expected, compare->unlike));
        return;
    }
    for (uint32_t i = 0; i < compare->expected.count; i++) {
        const LutraFigure *const expected = &compare->expected.figures[i];
        const LutraFigure *const ours =
            lutra_figures_find(&compare->ours, expected->quantity, expected->at);
        if (lutra_figure_is_checked(expected) && lutra_compare_moved(ours, expected)) {
            fputs("MOVED ", out);
            print_pair(out, ours, expected, "expected");
        }
    }
    fprintf(out,
            "%" PRIu32 " figures compared, %" PRIu32
            " moved by more than the intervals of both allow\n",
            compare->compared, compare->moved);
}

void lutra_compare_print(FILE *out, const LutraCompare *compare) {
    fprintf(out, "%s: experiment '%s', %s setting, lutra %s, %s, %s\n", compare->folder,
            fact(&compare->ours, "experiment"), fact(&compare->ours, "setting"),
            fact(&compare->ours, "version"), fact(&compare->ours, "processor"),
            fact(&compare->ours, "date"));
    if (lutra_figures_fact(&compare->ours, "skipped") != NULL) {
        fprintf(out, "skipped: %s\n", fact(&compare->ours, "skipped"));
        return;
    }
    fprintf(out, "data     %s\n", fact(&compare->ours, "data"));
    fprintf(out, "network  %s\n", fact(&compare->ours, "network"));
    print_published(out, compare);
    print_expected(out, compare);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void set_interval(LutraJson *object, const char *key, LutraInterval interval) {
    LutraJson *const ends = lutra_json_set_array(object, key);
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
}

static void set_figure(LutraJson *object, const LutraFigure *figure) {
    lutra_json_set_text(object, "quantity", figure->quantity);
    lutra_json_set_text(object, "at", figure->at);
    lutra_json_set_text(object, "unit", figure->unit);
    lutra_json_set_text(object, "kind", lutra_figure_kind_name(figure->kind));
    lutra_json_set_f64(object, "value", figure->value);
    set_interval(object, "interval_95", figure->interval);
    lutra_json_set_i64(object, "trials", (int64_t)figure->trials);
    lutra_json_set_text(object, "note", figure->note);
}

void lutra_figures_set_json(LutraJson *array, const LutraFigures *figures) {
    for (uint32_t i = 0; i < figures->count; i++) {
        set_figure(lutra_json_add_object(array), &figures->figures[i]);
    }
}

static void set_pairs(LutraJson *array, const LutraCompare *compare, const LutraFigures *others,
                      bool only_checked) {
    for (uint32_t i = 0; i < others->count; i++) {
        const LutraFigure *const theirs = &others->figures[i];
        const LutraFigure *const ours =
            lutra_figures_find(&compare->ours, theirs->quantity, theirs->at);
        if (only_checked && !lutra_figure_is_checked(theirs)) {
            continue;
        }
        LutraJson *const object = lutra_json_add_object(array);
        set_figure(object, theirs);
        if (ours == NULL) {
            lutra_json_set_null(object, "ours");
            continue;
        }
        const LutraFigureDifference d = lutra_figure_difference(ours, theirs);
        set_figure(lutra_json_set_object(object, "ours"), ours);
        lutra_json_set_f64(object, "difference", d.difference);
        set_interval(object, "difference_interval_95", d.interval);
        lutra_json_set_bool(object, "apart", d.is_apart);
    }
}

void lutra_compare_set_json(LutraJson *object, const LutraCompare *compare) {
    LutraJson *const facts = lutra_json_set_object(object, "facts");
    lutra_json_set_text(object, "folder", compare->folder);
    for (uint32_t i = 0; i < compare->ours.fact_count; i++) {
        lutra_json_set_text(facts, compare->ours.facts[i].key, compare->ours.facts[i].value);
    }
    set_pairs(lutra_json_set_array(object, "published"), compare, &compare->published, false);
    if (compare->expected_path == NULL) {
        lutra_json_set_null(object, "expected_path");
        return;
    }
    lutra_json_set_text(object, "expected_path", compare->expected_path);
    if (compare->unlike != NULL) {
        lutra_json_set_text(object, "not_compared_because_of", compare->unlike);
        return;
    }
    set_pairs(lutra_json_set_array(object, "expected"), compare, &compare->expected, true);
    lutra_json_set_i64(object, "compared", compare->compared);
    lutra_json_set_i64(object, "moved", compare->moved);
}
