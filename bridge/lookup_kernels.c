/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses versions of the kernels; see lookup_kernels.h. */
#include "bridge/lookup_kernels.h"

#include "base/cpu.h"
#include "bridge/lookup_kernels_priv.h"

uint64_t lutra_digits_offset(LutraDigits digits) {
    LUTRA_ASSERT(digits.base_log >= 1 && digits.base_log <= 52 && digits.level >= 1 &&
                 digits.level * digits.base_log <= 63);
    /* Half of the last digit's unit, to round; half a base in every digit. */
    uint64_t offset = UINT64_C(1) << (63 - digits.level * digits.base_log);
    for (uint32_t i = 0; i < digits.level; i++) {
        offset += UINT64_C(1) << (63 - i * digits.base_log);
    }
    return offset;
}

void lutra_lookup_kernels_init(LutraLookupKernels *kernels, uint32_t cpu_flags) {
    lutra_lookup_kernels_ref(kernels);
#if defined(__x86_64__)
    const uint32_t flags = cpu_flags & lutra_cpu_detect();
    if ((flags & LUTRA_CPU_AVX2) != 0) {
        lutra_lookup_kernels_avx2(kernels);
    }
    if ((flags & LUTRA_CPU_AVX512) != 0) {
        lutra_lookup_kernels_avx512(kernels);
    }
#else
    (void)cpu_flags;
#endif
}
