/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run found, beside what is published and beside what an earlier run found.
 *
 * Published figures are only shown. Figures of an earlier run (expected) are a test: one that has
 * moved by more than both intervals together allow, or that is missing, fails. Times are not
 * tested. Two independent runs of one truth move so far in 5 % of all figures; runs of the same
 * seed on the same data repeat.
 */
#ifndef LUTRA_EXPERIMENTS_COMPARE_H
#define LUTRA_EXPERIMENTS_COMPARE_H

#include "base/json.h"
#include "experiments/figures.h"

typedef struct {
    char *folder;           /* owned */
    LutraFigures ours;      /* owned, like the next two */
    LutraFigures published; /* may be empty */
    LutraFigures expected;  /* may be empty */
    char *expected_path;    /* owned; NULL: there are none */
    const char *unlike;     /* fact that makes the expected ones figures of something else; NULL:
                               they are of the same */
    uint32_t compared;      /* with expected ones */
    uint32_t moved;         /* of these */
} LutraCompare;

/** Frees and zeroes. */
void lutra_compare_deinit(LutraCompare *compare);

/**
 * Reads figures.csv of a run's folder and what belongs beside it.
 *
 * @param assets    folder of published/NAME.csv and expected/NAME-SETTING.csv; NULL: none
 * @param expected  a file to take instead; NULL: none
 * @errors LUTRA_EIO or LUTRA_EDATA a file cannot be read
 */
LUTRA_MUST_CHECK LutraStatus lutra_compare_read(LutraCompare *compare, const char *folder,
                                                const char *assets, const char *expected,
                                                LutraError *error);

/** What the figures say on being of a stand-in, of any of their subjects; NULL: they are not. */
const char *lutra_compare_stand_in(const LutraFigures *figures);

/** Whether an expected figure has moved; `ours` NULL: it is missing. */
bool lutra_compare_moved(const LutraFigure *ours, const LutraFigure *expected);

/** As text for people. */
void lutra_compare_print(FILE *out, const LutraCompare *compare);

/** As members of an object. */
void lutra_compare_set_json(LutraJson *object, const LutraCompare *compare);

/** All figures as an array of objects. */
void lutra_figures_set_json(LutraJson *array, const LutraFigures *figures);

#endif
