/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "experiments/experiment.h"

enum { MOST_PICTURE_BYTES = 1 << 24, MOST_HEADS = 8, MOST_TAILS = 40, FEW_FIGURES = 12 };

static const char style[] =
    ":root{color-scheme:light}"
    "body{font:16px/1.5 'DejaVu Sans',Verdana,sans-serif;color:#222;background:#fff;"
    "max-width:60rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.3rem;margin-top:3rem;"
    "border-top:2px solid #222;padding-top:.6rem}h3{font-size:1.05rem;margin:1.6rem 0 .4rem}"
    "table{border-collapse:collapse;font-size:.85rem;width:100%}"
    "th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ccc;"
    "vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}"
    ".wide{overflow-x:auto}img{max-width:100%;height:auto;border:1px solid #ccc}"
    "figure{margin:1.2rem 0;break-inside:avoid}figcaption{font-size:.85rem;color:#444}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}"
    "dt{font-weight:bold}dd{margin:0;overflow-wrap:anywhere}"
    ".good::before{content:'\\2713 '}.bad{font-weight:bold}.bad::before{content:'\\2717 '}"
    ".skip{border-left:4px solid #888;padding-left:.8rem;color:#444}"
    ".apart{font-weight:bold}"
    "@media(max-width:40rem){body{font-size:15px;padding:.6rem}dl{display:block}"
    "td,th{padding-right:.4rem}}small{color:#555;white-space:nowrap}"
    "@media print{body{max-width:none;font-size:10pt;padding:0}h2{break-before:page}"
    "tr{break-inside:avoid}.wide{overflow:visible}}";

/* --- pieces ----------------------------------------------------------------------------------- */

/** Text with the characters replaced that HTML gives a meaning. */
static void put(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
            case '&': fputs("&amp;", out); break;
            case '<': fputs("&lt;", out); break;
            case '>': fputs("&gt;", out); break;
            case '"': fputs("&quot;", out); break;
            default: fputc(*text, out);
        }
    }
}

static const char *fact(const LutraFigures *figures, const char *key) {
    const char *const value = lutra_figures_fact(figures, key);
    return value != NULL ? value : "";
}

static void put_base64(FILE *out, const uint8_t *data, size_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        const size_t left = bytes - i;
        const uint32_t word = (uint32_t)data[i] << 16 |
                              (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)data[i + 2] : 0);
        fputc(digits[word >> 18], out);
        fputc(digits[word >> 12 & 63], out);
        fputc(left > 1 ? digits[word >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[word & 63] : '=', out);
    }
}

/** The verdict as a class and a word. */
static const char *verdict(const LutraCompare *run, const char **class_name) {
    if (lutra_figures_fact(&run->ours, "skipped") != NULL) {
        *class_name = "skip";
        return "skipped";
    }
    if (run->moved > 0) {
        *class_name = "bad";
        return "moved from the expected figures";
    }
    const char *const holds = fact(&run->ours, "holds");
    *class_name = strcmp(holds, "yes") == 0 ? "good" : "bad";
    return strcmp(holds, "yes") == 0  ? "nothing measured refutes the claim"
           : strcmp(holds, "no") == 0 ? "refuted by what was measured"
                                      : "not finished";
}

/* --- summary ---------------------------------------------------------------------------------- */

