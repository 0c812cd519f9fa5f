/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the torus without noise; "vector" numbers are those of semantics section 7.
 *
 * Vectors 1 to 5 (values of rounding) are in test_operations.c and run here on words as well. Not
 * tested anywhere, since nothing in lutra computes them: 16 (AutoRounder, which picks a number of
 * dropped bits from data: lutra takes that number from the user) and 26 (CRT encoding without a
 * padding bit, for inputs too wide for one ciphertext: lutra has the native encoding only). 27
 * needs noise. Warnings of 20 to 24 are Concrete's, which the semantics advises against copying.
 */
#include "base/random.h"
#include "sim/operations.h"
#include "sim/torus_lookup.h"
#include "sim/torus_rounding.h"
#include "tests/support/check.h"

static const LutraEncoding UNSIGNED_7 = {7, false};
static const LutraEncoding SIGNED_7 = {7, true};

static int64_t floor_shift(int64_t x, uint32_t bits) {
    return x >= 0 ? x >> bits : ~(~x >> bits);
}

/** Table of `count` entries given in two's-complement order of the input, as from the smallest. */
static void from_smallest(int32_t *entries, const int32_t *wrapped, size_t count, bool is_signed) {
    for (size_t i = 0; i < count; i++) {
        entries[i] = wrapped[is_signed ? (i + count / 2) % count : i];
    }
}

/** Entries x + first for every input x: the identity. */
static void identity(int32_t *entries, LutraEncoding x, int32_t scale) {
    const int64_t first = lutra_encoding_min(x);
    for (int64_t i = first; i <= lutra_encoding_max(x); i++) {
        entries[i - first] = (int32_t)i * scale;
    }
}

/* --- encoding --------------------------------------------------------------------------------- */

static void codewords_decode_to_themselves(void **state) {
    (void)state;
    assert_true(lutra_word_encode(1, 7) == UINT64_C(1) << 56);
    assert_true(lutra_word_encode(-1, 7) == UINT64_C(0) - (UINT64_C(1) << 56));
    assert_true(lutra_word_encode(-3, 31) == 0 - UINT64_C(3) * (UINT64_C(1) << 32));
    for (uint32_t bits = 1; bits <= 10; bits++) {
        const int64_t span = INT64_C(1) << bits;
        const uint64_t half_step = UINT64_C(1) << (62 - bits);
        for (int64_t x = -2 * span; x < 4 * span; x++) {
            const uint64_t word = lutra_word_encode(x, bits);
            const int64_t y = x < 0 ? x + 2 * span : x % (2 * span);
            const LutraEncoding plain = {bits, false};
            const LutraEncoding both = {bits, true};
            assert_int_equal(lutra_word_decode(word, plain), y);
            assert_int_equal(lutra_word_decode(word + half_step - 1, plain), y);
            assert_int_equal(lutra_word_decode(word - half_step, plain), y);
            assert_int_equal(lutra_word_decode(word + half_step, plain), (y + 1) % (2 * span));
            const int64_t z = y < span / 2 ? y : y < span ? y - span : y - 2 * span;
            assert_int_equal(lutra_word_decode(word, both), z);
        }
    }
}

/** Results of add, subtract and multiply on the torus at 7 bits, and whether the exact one leaves
 * the encoding, of which Concrete warns. */
