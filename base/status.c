/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

LutraStatus lutra_error_set(LutraError *error, LutraStatus status, const char *format, ...) {
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

LutraStatus lutra_error_prefix(LutraError *error, LutraStatus status, const char *prefix) {
    if (error != NULL) {
        char old[LUTRA_ERROR_BYTES];
        memcpy(old, error->message, sizeof old);
        const int length = snprintf(error->message, sizeof error->message, "%s: ", prefix);
        const size_t used = length < 0 ? 0 : (size_t)length;
        if (used < sizeof error->message) {
            (void)snprintf(error->message + used, sizeof error->message - used, "%s", old);
        }
    }
    return status;
}

const char *lutra_status_name(LutraStatus status) {
    switch (status) {
        case LUTRA_OK: return "ok";
        case LUTRA_EINVAL: return "invalid request";
        case LUTRA_EDATA: return "bad data";
        case LUTRA_EIO: return "file error";
        case LUTRA_ENOMEM: return "out of memory";
        case LUTRA_EUNAVAILABLE: return "not available";
        case LUTRA_ECANCELLED: return "cancelled";
        case LUTRA_EINFEASIBLE: return "no parameters";
        case LUTRA_EBUG: return "bug";
    }
    return "unknown status";
}

_Noreturn void lutra_assert_failed(const char *condition, const char *file, int line) {
    /* write() and not stdio: the process is in an unknown state and the library never prints
     * anywhere else. */
    char text[LUTRA_ERROR_BYTES];
    const int length = snprintf(text, sizeof text, "lutra: bug: %s:%d: assertion '%s' failed\n",
                                file, line, condition);
    if (length > 0) {
        const size_t bytes = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
        const ssize_t written = write(STDERR_FILENO, text, bytes);
        (void)written;
    }
    abort();
}
