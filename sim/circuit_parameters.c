/* SPDX-License-Identifier: Apache-2.0 */
/* Sets for the look-ups of a circuit, by the searches of parameters.h and partition.h. */
#include "sim/circuit_parameters.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/parameters.h"
#include "sim/partition.h"

/* Part of an image's cost that keys of a hundred megabytes and a second must save. */
static const double SET_WORTH = 0.005;

enum { FEWEST_ADVISED_BITS = 2, MOST_NORM_STEPS = 40, GLOBAL_STEPS = 20 };

/* Everything that one choice needs. */
typedef struct {
    const LutraCircuit *circuit;
    LutraParametersChoice *choice;
    LutraCircuitLookups lookups;
    LutraLookupPattern *patterns; /* (lookups.count) scratch, owned */
    LutraCryptoParameters *sets;  /* (class_count) tried last, owned */
    LutraCryptoParameters *best;  /* (class_count), owned */
    LutraCryptoParameters *trial; /* (class_count) scratch, owned */
    LutraPartition partition;
    LutraParameterSearch *partition_search; /* NULL with one class */
    LutraParametersSettings settings;
    LutraError *error;
} Search;

static double square(double x) {
    return x * x;
}

static bool is_encrypted_table(const LutraOperation *operation) {
    return operation->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(operation);
}

/** The circuit's patterns, tables reading at most so many bits, noise `factor` times as much. */
static void list_patterns(Search *search, uint32_t most_bits, double factor) {
    for (size_t i = 0; i < search->lookups.count; i++) {
        LutraLookupPattern *const pattern = &search->patterns[i];
        *pattern = search->lookups.items[i].pattern;
        pattern->var_factor *= factor;
        pattern->fresh_factor *= factor; /* all there is before a first table */
        if (pattern->precision_bits > most_bits) {
            pattern->precision_bits = most_bits;
        }
    }
}

/** Of the sums that are decrypted; without tables behind them fresh noise is all. */
static LutraLookupPattern output_pattern(const Search *search) {
    const uint32_t last = search->circuit->operation_count - 1;
    const LutraWeightNorm *const norm = &search->choice->norms[last];
    return (LutraLookupPattern){search->circuit->operations[last].encoding.bits,
                                square(norm->from_tables), square(norm->from_client)};
}

static double output_variance(const Search *search, const LutraCryptoParameters *set) {
    const LutraLookupPattern pattern = output_pattern(search);
    return (pattern.var_factor * lutra_noise_bootstrap_of(set, search->settings.noise_model)) +
           (pattern.fresh_factor * lutra_noise_fresh(set));
}

static double output_error(const Search *search, const LutraCryptoParameters *set) {
    const double variance = output_variance(search, set);
    return variance > 0.0 ? lutra_noise_p_error(variance, output_pattern(search).precision_bits)
                          : 0.0;
}

/* LUTRA_EINFEASIBLE is an answer here, not a failure. */
static LutraStatus try_choose(LutraCryptoParameters *set, bool *found, const Search *search) {
    const LutraStatus status = lutra_parameters_choose(
        set, search->patterns, search->lookups.count, &search->settings, search->error);
    *found = status == LUTRA_OK;
    return status == LUTRA_EINFEASIBLE ? LUTRA_OK : status;
}

/*
 * Sums that are decrypted without a last look-up stand at their full width: what comes out of the
 * bootstraps must be quiet enough for them. If it is not, asks for a larger norm until it is.
 */
static LutraStatus improve_output(LutraCryptoParameters *set, Search *search) {
    bool found = true;
    double factor = 1.0;
    for (int i = 0; i < MOST_NORM_STEPS && output_error(search, set) > search->choice->p_error;
         i++) {
        LutraCryptoParameters better;
        factor *= 2.0;
        list_patterns(search, UINT32_MAX, factor);
        LUTRA_TRY(try_choose(&better, &found, search));
        if (!found) {
            return LUTRA_OK; /* the report tells what is left */
        }
        *set = better;
    }
    return LUTRA_OK;
}

/* What the sets make of one image: the worst look-ups, how many are wrong, and that it meets any,
 * or a wrong decryption. With one set the worst look-up by the circuit's own norms is written into
 * it: what was asked for may have been larger. */
