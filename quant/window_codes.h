/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maximum of a window by one sum and one table, exactly.
 *
 * With n elements in a window, level r of the codes (0 is the lowest) is written as 0, 1, B, B^2,
 * ... where B = n + 1. Up to n levels below B^r add up to less than it, so the sum of a window says
 * which level was the highest: r such that B^(r - 1) <= sum < B^r. For -1, 0, +1 and 2x2 windows
 * these are 0, 1, 5: a sum of 0 is -1, 1 .. 4 is 0, 5 and more is +1.
 */
#ifndef LUTRA_QUANT_WINDOW_CODES_H
#define LUTRA_QUANT_WINDOW_CODES_H

#include <stdint.h>

enum { LUTRA_MAX_WINDOW_SUM = 255 }; /* sums of more than eight bits would cost too much */

/** What stands for a level in windows of `elements`. */
static inline int64_t lutra_window_code(uint32_t elements, uint32_t level) {
    int64_t code = level == 0 ? 0 : 1;
    for (uint32_t i = 1; i < level; i++) {
        code *= (int64_t)elements + 1;
    }
    return code;
}

/** The highest level in a window whose codes add up to `sum`; at most `highest`. */
static inline uint32_t lutra_window_level(uint32_t elements, uint32_t highest, int64_t sum) {
    uint32_t level = 0;
    while (level < highest && sum >= lutra_window_code(elements, level + 1)) {
        level++;
    }
    return level;
}

#endif
