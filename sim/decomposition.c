/* SPDX-License-Identifier: Apache-2.0 */
/* One scan serves both kinds of key: it asks a Noise for the variance of a level and a base. */
#include "sim/decomposition.h"

#include <math.h>
#include <stdbool.h>

enum {
    WORD_BITS = 64,
    /* Levels without gain and with the smallest base: after so many nothing better can come. */
    PATIENCE = 16
};

typedef struct {
    LutraNoiseModel model;
    bool bootstrap;
    uint32_t glwe_dim;
    uint32_t log2_poly;
    double std;
} Noise;

static double variance(const Noise *noise, uint32_t level, uint32_t base_log) {
    return noise->bootstrap ? lutra_noise_bootstrap(noise->model, 1, noise->glwe_dim,
                                                    noise->log2_poly, level, base_log, noise->std)
                            : lutra_noise_keyswitch(noise->model, 1, level, base_log, noise->std);
}

/* Noise over the base falls and then rises, and the best base falls with the level: each scan goes
 * down from the last best. */
static LutraDecomposition best_of_level(const Noise *noise, uint32_t level, uint32_t largest_base) {
    LutraDecomposition best = {.level = level, .var_t2 = INFINITY};
    for (uint32_t base_log = largest_base; base_log >= 1; base_log--) {
        const double var_t2 = variance(noise, level, base_log);
        if (var_t2 > best.var_t2) {
            break;
        }
        best.base_log = base_log;
        best.var_t2 = var_t2;
    }
    return best;
}

static uint32_t scan(LutraDecomposition *list, const Noise *noise) {
    uint32_t count = 0;
    uint32_t base_log = WORD_BITS;
    uint32_t fruitless = 0;
    double least_var_t2 = INFINITY;
    for (uint32_t level = 1; level <= WORD_BITS && fruitless <= PATIENCE; level++) {
        const uint32_t fits = WORD_BITS / level;
        const LutraDecomposition best =
            best_of_level(noise, level, base_log < fits ? base_log : fits);
        base_log = best.base_log;
        if (best.var_t2 > least_var_t2) {
            fruitless += base_log == 1;
        } else {
            least_var_t2 = best.var_t2;
            list[count++] = best;
        }
    }
    return count;
}

uint32_t lutra_decomposition_list_bootstrap(LutraDecomposition *list, LutraNoiseModel model,
                                            uint32_t glwe_dim, uint32_t log2_poly,
                                            double glwe_std) {
    const Noise noise = {.model = model,
                         .bootstrap = true,
                         .glwe_dim = glwe_dim,
                         .log2_poly = log2_poly,
                         .std = glwe_std};
    return scan(list, &noise);
}

uint32_t lutra_decomposition_list_keyswitch(LutraDecomposition *list, LutraNoiseModel model,
                                            double lwe_std) {
    const Noise noise = {.model = model, .std = lwe_std};
    return scan(list, &noise);
}
