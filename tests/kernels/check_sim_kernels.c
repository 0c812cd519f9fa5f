/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant of the simulation kernels equals the portable one, on odd sizes, with guards. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/kernels.h"
#include "tests/support/check.h"

static const uint32_t masks[] = {LUTRA_CPU_AVX2, LUTRA_CPU_AVX2 | LUTRA_CPU_AVX512, LUTRA_CPU_ALL};
enum { MASKS = sizeof masks / sizeof masks[0], CASES = 300 };

typedef struct {
    LutraRandomKey key;
    uint64_t draws;
} Draw;

static int64_t draw(Draw *d, int64_t min, int64_t max) {
    return min + (int64_t)lutra_random_below(d->key, d->draws++, (uint64_t)(max - min) + 1);
}

typedef enum { TERNARY16, BYTES16, BYTES32, WORDS32 } Kind;

/** A random dot product: a window over a small image. */
typedef struct {
    LutraDotTask task;
    void *x;
    void *weights;
    int8_t *tables;
    int32_t *correction;
    uint32_t *offsets;
    size_t y_bytes;
} DotCase;

static void *take(size_t count, size_t bytes) {
    void *block = NULL;
    check_status(lutra_alloc(&block, count, bytes, NULL), LUTRA_OK, NULL);
    return block;
}

/** Sometimes all codes and weights are the same extreme ones: the largest sums there are. */
static void fill_pairs(DotCase *c, Draw *d, size_t x_bytes, size_t weight_bytes) {
    const bool extreme = draw(d, 0, 3) == 0;
    const uint8_t weight = (uint8_t)(draw(d, 0, 1) * 8);
    const int64_t levels = draw(d, 1, 11);
    const int64_t low = -draw(d, 0, levels - 1);
    const int64_t most = -low > levels - 1 + low ? -low : levels - 1 + low;
    c->tables = take((size_t)(levels * levels), 16);
    for (int64_t pair = 0; pair < levels * levels; pair++) {
        for (int64_t w = 0; w < 9; w++) {
            const int64_t a = pair / levels + low;
            const int64_t b = pair % levels + low;
            c->tables[16 * pair + w] = (int8_t)(a * (w / 3 - 1) + b * (w % 3 - 1));
        }
    }
    for (size_t i = 0; i < x_bytes; i++) {
        const int64_t last = levels * levels - 1;
        ((uint8_t *)c->x)[i] = (uint8_t)(2 * (extreme ? last : draw(d, 0, last)));
    }
    for (size_t i = 0; i < weight_bytes; i++) {
        ((uint8_t *)c->weights)[i] = extreme ? weight : (uint8_t)draw(d, 0, 8);
    }
    c->task.pair_tables = c->tables;
    c->task.pair_count = (uint32_t)(levels * levels);
    c->task.flush_steps = (uint32_t)(127 / (2 * (most > 0 ? most : 1)));
}

static void fill_bytes(DotCase *c, Draw *d, size_t x_bytes, size_t weight_bytes) {
    const int64_t weight = draw(d, 1, 128);
    const int64_t most = 32767 / (2 * weight);
    const int64_t code = draw(d, 0, most < 255 ? most : 255);
    const bool extreme = draw(d, 0, 3) == 0;
    for (size_t i = 0; i < x_bytes; i++) {
        ((uint8_t *)c->x)[i] = (uint8_t)(extreme ? code : draw(d, 0, code));
    }
    for (size_t i = 0; i < weight_bytes; i++) {
        const int64_t top = weight > 127 ? 127 : weight;
        ((int8_t *)c->weights)[i] = (int8_t)(extreme ? -weight : draw(d, -weight, top));
    }
    c->task.flush_steps = (uint32_t)(code == 0 ? 32767 : 32767 / (2 * weight * code));
}

static void fill_words(DotCase *c, Draw *d, size_t x_bytes, size_t weight_bytes) {
    for (size_t i = 0; i < x_bytes / 2; i++) {
        ((int16_t *)c->x)[i] = (int16_t)draw(d, -32767, 32767);
    }
    for (size_t i = 0; i < weight_bytes / 2; i++) {
        ((int16_t *)c->weights)[i] = (int16_t)draw(d, -128, 127);
    }
}