static void sum_errors(Search *search) {
    LutraParametersChoice *const choice = search->choice;
    const LutraCircuit *const circuit = search->circuit;
    const LutraCircuitLookups *const lookups = &search->lookups;
    const LutraShape output = circuit->operations[circuit->operation_count - 1].shape;
    double worst = 0.0;
    choice->output_p_error = output_error(search, &search->sets[lookups->output_source]);
    double log_right = (double)lutra_shape_elements(output) * log1p(-choice->output_p_error);
    choice->expected_wrong = 0.0;
    for (size_t i = 0; i < lookups->count; i++) {
        const LutraCircuitLookup *const lookup = &lookups->items[i];
        const double p =
            lutra_circuit_lookup_error(lookup, search->sets, search->settings.noise_model);
        worst = fmax(worst, p);
        choice->expected_wrong += (double)lookup->count * p;
        log_right += (double)lookup->count * log1p(-p);
    }
    choice->global_p_error = -expm1(log_right);
    choice->cost = lutra_circuit_lookups_cost(lookups, search->sets);
    if (lookups->class_count == 1) {
        search->sets[0].p_error = worst;
    }
}

/**
 * From one set for all classes to one for each. The search by coordinates cannot give a class
 * noisier results while those that read them have no room for it, and a set that just keeps p_error
 * has none. So it also starts from sets that keep a smaller one, and the cheapest end is taken.
 */
static LutraStatus divide(Search *search) {
    static const double stricter[] = {1.0, 0.5, 0.25, 0.1, 0.03, 0.01};
    const LutraCryptoParameters single = search->sets[0];
    const LutraLookupPattern output = output_pattern(search);
    const LutraPartitionDemand demand = {
        .p_error = search->settings.p_error,
        .output = output,
        .output_var_t2 =
            fmax(output_variance(search, &single),
                 lutra_noise_variance_bound(output.precision_bits, search->settings.p_error)),
        .modulus_switch = search->settings.modulus_switch,
        .largest_log2_poly = search->settings.largest_log2_poly,
        .worth = search->partition == LUTRA_PARTITION_TABLE ? SET_WORTH : 0.0};
    double least = INFINITY;
    LutraStatus status = LUTRA_OK;
    for (size_t i = 0; i < sizeof stricter / sizeof *stricter && status == LUTRA_OK; i++) {
        LutraCryptoParameters start = single;
        bool found = true;
        if (i > 0) {
            search->settings.p_error = stricter[i] * demand.p_error;
            list_patterns(search, UINT32_MAX, 1.0);
            status = try_choose(&start, &found, search);
            search->settings.p_error = demand.p_error;
        }
        if (status != LUTRA_OK || !found ||
            output_variance(search, &start) > demand.output_var_t2) {
            continue;
        }
        for (uint32_t c = 0; c < search->lookups.class_count; c++) {
            search->trial[c] = start;
        }
        status = lutra_partition_improve(search->trial, &search->lookups, search->partition_search,
                                         &demand, search->error);
        const double cost = lutra_circuit_lookups_cost(&search->lookups, search->trial);
        if (status == LUTRA_OK && cost < least) {
            least = cost;
            memcpy(search->sets, search->trial,
                   search->lookups.class_count * sizeof *search->sets);
        }
    }
    return status;
}

/* The cheapest sets that keep settings.p_error in every look-up; *found without them is false. */
static LutraStatus choose_local(bool *found, Search *search) {
    LutraParametersChoice *const choice = search->choice;
    LutraCryptoParameters single;
    choice->p_error = search->settings.p_error;
    list_patterns(search, UINT32_MAX, 1.0);
    LUTRA_TRY(try_choose(&single, found, search));
    if (!*found) {
        return LUTRA_OK;
    }
    LUTRA_TRY(improve_output(&single, search));
    for (uint32_t c = 0; c < search->lookups.class_count; c++) {
        search->sets[c] = single;
    }
    choice->single_cost = lutra_circuit_lookups_cost(&search->lookups, search->sets);
    if (search->lookups.class_count > 1) {
        LUTRA_TRY(divide(search));
    }
    sum_errors(search);
    return LUTRA_OK;
}

