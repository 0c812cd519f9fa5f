/* SPDX-License-Identifier: Apache-2.0 */
/* What the bridge's tests share: runs that need real FHE. */
#ifndef LUTRA_TESTS_BRIDGE_SUPPORT_H
#define LUTRA_TESTS_BRIDGE_SUPPORT_H

#include "tests/support/check.h"

/** The Rust library is not instrumented: the thread sanitizer would report its locks as races. */
static inline void needs_an_uninstrumented_build(void **state) {
    (void)state;
    print_message("skipped: real FHE under the thread sanitizer\n");
    skip();
}

/** Runs the array `tests`, or under the thread sanitizer one that is skipped. */
#if defined(__SANITIZE_THREAD__)
#define RUN_REAL_TESTS(name, tests, setup, teardown)                                           \
    ((void)(tests), (void)(setup), (void)(teardown),                                           \
     cmocka_run_group_tests_name(                                                              \
         name, ((const struct CMUnitTest[]){cmocka_unit_test(needs_an_uninstrumented_build)}), \
         NULL, NULL))
#else
#define RUN_REAL_TESTS(name, tests, setup, teardown) \
    cmocka_run_group_tests_name(name, tests, setup, teardown)
#endif

#endif
