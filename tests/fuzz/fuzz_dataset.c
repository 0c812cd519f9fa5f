/* SPDX-License-Identifier: Apache-2.0 */
/* Dataset files (HDF5): what is read is sound, can be written, and is read back equal. */
#include <stdio.h>
#include <string.h>

#include "datasets/dataset.h"
#include "tests/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    LutraDataset dataset = {0};
    const char *const path = fuzz_file("set.h5", data, bytes);
    const LutraStatus status = lutra_dataset_read(&dataset, path, 3, 0, &error);
    if (status != LUTRA_OK) {
        FUZZ_CHECK((status == LUTRA_EDATA || status == LUTRA_ENOMEM) && dataset.name == NULL);
        FUZZ_CHECK(error.message[0] != '\0');
    } else {
        LutraDataset again = {0};
        FUZZ_CHECK(lutra_dataset_check_labels(&dataset, path, &error) == LUTRA_OK);
        FUZZ_CHECK(lutra_dataset_write(&dataset, path, true, &error) == LUTRA_OK);
        FUZZ_CHECK(lutra_dataset_read(&again, path, 3, 0, &error) == LUTRA_OK);
        const size_t image = (size_t)dataset.channels * dataset.height * dataset.width;
        for (int s = 0; s < 2; s++) {
            FUZZ_CHECK(again.splits[s].count == dataset.splits[s].count);
            FUZZ_CHECK(again.splits[s].count == 0 ||
                       memcmp(again.splits[s].images, dataset.splits[s].images,
                              dataset.splits[s].count * image) == 0);
        }
        lutra_dataset_deinit(&again);
    }
    lutra_dataset_deinit(&dataset);
    (void)remove(path);
    return 0;
}
