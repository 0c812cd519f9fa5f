/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cheapest roundings and crypto parameters of a network within a budget of lost accuracy.
 *
 * A setting is a width for each table and a variant: a number for everything that is not a width
 * (rounding mode, offsets, p_error), whose meaning is the caller's. The caller makes circuits,
 * prices and runs them; the search decides which.
 *
 *   1. uniform    every variant with all tables at each width
 *   2. alone      each table rounded and noisy by itself, in the variants that others refer to
 *   3. front      for every variant the settings that are best if losses add up (search_front.h),
 *                 halving towards the cheapest that keeps the budget, then towards the cheapest
 *                 that keeps it with room for chance; and some between these two
 *   4. neighbour  from the best setting, one table a step narrower as long as that is cheaper
 *   5. confirm    the settings that nothing beats in cost and loss and whose interval of the loss
 *                 reaches down to the budget, on images that no choice has seen
 *
 * Steps 1 to 4 run on selection images; a setting whose interval of the loss lies above the budget
 * on the first fifth of them is not run on the others. The settings of step 5 and their order, from
 * the dearest to the cheapest, stand before it starts; it ends with the first whose loss is not
 * shown to be within the budget, and the last one that was is chosen. In such a fixed order every
 * test can use the full level: the chosen setting breaks the budget with a probability of at most
 * 1 - LUTRA_SEARCH_CONFIDENCE, however many were tried.
 *
 * Loss is that of top-1 against the circuit without rounding and noise, on the same images.
 */
#ifndef LUTRA_SIM_SEARCH_H
#define LUTRA_SIM_SEARCH_H

#include <stdbool.h>

#include "base/interval.h"
#include "sim/circuit.h"
#include "sim/machine_profile.h"
#include "sim/search_front.h"

#define LUTRA_SEARCH_CONFIDENCE 0.95 /* one-sided, of the budget */

enum { LUTRA_SEARCH_FEWEST_IMAGES = 200 /* of a first look at a setting, if there are as many */ };

/** No table, or no row. */
#define LUTRA_SEARCH_NONE UINT32_MAX

typedef struct {
    uint32_t variant;
    uint8_t bits[LUTRA_SEARCH_MOST_TABLES]; /* (table_count) that each table reads */
} LutraSearchSetting;

bool lutra_search_setting_equal(const LutraSearchSetting *a, const LutraSearchSetting *b);

/** What one image costs. */
typedef struct {
    bool feasible;  /* there are crypto parameters; otherwise only `lookups` means something */
    double seconds; /* predicted, of the encrypted operations (cost_model.h) */
    double p_error; /* of the worst look-up */
    uint32_t set_count;
    LutraCryptoParameters set; /* the one, or lutra_circuit_main_set */
    uint64_t lookups[LUTRA_SEARCH_MOST_TABLES]; /* (table_count), of exact roundings included */
    double lookup_seconds[LUTRA_SEARCH_MOST_TABLES]; /* (table_count) that these take */
} LutraSearchPrice;

/**
 * Price of a circuit with its crypto parameters: what lutra_circuit_cost predicts.
 *
 * @param circuit  at most LUTRA_SEARCH_MOST_TABLES tables
 * @param profile  passed lutra_machine_profile_check
 * @param threads  >= 1
 * @errors those of lutra_circuit_cost; *price is unchanged then
 */
LUTRA_MUST_CHECK LutraStatus lutra_search_price(LutraSearchPrice *price,
                                                const LutraCircuit *circuit,
                                                const LutraMachineProfile *profile,
                                                uint32_t threads, LutraError *error);

/** What running a setting gave. */
typedef struct {
    uint64_t images;
    uint64_t hits;   /* right answers */
    uint64_t worse;  /* images that the circuit without rounding and noise alone answers rightly */
    uint64_t better; /* images that this setting alone answers rightly */
    uint64_t out_of_range;
    double seconds;
} LutraSearchCounts;

/* Pinned numbers: their names stand in result files. */
typedef enum {
    LUTRA_SEARCH_UNIFORM = 0,
    LUTRA_SEARCH_ALONE = 1,
    LUTRA_SEARCH_FRONT = 2,
    LUTRA_SEARCH_NEIGHBOUR = 3,
    LUTRA_SEARCH_CONFIRM = 4,
    LUTRA_SEARCH_STAGES = 5
} LutraSearchStage;

