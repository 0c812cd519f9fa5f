/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the images, for one circuit or for several that share a part of the work. */
#ifndef LUTRA_SIM_SIMULATE_PRIV_H
#define LUTRA_SIM_SIMULATE_PRIV_H

#include "sim/simulate.h"

/**
 * lutra_simulate of the first of `circuits`, together with as many of the next ones as share work
 * with it: in clear mode, circuits that run bit-sliced in batches (sliced.h), while their scratch
 * is not too large. `seconds` of each is then an equal part of the time of the pass.
 *
 * @param[out]    simulations  (count) pointers; each as of lutra_simulate
 * @param         circuits     (count) that take images of the same shape and classes
 * @param[in,out] count        in: circuits, >= 1; out: how many of them, from the first on, have
 *                             run; unchanged on error, except LUTRA_ECANCELLED
 * @param         settings     progress is told over the images of all circuits that run
 * @errors those of lutra_simulate
 */
LUTRA_MUST_CHECK LutraStatus lutra_simulate_pass(LutraSimulation *const *simulations,
                                                 const LutraCircuit *const *circuits,
                                                 uint32_t *count, const LutraImages *images,
                                                 const LutraSimulateSettings *settings,
                                                 LutraError *error);

#endif
