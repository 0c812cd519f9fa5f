/* SPDX-License-Identifier: Apache-2.0 */
/* The learning rate at each step of a training. */
#ifndef LUTRA_TRAIN_SCHEDULE_H
#define LUTRA_TRAIN_SCHEDULE_H

#include <stdint.h>

/* Pinned numbers: they stand in model files. */
typedef enum {
    LUTRA_SCHEDULE_CONSTANT = 0,
    LUTRA_SCHEDULE_STEP = 1,   /* times `factor` after every `period` steps */
    LUTRA_SCHEDULE_COSINE = 2, /* half a cosine from the peak to 0 */
    LUTRA_SCHEDULE_LINEAR = 3  /* a straight line from the peak to 0 */
} LutraScheduleKind;

typedef struct {
    LutraScheduleKind kind;
    double peak;           /* learning rate after the warm-up */
    uint64_t total_steps;  /* at least 1 */
    uint64_t warmup_steps; /* the rate climbs in equal parts; the peak is its last step */
    uint64_t period;       /* step: at least 1 */
    double factor;         /* step */
} LutraSchedule;

/** Rate of a step counted from 0; steps past the end have the last rate. */
double lutra_schedule_rate(const LutraSchedule *schedule, uint64_t step);

#endif
