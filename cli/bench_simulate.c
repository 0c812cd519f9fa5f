/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench simulate: whole simulations on one thread and on all, in clear mode and with look-ups that
 * fail, and the largest memory that preparing and running them took.
 */
#include <malloc.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "cli/bench.h"
#include "cli/process_memory.h"
#include "sim/random_circuit.h"
#include "sim/simulate.h"

enum {
    MOST_BATCHES = 20, /* of images in memory */
    IMAGES_PER_THREAD = 8,
    BATCH_IMAGES = 512 /* at most, of a thread that runs whole batches: as slow when half full */
};

static const double P_ERROR = 1e-3;

/** Random pixels with label 0. */
static LutraStatus draw_images(LutraImages *images, uint8_t **pixels, uint16_t **labels,
                               const LutraCircuit *circuit, uint64_t count, uint64_t seed,
                               LutraError *error) {
    const LutraRandomKey key = {.seed = seed, .stream = LUTRA_STREAM_CIRCUIT, .index = 1};
    const size_t elements = lutra_shape_elements(circuit->operations[0].shape);
    size_t bytes = 0;
    LUTRA_TRY(lutra_size_mul(&bytes, (size_t)count, elements));
    LUTRA_TRY(lutra_alloc(pixels, bytes, 1, error));
    LUTRA_TRY(lutra_alloc(labels, (size_t)count, sizeof(uint16_t), error));
    for (size_t i = 0; i < bytes; i += 16) {
        uint32_t words[4];
        lutra_random_words(words, key, i, 0);
        for (size_t b = 0; b < 16 && i + b < bytes; b++) {
            (*pixels)[i + b] = (uint8_t)(words[b / 4] >> (8 * (b % 4)));
        }
    }
    *images = (LutraImages){.pixels = *pixels,
                            .labels = *labels,
                            .count = count,
                            .shape = circuit->operations[0].shape,
                            .class_count = circuit->class_count};
    return LUTRA_OK;
}

static LutraStatus run(double *images_per_second, const LutraCircuit *circuit,
                       const LutraImages *images, const LutraSimulateSettings *settings,
                       LutraError *error) {
    LutraSimulation result = {0};
    const LutraStatus status = lutra_simulate(&result, circuit, images, settings, error);
    if (status == LUTRA_OK) {
        *images_per_second = (double)result.images / result.seconds;
    }
    lutra_simulation_deinit(&result);
    return status;
}

/** Images of one portion: about as many as were asked for, in whole batches for each thread if that
 * is not far off. */
static uint64_t portion(double images, uint32_t threads, uint64_t most) {
    const double round = (double)BATCH_IMAGES * threads;
    const double least = (double)IMAGES_PER_THREAD * threads;
    if (images >= round / 2) {
        const double rounds = images < round ? 1.0 : images / round;
        images = (double)(uint64_t)rounds * round;
    }
    return images > (double)most ? most : images > least ? (uint64_t)images : (uint64_t)least;
}

static LutraStatus measure_threads(Bench *bench, const char *name, const LutraCircuit *circuit,
                                   const LutraImages *images, LutraSimulationMode mode,
                                   uint32_t threads, LutraError *error) {
    double *speeds = NULL;
    LutraStatus status = LUTRA_OK;
    LutraSimulateSettings settings;
    lutra_simulate_default(&settings);
    settings.mode = mode;
    settings.noise.kind = LUTRA_NOISE_P_ERROR; /* needs no crypto parameters */
    settings.noise.p_error = P_ERROR;
    settings.threads = threads;
    settings.cpu_flags = bench->common->cpu_flags;
    settings.limit = (uint64_t)IMAGES_PER_THREAD * threads;
    LUTRA_TRY(lutra_alloc(&speeds, bench->repeats, sizeof *speeds, error));
    LUTRA_TRY_GOTO(status, run(&speeds[0], circuit, images, &settings, error));
    if (speeds[0] * bench->seconds >= (double)BATCH_IMAGES * threads) { /* faster in batches? */
        settings.limit = portion((double)BATCH_IMAGES * threads, threads, images->count);
        LUTRA_TRY_GOTO(status, run(&speeds[0], circuit, images, &settings, error));
    }
    settings.limit =
        portion(speeds[0] * bench->seconds / bench->repeats, threads, images->count);
    for (uint32_t i = 0; i < bench->repeats; i++) {
        LUTRA_TRY_GOTO(status, run(&speeds[i], circuit, images, &settings, error));
    }
    char item[BENCH_NAME_BYTES];
    (void)snprintf(item, sizeof item, "simulate.%s.%s.threads-%u", name,
                   mode == LUTRA_MODE_NOISY ? "noisy" : "clear", threads);
    status = bench_add(bench, item, "images/s", false, speeds, bench->repeats, error);
done:
    lutra_free(&speeds);
    return status;
}

