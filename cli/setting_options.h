/* SPDX-License-Identifier: Apache-2.0 */
/* Options that several commands have: rounding modes, offset rules, partitions, security levels,
 * lists of values, the file a command starts from, the folder it writes to. */
#ifndef LUTRA_CLI_SETTING_OPTIONS_H
#define LUTRA_CLI_SETTING_OPTIONS_H

#include "cli/cli.h"
#include "quant/lower.h"
#include "sim/circuit_lookups.h"

enum { CLI_WORD_BYTES = 32 };

/** By LutraRoundingMode, and by LutraOffsetRule; NULL at the end. */
extern const char *const cli_rounding_modes[];
extern const char *const cli_offset_rules[];
/** By LutraPartition; NULL at the end. */

LutraRoundingMode cli_parse_rounding_mode(struct argp_state *state, const char *text);
LutraOffsetRule cli_parse_offsets(struct argp_state *state, const char *text);
/** The argument of --partition. */
LutraPartition cli_parse_partition(struct argp_state *state, const char *text);
/** The argument of --security: 128 or 132. */
uint32_t cli_parse_security(struct argp_state *state, const char *text);

/**
 * Takes the next word off a list with commas.
 *
 * @param[in,out] rest   what is left of it; at first the whole `text`
 * @param         count  words that were taken before; `most` + 1 words, an empty or a long one are
 *                       usage errors
 * @return false at the end
 */
bool cli_next_word(char word[CLI_WORD_BYTES], const char **rest, struct argp_state *state,
                   const char *option, const char *text, uint32_t count, uint32_t most);

/** Keeps the only file that a command starts from; a second one is a usage error. */
void cli_take_source(struct argp_state *state, const char **source, const char *argument);

/** Refuses --resume together with --force. */
void cli_check_resume(struct argp_state *state, bool resume, bool force);

/**
 * Whether results may go into a folder: before long work, and before anything is made.
 *
 * @param paths   (count) of the files; the first is the table that --resume goes on with
 * @param resume  or force: files may be there
 * @errors LUTRA_EINVAL and those of lutra_file_check_output
 */
LUTRA_MUST_CHECK LutraStatus cli_check_result_folder(const char *folder, char *const *paths,
                                                     size_t count, bool resume, bool force,
                                                     LutraError *error);

#endif
