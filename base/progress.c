/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include <stddef.h>

bool lutra_progress_tick(const LutraProgress *progress, const char *stage, uint64_t done,
                         uint64_t total, double figure) {
    if (progress == NULL || progress->tick == NULL) {
        return false;
    }
    return progress->tick(progress->user, stage, done, total, figure) != 0;
}

void lutra_progress_note(const LutraProgress *progress, const char *line) {
    if (progress != NULL && progress->note != NULL) {
        progress->note(progress->user, line);
    }
}
