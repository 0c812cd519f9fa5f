/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/simulate.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "sim/operations.h"
#include "sim/sliced.h"
#include "sim/torus_run.h"

enum {
    UNIT_IMAGES = 8,          /* images of one unit of work that runs image by image */
    LEAST_BATCH_IMAGES = 256, /* fewer images always run image by image */
    MOST_ROUND_IMAGES = 1024, /* images between two calls of the progress listener */
    TOP = 5
};

static const double QUICK_SECONDS = 0.1; /* a round that takes less may be twice as long */

/* One run; workers write disjoint rows and their own statistics. */
typedef struct {
    const LutraCircuit *circuit;
    const LutraClearProgram *program; /* NULL: all images are run on words */
    const LutraNoisePlan *plan;       /* noisy mode, else NULL */
    const LutraSlicedProgram *sliced; /* runs the first `batched` images; or NULL */
    uint64_t batched;
    uint64_t most_unit_images;
    uint64_t unit_images; /* of this round */
    const LutraImages *images;
    size_t pixels_per_image;
    uint32_t class_count;
    uint32_t operation_count;
    uint64_t first; /* image of the first unit of this round */
    uint64_t end;
    uint32_t *predictions;
    uint8_t *in_top;      /* (images) the label is among the TOP largest */
    float *logits;        /* (images, classes) or NULL */
    float *worker_logits; /* (threads, most_unit_images, classes) */
    uint8_t *scratch;     /* (threads, scratch_stride) */
    size_t scratch_stride;
    LutraOperationStatistics *statistics; /* (threads, operations) */
    LutraOperationStatistics *attempts;   /* (threads, operations) of one image with noise */
    uint64_t *word_images;                /* (threads) */
} Run;

void lutra_simulate_default(LutraSimulateSettings *settings) {
    *settings = (LutraSimulateSettings){
        .mode = LUTRA_MODE_CLEAR, .threads = 1, .cpu_flags = lutra_cpu_detect()};
    lutra_noise_settings_default(&settings->noise);
}

void lutra_simulation_deinit(LutraSimulation *simulation) {
    lutra_free(&simulation->confusion);
    lutra_free(&simulation->predictions);
    lutra_free(&simulation->logits);
    lutra_free(&simulation->operations);
    memset(simulation, 0, sizeof *simulation);
}

/** How many logits come before the label's: larger ones, and equal ones of lower index. */
static uint32_t rank_of(const float *logits, uint32_t count, uint32_t label) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        rank += logits[i] > logits[label] || (logits[i] == logits[label] && i < label);
    }
    return rank;
}

static void run_on_words(const Run *run, float *logits, LutraOperationStatistics *statistics,
                         const uint8_t *pixels, uint64_t image, void *scratch) {
    const LutraTorusNoise noise = {.plan = run->plan, .image = image};
    lutra_torus_run(run->circuit, run->plan == NULL ? NULL : &noise, logits, statistics, pixels,
                    scratch);
}

/** Tries the fast way, which leaves no trace if it does not apply to the image. */
static void run_noisy(const Run *run, float *logits, LutraOperationStatistics *statistics,
                      const uint8_t *pixels, uint64_t image, uint32_t worker, void *scratch) {
    LutraOperationStatistics *const attempt =
        run->attempts + (size_t)worker * run->operation_count;
    for (uint32_t i = 0; i < run->operation_count; i++) {
        attempt[i] = lutra_operation_statistics_empty();
    }
    if (run->program == NULL ||
        !lutra_clear_run_noisy(run->program, logits, attempt, pixels, image, scratch)) {
        run->word_images[worker]++;
        run_on_words(run, logits, statistics, pixels, image, scratch);
        return;
    }
    for (uint32_t i = 0; i < run->operation_count; i++) {
        lutra_operation_statistics_merge(&statistics[i], &attempt[i]);
    }
}

static void run_image(const Run *run, float *logits, uint64_t image, uint32_t worker) {
    LutraOperationStatistics *const statistics =
        run->statistics + (size_t)worker * run->operation_count;
    const uint8_t *const pixels = run->images->pixels + (size_t)image * run->pixels_per_image;
    void *const scratch = run->scratch + worker * run->scratch_stride;
    if (run->plan != NULL) {
        run_noisy(run, logits, statistics, pixels, image, worker, scratch);
    } else if (run->program != NULL) {
        lutra_clear_run(run->program, logits, statistics, pixels, scratch);
    } else {
        run_on_words(run, logits, statistics, pixels, image, scratch);
    }
}

