/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One key of a noise study: results of bootstraps, sums of them, and where they are read.
 *
 * Legend: p = table bits; N = polynomial size; tick = 1 / (2N) of the torus.
 */
#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "bridge/linear.h"
#include "bridge/noise_study_priv.h"
#include "sim/crypto_cost.h"
#include "sim/torus_encoding.h"
#include "sim/torus_rounding.h"

enum { CHUNK = 256, FIRST_CURVE_ROUND = 64, ROUNDS_PER_KEY = 1 << 12 };

/* --- small things ----------------------------------------------------------------------------- */

/** a - b as a signed fraction of the torus. */
static double torus_difference(uint64_t a, uint64_t b) {
    return lutra_word_deviation(a - b, 0, 1);
}

/** Which of the 2^(bits+1) entries a position reads (LutraBackendOperations.lookup_positions). */
static uint32_t entry_at(uint32_t position, uint32_t bits, uint32_t log2_poly) {
    const uint32_t width = 1u << (log2_poly - bits);
    return (position + width / 2) / width % (2u << bits);
}

/** Word in the middle of a position's tick. */
static uint64_t word_of_position(uint32_t position, uint32_t log2_poly) {
    return ((uint64_t)position * 2 + 1) << (62 - log2_poly);
}

/** The entry, 0 .. 2^(p+1) - 1, whose look-up in the study's table gave this word. */
static uint32_t entry_of_result(uint64_t word, uint32_t bits) {
    const uint32_t half = 1u << bits;
    const uint32_t step = (uint32_t)(word >> (63 - bits));
    return step < half ? step : half + (2 * half - 1 - step);
}

static LutraRandomKey random_key(const LutraNoiseKey *state, uint32_t round) {
    return (LutraRandomKey){state->settings->seed, LUTRA_STREAM_NOISE_STUDY,
                            state->key * ROUNDS_PER_KEY + round};
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* --- progress --------------------------------------------------------------------------------- */

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const LutraNoiseStudyTicker *const ticker = user;
    const double share = total == 0 ? 0.0 : (double)done / (double)total;
    (void)stage;
    const double at = fmin(ticker->done + share * ticker->piece, ticker->total);
    return lutra_progress_tick(ticker->outer, "measuring noise", (uint64_t)at,
                               (uint64_t)ticker->total, figure)
               ? 1
               : 0;
}

/** What a long call of the backend reports to; `work` is its size in elementary operations. */
static LutraProgress piece_of(LutraNoiseStudyTicker *ticker, double work) {
    ticker->piece = work;
    return (LutraProgress){tick, NULL, ticker};
}

/** Notes finished work that had no progress of its own. */
static LutraStatus finish(LutraNoiseStudyTicker *ticker, double work, LutraError *error) {
    ticker->done += work;
    ticker->piece = 0.0;
    return tick(ticker, "", 0, 1, (double)NAN) != 0
               ? lutra_error_set(error, LUTRA_ECANCELLED, "cancelled")
               : LUTRA_OK;
}

static double keyswitch_work(const LutraCryptoParameters *set) {
    return lutra_cost_keyswitch(set->glwe_dim << set->log2_poly, set->lwe_dim, set->ks_level);
}

/* Key generation takes about as long as this many look-ups. */
static double keygen_work(const LutraCryptoParameters *set) {
    return 100.0 * lutra_cost_lookup(set);
}

double lutra_noise_study_work(const LutraNoiseStudySettings *settings) {
    const LutraCryptoParameters *const set = &settings->parameters;
    const double lookups = (double)settings->outputs + 2.0 * settings->confirmations;
    const double keyswitches = 3.0 * settings->outputs * lutra_noise_study_rounds(settings) +
                               2.0 * settings->curve_values * settings->curve_samples;
    return settings->keys * (2.0 * keygen_work(set) + lookups * lutra_cost_lookup(set) +
                             keyswitches * keyswitch_work(set));
}

/* --- life ------------------------------------------------------------------------------------- */

