/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parallel.h"

#if defined(_OPENMP)
#include <omp.h>
#else
#include <unistd.h>
#endif

uint32_t lutra_parallel_threads(uint32_t requested) {
#if defined(_OPENMP)
    const int processors = omp_get_num_procs();
#else
    const int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    if (requested == 0) {
        return processors < 1 ? 1u : (uint32_t)processors;
    }
    return requested;
}

#if defined(__SANITIZE_THREAD__) || !defined(_OPENMP)

/*
 * Not every compiler brings OpenMP's header: the fuzz targets do without. And GCC's OpenMP run-time
 * is not built with the thread sanitizer: its barriers are invisible to it, and every correct loop
 * would be reported. Both run the same contract on POSIX threads, which the sanitizer understands,
 * so that races in the units themselves are found.
 */
#include <pthread.h>
#include <stdatomic.h>

enum { MOST_THREADS = 64 };

typedef struct {
    LutraParallelUnit unit;
    void *user;
    size_t count;
    atomic_size_t next;
} Loop;

typedef struct {
    Loop *loop;
    uint32_t worker;
} Worker;

static void *run_worker(void *argument) {
    const Worker *const worker = argument;
    Loop *const loop = worker->loop;
    for (size_t i = atomic_fetch_add(&loop->next, 1); i < loop->count;
         i = atomic_fetch_add(&loop->next, 1)) {
        loop->unit(loop->user, i, worker->worker);
    }
    return NULL;
}

static void run_threads(uint32_t threads, size_t count, LutraParallelUnit unit, void *user) {
    Loop loop = {.unit = unit, .user = user, .count = count};
    Worker workers[MOST_THREADS];
    pthread_t handles[MOST_THREADS];
    uint32_t started = 0;
    const uint32_t wanted = threads < MOST_THREADS ? threads : MOST_THREADS;
    for (uint32_t i = 0; i < wanted; i++) {
        workers[i] = (Worker){&loop, i};
    }
    while (started + 1 < wanted &&
           pthread_create(&handles[started], NULL, run_worker, &workers[started + 1]) == 0) {
        started++;
    }
    (void)run_worker(&workers[0]);
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(handles[i], NULL);
    }
}

#else

static void run_threads(uint32_t threads, size_t count, LutraParallelUnit unit, void *user) {
#pragma omp parallel num_threads((int)threads) default(none) shared(count, unit, user)
    {
        const uint32_t worker = (uint32_t)omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < count; i++) {
            unit(user, i, worker);
        }
    }
}

#endif

void lutra_parallel_for(uint32_t threads, size_t count, LutraParallelUnit unit, void *user) {
    if (threads <= 1 || count <= 1) {
        for (size_t i = 0; i < count; i++) {
            unit(user, i, 0);
        }
        return;
    }
    const uint32_t wanted = threads < count ? threads : (uint32_t)count;
    run_threads(wanted, count, unit, user);
}
