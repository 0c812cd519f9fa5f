/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* nftw; before every header */
#include "tests/support/check.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GUARD_BYTES = 64, GUARD_PATTERN = 0xA5 };

void check_close_at(double actual, double expected, double tolerance, const char *text,
                    const char *file, int line) {
    if (!(fabs(actual - expected) <= tolerance)) {
        print_error("%s is %.17g, expected %.17g within %g\n", text, actual, expected, tolerance);
        _fail(file, line);
    }
}

void check_status_at(LutraStatus status, LutraStatus expected, const LutraError *error,
                     const char *file, int line) {
    if (status != expected) {
        print_error("status is '%s', expected '%s': %s\n", lutra_status_name(status),
                    lutra_status_name(expected), error == NULL ? "" : error->message);
        _fail(file, line);
    }
}

void check_equal_i32_at(const int32_t *actual, const int32_t *expected, size_t count,
                        const char *file, int line) {
    for (size_t i = 0; i < count; i++) {
        if (actual[i] != expected[i]) {
            print_error("element %zu of %zu is %d, expected %d\n", i, count, (int)actual[i],
                        (int)expected[i]);
            _fail(file, line);
        }
    }
}

void check_buffer_init(CheckBuffer *buffer, size_t bytes, size_t offset) {
    buffer->bytes = bytes;
    buffer->block = malloc(bytes + offset + 2 * GUARD_BYTES);
    assert_non_null(buffer->block);
    memset(buffer->block, GUARD_PATTERN, bytes + offset + 2 * GUARD_BYTES);
    buffer->data = buffer->block + GUARD_BYTES + offset;
}

void check_buffer_done(CheckBuffer *buffer) {
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        if (buffer->data[-1 - (ptrdiff_t)i] != GUARD_PATTERN) {
            fail_msg("a byte %zu before the buffer was overwritten", i + 1);
        }
        if (buffer->data[buffer->bytes + i] != GUARD_PATTERN) {
            fail_msg("a byte %zu after the buffer was overwritten", i);
        }
    }
    free(buffer->block);
    memset(buffer, 0, sizeof *buffer);
}

LutraRandomKey check_key(uint32_t case_number) {
    const char *const text = getenv("LUTRA_TEST_SEED");
    return (LutraRandomKey){.seed = text == NULL ? 1 : strtoull(text, NULL, 10),
                            .stream = LUTRA_STREAM_TEST,
                            .index = case_number};
}

static char folder[128];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_folder(void) {
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *check_temporary(const char *name) {
    static char paths[8][256];
    static unsigned next;
    if (folder[0] == '\0') {
        const char *const root = getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%s/lutra-test-XXXXXX", root == NULL ? "/tmp" : root);
        assert_non_null(mkdtemp(folder));
        assert_int_equal(atexit(remove_folder), 0);
    }
    char *const path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    (void)unlink(path);
    return path;
}
