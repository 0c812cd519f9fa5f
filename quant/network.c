/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of network files. One table per type of layer says which keys it has, how their
 * values are read, where they go and what they may be; reading, errors and suggestions all follow
 * from it.
 */
#include "quant/network.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/ini_file.h"
#include "base/memory.h"
#include "base/nearest_word.h"
#include "quant/network_priv.h"
#include "quant/network_values.h"

enum { MAX_FIELDS = 8, LAYER_KINDS = 8, MAX_NAME = 47, MAX_FILE_BYTES = 1 << 20 };

typedef enum {
    FIELD_UNSIGNED,
    FIELD_POSITIVE,     /* real > 0 and < 1 */
    FIELD_YES_NO,
    FIELD_CODES,        /* into a LutraQuantizer */
    FIELD_WEIGHT_CODES, /* into a LutraWeightQuantizer */
    FIELD_SCALE,
    FIELD_STEP,
    FIELD_RANGE, /* into a LutraInputLayer */
    FIELD_MEAN,  /* the same */
    FIELD_DEVIATION, /* the same */
    FIELD_FUNCTION, /* relu */
    FIELD_SHAPE
} FieldKind;

typedef struct {
    const char *key;
    FieldKind kind;
    bool optional;
    size_t offset; /* of the result in LutraLayer */
    uint32_t min;
    uint32_t max;
} Field;

typedef struct {
    const char *type;
    Field fields[MAX_FIELDS]; /* ends at a NULL key */
} LayerSyntax;

#define AT(member) offsetof(LutraLayer, member)
#define WEIGHT_FIELDS                                                              \
    {"bias", FIELD_YES_NO, true, AT(u.weighted.bias), 0, 0},                       \
    {"weight_codes", FIELD_WEIGHT_CODES, false, AT(u.weighted.quantizer), 0, 0},   \
    {"weight_scale", FIELD_SCALE, true, AT(u.weighted.quantizer.scale), 0, 0}
#define NORM_FIELDS                                                   \
    {"epsilon", FIELD_POSITIVE, true, AT(u.norm.epsilon), 0, 0},      \
    {"momentum", FIELD_POSITIVE, true, AT(u.norm.momentum), 0, 0}

/* Indexed by LutraLayerKind. */
static const LayerSyntax SYNTAX[LAYER_KINDS] = {
    [LUTRA_LAYER_INPUT] = {"input",
                           {{"shape", FIELD_SHAPE, false, AT(shape), 1, LUTRA_MAX_EXTENT},
                            {"range", FIELD_RANGE, false, AT(u.input), 0, 0},
                            {"mean", FIELD_MEAN, true, AT(u.input), 0, 0},
                            {"deviation", FIELD_DEVIATION, true, AT(u.input), 0, 0},
                            {"codes", FIELD_CODES, false, AT(u.input.quantizer), 0, 0},
                            {"step", FIELD_STEP, true, AT(u.input.quantizer.step), 0, 0}}},
    [LUTRA_LAYER_CONV] = {"conv",
                          {{"channels", FIELD_UNSIGNED, false, AT(u.weighted.out_channels), 1,
                            LUTRA_MAX_CHANNELS},
                           {"kernel", FIELD_UNSIGNED, false, AT(u.weighted.kernel), 1,
                            LUTRA_MAX_KERNEL},
                           {"stride", FIELD_UNSIGNED, true, AT(u.weighted.stride), 1,
                            LUTRA_MAX_KERNEL},
                           {"padding", FIELD_UNSIGNED, true, AT(u.weighted.padding), 0,
                            LUTRA_MAX_KERNEL - 1},
                           WEIGHT_FIELDS}},
    [LUTRA_LAYER_LINEAR] = {"linear",
                            {{"features", FIELD_UNSIGNED, false, AT(u.weighted.out_channels), 1,
                              LUTRA_MAX_FEATURES},
                             WEIGHT_FIELDS}},
    [LUTRA_LAYER_AVERAGE_POOL] = {"average_pool",
                                  {{"kernel", FIELD_UNSIGNED, false, AT(u.pool.kernel), 1,
                                    LUTRA_MAX_KERNEL},
                                   {"stride", FIELD_UNSIGNED, true, AT(u.pool.stride), 1,
                                    LUTRA_MAX_KERNEL}}},
    [LUTRA_LAYER_MAX_POOL] = {"max_pool",
                              {{"kernel", FIELD_UNSIGNED, false, AT(u.pool.kernel), 1,
                                LUTRA_MAX_KERNEL},
                               {"stride", FIELD_UNSIGNED, true, AT(u.pool.stride), 1,
                                LUTRA_MAX_KERNEL}}},
    [LUTRA_LAYER_BATCH_NORM] = {"batch_norm", {NORM_FIELDS}},
    [LUTRA_LAYER_ACTIVATION] = {"activation",
                                {{"codes", FIELD_CODES, false, AT(u.activation), 0, 0},
                                 {"step", FIELD_STEP, true, AT(u.activation.step), 0, 0},
                                 {"function", FIELD_FUNCTION, true, AT(coding.relu), 0, 0}}},
    [LUTRA_LAYER_TENSOR_NORM] = {"tensor_norm", {NORM_FIELDS}},
};

