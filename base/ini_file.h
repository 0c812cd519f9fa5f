/* SPDX-License-Identifier: Apache-2.0 */
/* INI text as an ordered list of entries with line numbers (inih behind it). */
#ifndef LUTRA_BASE_INI_FILE_H
#define LUTRA_BASE_INI_FILE_H

#include <stddef.h>

#include "base/status.h"

/** One "key = value" line. Strings are owned by the LutraIni. */
typedef struct {
    const char *section; /* "" before the first section */
    const char *key;
    const char *value; /* without comment and surrounding blanks */
    int line;          /* from 1 */
} LutraIniEntry;

typedef struct {
    LutraIniEntry *entries;
    size_t entry_count;
    char *arena; /* holds all strings */
} LutraIni;

/**
 * Parses INI text of at most 1 MiB, lines of at most 198 bytes. Comments start with ';' or '#', at
 * the start of a line or after a blank. A line that is neither section, entry, comment nor blank,
 * a section that is opened twice and a key that a section sets twice are LUTRA_EDATA errors
 * "NAME:LINE: ...".
 *
 * @param name  what errors call the text, usually the file's path
 */
LUTRA_MUST_CHECK LutraStatus lutra_ini_parse(LutraIni *ini, const char *text, const char *name,
                                             LutraError *error);

/** Frees and zeroes. */
void lutra_ini_deinit(LutraIni *ini);

#endif
