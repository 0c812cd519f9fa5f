/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "sim/operations.h"
#include "sim/simulate_priv.h"
#include "sim/sliced.h"
#include "sim/torus_run.h"

enum {
    UNIT_IMAGES = 8,          /* images of one unit of work that runs image by image */
    LEAST_BATCH_IMAGES = 256, /* fewer images always run image by image */
    MOST_ROUND_IMAGES = 1024, /* images between two calls of the progress listener */
    MOST = LUTRA_SLICED_MOST_TOGETHER,
    TOP = 5
};

/* A round that takes less may be twice as long. */
static const double QUICK_SECONDS = 0.1;
/* Of one worker: what several circuits that run together may take. */
static const size_t MOST_SCRATCH_BYTES = (size_t)1 << 27;

/* One circuit; workers write disjoint rows and their own statistics. */
typedef struct {
    const LutraCircuit *circuit;
    LutraClearProgram *program; /* NULL: all images are run on words, or none one by one */
    LutraNoisePlan plan;        /* noisy mode */
    bool noisy;
    LutraSlicedProgram *sliced; /* runs the first `batched` images; or NULL */
    LutraSimulation result;
    uint8_t *in_top;      /* (images) the label is among the TOP largest */
    float *worker_logits; /* (threads, most_unit_images, classes) */
    LutraOperationStatistics *statistics; /* (threads, operations) */
    LutraOperationStatistics *attempts;   /* (threads, operations) of one image with noise */
    uint64_t *word_images;                /* (threads) */
} Run;

typedef struct {
    Run runs[MOST];
    uint32_t count; /* of runs */
    LutraSlicedGroup *sliced; /* all runs; runs the first `batched` images; or NULL */
    uint64_t batched;
    uint64_t most_unit_images;
    uint64_t unit_images; /* of this round */
    uint64_t first;       /* image of the first unit of this round */
    uint64_t end;
    uint64_t total; /* images */
    const LutraImages *images;
    const LutraSimulateSettings *settings;
    size_t pixels_per_image;
    uint8_t *scratch; /* (threads, scratch_stride) */
    size_t scratch_stride;
} Pass;

/* ---- one image ---- */

static void run_on_words(const Run *run, float *logits, LutraOperationStatistics *statistics,
                         const uint8_t *pixels, uint64_t image, void *scratch) {
    const LutraTorusNoise noise = {.plan = &run->plan, .image = image};
    lutra_torus_run(run->circuit, run->noisy ? &noise : NULL, logits, statistics, pixels,
                    scratch);
}

/** Tries the fast way, which leaves no trace if it does not apply to the image. */
static void run_noisy(const Run *run, float *logits, LutraOperationStatistics *statistics,
                      const uint8_t *pixels, uint64_t image, uint32_t worker, void *scratch) {
    LutraOperationStatistics *const attempt =
        run->attempts + (size_t)worker * run->circuit->operation_count;
    for (uint32_t i = 0; i < run->circuit->operation_count; i++) {
        attempt[i] = lutra_operation_statistics_empty();
    }
    if (run->program == NULL ||
        !lutra_clear_run_noisy(run->program, logits, attempt, pixels, image, scratch)) {
        run->word_images[worker]++;
        run_on_words(run, logits, statistics, pixels, image, scratch);
        return;
    }
    for (uint32_t i = 0; i < run->circuit->operation_count; i++) {
        lutra_operation_statistics_merge(&statistics[i], &attempt[i]);
    }
}

static void run_image(const Run *run, float *logits, const uint8_t *pixels, uint64_t image,
                      uint32_t worker, void *scratch) {
    LutraOperationStatistics *const statistics =
        run->statistics + (size_t)worker * run->circuit->operation_count;
    if (run->noisy) {
        run_noisy(run, logits, statistics, pixels, image, worker, scratch);
    } else if (run->program != NULL) {
        lutra_clear_run(run->program, logits, statistics, pixels, scratch);
    } else {
        run_on_words(run, logits, statistics, pixels, image, scratch);
    }
}

/* ---- one unit of work ---- */

static float *logits_of(const Pass *pass, const Run *run, uint32_t worker) {
    return run->worker_logits +
           (size_t)(worker * pass->most_unit_images) * run->circuit->class_count;
}

