/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

LutraStatus lutra_size_mul(size_t *product, size_t a, size_t b) {
    if (b != 0 && a > SIZE_MAX / b) {
        return LUTRA_ENOMEM;
    }
    *product = a * b;
    return LUTRA_OK;
}

LutraStatus lutra_alloc(void *pointer, size_t count, size_t element_bytes, LutraError *error) {
    /* `pointer` is the address of some object pointer; memcpy is the one portable way to set it
     * without knowing its type. */
    void *block = NULL;
    memcpy(pointer, &block, sizeof block);
    size_t bytes = 0;
    if (lutra_size_mul(&bytes, count, element_bytes) != LUTRA_OK ||
        bytes > SIZE_MAX - LUTRA_ALIGNMENT_BYTES) {
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory: %zu x %zu bytes", count,
                               element_bytes);
    }
    /* aligned_alloc wants a multiple of the alignment. */
    const size_t rounded = (bytes / LUTRA_ALIGNMENT_BYTES + 1) * LUTRA_ALIGNMENT_BYTES;
    block = aligned_alloc(LUTRA_ALIGNMENT_BYTES, rounded);
    if (block == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory: %zu bytes", bytes);
    }
    memset(block, 0, rounded);
    memcpy(pointer, &block, sizeof block);
    return LUTRA_OK;
}

LutraStatus lutra_resize(void *pointer, size_t kept, size_t count, size_t element_bytes,
                         LutraError *error) {
    LUTRA_ASSERT(kept <= count);
    void *block = NULL;
    void *old = NULL;
    LUTRA_TRY(lutra_alloc(&block, count, element_bytes, error));
    memcpy(&old, pointer, sizeof old);
    if (kept > 0) {
        memcpy(block, old, kept * element_bytes);
    }
    free(old);
    memcpy(pointer, &block, sizeof block);
    return LUTRA_OK;
}

void lutra_free(void *pointer) {
    if (pointer == NULL) {
        return;
    }
    void *block = NULL;
    memcpy(&block, pointer, sizeof block);
    free(block);
    block = NULL;
    memcpy(pointer, &block, sizeof block);
}

LutraStatus lutra_string_copy(char **copy, const char *text, LutraError *error) {
    const size_t bytes = strlen(text) + 1;
    char *block = NULL;
    LUTRA_TRY(lutra_alloc(&block, bytes, 1, error));
    memcpy(block, text, bytes);
    *copy = block;
    return LUTRA_OK;
}
