/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the search; see search.h. */
#include "sim/search.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

enum {
    FIRST_LOOK_SHARE = 5,    /* a first look is at 1/5 of the selection images */
    MOST_BETWEEN = 12,       /* settings between the cheapest and the cheapest sure one */
    MOST_NEIGHBOUR_ROUNDS = 64
};

/* A setting that may be run. */
typedef struct {
    LutraSearchSetting setting;
    LutraSearchPrice price;
    double loss; /* predicted */
} Candidate;

/* Those of one variant: cost rises. */
typedef struct {
    Candidate *items; /* (count), owned */
    uint32_t count;
} Candidates;

typedef struct {
    const LutraSearchProblem *problem;
    const LutraSearchWorker *worker;
    LutraError *error;
    LutraSearchResult result;
    /* widths of each table, falling: (table_count, LUTRA_SEARCH_MOST_OPTIONS), owned */
    uint32_t *option_counts;
    uint8_t *option_bits;
    double *losses; /* of each alone: (variant_count, table_count, LUTRA_SEARCH_MOST_OPTIONS) */
    LutraSearchOption *options; /* of the variant in work */
    Candidates *candidates;     /* (variant_count) */
    uint32_t *order;            /* rows to confirm */
    uint32_t best; /* cheapest row that kept the budget, or LUTRA_SEARCH_NONE */
    uint32_t sure; /* cheapest row that kept it with room for chance, or LUTRA_SEARCH_NONE */
    uint32_t done; /* runs of the stage */
} Search;

static size_t option_index(uint32_t table, uint32_t option) {
    return ((size_t)table * LUTRA_SEARCH_MOST_OPTIONS) + option;
}

static double *losses_of(const Search *search, uint32_t variant) {
    return search->losses +
           ((size_t)variant * search->problem->table_count * LUTRA_SEARCH_MOST_OPTIONS);
}

/* ---- settings ---- */

static void list_options(Search *search) {
    const LutraSearchProblem *const problem = search->problem;
    for (uint32_t t = 0; t < problem->table_count; t++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < problem->bits_count; i++) {
            const uint32_t whole = problem->table_bits[t];
            const uint32_t bits = problem->bits[i] < whole ? problem->bits[i] : whole;
            if (count == 0 || search->option_bits[option_index(t, count - 1)] != bits) {
                search->option_bits[option_index(t, count++)] = (uint8_t)bits;
            }
        }
        search->option_counts[t] = count;
    }
}

/* All tables at a width, as far as they read that much. */
static LutraSearchSetting uniform_setting(const Search *search, uint32_t variant, uint32_t bits) {
    LutraSearchSetting setting = {.variant = variant};
    for (uint32_t t = 0; t < search->problem->table_count; t++) {
        const uint32_t whole = search->problem->table_bits[t];
        setting.bits[t] = (uint8_t)(bits < whole ? bits : whole);
    }
    return setting;
}

/* ---- rows ---- */

static bool is_same_run(const LutraSearchRow *row, const LutraSearchSetting *setting,
                        LutraSearchStage stage) {
    return (row->stage == LUTRA_SEARCH_CONFIRM) == (stage == LUTRA_SEARCH_CONFIRM) &&
           row->stage != LUTRA_SEARCH_ALONE && stage != LUTRA_SEARCH_ALONE &&
           lutra_search_setting_equal(&row->setting, setting);
}

static LutraStatus add_row(Search *search, const LutraSearchRow *row) {
    LutraSearchResult *const result = &search->result;
    LUTRA_TRY(lutra_resize(&result->rows, result->count, (size_t)result->count + 1,
                           sizeof *result->rows, search->error));
    result->rows[result->count++] = *row;
    return search->worker->record == NULL
               ? LUTRA_OK
               : search->worker->record(search->worker->user, row, search->error);
}

static LutraStatus measure(const Search *search, LutraSearchRow *row, LutraSearchTask *task,
                           uint64_t images) {
    task->images = images;
    return search->worker->measure(search->worker->user, &row->counts, &row->setting, task,
                                   search->error);
}

