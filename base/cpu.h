/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction sets this processor has; the mask lets a user or a test force a lower one. */
#ifndef LUTRA_BASE_CPU_H
#define LUTRA_BASE_CPU_H

#include <stdint.h>

typedef enum {
    LUTRA_CPU_AVX2 = 1,      /* AVX2 and FMA */
    LUTRA_CPU_AVX512 = 2,    /* AVX-512 F, BW, VL, DQ */
    LUTRA_CPU_VNNI = 4,      /* AVX-512 VNNI */
    LUTRA_CPU_VPOPCNTDQ = 8, /* AVX-512 VPOPCNTDQ */
    LUTRA_CPU_BF16 = 16,     /* AVX-512 BF16 */
    LUTRA_CPU_ALL = 31
} LutraCpuFlag;

/** Flags of LutraCpuFlag that this processor and system support. */
uint32_t lutra_cpu_detect(void);

enum { LUTRA_CPU_MODEL_BYTES = 49 };

/** The processor's own name, such as "AMD EPYC 7763", or "unknown"; cut at the buffer's size. */
void lutra_cpu_model(char model[LUTRA_CPU_MODEL_BYTES]);

/**
 * Flags named by "ref", "avx2", "avx512" or "native", cut to what is supported; -1 if unknown.
 * Only "native" has LUTRA_CPU_BF16, with which gradients are rounded.
 */
int64_t lutra_cpu_flags_of_name(const char *name);

#endif
