/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/figures.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static const char MAGIC[] = "# lutra.figures/1";
static const char HEADER[] = "quantity,at,unit,kind,value,low_95,high_95,trials,note";

enum { COLUMNS = 9, MOST_FACTS = 256, MOST_BYTES = 1 << 22 };

static const char *const kind_names[LUTRA_FIGURE_KINDS] = {"counted",   "simulated", "encrypted",
                                                           "predicted", "timed",     "published"};

const char *lutra_figure_kind_name(LutraFigureKind kind) {
    LUTRA_ASSERT((unsigned)kind < LUTRA_FIGURE_KINDS);
    return kind_names[kind];
}

void lutra_figures_deinit(LutraFigures *figures) {
    for (uint32_t i = 0; i < figures->fact_count; i++) {
        lutra_free(&figures->facts[i].value);
    }
    lutra_free(&figures->facts);
    lutra_free(&figures->figures);
    *figures = (LutraFigures){0};
}

/* --- facts and figures ------------------------------------------------------------------------ */

/** Copies a text that fits and can stand in a cell or a line. */
static void copy_clean(char *to, size_t bytes, const char *from, bool is_cell) {
    size_t n = 0;
    for (; from[n] != '\0' && n + 1 < bytes; n++) {
        const char c = from[n];
        const bool control = (unsigned char)c < 0x20 || c == 0x7f;
        to[n] = (char)(control ? ' ' : is_cell && c == ',' ? ';' : is_cell && c == '"' ? '\'' : c);
    }
    to[n] = '\0';
}

static LutraFigureFact *find_fact(const LutraFigures *figures, const char *key) {
    for (uint32_t i = 0; i < figures->fact_count; i++) {
        if (strcmp(figures->facts[i].key, key) == 0) {
            return &figures->facts[i];
        }
    }
    return NULL;
}

LutraStatus lutra_figures_set_fact(LutraFigures *figures, const char *key, const char *value,
                                   LutraError *error) {
    char clean[LUTRA_FIGURE_TEXT_BYTES];
    char *copy = NULL;
    copy_clean(clean, sizeof clean, key, true);
    LUTRA_TRY(lutra_string_copy(&copy, value, error));
    copy_clean(copy, strlen(copy) + 1, value, false);
    LutraFigureFact *fact = find_fact(figures, clean);
    if (fact == NULL) {
        const uint32_t count = figures->fact_count;
        const LutraStatus status =
            lutra_resize(&figures->facts, count, count + 1, sizeof *figures->facts, error);
        if (status != LUTRA_OK) {
            lutra_free(&copy);
            return status;
        }
        fact = &figures->facts[figures->fact_count++];
        memcpy(fact->key, clean, sizeof clean);
    }
    lutra_free(&fact->value);
    fact->value = copy;
    return LUTRA_OK;
}

const char *lutra_figures_fact(const LutraFigures *figures, const char *key) {
    const LutraFigureFact *const fact = find_fact(figures, key);
    return fact != NULL ? fact->value : NULL;
}

const LutraFigure *lutra_figures_find(const LutraFigures *figures, const char *quantity,
                                      const char *at) {
    for (uint32_t i = 0; i < figures->count; i++) {
        const LutraFigure *const figure = &figures->figures[i];
        if (strcmp(figure->quantity, quantity) == 0 && strcmp(figure->at, at) == 0) {
            return figure;
        }
    }
    return NULL;
}

LutraStatus lutra_figures_add(LutraFigures *figures, const LutraFigure *figure, LutraError *error) {
    LutraFigure clean = *figure;
    copy_clean(clean.quantity, sizeof clean.quantity, figure->quantity, true);
    copy_clean(clean.at, sizeof clean.at, figure->at, true);
    copy_clean(clean.unit, sizeof clean.unit, figure->unit, true);
    copy_clean(clean.note, sizeof clean.note, figure->note, true);
    for (uint32_t i = 0; i < figures->count; i++) {
        LutraFigure *const known = &figures->figures[i];
        if (strcmp(known->quantity, clean.quantity) == 0 && strcmp(known->at, clean.at) == 0) {
            *known = clean;
            return LUTRA_OK;
        }
    }
    LUTRA_TRY(lutra_resize(&figures->figures, figures->count, (size_t)figures->count + 1,
                           sizeof *figures->figures, error));
    figures->figures[figures->count++] = clean;
    return LUTRA_OK;
}

