/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding of words; see torus_rounding.h. */
#include "sim/torus_rounding.h"

uint64_t lutra_word_lowest_bit_input(uint64_t word, uint32_t bits) {
    LUTRA_ASSERT(bits >= 1 && bits < LUTRA_WORD_MAX_BITS);
    /* Multiplied by 2^bits the lowest bit becomes the top one and all others vanish. */
    return word << bits;
}

LutraWordTable lutra_word_lowest_bit_table(uint32_t bits) {
    /* Minus half of the bit's place for 0, plus half for 1. */
    static const int32_t minus_half[1] = {-1};
    return (LutraWordTable){.entries = minus_half, .bits = 0, .result_bits = bits + 1};
}

uint64_t lutra_word_lowest_bit(uint64_t word, uint32_t bits) {
    const LutraWordTable sign = lutra_word_lowest_bit_table(bits);
    return lutra_word_look_up(&sign, lutra_word_lowest_bit_input(word, bits), 0).word +
           lutra_word_encode(1, bits + 1);
}

static uint64_t lowest_bit(void *user, uint64_t word, uint32_t bits, uint32_t part) {
    (void)user;
    (void)part;
    return lutra_word_lowest_bit(word, bits);
}

/** Takes off the r low bits, each the lowest one at the width that is left. */
static uint64_t clear_low_bits(uint64_t word, uint32_t bits, uint32_t dropped_bits,
                               LutraLowestBit read, void *user) {
    LUTRA_ASSERT(dropped_bits < bits);
    for (uint32_t i = 0; i < dropped_bits; i++) {
        word -= read(user, word, bits - i, i);
    }
    return word;
}

uint64_t lutra_word_round_exact_by(uint64_t word, uint32_t bits, uint32_t dropped_bits,
                                   LutraLowestBit read, void *user) {
    if (dropped_bits == 0) {
        return word;
    }
    const uint64_t half_bucket = lutra_word_encode(INT64_C(1) << (dropped_bits - 1), bits);
    return clear_low_bits(word + half_bucket, bits, dropped_bits, read, user);
}

uint64_t lutra_word_round_exact(uint64_t word, uint32_t bits, uint32_t dropped_bits) {
    return lutra_word_round_exact_by(word, bits, dropped_bits, lowest_bit, NULL);
}

uint64_t lutra_word_truncate(uint64_t word, uint32_t bits, uint32_t dropped_bits) {
    return clear_low_bits(word, bits, dropped_bits, lowest_bit, NULL);
}

/* --- approximate rounding --------------------------------------------------------------------- */

void lutra_word_rounding_default(LutraWordRounding *rounding, LutraEncoding values,
                                 uint32_t dropped_bits, bool overflow_protected) {
    LUTRA_ASSERT(dropped_bits >= 1 && dropped_bits < values.bits);
    *rounding = (LutraWordRounding){.values = values,
                                    .dropped_bits = dropped_bits,
                                    .overflow_protected = overflow_protected,
                                    .symmetrized = true,
                                    .logical_clipping = true,
                                    .approximate_clipping = true,
                                    .clipping_start_bits = 5,
                                    .reduced_precision = true};
}

uint32_t lutra_word_rounding_input_bits(const LutraWordRounding *rounding) {
    return rounding->values.bits + (rounding->overflow_protected ? 1u : 0u);
}

/** Bits of the buckets that values are meant to have. */
static uint32_t target_bits(const LutraWordRounding *rounding) {
    return rounding->values.bits - rounding->dropped_bits;
}

static bool clips(const LutraWordRounding *rounding) {
    return rounding->overflow_protected && rounding->approximate_clipping &&
           target_bits(rounding) >= rounding->clipping_start_bits;
}

LutraEncoding lutra_word_rounding_result(const LutraWordRounding *rounding) {
    const bool reduced = !rounding->overflow_protected ||
                         (clips(rounding) && rounding->reduced_precision);
    return (LutraEncoding){.bits = target_bits(rounding) + (reduced ? 0u : 1u),
                           .is_signed = rounding->values.is_signed};
}

