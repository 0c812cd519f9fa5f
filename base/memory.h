/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: zeroed, 64-byte aligned blocks whose size arithmetic cannot overflow. */
#ifndef LUTRA_BASE_MEMORY_H
#define LUTRA_BASE_MEMORY_H

#include <stddef.h>

#include "base/status.h"

enum { LUTRA_ALIGNMENT_BYTES = 64 };

/** a * b into *product; LUTRA_ENOMEM if it does not fit in size_t (*product unchanged). */
LUTRA_MUST_CHECK LutraStatus lutra_size_mul(size_t *product, size_t a, size_t b);

/**
 * Allocates `count * element_bytes` zeroed bytes, 64-byte aligned, at least one byte.
 *
 * @param[out] pointer  address of any object pointer; owned by the caller, free with lutra_free
 * @errors LUTRA_ENOMEM; *pointer is NULL then
 */
LUTRA_MUST_CHECK LutraStatus lutra_alloc(void *pointer, size_t count, size_t element_bytes,
                                         LutraError *error);

/**
 * Moves a block of lutra_alloc, or NULL, into one of `count` elements: the first `kept` are copied,
 * the others zero.
 *
 * @errors LUTRA_ENOMEM; the block is as it was
 */
LUTRA_MUST_CHECK LutraStatus lutra_resize(void *pointer, size_t kept, size_t count,
                                          size_t element_bytes, LutraError *error);

/** Frees what lutra_alloc gave and sets the pointer to NULL; takes the pointer's address. */
void lutra_free(void *pointer);

/** Heap copy of a string; LUTRA_ENOMEM sets *copy to NULL. Free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_string_copy(char **copy, const char *text, LutraError *error);

#endif