static void dot_start(DotCase *c, Draw *d, Kind kind) {
    memset(c, 0, sizeof *c);
    LutraDotTask *const task = &c->task;
    const size_t step = kind == TERNARY16 ? 1 : 4;
    const size_t block = kind == TERNARY16 ? LUTRA_SIM_TERNARY_CHANNELS : LUTRA_SIM_DOT_CHANNELS;
    task->rows = (uint32_t)draw(d, 1, 4);
    task->row_steps = (uint32_t)draw(d, 1, draw(d, 0, 4) == 0 ? 300 : 40);
    task->pixels = (size_t)draw(d, 0, 37);
    task->stride = (size_t)draw(d, 1, 10) * LUTRA_SIM_LANES;
    const size_t row_bytes = (task->row_steps + (size_t)draw(d, 0, 20)) * step;
    task->row_bytes = row_bytes;
    const size_t x_bytes = row_bytes * (task->rows + 3);
    c->x = take(x_bytes, 1);
    const size_t blocks = (task->stride + block - 1) / block;
    const size_t weight_bytes = blocks * task->rows * task->row_steps * LUTRA_SIM_STEP_BYTES;
    c->weights = take(weight_bytes, 1);
    c->correction = take(task->stride, sizeof(int32_t));
    c->offsets = take(task->pixels, sizeof(uint32_t));
    for (size_t i = 0; i < task->stride; i++) {
        c->correction[i] = (int32_t)draw(d, -100000, 100000);
    }
    for (size_t i = 0; i < task->pixels; i++) {
        const size_t spare = (x_bytes - (task->rows - 1) * row_bytes - task->row_steps * step);
        c->offsets[i] = (uint32_t)((size_t)draw(d, 0, (int64_t)(spare / step)) * step);
    }
    if (kind == TERNARY16) {
        fill_pairs(c, d, x_bytes, weight_bytes);
    } else if (kind == WORDS32) {
        fill_words(c, d, x_bytes, weight_bytes);
    } else {
        fill_bytes(c, d, x_bytes, weight_bytes);
    }
    task->x = c->x;
    task->weights = c->weights;
    task->correction = c->correction;
    task->pixel_offsets = c->offsets;
    c->y_bytes = task->pixels * task->stride * (kind == TERNARY16 || kind == BYTES16 ? 2 : 4);
}

static void dot_end(DotCase *c) {
    lutra_free(&c->x);
    lutra_free(&c->weights);
    lutra_free(&c->tables);
    lutra_free(&c->correction);
    lutra_free(&c->offsets);
}

static LutraDotKernel dot_of(const LutraSimKernels *kernels, Kind kind) {
    switch (kind) {
        case TERNARY16: return kernels->dot_ternary16;
        case BYTES16: return kernels->dot_bytes16;
        case BYTES32: return kernels->dot_bytes32;
        case WORDS32: break;
    }
    return kernels->dot_words32;
}

static void check_dot(Kind kind) {
    LutraSimKernels reference;
    lutra_sim_kernels_init(&reference, 0);
    for (uint32_t i = 0; i < CASES; i++) {
        Draw d = {.key = check_key(i * 8 + (uint32_t)kind)};
        DotCase c;
        CheckBuffer expected;
        dot_start(&c, &d, kind);
        check_buffer_init(&expected, c.y_bytes, 0);
        c.task.y = expected.data;
        dot_of(&reference, kind)(&c.task);
        for (size_t m = 0; m < MASKS; m++) {
            LutraSimKernels kernels;
            CheckBuffer actual;
            lutra_sim_kernels_init(&kernels, masks[m]);
            check_buffer_init(&actual, c.y_bytes, 4 * (size_t)draw(&d, 0, 7));
            c.task.y = actual.data;
            dot_of(&kernels, kind)(&c.task);
            if (memcmp(actual.data, expected.data, c.y_bytes) != 0) {
                fail_msg("case %u, mask %u: results differ", i, masks[m]);
            }
            check_buffer_done(&actual);
        }
        check_buffer_done(&expected);
        dot_end(&c);
    }
}

static void ternary_dot_products_agree(void **state) {
    (void)state;
    check_dot(TERNARY16);
}

static void byte_dot_products_into_int16_agree(void **state) {
    (void)state;
    check_dot(BYTES16);
}

static void byte_dot_products_into_int32_agree(void **state) {
    (void)state;
    check_dot(BYTES32);
}

static void word_dot_products_agree(void **state) {
    (void)state;
    check_dot(WORDS32);
}

