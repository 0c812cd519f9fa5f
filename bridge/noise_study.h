/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise of one parameter set, measured on ciphertexts and compared with the noise model.
 *
 * For each of several keys: fresh ciphertexts are bootstrapped; every result is added up with three
 * others, with integer weights whose L2 norm is the pattern's, so that a sum's noise is that of a
 * linear layer; sums are keyswitched and brought to the ticks of the blind rotation by both kinds
 * of modulus switch. The tool holds the keys, so each step's own noise is seen by itself:
 *
 *   fresh           decrypted - encrypted word
 *   bootstrap       decrypted - table word
 *   linear          sum's word - the word it should hold
 *   keyswitch       word after the keyswitch - sum's word
 *   modulus switch  position + half a tick - word after the keyswitch
 *   look-up         position + half a tick - the word it should hold: all of the above
 *
 * Half a tick: a look-up reads the cell of the table in which its position lies, and a position
 * stands for the whole tick above it. So the mean of the last two is by how much cells lie too low
 * (LutraPredictedLookup.bias): half a tick for the standard switch, 0 for the centred.
 *
 * Positions decide which entry a look-up reads. Failure rates are counted on them, and a part of
 * the sums is bootstrapped as well to confirm that.
 *
 * Four sums of four results a, b, c, d have the weights of a quaternion's matrix, whose rows are
 * orthogonal: Gaussian noises of different sums are independent although they share inputs.
 *
 * Keys come from a test seed: they are for measuring and protect nothing.
 */
#ifndef LUTRA_BRIDGE_NOISE_STUDY_H
#define LUTRA_BRIDGE_NOISE_STUDY_H

#include "bridge/backend.h"
#include "bridge/noise_statistics.h"
#include "sim/noise.h"

enum {
    LUTRA_NOISE_STUDY_MAX_KEYS = 16,
    LUTRA_NOISE_STUDY_MAX_CURVE = 64,
    LUTRA_NOISE_STUDY_MAX_NORM_SQUARED = 1 << 16,
    LUTRA_NOISE_STUDY_RATES = 2, /* table widths that failures are counted for */
    LUTRA_NOISE_MODELS = 2,      /* arrays by LutraNoiseModel */
    LUTRA_MODULUS_SWITCHES = 2   /* arrays by LutraModulusSwitch */
};

typedef enum {
    LUTRA_QUANTITY_FRESH = 0,
    LUTRA_QUANTITY_BOOTSTRAP = 1,
    LUTRA_QUANTITY_LINEAR = 2,
    LUTRA_QUANTITY_KEYSWITCH = 3,
    LUTRA_QUANTITY_SWITCH_STANDARD = 4,
    LUTRA_QUANTITY_SWITCH_CENTERED = 5,
    LUTRA_QUANTITY_LOOKUP_STANDARD = 6,
    LUTRA_QUANTITY_LOOKUP_CENTERED = 7,
    LUTRA_QUANTITIES = 8
} LutraNoiseQuantity;

/** A few fixed words such as "keyswitch"; never NULL. */
const char *lutra_noise_quantity_name(LutraNoiseQuantity quantity);

/** Where a prediction stands to the interval of what was measured. */
typedef enum {
    LUTRA_MEASURED_AGREES = 0,
    LUTRA_MEASURED_SMALLER = 1, /* less noise, fewer failures than predicted */
    LUTRA_MEASURED_LARGER = 2
} LutraNoiseVerdict;

/** "agrees", "smaller" or "larger"; never NULL. */
const char *lutra_noise_verdict_name(LutraNoiseVerdict verdict);

typedef struct {
    LutraCryptoParameters parameters; /* modulus_switch is not read: both kinds are measured */
    uint32_t precision_bits;          /* p of the table, 1 .. log2_poly - 2 */
    uint32_t norm_squared;            /* sum of squared weights, 1 .. MAX_NORM_SQUARED */
    const LutraBackendOperations *backend;
    LutraBackendSettings backend_settings;
    uint64_t seed;
    uint32_t keys;          /* 1 .. MAX_KEYS */
    uint32_t outputs;       /* bootstraps per key whose results are added up; 4, 8 .. 2^20 */
    uint32_t rounds;        /* sums per key = rounds * outputs; 1 .. 64. A norm of one has one
                               weight, so that more rounds would repeat the same noise: 1 is used */
    uint32_t confirmations; /* sums per key and modulus switch that are bootstrapped, <= outputs */
    uint32_t curve_values;  /* values of the off-by-one curve, even, 0 .. MAX_CURVE and at most
                               2^curve_dropped_bits; 0: no curve */
    uint32_t curve_samples; /* sums per key and value, <= outputs */
    uint32_t curve_dropped_bits;   /* r, 1 .. 16: p + r bits are rounded to p by the look-up */
    const LutraProgress *progress; /* may be NULL */
} LutraNoiseStudySettings;