static void run_batch(const Pass *pass, uint64_t first, uint64_t count, uint32_t worker) {
    float *logits[MOST];
    LutraOperationStatistics *statistics[MOST];
    for (uint32_t r = 0; r < pass->count; r++) {
        const Run *const run = &pass->runs[r];
        logits[r] = logits_of(pass, run, worker);
        statistics[r] = run->statistics + (size_t)worker * run->circuit->operation_count;
    }
    lutra_sliced_group_run(pass->sliced, logits, statistics,
                           pass->images->pixels + (size_t)first * pass->pixels_per_image,
                           (uint32_t)count, pass->scratch + worker * pass->scratch_stride);
}

static void run_one_by_one(const Pass *pass, uint64_t first, uint64_t count, uint32_t worker) {
    void *const scratch = pass->scratch + worker * pass->scratch_stride;
    for (uint32_t r = 0; r < pass->count; r++) {
        const Run *const run = &pass->runs[r];
        float *const logits = logits_of(pass, run, worker);
        for (uint64_t i = 0; i < count; i++) {
            run_image(run, logits + (size_t)i * run->circuit->class_count,
                      pass->images->pixels + (size_t)(first + i) * pass->pixels_per_image,
                      first + i, worker, scratch);
        }
    }
}

/** How many logits come before the label's: larger ones, and equal ones of lower index. */
static uint32_t rank_of(const float *logits, uint32_t count, uint32_t label) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        rank += logits[i] > logits[label] || (logits[i] == logits[label] && i < label);
    }
    return rank;
}

static void keep_answers(const Run *run, const float *logits, const uint16_t *labels,
                         uint64_t first, uint64_t end) {
    const uint32_t classes = run->circuit->class_count;
    for (uint64_t image = first; image < end; image++, logits += classes) {
        run->result.predictions[image] = lutra_argmax(logits, classes);
        run->in_top[image] = rank_of(logits, classes, labels[image]) < TOP ? 1 : 0;
        if (run->result.logits != NULL) {
            memcpy(run->result.logits + (size_t)image * classes, logits, classes * sizeof(float));
        }
    }
}

static void run_unit(void *user, size_t index, uint32_t worker) {
    const Pass *const pass = user;
    const uint64_t first = pass->first + (uint64_t)index * pass->unit_images;
    const uint64_t end =
        first + pass->unit_images < pass->end ? first + pass->unit_images : pass->end;
    if (first < pass->batched) {
        run_batch(pass, first, end - first, worker);
    } else {
        run_one_by_one(pass, first, end - first, worker);
    }
    for (uint32_t r = 0; r < pass->count; r++) {
        const Run *const run = &pass->runs[r];
        keep_answers(run, logits_of(pass, run, worker), pass->images->labels, first, end);
    }
}

/**
 * Runs rounds of images until all are done or the listener asks to stop. Rounds grow from one unit
 * a thread while they are quick, so that a slow circuit still hears the listener often.
 */
static LutraStatus run_rounds(Pass *pass, uint64_t *done) {
    const LutraSimulateSettings *const settings = pass->settings;
    const uint64_t count = pass->total;
    uint64_t units = settings->threads;
    while (*done < count) {
        const double started = lutra_seconds();
        const bool batches = *done < pass->batched;
        const uint64_t last = batches ? pass->batched : count;
        pass->unit_images = batches ? pass->most_unit_images : UNIT_IMAGES;
        const uint64_t round = units * pass->unit_images;
        pass->first = *done;
        pass->end = last - *done < round ? last : *done + round;
        lutra_parallel_for(
            settings->threads,
            (size_t)((pass->end - pass->first + pass->unit_images - 1) / pass->unit_images),
            run_unit, pass);
        *done = pass->end;
        if (round < MOST_ROUND_IMAGES && lutra_seconds() - started < QUICK_SECONDS) {
            units *= 2;
        }
        if (lutra_progress_tick(settings->progress, "simulate", *done * pass->count,
                                count * pass->count, (double)NAN) &&
            *done < count) {
            return LUTRA_ECANCELLED;
        }
    }
    return LUTRA_OK;
}

/* ---- preparation ---- */

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

/** Whether batches pay: one keeps a thread busy for as long as about half its images do one by
 * one. */
static bool batches_pay(const Pass *pass) {
    const LutraSimulateSettings *const settings = pass->settings;
    return settings->mode == LUTRA_MODE_CLEAR && pass->total >= LEAST_BATCH_IMAGES &&
           2 * (pass->total / LEAST_BATCH_IMAGES) >= settings->threads;
}