/** Logits (count, classes) of the images of one unit. */
static void run_images(const Run *run, float *logits, uint64_t first, uint64_t count,
                       uint32_t worker) {
    if (first < run->batched) {
        lutra_sliced_run(run->sliced, logits,
                         run->statistics + (size_t)worker * run->operation_count,
                         run->images->pixels + (size_t)first * run->pixels_per_image,
                         (uint32_t)count, run->scratch + worker * run->scratch_stride);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        run_image(run, logits + (size_t)i * run->class_count, first + i, worker);
    }
}

static void run_unit(void *user, size_t index, uint32_t worker) {
    const Run *const run = user;
    const uint64_t first = run->first + (uint64_t)index * run->unit_images;
    const uint64_t end = first + run->unit_images < run->end ? first + run->unit_images : run->end;
    float *logits =
        run->worker_logits + (size_t)(worker * run->most_unit_images) * run->class_count;
    run_images(run, logits, first, end - first, worker);
    for (uint64_t image = first; image < end; image++, logits += run->class_count) {
        run->predictions[image] = lutra_argmax(logits, run->class_count);
        run->in_top[image] =
            rank_of(logits, run->class_count, run->images->labels[image]) < TOP ? 1 : 0;
        if (run->logits != NULL) {
            memcpy(run->logits + (size_t)image * run->class_count, logits,
                   run->class_count * sizeof(float));
        }
    }
}

static LutraStatus check_request(const LutraCircuit *circuit, const LutraImages *images,
                                 const LutraSimulateSettings *settings, uint64_t count,
                                 LutraError *error) {
    const LutraShape wanted = circuit->operations[0].shape;
    if (settings->threads == 0 || count == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "a simulation needs images and threads");
    }
    if (!lutra_shape_equal(images->shape, wanted)) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "images are %u x %u x %u, but circuit '%s' takes %u x %u x %u",
                               images->shape.channels, images->shape.height, images->shape.width,
                               circuit->name == NULL ? "" : circuit->name, wanted.channels,
                               wanted.height, wanted.width);
    }
    if (images->class_count != circuit->class_count) {
        return lutra_error_set(error, LUTRA_EDATA, "the data has %u classes, but circuit '%s' %u",
                               images->class_count, circuit->name == NULL ? "" : circuit->name,
                               circuit->class_count);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (images->labels[i] >= images->class_count) {
            return lutra_error_set(error, LUTRA_EDATA, "label %u of image %llu is not below %u",
                                   images->labels[i], (unsigned long long)i, images->class_count);
        }
    }
    return LUTRA_OK;
}

static LutraStatus run_init(Run *run, LutraSimulation *result,
                            const LutraSimulateSettings *settings, uint64_t count,
                            LutraError *error) {
    const size_t threads = settings->threads;
    const size_t one = run->program != NULL ? lutra_clear_scratch_bytes(run->program) : 0;
    const size_t batch = run->sliced != NULL ? lutra_sliced_scratch_bytes(run->sliced) : 0;
    const size_t fast = one > batch ? one : batch;
    const size_t words = run->program == NULL || run->plan != NULL
                             ? lutra_torus_scratch_bytes(run->circuit)
                             : 0;
    const size_t scratch = fast > words ? fast : words;
    run->scratch_stride =
        (scratch + LUTRA_ALIGNMENT_BYTES - 1) / LUTRA_ALIGNMENT_BYTES * LUTRA_ALIGNMENT_BYTES;
    LUTRA_TRY(lutra_alloc(&run->scratch, threads, run->scratch_stride, error));
    LUTRA_TRY(lutra_alloc(&run->worker_logits,
                          threads * (size_t)run->most_unit_images * run->class_count,
                          sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&run->statistics, threads * run->operation_count,
                          sizeof(LutraOperationStatistics), error));
    LUTRA_TRY(lutra_alloc(&run->attempts, threads * run->operation_count,
                          sizeof(LutraOperationStatistics), error));
    LUTRA_TRY(lutra_alloc(&run->word_images, threads, sizeof(uint64_t), error));
    LUTRA_TRY(lutra_alloc(&run->in_top, (size_t)count, 1, error));
    LUTRA_TRY(lutra_alloc(&result->predictions, (size_t)count, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&result->confusion, (size_t)run->class_count * run->class_count,
                          sizeof(uint64_t), error));
    LUTRA_TRY(lutra_alloc(&result->operations, run->operation_count,
                          sizeof(LutraOperationStatistics), error));
    if (settings->keep_logits) {
        size_t logits = 0;
        LUTRA_TRY(lutra_size_mul(&logits, (size_t)count, run->class_count));
        LUTRA_TRY(lutra_alloc(&result->logits, logits, sizeof(float), error));
    }
    for (size_t i = 0; i < threads * run->operation_count; i++) {
        run->statistics[i] = lutra_operation_statistics_empty();
    }
    run->predictions = result->predictions;
    run->logits = result->logits;
    return LUTRA_OK;
}

