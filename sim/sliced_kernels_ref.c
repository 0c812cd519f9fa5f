/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Portable bit-sliced kernels: the definition of what the others compute. One 64-bit word, 64
 * lanes, at a time; planes of 256 lanes (_ref) or 512 (_ref512).
 */
#include <string.h>

#include "base/status.h"
#include "sim/sliced_kernels.h"

enum { NARROW_WORDS = 4, WIDE_WORDS = 8 };

static uint64_t word_of(const uint8_t *planes, uint32_t plane, size_t words, size_t w) {
    uint64_t word = 0;
    memcpy(&word, planes + (plane * words + w) * sizeof word, sizeof word);
    return word;
}

static void set_word(uint8_t *planes, uint32_t plane, size_t words, size_t w, uint64_t word) {
    memcpy(planes + (plane * words + w) * sizeof word, &word, sizeof word);
}

/** sum += bits << shift, or sum -= bits << shift, modulo 2^planes. */
static void add_bits(uint64_t *sum, uint32_t planes, uint32_t shift, uint64_t bits,
                     bool subtract) {
    for (uint32_t k = shift; k < planes && bits != 0; k++) {
        const uint64_t carry = (subtract ? ~sum[k] : sum[k]) & bits;
        sum[k] ^= bits;
        bits = carry;
    }
}

static void dot_words(uint8_t *y, const LutraSlicedDot *dot, const uint8_t *x, size_t words) {
    LUTRA_ASSERT(dot->planes < LUTRA_SLICED_MAX_PLANES && dot->x_planes <= dot->planes);
    for (size_t w = 0; w < words; w++) {
        uint64_t sum[LUTRA_SLICED_MAX_PLANES];
        for (uint32_t k = 0; k < dot->planes; k++) {
            sum[k] = (dot->start >> k & 1) != 0 ? UINT64_MAX : 0;
        }
        for (uint32_t i = 0; i < dot->subtracted + dot->added; i++) {
            for (uint32_t k = 0; k < dot->x_planes; k++) {
                add_bits(sum, dot->planes, k, word_of(x + dot->taps[i], k, words, w),
                         i < dot->subtracted);
            }
        }
        for (uint32_t k = 0; k < dot->planes; k++) {
            set_word(y, k, words, w, sum[k]);
        }
    }
}

/** Lanes with x >= the constant of the mask words; x > it if `above`. */
static uint64_t compare(const uint8_t *x, uint32_t planes, const int32_t *masks, bool above,
                        size_t words, size_t w) {
    uint64_t reaches = above ? 0 : UINT64_MAX;
    for (uint32_t k = 0; k < planes; k++) {
        const uint64_t bits = word_of(x, k, words, w);
        reaches = masks[k] == 0 ? bits & reaches : bits | reaches;
    }
    return reaches;
}

static void steps_words(uint8_t *y, const LutraSlicedSteps *steps, const uint8_t *x,
                        size_t words) {
    LUTRA_ASSERT(steps->y_planes <= LUTRA_SLICED_MAX_CODE_PLANES);
    for (size_t w = 0; w < words; w++) {
        uint64_t code[LUTRA_SLICED_MAX_CODE_PLANES];
        for (uint32_t k = 0; k < steps->y_planes; k++) {
            code[k] = steps->start[k] != 0 ? UINT64_MAX : 0;
        }
        for (uint32_t i = 0; i < steps->step_count; i++) {
            const int32_t *const step = steps->words + i * (steps->x_planes + steps->y_planes);
            const uint64_t reached = compare(x, steps->x_planes, step, false, words, w);
            for (uint32_t k = 0; k < steps->y_planes; k++) {
                code[k] ^= step[steps->x_planes + k] != 0 ? reached : 0;
            }
        }
        for (uint32_t k = 0; k < steps->y_planes; k++) {
            set_word(y, k, words, w, code[k]);
        }
    }
}

static uint32_t ones_of(uint64_t word) {
    uint32_t count = 0;
    for (; word != 0; word &= word - 1) {
        count++;
    }
    return count;
}