uint32_t lutra_noise_study_rounds(const LutraNoiseStudySettings *settings) {
    int32_t weights[4];
    lutra_noise_study_weights(weights, settings->norm_squared);
    return weights[1] == 0 ? 1 : settings->rounds;
}

int64_t lutra_noise_study_first_value(const LutraNoiseStudySettings *settings) {
    return (INT64_C(1) << (settings->curve_dropped_bits - 1)) - settings->curve_values / 2;
}

static LutraStatus open_backends(LutraNoiseKey *state, LutraError *error) {
    const LutraNoiseStudySettings *const settings = state->settings;
    uint8_t seed[LUTRA_TEST_SEED_BYTES] = {0};
    for (size_t i = 0; i < 8; i++) {
        seed[i] = (uint8_t)(settings->seed >> (8 * i));
    }
    seed[8] = (uint8_t)state->key;
    const double work = keygen_work(&settings->parameters);
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        LutraCryptoParameters parameters = settings->parameters;
        parameters.modulus_switch = kind;
        LUTRA_TRY(lutra_backend_create(&state->backends[kind], settings->backend, &parameters,
                                       &settings->backend_settings, error));
        const LutraBackend *const backend = &state->backends[kind];
        const LutraProgress progress = piece_of(state->ticker, work);
        LUTRA_TRY(backend->operations->generate_keys(backend->context, seed, &progress, error));
        LUTRA_TRY(finish(state->ticker, work, error));
    }
    state->words = state->backends[0].operations->ciphertext_words(state->backends[0].context);
    return LUTRA_OK;
}

static LutraStatus allocate(LutraNoiseKey *state, LutraError *error) {
    const size_t outputs = state->settings->outputs;
    const size_t bytes = state->words * sizeof(uint64_t);
    const uint32_t bits = state->settings->precision_bits;
    LUTRA_TRY(lutra_alloc(&state->table, (size_t)1 << bits, sizeof *state->table, error));
    LUTRA_TRY(lutra_alloc(&state->outputs, outputs, bytes, error));
    LUTRA_TRY(lutra_alloc(&state->output_words, outputs, sizeof *state->output_words, error));
    LUTRA_TRY(lutra_alloc(&state->order, outputs, sizeof *state->order, error));
    LUTRA_TRY(lutra_alloc(&state->sums, CHUNK, bytes, error));
    LUTRA_TRY(lutra_alloc(&state->looked_up, CHUNK, bytes, error));
    LUTRA_TRY(lutra_alloc(&state->targets, CHUNK, sizeof *state->targets, error));
    LUTRA_TRY(lutra_alloc(&state->plain, CHUNK, sizeof *state->plain, error));
    LUTRA_TRY(lutra_alloc(&state->switched, CHUNK, sizeof *state->switched, error));
    LUTRA_TRY(lutra_alloc(&state->positions, CHUNK, sizeof *state->positions, error));
    for (uint64_t i = 0; i < UINT64_C(1) << bits; i++) {
        state->table[i] = (2 * i + 1) << (62 - bits);
    }
    return LUTRA_OK;
}

LutraStatus lutra_noise_key_init(LutraNoiseKey *state, const LutraNoiseStudySettings *settings,
                                 LutraNoiseStudyTicker *ticker, uint32_t key, LutraError *error) {
    *state = (LutraNoiseKey){.settings = settings, .ticker = ticker, .key = key};
    lutra_noise_study_weights(state->weights, settings->norm_squared);
    LUTRA_TRY(open_backends(state, error));
    return allocate(state, error);
}

void lutra_noise_key_deinit(LutraNoiseKey *state) {
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        lutra_backend_destroy(&state->backends[kind]);
    }
    lutra_free(&state->table);
    lutra_free(&state->outputs);
    lutra_free(&state->output_words);
    lutra_free(&state->order);
    lutra_free(&state->sums);
    lutra_free(&state->looked_up);
    lutra_free(&state->targets);
    lutra_free(&state->plain);
    lutra_free(&state->switched);
    lutra_free(&state->positions);
}

/* --- what is added up ------------------------------------------------------------------------- */

