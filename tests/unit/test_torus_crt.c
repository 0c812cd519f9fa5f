/* SPDX-License-Identifier: Apache-2.0 */
/* Residue words; "vector" numbers are those of semantics section 7. */
#include "sim/torus_crt.h"
#include "tests/support/check.h"

static void values_survive(void **state) {
    (void)state;
    for (uint32_t bits = 1; bits <= LUTRA_CRT_MOST_BITS; bits++) {
        const LutraCrt crt = lutra_crt_of_bits(bits);
        uint64_t words[LUTRA_CRT_MOST_MODULI];
        assert_true(crt.product >= UINT64_C(1) << bits);
        for (uint32_t i = 0; i < crt.count; i++) {
            for (uint32_t k = 0; k < i; k++) { /* coprime */
                uint32_t a = crt.moduli[i];
                uint32_t b = crt.moduli[k];
                while (b != 0) {
                    const uint32_t rest = a % b;
                    a = b;
                    b = rest;
                }
                assert_int_equal(a, 1);
            }
        }
        for (int64_t x = 0; x < (int64_t)crt.product; x += bits < 10 ? 1 : 37) {
            lutra_crt_encode(words, &crt, x);
            assert_int_equal(lutra_crt_decode(words, &crt, false), x);
        }
        const int64_t half = INT64_C(1) << (bits - 1);
        for (int64_t x = -half; bits > 3 && x < half; x += bits < 10 ? 1 : 37) {
            const bool is_even = crt.product % 2 == 0;
            lutra_crt_encode(words, &crt, x);
            /* an odd product's half is rounded down: negative values then come out one higher */
            assert_int_equal(lutra_crt_decode(words, &crt, true), x < 0 && !is_even ? x + 1 : x);
        }
    }
}

static void words_are_the_stated_fractions(void **state) {
    (void)state;
    const LutraCrt crt = lutra_crt_of_bits(6); /* 2, 5, 7 */
    uint64_t words[LUTRA_CRT_MOST_MODULI];
    assert_int_equal(crt.count, 3);
    assert_int_equal(crt.product, 70);
    lutra_crt_encode(words, &crt, -1); /* 69: residues 1, 4, 6 */
    assert_true(words[0] == UINT64_C(0x8000000000000000)); /* 1/2 */
    assert_true(words[1] == UINT64_C(0xCCCCCCCCCCCCCCCC)); /* 4/5 */
    assert_true(words[2] == UINT64_C(0xDB6DB6DB6DB6DB6D)); /* 6/7 */
}

/** Vector 26: the identity on 14 bits, 81 + 15. */
static void sums_are_looked_up(void **state) {
    (void)state;
    static int32_t identity[1 << 14];
    const LutraCrt crt = lutra_crt_of_bits(14);
    uint64_t a[LUTRA_CRT_MOST_MODULI];
    uint64_t b[LUTRA_CRT_MOST_MODULI];
    uint64_t y[LUTRA_CRT_MOST_MODULI];
    for (int32_t i = 0; i < 1 << 14; i++) {
        identity[i] = i;
    }
    lutra_crt_encode(a, &crt, 81);
    lutra_crt_encode(b, &crt, 15);
    for (uint32_t i = 0; i < crt.count; i++) {
        a[i] += b[i];
    }
    lutra_crt_look_up(y, &crt, a, identity, (LutraEncoding){14, false});
    assert_int_equal(lutra_crt_decode(y, &crt, false), 96);
    lutra_crt_encode(a, &crt, (1 << 14) + 3); /* below the product, beyond the table */
    lutra_crt_look_up(y, &crt, a, identity, (LutraEncoding){14, false});
    assert_int_equal(lutra_crt_decode(y, &crt, false), 0);
}

static void signed_tables_take_negative_values(void **state) {
    (void)state;
    const LutraEncoding encoding = {4, true};
    const LutraCrt crt = lutra_crt_of_bits(4);
    int32_t squares[16];
    for (int32_t i = 0; i < 16; i++) {
        squares[i] = (i - 8) * (i - 8) / 2;
    }
    for (int64_t x = -8; x < 8; x++) {
        uint64_t words[LUTRA_CRT_MOST_MODULI];
        uint64_t y[LUTRA_CRT_MOST_MODULI];
        lutra_crt_encode(words, &crt, x);
        lutra_crt_look_up(y, &crt, words, squares, encoding);
        assert_int_equal(lutra_crt_decode(y, &crt, false), x * x / 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_survive),
        cmocka_unit_test(words_are_the_stated_fractions),
        cmocka_unit_test(sums_are_looked_up),
        cmocka_unit_test(signed_tables_take_negative_values),
    };
    return cmocka_run_group_tests_name("residue words", tests, NULL, NULL);
}
