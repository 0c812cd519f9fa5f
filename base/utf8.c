/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

size_t lutra_utf8_sequence(const char *text) {
    const uint8_t first = (uint8_t)text[0];
    size_t length = 1;
    uint32_t code = first;
    if (first >= 0xF8 || (first >= 0x80 && first < 0xC0)) {
        return 0;
    }
    if (first >= 0xF0) {
        length = 4;
        code = first & 7u;
    } else if (first >= 0xE0) {
        length = 3;
        code = first & 15u;
    } else if (first >= 0xC0) {
        length = 2;
        code = first & 31u;
    }
    for (size_t i = 1; i < length; i++) {
        const uint8_t next = (uint8_t)text[i];
        if ((next & 0xC0u) != 0x80u) {
            return 0;
        }
        code = code << 6 | (next & 63u);
    }
    /* Over-long forms, surrogates and codes beyond Unicode are no UTF-8. */
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    return code < lowest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

LutraStatus lutra_utf8_copy(char **copy, const char *text, LutraError *error) {
    LUTRA_TRY(lutra_string_copy(copy, text, error));
    for (char *next = *copy; *next != '\0';) {
        const size_t length = lutra_utf8_sequence(next);
        if (length == 0) {
            *next = '?';
        }
        next += length == 0 ? 1 : length;
    }
    return LUTRA_OK;
}