static void put_summary(FILE *out, const LutraCompare *runs, size_t count) {
    fputs(
        "<div class=\"wide\"><table><thead><tr><th>experiment</th><th>question</th>"
        "<th>setting</th><th>answer</th><th class=\"n\">time</th></tr></thead><tbody>\n",
        out);
    for (size_t i = 0; i < count; i++) {
        const LutraFigures *const ours = &runs[i].ours;
        const char *class_name = "";
        const char *const word = verdict(&runs[i], &class_name);
        fputs("<tr><td><a href=\"#", out);
        put(out, fact(ours, "experiment"));
        fputs("\">", out);
        put(out, fact(ours, "experiment"));
        fputs("</a></td><td>", out);
        put(out, fact(ours, "question"));
        fputs("</td><td>", out);
        put(out, fact(ours, "setting"));
        fputs(lutra_compare_stand_in(ours) != NULL ? ", stand-in" : "", out);
        fprintf(out, "</td><td class=\"%s\">", class_name);
        put(out, word);
        fputs("</td><td class=\"n\">", out);
        put(out, fact(ours, "seconds"));
        fputs(lutra_figures_fact(ours, "seconds") != NULL ? " s" : "", out);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* --- one run ---------------------------------------------------------------------------------- */

static void put_facts(FILE *out, const LutraFigures *ours) {
    static const char *const apart[] = {"experiment", "question", "skipped", "holds",
                                        "seconds",    "setting",  NULL};
    fputs("<dl>", out);
    for (uint32_t i = 0; i < ours->fact_count; i++) {
        bool shown = true;
        for (size_t k = 0; apart[k] != NULL; k++) {
            shown = shown && strcmp(apart[k], ours->facts[i].key) != 0;
        }
        if (shown) {
            fputs("<dt>", out);
            put(out, ours->facts[i].key);
            fputs("</dt><dd>", out);
            put(out, ours->facts[i].value);
            fputs("</dd>\n", out);
        }
    }
    fputs("</dl>\n", out);
}

static void put_value(FILE *out, const LutraFigure *figure, double value) {
    char text[48];
    fputs("<td class=\"n\">", out);
    if (figure != NULL) {
        put(out, lutra_figure_value_text(text, figure, value));
    }
    fputs("</td>", out);
}

static void put_interval(FILE *out, const LutraFigure *figure) {
    char text[96];
    fputs("<td class=\"n\">", out);
    if (figure != NULL) {
        put(out, lutra_figure_interval_text(text, figure));
    }
    fputs("</td>", out);
}

static void put_difference(FILE *out, const LutraFigure *ours, const LutraFigure *theirs) {
    char text[48];
    if (theirs == NULL) {
        fputs("<td></td><td></td>", out);
        return;
    }
    const LutraFigureDifference d = lutra_figure_difference(ours, theirs);
    fprintf(out, "<td class=\"n%s\">%s", d.is_apart ? " apart" : "", d.difference > 0.0 ? "+" : "");
    put(out, lutra_figure_value_text(text, ours, d.difference));
    fputs("</td><td class=\"n\">", out);
    if (isfinite(d.interval.low) && d.interval.low < d.interval.high) {
        put(out, lutra_figure_value_text(text, ours, d.interval.low));
        fputs(" .. ", out);
        put(out, lutra_figure_value_text(text, ours, d.interval.high));
    }
    fputs("</td>", out);
}

/** Whether an earlier figure has the same quantity: then its table is written already. */
static bool is_first_of_quantity(const LutraFigures *figures, uint32_t index) {
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(figures->figures[i].quantity, figures->figures[index].quantity) == 0) {
            return false;
        }
    }
    return true;
}

/** Columns that a table has. */
typedef struct {
    bool intervals;
    bool published;
    bool remarks;
} Columns;

static void look_at(Columns *columns, const LutraFigure *ours, const LutraFigures *published) {
    columns->intervals = columns->intervals || !isnan(ours->interval.low);
    columns->remarks = columns->remarks || ours->note[0] != '\0';
    columns->published =
        columns->published || lutra_figures_find(published, ours->quantity, ours->at) != NULL;
}

static void put_head(FILE *out, const char *first, const Columns *columns) {
    fprintf(out, "<div class=\"wide\"><table><thead><tr><th>%s</th><th class=\"n\">ours</th>",
            first);
    fputs(columns->intervals ? "<th class=\"n\">95 % interval</th>" : "", out);
    fputs("<th>how</th>", out);
    fputs(columns->published ? "<th class=\"n\">published</th><th class=\"n\">difference</th>"
                               "<th class=\"n\">95 % interval</th>"
                             : "",
          out);
    fputs(columns->remarks ? "<th>remark</th>" : "", out);
    fputs("</tr></thead><tbody>\n", out);
}

