/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend that holds evaluation keys and no secret: it looks ciphertexts up (lookup.h) and does
 * nothing else. Its generate_keys, encrypt, decrypt, keyswitch_decrypt and lookup_positions are
 * NULL; keys are put into it with the functions below (key_files.c does).
 */
#ifndef LUTRA_BRIDGE_SERVER_BACKEND_H
#define LUTRA_BRIDGE_SERVER_BACKEND_H

#include "bridge/backend.h"
#include "bridge/bootstrap_key.h"

const LutraBackendOperations *lutra_backend_server(void);

/** The bootstrap key of a set, to be filled; a reader's is that of its consumer. */
LutraBootstrapKey *lutra_server_bootstrap_key(const LutraBackend *backend);

/**
 * Gives a set or a reader its keyswitch key.
 *
 * @param words        as LutraKeyswitchKey has them; the backend owns them from now on
 * @param input_words  of the ciphertexts that it reads
 */
void lutra_server_set_keyswitch(const LutraBackend *backend, uint64_t *words, size_t input_words);

#endif
