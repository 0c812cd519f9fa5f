/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which widths the tables of a circuit should have, from what each width costs and loses by itself.
 *
 * Losses are taken to add up. Costs do too if every table has a set of crypto parameters of its
 * own; with one set for all, each look-up costs what the most demanding table needs, so a table
 * below that one gains nothing by being narrower.
 *
 * Legend: an option of a table is one width that it may have.
 */
#ifndef LUTRA_SIM_SEARCH_FRONT_H
#define LUTRA_SIM_SEARCH_FRONT_H

#include <stdint.h>

#include "base/status.h"

enum {
    LUTRA_SEARCH_MOST_TABLES = 128,
    LUTRA_SEARCH_MOST_OPTIONS = 17,
    /* partial choices that are kept at a time; more are thinned evenly in order of cost */
    LUTRA_SEARCH_MOST_PARTIAL = 512
};

typedef enum {
    LUTRA_SHARING_ONE_SET = 0,      /* of crypto parameters for all tables */
    LUTRA_SHARING_SET_PER_TABLE = 1 /* or for each group of equal ones */
} LutraParameterSharing;

typedef struct {
    double loss;        /* expected of this table alone, >= 0; INFINITY: do not choose it */
    double lookup_cost; /* of one look-up with parameters that this table needs, > 0; INFINITY:
                           there are none */
    uint64_t lookups;   /* of an image */
} LutraSearchOption;

typedef struct {
    uint32_t table_count; /* 1 .. LUTRA_SEARCH_MOST_TABLES */
    const uint32_t *option_counts; /* (table_count), each 1 .. LUTRA_SEARCH_MOST_OPTIONS */
    const LutraSearchOption *options; /* (table_count, LUTRA_SEARCH_MOST_OPTIONS) */
    LutraParameterSharing sharing;
} LutraSearchChoices;

/** An option for each table, and what follows from all of them. */
typedef struct {
    double cost;
    double loss;
    uint8_t options[LUTRA_SEARCH_MOST_TABLES]; /* (table_count) */
} LutraSearchPoint;

typedef struct {
    LutraSearchPoint *points; /* (count), owned: cost rises, loss falls */
    uint32_t count;
} LutraSearchFront;

void lutra_search_front_deinit(LutraSearchFront *front);

/**
 * All points that no other one beats in cost and loss. Of equal ones the one whose first differing
 * option has the smaller index.
 *
 * Exact as long as no more than LUTRA_SEARCH_MOST_PARTIAL partial choices are left at a time. There
 * may be no point at all.
 *
 * @param[out] front  owned by the caller
 * @errors LUTRA_EINVAL counts outside their ranges; LUTRA_ENOMEM
 * @source G. L. Nemhauser, Z. Ullmann, Discrete dynamic programming and capital allocation,
 *         Management Science 15 (1969) 494-505
 * @checked tests/unit/test_search.c (against enumeration)
 */
LUTRA_MUST_CHECK LutraStatus lutra_search_front_find(LutraSearchFront *front,
                                                     const LutraSearchChoices *choices,
                                                     LutraError *error);

#endif
