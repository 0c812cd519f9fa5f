/* SPDX-License-Identifier: Apache-2.0 */
/* Where a verification stands, as a file; see verify_checkpoint_priv.h. One description serves
 * reading and writing. */
#include "bridge/verify_checkpoint_priv.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/entropy.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/sealed_file.h"
#include "sim/circuit_checksum.h"

static const LutraSealedKind KIND = {"lutraVCK", 1, "checkpoint"};

/* --- before the run --------------------------------------------------------------------------- */

static uint64_t fingerprint_of(const LutraCircuit *circuit, const uint8_t *pixels, uint64_t count,
                               const LutraVerifySettings *settings) {
    const char *const name = settings->backend->name();
    LutraChecksum sum;
    lutra_checksum_start(&sum);
    lutra_checksum_u64(&sum, lutra_circuit_checksum(circuit));
    lutra_checksum_u64(&sum, count);
    lutra_checksum_bytes(&sum, pixels,
                         (size_t)count * lutra_shape_elements(circuit->operations[0].shape));
    lutra_checksum_bytes(&sum, name, strlen(name) + 1);
    lutra_checksum_u64(&sum, (uint64_t)settings->noise_model);
    lutra_checksum_u64(&sum, settings->backend_settings.library_lookups ? 1 : 0);
    lutra_checksum_u64(&sum, settings->test_seed != NULL ? 1 : 0);
    if (settings->test_seed != NULL) {
        lutra_checksum_bytes(&sum, settings->test_seed, LUTRA_TEST_SEED_BYTES);
    }
    return lutra_checksum_value(&sum);
}

LutraStatus lutra_verify_checkpoint_init(LutraVerifyCheckpoint *checkpoint,
                                         const LutraCircuit *circuit, const uint8_t *pixels,
                                         uint64_t count, const LutraVerifySettings *settings,
                                         LutraError *error) {
    *checkpoint = (LutraVerifyCheckpoint){.path = settings->checkpoint,
                                          .seconds = settings->checkpoint_seconds,
                                          .written_at = lutra_seconds(),
                                          .progress = settings->progress,
                                          .sample_limit = count};
    if (settings->checkpoint == NULL) {
        return LUTRA_OK;
    }
    if (settings->neurons > 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "a checkpoint remembers whole images, not chosen outputs: leave one "
                               "of the two out");
    }
    if (!settings->resume && lutra_file_exists(settings->checkpoint)) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' exists: go on from it with --resume, or delete it",
                               settings->checkpoint);
    }
    LUTRA_TRY(lutra_file_check_output(settings->checkpoint, true, error));
    checkpoint->fingerprint = fingerprint_of(circuit, pixels, count, settings);
    if (settings->test_seed != NULL) {
        memcpy(checkpoint->seed, settings->test_seed, LUTRA_TEST_SEED_BYTES);
        return LUTRA_OK;
    }
    return lutra_entropy(checkpoint->seed, LUTRA_TEST_SEED_BYTES, error);
}

void lutra_verify_checkpoint_deinit(LutraVerifyCheckpoint *checkpoint,
                                    const LutraCircuit *circuit) {
    lutra_encrypted_state_deinit(&checkpoint->state, circuit->operation_count);
    lutra_free(&checkpoint->encryptions);
    lutra_wipe(checkpoint, sizeof *checkpoint);
}

LutraStatus lutra_verify_checkpoint_encrypted(LutraVerifyCheckpoint *checkpoint,
                                              uint32_t operation, LutraError *error) {
    const size_t count = checkpoint->encryption_count;
    if (checkpoint->path == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_resize(&checkpoint->encryptions, count, count + 1, sizeof(uint32_t), error));
    checkpoint->encryptions[checkpoint->encryption_count++] = operation;
    return LUTRA_OK;
}

LutraStatus lutra_verify_checkpoint_replay(const LutraVerifyCheckpoint *checkpoint,
                                           const LutraCircuitKeys *keys,
                                           const LutraCircuit *circuit, LutraError *error) {
    for (size_t i = 0; i < checkpoint->encryption_count; i++) {
        const uint32_t operation = checkpoint->encryptions[i];
        const size_t count = lutra_shape_elements(circuit->operations[operation].shape);
        const LutraBackend *const backend = lutra_circuit_keys_of_result(keys, operation);
        uint64_t *ciphertexts = NULL;
        uint64_t *plain = NULL;
        LutraStatus status =
            lutra_alloc(&ciphertexts, count * lutra_encrypted_words(keys, operation),
                        sizeof *ciphertexts, error);
        if (status == LUTRA_OK) {
            status = lutra_alloc(&plain, count, sizeof *plain, error);
        }
        if (status == LUTRA_OK) {
            status = backend->operations->encrypt(backend->context, ciphertexts, plain, count,
                                                  error);
        }
        lutra_free(&ciphertexts);
        lutra_free(&plain);
        LUTRA_TRY(status);
    }
    return LUTRA_OK;
}

