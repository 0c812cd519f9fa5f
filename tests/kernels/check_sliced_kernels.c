/* SPDX-License-Identifier: Apache-2.0 */
/* The portable bit-sliced kernels equal integer arithmetic lane by lane, and every other variant
 * equals them, on odd counts, with guards. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/sliced_kernels.h"
#include "tests/support/check.h"

enum { CASES = 150, MOST_TAPS = 1200, VARIANTS = 2 };

static const LutraSlicedKernels references[VARIANTS] = {
    {256, lutra_sliced_dots_ref, lutra_sliced_steps_ref, lutra_sliced_outside_ref,
     lutra_sliced_extremes_ref, lutra_sliced_add_ref, lutra_sliced_slice_ref},
    {512, lutra_sliced_dots_ref512, lutra_sliced_steps_ref512, lutra_sliced_outside_ref512,
     lutra_sliced_extremes_ref512, lutra_sliced_add_ref512, lutra_sliced_slice_ref512}};
static const uint32_t masks[VARIANTS] = {LUTRA_CPU_AVX2, LUTRA_CPU_AVX2 | LUTRA_CPU_AVX512};

/** The variant of a mask, or its reference where the processor lacks the instructions. */
static LutraSlicedKernels variant(size_t v) {
    LutraSlicedKernels kernels;
    lutra_sliced_kernels_init(&kernels, masks[v]);
    return kernels.lanes == references[v].lanes ? kernels : references[v];
}

typedef struct {
    LutraRandomKey key;
    uint64_t draws;
} Draw;

static int64_t draw(Draw *d, int64_t min, int64_t max) {
    return min + (int64_t)lutra_random_below(d->key, d->draws++, (uint64_t)(max - min) + 1);
}

static void fill_random(Draw *d, uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)lutra_random_u64(d->key, d->draws++);
    }
}

/** The number of one lane. */
static uint32_t number_at(const uint8_t *x, uint32_t planes, size_t plane_bytes, size_t lane) {
    uint32_t value = 0;
    for (uint32_t k = 0; k < planes; k++) {
        value |= (uint32_t)(x[k * plane_bytes + lane / 8] >> lane % 8 & 1) << k;
    }
    return value;
}

static void set_number(uint8_t *x, uint32_t planes, size_t plane_bytes, size_t lane,
                       uint32_t value) {
    for (uint32_t k = 0; k < planes; k++) {
        uint8_t *const byte = &x[k * plane_bytes + lane / 8];
        const uint8_t bit = (uint8_t)(1u << lane % 8);
        *byte = (uint8_t)((value >> k & 1) != 0 ? *byte | bit : *byte & ~bit);
    }
}

static uint8_t *take(size_t bytes) {
    uint8_t *block = NULL;
    check_status(lutra_alloc(&block, bytes, 1, NULL), LUTRA_OK, NULL);
    return block;
}

static uint32_t all_ones(uint32_t planes) {
    return (uint32_t)((UINT64_C(1) << planes) - 1);
}

/* ---- dot products ---- */

enum { MOST_DOTS = 8 };

typedef struct {
    LutraSlicedDot dots[MOST_DOTS];
    uint32_t taps[MOST_DOTS][MOST_TAPS];
    uint32_t count;
    uint8_t *x;
} DotCase;

/* FULL: more carries than wait at most, in all channels together; SUBTRACTS: in some alone. */
typedef enum { FEW, SUBTRACTS, FULL } Fill;

static void draw_taps(LutraSlicedDot *dot, uint32_t *taps, Draw *d, Fill fill,
                      size_t element_bytes, int64_t elements) {
    dot->subtracted = (uint32_t)draw(d, fill == FULL ? 500 : 0,
                                     fill == FULL        ? 580
                                     : fill == SUBTRACTS ? 1100
                                                         : 40);
    dot->added =
        (uint32_t)draw(d, fill == FULL ? 500 : 0, fill == FULL        ? 620
                                                  : fill == SUBTRACTS ? 100
                                                                      : 40);
    dot->start = (uint32_t)lutra_random_u64(d->key, d->draws++);
    dot->taps = taps;
    for (uint32_t i = 0; i < dot->subtracted + dot->added; i++) {
        taps[i] = (uint32_t)((size_t)draw(d, 0, elements - 1) * element_bytes);
    }
}

