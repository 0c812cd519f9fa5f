/* SPDX-License-Identifier: Apache-2.0 */
/* What agreement.c, its figures and its charts share. */
#ifndef LUTRA_EXPERIMENTS_AGREEMENT_PRIV_H
#define LUTRA_EXPERIMENTS_AGREEMENT_PRIV_H

#include "experiments/experiment.h"
#include "experiments/study.h"

enum { LUTRA_AGREEMENT_MOST_SAMPLES = 1000 };

/* Quantities that stand in samples.csv. */
#define LUTRA_AGREEMENT_WRONG "wrong look-ups"
#define LUTRA_AGREEMENT_EXPECTED "wrong look-ups predicted" /* and among the figures of a run */
#define LUTRA_AGREEMENT_NOISE "noise variance"
#define LUTRA_AGREEMENT_NOISE_PREDICTED "noise variance predicted"
#define LUTRA_AGREEMENT_CLEAR_LOGIT "logit simulated"
#define LUTRA_AGREEMENT_LOGIT "logit under FHE"

/** Where a quantity of a sample stands; `layer` is "" for the whole of it. Returns `at`. */
const char *lutra_agreement_place(char at[LUTRA_FIGURE_TEXT_BYTES], uint32_t sample,
                                  const char *layer);

/**
 * Logits of all samples that have both kinds, in order, pair by pair.
 *
 * @param[out] clear      as simulated; room for samples->count
 * @param[out] encrypted  as decrypted; room for samples->count
 * @return pairs; 0 for samples of a version that wrote no logits
 */
size_t lutra_agreement_logits(double *clear, double *encrypted, const LutraFigures *samples);

/**
 * Figures of all samples that are done, into `run`.
 *
 * @param[in,out] outcome  `done` is read, `holds` is set
 */
LUTRA_MUST_CHECK LutraStatus lutra_agreement_conclude(
    LutraExperimentOutcome *outcome, const LutraFigures *samples, const LutraCircuit *circuit,
    double predicted_seconds, const LutraExperimentRun *run, LutraError *error);

/**
 * Charts of the figures that are in `run`: wrong look-ups and noise by layer, and of `samples`:
 * each logit under FHE against the simulation.
 *
 * @param what  subject and setting, for the subtitle
 */
LUTRA_MUST_CHECK LutraStatus lutra_agreement_draw(const LutraCircuit *circuit,
                                                  const LutraFigures *samples, const char *what,
                                                  const LutraExperimentRun *run, LutraError *error);

#endif
