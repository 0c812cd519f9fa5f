/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TFHE on flat arrays: keys, encryption, decryption, keyswitch + programmable bootstrap.
 * Implemented in Rust (src/) over tfhe-rs. Only bridge/tfhe_backend.c includes this header.
 *
 * All numbers are torus words: uint64_t, native byte order, arithmetic modulo 2^64. A ciphertext is
 * lutra_tfhe_ciphertext_words() words, mask first, body last, under the big key of
 * glwe_dimension * 2^log2_polynomial bits; a tensor is count such ciphertexts one after another.
 * Arrays belong to the caller and must be aligned to 8 bytes. NULL is allowed where count is 0.
 *
 * Nothing here prints, and no panic or unwinding crosses the border: whatever goes wrong inside
 * becomes a status, and lutra_tfhe_last_error() has the sentence. After LUTRA_TFHE_PANIC a context
 * refuses all work except its destruction. Contexts start threads: do not fork() while one lives.
 *
 * A context may be used by one thread at a time for key generation; encryption, decryption and
 * bootstraps may run at the same time. tfhe-rs is licensed BSD-3-Clause-Clear: it grants no patent
 * rights.
 */
#ifndef LUTRA_BRIDGE_TFHE_LUTRA_TFHE_H
#define LUTRA_BRIDGE_TFHE_LUTRA_TFHE_H

#include <stddef.h>
#include <stdint.h>

/* Raised whenever a struct, a number or a function below changes its meaning. */
#define LUTRA_TFHE_ABI_VERSION 5u

/* Pinned numbers. */
typedef enum {
    LUTRA_TFHE_OK = 0,
    LUTRA_TFHE_INVALID = 1,       /* an argument or parameter is impossible */
    LUTRA_TFHE_TOO_LARGE = 2,     /* the keys would exceed maximum_key_bytes */
    LUTRA_TFHE_CANCELLED = 3,     /* the progress function asked to stop */
    LUTRA_TFHE_NO_KEY = 4,        /* lutra_tfhe_generate_keys has not succeeded yet */
    LUTRA_TFHE_UNAVAILABLE = 5,   /* the processor or system lacks something, such as AES */
    LUTRA_TFHE_PANIC = 6          /* the library failed inside: a bug, or memory ran out */
} LutraTfheStatus;

typedef enum {
    LUTRA_TFHE_MODULUS_SWITCH_STANDARD = 0,
    LUTRA_TFHE_MODULUS_SWITCH_CENTERED = 1 /* removes the mean of the rounding errors */
} LutraTfheModulusSwitch;

/* Standard deviations are fractions of the torus. Keys are binary, noise is Gaussian. */
typedef struct {
    uint32_t struct_bytes;         /* sizeof(LutraTfheParameters) */
    uint32_t lwe_dimension;        /* small key, 1 .. 4096 */
    uint32_t glwe_dimension;       /* 1 .. 16 */
    uint32_t log2_polynomial;      /* 8 .. 17 */
    uint32_t bootstrap_level;      /* level * base_log < 64, for both decompositions */
    uint32_t bootstrap_base_log;
    uint32_t keyswitch_level;
    uint32_t keyswitch_base_log;
    uint32_t modulus_switch;       /* LutraTfheModulusSwitch */
    uint32_t reserved;             /* 0 */
    double lwe_standard_deviation;  /* > 0, < 1 */
    double glwe_standard_deviation; /* > 0, < 1 */
} LutraTfheParameters;

typedef struct LutraTfheContext LutraTfheContext;

/** Called on the caller's thread between pieces of work; nonzero asks to stop. Must return. */
typedef int32_t (*LutraTfheProgress)(void *user, uint64_t done, uint64_t total);

/**
 * Takes the encryptions of bits first_bit .. first_bit + bit_count - 1 of the small key, on the
 * caller's thread.
 *
 * @param words  (bit_count, bootstrap_level, k+1, k+1, N), valid during the call: level l first; in
 *               a level a row for each mask polynomial and one for the body; in a row the masks,
 *               then the body
 * @return nonzero asks to stop
 */
typedef int32_t (*LutraTfheBootstrapPart)(void *user, uint64_t first_bit, uint64_t bit_count,
                                          const uint64_t *words);

/** LUTRA_TFHE_ABI_VERSION of the compiled library. */
uint32_t lutra_tfhe_abi_version(void);

/** Names and versions of the libraries inside, for reports; static. */
const char *lutra_tfhe_version_text(void);

/**
 * The sentence of the last failure on this thread, lower case, no full stop; "" if none.
 * Valid until the next call on the same thread.
 */
const char *lutra_tfhe_last_error(void);

