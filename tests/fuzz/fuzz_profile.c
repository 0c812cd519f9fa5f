/* SPDX-License-Identifier: Apache-2.0 */
/* Machine profiles: any bytes are refused with a sentence, or give a profile that passes its check
 * and that reads back from its own text. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sim/machine_profile.h"
#include "tests/support/fuzz.h"

static void check_profile(const LutraMachineProfile *profile) {
    LutraMachineProfile again;
    LutraError error = {""};
    char *text = NULL;
    char *second = NULL;
    FUZZ_CHECK(lutra_machine_profile_check(profile, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_machine_profile_text(&text, profile, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_machine_profile_parse(&again, text, "again", &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_machine_profile_text(&second, &again, &error) == LUTRA_OK);
    FUZZ_CHECK(strcmp(text, second) == 0);
    lutra_free(&text);
    lutra_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    char *const text = malloc(bytes + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    LutraMachineProfile profile;
    LutraError error = {""};
    const LutraStatus status = lutra_machine_profile_parse(&profile, text, "x", &error);
    if (status == LUTRA_OK) {
        check_profile(&profile);
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && error.message[0] != '\0');
    }
    free(text);
    return 0;
}
