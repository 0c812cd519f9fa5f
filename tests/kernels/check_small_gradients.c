/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels on gradients in eight bits: all give the bits of _ref, write nothing beside a result. */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/small_gradients.h"

typedef struct {
    LutraSmallKernels ref;
    LutraSmallKernels fast;
} Pair;

static Pair kernels_pair(void) {
    Pair pair;
    lutra_small_kernels_init(&pair.ref, 0);
    lutra_small_kernels_init(&pair.fast, lutra_cpu_detect());
    return pair;
}

static const LutraGradientDraws draws = {0xFFFFFF00u, 77u};

static void test_variant_is_there(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    if (pair.fast.products == pair.ref.products) {
        print_message("skipped: no AVX-512 VNNI here, its kernels are not compared\n");
        skip();
    }
    assert_true(pair.fast.fast && !pair.ref.fast);
}

enum { MOST = 16 * 330 };

/* Reals up to 10 in magnitude, with some that rounding treats in its own way. */
static void fill_reals(float *values, size_t count, uint32_t number, bool finite) {
    static const float odd[] = {0.0f, -0.0f, 1e-39f, 10.0f, -10.0f, 5.0f, INFINITY, NAN, -NAN,
                                -INFINITY, 3.4e38f};
    const size_t kinds = finite ? 6 : sizeof odd / sizeof odd[0];
    const LutraRandomKey key = check_key(number);
    for (size_t i = 0; i < count; i++) {
        const double real = lutra_random_uniform(key, i) - 0.5;
        values[i] = (float)(20.0 * real * (i % 3 == 0 ? real * real : 1.0));
        if (i % 7 == 3) {
            values[i] = odd[(i / 7) % kinds];
        }
    }
}

static void test_steps(void **state) {
    (void)state;
    const uint32_t one = 0x3F800000u;
    const float step = lutra_gradient_step(one);
    assert_true(step > 1.0f / 127.0f && step < 1.000001f / 127.0f);
    assert_true(isnan(lutra_gradient_step(0x7F800000u)) && isnan(lutra_gradient_step(0x7F800001u)));
    assert_true(lutra_gradient_step(0) == 0.0f && lutra_gradient_step(1) == 0.0f);
    assert_true(lutra_gradient_inverse(0.0f) == 0.0f && lutra_gradient_inverse(NAN) == 0.0f);
    assert_true(isfinite(lutra_gradient_step(0x7F7FFFFFu)));
}

/* For magnitudes of all sizes the largest reaches 127 and no more before it is clamped; zeros
 * stay, whole numbers of steps stay. */
static void test_rounding(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bits =
            (uint32_t)lutra_random_below(check_key(40), i, 0x7F800000u - 0x0D800000u) + 0x0D800000u;
        float largest = 0.0f;
        memcpy(&largest, &bits, sizeof largest);
        const float inverse = lutra_gradient_inverse(lutra_gradient_step(bits));
        assert_true(largest * inverse <= 127.0f && largest * inverse > 126.999f);
        const int32_t up = lutra_gradient_byte(largest, inverse, draws, i);
        const int32_t down = lutra_gradient_byte(-largest, inverse, draws, i);
        assert_true((up == 127 || up == 126) && (down == -127 || down == -126));
        assert_int_equal(lutra_gradient_byte(0.0f, inverse, draws, i), 0);
        assert_int_equal(lutra_gradient_byte(-0.0f, inverse, draws, i), 0);
        assert_int_equal(lutra_gradient_byte(-5.0f, 1.0f, draws, i), -5);
        const int32_t half = lutra_gradient_byte(2.5f, 1.0f, draws, i);
        assert_true(half == 2 || half == 3);
        const int32_t nothing = lutra_gradient_byte(NAN, inverse, draws, i);
        assert_true(nothing >= -127 && nothing <= 127);
    }
}

static const size_t counts[] = {0, 1, 2, 5, 15, 16, 17, 31, 33, 64, 70};
enum { COUNTS = sizeof counts / sizeof counts[0] };

static void check_largest(const Pair *pair, size_t images, size_t positions) {
    static float values[MOST];
    static uint32_t expected[MOST];
    static uint32_t actual[MOST];
    fill_reals(values, MOST, 10 + (uint32_t)positions, positions % 2 == 0);
    for (size_t n = 0; n < MOST; n++) {
        expected[n] = actual[n] = n % 3 == 0 ? 0x41000000u : 0;
    }
    pair->ref.largest(expected, values + 1, images, positions);
    pair->fast.largest(actual, values + 1, images, positions);
    assert_memory_equal(actual, expected, sizeof actual);
    for (size_t n = 0; n < images; n++) {
        uint32_t most = n % 3 == 0 ? 0x41000000u : 0;
        for (size_t p = 0; p < positions; p++) {
            uint32_t bits = 0;
            const float magnitude = fabsf(values[1 + (n * positions) + p]);
            memcpy(&bits, &magnitude, sizeof bits);
            most = bits > most ? bits : most;
        }
        assert_int_equal(expected[n], most);
    }
}

