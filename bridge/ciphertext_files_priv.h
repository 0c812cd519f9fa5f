/* SPDX-License-Identifier: Apache-2.0 */
/* What client and server share of ciphertext_files.h. */
#ifndef LUTRA_BRIDGE_CIPHERTEXT_FILES_PRIV_H
#define LUTRA_BRIDGE_CIPHERTEXT_FILES_PRIV_H

#include "bridge/ciphertext_files.h"

extern const LutraSealedKind lutra_inputs_kind;
extern const LutraSealedKind lutra_outputs_kind;

size_t lutra_elements_of(const LutraCircuit *circuit, uint32_t operation);

/** Words of a ciphertext of an operation's result. */
size_t lutra_words_of(const LutraCircuit *circuit, const LutraKeyLayout *layout,
                      uint32_t operation);

/** Bytes of one image in a file of inputs and of outputs. */
uint64_t lutra_input_image_bytes(const LutraCircuit *circuit);
uint64_t lutra_output_image_bytes(const LutraCircuit *circuit, const LutraKeyLayout *layout);

/** Begins a file. */
LUTRA_MUST_CHECK LutraStatus lutra_ciphertexts_create(LutraSealedWriter *writer, const char *path,
                                                      const LutraSealedKind *kind, bool force,
                                                      const LutraKeyId *id, uint64_t images,
                                                      LutraError *error);

/** Opens one and checks whose it is and how long. */
LUTRA_MUST_CHECK LutraStatus lutra_ciphertexts_open(LutraSealedReader *reader, uint64_t *images,
                                                    const char *path, const LutraSealedKind *kind,
                                                    const LutraKeyId *id, uint64_t image_bytes,
                                                    LutraError *error);

#endif
