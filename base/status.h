/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statuses and error sentences of the whole library.
 *
 * Three kinds of trouble are never mixed:
 *   a bug                     LUTRA_ASSERT: message with file and line, then abort;
 *   bad input or environment  a negative LutraStatus and one sentence in a LutraError;
 *   a scientific outcome      plain data in a result ("accuracy 31 %", "12 wrong look-ups").
 * On error every output is unchanged and every out-handle is NULL.
 */
#ifndef LUTRA_BASE_STATUS_H
#define LUTRA_BASE_STATUS_H

#include <stdarg.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LUTRA_MUST_CHECK __attribute__((warn_unused_result))
#define LUTRA_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define LUTRA_MUST_CHECK
#define LUTRA_PRINTF(format_index, first_argument)
#endif

/* The numbers are part of the interface: never renumber. */
typedef enum {
    LUTRA_OK = 0,
    LUTRA_EINVAL = -1,       /* a setting or argument is impossible (the caller's request) */
    LUTRA_EDATA = -2,        /* input data is malformed, truncated or does not fit */
    LUTRA_EIO = -3,          /* a file or device failed */
    LUTRA_ENOMEM = -4,       /* memory ran out */
    LUTRA_EUNAVAILABLE = -5, /* a library or feature is missing from this build or machine */
    LUTRA_ECANCELLED = -6,   /* a progress callback asked to stop */
    LUTRA_EINFEASIBLE = -7,  /* no crypto parameters exist for what was asked */
    LUTRA_EBUG = -8          /* an invariant of lutra itself does not hold */
} LutraStatus;

enum { LUTRA_ERROR_BYTES = 512 };

/** One sentence about a failure: lower case, no full stop, what failed first, subject in quotes. */
typedef struct {
    char message[LUTRA_ERROR_BYTES];
} LutraError;

/**
 * Writes the sentence (cut at LUTRA_ERROR_BYTES - 1 bytes) and returns `status`.
 *
 * @param[out] error   may be NULL: then only the status is returned
 * @param      status  returned unchanged
 */
LutraStatus lutra_error_set(LutraError *error, LutraStatus status, const char *format, ...)
    LUTRA_PRINTF(3, 4);

/** Puts "`prefix`: " before the sentence already in `error`; NULL is allowed. Returns `status`. */
LutraStatus lutra_error_prefix(LutraError *error, LutraStatus status, const char *prefix);

/** A fixed word for a status, such as "bad data"; never NULL. */
const char *lutra_status_name(LutraStatus status);

/** Forwards any failure of `expression` to the caller. Use only while nothing is owned. */
#define LUTRA_TRY(expression)                         \
    do {                                              \
        const LutraStatus try_status_ = (expression); \
        if (try_status_ != LUTRA_OK) {                \
            return try_status_;                       \
        }                                             \
    } while (0)

/** Jumps to `done` with `status` set. Use with one cleanup label per function. */
#define LUTRA_TRY_GOTO(status, expression) \
    do {                                   \
        (status) = (expression);           \
        if ((status) != LUTRA_OK) {        \
            goto done;                     \
        }                                  \
    } while (0)

/** Prints file, line and condition on stderr and aborts: only for bugs, never for bad input. */
_Noreturn void lutra_assert_failed(const char *condition, const char *file, int line);

#define LUTRA_ASSERT(condition) \
    ((condition) ? (void)0 : lutra_assert_failed(#condition, __FILE__, __LINE__))

#endif