static void check_columns(const Pair *pair, size_t count, uint32_t rows_there) {
    static float values[MOST];
    static float inverses[MOST];
    const float *rows[4];
    uint32_t indexes[4];
    CheckBuffer buffers[2];
    fill_reals(values, MOST, 20, false);
    for (size_t i = 0; i < MOST; i++) {
        inverses[i] = i % 5 == 0 ? 0.0f : 12.7f / (1.0f + (float)(i % 4));
    }
    for (uint32_t j = 0; j < 4; j++) {
        rows[j] = ((rows_there >> j) & 1u) != 0 ? values + 3 + (81 * j) : NULL;
        indexes[j] = 1000 * j + 5;
    }
    for (int side = 0; side < 2; side++) {
        check_buffer_init(&buffers[side], count * sizeof(uint32_t), 4);
        const LutraSmallKernels *kernels = side == 0 ? &pair->ref : &pair->fast;
        kernels->pack_columns((uint32_t *)(void *)buffers[side].data, rows, count, inverses + 2,
                              draws, indexes);
    }
    assert_memory_equal(buffers[0].data, buffers[1].data, count * sizeof(uint32_t));
    for (size_t i = 0; i < 4 * count; i++) {
        const uint32_t j = i % 4;
        const int32_t expected =
            rows[j] == NULL ? 0
                            : lutra_gradient_byte(rows[j][i / 4], inverses[2 + (i / 4)], draws,
                                                  indexes[j] + (uint32_t)(i / 4));
        assert_int_equal((int8_t)buffers[0].data[i], expected);
    }
    check_buffer_done(&buffers[0]);
    check_buffer_done(&buffers[1]);
}

static void check_across(const Pair *pair, size_t count, uint32_t rows, uint32_t images) {
    enum { STRIDE = 19, IMAGE = 75, ROW = 310 };
    static float values[MOST];
    float inverses[16];
    const size_t words = count == 0 ? 0 : ((count - 1) * STRIDE) + 16;
    CheckBuffer buffers[2];
    fill_reals(values, MOST, 30, false);
    for (size_t r = 0; r < 16; r++) {
        inverses[r] = 12.7f / (1.0f + (float)(r % 5));
    }
    for (int side = 0; side < 2; side++) {
        check_buffer_init(&buffers[side], words * sizeof(uint32_t), 4);
        memset(buffers[side].data, 0x5A, words * sizeof(uint32_t));
        const LutraSmallKernels *kernels = side == 0 ? &pair->ref : &pair->fast;
        kernels->pack_across((uint32_t *)(void *)buffers[side].data, STRIDE, values, IMAGE, images,
                             ROW, rows, count, inverses, draws, 4000000000u);
    }
    assert_memory_equal(buffers[0].data, buffers[1].data, words * sizeof(uint32_t));
    for (size_t at = 0; at < count * 16 * 4; at++) {
        const size_t i = at / 64;
        const size_t r = (at / 4) % 16;
        const size_t j = at % 4;
        const size_t from = (r * ROW) + (j * IMAGE) + i;
        const int32_t expected =
            r < rows && j < images ? lutra_gradient_byte(values[from], inverses[r], draws,
                                                         4000000000u + (uint32_t)from)
                                   : 0;
        assert_int_equal((int8_t)buffers[0].data[(((i * STRIDE) + r) * 4) + j], expected);
    }
    check_buffer_done(&buffers[0]);
    check_buffer_done(&buffers[1]);
}

static void check_weave(const Pair *pair, size_t count, uint32_t rows_there) {
    uint8_t bytes[400];
    const uint8_t *rows[4];
    CheckBuffer buffers[2];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 151);
    }
    for (uint32_t j = 0; j < 4; j++) {
        rows[j] = ((rows_there >> j) & 1u) != 0 ? bytes + 1 + (80 * j) : NULL;
    }
    for (int side = 0; side < 2; side++) {
        check_buffer_init(&buffers[side], count * sizeof(uint32_t), 4);
        const LutraSmallKernels *kernels = side == 0 ? &pair->ref : &pair->fast;
        kernels->weave((uint32_t *)(void *)buffers[side].data, rows, count);
    }
    assert_memory_equal(buffers[0].data, buffers[1].data, count * sizeof(uint32_t));
    for (size_t i = 0; i < 4 * count; i++) {
        assert_int_equal(buffers[0].data[i], rows[i % 4] == NULL ? 0 : rows[i % 4][i / 4]);
    }
    check_buffer_done(&buffers[0]);
    check_buffer_done(&buffers[1]);
}

static void test_packing(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    for (size_t c = 0; c < COUNTS; c++) {
        check_largest(&pair, counts[c], 1);
        check_largest(&pair, counts[c], 33);
        check_largest(&pair, 3, counts[c]);
        for (uint32_t there = 0; there < 16; there++) {
            check_columns(&pair, counts[c], there);
            check_weave(&pair, counts[c], there);
        }
        check_across(&pair, counts[c], 16, 4);
        check_across(&pair, counts[c], (uint32_t)(c % 16), 1 + (uint32_t)(c % 4));
    }
}

