/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR pickles: arrays lie inside the input, lists have the length they claim. */
#include <stdlib.h>

#include "base/memory.h"
#include "datasets/pickle_priv.h"
#include "tests/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    LutraPickle *pickle = NULL;
    const LutraStatus status = lutra_pickle_parse(&pickle, data, bytes, "x", &error);
    if (status != LUTRA_OK) {
        FUZZ_CHECK(status == LUTRA_EDATA && pickle == NULL && error.message[0] != '\0');
        return 0;
    }
    const uint8_t *elements = NULL;
    uint64_t rows = 0;
    uint64_t columns = 0;
    if (lutra_pickle_array(&elements, &rows, &columns, pickle, "data", &error) == LUTRA_OK) {
        FUZZ_CHECK(columns > 0 && rows <= bytes / columns);
        FUZZ_CHECK(elements >= data && elements + rows * columns <= data + bytes);
    }
    size_t count = 0;
    if (lutra_pickle_list_count(&count, pickle, "labels", &error) == LUTRA_OK) {
        int64_t *const values = malloc((count + 1) * sizeof *values);
        FUZZ_CHECK(values != NULL);
        const LutraStatus read = lutra_pickle_integers(values, count, pickle, "labels", &error);
        FUZZ_CHECK(read == LUTRA_OK || read == LUTRA_EDATA);
        FUZZ_CHECK(lutra_pickle_integers(values, count + 1, pickle, "labels", &error) != LUTRA_OK);
        free(values);
    }
    if (lutra_pickle_list_count(&count, pickle, "filenames", &error) == LUTRA_OK) {
        char **const texts = calloc(count + 1, sizeof *texts);
        FUZZ_CHECK(texts != NULL);
        const LutraStatus read = lutra_pickle_texts(texts, count, pickle, "filenames", &error);
        FUZZ_CHECK(read == LUTRA_OK || texts[0] == NULL);
        for (size_t i = 0; i < count; i++) {
            lutra_free(&texts[i]);
        }
        free(texts);
    }
    lutra_pickle_destroy(&pickle);
    return 0;
}