/**
 * Encrypts random values into state->outputs and bootstraps them in place. A look-up that reads a
 * wrong entry does no harm: the nearest entry's word is what the result is taken for, and noise of
 * a bootstrap never reaches the next one.
 */
static LutraStatus make_outputs(LutraNoiseKey *state, LutraNoiseTally *tally, LutraError *error) {
    const LutraNoiseStudySettings *const settings = state->settings;
    const LutraBackend *const backend = &state->backends[LUTRA_MODULUS_SWITCH_CENTERED];
    const LutraBackendOperations *const does = backend->operations;
    const uint32_t bits = settings->precision_bits;
    const LutraBackendTables tables = {state->table, 1, bits};
    const double lookup_work = lutra_cost_lookup(&settings->parameters);
    const LutraRandomKey draws = random_key(state, ROUNDS_PER_KEY - 1);
    for (uint32_t first = 0; first < settings->outputs; first += CHUNK) {
        const uint32_t count = least(CHUNK, settings->outputs - first);
        uint64_t *const ciphertexts = state->outputs + first * state->words;
        for (uint32_t i = 0; i < count; i++) {
            const uint64_t x = lutra_random_below(draws, first + i, UINT64_C(2) << bits);
            state->targets[i] = x << (63 - bits);
        }
        LUTRA_TRY(does->encrypt(backend->context, ciphertexts, state->targets, count, error));
        LUTRA_TRY(does->decrypt(backend->context, state->plain, ciphertexts, count, error));
        for (uint32_t i = 0; i < count; i++) {
            lutra_noise_moments_add(&tally->moments[LUTRA_QUANTITY_FRESH],
                                    torus_difference(state->plain[i], state->targets[i]));
        }
        const LutraProgress progress = piece_of(state->ticker, count * lookup_work);
        LUTRA_TRY(does->bootstrap(backend->context, ciphertexts, ciphertexts, count, &tables, NULL,
                                  &progress, error));
        LUTRA_TRY(does->decrypt(backend->context, state->plain, ciphertexts, count, error));
        for (uint32_t i = 0; i < count; i++) {
            const uint64_t step = state->plain[i] >> (63 - bits);
            const uint64_t word = (2 * step + 1) << (62 - bits);
            state->output_words[first + i] = word;
            lutra_noise_moments_add(&tally->moments[LUTRA_QUANTITY_BOOTSTRAP],
                                    torus_difference(state->plain[i], word));
        }
        LUTRA_TRY(finish(state->ticker, count * lookup_work, error));
    }
    return LUTRA_OK;
}

int32_t lutra_noise_study_weight(const int32_t weights[4], uint32_t row, uint32_t column) {
    static const uint8_t place[4][4] = {{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}};
    static const int8_t sign[4][4] = {{1, 1, 1, 1}, {-1, 1, -1, 1}, {-1, 1, 1, -1}, {-1, -1, 1, 1}};
    return sign[row][column] * weights[place[row][column]];
}

/** Sum number `row` of four results. */
static void add_up(const LutraNoiseKey *state, uint64_t *sum, const uint32_t *members, uint32_t row,
                   uint64_t target) {
    uint64_t exact = 0;
    uint64_t weights[4];
    for (uint32_t i = 0; i < 4; i++) {
        weights[i] = (uint64_t)(int64_t)lutra_noise_study_weight(state->weights, row, i);
        exact += weights[i] * state->output_words[members[i]];
    }
    const uint64_t *const a = state->outputs + members[0] * state->words;
    const uint64_t *const b = state->outputs + members[1] * state->words;
    const uint64_t *const c = state->outputs + members[2] * state->words;
    const uint64_t *const d = state->outputs + members[3] * state->words;
    for (size_t i = 0; i < state->words; i++) {
        sum[i] = weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i] + weights[3] * d[i];
    }
    lutra_ciphertexts_add_constant(sum, target - exact, 1, state->words);
}

/** state->sums of the present order, which should hold state->targets. `first` is a multiple of 4.
 */
