/* SPDX-License-Identifier: Apache-2.0 */
/* Simulation of a split: counts, threads, limits, stopping, and requests that are refused. */
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/simulate.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/** An identity on 7 classes: the logits are the codes of 7 pixels, pixel p has code p / 16. */
static void identity(LutraCircuit *circuit) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(1), CIRCUIT_TERNARY);
    const uint32_t x = builder_input(&builder, (LutraShape){7, 1, 1}, (LutraEncoding){4, false}, 0,
                                     15);
    const uint32_t y = builder_linear(&builder, x, 7);
    LutraOperation *const operations = builder.circuit.operations;
    for (size_t i = 0; i < 7 * 256; i++) {
        operations[x].u.input.code_of_pixel[i] = (int16_t)(i % 256 / 16);
    }
    for (size_t i = 0; i < 49; i++) {
        operations[y].u.linear.weights[i] = i % 8 == 0 ? 1 : 0;
    }
    operations[x].static_range = (LutraRange){0, 15};
    operations[y].static_range = (LutraRange){0, 15};
    operations[x].observed_range = (LutraRange){0, 14};
    operations[y].observed_range = (LutraRange){1, 0};
    const uint32_t out = builder_output(&builder, y, 0);
    operations[out].observed_range = (LutraRange){0, 13};
    builder_finish(&builder, circuit);
}

