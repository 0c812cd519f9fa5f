/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed keys and ciphertexts over tfhe-rs; see seeded.h. */
#include "bridge/seeded.h"

#include "base/memory.h"
#include "bridge/backend.h"

#ifndef LUTRA_WITH_TFHE
#define LUTRA_WITH_TFHE 0
#endif

LutraStatus lutra_seeded_check(LutraError *error) {
    return lutra_backend_check(lutra_backend_tfhe(), error);
}

size_t lutra_seeded_bootstrap_words(const LutraCryptoParameters *parameters) {
    return ((size_t)parameters->pbs_level * (parameters->glwe_dim + 1)) << parameters->log2_poly;
}

#if LUTRA_WITH_TFHE

#include "bridge/tfhe_priv.h"

struct LutraSeededContext {
    LutraTfheContext *inner;
};

LutraStatus lutra_seeded_create(LutraSeededContext **context,
                                const LutraCryptoParameters *parameters, const uint8_t *secret_seed,
                                uint32_t threads, LutraError *error) {
    const LutraTfheParameters inner_parameters = tfhe_parameters(parameters);
    LutraSeededContext *made = NULL;
    *context = NULL;
    LUTRA_TRY(tfhe_check_version(error));
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    LutraStatus status = tfhe_translate(
        lutra_tfhe_context_create(&made->inner, &inner_parameters, 0, threads), error);
    if (status == LUTRA_OK && secret_seed != NULL) {
        status = tfhe_translate(lutra_tfhe_derive_secrets(made->inner, secret_seed), error);
    }
    if (status != LUTRA_OK) {
        lutra_seeded_destroy(&made);
        return status;
    }
    *context = made;
    return LUTRA_OK;
}

void lutra_seeded_destroy(LutraSeededContext **context) {
    if (*context != NULL) {
        lutra_tfhe_context_destroy((*context)->inner);
        lutra_free(context);
    }
}

LutraStatus lutra_seeded_bootstrap_part(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                        const LutraSeededContext *context, size_t first_bit,
                                        size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_seeded_bootstrap_part(context->inner, seed, bodies, first_bit, count), error);
}

LutraStatus lutra_expand_bootstrap_part(uint64_t *words, const LutraSeededContext *context,
                                        const uint8_t seed[LUTRA_SEED_BYTES],
                                        const uint64_t *bodies, size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_expand_bootstrap_part(context->inner, words, seed, bodies, count), error);
}

LutraStatus lutra_seeded_keyswitch_key(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                       const LutraSeededContext *consumer,
                                       const LutraSeededContext *producer, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_seeded_keyswitch_key(consumer->inner, producer->inner, seed, bodies), error);
}

LutraStatus lutra_expand_keyswitch_key(uint64_t *words, const LutraSeededContext *consumer,
                                       const uint8_t seed[LUTRA_SEED_BYTES], const uint64_t *bodies,
                                       size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_expand_keyswitch_key(consumer->inner, words, seed, bodies, count), error);
}

LutraStatus lutra_seeded_encrypt(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                 const LutraSeededContext *context, const uint64_t *words,
                                 size_t count, LutraError *error) {
    return tfhe_translate(lutra_tfhe_seeded_encrypt(context->inner, seed, bodies, words, count),
                          error);
}

LutraStatus lutra_expand_ciphertexts(uint64_t *ciphertexts, const LutraSeededContext *context,
                                     const uint8_t seed[LUTRA_SEED_BYTES], const uint64_t *bodies,
                                     size_t count, LutraError *error) {
    return tfhe_translate(
        lutra_tfhe_expand_ciphertexts(context->inner, ciphertexts, seed, bodies, count), error);
}

LutraStatus lutra_seeded_decrypt(uint64_t *words, const LutraSeededContext *context,
                                 const uint64_t *ciphertexts, size_t count, LutraError *error) {
    return tfhe_translate(lutra_tfhe_decrypt(context->inner, words, ciphertexts, count), error);
}

#else

LutraStatus lutra_seeded_create(LutraSeededContext **context,
                                const LutraCryptoParameters *parameters, const uint8_t *secret_seed,
                                uint32_t threads, LutraError *error) {
    (void)parameters;
    (void)secret_seed;
    (void)threads;
    *context = NULL;
    return lutra_seeded_check(error);
}

void lutra_seeded_destroy(LutraSeededContext **context) {
    LUTRA_ASSERT(*context == NULL);
}

/* All others need a context, and there is none. */

LutraStatus lutra_seeded_bootstrap_part(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                        const LutraSeededContext *context, size_t first_bit,
                                        size_t count, LutraError *error) {
    (void)seed, (void)bodies, (void)context, (void)first_bit, (void)count;
    return lutra_seeded_check(error);
}

LutraStatus lutra_expand_bootstrap_part(uint64_t *words, const LutraSeededContext *context,
                                        const uint8_t seed[LUTRA_SEED_BYTES],
                                        const uint64_t *bodies, size_t count, LutraError *error) {
    (void)words, (void)context, (void)seed, (void)bodies, (void)count;
    return lutra_seeded_check(error);
}

LutraStatus lutra_seeded_keyswitch_key(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                       const LutraSeededContext *consumer,
                                       const LutraSeededContext *producer, LutraError *error) {
    (void)seed, (void)bodies, (void)consumer, (void)producer;
    return lutra_seeded_check(error);
}

LutraStatus lutra_expand_keyswitch_key(uint64_t *words, const LutraSeededContext *consumer,
                                       const uint8_t seed[LUTRA_SEED_BYTES], const uint64_t *bodies,
                                       size_t count, LutraError *error) {
    (void)words, (void)consumer, (void)seed, (void)bodies, (void)count;
    return lutra_seeded_check(error);
}

LutraStatus lutra_seeded_encrypt(uint8_t seed[LUTRA_SEED_BYTES], uint64_t *bodies,
                                 const LutraSeededContext *context, const uint64_t *words,
                                 size_t count, LutraError *error) {
    (void)seed, (void)bodies, (void)context, (void)words, (void)count;
    return lutra_seeded_check(error);
}

LutraStatus lutra_expand_ciphertexts(uint64_t *ciphertexts, const LutraSeededContext *context,
                                     const uint8_t seed[LUTRA_SEED_BYTES], const uint64_t *bodies,
                                     size_t count, LutraError *error) {
    (void)ciphertexts, (void)context, (void)seed, (void)bodies, (void)count;
    return lutra_seeded_check(error);
}

LutraStatus lutra_seeded_decrypt(uint64_t *words, const LutraSeededContext *context,
                                 const uint64_t *ciphertexts, size_t count, LutraError *error) {
    (void)words, (void)context, (void)ciphertexts, (void)count;
    return lutra_seeded_check(error);
}

#endif