uint32_t lutra_word_rounding_lookups(const LutraWordRounding *rounding) {
    return clips(rounding) ? 1 : 0;
}

/** Finest digits to take off for an input of the clipping look-up; its table, entry by entry. */
static int64_t clipping_entry(const LutraWordRounding *rounding, int64_t input, uint32_t bits) {
    const int64_t bucket = INT64_C(1) << rounding->dropped_bits;
    const int64_t trigger = INT64_C(1) << (rounding->values.is_signed ? bits - 2 : bits - 1);
    return input == trigger ? 3 * bucket / 4 : input == trigger + 1 ? bucket : 0;
}

/** What the clipping look-up answers, on the word's own encoding. */
static uint64_t clipping_word(uint64_t word, const LutraWordRounding *rounding) {
    const uint32_t target = target_bits(rounding);
    const uint32_t bits = target > 3 ? target - 1 : 2;
    const int64_t entries = INT64_C(1) << bits;
    const int64_t first = rounding->values.is_signed ? -entries / 2 : 0;
    const uint64_t shifted = word + lutra_word_encode(-first, bits);
    const int64_t step = (int64_t)lutra_word_steps(shifted, bits);
    const int64_t entry = step < entries
                              ? clipping_entry(rounding, step + first, bits)
                              : -clipping_entry(rounding, step - entries + first, bits);
    return lutra_word_encode(entry, lutra_word_rounding_input_bits(rounding));
}

uint64_t lutra_word_round_approximate(uint64_t word, const LutraWordRounding *rounding) {
    const uint32_t bits = lutra_word_rounding_input_bits(rounding);
    LUTRA_ASSERT(rounding->dropped_bits >= 1 && rounding->dropped_bits < rounding->values.bits);
    if (rounding->symmetrized) {
        /* half a digit less two units: moves thresholds between two integers */
        word += (UINT64_C(1) << (62 - bits)) - 2;
    }
    if (!clips(rounding)) {
        return word;
    }
    const uint64_t half_bucket =
        lutra_word_encode(INT64_C(1) << (rounding->dropped_bits - 1), bits);
    word -= clipping_word(word - half_bucket, rounding);
    return rounding->reduced_precision ? lutra_word_multiply(word, 2) : word;
}

uint64_t lutra_word_round_constant(const LutraRoundOperation *round, uint32_t channel,
                                   uint32_t bits) {
    const int64_t offset = round->offsets == NULL ? 0 : round->offsets[channel];
    const uint64_t constant = lutra_word_encode(offset, bits);
    if (round->dropped_bits == 0) {
        return constant;
    }
    LutraWordRounding rounding;
    lutra_word_rounding_default(&rounding, (LutraEncoding){.bits = bits}, round->dropped_bits,
                                false);
    return lutra_word_round_approximate(constant, &rounding);
}

void lutra_word_rounding_table(int32_t *physical, const int32_t *table,
                               const LutraWordRounding *rounding) {
    const LutraEncoding read = lutra_word_rounding_result(rounding);
    const LutraEncoding whole = {.bits = lutra_word_rounding_input_bits(rounding) -
                                         rounding->dropped_bits,
                                 .is_signed = rounding->values.is_signed};
    LutraEncoding kept = whole;
    if (rounding->logical_clipping) {
        kept.bits = target_bits(rounding);
    }
    const int64_t first = lutra_encoding_min(whole);
    for (int64_t x = lutra_encoding_min(read); x <= lutra_encoding_max(read); x++) {
        const int64_t low = x < lutra_encoding_min(kept) ? lutra_encoding_min(kept) : x;
        const int64_t clipped = low > lutra_encoding_max(kept) ? lutra_encoding_max(kept) : low;
        physical[x - lutra_encoding_min(read)] = table[clipped - first];
    }
}
