/* SPDX-License-Identifier: Apache-2.0 */
/* On what and when a run happened, for files that outlive it. */
#ifndef LUTRA_CLI_RUN_STAMP_H
#define LUTRA_CLI_RUN_STAMP_H

typedef struct {
    char processor[96]; /* model name, or "unknown processor" */
    char system[96];    /* kernel's name, release and machine */
    char date[16];      /* UTC, such as 2026-11-22 */
} CliRunStamp;

/** Looks them up; what cannot be found is named unknown. */
void cli_run_stamp(CliRunStamp *stamp);

#endif