LutraStatus lutra_figures_add_fraction(LutraFigures *figures, const char *quantity, const char *at,
                                       LutraFigureKind kind, uint64_t events, uint64_t trials,
                                       LutraError *error) {
    LutraFigure figure = {.unit = "fraction",
                          .kind = kind,
                          .value = trials > 0 ? (double)events / (double)trials : (double)NAN,
                          .interval = lutra_interval_binomial(events, trials, 0.95),
                          .trials = trials};
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", quantity);
    (void)snprintf(figure.at, sizeof figure.at, "%s", at);
    return lutra_figures_add(figures, &figure, error);
}

LutraStatus lutra_figures_add_number(LutraFigures *figures, const char *quantity, const char *at,
                                     const char *unit, LutraFigureKind kind, double value,
                                     LutraError *error) {
    const double end = kind == LUTRA_FIGURE_COUNTED ? value : (double)NAN;
    LutraFigure figure = {.kind = kind, .value = value, .interval = {end, end}};
    (void)snprintf(figure.quantity, sizeof figure.quantity, "%s", quantity);
    (void)snprintf(figure.at, sizeof figure.at, "%s", at);
    (void)snprintf(figure.unit, sizeof figure.unit, "%s", unit);
    return lutra_figures_add(figures, &figure, error);
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_number(FILE *out, double value) {
    if (isfinite(value)) {
        fprintf(out, "%.10g", value);
    }
}

static void print_all(FILE *out, const LutraFigures *figures) {
    fprintf(out, "%s\n", MAGIC);
    for (uint32_t i = 0; i < figures->fact_count; i++) {
        fprintf(out, "# %s: %s\n", figures->facts[i].key, figures->facts[i].value);
    }
    fprintf(out, "%s\n", HEADER);
    for (uint32_t i = 0; i < figures->count; i++) {
        const LutraFigure *const figure = &figures->figures[i];
        fprintf(out, "%s,%s,%s,%s,", figure->quantity, figure->at, figure->unit,
                kind_names[figure->kind]);
        print_number(out, figure->value);
        fputc(',', out);
        print_number(out, figure->interval.low);
        fputc(',', out);
        print_number(out, figure->interval.high);
        fprintf(out, ",%" PRIu64 ",%s\n", figure->trials, figure->note);
    }
}

LutraStatus lutra_figures_text(char **text, const LutraFigures *figures, LutraError *error) {
    char *made = NULL;
    size_t bytes = 0;
    FILE *const out = open_memstream(&made, &bytes);
    LutraStatus status = LUTRA_OK;
    *text = NULL;
    if (out != NULL) {
        print_all(out, figures);
    }
    if (out == NULL || fclose(out) != 0) {
        status = lutra_error_set(error, LUTRA_ENOMEM, "out of memory");
    } else {
        status = lutra_string_copy(text, made, error);
    }
    free(made);
    return status;
}

/** Where a reader stands. */
typedef struct {
    const char *name;
    uint32_t line;
    LutraFigures figures;
} Reader;

static LutraStatus bad(const Reader *reader, const char *what, LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA, "%s:%" PRIu32 ": %s", reader->name, reader->line,
                           what);
}

static LutraStatus read_fact(Reader *reader, char *line, LutraError *error) {
    char *const colon = strstr(line, ": ");
    if (colon == NULL || colon == line + 2 || line[1] != ' ' ||
        (size_t)(colon - line) >= LUTRA_FIGURE_TEXT_BYTES ||
        reader->figures.fact_count >= MOST_FACTS) {
        return bad(reader, "should be '# KEY: VALUE'", error);
    }
    *colon = '\0';
    return lutra_figures_set_fact(&reader->figures, line + 2, colon + 2, error);
}

/** A number, or NAN for an empty cell. */
static bool read_number(double *value, const char *cell) {
    char *end = NULL;
    *value = (double)NAN;
    if (cell[0] == '\0') {
        return true;
    }
    *value = strtod(cell, &end);
    return *end == '\0' && isfinite(*value) && strpbrk(cell, "xX \t") == NULL;
}

