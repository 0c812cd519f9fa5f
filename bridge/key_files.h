/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as files: the client's, which is secret, and the server's.
 *
 * Both are sealed files (base/sealed_file.h) of a circuit and a key pair, and so are the files of
 * ciphertexts (ciphertext_files.h). Contents of all of them begin with
 *
 *   u64       checksum of the server's circuit (sim/circuit_checksum.h)
 *   16 bytes  number of the key pair, drawn with it; not secret
 *
 * client key "lutraCKY"
 *   u64       parameter sets of the circuit
 *   16 bytes  for each set: the secret seed of its secret keys
 *
 * evaluation key "lutraEVK"
 *   for each set, for every 32 bits of its small key (the last part may have fewer):
 *     16 bytes  public seed of the masks
 *     u64 ...   bodies (bits, l, k+1, N) of the bootstrap key
 *   for each keyswitch of the circuit's layout (sim/key_layout.h):
 *     16 bytes  public seed of the masks
 *     u64 ...   bodies (bits of the big key it leads from, ks_level)
 */
#ifndef LUTRA_BRIDGE_KEY_FILES_H
#define LUTRA_BRIDGE_KEY_FILES_H

#include "base/sealed_file.h"
#include "bridge/circuit_keys.h"
#include "bridge/seeded.h"

enum { LUTRA_KEY_PAIR_BYTES = 16, LUTRA_KEY_BITS_OF_PART = 32 };

/** What belongs together. */
typedef struct {
    uint64_t circuit;                    /* checksum of the server's */
    uint8_t pair[LUTRA_KEY_PAIR_BYTES];
} LutraKeyId;

/** Writes and reads an id at the beginning of a file's contents. */
LUTRA_MUST_CHECK LutraStatus lutra_key_id_put(LutraSealedWriter *writer, const LutraKeyId *id,
                                              LutraError *error);

/**
 * @param[out] id       as the file has it
 * @param expected      LUTRA_EDATA unless the file is of this circuit, and if `with_pair` of this
 *                      pair
 */
LUTRA_MUST_CHECK LutraStatus lutra_key_id_take(LutraKeyId *id, LutraSealedReader *reader,
                                               const LutraKeyId *expected, bool with_pair,
                                               LutraError *error);

/** LUTRA_EDATA unless exactly so many bytes are left. */
LUTRA_MUST_CHECK LutraStatus lutra_key_file_expect(const LutraSealedReader *reader, uint64_t bytes,
                                                   LutraError *error);

/** Secret. */
typedef struct {
    LutraKeyId id;
    uint32_t set_count;
    uint8_t *seeds; /* (set_count, LUTRA_SEED_BYTES), owned */
} LutraClientKey;

/**
 * Draws a new key from the system's entropy.
 *
 * @param[out] key     lutra_client_key_deinit it; zeroed on error
 * @param      server  the server's circuit (sim/server_circuit.h) with crypto parameters
 */
LUTRA_MUST_CHECK LutraStatus lutra_client_key_draw(LutraClientKey *key, const LutraCircuit *server,
                                                   LutraError *error);

/** Wipes and frees. */
void lutra_client_key_deinit(LutraClientKey *key);

/** Mode 0600 from the first byte. */
LUTRA_MUST_CHECK LutraStatus lutra_client_key_write(const LutraClientKey *key, const char *path,
                                                    bool force, LutraError *error);

/** @param[out] key  zeroed on error
 *  @errors LUTRA_EIO; LUTRA_EDATA no such file, damaged, or of another circuit; LUTRA_EINVAL others
 *          than its owner may read it */
LUTRA_MUST_CHECK LutraStatus lutra_client_key_read(LutraClientKey *key, const char *path,
                                                   const LutraCircuit *server, LutraError *error);

/** Makes the evaluation key of a client's key, part by part, and writes it.
 * @errors LUTRA_EUNAVAILABLE; LUTRA_EIO; LUTRA_ECANCELLED: there is no file then */
LUTRA_MUST_CHECK LutraStatus lutra_evaluation_key_write(const char *path, bool force,
                                                        const LutraClientKey *key,
                                                        const LutraCircuit *server,
                                                        uint32_t threads,
                                                        const LutraProgress *progress,
                                                        LutraError *error);

/** Contents of an evaluation key's file. */
uint64_t lutra_evaluation_key_bytes(const LutraCircuit *server, const LutraKeyLayout *layout);

/**
 * Reads and expands an evaluation key: keys whose backend looks up and does nothing else.
 *
 * @param[out] keys      lutra_circuit_keys_deinit them; zeroed on error
 * @param[out] id        of the file
 * @param      settings  threads, maximum_key_bytes and cpu_flags are read
 * @errors LUTRA_EDATA no such file, damaged, or of another circuit; LUTRA_EINVAL keys beyond the
 *         limit; LUTRA_EUNAVAILABLE; LUTRA_EIO; LUTRA_ECANCELLED; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_evaluation_key_read(LutraCircuitKeys *keys, LutraKeyId *id,
                                                       const char *path,
                                                       const LutraCircuit *server,
                                                       const LutraBackendSettings *settings,
                                                       const LutraProgress *progress,
                                                       LutraError *error);

#endif