static void dot_start(DotCase *c, Draw *d, const LutraSlicedKernels *kernels) {
    enum { ELEMENTS = 50 };
    const size_t plane_bytes = kernels->lanes / 8;
    const bool ternary = draw(d, 0, 1) == 0;
    const bool extreme = draw(d, 0, 3) == 0;
    const int64_t kind = draw(d, 0, 9);
    const Fill fill = kind == 0 ? FULL : kind == 1 ? SUBTRACTS : FEW;
    const uint32_t planes = (uint32_t)draw(d, 1, draw(d, 0, 1) == 0 ? 31 : 12);
    const uint32_t wanted = ternary ? 2 : draw(d, 0, 2) == 0 ? 8 : (uint32_t)draw(d, 1, 12);
    const uint32_t code_planes = wanted;
    c->count = (uint32_t)draw(d, fill == FULL ? 3 : 1, draw(d, 0, 3) == 0 ? MOST_DOTS : 3);
    for (uint32_t n = 0; n < c->count; n++) {
        c->dots[n] = (LutraSlicedDot){.planes = planes,
                                      .x_planes = wanted < planes ? wanted : planes,
                                      .ternary = ternary};
        draw_taps(&c->dots[n], c->taps[n], d, fill, code_planes * plane_bytes, ELEMENTS);
    }
    c->x = take(ELEMENTS * code_planes * plane_bytes);
    for (size_t e = 0; e < ELEMENTS; e++) {
        uint8_t *const element = c->x + e * code_planes * plane_bytes;
        for (size_t lane = 0; lane < kernels->lanes; lane++) {
            const int64_t most = ternary ? 2 : all_ones(wanted);
            const int64_t code = extreme ? most : draw(d, 0, most);
            set_number(element, code_planes, plane_bytes, lane, (uint32_t)code);
        }
    }
}

static void check_dot_definition(const LutraSlicedDot *dot, const uint8_t *x, const uint8_t *y,
                                 size_t lanes) {
    for (size_t lane = 0; lane < lanes; lane += 7) {
        uint32_t sum = dot->start;
        for (uint32_t i = 0; i < dot->subtracted + dot->added; i++) {
            const uint32_t code = number_at(x + dot->taps[i], dot->x_planes, lanes / 8, lane);
            sum = i < dot->subtracted ? sum - code : sum + code;
        }
        assert_int_equal(number_at(y, dot->planes, lanes / 8, lane), sum & all_ones(dot->planes));
    }
}

static void dot_products_agree(void **state) {
    (void)state;
    for (uint32_t i = 0; i < CASES * VARIANTS; i++) {
        const LutraSlicedKernels *const reference = &references[i % VARIANTS];
        const LutraSlicedKernels kernels = variant(i % VARIANTS);
        Draw d = {.key = check_key(i)};
        DotCase c;
        CheckBuffer expected;
        CheckBuffer actual;
        dot_start(&c, &d, reference);
        const size_t plane_bytes = reference->lanes / 8;
        const size_t bytes = c.dots[0].planes * plane_bytes;
        const size_t stride = bytes + LUTRA_SLICED_SPARE_PLANES * plane_bytes;
        check_buffer_init(&expected, bytes * c.count, 0);
        check_buffer_init(&actual, stride * c.count, (size_t)draw(&d, 0, 7) * 8);
        reference->dots(expected.data, bytes, c.dots, c.count, c.x);
        kernels.dots(actual.data, stride, c.dots, c.count, c.x);
        for (uint32_t n = 0; n < c.count; n++) {
            check_dot_definition(&c.dots[n], c.x, expected.data + n * bytes, reference->lanes);
            if (memcmp(actual.data + n * stride, expected.data + n * bytes, bytes) != 0) {
                fail_msg("case %u: dot product %u of %u differs", i, n, c.count);
            }
        }
        check_buffer_done(&expected);
        check_buffer_done(&actual);
        lutra_free(&c.x);
    }
}

/* ---- steps ---- */

