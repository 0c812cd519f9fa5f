/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What noise a simulation adds, and to what: settings, and the figures that follow from them for
 * one circuit and its crypto parameters.
 *
 * Two ways of drawing the same noise:
 *
 *   sources  every ciphertext is encrypted with noise, every keyswitch, modulus switch and
 *            bootstrap adds its own, and linear operations carry it on, as in FHE: results that
 *            share inputs share their noise. Torus execution only (torus_run.h).
 *   lookups  words are exact; each look-up draws once, with the variance of all noise that has come
 *            together in it. The same distribution for each look-up by itself; noise that two
 *            look-ups would share is drawn twice. Fast (clear.h).
 *
 * And one that needs no parameters: each look-up reads a neighbouring entry with a given
 * probability, either side alike.
 *
 * Not modelled: the part of the modulus switch's noise that a key's number of ones decides, and
 * differences between FFTs.
 */
#ifndef LUTRA_SIM_NOISE_PLAN_H
#define LUTRA_SIM_NOISE_PLAN_H

#include <stdbool.h>

#include "sim/circuit.h"
#include "sim/noise.h"
#include "sim/noise_draw.h"
#include "sim/noisy_read.h"

typedef enum {
    LUTRA_NOISE_LOOKUPS = 0,
    LUTRA_NOISE_SOURCES = 1,
    LUTRA_NOISE_P_ERROR = 2
} LutraNoiseKind;

typedef struct {
    LutraNoiseKind kind;
    LutraNoiseModel model;   /* formulas for variances; not read by p_error */
    bool rounds_separately;  /* sources: message and modulus-switch noise are each rounded to ticks
                                and then added (Concrete's simulator) instead of together (FHE) */
    double p_error;          /* p_error: of each look-up, 0 .. 1 */
    uint64_t seed;
    uint32_t repeat;         /* another set of draws from the same seed */
    uint32_t only_operation; /* lookups, p_error: the one operation whose look-ups are noisy;
                                UINT32_MAX: all */
} LutraNoiseSettings;

/** Look-ups, tfhe-rs's formulas, rounded together, seed 1, repeat 0, all operations. */
void lutra_noise_settings_default(LutraNoiseSettings *settings);

/** Sources of noise of one operation, for `sources`: of its look-ups, and of its values if the
 * client encrypts them. Deviations are fractions of the torus. */
typedef struct {
    uint32_t log2_poly;
    bool is_centered; /* kind of modulus switch: cells are not half a tick low */
    double fresh_deviation;
    double keyswitch_deviation;
    double modulus_switch_deviation;
    double bootstrap_deviation;
} LutraNoiseSources;

/** Noise of one operation. */
typedef struct {
    uint32_t parts;          /* look-ups of one element: 1 for a table, t for an exact rounding; 0:
                                none that is noisy */
    LutraNoisyRead *reads;   /* lookups, p_error: (channels, parts), owned; NULL if parts is 0 */
    LutraNoisyRead *decodes; /* lookups: (channels) of values that the client decrypts, owned; or
                                NULL */
    LutraNoiseSources sources; /* sources only */
} LutraNoisyOperation;

/** Never changes after creation; threads may share it. */
typedef struct {
    LutraNoiseSettings settings;
    uint32_t operation_count;
    LutraNoisyOperation *operations; /* (operation_count), owned */
} LutraNoisePlan;

/**
 * Computes a plan for a circuit that passed lutra_circuit_check.
 *
 * A channel's look-ups all get the variance of its noisiest one: beside a border, where fewer
 * weights count, the noise is a little overstated (sources have it exactly).
 *
 * @param[out] plan  deinit it; zeroed on error
 * @errors LUTRA_EDATA the circuit has no crypto parameters (but for p_error); LUTRA_EINVAL settings
 *         outside their ranges; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_noise_plan_init(LutraNoisePlan *plan,
                                                   const LutraCircuit *circuit,
                                                   const LutraNoiseSettings *settings,
                                                   LutraError *error);

void lutra_noise_plan_deinit(LutraNoisePlan *plan);

/** Address of one operation's draws for one image. */
LutraNoiseAddress lutra_noise_plan_address(const LutraNoisePlan *plan, LutraRandomStream stream,
                                           uint32_t operation, uint64_t image, uint32_t part);

/** "lookups", "sources" or "p-error"; never NULL. */
const char *lutra_noise_kind_name(LutraNoiseKind kind);

#endif
