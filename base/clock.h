/* SPDX-License-Identifier: Apache-2.0 */
/* Time that has passed. */
#ifndef LUTRA_BASE_CLOCK_H
#define LUTRA_BASE_CLOCK_H

/** Seconds on a clock that never goes back; only differences mean anything. */
double lutra_seconds(void);

#endif
