/* SPDX-License-Identifier: Apache-2.0 */
/* Fast clear execution equals the reference operations on random circuits: logits and statistics,
 * for every set of instructions. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/simulate.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static uint32_t cases(void) {
    const char *const text = getenv("LUTRA_TEST_ITERS");
    const long scale = text == NULL ? 1 : strtol(text, NULL, 10);
    return 150u * (scale > 0 ? (uint32_t)scale : 1u);
}

/** Statistics of one image by definition. */
static void define_statistics(LutraOperationStatistics *statistics, const LutraCircuit *circuit,
                              const LutraImageValues *values) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const size_t count = lutra_shape_elements(op->shape);
        LutraOperationStatistics *const s = &statistics[i];
        const bool codes =
            op->kind == LUTRA_OPERATION_INPUT || op->kind == LUTRA_OPERATION_TABLE;
        s->elements += count;
        for (size_t e = 0; e < count; e++) {
            const int64_t y = values->values[i][e];
            s->min = y < s->min ? y : s->min;
            s->max = y > s->max ? y : s->max;
            s->zeros += codes && y == 0;
            s->outside_observed +=
                op->observed_range.min <= op->observed_range.max &&
                (y < op->observed_range.min || y > op->observed_range.max);
            if (op->kind == LUTRA_OPERATION_TABLE || op->kind == LUTRA_OPERATION_OUTPUT) {
                const LutraOperation *const x = &circuit->operations[op->inputs[0]];
                const int64_t input = values->values[op->inputs[0]][e];
                s->out_of_range += input < lutra_encoding_min(x->encoding) ||
                                   input > lutra_encoding_max(x->encoding);
            }
        }
    }
}

static void check_statistics(const LutraOperationStatistics *actual,
                             const LutraOperationStatistics *expected,
                             const LutraCircuit *circuit, uint32_t case_number) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (memcmp(&actual[i], &expected[i], sizeof actual[i]) != 0) {
            fail_msg("case %u, '%s': elements %ld %ld, min %ld %ld, max %ld %ld, zeros %ld %ld, "
                     "out of range %ld %ld, unobserved %ld %ld",
                     case_number, circuit->operations[i].name, (long)actual[i].elements,
                     (long)expected[i].elements, (long)actual[i].min, (long)expected[i].min,
                     (long)actual[i].max, (long)expected[i].max, (long)actual[i].zeros,
                     (long)expected[i].zeros, (long)actual[i].out_of_range,
                     (long)expected[i].out_of_range, (long)actual[i].outside_observed,
                     (long)expected[i].outside_observed);
        }
    }
}

/** What an observer has to see: the reference's values, every pixel once and in order. */
typedef struct {
    const LutraCircuit *circuit;
    const LutraImageValues *values;
    uint32_t case_number;
    size_t seen[64]; /* pixels of each operation */
} Watch;

static void watch(void *user, uint32_t operation, size_t pixel, const int32_t *values) {
    Watch *const expected = user;
    const LutraShape shape = expected->circuit->operations[operation].shape;
    const size_t plane = (size_t)shape.height * shape.width;
    assert_int_equal(pixel, expected->seen[operation]);
    expected->seen[operation]++;
    for (size_t c = 0; c < shape.channels; c++) {
        if (values[c] != expected->values->values[operation][c * plane + pixel]) {
            fail_msg("case %u: operation %u, pixel %zu, channel %zu", expected->case_number,
                     operation, pixel, c);
        }
    }
}

/** Only a rounding may be missing, and only if one table alone reads it; unwanted ones are. */
static void check_watch(const Watch *watched, const bool *wanted) {
    const LutraCircuit *const circuit = watched->circuit;
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const size_t pixels = wanted[i] ? (size_t)op->shape.height * op->shape.width : 0;
        uint32_t tables = 0;
        uint32_t readers = 0;
        for (uint32_t r = i + 1; r < circuit->operation_count; r++) {
            for (uint32_t x = 0; x < circuit->operations[r].input_count; x++) {
                const bool reads = circuit->operations[r].inputs[x] == i;
                readers += reads;
                tables += reads && circuit->operations[r].kind == LUTRA_OPERATION_TABLE;
            }
        }
        const bool hidden = op->kind == LUTRA_OPERATION_ROUND && readers == 1 && tables == 1;
        assert_int_equal(watched->seen[i], hidden ? 0 : pixels);
    }
    assert_int_equal(watched->seen[circuit->operation_count - 1], 0);
}

