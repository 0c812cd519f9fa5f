/* SPDX-License-Identifier: Apache-2.0 */
/* Figures as CSV: what was read is written and read again as the same text. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "experiments/figures.h"
#include "tests/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    char *const text = malloc(bytes + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    LutraError error = {""};
    LutraFigures figures = {0};
    LutraFigures again = {0};
    const LutraStatus status = lutra_figures_parse(&figures, text, "x", &error);
    if (status == LUTRA_OK) {
        char *once = NULL;
        char *twice = NULL;
        FUZZ_CHECK(lutra_figures_text(&once, &figures, &error) == LUTRA_OK);
        FUZZ_CHECK(lutra_figures_parse(&again, once, "x", &error) == LUTRA_OK);
        FUZZ_CHECK(lutra_figures_text(&twice, &again, &error) == LUTRA_OK);
        FUZZ_CHECK(strcmp(once, twice) == 0);
        FUZZ_CHECK(figures.count == again.count && figures.fact_count == again.fact_count);
        lutra_free(&once);
        lutra_free(&twice);
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && strncmp(error.message, "x:", 2) == 0);
        FUZZ_CHECK(figures.figures == NULL && figures.facts == NULL);
    }
    lutra_figures_deinit(&figures);
    lutra_figures_deinit(&again);
    free(text);
    return 0;
}
