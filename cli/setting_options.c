/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/setting_options.h"

#include <string.h>

#include "base/file.h"

const char *const cli_rounding_modes[] = {[LUTRA_ROUNDING_EXACT] = "exact",
                                          [LUTRA_ROUNDING_APPROXIMATE] = "approximate", NULL};
const char *const cli_offset_rules[] = {[LUTRA_OFFSETS_NONE] = "none",
                                        [LUTRA_OFFSETS_ALIGN] = "align",
                                        [LUTRA_OFFSETS_CENTRE] = "centre", NULL};

LutraRoundingMode cli_parse_rounding_mode(struct argp_state *state, const char *text) {
    return (LutraRoundingMode)cli_parse_word(state, "--rounding-mode", text, cli_rounding_modes);
}

LutraOffsetRule cli_parse_offsets(struct argp_state *state, const char *text) {
    return (LutraOffsetRule)cli_parse_word(state, "--offsets", text, cli_offset_rules);
}

LutraPartition cli_parse_partition(struct argp_state *state, const char *text) {
    return (LutraPartition)cli_parse_word(state, "--partition", text, lutra_partition_names);
}

uint32_t cli_parse_security(struct argp_state *state, const char *text) {
    static const char *const levels[] = {"128", "132", NULL};
    return cli_parse_word(state, "--security", text, levels) == 0 ? 128 : 132;
}

bool cli_next_word(char word[CLI_WORD_BYTES], const char **rest, struct argp_state *state,
                   const char *option, const char *text, uint32_t count, uint32_t most) {
    if (*rest == NULL) {
        return false;
    }
    const size_t length = strcspn(*rest, ",");
    if (length == 0 || length >= CLI_WORD_BYTES || count == most) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '%s'; should be a list of at most %u values separated "
                     "by commas",
                     text, option, most);
    }
    memcpy(word, *rest, length);
    word[length] = '\0';
    *rest = (*rest)[length] == ',' ? *rest + length + 1 : NULL;
    return true;
}

void cli_take_source(struct argp_state *state, const char **source, const char *argument) {
    if (*source != NULL) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "one circuit or model, but found '%s'", argument);
    }
    *source = argument;
}

void cli_check_resume(struct argp_state *state, bool resume, bool force) {
    if (resume && force) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "'--resume' keeps runs and '--force' replaces them; give one of them");
    }
}

LutraStatus cli_check_result_folder(const char *folder, char *const *paths, size_t count,
                                    bool resume, bool force, LutraError *error) {
    const bool replace = force || resume;
    if (!lutra_file_exists(folder)) {
        return LUTRA_OK;
    }
    if (!replace && lutra_file_exists(paths[0])) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' exists; give --resume to go on with it or --force to replace "
                               "it",
                               paths[0]);
    }
    for (size_t i = 0; i < count; i++) {
        LUTRA_TRY(lutra_file_check_output(paths[i], replace, error));
    }
    return LUTRA_OK;
}
