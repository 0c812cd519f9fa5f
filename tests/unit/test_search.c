/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search against all settings: fronts by enumeration, and whole searches on made-up networks of
 * three tables whose costs and losses are known.
 *
 * Legend: norm = how demanding a table is beside its width.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sim/cost_model.h"
#include "sim/search.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { TABLES = 3, OPTIONS = 4, VARIANTS = 2, CASES = 200 };

/* ---- fronts ---- */

static double draw(LutraRandomKey key, uint64_t *draws, uint32_t bound) {
    return (double)lutra_random_below(key, (*draws)++, bound);
}

/* Cost and loss of one choice, by the definition. */
static void value_of(double *cost, double *loss, const LutraSearchChoices *choices,
                     const uint32_t *picked) {
    double most = 0.0;
    double lookups = 0.0;
    *cost = 0.0;
    *loss = 0.0;
    for (uint32_t t = 0; t < choices->table_count; t++) {
        const LutraSearchOption *const option =
            &choices->options[(t * LUTRA_SEARCH_MOST_OPTIONS) + picked[t]];
        *loss += option->loss;
        *cost += option->lookup_cost * (double)option->lookups;
        lookups += (double)option->lookups;
        most = fmax(most, option->lookup_cost);
    }
    if (choices->sharing == LUTRA_SHARING_ONE_SET) {
        *cost = isfinite(most) ? most * lookups : HUGE_VAL;
    }
}

/* The least loss of all choices that cost at most `limit`. */
static double least_loss(const LutraSearchChoices *choices, double limit) {
    double least = HUGE_VAL;
    for (uint32_t i = 0; i < OPTIONS * OPTIONS * OPTIONS; i++) {
        const uint32_t picked[TABLES] = {i % OPTIONS, i / OPTIONS % OPTIONS,
                                         i / OPTIONS / OPTIONS};
        double cost = 0.0;
        double loss = 0.0;
        value_of(&cost, &loss, choices, picked);
        if (cost <= limit && isfinite(cost)) {
            least = fmin(least, loss);
        }
    }
    return least;
}