/** "uniform", "alone", "front", "neighbour" or "confirm"; never NULL. */
const char *lutra_search_stage_name(LutraSearchStage stage);

/** A run that the search asks for. */
typedef struct {
    LutraSearchStage stage;
    uint32_t table;  /* the one that is rounded and noisy (alone), with the price of the setting;
                        LUTRA_SEARCH_NONE: all */
    uint64_t images; /* run the first so many of the selection, or confirmation, images */
    uint32_t done;   /* runs of this stage before */
    uint32_t total;  /* runs of this stage that are expected, > done; may grow */
} LutraSearchTask;

typedef struct {
    LutraSearchStage stage;
    uint32_t table; /* as in LutraSearchTask */
    LutraSearchSetting setting;
    LutraSearchPrice price; /* of the setting with all tables */
    LutraSearchCounts counts; /* no images if it is not feasible */
} LutraSearchRow;

/** (worse - better) / images, and its 95 % interval. A row without images: 0, [-1, 1]. */
double lutra_search_row_loss(const LutraSearchRow *row, LutraInterval *interval);

/** Upper bound of the loss that holds with LUTRA_SEARCH_CONFIDENCE. */
double lutra_search_row_bound(const LutraSearchRow *row);

/** Who makes circuits and runs them. Every status but LUTRA_OK ends the search. */
typedef struct {
    LutraStatus (*price)(void *user, LutraSearchPrice *price, const LutraSearchSetting *setting,
                         LutraError *error);
    /** Must give the same counts for the same task and setting. */
    LutraStatus (*measure)(void *user, LutraSearchCounts *counts, const LutraSearchSetting *setting,
                           const LutraSearchTask *task, LutraError *error);
    /** A row is complete; may be NULL. */
    LutraStatus (*record)(void *user, const LutraSearchRow *row, LutraError *error);
    void *user;
} LutraSearchWorker;

typedef struct {
    uint32_t table_count;
    const uint32_t *table_bits; /* (table_count) that each reads without rounding, 1 .. 31 */
    const uint32_t *bits;       /* (bits_count) to choose from, falling, 1 .. LUTRA_MAX_ROUNDING; a
                                   table that reads no more is not rounded */
    uint32_t bits_count;        /* 1 .. LUTRA_MAX_ROUNDING */
    /** (variant_count) the variant whose tables alone stand for this one's; it refers to itself */
    const uint32_t *reference;
    uint32_t variant_count;
    LutraParameterSharing sharing; /* what prices follow */
    double budget;                 /* largest loss, a fraction */
    uint64_t selection_images;     /* > 0 */
    uint64_t confirmation_images;  /* > 0 */
} LutraSearchProblem;

typedef struct {
    LutraSearchRow *rows; /* (count) in the order in which they were finished, owned */
    uint32_t count;
    uint32_t uniform; /* cheapest row with all tables alike that kept the budget on the selection
                         images, or LUTRA_SEARCH_NONE */
    uint32_t chosen;  /* a row of the last step, or LUTRA_SEARCH_NONE: no setting was shown to keep
                         the budget */
} LutraSearchResult;

void lutra_search_result_deinit(LutraSearchResult *result);

/**
 * Searches. Deterministic if the worker is.
 *
 * @param[out] result  owned by the caller; unchanged on error, except LUTRA_ECANCELLED: then it
 *                     holds the rows that were finished, and none is chosen
 * @errors LUTRA_EINVAL a problem outside its ranges; those of the worker; LUTRA_ENOMEM
 * @checked tests/unit/test_search.c (against all settings)
 */
LUTRA_MUST_CHECK LutraStatus lutra_search_run(LutraSearchResult *result,
                                              const LutraSearchProblem *problem,
                                              const LutraSearchWorker *worker, LutraError *error);

/**
 * Rows of settings that no other one beats in cost and loss, among those with all tables that were
 * run on at least `images` selection images and lost at most `most_loss`.
 *
 * @param[out] indexes  (result->count) of rows, from the dearest to the cheapest
 * @return     how many
 */
uint32_t lutra_search_pareto(uint32_t *indexes, const LutraSearchResult *result, uint64_t images,
                             double most_loss);

#endif
