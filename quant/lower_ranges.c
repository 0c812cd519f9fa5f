/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of results from weights and codes alone. Sums stay far below 2^62: at most 2^28 weights of
 * 7 bits times values of 31 bits. */
#include "quant/lower_priv.h"

static const LutraRange EMPTY = {1, 0};

static void widen(LutraRange *range, int64_t value) {
    if (range->min > range->max) {
        *range = (LutraRange){value, value};
        return;
    }
    range->min = value < range->min ? value : range->min;
    range->max = value > range->max ? value : range->max;
}

LutraRange lutra_range_join(LutraRange a, LutraRange b) {
    if (b.min <= b.max) {
        widen(&a, b.min);
        widen(&a, b.max);
    }
    return a;
}

LutraRange lutra_range_of_input(const LutraInputOperation *input, uint32_t channels) {
    LutraRange range = EMPTY;
    for (size_t i = 0; i < (size_t)channels * 256; i++) {
        widen(&range, input->code_of_pixel[i]);
    }
    return range;
}

LutraRange lutra_range_of_weights(const int8_t *weights, size_t outputs, size_t per_output,
                                  LutraRange in) {
    LutraRange range = EMPTY;
    for (size_t o = 0; o < outputs; o++) {
        int64_t positive = 0;
        int64_t negative = 0;
        for (size_t i = 0; i < per_output; i++) {
            const int8_t weight = weights[(o * per_output) + i];
            if (weight > 0) {
                positive += weight;
            } else {
                negative += weight;
            }
        }
        widen(&range, (positive * in.min) + (negative * in.max));
        widen(&range, (positive * in.max) + (negative * in.min));
    }
    return range;
}

LutraRange lutra_range_of_round(const LutraRoundOperation *round, uint32_t channels,
                                LutraRange in) {
    LutraRange range = EMPTY;
    const int64_t unit = (int64_t)1 << round->dropped_bits;
    for (uint32_t c = 0; c < channels; c++) {
        const int64_t shift = (round->offsets == NULL ? 0 : round->offsets[c]) + (unit / 2);
        const int64_t ends[2] = {in.min + shift, in.max + shift};
        for (int i = 0; i < 2; i++) { /* floor, for negative values too */
            const int64_t remainder = ((ends[i] % unit) + unit) % unit;
            widen(&range, (ends[i] - remainder) / unit);
        }
    }
    return range;
}

LutraRange lutra_range_of_table(const LutraTableOperation *table, LutraRange in) {
    LutraRange range = EMPTY;
    const int64_t last = (int64_t)table->entry_count - 1;
    int64_t from = in.min - table->first_input;
    int64_t to = in.max - table->first_input;
    from = from < 0 ? 0 : from > last ? last : from;
    to = to < 0 ? 0 : to > last ? last : to;
    for (size_t row = 0; row < table->table_count; row++) {
        const int32_t *entries = table->entries + (row * table->entry_count);
        for (int64_t i = from; i <= to; i++) {
            widen(&range, entries[i]);
        }
    }
    return range;
}
