/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per-channel offsets before a rounding.
 *
 * Bucket b reads the sums x with b = floor((x + o + 2^(t-1)) / 2^t) and gives them the code of the
 * sum b * 2^t - o. Where no threshold of the channel's step function lies inside a bucket, that is
 * their own code.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
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

enum { MOST_OFFSETS_TRIED = 128 };

/* A measured density is smoothed by this share of the one that the norm suggests. */
static const double SUGGESTED_SHARE = 0.25;

/* One channel's codes and weights over the range, extended by a bucket on both sides. */
typedef struct {
    int64_t first; /* sum of index 0 */
    size_t count;
    int32_t *codes;
    double *weights;
} Channel;

static void fill_channel(Channel *line, const LutraPending *pending, uint32_t channel,
                         LutraRange range, const LutraHistogram *density) {
    double suggested = 0.0;
    double measured = 0.0;
    for (size_t i = 0; i < line->count; i++) {
        const int64_t x = line->first + (int64_t)i;
        const bool inside = x >= range.min && x <= range.max;
        line->codes[i] = lutra_pending_code(pending, channel, x);
        line->weights[i] = inside ? lutra_pending_density(pending, channel, x) : 0.0;
        suggested += line->weights[i];
    }
    if (density == NULL || density->channels == 0) {
        return;
    }
    const uint32_t *counts = density->counts + ((size_t)channel * density->bins);
    for (uint32_t i = 0; i < density->bins; i++) {
        measured += counts[i];
    }
    const double share = suggested > 0.0 ? SUGGESTED_SHARE * measured / suggested : 0.0;
    for (size_t i = 0; measured > 0.0 && i < line->count; i++) {
        const int64_t bin = line->first + (int64_t)i - density->first;
        line->weights[i] *= share;
        if (bin >= 0 && bin < density->bins) {
            line->weights[i] += counts[bin];
        }
    }
}

/* Sum of the weighted changes of codes that rounding with an offset makes. */
static double changed_codes(const Channel *line, LutraRange range, int64_t offset,
                            uint32_t dropped_bits) {
    const int64_t unit = (int64_t)1 << dropped_bits;
    double changed = 0.0;
    int64_t x = range.min;
    while (x <= range.max) {
        const int64_t shifted = x + offset + (unit / 2);
        const int64_t into = ((shifted % unit) + unit) % unit; /* place of x in its bucket */
        const int64_t stands_for = x - into + (unit / 2);      /* b * 2^t - o */
        const int32_t code = line->codes[stands_for - line->first];
        const int64_t end = x - into + unit < range.max + 1 ? x - into + unit : range.max + 1;
        for (; x < end; x++) {
            const size_t i = (size_t)(x - line->first);
            changed += line->weights[i] * (double)abs(line->codes[i] - code);
        }
    }
    return changed;
}

static int32_t align_channel(const Channel *line, LutraRange range, uint32_t dropped_bits) {
    const int64_t count = (int64_t)1 << dropped_bits;
    const int64_t step = count > MOST_OFFSETS_TRIED ? count / MOST_OFFSETS_TRIED : 1;
    int64_t best = 0;
    double best_changed = INFINITY;
    for (int64_t i = 0; i * step < count; i++) { /* 0, -1, 1, -2, ...: the smallest of equals */
        const int64_t offset = ((i % 2 == 0) ? i / 2 : -((i + 1) / 2)) * step;
        const double changed = changed_codes(line, range, offset, dropped_bits);
        if (changed < best_changed) {
            best_changed = changed;
            best = offset;
        }
    }
    return (int32_t)best;
}

LutraStatus lutra_offsets_align(int32_t *offsets, const LutraPending *pending, uint32_t channels,
                                LutraRange range, const LutraHistogram *density,
                                uint32_t dropped_bits, LutraError *error) {
    LUTRA_ASSERT(dropped_bits >= 1 && range.min <= range.max);
    const int64_t unit = (int64_t)1 << dropped_bits;
    Channel line = {.first = range.min - unit,
                    .count = (size_t)(range.max - range.min + 1 + (2 * unit))};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&line.codes, line.count, sizeof *line.codes, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&line.weights, line.count, sizeof *line.weights, error));
    for (uint32_t c = 0; c < channels; c++) {
        fill_channel(&line, pending, c, range, density);
        offsets[c] = align_channel(&line, range, dropped_bits);
    }
done:
    lutra_free(&line.weights);
    lutra_free(&line.codes);
    return status;
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
