/* SPDX-License-Identifier: Apache-2.0 */
/* Runs samples on real ciphertexts and adds up what the observer saw; see verify.h. */
#include "bridge/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "bridge/verify_checkpoint_priv.h"
#include "bridge/verify_priv.h"
#include "bridge/verify_sampled_priv.h"
#include "sim/operations.h"
#include "sim/simulate.h"

static const double CONFIDENCE = 0.95;

void lutra_verify_default(LutraVerifySettings *settings) {
    *settings = (LutraVerifySettings){.backend = lutra_backend_tfhe(),
                                      .noise_model = LUTRA_NOISE_TFHE_RS};
    lutra_backend_settings_default(&settings->backend_settings);
}

void lutra_verify_result_deinit(LutraVerifyResult *result) {
    lutra_free(&result->samples);
    lutra_free(&result->clear_logits);
    lutra_free(&result->encrypted_logits);
    lutra_free(&result->layers);
    lutra_free(&result->neurons);
    memset(result, 0, sizeof *result);
}

const char *lutra_verdict_text(LutraVerdict verdict) {
    switch (verdict) {
        case LUTRA_VERDICT_AGREES: return "wrong look-ups are as frequent as predicted";
        case LUTRA_VERDICT_FEWER: return "wrong look-ups are rarer than predicted";
        case LUTRA_VERDICT_MORE: return "wrong look-ups are more frequent than predicted";
        case LUTRA_VERDICT_BROKEN:
            return "results lie farther from their values than any noise explains";
    }
    return "unknown";
}

/** Gives every array of the result its size. */
static LutraStatus allocate(LutraVerifyResult *result, const LutraCircuit *circuit, uint64_t count,
                            uint32_t neurons, LutraError *error) {
    size_t logits = 0;
    size_t chosen = 0;
    if (count > SIZE_MAX ||
        lutra_size_mul(&logits, (size_t)count, circuit->class_count) != LUTRA_OK ||
        lutra_size_mul(&chosen, (size_t)count,
                       (size_t)lutra_verify_sampled_outputs(circuit, neurons)) != LUTRA_OK) {
        return lutra_error_set(error, LUTRA_ENOMEM,
                               "%llu samples do not fit in memory: verify fewer",
                               (unsigned long long)count);
    }
    LUTRA_TRY(lutra_alloc(&result->samples, (size_t)count, sizeof *result->samples, error));
    LUTRA_TRY(lutra_alloc(&result->clear_logits, logits, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&result->encrypted_logits, logits, sizeof(float), error));
    LUTRA_TRY(lutra_alloc(&result->layers, circuit->operation_count, sizeof *result->layers,
                          error));
    if (neurons > 0) {
        LUTRA_TRY(lutra_alloc(&result->neurons, chosen, sizeof *result->neurons, error));
    }
    result->class_count = circuit->class_count;
    return LUTRA_OK;
}

static double expected_so_far(const LutraVerifyObserver *observer) {
    double sum = 0.0;
    for (uint32_t i = 0; i < observer->circuit->operation_count; i++) {
        sum += observer->layers[i].expected_mismatches;
    }
    return sum;
}

static uint64_t mismatches_so_far(const LutraVerifyObserver *observer) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < observer->circuit->operation_count; i++) {
        sum += observer->layers[i].mismatches;
    }
    return sum;
}

/** Compares the logits of one sample bit for bit. */
static void compare_logits(LutraVerifySample *sample, const float *clear, const float *encrypted,
                           uint32_t classes) {
    sample->clear_class = lutra_argmax(clear, classes);
    sample->encrypted_class = lutra_argmax(encrypted, classes);
    sample->logits_equal = memcmp(clear, encrypted, classes * sizeof *clear) == 0;
    for (uint32_t c = 0; c < classes; c++) {
        const double difference = fabs((double)clear[c] - (double)encrypted[c]);
        if (difference > sample->largest_logit_difference) {
            sample->largest_logit_difference = difference;
        }
    }
}

/* One progress bar over all samples. */
typedef struct {
    const LutraProgress *outer;
    uint64_t sample;
    uint64_t samples;
} Ticker;

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const Ticker *const ticker = user;
    return lutra_progress_tick(ticker->outer, stage, ticker->sample * total + done,
                               ticker->samples * total, figure)
               ? 1
               : 0;
}

