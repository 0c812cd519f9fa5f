/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parallel.h"

#include <omp.h>

#if defined(__SANITIZE_THREAD__)
/* libgomp is not built with the thread sanitizer, so its barriers are invisible to it. These two
 * calls state the order that the fork and the join really give. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define FORK_RELEASE(address) __tsan_release(address)
#define FORK_ACQUIRE(address) __tsan_acquire(address)
#else
#define FORK_RELEASE(address) ((void)(address))
#define FORK_ACQUIRE(address) ((void)(address))
#endif

uint32_t lutra_parallel_threads(uint32_t requested) {
    const int processors = omp_get_num_procs();
    if (requested == 0) {
        return processors < 1 ? 1u : (uint32_t)processors;
    }
    return requested;
}

void lutra_parallel_for(uint32_t threads, size_t count, LutraParallelUnit unit, void *user) {
    if (threads <= 1 || count <= 1) {
        for (size_t i = 0; i < count; i++) {
            unit(user, i, 0);
        }
        return;
    }
    char fork = 0;
    char join = 0;
    FORK_RELEASE(&fork);
    const size_t wanted = threads < count ? threads : count;
#pragma omp parallel num_threads((int)wanted) default(none) shared(count, unit, user, fork, join)
    {
        FORK_ACQUIRE(&fork);
        const uint32_t worker = (uint32_t)omp_get_thread_num();
#pragma omp for schedule(dynamic, 1) nowait
        for (size_t i = 0; i < count; i++) {
            unit(user, i, worker);
        }
        FORK_RELEASE(&join);
    }
    FORK_ACQUIRE(&join);
}
