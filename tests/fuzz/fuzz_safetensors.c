/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: any bytes are refused with a sentence, or give arrays that lie inside them. These
 * read twice to the same numbers, or are refused for their type or a number that is not finite. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/tensor_file.h"
#include "tests/support/fuzz.h"

static void check_tensor(const LutraTensorFile *file, const LutraTensor *tensor) {
    LutraError error = {""};
    if (tensor->type == LUTRA_TENSOR_OTHER) {
        FUZZ_CHECK(lutra_tensor_read(NULL, file, tensor, &error) == LUTRA_EDATA);
        return;
    }
    const size_t bytes = (size_t)tensor->count * sizeof(float);
    float *const one = malloc(bytes + 1);
    float *const two = malloc(bytes + 1);
    FUZZ_CHECK(one != NULL && two != NULL);
    const LutraStatus status = lutra_tensor_read(one, file, tensor, &error);
    FUZZ_CHECK(status == lutra_tensor_read(two, file, tensor, &error));
    FUZZ_CHECK(status == LUTRA_OK || status == LUTRA_EDATA);
    FUZZ_CHECK(status != LUTRA_OK || memcmp(one, two, bytes) == 0);
    free(one);
    free(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraBytes copy = {0};
    LutraTensorFile file = {0};
    LutraError error = {""};
    FUZZ_CHECK(lutra_alloc(&copy.data, bytes + 1, 1, &error) == LUTRA_OK);
    memcpy(copy.data, data, bytes);
    copy.bytes = bytes;
    const LutraStatus status = lutra_safetensors_parse(&file, &copy, "x", &error);
    if (status == LUTRA_OK) {
        for (size_t i = 0; i < file.count; i++) {
            check_tensor(&file, &file.tensors[i]);
            FUZZ_CHECK(lutra_tensor_find(&file, file.tensors[i].name) != NULL);
        }
        FUZZ_CHECK(copy.data == NULL);
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && error.message[0] != '\0' && copy.data != NULL);
    }
    lutra_tensor_file_deinit(&file);
    lutra_bytes_deinit(&copy);
    return 0;
}
