/* SPDX-License-Identifier: Apache-2.0 */
/* A 64-bit checksum of bytes in pieces of any size. It finds accidents, not attacks. */
#ifndef LUTRA_BASE_CHECKSUM_H
#define LUTRA_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/** Plain data; begin with lutra_checksum_start. */
typedef struct {
    uint64_t hash;
    uint64_t pending; /* bytes that do not yet make a word, lowest first */
    uint64_t bytes;   /* taken so far */
} LutraChecksum;

void lutra_checksum_start(LutraChecksum *checksum);

/** Takes bytes as they are. */
void lutra_checksum_bytes(LutraChecksum *checksum, const void *data, size_t bytes);

/** Takes a number's eight bytes, lowest first. */
void lutra_checksum_u64(LutraChecksum *checksum, uint64_t number);

/** The checksum of all that was taken; does not depend on the pieces. */
uint64_t lutra_checksum_value(const LutraChecksum *checksum);

#endif
