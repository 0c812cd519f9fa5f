/* SPDX-License-Identifier: Apache-2.0 */
/* What the step kernels of all variants share: the end of one chunk of 16 channels. */
#ifndef LUTRA_SIM_KERNELS_PRIV_H
#define LUTRA_SIM_KERNELS_PRIV_H

#include "sim/kernels.h"

static inline void lutra_steps_seen_start(LutraStepsSeen *seen) {
    *seen = (LutraStepsSeen){.x_min = INT32_MAX,
                             .x_max = INT32_MIN,
                             .shifted_min = INT64_MAX,
                             .shifted_max = INT64_MIN,
                             .y_min = UINT32_MAX};
}

/** Folds the extremes of one chunk, (16) each, into `seen`, but for lanes beyond the channels. */
static inline void lutra_steps_chunk_end(const LutraStepsTask *task, LutraStepsSeen *seen,
                                         size_t first, const int32_t *min, const int32_t *max,
                                         const uint8_t *y_min, const uint8_t *y_max) {
    const size_t end = first + LUTRA_SIM_LANES < task->channels ? first + LUTRA_SIM_LANES
                                                                : task->channels;
    bool marked = false;
    for (size_t c = first; c < end; c++) {
        const int32_t low = min[c - first];
        const int32_t high = max[c - first];
        const int64_t shifted_low = (int64_t)low + task->offsets[c];
        const int64_t shifted_high = (int64_t)high + task->offsets[c];
        const uint32_t y_low = y_min[c - first];
        const uint32_t y_high = y_max[c - first];
        seen->x_min = low < seen->x_min ? low : seen->x_min;
        seen->x_max = high > seen->x_max ? high : seen->x_max;
        seen->shifted_min = shifted_low < seen->shifted_min ? shifted_low : seen->shifted_min;
        seen->shifted_max = shifted_high > seen->shifted_max ? shifted_high : seen->shifted_max;
        seen->y_min = y_low < seen->y_min ? y_low : seen->y_min;
        seen->y_max = y_high > seen->y_max ? y_high : seen->y_max;
        marked = marked || low < task->low[c] || high > task->high[c];
    }
    task->marked[first / LUTRA_SIM_LANES] = marked ? 1 : 0;
    seen->any_marked = seen->any_marked || marked;
}

#endif
