/* SPDX-License-Identifier: Apache-2.0 */
/* Residue words; see torus_crt.h. */
#include "sim/torus_crt.h"

static const uint8_t moduli_of_bits[LUTRA_CRT_MOST_BITS][LUTRA_CRT_MOST_MODULI] = {
    {2},          {4},          {8},          {2, 3, 7},      {2, 3, 7},          {2, 5, 7},
    {3, 7, 8},    {5, 7, 8},    {3, 5, 7, 8}, {7, 12, 13},    {5, 7, 8, 9},       {7, 8, 9, 11},
    {3, 5, 7, 8, 11}, {5, 7, 8, 9, 11}, {11, 13, 15, 16}, {7, 8, 9, 11, 13}};

LutraCrt lutra_crt_of_bits(uint32_t bits) {
    LUTRA_ASSERT(bits >= 1 && bits <= LUTRA_CRT_MOST_BITS);
    LutraCrt crt = {.product = 1};
    for (size_t i = 0; i < LUTRA_CRT_MOST_MODULI && moduli_of_bits[bits - 1][i] != 0; i++) {
        crt.moduli[crt.count++] = moduli_of_bits[bits - 1][i];
        crt.product *= moduli_of_bits[bits - 1][i];
    }
    return crt;
}

static uint64_t modulo(int64_t value, uint64_t modulus) {
    const int64_t rest = value % (int64_t)modulus;
    return (uint64_t)(rest < 0 ? rest + (int64_t)modulus : rest);
}

void lutra_crt_encode(uint64_t *words, const LutraCrt *crt, int64_t value) {
    for (uint32_t i = 0; i < crt->count; i++) {
        const uint64_t m = crt->moduli[i];
        const uint64_t residue = modulo(value, m);
        /* 2^64 = quotient m + rest; residue and m are far below 2^32, so nothing overflows */
        const uint64_t rest = (UINT64_MAX % m + 1) % m;
        const uint64_t quotient = UINT64_MAX / m + (rest == 0 ? 1 : 0);
        words[i] = residue * quotient + residue * rest / m;
    }
}

/** round(word m / 2^64) mod m, ties up. */
static uint64_t nearest_residue(uint64_t word, uint64_t m) {
    const uint64_t low = (word & UINT32_MAX) * m;
    const uint64_t scaled = (word >> 32) * m + (low >> 32);
    return ((scaled + (UINT64_C(1) << 31)) >> 32) % m;
}

int64_t lutra_crt_decode(const uint64_t *words, const LutraCrt *crt, bool is_signed) {
    uint64_t value = 0;
    uint64_t step = 1; /* product of the moduli that already agree */
    for (uint32_t i = 0; i < crt->count; i++) {
        const uint64_t residue = nearest_residue(words[i], crt->moduli[i]);
        while (value % crt->moduli[i] != residue) {
            value += step;
        }
        step *= crt->moduli[i];
    }
    const bool is_negative = is_signed && value >= crt->product / 2;
    return (int64_t)value - (is_negative ? (int64_t)(crt->product / 2 * 2) : 0);
}

void lutra_crt_look_up(uint64_t *words, const LutraCrt *crt, const uint64_t *x,
                       const int32_t *entries, LutraEncoding encoding) {
    int64_t value = lutra_crt_decode(x, crt, false);
    if (encoding.is_signed && value > lutra_encoding_max(encoding)) {
        value -= (int64_t)crt->product;
    }
    const int64_t first = lutra_encoding_min(encoding);
    lutra_crt_encode(words, crt,
                     lutra_encoding_holds(encoding, value) ? entries[value - first] : 0);
}
