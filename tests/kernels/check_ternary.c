/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels on ternary bits: the fast ones give the words and sums of _ref, those are the exact sums
 * of products, and nothing is written beside a result. */
#include <string.h>

#include "base/cpu.h"
#include "tests/support/check.h"
#include "train/ternary.h"

enum { MOST = 64 * 300, STEPS = 40, WORDS = 700 };

static void init_pair(LutraTernaryKernels pair[2]) {
    lutra_ternary_kernels_init(&pair[0], 0);
    lutra_ternary_kernels_init(&pair[1], lutra_cpu_detect());
}

static void test_variant_is_there(void **state) {
    (void)state;
    LutraTernaryKernels pair[2];
    init_pair(pair);
    if (pair[0].products == pair[1].products) {
        print_message("skipped: no AVX-512 VPOPCNTDQ here, its kernels are not compared\n");
        skip();
    }
    assert_true(pair[1].fast && !pair[0].fast);
}

static void check_pack(const LutraTernaryKernels pair[2], uint32_t channels, size_t count) {
    static uint8_t bytes[MOST];
    const size_t stride = 290;
    CheckBuffer buffers[4];
    for (size_t i = 0; i < MOST; i++) {
        bytes[i] = (uint8_t)lutra_random_below(check_key(channels), i, 3);
    }
    for (int i = 0; i < 4; i++) {
        check_buffer_init(&buffers[i], count * sizeof(uint64_t), 8);
    }
    for (int side = 0; side < 2; side++) {
        pair[side].pack((uint64_t *)(void *)buffers[2 * side].data,
                        (uint64_t *)(void *)buffers[(2 * side) + 1].data, bytes + 5, stride,
                        channels, count);
    }
    assert_memory_equal(buffers[0].data, buffers[2].data, count * sizeof(uint64_t));
    assert_memory_equal(buffers[1].data, buffers[3].data, count * sizeof(uint64_t));
    for (size_t i = 0; i < count * 64; i++) {
        const size_t c = i % 64;
        const int code = c < channels ? bytes[5 + (c * stride) + (i / 64)] - 1 : 0;
        const uint64_t nonzero = ((const uint64_t *)(const void *)buffers[0].data)[i / 64] >> c;
        const uint64_t negative = ((const uint64_t *)(const void *)buffers[1].data)[i / 64] >> c;
        assert_int_equal(nonzero & 1, code != 0);
        assert_int_equal(negative & 1, code < 0);
    }
    for (int i = 0; i < 4; i++) {
        check_buffer_done(&buffers[i]);
    }
}

static void test_pack(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 5, 8, 9, 30, 63, 64, 65, 100, 128, 200};
    LutraTernaryKernels pair[2];
    init_pair(pair);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        check_pack(pair, 64, counts[i]);
        check_pack(pair, 1 + (uint32_t)(i * 5), counts[i]);
    }
}

static int value_at(uint64_t nonzero, uint64_t negative, size_t bit) {
    return ((nonzero >> bit) & 1) == 0 ? 0 : ((negative >> bit) & 1) != 0 ? -1 : 1;
}

static void check_products(const LutraTernaryKernels *kernels, uint32_t number, size_t steps,
                           size_t positions) {
    static uint64_t words[2][WORDS];
    uint64_t weights[STEPS * LUTRA_TERNARY_ROWS * 2];
    uint32_t offsets[STEPS];
    const LutraRandomKey key = check_key(number);
    for (size_t i = 0; i < WORDS; i++) {
        words[0][i] = number % 3 == 0 ? ~UINT64_C(0) : lutra_random_u64(key, i);
        words[1][i] = words[0][i] & lutra_random_u64(key, 1000 + i);
    }
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i += 2) {
        weights[i] = number % 3 == 0 ? ~UINT64_C(0) : lutra_random_u64(key, 2000 + i);
        weights[i + 1] = weights[i] & lutra_random_u64(key, 4000 + i);
    }
    for (size_t s = 0; s < STEPS; s++) {
        offsets[s] = (uint32_t)lutra_random_below(key, 6000 + s, WORDS - 130);
    }
    const LutraTernaryPlanes planes = {words[0], words[1]};
    CheckBuffer buffer;
    check_buffer_init(&buffer, LUTRA_TERNARY_ROWS * positions * sizeof(float), 4);
    const float *sums = (const float *)(const void *)buffer.data;
    kernels->products((float *)(void *)buffer.data, &planes, offsets, steps, weights, positions);
    for (size_t i = 0; i < LUTRA_TERNARY_ROWS * positions; i++) {
        const size_t r = i / positions;
        int32_t total = 0;
        for (size_t s = 0; s < steps; s++) {
            const uint64_t *weight = weights + (((s * LUTRA_TERNARY_ROWS) + r) * 2);
            const size_t at = offsets[s] + (i % positions);
            for (size_t bit = 0; bit < 64; bit++) {
                total += value_at(words[0][at], words[1][at], bit) *
                         value_at(weight[0], weight[1], bit);
            }
        }
        assert_true(sums[i] == (float)total);
    }
    check_buffer_done(&buffer);
}

static void test_products(void **state) {
    (void)state;
    LutraTernaryKernels pair[2];
    static const size_t steps[] = {0, 1, 2, 9, STEPS};
    uint32_t number = 100;
    init_pair(pair);
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        for (size_t positions = 0; positions <= 80; positions += 8, number++) {
            check_products(&pair[0], number, steps[s], positions);
            check_products(&pair[1], number, steps[s], positions);
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variant_is_there),
                                       cmocka_unit_test(test_pack),
                                       cmocka_unit_test(test_products)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("ternary", tests, NULL, NULL);
}
