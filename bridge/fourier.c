/* SPDX-License-Identifier: Apache-2.0 */
/* Factors of the negacyclic Fourier transform; see fourier.h. */
#include "bridge/fourier.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/** By how much of a turn the ring of a node is twisted: c = exp(2 pi i turn). */
static double turn_of_node(uint32_t depth, size_t node) {
    double turn = 0.25;
    for (uint32_t bit = depth; bit-- > 0;) {
        turn = turn / 2.0 + ((node >> bit & 1) != 0 ? 0.5 : 0.0);
    }
    return turn;
}

static void fill_factors(LutraFourierPlan *plan) {
    static const double two_pi = 6.283185307179586476925286766559;
    const size_t points = (size_t)1 << plan->log2_points;
    for (uint32_t depth = 0; depth < plan->log2_points; depth++) {
        for (size_t node = 0; node < (size_t)1 << depth; node++) {
            const double angle = two_pi * turn_of_node(depth, node) / 2.0;
            const size_t at = ((size_t)1 << depth) + node;
            plan->factors[at] = cos(angle);
            plan->factors[points + at] = sin(angle);
        }
    }
}

/** Node `lane` of a group has its own factor, then that of its children 2p, 4p and 4p + 2. */
static void fill_last(LutraFourierPlan *plan) {
    const size_t points = (size_t)1 << plan->log2_points;
    const size_t nodes = points / LUTRA_FOURIER_LANES; /* at the third last depth */
    for (size_t node = 0; node < nodes; node++) {
        const size_t lane = node % LUTRA_FOURIER_LANES;
        const size_t sources[4] = {nodes + node, 2 * (nodes + node), 4 * (nodes + node),
                                   4 * (nodes + node) + 2};
        double *const group = plan->last + node / LUTRA_FOURIER_LANES * 64;
        for (size_t f = 0; f < 4; f++) {
            group[f * 16 + lane] = plan->factors[sources[f]];
            group[f * 16 + 8 + lane] = plan->factors[points + sources[f]];
        }
    }
}

LutraStatus lutra_fourier_plan_init(LutraFourierPlan *plan, uint32_t log2_poly,
                                    LutraError *error) {
    LUTRA_ASSERT(log2_poly >= LUTRA_FOURIER_MIN_LOG2 && log2_poly <= LUTRA_FOURIER_MAX_LOG2);
    LutraFourierPlan made = {.log2_points = log2_poly - 1};
    const size_t points = (size_t)1 << made.log2_points;
    memset(plan, 0, sizeof *plan);
    LUTRA_TRY(lutra_alloc(&made.factors, 2 * points, sizeof(double), error));
    const LutraStatus status = lutra_alloc(&made.last, points, sizeof(double), error);
    if (status != LUTRA_OK) {
        lutra_fourier_plan_deinit(&made);
        return status;
    }
    fill_factors(&made);
    fill_last(&made);
    *plan = made;
    return LUTRA_OK;
}

void lutra_fourier_plan_deinit(LutraFourierPlan *plan) {
    lutra_free(&plan->factors);
    lutra_free(&plan->last);
    memset(plan, 0, sizeof *plan);
}