/* One image on its way: who looks at it, and where it is remembered. */
typedef struct {
    LutraVerifyObserver *observer;
    LutraVerifyCheckpoint *checkpoint;
    LutraVerifyResult *result;
} Watch;

static LutraStatus see_result(void *user, uint32_t operation, const uint64_t *ciphertexts,
                              size_t count, LutraError *error) {
    const Watch *const watch = user;
    if (!lutra_operation_is_encrypted(&watch->observer->circuit->operations[operation])) {
        LUTRA_TRY(lutra_verify_checkpoint_encrypted(watch->checkpoint, operation, error));
    }
    return lutra_verify_observe(watch->observer, operation, ciphertexts, count, error);
}

/** Writes the checkpoint. That this fails is worth a line, but not the work. */
static void remember(const Watch *watch, const LutraEncryptedState *state) {
    LutraError error = {""};
    char line[sizeof error.message + 64];
    if (lutra_verify_checkpoint_write(watch->checkpoint, watch->result, watch->observer, state,
                                      &error) != LUTRA_OK) {
        (void)snprintf(line, sizeof line, "no checkpoint: %s", error.message);
        lutra_progress_note(watch->checkpoint->progress, line);
    }
}

static LutraStatus after_operation(void *user, const LutraEncryptedState *state,
                                   LutraError *error) {
    const Watch *const watch = user;
    const LutraVerifyCheckpoint *const checkpoint = watch->checkpoint;
    const LutraOperation *const done =
        &watch->observer->circuit->operations[state->next_operation - 1];
    (void)error;
    if (checkpoint->path != NULL && lutra_operation_pbs(done) > 0 &&
        lutra_seconds() - checkpoint->written_at >= checkpoint->seconds) {
        remember(watch, state);
    }
    return LUTRA_OK;
}

static LutraStatus run_sample(LutraVerifyResult *result, LutraVerifyObserver *observer,
                              LutraVerifyCheckpoint *checkpoint, const uint8_t *pixels,
                              uint64_t samples, const LutraVerifySettings *settings,
                              LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    const LutraOperation *const last = &circuit->operations[circuit->operation_count - 1];
    const uint32_t classes = circuit->class_count;
    const size_t at = (size_t)result->sample_count;
    Ticker ticker = {settings->progress, result->sample_count, samples};
    Watch watch = {observer, checkpoint, result};
    const LutraProgress progress = {tick, NULL, &ticker};
    const LutraEncryptedListener listener = {see_result, &watch, after_operation};
    const LutraEncryptedSettings run = {.state = &checkpoint->state,
                                        .threads = settings->backend_settings.threads,
                                        .cpu_flags = settings->backend_settings.cpu_flags,
                                        .listener = &listener,
                                        .progress = &progress};
    LutraEncryptedReport report = {0};
    LutraImageValues clear = {0};
    LutraVerifySample sample = {0};
    int32_t *codes = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&codes, classes, sizeof *codes, error));
    LUTRA_TRY_GOTO(status, lutra_simulate_image_values(&clear, circuit, pixels, error));
    if (checkpoint->state.next_operation == 0) {
        checkpoint->mismatches_before = mismatches_so_far(observer);
        checkpoint->expected_before = expected_so_far(observer);
        LUTRA_TRY_GOTO(status, lutra_verify_observer_start(observer, pixels, error));
    }
    LUTRA_TRY_GOTO(status, lutra_encrypted_run(codes, &report, observer->keys, circuit, pixels,
                                               &run, error));
    float *const encrypted_logits = result->encrypted_logits + at * classes;
    lutra_operation_output(encrypted_logits, &last->u.output, classes, codes);
    memcpy(result->clear_logits + at * classes, clear.logits, classes * sizeof(float));
    compare_logits(&sample, clear.logits, encrypted_logits, classes);
    sample.lookups = report.lookups;
    sample.mismatches = mismatches_so_far(observer) - checkpoint->mismatches_before;
    sample.expected_mismatches = expected_so_far(observer) - checkpoint->expected_before;
    sample.encrypt_seconds = report.encrypt_seconds;
    sample.run_seconds = report.run_seconds;
    sample.decrypt_seconds = report.decrypt_seconds;
    result->samples[at] = sample;
    result->sample_count++;
    if (report.ciphertext_bytes > result->ciphertext_bytes) {
        result->ciphertext_bytes = report.ciphertext_bytes;
    }
    if (checkpoint->path != NULL && result->sample_count < samples) {
        remember(&watch, NULL);
    }