/* The entries of one section. */
typedef struct {
    const char *file; /* what errors call the text */
    const LutraIniEntry *entries;
    size_t count;
} Section;

void lutra_network_deinit(LutraNetwork *network) {
    lutra_free(&network->name);
    lutra_free(&network->text);
    lutra_free(&network->layers);
    *network = (LutraNetwork){0};
}

const char *lutra_layer_kind_name(LutraLayerKind kind) {
    return (size_t)kind < LAYER_KINDS ? SYNTAX[kind].type : "unknown";
}

size_t lutra_layer_weight_count(const LutraLayer *layer) {
    if (layer->kind != LUTRA_LAYER_CONV && layer->kind != LUTRA_LAYER_LINEAR) {
        return 0;
    }
    const LutraWeightLayer *weighted = &layer->u.weighted;
    return (size_t)weighted->out_channels * weighted->in_channels * weighted->kernel *
           weighted->kernel;
}

/* What a field may be, for error sentences. */
static void describe_field(char text[96], const Field *field) {
    const char *words = "";
    switch (field->kind) {
    case FIELD_UNSIGNED:
        snprintf(text, 96, "an integer from %u to %u", field->min, field->max);
        return;
    case FIELD_SHAPE:
        snprintf(text, 96, "CxHxW such as 3x32x32, each from 1 to %u", field->max);
        return;
    case FIELD_POSITIVE:
        words = "a number above 0 and below 1";
        break;
    case FIELD_YES_NO:
        words = "yes or no";
        break;
    case FIELD_CODES:
        words = "A..B with A <= 0 < B, inside -128..127 or 0..255, or float";
        break;
    case FIELD_WEIGHT_CODES:
        words = "A..B with -B <= A < 0 < B <= 127, such as -1..1, or float";
        break;
    case FIELD_SCALE:
        words = "fixed or max";
        break;
    case FIELD_STEP:
        words = "a positive number such as 1/128 or 0.25, or learned";
        break;
    case FIELD_RANGE:
        words = "A..B with A < B, the real values of pixels 0 and 255, such as -1..1";
        break;
    case FIELD_MEAN:
        words = "a number, or one for each channel with commas between";
        break;
    case FIELD_DEVIATION:
        words = "a positive number, or one for each channel with commas between";
        break;
    case FIELD_FUNCTION:
        words = "none or relu";
        break;
    }
    snprintf(text, 96, "%s", words);
}

/* Without a quantizer everything passes; see lutra_layer_is_float. */
static bool read_codes(LutraQuantizer *quantizer, LutraCoding *coding, const char *text) {
    int32_t min = 0;
    int32_t max = 0;
    if (strcmp(text, "float") == 0) {
        *quantizer = (LutraQuantizer){INT32_MIN, INT32_MAX, 1.0f};
        coding->is_float = true;
        return true;
    }
    if (!lutra_value_codes(&min, &max, text)) {
        return false;
    }
    const bool fits_signed = min >= INT8_MIN && max <= INT8_MAX;
    const bool fits_unsigned = min >= 0 && max <= UINT8_MAX;
    if (min > 0 || max <= 0 || (!fits_signed && !fits_unsigned)) {
        return false;
    }
    quantizer->code_min = min;
    quantizer->code_max = max;
    return true;
}

