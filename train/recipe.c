/* SPDX-License-Identifier: Apache-2.0 */
#include "train/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini_file.h"
#include "base/memory.h"
#include "base/nearest_word.h"
#include "train/sum_noise.h"

typedef enum { FIELD_COUNT, FIELD_REAL, FIELD_WORD, FIELD_LAYERS } FieldKind;

/* One key: where its value stands and what is allowed. */
typedef struct {
    const char *key;
    FieldKind kind;
    size_t offset;
    double min;
    double max;
    bool open_min;            /* real: min itself is not allowed */
    const char *const *words; /* word: ended by NULL; the index is the value */
} Field;

static const char *const optimizer_words[] = {"adam", "sgd", "adamw", NULL};
static const char *const schedule_words[] = {"constant", "step", "cosine", "linear", NULL};
static const char *const loss_words[] = {"cross_entropy", "squared_hinge", NULL};
static const char *const flip_words[] = {"none", "random", "alternating", NULL};
static const char *const choice_words[] = {"validation", "average", "last", NULL};
static const char *const gradient_words[] = {"8", "16", "32", NULL};
static const char *const layer_step_words[] = {"equal", "glorot", NULL};

#define COUNT(name, min, max) \
    {#name, FIELD_COUNT, offsetof(LutraRecipe, name), min, max, false, NULL}
#define REAL(name, min, max, open) \
    {#name, FIELD_REAL, offsetof(LutraRecipe, name), min, max, open, NULL}
#define WORD(name, words) {#name, FIELD_WORD, offsetof(LutraRecipe, name), 0, 0, false, words}

static const Field fields[] = {
    COUNT(epochs, 1, 100000),
    COUNT(batch, 1, 65536),
    WORD(optimizer, optimizer_words),
    REAL(learning_rate, 0, 1000, true),
    WORD(schedule, schedule_words),
    REAL(warmup, 0, 1, false),
    COUNT(period, 1, 100000),
    REAL(factor, 0, 1, true),
    WORD(loss, loss_words),
    COUNT(crop, 0, 64),
    WORD(flip, flip_words),
    COUNT(cutout, 0, 1024),
    COUNT(validation, 0, 100000000),
    REAL(weight_decay, 0, 1, false),
    REAL(momentum, 0, 1, false),
    WORD(layer_steps, layer_step_words),
    REAL(scaled_weight_steps, 0, 1000, true),
    REAL(norm_steps, 0, 1000, false),
    REAL(logit_steps, 0, 1000, false),
    WORD(gradient_bits, gradient_words),
    COUNT(rounding, 0, 16),
    REAL(noise, 0, 16, false),
    REAL(p_error, 0, 0.9, false),
    REAL(weight_penalty, 0, 1, false),
    REAL(label_smoothing, 0, 1, false),
    COUNT(views, 0, 10000),
    REAL(teacher_weight, 0, 1, false),
    REAL(teacher_temperature, 0, 1000, true),
    REAL(teacher_fade, 0, 1, false),
    REAL(average_keep, 0, 1, false),
    REAL(average_from, 0, 1, false),
    WORD(average_choice, choice_words),
    COUNT(average_images, 1, 100000000),
    {"train_layers", FIELD_LAYERS, offsetof(LutraRecipe, train_layers), 0, 0, false, NULL},
    COUNT(threshold_batches, 1, 1000000),
    REAL(threshold_percentile, 0, 100, true),
    REAL(threshold_steps, 0, 1000, false),
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

void lutra_recipe_default(LutraRecipe *recipe) {
    *recipe = (LutraRecipe){
        .epochs = 30,
        .batch = 100,
        .optimizer = LUTRA_OPTIMIZER_ADAM,
        .learning_rate = 0.02,
        .schedule = LUTRA_SCHEDULE_COSINE,
        .warmup = 0.05,
        .period = 40,
        .factor = 0.5,
        .loss = LUTRA_LOSS_CROSS_ENTROPY,
        .flip = LUTRA_FLIP_NONE,
        .momentum = 0.9,
        .layer_steps = LUTRA_LAYER_STEPS_EQUAL,
        .scaled_weight_steps = 0.05,
        .gradient_bits = LUTRA_GRADIENT_8,
        .norm_steps = 1.0,
        .logit_steps = 1.0,
        .teacher_weight = 0.9,
        .teacher_temperature = 3.0,
        .teacher_fade = 0.2,
        .average_from = 0.7,
        .average_choice = LUTRA_AVERAGE_BY_VALIDATION,
        .average_images = 10000,
        .train_layers = "all",
        .threshold_batches = 300,
        .threshold_percentile = 99.999,
        .threshold_steps = 1.0,
    };
}

/* Enums are stored through a copy of their bytes: their size is that of unsigned int. */
static void store_u32(LutraRecipe *recipe, size_t offset, uint32_t value) {
    memcpy((char *)recipe + offset, &value, sizeof value);
}

static uint32_t load_u32(const LutraRecipe *recipe, size_t offset) {
    uint32_t value = 0;
    memcpy(&value, (const char *)recipe + offset, sizeof value);
    return value;
}

static double load_f64(const LutraRecipe *recipe, size_t offset) {
    double value = 0.0;
    memcpy(&value, (const char *)recipe + offset, sizeof value);
    return value;
}

_Static_assert(sizeof(LutraOptimizerKind) == 4 && sizeof(LutraScheduleKind) == 4 &&
                   sizeof(LutraLossKind) == 4 && sizeof(LutraFlip) == 4 &&
                   sizeof(LutraGradientBits) == 4 && sizeof(LutraLayerStepsKind) == 4 &&
                   sizeof(LutraAverageChoice) == 4,
               "enums are four bytes");

static LutraStatus set_word(LutraRecipe *recipe, const Field *field, const char *value,
                            LutraError *error) {
    char allowed[128] = "";
    for (uint32_t i = 0; field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], value) == 0) {
            store_u32(recipe, field->offset, i);
            return LUTRA_OK;
        }
        const size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", i == 0 ? "" : ", ",
                 field->words[i]);
    }
    return lutra_error_set(error, LUTRA_EINVAL, "invalid value '%.60s' for '%s'; should be one of "
                           "%s", value, field->key, allowed);
}

