/* SPDX-License-Identifier: Apache-2.0 */
/* Shifts and flips: what they do, how they are drawn, and that they depend on nothing else. */
#include <math.h>
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
        const LutraAugmentation augmentation = {
            .crop = 2, .flip = LUTRA_FLIP_RANDOM, .seed = 9, .epoch = epoch};
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
        LutraAugmentation augmentation = {.flip = LUTRA_FLIP_ALTERNATING, .seed = 5, .epoch = 1};
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
        const LutraAugmentation augmentation = {
            .crop = 4, .flip = LUTRA_FLIP_RANDOM, .seed = 1, .epoch = 3};
        const LutraImageMove move = lutra_augment_move(&augmentation, image);
        downs[move.down + 4]++;
        flips += move.flipped;
    }
    for (int i = 0; i < 9; i++) { /* 1000 expected, standard deviation 30; 6 of them */
        assert_in_range(downs[i], 1000 - 180, 1000 + 180);
    }
    assert_in_range(flips, 4500 - 290, 4500 + 290);
}

/* Against the same moves without cutout: grey exactly in the square, all else untouched. */
static void test_cutout(void **state) {
    (void)state;
    uint8_t pixels[COUNT * IMAGE];
    uint8_t whole[3 * IMAGE];
    uint8_t cut[3 * IMAGE];
    const uint32_t order[3] = {1, 2, 5};
    const LutraImageView images = {pixels, C, H, W};
    fill(pixels);
    for (uint32_t epoch = 1; epoch < 60; epoch++) {
        LutraAugmentation augmentation = {
            .crop = 1, .flip = LUTRA_FLIP_RANDOM, .seed = 3, .epoch = epoch};
        lutra_batch_fill(whole, &images, order, 3, &augmentation, 1);
        const int size = (int)(epoch % 7); /* up to more than the image */
        augmentation.cutout = (uint32_t)size;
        lutra_batch_fill(cut, &images, order, 3, &augmentation, 2);
        for (int i = 0; i < 3 * IMAGE; i++) {
            const int n = i / (H * W) % 3;
            const LutraImageMove move = lutra_augment_move(&augmentation, order[n]);
            const int top = (int)floor(move.hole_down / 65536.0 * H) - size / 2;
            const int left = (int)floor(move.hole_right / 65536.0 * W) - size / 2;
            const int row = i / W % H;
            const int column = i % W;
            const bool hidden =
                row >= top && row < top + size && column >= left && column < left + size;
            assert_int_equal(cut[i], hidden ? LUTRA_CUTOUT_PIXEL : whole[i]);
        }
    }
}

/* The middle falls on every row and column alike, independently. */
static void test_even_holes(void **state) {
    (void)state;
    int places[H * W] = {0};
    for (uint32_t image = 0; image < 20000; image++) {
        const LutraAugmentation augmentation = {.seed = 2, .epoch = 7};
        const LutraImageMove move = lutra_augment_move(&augmentation, image);
        assert_true(move.hole_down < 65536 && move.hole_right < 65536);
        places[(move.hole_down * H >> 16) * W + (move.hole_right * W >> 16)]++;
    }
    for (int i = 0; i < H * W; i++) { /* 1000 expected, standard deviation 31; 6 of them */
        assert_in_range(places[i], 1000 - 186, 1000 + 186);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),       cmocka_unit_test(test_plain),
        cmocka_unit_test(test_alternating), cmocka_unit_test(test_even_draws),
        cmocka_unit_test(test_cutout),      cmocka_unit_test(test_even_holes),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
