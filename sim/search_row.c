/* SPDX-License-Identifier: Apache-2.0 */
/* What a search knows of its settings: prices, losses, and which of them nothing beats. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_parameters.h"
#include "sim/cost_model.h"
#include "sim/search.h"

bool lutra_search_setting_equal(const LutraSearchSetting *a, const LutraSearchSetting *b) {
    return a->variant == b->variant && memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

const char *lutra_search_stage_name(LutraSearchStage stage) {
    static const char *const names[LUTRA_SEARCH_STAGES] = {"uniform", "alone", "front", "neighbour",
                                                           "confirm"};
    return names[stage];
}

/* ---- prices ---- */

/* Look-ups of a table and of the exact rounding that it alone reads. */
static uint64_t lookups_of(const LutraCircuit *circuit, const LutraOperation *table) {
    const LutraOperation *const before = &circuit->operations[table->inputs[0]];
    return lutra_operation_pbs(table) +
           (before->kind == LUTRA_OPERATION_ROUND ? lutra_operation_pbs(before) : 0);
}

/* Seconds of the same. */
static double lookup_seconds_of(const LutraCircuitCost *cost, const LutraCircuit *circuit,
                                uint32_t table) {
    const uint32_t before = circuit->operations[table].inputs[0];
    return cost->operations[table].seconds +
           (circuit->operations[before].kind == LUTRA_OPERATION_ROUND
                ? cost->operations[before].seconds
                : 0.0);
}

/* Everything that a price has with crypto parameters only. */
static LutraStatus add_costs(LutraSearchPrice *price, const LutraCircuit *circuit,
                             const LutraMachineProfile *profile, uint32_t threads,
                             LutraError *error) {
    LutraCircuitCost cost = {0};
    uint32_t tables = 0;
    LUTRA_TRY(lutra_circuit_cost(&cost, circuit, profile, threads, error));
    price->seconds = cost.seconds;
    price->p_error = lutra_circuit_worst_p_error(circuit);
    price->set_count = circuit->parameter_count;
    price->set = *lutra_circuit_main_set(circuit);
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_TABLE) {
            price->lookup_seconds[tables++] = lookup_seconds_of(&cost, circuit, i);
        }
    }
    lutra_circuit_cost_deinit(&cost);
    return LUTRA_OK;
}

LutraStatus lutra_search_price(LutraSearchPrice *price, const LutraCircuit *circuit,
                               const LutraMachineProfile *profile, uint32_t threads,
                               LutraError *error) {
    uint32_t tables = 0;
    LutraSearchPrice made = {.feasible = circuit->parameter_count > 0};
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            LUTRA_ASSERT(tables < LUTRA_SEARCH_MOST_TABLES);
            made.lookups[tables++] = lookups_of(circuit, op);
        }
    }
    if (made.feasible) {
        LUTRA_TRY(add_costs(&made, circuit, profile, threads, error));
    }
    *price = made;
    return LUTRA_OK;
}

/* ---- losses ---- */

double lutra_search_row_loss(const LutraSearchRow *row, LutraInterval *interval) {
    const LutraSearchCounts *const counts = &row->counts;
    const double worse = (double)counts->worse;
    const double better = (double)counts->better;
    *interval = lutra_interval_paired(worse, better, (double)counts->images, 0.95);
    return counts->images == 0 ? 0.0 : (worse - better) / (double)counts->images;
}

double lutra_search_row_bound(const LutraSearchRow *row) {
    const LutraSearchCounts *const counts = &row->counts;
    /* one side of an interval that leaves as much out on both */
    const double two_sided = 1.0 - (2.0 * (1.0 - LUTRA_SEARCH_CONFIDENCE));
    return lutra_interval_paired((double)counts->worse, (double)counts->better,
                                 (double)counts->images, two_sided)
        .high;
}

/* ---- the best ---- */

static double loss_of(const LutraSearchRow *row) {
    LutraInterval ignored;
    return lutra_search_row_loss(row, &ignored);
}

static bool is_candidate(const LutraSearchRow *row, uint64_t images, double most_loss) {
    return row->stage != LUTRA_SEARCH_ALONE && row->stage != LUTRA_SEARCH_CONFIRM &&
           row->price.feasible && row->counts.images >= images && row->counts.images > 0 &&
           loss_of(row) <= most_loss;
}

/* Whether `a` is at least as good in both and better in one, or equal and first. */
static bool beats(const LutraSearchRow *a, const LutraSearchRow *b, bool is_first) {
    const double loss_a = loss_of(a);
    const double loss_b = loss_of(b);
    if (a->price.seconds > b->price.seconds || loss_a > loss_b) {
        return false;
    }
    return a->price.seconds < b->price.seconds || loss_a < loss_b || is_first;
}

uint32_t lutra_search_pareto(uint32_t *indexes, const LutraSearchResult *result, uint64_t images,
                             double most_loss) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < result->count; i++) {
        const LutraSearchRow *const row = &result->rows[i];
        bool is_beaten = !is_candidate(row, images, most_loss);
        for (uint32_t k = 0; k < result->count && !is_beaten; k++) {
            const LutraSearchRow *const other = &result->rows[k];
            is_beaten = k != i && is_candidate(other, images, most_loss) &&
                        beats(other, row, k < i);
        }
        if (is_beaten) {
            continue;
        }
        uint32_t place = count++; /* behind those that are dearer */
        for (; place > 0 && result->rows[indexes[place - 1]].price.seconds < row->price.seconds;
             place--) {
            indexes[place] = indexes[place - 1];
        }
        indexes[place] = i;
    }
    return count;
}

void lutra_search_result_deinit(LutraSearchResult *result) {
    lutra_free(&result->rows);
    *result = (LutraSearchResult){.uniform = LUTRA_SEARCH_NONE, .chosen = LUTRA_SEARCH_NONE};
}