static bool read_weight_codes(LutraWeightQuantizer *quantizer, const char *text) {
    int32_t min = 0;
    int32_t max = 0;
    if (strcmp(text, "float") == 0) {
        *quantizer = (LutraWeightQuantizer){0, 0, LUTRA_WEIGHT_SCALE_NONE};
        return true;
    }
    if (!lutra_value_codes(&min, &max, text) || min >= 0 || max <= 0 || max > INT8_MAX ||
        min < -max) {
        return false;
    }
    quantizer->code_min = min;
    quantizer->code_max = max;
    return true;
}

static bool read_scale(LutraWeightScale *scale, const char *text) {
    const bool fixed = strcmp(text, "fixed") == 0;
    if (!fixed && strcmp(text, "max") != 0) {
        return false;
    }
    *scale = fixed ? LUTRA_WEIGHT_SCALE_FIXED : LUTRA_WEIGHT_SCALE_MAX;
    return true;
}

static bool read_step(float *step, LutraCoding *coding, const char *text) {
    coding->learned = strcmp(text, "learned") == 0;
    return coding->learned || lutra_value_step(step, text);
}

static bool read_function(bool *relu, const char *text) {
    *relu = strcmp(text, "relu") == 0;
    return *relu || strcmp(text, "none") == 0;
}

static bool read_deviation(LutraInputLayer *input, const char *text) {
    if (!lutra_value_list(input->deviation, &input->deviation_count, text,
                          LUTRA_MAX_INPUT_STATISTICS)) {
        return false;
    }
    for (uint32_t c = 0; c < input->deviation_count; c++) {
        if (!(input->deviation[c] > 0.0f)) {
            return false;
        }
    }
    return true;
}

/* Reads one value into its place. */
static bool read_field(LutraLayer *layer, const Field *field, const char *text) {
    void *const place = (unsigned char *)layer + field->offset;
    switch (field->kind) {
    case FIELD_UNSIGNED:
        return lutra_value_unsigned(place, text, field->min, field->max);
    case FIELD_POSITIVE: {
        float value = 0.0f;
        if (!lutra_value_real(&value, text) || !(value > 0.0f) || !(value < 1.0f)) {
            return false;
        }
        *(float *)place = value;
        return true;
    }
    case FIELD_YES_NO:
        return lutra_value_yes_no(place, text);
    case FIELD_CODES:
        return read_codes(place, &layer->coding, text);
    case FIELD_WEIGHT_CODES:
        return read_weight_codes(place, text);
    case FIELD_SCALE:
        return read_scale(place, text);
    case FIELD_STEP:
        return read_step(place, &layer->coding, text);
    case FIELD_RANGE: {
        LutraInputLayer *input = place;
        return lutra_value_range(&input->range_min, &input->range_max, text);
    }
    case FIELD_MEAN: {
        LutraInputLayer *input = place;
        return lutra_value_list(input->mean, &input->mean_count, text, LUTRA_MAX_INPUT_STATISTICS);
    }
    case FIELD_DEVIATION:
        return read_deviation(place, text);
    case FIELD_FUNCTION:
        return read_function(place, text);
    case FIELD_SHAPE:
        return lutra_value_shape(place, text, field->max);
    }
    return false;
}

static const LutraIniEntry *find_entry(const Section *section, const char *key) {
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->entries[i].key, key) == 0) {
            return &section->entries[i];
        }
    }
    return NULL;
}

/* "; did you mean 'x'?", or nothing. */
static void suggestion(char text[LUTRA_NAME_BYTES + 24], const char *word,
                       const char *const *words, size_t count) {
    const char *nearest = lutra_nearest_word(word, words, count);
    text[0] = '\0';
    if (nearest != NULL) {
        snprintf(text, LUTRA_NAME_BYTES + 24, "; did you mean '%s'?", nearest);
    }
}