static void compare(const LutraCircuit *circuit, uint32_t case_number, uint32_t cpu_flags) {
    enum { IMAGES = 3 };
    LutraError error = {""};
    LutraClearProgram *program = NULL;
    uint8_t *pixels = circuit_random_pixels(circuit, check_key(case_number + 1000000), IMAGES);
    const size_t pixels_per_image = lutra_shape_elements(circuit->operations[0].shape);
    LutraOperationStatistics actual[64];
    LutraOperationStatistics expected[64];
    float logits[128];
    assert_true(circuit->class_count <= 128);
    for (size_t i = 0; i < 64; i++) {
        actual[i] = lutra_operation_statistics_empty();
        expected[i] = lutra_operation_statistics_empty();
    }
    check_status(lutra_clear_program_create(&program, circuit, cpu_flags, &error), LUTRA_OK,
                 &error);
    for (size_t image = 0; image < IMAGES; image++) {
        LutraImageValues values;
        CheckBuffer scratch;
        /* 64-byte alignment as lutra_alloc gives it, guards on both sides */
        check_buffer_init(&scratch, lutra_clear_scratch_bytes(program) + 64, 0);
        uint8_t *const aligned =
            scratch.data + (64 - (uintptr_t)scratch.data % 64) % 64;
        memset(scratch.data, (int)(0x5A + image), scratch.bytes);
        check_status(lutra_simulate_image_values(&values, circuit,
                                                 pixels + image * pixels_per_image, &error),
                     LUTRA_OK, &error);
        if (image == 1) {
            bool wanted[64];
            for (uint32_t i = 0; i < 64; i++) {
                wanted[i] = (i + case_number) % 5 != 0;
            }
            Watch watched = {.circuit = circuit, .values = &values, .case_number = case_number};
            const LutraClearObserver observer = {watch, &watched, wanted};
            lutra_clear_run_observed(program, logits, actual, pixels + image * pixels_per_image,
                                     aligned, &observer);
            check_watch(&watched, wanted);
        } else {
            lutra_clear_run(program, logits, actual, pixels + image * pixels_per_image, aligned);
        }
        define_statistics(expected, circuit, &values);
        for (uint8_t *end = aligned + lutra_clear_scratch_bytes(program);
             end < scratch.data + scratch.bytes; end++) {
            assert_int_equal(*end, 0x5A + image);
        }
        check_buffer_done(&scratch);
        if (memcmp(logits, values.logits, circuit->class_count * sizeof(float)) != 0) {
            fail_msg("case %u: logits differ", case_number);
        }
        lutra_image_values_deinit(&values);
    }
    check_statistics(actual, expected, circuit, case_number);
    lutra_clear_program_destroy(&program);
    lutra_free(&pixels);
}

static void run_style(CircuitStyle style) {
    static const uint32_t masks[] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};
    for (uint32_t i = 0; i < cases(); i++) {
        LutraCircuit circuit;
        const uint32_t number = i * CIRCUIT_STYLES + (uint32_t)style;
        circuit_random(&circuit, check_key(number), style);
        for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
            compare(&circuit, number, masks[m]);
        }
        lutra_circuit_deinit(&circuit);
    }
}

static void ternary_circuits_equal_the_reference(void **state) {
    (void)state;
    run_style(CIRCUIT_TERNARY);
}

static void small_circuits_equal_the_reference(void **state) {
    (void)state;
    run_style(CIRCUIT_SMALL);
}

static void wide_circuits_equal_the_reference(void **state) {
    (void)state;
    run_style(CIRCUIT_WIDE);
}

static void vgg9_equals_the_reference(void **state) {
    (void)state;
    for (uint32_t rounded = 0; rounded < 2; rounded++) {
        LutraCircuit circuit;
        circuit_vgg9(&circuit, check_key(5), rounded == 1);
        compare(&circuit, 77 + rounded, LUTRA_CPU_ALL);
        lutra_circuit_deinit(&circuit);
    }
}

/* Sums that linear layers read without a table between: too wide for all but the general loops. */
static void sums_of_sums_equal_the_reference(void **state) {
    (void)state;
    static const uint32_t masks[] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};
    for (uint32_t i = 0; i < cases(); i++) {
        CircuitBuilder builder;
        LutraCircuit circuit;
        builder_start(&builder, check_key(3000000 + i), CIRCUIT_WIDE);
        const LutraShape shape = {.channels = (uint32_t)builder_draw(&builder, 1, 3),
                                  .height = (uint32_t)builder_draw(&builder, 4, 9),
                                  .width = (uint32_t)builder_draw(&builder, 4, 9)};
        uint32_t x = builder_input(&builder, shape, (LutraEncoding){31, true}, -128, 127);
        x = builder_conv(&builder, x, (uint32_t)builder_draw(&builder, 1, 5),
                         (uint32_t)builder_draw(&builder, 2, 3), 1,
                         (uint32_t)builder_draw(&builder, 0, 1));
        builder.style = CIRCUIT_TERNARY; /* or results would leave 32 bits */
        x = builder_conv(&builder, x, (uint32_t)builder_draw(&builder, 1, 3), 2,
                         (uint32_t)builder_draw(&builder, 1, 2), 0);
        x = builder_sum_pool(&builder, x, 1, 1);
        (void)builder_output(&builder, builder_linear(&builder, x, 3), 0);
        builder_finish(&builder, &circuit);
        for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
            compare(&circuit, 3000000 + i, masks[m]);
        }
        lutra_circuit_deinit(&circuit);
    }
}

