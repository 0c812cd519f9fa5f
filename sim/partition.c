/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Search by coordinates; see partition.h.
 *
 * Legend: n, k, N as in noise.h; kn = k * N.
 */
#include "sim/partition.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "sim/crypto_cost.h"
#include "sim/parameters_priv.h"
#include "sim/partition_priv.h"

enum { MOST_ROUNDS = 32 };

/* What does not change about one kind of look-up during one turn. */
typedef struct {
    const LutraLookupPattern *pattern;
    double bound_t2; /* the noise must not be above it */
    double dim;      /* own look-ups of another class's results: of that class's big key; else 0 */
    double fixed_t2; /* the same: variance of their sums. Other classes' look-ups: of their modulus
                        switch */
    double keyswitch_t2; /* other classes' look-ups: variance per dimension of the key they read */
} Edge;

/** What one class may become, with all others fixed. */
typedef struct {
    LutraCryptoParameters *sets;
    const LutraCircuitLookups *lookups;
    const LutraParameterSearch *search;
    const LutraPartitionDemand *demand;
    double bounds_t2[LUTRA_MAX_PRECISION_BITS + 1]; /* by bits that a table reads */
    uint32_t class_index;
    Edge *own; /* look-ups of the class */
    size_t own_count;
    Edge *readers; /* look-ups of other classes that read its results */
    size_t reader_count;
    double own_lookups; /* all per image */
    double self_fed_lookups;     /* that read the class's own results */
    double other_dim_lookups;    /* the others, each times the dimension that it reads */
    double reader_cost;          /* operations of the readers' keyswitches from dimension 0 */
    double reader_cost_of_dim;   /* and more for each dimension */
    double best_cost; /* of all look-ups that the class has a part in */
    LutraCryptoParameters best;
} Turn;

/* A candidate while it is put together: everything but the keyswitch. */
typedef struct {
    uint32_t glwe_dim;
    uint32_t log2_poly;
    uint32_t lwe_dim;
    LutraDecomposition bootstrap;
    double cmux_cost;
    double bootstrap_var_t2; /* n CMUXes */
    double fresh_var_t2;
    double switch_var_t2;
} Candidate;

static uint32_t big_dim(const LutraCryptoParameters *set) {
    return set->glwe_dim << set->log2_poly;
}

/* --- a turn begins ---------------------------------------------------------------------------- */

static void add_own(Turn *turn, const LutraCircuitLookup *lookup, double bound_t2) {
    Edge edge = {.pattern = &lookup->pattern, .bound_t2 = bound_t2};
    turn->own_lookups += (double)lookup->count;
    if (lookup->source == turn->class_index) {
        turn->self_fed_lookups += (double)lookup->count;
    } else {
        edge.dim = big_dim(&turn->sets[lookup->source]);
        edge.fixed_t2 = lutra_circuit_lookup_input(lookup, turn->sets, turn->search->noise_model);
        turn->other_dim_lookups += (double)lookup->count * edge.dim;
    }
    turn->own[turn->own_count++] = edge;
}

static void add_reader(Turn *turn, const LutraCircuitLookup *lookup, double bound_t2) {
    const LutraNoiseModel model = turn->search->noise_model;
    const LutraCryptoParameters *const reader = &turn->sets[lookup->reader];
    turn->readers[turn->reader_count++] = (Edge){
        .pattern = &lookup->pattern,
        .bound_t2 = bound_t2,
        .fixed_t2 = lutra_noise_modulus_switch(model, (LutraModulusSwitch)reader->modulus_switch,
                                               reader->lwe_dim, reader->log2_poly),
        .keyswitch_t2 = lutra_noise_keyswitch(model, 1, reader->ks_level, reader->ks_base_log,
                                              reader->lwe_std)};
    const double from_nothing = lutra_cost_keyswitch(0.0, reader->lwe_dim, reader->ks_level);
    const double from_one = lutra_cost_keyswitch(1.0, reader->lwe_dim, reader->ks_level);
    turn->reader_cost += (double)lookup->count * from_nothing;
    turn->reader_cost_of_dim += (double)lookup->count * (from_one - from_nothing);
}

static void begin(Turn *turn, uint32_t class_index) {
    turn->class_index = class_index;
    turn->own_count = 0;
    turn->reader_count = 0;
    turn->own_lookups = 0.0;
    turn->self_fed_lookups = 0.0;
    turn->other_dim_lookups = 0.0;
    turn->reader_cost = 0.0;
    turn->reader_cost_of_dim = 0.0;
    for (size_t i = 0; i < turn->lookups->count; i++) {
        const LutraCircuitLookup *const lookup = &turn->lookups->items[i];
        const double bound_t2 = turn->bounds_t2[lookup->pattern.precision_bits];
        if (lookup->reader == class_index) {
            add_own(turn, lookup, bound_t2);
        } else if (lookup->source == class_index) {
            add_reader(turn, lookup, bound_t2);
        }
    }
}

/* --- one candidate ---------------------------------------------------------------------------- */

