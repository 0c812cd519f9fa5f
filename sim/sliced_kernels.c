/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sliced_kernels.h"

#include "base/cpu.h"

#define KERNELS(suffix)                             \
    .dots = lutra_sliced_dots_##suffix,             \
    .steps = lutra_sliced_steps_##suffix,           \
    .outside = lutra_sliced_outside_##suffix,       \
    .extremes = lutra_sliced_extremes_##suffix,     \
    .add = lutra_sliced_add_##suffix,               \
    .slice = lutra_sliced_slice_##suffix

void lutra_sliced_kernels_init(LutraSlicedKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraSlicedKernels){.lanes = 256, KERNELS(ref)};
    const uint32_t flags = cpu_flags & lutra_cpu_detect();
#if defined(__x86_64__)
    if ((flags & LUTRA_CPU_AVX2) != 0) {
        *kernels = (LutraSlicedKernels){.lanes = 256, KERNELS(avx2)};
    }
    if ((flags & LUTRA_CPU_AVX512) != 0) {
        *kernels = (LutraSlicedKernels){.lanes = 512, KERNELS(avx512)};
    }
#else
    (void)flags;
#endif
}
