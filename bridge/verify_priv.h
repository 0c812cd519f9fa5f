/* SPDX-License-Identifier: Apache-2.0 */
/* The observer of one encrypted run: looks into every ciphertext and keeps the books. */
#ifndef LUTRA_BRIDGE_VERIFY_PRIV_H
#define LUTRA_BRIDGE_VERIFY_PRIV_H

#include "bridge/encrypted.h"
#include "bridge/verify.h"
#include "sim/prediction.h"

/** Sums behind a LutraVerifyLayer. */
typedef struct {
    double noise_squares;
    double noise_predicted;
    double lookup_squares;
    double lookup_predicted;
} LutraVerifySums;

typedef struct {
    const LutraCircuitKeys *keys;
    const LutraCircuit *circuit;
    const LutraPrediction *prediction;
    LutraVerifyLayer *layers;   /* (operation_count): one for each operation, by its index */
    LutraVerifySums *sums;      /* (operation_count) */
    int32_t **values;           /* [operation]: integers that the ciphertexts really hold; an
                                   approximate rounding keeps the value before it, plus offset */
    uint32_t **positions;       /* [operation]: of the look-ups of this table */
} LutraVerifyObserver;

/** All arrays for one run; zeroed layers and sums. */
LUTRA_MUST_CHECK LutraStatus lutra_verify_observer_init(LutraVerifyObserver *observer,
                                                        const LutraCircuitKeys *keys,
                                                        const LutraCircuit *circuit,
                                                        const LutraPrediction *prediction,
                                                        LutraError *error);
void lutra_verify_observer_deinit(LutraVerifyObserver *observer);

/** Forgets the last sample's values and computes what the client knows of the next in the clear. */
LUTRA_MUST_CHECK LutraStatus lutra_verify_observer_start(LutraVerifyObserver *observer,
                                                         const uint8_t *pixels,
                                                         LutraError *error);

/**
 * In place of start, where single values are looked at: the integers of a whole simulated image,
 * and room for all positions.
 *
 * @param values  [operation] as lutra_simulate_image_values gives them
 */
LUTRA_MUST_CHECK LutraStatus lutra_verify_observer_know(LutraVerifyObserver *observer,
                                                        const int32_t *const *values,
                                                        LutraError *error);

/**
 * Books one decrypted word. values[index][element] holds what it should be, or for a table
 * positions[index][element] what was read; that of a look-up becomes what was read.
 */
void lutra_verify_judge_element(LutraVerifyObserver *observer, uint32_t index, size_t element,
                                uint64_t word);

/** LutraEncryptedListener.result; user is the observer. */
LutraStatus lutra_verify_observe(void *user, uint32_t operation, const uint64_t *ciphertexts,
                                 size_t count, LutraError *error);

#endif
