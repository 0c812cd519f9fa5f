/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sliced_circuits.h"

/** A table of few changes, rising, falling or neither, in every channel. */
static uint32_t few_changes(CircuitBuilder *builder, uint32_t x, LutraEncoding encoding,
                            int64_t min, int64_t max) {
    const uint32_t y = builder_table(builder, x, encoding, min, max, true);
    LutraTableOperation *const table = &builder->circuit.operations[y].u.table;
    for (uint32_t t = 0; t < table->table_count; t++) {
        int32_t *const row = table->entries + (size_t)t * table->entry_count;
        int32_t entry = (int32_t)builder_draw(builder, min, max);
        const int64_t changes = builder_draw(builder, 0, 8);
        for (uint32_t i = 0; i < table->entry_count; i++) {
            if (builder_draw(builder, 0, table->entry_count) <= changes) {
                entry = (int32_t)builder_draw(builder, min, max);
            }
            row[i] = entry;
        }
    }
    builder->circuit.operations[y].static_range = (LutraRange){min, max};
    return y;
}

static uint32_t draw_window(CircuitBuilder *builder, uint32_t x) {
    static const uint32_t channels[] = {1, 2, 3, 7, 16, 33};
    const LutraShape in = builder->circuit.operations[x].shape;
    const uint32_t smallest = in.height < in.width ? in.height : in.width;
    const uint32_t kernel = (uint32_t)builder_draw(builder, 1, smallest < 4 ? smallest : 4);
    const uint32_t stride = (uint32_t)builder_draw(builder, 1, 3);
    const uint32_t outputs = channels[builder_draw(builder, 0, 5)];
    switch (builder_draw(builder, 0, 6)) {
        case 0: return builder_sum_pool(builder, x, kernel, stride);
        case 1: return builder_linear(builder, x, outputs);
        case 2: return builder_add(builder, builder_conv(builder, x, in.channels, 3, 1, 1), x);
        case 3: return x;
        default: break;
    }
    const uint32_t padding = (uint32_t)builder_draw(builder, 0, kernel - 1);
    return builder_conv(builder, x, outputs, kernel, stride, padding);
}

/** Other draws from here on, if this is the place. */
static void maybe_part(CircuitBuilder *builder, const SlicedParting *parting, uint32_t *place) {
    if (parting != NULL && (*place)++ == parting->place) {
        builder->key = parting->key;
    }
}

void sliced_circuit(LutraCircuit *circuit, LutraRandomKey key, const SlicedParting *parting) {
    CircuitBuilder builder;
    uint32_t place = 0;
    builder_start(&builder, key, CIRCUIT_TERNARY);
    const uint32_t input_bits = (uint32_t)builder_draw(&builder, 1, 9);
    const LutraEncoding codes = {.bits = 12, .is_signed = true};
    const int64_t low = -builder_draw(&builder, 0, (INT64_C(1) << input_bits) - 1);
    const LutraShape shape = {.channels = (uint32_t)builder_draw(&builder, 1, 5),
                              .height = (uint32_t)builder_draw(&builder, 1, 9),
                              .width = (uint32_t)builder_draw(&builder, 1, 9)};
    uint32_t x = builder_input(&builder, shape, codes, low, low + (1 << input_bits) - 1);
    const int64_t depth = builder_draw(&builder, 0, 4);
    for (int64_t i = 0; i < depth; i++) {
        maybe_part(&builder, parting, &place);
        uint32_t y = draw_window(&builder, x);
        maybe_part(&builder, parting, &place);
        const uint32_t bits = builder.circuit.operations[y].encoding.bits;
        if (builder_draw(&builder, 0, 2) > 0) {
            y = builder_round(&builder, y, (uint32_t)builder_draw(&builder, 0, bits - 1),
                              builder_draw(&builder, 0, 1) == 1);
        }
        maybe_part(&builder, parting, &place);
        /* mostly ternary codes; the encoding is sometimes too narrow for what follows */
        const bool ternary = builder_draw(&builder, 0, 2) > 0;
        const int64_t min = ternary ? -1 : -builder_draw(&builder, -2, 6);
        const int64_t max = ternary ? 1 : min + builder_draw(&builder, 0, 8);
        const LutraEncoding next = {.bits = (uint32_t)builder_draw(&builder, 5, 12),
                                    .is_signed = true};
        const uint32_t after = few_changes(&builder, y, next, min, max);
        const LutraOperationKind kind = builder.circuit.operations[x].kind;
        const bool fits = lutra_shape_equal(builder.circuit.operations[x].shape,
                                            builder.circuit.operations[after].shape) &&
                          builder.circuit.operations[x].encoding.bits == next.bits &&
                          kind == LUTRA_OPERATION_TABLE;
        x = fits ? builder_add(&builder, after, x) : after;
    }
    const uint32_t classes = (uint32_t)builder_draw(&builder, 1, 20);
    maybe_part(&builder, parting, &place);
    x = builder_linear(&builder, x, classes);
    maybe_part(&builder, parting, &place);
    (void)builder_output(&builder, x, (uint32_t)builder_draw(&builder, 0, 2));
    builder_finish(&builder, circuit);
}
