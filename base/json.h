/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects (cJSON behind it). Doubles are written with 17 significant digits; NaN and infinity
 * become null. All setters copy; a failed allocation is remembered and reported by lutra_json_text,
 * so callers check once at the end.
 */
#ifndef LUTRA_BASE_JSON_H
#define LUTRA_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** An object or array under construction; children belong to their parent. */
typedef struct LutraJson LutraJson;

/** New root object with "schema": schema. NULL if memory ran out (every setter accepts NULL). */
LutraJson *lutra_json_create(const char *schema);
void lutra_json_destroy(LutraJson **json);

void lutra_json_set_text(LutraJson *object, const char *key, const char *value);
void lutra_json_set_i64(LutraJson *object, const char *key, int64_t value);
void lutra_json_set_f64(LutraJson *object, const char *key, double value);
void lutra_json_set_bool(LutraJson *object, const char *key, bool value);
void lutra_json_set_null(LutraJson *object, const char *key);
/** New child object or array under `key`; owned by the parent. */
LutraJson *lutra_json_set_object(LutraJson *object, const char *key);
LutraJson *lutra_json_set_array(LutraJson *object, const char *key);
void lutra_json_add_text(LutraJson *array, const char *value);
void lutra_json_add_i64(LutraJson *array, int64_t value);
void lutra_json_add_f64(LutraJson *array, double value);
LutraJson *lutra_json_add_object(LutraJson *array);
LutraJson *lutra_json_add_array(LutraJson *array);

/** Indented text ending in a newline; heap, free with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_json_text(char **text, const LutraJson *root, LutraError *error);

/* ---- reading ---- */

/** One value of a text that was read; all belong to the one that lutra_json_parse gave. */
typedef struct LutraJsonValue LutraJsonValue;

/**
 * Reads a text.
 *
 * @param name  what errors call the text
 * @errors LUTRA_EDATA it is not one JSON value, or memory ran out
 */
LUTRA_MUST_CHECK LutraStatus lutra_json_parse(LutraJsonValue **root, const char *text,
                                              size_t bytes, const char *name, LutraError *error);
/** Frees the root and all below it; NULL and *root == NULL are allowed. */
void lutra_json_release(LutraJsonValue **root);

/** First value in an object or array, and the next one beside it; NULL at the end, or if `value` is
 * neither. */
const LutraJsonValue *lutra_json_first(const LutraJsonValue *value);
const LutraJsonValue *lutra_json_next(const LutraJsonValue *value);
/** Whether it is an object. */
bool lutra_json_is_object(const LutraJsonValue *value);
/** The key under which a value stands in its object; NULL in an array. */
const char *lutra_json_key(const LutraJsonValue *value);
/** The value under `key` of an object, or NULL. `value` may be NULL. */
const LutraJsonValue *lutra_json_find(const LutraJsonValue *value, const char *key);
/** The text of a string, or NULL. `value` may be NULL. */
const char *lutra_json_string(const LutraJsonValue *value);
/** Whether a value is a whole number from 0 to 2^53, and which. `value` may be NULL. */
bool lutra_json_u64(uint64_t *number, const LutraJsonValue *value);

#endif
