/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for the few pickle forms in which the CIFAR archives for Python come: one dict with
 * texts as keys and numbers, texts, lists of these and two-dimensional uint8 arrays as values.
 *
 * Pickles are programs. This reader knows no way to call anything: it follows data opcodes of
 * protocols 2 and 3 and recognizes the one fixed pattern that numpy arrays have; every other opcode
 * or name is refused.
 */
#ifndef LUTRA_DATASETS_PICKLE_PRIV_H
#define LUTRA_DATASETS_PICKLE_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** A parsed pickle; points into the bytes that it was parsed from. */
typedef struct LutraPickle LutraPickle;

/**
 * Parses `bytes` bytes at `data`, which must outlive the result.
 *
 * @param path  what errors call the data
 * @errors LUTRA_EDATA truncated, not a pickle, or anything beyond the forms above; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_pickle_parse(LutraPickle **pickle, const uint8_t *data,
                                                size_t bytes, const char *path, LutraError *error);
void lutra_pickle_destroy(LutraPickle **pickle);

/** The uint8 array under `key`; LUTRA_EDATA if there is none. *elements is (rows, columns). */
LUTRA_MUST_CHECK LutraStatus lutra_pickle_array(const uint8_t **elements, uint64_t *rows,
                                                uint64_t *columns, const LutraPickle *pickle,
                                                const char *key, LutraError *error);

/** Length of the list under `key`; LUTRA_EDATA if there is none. */
LUTRA_MUST_CHECK LutraStatus lutra_pickle_list_count(size_t *count, const LutraPickle *pickle,
                                                     const char *key, LutraError *error);

/** The list under `key`, all integers, into values (count). LUTRA_EDATA if it does not fit. */
LUTRA_MUST_CHECK LutraStatus lutra_pickle_integers(int64_t *values, size_t count,
                                                   const LutraPickle *pickle, const char *key,
                                                   LutraError *error);

/** The list under `key`, all texts, into heap copies texts (count); free each with lutra_free. */
LUTRA_MUST_CHECK LutraStatus lutra_pickle_texts(char **texts, size_t count,
                                                const LutraPickle *pickle, const char *key,
                                                LutraError *error);

#endif