static void keep_sets(Search *search) {
    memcpy(search->best, search->sets, search->lookups.class_count * sizeof *search->best);
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
static LutraStatus choose_global(bool *found, Search *search, double global_p_error) {
    LutraParametersChoice *const choice = search->choice;
    double low = log(even_share(search, global_p_error));
    double high = log(global_p_error);
    search->settings.p_error = exp(low);
    LUTRA_TRY(choose_local(found, search));
    keep_sets(search);
    LutraParametersChoice best = *choice; /* the norms are the same array throughout */
    bool is_kept = *found && choice->global_p_error <= global_p_error;
    for (int i = 0; i < GLOBAL_STEPS; i++) {
        const double middle = 0.5 * (low + high);
        bool is_set = false;
        search->settings.p_error = exp(middle);
        LUTRA_TRY(choose_local(&is_set, search));
        const bool is_good = is_set && choice->global_p_error <= global_p_error;
        if (is_good && (!is_kept || choice->cost <= best.cost)) {
            keep_sets(search);
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

/** Of two look-ups without parameters, whether the first says more about why. */
static bool is_worse(const LutraCircuitLookup *a, const LutraCircuitLookup *b) {
    return a->pattern.precision_bits != b->pattern.precision_bits
               ? a->pattern.precision_bits > b->pattern.precision_bits
               : a->pattern.var_factor + a->pattern.fresh_factor >
                     b->pattern.var_factor + b->pattern.fresh_factor;
}

/** Tells which table stands in the way. */
static LutraStatus find_obstacle(Search *search) {
    LutraParametersChoice *const choice = search->choice;
    const LutraOperation *const operations = search->circuit->operations;
    const LutraCircuitLookup *worst = NULL;
    choice->obstacle = choice->widest;
    choice->obstacle_bits = choice->widest_bits;
    for (size_t i = 0; i < search->lookups.count; i++) {
        const LutraCircuitLookup *const lookup = &search->lookups.items[i];
        LutraCryptoParameters set;
        const LutraStatus status = lutra_parameters_choose(&set, &lookup->pattern, 1,
                                                           &search->settings, search->error);
        if (status == LUTRA_EINFEASIBLE && (worst == NULL || is_worse(lookup, worst))) {
            worst = lookup;
        } else if (status != LUTRA_EINFEASIBLE) {
            LUTRA_TRY(status);
        }
    }
    if (worst != NULL) {
        const LutraOperation *const before = &operations[operations[worst->table].inputs[0]];
        choice->obstacle = worst->table;
        choice->is_obstacle_digits = worst->pattern.precision_bits == 0;
        choice->obstacle_bits =
            before->encoding.bits +
            (choice->is_obstacle_digits ? before->u.round.dropped_bits : 0);
    }
    return LUTRA_OK;
}

static LutraStatus find_enough_rounding(Search *search) {
    LutraParametersChoice *const choice = search->choice;
    for (uint32_t bits = choice->widest_bits - 1; bits >= FEWEST_ADVISED_BITS; bits--) {
        LutraCryptoParameters set;
        bool found = false;
        list_patterns(search, bits, 1.0);
        LUTRA_TRY(try_choose(&set, &found, search));
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

/** What one set says, of the look-ups of two classes. */
static void merge(LutraCryptoParameters *into, const LutraCryptoParameters *other,
                  double into_lookups, double other_lookups) {
    into->cost = (into->cost * into_lookups + other->cost * other_lookups) /
                 (into_lookups + other_lookups);
    into->p_error = fmax(into->p_error, other->p_error);
    into->norm2 = fmax(into->norm2, other->norm2);
    into->precision_bits =
        into->precision_bits > other->precision_bits ? into->precision_bits : other->precision_bits;
}

static double lookups_of(const LutraCircuitLookups *lookups, uint32_t class_index) {
    double sum = 0.0;
    for (size_t i = 0; i < lookups->count; i++) {
        sum += lookups->items[i].reader == class_index ? (double)lookups->items[i].count : 0.0;
    }
    return sum;
}

/** Puts the best sets into the circuit, each once, in the order of the tables that use them: the
 * order of classes. */
static LutraStatus hand_over(LutraCircuit *circuit, const Search *search) {
    const uint32_t class_count = search->lookups.class_count;
    LutraCryptoParameters *parameters = NULL;
    uint32_t *set_of_class = NULL;
    double *lookups = NULL;
    uint32_t count = 0;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&parameters, class_count, sizeof *parameters, search->error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&set_of_class, class_count, sizeof(uint32_t), search->error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&lookups, class_count, sizeof(double), search->error));
    for (uint32_t c = 0; c < class_count; c++) {
        const double own = lookups_of(&search->lookups, c);
        uint32_t at = 0;
        while (at < count && !lutra_partition_alike(&parameters[at], &search->best[c])) {
            at++;
        }
        if (at < count) {
            merge(&parameters[at], &search->best[c], lookups[at], own);
        } else {
            parameters[count++] = search->best[c];
        }
        lookups[at] += own;
        set_of_class[c] = at;
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_TABLE) {
            circuit->operations[i].u.table.parameter_index =
                is_encrypted_table(&circuit->operations[i])
                    ? set_of_class[search->lookups.class_of_table[i]]
                    : 0;
        }
    }
    lutra_free(&circuit->parameters);
    circuit->parameters = parameters;
    circuit->parameter_count = count;
    parameters = NULL;
done:
    lutra_free(&parameters);
    lutra_free(&set_of_class);
    lutra_free(&lookups);
    return status;
}

static void take_sets_away(LutraCircuit *circuit) {
    lutra_free(&circuit->parameters);
    circuit->parameter_count = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_TABLE) {
            circuit->operations[i].u.table.parameter_index = 0;
        }
    }
}

static LutraStatus prepare(Search *search, const LutraParametersTarget *target) {
    LUTRA_TRY(lutra_circuit_lookups_init(&search->lookups, search->circuit, search->choice->norms,
                                         target->partition, search->error));
    const uint32_t class_count = search->lookups.class_count;
    LUTRA_TRY(lutra_alloc(&search->patterns, search->lookups.count, sizeof *search->patterns,
                          search->error));
    LUTRA_TRY(lutra_alloc(&search->sets, class_count, sizeof *search->sets, search->error));
    LUTRA_TRY(lutra_alloc(&search->best, class_count, sizeof *search->best, search->error));
    LUTRA_TRY(lutra_alloc(&search->trial, class_count, sizeof *search->trial, search->error));
    if (class_count > 1) {
        LUTRA_TRY(lutra_parameter_search_create(&search->partition_search, target->security_bits,
                                                search->settings.noise_model, search->error));
    }
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
    LutraStatus status = LUTRA_OK;
    const double asked = target->p_error != 0.0 ? target->p_error : target->global_p_error;
    if (!is_probability(asked)) {
        return lutra_error_set(error, LUTRA_EINVAL, "a p_error of %g; should lie between 0 and 1",
                               asked);
    }
    Search search = {.circuit = circuit,
                     .choice = &built,
                     .partition = target->partition,
                     .error = error};
    lutra_parameters_default(&search.settings);
    search.settings.p_error = asked;
    search.settings.security_bits = target->security_bits;
    search.settings.noise_model = LUTRA_NOISE_TFHE_RS;
    search.settings.modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED;
    built.p_error = asked;
    LUTRA_TRY_GOTO(status, measure_norms(&built, circuit, error));
    LUTRA_TRY_GOTO(status, prepare(&search, target));
    if (search.lookups.count > 0 && target->p_error > 0.0) {
        LUTRA_TRY_GOTO(status, choose_local(&built.feasible, &search));
        keep_sets(&search);
    } else if (search.lookups.count > 0) {
        LUTRA_TRY_GOTO(status, choose_global(&built.feasible, &search, asked));
    }
    if (built.feasible) {
        LUTRA_TRY_GOTO(status, hand_over(circuit, &search));
    } else {
        if (search.lookups.count > 0) {
            LUTRA_TRY_GOTO(status, find_obstacle(&search));
            LUTRA_TRY_GOTO(status, find_enough_rounding(&search));
        }
        take_sets_away(circuit);
    }
    *choice = built;
    built = (LutraParametersChoice){0};
done:
    lutra_circuit_lookups_deinit(&search.lookups);
    lutra_free(&search.patterns);
    lutra_free(&search.sets);
    lutra_free(&search.best);
    lutra_free(&search.trial);
    lutra_parameter_search_destroy(&search.partition_search);
    lutra_parameters_choice_deinit(&built);
    return status;
}

const LutraCryptoParameters *lutra_circuit_main_set(const LutraCircuit *circuit) {
    const LutraCryptoParameters *main_set = &circuit->parameters[0];
    double most = -1.0;
    LUTRA_ASSERT(circuit->parameter_count > 0);
    for (uint32_t s = 0; s < circuit->parameter_count; s++) {
        double operations = 0.0;
        for (uint32_t i = 0; i < circuit->operation_count; i++) {
            const LutraOperation *const op = &circuit->operations[i];
            if (is_encrypted_table(op) && op->u.table.parameter_index == s) {
                operations += (double)lutra_operation_pbs(op) * circuit->parameters[s].cost;
            }
        }
        if (operations > most) {
            most = operations;
            main_set = &circuit->parameters[s];
        }
    }
    return main_set;
}

double lutra_circuit_worst_p_error(const LutraCircuit *circuit) {
    double worst = 0.0;
    for (uint32_t s = 0; s < circuit->parameter_count; s++) {
        worst = fmax(worst, circuit->parameters[s].p_error);
    }
    return worst;
}

void lutra_parameters_choice_deinit(LutraParametersChoice *choice) {
    lutra_free(&choice->norms);
    *choice = (LutraParametersChoice){0};
}