static LutraStatus set_count(LutraRecipe *recipe, const Field *field, const char *value,
                             LutraError *error) {
    char *end = NULL;
    const bool digit = value[0] >= '0' && value[0] <= '9';
    const unsigned long long count = digit ? strtoull(value, &end, 10) : 0;
    if (!digit || *end != '\0' || (double)count < field->min || (double)count > field->max) {
        return lutra_error_set(error, LUTRA_EINVAL, "invalid value '%.60s' for '%s'; should be an "
                               "integer from %.0f to %.0f", value, field->key, field->min,
                               field->max);
    }
    store_u32(recipe, field->offset, (uint32_t)count);
    return LUTRA_OK;
}

static LutraStatus set_real(LutraRecipe *recipe, const Field *field, const char *value,
                            LutraError *error) {
    char *end = NULL;
    const double real = strtod(value, &end);
    const bool above = field->open_min ? real > field->min : real >= field->min;
    if (end == value || *end != '\0' || !above || !(real <= field->max)) {
        return lutra_error_set(error, LUTRA_EINVAL, "invalid value '%.60s' for '%s'; should be a "
                               "number %s %g and at most %g", value, field->key,
                               field->open_min ? "above" : "of at least", field->min, field->max);
    }
    memcpy((char *)recipe + field->offset, &real, sizeof real);
    return LUTRA_OK;
}

/* One name after another; returns where the next begins, or NULL at the end. */
static const char *next_layer(char name[LUTRA_NAME_BYTES], const char *text) {
    text += strspn(text, " \t,");
    const size_t length = strcspn(text, " \t,");
    if (length == 0) {
        return NULL;
    }
    snprintf(name, LUTRA_NAME_BYTES, "%.*s",
             length < LUTRA_NAME_BYTES ? (int)length : LUTRA_NAME_BYTES - 1, text);
    return text + length;
}

static LutraStatus set_layers(LutraRecipe *recipe, const Field *field, const char *value,
                              LutraError *error) {
    char name[LUTRA_NAME_BYTES];
    const size_t length = strlen(value);
    if (next_layer(name, value) == NULL || length >= LUTRA_TRAIN_LAYERS_BYTES ||
        strpbrk(value, "\n\r#;") != NULL) {
        return lutra_error_set(error, LUTRA_EINVAL, "invalid value '%.60s' for '%s'; should be "
                               "all, or names of layers with blanks between, up to %d letters",
                               value, field->key, LUTRA_TRAIN_LAYERS_BYTES - 1);
    }
    memcpy((char *)recipe + field->offset, value, length + 1);
    return LUTRA_OK;
}

