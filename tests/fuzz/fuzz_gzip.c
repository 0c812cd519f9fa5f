/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, gzip or not: never more than the limit, same bytes on every read. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/support/fuzz.h"

enum { LIMIT = 5000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    LutraBytes first = {0};
    LutraBytes second = {0};
    const char *const path = fuzz_file("some.gz", data, bytes);
    const LutraStatus status = lutra_file_read(&first, path, LIMIT, &error);
    FUZZ_CHECK(lutra_file_read(&second, path, LIMIT, &error) == status);
    if (status == LUTRA_OK) {
        FUZZ_CHECK(first.bytes <= LIMIT && first.data[first.bytes] == 0);
        FUZZ_CHECK(first.bytes == second.bytes);
        FUZZ_CHECK(memcmp(first.data, second.data, first.bytes) == 0);
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && first.data == NULL);
    }
    lutra_bytes_deinit(&first);
    lutra_bytes_deinit(&second);
    (void)remove(path);
    return 0;
}
