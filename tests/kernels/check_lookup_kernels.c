/* SPDX-License-Identifier: Apache-2.0 */
/* Every version of the look-up kernels gives the bits of _ref and writes nothing beside its result;
 * and the reference computes what it should: digits that add up, products modulo X^N + 1. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "bridge/lookup_kernels.h"
#include "tests/support/check.h"

enum { VERSIONS = 2, MOST_LOG2 = 13, CANARY = 16 };
static const uint64_t CANARY_WORD = UINT64_C(0xabadcafe12345678);

static LutraLookupKernels ref;
static LutraLookupKernels fast[VERSIONS];

static int set_up(void **state) {
    (void)state;
    lutra_lookup_kernels_init(&ref, 0);
    lutra_lookup_kernels_init(&fast[0], LUTRA_CPU_AVX2);
    lutra_lookup_kernels_init(&fast[1], LUTRA_CPU_ALL);
    return 0;
}

/* Without faster versions the comparisons below compare the reference with itself. */
static void test_versions_are_there(void **state) {
    (void)state;
    const uint32_t flags = lutra_cpu_detect();
    assert_int_equal(fast[0].forward != ref.forward, (flags & LUTRA_CPU_AVX2) != 0);
    assert_int_equal(fast[1].forward != fast[0].forward, (flags & LUTRA_CPU_AVX512) != 0);
}

/* An array of 64-bit elements between canaries, off the alignment of a vector. */
typedef struct {
    uint64_t *block;
    size_t count;
} Fenced;

static Fenced fenced(size_t count) {
    Fenced array = {malloc((count + 2 * CANARY + 1) * sizeof(uint64_t)), count};
    assert_non_null(array.block);
    for (size_t i = 0; i < count + 2 * CANARY + 1; i++) {
        array.block[i] = CANARY_WORD;
    }
    return array;
}

static uint64_t *words_of(Fenced array) {
    return array.block + CANARY + 1;
}

static double *doubles_of(Fenced array) {
    return (double *)(void *)words_of(array);
}

static void release(Fenced array) {
    for (size_t i = 0; i < CANARY; i++) {
        assert_true(array.block[i] == CANARY_WORD);
        assert_true(words_of(array)[array.count + i] == CANARY_WORD);
    }
    free(array.block);
}

static void assert_same(Fenced a, Fenced b) {
    assert_memory_equal(words_of(a), words_of(b), a.count * sizeof(uint64_t));
}

static uint64_t word(uint32_t number, size_t i) {
    return lutra_random_u64(check_key(number), i);
}

/** Words with all kinds of ends, too: ties of digits, zeros, extremes. */
static void fill_words(uint64_t *words, size_t count, uint32_t number) {
    for (size_t i = 0; i < count; i++) {
        words[i] = word(number, i);
        if (i % 5 == 1) {
            words[i] &= ~UINT64_C(0) << (word(number + 1, i) % 64);
        }
    }
}

static void fill_reals(double *values, size_t count, uint32_t number, double size) {
    for (size_t i = 0; i < count; i++) {
        values[i] = size * (lutra_random_uniform(check_key(number), i) - 0.5);
    }
}

static const LutraDigits decompositions[] = {{23, 1}, {15, 2}, {9, 3}, {52, 1}, {1, 1}, {21, 3}};
enum { DECOMPOSITIONS = sizeof decompositions / sizeof decompositions[0] };

static void test_digits_are_those_of_the_reference(void **state) {
    (void)state;
    for (size_t d = 0; d < DECOMPOSITIONS; d++) {
        for (uint32_t log2_n = 8; log2_n <= 10; log2_n++) {
            const size_t n = (size_t)1 << log2_n;
            const size_t rotations[] = {0, 1, 3, 7, 8, n / 2 + 5, n - 1, n, n + 1, 2 * n - 9,
                                        2 * n - 1};
            const size_t stride = n + 24;
            Fenced polynomial = fenced(n);
            fill_words(words_of(polynomial), n, 1);
            for (size_t r = 0; r < sizeof rotations / sizeof rotations[0]; r++) {
                Fenced expected = fenced(stride * 3);
                ref.rotated_digits(doubles_of(expected), stride, words_of(polynomial), n,
                                   rotations[r], decompositions[d]);
                for (size_t v = 0; v < VERSIONS; v++) {
                    Fenced found = fenced(stride * 3);
                    fast[v].rotated_digits(doubles_of(found), stride, words_of(polynomial), n,
                                           rotations[r], decompositions[d]);
                    assert_same(found, expected);
                    release(found);
                }
                release(expected);
            }
            release(polynomial);
        }
    }
}

