/* SPDX-License-Identifier: Apache-2.0 */
/* Machine profiles as text. One list of fields serves checking, writing and reading. */
#include "sim/machine_profile.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/ini_file.h"
#include "base/memory.h"

enum { NAME_BYTES = 24, PLAIN_FIELDS = 14, MOST_LINE = 160 };
enum { FIELDS = PLAIN_FIELDS + (LUTRA_PROFILE_LEVELS + 1) * LUTRA_PROFILE_POLYS };

static const uint32_t MOST_THREADS = 1024;
static const size_t MOST_FILE_BYTES = 1 << 16;
static const double SMALLEST_SPEED = 1e-18;
static const double LARGEST_FACTOR = 100.0;

typedef enum { FIELD_TEXT, FIELD_THREADS, FIELD_SPEED, FIELD_POINT, FIELD_FACTOR } FieldKind;

typedef struct {
    char section[NAME_BYTES];
    char key[NAME_BYTES];
    FieldKind kind;
    size_t offset; /* in LutraMachineProfile */
} Field;

#define AT(member) offsetof(LutraMachineProfile, member)

static void list_points(Field *fields, const char *section, size_t offset) {
    for (uint32_t i = 0; i < LUTRA_PROFILE_POLYS; i++) {
        Field *const field = &fields[i];
        *field = (Field){.kind = FIELD_POINT, .offset = offset + i * sizeof(double)};
        (void)snprintf(field->section, NAME_BYTES, "%s", section);
        (void)snprintf(field->key, NAME_BYTES, "log2_poly_%u", LUTRA_SMALLEST_LOG2_POLY + i);
    }
}

/** All fields, in the order of the file. */
static void list_fields(Field fields[FIELDS]) {
    static const Field plain[PLAIN_FIELDS] = {
        {"machine", "cpu", FIELD_TEXT, AT(cpu)},
        {"machine", "threads", FIELD_THREADS, AT(threads)},
        {"machine", "backend", FIELD_TEXT, AT(backend)},
        {"machine", "version", FIELD_TEXT, AT(version)},
        {"machine", "date", FIELD_TEXT, AT(date)},
        {"core_seconds", "keyswitch", FIELD_SPEED, AT(keyswitch)},
        {"core_seconds", "keyswitch_key", FIELD_SPEED, AT(keyswitch_key)},
        {"core_seconds", "key_byte", FIELD_SPEED, AT(key_byte)},
        {"core_seconds", "encryption", FIELD_SPEED, AT(encryption)},
        {"core_seconds", "addition", FIELD_SPEED, AT(addition)},
        {"core_seconds", "multiplication", FIELD_SPEED, AT(multiplication)},
        {"core_seconds", "streaming", FIELD_SPEED, AT(streaming)},
        {"alone", "bootstrap", FIELD_FACTOR, AT(bootstrap_alone)},
        {"alone", "linear", FIELD_FACTOR, AT(linear_alone)},
    };
    memcpy(fields, plain, sizeof plain);
    Field *const points = fields + PLAIN_FIELDS;
    list_points(points, "bootstrap_level_1", AT(bootstrap[0]));
    list_points(points + LUTRA_PROFILE_POLYS, "bootstrap_level_2", AT(bootstrap[1]));
    list_points(points + 2 * LUTRA_PROFILE_POLYS, "bootstrap_key", AT(bootstrap_key));
}

static double number_of(const LutraMachineProfile *profile, const Field *field) {
    double value = 0.0;
    memcpy(&value, (const char *)profile + field->offset, sizeof value);
    return value;
}

static const char *text_of(const LutraMachineProfile *profile, const Field *field) {
    return (const char *)profile + field->offset;
}

/* ---- checking ---- */

static bool is_good_text(const char *text) {
    const size_t length = strnlen(text, LUTRA_PROFILE_TEXT_BYTES);
    if (length == 0 || length == LUTRA_PROFILE_TEXT_BYTES || text[0] == ' ' ||
        text[length - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '#' || text[i] == ';') {
            return false;
        }
    }
    return true;
}

