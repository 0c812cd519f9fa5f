/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects. A LutraJson is a thin node over a cJSON item; all nodes of one tree share the
 * root's failure flag. Numbers are kept as raw text, because cJSON prints doubles with the fewest
 * digits that fit and integers through doubles.
 */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/memory.h"
#include "base/utf8.h"

struct LutraJson {
    cJSON *item;
    LutraJson *root;
    LutraJson *next; /* root: list of all nodes, so that they can be freed */
    bool failed;     /* root: an allocation failed somewhere below */
};

LutraJson *lutra_json_create(const char *schema) {
    LutraJson *root = NULL;
    if (lutra_alloc(&root, 1, sizeof *root, NULL) != LUTRA_OK) {
        return NULL;
    }
    root->root = root;
    root->item = cJSON_CreateObject();
    if (root->item == NULL) {
        lutra_free(&root);
        return NULL;
    }
    lutra_json_set_text(root, "schema", schema);
    return root;
}

void lutra_json_destroy(LutraJson **json) {
    if (json == NULL || *json == NULL) {
        return;
    }
    LutraJson *node = (*json)->root;
    cJSON_Delete(node->item);
    while (node != NULL) {
        LutraJson *next = node->next;
        lutra_free(&node);
        node = next;
    }
    *json = NULL;
}

/* Puts `item` under `parent`; `key` is NULL in arrays. Takes the item, also on failure. */
static bool attach(LutraJson *parent, const char *key, cJSON *item) {
    if (item != NULL && key != NULL) {
        /* A second value under one key replaces the first. */
        cJSON_DeleteItemFromObjectCaseSensitive(parent->item, key);
    }
    const bool attached =
        item != NULL && (key == NULL ? cJSON_AddItemToArray(parent->item, item) != 0
                                     : cJSON_AddItemToObject(parent->item, key, item) != 0);
    if (!attached) {
        cJSON_Delete(item);
        parent->root->failed = true;
    }
    return attached;
}

static LutraJson *attach_node(LutraJson *parent, const char *key, cJSON *item) {
    LutraJson *node = NULL;
    if (lutra_alloc(&node, 1, sizeof *node, NULL) != LUTRA_OK) {
        cJSON_Delete(item);
        parent->root->failed = true;
        return NULL;
    }
    if (!attach(parent, key, item)) {
        lutra_free(&node);
        return NULL;
    }
    *node = (LutraJson){.item = item, .root = parent->root, .next = parent->root->next};
    parent->root->next = node;
    return node;
}

/* A string item; bytes that are no UTF-8 (file names can hold any) become '?'. */
static cJSON *text_item(const char *value) {
    if (value == NULL) {
        return cJSON_CreateNull();
    }
    char *copy = NULL;
    if (lutra_utf8_copy(&copy, value, NULL) != LUTRA_OK) {
        return NULL;
    }
    cJSON *item = cJSON_CreateString(copy);
    lutra_free(&copy);
    return item;
}

static cJSON *i64_item(int64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    return cJSON_CreateRaw(text);
}

static cJSON *f64_item(double value) {
    if (!isfinite(value)) {
        return cJSON_CreateNull();
    }
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", value);
    return cJSON_CreateRaw(text);
}

void lutra_json_set_text(LutraJson *object, const char *key, const char *value) {
    if (object != NULL) {
        (void)attach(object, key, text_item(value));
    }
}

void lutra_json_set_i64(LutraJson *object, const char *key, int64_t value) {
    if (object != NULL) {
        (void)attach(object, key, i64_item(value));
    }
}

void lutra_json_set_f64(LutraJson *object, const char *key, double value) {
    if (object != NULL) {
        (void)attach(object, key, f64_item(value));
    }
}

void lutra_json_set_bool(LutraJson *object, const char *key, bool value) {
    if (object != NULL) {
        (void)attach(object, key, cJSON_CreateBool(value));
    }
}

void lutra_json_set_null(LutraJson *object, const char *key) {
    if (object != NULL) {
        (void)attach(object, key, cJSON_CreateNull());
    }
}

