/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of single outputs: for networks of which a whole image would take too long.
 *
 * Of every operation with look-ups, and of the last sums, some outputs are drawn. The integers that
 * the simulation has at the beginning of an output's sum (results of the look-ups before, or the
 * client's) are encrypted with the noise that they would carry there: that of a fresh ciphertext,
 * and Gaussian noise on the body up to the variance that the noise model has for that place. Then
 * the sum, the keyswitch and the bootstrap are made as ever. Errors do not travel from layer to
 * layer here, and what the network answers under encryption stays open.
 */
#ifndef LUTRA_BRIDGE_VERIFY_SAMPLED_PRIV_H
#define LUTRA_BRIDGE_VERIFY_SAMPLED_PRIV_H

#include "bridge/verify_priv.h"

/**
 * Verifies outputs of one image and books them with the observer.
 *
 * @param[in,out] result   neurons are appended, ciphertext_bytes may grow
 * @param[out]    sample   look-ups, mismatches and seconds
 * @param         image    number of the image: part of every draw
 * @param         values   [operation] integers of the image, as lutra_simulate_image_values
 * @errors LUTRA_ENOMEM; those of the backend; LUTRA_ECANCELLED
 */
LUTRA_MUST_CHECK LutraStatus lutra_verify_sampled(LutraVerifyResult *result,
                                                  LutraVerifySample *sample,
                                                  LutraVerifyObserver *observer, uint64_t image,
                                                  const int32_t *const *values,
                                                  const LutraVerifySettings *settings,
                                                  LutraError *error);

/** How many outputs are drawn of each image: progress is counted in them. */
uint64_t lutra_verify_sampled_outputs(const LutraCircuit *circuit, uint32_t neurons);

#endif