static LutraStatus measure_memory(Bench *bench, const char *name, LutraError *error) {
    double mebibytes = (double)cli_peak_memory_bytes() / 1048576.0;
    char item[BENCH_NAME_BYTES];
    (void)snprintf(item, sizeof item, "simulate.%s.memory", name);
    return bench_add(bench, item, "MiB", true, &mebibytes, 1, error);
}

/** `peak`: whether the peak of memory was reset before the circuit was made. */
static LutraStatus measure_circuit(Bench *bench, const char *name, const LutraCircuit *circuit,
                                   bool peak, LutraError *error) {
    static const LutraSimulationMode modes[] = {LUTRA_MODE_CLEAR, LUTRA_MODE_NOISY};
    uint8_t *pixels = NULL;
    uint16_t *labels = NULL;
    LutraImages images;
    LutraStatus status = LUTRA_OK;
    const uint32_t threads = bench->common->threads;
    const uint64_t batches = MOST_BATCHES > threads ? MOST_BATCHES / threads * threads : threads;
    const uint64_t count = batches * BATCH_IMAGES;
    LUTRA_TRY_GOTO(status, draw_images(&images, &pixels, &labels, circuit, count,
                                       bench->common->seed, error));
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
        LUTRA_TRY_GOTO(status,
                       measure_threads(bench, name, circuit, &images, modes[m], 1, error));
        if (threads > 1) {
            LUTRA_TRY_GOTO(status, measure_threads(bench, name, circuit, &images, modes[m],
                                                   threads, error));
        }
    }
    if (peak) {
        status = measure_memory(bench, name, error);
    }
done:
    lutra_free(&pixels);
    lutra_free(&labels);
    return status;
}

static LutraStatus measure_network(Bench *bench, const char *name,
                                   const LutraRandomNetwork *network, LutraError *error) {
    LutraCircuit circuit = {0};
    (void)malloc_trim(0); /* what earlier items freed is not this one's */
    const bool peak = cli_reset_peak_memory();
    LUTRA_TRY(lutra_random_circuit_create(&circuit, network, bench->common->seed, error));
    const LutraStatus status = measure_circuit(bench, name, &circuit, peak, error);
    lutra_circuit_deinit(&circuit);
    return status;
}

static LutraStatus measure_file(Bench *bench, LutraError *error) {
    LutraCircuit circuit = {0};
    (void)malloc_trim(0);
    const bool peak = cli_reset_peak_memory();
    LUTRA_TRY(lutra_circuit_read(&circuit, bench->circuit_path, error));
    const LutraStatus status = measure_circuit(bench, "file", &circuit, peak, error);
    lutra_circuit_deinit(&circuit);
    return status;
}

LutraStatus bench_simulate(Bench *bench, LutraError *error) {
    if (bench->circuit_path != NULL) {
        return measure_file(bench, error);
    }
    LUTRA_TRY(measure_network(bench, "vgg9", &lutra_random_vgg9, error));
    return measure_network(bench, "vgg11", &lutra_random_vgg11, error);
}
