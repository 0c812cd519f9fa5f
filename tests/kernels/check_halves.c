/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels on bfloat16: packing gives the bits of _ref, products stay within the bound of halves.h;
 * nothing is written beside a result. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/halves.h"

typedef struct {
    LutraHalfKernels ref;
    LutraHalfKernels fast;
} Pair;

static Pair kernels_pair(void) {
    Pair pair;
    lutra_half_kernels_init(&pair.ref, 0);
    lutra_half_kernels_init(&pair.fast, lutra_cpu_detect());
    return pair;
}

static void test_variant_is_there(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    if (pair.fast.products == pair.ref.products) {
        print_message("skipped: no AVX-512 BF16 here, its kernels are not compared\n");
        skip();
    }
    assert_true(pair.fast.fast && !pair.ref.fast);
}

/* 1 + 2^-8 lies in the middle of two neighbours with even and odd last bits, 1 + 3 * 2^-8 too. */
static void test_round(void **state) {
    (void)state;
    assert_true(lutra_half_round(1.0f) == 1.0f);
    assert_true(lutra_half_round(1.00390625f) == 1.0f);
    assert_true(lutra_half_round(1.01171875f) == 1.015625f);
    assert_true(lutra_half_round(1.00390637f) == 1.0078125f);
    assert_true(lutra_half_round(-1.00390625f) == -1.0f);
    assert_true(lutra_half_round(-256.0f) == -256.0f);
    assert_true(lutra_half_round(255.0f) == 255.0f);
    assert_true(lutra_half_round(257.0f) == 256.0f);
    assert_true(lutra_half_round(1e-39f) == 0.0f);
    assert_true(lutra_half_round(-1e-39f) == 0.0f);
    assert_true(lutra_half_round(3.4028235e38f) == INFINITY);
    assert_true(lutra_half_round(-INFINITY) == -INFINITY);
    assert_true(isnan(lutra_half_round(NAN)));
}

enum { MOST = 16 * 80, ROW = 70 };

/* Reals of many sizes, with the values that rounding treats in its own way. */
static void fill_reals(float *values, size_t count, uint32_t number) {
    static const float odd[] = {0.0f,          -0.0f,      1e-39f,      -1e-40f,
                                1.00390625f,   INFINITY,   -1e38f,      NAN,
                                3.4028235e38f, -INFINITY,  1.01171875f, 1.17549435e-38f};
    const LutraRandomKey key = check_key(number);
    for (size_t i = 0; i < count; i++) {
        const double exponent = lutra_random_uniform(key, i) * 40.0 - 20.0;
        values[i] = (float)((lutra_random_uniform(key, count + i) - 0.5) * exp2(exponent));
        if (i % 7 == 3) {
            values[i] = odd[(i / 7) % (sizeof odd / sizeof odd[0])];
        }
    }
}

static const size_t counts[] = {0, 1, 2, 5, 15, 16, 17, 31, 32, 33, 64, 70};
enum { COUNTS = sizeof counts / sizeof counts[0] };

static void check_pack_reals(const Pair *pair, size_t count, bool both) {
    static float first[MOST];
    static float second[MOST];
    uint32_t expected[ROW];
    CheckBuffer buffer;
    fill_reals(first, MOST, 1);
    fill_reals(second, MOST, 2);
    check_buffer_init(&buffer, count * sizeof(uint32_t), 4);
    uint32_t *words = (uint32_t *)(void *)buffer.data;
    pair->ref.pack_reals(expected, first + 1, both ? second + 3 : NULL, count);
    pair->fast.pack_reals(words, first + 1, both ? second + 3 : NULL, count);
    assert_memory_equal(words, expected, count * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        float low = 0.0f;
        const uint32_t bits = expected[i] << 16;
        const float rounded = lutra_half_round(first[i + 1]);
        memcpy(&low, &bits, sizeof low);
        assert_true(low == rounded || (isnan(low) && isnan(rounded)));
    }
    check_buffer_done(&buffer);
}

static void check_pack_across(const Pair *pair, size_t count, uint32_t rows, bool both) {
    enum { STRIDE = 19 };
    static float first[MOST];
    static float second[MOST];
    const size_t words = count == 0 ? 0 : ((count - 1) * STRIDE) + 16;
    CheckBuffer buffers[2];
    fill_reals(first, MOST, 3);
    fill_reals(second, MOST, 4);
    for (int side = 0; side < 2; side++) {
        check_buffer_init(&buffers[side], words * sizeof(uint32_t), 4);
        memset(buffers[side].data, 0x5A, words * sizeof(uint32_t));
        const LutraHalfKernels *kernels = side == 0 ? &pair->ref : &pair->fast;
        kernels->pack_reals_across((uint32_t *)(void *)buffers[side].data, STRIDE, first,
                                   both ? second : NULL, 80, rows, count);
    }
    assert_memory_equal(buffers[0].data, buffers[1].data, words * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < 16; r++) {
            uint32_t expected = 0;
            uint32_t actual = 0;
            if (r < rows) {
                pair->ref.pack_reals(&expected, first + (r * 80) + i,
                                     both ? second + (r * 80) + i : NULL, 1);
            }
            memcpy(&actual, buffers[1].data + (((i * STRIDE) + r) * 4), sizeof actual);
            assert_int_equal(actual, expected);
        }
    }
    check_buffer_done(&buffers[0]);
    check_buffer_done(&buffers[1]);
}

