/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INI text. inih calls its reader once per line and its handler without line numbers, so the reader
 * counts. The reader also refuses what inih would cut or join silently: long lines, long section
 * names and indented lines (continuations for inih, plain lines here).
 */
#include "base/ini_file.h"

#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MAX_TEXT_BYTES = 1 << 20, MAX_SECTION_BYTES = 48 };

/* A section header, to find one that is opened twice. */
typedef struct {
    const char *name;
    int line;
} Section;

typedef struct {
    const char *next; /* rest of the text */
    const char *name;
    int line; /* of the line that was handed out last */
    LutraIniEntry *entries;
    size_t entry_count;
    Section *sections;
    size_t section_count;
    char *arena;
    size_t arena_used;
    size_t arena_bytes;
    LutraStatus status;
    LutraError *error;
} Parser;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Remembers the first failure only. */
static void fail(Parser *parser, int line, const char *what) {
    if (parser->status == LUTRA_OK) {
        parser->status =
            lutra_error_set(parser->error, LUTRA_EDATA, "%s:%d: %s", parser->name, line, what);
    }
}

static const char *keep(Parser *parser, const char *text, size_t length) {
    LUTRA_ASSERT(parser->arena_bytes - parser->arena_used > length);
    char *const copy = parser->arena + parser->arena_used;
    memcpy(copy, text, length);
    copy[length] = '\0';
    parser->arena_used += length + 1;
    return copy;
}

/* Length of a line without a comment that starts with '#' after a blank (inih itself knows ';'). */
static size_t without_hash_comment(const char *start, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (start[i] == '#' && (i == 0 || is_blank(start[i - 1]))) {
            return i;
        }
    }
    return length;
}

static void open_section(Parser *parser, const char *start, size_t length) {
    const char *const end = memchr(start, ']', length);
    if (end == NULL) {
        fail(parser, parser->line, "a section name without ']'");
        return;
    }
    const size_t name_bytes = (size_t)(end - start) - 1;
    for (const char *rest = end + 1; rest < start + length && *rest != ';'; rest++) {
        if (!is_blank(*rest)) {
            fail(parser, parser->line, "text after ']'");
            return;
        }
    }
    if (name_bytes == 0 || name_bytes > MAX_SECTION_BYTES) {
        fail(parser, parser->line, "a section name must have 1 to 48 bytes");
        return;
    }
    parser->sections[parser->section_count++] =
        (Section){.name = keep(parser, start + 1, name_bytes), .line = parser->line};
}

/* inih's reader: hands out one line without its indentation. */
static char *next_line(char *buffer, int capacity, void *user) {
    Parser *const parser = user;
    if (*parser->next == '\0' || parser->status != LUTRA_OK) {
        return NULL;
    }
    parser->line++;
    const char *start = parser->next;
    const char *const newline = strchr(start, '\n');
    const char *end = newline == NULL ? start + strlen(start) : newline;
    parser->next = newline == NULL ? end : newline + 1;
    if (parser->line == 1 && strncmp(start, "\xef\xbb\xbf", 3) == 0) {
        start += 3;
    }
    while (start < end && is_blank(*start)) {
        start++;
    }
    while (end > start && is_blank(end[-1])) {
        end--;
    }
    const size_t length = *start == ';' ? 0 : without_hash_comment(start, (size_t)(end - start));
    if (length + 1 > (size_t)capacity - 1) {
        fail(parser, parser->line, "the line is too long");
        return NULL;
    }
    if (length > 0 && *start == '[') {
        open_section(parser, start, length);
    }
    memcpy(buffer, start, length);
    buffer[length] = '\n';
    buffer[length + 1] = '\0';
    return buffer;
}

/* inih's handler: one entry of the line that next_line handed out last. */
static int keep_entry(void *user, const char *section, const char *key, const char *value) {
    Parser *const parser = user;
    (void)section; /* inih may cut it; the parser's own list has it whole */
    if (parser->status != LUTRA_OK) {
        return 1;
    }
    if (key[0] == '\0') {
        fail(parser, parser->line, "a value without a key");
        return 1;
    }
    LutraIniEntry *const entry = &parser->entries[parser->entry_count++];
    entry->section =
        parser->section_count == 0 ? "" : parser->sections[parser->section_count - 1].name;
    entry->key = keep(parser, key, strlen(key));
    entry->value = keep(parser, value, strlen(value));
    entry->line = parser->line;
    return 1;
}