enum { SUM_INPUTS = 1600, SUM_OUTPUTS = 16, SUM_CODE = 31 };

/** One linear layer on 5-bit codes; output o has a share of o / 30 of weights of the rare sign. */
static void build_sums(LutraCircuit *circuit, LutraRandomKey key, bool mostly_positive) {
    CircuitBuilder builder;
    builder_start(&builder, key, CIRCUIT_SMALL);
    const LutraEncoding encoding = {.bits = 20, .is_signed = true};
    uint32_t x = builder_input(&builder, (LutraShape){1, 40, 40}, encoding, 0, SUM_CODE);
    int16_t *const codes = builder.circuit.operations[x].u.input.code_of_pixel;
    for (int16_t pixel = 0; pixel < 256; pixel++) {
        codes[pixel] = pixel / 8;
    }
    x = builder_linear(&builder, x, SUM_OUTPUTS);
    LutraOperation *const linear = &builder.circuit.operations[x];
    const int64_t largest = builder_draw(&builder, 1, 15);
    for (size_t i = 0; i < (size_t)SUM_OUTPUTS * SUM_INPUTS; i++) {
        const int8_t weight = (int8_t)builder_draw(&builder, builder_draw(&builder, 0, largest),
                                                   largest);
        const bool rare = builder_draw(&builder, 1, 30) <= (int64_t)(i / SUM_INPUTS);
        const bool positive = rare != mostly_positive;
        linear->u.linear.weights[i] = (int8_t)(positive ? weight : -weight);
    }
    const LutraRange input = builder.circuit.operations[0].static_range;
    linear->static_range =
        lutra_operation_static_range(linear, builder.circuit.operations[0].shape, &input);
    (void)builder_output(&builder, x, 0);
    builder_finish(&builder, circuit);
}

/* The images that give each output the largest and the smallest sum: narrow sums must not overflow
 * between two widenings. */
static void largest_byte_sums_equal_the_reference(void **state) {
    (void)state;
    static const uint32_t masks[] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};
    for (uint32_t i = 0; i < 4 * SUM_OUTPUTS; i++) {
        LutraCircuit circuit;
        build_sums(&circuit, check_key(2000000 + i), i / SUM_OUTPUTS % 2 == 0);
        const int8_t *const weights =
            circuit.operations[1].u.linear.weights + (size_t)(i % SUM_OUTPUTS) * SUM_INPUTS;
        for (uint32_t sign = 0; sign < 2; sign++) {
            uint8_t pixels[SUM_INPUTS];
            LutraImageValues values;
            for (size_t p = 0; p < SUM_INPUTS; p++) {
                pixels[p] = (weights[p] > 0) == (sign == 0) ? 255 : 0;
            }
            check_status(lutra_simulate_image_values(&values, &circuit, pixels, NULL), LUTRA_OK,
                         NULL);
            for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
                LutraClearProgram *program = NULL;
                void *scratch = NULL;
                float logits[SUM_OUTPUTS];
                LutraOperationStatistics statistics[3];
                check_status(lutra_clear_program_create(&program, &circuit, masks[m], NULL),
                             LUTRA_OK, NULL);
                check_status(lutra_alloc(&scratch, lutra_clear_scratch_bytes(program), 1, NULL),
                             LUTRA_OK, NULL);
                memset(statistics, 0, sizeof statistics);
                lutra_clear_run(program, logits, statistics, pixels, scratch);
                if (memcmp(logits, values.logits, sizeof logits) != 0) {
                    fail_msg("case %u, mask %u: sums differ", i, masks[m]);
                }
                lutra_free(&scratch);
                lutra_clear_program_destroy(&program);
            }
            lutra_image_values_deinit(&values);
        }
        lutra_circuit_deinit(&circuit);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ternary_circuits_equal_the_reference),
        cmocka_unit_test(small_circuits_equal_the_reference),
        cmocka_unit_test(wide_circuits_equal_the_reference),
        cmocka_unit_test(vgg9_equals_the_reference),
        cmocka_unit_test(sums_of_sums_equal_the_reference),
        cmocka_unit_test(largest_byte_sums_equal_the_reference),
    };
    return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