static void portable_dot_product_is_the_definition(void **state) {
    (void)state;
    /* 2 rows of 1 step, 1 pixel: against sums written out */
    static const uint8_t x[8] = {1, 2, 3, 255, 0, 7, 9, 11};
    _Alignas(64) static int8_t weights[2 * 64];
    static const int32_t correction[16] = {5, -70000};
    static const uint32_t offset = 0;
    const int8_t first[8] = {1, -1, 2, -2, 3, 4, -5, 6}; /* channel 0: both steps */
    memcpy(weights, first, 4);
    memcpy(weights + 64, first + 4, 4);
    weights[4] = 127; /* channel 1, first step, first code */
    LutraSimKernels kernels;
    int32_t y32[16];
    int16_t y16[16];
    lutra_sim_kernels_init(&kernels, 0);
    LutraDotTask task = {.x = x,
                         .pixel_offsets = &offset,
                         .pixels = 1,
                         .row_bytes = 4,
                         .rows = 2,
                         .row_steps = 1,
                         .flush_steps = 1,
                         .weights = (const uint8_t *)weights,
                         .correction = correction,
                         .y = y32,
                         .stride = 16};
    kernels.dot_bytes32(&task);
    assert_int_equal(y32[0], 1 - 2 + 6 - 510 + 0 + 28 - 45 + 66 + 5);
    assert_int_equal(y32[1], 127 - 70000);
    task.y = y16;
    kernels.dot_bytes16(&task);
    assert_int_equal(y16[1], 127 - 70000 + 65536);
}

/* ---- steps ---- */

typedef struct {
    LutraStepsTask task;
    void *x;
    void *thresholds;
    int16_t *direction;
    int16_t *base;
    int32_t *offsets;
    int32_t *low;
    int32_t *high;
    size_t y_bytes;
} StepsCase;

static void steps_start(StepsCase *c, Draw *d, bool narrow) {
    memset(c, 0, sizeof *c);
    LutraStepsTask *const task = &c->task;
    task->channels = (uint32_t)draw(d, 1, 100);
    task->x_stride = (task->channels + 15u) / 16u * 16u;
    task->y_stride = task->channels <= 4 ? 4 : task->channels <= 8 ? 8 : task->x_stride;
    task->pixels = (size_t)draw(d, 1, 70);
    task->level_count = (uint32_t)(draw(d, 0, 1) == 0 ? 2 : draw(d, 0, 33));
    task->zero = (uint8_t)draw(d, 0, 3);
    const size_t lanes = task->x_stride;
    const size_t bytes = narrow ? 2 : 4;
    const int64_t reach = narrow ? 32767 : draw(d, 0, 1) == 0 ? 40 : 2000000000;
    c->x = take(task->pixels * lanes, bytes);
    c->thresholds = take((task->level_count + 1) * lanes, bytes);
    c->direction = take(lanes, 2);
    c->base = take(lanes, 2);
    c->offsets = take(lanes, 4);
    c->low = take(lanes, 4);
    c->high = take(lanes, 4);
    for (size_t i = 0; i < task->pixels * lanes; i++) {
        const int64_t x = i % lanes < task->channels ? draw(d, -reach, reach) : 0;
        if (narrow) {
            ((int16_t *)c->x)[i] = (int16_t)x;
        } else {
            ((int32_t *)c->x)[i] = (int32_t)x;
        }
    }
    for (size_t i = 0; i < task->level_count * lanes; i++) {
        const int64_t t = i % lanes < task->channels && draw(d, 0, 5) > 0 ? draw(d, -reach, reach)
                          : narrow                                       ? INT16_MAX
                                                                         : INT32_MAX;
        if (narrow) {
            ((int16_t *)c->thresholds)[i] = (int16_t)t;
        } else {
            ((int32_t *)c->thresholds)[i] = (int32_t)t;
        }
    }
    for (size_t i = 0; i < task->channels; i++) {
        c->direction[i] = draw(d, 0, 1) == 0 ? 1 : -1;
        c->base[i] = (int16_t)(c->direction[i] > 0 ? draw(d, 0, 255 - task->level_count)
                                                   : draw(d, task->level_count, 255));
        c->offsets[i] = (int32_t)draw(d, -1000, 1000);
        c->low[i] = (int32_t)draw(d, -2 * reach > INT32_MIN ? -2 * reach : INT32_MIN, -reach / 2);
        c->high[i] = (int32_t)draw(d, reach / 2, 2 * reach < INT32_MAX ? 2 * reach : INT32_MAX);
    }
    task->x = c->x;
    task->thresholds = c->thresholds;
    task->direction = c->direction;
    task->base = c->base;
    task->offsets = c->offsets;
    task->low = c->low;
    task->high = c->high;
    c->y_bytes = task->pixels * task->y_stride;
}

