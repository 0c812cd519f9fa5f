/* SPDX-License-Identifier: Apache-2.0 */
/* The look-ups of a circuit as patterns for the search in parameters.h. */
#include "sim/circuit_parameters.h"

#include <math.h>

#include "base/memory.h"
#include "sim/parameters.h"

enum { FEWEST_ADVISED_BITS = 2, MOST_NORM_STEPS = 40, GLOBAL_STEPS = 20 };

/* The look-ups of a circuit as patterns: at most two for each table. */
typedef struct {
    LutraLookupPattern *items;
    uint64_t *lookups; /* of each, per image */
    size_t count;
} Patterns;

/* Everything that one choice needs; nothing is owned. */
typedef struct {
    const LutraCircuit *circuit;
    LutraParametersChoice *choice;
    Patterns *patterns;
    LutraParametersSettings settings;
    LutraError *error;
} Search;

static double square(double x) {
    return x * x;
}

static bool is_encrypted_table(const LutraOperation *operation) {
    return operation->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(operation);
}

/*
 * An exact rounding shifts digit i (from the lowest) of a p-bit sum up to the padding bit: its
 * noise grows by 2^(p-i), the margin is a quarter of the torus, and each digit taken off adds the
 * noise of a bootstrap. Digit 0 has the most of what came in, digit 1 the most of what digit 0
 * added.
 */
static void add_digits(Patterns *patterns, const LutraWeightNorm *norm, uint32_t sum_bits,
                       uint64_t lookups) {
    const double scale = ldexp(1.0, 2 * (int)sum_bits);
    patterns->lookups[patterns->count] = lookups;
    patterns->items[patterns->count++] = (LutraLookupPattern){
        0, (square(norm->from_tables) + 0.25) * scale, square(norm->from_client) * scale};
}

static void add_table(Patterns *patterns, const LutraCircuit *circuit, uint32_t index,
                      const LutraWeightNorm *norm, uint32_t most_bits) {
    const LutraOperation *table = &circuit->operations[index];
    const LutraOperation *before = &circuit->operations[table->inputs[0]];
    double taken_off = 0.0;
    if (before->kind == LUTRA_OPERATION_ROUND && !before->in_clear &&
        before->u.round.mode == LUTRA_ROUNDING_EXACT && before->u.round.dropped_bits > 0) {
        taken_off = before->u.round.dropped_bits;
        add_digits(patterns, norm, before->encoding.bits + before->u.round.dropped_bits,
                   lutra_operation_pbs(before));
    }
    const uint32_t bits = before->encoding.bits < most_bits ? before->encoding.bits : most_bits;
    patterns->lookups[patterns->count] = lutra_operation_pbs(table);
    patterns->items[patterns->count++] = (LutraLookupPattern){
        bits, square(norm->from_tables) + taken_off, square(norm->from_client)};
}

static LutraStatus list_patterns(Patterns *patterns, const LutraCircuit *circuit,
                                 const LutraWeightNorm *norms, uint32_t most_bits,
                                 LutraError *error) {
    if (patterns->items == NULL) {
        const size_t most = (2 * (size_t)circuit->operation_count) + 1;
        LUTRA_TRY(lutra_alloc(&patterns->lookups, most, sizeof *patterns->lookups, error));
        LUTRA_TRY(lutra_alloc(&patterns->items, most, sizeof *patterns->items, error));
    }
    patterns->count = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (is_encrypted_table(&circuit->operations[i])) {
            add_table(patterns, circuit, i, &norms[i], most_bits);
        }
    }
    return LUTRA_OK;
}

static double output_error(const LutraCryptoParameters *set, const LutraCircuit *circuit,
                           const LutraWeightNorm *norm, LutraNoiseModel model) {
    const LutraOperation *output = &circuit->operations[circuit->operation_count - 1];
    const double variance = (square(norm->from_tables) * lutra_noise_bootstrap_of(set, model)) +
                            (square(norm->from_client) * lutra_noise_fresh(set));
    return variance > 0.0 ? lutra_noise_p_error(variance, output->encoding.bits) : 0.0;
}

/* LUTRA_EINFEASIBLE is an answer here, not a failure. */
static LutraStatus try_choose(LutraCryptoParameters *set, bool *found, const Patterns *patterns,
                              const LutraParametersSettings *settings, LutraError *error) {
    const LutraStatus status =
        lutra_parameters_choose(set, patterns->items, patterns->count, settings, error);
    *found = status == LUTRA_OK;
    return status == LUTRA_EINFEASIBLE ? LUTRA_OK : status;
}

/*
 * Sums that are decrypted without a last look-up stand at their full width: what comes out of the
 * bootstraps must be quiet enough for them. If it is not, asks for a larger norm until it is.
 */
