/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

/* One step of a multiplicative hash. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    const uint64_t product = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return product ^ product >> 29;
}

static uint64_t word_at(const uint8_t *bytes) {
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++) {
        word |= (uint64_t)bytes[i] << 8 * i;
    }
    return word;
}

void lutra_checksum_start(LutraChecksum *checksum) {
    *checksum = (LutraChecksum){.hash = 1};
}

static void take(LutraChecksum *checksum, uint8_t byte) {
    checksum->pending |= (uint64_t)byte << 8 * (checksum->bytes % 8);
    checksum->bytes++;
    if (checksum->bytes % 8 == 0) {
        checksum->hash = mix(checksum->hash, checksum->pending);
        checksum->pending = 0;
    }
}

void lutra_checksum_bytes(LutraChecksum *checksum, const void *data, size_t bytes) {
    const uint8_t *const from = data;
    size_t i = 0;
    for (; i < bytes && checksum->bytes % 8 != 0; i++) {
        take(checksum, from[i]);
    }
    for (; i + 8 <= bytes; i += 8) {
        checksum->hash = mix(checksum->hash, word_at(from + i));
        checksum->bytes += 8;
    }
    for (; i < bytes; i++) {
        take(checksum, from[i]);
    }
}

void lutra_checksum_u64(LutraChecksum *checksum, uint64_t number) {
    for (unsigned i = 0; i < 8; i++) {
        take(checksum, (uint8_t)(number >> 8 * i));
    }
}

uint64_t lutra_checksum_value(const LutraChecksum *checksum) {
    return mix(mix(checksum->hash, checksum->pending), checksum->bytes);
}
