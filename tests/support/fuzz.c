/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

static char folder[PATH_BYTES / 2];

static void remove_folder(void) {
    (void)rmdir(folder);
}

_Noreturn void fuzz_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: '%s' does not hold\n", file, line, condition);
    abort();
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t bytes) {
    static char path[PATH_BYTES];
    if (folder[0] == '\0') {
        const char *const root = getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%s/lutra-fuzz-XXXXXX", root == NULL ? "/tmp" : root);
        FUZZ_CHECK(mkdtemp(folder) != NULL);
        (void)atexit(remove_folder);
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *const stream = fopen(path, "wb");
    FUZZ_CHECK(stream != NULL);
    FUZZ_CHECK(fwrite(data, 1, bytes, stream) == bytes);
    FUZZ_CHECK(fclose(stream) == 0);
    return path;
}