static void put_row(FILE *out, const char *name, const LutraFigure *ours, const LutraFigure *theirs,
                    const Columns *columns) {
    fputs("<tr><td>", out);
    put(out, name);
    fputs("</td>", out);
    put_value(out, ours, ours->value);
    if (columns->intervals) {
        put_interval(out, ours);
    }
    fprintf(out, "<td>%s</td>", lutra_figure_kind_name(ours->kind));
    if (columns->published) {
        put_value(out, theirs, theirs != NULL ? theirs->value : 0.0);
        put_difference(out, ours, theirs);
    }
    if (columns->remarks) {
        fputs("<td>", out);
        put(out, ours->note);
        fputs("</td>", out);
    }
    fputs("</tr>\n", out);
}

static bool is_single(const LutraFigure *figure) {
    return figure->at[0] == '\0';
}

/** Figures that have no setting, in one table. */
static void put_singles(FILE *out, const LutraCompare *run) {
    Columns columns = {false, false, false};
    bool any = false;
    for (uint32_t i = 0; i < run->ours.count; i++) {
        if (is_single(&run->ours.figures[i])) {
            look_at(&columns, &run->ours.figures[i], &run->published);
            any = true;
        }
    }
    if (!any) {
        return;
    }
    put_head(out, "quantity", &columns);
    for (uint32_t i = 0; i < run->ours.count; i++) {
        const LutraFigure *const figure = &run->ours.figures[i];
        if (is_single(figure)) {
            put_row(out, figure->quantity, figure,
                    lutra_figures_find(&run->published, figure->quantity, ""), &columns);
        }
    }
    fputs("</tbody></table></div>\n", out);
}

/* --- a table of two dimensions ------------------------------------------------------------------
 */

/** The two parts of "6 bits; align; ..." : columns are the first parts, rows the rest. */
typedef struct {
    char heads[MOST_HEADS][LUTRA_FIGURE_TEXT_BYTES];
    uint32_t head_count;
    const char *tails[MOST_TAILS]; /* borrowed from the figures */
    uint32_t tail_count;
    uint32_t figures;
    bool fits; /* few enough of both */
} Pivot;

static const char *tail_of(const char *at) {
    const char *const cut = strstr(at, "; ");
    return cut != NULL ? cut + 2 : "";
}

static void head_of(char head[LUTRA_FIGURE_TEXT_BYTES], const char *at) {
    const char *const cut = strstr(at, "; ");
    const int length = cut != NULL ? (int)(cut - at) : (int)strlen(at);
    (void)snprintf(head, LUTRA_FIGURE_TEXT_BYTES, "%.*s", length, at);
}

static void add_to_pivot(Pivot *pivot, const char *at) {
    char head[LUTRA_FIGURE_TEXT_BYTES];
    uint32_t h = 0;
    uint32_t r = 0;
    head_of(head, at);
    while (h < pivot->head_count && strcmp(pivot->heads[h], head) != 0) {
        h++;
    }
    while (r < pivot->tail_count && strcmp(pivot->tails[r], tail_of(at)) != 0) {
        r++;
    }
    pivot->figures++;
    if (h == MOST_HEADS || r == MOST_TAILS) {
        pivot->fits = false;
        return;
    }
    if (h == pivot->head_count) {
        memcpy(pivot->heads[pivot->head_count++], head, sizeof head);
    }
    if (r == pivot->tail_count) {
        pivot->tails[pivot->tail_count++] = tail_of(at);
    }
}

static void put_cell(FILE *out, const LutraFigure *ours, const LutraFigure *theirs) {
    char text[96];
    fputs("<td class=\"n\">", out);
    if (ours != NULL) {
        put(out, lutra_figure_value_text(text, ours, ours->value));
        (void)lutra_figure_interval_text(text, ours);
        if (text[0] != '\0' && strcmp(text, "exact") != 0) {
            fputs("<br><small>", out);
            put(out, text);
            fputs("</small>", out);
        }
    }
    if (theirs != NULL) {
        fputs("<br><small>published ", out);
        put(out, lutra_figure_value_text(text, theirs, theirs->value));
        fputs("</small>", out);
    }
    fputs("</td>", out);
}