/* sum of digit i times 2^(64 - i base_log) is the word rounded to the last digit's unit. */
static void test_digits_add_up(void **state) {
    (void)state;
    enum { N = 256 };
    uint64_t polynomial[N];
    double points[3 * N];
    fill_words(polynomial, N, 3);
    for (size_t d = 0; d < DECOMPOSITIONS; d++) {
        const LutraDigits digits = decompositions[d];
        const double half_base = ldexp(0.5, (int)digits.base_log);
        const uint64_t half = UINT64_C(1) << (63 - digits.level * digits.base_log);
        for (size_t rotation = 0; rotation < (size_t)2 * N; rotation += 85) {
            ref.rotated_digits(points, N, polynomial, N, rotation, digits);
            for (size_t j = 0; j < N; j++) {
                /* X^rotation moves coefficient j to j + rotation */
                const size_t from = (j + 2 * N - rotation) % (2 * N);
                const uint64_t rotated =
                    from < N ? polynomial[from] : 0 - polynomial[from - N];
                uint64_t sum = 0;
                for (uint32_t i = 1; i <= digits.level; i++) {
                    const double digit = points[(digits.level - i) * N + j];
                    assert_true(digit >= -half_base && digit < half_base);
                    sum += (uint64_t)(int64_t)digit << (64 - i * digits.base_log);
                }
                /* the error lies in [-half, half) */
                assert_true(rotated - polynomial[j] - sum + half < 2 * half);
            }
        }
    }
}

static void test_transforms_are_those_of_the_reference(void **state) {
    (void)state;
    for (uint32_t log2_n = LUTRA_FOURIER_MIN_LOG2; log2_n <= MOST_LOG2; log2_n++) {
        const size_t n = (size_t)1 << log2_n;
        LutraFourierPlan plan;
        LutraError error = {""};
        check_status(lutra_fourier_plan_init(&plan, log2_n, &error), LUTRA_OK, &error);
        for (size_t way = 0; way < 2; way++) {
            Fenced expected = fenced(n);
            fill_reals(doubles_of(expected), n, 5, 1e6);
            (way == 0 ? ref.forward : ref.inverse)(doubles_of(expected), &plan);
            for (size_t v = 0; v < VERSIONS; v++) {
                Fenced found = fenced(n);
                fill_reals(doubles_of(found), n, 5, 1e6);
                (way == 0 ? fast[v].forward : fast[v].inverse)(doubles_of(found), &plan);
                assert_same(found, expected);
                release(found);
            }
            release(expected);
        }
        lutra_fourier_plan_deinit(&plan);
    }
}

/* Small whole numbers, so that every product is exact but for the transform's own errors. */
static void test_products_are_modulo_x_to_the_n_plus_one(void **state) {
    (void)state;
    for (uint32_t log2_n = LUTRA_FOURIER_MIN_LOG2; log2_n <= 11; log2_n++) {
        const size_t n = (size_t)1 << log2_n;
        LutraFourierPlan plan;
        LutraError error = {""};
        check_status(lutra_fourier_plan_init(&plan, log2_n, &error), LUTRA_OK, &error);
        double *a = calloc(2 * n, sizeof *a);
        double *b = calloc(4 * n, sizeof *b);
        double *sums = calloc(2 * n, sizeof *sums);
        double *exact = calloc(2 * n, sizeof *exact);
        assert_true(a != NULL && b != NULL && sums != NULL && exact != NULL);
        for (size_t i = 0; i < 2 * n; i++) {
            a[i] = (double)(int64_t)(word(6, i) % 201) - 100.0;
        }
        for (size_t i = 0; i < 4 * n; i++) {
            b[i] = (double)(int64_t)(word(7, i) % 201) - 100.0;
        }
        for (size_t c = 0; c < 2; c++) {
            for (size_t r = 0; r < 2; r++) {
                for (size_t i = 0; i < n; i++) {
                    for (size_t j = 0; j < n; j++) {
                        const double term = a[r * n + i] * b[(r * 2 + c) * n + j];
                        exact[c * n + (i + j) % n] += i + j < n ? term : -term;
                    }
                }
            }
        }
        for (size_t r = 0; r < 2; r++) {
            ref.forward(a + r * n, &plan);
        }
        for (size_t r = 0; r < 4; r++) {
            ref.forward(b + r * n, &plan);
        }
        double *packed = calloc(4 * n, sizeof *packed);
        assert_non_null(packed);
        for (size_t i = 0; i < 4 * n; i++) {
            const size_t point = i % (n / 2);
            packed[(point / 8 * 4 + i / n) * 16 + i / (n / 2) % 2 * 8 + point % 8] = b[i];
        }
        ref.products(sums, a, packed, n, n, 2, 2);
        free(packed);
        for (size_t c = 0; c < 2; c++) {
            ref.inverse(sums + c * n, &plan);
            for (size_t j = 0; j < n; j++) {
                /* 22 roundings of 2^-53 of sums below 2 * 2048 * 10^4: far below 1e-6 */
                check_close(sums[c * n + j] / (double)(n / 2), exact[c * n + j], 1e-6);
            }
        }
        free(a);
        free(b);
        free(sums);
        free(exact);
        lutra_fourier_plan_deinit(&plan);
    }
}

