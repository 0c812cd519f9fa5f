/* SPDX-License-Identifier: Apache-2.0 */
/* Laws of quantizers, lowered tables and parsed values over random input. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "quant/lower_priv.h"
#include "quant/network_values.h"
#include "tests/support/check.h"

enum { CASES = 400, POINTS = 300 };

static LutraQuantizer random_quantizer(LutraRandomKey key) {
    const int32_t max = 1 + (int32_t)lutra_random_below(key, 0, 127);
    const int32_t min = -(int32_t)lutra_random_below(key, 1, 129);
    const float step = (float)exp(3.0 * lutra_random_normal(key, 2));
    return (LutraQuantizer){min, max, step};
}

static void quantizing_twice_changes_nothing(void **state) {
    (void)state;
    for (uint32_t n = 0; n < CASES; n++) {
        const LutraRandomKey key = check_key(n);
        const LutraQuantizer quantizer = random_quantizer(key);
        for (int32_t code = quantizer.code_min; code <= quantizer.code_max; code++) {
            const float value = (float)code * quantizer.step;
            assert_int_equal(lutra_quantizer_code(&quantizer, value), code);
            assert_true(lutra_quantizer_passes(&quantizer, value));
        }
    }
}

static void codes_are_near_and_monotone(void **state) {
    (void)state;
    for (uint32_t n = 0; n < CASES; n++) {
        const LutraRandomKey key = check_key(n);
        const LutraQuantizer quantizer = random_quantizer(key);
        const double step = (double)quantizer.step;
        float before = -INFINITY;
        int32_t code_before = quantizer.code_min;
        for (uint64_t i = 0; i < POINTS; i++) {
            const double place = ((double)i - 150.0) + lutra_random_uniform(key, 10 + i);
            const float x = (float)(place * step);
            const int32_t code = lutra_quantizer_code(&quantizer, x);
            assert_true(code >= quantizer.code_min && code <= quantizer.code_max);
            assert_true(x >= before && code >= code_before);
            if (lutra_quantizer_passes(&quantizer, x)) {
                check_close((double)code, (double)x / step, 0.5 + 1e-4);
            }
            before = x;
            code_before = code;
        }
    }
}

static void weight_codes_return_within_half_a_step(void **state) {
    (void)state;
    for (uint32_t n = 0; n < CASES; n++) {
        const LutraRandomKey key = check_key(n);
        const int32_t max = 1 + (int32_t)lutra_random_below(key, 0, 127);
        const LutraWeightQuantizer quantizer = {-max, max, LUTRA_WEIGHT_SCALE_MAX};
        float weights[65];
        int8_t codes[65];
        int32_t largest = 0;
        for (uint64_t i = 0; i < 65; i++) {
            weights[i] = (float)lutra_random_normal(key, 1 + i);
        }
        const float scale = lutra_weight_scale(&quantizer, weights, 65);
        lutra_weight_codes(codes, &quantizer, weights, 65, scale);
        for (int i = 0; i < 65; i++) {
            check_close((double)codes[i] * (double)scale, (double)weights[i],
                        (0.5 + 1e-4) * (double)scale);
            largest = codes[i] > largest ? codes[i] : -codes[i] > largest ? -codes[i] : largest;
        }
        assert_int_equal(largest, max);
    }
}

/* Tables against the plain evaluation, for random channels, domains, rounding and offsets. */
static void tables_hold_the_expression_everywhere(void **state) {
    (void)state;
    for (uint32_t n = 0; n < CASES / 4; n++) {
        const LutraRandomKey key = check_key(n);
        float numbers[4][3];
        float bias[3];
        int32_t offsets[3];
        for (uint64_t c = 0; c < 3; c++) {
            numbers[0][c] = (float)lutra_random_normal(key, 10 + c);
            numbers[1][c] = (float)lutra_random_uniform(key, 20 + c);
            numbers[2][c] = c == 2 && n % 2 == 0 ? numbers[2][0] : (float)(c + 1);
            numbers[3][c] = (float)lutra_random_normal(key, 30 + c);
            bias[c] = (float)lutra_random_normal(key, 40 + c);
            offsets[c] = (int32_t)lutra_random_below(key, 50 + c, 17) - 8;
        }
        const LutraLayerParameters norm = {.running_mean = numbers[0],
                                           .running_variance = numbers[1],
                                           .gamma = numbers[2],
                                           .beta = numbers[3]};
        LutraPending pending = {.scale = (float)exp(lutra_random_normal(key, 1) - 3.0),
                                .bias = n % 3 == 0 ? bias : NULL,
                                .norm = n % 5 == 0 ? NULL : &norm,
                                .epsilon = 1e-4f,
                                .quantizer = {-3, 3, 0.4f}};
        const LutraTableDomain domain = {3,
                                         {1 + n % 10, n % 2 == 0},
                                         n % 4,
                                         n % 7 == 0 ? NULL : offsets};
        LutraTableOperation table = {0};
        LutraOperation holder = {.kind = LUTRA_OPERATION_TABLE};
        check_status(lutra_table_build(&table, &pending, &domain, NULL), LUTRA_OK, NULL);
        assert_int_equal(table.entry_count, 1u << domain.encoding.bits);
        for (uint32_t c = 0; c < 3; c++) {
            assert_true(table.table_of_channel[c] < table.table_count);
            for (uint32_t e = 0; e < table.entry_count; e++) {
                const int64_t bucket = table.first_input + (int64_t)e;
                const int64_t x = bucket * (1 << domain.dropped_bits) -
                                  (domain.offsets == NULL ? 0 : domain.offsets[c]);
                float z = (float)x * pending.scale;
                z = pending.bias == NULL ? z : z + bias[c];
                if (pending.norm != NULL) {
                    const float inverse = 1.0f / sqrtf(numbers[1][c] + 1e-4f);
                    z = ((z - numbers[0][c]) * inverse) * numbers[2][c] + numbers[3][c];
                }
                const float code = fminf(fmaxf(rintf(z / 0.4f), -3.0f), 3.0f);
                const size_t row = table.table_of_channel[c];
                assert_int_equal(table.entries[(row * table.entry_count) + e], (int32_t)code);
            }
        }
        for (uint32_t a = 0; a < table.table_count; a++) { /* no row twice */
            for (uint32_t b = 0; b < a; b++) {
                assert_memory_not_equal(table.entries + ((size_t)a * table.entry_count),
                                        table.entries + ((size_t)b * table.entry_count),
                                        table.entry_count * sizeof *table.entries);
            }
        }
        LutraCircuit circuit = {0};
        holder.u.table = table;
        check_status(lutra_alloc(&circuit.operations, 1, sizeof holder, NULL), LUTRA_OK, NULL);
        circuit.operations[0] = holder;
        circuit.operation_count = 1;
        lutra_circuit_deinit(&circuit);
    }
}

