/* SPDX-License-Identifier: Apache-2.0 */
/* One element: the definition that all variants share. */
#ifndef LUTRA_SIM_DISPLACE_PRIV_H
#define LUTRA_SIM_DISPLACE_PRIV_H

#include "sim/displace.h"

static inline int32_t lutra_displace_load(const LutraDisplaceTask *task, size_t at, int narrow) {
    return narrow ? ((const int16_t *)task->x)[at] : ((const int32_t *)task->x)[at];
}

static inline void lutra_displace_store(const LutraDisplaceTask *task, size_t at, int32_t value,
                                        int narrow) {
    if (narrow) {
        ((int16_t *)task->y)[at] = (int16_t)value;
    } else {
        ((int32_t *)task->y)[at] = value;
    }
}

/** Channels first .. channels - 1 of one pixel, then copies of the lanes beyond. */
static inline void lutra_displace_lanes(const LutraDisplaceTask *task, LutraDisplaced *seen,
                                        size_t pixel, size_t first, int narrow) {
    const uint32_t mask = (UINT32_C(1) << task->dropped_bits) - 1;
    const int32_t cell = INT32_C(1) << task->dropped_bits;
    for (size_t c = first; c < task->stride; c++) {
        const size_t at = pixel * task->stride + c;
        int32_t x = lutra_displace_load(task, at, narrow);
        if (c < task->channels) {
            const uint32_t draw = task->draws[pixel * task->channels + c];
            const uint32_t place = ((uint32_t)x + (uint32_t)task->to_place[c]) & mask;
            const uint32_t shares = task->shares[task->first[c] + place];
            const uint32_t down = shares & 0xFFFF;
            const uint32_t up = shares >> 16;
            const int32_t low = task->low[c];
            const int32_t high = task->high[c];
            if (draw == down || draw == up || draw <= task->draw_low ||
                draw >= task->draw_high || (draw < down && x < low) || (draw > up && x > high) ||
                x < low - cell || x > high + cell) {
                task->flagged[seen->flagged++] = (uint32_t)at;
            } else if (draw < down || draw > up) {
                x += draw < down ? -cell : cell;
                seen->displaced++;
            }
        }
        lutra_displace_store(task, at, x, narrow);
    }
}

#endif
