/* SPDX-License-Identifier: Apache-2.0 */
#include "base/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

LutraStatus lutra_entropy(void *data, size_t bytes, LutraError *error) {
    LUTRA_ASSERT(bytes <= 256);
    const int descriptor = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    while (descriptor >= 0 && got < bytes) {
        const ssize_t more = read(descriptor, (char *)data + got, bytes - got);
        if (more <= 0 && errno != EINTR) {
            break;
        }
        got += more > 0 ? (size_t)more : 0;
    }
    const int read_errno = errno;
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    return got == bytes ? LUTRA_OK
                        : lutra_error_set(error, LUTRA_EIO, "no random bytes from the system: %s",
                                          strerror(read_errno));
}

void lutra_wipe(void *data, size_t bytes) {
    volatile unsigned char *const block = data;
    for (size_t i = 0; i < bytes; i++) {
        block[i] = 0;
    }
}
