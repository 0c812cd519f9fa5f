/* SPDX-License-Identifier: Apache-2.0 */
/* IDX folders: the input is the training images; the other three files fit two images of 2 x 2. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/idx.h"
#include "tests/support/fuzz.h"

static const uint8_t test_images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 8, 7, 6};
static const uint8_t train_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
static const uint8_t test_labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    char paths[4][512];
    (void)snprintf(paths[0], sizeof paths[0], "%s",
                   fuzz_file("train-images-idx3-ubyte", data, bytes));
    (void)snprintf(paths[1], sizeof paths[1], "%s",
                   fuzz_file("train-labels-idx1-ubyte", train_labels, sizeof train_labels));
    (void)snprintf(paths[2], sizeof paths[2], "%s",
                   fuzz_file("t10k-images-idx3-ubyte", test_images, sizeof test_images));
    (void)snprintf(paths[3], sizeof paths[3], "%s",
                   fuzz_file("t10k-labels-idx1-ubyte", test_labels, sizeof test_labels));
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s", paths[0]);
    *strrchr(folder, '/') = '\0';
    LutraError error = {""};
    LutraDataset dataset = {0};
    const LutraStatus status = lutra_idx_read(&dataset, folder, NULL, &error);
    if (status == LUTRA_OK) {
        FUZZ_CHECK(dataset.splits[0].count == 2 && dataset.height == 2 && dataset.width == 2);
        FUZZ_CHECK(lutra_dataset_check_labels(&dataset, "x", &error) == LUTRA_OK);
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && dataset.name == NULL);
        FUZZ_CHECK(strstr(error.message, folder) != NULL);
    }
    lutra_dataset_deinit(&dataset);
    for (size_t i = 0; i < 4; i++) {
        (void)unlink(paths[i]);
    }
    return 0;
}
