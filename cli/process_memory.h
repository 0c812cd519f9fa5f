/* SPDX-License-Identifier: Apache-2.0 */
/* Largest memory of this process, as the system counts it (Linux, /proc). */
#ifndef LUTRA_CLI_PROCESS_MEMORY_H
#define LUTRA_CLI_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/** Lets the peak start anew from what is in use now; false where the system cannot. */
bool cli_reset_peak_memory(void);

/** Peak resident memory (VmHWM) since the last reset or the start; 0 if unknown. */
uint64_t cli_peak_memory_bytes(void);

#endif
