/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizers: ties, windows, scales. */
#include <math.h>

#include "quant/quantizer.h"
#include "tests/support/check.h"

static void ties_go_to_even_before_the_clamp(void **state) {
    (void)state;
    const LutraQuantizer ternary = {-1, 1, 1.0f};
    static const struct {
        float x;
        int32_t code;
        bool passes;
    } cases[] = {
        {0.0f, 0, true},    {0.5f, 0, true},    {-0.5f, 0, true},   {0.50001f, 1, true},
        {-0.50001f, -1, true}, {1.0f, 1, true}, {1.49999f, 1, true}, {1.5f, 1, false},
        {-1.5f, -1, false}, {2.0f, 1, false},   {1e30f, 1, false},  {-INFINITY, -1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(lutra_quantizer_code(&ternary, cases[i].x), cases[i].code);
        assert_int_equal(lutra_quantizer_passes(&ternary, cases[i].x), cases[i].passes);
    }
    assert_int_equal(lutra_quantizer_code(&ternary, NAN), -1);
}

static void seven_levels_in_steps_of_a_third(void **state) {
    (void)state;
    const LutraQuantizer quantizer = {-3, 3, 1.0f / 3.0f};
    assert_int_equal(lutra_quantizer_code(&quantizer, 1.0f), 3);
    assert_int_equal(lutra_quantizer_code(&quantizer, 0.17f), 1);
    assert_int_equal(lutra_quantizer_code(&quantizer, 0.16f), 0);
    assert_true(lutra_quantizer_passes(&quantizer, 1.16f));
    assert_false(lutra_quantizer_passes(&quantizer, 1.17f));
}

/* The closed form of training.md: q = p - 128 + (p >= 128), at most 127. */
static void vgg9_pixels_have_their_closed_form(void **state) {
    (void)state;
    const LutraQuantizer quantizer = {-128, 127, 1.0f / 128.0f};
    for (int32_t p = 0; p < 256; p++) {
        const float x = -1.0f + ((float)p * 2.0f) / 255.0f;
        int32_t expected = p - 128 + (p >= 128);
        expected = expected > 127 ? 127 : expected;
        assert_int_equal(lutra_quantizer_code(&quantizer, x), expected);
    }
}

static void fixed_weights_are_rounded_and_clamped(void **state) {
    (void)state;
    const LutraWeightQuantizer quantizer = {-1, 1, LUTRA_WEIGHT_SCALE_FIXED};
    const float weights[8] = {-7.0f, -0.51f, -0.5f, 0.0f, 0.5f, 0.51f, 1.5f, NAN};
    const int8_t expected[8] = {-1, -1, 0, 0, 0, 1, 1, -1};
    int8_t codes[8];
    const float scale = lutra_weight_scale(&quantizer, weights, 7);
    check_close((double)scale, 1.0, 0.0);
    lutra_weight_codes(codes, &quantizer, weights, 8, scale);
    assert_memory_equal(codes, expected, sizeof codes);
}

static void scaled_weights_reach_the_largest_code(void **state) {
    (void)state;
    const LutraWeightQuantizer quantizer = {-7, 7, LUTRA_WEIGHT_SCALE_MAX};
    const float weights[5] = {-3.5f, 1.75f, 0.26f, 0.24f, 0.0f};
    const int8_t expected[5] = {-7, 4, 1, 0, 0}; /* 3.5 is a tie */
    int8_t codes[5];
    const float scale = lutra_weight_scale(&quantizer, weights, 5);
    check_close((double)scale, 0.5, 0.0);
    lutra_weight_codes(codes, &quantizer, weights, 5, scale);
    assert_memory_equal(codes, expected, sizeof codes);
}

static void zero_weights_have_scale_one(void **state) {
    (void)state;
    const LutraWeightQuantizer quantizer = {-7, 7, LUTRA_WEIGHT_SCALE_MAX};
    const float weights[2] = {0.0f, -0.0f};
    const float tiny[1] = {1e-45f};
    check_close((double)lutra_weight_scale(&quantizer, weights, 2), 1.0, 0.0);
    check_close((double)lutra_weight_scale(&quantizer, tiny, 1), 1.0, 0.0);
}

static void narrow_codes_cut_one_side(void **state) {
    (void)state;
    const LutraWeightQuantizer quantizer = {-2, 3, LUTRA_WEIGHT_SCALE_MAX};
    const float weights[2] = {-3.0f, 3.0f};
    int8_t codes[2];
    lutra_weight_codes(codes, &quantizer, weights, 2, 1.0f);
    assert_int_equal(codes[0], -2);
    assert_int_equal(codes[1], 3);
}

static void accumulator_scale_multiplies_then_divides(void **state) {
    (void)state;
    const float step = 1.0f / 3.0f;
    const float scale = 0.07f;
    const float expected = (step * scale) / 9.0f;
    assert_true(lutra_accumulator_scale(step, scale, 9) == expected);
    /* and folding one pool after the other with scale 1 gives the same bits */
    const float folded = lutra_accumulator_scale(lutra_accumulator_scale(step, scale, 1), 1.0f, 9);
    assert_true(folded == expected);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_go_to_even_before_the_clamp),
        cmocka_unit_test(seven_levels_in_steps_of_a_third),
        cmocka_unit_test(vgg9_pixels_have_their_closed_form),
        cmocka_unit_test(fixed_weights_are_rounded_and_clamped),
        cmocka_unit_test(scaled_weights_reach_the_largest_code),
        cmocka_unit_test(zero_weights_have_scale_one),
        cmocka_unit_test(narrow_codes_cut_one_side),
        cmocka_unit_test(accumulator_scale_multiplies_then_divides),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("quantizer", tests, NULL, NULL);
}
