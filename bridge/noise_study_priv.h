/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a noise study at work: results of bootstraps, sums of them, and what is counted. */
#ifndef LUTRA_BRIDGE_NOISE_STUDY_PRIV_H
#define LUTRA_BRIDGE_NOISE_STUDY_PRIV_H

#include "bridge/noise_study.h"

/* Where a study stands, in elementary operations. */
typedef struct {
    const LutraProgress *outer;
    double done;
    double total;
    double piece; /* size of the piece of work that runs */
} LutraNoiseStudyTicker;

/** What is counted for one key. */
typedef struct {
    LutraNoiseMoments moments[LUTRA_QUANTITIES];
    uint64_t trials;
    uint64_t failures[LUTRA_MODULUS_SWITCHES][LUTRA_NOISE_STUDY_RATES];
    LutraNoiseConfirmation confirmations[LUTRA_MODULUS_SWITCHES];
    uint64_t curve_trials;
    uint64_t flips[LUTRA_MODULUS_SWITCHES][LUTRA_NOISE_STUDY_MAX_CURVE];
} LutraNoiseTally;

/** Everything owned by one key's measurement. */
typedef struct {
    const LutraNoiseStudySettings *settings;
    LutraNoiseStudyTicker *ticker;
    LutraBackend backends[LUTRA_MODULUS_SWITCHES]; /* with the same keys */
    uint32_t key;                                  /* index */
    size_t words;                                  /* of one ciphertext */
    int32_t weights[4];
    uint64_t *table;        /* (2^p) odd multiples of half a step: all 2^(p+1) results differ */
    uint64_t *outputs;      /* (outputs, words) results of bootstraps */
    uint64_t *output_words; /* (outputs) that they should hold */
    uint32_t *order;        /* (outputs) of the present round */
    uint64_t *sums;         /* (chunk, words) */
    uint64_t *looked_up;    /* (chunk, words) */
    uint64_t *targets;      /* (chunk) words that the sums should hold */
    uint64_t *plain;        /* (chunk) decrypted */
    uint64_t *switched;     /* (chunk) decrypted after the keyswitch */
    uint32_t *positions;    /* (chunk) */
} LutraNoiseKey;

/** Rounds that are run: one if there is one weight. */
uint32_t lutra_noise_study_rounds(const LutraNoiseStudySettings *settings);

/** Weight of result `column` in sum `row` of a block: a quaternion's matrix, orthogonal rows. */
int32_t lutra_noise_study_weight(const int32_t weights[4], uint32_t row, uint32_t column);

/** Smallest value of the curve; its threshold 2^(r-1) stands in the middle. */
int64_t lutra_noise_study_first_value(const LutraNoiseStudySettings *settings);

/** Draws keys, allocates; deinit it also after an error. */
LUTRA_MUST_CHECK LutraStatus lutra_noise_key_init(LutraNoiseKey *state,
                                                  const LutraNoiseStudySettings *settings,
                                                  LutraNoiseStudyTicker *ticker, uint32_t key,
                                                  LutraError *error);
void lutra_noise_key_deinit(LutraNoiseKey *state);

/** Fresh ciphertexts, their bootstraps, sums, failures and the curve: everything of one key. */
LUTRA_MUST_CHECK LutraStatus lutra_noise_key_measure(LutraNoiseKey *state, LutraNoiseTally *tally,
                                                     LutraError *error);

/** Fills intervals, predictions and verdicts from the tallies of `keys` finished keys. */
void lutra_noise_study_conclude(LutraNoiseStudyResult *result,
                                const LutraNoiseStudySettings *settings,
                                const LutraNoiseTally *tallies, uint32_t keys);

#endif
