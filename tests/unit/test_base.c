/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses, memory, random numbers and threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "tests/support/check.h"

static void error_sentences_are_cut_not_overrun(void **state) {
    (void)state;
    LutraError error;
    char text[2 * LUTRA_ERROR_BYTES];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(lutra_error_set(&error, LUTRA_EIO, "%s", text), LUTRA_EIO);
    assert_int_equal(strlen(error.message), LUTRA_ERROR_BYTES - 1);
    assert_int_equal(lutra_error_set(NULL, LUTRA_EDATA, "unheard"), LUTRA_EDATA);
    lutra_error_set(&error, LUTRA_EIO, "cannot read");
    assert_int_equal(lutra_error_prefix(&error, LUTRA_EIO, "a.h5"), LUTRA_EIO);
    assert_string_equal(error.message, "a.h5: cannot read");
}

static void sizes_that_overflow_are_refused(void **state) {
    (void)state;
    size_t product = 7;
    assert_int_equal(lutra_size_mul(&product, SIZE_MAX / 2, 3), LUTRA_ENOMEM);
    assert_int_equal(product, 7);
    assert_int_equal(lutra_size_mul(&product, 0, 3), LUTRA_OK);
    assert_int_equal(product, 0);
    int *pointer = &(int){3};
    LutraError error;
    check_status(lutra_alloc(&pointer, SIZE_MAX, 8, &error), LUTRA_ENOMEM, &error);
    assert_null(pointer);
    check_status(lutra_alloc(&pointer, 0, 8, &error), LUTRA_OK, &error);
    assert_non_null(pointer);
    assert_int_equal((uintptr_t)pointer % LUTRA_ALIGNMENT_BYTES, 0);
    lutra_free(&pointer);
    assert_null(pointer);
    lutra_free(&pointer);
}

static void resizing_keeps_the_first_and_zeroes_the_rest(void **state) {
    (void)state;
    int *numbers = NULL;
    LutraError error;
    check_status(lutra_resize(&numbers, 0, 2, sizeof *numbers, &error), LUTRA_OK, &error);
    numbers[0] = 5;
    numbers[1] = 6;
    check_status(lutra_resize(&numbers, 2, 100, sizeof *numbers, &error), LUTRA_OK, &error);
    assert_int_equal(numbers[0], 5);
    assert_int_equal(numbers[1], 6);
    for (int i = 2; i < 100; i++) {
        assert_int_equal(numbers[i], 0);
    }
    int *const before = numbers;
    check_status(lutra_resize(&numbers, 2, SIZE_MAX, sizeof *numbers, &error), LUTRA_ENOMEM,
                 &error);
    assert_ptr_equal(numbers, before);
    assert_int_equal(numbers[1], 6);
    lutra_free(&numbers);
}