static void check_pack_bytes(const Pair *pair, size_t count, bool both, int32_t offset) {
    uint8_t bytes[2 * ROW + 2];
    uint32_t expected[ROW];
    CheckBuffer buffer;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 151);
    }
    check_buffer_init(&buffer, count * sizeof(uint32_t), 4);
    uint32_t *words = (uint32_t *)(void *)buffer.data;
    pair->ref.pack_bytes(expected, bytes + 1, both ? bytes + 1 + ROW : NULL, count, offset);
    pair->fast.pack_bytes(words, bytes + 1, both ? bytes + 1 + ROW : NULL, count, offset);
    assert_memory_equal(words, expected, count * sizeof *words);
    for (size_t i = 0; both && i < count; i++) {
        float high = 0.0f;
        const uint32_t bits = words[i] & 0xFFFF0000u;
        memcpy(&high, &bits, sizeof high);
        assert_true(high == (float)(bytes[1 + ROW + i] + offset));
    }
    check_buffer_done(&buffer);
}

static void test_packing(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    for (size_t c = 0; c < COUNTS; c++) {
        for (int both = 0; both < 2; both++) {
            check_pack_reals(&pair, counts[c], both != 0);
            check_pack_bytes(&pair, counts[c], both != 0, -128);
            check_pack_bytes(&pair, counts[c], both != 0, 1);
            check_pack_across(&pair, counts[c], 16, both != 0);
            check_pack_across(&pair, counts[c], (uint32_t)(c % 16), both != 0);
        }
    }
}

static double half_of(uint32_t bits) {
    float value = 0.0f;
    bits <<= 16;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

enum { STEPS = 67, LANES_STRIDE = 69, SUMS_STRIDE = 71, ROW_WORDS = 900 };

/* Whole numbers times reals, as in a gradient. */
static void check_products(const LutraHalfKernels *kernels, uint32_t number, uint32_t rows,
                           uint32_t vectors, size_t steps, bool add) {
    static uint32_t row_words[ROW_WORDS];
    static uint32_t lanes[STEPS * LANES_STRIDE];
    uint32_t row_offsets[LUTRA_HALF_ROWS];
    uint32_t step_offsets[STEPS];
    LutraHalfKernels ref;
    const LutraRandomKey key = check_key(number);
    lutra_half_kernels_init(&ref, 0);
    for (size_t i = 0; i < ROW_WORDS; i++) {
        const float low = (float)lutra_random_below(key, i, 513) - 256.0f;
        const float high = (float)lutra_random_below(key, i + 1000, 3) - 1.0f;
        ref.pack_reals(&row_words[i], &low, &high, 1);
    }
    for (size_t i = 0; i < STEPS * LANES_STRIDE; i++) {
        const float low = (float)(lutra_random_uniform(key, 2000 + i) - 0.5);
        const float high = (float)(lutra_random_uniform(key, 9000 + i) - 0.5) * 1e-3f;
        ref.pack_reals(&lanes[i], &low, &high, 1);
    }
    for (size_t r = 0; r < LUTRA_HALF_ROWS; r++) {
        row_offsets[r] = (uint32_t)lutra_random_below(key, 20000 + r, 400);
    }
    for (size_t s = 0; s < STEPS; s++) {
        step_offsets[s] = (uint32_t)lutra_random_below(key, 21000 + s, 500);
    }
    const LutraHalfBlock block = {row_words, row_offsets,  step_offsets, rows,
                                  lanes,     LANES_STRIDE, steps,        vectors};
    const size_t width = (size_t)vectors * LUTRA_HALF_LANES;
    const size_t count = ((rows - 1) * SUMS_STRIDE) + width;
    CheckBuffer buffer;
    check_buffer_init(&buffer, count * sizeof(float), 4 * (number % 4));
    float *sums = (float *)(void *)buffer.data;
    for (size_t i = 0; i < count; i++) {
        sums[i] = 3.5f;
    }
    kernels->products(sums, SUMS_STRIDE, &block, add);
    for (size_t i = 0; i < count; i++) {
        const size_t r = i / SUMS_STRIDE;
        const size_t l = i % SUMS_STRIDE;
        if (l >= width) {
            assert_true(sums[i] == 3.5f);
            continue;
        }
        double exact = add ? 3.5 : 0.0;
        double magnitudes = add ? 3.5 : 0.0;
        for (size_t s = 0; s < steps; s++) {
            const uint32_t a = row_words[row_offsets[r] + step_offsets[s]];
            const uint32_t b = lanes[(s * LANES_STRIDE) + l];
            const double low = half_of(a & 0xFFFFu) * half_of(b & 0xFFFFu);
            const double high = half_of(a >> 16) * half_of(b >> 16);
            exact += low + high;
            magnitudes += fabs(low) + fabs(high);
        }
        check_close((double)sums[i], exact, (2.0 * (double)steps + 1.0) * 0x1p-24 * magnitudes);
    }
    check_buffer_done(&buffer);
}

static void test_products(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static const size_t steps[] = {0, 1, 2, 7, 67};
    uint32_t number = 100;
    for (uint32_t rows = 1; rows <= LUTRA_HALF_ROWS; rows++) {
        for (uint32_t vectors = 1; vectors <= LUTRA_HALF_VECTORS; vectors++) {
            for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++, number++) {
                check_products(&pair.fast, number, rows, vectors, steps[s], number % 2 == 0);
                check_products(&pair.ref, number, rows, vectors, steps[s], number % 2 == 1);
            }
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variant_is_there),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_products),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("halves", tests, NULL, NULL);
}
