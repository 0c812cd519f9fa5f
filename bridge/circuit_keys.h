/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All keys that a circuit runs with: a backend context for each parameter set, and a reader for
 * each keyswitch that leads from one set to another (sim/key_layout.h).
 */
#ifndef LUTRA_BRIDGE_CIRCUIT_KEYS_H
#define LUTRA_BRIDGE_CIRCUIT_KEYS_H

#include "bridge/backend.h"
#include "sim/key_layout.h"

typedef struct {
    LutraKeyLayout layout;
    uint32_t set_count;
    LutraBackend *sets;    /* (set_count), owned */
    LutraBackend *readers; /* (layout.keyswitch_count), owned; NULL contexts where a set reads its
                              own ciphertexts */
    uint32_t *lookup_sets; /* (operation_count) of operations with look-ups, owned */
    uint32_t *inputs;      /* (operation_count) their first inputs, owned */
    uint64_t key_bytes;    /* all bootstrap and keyswitch keys */
} LutraCircuitKeys;

/**
 * Contexts without keys for all sets of a circuit.
 *
 * @param[out] keys     deinit them; zeroed on error
 * @param      circuit  passed lutra_circuit_check; not kept
 * @errors LUTRA_EINVAL no parameters, or keys beyond settings->maximum_key_bytes;
 *         LUTRA_EUNAVAILABLE several sets and a backend that knows one only; those of create
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_keys_init(LutraCircuitKeys *keys,
                                                     const LutraBackendOperations *operations,
                                                     const LutraCircuit *circuit,
                                                     const LutraBackendSettings *settings,
                                                     LutraError *error);

/**
 * Draws all keys. After an error some contexts have keys and some have none: end it then.
 *
 * @param test_seed  NULL, or LUTRA_TEST_SEED_BYTES bytes from which that of each context follows
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_keys_generate(LutraCircuitKeys *keys,
                                                         const uint8_t *test_seed,
                                                         const LutraProgress *progress,
                                                         LutraError *error);

/** Erases secret keys and frees. */
void lutra_circuit_keys_deinit(LutraCircuitKeys *keys);

/** The backend that encrypts and decrypts an operation's result. */
const LutraBackend *lutra_circuit_keys_of_result(const LutraCircuitKeys *keys, uint32_t operation);

/** The backend that makes the look-ups of an encrypted table or exact rounding. */
const LutraBackend *lutra_circuit_keys_of_lookups(const LutraCircuitKeys *keys,
                                                  uint32_t operation);

#endif