static bool read_count(uint64_t *value, const char *cell) {
    char *end = NULL;
    errno = 0;
    *value = cell[0] == '\0' ? 0 : strtoull(cell, &end, 10);
    return cell[0] == '\0' || (errno == 0 && *end == '\0' && cell[0] >= '0' && cell[0] <= '9');
}

static bool read_kind(LutraFigureKind *kind, const char *cell) {
    for (int k = 0; k < LUTRA_FIGURE_KINDS; k++) {
        if (strcmp(cell, kind_names[k]) == 0) {
            *kind = (LutraFigureKind)k;
            return true;
        }
    }
    return false;
}

static bool copy_cell(char *to, size_t bytes, const char *cell) {
    return (size_t)snprintf(to, bytes, "%s", cell) < bytes;
}

static LutraStatus read_figure(Reader *reader, char *line, LutraError *error) {
    char *cells[COLUMNS];
    size_t count = 0;
    LutraFigure figure = {.kind = LUTRA_FIGURE_COUNTED};
    for (char *cell = line; cell != NULL && count < COLUMNS;) {
        char *const comma = strchr(cell, ',');
        cells[count++] = cell;
        if (comma != NULL && count == COLUMNS) {
            return bad(reader, "has more than 9 cells", error);
        }
        if (comma != NULL) {
            *comma = '\0';
        }
        cell = comma != NULL ? comma + 1 : NULL;
    }
    if (count != COLUMNS || cells[0][0] == '\0') {
        return bad(reader, "should have 9 cells and a quantity", error);
    }
    if (!copy_cell(figure.quantity, sizeof figure.quantity, cells[0]) ||
        !copy_cell(figure.at, sizeof figure.at, cells[1]) ||
        !copy_cell(figure.unit, sizeof figure.unit, cells[2]) ||
        !copy_cell(figure.note, sizeof figure.note, cells[8])) {
        return bad(reader, "a text is too long", error);
    }
    if (!read_kind(&figure.kind, cells[3])) {
        return bad(reader,
                   "unknown kind; should be counted, simulated, encrypted, predicted, "
                   "timed or published",
                   error);
    }
    if (!read_number(&figure.value, cells[4]) || !read_number(&figure.interval.low, cells[5]) ||
        !read_number(&figure.interval.high, cells[6]) || !read_count(&figure.trials, cells[7])) {
        return bad(reader,
                   "value, low_95 and high_95 should be numbers or empty, trials a whole "
                   "number",
                   error);
    }
    if (reader->figures.count >= LUTRA_MOST_FIGURES ||
        lutra_figures_find(&reader->figures, figure.quantity, figure.at) != NULL) {
        return bad(reader, "the same quantity and place again, or too many figures", error);
    }
    if (isnan(figure.interval.low) && figure.trials > 0 && figure.value >= 0.0 &&
        figure.value <= 1.0 && figure.trials <= UINT32_MAX &&
        strcmp(figure.unit, "fraction") == 0) {
        const double events = nearbyint(figure.value * (double)figure.trials);
        figure.interval = lutra_interval_binomial((uint64_t)events, figure.trials, 0.95);
    }
    return lutra_figures_add(&reader->figures, &figure, error);
}

static LutraStatus read_line(Reader *reader, char *line, bool *header, LutraError *error) {
    if (reader->line == 1) {
        return strcmp(line, MAGIC) == 0 ? LUTRA_OK
                                        : bad(reader, "should be '# lutra.figures/1'", error);
    }
    if (!*header && line[0] == '#') {
        return read_fact(reader, line, error);
    }
    if (!*header) {
        *header = true;
        return strcmp(line, HEADER) == 0 ? LUTRA_OK : bad(reader, "unknown columns", error);
    }
    return line[0] == '\0' ? LUTRA_OK : read_figure(reader, line, error);
}

