/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

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
        if (__builtin_cpu_supports("avx512bf16")) {
            flags |= LUTRA_CPU_BF16;
        }
    }
#endif
    return flags;
}

void lutra_cpu_model(char model[LUTRA_CPU_MODEL_BYTES]) {
    char text[LUTRA_CPU_MODEL_BYTES] = "";
#if defined(__x86_64__)
    const uint32_t first_leaf = 0x80000002; /* three leaves of 16 bytes */
    for (uint32_t leaf = 0; leaf < 3; leaf++) {
        uint32_t words[4];
        if (__get_cpuid(first_leaf + leaf, &words[0], &words[1], &words[2], &words[3]) == 0) {
            break;
        }
        memcpy(text + leaf * sizeof words, words, sizeof words);
    }
#endif
    const char *const start = text + strspn(text, " ");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == ' ') {
        length--;
    }
    (void)snprintf(model, LUTRA_CPU_MODEL_BYTES, "%.*s", length > 0 ? (int)length : 7,
                   length > 0 ? start : "unknown");
}

int64_t lutra_cpu_flags_of_name(const char *name) {
    const uint32_t detected = lutra_cpu_detect();
    if (strcmp(name, "ref") == 0) {
        return 0;
    }
    if (strcmp(name, "avx2") == 0) {
        return detected & LUTRA_CPU_AVX2;
    }
    if (strcmp(name, "avx512") == 0) {
        return detected & ~(uint32_t)LUTRA_CPU_BF16;
    }
    if (strcmp(name, "native") == 0) {
        return detected;
    }
    return -1;
}