static void check_front(const LutraSearchChoices *choices) {
    LutraSearchFront front = {0};
    LutraError error = {""};
    check_status(lutra_search_front_find(&front, choices, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i < front.count; i++) {
        const LutraSearchPoint *const point = &front.points[i];
        uint32_t picked[TABLES];
        double cost = 0.0;
        double loss = 0.0;
        for (uint32_t t = 0; t < TABLES; t++) {
            picked[t] = point->options[t];
        }
        value_of(&cost, &loss, choices, picked);
        /* a ceiling may be above what the choice needs, but then the cheaper one has its place */
        check_close(point->cost, cost, 0.0);
        check_close(point->loss, loss, 0.0);
        check_close(point->loss, least_loss(choices, point->cost), 0.0);
        if (i > 0) {
            assert_true(point->cost > front.points[i - 1].cost);
            assert_true(point->loss < front.points[i - 1].loss);
            /* nothing lies between */
            check_close(least_loss(choices, nextafter(point->cost, 0.0)),
                        front.points[i - 1].loss, 0.0);
        }
    }
    const double best = least_loss(choices, HUGE_VAL);
    assert_int_equal(front.count > 0, isfinite(best));
    if (front.count > 0) {
        check_close(front.points[front.count - 1].loss, best, 0.0);
        assert_true(!isfinite(
            least_loss(choices, nextafter(front.points[0].cost, 0.0))));
    }
    lutra_search_front_deinit(&front);
}

static void fronts_are_those_of_all_choices(void **state) {
    (void)state;
    static const uint32_t counts[TABLES] = {OPTIONS, OPTIONS, OPTIONS};
    for (uint32_t c = 0; c < CASES; c++) {
        const LutraRandomKey key = check_key(c);
        LutraSearchOption options[TABLES * LUTRA_SEARCH_MOST_OPTIONS] = {{0}};
        uint64_t draws = 0;
        for (uint32_t t = 0; t < TABLES; t++) {
            for (uint32_t o = 0; o < OPTIONS; o++) {
                LutraSearchOption *const option =
                    &options[(t * LUTRA_SEARCH_MOST_OPTIONS) + o];
                /* small whole numbers: sums are exact, and equal ones happen */
                option->loss = draw(key, &draws, 12);
                option->lookup_cost = draw(key, &draws, 9) == 0.0
                                          ? HUGE_VAL
                                          : 1.0 + draw(key, &draws, 6);
                option->lookups = 1 + (uint64_t)draw(key, &draws, 5);
            }
        }
        for (int sharing = 0; sharing < 2; sharing++) {
            const LutraSearchChoices choices = {TABLES, counts, options,
                                                (LutraParameterSharing)sharing};
            check_front(&choices);
        }
    }
}

static void impossible_fronts_are_refused(void **state) {
    (void)state;
    const LutraSearchOption options[LUTRA_SEARCH_MOST_OPTIONS] = {{0.0, 1.0, 1}};
    LutraSearchFront front;
    LutraSearchFront before;
    LutraError error = {""};
    memset(&front, 0x5A, sizeof front);
    before = front;
    for (uint32_t count = 0; count < 2; count++) {
        const uint32_t too_many = count == 0 ? 0 : LUTRA_SEARCH_MOST_OPTIONS + 1;
        const LutraSearchChoices choices = {1, &too_many, options, LUTRA_SHARING_ONE_SET};
        const LutraSearchChoices none = {count == 0 ? 0 : LUTRA_SEARCH_MOST_TABLES + 1, &too_many,
                                         options, LUTRA_SHARING_ONE_SET};
        check_status(lutra_search_front_find(&front, &choices, &error), LUTRA_EINVAL, &error);
        check_status(lutra_search_front_find(&front, &none, &error), LUTRA_EINVAL, &error);
    }
    assert_memory_equal(&front, &before, sizeof front);
}

/* ---- whole searches ---- */

/* A network whose loss is that of its tables together, in parts of a million images. */
typedef struct {
    LutraParameterSharing sharing;
    uint32_t table_bits[TABLES];
    uint32_t lookups[TABLES];
    uint32_t norms[TABLES];   /* bits that a table is more demanding than its width says */
    uint32_t losses[TABLES];  /* images lost by dropping one bit; four times as many per bit more */
    uint32_t noise[VARIANTS]; /* images lost in any case */
    double factors[VARIANTS]; /* of costs */
    uint32_t extra;           /* images that confirmation loses beyond selection */
    uint32_t runs;
    uint32_t stop_at; /* run that is asked to stop; 0 = never */
    uint32_t recorded;
} Network;

enum { IMAGES = 1000000 };

static const uint32_t WIDTHS[] = {8, 7, 6, 5, 4, 3};
static const uint32_t REFERENCE[VARIANTS] = {0, 0};

static double cost_of_lookup(const Network *network, uint32_t table, uint32_t bits) {
    return exp2(0.5 * (bits + network->norms[table]));
}

static void price_network(LutraSearchPrice *price, const Network *network,
                          const LutraSearchSetting *setting) {
    double most = 0.0;
    *price = (LutraSearchPrice){.feasible = true};
    for (uint32_t t = 0; t < TABLES; t++) {
        const double cost = cost_of_lookup(network, t, setting->bits[t]);
        price->lookups[t] = network->lookups[t];
        price->lookup_seconds[t] = cost * network->lookups[t];
        price->seconds += price->lookup_seconds[t];
        most = fmax(most, cost);
    }
    if (network->sharing == LUTRA_SHARING_ONE_SET) {
        price->seconds = most * (network->lookups[0] + network->lookups[1] + network->lookups[2]);
    }
    price->seconds *= network->factors[setting->variant];
    price->feasible = most < 64.0;
    if (!price->feasible) {
        price->seconds = 0.0;
    }
}

static uint32_t loss_of_table(const Network *network, const LutraSearchSetting *setting,
                              uint32_t table) {
    const uint32_t dropped = network->table_bits[table] - setting->bits[table];
    return dropped == 0 ? 0 : network->losses[table] << (2 * (dropped - 1));
}

static uint32_t loss_of_setting(const Network *network, const LutraSearchSetting *setting) {
    uint32_t loss = network->noise[setting->variant];
    for (uint32_t t = 0; t < TABLES; t++) {
        loss += loss_of_table(network, setting, t);
    }
    return loss < IMAGES ? loss : IMAGES;
}

static LutraStatus price(void *user, LutraSearchPrice *price, const LutraSearchSetting *setting,
                         LutraError *error) {
    (void)error;
    price_network(price, user, setting);
    return LUTRA_OK;
}

static LutraStatus measure(void *user, LutraSearchCounts *counts, const LutraSearchSetting *setting,
                           const LutraSearchTask *task, LutraError *error) {
    Network *const network = user;
    uint64_t loss = task->table == LUTRA_SEARCH_NONE
                        ? loss_of_setting(network, setting)
                        : loss_of_table(network, setting, task->table);
    assert_true(task->done < task->total);
    assert_int_equal(task->stage == LUTRA_SEARCH_ALONE, task->table != LUTRA_SEARCH_NONE);
    assert_true(task->stage != LUTRA_SEARCH_ALONE || setting->variant == 0);
    if (++network->runs == network->stop_at) {
        return lutra_error_set(error, LUTRA_ECANCELLED, "stopped");
    }
    loss += task->stage == LUTRA_SEARCH_CONFIRM ? network->extra : 0;
    loss = loss < IMAGES ? loss : IMAGES;
    *counts = (LutraSearchCounts){.images = task->images, .worse = loss * task->images / IMAGES};
    return LUTRA_OK;
}

static LutraStatus record(void *user, const LutraSearchRow *row, LutraError *error) {
    Network *const network = user;
    (void)row;
    (void)error;
    network->recorded++;
    return LUTRA_OK;
}

static LutraSearchProblem problem_of(const Network *network, double budget) {
    return (LutraSearchProblem){.table_count = TABLES,
                                .table_bits = network->table_bits,
                                .bits = WIDTHS,
                                .bits_count = sizeof WIDTHS / sizeof WIDTHS[0],
                                .reference = REFERENCE,
                                .variant_count = VARIANTS,
                                .sharing = network->sharing,
                                .budget = budget,
                                .selection_images = IMAGES,
                                .confirmation_images = IMAGES};
}

static Network draw_network(uint32_t number, LutraParameterSharing sharing) {
    const LutraRandomKey key = check_key(number);
    uint64_t draws = 0;
    Network network = {.sharing = sharing};
    for (uint32_t t = 0; t < TABLES; t++) {
        network.table_bits[t] = 6 + (uint32_t)draw(key, &draws, 5);
        network.lookups[t] = 1 + (uint32_t)draw(key, &draws, 1000);
        network.norms[t] = (uint32_t)draw(key, &draws, 5);
        network.losses[t] = 20 + (uint32_t)draw(key, &draws, 500);
    }
    for (uint32_t v = 0; v < VARIANTS; v++) {
        network.noise[v] = v == 0 ? (uint32_t)draw(key, &draws, 4000) : 100;
        network.factors[v] = v == 0 ? 1.0 : 1.0 + (0.1 * draw(key, &draws, 10));
    }
    return network;
}

/* Whether the loss of this setting is shown to be within the budget on confirmation images. */
static bool keeps(const Network *network, const LutraSearchSetting *setting, double budget) {
    const LutraSearchRow row = {
        .counts = {.images = IMAGES, .worse = loss_of_setting(network, setting) + network->extra}};
    return row.counts.worse <= IMAGES && lutra_search_row_bound(&row) <= budget;
}

/* The least cost of all settings that keep the budget, of uniform ones only if asked; HUGE_VAL if
 * none does. */
static double least_cost(const Network *network, double budget, bool uniform) {
    double least = HUGE_VAL;
    const uint32_t widths = sizeof WIDTHS / sizeof WIDTHS[0];
    for (uint32_t i = 0; i < VARIANTS * widths * widths * widths; i++) {
        const uint32_t picked[TABLES] = {i % widths, i / widths % widths,
                                         i / widths / widths % widths};
        LutraSearchSetting setting = {.variant = i / widths / widths / widths};
        LutraSearchPrice what;
        for (uint32_t t = 0; t < TABLES; t++) {
            const uint32_t whole = network->table_bits[t];
            setting.bits[t] = (uint8_t)(WIDTHS[picked[t]] < whole ? WIDTHS[picked[t]] : whole);
        }
        price_network(&what, network, &setting);
        if (uniform && !(picked[0] == picked[1] && picked[1] == picked[2])) {
            continue;
        }
        if (what.feasible && keeps(network, &setting, budget)) {
            least = fmin(least, what.seconds);
        }
    }
    return least;
}

static LutraSearchResult search(Network *network, double budget) {
    const LutraSearchProblem problem = problem_of(network, budget);
    const LutraSearchWorker worker = {price, measure, record, network};
    LutraSearchResult result = {0};
    LutraError error = {""};
    check_status(lutra_search_run(&result, &problem, &worker, &error), LUTRA_OK, &error);
    assert_int_equal(network->recorded, result.count);
    return result;
}

/* With one set, and with a set for each table, the search finds the cheapest of all settings.
 * Selection knows losses without an interval, so the settings between the budget and its bound are
 * out of both. */
static void the_cheapest_of_all_settings_is_found(void **state) {
    (void)state;
    uint32_t better = 0;
    uint32_t searches = 0;
    for (uint32_t c = 0; c < CASES; c++) {
        for (int sharing = 0; sharing < 2; sharing++) {
            Network network = draw_network(c, (LutraParameterSharing)sharing);
            const double budget = 0.005 + (0.005 * (c % 4));
            LutraSearchResult result = search(&network, budget);
            const double best = least_cost(&network, budget, false);
            const double uniform = least_cost(&network, budget, true);
            const double cost = result.chosen == LUTRA_SEARCH_NONE
                                    ? HUGE_VAL
                                    : result.rows[result.chosen].price.seconds;
            assert_true(cost >= best);
            assert_true(cost <= uniform);
            assert_true(cost == best);
            if (result.chosen != LUTRA_SEARCH_NONE) {
                assert_int_equal(result.rows[result.chosen].stage, LUTRA_SEARCH_CONFIRM);
                assert_true(keeps(&network, &result.rows[result.chosen].setting, budget));
            }
            better += cost < uniform;
            searches++;
            lutra_search_result_deinit(&result);
        }
    }
    assert_true(better > searches / 4); /* or the widths of single tables would not matter */
}

static void confirmation_ends_with_the_first_that_fails(void **state) {
    (void)state;
    uint32_t refused = 0;
    for (uint32_t c = 0; c < CASES; c++) {
        Network network = draw_network(c, LUTRA_SHARING_ONE_SET);
        const double budget = 0.01;
        network.extra = 200 * (c % 60);
        LutraSearchResult result = search(&network, budget);
        uint32_t last = LUTRA_SEARCH_NONE;
        bool failed = false;
        double cost = HUGE_VAL;
        for (uint32_t i = 0; i < result.count; i++) {
            const LutraSearchRow *const row = &result.rows[i];
            if (row->stage != LUTRA_SEARCH_CONFIRM) {
                assert_false(failed || last != LUTRA_SEARCH_NONE); /* it is the last step */
                continue;
            }
            assert_false(failed);
            assert_true(row->price.seconds < cost); /* from dear to cheap */
            cost = row->price.seconds;
            failed = !(lutra_search_row_bound(row) <= budget);
            last = failed ? last : i;
        }
        assert_int_equal(result.chosen, last);
        refused += last == LUTRA_SEARCH_NONE;
        lutra_search_result_deinit(&result);
    }
    assert_in_range(refused, 1, CASES - 1);
}

static void a_stop_keeps_the_rows(void **state) {
    (void)state;
    const Network fresh = draw_network(3, LUTRA_SHARING_ONE_SET);
    const LutraSearchProblem problem = problem_of(&fresh, 0.01);
    LutraError error = {""};
    Network network = fresh;
    LutraSearchResult whole = search(&network, 0.01);
    const uint32_t runs = network.runs;
    for (uint32_t stop = 1; stop <= runs; stop++) {
        LutraSearchResult result = {0};
        network = fresh;
        network.stop_at = stop;
        const LutraSearchWorker worker = {price, measure, record, &network};
        check_status(lutra_search_run(&result, &problem, &worker, &error), LUTRA_ECANCELLED,
                     &error);
        assert_int_equal(result.chosen, LUTRA_SEARCH_NONE);
        assert_int_equal(result.count, network.recorded);
        assert_true(result.count < whole.count);
        assert_memory_equal(result.rows, whole.rows, result.count * sizeof *result.rows);
        lutra_search_result_deinit(&result);
    }
    lutra_search_result_deinit(&whole);
}

static void impossible_problems_are_refused(void **state) {
    (void)state;
    static const uint32_t rising[] = {4, 5};
    static const uint32_t far[] = {1, 0};
    Network network = draw_network(1, LUTRA_SHARING_ONE_SET);
    const LutraSearchWorker worker = {price, measure, record, &network};
    LutraSearchResult result;
    LutraSearchResult before;
    LutraError error = {""};
    memset(&result, 0x5A, sizeof result);
    before = result;
    for (int fault = 0; fault < 9; fault++) {
        LutraSearchProblem problem = problem_of(&network, 0.01);
        switch (fault) {
            case 0: problem.table_count = 0; break;
            case 1: problem.table_count = LUTRA_SEARCH_MOST_TABLES + 1; break;
            case 2: problem.bits_count = 0; break;
            case 3: problem.bits = rising; problem.bits_count = 2; break;
            case 4: problem.variant_count = 0; break;
            case 5: problem.reference = far; break;
            case 6: problem.budget = (double)NAN; break;
            case 7: problem.selection_images = 0; break;
            default: problem.confirmation_images = 0; break;
        }
        check_status(lutra_search_run(&result, &problem, &worker, &error), LUTRA_EINVAL, &error);
    }
    assert_memory_equal(&result, &before, sizeof result);
    assert_int_equal(network.runs, 0);
}

/* ---- prices ---- */

static void a_circuit_costs_its_lookups(void **state) {
    (void)state;
    CircuitBuilder builder;
    LutraCircuit circuit;
    LutraSearchPrice what;
    LutraCryptoParameters set = {.lwe_dim = 700,
                                 .glwe_dim = 1,
                                 .log2_poly = 11,
                                 .pbs_level = 1,
                                 .pbs_base_log = 23,
                                 .ks_level = 3,
                                 .ks_base_log = 4};
    builder_start(&builder, check_key(1), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){2, 6, 6}, (LutraEncoding){6, true}, -1, 1);
    at = builder_conv(&builder, at, 4, 3, 1, 0);
    at = builder_round(&builder, at, 2, false);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -1, 1, true);
    at = builder_linear(&builder, at, 5);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -1, 1, true);
    at = builder_linear(&builder, at, 3);
    builder_output(&builder, at, 1);
    builder_finish(&builder, &circuit);
    const LutraMachineProfile *const profile = lutra_machine_profile_builtin();
    LutraError error = {""};
    check_status(lutra_search_price(&what, &circuit, profile, 2, &error), LUTRA_OK, &error);
    assert_false(what.feasible);
    circuit_give_parameters(&circuit, set);
    for (int mode = 0; mode < 2; mode++) {
        LutraCircuitCost cost;
        circuit.operations[2].u.round.mode = (LutraRoundingMode)mode;
        const uint64_t first = mode == LUTRA_ROUNDING_EXACT ? 64 * 3 : 64;
        check_status(lutra_search_price(&what, &circuit, profile, 2, &error), LUTRA_OK, &error);
        check_status(lutra_circuit_cost(&cost, &circuit, profile, 2, &error), LUTRA_OK, &error);
        assert_true(what.feasible);
        assert_int_equal(what.lookups[0], first);
        assert_int_equal(what.lookups[1], 5);
        assert_true(what.seconds > 0.0);
        check_close(what.seconds, cost.seconds, 0.0);
        check_close(what.lookup_seconds[0], cost.operations[2].seconds + cost.operations[3].seconds,
                    0.0);
        check_close(what.lookup_seconds[1], cost.operations[5].seconds, 0.0);
        lutra_circuit_cost_deinit(&cost);
    }
    lutra_circuit_deinit(&circuit);
}