done:
    lutra_image_values_deinit(&clear);
    lutra_free(&codes);
    return status;
}

/** Chosen outputs of one image. */
static LutraStatus run_chosen(LutraVerifyResult *result, LutraVerifyObserver *observer,
                              const uint8_t *pixels, uint64_t samples,
                              const LutraVerifySettings *settings, LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    const size_t at = (size_t)result->sample_count;
    const uint32_t classes = circuit->class_count;
    const uint64_t mismatches_before = mismatches_so_far(observer);
    const double expected_before = expected_so_far(observer);
    Ticker ticker = {settings->progress, result->sample_count, samples};
    const LutraProgress progress = {tick, NULL, &ticker};
    LutraVerifySettings own = *settings;
    own.progress = &progress;
    LutraVerifySample sample = {0};
    LutraImageValues clear = {0};
    LUTRA_TRY(lutra_simulate_image_values(&clear, circuit, pixels, error));
    const LutraStatus status =
        lutra_verify_sampled(result, &sample, observer, result->sample_count,
                             (const int32_t *const *)clear.values, &own, error);
    if (status == LUTRA_OK) {
        sample.clear_class = lutra_argmax(clear.logits, classes);
        sample.encrypted_class = sample.clear_class;
        memcpy(result->clear_logits + at * classes, clear.logits, classes * sizeof(float));
        memcpy(result->encrypted_logits + at * classes, clear.logits, classes * sizeof(float));
        sample.mismatches = mismatches_so_far(observer) - mismatches_before;
        sample.expected_mismatches = expected_so_far(observer) - expected_before;
        result->samples[at] = sample;
        result->sample_count++;
    }
    lutra_image_values_deinit(&clear);
    return status;
}

static LutraVerdict judge(const LutraVerifyResult *result) {
    if (result->strays > 0) {
        return LUTRA_VERDICT_BROKEN;
    }
    const double expected = result->expected_mismatches;
    const double lookups = (double)result->lookups;
    if (expected < result->mismatch_interval.low * lookups) {
        return LUTRA_VERDICT_MORE;
    }
    return expected > result->mismatch_interval.high * lookups ? LUTRA_VERDICT_FEWER
                                                               : LUTRA_VERDICT_AGREES;
}

static double deviation_of(double squares, uint64_t count) {
    return count == 0 ? 0.0 : sqrt(squares / (double)count);
}

/** Layers that were seen, and the sums over layers and samples. */
static void conclude(LutraVerifyResult *result, const LutraVerifyObserver *observer) {
    for (uint32_t i = 0; i < observer->circuit->operation_count; i++) {
        if (observer->layers[i].elements == 0) {
            continue;
        }
        LutraVerifyLayer *const layer = &result->layers[result->layer_count++];
        const LutraVerifySums *const sums = &observer->sums[i];
        *layer = observer->layers[i];
        layer->mismatch_interval =
            lutra_interval_binomial(layer->mismatches, layer->lookups, CONFIDENCE);
        layer->noise_std_measured = deviation_of(sums->noise_squares, layer->elements);
        layer->noise_std_predicted = deviation_of(sums->noise_predicted, layer->elements);
        layer->lookup_std_measured = deviation_of(sums->lookup_squares, layer->elements);
        layer->lookup_std_predicted = deviation_of(sums->lookup_predicted, layer->elements);
        result->lookups += layer->lookups;
        result->wrong_boxes += layer->wrong_boxes;
        result->mismatches += layer->mismatches;
        result->strays += layer->strays;
        result->expected_wrong_boxes += layer->expected_wrong_boxes;
        result->expected_mismatches += layer->expected_mismatches;
    }
    for (uint64_t s = 0; s < result->sample_count; s++) {
        const LutraVerifySample *const sample = &result->samples[s];
        if (result->neurons == NULL) {
            result->logits_equal += sample->logits_equal;
            result->top1_agree += sample->clear_class == sample->encrypted_class;
        }
        result->encrypt_seconds += sample->encrypt_seconds;
        result->run_seconds += sample->run_seconds;
        result->decrypt_seconds += sample->decrypt_seconds;
    }
    result->mismatch_interval =
        lutra_interval_binomial(result->mismatches, result->lookups, CONFIDENCE);
    result->verdict = judge(result);
}