static void linear_vectors(void **state) {
    (void)state;
    static const struct {
        bool is_signed;
        char operation;
        int64_t a, b, expected;
        bool warned;
    } cases[] = {
        /* vector 20 */
        {false, '+', 120, 30, 150, true}, {false, '+', 81, 73, 154, true},
        {false, '-', 4, 7, 253, true}, {false, '-', 11, 18, 249, true},
        {false, '*', 20, 10, 200, true},
        /* vector 21 */
        {true, '+', -1, -2, -3, false}, {true, '+', -60, -20, -80, true},
        {true, '+', 60, 20, -48, true}, {true, '+', 81, 73, -102, true},
        {true, '+', -81, 73, -8, false},
        /* vector 22 */
        {true, '-', 4, 7, -3, false}, {true, '-', -37, 40, -77, true},
        {true, '-', 33, -40, -55, true}, {true, '-', 61, -25, -42, true},
        {true, '-', -44, 32, -76, true},
        /* vector 23 */
        {true, '*', 5, -2, -10, false}, {true, '*', -33, 5, -37, true},
        {true, '*', -33, -5, -91, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t a = lutra_word_encode(cases[i].a, 7);
        const uint64_t b = lutra_word_encode(cases[i].b, 7);
        const uint64_t y = cases[i].operation == '+'   ? a + b
                           : cases[i].operation == '-' ? a - b
                                                       : lutra_word_multiply(a, cases[i].b);
        const int64_t exact = cases[i].operation == '+'   ? cases[i].a + cases[i].b
                              : cases[i].operation == '-' ? cases[i].a - cases[i].b
                                                          : cases[i].a * cases[i].b;
        const LutraEncoding encoding = cases[i].is_signed ? SIGNED_7 : UNSIGNED_7;
        assert_int_equal(lutra_encoding_holds(encoding, exact), !cases[i].warned);
        if (lutra_word_decode(y, encoding) != cases[i].expected) {
            fail_msg("%ld %c %ld: %ld, expected %ld", (long)cases[i].a, cases[i].operation,
                     (long)cases[i].b, (long)lutra_word_decode(y, encoding),
                     (long)cases[i].expected);
        }
    }
    /* vector 20, the last one: two operations, both out of range */
    const uint64_t below = lutra_word_encode(5, 7) - lutra_word_encode(10, 7);
    assert_int_equal(lutra_word_decode(lutra_word_multiply(below, 10), UNSIGNED_7), 206);
    assert_false(lutra_encoding_holds(UNSIGNED_7, 5 - 10));
    assert_false(lutra_encoding_holds(UNSIGNED_7, (5 - 10) * 10));
}

static void reinterpretation_vectors(void **state) {
    (void)state;
    /* vector 25: the same word read with another encoding */
    static const struct {
        LutraEncoding from, to;
        int64_t x, expected;
    } cases[] = {
        {{8, false}, {4, false}, 0, 0},    {{8, false}, {4, false}, 1, 0},
        {{8, false}, {4, false}, 16, 1},   {{8, false}, {4, false}, 255, 16},
        {{3, false}, {2, false}, 2, 1},    {{3, false}, {2, false}, 6, 3},
        {{3, true}, {2, false}, -2, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t word = lutra_word_encode(cases[i].x, cases[i].from.bits);
        assert_int_equal(lutra_word_decode(word, cases[i].to), cases[i].expected);
    }
}

static void modulus_switch_is_the_published_shift(void **state) {
    (void)state;
    for (uint32_t log2_poly = 1; log2_poly <= 17; log2_poly++) {
        const uint64_t ticks = UINT64_C(2) << log2_poly;
        for (uint64_t i = 0; i < 2000; i++) {
            const uint64_t word = lutra_random_u64(check_key(log2_poly), i);
            const uint64_t shifted = word >> (62 - log2_poly);
            const uint64_t expected = ((shifted + (shifted & 1)) >> 1) % ticks;
            assert_true(lutra_word_switch_modulus(word, log2_poly) == expected);
        }
        const uint64_t tick = UINT64_C(1) << (63 - log2_poly);
        assert_true(lutra_word_switch_modulus(tick / 2 - 1, log2_poly) == 0);
        assert_true(lutra_word_switch_modulus(tick / 2, log2_poly) == 1);
        assert_true(lutra_word_switch_modulus(0 - tick / 2 - 1, log2_poly) == ticks - 1);
        assert_true(lutra_word_switch_modulus(0 - tick / 2, log2_poly) == 0);
    }
}

/* --- look-ups --------------------------------------------------------------------------------- */

/** Value found for x, and that every polynomial size finds the same. */
static int64_t looked_up(const LutraWordTable *table, int64_t x) {
    const uint64_t word = lutra_word_encode(x, table->bits);
    const LutraWordLookup closed = lutra_word_look_up(table, word, 0);
    for (uint32_t log2_poly = table->bits; log2_poly <= table->bits + 3; log2_poly++) {
        if (log2_poly > 0) {
            const LutraWordLookup ticks = lutra_word_look_up(table, word, log2_poly);
            assert_int_equal(ticks.value, closed.value);
            assert_true(ticks.word == closed.word);
            assert_int_equal(ticks.in_padding, closed.in_padding);
        }
    }
    assert_true(closed.word == lutra_word_encode(closed.value, table->result_bits));
    return closed.value;
}

static void small_table_vectors(void **state) {
    (void)state;
    static const int32_t wrapped[4] = {2, -1, 3, 0};
    int32_t entries[4];
    /* vector 17: inputs -4 .. 3 have 3 bits; below 0 the list counts from its end */
    static const int32_t list[8] = {2, -1, 3, 0, 2, -1, 3, 0};
    const LutraWordTable wide = {list, 3, true, 8};
    for (int64_t x = -4; x < 4; x++) {
        assert_int_equal(looked_up(&wide, x), wrapped[(x + 4) % 4]);
    }
    from_smallest(entries, wrapped, 4, true);
    const LutraWordTable both = {entries, 2, true, 8};
    assert_int_equal(looked_up(&both, 0), 2);
    assert_int_equal(looked_up(&both, 1), -1);
    assert_int_equal(looked_up(&both, -1), 0);
    assert_int_equal(looked_up(&both, -2), 3);
    /* vector 18, signed: two above the largest input, two below the smallest */
    assert_int_equal(looked_up(&both, 2), -3);
    assert_int_equal(looked_up(&both, 3), 0);
    assert_int_equal(looked_up(&both, -3), 1);
    assert_int_equal(looked_up(&both, -4), -2);
    const LutraWordTable plain = {wrapped, 2, false, 8};
    static const int32_t expected[8] = {2, -1, 3, 0, /* vector 18 */ -2, 1, -3, 0};
    for (int64_t x = 0; x < 8; x++) {
        assert_int_equal(looked_up(&plain, x), expected[x]);
        assert_int_equal(looked_up(&plain, x - 8), expected[x]);
        assert_int_equal(lutra_word_look_up(&plain, lutra_word_encode(x, 2), 0).in_padding, x > 3);
    }
}

static void several_tables_follow_their_channels(void **state) {
    (void)state;
    /* vector 19: squares and cubes, one table per column; test_operations.c has it in the clear */
    int32_t entries[8] = {0, 1, 4, 9, 0, 1, 8, 27};
    uint32_t table_of_channel[2] = {0, 1};
    const LutraTableOperation operation = {.table_count = 2,
                                           .entry_count = 4,
                                           .entries = entries,
                                           .table_of_channel = table_of_channel};
    static const int64_t x[3][2] = {{0, 1}, {2, 3}, {3, 0}};
    static const int64_t expected[3][2] = {{0, 1}, {4, 27}, {9, 0}};
    for (size_t i = 0; i < 3; i++) {
        for (uint32_t c = 0; c < 2; c++) {
            const LutraWordTable table = lutra_word_table_of(
                &operation, c, (LutraEncoding){2, false}, (LutraEncoding){5, false});
            assert_int_equal(looked_up(&table, x[i][c]), expected[i][c]);
        }
    }
}

static void entries_wrap_in_their_encoding(void **state) {
    (void)state;
    /* vector 24. Concrete warns of 1420 and 1400 but not of 254, whose padding bit alone is wrong;
     * a circuit with any of the three is refused, for they lie outside 7 bits. */
    int32_t entries[128] = {0};
    const LutraWordTable plain = {entries, 7, false, 7};
    entries[5] = 1420;
    const uint64_t five = lutra_word_encode(5, 7);
    assert_int_equal(lutra_word_decode(lutra_word_look_up(&plain, five, 0).word, UNSIGNED_7), 140);
    entries[5] = 1400;
    assert_int_equal(lutra_word_decode(lutra_word_look_up(&plain, five, 0).word, SIGNED_7), -8);
    entries[5] = 254;
    assert_int_equal(lutra_word_decode(lutra_word_look_up(&plain, five, 0).word, SIGNED_7), -2);
    int32_t wrapped[128] = {0};
    wrapped[127] = 12;
    from_smallest(entries, wrapped, 128, true);
    const LutraWordTable both = {entries, 7, true, 7};
    assert_int_equal(looked_up(&both, -1), 12);
}

/** The polynomial of a table as the semantics states it, and a rotation of it by definition. */
static void ticks_follow_the_polynomial(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits <= 4; bits++) {
        for (uint32_t log2_poly = bits + 1; log2_poly <= bits + 4; log2_poly++) {
            const int64_t size = INT64_C(1) << log2_poly;
            const int64_t per_entry = size >> bits;
            int32_t entries[16];
            int64_t polynomial[256];
            for (int32_t i = 0; i < 16; i++) {
                entries[i] = 7 * i - 40;
            }
            for (int64_t c = 0; c < size; c++) {
                polynomial[c] = c < size - per_entry / 2
                                    ? entries[(c + per_entry / 2) / per_entry]
                                    : -entries[0];
            }
            const LutraWordTable table = {entries, bits, false, 9};
            for (int64_t c = 0; c < size; c++) {
                assert_int_equal(lutra_word_table_coefficient(&table, (uint64_t)c, log2_poly),
                                 polynomial[c]);
            }
            for (int64_t a = 0; a < 2 * size; a++) {
                const int64_t expected = a < size ? polynomial[a] : -polynomial[a - size];
                const uint64_t word = (uint64_t)a << (63 - log2_poly);
                const LutraWordLookup found = lutra_word_look_up(&table, word, log2_poly);
                assert_int_equal(found.value, expected);
                const LutraWordLookup closed = lutra_word_look_up(&table, word, 0);
                assert_int_equal(closed.value, expected);
                assert_int_equal(closed.in_padding, found.in_padding);
            }
            /* half a tick below the border between entries 0 and 1 the two forms differ */
            const uint64_t border = UINT64_C(1) << (62 - bits);
            const uint64_t below = border - (UINT64_C(1) << (62 - log2_poly));
            assert_int_equal(lutra_word_look_up(&table, below - 1, log2_poly).value, entries[0]);
            assert_int_equal(lutra_word_look_up(&table, below - 1, 0).value, entries[0]);
            assert_int_equal(lutra_word_look_up(&table, below, log2_poly).value,
                             bits == 0 ? -entries[0] : entries[1]);
            assert_int_equal(lutra_word_look_up(&table, below, 0).value, entries[0]);
        }
    }
}

/* --- exact rounding and truncation ------------------------------------------------------------ */

/** Vectors 1 to 5 and 8 and everything else of these widths, on words. */
static void exact_rounding_is_half_up(void **state) {
    (void)state;
    for (uint32_t bits = 1; bits <= 9; bits++) {
        for (uint32_t dropped = 0; dropped < bits; dropped++) {
            const int64_t steps = INT64_C(1) << (bits + 1);
            for (int64_t x = -steps / 2; x < steps; x++) {
                const uint64_t word =
                    lutra_word_round_exact(lutra_word_encode(x, bits), bits, dropped);
                assert_true(word == lutra_word_encode(lutra_round_half_up(x, dropped),
                                                      bits - dropped));
            }
        }
    }
    static const uint32_t widths[4] = {16, 24, 31, 50};
    for (uint64_t i = 0; i < 20000; i++) {
        const uint32_t bits = widths[i % 4];
        const uint32_t dropped = (uint32_t)(i / 4 % bits);
        const uint64_t draw = lutra_random_u64(check_key(7), i);
        const int64_t x = (int64_t)(draw >> (64 - bits)) - (INT64_C(1) << (bits - 1));
        const uint64_t word = lutra_word_round_exact(lutra_word_encode(x, bits), bits, dropped);
        assert_true(word == lutra_word_encode(lutra_round_half_up(x, dropped), bits - dropped));
    }
}

static void rounding_before_a_square(void **state) {
    (void)state;
    /* vector 6: x in [-32, 31] rounded by 2 bits and squared; 7 bits in, 5 left */
    int32_t wrapped[32];
    int32_t entries[32];
    for (int32_t i = 0; i < 32; i++) {
        wrapped[i] = i < 16 ? 16 * i * i : 16 * (32 - i) * (32 - i);
    }
    assert_int_equal(wrapped[15], 3600);
    assert_int_equal(wrapped[16], 4096);
    from_smallest(entries, wrapped, 32, true);
    const LutraWordTable table = {entries, 5, true, 13};
    for (int64_t x = -32; x < 32; x++) {
        const uint64_t word = lutra_word_round_exact(lutra_word_encode(x, 7), 7, 2);
        const int64_t rounded = 4 * lutra_round_half_up(x, 2);
        assert_int_equal(lutra_word_look_up(&table, word, 0).value, rounded * rounded);
    }
    /* vector 7: 6 bits in, 4 left, the identity in steps of 4, used linearly */
    int32_t steps[16];
    for (int32_t i = 0; i < 16; i++) {
        wrapped[i] = i < 8 ? 4 * i : 4 * i - 64;
    }
    assert_int_equal(wrapped[7], 28);
    assert_int_equal(wrapped[8], -32);
    from_smallest(steps, wrapped, 16, true);
    const LutraEncoding signed_6 = {6, true};
    const LutraWordTable back = {steps, 4, true, 6};
    for (int64_t x = -20; x < 20; x++) {
        const uint64_t word = lutra_word_round_exact(lutra_word_encode(x, 6), 6, 2);
        const uint64_t same = lutra_word_look_up(&back, word, 0).word;
        assert_int_equal(lutra_word_decode(same, signed_6), 4 * lutra_round_half_up(x, 2));
    }
}

static void rounding_without_headroom(void **state) {
    (void)state;
    static const struct {
        bool is_signed;
        int64_t x, decoded, looked_up;
    } cases[] = {
        /* vector 9 */
        {false, 247, 15, 15}, {false, 248, 16, 0}, {false, 255, 16, 0},
        /* vector 10 */
        {true, 119, 7, 7}, {true, 120, -8, 8}, {true, 127, -8, 8}, {true, -120, -7, -7},
        {true, -121, -8, -8}, {true, -128, -8, -8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const LutraEncoding rounded = {4, cases[i].is_signed};
        const uint64_t word = lutra_word_round_exact(lutra_word_encode(cases[i].x, 8), 8, 4);
        int32_t entries[16];
        identity(entries, rounded, 1);
        const LutraWordTable table = {entries, 4, cases[i].is_signed, 5};
        assert_int_equal(lutra_word_decode(word, rounded), cases[i].decoded);
        assert_int_equal(lutra_word_look_up(&table, word, 0).value, cases[i].looked_up);
    }
}

static void truncation_is_floor(void **state) {
    (void)state;
    static const struct {
        uint32_t bits;
        int64_t x, expected;
    } cases[] = {
        /* vector 15 */
        {3, 3, 0}, {3, 7, 0}, {3, 8, 8}, {3, 15, 8}, {2, 22, 20}, {2, 31, 28},
        {2, -1, -4}, {2, -4, -4}, {2, -5, -8},
    };
    const LutraEncoding both = {6, true};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t word =
            lutra_word_truncate(lutra_word_encode(cases[i].x, 6), 6, cases[i].bits);
        assert_int_equal(lutra_word_decode(word, both), cases[i].expected);
    }
    for (uint32_t bits = 2; bits <= 8; bits++) {
        for (uint32_t dropped = 0; dropped < bits; dropped++) {
            const int64_t span = INT64_C(1) << bits;
            for (int64_t x = -span; x < 2 * span; x++) {
                const int64_t floored = floor_shift(x, dropped) * (INT64_C(1) << dropped);
                assert_true(lutra_word_truncate(lutra_word_encode(x, bits), bits, dropped) ==
                            lutra_word_encode(floored, bits));
            }
        }
    }
}

/* --- approximate rounding --------------------------------------------------------------------- */

/** x rounded with these options and read through an identity table of buckets. */
static int64_t approximately(int64_t x, const LutraWordRounding *rounding) {
    const uint32_t bits = lutra_word_rounding_input_bits(rounding);
    const LutraEncoding whole = {bits - rounding->dropped_bits, rounding->values.is_signed};
    const LutraEncoding read = lutra_word_rounding_result(rounding);
    int32_t table[256];
    int32_t physical[256];
    identity(table, whole, 1);
    lutra_word_rounding_table(physical, table, rounding);
    const LutraWordTable look = {physical, read.bits, read.is_signed, 12};
    const uint64_t word = lutra_word_round_approximate(lutra_word_encode(x, bits), rounding);
    return lutra_word_look_up(&look, word, 0).value;
}

static void approximate_rounding_vectors(void **state) {
    (void)state;
    enum { LOGICAL, NONE, CLIPPED };
    static const struct {
        int options;
        bool is_signed;
        int64_t x, expected;
    } cases[] = {
        /* vector 11 */
        {LOGICAL, false, 51, 6}, {LOGICAL, false, 52, 7}, {LOGICAL, false, 59, 7},
        {LOGICAL, false, 60, 7}, {LOGICAL, false, 63, 7}, {LOGICAL, true, 19, 2},
        {LOGICAL, true, 20, 3}, {LOGICAL, true, 28, 3}, {LOGICAL, true, 31, 3},
        {LOGICAL, true, -32, -4},
        /* vector 12 */
        {NONE, false, 60, 8}, {NONE, false, 63, 8}, {NONE, true, 28, 4}, {NONE, true, 31, 4},
        /* vector 13 */
        {CLIPPED, false, 50, 6}, {CLIPPED, false, 52, 6}, {CLIPPED, false, 57, 6},
        {CLIPPED, false, 58, 7}, {CLIPPED, false, 63, 7}, {CLIPPED, true, 20, 2},
        {CLIPPED, true, 25, 2}, {CLIPPED, true, 26, 3}, {CLIPPED, true, 31, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LutraWordRounding rounding;
        lutra_word_rounding_default(&rounding, (LutraEncoding){6, cases[i].is_signed}, 3, true);
        rounding.logical_clipping = cases[i].options != NONE;
        rounding.approximate_clipping = cases[i].options == CLIPPED;
        rounding.clipping_start_bits = 3;
        assert_int_equal(lutra_word_rounding_input_bits(&rounding), 7);
        assert_int_equal(lutra_word_rounding_result(&rounding).bits,
                         cases[i].options == CLIPPED ? 3 : 4);
        const int64_t y = approximately(cases[i].x, &rounding);
        if (y != cases[i].expected) {
            fail_msg("case %zu: %ld gives %ld, expected %ld", i, (long)cases[i].x, (long)y,
                     (long)cases[i].expected);
        }
    }
    /* vector 14: the defaults */
    static const int64_t wide[7][2] = {{117, 29}, {118, 30}, {121, 30}, {122, 30},
                                       {124, 30}, {125, 31}, {127, 31}};
    LutraWordRounding rounding;
    lutra_word_rounding_default(&rounding, UNSIGNED_7, 2, true);
    assert_int_equal(lutra_word_rounding_lookups(&rounding), 1);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(approximately(wide[i][0], &rounding), wide[i][1]);
    }
}

/** The bucket that an option set promises for x, without reference to words. */
static int64_t promised(int64_t x, const LutraWordRounding *rounding) {
    const uint32_t dropped = rounding->dropped_bits;
    const LutraEncoding buckets = {rounding->values.bits - dropped, rounding->values.is_signed};
    const int64_t bucket = INT64_C(1) << dropped;
    const int64_t most = lutra_encoding_max(buckets);
    int64_t y = lutra_round_half_up(x, dropped);
    if (lutra_word_rounding_lookups(rounding) == 1 && 2 * x >= (2 * most - 1) * bucket) {
        /* at most 1.5 buckets below bucket most + 1 */
        y = lutra_round_half_up(x - 3 * bucket / 4, dropped);
        assert_true(y <= most);
    }
    if (y > most && !rounding->overflow_protected) {
        return -lutra_encoding_min(buckets); /* minus the first entry */
    }
    return y > most && rounding->logical_clipping ? most : y;
}

static void approximate_rounding_by_definition(void **state) {
    (void)state;
    for (uint32_t bits = 2; bits <= 7; bits++) {
        for (uint32_t dropped = 1; dropped < bits; dropped++) {
            for (uint32_t flags = 0; flags < 64; flags++) {
                const LutraEncoding values = {bits, (flags & 1) != 0};
                LutraWordRounding rounding;
                lutra_word_rounding_default(&rounding, values, dropped, (flags & 2) != 0);
                rounding.symmetrized = (flags & 4) != 0;
                rounding.logical_clipping = (flags & 8) != 0;
                rounding.approximate_clipping = (flags & 16) != 0;
                rounding.reduced_precision = (flags & 32) != 0;
                rounding.clipping_start_bits = 3;
                const bool clips = lutra_word_rounding_lookups(&rounding) == 1;
                assert_int_equal(clips, (flags & 18) == 18 && bits - dropped >= 3);
                for (int64_t x = lutra_encoding_min(values); x <= lutra_encoding_max(values);
                     x++) {
                    const int64_t expected = promised(x, &rounding);
                    if (approximately(x, &rounding) != expected) {
                        fail_msg("%u bits, %u dropped, options %u: %ld gives %ld, expected %ld",
                                 bits, dropped, flags, (long)x,
                                 (long)approximately(x, &rounding), (long)expected);
                    }
                }
            }
        }
    }
}

/** Values that no rounding brings, but noise or an overflow before it may. */
static void clipping_lowers_by_a_bucket_further_up(void **state) {
    (void)state;
    for (uint32_t is_signed = 0; is_signed < 2; is_signed++) {
        LutraWordRounding rounding;
        lutra_word_rounding_default(&rounding, (LutraEncoding){7, is_signed == 1}, 2, true);
        rounding.symmetrized = false;
        rounding.reduced_precision = false;
        /* 5 target bits: 4 bits are looked at, cells of 4 buckets, half a bucket lower */
        const int64_t trigger = is_signed == 1 ? 4 * 16 : 4 * 32;
        for (int64_t x = 0; x < trigger + 24; x++) {
            const int64_t above = x - 2 - trigger;
            const int64_t taken = above >= 8 && above < 24 ? 4 : above >= -8 && above < 8 ? 3 : 0;
            assert_true(lutra_word_round_approximate(lutra_word_encode(x, 8), &rounding) ==
                        lutra_word_encode(x - taken, 8));
        }
    }
}

static void symmetrizing_moves_thresholds_by_half_a_digit(void **state) {
    (void)state;
    LutraWordRounding rounding;
    const LutraEncoding values = {8, false};
    const uint64_t half_digit = UINT64_C(1) << (62 - 8);
    lutra_word_rounding_default(&rounding, values, 3, false);
    const uint64_t centred = lutra_word_round_approximate(lutra_word_encode(20, 8), &rounding);
    assert_true(centred == lutra_word_encode(20, 8) + half_digit - 2);
    rounding.symmetrized = false;
    const uint64_t plain = lutra_word_round_approximate(lutra_word_encode(20, 8), &rounding);
    assert_true(plain == lutra_word_encode(20, 8));
    /* 20 is the smallest value of its bucket: any noise below 0 loses it, if nothing was added */
    assert_int_equal(lutra_word_steps(plain - 1, 5), 2);
    assert_int_equal(lutra_word_steps(centred - half_digit + 2, 5), 3);
    assert_int_equal(lutra_word_steps(centred - half_digit + 1, 5), 2);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codewords_decode_to_themselves),
        cmocka_unit_test(linear_vectors),
        cmocka_unit_test(reinterpretation_vectors),
        cmocka_unit_test(modulus_switch_is_the_published_shift),
        cmocka_unit_test(small_table_vectors),
        cmocka_unit_test(several_tables_follow_their_channels),
        cmocka_unit_test(entries_wrap_in_their_encoding),
        cmocka_unit_test(ticks_follow_the_polynomial),
        cmocka_unit_test(exact_rounding_is_half_up),
        cmocka_unit_test(rounding_before_a_square),
        cmocka_unit_test(rounding_without_headroom),
        cmocka_unit_test(truncation_is_floor),
        cmocka_unit_test(approximate_rounding_vectors),
        cmocka_unit_test(approximate_rounding_by_definition),
        cmocka_unit_test(clipping_lowers_by_a_bucket_further_up),
        cmocka_unit_test(symmetrizing_moves_thresholds_by_half_a_digit),
    };
    return cmocka_run_group_tests_name("torus", tests, NULL, NULL);
}
