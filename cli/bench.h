/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the groups of `lutra bench` share: a list of measured items, the clockwork around them, and
 * the CSV that stores them as a baseline. One file bench_<group>.c per group.
 */
#ifndef LUTRA_CLI_BENCH_H
#define LUTRA_CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/status.h"
#include "cli/cli.h"

enum { BENCH_NAME_BYTES = 64, BENCH_UNIT_BYTES = 16, BENCH_SETS_BYTES = 64 };

/** One measured thing, over all repeats. */
typedef struct {
    char name[BENCH_NAME_BYTES]; /* GROUP.WHAT[.HOW], without commas */
    char unit[BENCH_UNIT_BYTES];
    bool less_is_better;
    double median;
    double best;
    double worst;
    uint32_t repeats;
} BenchItem;

typedef struct {
    BenchItem *items; /* (count), owned */
    uint32_t count;
    char cpu[LUTRA_CPU_MODEL_BYTES];
    char sets[BENCH_SETS_BYTES]; /* instruction sets in use, such as "avx2" */
} BenchItems;

typedef struct {
    BenchItems results;
    const CliCommon *common;
    double seconds;           /* time to spend on one item, all repeats together */
    uint32_t repeats;
    const char *circuit_path; /* measure this circuit, too; may be NULL */
    CliProgress *progress;
} Bench;

/** Instruction sets to measure kernels in; each contains those before it. */
typedef struct {
    const char *name;
    uint32_t mask; /* of LutraCpuFlag */
} BenchSet;

enum { BENCH_SETS = 3 };
extern const BenchSet bench_sets[BENCH_SETS];

void bench_items_deinit(BenchItems *items);

/** The item of that name, or NULL. */
const BenchItem *bench_find(const BenchItems *items, const char *name);

/** What is measured: runs once and cannot fail. */
typedef void (*BenchFunction)(void *user);

/**
 * Calls the function once to warm up, then for bench->seconds in bench->repeats portions, and adds
 * the item: `work` units per call and second.
 *
 * @errors LUTRA_ENOMEM; LUTRA_ECANCELLED after Ctrl-C
 */
LUTRA_MUST_CHECK LutraStatus bench_rate(Bench *bench, const char *name, const char *unit,
                                        double work, BenchFunction function, void *user,
                                        LutraError *error);

/**
 * Adds an item from values that were measured one by one; sorts them.
 *
 * @param values  (count), count >= 1
 */
LUTRA_MUST_CHECK LutraStatus bench_add(Bench *bench, const char *name, const char *unit,
                                       bool less_is_better, double *values, uint32_t count,
                                       LutraError *error);

/** The groups. */
LUTRA_MUST_CHECK LutraStatus bench_kernels(Bench *bench, LutraError *error);
LUTRA_MUST_CHECK LutraStatus bench_noise(Bench *bench, LutraError *error);
LUTRA_MUST_CHECK LutraStatus bench_simulate(Bench *bench, LutraError *error);
LUTRA_MUST_CHECK LutraStatus bench_start_up(Bench *bench, LutraError *error);
LUTRA_MUST_CHECK LutraStatus bench_train(Bench *bench, LutraError *error);

/* ---- baselines ---- */

LUTRA_MUST_CHECK LutraStatus bench_write_csv(const BenchItems *items, const char *path, bool force,
                                             LutraError *error);

/** @errors LUTRA_EIO cannot read; LUTRA_EDATA no such CSV, naming the line */
LUTRA_MUST_CHECK LutraStatus bench_read_csv(BenchItems *items, const char *path,
                                            LutraError *error);

/** Speed relative to the baseline, by medians: below 1 is slower. */
double bench_relative_speed(const BenchItem *now, const BenchItem *baseline);

#endif
