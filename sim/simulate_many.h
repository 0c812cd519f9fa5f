/* SPDX-License-Identifier: Apache-2.0 */
/* Several circuits over the same images, as in a sweep over settings. */
#ifndef LUTRA_SIM_SIMULATE_MANY_H
#define LUTRA_SIM_SIMULATE_MANY_H

#include "sim/simulate.h"

/** One run over all images. */
typedef struct {
    const LutraCircuit *circuit; /* passed lutra_circuit_check */
    LutraSimulationMode mode;
    LutraNoiseSettings noise; /* noisy mode only */
} LutraSimulationCase;

/** What lutra_simulate_many tells its caller while it runs. */
typedef struct {
    /** A case is complete; called in the order of the cases, on the caller's thread. Anything but
     * LUTRA_OK ends the run with that status. May be NULL. */
    LutraStatus (*finished)(void *user, uint32_t index, const LutraSimulation *simulation,
                            LutraError *error);
    void *user;
} LutraSimulationListener;

/**
 * lutra_simulate for every case. Circuits that are equal throughout (lutra_circuit_common_prefix)
 * are run once, but for noisy ones: the others get copies of the result, with 0 seconds. Circuits
 * that run bit-sliced (sliced.h) in clear mode run up to 16 at a time, and what they have in common
 * from the first operation on is computed once; `seconds` of each is an equal part of their time.
 *
 * Progress is told over the images of all cases.
 *
 * @param[out] simulations  (count) owned by the caller; unchanged on error, except
 *                          LUTRA_ECANCELLED: then each holds the images that were finished, which
 *                          may be none
 * @param      cases        (count)
 * @param      settings     mode and noise are not read
 * @param      listener     may be NULL
 * @errors those of lutra_simulate and of the listener
 */
LUTRA_MUST_CHECK LutraStatus lutra_simulate_many(LutraSimulation *simulations,
                                                 const LutraSimulationCase *cases, uint32_t count,
                                                 const LutraImages *images,
                                                 const LutraSimulateSettings *settings,
                                                 const LutraSimulationListener *listener,
                                                 LutraError *error);

#endif
