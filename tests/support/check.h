/* SPDX-License-Identifier: Apache-2.0 */
/* What all tests share: comparisons that NaN cannot pass, canaries, seeds. Includes cmocka. A test
 * that fails after it drew random numbers prints one line to paste: its seed, program and name. */
#ifndef LUTRA_TESTS_SUPPORT_CHECK_H
#define LUTRA_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/status.h"

/** Fails unless |actual - expected| <= tolerance; NaN fails. */
#define check_close(actual, expected, tolerance) \
    check_close_at((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)
void check_close_at(double actual, double expected, double tolerance, const char *text,
                    const char *file, int line);

/** Fails unless the status is `expected`; prints the sentence in error if not. */
#define check_status(status, expected, error) \
    check_status_at((status), (expected), (error), __FILE__, __LINE__)
void check_status_at(LutraStatus status, LutraStatus expected, const LutraError *error,
                     const char *file, int line);

/** Fails unless the two arrays agree; prints the first difference. */
#define check_equal_i32(actual, expected, count) \
    check_equal_i32_at((actual), (expected), (count), __FILE__, __LINE__)
void check_equal_i32_at(const int32_t *actual, const int32_t *expected, size_t count,
                        const char *file, int line);

/** A block with 64 guarded bytes on both sides; `offset` bytes of deliberate misalignment. */
typedef struct {
    uint8_t *block;
    uint8_t *data;
    size_t bytes;
} CheckBuffer;
void check_buffer_init(CheckBuffer *buffer, size_t bytes, size_t offset);
/** Fails if a guard was overwritten, then frees. */
void check_buffer_done(CheckBuffer *buffer);

/** Key of one test case; the seed is LUTRA_TEST_SEED or 1. A failing test names its last case. */
LutraRandomKey check_key(uint32_t case_number);

/** Runs the tests of one program, as cmocka does, and says how to repeat those that fail. */
int check_run_group(const char *name, const struct CMUnitTest *tests, size_t count,
                    CMFixtureFunction setup, CMFixtureFunction teardown);
#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    check_run_group((name), (tests), sizeof(tests) / sizeof((tests)[0]), (setup), (teardown))

/**
 * How many of `draws` random cases a test runs: all, or under a sanitizer, where each takes 5 to 30
 * times as long and memory and threads are asked about, not chance, an eighth.
 */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHECK_DRAWS(draws) ((draws) / 8)
#else
#define CHECK_DRAWS(draws) (draws)
#endif

/** Path of a fresh file in a folder of this test process; the last eight paths stay valid. */
const char *check_temporary(const char *name);

#endif