static void run_deinit(Run *run) {
    lutra_free(&run->scratch);
    lutra_free(&run->worker_logits);
    lutra_free(&run->statistics);
    lutra_free(&run->attempts);
    lutra_free(&run->word_images);
    lutra_free(&run->in_top);
}

/**
 * Runs rounds of images until all are done or the listener asks to stop. Rounds grow from one unit
 * a thread while they are quick, so that a slow circuit still hears the listener often.
 */
static LutraStatus run_rounds(Run *run, uint64_t *done, uint64_t count,
                              const LutraSimulateSettings *settings) {
    uint64_t units = settings->threads;
    while (*done < count) {
        const double started = lutra_seconds();
        const bool batches = *done < run->batched;
        const uint64_t last = batches ? run->batched : count;
        run->unit_images = batches ? run->most_unit_images : UNIT_IMAGES;
        const uint64_t round = units * run->unit_images;
        run->first = *done;
        run->end = last - *done < round ? last : *done + round;
        lutra_parallel_for(
            settings->threads,
            (size_t)((run->end - run->first + run->unit_images - 1) / run->unit_images), run_unit,
            run);
        *done = run->end;
        if (round < MOST_ROUND_IMAGES && lutra_seconds() - started < QUICK_SECONDS) {
            units *= 2;
        }
        if (lutra_progress_tick(settings->progress, "simulate", *done, count, (double)NAN) &&
            *done < count) {
            return LUTRA_ECANCELLED;
        }
    }
    return LUTRA_OK;
}

static void summarize(LutraSimulation *result, const Run *run, uint32_t threads) {
    for (uint64_t i = 0; i < result->images; i++) {
        const uint32_t label = run->images->labels[i];
        const uint32_t predicted = result->predictions[i];
        result->confusion[(size_t)label * run->class_count + predicted]++;
        result->top1_hits += predicted == label;
        result->top5_hits += run->in_top[i];
    }
    for (uint32_t i = 0; i < run->operation_count; i++) {
        result->operations[i] = lutra_operation_statistics_empty();
        for (uint32_t w = 0; w < threads; w++) {
            lutra_operation_statistics_merge(
                &result->operations[i], &run->statistics[(size_t)w * run->operation_count + i]);
        }
        result->out_of_range += result->operations[i].out_of_range;
    }
    for (uint32_t w = 0; w < threads; w++) {
        result->word_images += run->word_images[w];
    }
}

/** The program, and with noise the plan, that a mode needs. */
static LutraStatus prepare(LutraClearProgram **program, LutraNoisePlan *plan,
                           const LutraCircuit *circuit, const LutraSimulateSettings *settings,
                           LutraError *error) {
    if (settings->mode == LUTRA_MODE_CLEAR) {
        return lutra_clear_program_create(program, circuit, settings->cpu_flags, error);
    }
    LUTRA_TRY(lutra_torus_check(circuit, error));
    if (settings->mode == LUTRA_MODE_TORUS) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_noise_plan_init(plan, circuit, &settings->noise, error));
    return lutra_clear_noise_applies(circuit, plan)
               ? lutra_clear_program_create_noisy(program, circuit, plan, settings->cpu_flags,
                                                  error)
               : LUTRA_OK;
}

/**
 * Prepares batches where they apply and pay: a batch keeps one thread busy for as long as about
 * half its images do one by one. What is left over runs image by image.
 */
