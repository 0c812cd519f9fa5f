/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search: every k and N, then n upwards, then the bootstrap's decompositions by rising cost,
 * and for each the cheapest keyswitch that leaves the noise small enough.
 *
 * Legend: n, k, N as in noise.h; kn = k * N.
 */
#include "sim/parameters.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "sim/crypto_cost.h"
#include "sim/parameters_priv.h"

void lutra_parameters_default(LutraParametersSettings *settings) {
    *settings = (LutraParametersSettings){.precision_bits = 4,
                                          .norm2 = 1.0,
                                          .p_error = 1e-5,
                                          .security_bits = 128,
                                          .noise_model = LUTRA_NOISE_CONCRETE,
                                          .modulus_switch = LUTRA_MODULUS_SWITCH_STANDARD,
                                          .largest_log2_poly = LUTRA_LARGEST_LOG2_POLY};
}

static LutraStatus check_settings(const LutraParametersSettings *settings, LutraError *error) {
    if (settings->precision_bits > LUTRA_MAX_PRECISION_BITS) {
        return lutra_error_set(error, LUTRA_EINVAL, "a precision of '%u' bits; should be 0 to %d",
                               settings->precision_bits, LUTRA_MAX_PRECISION_BITS);
    }
    if (!(settings->norm2 >= 0.0 && isfinite(settings->norm2))) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "a norm of '%g'; should be at least 0 and finite", settings->norm2);
    }
    if (!(settings->p_error > 0.0 && settings->p_error < 1.0)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "a p_error of '%g'; should be above 0 and below 1",
                               settings->p_error);
    }
    if (settings->largest_log2_poly < LUTRA_SMALLEST_LOG2_POLY ||
        settings->largest_log2_poly > LUTRA_LARGEST_LOG2_POLY) {
        return lutra_error_set(
            error, LUTRA_EINVAL, "a largest polynomial size of 2^'%u'; should be 2^%d to 2^%d",
            settings->largest_log2_poly, LUTRA_SMALLEST_LOG2_POLY, LUTRA_LARGEST_LOG2_POLY);
    }
    return LUTRA_OK;
}

uint32_t lutra_smallest_log2_poly(uint32_t precision_bits) {
    return precision_bits < LUTRA_SMALLEST_LOG2_POLY ? LUTRA_SMALLEST_LOG2_POLY
                                                     : precision_bits + 1;
}

/* --- prepared decompositions ------------------------------------------------------------------ */

static void prepare(LutraParameterSearch *search) {
    for (uint32_t k = 1; k <= LUTRA_LARGEST_GLWE_DIM; k++) {
        for (uint32_t i = 0; i < LUTRA_POLY_COUNT; i++) {
            const uint32_t log2_poly = LUTRA_SMALLEST_LOG2_POLY + i;
            const double std = lutra_security_std(search->curve, k << log2_poly);
            LutraDecompositionList *const list = &search->bootstrap[k - 1][i];
            list->count = isnan(std) ? 0
                                     : lutra_decomposition_list_bootstrap(
                                           list->entries, search->noise_model, k, log2_poly, std);
        }
    }
    for (uint32_t i = 0; i < LUTRA_LWE_COUNT; i++) {
        LutraDecompositionList *const list = &search->keyswitch[i];
        list->count = lutra_decomposition_list_keyswitch(
            list->entries, search->noise_model,
            lutra_security_std(search->curve, LUTRA_SMALLEST_LWE_DIM + i));
    }
}

LutraStatus lutra_parameter_search_create(LutraParameterSearch **search, uint32_t security_bits,
                                          LutraNoiseModel noise_model, LutraError *error) {
    *search = NULL;
    const LutraSecurityCurve *const curve = lutra_security_curve(security_bits);
    if (curve == NULL) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "no security curve for '%u' bits; there are 128 and 132",
                               security_bits);
    }
    LUTRA_TRY(lutra_alloc(search, 1, sizeof **search, error));
    (*search)->curve = curve;
    (*search)->noise_model = noise_model;
    prepare(*search);
    return LUTRA_OK;
}

void lutra_parameter_search_destroy(LutraParameterSearch **search) {
    lutra_free(search);
}

/* --- the search ------------------------------------------------------------------------------- */

typedef struct {
    double bound_t2;     /* the noise must not be above it */
    double input_factor; /* bootstraps' variance times this enters the keyswitch: norm2^2 */
    double additions;    /* charged per look-up */
    uint32_t smallest_log2_poly;
} Demand;

