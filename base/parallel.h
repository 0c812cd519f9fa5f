/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows of threads (OpenMP). */
#ifndef LUTRA_BASE_PARALLEL_H
#define LUTRA_BASE_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

/**
 * One unit of work. `worker` is in [0, threads) and picks the caller's scratch; two units with the
 * same worker never run at the same time. What a unit computes may not depend on `worker`.
 */
typedef void (*LutraParallelUnit)(void *user, size_t index, uint32_t worker);

/** Threads that `requested` means on this machine: 0 = all processors allowed; at least 1. */
uint32_t lutra_parallel_threads(uint32_t requested);

/**
 * Runs unit(user, i, worker) for i = 0 .. count-1 on up to `threads` threads, handing out indexes
 * as threads become free, and returns when all are done. threads >= 1; with 1 no thread starts.
 */
void lutra_parallel_for(uint32_t threads, size_t count, LutraParallelUnit unit, void *user);

#endif