/**
 * Checks everything that tfhe-rs takes on trust, and tells sizes before anything is allocated.
 *
 * @param      maximum_key_bytes  limit on the evaluation keys; 0 = no limit
 * @param[out] key_bytes          bootstrap key + keyswitch key in bytes; may be NULL
 * @param[out] ciphertext_words   glwe_dimension * 2^log2_polynomial + 1; may be NULL
 * @errors LUTRA_TFHE_INVALID, LUTRA_TFHE_TOO_LARGE; the outputs are set in the latter case
 */
int32_t lutra_tfhe_check_parameters(const LutraTfheParameters *parameters,
                                    uint64_t maximum_key_bytes, uint64_t *key_bytes,
                                    uint64_t *ciphertext_words);

/**
 * A context without keys, with its own pool of threads.
 *
 * @param[out] context  NULL on any error
 * @param      threads  at most 1024; 0 = all processors
 */
int32_t lutra_tfhe_context_create(LutraTfheContext **context,
                                  const LutraTfheParameters *parameters,
                                  uint64_t maximum_key_bytes, uint32_t threads);

/** Overwrites the secret keys with zeros and frees everything. NULL is allowed. */
void lutra_tfhe_context_destroy(LutraTfheContext *context);

/**
 * Draws the secret keys and computes bootstrap and keyswitch keys; replaces earlier keys.
 *
 * @param test_seed       NULL: entropy of the operating system. Otherwise 16 bytes that decide keys
 *                        and encryption noise completely: for tests only, they protect nothing.
 * @param with_keyswitch  0: no keyswitch key; look-ups are then refused with LUTRA_TFHE_NO_KEY
 * @param bootstrap_part  NULL: the context keeps the bootstrap key for lutra_tfhe_bootstrap.
 *                        Otherwise the key is given away in parts, and that function refuses work
 * @param progress        may be NULL; done and total count bits of the small key
 * @param user            of bootstrap_part and progress
 * @errors LUTRA_TFHE_CANCELLED leaves the context without keys
 */
int32_t lutra_tfhe_generate_keys(LutraTfheContext *context, const uint8_t *test_seed,
                                 int32_t with_keyswitch, LutraTfheBootstrapPart bootstrap_part,
                                 LutraTfheProgress progress, void *user);

/**
 * The keyswitch key as it stands in the context, until that is destroyed or gets new keys.
 *
 * @param[out] words        (*input_words - 1, keyswitch_level, lwe_dimension + 1), level l first
 * @param[out] input_words  of the ciphertexts that it reads
 * @errors LUTRA_TFHE_NO_KEY
 */
int32_t lutra_tfhe_keyswitch_key(const LutraTfheContext *context, const uint64_t **words,
                                 uint64_t *input_words);

/**
 * A context that looks up ciphertexts of `producer` with the keys of `consumer`: it shares those
 * and has a keyswitch key of its own, from the producer's big key to the consumer's small key, with
 * the consumer's decomposition. Its keyswitch_decrypt, lookup_positions and bootstrap read
 * ciphertexts of the producer's size; bootstrap writes such of the consumer's size, and not in
 * place unless the sizes are equal. Everything else is the consumer's.
 *
 * Both contexts may be destroyed before the reader.
 *
 * @param[out] reader  NULL on any error; destroy it like any context
 * @param test_seed, progress  as in lutra_tfhe_generate_keys
 * @errors LUTRA_TFHE_NO_KEY, LUTRA_TFHE_CANCELLED
 */
int32_t lutra_tfhe_reader_create(LutraTfheContext **reader, const LutraTfheContext *consumer,
                                 const LutraTfheContext *producer, const uint8_t *test_seed,
                                 LutraTfheProgress progress, void *user);

uint64_t lutra_tfhe_ciphertext_words(const LutraTfheContext *context);

/** Encrypts words[i] into the i-th ciphertext, under the big key with its noise. */
int32_t lutra_tfhe_encrypt(const LutraTfheContext *context, uint64_t *ciphertexts,
                           const uint64_t *words, size_t count);

/** Decrypts to words with their noise; rounding and decoding are the caller's. */
int32_t lutra_tfhe_decrypt(const LutraTfheContext *context, uint64_t *words,
                           const uint64_t *ciphertexts, size_t count);

/** Keyswitches and decrypts under the small key: for measuring keyswitch noise. */
int32_t lutra_tfhe_keyswitch_decrypt(const LutraTfheContext *context, uint64_t *words,
                                     const uint64_t *ciphertexts, size_t count);

