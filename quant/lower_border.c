/* SPDX-License-Identifier: Apache-2.0 */
/* Widths: the encoding of a group, and how many bits its last sum loses before the next table. */
#include "base/memory.h"
#include "quant/lowering_priv.h"

LutraOperation *lutra_lowering_last(LutraLowering *builder) {
    return &builder->circuit.operations[builder->circuit.operation_count - 1];
}

bool lutra_lowering_is_observed(const LutraOperation *operation) {
    return operation->observed_range.min <= operation->observed_range.max;
}

static LutraRange range_of(const LutraOperation *operation) {
    return lutra_lowering_is_observed(operation) ? operation->observed_range
                                                 : operation->static_range;
}

/* An empty range joins as nothing. */
static LutraRange join(LutraRange a, LutraRange b) {
    if (a.min > a.max || b.min > b.max) {
        return a.min > a.max ? b : a;
    }
    return (LutraRange){a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max};
}

static LutraRange rounded_range(LutraRange range, uint32_t dropped_bits, int32_t *offsets,
                                uint32_t channels) {
    const LutraOperation round = {.kind = LUTRA_OPERATION_ROUND,
                                  .shape = {channels, 1, 1},
                                  .u.round = {.dropped_bits = dropped_bits, .offsets = offsets}};
    return lutra_operation_static_range(&round, round.shape, &range);
}

/* The codes that open the group; entries that nothing reaches must be storable too. */
static LutraRange code_range(const LutraLowering *builder) {
    const LutraOperation *source = &builder->circuit.operations[builder->group_start];
    if (source->kind == LUTRA_OPERATION_TABLE) {
        const LutraRange all = {INT32_MIN, INT32_MAX};
        return lutra_operation_static_range(source, source->shape, &all);
    }
    return source->static_range;
}

/* All that the open group's values take: its codes and its sums. */
static LutraRange group_range(const LutraLowering *builder) {
    LutraRange range = code_range(builder);
    for (uint32_t i = builder->group_start + 1; i < builder->circuit.operation_count; i++) {
        const LutraOperation *operation = &builder->circuit.operations[i];
        range = join(range, range_of(operation));
    }
    return range;
}

void lutra_lowering_set_encoding(LutraLowering *builder, LutraEncoding encoding) {
    for (uint32_t i = builder->group_start; i < builder->circuit.operation_count; i++) {
        builder->circuit.operations[i].encoding = encoding;
    }
}

LutraEncoding lutra_lowering_encoding(const LutraLowering *builder) {
    const LutraRange range = group_range(builder);
    LutraEncoding encoding = lutra_encoding_of_range(range.min, range.max);
    if (builder->plan->ranges != NULL) {
        encoding.bits += builder->plan->extra_bits;
    }
    return encoding;
}

static uint32_t wanted_bits(const LutraLowering *builder) {
    const LutraLowerSettings *settings = &builder->plan->settings;
    if (settings->rounding_count == 0) {
        return LUTRA_ROUNDING_NONE;
    }
    return settings->rounding[settings->rounding_count == 1 ? 0 : builder->tables];
}