/* Selection images: a few, and the others if these leave hope. */
static LutraStatus select_on_images(const Search *search, LutraSearchRow *row,
                                    LutraSearchTask *task) {
    const uint64_t all = search->problem->selection_images;
    uint64_t few = all / FIRST_LOOK_SHARE;
    few = few < LUTRA_SEARCH_FEWEST_IMAGES ? LUTRA_SEARCH_FEWEST_IMAGES : few;
    if (few < all) {
        LutraInterval interval;
        LUTRA_TRY(measure(search, row, task, few));
        (void)lutra_search_row_loss(row, &interval);
        if (interval.low > search->problem->budget) {
            return LUTRA_OK;
        }
    }
    return measure(search, row, task, all);
}

/* Runs a setting and adds its row, unless there is one; *index is the row. */
static LutraStatus run_setting(Search *search, uint32_t *index, const Candidate *candidate,
                               LutraSearchStage stage, uint32_t table, uint32_t expected) {
    for (uint32_t i = 0; i < search->result.count; i++) {
        if (is_same_run(&search->result.rows[i], &candidate->setting, stage)) {
            *index = i;
            return LUTRA_OK;
        }
    }
    LutraSearchRow row = {.stage = stage,
                          .table = table,
                          .setting = candidate->setting,
                          .price = candidate->price};
    LutraSearchTask task = {
        .stage = stage,
        .table = table,
        .done = search->done,
        .total = expected > search->done ? expected : search->done + 1};
    if (row.price.feasible) {
        LUTRA_TRY(stage == LUTRA_SEARCH_CONFIRM
                      ? measure(search, &row, &task, search->problem->confirmation_images)
                      : select_on_images(search, &row, &task));
        search->done++;
    }
    *index = search->result.count;
    return add_row(search, &row);
}

static LutraStatus price(const Search *search, Candidate *candidate) {
    return search->worker->price(search->worker->user, &candidate->price, &candidate->setting,
                                 search->error);
}

static bool keeps_budget(const Search *search, uint32_t index) {
    const LutraSearchRow *const row = &search->result.rows[index];
    LutraInterval interval;
    return row->price.feasible && row->counts.images == search->problem->selection_images &&
           lutra_search_row_loss(row, &interval) <= search->problem->budget;
}

static bool keeps_surely(const Search *search, uint32_t index) {
    return keeps_budget(search, index) &&
           lutra_search_row_bound(&search->result.rows[index]) <= search->problem->budget;
}

/* Whether `cost` is below that of a row, if there is one. */
static bool is_cheaper(const Search *search, double cost, uint32_t index) {
    return index == LUTRA_SEARCH_NONE || cost < search->result.rows[index].price.seconds;
}

/* Remembers a row that keeps the budget if it is the cheapest; tells whether it is. */
static bool try_best(Search *search, uint32_t index) {
    const double cost = search->result.rows[index].price.seconds;
    if (keeps_surely(search, index) && is_cheaper(search, cost, search->sure)) {
        search->sure = index;
    }
    if (!keeps_budget(search, index) || !is_cheaper(search, cost, search->best)) {
        return false;
    }
    search->best = index;
    return true;
}

/* ---- 1. all tables alike ---- */

static LutraStatus run_uniform(Search *search) {
    const LutraSearchProblem *const problem = search->problem;
    const uint32_t expected = problem->variant_count * problem->bits_count;
    search->done = 0;
    for (uint32_t v = 0; v < problem->variant_count; v++) {
        for (uint32_t i = 0; i < problem->bits_count; i++) {
            Candidate candidate = {.setting = uniform_setting(search, v, problem->bits[i])};
            uint32_t index = 0;
            LUTRA_TRY(price(search, &candidate));
            LUTRA_TRY(run_setting(search, &index, &candidate, LUTRA_SEARCH_UNIFORM,
                                  LUTRA_SEARCH_NONE, expected));
            (void)try_best(search, index);
        }
    }
    search->result.uniform = search->best;
    return LUTRA_OK;
}

