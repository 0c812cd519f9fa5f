/* SPDX-License-Identifier: Apache-2.0 */
/* PNG images: what is read can be written and read back equal. */
#include <stdio.h>
#include <string.h>

#include "base/png_image.h"
#include "tests/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    LutraImage image = {0};
    const char *const path = fuzz_file("image.png", data, bytes);
    const LutraStatus status = lutra_png_read(&image, path, 3, &error);
    if (status != LUTRA_OK) {
        FUZZ_CHECK(status == LUTRA_EDATA && image.pixels == NULL);
    } else if ((uint64_t)image.width * image.height < 1 << 16) {
        LutraImage again = {0};
        FUZZ_CHECK(lutra_png_write(&image, path, true, &error) == LUTRA_OK);
        FUZZ_CHECK(lutra_png_read(&again, path, 3, &error) == LUTRA_OK);
        FUZZ_CHECK(again.width == image.width && again.height == image.height);
        FUZZ_CHECK(memcmp(again.pixels, image.pixels, (size_t)image.width * image.height * 3) == 0);
        lutra_image_deinit(&again);
    }
    lutra_image_deinit(&image);
    (void)remove(path);
    return 0;
}
