/* SPDX-License-Identifier: Apache-2.0 */
/* INI text: entries are in order of their lines, unique, and the same on every parse. */
#include <stdlib.h>
#include <string.h>

#include "base/ini_file.h"
#include "tests/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    char *const text = malloc(bytes + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    LutraError error = {""};
    LutraError again_error = {""};
    LutraIni ini = {0};
    LutraIni again = {0};
    const LutraStatus status = lutra_ini_parse(&ini, text, "x", &error);
    FUZZ_CHECK(lutra_ini_parse(&again, text, "x", &again_error) == status);
    FUZZ_CHECK(strcmp(error.message, again_error.message) == 0);
    if (status == LUTRA_OK) {
        FUZZ_CHECK(ini.entry_count == again.entry_count);
        for (size_t i = 0; i < ini.entry_count; i++) {
            FUZZ_CHECK(ini.entries[i].key[0] != '\0');
            FUZZ_CHECK(i == 0 || ini.entries[i].line > ini.entries[i - 1].line);
            FUZZ_CHECK(strcmp(ini.entries[i].value, again.entries[i].value) == 0);
        }
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && error.message[0] != '\0' && ini.entries == NULL);
    }
    lutra_ini_deinit(&ini);
    lutra_ini_deinit(&again);
    free(text);
    return 0;
}