/* ---- 2. each table alone ---- */

/* Losses that do not fall as a table gets narrower: less is chance. The small rise makes the wider
 * of two tables without loss the better one. */
static void smooth_losses(double *losses, uint32_t count) {
    double least = 0.0;
    for (uint32_t o = 0; o < count; o++) {
        least = fmax(least, losses[o]);
        losses[o] = least + (1e-9 * o);
    }
}

static LutraStatus run_table(Search *search, uint32_t variant, uint32_t table, uint32_t expected) {
    double *const losses = losses_of(search, variant) + option_index(table, 0);
    for (uint32_t o = 0; o < search->option_counts[table]; o++) {
        const uint32_t bits = search->option_bits[option_index(table, o)];
        LutraInterval interval;
        Candidate candidate = {.setting = uniform_setting(search, variant, bits)};
        uint32_t index = 0;
        LUTRA_TRY(price(search, &candidate));
        LUTRA_TRY(run_setting(search, &index, &candidate, LUTRA_SEARCH_ALONE, table, expected));
        const LutraSearchRow *const row = &search->result.rows[index];
        losses[o] = row->price.feasible ? lutra_search_row_loss(row, &interval) : 0.0;
    }
    smooth_losses(losses, search->option_counts[table]);
    return LUTRA_OK;
}

static LutraStatus run_alone(Search *search) {
    const LutraSearchProblem *const problem = search->problem;
    uint32_t expected = 0;
    for (uint32_t v = 0; v < problem->variant_count; v++) {
        for (uint32_t t = 0; problem->reference[v] == v && t < problem->table_count; t++) {
            expected += search->option_counts[t];
        }
    }
    search->done = 0;
    for (uint32_t v = 0; v < problem->variant_count; v++) {
        for (uint32_t t = 0; problem->reference[v] == v && t < problem->table_count; t++) {
            LUTRA_TRY(run_table(search, v, t, expected));
        }
    }
    return LUTRA_OK;
}

/* ---- 3. the front of a variant ---- */

/* Seconds of one look-up of a table. With one set, every look-up takes what the most demanding one
 * does: the mean of all. */
static double lookup_cost(const LutraSearchProblem *problem, const LutraSearchPrice *price,
                          uint32_t table) {
    uint64_t lookups = 0;
    for (uint32_t t = 0; t < problem->table_count; t++) {
        lookups += price->lookups[t];
    }
    if (!price->feasible || lookups == 0) {
        return HUGE_VAL;
    }
    if (problem->sharing == LUTRA_SHARING_ONE_SET) {
        return price->seconds / (double)lookups;
    }
    /* one without look-ups is in the clear: it costs nothing, whatever its width */
    return price->lookups[table] == 0
               ? DBL_MIN
               : price->lookup_seconds[table] / (double)price->lookups[table];
}

/* Prices every option of every table beside the narrowest of the others. */
static LutraStatus price_options(Search *search, uint32_t variant) {
    const LutraSearchProblem *const problem = search->problem;
    const uint32_t narrowest = problem->bits[problem->bits_count - 1];
    const double *const losses = losses_of(search, problem->reference[variant]);
    Candidate base = {.setting = uniform_setting(search, variant, narrowest)};
    LUTRA_TRY(price(search, &base));
    for (uint32_t t = 0; t < problem->table_count; t++) {
        for (uint32_t o = 0; o < search->option_counts[t]; o++) {
            Candidate candidate = base;
            candidate.setting.bits[t] = search->option_bits[option_index(t, o)];
            if (candidate.setting.bits[t] != base.setting.bits[t]) {
                LUTRA_TRY(price(search, &candidate));
            }
            search->options[option_index(t, o)] = (LutraSearchOption){
                .loss = losses[option_index(t, o)],
                .lookup_cost = lookup_cost(problem, &candidate.price, t),
                .lookups = candidate.price.lookups[t]};
        }
    }
    return LUTRA_OK;
}

