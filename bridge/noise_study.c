/* SPDX-License-Identifier: Apache-2.0 */
/* A noise study from key to key; see noise_study.h. */
#include "bridge/noise_study.h"

#include "base/clock.h"
#include "base/memory.h"
#include "bridge/noise_study_priv.h"
#include "sim/circuit.h"

enum { MOST_OUTPUTS = 1 << 20, MOST_ROUNDS = 64, MOST_DROPPED_BITS = 16 };

void lutra_noise_study_default(LutraNoiseStudySettings *settings) {
    *settings = (LutraNoiseStudySettings){.backend = lutra_backend_tfhe(),
                                          .seed = 1,
                                          .keys = 2,
                                          .outputs = 1024,
                                          .rounds = 2,
                                          .confirmations = 128,
                                          .curve_dropped_bits = 5};
    lutra_backend_settings_default(&settings->backend_settings);
}

const char *lutra_noise_quantity_name(LutraNoiseQuantity quantity) {
    switch (quantity) {
        case LUTRA_QUANTITY_FRESH: return "fresh";
        case LUTRA_QUANTITY_BOOTSTRAP: return "bootstrap";
        case LUTRA_QUANTITY_LINEAR: return "linear";
        case LUTRA_QUANTITY_KEYSWITCH: return "keyswitch";
        case LUTRA_QUANTITY_SWITCH_STANDARD: return "modulus_switch_standard";
        case LUTRA_QUANTITY_SWITCH_CENTERED: return "modulus_switch_centred";
        case LUTRA_QUANTITY_LOOKUP_STANDARD: return "lookup_standard";
        case LUTRA_QUANTITY_LOOKUP_CENTERED: return "lookup_centred";
        case LUTRA_QUANTITIES: break;
    }
    return "unknown";
}

const char *lutra_noise_verdict_name(LutraNoiseVerdict verdict) {
    switch (verdict) {
        case LUTRA_MEASURED_AGREES: return "agrees";
        case LUTRA_MEASURED_SMALLER: return "smaller";
        case LUTRA_MEASURED_LARGER: return "larger";
    }
    return "unknown";
}

/** Whether `rest` is c^2 + d^2 with c >= d >= 0 and c <= most. */
static bool two_squares(int32_t *c, int32_t *d, int32_t rest, int32_t most) {
    for (*c = 0; *c <= most && *c * *c <= rest; ++*c) {
        for (*d = 0; *d <= *c; ++*d) {
            if (*c * *c + *d * *d == rest) {
                return true;
            }
        }
    }
    return false;
}

void lutra_noise_study_weights(int32_t weights[4], uint32_t norm_squared) {
    LUTRA_ASSERT(norm_squared >= 1 && norm_squared <= LUTRA_NOISE_STUDY_MAX_NORM_SQUARED);
    const int32_t target = (int32_t)norm_squared;
    for (int32_t a = 1; a * a <= target; a++) {
        for (int32_t b = 0; b <= a && a * a + b * b <= target; b++) {
            int32_t c = 0;
            int32_t d = 0;
            if (two_squares(&c, &d, target - a * a - b * b, b)) {
                weights[0] = a;
                weights[1] = b;
                weights[2] = c;
                weights[3] = d;
                return;
            }
        }
    }
    LUTRA_ASSERT(!"every number is a sum of four squares");
}

static bool is_between(uint32_t value, uint32_t low, uint32_t high) {
    return value >= low && value <= high;
}

static LutraStatus check(const LutraNoiseStudySettings *s, LutraError *error) {
    const uint32_t log2_poly = s->parameters.log2_poly;
    if (!is_between(log2_poly, 3, 30) || !is_between(s->precision_bits, 1, log2_poly - 2) ||
        !is_between(s->norm_squared, 1, LUTRA_NOISE_STUDY_MAX_NORM_SQUARED)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "cannot study %u bits of precision with a squared norm of %u and "
                               "polynomials of 2^%u",
                               s->precision_bits, s->norm_squared, log2_poly);
    }
    if (!is_between(s->keys, 1, LUTRA_NOISE_STUDY_MAX_KEYS) ||
        !is_between(s->outputs, 4, MOST_OUTPUTS) || s->outputs % 4 != 0 ||
        !is_between(s->rounds, 1, MOST_ROUNDS) || s->confirmations > s->outputs) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "cannot study %u keys with %u outputs in %u rounds and %u "
                               "confirmations",
                               s->keys, s->outputs, s->rounds, s->confirmations);
    }
    if (!is_between(s->curve_dropped_bits, 1, MOST_DROPPED_BITS) || s->curve_values % 2 != 0 ||
        s->curve_values > LUTRA_NOISE_STUDY_MAX_CURVE ||
        s->curve_values > 1u << s->curve_dropped_bits || s->curve_samples > s->outputs) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "cannot measure a curve of %u values that drops %u bits with %u "
                               "samples each",
                               s->curve_values, s->curve_dropped_bits, s->curve_samples);
    }
    return LUTRA_OK;
}

static LutraStatus study_key(LutraNoiseTally *tally, uint64_t *key_bytes,
                             const LutraNoiseStudySettings *settings, LutraNoiseStudyTicker *ticker,
                             uint32_t key, LutraError *error) {
    LutraNoiseKey state;
    LutraStatus status = lutra_noise_key_init(&state, settings, ticker, key, error);
    if (status == LUTRA_OK) {
        *key_bytes = state.backends[0].operations->key_bytes(state.backends[0].context);
        status = lutra_noise_key_measure(&state, tally, error);
    }
    lutra_noise_key_deinit(&state);
    return status;
}

LutraStatus lutra_noise_study(LutraNoiseStudyResult *result,
                              const LutraNoiseStudySettings *settings, LutraError *error) {
    LUTRA_TRY(check(settings, error));
    const double start = lutra_seconds();
    LutraNoiseStudyTicker ticker = {.outer = settings->progress,
                                    .total = lutra_noise_study_work(settings)};
    LutraNoiseTally *tallies = NULL;
    LutraStatus status = LUTRA_OK;
    uint64_t key_bytes = 0;
    LUTRA_TRY(lutra_alloc(&tallies, settings->keys, sizeof *tallies, error));
    for (uint32_t key = 0; key < settings->keys; key++) {
        LUTRA_TRY_GOTO(status, study_key(&tallies[key], &key_bytes, settings, &ticker, key, error));
    }
    *result = (LutraNoiseStudyResult){.key_bytes = key_bytes};
    lutra_noise_study_conclude(result, settings, tallies, settings->keys);
    result->seconds = lutra_seconds() - start;
done:
    lutra_free(&tallies);
    return status;
}
