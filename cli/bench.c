/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring, and the list of what was measured. */
#include "cli/bench.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/median.h"
#include "base/memory.h"

const BenchSet bench_sets[BENCH_SETS] = {
    {"ref", 0}, {"avx2", LUTRA_CPU_AVX2}, {"avx512", LUTRA_CPU_ALL}};

void bench_items_deinit(BenchItems *items) {
    lutra_free(&items->items);
    memset(items, 0, sizeof *items);
}

const BenchItem *bench_find(const BenchItems *items, const char *name) {
    for (uint32_t i = 0; i < items->count; i++) {
        if (strcmp(items->items[i].name, name) == 0) {
            return &items->items[i];
        }
    }
    return NULL;
}

LutraStatus bench_add(Bench *bench, const char *name, const char *unit, bool less_is_better,
                      double *values, uint32_t count, LutraError *error) {
    BenchItems *const results = &bench->results;
    const double median = lutra_median(values, count); /* sorted from here on */
    BenchItem item = {.less_is_better = less_is_better,
                      .median = median,
                      .best = less_is_better ? values[0] : values[count - 1],
                      .worst = less_is_better ? values[count - 1] : values[0],
                      .repeats = count};
    (void)snprintf(item.name, sizeof item.name, "%s", name);
    (void)snprintf(item.unit, sizeof item.unit, "%s", unit);
    LUTRA_TRY(lutra_resize(&results->items, results->count, (size_t)results->count + 1,
                           sizeof(BenchItem), error));
    results->items[results->count++] = item;
    if (bench->progress->bar) { /* someone looks on */
        char line[BENCH_NAME_BYTES + BENCH_UNIT_BYTES + 32];
        (void)snprintf(line, sizeof line, "%s: %.4g %s", item.name, item.median, item.unit);
        lutra_progress_note(&bench->progress->progress, line);
    }
    return cli_interrupted() ? lutra_error_set(error, LUTRA_ECANCELLED,
                                               "stopped after %u measurements", results->count)
                             : LUTRA_OK;
}

static double seconds_of_calls(BenchFunction function, void *user, uint64_t calls) {
    const double started = lutra_seconds();
    for (uint64_t i = 0; i < calls; i++) {
        function(user);
    }
    return lutra_seconds() - started;
}

/** Calls that take about `wanted` seconds; warms up on the way. */
static uint64_t calls_for(BenchFunction function, void *user, double wanted) {
    uint64_t calls = 1;
    for (;;) {
        const double seconds = seconds_of_calls(function, user, calls);
        if (seconds >= 0.5 * wanted || calls > UINT64_MAX / 16) {
            const double needed = (double)calls * wanted / seconds;
            return needed < 1.0 ? 1 : (uint64_t)needed;
        }
        const double factor = seconds > 0.0 ? wanted / seconds : 16.0;
        calls *= factor > 16.0 ? 16 : factor < 2.0 ? 2 : (uint64_t)factor;
    }
}

LutraStatus bench_rate(Bench *bench, const char *name, const char *unit, double work,
                       BenchFunction function, void *user, LutraError *error) {
    double *rates = NULL;
    LUTRA_TRY(lutra_alloc(&rates, bench->repeats, sizeof *rates, error));
    const uint64_t calls = calls_for(function, user, bench->seconds / bench->repeats);
    for (uint32_t i = 0; i < bench->repeats; i++) {
        rates[i] = work * (double)calls / seconds_of_calls(function, user, calls);
    }
    const LutraStatus status = bench_add(bench, name, unit, false, rates, bench->repeats, error);
    lutra_free(&rates);
    return status;
}

double bench_relative_speed(const BenchItem *now, const BenchItem *baseline) {
    return now->less_is_better ? baseline->median / now->median : now->median / baseline->median;
}