static void written_values_are_read_back(void **state) {
    (void)state;
    for (uint32_t n = 0; n < CASES; n++) {
        const LutraRandomKey key = check_key(n);
        char text[64];
        const uint32_t number = (uint32_t)lutra_random_below(key, 0, 100000);
        uint32_t read = 0;
        snprintf(text, sizeof text, "%u", number);
        assert_true(lutra_value_unsigned(&read, text, number, number));
        assert_int_equal(read, number);
        assert_false(lutra_value_unsigned(&read, text, number + 1, UINT32_MAX));
        const float real = (float)(lutra_random_normal(key, 1) * 100.0);
        float low = 0.0f;
        float high = 0.0f;
        snprintf(text, sizeof text, "%.9g..%.9g", (double)real, (double)real + 1000.0);
        assert_true(lutra_value_range(&low, &high, text));
        assert_true(low == real);
        const int32_t code = (int32_t)lutra_random_below(key, 2, 300) - 150;
        int32_t min = 0;
        int32_t max = 0;
        snprintf(text, sizeof text, "%d..%d", (int)code, (int)code + 7);
        assert_true(lutra_value_codes(&min, &max, text));
        assert_int_equal(min, code);
        assert_int_equal(max, code + 7);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantizing_twice_changes_nothing),
        cmocka_unit_test(codes_are_near_and_monotone),
        cmocka_unit_test(weight_codes_return_within_half_a_step),
        cmocka_unit_test(tables_hold_the_expression_everywhere),
        cmocka_unit_test(written_values_are_read_back),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("quantizer laws", tests, NULL, NULL);
}