/* --- values, either way ----------------------------------------------------------------------- */

typedef struct {
    LutraSealedWriter *writer; /* NULL while reading */
    LutraSealedReader *reader; /* NULL while writing */
    const char *path;
    LutraError *error;
} Visit;

static LutraStatus misfit(const Visit *visit) {
    return lutra_error_set(visit->error, LUTRA_EDATA,
                           "'%s' does not hang together: begin without this checkpoint",
                           visit->path);
}

static LutraStatus visit_u64(const Visit *visit, uint64_t *number) {
    return visit->writer != NULL ? lutra_sealed_put_u64(visit->writer, number, 1, visit->error)
                                 : lutra_sealed_take_u64(visit->reader, number, 1, visit->error);
}

/** A number of at most `most`. */
static LutraStatus visit_count(const Visit *visit, uint64_t *number, uint64_t most) {
    LUTRA_TRY(visit_u64(visit, number));
    return *number <= most ? LUTRA_OK : misfit(visit);
}

static LutraStatus visit_u32(const Visit *visit, uint32_t *number, uint32_t most) {
    uint64_t wide = *number;
    LUTRA_TRY(visit_count(visit, &wide, most));
    *number = (uint32_t)wide;
    return LUTRA_OK;
}

static LutraStatus visit_bool(const Visit *visit, bool *value) {
    uint64_t wide = *value ? 1 : 0;
    LUTRA_TRY(visit_count(visit, &wide, 1));
    *value = wide != 0;
    return LUTRA_OK;
}

static LutraStatus visit_f64(const Visit *visit, double *number) {
    uint64_t bits = 0;
    memcpy(&bits, number, sizeof bits);
    LUTRA_TRY(visit_u64(visit, &bits));
    memcpy(number, &bits, sizeof bits);
    return LUTRA_OK;
}

static LutraStatus visit_f32(const Visit *visit, float *number) {
    uint32_t bits = 0;
    memcpy(&bits, number, sizeof bits);
    LUTRA_TRY(visit_u32(visit, &bits, UINT32_MAX));
    memcpy(number, &bits, sizeof bits);
    return LUTRA_OK;
}

/** An array of `count` numbers of 32 bits that may be missing. */
static LutraStatus visit_array(const Visit *visit, uint32_t **numbers, size_t count) {
    bool is_there = *numbers != NULL;
    LUTRA_TRY(visit_bool(visit, &is_there));
    if (!is_there) {
        return LUTRA_OK;
    }
    if (visit->reader != NULL) {
        LUTRA_TRY(lutra_alloc(numbers, count, sizeof **numbers, visit->error));
    }
    for (size_t i = 0; i < count; i++) {
        LUTRA_TRY(visit_u32(visit, *numbers + i, UINT32_MAX));
    }
    return LUTRA_OK;
}

/** The same of signed ones, which have the same bits. */
static LutraStatus visit_codes(const Visit *visit, int32_t **codes, size_t count) {
    uint32_t *numbers = (uint32_t *)*codes;
    const LutraStatus status = visit_array(visit, &numbers, count);
    *codes = (int32_t *)numbers;
    return status;
}

static LutraStatus visit_words(const Visit *visit, uint64_t **words, size_t count,
                               size_t words_each) {
    bool is_there = *words != NULL;
    LUTRA_TRY(visit_bool(visit, &is_there));
    if (!is_there) {
        return LUTRA_OK;
    }
    if (visit->writer != NULL) {
        return lutra_sealed_put_u64(visit->writer, *words, count * words_each, visit->error);
    }
    size_t total = 0;
    if (lutra_size_mul(&total, count, words_each) != LUTRA_OK ||
        total > visit->reader->bytes / 8) { /* before a block of that size is asked for */
        return misfit(visit);
    }
    LUTRA_TRY(lutra_alloc(words, total, sizeof **words, visit->error));
    return lutra_sealed_take_u64(visit->reader, *words, total, visit->error);
}

/* --- parts, either way ------------------------------------------------------------------------ */