/** Variance of a sum of the class's results and of values encrypted under its key. */
static double sum_variance(const LutraLookupPattern *pattern, const Candidate *candidate) {
    return pattern->var_factor * candidate->bootstrap_var_t2 +
           pattern->fresh_factor * candidate->fresh_var_t2;
}

/** Whether look-ups of other classes and decryptions keep their errors behind the candidate. */
static bool readers_keep(const Turn *turn, const Candidate *candidate) {
    const double kn = candidate->glwe_dim << candidate->log2_poly;
    if (turn->lookups->output_source == turn->class_index &&
        sum_variance(&turn->demand->output, candidate) > turn->demand->output_var_t2) {
        return false;
    }
    for (size_t i = 0; i < turn->reader_count; i++) {
        const Edge *const edge = &turn->readers[i];
        if (sum_variance(edge->pattern, candidate) + kn * edge->keyswitch_t2 + edge->fixed_t2 >
            edge->bound_t2) {
            return false;
        }
    }
    return true;
}

/** The largest variance per dimension of the key it comes from that a keyswitch of the class may
 * have; not positive if there is none. */
static double keyswitch_limit(const Turn *turn, const Candidate *candidate) {
    const double kn = candidate->glwe_dim << candidate->log2_poly;
    double limit = INFINITY;
    for (size_t i = 0; i < turn->own_count; i++) {
        const Edge *const edge = &turn->own[i];
        const bool self_fed = edge->dim <= 0.0;
        const double sum_t2 = self_fed ? sum_variance(edge->pattern, candidate) : edge->fixed_t2;
        const double left = edge->bound_t2 - candidate->switch_var_t2 - sum_t2;
        limit = fmin(limit, left / (self_fed ? kn : edge->dim));
    }
    return limit;
}

/** Operations of all look-ups that the class has a part in, if its keyswitches have `level` levels:
 * of its own the whole, of those that read it the keyswitch. */
static double cost_of(const Turn *turn, const Candidate *candidate, uint32_t level) {
    const double kn = candidate->glwe_dim << candidate->log2_poly;
    const double mean_dim =
        (turn->self_fed_lookups * kn + turn->other_dim_lookups) / turn->own_lookups;
    return turn->own_lookups * (lutra_cost_keyswitch(mean_dim, candidate->lwe_dim, level) +
                                candidate->lwe_dim * candidate->cmux_cost) +
           turn->reader_cost + kn * turn->reader_cost_of_dim;
}

/* --- all candidates --------------------------------------------------------------------------- */

static void keep(Turn *turn, const Candidate *candidate, const LutraDecomposition *keyswitch,
                 double cost) {
    LutraCryptoParameters *const best = &turn->best;
    turn->best_cost = cost;
    best->glwe_dim = candidate->glwe_dim;
    best->log2_poly = candidate->log2_poly;
    best->lwe_dim = candidate->lwe_dim;
    best->pbs_level = candidate->bootstrap.level;
    best->pbs_base_log = candidate->bootstrap.base_log;
    best->ks_level = keyswitch->level;
    best->ks_base_log = keyswitch->base_log;
    best->modulus_switch = (uint32_t)turn->demand->modulus_switch;
    best->lwe_std = lutra_security_std(turn->search->curve, candidate->lwe_dim);
    best->glwe_std =
        lutra_security_std(turn->search->curve, candidate->glwe_dim << candidate->log2_poly);
}

/** The cheapest keyswitch that makes the candidate possible, if it is then the best so far. */
static void try_keyswitches(Turn *turn, const Candidate *candidate) {
    if (!readers_keep(turn, candidate)) {
        return;
    }
    const double limit = keyswitch_limit(turn, candidate);
    const LutraDecompositionList *const list =
        &turn->search->keyswitch[candidate->lwe_dim - LUTRA_SMALLEST_LWE_DIM];
    for (uint32_t i = 0; i < list->count && limit > 0.0; i++) {
        if (list->entries[i].var_t2 <= limit) {
            const double cost = cost_of(turn, candidate, list->entries[i].level);
            if (cost < turn->best_cost) {
                keep(turn, candidate, &list->entries[i], cost);
            }
            return;
        }
    }
}

/** All n and decompositions of one k and N. Costs and the modulus switch's noise rise with n. */
static void try_lwe_dims(Turn *turn, uint32_t glwe_dim, uint32_t log2_poly) {
    const LutraNoiseModel model = turn->search->noise_model;
    const LutraDecompositionList *const list =
        &turn->search->bootstrap[glwe_dim - 1][log2_poly - LUTRA_SMALLEST_LOG2_POLY];
    if (list->count == 0) {
        return;
    }
    const double glwe_std = lutra_security_std(turn->search->curve, glwe_dim << log2_poly);
    Candidate candidate = {
        .glwe_dim = glwe_dim, .log2_poly = log2_poly, .fresh_var_t2 = glwe_std * glwe_std};
    double cmux_cost[LUTRA_MAX_DECOMPOSITIONS];
    for (uint32_t i = 0; i < list->count; i++) {
        cmux_cost[i] = lutra_cost_cmux(glwe_dim, log2_poly, list->entries[i].level);
    }
    for (uint32_t n = LUTRA_SMALLEST_LWE_DIM; n <= LUTRA_LARGEST_LWE_DIM; n++) {
        candidate.lwe_dim = n;
        candidate.switch_var_t2 =
            lutra_noise_modulus_switch(model, turn->demand->modulus_switch, n, log2_poly);
        for (uint32_t i = 0; i < list->count; i++) {
            candidate.bootstrap = list->entries[i];
            candidate.cmux_cost = cmux_cost[i];
            candidate.bootstrap_var_t2 = n * candidate.bootstrap.var_t2;
            /* The fewest levels that any keyswitch can have give a bound from below. */
            if (cost_of(turn, &candidate, 1) >= turn->best_cost) {
                if (i == 0) {
                    return;
                }
                break;
            }
            try_keyswitches(turn, &candidate);
        }
    }
}

