/* SPDX-License-Identifier: Apache-2.0 */
/* Text from outside (file names, class names, attributes) made safe for JSON and pictures. */
#ifndef LUTRA_BASE_UTF8_H
#define LUTRA_BASE_UTF8_H

#include <stddef.h>

#include "base/status.h"

/** Bytes of the UTF-8 sequence at `text` (1 to 4), 0 if there is none; reads no further than '\0'.
 */
size_t lutra_utf8_sequence(const char *text);

/**
 * Heap copy with every byte that is no UTF-8 replaced by '?'; free with lutra_free.
 *
 * @errors LUTRA_ENOMEM; *copy is NULL then
 */
LUTRA_MUST_CHECK LutraStatus lutra_utf8_copy(char **copy, const char *text, LutraError *error);

#endif
