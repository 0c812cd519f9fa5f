/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/torus_encoding.h"

#include "sim/operations.h"
#include "sim/torus_rounding.h"
#include "tests/support/check.h"

static const LutraEncoding unsigned7 = {7, false};
static const LutraEncoding signed7 = {7, true};

static int64_t through(int64_t value, LutraEncoding encoding) {
    return lutra_word_decode(lutra_word_encode(value, encoding.bits), encoding);
}

static void values_in_range_come_back(void **state) {
    (void)state;
    for (uint32_t bits = 1; bits <= 12; bits++) {
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            const LutraEncoding encoding = {bits, is_signed != 0};
            for (int64_t v = lutra_encoding_min(encoding); v <= lutra_encoding_max(encoding); v++) {
                assert_int_equal(through(v, encoding), v);
            }
        }
    }
    const LutraEncoding widest = {31, true};
    assert_int_equal(through(-(INT64_C(1) << 30), widest), -(INT64_C(1) << 30));
    assert_int_equal(through((INT64_C(1) << 30) - 1, widest), (INT64_C(1) << 30) - 1);
}

/* What published simulations of 7-bit sums and products give. */
static void overflow_shows_the_padding_bit_or_wraps(void **state) {
    (void)state;
    assert_int_equal(through(120 + 30, unsigned7), 150);
    assert_int_equal(through(4 - 7, unsigned7), 253);
    assert_int_equal(through(11 - 18, unsigned7), 249);
    assert_int_equal(through((5 - 10) * 10, unsigned7), 206);
    assert_int_equal(through(-60 - 20, signed7), -80);
    assert_int_equal(through(60 + 20, signed7), -48);
    assert_int_equal(through(81 + 73, signed7), -102);
    assert_int_equal(through(5 * -33 * 1, signed7), -37);
    assert_int_equal(through(-33 * -5, signed7), -91);
}

static void noise_below_half_a_step_is_rounded_away(void **state) {
    (void)state;
    const uint64_t half = UINT64_C(1) << 55; /* half a 7-bit step */
    const uint64_t word = lutra_word_encode(-5, 7);
    assert_int_equal(lutra_word_decode(word + half - 1, signed7), -5);
    assert_int_equal(lutra_word_decode(word + half, signed7), -4);
    assert_int_equal(lutra_word_decode(word - half, signed7), -5);
    assert_int_equal(lutra_word_decode(word - half - 1, signed7), -6);
    assert_int_equal(lutra_word_decode((uint64_t)0 - half, unsigned7), 0);
    check_close(lutra_word_deviation(word + half, -5, 7), 1.0 / 512, 0.0);
    check_close(lutra_word_deviation(word - half, -5, 7), -1.0 / 512, 0.0);
}

/* Viewed with fewer bits, the shifted word decodes to the rounded value, for every x, as long as
 * the noise stays below half a step of the finest digit. */
static void approximate_rounding_is_rounding_at_decoding(void **state) {
    (void)state;
    for (uint32_t bits = 2; bits <= 9; bits++) {
        for (uint32_t dropped = 0; dropped < bits; dropped++) {
            int32_t offset = 1;
            const LutraRoundOperation round = {.dropped_bits = dropped, .offsets = &offset};
            const LutraEncoding kept = {bits - dropped, true};
            const uint64_t constant = lutra_word_round_constant(&round, 0, bits);
            const uint64_t jitter = (UINT64_C(1) << (62 - bits)) - 3;
            for (int64_t x = -(1 << (bits - 1)); x < (1 << (bits - 1)); x++) {
                const uint64_t word = lutra_word_encode(x, bits) + constant;
                const int64_t rounded = lutra_round_half_up(x + offset, dropped);
                assert_int_equal(lutra_word_decode(word, kept), through(rounded, kept));
                assert_int_equal(lutra_word_decode(word + jitter, kept), through(rounded, kept));
                assert_int_equal(lutra_word_decode(word - jitter, kept), through(rounded, kept));
            }
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_range_come_back),
        cmocka_unit_test(overflow_shows_the_padding_bit_or_wraps),
        cmocka_unit_test(noise_below_half_a_step_is_rounded_away),
        cmocka_unit_test(approximate_rounding_is_rounding_at_decoding),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("sim/torus_encoding", tests, NULL, NULL);
}