static uint32_t widest_of(const LutraCircuitLookups *lookups, uint32_t class_index) {
    uint32_t widest = 0;
    for (size_t i = 0; i < lookups->count; i++) {
        const LutraCircuitLookup *const lookup = &lookups->items[i];
        if (lookup->reader == class_index && lookup->pattern.precision_bits > widest) {
            widest = lookup->pattern.precision_bits;
        }
    }
    return widest;
}

/** Gives one class the best set for it; whether that is better than what it had. */
static bool take_turn(Turn *turn) {
    const LutraCryptoParameters *const own = &turn->sets[turn->class_index];
    const Candidate now = {.glwe_dim = own->glwe_dim,
                           .log2_poly = own->log2_poly,
                           .lwe_dim = own->lwe_dim,
                           .cmux_cost = lutra_cost_cmux(own->glwe_dim, own->log2_poly,
                                                        own->pbs_level)};
    turn->best = *own;
    turn->best_cost = cost_of(turn, &now, own->ks_level);
    const double start = turn->best_cost;
    for (uint32_t k = 1; k <= LUTRA_LARGEST_GLWE_DIM; k++) {
        for (uint32_t log2_poly =
                 lutra_smallest_log2_poly(widest_of(turn->lookups, turn->class_index));
             log2_poly <= turn->demand->largest_log2_poly; log2_poly++) {
            try_lwe_dims(turn, k, log2_poly);
        }
    }
    turn->sets[turn->class_index] = turn->best;
    return turn->best_cost < start;
}

/** What a set says about the look-ups that use it. */
static void describe(LutraCryptoParameters *sets, const LutraCircuitLookups *lookups,
                     uint32_t class_index, const LutraParameterSearch *search, double p_error) {
    LutraCryptoParameters *const set = &sets[class_index];
    double lookup_count = 0.0;
    double cost = 0.0;
    set->precision_bits = widest_of(lookups, class_index);
    set->norm2 = 0.0;
    set->p_error = 0.0;
    set->p_error_target = p_error;
    for (size_t i = 0; i < lookups->count; i++) {
        const LutraCircuitLookup *const lookup = &lookups->items[i];
        if (lookup->reader != class_index) {
            continue;
        }
        const LutraCircuitLookups alone = {.count = 1, .items = &lookups->items[i]};
        const LutraLookupPattern *const pattern = &lookup->pattern;
        if (pattern->precision_bits > 0) { /* that of a digit is no norm of weights */
            set->norm2 = fmax(set->norm2, sqrt(pattern->var_factor + pattern->fresh_factor));
        }
        set->p_error =
            fmax(set->p_error, lutra_circuit_lookup_error(lookup, sets, search->noise_model));
        cost += lutra_circuit_lookups_cost(&alone, sets);
        lookup_count += (double)lookup->count;
    }
    set->cost = lookup_count > 0.0 ? cost / lookup_count : 0.0;
}

LutraStatus lutra_partition_improve(LutraCryptoParameters *sets,
                                    const LutraCircuitLookups *lookups,
                                    const LutraParameterSearch *search,
                                    const LutraPartitionDemand *demand, LutraError *error) {
    Turn turn = {.sets = sets, .lookups = lookups, .search = search, .demand = demand};
    LutraCryptoParameters *trial = NULL;
    const double start_cost = lutra_circuit_lookups_cost(lookups, sets);
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&turn.own, lookups->count, sizeof(Edge), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&turn.readers, lookups->count, sizeof(Edge), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&trial, lookups->class_count, sizeof *trial, error));
    for (uint32_t bits = 0; bits <= LUTRA_MAX_PRECISION_BITS; bits++) {
        turn.bounds_t2[bits] = lutra_noise_variance_bound(bits, demand->p_error);
    }
    bool is_better = lookups->class_count > 1;
    for (int round = 0; is_better && round < MOST_ROUNDS; round++) {
        is_better = false;
        for (uint32_t c = 0; c < lookups->class_count; c++) {
            begin(&turn, c);
            is_better = take_turn(&turn) || is_better;
        }
    }
    lutra_partition_share(sets, trial, lookups, search->noise_model, demand, start_cost);
    for (uint32_t c = 0; c < lookups->class_count; c++) {
        describe(sets, lookups, c, search, demand->p_error);
    }
done:
    lutra_free(&turn.own);
    lutra_free(&turn.readers);
    lutra_free(&trial);
    return status;
}