/** What is wrong with a field, or NULL. */
static const char *fault_of(const LutraMachineProfile *profile, const Field *field) {
    if (field->kind == FIELD_TEXT) {
        return is_good_text(text_of(profile, field)) ? NULL
                                                     : "should be one line of up to 95 plain "
                                                       "characters without '#' and ';'";
    }
    if (field->kind == FIELD_THREADS) {
        return profile->threads >= 1 && profile->threads <= MOST_THREADS
                   ? NULL
                   : "should be an integer from 1 to 1024";
    }
    const double value = number_of(profile, field);
    if (field->kind == FIELD_FACTOR) {
        return value >= 1.0 / LARGEST_FACTOR && value <= LARGEST_FACTOR
                   ? NULL
                   : "should be a number from 0.01 to 100";
    }
    const bool missing = field->kind == FIELD_POINT && value == 0.0;
    return missing || (value >= SMALLEST_SPEED && value < 1.0)
               ? NULL
               : "should be a number from 1e-18 to below 1";
}

static LutraStatus check_points(const LutraMachineProfile *profile, LutraError *error) {
    uint32_t complete = 0;
    for (uint32_t i = 0; i < LUTRA_PROFILE_POLYS; i++) {
        const bool first = profile->bootstrap[0][i] > 0.0;
        const bool second = profile->bootstrap[1][i] > 0.0;
        const bool key = profile->bootstrap_key[i] > 0.0;
        if (first != second || first != key) {
            return lutra_error_set(error, LUTRA_EDATA,
                                   "'log2_poly_%u' should be in all three sections of bootstraps, "
                                   "or in none",
                                   LUTRA_SMALLEST_LOG2_POLY + i);
        }
        complete += first;
    }
    return complete > 0 ? LUTRA_OK
                        : lutra_error_set(error, LUTRA_EDATA,
                                          "'bootstrap_level_1' has no polynomial size");
}

LutraStatus lutra_machine_profile_check(const LutraMachineProfile *profile, LutraError *error) {
    Field fields[FIELDS];
    list_fields(fields);
    for (size_t i = 0; i < FIELDS; i++) {
        const char *const fault = fault_of(profile, &fields[i]);
        if (fault != NULL) {
            return lutra_error_set(error, LUTRA_EDATA, "'%s' in [%s] %s", fields[i].key,
                                   fields[i].section, fault);
        }
    }
    return check_points(profile, error);
}

/* ---- writing ---- */

/** Few digits where they say all, else as many as it takes. */
static void print_number(char text[32], double value) {
    (void)snprintf(text, 32, "%.5g", value);
    if (strtod(text, NULL) != value) {
        (void)snprintf(text, 32, "%.17g", value);
    }
}

static void print_value(char value[LUTRA_PROFILE_TEXT_BYTES], const LutraMachineProfile *profile,
                        const Field *field) {
    if (field->kind == FIELD_TEXT) {
        (void)snprintf(value, LUTRA_PROFILE_TEXT_BYTES, "%s", text_of(profile, field));
    } else if (field->kind == FIELD_THREADS) {
        (void)snprintf(value, LUTRA_PROFILE_TEXT_BYTES, "%u", profile->threads);
    } else {
        print_number(value, number_of(profile, field));
    }
}

LutraStatus lutra_machine_profile_text(char **text, const LutraMachineProfile *profile,
                                       LutraError *error) {
    static const char head[] = "# Speed of this machine, written by lutra bench --calibrate\n";
    const size_t bytes = sizeof head + (size_t)FIELDS * MOST_LINE;
    Field fields[FIELDS];
    char *built = NULL;
    LUTRA_TRY(lutra_alloc(&built, bytes, 1, error));
    list_fields(fields);
    size_t used = (size_t)snprintf(built, bytes, "%s", head);
    const char *section = "";
    for (size_t i = 0; i < FIELDS; i++) {
        const Field *const field = &fields[i];
        char value[LUTRA_PROFILE_TEXT_BYTES];
        if (field->kind == FIELD_POINT && number_of(profile, field) == 0.0) {
            continue;
        }
        if (strcmp(section, field->section) != 0) {
            section = field->section;
            used += (size_t)snprintf(built + used, bytes - used, "[%s]\n", section);
        }
        print_value(value, profile, field);
        used += (size_t)snprintf(built + used, bytes - used, "%s = %s\n", field->key, value);
        LUTRA_ASSERT(used < bytes);
    }
    *text = built;
    return LUTRA_OK;
}