typedef struct {
    double cost; /* infinite: nothing found yet */
    double var_t2;
    uint32_t glwe_dim;
    uint32_t log2_poly;
    uint32_t lwe_dim;
    LutraDecomposition bootstrap;
    LutraDecomposition keyswitch;
} Candidate;

/* Completes a candidate, all but keyswitch, cost and variance, with the cheapest keyswitch that
 * keeps the bound; replaces *best if that is better. `cost` and `var_t2` are of everything else. */
static void try_keyswitches(Candidate *best, Candidate candidate,
                            const LutraDecompositionList *list, double bound_t2, double cost,
                            double var_t2) {
    const uint32_t kn = candidate.glwe_dim << candidate.log2_poly;
    for (uint32_t i = 0; i < list->count; i++) {
        candidate.keyswitch = list->entries[i];
        candidate.cost =
            cost + lutra_cost_keyswitch(kn, candidate.lwe_dim, candidate.keyswitch.level);
        if (candidate.cost > best->cost) {
            return;
        }
        candidate.var_t2 = var_t2 + kn * candidate.keyswitch.var_t2;
        if (candidate.var_t2 <= bound_t2) {
            if (candidate.cost < best->cost || candidate.var_t2 < best->var_t2) {
                *best = candidate;
            }
            return;
        }
    }
}

/* All n and decompositions of one k and N. Costs and the modulus switch's noise rise with n. */
static void try_lwe_dims(Candidate *best, const LutraParameterSearch *search, const Demand *demand,
                         LutraModulusSwitch modulus_switch, uint32_t glwe_dim, uint32_t log2_poly) {
    const LutraDecompositionList *const list =
        &search->bootstrap[glwe_dim - 1][log2_poly - LUTRA_SMALLEST_LOG2_POLY];
    double cmux_cost[LUTRA_MAX_DECOMPOSITIONS];
    for (uint32_t i = 0; i < list->count; i++) {
        cmux_cost[i] = lutra_cost_cmux(glwe_dim, log2_poly, list->entries[i].level);
    }
    const double additions = demand->additions * (glwe_dim << log2_poly);
    const double switch_base =
        lutra_noise_modulus_switch(search->noise_model, modulus_switch, 0, log2_poly);
    const double switch_slope =
        lutra_noise_modulus_switch(search->noise_model, modulus_switch, 1, log2_poly) - switch_base;
    Candidate candidate = {.glwe_dim = glwe_dim, .log2_poly = log2_poly};
    for (uint32_t n = LUTRA_SMALLEST_LWE_DIM; n <= LUTRA_LARGEST_LWE_DIM; n++) {
        const double switch_t2 = switch_base + n * switch_slope;
        if (switch_t2 > demand->bound_t2) {
            return;
        }
        candidate.lwe_dim = n;
        for (uint32_t i = 0; i < list->count; i++) {
            candidate.bootstrap = list->entries[i];
            const double cost = additions + n * cmux_cost[i];
            if (cost > best->cost) {
                if (i == 0) {
                    return;
                }
                break;
            }
            const double var_t2 = switch_t2 + demand->input_factor * n * candidate.bootstrap.var_t2;
            if (var_t2 <= demand->bound_t2) {
                try_keyswitches(best, candidate, &search->keyswitch[n - LUTRA_SMALLEST_LWE_DIM],
                                demand->bound_t2, cost, var_t2);
            }
        }
    }
}

static LutraCryptoParameters set_of(const Candidate *best, const LutraSecurityCurve *curve,
                                    const LutraParametersSettings *settings) {
    LutraCryptoParameters set = {
        .lwe_dim = best->lwe_dim,
        .glwe_dim = best->glwe_dim,
        .log2_poly = best->log2_poly,
        .pbs_level = best->bootstrap.level,
        .pbs_base_log = best->bootstrap.base_log,
        .ks_level = best->keyswitch.level,
        .ks_base_log = best->keyswitch.base_log,
        .modulus_switch = (uint32_t)settings->modulus_switch,
        .lwe_std = lutra_security_std(curve, best->lwe_dim),
        .glwe_std = lutra_security_std(curve, best->glwe_dim << best->log2_poly),
        .security_bits = curve->security_bits,
        .precision_bits = settings->precision_bits,
        .norm2 = settings->norm2,
        .p_error_target = settings->p_error,
        .p_error = lutra_noise_p_error(best->var_t2, settings->precision_bits),
        .cost = best->cost,
    };
    (void)snprintf(set.curve, sizeof set.curve, "%s", curve->name);
    return set;
}

