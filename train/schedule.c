/* SPDX-License-Identifier: Apache-2.0 */
#include "train/schedule.h"

#include <math.h>

double lutra_schedule_rate(const LutraSchedule *schedule, uint64_t step) {
    const uint64_t last = schedule->total_steps - 1;
    const uint64_t at = step < last ? step : last;
    if (at < schedule->warmup_steps) {
        return schedule->peak * (double)(at + 1) / (double)schedule->warmup_steps;
    }
    if (schedule->kind == LUTRA_SCHEDULE_CONSTANT) {
        return schedule->peak;
    }
    if (schedule->kind == LUTRA_SCHEDULE_STEP) {
        return schedule->peak * pow(schedule->factor, (double)(at / schedule->period));
    }
    /* total_steps > at >= warmup_steps, so the divisor is at least 1 */
    const double past = (double)(at - schedule->warmup_steps) /
                        (double)(schedule->total_steps - schedule->warmup_steps);
    if (schedule->kind == LUTRA_SCHEDULE_COSINE) {
        return schedule->peak * 0.5 * (1.0 + cos(3.14159265358979323846 * past));
    }
    return schedule->peak * (1.0 - past);
}