/* The set that does most of the work stands for all; p_error is the worst. */
static void a_price_tells_of_all_sets(void **state) {
    (void)state;
    CircuitBuilder builder;
    LutraCircuit circuit;
    LutraSearchPrice what;
    LutraError error = {""};
    builder_start(&builder, check_key(2), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){2, 6, 6}, (LutraEncoding){6, true}, -1, 1);
    at = builder_table(&builder, builder_conv(&builder, at, 4, 3, 1, 0), (LutraEncoding){8, true},
                       -1, 1, true);
    at = builder_table(&builder, builder_linear(&builder, at, 5), (LutraEncoding){8, true}, -1, 1,
                       true);
    builder_output(&builder, builder_linear(&builder, at, 3), 1);
    builder_finish(&builder, &circuit);
    check_status(lutra_alloc(&circuit.parameters, 2, sizeof *circuit.parameters, NULL), LUTRA_OK,
                 NULL);
    circuit.parameter_count = 2;
    for (uint32_t s = 0; s < 2; s++) {
        circuit.parameters[s] = (LutraCryptoParameters){.lwe_dim = 700 + s,
                                                        .glwe_dim = 1,
                                                        .log2_poly = 10 + s,
                                                        .pbs_level = 1,
                                                        .pbs_base_log = 23,
                                                        .ks_level = 3,
                                                        .ks_base_log = 4,
                                                        .p_error = s == 0 ? 1e-3 : 1e-2,
                                                        .cost = s == 0 ? 1.0 : 12.0};
    }
    circuit.operations[4].u.table.parameter_index = 1; /* 5 look-ups beside 64 */
    for (uint32_t s = 0; s < 2; s++) {
        check_status(lutra_search_price(&what, &circuit, lutra_machine_profile_builtin(), 2,
                                        &error), LUTRA_OK, &error);
        assert_int_equal(what.set_count, 2);
        assert_int_equal(what.set.lwe_dim, 700 + s);
        check_close(what.p_error, 1e-2, 0.0);
        circuit.parameters[1].cost = 13.0; /* 5 x 13 > 64 */
    }
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fronts_are_those_of_all_choices),
        cmocka_unit_test(impossible_fronts_are_refused),
        cmocka_unit_test(the_cheapest_of_all_settings_is_found),
        cmocka_unit_test(confirmation_ends_with_the_first_that_fails),
        cmocka_unit_test(a_stop_keeps_the_rows),
        cmocka_unit_test(impossible_problems_are_refused),
        cmocka_unit_test(a_circuit_costs_its_lookups),
        cmocka_unit_test(a_price_tells_of_all_sets),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