LutraJson *lutra_json_set_object(LutraJson *object, const char *key) {
    return object == NULL ? NULL : attach_node(object, key, cJSON_CreateObject());
}

LutraJson *lutra_json_set_array(LutraJson *object, const char *key) {
    return object == NULL ? NULL : attach_node(object, key, cJSON_CreateArray());
}

void lutra_json_add_text(LutraJson *array, const char *value) {
    if (array != NULL) {
        (void)attach(array, NULL, text_item(value));
    }
}

void lutra_json_add_i64(LutraJson *array, int64_t value) {
    if (array != NULL) {
        (void)attach(array, NULL, i64_item(value));
    }
}

void lutra_json_add_f64(LutraJson *array, double value) {
    if (array != NULL) {
        (void)attach(array, NULL, f64_item(value));
    }
}

LutraJson *lutra_json_add_object(LutraJson *array) {
    return array == NULL ? NULL : attach_node(array, NULL, cJSON_CreateObject());
}

LutraJson *lutra_json_add_array(LutraJson *array) {
    return array == NULL ? NULL : attach_node(array, NULL, cJSON_CreateArray());
}

LutraStatus lutra_json_text(char **text, const LutraJson *root, LutraError *error) {
    char *printed = NULL;
    if (root != NULL && !root->root->failed) {
        printed = cJSON_Print(root->item);
    }
    if (printed == NULL) {
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory while writing JSON");
    }
    const size_t length = strlen(printed);
    char *copy = NULL;
    const LutraStatus status = lutra_alloc(&copy, length + 2, 1, error);
    if (status == LUTRA_OK) {
        memcpy(copy, printed, length);
        copy[length] = '\n';
        *text = copy;
    }
    cJSON_free(printed);
    return status;
}

/* ---- reading: a LutraJsonValue is a cJSON item under another name ---- */

static const cJSON *item_of(const LutraJsonValue *value) {
    return (const cJSON *)(const void *)value;
}

static const LutraJsonValue *value_of(const cJSON *item) {
    return (const LutraJsonValue *)(const void *)item;
}

LutraStatus lutra_json_parse(LutraJsonValue **root, const char *text, size_t bytes,
                             const char *name, LutraError *error) {
    const char *end = NULL;
    cJSON *item = cJSON_ParseWithLengthOpts(text, bytes, &end, false);
    while (item != NULL && end < text + bytes && strchr(" \t\r\n", *end) != NULL && *end != '\0') {
        end++;
    }
    if (item == NULL || end != text + bytes) {
        cJSON_Delete(item);
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is not one JSON value", name);
    }
    *root = (LutraJsonValue *)(void *)item;
    return LUTRA_OK;
}

void lutra_json_release(LutraJsonValue **root) {
    if (root != NULL && *root != NULL) {
        cJSON_Delete((cJSON *)(void *)*root);
        *root = NULL;
    }
}

const LutraJsonValue *lutra_json_first(const LutraJsonValue *value) {
    return value_of(item_of(value)->child);
}

const LutraJsonValue *lutra_json_next(const LutraJsonValue *value) {
    return value_of(item_of(value)->next);
}

bool lutra_json_is_object(const LutraJsonValue *value) {
    return cJSON_IsObject(item_of(value));
}

const char *lutra_json_key(const LutraJsonValue *value) {
    return item_of(value)->string;
}

const LutraJsonValue *lutra_json_find(const LutraJsonValue *value, const char *key) {
    return value == NULL ? NULL
                         : value_of(cJSON_GetObjectItemCaseSensitive(item_of(value), key));
}

const char *lutra_json_string(const LutraJsonValue *value) {
    return value == NULL ? NULL : cJSON_GetStringValue(item_of(value));
}

bool lutra_json_u64(uint64_t *number, const LutraJsonValue *value) {
    if (value == NULL || !cJSON_IsNumber(item_of(value))) {
        return false;
    }
    const double read = item_of(value)->valuedouble;
    if (!(read >= 0.0) || read > 0x1p53 || read != floor(read)) {
        return false;
    }
    *number = (uint64_t)read;
    return true;
}