/** 2 keys, 1,024 outputs, 2 rounds, 128 confirmations, no curve (but 5 dropped bits), tfhe-rs, seed
 * 1. Parameters, precision and norm are left 0. */
void lutra_noise_study_default(LutraNoiseStudySettings *settings);

/** One kind of noise over all keys; deviations are fractions of the torus. */
typedef struct {
    LutraNoiseMoments keys[LUTRA_NOISE_STUDY_MAX_KEYS];
    uint64_t samples;
    double effective_samples; /* independent ones: sums of one output share its noise */
    double std;               /* around each key's mean */
    LutraInterval std_95;     /* of the average over keys: sampling, and the deviation that the
                                 formulas give for as few keys */
    double std_predicted[LUTRA_NOISE_MODELS];
    LutraNoiseVerdict verdict[LUTRA_NOISE_MODELS];
    double mean;
    LutraInterval mean_95; /* of these keys: sampling alone */
    double mean_predicted;
    double key_spread;           /* relative standard deviation of the variance between keys, less
                                    what sampling explains; NAN for one key */
    double key_spread_predicted; /* of the variance, between keys */
} LutraNoiseQuantityResult;

/** Failures of a table of `table_bits` on the same positions. */
typedef struct {
    LutraModulusSwitch modulus_switch;
    uint32_t table_bits;
    uint64_t trials;
    uint64_t failures;
    LutraInterval rate_95;
    double predicted[LUTRA_NOISE_MODELS];
    double predicted_of_measured;                  /* a Gaussian's of the measured deviation */
    LutraNoiseVerdict verdict[LUTRA_NOISE_MODELS]; /* allows for few keys, as std_95 does */
} LutraNoiseRate;

/** Real bootstraps. */
typedef struct {
    uint64_t lookups;
    uint64_t failures;      /* read another entry than the exact sum names */
    uint64_t disagreements; /* read another entry than the position names: must be 0 */
} LutraNoiseConfirmation;

/** One value of the off-by-one curve: p + r bits, rounded to p by the look-up. */
typedef struct {
    int64_t x; /* within the first cell, 0 .. 2^r - 1; the threshold is 2^(r-1) */
    uint64_t trials[LUTRA_MODULUS_SWITCHES];
    uint64_t flips[LUTRA_MODULUS_SWITCHES]; /* gave the other side of the threshold */
    LutraInterval rate_95[LUTRA_MODULUS_SWITCHES];
    double predicted[LUTRA_MODULUS_SWITCHES][LUTRA_NOISE_MODELS];
    double without_bias[LUTRA_NOISE_MODELS]; /* standard switch, were cells not half a tick low */
} LutraNoiseCurvePoint;

/** Plain data: nothing to free. */
typedef struct {
    uint32_t keys; /* finished */
    int32_t weights[4];
    LutraNoiseQuantityResult quantities[LUTRA_QUANTITIES];
    LutraNoiseRate rates[LUTRA_MODULUS_SWITCHES][LUTRA_NOISE_STUDY_RATES]; /* p and p + 1 bits */
    LutraNoiseConfirmation confirmations[LUTRA_MODULUS_SWITCHES];
    uint32_t curve_count;
    LutraNoiseCurvePoint curve[LUTRA_NOISE_STUDY_MAX_CURVE];
    double bias_ticks[LUTRA_MODULUS_SWITCHES]; /* mean of the modulus switch */
    LutraInterval bias_ticks_95[LUTRA_MODULUS_SWITCHES];
    uint64_t key_bytes; /* of one key */
    double seconds;
} LutraNoiseStudyResult;

/** Elementary operations of a study (sim/crypto_cost.h), for a progress bar over several. */
double lutra_noise_study_work(const LutraNoiseStudySettings *settings);

/**
 * Measures one set.
 *
 * @param[out] result  unchanged on error
 * @errors LUTRA_EINVAL settings outside their ranges; those of the backend; LUTRA_ENOMEM;
 *         LUTRA_ECANCELLED
 * @checked tests/bridge/test_noise_study.c (known noise), tests/bridge/test_real_noise.c
 */
LUTRA_MUST_CHECK LutraStatus lutra_noise_study(LutraNoiseStudyResult *result,
                                               const LutraNoiseStudySettings *settings,
                                               LutraError *error);

/**
 * Integer weights a >= b >= c >= d >= 0 with a^2 + b^2 + c^2 + d^2 = norm_squared, as even as
 * possible (least a). Every number is such a sum (Lagrange).
 *
 * @param norm_squared  1 .. LUTRA_NOISE_STUDY_MAX_NORM_SQUARED
 */
void lutra_noise_study_weights(int32_t weights[4], uint32_t norm_squared);

#endif
