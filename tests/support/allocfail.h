/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations that fail on demand. Include in exactly one file of a test program that is linked
 * with --wrap for malloc, calloc, realloc and aligned_alloc (all of tests/fault is).
 *
 * Only allocations of the project's own objects are caught, not those inside outside libraries.
 */
#ifndef LUTRA_TESTS_SUPPORT_ALLOCFAIL_H
#define LUTRA_TESTS_SUPPORT_ALLOCFAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/check.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

/* Allocations until one fails; UINT64_MAX = never. */
static uint64_t allocfail_countdown = UINT64_MAX;
/* Whether one failed since allocfail_after. */
static bool allocfail_happened;

/** The allocation after the next `count` ones fails, once. */
static inline void allocfail_after(uint64_t count) {
    allocfail_countdown = count;
    allocfail_happened = false;
}

/** No allocation fails from now on; returns whether one did. */
static inline bool allocfail_stop(void) {
    allocfail_countdown = UINT64_MAX;
    return allocfail_happened;
}

static bool allocfail_now(void) {
    if (allocfail_countdown == UINT64_MAX) {
        return false;
    }
    if (allocfail_countdown == 0) {
        allocfail_countdown = UINT64_MAX;
        allocfail_happened = true;
        return true;
    }
    allocfail_countdown--;
    return false;
}

void *__wrap_malloc(size_t bytes) {
    return allocfail_now() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
    return allocfail_now() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes) {
    return allocfail_now() ? NULL : __real_realloc(block, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
    return allocfail_now() ? NULL : __real_aligned_alloc(alignment, bytes);
}

enum { ALLOCFAIL_MOST = 100000 };

/** One attempt of an operation; cleans up after itself, also on success. */
typedef LutraStatus (*AllocfailAttempt)(LutraError *error);

/** Repeats the attempt with the first, second, third ... allocation failing until none is left. */
static inline void allocfail_each(AllocfailAttempt attempt) {
    uint64_t count = 0;
    for (;; count++) {
        LutraError error = {""};
        assert_true(count < ALLOCFAIL_MOST);
        allocfail_after(count);
        const LutraStatus status = attempt(&error);
        if (!allocfail_stop()) {
            check_status(status, LUTRA_OK, &error);
            break;
        }
        check_status(status, LUTRA_ENOMEM, &error);
        assert_true(error.message[0] != '\0');
    }
    assert_true(count > 0);
}

#endif
