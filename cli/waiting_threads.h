/* SPDX-License-Identifier: Apache-2.0 */
/* How threads wait for each other, a setting that OpenMP's run-time reads before main. */
#ifndef LUTRA_CLI_WAITING_THREADS_H
#define LUTRA_CLI_WAITING_THREADS_H

/**
 * Starts the program again, once, so that threads spin for a short time and then sleep, unless the
 * environment says already how they shall wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT). By default they
 * spin for milliseconds, and programs that share processors then slow each other down several
 * times: two trainings at once take 1.6 times as long as with this; a single one loses 3 % by it.
 *
 * Returns if there is nothing to do or the program cannot be started again.
 */
void cli_let_threads_sleep(char **argv);

#endif
