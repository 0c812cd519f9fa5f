/* SPDX-License-Identifier: Apache-2.0 */
/* The plain reference, and the choice of a version; see linear_kernels.h. */
#include "bridge/linear_kernels.h"

#include "base/cpu.h"

void lutra_linear_add_rows_ref(uint64_t *y, const uint64_t *rows, const int8_t *weights,
                               size_t row_count, size_t count) {
    for (size_t r = 0; r < row_count; r++) {
        for (size_t j = 0; j < count; j++) {
            y[j] += (uint64_t)(int64_t)weights[r] * rows[r * LUTRA_LINEAR_TILE + j];
        }
    }
}

void lutra_linear_kernels_init(LutraLinearKernels *kernels, uint32_t cpu_flags) {
    kernels->add_rows = lutra_linear_add_rows_ref;
#if defined(__x86_64__)
    const uint32_t flags = cpu_flags & lutra_cpu_detect();
    if ((flags & LUTRA_CPU_AVX2) != 0) {
        kernels->add_rows = lutra_linear_add_rows_avx2;
    }
    if ((flags & LUTRA_CPU_AVX512) != 0) {
        kernels->add_rows = lutra_linear_add_rows_avx512;
    }
#else
    (void)cpu_flags;
#endif
}