static LutraStatus make_keys(LutraVerifyResult *result, LutraCircuitKeys *keys,
                             const uint8_t *seed, const LutraProgress *progress,
                             LutraError *error) {
    const double start = lutra_seconds();
    LUTRA_TRY(lutra_circuit_keys_generate(keys, seed, progress, error));
    result->keygen_seconds = lutra_seconds() - start;
    result->key_bytes = keys->key_bytes;
    return LUTRA_OK;
}

/** Keys, and with a checkpoint what it remembers. */
static LutraStatus prepare(LutraVerifyResult *result, LutraCircuitKeys *keys,
                           LutraVerifyObserver *observer, LutraVerifyCheckpoint *checkpoint,
                           const LutraVerifySettings *settings, LutraError *error) {
    const LutraCircuit *const circuit = observer->circuit;
    LUTRA_TRY(lutra_circuit_keys_init(keys, settings->backend, circuit,
                                      &settings->backend_settings, error));
    if (checkpoint->path == NULL) {
        return make_keys(result, keys, settings->test_seed, settings->progress, error);
    }
    if (settings->resume && lutra_file_exists(checkpoint->path)) {
        LUTRA_TRY(lutra_verify_checkpoint_read(checkpoint, result, observer, error));
    }
    LUTRA_TRY(make_keys(result, keys, checkpoint->seed, settings->progress, error));
    return lutra_verify_checkpoint_replay(checkpoint, keys, circuit, error);
}

LutraStatus lutra_verify(LutraVerifyResult *result, const LutraCircuit *circuit,
                         const uint8_t *pixels, uint64_t count,
                         const LutraVerifySettings *settings, LutraError *error) {
    const size_t image = lutra_shape_elements(circuit->operations[0].shape);
    LutraCircuitKeys keys = {0};
    LutraPrediction prediction = {0};
    LutraVerifyObserver observer = {0};
    LutraVerifyCheckpoint checkpoint = {0};
    LutraStatus status = LUTRA_OK;
    memset(result, 0, sizeof *result);
    LUTRA_TRY_GOTO(status, lutra_encrypted_check(circuit, error));
    LUTRA_TRY_GOTO(status, lutra_verify_checkpoint_init(&checkpoint, circuit, pixels, count,
                                                        settings, error));
    LUTRA_TRY_GOTO(status, allocate(result, circuit, count, settings->neurons, error));
    LUTRA_TRY_GOTO(status, lutra_prediction_init(&prediction, circuit, settings->noise_model,
                                                 error));
    LUTRA_TRY_GOTO(status, lutra_verify_observer_init(&observer, &keys, circuit, &prediction,
                                                      error));
    LUTRA_TRY_GOTO(status, prepare(result, &keys, &observer, &checkpoint, settings, error));
    while (result->sample_count < count && status == LUTRA_OK) {
        const uint8_t *const sample = pixels + (size_t)result->sample_count * image;
        status = settings->neurons > 0
                     ? run_chosen(result, &observer, sample, count, settings, error)
                     : run_sample(result, &observer, &checkpoint, sample, count, settings, error);
    }
    if (status == LUTRA_OK || (status == LUTRA_ECANCELLED && result->sample_count > 0)) {
        conclude(result, &observer);
    }
    if (status == LUTRA_OK) {
        lutra_verify_checkpoint_remove(&checkpoint);
    }
done:
    if (status != LUTRA_OK && status != LUTRA_ECANCELLED) {
        lutra_verify_result_deinit(result);
    }
    lutra_verify_checkpoint_deinit(&checkpoint, circuit);
    lutra_verify_observer_deinit(&observer);
    lutra_prediction_deinit(&prediction);
    lutra_circuit_keys_deinit(&keys);
    return status;
}
