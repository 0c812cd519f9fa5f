/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs calibration images: the simulation in the clear, on all threads. */
#ifndef LUTRA_EXPERIMENTS_CALIBRATION_RUN_H
#define LUTRA_EXPERIMENTS_CALIBRATION_RUN_H

#include "base/progress.h"
#include "datasets/dataset.h"
#include "quant/calibrate.h"

/** Images for histograms: as many as take LUTRA_DENSITY_MACS multiply-adds, in these bounds. */
enum { LUTRA_DENSITY_FEWEST = 64, LUTRA_DENSITY_MOST = 512 };
#define LUTRA_DENSITY_MACS UINT64_C(10000000000)

/** User data of the observer. */
typedef struct {
    const LutraSplit *images; /* (count, C, H, W) of the circuit's input shape */
    uint32_t threads;
    uint32_t cpu_flags;
    const LutraProgress *progress; /* may be NULL */
} LutraCalibrationRun;

/** Runs the images in clear mode: all of them for ranges, the first few hundred for
 * histograms. `run` must outlive the observer. */
LutraObserver lutra_calibration_observer(LutraCalibrationRun *run);

#endif
