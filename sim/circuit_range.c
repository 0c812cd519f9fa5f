/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of results from weights, codes and table entries alone. */
#include "sim/operations.h"

/* Bounds stop here: sums of 2^26 products of a 2^31 value and a 2^7 weight could wrap. */
static const int64_t RANGE_LIMIT = INT64_C(1) << 62;

static int64_t limited(int64_t value) {
    return value > RANGE_LIMIT ? RANGE_LIMIT : value < -RANGE_LIMIT ? -RANGE_LIMIT : value;
}

/** Sums of the weights of one row above and below 0. */
typedef struct {
    int64_t above;
    int64_t below;
} RowSums;

static RowSums row_sums(const int8_t *weights, size_t count) {
    enum { PART = 1 << 20 }; /* int32 sums of so many weights cannot overflow */
    RowSums sums = {0};
    for (size_t first = 0; first < count; first += PART) {
        const size_t end = count - first < PART ? count : first + PART;
        int32_t all = 0;
        int32_t above = 0;
        for (size_t i = first; i < end; i++) {
            const int32_t w = weights[i];
            all += w;
            above += w > 0 ? w : 0;
        }
        sums.above += above;
        sums.below += all - above;
    }
    return sums;
}

/** Whether |sum * x| stays within half the limit, so that two of them can be added. */
static bool product_fits(int64_t sum, int64_t x) {
    const int64_t size = sum < 0 ? -sum : sum;
    const int64_t limit = size == 0 ? INT64_MAX : RANGE_LIMIT / 2 / size;
    return x >= -limit && x <= limit;
}

/** Hull over rows of weights of the range of one dot product. */
static LutraRange dot_range(const int8_t *weights, size_t rows, size_t columns, LutraRange x) {
    LutraRange hull = {.min = INT64_MAX, .max = INT64_MIN};
    for (size_t r = 0; r < rows; r++) {
        const RowSums sums = row_sums(weights + r * columns, columns);
        LutraRange sum = {.min = -RANGE_LIMIT, .max = RANGE_LIMIT};
        if (product_fits(sums.above, x.min) && product_fits(sums.above, x.max) &&
            product_fits(sums.below, x.min) && product_fits(sums.below, x.max)) {
            sum.min = sums.above * x.min + sums.below * x.max;
            sum.max = sums.above * x.max + sums.below * x.min;
        }
        hull.min = sum.min < hull.min ? sum.min : hull.min;
        hull.max = sum.max > hull.max ? sum.max : hull.max;
    }
    return hull;
}

static LutraRange input_range(const LutraInputOperation *input, uint32_t channels) {
    LutraRange range = {.min = INT64_MAX, .max = INT64_MIN};
    for (size_t i = 0; i < (size_t)channels * 256; i++) {
        const int64_t code = input->code_of_pixel[i];
        range.min = code < range.min ? code : range.min;
        range.max = code > range.max ? code : range.max;
    }
    return range;
}

static LutraRange round_range(const LutraRoundOperation *round, uint32_t channels, LutraRange x) {
    LutraRange offsets = {0};
    for (uint32_t c = 0; round->offsets != NULL && c < channels; c++) {
        const int64_t offset = round->offsets[c];
        offsets.min = c == 0 || offset < offsets.min ? offset : offsets.min;
        offsets.max = c == 0 || offset > offsets.max ? offset : offsets.max;
    }
    return (LutraRange){.min = lutra_round_half_up(x.min + offsets.min, round->dropped_bits),
                        .max = lutra_round_half_up(x.max + offsets.max, round->dropped_bits)};
}

static LutraRange table_range(const LutraTableOperation *table, LutraRange x) {
    const int64_t last = (int64_t)table->entry_count - 1;
    int64_t from = x.min - table->first_input;
    int64_t to = x.max - table->first_input;
    from = from < 0 ? 0 : from > last ? last : from;
    to = to < 0 ? 0 : to > last ? last : to;
    int32_t min = INT32_MAX;
    int32_t max = INT32_MIN;
    for (size_t t = 0; t < table->table_count; t++) {
        const int32_t *const row = table->entries + t * table->entry_count;
        for (size_t i = (size_t)from; i <= (size_t)to; i++) {
            min = row[i] < min ? row[i] : min;
            max = row[i] > max ? row[i] : max;
        }
    }
    return (LutraRange){.min = min, .max = max};
}

LutraRange lutra_operation_static_range(const LutraOperation *operation, LutraShape x_shape,
                                        const LutraRange *inputs) {
    const uint32_t channels = operation->shape.channels;
    switch (operation->kind) {
        case LUTRA_OPERATION_INPUT: return input_range(&operation->u.input, channels);
        case LUTRA_OPERATION_LINEAR:
            return dot_range(operation->u.linear.weights, channels, operation->u.linear.in_features,
                             inputs[0]);
        case LUTRA_OPERATION_CONV: {
            const LutraConvOperation *const conv = &operation->u.conv;
            LutraRange x = inputs[0];
            if (conv->padding > 0) {
                x.min = x.min > 0 ? 0 : x.min;
                x.max = x.max < 0 ? 0 : x.max;
            }
            return dot_range(conv->weights, channels,
                             (size_t)x_shape.channels * conv->kernel * conv->kernel, x);
        }
        case LUTRA_OPERATION_SUM_POOL: {
            const int64_t window =
                (int64_t)operation->u.sum_pool.kernel * operation->u.sum_pool.kernel;
            return (LutraRange){.min = limited(window * inputs[0].min),
                                .max = limited(window * inputs[0].max)};
        }
        case LUTRA_OPERATION_ADD:
            return (LutraRange){.min = limited(inputs[0].min + inputs[1].min),
                                .max = limited(inputs[0].max + inputs[1].max)};
        case LUTRA_OPERATION_ROUND: return round_range(&operation->u.round, channels, inputs[0]);
        case LUTRA_OPERATION_TABLE: return table_range(&operation->u.table, inputs[0]);
        case LUTRA_OPERATION_OUTPUT: return inputs[0];
    }
    LUTRA_ASSERT(!"a known kind");
    return inputs[0];
}