static LutraStatus visit_head(const Visit *visit, LutraVerifyCheckpoint *checkpoint) {
    uint64_t fingerprint = checkpoint->fingerprint;
    LUTRA_TRY(visit_u64(visit, &fingerprint));
    if (fingerprint != checkpoint->fingerprint) {
        return lutra_error_set(visit->error, LUTRA_EDATA,
                               "'%s' is of another circuit, other images or other settings: give "
                               "those again, or begin without it",
                               visit->path);
    }
    return visit->writer != NULL
               ? lutra_sealed_put(visit->writer, checkpoint->seed, sizeof checkpoint->seed,
                                  visit->error)
               : lutra_sealed_take(visit->reader, checkpoint->seed, sizeof checkpoint->seed,
                                   visit->error);
}

static LutraStatus visit_encryptions(const Visit *visit, LutraVerifyCheckpoint *checkpoint,
                                     uint32_t operation_count) {
    uint64_t count = checkpoint->encryption_count;
    LUTRA_TRY(visit_count(visit, &count, UINT32_MAX));
    if (visit->reader != NULL) {
        if (count > visit->reader->bytes / 8) {
            return misfit(visit);
        }
        LUTRA_TRY(lutra_alloc(&checkpoint->encryptions, (size_t)count, sizeof(uint32_t),
                              visit->error));
        checkpoint->encryption_count = (size_t)count;
    }
    for (size_t i = 0; i < checkpoint->encryption_count; i++) {
        LUTRA_TRY(visit_u32(visit, &checkpoint->encryptions[i], operation_count - 1));
    }
    return LUTRA_OK;
}

static LutraStatus visit_sample(const Visit *visit, LutraVerifySample *sample,
                                uint32_t class_count) {
    LUTRA_TRY(visit_u32(visit, &sample->clear_class, class_count - 1));
    LUTRA_TRY(visit_u32(visit, &sample->encrypted_class, class_count - 1));
    LUTRA_TRY(visit_bool(visit, &sample->logits_equal));
    LUTRA_TRY(visit_f64(visit, &sample->largest_logit_difference));
    LUTRA_TRY(visit_u64(visit, &sample->lookups));
    LUTRA_TRY(visit_u64(visit, &sample->mismatches));
    LUTRA_TRY(visit_f64(visit, &sample->expected_mismatches));
    LUTRA_TRY(visit_f64(visit, &sample->encrypt_seconds));
    LUTRA_TRY(visit_f64(visit, &sample->run_seconds));
    return visit_f64(visit, &sample->decrypt_seconds);
}

static LutraStatus visit_result(const Visit *visit, LutraVerifyResult *result, uint64_t limit) {
    LUTRA_TRY(visit_count(visit, &result->sample_count, limit));
    LUTRA_TRY(visit_u64(visit, &result->ciphertext_bytes));
    const size_t logits = (size_t)result->sample_count * result->class_count;
    for (uint64_t s = 0; s < result->sample_count; s++) {
        LUTRA_TRY(visit_sample(visit, &result->samples[s], result->class_count));
    }
    for (size_t i = 0; i < logits; i++) {
        LUTRA_TRY(visit_f32(visit, &result->clear_logits[i]));
        LUTRA_TRY(visit_f32(visit, &result->encrypted_logits[i]));
    }
    return LUTRA_OK;
}

static LutraStatus visit_layer(const Visit *visit, LutraVerifyLayer *layer,
                               LutraVerifySums *sums) {
    uint64_t *const counts[6] = {&layer->elements,   &layer->lookups,    &layer->wrong_boxes,
                                 &layer->mismatches, &layer->off_by_one, &layer->strays};
    double *const reals[6] = {&layer->expected_wrong_boxes, &layer->expected_mismatches,
                              &sums->noise_squares,         &sums->noise_predicted,
                              &sums->lookup_squares,        &sums->lookup_predicted};
    for (size_t i = 0; i < 6; i++) {
        LUTRA_TRY(visit_u64(visit, counts[i]));
        LUTRA_TRY(visit_f64(visit, reals[i]));
    }
    return LUTRA_OK;
}

