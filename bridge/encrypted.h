/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a circuit on real ciphertexts, operation by operation.
 *
 * Operations marked in_clear run on the client's integers (sim/operations.h); values are encrypted
 * where an encrypted operation reads a clear value and decrypted where a clear one, or the output,
 * reads an encrypted value. Under encryption:
 *
 *   linear, conv, sum_pool, add   combinations of words (bridge/linear.h)
 *   round, exact                  one sign look-up per dropped bit, from the lowest up: the bit is
 *                                 shifted to the padding bit, looked up and subtracted
 *   round, approximate            a constant per channel; the table that reads it rounds
 *   table                         keyswitch + bootstrap; a signed input is first moved up by half
 *                                 its range
 *
 * Values that leave their encoding wrap on the torus here, they are not clamped.
 */
#ifndef LUTRA_BRIDGE_ENCRYPTED_H
#define LUTRA_BRIDGE_ENCRYPTED_H

#include "bridge/circuit_keys.h"
#include "sim/circuit.h"

typedef struct {
    double encrypt_seconds;
    double run_seconds; /* encrypted operations, without the listener */
    double decrypt_seconds;
    uint64_t lookups;         /* bootstraps run */
    uint64_t ciphertext_bytes; /* most bytes of ciphertexts alive at once */
} LutraEncryptedReport;

/* What is known of one operation's result: in the clear, encrypted, both; or nothing (any more). */
typedef struct {
    int32_t *codes;        /* (elements), owned, or NULL */
    uint64_t *ciphertexts; /* (elements, words of its key), owned, or NULL */
} LutraEncryptedSlot;

/** A run between two operations. Zeroed: one that has not begun. */
typedef struct {
    uint32_t next_operation;
    LutraEncryptedSlot *slots; /* (operation_count), owned, or NULL before the first */
    LutraEncryptedReport report;
} LutraEncryptedState;

/** Frees and zeroes. @param operation_count  of the circuit */
void lutra_encrypted_state_deinit(LutraEncryptedState *state, uint32_t operation_count);

/** Words of one ciphertext of an operation's result. */
size_t lutra_encrypted_words(const LutraCircuitKeys *keys, uint32_t operation);

/**
 * Sees every encrypted tensor once, when it is complete, on the caller's thread: inputs after their
 * encryption and the result of each encrypted operation.
 */
typedef struct {
    /**
     * @param operation    index; `ciphertexts` is its result. After an approximate
     *                     rounding that is the value before it, plus the constant
     * @param ciphertexts  (count, words); valid during the call
     * @return a failure ends the run
     */
    LutraStatus (*result)(void *user, uint32_t operation, const uint64_t *ciphertexts,
                          size_t count, LutraError *error);
    void *user;
    /** After each operation but the output; `state` is where the run stands. May be NULL. */
    LutraStatus (*operation_done)(void *user, const LutraEncryptedState *state,
                                  LutraError *error);
} LutraEncryptedListener;

typedef struct {
    LutraEncryptedState *state;             /* where to begin; freed and zeroed in any case; NULL:
                                               at the beginning */
    uint32_t threads;                       /* of the linear operations, >= 1 */
    uint32_t cpu_flags;                     /* LutraCpuFlag: what they may use */
    const LutraEncryptedListener *listener; /* may be NULL */
    const LutraProgress *progress;          /* may be NULL; counts look-ups of the circuit */
} LutraEncryptedSettings;

/**
 * Whether lutra_encrypted_run can run this circuit with its parameter sets.
 *
 * @errors LUTRA_EUNAVAILABLE: an approximately rounded value that something other than a table
 *         reads; LUTRA_EINVAL: no parameter set, or a table wider than its set's polynomials
 */
LUTRA_MUST_CHECK LutraStatus lutra_encrypted_check(const LutraCircuit *circuit,
                                                   LutraError *error);

/**
 * One step of an exact rounding: removes the lowest bit that is left in `count` values by a sign
 * look-up. With p bits in, bit i has the weight 2^(63-p+i) of the torus: multiplied by 2^(p-i) it
 * becomes the top bit, and all higher ones vanish modulo 2^64.
 *
 * @param[in,out] values  (count, words) with the lower bits gone
 * @param         bit     (count, words) scratch
 * @param         bits    p - i: bits left in the values, 1 .. 62
 */
LUTRA_MUST_CHECK LutraStatus lutra_encrypted_remove_bit(const LutraBackend *backend,
                                                        uint64_t *values, uint64_t *bit,
                                                        size_t count, uint32_t bits,
                                                        uint32_t threads,
                                                        const LutraProgress *progress,
                                                        LutraError *error);

/** Look-ups that run under encryption for one image. */
uint64_t lutra_encrypted_lookups(const LutraCircuit *circuit);

/**
 * Runs one image, or the rest of it.
 *
 * @param[out] codes    (elements of the output's input) decrypted integers before the client's
 *                      affine steps; unchanged on error
 * @param[out] report   may be NULL
 * @param      keys     of this circuit, generated
 * @param      circuit  passed lutra_circuit_check
 * @param      pixels   (C,H,W) of the input
 * @errors those of lutra_encrypted_check and of the backend; LUTRA_ENOMEM; LUTRA_ECANCELLED
 */
LUTRA_MUST_CHECK LutraStatus lutra_encrypted_run(int32_t *codes, LutraEncryptedReport *report,
                                                 const LutraCircuitKeys *keys,
                                                 const LutraCircuit *circuit,
                                                 const uint8_t *pixels,
                                                 const LutraEncryptedSettings *settings,
                                                 LutraError *error);

/**
 * The server's part alone: runs the encrypted operations of one image on ciphertexts that are
 * there, and nothing in the clear. Neither secret keys nor encryption or decryption are asked of
 * the keys' backend.
 *
 * @param[in,out] state  with ciphertexts for every result that is sent to the server
 *                       (sim/server_circuit.h), nothing run; afterwards with those of every result
 *                       that is sent to the client; to be ended after an error
 * @param settings       without state
 */
LUTRA_MUST_CHECK LutraStatus lutra_encrypted_evaluate(LutraEncryptedState *state,
                                                      const LutraCircuitKeys *keys,
                                                      const LutraCircuit *circuit,
                                                      const LutraEncryptedSettings *settings,
                                                      LutraError *error);

#endif