static void steps_agree(void **state) {
    (void)state;
    enum { MOST_STEPS = 20 };
    for (uint32_t i = 0; i < CASES * VARIANTS; i++) {
        const LutraSlicedKernels *const reference = &references[i % VARIANTS];
        const LutraSlicedKernels kernels = variant(i % VARIANTS);
        const size_t lanes = reference->lanes;
        const size_t plane_bytes = lanes / 8;
        Draw d = {.key = check_key(10000 + i)};
        const uint32_t x_planes = (uint32_t)draw(&d, 1, 14);
        const uint32_t y_planes =
            draw(&d, 0, 1) == 0 ? 2 : (uint32_t)draw(&d, 1, LUTRA_SLICED_MAX_CODE_PLANES);
        const uint32_t count = (uint32_t)draw(&d, 0, MOST_STEPS);
        int32_t words[MOST_STEPS * 32];
        int32_t start[LUTRA_SLICED_MAX_CODE_PLANES];
        uint32_t bounds[MOST_STEPS];
        uint32_t toggles[MOST_STEPS];
        const uint32_t first = (uint32_t)draw(&d, 0, all_ones(y_planes));
        for (uint32_t k = 0; k < y_planes; k++) {
            start[k] = -(int32_t)(first >> k & 1);
        }
        for (uint32_t s = 0; s < count; s++) {
            int32_t *const step = words + s * (x_planes + y_planes);
            bounds[s] = (uint32_t)draw(&d, 0, all_ones(x_planes));
            toggles[s] = (uint32_t)draw(&d, 0, all_ones(y_planes));
            lutra_sliced_masks(step, x_planes, bounds[s]);
            for (uint32_t k = 0; k < y_planes; k++) {
                step[x_planes + k] = -(int32_t)(toggles[s] >> k & 1);
            }
        }
        const LutraSlicedSteps steps = {.x_planes = x_planes,
                                        .y_planes = y_planes,
                                        .step_count = count,
                                        .start = start,
                                        .words = words};
        CheckBuffer x;
        CheckBuffer expected;
        CheckBuffer actual;
        check_buffer_init(&x, x_planes * plane_bytes, 8);
        check_buffer_init(&expected, y_planes * plane_bytes, 0);
        check_buffer_init(&actual, y_planes * plane_bytes, 16);
        fill_random(&d, x.data, x.bytes);
        reference->steps(expected.data, &steps, x.data);
        for (size_t lane = 0; lane < lanes; lane++) {
            uint32_t code = first;
            for (uint32_t s = 0; s < count; s++) {
                const uint32_t value = number_at(x.data, x_planes, plane_bytes, lane);
                code ^= value >= bounds[s] ? toggles[s] : 0;
            }
            assert_int_equal(number_at(expected.data, y_planes, plane_bytes, lane), code);
        }
        kernels.steps(actual.data, &steps, x.data);
        assert_memory_equal(actual.data, expected.data, expected.bytes);
        check_buffer_done(&x);
        check_buffer_done(&expected);
        check_buffer_done(&actual);
    }
}

/* ---- statistics ---- */

static void counts_and_extremes_agree(void **state) {
    (void)state;
    for (uint32_t i = 0; i < CASES * VARIANTS; i++) {
        const LutraSlicedKernels *const reference = &references[i % VARIANTS];
        const LutraSlicedKernels kernels = variant(i % VARIANTS);
        const size_t plane_bytes = reference->lanes / 8;
        Draw d = {.key = check_key(20000 + i)};
        const uint32_t planes = (uint32_t)draw(&d, 1, draw(&d, 0, 1) == 0 ? 31 : 4);
        const uint32_t low = (uint32_t)draw(&d, 0, all_ones(planes));
        const uint32_t high = (uint32_t)draw(&d, 0, all_ones(planes));
        const size_t used_lanes = (size_t)draw(&d, 1, (int64_t)reference->lanes);
        int32_t masks_of[2][LUTRA_SLICED_MAX_PLANES];
        uint8_t used[LUTRA_SLICED_MAX_LANES / 8] = {0};
        CheckBuffer x;
        check_buffer_init(&x, planes * plane_bytes, 8 * (size_t)draw(&d, 0, 4));
        fill_random(&d, x.data, x.bytes);
        uint32_t outside = 0;
        uint32_t smallest = UINT32_MAX;
        uint32_t largest = 0;
        for (size_t lane = 0; lane < used_lanes; lane++) {
            const uint32_t value = number_at(x.data, planes, plane_bytes, lane);
            used[lane / 8] = (uint8_t)(used[lane / 8] | 1u << lane % 8);
            outside += value < low || value > high;
            smallest = value < smallest ? value : smallest;
            largest = value > largest ? value : largest;
        }
        lutra_sliced_masks(masks_of[0], planes, low);
        lutra_sliced_masks(masks_of[1], planes, high);
        const LutraSlicedKernels *const both[2] = {reference, &kernels};
        for (size_t b = 0; b < 2; b++) {
            uint32_t min = 0;
            uint32_t max = 0;
            assert_int_equal(both[b]->outside(x.data, planes, masks_of[0], masks_of[1], used),
                             outside);
            both[b]->extremes(&min, &max, x.data, planes, used);
            assert_int_equal(min, smallest);
            assert_int_equal(max, largest);
        }
        check_buffer_done(&x);
    }
}

