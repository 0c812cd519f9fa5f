/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/calibration_run.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "sim/simulate.h"

static LutraStatus observe_ranges(void *user, LutraRange *ranges, uint64_t *images,
                                  const LutraCircuit *circuit, uint64_t limit, LutraError *error) {
    const LutraCalibrationRun *run = user;
    const LutraImages all = {run->images->images, run->images->labels, run->images->count,
                             circuit->operations[0].shape, circuit->class_count};
    LutraSimulateSettings settings;
    LutraSimulation simulation = {0};
    lutra_simulate_default(&settings);
    settings.threads = run->threads;
    settings.cpu_flags = run->cpu_flags;
    settings.limit = limit;
    settings.progress = run->progress;
    const LutraStatus status = lutra_simulate(&simulation, circuit, &all, &settings, error);
    for (uint32_t i = 0; status == LUTRA_OK && i < circuit->operation_count; i++) {
        const LutraOperationStatistics *seen = &simulation.operations[i];
        ranges[i] = (LutraRange){seen->min, seen->max};
    }
    if (status == LUTRA_OK) {
        *images = simulation.images;
    }
    lutra_simulation_deinit(&simulation);
    return status;
}

/* Images are split over threads; each counts for itself, and the sums are joined at the end. */
typedef struct {
    const LutraCalibrationRun *run;
    const LutraCircuit *circuit;
    const LutraHistogram *histograms;
    LutraStatus *statuses; /* (images) */
    uint32_t **counts;     /* (threads * operations) */
} DensityJob;

static void count_image(void *user, size_t index, uint32_t worker) {
    const DensityJob *job = user;
    const LutraCircuit *circuit = job->circuit;
    const size_t image_bytes = lutra_shape_elements(circuit->operations[0].shape);
    LutraImageValues values = {0};
    job->statuses[index] = lutra_simulate_image_values(
        &values, circuit, job->run->images->images + (index * image_bytes), NULL);
    if (job->statuses[index] != LUTRA_OK) {
        return;
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraHistogram *histogram = &job->histograms[i];
        const LutraShape shape = circuit->operations[i].shape;
        const size_t area = (size_t)shape.height * shape.width;
        uint32_t *counts = job->counts[((size_t)worker * circuit->operation_count) + i];
        for (size_t e = 0; e < histogram->channels * area; e++) {
            const int64_t bin = values.values[i][e] - histogram->first;
            if (bin >= 0 && bin < histogram->bins) {
                counts[((e / area) * histogram->bins) + (size_t)bin]++;
            }
        }
    }
    lutra_image_values_deinit(&values);
}

static LutraStatus join_counts(const DensityJob *job, LutraHistogram *histograms, size_t images,
                               LutraError *error) {
    const uint32_t operations = job->circuit->operation_count;
    for (size_t n = 0; n < images; n++) {
        if (job->statuses[n] != LUTRA_OK) {
            return lutra_error_set(error, job->statuses[n], "cannot run calibration image %zu", n);
        }
    }
    for (uint32_t i = 0; i < operations; i++) {
        const size_t count = (size_t)histograms[i].channels * histograms[i].bins;
        for (uint32_t w = 0; w < job->run->threads; w++) {
            for (size_t k = 0; k < count; k++) {
                histograms[i].counts[k] += job->counts[((size_t)w * operations) + i][k];
            }
        }
    }
    return LUTRA_OK;
}

static size_t density_images(uint64_t available, uint64_t macs) {
    uint64_t images = LUTRA_DENSITY_MACS / (macs > 0 ? macs : 1);
    images = images < LUTRA_DENSITY_FEWEST ? LUTRA_DENSITY_FEWEST : images;
    images = images > LUTRA_DENSITY_MOST ? LUTRA_DENSITY_MOST : images;
    return (size_t)(images < available ? images : available);
}

static LutraStatus observe_histograms(void *user, LutraHistogram *histograms,
                                      const LutraCircuit *circuit, LutraError *error) {
    const LutraCalibrationRun *run = user;
    const uint32_t operations = circuit->operation_count;
    const size_t parts = (size_t)run->threads * operations;
    const size_t images = density_images(run->images->count, lutra_circuit_macs(circuit));
    DensityJob job = {run, circuit, histograms, NULL, NULL};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&job.statuses, images, sizeof *job.statuses, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&job.counts, parts, sizeof *job.counts, error));
    for (size_t i = 0; i < parts; i++) {
        const LutraHistogram *histogram = &histograms[i % operations];
        LUTRA_TRY_GOTO(status,
                       lutra_alloc(&job.counts[i], (size_t)histogram->channels * histogram->bins,
                                   sizeof *job.counts[i], error));
    }
    lutra_parallel_for(run->threads, images, count_image, &job);
    status = join_counts(&job, histograms, images, error);
done:
    for (size_t i = 0; job.counts != NULL && i < parts; i++) {
        lutra_free(&job.counts[i]);
    }
    lutra_free(&job.counts);
    lutra_free(&job.statuses);
    return status;
}

LutraObserver lutra_calibration_observer(LutraCalibrationRun *images) {
    return (LutraObserver){observe_ranges, observe_histograms, images};
}
