/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures: the numbers that an experiment answers with, each with its interval, as plain data and
 * as CSV. What a run found, what is published and what an earlier run found (expected) all stand in
 * the same format, so that they can be put side by side:
 *
 *   # lutra.figures/1
 *   # KEY: VALUE                          facts about all figures: what was run on what
 *   quantity,at,unit,kind,value,low_95,high_95,trials,note
 *
 * A figure is known by `quantity` and `at`, such as "top-1" at "6 bits".
 */
#ifndef LUTRA_EXPERIMENTS_FIGURES_H
#define LUTRA_EXPERIMENTS_FIGURES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/interval.h"
#include "base/status.h"

enum { LUTRA_FIGURE_TEXT_BYTES = 96, LUTRA_FIGURE_NOTE_BYTES = 192, LUTRA_MOST_FIGURES = 4096 };

/** How a number came about. Pinned: the names stand in files. */
typedef enum {
    LUTRA_FIGURE_COUNTED = 0,   /* exact, such as look-ups or bytes */
    LUTRA_FIGURE_SIMULATED = 1, /* in the clear, with or without noise */
    LUTRA_FIGURE_ENCRYPTED = 2, /* on real ciphertexts */
    LUTRA_FIGURE_PREDICTED = 3, /* by a formula */
    LUTRA_FIGURE_TIMED = 4,     /* on this machine */
    LUTRA_FIGURE_PUBLISHED = 5, /* by somebody else */
    LUTRA_FIGURE_KINDS = 6
} LutraFigureKind;

const char *lutra_figure_kind_name(LutraFigureKind kind);

typedef struct {
    char quantity[LUTRA_FIGURE_TEXT_BYTES]; /* without commas, like all texts */
    char at[LUTRA_FIGURE_TEXT_BYTES];       /* the setting; "" if there is only one */
    char unit[LUTRA_FIGURE_TEXT_BYTES];     /* "fraction" is shown as percent; "" for a number */
    LutraFigureKind kind;
    double value;
    LutraInterval interval; /* 95 %; both ends the value: exact; NAN: not known */
    uint64_t trials;        /* that a fraction was counted on; 0: none */
    char note[LUTRA_FIGURE_NOTE_BYTES];
} LutraFigure;

typedef struct {
    char key[LUTRA_FIGURE_TEXT_BYTES];
    char *value; /* one line, owned */
} LutraFigureFact;

typedef struct {
    LutraFigureFact *facts; /* (fact_count), owned */
    uint32_t fact_count;
    LutraFigure *figures; /* (count), owned, in the order in which they were added */
    uint32_t count;
} LutraFigures;

/** Frees and zeroes. */
void lutra_figures_deinit(LutraFigures *figures);

/** Sets or replaces one fact; control characters of `value` become blanks. */
LUTRA_MUST_CHECK LutraStatus lutra_figures_set_fact(LutraFigures *figures, const char *key,
                                                    const char *value, LutraError *error);

/** Value of a fact; NULL if there is none. */
const char *lutra_figures_fact(const LutraFigures *figures, const char *key);

/**
 * Adds a figure, or replaces the one of the same quantity and place. Commas, quotes and control
 * characters in its texts become semicolons, apostrophes and blanks.
 */
LUTRA_MUST_CHECK LutraStatus lutra_figures_add(LutraFigures *figures, const LutraFigure *figure,
                                               LutraError *error);

/** NULL if there is none. */
const LutraFigure *lutra_figures_find(const LutraFigures *figures, const char *quantity,
                                      const char *at);

/** A fraction that was counted, with the interval of Clopper and Pearson. */
LUTRA_MUST_CHECK LutraStatus lutra_figures_add_fraction(LutraFigures *figures, const char *quantity,
                                                        const char *at, LutraFigureKind kind,
                                                        uint64_t events, uint64_t trials,
                                                        LutraError *error);

/** A number without an interval: exact if counted, otherwise of unknown accuracy. */
LUTRA_MUST_CHECK LutraStatus lutra_figures_add_number(LutraFigures *figures, const char *quantity,
                                                      const char *at, const char *unit,
                                                      LutraFigureKind kind, double value,
                                                      LutraError *error);

/** The whole as CSV; heap, free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_figures_text(char **text, const LutraFigures *figures,
                                                LutraError *error);

/**
 * Reads the same text. An empty interval of a fraction with trials is computed.
 *
 * @param name  what errors call the text
 * @errors LUTRA_EDATA "NAME:LINE: ..."; LUTRA_ENOMEM; *figures is unchanged
 */
LUTRA_MUST_CHECK LutraStatus lutra_figures_parse(LutraFigures *figures, const char *text,
                                                 const char *name, LutraError *error);

/** Files of that text. */
LUTRA_MUST_CHECK LutraStatus lutra_figures_write(const LutraFigures *figures, const char *path,
                                                 bool force, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_figures_read(LutraFigures *figures, const char *path,
                                                LutraError *error);

/** A value or an end of an interval as people read it: "89.23 %", "13.4 s", "976"; returns it. */
const char *lutra_figure_value_text(char text[48], const LutraFigure *figure, double value);

/** "88.61 .. 89.83 %", "exact" or "" ; returns it. */
const char *lutra_figure_interval_text(char text[96], const LutraFigure *figure);

/* --- putting two side by side ----------------------------------------------------------------- */

typedef struct {
    double difference;      /* ours less theirs */
    LutraInterval interval; /* 95 % of the difference if both are independent; NAN: not known */
    bool is_apart;          /* 0 lies outside */
} LutraFigureDifference;

/**
 * The difference of two figures. Its interval puts the distances from value to end of both
 * together as independent errors (square root of the sum of squares): exact for normal ones. Two
 * exact figures are apart unless they are equal to 9 digits. A figure without an interval counts as
 * exact beside one that has one.
 */
LutraFigureDifference lutra_figure_difference(const LutraFigure *ours, const LutraFigure *theirs);

/** Whether a difference between two runs means anything: times and predicted times belong to the
 * machine that they were made on. */
bool lutra_figure_is_checked(const LutraFigure *figure);

#endif
