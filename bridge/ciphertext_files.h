/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ciphertexts as files, between client and server. Sealed files (base/sealed_file.h); contents
 * begin with the id of key_files.h, then
 *
 *   u64       images
 *
 * inputs "lutraINP", for each image, for each result that is sent to the server, in order:
 *   16 bytes  public seed of the masks
 *   u64 ...   bodies (elements)
 *
 * outputs "lutraOUT", for each image, for each result that is sent to the client, in order:
 *   u64 ...   ciphertexts (elements, k N + 1), of the set under whose key the result stands
 */
#ifndef LUTRA_BRIDGE_CIPHERTEXT_FILES_H
#define LUTRA_BRIDGE_CIPHERTEXT_FILES_H

#include "bridge/encrypted.h"
#include "bridge/key_files.h"

/** The client at work: secret keys of all sets, and the circuit it knows. */
typedef struct {
    const LutraCircuit *circuit; /* the whole one, not owned */
    LutraKeyId id;
    LutraKeyLayout layout;
    LutraSeededContext **sets; /* (parameter_count), owned */
    uint32_t set_count;
} LutraClient;

/**
 * @param[out] client   lutra_client_deinit it; zeroed on error
 * @param      circuit  the whole one; must outlive the client
 * @errors LUTRA_EUNAVAILABLE no tfhe-rs; an operation in the clear after the encrypted ones reads a
 *         result of before them
 */
LUTRA_MUST_CHECK LutraStatus lutra_client_init(LutraClient *client, const LutraClientKey *key,
                                               const LutraCircuit *circuit, uint32_t threads,
                                               LutraError *error);

/** Erases secret keys and frees. */
void lutra_client_deinit(LutraClient *client);

/** Encrypts images into a file.
 * @param pixels  (count,C,H,W)
 * @errors LUTRA_EIO, LUTRA_ENOMEM, LUTRA_ECANCELLED: there is no file then */
LUTRA_MUST_CHECK LutraStatus lutra_client_encrypt(const LutraClient *client, const char *path,
                                                  bool force, const uint8_t *pixels,
                                                  uint64_t count, const LutraProgress *progress,
                                                  LutraError *error);

/**
 * Decrypts the server's answers.
 *
 * @param[out] logits  (*count, class_count), heap, free with lutra_free; NULL on error
 * @errors LUTRA_EDATA not such a file, damaged, or of other keys; LUTRA_EIO; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_client_decrypt(float **logits, uint64_t *count,
                                                  const LutraClient *client, const char *path,
                                                  LutraError *error);

typedef struct {
    uint64_t images;
    uint64_t lookups;
    uint64_t ciphertext_bytes; /* most bytes of ciphertexts alive at once */
    double seconds;            /* of evaluation */
} LutraServerReport;

/**
 * The server: reads inputs, evaluates, writes outputs, image by image.
 *
 * @param server  the server's circuit
 * @param keys    from lutra_evaluation_key_read, with their `id`
 * @errors LUTRA_EDATA the inputs are no such file, damaged, or of other keys; LUTRA_EIO;
 *         LUTRA_ENOMEM; LUTRA_ECANCELLED: there is no output then
 */
LUTRA_MUST_CHECK LutraStatus lutra_server_run(LutraServerReport *report, const char *inputs,
                                              const char *outputs, bool force,
                                              const LutraCircuit *server,
                                              const LutraCircuitKeys *keys, const LutraKeyId *id,
                                              const LutraEncryptedSettings *settings,
                                              LutraError *error);

#endif