/** The image that is not finished; nothing more where next_operation is 0. */
static LutraStatus visit_state(const Visit *visit, LutraVerifyCheckpoint *checkpoint,
                               LutraEncryptedState *state, LutraVerifyObserver *observer) {
    const LutraCircuit *const circuit = observer->circuit;
    const uint32_t count = circuit->operation_count;
    LUTRA_TRY(visit_u32(visit, &state->next_operation, count - 1));
    if (state->next_operation == 0) {
        return LUTRA_OK;
    }
    if (visit->reader != NULL) {
        LUTRA_TRY(lutra_alloc(&state->slots, count, sizeof *state->slots, visit->error));
    }
    LUTRA_TRY(visit_u64(visit, &checkpoint->mismatches_before));
    LUTRA_TRY(visit_f64(visit, &checkpoint->expected_before));
    LUTRA_TRY(visit_f64(visit, &state->report.encrypt_seconds));
    LUTRA_TRY(visit_f64(visit, &state->report.run_seconds));
    LUTRA_TRY(visit_f64(visit, &state->report.decrypt_seconds));
    LUTRA_TRY(visit_u64(visit, &state->report.lookups));
    LUTRA_TRY(visit_u64(visit, &state->report.ciphertext_bytes));
    for (uint32_t i = 0; i + 1 < count; i++) {
        const size_t elements = lutra_shape_elements(circuit->operations[i].shape);
        LUTRA_TRY(visit_codes(visit, &observer->values[i], elements));
        LUTRA_TRY(visit_array(visit, &observer->positions[i], elements));
        LUTRA_TRY(visit_codes(visit, &state->slots[i].codes, elements));
        LUTRA_TRY(visit_words(visit, &state->slots[i].ciphertexts, elements,
                              lutra_encrypted_words(observer->keys, i)));
    }
    return LUTRA_OK;
}

static LutraStatus visit_all(const Visit *visit, LutraVerifyCheckpoint *checkpoint,
                             LutraVerifyResult *result, LutraVerifyObserver *observer,
                             LutraEncryptedState *state) {
    const uint32_t count = observer->circuit->operation_count;
    LUTRA_TRY(visit_head(visit, checkpoint));
    LUTRA_TRY(visit_encryptions(visit, checkpoint, count));
    LUTRA_TRY(visit_result(visit, result, checkpoint->sample_limit));
    for (uint32_t i = 0; i < count; i++) {
        LUTRA_TRY(visit_layer(visit, &observer->layers[i], &observer->sums[i]));
    }
    return visit_state(visit, checkpoint, state, observer);
}

/* --- the file --------------------------------------------------------------------------------- */

/** Whether everything is there that the rest of the image reads. */
static bool can_go_on(const LutraEncryptedState *state, const LutraVerifyObserver *observer) {
    const LutraCircuit *const circuit = observer->circuit;
    for (uint32_t i = state->next_operation; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t k = 0; k < op->input_count && state->next_operation > 0; k++) {
            const uint32_t x = op->inputs[k];
            if (x < state->next_operation &&
                ((state->slots[x].codes == NULL && state->slots[x].ciphertexts == NULL) ||
                 observer->values[x] == NULL ||
                 (state->slots[x].ciphertexts != NULL && op->kind == LUTRA_OPERATION_TABLE &&
                  lutra_operation_is_encrypted(op) && observer->positions[i] == NULL))) {
                return false;
            }
        }
    }
    return true;
}

LutraStatus lutra_verify_checkpoint_read(LutraVerifyCheckpoint *checkpoint,
                                         LutraVerifyResult *result, LutraVerifyObserver *observer,
                                         LutraError *error) {
    LutraSealedReader reader;
    const Visit visit = {NULL, &reader, checkpoint->path, error};
    LUTRA_TRY(lutra_sealed_open(&reader, checkpoint->path, &KIND, error));
    LutraStatus status = visit_all(&visit, checkpoint, result, observer, &checkpoint->state);
    if (status == LUTRA_OK) {
        status = lutra_sealed_end(&reader, error);
    }
    if (status == LUTRA_OK && (!can_go_on(&checkpoint->state, observer) ||
                               (checkpoint->state.next_operation > 0 &&
                                result->sample_count >= checkpoint->sample_limit))) {
        status = misfit(&visit);
    }
    lutra_sealed_close(&reader);
    return status;
}

LutraStatus lutra_verify_checkpoint_write(LutraVerifyCheckpoint *checkpoint,
                                          LutraVerifyResult *result, LutraVerifyObserver *observer,
                                          const LutraEncryptedState *state, LutraError *error) {
    LutraSealedWriter writer;
    const Visit visit = {&writer, NULL, checkpoint->path, error};
    LutraEncryptedState view = {0}; /* only read here, though one description serves both ways */
    if (state != NULL) {
        view = *state;
    }
    LUTRA_TRY(lutra_sealed_create(&writer, checkpoint->path, &KIND, true, error));
    LutraStatus status = visit_all(&visit, checkpoint, result, observer, &view);
    if (status != LUTRA_OK) {
        lutra_sealed_abandon(&writer);
        return status;
    }
    status = lutra_sealed_commit(&writer, error);
    checkpoint->written_at = lutra_seconds();
    return status;
}

void lutra_verify_checkpoint_remove(const LutraVerifyCheckpoint *checkpoint) {
    if (checkpoint->path != NULL) {
        (void)unlink(checkpoint->path);
    }
}