static LutraStatus improve_output(LutraCryptoParameters *set, LutraParametersChoice *choice,
                                  Patterns *patterns, const LutraCircuit *circuit,
                                  const LutraParametersSettings *settings, LutraError *error) {
    const LutraWeightNorm *norm = &choice->norms[circuit->operation_count - 1];
    bool found = true;
    choice->output_p_error = output_error(set, circuit, norm, settings->noise_model);
    for (int i = 0; i < MOST_NORM_STEPS && choice->output_p_error > choice->p_error; i++) {
        LutraCryptoParameters better;
        for (size_t k = 0; k < patterns->count; k++) {
            patterns->items[k].var_factor *= 2.0;
            patterns->items[k].fresh_factor *= 2.0; /* all there is before a first table */
        }
        LUTRA_TRY(try_choose(&better, &found, patterns, settings, error));
        if (!found) {
            return LUTRA_OK; /* the report tells what is left */
        }
        *set = better;
        choice->output_p_error = output_error(set, circuit, norm, settings->noise_model);
    }
    return LUTRA_OK;
}

/* The worst look-up with the circuit's own norms: what was asked for may have been larger. */
static double worst_error(const LutraCryptoParameters *set, const Patterns *patterns,
                          LutraNoiseModel model) {
    double worst = 0.0;
    for (size_t i = 0; i < patterns->count; i++) {
        worst = fmax(worst, lutra_parameters_noise(set, &patterns->items[i], model).p_error);
    }
    return worst;
}

/* What the set makes of one image: wrong look-ups, and that it meets any, or a wrong decryption. */
static void sum_errors(LutraParametersChoice *choice, const LutraCryptoParameters *set,
                       const LutraCircuit *circuit, const Patterns *patterns,
                       LutraNoiseModel model) {
    const LutraShape output = circuit->operations[circuit->operation_count - 1].shape;
    double log_right = (double)lutra_shape_elements(output) * log1p(-choice->output_p_error);
    choice->expected_wrong = 0.0;
    for (size_t i = 0; i < patterns->count; i++) {
        const double p = lutra_parameters_noise(set, &patterns->items[i], model).p_error;
        choice->expected_wrong += (double)patterns->lookups[i] * p;
        log_right += (double)patterns->lookups[i] * log1p(-p);
    }
    choice->global_p_error = -expm1(log_right);
}

/* The cheapest set that keeps settings.p_error in every look-up; *found without one stays false. */
static LutraStatus choose_local(LutraCryptoParameters *set, bool *found, Search *search) {
    LutraParametersChoice *const choice = search->choice;
    const LutraNoiseModel model = search->settings.noise_model;
    choice->p_error = search->settings.p_error;
    LUTRA_TRY(list_patterns(search->patterns, search->circuit, choice->norms, UINT32_MAX,
                            search->error));
    LUTRA_TRY(try_choose(set, found, search->patterns, &search->settings, search->error));
    if (!*found) {
        return LUTRA_OK;
    }
    LUTRA_TRY(improve_output(set, choice, search->patterns, search->circuit, &search->settings,
                             search->error));
    LUTRA_TRY(list_patterns(search->patterns, search->circuit, choice->norms, UINT32_MAX,
                            search->error));
    set->p_error = worst_error(set, search->patterns, model);
    sum_errors(choice, set, search->circuit, search->patterns, model);
    return LUTRA_OK;
}

/* The global p_error shared out evenly over all look-ups and decryptions. */
static double even_share(const Search *search, double global_p_error) {
    const LutraOperation *const output =
        &search->circuit->operations[search->circuit->operation_count - 1];
    const double count =
        (double)search->choice->lookups + (double)lutra_shape_elements(output->shape);
    return -expm1(log1p(-global_p_error) / count);
}

/*
 * The largest p_error of a look-up with which the whole image keeps the global one: only the widest
 * tables with the largest norms come near what they are allowed, so more is left for them than an
 * even share. Bisection of its logarithm; a set may be found at a larger p_error only. If decrypted
 * sums are too wide for any of them, the even share's set is kept and says what it reaches.
 */
static LutraStatus choose_global(LutraCryptoParameters *set, bool *found, Search *search,
                                 double global_p_error) {
    LutraParametersChoice *const choice = search->choice;
    double low = log(even_share(search, global_p_error));
    double high = log(global_p_error);
    search->settings.p_error = exp(low);
    LUTRA_TRY(choose_local(set, found, search));
    LutraParametersChoice best = *choice; /* the norms are the same array throughout */
    bool is_kept = *found && choice->global_p_error <= global_p_error;
    for (int i = 0; i < GLOBAL_STEPS; i++) {
        const double middle = 0.5 * (low + high);
        LutraCryptoParameters candidate;
        bool is_set = false;
        search->settings.p_error = exp(middle);
        LUTRA_TRY(choose_local(&candidate, &is_set, search));
        const bool is_good = is_set && choice->global_p_error <= global_p_error;
        if (is_good && (!is_kept || candidate.cost <= set->cost)) {
            *set = candidate;
            best = *choice;
            is_kept = true;
            *found = true;
        }
        if (is_set && !is_good) {
            high = middle;
        } else {
            low = middle;
        }
    }
    *choice = best;
    search->settings.p_error = best.p_error;
    return LUTRA_OK;
}

