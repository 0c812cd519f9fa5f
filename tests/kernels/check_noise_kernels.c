/* SPDX-License-Identifier: Apache-2.0 */
/* Random words in bulk and displacement of inputs: every variant against its plain reference. */
#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"
#include "base/random_fill.h"
#include "sim/displace.h"
#include "tests/support/check.h"

/** The answer that Random123 publishes for key and counter 0 (kat_vectors, philox4x32-10). */
static void published_words(void **state) {
    (void)state;
    uint32_t words[4];
    lutra_random_fill_for(LUTRA_CPU_ALL)(words, (LutraRandomKey){0, 0, 0}, 0, 1);
    assert_int_equal(words[0], 0x6627e8d5u);
    assert_int_equal(words[1], 0xe169c58du);
    assert_int_equal(words[2], 0xbc57ac4cu);
    assert_int_equal(words[3], 0x9b00dbd8u);
}

static void bulk_words_are_the_single_ones(void **state) {
    (void)state;
    const LutraRandomFill fills[] = {lutra_random_fill_ref, lutra_random_fill_for(LUTRA_CPU_ALL)};
    for (size_t f = 0; f < 2; f++) {
        for (size_t blocks = 0; blocks < 70; blocks++) {
            const LutraRandomKey key = {.seed = UINT64_C(0x0123456789ABCDEF) * (blocks + 1),
                                        .stream = LUTRA_STREAM_LOOKUP,
                                        .index = 0xFFFFF000u + (uint32_t)blocks};
            const uint64_t counter =
                (UINT64_C(0xFEDCBA98) << 32 | UINT64_C(0xFFFFFFFF)) - (blocks > 0 ? blocks - 1 : 0);
            CheckBuffer words;
            check_buffer_init(&words, 16 * blocks, 4);
            fills[f]((uint32_t *)(void *)words.data, key, counter, blocks);
            for (size_t i = 0; i < blocks; i++) {
                uint32_t expected[4];
                lutra_random_words(expected, key, counter + i, 0);
                assert_memory_equal(words.data + 16 * i, expected, 16);
            }
            check_buffer_done(&words);
        }
    }
}

enum { MOST_PIXELS = 5, MOST_STRIDE = 64, MOST_PLACES = 256, MOST = MOST_PIXELS * MOST_STRIDE };

/** One random task; `narrow`: int16. Runs both and compares everything, guards included. */
static void displace_case(uint32_t number, bool narrow, uint64_t *moved, uint64_t *flagged) {
    const LutraRandomKey key = check_key(number);
    uint64_t draw = 0;
    const size_t pixels = 1 + lutra_random_below(key, draw++, MOST_PIXELS);
    const size_t stride = 16 * (1 + lutra_random_below(key, draw++, MOST_STRIDE / 16));
    const uint32_t channels = (uint32_t)(stride - lutra_random_below(key, draw++, 16));
    const uint32_t dropped = (uint32_t)lutra_random_below(key, draw++, 9);
    const size_t places = (size_t)1 << dropped;
    const size_t lane = narrow ? 2 : 4;
    static uint8_t x[MOST * 4];
    static uint16_t draws[MOST];
    static uint32_t shares[MOST_STRIDE * MOST_PLACES];
    int32_t to_place[MOST_STRIDE];
    uint32_t first[MOST_STRIDE];
    int32_t low[MOST_STRIDE];
    int32_t high[MOST_STRIDE];
    for (size_t i = 0; i < pixels * stride; i++) {
        const int32_t value = i % stride < channels
                                  ? (int32_t)lutra_random_below(key, draw++, 4001) - 2000
                                  : 0;
        memcpy(x + i * lane, &value, lane); /* little-endian */
        draws[i] = (uint16_t)lutra_random_u64(key, draw++);
        if (lutra_random_below(key, draw++, 8) == 0) { /* ties and extremes more often */
            draws[i] = (uint16_t)(lutra_random_below(key, draw++, 4) * 0x4000u);
        }
    }
    for (size_t i = 0; i < stride * places; i++) {
        const uint32_t down = (uint32_t)lutra_random_below(key, draw++, 5) * 0x2000u;
        const uint32_t up = 0x8000u + (uint32_t)lutra_random_below(key, draw++, 4) * 0x2000u;
        shares[i] = up << 16 | down;
    }
    for (size_t c = 0; c < stride; c++) {
        to_place[c] = (int32_t)lutra_random_below(key, draw++, 400) - 200;
        first[c] = (uint32_t)(lutra_random_below(key, draw++, stride) * places);
        low[c] = -2000 + (int32_t)lutra_random_below(key, draw++, 300);
        high[c] = 2000 - (int32_t)lutra_random_below(key, draw++, 300);
    }
    const LutraDisplaceKernel kernels[2] = {narrow ? lutra_displace16_ref : lutra_displace32_ref,
                                            NULL};
    LutraDisplaceKernels best;
    lutra_displace_kernels_init(&best, LUTRA_CPU_ALL);
    CheckBuffer y[2];
    CheckBuffer list[2];
    LutraDisplaced seen[2];
    for (size_t k = 0; k < 2; k++) {
        const LutraDisplaceKernel kernel =
            k == 0 ? kernels[0] : (narrow ? best.displace16 : best.displace32);
        check_buffer_init(&y[k], pixels * stride * lane, 4);
        check_buffer_init(&list[k], pixels * channels * 4, 4);
        memset(y[k].data, 0x5A, y[k].bytes);
        memset(list[k].data, 0x5A, list[k].bytes);
        const LutraDisplaceTask task = {.x = x,
                                        .y = y[k].data,
                                        .pixels = pixels,
                                        .stride = stride,
                                        .channels = channels,
                                        .draws = draws,
                                        .to_place = to_place,
                                        .first = first,
                                        .shares = shares,
                                        .dropped_bits = dropped,
                                        .low = low,
                                        .high = high,
                                        .draw_low = (uint32_t)(number % 3) * 0x100u,
                                        .draw_high = 0xFFFFu - (uint32_t)(number % 5) * 0x100u,
                                        .flagged = (uint32_t *)(void *)list[k].data};
        seen[k] = kernel(&task);
    }
    assert_int_equal(seen[0].flagged, seen[1].flagged);
    assert_int_equal(seen[0].displaced, seen[1].displaced);
    assert_memory_equal(y[0].data, y[1].data, pixels * stride * lane);
    assert_memory_equal(list[0].data, list[1].data, seen[0].flagged * 4);
    *moved += seen[0].displaced;
    *flagged += seen[0].flagged;
    for (size_t k = 0; k < 2; k++) {
        check_buffer_done(&y[k]);
        check_buffer_done(&list[k]);
    }
}

static void displacement_is_the_reference(void **state) {
    (void)state;
    uint64_t moved = 0;
    uint64_t flagged = 0;
    for (uint32_t i = 0; i < 400; i++) {
        displace_case(20000 + i, i % 2 == 0, &moved, &flagged);
    }
    assert_true(moved > 1000 && flagged > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_words),
        cmocka_unit_test(bulk_words_are_the_single_ones),
        cmocka_unit_test(displacement_is_the_reference),
    };
    return cmocka_run_group_tests_name("noise: kernels", tests, NULL, NULL);
}