/* "a, b, c" */
static void list_words(char text[256], const char *const *words, size_t count) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < 256; i++) {
        used += (size_t)snprintf(text + used, 256 - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
}

/* Every key is among `keys` (lutra_ini_parse has refused repeated ones). */
static LutraStatus check_keys(const Section *section, const char *const *keys, size_t key_count,
                              LutraError *error) {
    for (size_t i = 0; i < section->count; i++) {
        const LutraIniEntry *entry = &section->entries[i];
        bool known = false;
        for (size_t k = 0; k < key_count; k++) {
            known = known || strcmp(keys[k], entry->key) == 0;
        }
        if (!known) {
            char list[256];
            char nearest[LUTRA_NAME_BYTES + 24];
            list_words(list, keys, key_count);
            suggestion(nearest, entry->key, keys, key_count);
            return lutra_network_fail(error, section->file, entry->line, "unknown key '%s' in "
                                      "section '%s'; allowed: %s%s", entry->key, entry->section,
                                      list, nearest);
        }
    }
    return LUTRA_OK;
}

static bool name_is_plain(const char *name) {
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const size_t length = strlen(name);
    return length > 0 && length <= MAX_NAME && strspn(name, letters) == length;
}

static LutraStatus check_name(const Section *section, int line, const char *what, const char *name,
                              LutraError *error) {
    if (name_is_plain(name)) {
        return LUTRA_OK;
    }
    return lutra_network_fail(error, section->file, line, "%s name '%.60s' should be 1 to %d "
                              "letters, digits, '_', '-' or '.'", what, name, MAX_NAME);
}

static LutraStatus find_kind(LutraLayerKind *kind, const Section *section, LutraError *error) {
    const char *types[LAYER_KINDS];
    const char *const specials[2] = {"network", "training"};
    const LutraIniEntry *entry = find_entry(section, "type");
    char nearest[LUTRA_NAME_BYTES + 24];
    char list[256];
    for (size_t i = 0; i < LAYER_KINDS; i++) {
        types[i] = SYNTAX[i].type;
    }
    list_words(list, types, LAYER_KINDS);
    if (entry == NULL) {
        suggestion(nearest, section->entries->section, specials, 2);
        return lutra_network_fail(error, section->file, section->entries->line, "section '%s' has "
                                  "no type; it should be %s%s", section->entries->section, list,
                                  nearest);
    }
    for (size_t i = 0; i < LAYER_KINDS; i++) {
        if (strcmp(entry->value, types[i]) == 0) {
            *kind = (LutraLayerKind)i;
            return LUTRA_OK;
        }
    }
    suggestion(nearest, entry->value, types, LAYER_KINDS);
    return lutra_network_fail(error, section->file, entry->line, "unknown type '%.60s' of layer "
                              "'%s'; allowed: %s%s", entry->value, entry->section, list, nearest);
}

static void set_defaults(LutraLayer *layer) {
    switch (layer->kind) {
    case LUTRA_LAYER_CONV:
        layer->u.weighted.stride = 1;
        break;
    case LUTRA_LAYER_LINEAR:
        layer->u.weighted.kernel = 1;
        layer->u.weighted.stride = 1;
        break;
    case LUTRA_LAYER_BATCH_NORM:
    case LUTRA_LAYER_TENSOR_NORM:
        layer->u.norm.epsilon = 1e-4f;
        layer->u.norm.momentum = 0.1f;
        break;
    default:
        break;
    }
}

bool lutra_layer_is_float(const LutraLayer *layer) {
    if (layer->kind == LUTRA_LAYER_CONV || layer->kind == LUTRA_LAYER_LINEAR) {
        return layer->u.weighted.quantizer.scale == LUTRA_WEIGHT_SCALE_NONE;
    }
    return layer->coding.is_float;
}

/* A quantizer has a step or scale; without one there is none. */
static LutraStatus check_scaled(const LutraLayer *layer, const Section *section,
                                LutraError *error) {
    const bool weighted = layer->kind == LUTRA_LAYER_CONV || layer->kind == LUTRA_LAYER_LINEAR;
    const bool coded = layer->kind == LUTRA_LAYER_INPUT || layer->kind == LUTRA_LAYER_ACTIVATION;
    if (!weighted && !coded) {
        return LUTRA_OK;
    }
    const char *const codes = weighted ? "weight_codes" : "codes";
    const char *const key = weighted ? "weight_scale" : "step";
    const LutraIniEntry *entry = find_entry(section, key);
    const bool is_float = strcmp(find_entry(section, codes)->value, "float") == 0;
    if (is_float && entry != NULL) {
        return lutra_network_fail(error, section->file, entry->line, "layer '%s' has %s = float "
                                  "and so no '%s'; leave it out", layer->name, codes, key);
    }
    if (!is_float && entry == NULL) {
        return lutra_network_fail(error, section->file, section->entries->line, "layer '%s' of "
                                  "type '%s' has no '%s'; it should be %s", layer->name,
                                  SYNTAX[layer->kind].type, key,
                                  weighted ? "fixed or max"
                                           : "a positive number such as 1/128 or 0.25, or learned");
    }
    return LUTRA_OK;
}

/* What a threshold is divided by follows from the codes as written; relu then leaves none below
 * 0. */
static void finish_coding(LutraLayer *layer) {
    LutraQuantizer *quantizer = layer->kind == LUTRA_LAYER_INPUT        ? &layer->u.input.quantizer
                                : layer->kind == LUTRA_LAYER_ACTIVATION ? &layer->u.activation
                                                                        : NULL;
    if (quantizer == NULL || layer->coding.is_float) {
        return;
    }
    layer->coding.divisor = lutra_threshold_divisor(quantizer->code_min, quantizer->code_max);
    if (layer->coding.relu) {
        quantizer->code_min = 0;
    }
}

static LutraStatus read_layer(LutraLayer *layer, const Section *section, LutraError *error) {
    const LutraIniEntry *first = section->entries;
    const char *keys[MAX_FIELDS + 1] = {"type"};
    size_t key_count = 1;
    LUTRA_TRY(check_name(section, first->line, "layer", first->section, error));
    LUTRA_TRY(find_kind(&layer->kind, section, error));
    const Field *fields = SYNTAX[layer->kind].fields;
    for (size_t i = 0; i < MAX_FIELDS && fields[i].key != NULL; i++) {
        keys[key_count++] = fields[i].key;
    }
    LUTRA_TRY(check_keys(section, keys, key_count, error));
    snprintf(layer->name, sizeof layer->name, "%s", first->section);
    layer->line = first->line;
    set_defaults(layer);
    for (size_t i = 0; i + 1 < key_count; i++) {
        const Field *field = &fields[i];
        const LutraIniEntry *entry = find_entry(section, field->key);
        char allowed[96];
        if (entry == NULL && field->optional) {
            continue;
        }
        describe_field(allowed, field);
        if (entry == NULL) {
            return lutra_network_fail(error, section->file, first->line, "layer '%s' of type '%s' "
                                      "has no '%s'; it should be %s", layer->name,
                                      SYNTAX[layer->kind].type, field->key, allowed);
        }
        if (!read_field(layer, field, entry->value)) {
            return lutra_network_fail(error, section->file, entry->line, "value '%.60s' of '%s' in "
                                      "layer '%s' should be %s", entry->value, field->key,
                                      layer->name, allowed);
        }
    }
    LUTRA_TRY(check_scaled(layer, section, error));
    finish_coding(layer);
    return LUTRA_OK;
}

static LutraStatus read_head(LutraNetwork *network, const Section *section, LutraError *error) {
    static const char *const keys[2] = {"name", "classes"};
    const LutraIniEntry *name = find_entry(section, "name");
    const LutraIniEntry *classes = find_entry(section, "classes");
    LUTRA_TRY(check_keys(section, keys, 2, error));
    if (name == NULL || classes == NULL) {
        return lutra_network_fail(error, section->file, section->entries->line, "section 'network' "
                                  "has no '%s'; it should have name and classes",
                                  name == NULL ? "name" : "classes");
    }
    LUTRA_TRY(check_name(section, name->line, "network", name->value, error));
    if (!lutra_value_unsigned(&network->class_count, classes->value, 2,
                              LUTRA_MAX_NETWORK_CLASSES)) {
        return lutra_network_fail(error, section->file, classes->line, "value '%.60s' of 'classes' "
                                  "should be an integer from 2 to %d", classes->value,
                                  LUTRA_MAX_NETWORK_CLASSES);
    }
    return lutra_string_copy(&network->name, name->value, error);
}

/* An empty section leaves no entry behind: looks for its heading in the text itself. */
static LutraStatus check_empty_sections(const LutraIni *ini, const char *text, const char *file,
                                        LutraError *error) {
    int line = 0;
    for (const char *p = text; *p != '\0';) {
        const size_t length = strcspn(p, "\n");
        const size_t blanks = strspn(p, " \t");
        const char *close = memchr(p, ']', length);
        line++;
        if (blanks < length && p[blanks] == '[' && close != NULL) {
            const char *name = p + blanks + 1;
            const size_t name_length = (size_t)(close - name);
            bool filled = false;
            for (size_t i = 0; i < ini->entry_count && !filled; i++) {
                const char *section = ini->entries[i].section;
                filled = strlen(section) == name_length && memcmp(section, name, name_length) == 0;
            }
            if (!filled) {
                return lutra_network_fail(error, file, line, "section '%.*s' is empty; a layer has "
                                          "at least a type", name_length < 60 ? (int)name_length
                                                                              : 60, name);
            }
        }
        p += length + (p[length] == '\n');
    }
    return LUTRA_OK;
}

/* Counts sections and checks that there is a head. */
static LutraStatus count_layers(uint32_t *count, const LutraIni *ini, const char *file,
                                LutraError *error) {
    const char *section = NULL;
    uint32_t layers = 0;
    bool has_head = false;
    for (size_t i = 0; i < ini->entry_count; i++) {
        const LutraIniEntry *entry = &ini->entries[i];
        if (entry->section[0] == '\0') {
            return lutra_network_fail(error, file, entry->line, "key '%s' stands before the first "
                                      "section; the file should begin with [network]", entry->key);
        }
        if (section != NULL && strcmp(section, entry->section) == 0) {
            continue;
        }
        section = entry->section;
        if (strcmp(section, "network") == 0) {
            has_head = true;
        } else if (strcmp(section, "training") != 0 && ++layers > LUTRA_MAX_LAYERS) {
            return lutra_network_fail(error, file, entry->line, "more than %d layers",
                                      LUTRA_MAX_LAYERS);
        }
    }
    if (!has_head) {
        return lutra_network_fail(error, file, 1, "no section [network]; it should give name and "
                                  "classes");
    }
    if (layers == 0) {
        return lutra_network_fail(error, file, 1, "no layers; the first should have type = input");
    }
    *count = layers;
    return LUTRA_OK;
}

static LutraStatus read_sections(LutraNetwork *network, const LutraIni *ini, const char *file,
                                 LutraError *error) {
    uint32_t layer = 0;
    for (size_t i = 0; i < ini->entry_count;) {
        Section section = {file, &ini->entries[i], 1};
        while (i + section.count < ini->entry_count &&
               strcmp(section.entries[section.count].section, section.entries->section) == 0) {
            section.count++;
        }
        i += section.count;
        if (strcmp(section.entries->section, "network") == 0) {
            LUTRA_TRY(read_head(network, &section, error));
        } else if (strcmp(section.entries->section, "training") != 0) {
            LUTRA_ASSERT(layer < network->layer_count);
            LUTRA_TRY(read_layer(&network->layers[layer], &section, error));
            layer++;
        }
    }
    return lutra_network_shapes(network, file, error);
}

LutraStatus lutra_network_parse(LutraNetwork *network, const char *text, const char *name,
                                LutraError *error) {
    LutraIni ini = {0};
    LutraNetwork built = {0};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_ini_parse(&ini, text, name, error));
    LUTRA_TRY_GOTO(status, check_empty_sections(&ini, text, name, error));
    LUTRA_TRY_GOTO(status, count_layers(&built.layer_count, &ini, name, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&built.layers, built.layer_count, sizeof(LutraLayer),
                                       error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&built.text, text, error));
    LUTRA_TRY_GOTO(status, read_sections(&built, &ini, name, error));
    *network = built;
    built = (LutraNetwork){0};
done:
    lutra_network_deinit(&built);
    lutra_ini_deinit(&ini);
    return status;
}

LutraStatus lutra_network_read(LutraNetwork *network, const char *path, LutraError *error) {
    LutraBytes bytes = {0};
    LUTRA_TRY(lutra_file_read(&bytes, path, MAX_FILE_BYTES, error));
    LutraStatus status = LUTRA_OK;
    if (strlen((const char *)bytes.data) != bytes.bytes) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' is not text: it holds a zero byte",
                                 path);
    } else {
        status = lutra_network_parse(network, (const char *)bytes.data, path, error);
    }
    lutra_bytes_deinit(&bytes);
    return status;
}
