/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* nftw; before every header */
#include "tests/support/check.h"

#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
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

/* The test that runs, and the last key it asked for. */
static const struct CMUnitTest *running;
static bool finished;
static bool random_used;
static uint64_t random_seed;
static uint32_t random_case;

static uint64_t seed_of_environment(void) {
    const char *const text = getenv("LUTRA_TEST_SEED");
    char *end = NULL;
    const uint64_t seed = text == NULL ? 1 : strtoull(text, &end, 10);
    if (text != NULL && (end == text || *end != '\0')) {
        fprintf(stderr, "LUTRA_TEST_SEED '%s' is not a number\n", text);
        exit(2);
    }
    return seed;
}

/* Path by which the program was called. */
static const char *program_name(void) {
    static char name[512];
    FILE *const stream = fopen("/proc/self/cmdline", "rb");
    if (stream != NULL) {
        name[fread(name, 1, sizeof name - 1, stream)] = '\0';
        (void)fclose(stream);
    }
    return name;
}

static void print_replay(void) {
    if (running != NULL && random_used && !finished) {
        print_error("replay: LUTRA_TEST_SEED=%llu %s %s # last random case %u\n",
                    (unsigned long long)random_seed, program_name(), running->name,
                    (unsigned)random_case);
    }
}

/* The state of a test is its description until its setup ran. */
static int begin_test(void **state) {
    running = *state;
    finished = false;
    random_used = false;
    *state = running->initial_state;
    return running->setup_func == NULL ? 0 : running->setup_func(state);
}

static void do_test(void **state) {
    running->test_func(state);
    finished = true;
}

/* Runs after a failure, too; a skipped test has drawn nothing. */
static int end_test(void **state) {
    print_replay();
    const CMFixtureFunction teardown = running->teardown_func;
    running = NULL;
    return teardown == NULL ? 0 : teardown(state);
}

/* An assertion of the library ends the process without a teardown. */
static void aborted(int signal_number) {
    print_replay();
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

int check_run_group(const char *name, const struct CMUnitTest *tests, size_t count,
                    CMFixtureFunction setup, CMFixtureFunction teardown) {
    enum { MOST_TESTS = 256 };
    static struct CMUnitTest wrapped[MOST_TESTS];
    if (count == 0 || count > MOST_TESTS) {
        fprintf(stderr, "%s: %zu tests, but 1 to %d can run\n", name, count, (int)MOST_TESTS);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        wrapped[i] = (struct CMUnitTest){tests[i].name, do_test, begin_test, end_test,
                                         (void *)(uintptr_t)&tests[i]};
    }
    (void)signal(SIGABRT, aborted);
    return _cmocka_run_group_tests(name, wrapped, count, setup, teardown);
}

LutraRandomKey check_key(uint32_t case_number) {
    random_used = true;
    random_seed = seed_of_environment();
    random_case = case_number;
    return (LutraRandomKey){.seed = random_seed,
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