/* ---- addition and slicing ---- */

static void sums_and_slices_agree(void **state) {
    (void)state;
    for (uint32_t i = 0; i < CASES * VARIANTS; i++) {
        const LutraSlicedKernels *const reference = &references[i % VARIANTS];
        const LutraSlicedKernels kernels = variant(i % VARIANTS);
        const size_t lanes = reference->lanes;
        const size_t plane_bytes = lanes / 8;
        Draw d = {.key = check_key(30000 + i)};
        const uint32_t planes = (uint32_t)draw(&d, 1, 12);
        const uint32_t planes0 = (uint32_t)draw(&d, 1, 10);
        const uint32_t planes1 = (uint32_t)draw(&d, 1, 10);
        const uint32_t sliced = (uint32_t)draw(&d, 1, 8);
        uint8_t *const x = take((planes0 + planes1) * plane_bytes);
        uint8_t *const bytes = take(lanes);
        fill_random(&d, x, (planes0 + planes1) * plane_bytes);
        fill_random(&d, bytes, lanes);
        const LutraSlicedKernels *const both[2] = {reference, &kernels};
        for (size_t b = 0; b < 2; b++) {
            CheckBuffer sum;
            CheckBuffer slice;
            check_buffer_init(&sum, planes * plane_bytes, 8);
            check_buffer_init(&slice, sliced * plane_bytes, 24);
            both[b]->add(sum.data, planes, x, planes0, x + planes0 * plane_bytes, planes1);
            both[b]->slice(slice.data, sliced, bytes);
            for (size_t lane = 0; lane < lanes; lane++) {
                const uint32_t x0 = number_at(x, planes0, plane_bytes, lane);
                const uint32_t x1 =
                    number_at(x + planes0 * plane_bytes, planes1, plane_bytes, lane);
                assert_int_equal(number_at(sum.data, planes, plane_bytes, lane),
                                 (x0 + x1) & all_ones(planes));
                assert_int_equal(number_at(slice.data, sliced, plane_bytes, lane),
                                 bytes[lane] & all_ones(sliced));
            }
            check_buffer_done(&sum);
            check_buffer_done(&slice);
        }
        uint8_t *blocks[2] = {x, bytes};
        lutra_free(&blocks[0]);
        lutra_free(&blocks[1]);
    }
}

/* A set of instructions that the processor lacks is not compared: said, not hidden. */
static void every_variant_is_there(void **state) {
    (void)state;
    static const char *const names[VARIANTS] = {"AVX2", "AVX-512"};
    bool missing = false;
    for (size_t v = 0; v < VARIANTS; v++) {
        if (variant(v).dots == references[v].dots) {
            print_message("skipped: this processor has no %s, its kernels are not compared\n",
                          names[v]);
            missing = true;
        }
    }
    if (missing) {
        skip();
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant_is_there),
        cmocka_unit_test(dot_products_agree),
        cmocka_unit_test(steps_agree),
        cmocka_unit_test(counts_and_extremes_agree),
        cmocka_unit_test(sums_and_slices_agree),
    };
    return cmocka_run_group_tests_name("sliced_kernels", tests, NULL, NULL);
}
