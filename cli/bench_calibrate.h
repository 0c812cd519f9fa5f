/* SPDX-License-Identifier: Apache-2.0 */
/* lutra bench --calibrate: measures a machine profile with the real backend. */
#ifndef LUTRA_CLI_BENCH_CALIBRATE_H
#define LUTRA_CLI_BENCH_CALIBRATE_H

#include "cli/cli.h"
#include "sim/machine_profile.h"

typedef struct {
    const CliCommon *common;
    CliProgress *progress;
    uint32_t smallest_log2_poly; /* LUTRA_SMALLEST_LOG2_POLY .. LUTRA_LARGEST_LOG2_POLY */
    uint32_t largest_log2_poly;
} BenchCalibration;

/**
 * Generates keys of one and two levels for each N, times them and look-ups, keyswitches and linear
 * operations, with one thread and with common->threads.
 *
 * Time is processor time: another program on the machine lengthens wall time, but hardly this.
 *
 * @param[out] profile  passes lutra_machine_profile_check; unchanged on error
 * @errors LUTRA_EUNAVAILABLE without the backend; those of the backend; LUTRA_ENOMEM;
 *         LUTRA_ECANCELLED; LUTRA_EDATA if the times contradict each other
 */
LUTRA_MUST_CHECK LutraStatus bench_calibrate(LutraMachineProfile *profile,
                                             const BenchCalibration *calibration,
                                             LutraError *error);

#endif