/** Takes up circuits, at least the first, until one does not run in batches or too many would. */
static LutraStatus choose_batches(Pass *pass, const LutraCircuit *const *circuits,
                                  uint32_t count, LutraError *error) {
    const LutraSlicedProgram *programs[MOST] = {NULL};
    size_t scratch = 0;
    pass->count = 1;
    pass->runs[0].circuit = circuits[0];
    if (!batches_pay(pass)) {
        return LUTRA_OK;
    }
    for (uint32_t r = 0; r < count && r < MOST; r++) {
        Run *const run = &pass->runs[r];
        LUTRA_TRY(lutra_sliced_program_create(&run->sliced, circuits[r],
                                              pass->settings->cpu_flags, error));
        scratch += run->sliced == NULL ? 0 : lutra_sliced_scratch_bytes(run->sliced);
        if (run->sliced == NULL || (r > 0 && scratch > MOST_SCRATCH_BYTES)) {
            lutra_sliced_program_destroy(&run->sliced);
            break;
        }
        programs[r] = run->sliced;
        run->circuit = circuits[r];
        pass->count = r + 1;
    }
    if (programs[0] == NULL) {
        return LUTRA_OK;
    }
    const uint64_t batch = lutra_sliced_batch_images(programs[0]);
    const uint64_t rest = pass->total % batch;
    pass->batched = 2 * rest >= batch ? pass->total : pass->total - rest;
    pass->most_unit_images = batch;
    return lutra_sliced_group_create(&pass->sliced, programs, pass->count, error);
}

/** The program, and with noise the plan, that a mode needs for images one by one. */
static LutraStatus prepare_one_by_one(Run *run, const LutraSimulateSettings *settings,
                                      LutraError *error) {
    const LutraCircuit *const circuit = run->circuit;
    if (settings->mode == LUTRA_MODE_CLEAR) {
        return lutra_clear_program_create(&run->program, circuit, settings->cpu_flags, error);
    }
    LUTRA_TRY(lutra_torus_check(circuit, error));
    if (settings->mode == LUTRA_MODE_TORUS) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_noise_plan_init(&run->plan, circuit, &settings->noise, error));
    run->noisy = true;
    return lutra_clear_noise_applies(circuit, &run->plan)
               ? lutra_clear_program_create_noisy(&run->program, circuit, &run->plan,
                                                  settings->cpu_flags, error)
               : LUTRA_OK;
}

/** Bytes of scratch of one image. */
static size_t one_by_one_bytes(const Run *run) {
    const size_t fast = run->program != NULL ? lutra_clear_scratch_bytes(run->program) : 0;
    const size_t words =
        run->program == NULL || run->noisy ? lutra_torus_scratch_bytes(run->circuit) : 0;
    return fast > words ? fast : words;
}

static LutraStatus allocate(Run *run, const Pass *pass, LutraError *error) {
    const LutraSimulateSettings *const settings = pass->settings;
    const size_t threads = settings->threads;
    const size_t operations = run->circuit->operation_count;
    const size_t classes = run->circuit->class_count;
    const size_t count = (size_t)pass->total;
    LutraSimulation *const result = &run->result;
    result->class_count = run->circuit->class_count;
    result->operation_count = run->circuit->operation_count;
    LUTRA_TRY(lutra_alloc(&run->worker_logits, threads * (size_t)pass->most_unit_images * classes,
                          sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&run->statistics, threads * operations,
                          sizeof(LutraOperationStatistics), error));
    LUTRA_TRY(lutra_alloc(&run->attempts, threads * operations, sizeof(LutraOperationStatistics),
                          error));
    LUTRA_TRY(lutra_alloc(&run->word_images, threads, sizeof(uint64_t), error));
    LUTRA_TRY(lutra_alloc(&run->in_top, count, 1, error));
    LUTRA_TRY(lutra_alloc(&result->predictions, count, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&result->confusion, classes * classes, sizeof(uint64_t), error));
    LUTRA_TRY(lutra_alloc(&result->operations, operations, sizeof(LutraOperationStatistics),
                          error));
    if (settings->keep_logits) {
        size_t logits = 0;
        LUTRA_TRY(lutra_size_mul(&logits, count, classes));
        LUTRA_TRY(lutra_alloc(&result->logits, logits, sizeof(float), error));
    }
    for (size_t i = 0; i < threads * operations; i++) {
        run->statistics[i] = lutra_operation_statistics_empty();
    }
    return LUTRA_OK;
}