LutraStatus lutra_parameter_search_run(LutraCryptoParameters *set,
                                       const LutraParameterSearch *search,
                                       const LutraParametersSettings *settings, LutraError *error) {
    LUTRA_TRY(check_settings(settings, error));
    if (settings->security_bits != search->curve->security_bits ||
        settings->noise_model != search->noise_model) {
        return lutra_error_set(
            error, LUTRA_EINVAL,
            "the search was prepared for %u bits of security and the noise model "
            "'%s'",
            search->curve->security_bits, lutra_noise_model_name(search->noise_model));
    }
    const Demand demand = {
        .bound_t2 = lutra_noise_variance_bound(settings->precision_bits, settings->p_error),
        .input_factor = settings->norm2 * settings->norm2,
        .additions = settings->sum_size,
        .smallest_log2_poly = lutra_smallest_log2_poly(settings->precision_bits)};
    Candidate best = {.cost = INFINITY, .var_t2 = INFINITY};
    for (uint32_t k = 1; k <= LUTRA_LARGEST_GLWE_DIM; k++) {
        for (uint32_t log2_poly = demand.smallest_log2_poly;
             log2_poly <= settings->largest_log2_poly; log2_poly++) {
            try_lwe_dims(&best, search, &demand, settings->modulus_switch, k, log2_poly);
        }
    }
    if (isinf(best.cost)) {
        return lutra_error_set(
            error, LUTRA_EINFEASIBLE,
            "no crypto parameters for tables of %u bits after weights of norm %g "
            "with p_error %g",
            settings->precision_bits, settings->norm2, settings->p_error);
    }
    *set = set_of(&best, search->curve, settings);
    return LUTRA_OK;
}

LutraStatus lutra_parameters_find(LutraCryptoParameters *set,
                                  const LutraParametersSettings *settings, LutraError *error) {
    LUTRA_TRY(check_settings(settings, error));
    LutraParameterSearch *search = NULL;
    LUTRA_TRY(lutra_parameter_search_create(&search, settings->security_bits, settings->noise_model,
                                            error));
    const LutraStatus status = lutra_parameter_search_run(set, search, settings, error);
    lutra_parameter_search_destroy(&search);
    return status;
}

/* --- one set for many tables ------------------------------------------------------------------ */

LutraNoiseBreakdown lutra_parameters_noise(const LutraCryptoParameters *set,
                                           const LutraLookupPattern *pattern,
                                           LutraNoiseModel noise_model) {
    const double input_t2 = pattern->var_factor * lutra_noise_bootstrap_of(set, noise_model) +
                            pattern->fresh_factor * lutra_noise_fresh(set);
    return lutra_noise_of_lookup(set, noise_model, input_t2, pattern->precision_bits);
}

LutraStatus lutra_parameters_choose(LutraCryptoParameters *set, const LutraLookupPattern *patterns,
                                    size_t pattern_count, const LutraParametersSettings *settings,
                                    LutraError *error) {
    if (pattern_count == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "no look-up to choose parameters for");
    }
    LutraParametersSettings hardest = *settings;
    hardest.precision_bits = 0;
    for (size_t i = 0; i < pattern_count; i++) {
        if (patterns[i].precision_bits > hardest.precision_bits) {
            hardest.precision_bits = patterns[i].precision_bits;
        }
    }
    hardest.norm2 = 0.0;
    for (size_t i = 0; i < pattern_count; i++) {
        const LutraLookupPattern *const pattern = &patterns[i];
        if (!(pattern->var_factor >= 0.0 && pattern->fresh_factor >= 0.0)) {
            return lutra_error_set(error, LUTRA_EINVAL,
                                   "look-up '%zu' has a negative sum of squared weights", i);
        }
        const double spare_bits = (double)hardest.precision_bits - pattern->precision_bits;
        const double norm2 = sqrt(pattern->var_factor + pattern->fresh_factor) * exp2(-spare_bits);
        hardest.norm2 = fmax(hardest.norm2, norm2);
    }
    LutraCryptoParameters found;
    LUTRA_TRY(lutra_parameters_find(&found, &hardest, error));
    double worst = 0.0;
    for (size_t i = 0; i < pattern_count; i++) {
        const LutraNoiseBreakdown noise =
            lutra_parameters_noise(&found, &patterns[i], settings->noise_model);
        worst = fmax(worst, noise.p_error);
    }
    LUTRA_ASSERT(worst <= settings->p_error * (1.0 + 1e-9));
    found.p_error = worst;
    *set = found;
    return LUTRA_OK;
}