/* Prices the points of a front; keeps those with parameters whose cost rises, of equal cost the one
 * with the least predicted loss. */
static LutraStatus list_candidates(Search *search, uint32_t variant,
                                   const LutraSearchFront *front) {
    Candidates *const list = &search->candidates[variant];
    LUTRA_TRY(lutra_alloc(&list->items, front->count, sizeof *list->items, search->error));
    for (uint32_t i = 0; i < front->count; i++) {
        Candidate candidate = {.setting = {.variant = variant}, .loss = front->points[i].loss};
        for (uint32_t t = 0; t < search->problem->table_count; t++) {
            candidate.setting.bits[t] =
                search->option_bits[option_index(t, front->points[i].options[t])];
        }
        LUTRA_TRY(price(search, &candidate));
        if (!candidate.price.feasible) {
            continue;
        }
        while (list->count > 0 &&
               list->items[list->count - 1].price.seconds >= candidate.price.seconds) {
            list->count--; /* predicted to be worse, and no cheaper */
        }
        list->items[list->count++] = candidate;
    }
    return LUTRA_OK;
}

static LutraStatus find_candidates(Search *search, uint32_t variant) {
    const LutraSearchChoices choices = {search->problem->table_count, search->option_counts,
                                        search->options, search->problem->sharing};
    LutraSearchFront front = {0};
    LUTRA_TRY(price_options(search, variant));
    LUTRA_TRY(lutra_search_front_find(&front, &choices, search->error));
    const LutraStatus status = list_candidates(search, variant, &front);
    lutra_search_front_deinit(&front);
    return status;
}

static LutraStatus run_candidate(Search *search, uint32_t *index, const Candidate *candidate) {
    LUTRA_TRY(run_setting(search, index, candidate, LUTRA_SEARCH_FRONT, LUTRA_SEARCH_NONE,
                          (search->problem->variant_count * 4) + MOST_BETWEEN));
    (void)try_best(search, *index);
    return LUTRA_OK;
}

/* Halves towards the cheapest of a variant that keeps the budget, surely if asked, among those that
 * are cheaper than the best such row. */