static void hits_are_counted_by_rank(void **state) {
    (void)state;
    LutraCircuit circuit;
    identity(&circuit);
    static const uint8_t pixels[5][7] = {
        {0, 0, 0, 240, 0, 0, 0},          /* 3 */
        {240, 0, 240, 0, 0, 0, 0},        /* 0 before 2: the first of equals */
        {16, 32, 48, 64, 80, 96, 112},    /* 6; class 2 has rank 4, class 1 rank 5 */
        {16, 32, 48, 64, 80, 96, 112},
        {0, 0, 0, 0, 0, 0, 0},            /* 0; class 5 has rank 5, by index */
    };
    static const uint16_t labels[5] = {3, 2, 2, 1, 5};
    const LutraImages images = {.pixels = pixels[0],
                                .labels = labels,
                                .count = 5,
                                .shape = circuit.operations[0].shape,
                                .class_count = 7};
    LutraSimulateSettings settings;
    LutraSimulation result;
    LutraError error = {""};
    lutra_simulate_default(&settings);
    settings.keep_logits = true;
    check_status(lutra_simulate(&result, &circuit, &images, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(result.images, 5);
    assert_int_equal(result.top1_hits, 1);
    assert_int_equal(result.top5_hits, 3);
    static const uint32_t predictions[5] = {3, 0, 6, 6, 0};
    assert_memory_equal(result.predictions, predictions, sizeof predictions);
    uint64_t total = 0;
    for (size_t i = 0; i < 49; i++) {
        total += result.confusion[i];
    }
    assert_int_equal(total, 5);
    assert_int_equal(result.confusion[2 * 7 + 0], 1);
    assert_int_equal(result.confusion[2 * 7 + 6], 1);
    assert_int_equal(result.confusion[5 * 7 + 0], 1);
    assert_true(result.logits[3] == 15.0f * 0.125f);
    assert_int_equal(result.out_of_range, 0);
    const LutraOperationStatistics *const input = &result.operations[0];
    assert_int_equal(input->elements, 35);
    assert_int_equal(input->min, 0);
    assert_int_equal(input->max, 15);
    assert_int_equal(input->zeros, 6 + 5 + 7);
    assert_int_equal(input->outside_observed, 3);
    assert_int_equal(result.operations[1].outside_observed, 0);
    assert_int_equal(result.operations[2].outside_observed, 3);
    assert_true(result.seconds >= 0.0);
    lutra_simulation_deinit(&result);
    assert_null(result.confusion);
    lutra_circuit_deinit(&circuit);
}

static void check_same(const LutraSimulation *a, const LutraSimulation *b) {
    assert_int_equal(a->images, b->images);
    assert_int_equal(a->top1_hits, b->top1_hits);
    assert_int_equal(a->top5_hits, b->top5_hits);
    assert_int_equal(a->out_of_range, b->out_of_range);
    assert_memory_equal(a->confusion, b->confusion,
                        (size_t)a->class_count * a->class_count * sizeof(uint64_t));
    assert_memory_equal(a->predictions, b->predictions, a->images * sizeof(uint32_t));
    assert_memory_equal(a->logits, b->logits, a->images * a->class_count * sizeof(float));
    assert_memory_equal(a->operations, b->operations,
                        a->operation_count * sizeof(LutraOperationStatistics));
}

static void threads_and_instruction_sets_do_not_matter(void **state) {
    (void)state;
    static const struct {
        uint32_t threads;
        uint32_t cpu_flags;
    } settings_of[] = {{1, 0}, {2, 0}, {1, LUTRA_CPU_ALL}, {2, LUTRA_CPU_ALL}, {3, LUTRA_CPU_AVX2},
                       {16, LUTRA_CPU_ALL}};
    enum { IMAGES = 61 };
    for (uint32_t c = 0; c < 6; c++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(300 + c), (CircuitStyle)(c % CIRCUIT_STYLES));
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(400 + c), IMAGES);
        uint16_t labels[IMAGES];
        for (uint32_t i = 0; i < IMAGES; i++) {
            labels[i] = (uint16_t)(i % circuit.class_count);
        }
        const LutraImages images = {.pixels = pixels,
                                    .labels = labels,
                                    .count = IMAGES,
                                    .shape = circuit.operations[0].shape,
                                    .class_count = circuit.class_count};
        LutraSimulation first = {0};
        for (size_t s = 0; s < sizeof settings_of / sizeof settings_of[0]; s++) {
            LutraSimulateSettings settings;
            LutraSimulation result;
            LutraError error = {""};
            lutra_simulate_default(&settings);
            settings.threads = settings_of[s].threads;
            settings.cpu_flags = settings_of[s].cpu_flags;
            settings.keep_logits = true;
            check_status(lutra_simulate(&result, &circuit, &images, &settings, &error), LUTRA_OK,
                         &error);
            if (s == 0) {
                first = result;
                continue;
            }
            check_same(&result, &first);
            lutra_simulation_deinit(&result);
        }
        lutra_simulation_deinit(&first);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

/** One channel of weights `w` on codes `code` everywhere: the largest sums there are. */
static void check_extreme(int16_t code, int8_t weight, CircuitStyle style, uint32_t channels) {
    CircuitBuilder builder;
    LutraCircuit circuit;
    builder_start(&builder, check_key(2), style);
    const LutraEncoding encoding = {.bits = 12, .is_signed = true};
    const uint32_t x =
        builder_input(&builder, (LutraShape){channels, 5, 5}, encoding, code, code);
    const uint32_t y = builder_conv(&builder, x, 33, 5, 1, 2);
    const uint32_t z = builder_linear(&builder, y, 3);
    (void)builder_output(&builder, z, 0);
    LutraOperation *const operations = builder.circuit.operations;
    for (size_t i = 0; i < (size_t)channels * 256; i++) {
        operations[x].u.input.code_of_pixel[i] = code;
    }
    memset(operations[y].u.conv.weights, weight, (size_t)33 * channels * 25);
    memset(operations[z].u.linear.weights, 0, 3 * 33 * 25);
    operations[z].u.linear.weights[12] = 1; /* centre of channel 0: a full window */
    operations[x].static_range = (LutraRange){code, code};
    for (uint32_t i = 1; i < 4; i++) {
        operations[i].static_range = lutra_operation_static_range(
            &operations[i], operations[i - 1].shape, &operations[i - 1].static_range);
    }
    builder_finish(&builder, &circuit);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(3), 1);
    static const uint32_t masks[] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};
    for (size_t m = 0; m < 3; m++) {
        const uint16_t label = 0;
        const LutraImages images = {pixels, &label, 1, circuit.operations[0].shape, 3};
        LutraSimulateSettings settings;
        LutraSimulation result;
        LutraError error = {""};
        lutra_simulate_default(&settings);
        settings.cpu_flags = masks[m];
        check_status(lutra_simulate(&result, &circuit, &images, &settings, &error), LUTRA_OK,
                     &error);
        const int64_t full = 25 * (int64_t)channels * code * weight;
        assert_int_equal(full < 0 ? result.operations[z].min : result.operations[z].max, full);
        assert_int_equal(full < 0 ? result.operations[y].min : result.operations[y].max, full);
        lutra_simulation_deinit(&result);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static void largest_sums_do_not_overflow(void **state) {
    (void)state;
    static const struct {
        int16_t code;
        int8_t weight;
        CircuitStyle style;
        uint32_t channels;
    } cases[] = {{1, 1, CIRCUIT_TERNARY, 64},    {1, -1, CIRCUIT_TERNARY, 65},
                 {5, 1, CIRCUIT_TERNARY, 64},    {-5, 1, CIRCUIT_TERNARY, 33},
                 {6, 1, CIRCUIT_TERNARY, 64},    {127, 1, CIRCUIT_TERNARY, 64},
                 {15, 15, CIRCUIT_SMALL, 64},    {-15, 15, CIRCUIT_SMALL, 61},
                 {127, 64, CIRCUIT_WIDE, 16},    {127, 65, CIRCUIT_WIDE, 16},
                 {127, -128, CIRCUIT_WIDE, 64},  {1000, -128, CIRCUIT_WIDE, 9},
                 {-2047, 127, CIRCUIT_WIDE, 64}, {30, 127, CIRCUIT_WIDE, 64}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_extreme(cases[i].code, cases[i].weight, cases[i].style, cases[i].channels);
    }
}

typedef struct {
    uint64_t stop_at;
    uint64_t calls;
    uint64_t last_done;
} Listener;

static int listen(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    Listener *const listener = user;
    (void)figure;
    assert_string_equal(stage, "simulate");
    assert_true(done > listener->last_done && done <= total);
    listener->last_done = done;
    listener->calls++;
    return done >= listener->stop_at;
}

/* 16 threads are too many for batches of 600 images, 255 images too few: they run one by one. */
static void batches_do_not_matter(void **state) {
    (void)state;
    enum { IMAGES = 600 };
    static const uint64_t limits[] = {255, 256, 300, 383, 384, 511, 512, 600};
    static const uint32_t threads[] = {1, 2, 3};
    LutraCircuit circuit;
    circuit_random(&circuit, check_key(12), CIRCUIT_TERNARY);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(13), IMAGES);
    uint16_t labels[IMAGES];
    for (uint32_t i = 0; i < IMAGES; i++) {
        labels[i] = (uint16_t)(i % circuit.class_count);
    }
    const LutraImages images = {pixels, labels, IMAGES, circuit.operations[0].shape,
                                circuit.class_count};
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        LutraSimulateSettings settings;
        LutraSimulation single;
        LutraError error = {""};
        lutra_simulate_default(&settings);
        settings.keep_logits = true;
        settings.limit = limits[l];
        settings.threads = 16;
        check_status(lutra_simulate(&single, &circuit, &images, &settings, &error), LUTRA_OK,
                     &error);
        assert_int_equal(single.images, limits[l]);
        for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
            LutraSimulation batched;
            settings.threads = threads[t];
            check_status(lutra_simulate(&batched, &circuit, &images, &settings, &error), LUTRA_OK,
                         &error);
            check_same(&batched, &single);
            lutra_simulation_deinit(&batched);
        }
        lutra_simulation_deinit(&single);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static void limits_and_stops_keep_the_first_images(void **state) {
    (void)state;
    enum { IMAGES = 3000 };
    LutraCircuit circuit;
    identity(&circuit);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(9), IMAGES);
    static uint16_t labels[IMAGES];
    const LutraImages images = {pixels, labels, IMAGES, circuit.operations[0].shape, 7};
    LutraSimulateSettings settings;
    LutraSimulation whole;
    LutraSimulation part;
    LutraError error = {""};
    lutra_simulate_default(&settings);
    settings.threads = 2;
    check_status(lutra_simulate(&whole, &circuit, &images, &settings, &error), LUTRA_OK, &error);
    assert_null(whole.logits);

    settings.limit = 77;
    check_status(lutra_simulate(&part, &circuit, &images, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(part.images, 77);
    assert_int_equal(part.operations[0].elements, 77 * 7);
    assert_memory_equal(part.predictions, whole.predictions, 77 * sizeof(uint32_t));
    lutra_simulation_deinit(&part);

    Listener listener = {.stop_at = 1};
    const LutraProgress progress = {.tick = listen, .user = &listener};
    settings.limit = 0;
    settings.progress = &progress;
    check_status(lutra_simulate(&part, &circuit, &images, &settings, &error), LUTRA_ECANCELLED,
                 &error);
    assert_int_equal(listener.calls, 1);
    assert_int_equal(part.images, listener.last_done);
    assert_true(part.images < IMAGES);
    assert_int_equal(part.operations[0].elements, part.images * 7);
    assert_memory_equal(part.predictions, whole.predictions, part.images * sizeof(uint32_t));
    lutra_simulation_deinit(&part);

    listener = (Listener){.stop_at = IMAGES}; /* the wish comes too late: all is done */
    check_status(lutra_simulate(&part, &circuit, &images, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(part.images, IMAGES);
    lutra_simulation_deinit(&part);
    lutra_simulation_deinit(&whole);
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static void bad_requests_are_refused(void **state) {
    (void)state;
    LutraCircuit circuit;
    identity(&circuit);
    static const uint8_t pixels[14];
    uint16_t labels[2] = {0, 6};
    const LutraImages good = {pixels, labels, 2, circuit.operations[0].shape, 7};
    LutraSimulation result;
    memset(&result, 0x33, sizeof result);
    const LutraSimulation before = result;
    for (uint32_t i = 0; i < 8; i++) {
        LutraSimulateSettings settings;
        LutraImages images = good;
        LutraError error = {""};
        LutraStatus expected = LUTRA_EDATA;
        const char *word = "";
        lutra_simulate_default(&settings);
        labels[1] = 6;
        switch (i) {
            case 0:
                settings.mode = LUTRA_MODE_NOISY;
                word = "no crypto parameters";
                break;
            case 1:
                settings.threads = 0;
                expected = LUTRA_EINVAL;
                word = "threads";
                break;
            case 2:
                images.count = 0;
                expected = LUTRA_EINVAL;
                word = "images";
                break;
            case 3: images.shape.height = 2; word = "7 x 2 x 1"; break;
            case 4:
                settings.mode = LUTRA_MODE_NOISY;
                settings.noise.kind = LUTRA_NOISE_P_ERROR;
                settings.noise.p_error = 1.5;
                expected = LUTRA_EINVAL;
                word = "p_error 1.5";
                break;
            case 5:
                settings.mode = LUTRA_MODE_NOISY;
                settings.noise.kind = LUTRA_NOISE_SOURCES;
                settings.noise.only_operation = 1;
                expected = LUTRA_EINVAL;
                word = "by look-ups";
                break;
            case 6: images.class_count = 8; word = "8 classes"; break;
            default: labels[1] = 7; word = "label 7 of image 1"; break;
        }
        check_status(lutra_simulate(&result, &circuit, &images, &settings, &error), expected,
                     &error);
        assert_non_null(strstr(error.message, word));
        assert_memory_equal(&result, &before, sizeof result);
    }
    lutra_circuit_deinit(&circuit);
}

static void image_values_follow_the_operations(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraImageValues values;
    LutraError error = {""};
    identity(&circuit);
    static const uint8_t pixels[7] = {0, 16, 32, 255, 47, 48, 1};
    check_status(lutra_simulate_image_values(&values, &circuit, pixels, &error), LUTRA_OK, &error);
    static const int32_t codes[7] = {0, 1, 2, 15, 2, 3, 0};
    assert_int_equal(values.operation_count, 3);
    for (size_t i = 0; i < 3; i++) {
        check_equal_i32(values.values[i], codes, 7);
    }
    assert_true(values.logits[3] == 15.0f * 0.125f);
    lutra_image_values_deinit(&values);
    assert_null(values.values);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_are_counted_by_rank),
        cmocka_unit_test(threads_and_instruction_sets_do_not_matter),
        cmocka_unit_test(largest_sums_do_not_overflow),
        cmocka_unit_test(batches_do_not_matter),
        cmocka_unit_test(limits_and_stops_keep_the_first_images),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(image_values_follow_the_operations),
    };
    return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