static void steps_end(StepsCase *c) {
    lutra_free(&c->x);
    lutra_free(&c->thresholds);
    lutra_free(&c->direction);
    lutra_free(&c->base);
    lutra_free(&c->offsets);
    lutra_free(&c->low);
    lutra_free(&c->high);
}

static void check_steps(bool narrow) {
    LutraSimKernels reference;
    lutra_sim_kernels_init(&reference, 0);
    for (uint32_t i = 0; i < CASES; i++) {
        Draw d = {.key = check_key(100000 + 2 * i + (narrow ? 1 : 0))};
        StepsCase c;
        CheckBuffer y[2];
        CheckBuffer marked[2];
        LutraStepsSeen seen[2];
        steps_start(&c, &d, narrow);
        for (size_t m = 0; m < MASKS; m++) {
            LutraSimKernels kernels;
            lutra_sim_kernels_init(&kernels, masks[m]);
            for (size_t v = 0; v < 2; v++) {
                const LutraSimKernels *const used = v == 0 ? &reference : &kernels;
                check_buffer_init(&y[v], c.y_bytes, (size_t)draw(&d, 0, 15));
                check_buffer_init(&marked[v], c.task.x_stride / 16, 0);
                memset(&seen[v], 0x77, sizeof seen[v]);
                c.task.y = y[v].data;
                c.task.marked = marked[v].data;
                (narrow ? used->steps16 : used->steps32)(&c.task, &seen[v]);
            }
            assert_memory_equal(y[0].data, y[1].data, c.y_bytes);
            assert_memory_equal(marked[0].data, marked[1].data, c.task.x_stride / 16);
            assert_int_equal(seen[0].x_min, seen[1].x_min);
            assert_int_equal(seen[0].x_max, seen[1].x_max);
            assert_int_equal(seen[0].shifted_min, seen[1].shifted_min);
            assert_int_equal(seen[0].shifted_max, seen[1].shifted_max);
            assert_int_equal(seen[0].y_min, seen[1].y_min);
            assert_int_equal(seen[0].y_max, seen[1].y_max);
            assert_int_equal(seen[0].zeros, seen[1].zeros);
            assert_int_equal(seen[0].any_marked, seen[1].any_marked);
            for (size_t v = 0; v < 2; v++) {
                check_buffer_done(&y[v]);
                check_buffer_done(&marked[v]);
            }
        }
        steps_end(&c);
    }
}

static void steps_on_int16_agree(void **state) {
    (void)state;
    check_steps(true);
}

static void steps_on_int32_agree(void **state) {
    (void)state;
    check_steps(false);
}

/* Thresholds around 2^16 apart, at both ends of int32, and inputs next to them: where thresholds
 * stop fitting into int16, and where limits of inputs could wrap. */
