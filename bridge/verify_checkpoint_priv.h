/* SPDX-License-Identifier: Apache-2.0 */
/* Where a verification of whole images stands, in memory and in a file; see verify.h. */
#ifndef LUTRA_BRIDGE_VERIFY_CHECKPOINT_PRIV_H
#define LUTRA_BRIDGE_VERIFY_CHECKPOINT_PRIV_H

#include "bridge/verify_priv.h"

typedef struct {
    const char *path; /* NULL: none is kept */
    double seconds;   /* least time between two writings */
    double written_at;
    const LutraProgress *progress;
    uint8_t seed[LUTRA_TEST_SEED_BYTES]; /* of all keys and encryptions */
    uint64_t fingerprint; /* of circuit, images and settings */
    uint64_t sample_limit; /* images to verify */
    /* of the image that is not finished: */
    LutraEncryptedState state; /* zeroed: it has not begun */
    uint64_t mismatches_before;
    double expected_before;
    /* operations whose results were encrypted, in order, of all images: the generator of the
     * encryptions stands behind them */
    uint32_t *encryptions; /* owned */
    size_t encryption_count;
} LutraVerifyCheckpoint;

/** Fills settings in and draws the seed; checks that the file can be written.
 * @param seed  test seed, or NULL */
LUTRA_MUST_CHECK LutraStatus lutra_verify_checkpoint_init(LutraVerifyCheckpoint *checkpoint,
                                                          const LutraCircuit *circuit,
                                                          const uint8_t *pixels, uint64_t count,
                                                          const LutraVerifySettings *settings,
                                                          LutraError *error);

/** Frees; wipes the seed. */
void lutra_verify_checkpoint_deinit(LutraVerifyCheckpoint *checkpoint,
                                    const LutraCircuit *circuit);

/**
 * Reads the file: seed, finished samples, counts, and the state of the image that is not.
 *
 * @param result    with its arrays, no sample
 * @param observer  new; its keys are initialised, generated or not
 * @errors LUTRA_EDATA, LUTRA_EIO, LUTRA_ENOMEM: everything is then to be ended
 */
LUTRA_MUST_CHECK LutraStatus lutra_verify_checkpoint_read(LutraVerifyCheckpoint *checkpoint,
                                                          LutraVerifyResult *result,
                                                          LutraVerifyObserver *observer,
                                                          LutraError *error);

/** Writes the file. @param state  of the image that is not finished, or NULL: none has begun */
LUTRA_MUST_CHECK LutraStatus lutra_verify_checkpoint_write(
    LutraVerifyCheckpoint *checkpoint, LutraVerifyResult *result, LutraVerifyObserver *observer,
    const LutraEncryptedState *state, LutraError *error);

/** Brings the generators of generated keys behind the encryptions that were made: the same number
 * is encrypted again and thrown away. */
LUTRA_MUST_CHECK LutraStatus lutra_verify_checkpoint_replay(
    const LutraVerifyCheckpoint *checkpoint, const LutraCircuitKeys *keys,
    const LutraCircuit *circuit, LutraError *error);

/** Remembers that the result of `operation` was encrypted. */
LUTRA_MUST_CHECK LutraStatus lutra_verify_checkpoint_encrypted(LutraVerifyCheckpoint *checkpoint,
                                                               uint32_t operation,
                                                               LutraError *error);

/** Removes the file of a verification that is finished. */
void lutra_verify_checkpoint_remove(const LutraVerifyCheckpoint *checkpoint);

#endif
