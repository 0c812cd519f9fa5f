/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed keys and ciphertexts: masks follow from a public seed, only bodies are kept. That
 * makes an evaluation key k+1 times smaller in its bootstrap part and n+1 times in its keyswitch
 * part, and a ciphertext one word. tfhe-rs draws, encrypts and expands; a build without it answers
 * LUTRA_EUNAVAILABLE.
 *
 * Secret keys follow from a secret seed (SecretRandomGenerator of tfhe-rs: AES in counter mode).
 * Every public seed and all noise come from the system's entropy, whatever the secret seed: nothing
 * is ever encrypted twice with the same mask.
 */
#ifndef LUTRA_BRIDGE_SEEDED_H
#define LUTRA_BRIDGE_SEEDED_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "sim/crypto_parameters.h"

enum { LUTRA_SEED_BYTES = 16 };

/** Parameters and threads, and with a secret seed the secret keys. */
typedef struct LutraSeededContext LutraSeededContext;

/** LUTRA_EUNAVAILABLE if this build cannot do any of this. */
LUTRA_MUST_CHECK LutraStatus lutra_seeded_check(LutraError *error);

/**
 * @param[out] context      NULL on error; lutra_seeded_destroy it
 * @param      secret_seed  (LUTRA_SEED_BYTES), or NULL: a context without keys, to expand with
 * @errors LUTRA_EINVAL impossible parameters; LUTRA_EUNAVAILABLE; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_seeded_create(LutraSeededContext **context,
                                                 const LutraCryptoParameters *parameters,
                                                 const uint8_t *secret_seed, uint32_t threads,
                                                 LutraError *error);

/** Erases secret keys and frees; sets the pointer to NULL, which is allowed. */
void lutra_seeded_destroy(LutraSeededContext **context);

/** Words of the bodies of one encrypted bit of the small key: l (k+1) N. */
size_t lutra_seeded_bootstrap_words(const LutraCryptoParameters *parameters);

/** Encrypts bits of the small key. @param[out] bodies  (count, l, k+1, N) */
LUTRA_MUST_CHECK LutraStatus lutra_seeded_bootstrap_part(uint8_t seed[LUTRA_SEED_BYTES],
                                                         uint64_t *bodies,
                                                         const LutraSeededContext *context,
                                                         size_t first_bit, size_t count,
                                                         LutraError *error);

/** @param[out] words  (count, l, k+1, k+1, N), as lutra_bootstrap_key_fill reads them */
LUTRA_MUST_CHECK LutraStatus lutra_expand_bootstrap_part(uint64_t *words,
                                                         const LutraSeededContext *context,
                                                         const uint8_t seed[LUTRA_SEED_BYTES],
                                                         const uint64_t *bodies, size_t count,
                                                         LutraError *error);

/** The keyswitch key from the producer's big key to the consumer's small key.
 * @param[out] bodies  (bits of the producer's big key, ks_level of the consumer) */
LUTRA_MUST_CHECK LutraStatus lutra_seeded_keyswitch_key(uint8_t seed[LUTRA_SEED_BYTES],
                                                        uint64_t *bodies,
                                                        const LutraSeededContext *consumer,
                                                        const LutraSeededContext *producer,
                                                        LutraError *error);

/** @param[out] words  (count, ks_level, n + 1), as LutraKeyswitchKey has them
 *  @param count       bits of the producer's big key */
LUTRA_MUST_CHECK LutraStatus lutra_expand_keyswitch_key(uint64_t *words,
                                                        const LutraSeededContext *consumer,
                                                        const uint8_t seed[LUTRA_SEED_BYTES],
                                                        const uint64_t *bodies, size_t count,
                                                        LutraError *error);

/** Encrypts words with the noise of fresh ciphertexts. @param[out] bodies  (count), count >= 1 */
LUTRA_MUST_CHECK LutraStatus lutra_seeded_encrypt(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                                  const LutraSeededContext *context,
                                                  const uint64_t *words, size_t count,
                                                  LutraError *error);

/** @param[out] ciphertexts  (count, k N + 1), count >= 1 */
LUTRA_MUST_CHECK LutraStatus lutra_expand_ciphertexts(uint64_t *ciphertexts,
                                                      const LutraSeededContext *context,
                                                      const uint8_t seed[LUTRA_SEED_BYTES],
                                                      const uint64_t *bodies, size_t count,
                                                      LutraError *error);

/** Words with their noise. @param ciphertexts  (count, k N + 1) */
LUTRA_MUST_CHECK LutraStatus lutra_seeded_decrypt(uint64_t *words,
                                                  const LutraSeededContext *context,
                                                  const uint64_t *ciphertexts, size_t count,
                                                  LutraError *error);

#endif
