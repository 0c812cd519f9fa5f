/* SPDX-License-Identifier: Apache-2.0 */
/* The program's progress lines, with a clock that the test turns. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.c"
#include "tests/support/check.h"

static double clock_seconds;
static int kept_stderr;

double lutra_seconds(void) {
    return clock_seconds;
}

/* What was said since the last call; stderr is a file here, so there is no bar. */
static const char *said(const char *path) {
    static char text[4096];
    static long from;
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, from, SEEK_SET), 0);
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    from += (long)bytes;
    (void)fclose(file);
    return text;
}

static void tick(CliProgress *p, const char *stage, double seconds, uint64_t done, int stop) {
    clock_seconds = seconds;
    assert_int_equal(lutra_progress_tick(&p->progress, stage, done, 1000, (double)NAN), stop);
}

static int redirect(void **state) {
    static char path[400];
    (void)snprintf(path, sizeof path, "%s", check_temporary("stderr.txt"));
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    kept_stderr = dup(STDERR_FILENO);
    *state = path;
    return file < 0 || kept_stderr < 0 || dup2(file, STDERR_FILENO) < 0 || close(file) != 0;
}

/* cmocka's own words go to stderr again. */
static int restore(void **state) {
    (void)remove(*state);
    return dup2(kept_stderr, STDERR_FILENO) < 0 || close(kept_stderr) != 0;
}

static void rates_count_what_was_done_since_the_start(void **state) {
    const char *const path = *state;
    CliCommon common = {.progress = -1};
    CliProgress p;
    clock_seconds = 100.0;
    cli_progress_start(&p, &common);
    assert_false(p.bar);
    tick(&p, "from 0", 100.0, 0, 0);
    tick(&p, "from 0", 119.0, 5, 0);
    assert_string_equal(said(path), ""); /* a line every 20 seconds */
    tick(&p, "from 0", 120.0, 100, 0);
    assert_string_equal(said(path), "from 0: 100 of 1000 (10 %), 5/s, ETA 3:00\n");
    /* a stage that was resumed: 800 steps were done by another process */
    tick(&p, "resumed", 200.0, 800, 0);
    tick(&p, "resumed", 220.0, 900, 0);
    assert_string_equal(said(path), "resumed: 900 of 1000 (90 %), 5/s, ETA 0:20\n");
    /* the same stage again begins anew */
    tick(&p, "resumed", 300.0, 100, 0);
    tick(&p, "resumed", 320.0, 100, 0);
    assert_string_equal(said(path), "resumed: 100 of 1000 (10 %), 0/s, ETA --:--\n");
    common.quiet = true;
    cli_progress_start(&p, &common);
    tick(&p, "quiet", 400.0, 1, 0);
    tick(&p, "quiet", 500.0, 2, 0);
    lutra_progress_note(&p.progress, "a note");
    assert_string_equal(said(path), "");
    (void)raise(SIGINT);
    tick(&p, "quiet", 501.0, 3, 1);
    assert_true(cli_interrupted());
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rates_count_what_was_done_since_the_start, redirect,
                                        restore),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