static LutraStatus unknown_key(const char *key, LutraError *error) {
    const char *keys[FIELDS];
    char all[LUTRA_ERROR_BYTES / 2] = "";
    for (size_t i = 0; i < FIELDS; i++) {
        keys[i] = fields[i].key;
        const size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", keys[i]);
    }
    const char *nearest = lutra_nearest_word(key, keys, FIELDS);
    if (nearest != NULL) {
        return lutra_error_set(error, LUTRA_EINVAL, "unknown training key '%.60s'; did you mean "
                               "'%s'? allowed: %s", key, nearest, all);
    }
    return lutra_error_set(error, LUTRA_EINVAL, "unknown training key '%.60s'; allowed: %s", key,
                           all);
}

LutraStatus lutra_recipe_set(LutraRecipe *recipe, const char *key, const char *value,
                             LutraError *error) {
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            switch (fields[i].kind) {
            case FIELD_WORD:
                return set_word(recipe, &fields[i], value, error);
            case FIELD_COUNT:
                return set_count(recipe, &fields[i], value, error);
            case FIELD_REAL:
                return set_real(recipe, &fields[i], value, error);
            case FIELD_LAYERS:
                return set_layers(recipe, &fields[i], value, error);
            }
        }
    }
    return unknown_key(key, error);
}

LutraStatus lutra_recipe_parse(LutraRecipe *recipe, const char *text, const char *name,
                               LutraError *error) {
    LutraIni ini = {0};
    LutraRecipe parsed;
    LutraStatus status = LUTRA_OK;
    lutra_recipe_default(&parsed);
    LUTRA_TRY(lutra_ini_parse(&ini, text, name, error));
    for (size_t i = 0; i < ini.entry_count; i++) {
        const LutraIniEntry *entry = &ini.entries[i];
        if (strcmp(entry->section, "training") != 0) {
            continue;
        }
        if (lutra_recipe_set(&parsed, entry->key, entry->value, error) != LUTRA_OK) {
            char place[128];
            snprintf(place, sizeof place, "%.100s:%d", name, entry->line);
            status = lutra_error_prefix(error, LUTRA_EDATA, place);
            goto done;
        }
    }
    *recipe = parsed;
done:
    lutra_ini_deinit(&ini);
    return status;
}

LutraStatus lutra_recipe_check(const LutraRecipe *recipe, LutraError *error) {
    if (recipe->label_smoothing > 0.0 && recipe->loss != LUTRA_LOSS_CROSS_ENTROPY) {
        return lutra_error_set(error, LUTRA_EINVAL, "'label_smoothing' goes with loss "
                               "cross_entropy; set it to 0 for squared_hinge");
    }
    if (recipe->noise > 0.0 && recipe->p_error > 0.0) {
        return lutra_error_set(error, LUTRA_EINVAL, "'noise' and 'p_error' are two ways to say the "
                               "same; set one of them to 0");
    }
    if (recipe->average_keep > 0.0 && recipe->validation == 0 &&
        recipe->average_choice == LUTRA_AVERAGE_BY_VALIDATION) {
        return lutra_error_set(error, LUTRA_EINVAL, "no images are held out to choose between the "
                               "average and the last weights; set 'validation', or "
                               "'average_choice' to average or last");
    }
    return LUTRA_OK;
}

enum { VALUE_BYTES = LUTRA_TRAIN_LAYERS_BYTES };

static void value_text(char text[VALUE_BYTES], const LutraRecipe *recipe, const Field *field) {
    switch (field->kind) {
    case FIELD_WORD:
        snprintf(text, VALUE_BYTES, "%s", field->words[load_u32(recipe, field->offset)]);
        break;
    case FIELD_COUNT:
        snprintf(text, VALUE_BYTES, "%u", load_u32(recipe, field->offset));
        break;
    case FIELD_REAL:
        snprintf(text, VALUE_BYTES, "%.17g", load_f64(recipe, field->offset));
        break;
    case FIELD_LAYERS:
        snprintf(text, VALUE_BYTES, "%s", (const char *)recipe + field->offset);
        break;
    }
}

void lutra_recipe_text(char text[LUTRA_RECIPE_TEXT_BYTES], const LutraRecipe *recipe) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < FIELDS && used < LUTRA_RECIPE_TEXT_BYTES; i++) {
        char value[VALUE_BYTES];
        value_text(value, recipe, &fields[i]);
        const int wrote = snprintf(text + used, LUTRA_RECIPE_TEXT_BYTES - used, "%s = %s\n",
                                   fields[i].key, value);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    LUTRA_ASSERT(used < LUTRA_RECIPE_TEXT_BYTES);
}

