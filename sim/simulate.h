/* SPDX-License-Identifier: Apache-2.0 */
/* What a circuit answers on many images: accuracy, confusion, and what its operations met. */
#ifndef LUTRA_SIM_SIMULATE_H
#define LUTRA_SIM_SIMULATE_H

#include "base/progress.h"
#include "sim/clear.h"
#include "sim/noise_plan.h"

typedef enum {
    LUTRA_MODE_CLEAR = 0, /* exact integers */
    LUTRA_MODE_TORUS = 1, /* torus words without noise (torus_run.h) */
    LUTRA_MODE_NOISY = 2  /* torus words with noise (noise_plan.h) */
} LutraSimulationMode;

/** Labelled images; nothing is owned. */
typedef struct {
    const uint8_t *pixels;  /* (count, C, H, W) */
    const uint16_t *labels; /* (count), each < class_count */
    uint64_t count;
    LutraShape shape;
    uint32_t class_count;
} LutraImages;

typedef struct {
    LutraSimulationMode mode;
    uint32_t threads;   /* >= 1; the result does not depend on it */
    uint64_t limit;     /* at most this many images from the start; 0 = all */
    uint32_t cpu_flags; /* LutraCpuFlag mask */
    bool keep_logits;   /* fill LutraSimulation.logits */
    LutraNoiseSettings noise; /* noisy mode only */
    const LutraProgress *progress; /* may be NULL */
} LutraSimulateSettings;

/** Clear mode, one thread, all images, every instruction set of this processor, no logits, noise as
 * lutra_noise_settings_default. */
void lutra_simulate_default(LutraSimulateSettings *settings);

typedef struct {
    uint64_t images;
    uint64_t top1_hits; /* the label has the largest logit; the first of equals counts */
    uint64_t top5_hits; /* the label is among the 5 largest, same order of equals */
    uint64_t out_of_range; /* sum over operations (LutraOperationStatistics) */
    double seconds;        /* wall time of the runs alone, without preparation */
    uint64_t word_images;  /* noisy mode: images that were run on words, because the faster way does
                              not apply to the circuit or to them (clear.h) */
    uint32_t class_count;
    uint32_t operation_count;
    uint64_t *confusion;  /* (class_count, class_count): rows true, columns predicted; owned */
    uint32_t *predictions; /* (images), owned */
    float *logits;         /* (images, class_count) or NULL, owned */
    LutraOperationStatistics *operations; /* (operation_count), owned */
} LutraSimulation;

/** Frees and zeroes. */
void lutra_simulation_deinit(LutraSimulation *simulation);

/**
 * Runs a circuit that passed lutra_circuit_check. Torus and noisy mode give out_of_range the
 * meaning of torus_run.h; torus mode ignores cpu_flags.
 *
 * @param[out] simulation  owned by the caller; unchanged on error, except LUTRA_ECANCELLED: then it
 *                         holds the images that were finished
 * @errors LUTRA_EDATA the images do not fit the circuit; LUTRA_EINVAL no images or no threads;
 *         torus and noisy mode: those of lutra_torus_check; noisy mode: those of
 *         lutra_noise_plan_init; LUTRA_ENOMEM; LUTRA_ECANCELLED
 */
LUTRA_MUST_CHECK LutraStatus lutra_simulate(LutraSimulation *simulation,
                                            const LutraCircuit *circuit, const LutraImages *images,
                                            const LutraSimulateSettings *settings,
                                            LutraError *error);

/** Results of all operations for one image. */
typedef struct {
    uint32_t operation_count;
    int32_t **values; /* values[i]: (shape of operation i); of the output: its input; owned */
    float *logits;    /* (class_count), owned */
    int32_t *arena;   /* holds the values */
} LutraImageValues;

void lutra_image_values_deinit(LutraImageValues *values);

/** Computes them in clear mode with the reference operations (operations.h). */
LUTRA_MUST_CHECK LutraStatus lutra_simulate_image_values(LutraImageValues *values,
                                                         const LutraCircuit *circuit,
                                                         const uint8_t *pixels, LutraError *error);

#endif
