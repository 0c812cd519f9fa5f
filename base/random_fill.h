/* SPDX-License-Identifier: Apache-2.0 */
/* Many random words at once: the same words as lutra_random_words, by vector instructions. */
#ifndef LUTRA_BASE_RANDOM_FILL_H
#define LUTRA_BASE_RANDOM_FILL_H

#include "base/random.h"

/**
 * words[4 i .. 4 i + 3] = lutra_random_words(key, counter + i, 0) for i = 0 .. blocks - 1.
 *
 * The low half of the counter must not overflow: counter % 2^32 + blocks <= 2^32.
 */
typedef void (*LutraRandomFill)(uint32_t *words, LutraRandomKey key, uint64_t counter,
                                size_t blocks);

/** The fastest for a LutraCpuFlag mask (base/cpu.h); all give the same words. */
LutraRandomFill lutra_random_fill_for(uint32_t cpu_flags);

void lutra_random_fill_ref(uint32_t *words, LutraRandomKey key, uint64_t counter, size_t blocks);
void lutra_random_fill_avx2(uint32_t *words, LutraRandomKey key, uint64_t counter, size_t blocks);

#endif