const char *lutra_recipe_difference(const LutraRecipe *a, const LutraRecipe *b) {
    for (size_t i = 0; i < FIELDS; i++) {
        char one[VALUE_BYTES];
        char other[VALUE_BYTES];
        value_text(one, a, &fields[i]);
        value_text(other, b, &fields[i]);
        if (strcmp(one, other) != 0) {
            return fields[i].key;
        }
    }
    return NULL;
}

bool lutra_recipe_trains(const LutraRecipe *recipe, const LutraLayer *layer) {
    char name[LUTRA_NAME_BYTES];
    if (strcmp(recipe->train_layers, "all") == 0) {
        return true;
    }
    const char *rest = next_layer(name, recipe->train_layers);
    while (rest != NULL && strcmp(name, layer->name) != 0) {
        rest = next_layer(name, rest);
    }
    return rest != NULL;
}

LutraStatus lutra_recipe_check_layers(const LutraRecipe *recipe, const LutraNetwork *network,
                                      LutraError *error) {
    char name[LUTRA_NAME_BYTES];
    if (strcmp(recipe->train_layers, "all") == 0) {
        return LUTRA_OK;
    }
    for (const char *rest = next_layer(name, recipe->train_layers); rest != NULL;
         rest = next_layer(name, rest)) {
        uint32_t i = 0;
        while (i < network->layer_count && strcmp(network->layers[i].name, name) != 0) {
            i++;
        }
        if (i == network->layer_count) {
            return lutra_error_set(error, LUTRA_EINVAL, "'train_layers' names '%s', but network "
                                   "'%s' has no such layer; the last one is '%s'", name,
                                   network->name, network->layers[i - 1].name);
        }
    }
    return LUTRA_OK;
}

void lutra_recipe_layer_steps(LutraLayerSteps *steps, const LutraRecipe *recipe,
                              const LutraNetwork *network) {
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraLayer *layer = &network->layers[i];
        const bool weighted = lutra_layer_weight_count(layer) > 0;
        const bool scaled =
            weighted && layer->u.weighted.quantizer.scale != LUTRA_WEIGHT_SCALE_FIXED;
        steps[i].weights = scaled ? recipe->scaled_weight_steps : 1.0;
        if (recipe->layer_steps == LUTRA_LAYER_STEPS_GLOROT) {
            steps[i].weights *= lutra_glorot_factor(network, i);
        }
        steps[i].others =
            layer->kind == LUTRA_LAYER_TENSOR_NORM ? recipe->logit_steps
            : layer->coding.learned                ? recipe->threshold_steps
                                                   : recipe->norm_steps;
        if (!lutra_recipe_trains(recipe, layer)) {
            steps[i] = (LutraLayerSteps){0.0, 0.0};
        }
    }
}

LutraOptimizerSettings lutra_recipe_optimizer(const LutraRecipe *recipe) {
    return (LutraOptimizerSettings){
        .kind = recipe->optimizer,
        .momentum = recipe->momentum,
        .first_decay = 0.9,
        .second_decay = 0.999,
        .epsilon = 1e-8,
        .weight_decay = recipe->weight_decay,
    };
}

LutraSchedule lutra_recipe_schedule(const LutraRecipe *recipe, uint64_t steps_per_epoch) {
    LutraSchedule schedule = {
        .kind = recipe->schedule,
        .peak = recipe->learning_rate,
        .total_steps = recipe->epochs * steps_per_epoch,
        .period = recipe->period * steps_per_epoch,
        .factor = recipe->factor,
    };
    schedule.warmup_steps = (uint64_t)(recipe->warmup * (double)schedule.total_steps);
    return schedule;
}

double lutra_recipe_noise(const LutraRecipe *recipe) {
    return recipe->p_error > 0.0 ? lutra_noise_of_p_error(recipe->p_error) : recipe->noise;
}

uint32_t lutra_recipe_gradient_bits(const LutraRecipe *recipe) {
    return 8u << (uint32_t)recipe->gradient_bits;
}

double lutra_recipe_teacher_weight(const LutraRecipe *recipe, uint64_t step, uint64_t total) {
    const double left = (double)(total - step);
    const double fading = recipe->teacher_fade * (double)total;
    return left < fading ? recipe->teacher_weight * left / fading : recipe->teacher_weight;
}
