/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of a subject under real FHE, as figures. */
#ifndef LUTRA_EXPERIMENTS_ENCRYPTED_RUN_H
#define LUTRA_EXPERIMENTS_ENCRYPTED_RUN_H

#include "bridge/verify.h"
#include "experiments/study.h"

/** LUTRA_EUNAVAILABLE if this build or machine has no real FHE. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_encrypt_check(LutraError *error);

/**
 * Runs `count` test images from `first` on real ciphertexts. Keys come from the run's seed and the
 * first image's number: they protect nothing, and the images are public.
 *
 * @param[out] result  owned by the caller
 */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_encrypt(LutraVerifyResult *result,
                                                      const LutraCircuit *circuit,
                                                      const LutraDataset *dataset, uint64_t first,
                                                      uint64_t count, const LutraExperimentRun *run,
                                                      LutraError *error);

/** Seconds, core-seconds, wrong look-ups counted and expected, agreement of answers; `at` tells
 * the setting. */
LUTRA_MUST_CHECK LutraStatus lutra_experiment_encrypt_add(LutraFigures *figures, const char *at,
                                                          const LutraVerifyResult *result,
                                                          const LutraStudyRow *row,
                                                          uint32_t threads, LutraError *error);

/** Whether the figures of a setting are there already. */
bool lutra_experiment_encrypt_known(const LutraFigures *figures, const char *at);

/** Whether nothing in the figures of a setting refutes the prediction of wrong look-ups. */
bool lutra_experiment_encrypt_holds(const LutraFigures *figures, const char *at);

#endif
