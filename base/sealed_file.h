/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary files that appear under their name all at once and are refused when cut or altered:
 *
 *   8 bytes   what the file is
 *   u32       version
 *   u32       0
 *   ...       contents
 *   u64       bytes of contents
 *   u64       checksum of all before it (base/checksum.h)
 *
 * Numbers are little-endian. Only the owner may read a new file (mode 0600).
 */
#ifndef LUTRA_BASE_SEALED_FILE_H
#define LUTRA_BASE_SEALED_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/status.h"

enum { LUTRA_SEALED_MAGIC_BYTES = 8 };

/** What a kind of sealed file is. */
typedef struct {
    const char *magic; /* LUTRA_SEALED_MAGIC_BYTES characters */
    uint32_t version;
    const char *noun; /* such as "checkpoint", for sentences */
} LutraSealedKind;

typedef struct {
    FILE *stream;
    char *path;    /* owned, like the next */
    char *partial;
    LutraChecksum checksum;
    uint64_t bytes; /* of contents so far */
} LutraSealedWriter;

/** Begins a file beside `path`. @errors LUTRA_EIO, LUTRA_ENOMEM, LUTRA_EINVAL: `path` exists and
 * `force` is not set */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_create(LutraSealedWriter *writer, const char *path,
                                                 const LutraSealedKind *kind, bool force,
                                                 LutraError *error);

/** Bytes as they are. */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_put(LutraSealedWriter *writer, const void *data,
                                              size_t bytes, LutraError *error);

/** `count` numbers of 8 bytes. */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_put_u64(LutraSealedWriter *writer,
                                                  const uint64_t *numbers, size_t count,
                                                  LutraError *error);

/** Ends the file and gives it its name in place of what was there; on error that is as it was. Ends
 * the writer in any case. */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_commit(LutraSealedWriter *writer, LutraError *error);

/** Gives a file up that was begun; nothing is left of it. A zeroed writer is allowed. */
void lutra_sealed_abandon(LutraSealedWriter *writer);

typedef struct {
    FILE *stream;
    const char *path; /* not owned */
    const LutraSealedKind *kind;
    uint64_t bytes; /* of contents that are left */
} LutraSealedReader;

/**
 * Opens a file and reads it once from start to end.
 *
 * @param[out] reader  close it; zeroed on error
 * @errors LUTRA_EIO cannot open or read; LUTRA_EDATA not such a file, of another version, cut or
 *         altered
 */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_open(LutraSealedReader *reader, const char *path,
                                               const LutraSealedKind *kind, LutraError *error);

/** LUTRA_EDATA if so many are not left. */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_take(LutraSealedReader *reader, void *data, size_t bytes,
                                               LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_sealed_take_u64(LutraSealedReader *reader, uint64_t *numbers,
                                                   size_t count, LutraError *error);

/** LUTRA_EDATA if anything is left. */
LUTRA_MUST_CHECK LutraStatus lutra_sealed_end(const LutraSealedReader *reader, LutraError *error);

/** A zeroed reader is allowed. */
void lutra_sealed_close(LutraSealedReader *reader);

#endif
