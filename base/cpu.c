/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <string.h>

uint32_t lutra_cpu_detect(void) {
    uint32_t flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        flags |= LUTRA_CPU_AVX2;
    }
    if ((flags & LUTRA_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq")) {
        flags |= LUTRA_CPU_AVX512;
        if (__builtin_cpu_supports("avx512vnni")) {
            flags |= LUTRA_CPU_VNNI;
        }
        if (__builtin_cpu_supports("avx512vpopcntdq")) {
            flags |= LUTRA_CPU_VPOPCNTDQ;
        }
    }
#endif
    return flags;
}

int64_t lutra_cpu_flags_of_name(const char *name) {
    const uint32_t detected = lutra_cpu_detect();
    if (strcmp(name, "ref") == 0) {
        return 0;
    }
    if (strcmp(name, "avx2") == 0) {
        return detected & LUTRA_CPU_AVX2;
    }
    if (strcmp(name, "avx512") == 0 || strcmp(name, "native") == 0) {
        return detected;
    }
    return -1;
}