LutraStatus lutra_machine_profile_write(const LutraMachineProfile *profile, const char *path,
                                        bool force, LutraError *error) {
    char *text = NULL;
    LUTRA_TRY(lutra_machine_profile_text(&text, profile, error));
    const LutraStatus status = lutra_file_write(path, text, strlen(text), force, error);
    lutra_free(&text);
    return status;
}

/* ---- reading ---- */

static bool read_number(double *value, const char *text) {
    char *end = NULL;
    const double read = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(read) || read <= 0.0) {
        return false; /* a point of 0 would mean that there is none */
    }
    *value = read;
    return true;
}

static bool read_threads(uint32_t *value, const char *text) {
    double read = 0.0;
    if (!read_number(&read, text) || read > MOST_THREADS || read != floor(read)) {
        return false;
    }
    *value = (uint32_t)read;
    return true;
}

static bool read_value(LutraMachineProfile *profile, const Field *field, const char *text) {
    char *const place = (char *)profile + field->offset;
    if (field->kind == FIELD_TEXT) {
        return snprintf(place, LUTRA_PROFILE_TEXT_BYTES, "%s", text) < LUTRA_PROFILE_TEXT_BYTES;
    }
    if (field->kind == FIELD_THREADS) {
        return read_threads(&profile->threads, text);
    }
    double value = 0.0;
    if (!read_number(&value, text)) {
        return false;
    }
    memcpy(place, &value, sizeof value);
    return true;
}

static const Field *find_field(const Field *fields, const LutraIniEntry *entry) {
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].section, entry->section) == 0 &&
            strcmp(fields[i].key, entry->key) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static LutraStatus read_entries(LutraMachineProfile *profile, const LutraIni *ini,
                                const char *name, LutraError *error) {
    Field fields[FIELDS];
    list_fields(fields);
    for (size_t i = 0; i < ini->entry_count; i++) {
        const LutraIniEntry *const entry = &ini->entries[i];
        const Field *const field = find_field(fields, entry);
        if (field == NULL) {
            return lutra_error_set(error, LUTRA_EDATA, "%s:%d: a machine profile has no '%s' here",
                                   name, entry->line, entry->key);
        }
        if (!read_value(profile, field, entry->value)) {
            return lutra_error_set(error, LUTRA_EDATA, "%s:%d: invalid value '%s' for '%s'", name,
                                   entry->line, entry->value, entry->key);
        }
    }
    const LutraStatus status = lutra_machine_profile_check(profile, error);
    return status == LUTRA_OK ? LUTRA_OK : lutra_error_prefix(error, status, name);
}

LutraStatus lutra_machine_profile_parse(LutraMachineProfile *profile, const char *text,
                                        const char *name, LutraError *error) {
    LutraMachineProfile read = {.threads = 0};
    LutraIni ini = {0};
    LUTRA_TRY(lutra_ini_parse(&ini, text, name, error));
    const LutraStatus status = read_entries(&read, &ini, name, error);
    lutra_ini_deinit(&ini);
    if (status == LUTRA_OK) {
        *profile = read;
    }
    return status;
}

LutraStatus lutra_machine_profile_read(LutraMachineProfile *profile, const char *path,
                                       LutraError *error) {
    LutraBytes bytes = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, MOST_FILE_BYTES, error));
    const LutraStatus status =
        memchr(bytes.data, 0, bytes.bytes) != NULL
            ? lutra_error_set(error, LUTRA_EDATA, "'%s' is no machine profile", path)
            : lutra_machine_profile_parse(profile, (const char *)bytes.data, path, error);
    lutra_bytes_deinit(&bytes);
    return status;
}
