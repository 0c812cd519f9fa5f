/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random_fill.h"

#include "base/cpu.h"

void lutra_random_fill_ref(uint32_t *words, LutraRandomKey key, uint64_t counter, size_t blocks) {
    for (size_t i = 0; i < blocks; i++) {
        lutra_random_words(words + 4 * i, key, counter + i, 0);
    }
}

LutraRandomFill lutra_random_fill_for(uint32_t cpu_flags) {
#if defined(__x86_64__)
    if ((cpu_flags & lutra_cpu_detect() & LUTRA_CPU_AVX2) != 0) {
        return lutra_random_fill_avx2;
    }
#endif
    (void)cpu_flags;
    return lutra_random_fill_ref;
}