static void test_products_are_those_of_the_reference(void **state) {
    (void)state;
    enum { N = 256, STRIDE = 280, ROWS = 6, COLUMNS = 3 };
    for (size_t rows = 1; rows <= ROWS; rows++) {
        for (size_t columns = 1; columns <= COLUMNS; columns++) {
            Fenced x = fenced(rows * STRIDE);
            Fenced key = fenced(rows * columns * N);
            Fenced expected = fenced(columns * STRIDE);
            fill_reals(doubles_of(x), x.count, 8, 1e8);
            fill_reals(doubles_of(key), key.count, 9, 1.0);
            ref.products(doubles_of(expected), doubles_of(x), doubles_of(key), N, STRIDE,
                         rows, columns);
            for (size_t v = 0; v < VERSIONS; v++) {
                Fenced found = fenced(columns * STRIDE);
                fast[v].products(doubles_of(found), doubles_of(x), doubles_of(key), N, STRIDE,
                                 rows, columns);
                assert_same(found, expected);
                release(found);
            }
            release(x);
            release(key);
            release(expected);
        }
    }
}

static void test_torus_words_are_those_of_the_reference(void **state) {
    (void)state;
    enum { N = 512 };
    static const double ends[] = {0.0,      0.5,        -0.5,       1.5,      -1.5,        0x1p-64,
                                  0x1p-65,  0x1.8p-64,  -0x1.8p-64, 0x1p-63,  0x1.4p-63,   1e12,
                                  -1e12,    1e12 + 0.25, 0x1p51,    -0x1p51,  0x1.8p-33,   0x1p-32,
                                  -0x1p-33, 0x1.00000001p-33, 2.5,  0x1.fffffffffffffp-2};
    enum { ENDS = sizeof ends / sizeof ends[0] };
    double x[N];
    Fenced expected = fenced(N);
    fill_reals(x, N, 10, 1e9);
    fill_reals(x, N / 2, 11, 2.0);
    memcpy(x, ends, sizeof ends);
    fill_words(words_of(expected), N, 12);
    ref.add_torus(words_of(expected), x, N);
    for (size_t v = 0; v < VERSIONS; v++) {
        Fenced found = fenced(N);
        fill_words(words_of(found), N, 12);
        fast[v].add_torus(words_of(found), x, N);
        assert_same(found, expected);
        release(found);
    }
    uint64_t words[ENDS] = {0};
    ref.add_torus(words, ends, ENDS);
    assert_true(words[0] == 0 && words[1] == UINT64_C(1) << 63 && words[2] == words[1]);
    assert_true(words[3] == words[1] && words[5] == 1 && words[6] == 0 && words[7] == 2);
    assert_true(words[11] == 0 && words[13] == UINT64_C(1) << 62);
    release(expected);
}

static void test_keyswitches_are_those_of_the_reference(void **state) {
    (void)state;
    static const size_t column_counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 807};
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 17};
    enum { ROWS = 5, MOST = 17 };
    int64_t digits[MOST * ROWS];
    for (size_t i = 0; i < MOST * ROWS; i++) {
        digits[i] = (int64_t)(word(13, i) % 4294967295u) - 2147483647;
        digits[i] = i % 3 == 0 ? digits[i] : digits[i] % 9;
    }
    digits[1] = 2147483647;
    digits[2] = -2147483647;
    for (size_t c = 0; c < sizeof column_counts / sizeof column_counts[0]; c++) {
        const size_t columns = column_counts[c];
        Fenced key = fenced(columns * ROWS);
        fill_words(words_of(key), key.count, 14);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            Fenced expected = fenced(columns * counts[i]);
            fill_words(words_of(expected), expected.count, 15);
            ref.keyswitch(words_of(expected), digits, words_of(key), columns, ROWS, counts[i]);
            for (size_t v = 0; v < VERSIONS; v++) {
                Fenced found = fenced(columns * counts[i]);
                fill_words(words_of(found), found.count, 15);
                fast[v].keyswitch(words_of(found), digits, words_of(key), columns, ROWS,
                                  counts[i]);
                assert_same(found, expected);
                release(found);
            }
            release(expected);
        }
        release(key);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_are_there),
        cmocka_unit_test(test_digits_are_those_of_the_reference),
        cmocka_unit_test(test_digits_add_up),
        cmocka_unit_test(test_transforms_are_those_of_the_reference),
        cmocka_unit_test(test_products_are_modulo_x_to_the_n_plus_one),
        cmocka_unit_test(test_products_are_those_of_the_reference),
        cmocka_unit_test(test_torus_words_are_those_of_the_reference),
        cmocka_unit_test(test_keyswitches_are_those_of_the_reference),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("look-up kernels", tests, set_up, NULL);
}