static int compare_sections(const void *left, const void *right) {
    const Section *const a = left;
    const Section *const b = right;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static int compare_entries(const void *left, const void *right) {
    const LutraIniEntry *const a = left;
    const LutraIniEntry *const b = right;
    const int order = strcmp(a->section, b->section);
    const int key_order = order != 0 ? order : strcmp(a->key, b->key);
    return key_order != 0 ? key_order : (a->line > b->line) - (a->line < b->line);
}

/* A section or key that is given twice is a mistake: which one would count? */
static LutraStatus check_unique(Parser *parser) {
    qsort(parser->sections, parser->section_count, sizeof *parser->sections, compare_sections);
    for (size_t i = 1; i < parser->section_count; i++) {
        const Section *const one = &parser->sections[i - 1];
        const Section *const two = &parser->sections[i];
        if (strcmp(one->name, two->name) == 0) {
            return lutra_error_set(parser->error, LUTRA_EDATA,
                                   "%s:%d: section '%s' is already open since line %d",
                                   parser->name, two->line, two->name, one->line);
        }
    }
    LutraIniEntry *sorted = NULL;
    LUTRA_TRY(lutra_alloc(&sorted, parser->entry_count, sizeof *sorted, parser->error));
    memcpy(sorted, parser->entries, parser->entry_count * sizeof *sorted);
    qsort(sorted, parser->entry_count, sizeof *sorted, compare_entries);
    LutraStatus status = LUTRA_OK;
    for (size_t i = 1; i < parser->entry_count && status == LUTRA_OK; i++) {
        const LutraIniEntry *const one = &sorted[i - 1];
        const LutraIniEntry *const two = &sorted[i];
        if (strcmp(one->section, two->section) == 0 && strcmp(one->key, two->key) == 0) {
            status =
                lutra_error_set(parser->error, LUTRA_EDATA, "%s:%d: '%s' is already set in line %d",
                                parser->name, two->line, two->key, one->line);
        }
    }
    lutra_free(&sorted);
    return status;
}

LutraStatus lutra_ini_parse(LutraIni *ini, const char *text, const char *name, LutraError *error) {
    const size_t length = strlen(text);
    if (length > MAX_TEXT_BYTES) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is longer than 1 MiB", name);
    }
    size_t lines = 1;
    for (size_t i = 0; i < length; i++) {
        lines += text[i] == '\n';
    }
    Parser parser = {.next = text, .name = name, .status = LUTRA_OK, .error = error};
    /* A line of k bytes gives at most k bytes of key and value and two closing zeros. */
    parser.arena_bytes = length + 2 * lines + 2;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&parser.arena, parser.arena_bytes, 1, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&parser.entries, lines, sizeof *parser.entries, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&parser.sections, lines, sizeof *parser.sections, error));
    const int bad_line = ini_parse_stream(next_line, &parser, keep_entry, &parser);
    LUTRA_TRY_GOTO(status, parser.status);
    if (bad_line < 0) {
        status = lutra_error_set(error, LUTRA_ENOMEM, "cannot parse '%s': out of memory", name);
        goto done;
    }
    if (bad_line > 0) {
        status =
            lutra_error_set(error, LUTRA_EDATA,
                            "%s:%d: neither a [section] nor a 'key = value' line", name, bad_line);
        goto done;
    }
    status = check_unique(&parser);

done:
    lutra_free(&parser.sections);
    if (status != LUTRA_OK) {
        lutra_free(&parser.entries);
        lutra_free(&parser.arena);
        return status;
    }
    *ini = (LutraIni){
        .entries = parser.entries, .entry_count = parser.entry_count, .arena = parser.arena};
    return LUTRA_OK;
}

void lutra_ini_deinit(LutraIni *ini) {
    if (ini != NULL) {
        lutra_free(&ini->entries);
        lutra_free(&ini->arena);
        ini->entry_count = 0;
    }
}
