/* SPDX-License-Identifier: Apache-2.0 */
/* How long work tells its caller where it stands, and how the caller stops it. */
#ifndef LUTRA_BASE_PROGRESS_H
#define LUTRA_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * A progress listener. Always called on the thread that called the library.
 * `tick` may be NULL. A nonzero answer asks the work to stop at the next safe point: the function
 * then returns LUTRA_ECANCELLED with what it had finished saved where its docstring says so.
 */
typedef struct {
    /** stage: short text such as "train epoch 3"; done <= total; figure: current result or NAN */
    int (*tick)(void *user, const char *stage, uint64_t done, uint64_t total, double figure);
    /** a milestone or warning worth one line; may be NULL */
    void (*note)(void *user, const char *line);
    void *user;
} LutraProgress;

/** Calls tick; returns true if the work should stop. NULL progress never stops. */
bool lutra_progress_tick(const LutraProgress *progress, const char *stage, uint64_t done,
                         uint64_t total, double figure);

/** Calls note if there is a listener. */
void lutra_progress_note(const LutraProgress *progress, const char *line);

#endif