/* Known answer of Philox 4x32-10 for an all-zero key and counter, from Random123's kat_vectors. */
static void philox_matches_its_published_vector(void **state) {
    (void)state;
    uint32_t words[4];
    const LutraRandomKey zero = {0, 0, 0};
    lutra_random_words(words, zero, 0, 0);
    const uint32_t expected[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    assert_memory_equal(words, expected, sizeof words);
}

static void streams_seeds_and_counters_give_different_words(void **state) {
    (void)state;
    const LutraRandomKey a = {1, LUTRA_STREAM_INIT, 0};
    const LutraRandomKey b = {1, LUTRA_STREAM_SHUFFLE, 0};
    const LutraRandomKey c = {1, LUTRA_STREAM_INIT, 1};
    const LutraRandomKey d = {2, LUTRA_STREAM_INIT, 0};
    assert_true(lutra_random_u64(a, 0) == lutra_random_u64(a, 0));
    assert_true(lutra_random_u64(a, 0) != lutra_random_u64(b, 0));
    assert_true(lutra_random_u64(a, 0) != lutra_random_u64(c, 0));
    assert_true(lutra_random_u64(a, 0) != lutra_random_u64(d, 0));
    assert_true(lutra_random_u64(a, 0) != lutra_random_u64(a, 1));
}

/* 100,000 draws; the bounds are 5.2 standard errors wide: false alarm 2e-7 each. */
static void draws_have_the_right_moments(void **state) {
    (void)state;
    enum { N = 100000 };
    double sum = 0, square = 0, normal_sum = 0, normal_square = 0;
    unsigned below[3] = {0, 0, 0};
    unsigned beyond_two = 0;
    for (uint64_t i = 0; i < N; i++) {
        const double u = lutra_random_uniform(check_key(1), i);
        assert_true(u > 0.0 && u < 1.0);
        sum += u;
        square += u * u;
        const double z = lutra_random_normal(check_key(2), i);
        normal_sum += z;
        normal_square += z * z;
        beyond_two += fabs(z) > 2.0;
        below[lutra_random_below(check_key(3), i, 3)]++;
    }
    check_close(sum / N, 0.5, 5.2 * sqrt(1.0 / 12 / N));
    check_close(square / N, 1.0 / 3, 5.2 * sqrt(4.0 / 45 / N));
    check_close(normal_sum / N, 0.0, 5.2 * sqrt(1.0 / N));
    check_close(normal_square / N, 1.0, 5.2 * sqrt(2.0 / N));
    const double tail = 0.045500263896358;
    check_close((double)beyond_two / N, tail, 5.2 * sqrt(tail * (1 - tail) / N));
    for (int i = 0; i < 3; i++) {
        check_close((double)below[i] / N, 1.0 / 3, 5.2 * sqrt(2.0 / 9 / N));
    }
}

static void permutations_hold_every_index_once(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 2, 3, 17, 1000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint32_t order[1000];
        unsigned char seen[1000] = {0};
        lutra_random_permutation(order, sizes[s], check_key((uint32_t)s));
        size_t moved = 0;
        for (size_t i = 0; i < sizes[s]; i++) {
            assert_true(order[i] < sizes[s]);
            assert_int_equal(seen[order[i]]++, 0);
            moved += order[i] != i;
        }
        assert_true(sizes[s] < 17 || moved > sizes[s] / 2);
    }
}

typedef struct {
    uint32_t hits[1000];
    uint32_t threads;
} ParallelCount;

static void count_unit(void *user, size_t index, uint32_t worker) {
    ParallelCount *const count = user;
    assert_true(worker < count->threads);
    count->hits[index]++;
}

static void parallel_for_visits_every_index_once(void **state) {
    (void)state;
    for (uint32_t threads = 1; threads <= 4; threads++) {
        ParallelCount count = {.threads = threads};
        lutra_parallel_for(threads, 1000, count_unit, &count);
        for (int i = 0; i < 1000; i++) {
            assert_int_equal(count.hits[i], 1);
        }
    }
    assert_true(lutra_parallel_threads(0) >= 1);
    assert_int_equal(lutra_parallel_threads(3), 3);
}

static int stop_at_two(void *user, const char *stage, uint64_t done, uint64_t total,
                       double figure) {
    (void)user;
    (void)stage;
    (void)total;
    (void)figure;
    return done == 2;
}

static void progress_asks_to_stop(void **state) {
    (void)state;
    const LutraProgress progress = {.tick = stop_at_two};
    assert_false(lutra_progress_tick(NULL, "x", 2, 3, 0));
    assert_false(lutra_progress_tick(&progress, "x", 1, 3, 0));
    assert_true(lutra_progress_tick(&progress, "x", 2, 3, 0));
    lutra_progress_note(NULL, "x");
    lutra_progress_note(&progress, "x");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_sentences_are_cut_not_overrun),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(resizing_keeps_the_first_and_zeroes_the_rest),
        cmocka_unit_test(philox_matches_its_published_vector),
        cmocka_unit_test(streams_seeds_and_counters_give_different_words),
        cmocka_unit_test(draws_have_the_right_moments),
        cmocka_unit_test(permutations_hold_every_index_once),
        cmocka_unit_test(parallel_for_visits_every_index_once),
        cmocka_unit_test(progress_asks_to_stop),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
