/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programmable bootstraps of many ciphertexts: keyswitch, modulus switch, blind rotation.
 *
 * Both evaluation keys are larger than any cache, so ciphertexts go through them in groups: a batch
 * of LUTRA_LOOKUP_BATCH passes each row of the keyswitch key, and as many accumulators as fit in
 * the second cache pass each element of the bootstrap key. The arithmetic is that of [CGGI20] as
 * tfhe-rs 1.7 does it: keyswitch and modulus switch give its very numbers, the blind rotation
 * differs by roundings of its Fourier transform, far below the noise. No secret key is needed.
 */
#ifndef LUTRA_BRIDGE_LOOKUP_H
#define LUTRA_BRIDGE_LOOKUP_H

#include "base/progress.h"
#include "bridge/backend.h"
#include "bridge/bootstrap_key.h"

enum { LUTRA_LOOKUP_BATCH = 128 };

/** A keyswitch key as flat words: for each bit of the key that it leads from, a row of n + 1 words
 * for each level, level ks_level first. */
typedef struct {
    const uint64_t *words; /* (input_words - 1, ks_level, n + 1), not owned */
    size_t input_words;    /* of the ciphertexts that it reads */
} LutraKeyswitchKey;

/**
 * The ticks, in [0, 2N), to which keyswitch and modulus switch bring ciphertexts: n of the mask,
 * then the body.
 *
 * @param[out] ticks    (count, n + 1)
 * @param      scratch  lutra_lookup_ticks_scratch words
 */
void lutra_lookup_ticks(uint32_t *ticks, const LutraLookupKernels *kernels,
                        const LutraCryptoParameters *parameters,
                        const LutraKeyswitchKey *keyswitch, const uint64_t *inputs, size_t count,
                        uint64_t *scratch);

/** The same for any number, a batch at a time. @param threads  >= 1 @errors LUTRA_ENOMEM */
LUTRA_MUST_CHECK LutraStatus lutra_lookup_all_ticks(uint32_t *ticks, const LutraBootstrapKey *key,
                                                    const LutraKeyswitchKey *keyswitch,
                                                    const uint64_t *inputs, size_t count,
                                                    uint32_t threads, LutraError *error);

/** Words of scratch that lutra_lookup_ticks needs. */
size_t lutra_lookup_ticks_scratch(const LutraCryptoParameters *parameters, size_t count);

/**
 * LutraBackendOperations.bootstrap with these keys; see there.
 *
 * @param threads  >= 1; results do not depend on them
 * @errors LUTRA_EINVAL tables wider than N, or an index of none; LUTRA_ENOMEM;
 *         LUTRA_ECANCELLED: outputs are then partly written
 */
LUTRA_MUST_CHECK LutraStatus lutra_lookup_run(uint64_t *outputs, const LutraBootstrapKey *key,
                                              const LutraKeyswitchKey *keyswitch,
                                              const uint64_t *inputs, size_t count,
                                              const LutraBackendTables *tables,
                                              const uint32_t *table_of_ciphertext,
                                              uint32_t threads, const LutraProgress *progress,
                                              LutraError *error);

#endif