static LutraStatus pass_init(Pass *pass, const LutraCircuit *const *circuits, uint32_t count,
                             LutraError *error) {
    pass->most_unit_images = UNIT_IMAGES;
    LUTRA_TRY(choose_batches(pass, circuits, count, error));
    size_t scratch = pass->sliced != NULL ? lutra_sliced_group_scratch_bytes(pass->sliced) : 0;
    for (uint32_t r = 0; r < pass->count; r++) {
        Run *const run = &pass->runs[r];
        if (pass->batched < pass->total) {
            LUTRA_TRY(prepare_one_by_one(run, pass->settings, error));
            const size_t one = one_by_one_bytes(run);
            scratch = one > scratch ? one : scratch;
        }
        LUTRA_TRY(allocate(run, pass, error));
    }
    pass->scratch_stride =
        (scratch + LUTRA_ALIGNMENT_BYTES - 1) / LUTRA_ALIGNMENT_BYTES * LUTRA_ALIGNMENT_BYTES;
    return lutra_alloc(&pass->scratch, pass->settings->threads, pass->scratch_stride, error);
}

static void pass_destroy(Pass **pass) {
    if (*pass == NULL) {
        return;
    }
    for (uint32_t r = 0; r < MOST; r++) {
        Run *const run = &(*pass)->runs[r];
        lutra_simulation_deinit(&run->result);
        lutra_free(&run->worker_logits);
        lutra_free(&run->statistics);
        lutra_free(&run->attempts);
        lutra_free(&run->word_images);
        lutra_free(&run->in_top);
        lutra_clear_program_destroy(&run->program);
        lutra_sliced_program_destroy(&run->sliced);
        lutra_noise_plan_deinit(&run->plan);
    }
    lutra_sliced_group_destroy(&(*pass)->sliced);
    lutra_free(&(*pass)->scratch);
    lutra_free(pass);
}

/* ---- the whole ---- */

static void summarize(Run *run, const Pass *pass) {
    LutraSimulation *const result = &run->result;
    const uint32_t operations = run->circuit->operation_count;
    for (uint64_t i = 0; i < result->images; i++) {
        const uint32_t label = pass->images->labels[i];
        const uint32_t predicted = result->predictions[i];
        result->confusion[(size_t)label * run->circuit->class_count + predicted]++;
        result->top1_hits += predicted == label;
        result->top5_hits += run->in_top[i];
    }
    for (uint32_t i = 0; i < operations; i++) {
        result->operations[i] = lutra_operation_statistics_empty();
        for (uint32_t w = 0; w < pass->settings->threads; w++) {
            lutra_operation_statistics_merge(&result->operations[i],
                                             &run->statistics[(size_t)w * operations + i]);
        }
        result->out_of_range += result->operations[i].out_of_range;
    }
    for (uint32_t w = 0; w < pass->settings->threads; w++) {
        result->word_images += run->word_images[w];
    }
}

/** Runs, and hands the results over. */
static LutraStatus run_pass(LutraSimulation *const *simulations, uint32_t *count, Pass *pass,
                            LutraError *error) {
    uint64_t done = 0;
    const double started = lutra_seconds();
    const LutraStatus status = run_rounds(pass, &done);
    const double seconds = lutra_seconds() - started;
    for (uint32_t r = 0; r < pass->count; r++) {
        Run *const run = &pass->runs[r];
        run->result.images = done;
        run->result.seconds = seconds / pass->count;
        summarize(run, pass);
        *simulations[r] = run->result;
        memset(&run->result, 0, sizeof run->result);
    }
    *count = pass->count;
    return status == LUTRA_ECANCELLED
               ? lutra_error_set(error, status, "stopped after %llu of %llu images",
                                 (unsigned long long)(done * pass->count),
                                 (unsigned long long)(pass->total * pass->count))
               : status;
}

LutraStatus lutra_simulate_pass(LutraSimulation *const *simulations,
                                const LutraCircuit *const *circuits, uint32_t *count,
                                const LutraImages *images, const LutraSimulateSettings *settings,
                                LutraError *error) {
    const uint64_t total =
        settings->limit != 0 && settings->limit < images->count ? settings->limit : images->count;
    Pass *pass = NULL;
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; i < *count; i++) {
        LUTRA_TRY(check_request(circuits[i], images, settings, total, error));
    }
    LUTRA_TRY_GOTO(status, lutra_alloc(&pass, 1, sizeof *pass, error));
    pass->total = total;
    pass->images = images;
    pass->settings = settings;
    pass->pixels_per_image = lutra_shape_elements(images->shape);
    LUTRA_TRY_GOTO(status, pass_init(pass, circuits, *count, error));
    status = run_pass(simulations, count, pass, error);
done:
    pass_destroy(&pass);
    return status;
}