enum { STEPS = 67, LANES_STRIDE = 69, SUMS_STRIDE = 71, ROW_WORDS = 900 };

static int64_t exact_sum(const LutraSmallBlock *block, size_t row, size_t lane, bool ones) {
    int64_t total = 0;
    for (size_t s = 0; s < block->steps; s++) {
        const uint32_t a =
            ones ? 0x01010101u : block->rows[block->row_offsets[row] + block->step_offsets[s]];
        const uint32_t b = block->lanes[(s * block->lanes_stride) + lane];
        for (uint32_t j = 0; j < 4; j++) {
            total += (int64_t)(uint8_t)(a >> (8 * j)) * (int8_t)(uint8_t)(b >> (8 * j));
        }
    }
    return total;
}

/* Every fourth number takes the bytes that make the largest sums. */
static void check_products(const LutraSmallKernels *kernels, uint32_t number, uint32_t rows,
                           uint32_t vectors, size_t steps, bool add) {
    static uint32_t row_words[ROW_WORDS];
    static uint32_t lanes[STEPS * LANES_STRIDE];
    uint32_t row_offsets[LUTRA_SMALL_ROWS];
    uint32_t step_offsets[STEPS];
    int32_t bases[LUTRA_SMALL_VECTORS * LUTRA_SMALL_LANES];
    const LutraRandomKey key = check_key(number);
    const bool extreme = number % 4 == 0;
    for (size_t i = 0; i < ROW_WORDS; i++) {
        row_words[i] = extreme ? 0xFFFFFFFFu : (uint32_t)lutra_random_u64(key, i);
    }
    for (size_t i = 0; i < STEPS * LANES_STRIDE; i++) {
        lanes[i] = extreme ? 0x80808080u : (uint32_t)lutra_random_u64(key, 2000 + i);
    }
    for (size_t r = 0; r < LUTRA_SMALL_ROWS; r++) {
        row_offsets[r] = (uint32_t)lutra_random_below(key, 20000 + r, 400);
    }
    for (size_t s = 0; s < STEPS; s++) {
        step_offsets[s] = (uint32_t)lutra_random_below(key, 21000 + s, 500);
    }
    const LutraSmallBlock block = {row_words, row_offsets,  step_offsets, rows,
                                   lanes,     LANES_STRIDE, steps,        vectors};
    const size_t width = (size_t)vectors * LUTRA_SMALL_LANES;
    const size_t count = ((rows - 1) * SUMS_STRIDE) + width;
    CheckBuffer buffers[3];
    for (int i = 0; i < 3; i++) {
        check_buffer_init(&buffers[i], (i == 2 ? width : count) * sizeof(int32_t),
                          4 * (number % 4));
    }
    int32_t *sums = (int32_t *)(void *)buffers[0].data;
    float *reals = (float *)(void *)buffers[1].data;
    int32_t *lane_sums = (int32_t *)(void *)buffers[2].data;
    for (size_t i = 0; i < count; i++) {
        sums[i] = 3;
        reals[i] = 3.0f;
    }
    for (size_t l = 0; l < width; l++) {
        lane_sums[l] = -7;
        bases[l] = (int32_t)l * -1000;
    }
    kernels->products(sums, SUMS_STRIDE, &block, add);
    kernels->product_reals(reals, SUMS_STRIDE, &block, bases);
    kernels->lane_sums(lane_sums, &block, add);
    for (size_t i = 0; i < count; i++) {
        const size_t l = i % SUMS_STRIDE;
        const int64_t sum = l < width ? exact_sum(&block, i / SUMS_STRIDE, l, false) : 0;
        assert_int_equal(sums[i], l >= width ? 3 : sum + (add ? 3 : 0));
        assert_true(reals[i] == (l >= width ? 3.0f : (float)(sum + bases[l])));
    }
    for (size_t l = 0; l < width; l++) {
        assert_int_equal(lane_sums[l], exact_sum(&block, 0, l, true) - (add ? 7 : 0));
    }
    for (int i = 0; i < 3; i++) {
        check_buffer_done(&buffers[i]);
    }
}

static void test_products(void **state) {
    (void)state;
    const Pair pair = kernels_pair();
    static const size_t steps[] = {0, 1, 2, 7, 67};
    uint32_t number = 100;
    for (uint32_t rows = 1; rows <= LUTRA_SMALL_ROWS; rows++) {
        for (uint32_t vectors = 1; vectors <= LUTRA_SMALL_VECTORS; vectors++) {
            for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++, number++) {
                check_products(&pair.fast, number, rows, vectors, steps[s], number % 2 == 0);
                check_products(&pair.ref, number, rows, vectors, steps[s], number % 2 == 1);
            }
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variant_is_there), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_rounding),         cmocka_unit_test(test_packing),
        cmocka_unit_test(test_products),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("small_gradients", tests, NULL, NULL);
}