static LutraStatus find_enough_rounding(LutraParametersChoice *choice, Patterns *patterns,
                                        const LutraCircuit *circuit,
                                        const LutraParametersSettings *settings,
                                        LutraError *error) {
    for (uint32_t bits = choice->widest_bits - 1; bits >= FEWEST_ADVISED_BITS; bits--) {
        LutraCryptoParameters set;
        bool found = false;
        LUTRA_TRY(list_patterns(patterns, circuit, choice->norms, bits, error));
        LUTRA_TRY(try_choose(&set, &found, patterns, settings, error));
        if (found) {
            choice->enough_rounding = bits;
            return LUTRA_OK;
        }
    }
    return LUTRA_OK;
}

static LutraStatus measure_norms(LutraParametersChoice *choice, const LutraCircuit *circuit,
                                 LutraError *error) {
    LUTRA_TRY(lutra_alloc(&choice->norms, circuit->operation_count, sizeof *choice->norms, error));
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *operation = &circuit->operations[i];
        if (!is_encrypted_table(operation) && operation->kind != LUTRA_OPERATION_OUTPUT) {
            continue;
        }
        LUTRA_TRY(lutra_circuit_norm(&choice->norms[i], circuit, i, error));
        const uint32_t bits = circuit->operations[operation->inputs[0]].encoding.bits;
        if (is_encrypted_table(operation) && bits > choice->widest_bits) {
            choice->widest = i;
            choice->widest_bits = bits;
        }
    }
    return LUTRA_OK;
}

static LutraStatus copy_set(LutraCryptoParameters **copy, const LutraCryptoParameters *set,
                            LutraError *error) {
    LUTRA_TRY(lutra_alloc(copy, 1, sizeof **copy, error));
    **copy = *set;
    return LUTRA_OK;
}

static bool is_probability(double p) {
    return p > 0.0 && p < 1.0;
}

void lutra_parameters_target_default(LutraParametersTarget *target) {
    *target = (LutraParametersTarget){.global_p_error = 0.01, .security_bits = 132};
}

LutraStatus lutra_circuit_choose_parameters(LutraParametersChoice *choice, LutraCircuit *circuit,
                                            const LutraParametersTarget *target,
                                            LutraError *error) {
    LutraParametersChoice built = {.lookups = lutra_circuit_pbs(circuit)};
    LutraCryptoParameters set;
    LutraCryptoParameters *parameters = NULL;
    Patterns patterns = {0};
    LutraStatus status = LUTRA_OK;
    const double asked = target->p_error != 0.0 ? target->p_error : target->global_p_error;
    if (!is_probability(asked)) {
        return lutra_error_set(error, LUTRA_EINVAL, "a p_error of %g; should lie between 0 and 1",
                               asked);
    }
    Search search = {.circuit = circuit, .choice = &built, .patterns = &patterns, .error = error};
    lutra_parameters_default(&search.settings);
    search.settings.p_error = asked;
    search.settings.security_bits = target->security_bits;
    search.settings.noise_model = LUTRA_NOISE_TFHE_RS;
    search.settings.modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
    built.p_error = asked;
    LUTRA_TRY_GOTO(status, measure_norms(&built, circuit, error));
    LUTRA_TRY_GOTO(status, list_patterns(&patterns, circuit, built.norms, UINT32_MAX, error));
    if (patterns.count > 0 && target->p_error > 0.0) {
        LUTRA_TRY_GOTO(status, choose_local(&set, &built.feasible, &search));
    } else if (patterns.count > 0) {
        LUTRA_TRY_GOTO(status, choose_global(&set, &built.feasible, &search, asked));
    }
    if (built.feasible) {
        LUTRA_TRY_GOTO(status, copy_set(&parameters, &set, error));
    } else if (patterns.count > 0) {
        LUTRA_TRY_GOTO(status,
                       find_enough_rounding(&built, &patterns, circuit, &search.settings, error));
    }
    lutra_free(&circuit->parameters);
    circuit->parameters = parameters;
    circuit->parameter_count = built.feasible ? 1 : 0;
    *choice = built;
    built = (LutraParametersChoice){0};
done:
    lutra_free(&patterns.items);
    lutra_free(&patterns.lookups);
    lutra_parameters_choice_deinit(&built);
    return status;
}

void lutra_parameters_choice_deinit(LutraParametersChoice *choice) {
    lutra_free(&choice->norms);
    *choice = (LutraParametersChoice){0};
}