static LutraStatus centred_border(LutraBorder *border, LutraLowering *builder,
                                  const LutraOperation *sum) {
    const uint32_t channels = sum->shape.channels;
    const LutraRange seen = range_of(sum);
    lutra_offsets_centre(border->offsets, &builder->pending, channels, seen);
    const LutraRange shifted = rounded_range(seen, 0, border->offsets, channels);
    if (builder->plan->shift_only || builder->plan->centred == NULL) {
        const LutraRange both = join(group_range(builder), shifted);
        border->encoding = lutra_encoding_of_range(both.min, both.max);
        border->dropped_bits =
            builder->plan->shift_only
                ? 0
                : lutra_rounding_dropped_bits(border->encoding, wanted_bits(builder));
        return LUTRA_OK;
    }
    /* What the accumulator is before the offset may exceed the encoding: sums are exact modulo
     * 2^(p+1), and only the shifted value is read. The codes that enter must fit. */
    const LutraRange measured = builder->plan->centred[builder->plain]; /* of the table to come */
    const LutraRange codes = code_range(builder);
    const LutraRange held = join(measured, codes);
    border->encoding = lutra_encoding_of_range(held.min, held.max);
    border->dropped_bits = lutra_rounding_dropped_bits(border->encoding, wanted_bits(builder));
    LutraEncoding narrower = border->encoding;
    narrower.bits--;
    const uint32_t dropped = lutra_rounding_dropped_bits(narrower, wanted_bits(builder));
    const LutraTableDomain domain = {channels, {narrower.bits - dropped, true}, dropped,
                                     border->offsets};
    if (narrower.is_signed && narrower.bits > dropped + 1 &&
        lutra_encoding_holds(narrower, codes.min) && lutra_encoding_holds(narrower, codes.max) &&
        lutra_offsets_wrap_is_right(&builder->pending, &domain,
                                    rounded_range(measured, dropped, NULL, 1))) {
        border->encoding = narrower;
        border->dropped_bits = dropped;
    }
    return LUTRA_OK;
}

/* One bit more for a sum whose largest values round up beyond the buckets. */
static void protect(LutraBorder *border, const LutraLowering *builder, const LutraOperation *sum) {
    const LutraLowerPlan *plan = builder->plan;
    if (!plan->settings.overflow_protected || plan->narrow || plan->shift_only ||
        border->dropped_bits == 0 || border->encoding.bits >= LUTRA_MAX_VALUE_BITS) {
        return;
    }
    const LutraRange buckets =
        rounded_range(range_of(sum), border->dropped_bits, border->offsets, sum->shape.channels);
    LutraEncoding read = border->encoding;
    read.bits -= border->dropped_bits;
    if (!lutra_encoding_holds(read, buckets.min) || !lutra_encoding_holds(read, buckets.max)) {
        border->encoding.bits++;
    }
}

LutraStatus lutra_lowering_border(LutraBorder *border, LutraLowering *builder) {
    const LutraOperation *sum = lutra_lowering_last(builder);
    const uint32_t channels = sum->shape.channels;
    const LutraOffsetRule rule = builder->plan->settings.offsets;
    *border = (LutraBorder){.encoding = lutra_lowering_encoding(builder)};
    border->dropped_bits = lutra_rounding_dropped_bits(border->encoding, wanted_bits(builder));
    if (builder->plan->narrow && border->encoding.bits > LUTRA_MAX_TABLE_BITS) {
        border->dropped_bits = border->encoding.bits - LUTRA_CALIBRATION_BITS;
    }
    if (rule == LUTRA_OFFSETS_NONE ||
        (rule == LUTRA_OFFSETS_ALIGN && border->dropped_bits == 0)) {
        protect(border, builder, sum);
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_alloc(&border->offsets, channels, sizeof *border->offsets, builder->error));
    if (rule == LUTRA_OFFSETS_CENTRE) {
        const LutraBorder plain = *border;
        LUTRA_TRY(centred_border(border, builder, sum));
        if (!builder->plan->shift_only && border->encoding.bits >= plain.encoding.bits) {
            /* thresholds too far apart between channels: centring would only cost bits */
            lutra_free(&border->offsets);
            *border = (LutraBorder){plain.encoding, plain.dropped_bits, NULL};
        }
        return LUTRA_OK;
    }
    const LutraRange range = range_of(sum);
    const LutraHistogram *densities = builder->plan->densities;
    LUTRA_TRY(lutra_offsets_align(border->offsets, &builder->pending, channels, range,
                                  densities == NULL ? NULL : &densities[builder->plain],
                                  border->dropped_bits, builder->error));
    protect(border, builder, sum);
    return LUTRA_OK;
}