static void make_sums(LutraNoiseKey *state, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t block = (first + i) & ~3u;
        add_up(state, state->sums + i * state->words, state->order + block, (first + i) & 3u,
               state->targets[i]);
    }
}

/* --- where sums are read ---------------------------------------------------------------------- */

static LutraStatus read_positions(LutraNoiseKey *state, uint32_t kind, uint32_t count,
                                  LutraError *error) {
    const LutraBackend *const backend = &state->backends[kind];
    return backend->operations->lookup_positions(backend->context, state->positions, state->sums,
                                                 count, error);
}

/** Deviations and failures of one kind of modulus switch. */
static void tally_positions(const LutraNoiseKey *state, LutraNoiseTally *tally, uint32_t kind,
                            uint32_t count) {
    const uint32_t bits = state->settings->precision_bits;
    const uint32_t log2_poly = state->settings->parameters.log2_poly;
    LutraNoiseMoments *const switches = &tally->moments[LUTRA_QUANTITY_SWITCH_STANDARD + kind];
    LutraNoiseMoments *const lookups = &tally->moments[LUTRA_QUANTITY_LOOKUP_STANDARD + kind];
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t word = word_of_position(state->positions[i], log2_poly);
        lutra_noise_moments_add(switches, torus_difference(word, state->switched[i]));
        lutra_noise_moments_add(lookups, torus_difference(word, state->targets[i]));
        for (uint32_t wider = 0; wider < LUTRA_NOISE_STUDY_RATES; wider++) {
            const uint32_t width = bits + wider;
            const uint32_t right = (uint32_t)(state->targets[i] >> (63 - width));
            tally->failures[kind][wider] +=
                entry_at(state->positions[i], width, log2_poly) != right;
        }
    }
}

/** Bootstraps the first `count` sums, whose positions are known. */
static LutraStatus confirm(LutraNoiseKey *state, LutraNoiseTally *tally, uint32_t kind,
                           uint32_t count, LutraError *error) {
    const LutraNoiseStudySettings *const settings = state->settings;
    const LutraBackend *const backend = &state->backends[kind];
    const uint32_t bits = settings->precision_bits;
    const LutraBackendTables tables = {state->table, 1, bits};
    const double work = count * lutra_cost_lookup(&settings->parameters);
    const LutraProgress progress = piece_of(state->ticker, work);
    LutraNoiseConfirmation *const confirmation = &tally->confirmations[kind];
    LUTRA_TRY(backend->operations->bootstrap(backend->context, state->looked_up, state->sums, count,
                                             &tables, NULL, &progress, error));
    LUTRA_TRY(backend->operations->decrypt(backend->context, state->plain, state->looked_up, count,
                                           error));
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t read = entry_of_result(state->plain[i], bits);
        const uint32_t position =
            entry_at(state->positions[i], bits, settings->parameters.log2_poly);
        confirmation->lookups++;
        confirmation->failures += read != state->targets[i] >> (63 - bits);
        confirmation->disagreements += read != position;
    }
    return finish(state->ticker, work, error);
}

/** One chunk of one round: every step's noise. */
static LutraStatus measure_chunk(LutraNoiseKey *state, LutraNoiseTally *tally, uint32_t count,
                                 uint32_t confirmations, LutraError *error) {
    const LutraBackend *const backend = &state->backends[LUTRA_MODULUS_SWITCH_CENTERED];
    LUTRA_TRY(
        backend->operations->decrypt(backend->context, state->plain, state->sums, count, error));
    LUTRA_TRY(backend->operations->keyswitch_decrypt(backend->context, state->switched, state->sums,
                                                     count, error));
    for (uint32_t i = 0; i < count; i++) {
        lutra_noise_moments_add(&tally->moments[LUTRA_QUANTITY_LINEAR],
                                torus_difference(state->plain[i], state->targets[i]));
        lutra_noise_moments_add(&tally->moments[LUTRA_QUANTITY_KEYSWITCH],
                                torus_difference(state->switched[i], state->plain[i]));
    }
    tally->trials += count;
    for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
        LUTRA_TRY(read_positions(state, kind, count, error));
        tally_positions(state, tally, kind, count);
        if (confirmations > 0) {
            LUTRA_TRY(confirm(state, tally, kind, confirmations, error));
        }
    }
    return finish(state->ticker, 3.0 * count * keyswitch_work(&state->settings->parameters), error);
}

