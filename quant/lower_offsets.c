/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per-channel offsets before a rounding.
 *
 * A channel's codes are a step function of its sum: threshold tau is the first sum with a new code.
 * Bucket b reads sums x with b = floor((x + o + 2^(t-1)) / 2^t) and gives them the code of the sum
 * b * 2^t - o. With r = (tau + o) mod 2^t the threshold therefore moves by -2^(t-1) if r = 0 and by
 * 2^(t-1) - r otherwise: it stays where it is for r = 2^(t-1).
 */
#include <math.h>
#include <stdlib.h>

#include "quant/lower_priv.h"

/* The next threshold above x, or range.max + 1. *code is the code at x, then that at the result. */
static int64_t next_threshold(const LutraPending *pending, uint32_t channel, LutraRange range,
                              int64_t x, int32_t *code) {
    for (x++; x <= range.max; x++) {
        const int32_t here = lutra_pending_code(pending, channel, x);
        if (here != *code) {
            *code = here;
            return x;
        }
    }
    return x;
}

static int64_t moved_by(int64_t threshold, int64_t offset, uint32_t dropped_bits) {
    const int64_t unit = (int64_t)1 << dropped_bits;
    const int64_t residue = (((threshold + offset) % unit) + unit) % unit;
    return residue == 0 ? -unit / 2 : (unit / 2) - residue;
}

enum { MAX_THRESHOLDS = 255 };

static int32_t align_channel(const LutraPending *pending, uint32_t channel, LutraRange range,
                             uint32_t dropped_bits) {
    int64_t thresholds[MAX_THRESHOLDS];
    double weights[MAX_THRESHOLDS];
    size_t count = 0;
    int32_t code = lutra_pending_code(pending, channel, range.min);
    int32_t before = code;
    int64_t x = range.min;
    while ((x = next_threshold(pending, channel, range, x, &code)) <= range.max &&
           count < MAX_THRESHOLDS) {
        thresholds[count] = x;
        weights[count++] = lutra_pending_density(pending, channel, x) * (double)abs(code - before);
        before = code;
    }
    const int64_t half = (int64_t)1 << (dropped_bits - 1);
    int64_t best = 0;
    double best_cost = INFINITY;
    for (int64_t i = 0; i < 2 * half; i++) { /* 0, -1, 1, -2, ...: the smallest of equals wins */
        const int64_t offset = (i % 2 == 0) ? i / 2 : -((i + 1) / 2);
        double cost = 0.0;
        for (size_t k = 0; k < count; k++) {
            cost += weights[k] * (double)llabs(moved_by(thresholds[k], offset, dropped_bits));
        }
        if (cost < best_cost) {
            best_cost = cost;
            best = offset;
        }
    }
    return (int32_t)best;
}

void lutra_offsets_align(int32_t *offsets, const LutraPending *pending, uint32_t channels,
                         LutraRange range, uint32_t dropped_bits) {
    LUTRA_ASSERT(dropped_bits >= 1);
    for (uint32_t c = 0; c < channels; c++) {
        offsets[c] = align_channel(pending, c, range, dropped_bits);
    }
}

void lutra_offsets_centre(int32_t *offsets, const LutraPending *pending, uint32_t channels,
                          LutraRange range) {
    for (uint32_t c = 0; c < channels; c++) {
        int32_t code = lutra_pending_code(pending, c, range.min);
        const int64_t lowest = next_threshold(pending, c, range, range.min, &code);
        offsets[c] = 0;
        if (lowest > range.max) {
            continue;
        }
        int64_t highest = lowest;
        for (int64_t x = lowest; x <= range.max; x = next_threshold(pending, c, range, x, &code)) {
            highest = x;
        }
        /* Codes change between lowest - 1 and lowest, and between highest - 1 and highest: the
         * middle is (lowest + highest - 1) / 2, rounded down. */
        const int64_t twice = lowest + highest - 1;
        offsets[c] = (int32_t)-((twice - (((twice % 2) + 2) % 2)) / 2);
    }
}

bool lutra_offsets_wrap_is_right(const LutraPending *pending, const LutraTableDomain *domain,
                                 LutraRange range) {
    const int64_t low = lutra_encoding_min(domain->encoding);
    const int64_t high = lutra_encoding_max(domain->encoding);
    const int64_t size = high - low + 1;
    const int64_t unit = (int64_t)1 << domain->dropped_bits;
    if (range.min < low - size || range.max > high + size) {
        return false;
    }
    for (uint32_t c = 0; c < domain->channels; c++) {
        const int64_t offset = domain->offsets == NULL ? 0 : domain->offsets[c];
        for (int64_t b = range.min; b <= range.max; b++) {
            if (b >= low && b <= high) {
                b = high; /* the domain itself is right */
                continue;
            }
            const int64_t inside = b < low ? b + size : b - size;
            const int32_t wanted = lutra_pending_code(pending, c, (b * unit) - offset);
            const int32_t got = lutra_pending_code(pending, c, (inside * unit) - offset);
            if (wanted != -got) {
                return false;
            }
        }
    }
    return true;
}
