/* SPDX-License-Identifier: Apache-2.0 */
/* Portable kernels, and the choice. */
#include "sim/displace.h"

#include "base/cpu.h"
#include "sim/displace_priv.h"

static LutraDisplaced displace(const LutraDisplaceTask *task, int narrow) {
    LutraDisplaced seen = {0};
    for (size_t p = 0; p < task->pixels; p++) {
        lutra_displace_lanes(task, &seen, p, 0, narrow);
    }
    return seen;
}

LutraDisplaced lutra_displace16_ref(const LutraDisplaceTask *task) {
    return displace(task, 1);
}

LutraDisplaced lutra_displace32_ref(const LutraDisplaceTask *task) {
    return displace(task, 0);
}

void lutra_displace_kernels_init(LutraDisplaceKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraDisplaceKernels){.displace16 = lutra_displace16_ref,
                                      .displace32 = lutra_displace32_ref};
#if defined(__x86_64__)
    if ((cpu_flags & lutra_cpu_detect() & LUTRA_CPU_AVX2) != 0) {
        kernels->displace16 = lutra_displace16_avx2;
        kernels->displace32 = lutra_displace32_avx2;
    }
#else
    (void)cpu_flags;
#endif
}