static LutraStatus measure_round(LutraNoiseKey *state, LutraNoiseTally *tally, uint32_t round,
                                 LutraError *error) {
    const LutraNoiseStudySettings *const settings = state->settings;
    const uint32_t bits = settings->precision_bits;
    const LutraRandomKey draws = random_key(state, round);
    lutra_random_permutation(state->order, settings->outputs, draws);
    for (uint32_t first = 0; first < settings->outputs; first += CHUNK) {
        const uint32_t count = least(CHUNK, settings->outputs - first);
        const uint32_t wanted = round == 0 ? settings->confirmations : 0;
        for (uint32_t i = 0; i < count; i++) {
            const uint64_t counter = (UINT64_C(1) << 40) + first + i;
            state->targets[i] = lutra_random_below(draws, counter, UINT64_C(2) << bits)
                                << (63 - bits);
        }
        make_sums(state, first, count);
        LUTRA_TRY(measure_chunk(state, tally, count,
                                wanted > first ? least(count, wanted - first) : 0, error));
    }
    return LUTRA_OK;
}

/* --- the off-by-one curve --------------------------------------------------------------------- */

/** One value, in every cell in turn. */
static LutraStatus measure_value(LutraNoiseKey *state, LutraNoiseTally *tally, uint32_t index,
                                 LutraError *error) {
    const LutraNoiseStudySettings *const settings = state->settings;
    const uint32_t bits = settings->precision_bits;
    const uint32_t dropped = settings->curve_dropped_bits;
    const LutraRoundOperation rounding = {dropped, LUTRA_ROUNDING_APPROXIMATE, NULL};
    const uint64_t constant = lutra_word_round_constant(&rounding, 0, bits + dropped);
    const int64_t x = lutra_noise_study_first_value(settings) + index;
    const bool up = x >= INT64_C(1) << (dropped - 1);
    const uint32_t entries = 2u << bits;
    lutra_random_permutation(state->order, settings->outputs,
                             random_key(state, FIRST_CURVE_ROUND + index));
    for (uint32_t first = 0; first < settings->curve_samples; first += CHUNK) {
        const uint32_t count = least(CHUNK, settings->curve_samples - first);
        for (uint32_t i = 0; i < count; i++) {
            const int64_t cell = (first + i) % entries;
            state->targets[i] =
                lutra_word_encode(x + cell * (INT64_C(1) << dropped), bits + dropped) + constant;
        }
        make_sums(state, first, count);
        for (uint32_t kind = 0; kind < LUTRA_MODULUS_SWITCHES; kind++) {
            LUTRA_TRY(read_positions(state, kind, count, error));
            for (uint32_t i = 0; i < count; i++) {
                const uint32_t other = ((first + i) % entries + (up ? 0 : 1)) % entries;
                tally->flips[kind][index] +=
                    entry_at(state->positions[i], bits, settings->parameters.log2_poly) == other;
            }
        }
        LUTRA_TRY(
            finish(state->ticker, 2.0 * count * keyswitch_work(&settings->parameters), error));
    }
    return LUTRA_OK;
}

LutraStatus lutra_noise_key_measure(LutraNoiseKey *state, LutraNoiseTally *tally,
                                    LutraError *error) {
    const LutraNoiseStudySettings *const settings = state->settings;
    LUTRA_TRY(make_outputs(state, tally, error));
    for (uint32_t round = 0; round < lutra_noise_study_rounds(settings); round++) {
        LUTRA_TRY(measure_round(state, tally, round, error));
    }
    tally->curve_trials = settings->curve_samples;
    for (uint32_t index = 0; index < settings->curve_values; index++) {
        LUTRA_TRY(measure_value(state, tally, index, error));
    }
    return LUTRA_OK;
}