static LutraStatus halve(Search *search, uint32_t variant, bool surely) {
    const Candidates *const list = &search->candidates[variant];
    const uint32_t best = surely ? search->sure : search->best;
    uint32_t low = 0;
    uint32_t high = 0;
    while (high < list->count && is_cheaper(search, list->items[high].price.seconds, best)) {
        high++;
    }
    while (low < high) {
        const uint32_t middle = low + ((high - low) / 2);
        uint32_t index = 0;
        LUTRA_TRY(run_candidate(search, &index, &list->items[middle]));
        if (surely ? keeps_surely(search, index) : keeps_budget(search, index)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return LUTRA_OK;
}

/* The n-th of all candidates between the cheapest row that keeps the budget and the cheapest that
 * surely does, in the order of variants; NULL behind the last. */
static const Candidate *between(const Search *search, uint32_t n) {
    for (uint32_t v = 0; v < search->problem->variant_count; v++) {
        for (uint32_t i = 0; i < search->candidates[v].count; i++) {
            const Candidate *const candidate = &search->candidates[v].items[i];
            const double cost = candidate->price.seconds;
            if (cost > search->result.rows[search->best].price.seconds &&
                is_cheaper(search, cost, search->sure) && n-- == 0) {
                return candidate;
            }
        }
    }
    return NULL;
}

/* Runs some of them, evenly spread: steps of the confirmation should be small. */
static LutraStatus run_between(Search *search) {
    LutraStatus status = LUTRA_OK;
    Candidate *chosen = NULL;
    uint32_t count = 0;
    if (search->best == LUTRA_SEARCH_NONE) {
        return LUTRA_OK;
    }
    while (between(search, count) != NULL) {
        count++;
    }
    const uint32_t runs = count < MOST_BETWEEN ? count : MOST_BETWEEN;
    LUTRA_TRY(lutra_alloc(&chosen, runs, sizeof *chosen, search->error));
    for (uint32_t i = 0; i < runs; i++) { /* before their runs move the ends */
        chosen[i] = *between(search, (uint32_t)((uint64_t)i * count / runs));
    }
    for (uint32_t i = 0; i < runs && status == LUTRA_OK; i++) {
        uint32_t index = 0;
        status = run_candidate(search, &index, &chosen[i]);
    }
    lutra_free(&chosen);
    return status;
}

static LutraStatus run_fronts(Search *search) {
    search->done = 0;
    for (uint32_t v = 0; v < search->problem->variant_count; v++) {
        LUTRA_TRY(find_candidates(search, v));
        LUTRA_TRY(halve(search, v, false));
    }
    for (uint32_t v = 0; v < search->problem->variant_count; v++) {
        LUTRA_TRY(halve(search, v, true));
    }
    return run_between(search);
}

/* ---- 4. neighbours ---- */

/* The next width below that of a table, or 0. */
static uint32_t narrower(const Search *search, uint32_t table, uint32_t bits) {
    for (uint32_t o = 0; o < search->option_counts[table]; o++) {
        if (search->option_bits[option_index(table, o)] < bits) {
            return search->option_bits[option_index(table, o)];
        }
    }
    return 0;
}

/* One table of the best setting a step narrower, where that is cheaper; *found: one is better. */
static LutraStatus run_neighbours(Search *search, bool *found) {
    const Candidate start = {.setting = search->result.rows[search->best].setting};
    *found = false;
    for (uint32_t t = 0; t < search->problem->table_count && !*found; t++) {
        Candidate candidate = start;
        const uint32_t bits = narrower(search, t, start.setting.bits[t]);
        uint32_t index = 0;
        if (bits == 0) {
            continue;
        }
        candidate.setting.bits[t] = (uint8_t)bits;
        LUTRA_TRY(price(search, &candidate));
        if (!candidate.price.feasible ||
            candidate.price.seconds >= search->result.rows[search->best].price.seconds) {
            continue;
        }
        LUTRA_TRY(run_setting(search, &index, &candidate, LUTRA_SEARCH_NEIGHBOUR,
                              LUTRA_SEARCH_NONE, search->problem->table_count));
        *found = try_best(search, index);
    }
    return LUTRA_OK;
}

static LutraStatus refine(Search *search) {
    bool found = search->best != LUTRA_SEARCH_NONE;
    search->done = 0;
    for (int round = 0; found && round < MOST_NEIGHBOUR_ROUNDS; round++) {
        LUTRA_TRY(run_neighbours(search, &found));
    }
    return LUTRA_OK;
}

/* ---- 5. other images ---- */

static LutraStatus confirm(Search *search) {
    const LutraSearchProblem *const problem = search->problem;
    LUTRA_TRY(lutra_alloc(&search->order, search->result.count, sizeof *search->order,
                          search->error));
    const uint32_t count = lutra_search_pareto(search->order, &search->result,
                                               problem->selection_images, 1.0);
    search->done = 0;
    for (uint32_t i = 0; i < count; i++) {
        const LutraSearchRow *const row = &search->result.rows[search->order[i]];
        const Candidate candidate = {.setting = row->setting, .price = row->price};
        LutraInterval interval;
        uint32_t index = 0;
        (void)lutra_search_row_loss(row, &interval);
        if (interval.low > problem->budget) {
            break; /* as the cheaper ones, which lose more */
        }
        LUTRA_TRY(run_setting(search, &index, &candidate, LUTRA_SEARCH_CONFIRM, LUTRA_SEARCH_NONE,
                              count));
        if (!(lutra_search_row_bound(&search->result.rows[index]) <= problem->budget)) {
            break;
        }
        search->result.chosen = index;
    }
    return LUTRA_OK;
}

/* ---- the whole ---- */

static LutraStatus check_problem(const LutraSearchProblem *problem, LutraError *error) {
    bool possible = problem->table_count >= 1 && problem->table_count <= LUTRA_SEARCH_MOST_TABLES &&
                    problem->bits_count >= 1 && problem->bits_count <= LUTRA_MAX_ROUNDING &&
                    problem->variant_count >= 1 && problem->selection_images > 0 &&
                    problem->confirmation_images > 0 && problem->budget >= 0.0 &&
                    problem->budget <= 1.0;
    for (uint32_t t = 0; possible && t < problem->table_count; t++) {
        possible = problem->table_bits[t] >= 1 && problem->table_bits[t] <= LUTRA_MAX_VALUE_BITS;
    }
    for (uint32_t i = 0; possible && i < problem->bits_count; i++) {
        possible = problem->bits[i] >= 1 && problem->bits[i] <= LUTRA_MAX_ROUNDING &&
                   (i == 0 || problem->bits[i] < problem->bits[i - 1]);
    }
    for (uint32_t v = 0; possible && v < problem->variant_count; v++) {
        const uint32_t reference = problem->reference[v];
        possible = reference < problem->variant_count && problem->reference[reference] == reference;
    }
    return possible ? LUTRA_OK
                    : lutra_error_set(error, LUTRA_EINVAL,
                                      "a search over %u tables (at most %d), %u widths, %u "
                                      "variants, %llu and %llu images with a budget of %g",
                                      problem->table_count, LUTRA_SEARCH_MOST_TABLES,
                                      problem->bits_count, problem->variant_count,
                                      (unsigned long long)problem->selection_images,
                                      (unsigned long long)problem->confirmation_images,
                                      problem->budget);
}

static LutraStatus allocate(Search *search) {
    const size_t tables = search->problem->table_count;
    const size_t options = tables * LUTRA_SEARCH_MOST_OPTIONS;
    const size_t variants = search->problem->variant_count;
    LutraError *const error = search->error;
    LUTRA_TRY(lutra_alloc(&search->option_counts, tables, sizeof *search->option_counts, error));
    LUTRA_TRY(lutra_alloc(&search->option_bits, options, sizeof *search->option_bits, error));
    LUTRA_TRY(lutra_alloc(&search->options, options, sizeof *search->options, error));
    LUTRA_TRY(lutra_alloc(&search->losses, variants, options * sizeof *search->losses, error));
    return lutra_alloc(&search->candidates, variants, sizeof *search->candidates, error);
}

static LutraStatus run_steps(Search *search) {
    LUTRA_TRY(allocate(search));
    list_options(search);
    LUTRA_TRY(run_uniform(search));
    LUTRA_TRY(run_alone(search));
    LUTRA_TRY(run_fronts(search));
    LUTRA_TRY(refine(search));
    return confirm(search);
}

LutraStatus lutra_search_run(LutraSearchResult *result, const LutraSearchProblem *problem,
                             const LutraSearchWorker *worker, LutraError *error) {
    LUTRA_TRY(check_problem(problem, error));
    Search search = {.problem = problem,
                     .worker = worker,
                     .error = error,
                     .result = {.uniform = LUTRA_SEARCH_NONE, .chosen = LUTRA_SEARCH_NONE},
                     .best = LUTRA_SEARCH_NONE,
                     .sure = LUTRA_SEARCH_NONE};
    const LutraStatus status = run_steps(&search);
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        if (status == LUTRA_ECANCELLED) {
            search.result.chosen = LUTRA_SEARCH_NONE;
        }
        *result = search.result;
        search.result = (LutraSearchResult){0};
    }
    for (uint32_t v = 0; search.candidates != NULL && v < problem->variant_count; v++) {
        lutra_free(&search.candidates[v].items);
    }
    lutra_free(&search.candidates);
    lutra_free(&search.order);
    lutra_free(&search.options);
    lutra_free(&search.losses);
    lutra_free(&search.option_bits);
    lutra_free(&search.option_counts);
    lutra_search_result_deinit(&search.result);
    return status;
}