static uint32_t outside_words(const uint8_t *x, uint32_t planes, const int32_t *low,
                              const int32_t *high, const uint8_t *used, size_t words) {
    uint32_t count = 0;
    for (size_t w = 0; w < words; w++) {
        const uint64_t outside = ~compare(x, planes, low, false, words, w) |
                                 compare(x, planes, high, true, words, w);
        count += ones_of(outside & word_of(used, 0, words, w));
    }
    return count;
}

static void extremes_words(uint32_t *min, uint32_t *max, const uint8_t *x, uint32_t planes,
                           const uint8_t *used, size_t words) {
    *min = UINT32_MAX;
    *max = 0;
    for (size_t lane = 0; lane < 64 * words; lane++) {
        if ((word_of(used, 0, words, lane / 64) >> lane % 64 & 1) == 0) {
            continue;
        }
        uint32_t value = 0;
        for (uint32_t k = 0; k < planes; k++) {
            value |= (uint32_t)(word_of(x, k, words, lane / 64) >> lane % 64 & 1) << k;
        }
        *min = value < *min ? value : *min;
        *max = value > *max ? value : *max;
    }
}

static void add_words(uint8_t *y, uint32_t planes, const uint8_t *x0, uint32_t x0_planes,
                      const uint8_t *x1, uint32_t x1_planes, size_t words) {
    for (size_t w = 0; w < words; w++) {
        uint64_t carry = 0;
        for (uint32_t k = 0; k < planes; k++) {
            const uint64_t a = k < x0_planes ? word_of(x0, k, words, w) : 0;
            const uint64_t b = k < x1_planes ? word_of(x1, k, words, w) : 0;
            set_word(y, k, words, w, a ^ b ^ carry);
            carry = (a & b) | (carry & (a ^ b));
        }
    }
}

static void slice_words(uint8_t *y, uint32_t planes, const uint8_t *bytes, size_t words) {
    LUTRA_ASSERT(planes <= 8);
    for (uint32_t k = 0; k < planes; k++) {
        for (size_t w = 0; w < words; w++) {
            uint64_t word = 0;
            for (size_t lane = 0; lane < 64; lane++) {
                word |= (uint64_t)(bytes[64 * w + lane] >> k & 1) << lane;
            }
            set_word(y, k, words, w, word);
        }
    }
}

#define DEFINE_KERNELS(suffix, words)                                                             \
    void lutra_sliced_dots_##suffix(uint8_t *y, size_t y_bytes, const LutraSlicedDot *dots,       \
                                    uint32_t count, const uint8_t *x) {                           \
        for (uint32_t i = 0; i < count; i++) {                                                    \
            dot_words(y + i * y_bytes, &dots[i], x, words);                                       \
        }                                                                                         \
    }                                                                                             \
    void lutra_sliced_steps_##suffix(uint8_t *y, const LutraSlicedSteps *steps,                   \
                                     const uint8_t *x) {                                          \
        steps_words(y, steps, x, words);                                                          \
    }                                                                                             \
    uint32_t lutra_sliced_outside_##suffix(const uint8_t *x, uint32_t planes, const int32_t *low, \
                                           const int32_t *high, const uint8_t *used) {            \
        return outside_words(x, planes, low, high, used, words);                                  \
    }                                                                                             \
    void lutra_sliced_extremes_##suffix(uint32_t *min, uint32_t *max, const uint8_t *x,           \
                                        uint32_t planes, const uint8_t *used) {                   \
        extremes_words(min, max, x, planes, used, words);                                         \
    }                                                                                             \
    void lutra_sliced_add_##suffix(uint8_t *y, uint32_t planes, const uint8_t *x0,                \
                                   uint32_t x0_planes, const uint8_t *x1, uint32_t x1_planes) {   \
        add_words(y, planes, x0, x0_planes, x1, x1_planes, words);                                \
    }                                                                                             \
    void lutra_sliced_slice_##suffix(uint8_t *y, uint32_t planes, const uint8_t *bytes) {         \
        slice_words(y, planes, bytes, words);                                                     \
    }                                                                                             \
    _Static_assert(words > 0, "the macro ends with a semicolon")

DEFINE_KERNELS(ref, NARROW_WORDS);
DEFINE_KERNELS(ref512, WIDE_WORDS);
