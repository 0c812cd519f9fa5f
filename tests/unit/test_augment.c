/* SPDX-License-Identifier: Apache-2.0 */
/* Shifts and flips: what they do, how they are drawn, and that they depend on nothing else. */
#include <stdbool.h>
#include <string.h>

#include "tests/support/check.h"
#include "train/augment.h"

enum { COUNT = 6, C = 2, H = 5, W = 4, IMAGE = C * H * W };

static void fill(uint8_t *pixels) {
    for (size_t i = 0; i < (size_t)COUNT * IMAGE; i++) {
        pixels[i] = (uint8_t)(1 + lutra_random_below(check_key(1), i, 255));
    }
}

static void test_moves(void **state) {
    (void)state;
    uint8_t pixels[COUNT * IMAGE];
    uint8_t bytes[3 * IMAGE];
    const uint32_t order[3] = {4, 0, 5};
    const LutraImageView images = {pixels, C, H, W};
    fill(pixels);
    for (uint32_t epoch = 1; epoch < 30; epoch++) {
        const LutraAugmentation augmentation = {2, LUTRA_FLIP_RANDOM, 9, epoch};
        lutra_batch_fill(bytes, &images, order, 3, &augmentation, 2);
        for (int n = 0; n < 3; n++) {
            const LutraImageMove move = lutra_augment_move(&augmentation, order[n]);
            assert_in_range(move.down + 2, 0, 4);
            assert_in_range(move.right + 2, 0, 4);
            for (int c = 0; c < C; c++) {
                for (int r = 0; r < H; r++) {
                    for (int s = 0; s < W; s++) {
                        const int row = r + move.down;
                        const int column = (move.flipped ? W - 1 - s : s) + move.right;
                        const bool inside = row >= 0 && row < H && column >= 0 && column < W;
                        const uint8_t pixel =
                            inside ? pixels[((((int)order[n] * C) + c) * H + row) * W + column] : 0;
                        assert_int_equal(bytes[((c * 3 + n) * H + r) * W + s], pixel);
                    }
                }
            }
        }
    }
}

static void test_plain(void **state) {
    (void)state;
    uint8_t pixels[COUNT * IMAGE];
    uint8_t bytes[IMAGE];
    const uint32_t order[1] = {3};
    const LutraImageView images = {pixels, C, H, W};
    fill(pixels);
    lutra_batch_fill(bytes, &images, order, 1, NULL, 1);
    for (int i = 0; i < IMAGE; i++) {
        assert_int_equal(bytes[i], pixels[(3 * IMAGE) + i]);
    }
}

static void test_alternating(void **state) {
    (void)state;
    int first = 0;
    for (uint32_t image = 0; image < 2000; image++) {
        LutraAugmentation augmentation = {0, LUTRA_FLIP_ALTERNATING, 5, 1};
        const int odd = lutra_augment_move(&augmentation, image).flipped;
        for (uint32_t epoch = 2; epoch < 6; epoch++) {
            augmentation.epoch = epoch;
            assert_int_equal(lutra_augment_move(&augmentation, image).flipped,
                             (epoch & 1u) != 0 ? odd : !odd);
        }
        first += odd;
    }
    /* binomial(2000, 1/2): 6 standard deviations are 134; false alarm below 1e-8 */
    assert_in_range(first, 1000 - 134, 1000 + 134);
}

static void test_even_draws(void **state) {
    (void)state;
    int downs[9] = {0};
    int flips = 0;
    for (uint32_t image = 0; image < 9000; image++) {
        const LutraAugmentation augmentation = {4, LUTRA_FLIP_RANDOM, 1, 3};
        const LutraImageMove move = lutra_augment_move(&augmentation, image);
        downs[move.down + 4]++;
        flips += move.flipped;
    }
    for (int i = 0; i < 9; i++) { /* 1000 expected, standard deviation 30; 6 of them */
        assert_in_range(downs[i], 1000 - 180, 1000 + 180);
    }
    assert_in_range(flips, 4500 - 290, 4500 + 290);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_alternating),
        cmocka_unit_test(test_even_draws),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
