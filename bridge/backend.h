/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a library of real ciphertexts must do for lutra, as a table of functions.
 *
 * Ciphertexts are flat arrays of 64-bit torus words, `words` of them each: mask first, body last,
 * arithmetic modulo 2^64, so that sums and integer multiples of ciphertexts are sums and multiples
 * of words (bridge/linear.h). A tensor is `count` ciphertexts one after another. Arrays belong to
 * the caller. A word on the torus is what semantics of sim/circuit.h calls an encoded value.
 *
 * One backend holds one parameter set and its keys; circuits with several sets have one for each
 * (circuit_keys.h). Functions return a status and, in `error`, one
 * sentence; they never print. The tests plug in a backend of plain words that fails on demand.
 */
#ifndef LUTRA_BRIDGE_BACKEND_H
#define LUTRA_BRIDGE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"
#include "sim/crypto_parameters.h"

enum { LUTRA_TEST_SEED_BYTES = 16 };

typedef struct {
    uint32_t threads;           /* 1 .. 1024 */
    uint64_t maximum_key_bytes; /* refuse larger evaluation keys; 0 = no limit */
    bool without_keyswitch;     /* generate_keys makes none: only readers look anything up */
    bool library_lookups;       /* look up with the library's own bootstrap, not with lutra's */
    uint32_t cpu_flags;         /* LutraCpuFlag: what lutra's look-ups may use */
} LutraBackendSettings;

/** 1 thread, 8 GiB of keys, a keyswitch key, lutra's look-ups with all instruction sets. */
void lutra_backend_settings_default(LutraBackendSettings *settings);

/** Words of one look-up batch: (table_count, 2^table_bits), outputs as they stand on the torus. */
typedef struct {
    const uint64_t *words;
    size_t table_count;  /* >= 1 */
    uint32_t table_bits; /* 0 .. log2_poly */
} LutraBackendTables;

/** `context` is what create gave; it is never NULL in the other functions. */
typedef struct {
    /** Name and version of the library inside, for reports. */
    const char *(*name)(void);

    /**
     * Checks the parameters and the size of the keys, allocates no key yet.
     *
     * @param[out] context  NULL on error; owned by the caller, ended by destroy
     * @errors LUTRA_EINVAL for impossible parameters or too large keys; LUTRA_EUNAVAILABLE if this
     *         build or machine cannot do it
     */
    LutraStatus (*create)(void **context, const LutraCryptoParameters *parameters,
                          const LutraBackendSettings *settings, LutraError *error);

    /** Erases secret keys and frees; takes the pointer's address, sets it to NULL. */
    void (*destroy)(void **context);

    /** Words of one ciphertext: glwe_dim * 2^log2_poly + 1. */
    size_t (*ciphertext_words)(const void *context);

    /** Bytes of bootstrap and keyswitch key together. */
    uint64_t (*key_bytes)(const void *context);

    /**
     * Draws all keys.
     *
     * @param test_seed  NULL: entropy of the system. Otherwise LUTRA_TEST_SEED_BYTES bytes that
     *                   decide keys and encryption noise: such keys protect nothing
     * @errors LUTRA_ECANCELLED: the context has no keys then
     */
    LutraStatus (*generate_keys)(void *context, const uint8_t *test_seed,
                                 const LutraProgress *progress, LutraError *error);

    /**
     * A context that looks up ciphertexts of `producer` with the keys of `consumer`; both have
     * keys. Its keyswitch key leads from the producer's big key to the consumer's small key. Its
     * keyswitch_decrypt, lookup_positions and bootstrap read ciphertexts of the producer's size;
     * bootstrap writes such of the consumer's, in place only if the sizes are equal. Everything
     * else is the consumer's. May be NULL: then the backend knows circuits with one set only.
     *
     * @param[out] reader  NULL on error; destroyed before the two
     * @param test_seed    as in generate_keys
     */
    LutraStatus (*create_reader)(void **reader, const void *consumer, const void *producer,
                                 const uint8_t *test_seed, const LutraProgress *progress,
                                 LutraError *error);

    /** ciphertexts[i] encrypts words[i]; fresh noise of glwe_std. */
    LutraStatus (*encrypt)(void *context, uint64_t *ciphertexts, const uint64_t *words,
                           size_t count, LutraError *error);

    /** Words with their noise. */
    LutraStatus (*decrypt)(void *context, uint64_t *words, const uint64_t *ciphertexts,
                           size_t count, LutraError *error);

    /** Words with their noise after a keyswitch, under the small key: for noise studies. */
    LutraStatus (*keyswitch_decrypt)(void *context, uint64_t *words, const uint64_t *ciphertexts,
                                     size_t count, LutraError *error);

    /**
     * Which entry each ciphertext's look-up would read, without the bootstrap: the position after
     * keyswitch and modulus switch in ticks, [0, 2 * 2^log2_poly). Everything before the blind
     * rotation is deterministic, so a bootstrap of the same ciphertext reads that very entry:
     * number floor((position + width / 2) / width) modulo 2^(b+1) of a table of b bits,
     * width = 2^(log2_poly - b), those from 2^b on negated. Needs the secret key.
     */
    LutraStatus (*lookup_positions)(void *context, uint32_t *positions,
                                    const uint64_t *ciphertexts, size_t count, LutraError *error);

    /**
     * Keyswitch and programmable bootstrap: an input near i * 2^(63 - table_bits) gives table[i],
     * an input half a torus further (padding bit set) gives -table[i]; table_bits = 0 gives
     * table[0] around 0 and -table[0] around one half.
     *
     * @param outputs              may be inputs, may not overlap them otherwise
     * @param table_of_ciphertext  (count) indexes below table_count; NULL: all 0
     * @errors LUTRA_ECANCELLED: outputs are then partly written
     */
    LutraStatus (*bootstrap)(void *context, uint64_t *outputs, const uint64_t *inputs,
                             size_t count, const LutraBackendTables *tables,
                             const uint32_t *table_of_ciphertext, const LutraProgress *progress,
                             LutraError *error);
} LutraBackendOperations;

/** A backend at work: plain data, copy freely, but destroy once. */
typedef struct {
    const LutraBackendOperations *operations;
    void *context; /* owned by whoever called lutra_backend_create */
} LutraBackend;

/** Calls create; *backend has a NULL context on error. */
LUTRA_MUST_CHECK LutraStatus lutra_backend_create(LutraBackend *backend,
                                                  const LutraBackendOperations *operations,
                                                  const LutraCryptoParameters *parameters,
                                                  const LutraBackendSettings *settings,
                                                  LutraError *error);

/** Whether this build can use the backend at all; if not, LUTRA_EUNAVAILABLE as create gives it. */
LUTRA_MUST_CHECK LutraStatus lutra_backend_check(const LutraBackendOperations *operations,
                                                 LutraError *error);

/** Ends the context if there is one; NULL is allowed. */
void lutra_backend_destroy(LutraBackend *backend);

/**
 * The backend over tfhe-rs. Always there: in a build without it, create answers
 * LUTRA_EUNAVAILABLE and tells how to build with it.
 */
const LutraBackendOperations *lutra_backend_tfhe(void);

#endif
