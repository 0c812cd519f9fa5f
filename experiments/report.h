/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page of HTML over many runs: questions, verdicts, tables with intervals beside published
 * figures, and the charts of each run inside the page. It needs no network and no script.
 */
#ifndef LUTRA_EXPERIMENTS_REPORT_H
#define LUTRA_EXPERIMENTS_REPORT_H

#include "experiments/compare.h"

/**
 * Writes the page.
 *
 * @param runs   (count), in the order of the page
 * @param stamp  one line on who made the page
 * @errors LUTRA_EIO a chart cannot be read, or the page not be written; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_report_write(const LutraCompare *runs, size_t count,
                                                const char *stamp, const char *path, bool force,
                                                LutraError *error);

#endif
