/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/process_memory.h"

#include <inttypes.h>
#include <stdio.h>

bool cli_reset_peak_memory(void) {
    FILE *const file = fopen("/proc/self/clear_refs", "w");
    if (file == NULL) {
        return false;
    }
    const bool written = fputs("5\n", file) >= 0; /* 5: only the peak, see proc(5) */
    return fclose(file) == 0 && written;
}

uint64_t cli_peak_memory_bytes(void) {
    FILE *const file = fopen("/proc/self/status", "r");
    if (file == NULL) {
        return 0;
    }
    char line[256];
    uint64_t kib = 0;
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "VmHWM: %" SCNu64, &kib) != 1) {
    }
    (void)fclose(file);
    return kib * 1024;
}