/**
 * Where on its table each ciphertext's look-up would read, without the bootstrap: the position
 * after keyswitch and modulus switch, in ticks, 0 .. 2 * 2^log2_polynomial - 1. A table of b bits
 * gives entry floor((position + half) / width) modulo 2^(b+1), width = 2^(log2_polynomial - b),
 * half = width / 2 rounded down; entries from 2^b on are the negated ones. Needs the secret key.
 */
int32_t lutra_tfhe_lookup_positions(const LutraTfheContext *context, uint32_t *positions,
                                    const uint64_t *ciphertexts, size_t count);

/**
 * The same of ciphertexts that keyswitch and modulus switch have brought to ticks already.
 *
 * @param ticks  (count, lwe_dimension + 1): mask, then body; each below 2 * 2^log2_polynomial
 */
int32_t lutra_tfhe_tick_positions(const LutraTfheContext *context, uint32_t *positions,
                                  const uint32_t *ticks, size_t count);

/**
 * Keyswitch + programmable bootstrap of each ciphertext.
 *
 * A table has 2^table_bits words, the outputs as they shall stand on the torus. An input near
 * i * 2^(63 - table_bits) gives table[i]; near (2^table_bits + i) * 2^(63 - table_bits), with the
 * padding bit set, it gives -table[i]. Boxes are centred, so the look-up rounds to nearest. With
 * table_bits = 0 the look-up is a sign: table[0] around 0, -table[0] around one half.
 *
 * @param outputs              may equal inputs, may not overlap them otherwise
 * @param tables               (table_count, 2^table_bits) words
 * @param table_bits           at most log2_polynomial
 * @param table_of_ciphertext  (count) indexes below table_count; NULL = all 0
 * @param progress             may be NULL; done and total count ciphertexts
 * @errors LUTRA_TFHE_CANCELLED: outputs are then partly written
 */
int32_t lutra_tfhe_bootstrap(const LutraTfheContext *context, uint64_t *outputs,
                             const uint64_t *inputs, size_t count, const uint64_t *tables,
                             size_t table_count, uint32_t table_bits,
                             const uint32_t *table_of_ciphertext, LutraTfheProgress progress,
                             void *user);

/* --- compressed keys and ciphertexts -----------------------------------------------------------
 *
 * Masks follow from a public seed of LUTRA_TFHE_SEED_BYTES; what is left are the bodies. A seed is
 * drawn from the system's entropy for every call that encrypts, noise from another. Functions that
 * expand need a context for its parameters and threads, not its keys.
 */
enum { LUTRA_TFHE_SEED_BYTES = 16 };

/**
 * Gives a context the secret keys that follow from `seed`, and no evaluation keys; what it encrypts
 * has fresh masks and noise nevertheless. Whoever has the seed has the keys.
 */
int32_t lutra_tfhe_derive_secrets(LutraTfheContext *context, const uint8_t *seed);

/**
 * Encryptions of some bits of the small key.
 *
 * @param[out] bodies  (bit_count, bootstrap_level, k+1, N)
 */
int32_t lutra_tfhe_seeded_bootstrap_part(const LutraTfheContext *context, uint8_t *seed,
                                         uint64_t *bodies, size_t first_bit, size_t bit_count);

/** @param[out] words  as LutraTfheBootstrapPart gets them */
int32_t lutra_tfhe_expand_bootstrap_part(const LutraTfheContext *context, uint64_t *words,
                                         const uint8_t *seed, const uint64_t *bodies,
                                         size_t bit_count);

/**
 * The keyswitch key from the producer's big key to the consumer's small key.
 *
 * @param[out] bodies  (bits of the producer's big key, keyswitch_level of the consumer)
 */
int32_t lutra_tfhe_seeded_keyswitch_key(const LutraTfheContext *consumer,
                                        const LutraTfheContext *producer, uint8_t *seed,
                                        uint64_t *bodies);

/** @param[out] words  (bit_count, keyswitch_level, lwe_dimension + 1), as of
 *                     lutra_tfhe_keyswitch_key */
int32_t lutra_tfhe_expand_keyswitch_key(const LutraTfheContext *consumer, uint64_t *words,
                                        const uint8_t *seed, const uint64_t *bodies,
                                        size_t bit_count);

/** @param[out] bodies  (count) of encryptions of words, count >= 1 */
int32_t lutra_tfhe_seeded_encrypt(const LutraTfheContext *context, uint8_t *seed, uint64_t *bodies,
                                  const uint64_t *words, size_t count);

/** @param[out] ciphertexts  (count, lutra_tfhe_ciphertext_words), count >= 1 */
int32_t lutra_tfhe_expand_ciphertexts(const LutraTfheContext *context, uint64_t *ciphertexts,
                                      const uint8_t *seed, const uint64_t *bodies, size_t count);

#endif
