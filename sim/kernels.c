/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kernels.h"

#include "base/cpu.h"
#include "base/status.h"

void lutra_sim_kernels_init(LutraSimKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraSimKernels){.dot_ternary16 = lutra_sim_dot_ternary16_ref,
                                 .dot_bytes16 = lutra_sim_dot_bytes16_ref,
                                 .dot_bytes32 = lutra_sim_dot_bytes32_ref,
                                 .dot_words32 = lutra_sim_dot_words32_ref,
                                 .steps16 = lutra_sim_steps16_ref,
                                 .steps32 = lutra_sim_steps32_ref,
                                 .pairs = lutra_sim_pairs_ref};
    const uint32_t flags = cpu_flags & lutra_cpu_detect();
#if defined(__x86_64__)
    if ((flags & LUTRA_CPU_AVX2) != 0) {
        kernels->dot_ternary16 = lutra_sim_dot_ternary16_avx2;
        kernels->dot_bytes16 = lutra_sim_dot_bytes16_avx2;
        kernels->dot_bytes32 = lutra_sim_dot_bytes32_avx2;
        kernels->dot_words32 = lutra_sim_dot_words32_avx2;
        kernels->steps16 = lutra_sim_steps16_avx2;
        kernels->steps32 = lutra_sim_steps32_avx2;
        kernels->pairs = lutra_sim_pairs_avx2;
    }
    /* memory, not arithmetic, bounds the steps and pairs: they stay with AVX2 */
    const uint32_t wide = LUTRA_CPU_AVX512 | LUTRA_CPU_VNNI | LUTRA_CPU_VPOPCNTDQ;
    if ((flags & wide) == wide) {
        kernels->dot_ternary16 = lutra_sim_dot_ternary16_avx512;
        kernels->dot_bytes16 = lutra_sim_dot_bytes16_avx512;
        kernels->dot_bytes32 = lutra_sim_dot_bytes32_avx512;
        kernels->dot_words32 = lutra_sim_dot_words32_avx512;
    }
#else
    (void)flags;
#endif
}