static void put_pivot(FILE *out, const LutraCompare *run, const char *quantity,
                      const Pivot *pivot) {
    fputs("<div class=\"wide\"><table><thead><tr><th></th>", out);
    for (uint32_t h = 0; h < pivot->head_count; h++) {
        fputs("<th class=\"n\">", out);
        put(out, pivot->heads[h]);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (uint32_t r = 0; r < pivot->tail_count; r++) {
        fputs("<tr><td>", out);
        put(out, pivot->tails[r][0] != '\0' ? pivot->tails[r] : "plain");
        fputs("</td>", out);
        for (uint32_t h = 0; h < pivot->head_count; h++) {
            char at[2 * LUTRA_FIGURE_TEXT_BYTES + 4];
            (void)snprintf(at, sizeof at, "%s%s%s", pivot->heads[h],
                           pivot->tails[r][0] != '\0' ? "; " : "", pivot->tails[r]);
            put_cell(out, lutra_figures_find(&run->ours, quantity, at),
                     lutra_figures_find(&run->published, quantity, at));
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/** One table: all figures of a quantity. */
static void put_quantity(FILE *out, const LutraCompare *run, uint32_t first) {
    const LutraFigures *const ours = &run->ours;
    const char *const quantity = ours->figures[first].quantity;
    Columns columns = {false, false, false};
    Pivot pivot = {.fits = true};
    for (uint32_t i = first; i < ours->count; i++) {
        if (strcmp(ours->figures[i].quantity, quantity) == 0) {
            look_at(&columns, &ours->figures[i], &run->published);
            add_to_pivot(&pivot, ours->figures[i].at);
        }
    }
    fputs("<h3>", out);
    put(out, quantity);
    fputs("</h3>\n", out);
    if (pivot.fits && pivot.figures > FEW_FIGURES && pivot.tail_count > 1 && pivot.head_count > 1) {
        put_pivot(out, run, quantity, &pivot);
        return;
    }
    put_head(out, "at", &columns);
    for (uint32_t i = first; i < ours->count; i++) {
        const LutraFigure *const figure = &ours->figures[i];
        if (strcmp(figure->quantity, quantity) == 0) {
            put_row(out, figure->at, figure,
                    lutra_figures_find(&run->published, quantity, figure->at), &columns);
        }
    }
    fputs("</tbody></table></div>\n", out);
}

static const LutraExperiment *find_experiment(const char *name) {
    for (size_t i = 0; lutra_experiments[i] != NULL; i++) {
        if (strcmp(lutra_experiments[i]->name, name) == 0) {
            return lutra_experiments[i];
        }
    }
    return NULL;
}

static LutraStatus put_picture(FILE *out, const LutraCompare *run, const char *file,
                               LutraError *error) {
    LutraBytes bytes = {0};
    char *path = NULL;
    LUTRA_TRY(lutra_file_path_in(&path, run->folder, file, error));
    LutraStatus status = LUTRA_OK;
    if (lutra_file_exists(path)) {
        status = lutra_file_read(&bytes, path, MOST_PICTURE_BYTES, error);
    }
    if (status == LUTRA_OK && bytes.data != NULL) {
        fputs("<figure><img alt=\"", out);
        put(out, file);
        fputs("\" src=\"data:image/png;base64,", out);
        put_base64(out, bytes.data, bytes.bytes);
        fputs("\"><figcaption>", out);
        put(out, file);
        fputs("</figcaption></figure>\n", out);
    }
    lutra_bytes_deinit(&bytes);
    lutra_free(&path);
    return status;
}

static LutraStatus put_pictures(FILE *out, const LutraCompare *run, LutraError *error) {
    const LutraExperiment *const experiment = find_experiment(fact(&run->ours, "experiment"));
    for (size_t i = 0; experiment != NULL && experiment->files[i] != NULL; i++) {
        const char *const dot = strrchr(experiment->files[i], '.');
        if (dot != NULL && strcmp(dot, ".png") == 0) {
            LUTRA_TRY(put_picture(out, run, experiment->files[i], error));
        }
    }
    return LUTRA_OK;
}

static void put_expected(FILE *out, const LutraCompare *run) {
    if (run->expected_path == NULL) {
        return;
    }
    fputs("<p>Beside the stored figures of an earlier run: ", out);
    if (run->unlike != NULL) {
        fputs("not compared, because the earlier run differs in: ", out);
        put(out, run->unlike);
        fputs(".</p>\n", out);
        return;
    }
    fprintf(out,
            "%" PRIu32 " compared, %" PRIu32
            " moved by more than the intervals of both "
            "allow.</p>\n",
            run->compared, run->moved);
}

static LutraStatus put_run(FILE *out, const LutraCompare *run, LutraError *error) {
    const LutraFigures *const ours = &run->ours;
    const char *class_name = "";
    const char *const word = verdict(run, &class_name);
    fputs("<section id=\"", out);
    put(out, fact(ours, "experiment"));
    fputs("\"><h2>", out);
    put(out, fact(ours, "experiment"));
    fputs("</h2>\n<p><em>", out);
    put(out, fact(ours, "question"));
    fputs("</em></p>\n", out);
    fprintf(out, "<p class=\"%s\">", class_name);
    put(out, word);
    if (lutra_figures_fact(ours, "skipped") != NULL) {
        fputs(": ", out);
        put(out, fact(ours, "skipped"));
    }
    fputs("</p>\n", out);
    if (lutra_compare_stand_in(ours) != NULL) {
        fputs("<p class=\"skip\">Stand-in: ", out);
        put(out, lutra_compare_stand_in(ours));
        fputs("</p>\n", out);
    }
    LUTRA_TRY(put_pictures(out, run, error));
    put_singles(out, run);
    for (uint32_t i = 0; i < ours->count; i++) {
        if (!is_single(&ours->figures[i]) && is_first_of_quantity(ours, i)) {
            put_quantity(out, run, i);
        }
    }
    if (run->published.count > 0) {
        fputs("<p>Published figures: ", out);
        put(out, fact(&run->published, "source"));
        fputs("; ", out);
        put(out, fact(&run->published, "what"));
        fputs(". ", out);
        put(out, fact(&run->published, "remark"));
        fputs("</p>\n", out);
    }
    put_expected(out, run);
    fputs("<h3>How it was run</h3>\n", out);
    put_facts(out, ours);
    fputs("</section>\n", out);
    return LUTRA_OK;
}

static const char limits[] =
    "<section><h2>Limits</h2><ul>\n"
    "<li>Intervals of accuracy tell how well the test images stand for others like them. They do "
    "not tell how much another training would differ.</li>\n"
    "<li>Simulation with noise draws the noise of every look-up by itself; noise that look-ups "
    "share is not carried on. Where real ciphertexts were run, predicted and observed numbers of "
    "wrong look-ups stand side by side.</li>\n"
    "<li>Predicted times hold for a machine that does nothing else, and follow the profile of one "
    "machine (<code>lutra bench --calibrate</code>).</li>\n"
    "<li>A stand-in answers the same question on other data with another network: its figures "
    "cannot be compared with published ones.</li>\n"
    "<li>Security rests on published curves of Concrete; nothing here has been audited. Keys of "
    "experiments come from a seed and protect nothing.</li>\n"
    "</ul></section>\n";

static LutraStatus put_page(FILE *out, const LutraCompare *runs, size_t count, const char *stamp,
                            LutraError *error) {
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
        "<title>lutra: experiments</title><style>",
        out);
    fputs(style, out);
    fputs(
        "</style></head><body>\n<h1>Quantized networks under FHE: what was asked, what was "
        "found</h1>\n<p>",
        out);
    put(out, stamp);
    fputs("</p>\n", out);
    put_summary(out, runs, count);
    for (size_t i = 0; i < count; i++) {
        LUTRA_TRY(put_run(out, &runs[i], error));
    }
    fputs(limits, out);
    fputs("</body></html>\n", out);
    return LUTRA_OK;
}

LutraStatus lutra_report_write(const LutraCompare *runs, size_t count, const char *stamp,
                               const char *path, bool force, LutraError *error) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *const out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory");
    }
    LutraStatus status = put_page(out, runs, count, stamp, error);
    const bool complete = ferror(out) == 0;
    const bool closed = fclose(out) == 0;
    if (status == LUTRA_OK) {
        status = complete && closed ? lutra_file_write(path, text, bytes, force, error)
                                    : lutra_error_set(error, LUTRA_ENOMEM, "out of memory");
    }
    free(text);
    return status;
}
