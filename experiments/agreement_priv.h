/* SPDX-License-Identifier: Apache-2.0 */
/* What agreement.c and its charts share. */
#ifndef LUTRA_EXPERIMENTS_AGREEMENT_PRIV_H
#define LUTRA_EXPERIMENTS_AGREEMENT_PRIV_H

#include "experiments/experiment.h"
#include "experiments/study.h"

/* Quantities: the first of the figures of a run and of its samples, the others of samples only. */
#define LUTRA_AGREEMENT_EXPECTED "wrong look-ups predicted"
#define LUTRA_AGREEMENT_CLEAR_LOGIT "logit simulated"
#define LUTRA_AGREEMENT_LOGIT "logit under FHE"

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