static void steps_with_thresholds_far_apart_agree(void **state) {
    (void)state;
    enum { LANES = 16, INPUTS = 10, LEVELS = 3 };
    static const int64_t starts[] = {INT32_MIN, INT32_MIN + 1, -70000, -32768, 0,
                                     INT32_MAX - 65537, INT32_MAX - 65536, INT32_MAX - 65535,
                                     INT32_MAX - 65534, INT32_MAX - 1};
    for (uint32_t i = 0; i < 2 * CASES; i++) {
        Draw d = {.key = check_key(300000 + i)};
        int32_t x[INPUTS * LANES];
        int32_t thresholds[LEVELS * LANES];
        int16_t direction[LANES];
        int16_t base[LANES];
        int32_t offsets[LANES] = {0};
        int32_t low[LANES];
        int32_t high[LANES];
        uint8_t y[2][INPUTS * LANES];
        uint8_t marked[2];
        LutraStepsSeen seen[2];
        const int64_t span = 65530 + draw(&d, 0, 8);
        for (size_t c = 0; c < LANES; c++) {
            const int64_t start = starts[draw(&d, 0, 9)];
            const int64_t end = start + span > INT32_MAX ? INT32_MAX : start + span;
            const int64_t near[INPUTS] = {start - 1, start,     start + 1, end - 1,   end,
                                          end + 1,   INT32_MIN, INT32_MAX, start + 7, 0};
            thresholds[c] = (int32_t)start;
            thresholds[LANES + c] = (int32_t)end;
            thresholds[2 * LANES + c] = draw(&d, 0, 1) == 0 ? INT32_MAX : (int32_t)end - 1;
            direction[c] = draw(&d, 0, 1) == 0 ? 1 : -1;
            base[c] = 100;
            low[c] = INT32_MIN;
            high[c] = INT32_MAX;
            for (size_t p = 0; p < INPUTS; p++) {
                x[p * LANES + c] = (int32_t)(near[p] < INT32_MIN   ? INT32_MIN
                                             : near[p] > INT32_MAX ? INT32_MAX
                                                                   : near[p]);
            }
        }
        LutraStepsTask task = {.x = x,
                               .x_stride = LANES,
                               .y_stride = LANES,
                               .pixels = INPUTS,
                               .channels = LANES,
                               .level_count = LEVELS,
                               .thresholds = thresholds,
                               .direction = direction,
                               .base = base,
                               .offsets = offsets,
                               .low = low,
                               .high = high,
                               .zero = 101};
        for (size_t v = 0; v < 2; v++) {
            LutraSimKernels kernels;
            lutra_sim_kernels_init(&kernels, v == 0 ? 0 : LUTRA_CPU_ALL);
            task.y = y[v];
            task.marked = &marked[v];
            kernels.steps32(&task, &seen[v]);
        }
        if (memcmp(y[0], y[1], sizeof y[0]) != 0 || seen[0].zeros != seen[1].zeros ||
            seen[0].y_min != seen[1].y_min || seen[0].y_max != seen[1].y_max) {
            fail_msg("case %u, thresholds %d apart: results differ", i, (int)span);
        }
    }
}

static void pairs_agree(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 630};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t m = 0; m < MASKS; m++) {
            Draw d = {.key = check_key(200000 + (uint32_t)s)};
            LutraSimKernels kernels;
            CheckBuffer x;
            CheckBuffer y;
            const uint32_t levels = (uint32_t)draw(&d, 1, 11);
            lutra_sim_kernels_init(&kernels, masks[m]);
            check_buffer_init(&x, 2 * sizes[s], 1);
            check_buffer_init(&y, sizes[s], 3);
            for (size_t i = 0; i < 2 * sizes[s]; i++) {
                x.data[i] = (uint8_t)draw(&d, 0, levels - 1);
            }
            kernels.pairs(y.data, x.data, sizes[s], levels);
            for (size_t i = 0; i < sizes[s]; i++) {
                assert_int_equal(y.data[i], 2 * (levels * x.data[2 * i] + x.data[2 * i + 1]));
            }
            check_buffer_done(&x);
            check_buffer_done(&y);
        }
    }
}

/* A set of instructions that the processor lacks is not compared: said, not hidden. */
static void every_variant_is_there(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t mask;
    } variants[] = {{"AVX2", LUTRA_CPU_AVX2},
                    {"AVX-512 with VNNI and VPOPCNTDQ", LUTRA_CPU_ALL}};
    bool missing = false;
    LutraSimKernels below;
    lutra_sim_kernels_init(&below, 0);
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        LutraSimKernels kernels;
        lutra_sim_kernels_init(&kernels, variants[i].mask);
        if (kernels.dot_bytes32 == below.dot_bytes32) {
            print_message("skipped: this processor has no %s, its kernels are not compared\n",
                          variants[i].name);
            missing = true;
        }
        below = kernels;
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
        cmocka_unit_test(portable_dot_product_is_the_definition),
        cmocka_unit_test(ternary_dot_products_agree),
        cmocka_unit_test(byte_dot_products_into_int16_agree),
        cmocka_unit_test(byte_dot_products_into_int32_agree),
        cmocka_unit_test(word_dot_products_agree),
        cmocka_unit_test(steps_on_int16_agree),
        cmocka_unit_test(steps_on_int32_agree),
        cmocka_unit_test(steps_with_thresholds_far_apart_agree),
        cmocka_unit_test(pairs_agree),
    };
    return cmocka_run_group_tests_name("sim_kernels", tests, NULL, NULL);
}
