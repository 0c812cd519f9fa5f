/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"
#include "train/ternary_priv.h"

static int32_t ones(uint64_t word) {
    int32_t count = 0;
    for (; word != 0; word &= word - 1) {
        count++;
    }
    return count;
}

void lutra_ternary_products_ref(float *sums, const LutraTernaryPlanes *planes,
                                const uint32_t *offsets, size_t steps, const uint64_t *weights,
                                size_t positions) {
    for (size_t r = 0; r < LUTRA_TERNARY_ROWS; r++) {
        for (size_t p = 0; p < positions; p++) {
            int32_t total = 0;
            for (size_t s = 0; s < steps; s++) {
                const uint64_t *weight = weights + (((s * LUTRA_TERNARY_ROWS) + r) * 2);
                const uint64_t both = planes->nonzero[offsets[s] + p] & weight[0];
                const uint64_t odd = both & (planes->negative[offsets[s] + p] ^ weight[1]);
                total += ones(both) - (2 * ones(odd));
            }
            sums[(r * positions) + p] = (float)total;
        }
    }
}

void lutra_ternary_pack_ref(uint64_t *nonzero, uint64_t *negative, const uint8_t *bytes,
                            size_t channel_stride, uint32_t channels, size_t count) {
    for (size_t i = 0; i < count; i++) {
        nonzero[i] = negative[i] = 0;
        for (uint32_t c = 0; c < channels; c++) {
            const uint8_t code = bytes[(c * channel_stride) + i];
            nonzero[i] |= (uint64_t)(code != 1 ? 1 : 0) << c;
            negative[i] |= (uint64_t)(code == 0 ? 1 : 0) << c;
        }
    }
}

void lutra_ternary_kernels_init(LutraTernaryKernels *kernels, uint32_t cpu_flags) {
    *kernels = (LutraTernaryKernels){.products = lutra_ternary_products_ref,
                                     .pack = lutra_ternary_pack_ref};
#if defined(__x86_64__)
    const uint32_t wanted = LUTRA_CPU_AVX512 | LUTRA_CPU_VPOPCNTDQ;
    if ((cpu_flags & wanted) == wanted) {
        lutra_ternary_kernels_avx512(kernels);
    }
#else
    (void)cpu_flags;
#endif
}