LutraStatus lutra_figures_parse(LutraFigures *figures, const char *text, const char *name,
                                LutraError *error) {
    Reader reader = {.name = name, .line = 1};
    char *copy = NULL;
    bool header = false;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_string_copy(&copy, text, error));
    for (char *line = copy; status == LUTRA_OK && line != NULL; reader.line++) {
        char *const end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        status = read_line(&reader, line, &header, error);
        line = end != NULL && end[1] != '\0' ? end + 1 : NULL;
    }
    if (status == LUTRA_OK && !header) {
        status = bad(&reader, "no line with the names of the columns", error);
    }
    lutra_free(&copy);
    if (status == LUTRA_OK) {
        *figures = reader.figures;
    } else {
        lutra_figures_deinit(&reader.figures);
    }
    return status;
}

LutraStatus lutra_figures_write(const LutraFigures *figures, const char *path, bool force,
                                LutraError *error) {
    char *text = NULL;
    LUTRA_TRY(lutra_figures_text(&text, figures, error));
    const LutraStatus status = lutra_file_write(path, text, strlen(text), force, error);
    lutra_free(&text);
    return status;
}

LutraStatus lutra_figures_read(LutraFigures *figures, const char *path, LutraError *error) {
    LutraBytes bytes = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, MOST_BYTES, error));
    const LutraStatus status = lutra_figures_parse(figures, (const char *)bytes.data, path, error);
    lutra_bytes_deinit(&bytes);
    return status;
}

/* --- for people ------------------------------------------------------------------------------- */

static bool is_fraction(const LutraFigure *figure) {
    return strcmp(figure->unit, "fraction") == 0;
}

const char *lutra_figure_value_text(char text[48], const LutraFigure *figure, double value) {
    if (!isfinite(value)) {
        text[0] = '\0';
    } else if (is_fraction(figure) && fabs(value) >= 0.0005) {
        (void)snprintf(text, 48, "%.2f %%", 100.0 * value);
    } else if (is_fraction(figure)) {
        (void)snprintf(text, 48, "%.3g", value);
    } else {
        const bool whole = value == floor(value) && fabs(value) < 1e15;
        (void)snprintf(text, 48, whole ? "%.0f%s%.20s" : "%.4g%s%.20s", value,
                       figure->unit[0] != '\0' ? " " : "", figure->unit);
    }
    return text;
}

const char *lutra_figure_interval_text(char text[96], const LutraFigure *figure) {
    char low[48];
    char high[48];
    text[0] = '\0';
    if (isnan(figure->interval.low) || isnan(figure->interval.high)) {
        return text;
    }
    if (figure->interval.low == figure->interval.high) {
        (void)snprintf(text, 96, "exact");
        return text;
    }
    (void)lutra_figure_value_text(low, figure, figure->interval.low);
    (void)lutra_figure_value_text(high, figure, figure->interval.high);
    (void)snprintf(text, 96, "%.44s .. %.44s", low, high);
    return text;
}

/* --- side by side ----------------------------------------------------------------------------- */

/** Distance from the value to the end of its interval on one side; NAN: not known. */
static double reach(const LutraFigure *figure, bool upwards) {
    return upwards ? figure->interval.high - figure->value : figure->value - figure->interval.low;
}

static double together(double a, double b) {
    return isnan(a) && isnan(b) ? (double)NAN : hypot(isnan(a) ? 0.0 : a, isnan(b) ? 0.0 : b);
}

LutraFigureDifference lutra_figure_difference(const LutraFigure *ours, const LutraFigure *theirs) {
    LutraFigureDifference made = {.difference = ours->value - theirs->value};
    made.interval.low = made.difference - together(reach(ours, false), reach(theirs, true));
    made.interval.high = made.difference + together(reach(ours, true), reach(theirs, false));
    if (isnan(made.difference)) {
        made.is_apart = isnan(ours->value) != isnan(theirs->value);
    } else if (isnan(made.interval.low)) {
        made.is_apart = false;
    } else {
        const double digits = 1e-9 * fmax(fabs(ours->value), fabs(theirs->value));
        made.is_apart = made.interval.low > digits || made.interval.high < -digits;
    }
    return made;
}

bool lutra_figure_is_checked(const LutraFigure *figure) {
    return figure->kind == LUTRA_FIGURE_COUNTED || figure->kind == LUTRA_FIGURE_SIMULATED ||
           figure->kind == LUTRA_FIGURE_ENCRYPTED ||
           (figure->kind == LUTRA_FIGURE_PREDICTED && strcmp(figure->unit, "s") != 0);
}
