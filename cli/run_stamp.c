/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_stamp.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/** The first "model name : ..." of the system's list of processors. */
static void find_processor(char *name, size_t bytes) {
    char line[256];
    (void)snprintf(name, bytes, "unknown processor");
    FILE *const list = fopen("/proc/cpuinfo", "r");
    if (list == NULL) {
        return;
    }
    while (fgets(line, sizeof line, list) != NULL) {
        const char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            const char *const text = colon + 1 + strspn(colon + 1, " \t");
            (void)snprintf(name, bytes, "%.*s", (int)strcspn(text, "\n"), text);
            break;
        }
    }
    (void)fclose(list);
}

void cli_run_stamp(CliRunStamp *stamp) {
    struct utsname names;
    struct tm utc;
    const time_t now = time(NULL);
    find_processor(stamp->processor, sizeof stamp->processor);
    (void)snprintf(stamp->system, sizeof stamp->system, "unknown system");
    if (uname(&names) == 0) {
        (void)snprintf(stamp->system, sizeof stamp->system, "%.31s %.31s", names.sysname,
                       names.machine);
    }
    (void)snprintf(stamp->date, sizeof stamp->date, "unknown date");
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(stamp->date, sizeof stamp->date, "%Y-%m-%d", &utc);
    }
}