static LutraStatus choose_batches(Run *run, LutraSlicedProgram **sliced, uint64_t count,
                                  const LutraSimulateSettings *settings, LutraError *error) {
    run->most_unit_images = UNIT_IMAGES;
    if (settings->mode != LUTRA_MODE_CLEAR || count < LEAST_BATCH_IMAGES ||
        2 * (count / LEAST_BATCH_IMAGES) < settings->threads) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_sliced_program_create(sliced, run->circuit, settings->cpu_flags, error));
    if (*sliced == NULL) {
        return LUTRA_OK;
    }
    const uint64_t batch = lutra_sliced_batch_images(*sliced);
    const uint64_t rest = count % batch;
    run->sliced = *sliced;
    run->batched = 2 * rest >= batch ? count : count - rest;
    run->most_unit_images = batch;
    return LUTRA_OK;
}

LutraStatus lutra_simulate(LutraSimulation *simulation, const LutraCircuit *circuit,
                           const LutraImages *images, const LutraSimulateSettings *settings,
                           LutraError *error) {
    const uint64_t count =
        settings->limit != 0 && settings->limit < images->count ? settings->limit : images->count;
    LUTRA_TRY(check_request(circuit, images, settings, count, error));
    LutraStatus status = LUTRA_OK;
    LutraClearProgram *program = NULL;
    LutraSlicedProgram *sliced = NULL;
    LutraNoisePlan plan = {0};
    LutraSimulation result = {.class_count = circuit->class_count,
                              .operation_count = circuit->operation_count};
    Run run = {.circuit = circuit,
               .images = images,
               .pixels_per_image = lutra_shape_elements(images->shape),
               .class_count = circuit->class_count,
               .operation_count = circuit->operation_count};
    LUTRA_TRY_GOTO(status, prepare(&program, &plan, circuit, settings, error));
    run.program = program;
    run.plan = settings->mode == LUTRA_MODE_NOISY ? &plan : NULL;
    LUTRA_TRY_GOTO(status, choose_batches(&run, &sliced, count, settings, error));
    LUTRA_TRY_GOTO(status, run_init(&run, &result, settings, count, error));
    const double started = lutra_seconds();
    status = run_rounds(&run, &result.images, count, settings);
    result.seconds = lutra_seconds() - started;
    summarize(&result, &run, settings->threads);
    *simulation = result;
    memset(&result, 0, sizeof result);
    if (status == LUTRA_ECANCELLED) {
        status = lutra_error_set(error, LUTRA_ECANCELLED, "stopped after %llu of %llu images",
                                 (unsigned long long)simulation->images, (unsigned long long)count);
    }
done:
    run_deinit(&run);
    lutra_simulation_deinit(&result);
    lutra_clear_program_destroy(&program);
    lutra_sliced_program_destroy(&sliced);
    lutra_noise_plan_deinit(&plan);
    return status;
}

void lutra_image_values_deinit(LutraImageValues *values) {
    lutra_free(&values->values);
    lutra_free(&values->logits);
    lutra_free(&values->arena);
    memset(values, 0, sizeof *values);
}

LutraStatus lutra_simulate_image_values(LutraImageValues *values, const LutraCircuit *circuit,
                                        const uint8_t *pixels, LutraError *error) {
    LutraStatus status = LUTRA_OK;
    LutraImageValues result = {.operation_count = circuit->operation_count};
    const uint32_t last = circuit->operation_count - 1;
    size_t elements = 0;
    for (uint32_t i = 0; i < last; i++) {
        elements += lutra_shape_elements(circuit->operations[i].shape);
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&result.arena, elements, sizeof(int32_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&result.logits, circuit->class_count, sizeof(float), error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&result.values, circuit->operation_count, sizeof(int32_t *), error));
    int32_t *at = result.arena;
    for (uint32_t i = 0; i < last; i++) {
        result.values[i] = at;
        at += lutra_shape_elements(circuit->operations[i].shape);
        (void)lutra_operation_apply(result.values[i], circuit, i, pixels,
                                    (const int32_t *const *)result.values);
    }
    const LutraOperation *const output = &circuit->operations[last];
    result.values[last] = result.values[output->inputs[0]];
    lutra_operation_output(result.logits, &output->u.output, circuit->class_count,
                           result.values[last]);
    *values = result;
    return LUTRA_OK;
done:
    lutra_image_values_deinit(&result);
    return status;
}
