/* SPDX-License-Identifier: Apache-2.0 */
/* Many circuits over the same images: the same as one after the other. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_round.h"
#include "sim/simulate_many.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/* IMAGES run in batches, circuits in clear mode together; FEW run one by one. */
enum { CASES = 8, IMAGES = 531, FEW = 20, CLASSES = 3 };

/* Cases 0, 3 and 7 have the same answers, 1 and 2 their own; 4 is 0 in another mode, 5 and 6 are
 * two draws of noise. */
typedef struct {
    LutraCircuit circuits[4];
    LutraSimulationCase cases[CASES];
    LutraImages images;
    uint8_t *pixels;
    uint16_t labels[IMAGES];
} Setup;

static void setup_init(Setup *setup) {
    static const uint32_t bits[] = {3, 2, LUTRA_ROUNDING_NONE};
    LutraError error = {""};
    CircuitBuilder builder;
    builder_start(&builder, check_key(1), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){2, 6, 6}, (LutraEncoding){4, true}, -1, 1);
    at = builder_conv(&builder, at, 4, 3, 1, 0);
    at = builder_table(&builder, at, (LutraEncoding){8, true}, -1, 1, false);
    at = builder_linear(&builder, at, CLASSES);
    builder_output(&builder, at, 1);
    builder_finish(&builder, &setup->circuits[0]);
    for (uint32_t i = 1; i < 4; i++) {
        const LutraRoundSettings settings = {&bits[i - 1], 1, LUTRA_ROUNDING_APPROXIMATE};
        check_status(
            lutra_circuit_round(&setup->circuits[i], &setup->circuits[0], &settings, &error),
            LUTRA_OK, &error);
    }
    for (uint32_t i = 0; i < CASES; i++) {
        setup->cases[i] = (LutraSimulationCase){.circuit = &setup->circuits[i % 4],
                                                .mode = LUTRA_MODE_CLEAR};
    }
    setup->cases[4].mode = LUTRA_MODE_TORUS;
    for (uint32_t i = 5; i < 7; i++) {
        setup->cases[i].circuit = &setup->circuits[0];
        setup->cases[i].mode = LUTRA_MODE_NOISY;
        lutra_noise_settings_default(&setup->cases[i].noise);
        setup->cases[i].noise.kind = LUTRA_NOISE_P_ERROR;
        setup->cases[i].noise.p_error = 0.3;
        setup->cases[i].noise.repeat = i;
    }
    setup->pixels = circuit_random_pixels(&setup->circuits[0], check_key(2), IMAGES);
    for (uint32_t i = 0; i < IMAGES; i++) {
        setup->labels[i] = (uint16_t)(i % CLASSES);
    }
    setup->images = (LutraImages){setup->pixels, setup->labels, IMAGES,
                                  setup->circuits[0].operations[0].shape, CLASSES};
}

static void setup_deinit(Setup *setup) {
    for (int i = 0; i < 4; i++) {
        lutra_circuit_deinit(&setup->circuits[i]);
    }
    lutra_free(&setup->pixels);
}

static void check_equal(const LutraSimulation *a, const LutraSimulation *b) {
    assert_int_equal(a->images, b->images);
    assert_int_equal(a->top1_hits, b->top1_hits);
    assert_int_equal(a->top5_hits, b->top5_hits);
    assert_int_equal(a->out_of_range, b->out_of_range);
    assert_int_equal(a->operation_count, b->operation_count);
    assert_memory_equal(a->predictions, b->predictions, a->images * sizeof *a->predictions);
    assert_memory_equal(a->confusion, b->confusion, CLASSES * CLASSES * sizeof *a->confusion);
    assert_memory_equal(a->operations, b->operations, a->operation_count * sizeof *a->operations);
    assert_memory_equal(a->logits, b->logits, a->images * CLASSES * sizeof *a->logits);
}

/* What the listeners heard. */
typedef struct {
    uint32_t finished;
    uint64_t done;
    uint64_t total;
    uint64_t stop_at; /* images after which tick asks to stop; 0 = never */
    uint32_t fail_at; /* case whose end is refused */
} Heard;

static LutraStatus hear_finished(void *user, uint32_t index, const LutraSimulation *simulation,
                                 LutraError *error) {
    Heard *const heard = user;
    assert_int_equal(index, heard->finished);
    assert_true(simulation->images > 0);
    heard->finished++;
    return index == heard->fail_at ? lutra_error_set(error, LUTRA_EIO, "no") : LUTRA_OK;
}

static int hear_tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    Heard *const heard = user;
    (void)stage;
    (void)figure;
    assert_true(done > heard->done);
    heard->done = done;
    heard->total = total;
    return heard->stop_at > 0 && done >= heard->stop_at;
}

/* Runs all cases with both listeners; the message of what was expected is left in `error`. */
static void run_all(LutraSimulation results[CASES], LutraStatus expected, const Setup *setup,
                    LutraSimulateSettings settings, Heard *heard, LutraError *error) {
    const LutraProgress progress = {hear_tick, NULL, heard};
    const LutraSimulationListener listener = {hear_finished, heard};
    settings.progress = &progress;
    check_status(lutra_simulate_many(results, setup->cases, CASES, &setup->images, &settings,
                                     &listener, error),
                 expected, error);
}

static void clean_up(Setup *setup, LutraSimulation results[CASES]) {
    for (uint32_t i = 0; i < CASES; i++) {
        lutra_simulation_deinit(&results[i]);
    }
    setup_deinit(setup);
}

static void check_each(uint64_t images) {
    Setup setup;
    Heard heard = {.fail_at = UINT32_MAX};
    LutraSimulation results[CASES];
    LutraSimulateSettings settings;
    LutraError error = {""};
    setup_init(&setup);
    lutra_simulate_default(&settings);
    settings.keep_logits = true;
    settings.limit = images;
    run_all(results, LUTRA_OK, &setup, settings, &heard, &error);
    assert_int_equal(heard.finished, CASES);
    assert_int_equal(heard.total, CASES * images);
    assert_int_equal(heard.done, CASES * images);
    for (uint32_t i = 0; i < CASES; i++) {
        LutraSimulation alone;
        settings.mode = setup.cases[i].mode;
        settings.noise = setup.cases[i].noise;
        check_status(lutra_simulate(&alone, setup.cases[i].circuit, &setup.images, &settings,
                                    &error),
                     LUTRA_OK, &error);
        check_equal(&results[i], &alone);
        lutra_simulation_deinit(&alone);
    }
    /* the roundings matter, or this would show nothing */
    assert_memory_not_equal(results[0].logits, results[1].logits, FEW * CLASSES * sizeof(float));
    assert_memory_not_equal(results[1].logits, results[2].logits, FEW * CLASSES * sizeof(float));
    assert_memory_not_equal(results[0].logits, results[4].logits, FEW * CLASSES * sizeof(float));
    assert_memory_not_equal(results[0].logits, results[5].logits, FEW * CLASSES * sizeof(float));
    assert_memory_not_equal(results[5].logits, results[6].logits, FEW * CLASSES * sizeof(float));
    check_close(results[3].seconds, 0.0, 0.0); /* a copy */
    assert_true(results[0].seconds > 0.0 && results[4].seconds > 0.0);
    clean_up(&setup, results);
}

static void each_is_as_if_it_ran_alone(void **state) {
    (void)state;
    check_each(FEW);
    check_each(IMAGES);
}

static void what_was_finished_outlives_a_stop(void **state) {
    (void)state;
    Setup setup;
    Heard heard = {.stop_at = FEW + 8, .fail_at = UINT32_MAX};
    LutraSimulation results[CASES];
    LutraSimulateSettings settings;
    LutraError error = {""};
    setup_init(&setup);
    lutra_simulate_default(&settings);
    settings.limit = FEW;
    run_all(results, LUTRA_ECANCELLED, &setup, settings, &heard, &error);
    assert_int_equal(heard.finished, 1);
    char sentence[80];
    (void)snprintf(sentence, sizeof sentence, "stopped after %d of %d images",
                   (int)(FEW + results[1].images), CASES * FEW);
    assert_string_equal(error.message, sentence);
    assert_int_equal(results[0].images, FEW);
    assert_in_range(results[1].images, 8, FEW - 1);
    for (uint32_t i = 2; i < CASES; i++) {
        assert_int_equal(results[i].images, 0);
        assert_null(results[i].predictions);
    }
    clean_up(&setup, results);
}

static void a_stop_finds_all_of_a_pass_at_the_same_image(void **state) {
    (void)state;
    Setup setup;
    Heard heard = {.stop_at = 1, .fail_at = UINT32_MAX};
    LutraSimulation results[CASES];
    LutraSimulateSettings settings;
    LutraError error = {""};
    setup_init(&setup);
    lutra_simulate_default(&settings);
    settings.cpu_flags = 0; /* batches of 256 */
    run_all(results, LUTRA_ECANCELLED, &setup, settings, &heard, &error);
    assert_int_equal(heard.finished, 0);
    assert_string_equal(error.message, "stopped after 768 of 4248 images");
    for (uint32_t i = 0; i < CASES; i++) {
        assert_int_equal(results[i].images, i < 3 ? 256 : 0);
    }
    clean_up(&setup, results);
}

static void errors_leave_the_results_alone(void **state) {
    (void)state;
    Setup setup;
    Heard heard = {.fail_at = 2};
    LutraSimulation results[CASES];
    LutraSimulation before[CASES];
    LutraSimulateSettings settings;
    LutraError error = {""};
    const LutraSimulationListener listener = {hear_finished, &heard};
    setup_init(&setup);
    lutra_simulate_default(&settings);
    memset(results, 0x5A, sizeof results);
    memcpy(before, results, sizeof before);
    check_status(lutra_simulate_many(results, setup.cases, CASES, &setup.images, &settings,
                                     &listener, &error),
                 LUTRA_EIO, &error);
    assert_string_equal(error.message, "no");
    assert_int_equal(heard.finished, 3);
    setup.cases[1].mode = LUTRA_MODE_NOISY; /* the circuit has no parameters */
    check_status(
        lutra_simulate_many(results, setup.cases, CASES, &setup.images, &settings, NULL, &error),
        LUTRA_EDATA, &error);
    settings.threads = 0;
    check_status(
        lutra_simulate_many(results, setup.cases, CASES, &setup.images, &settings, NULL, &error),
        LUTRA_EINVAL, &error);
    assert_memory_equal(results, before, sizeof before);
    setup_deinit(&setup);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_as_if_it_ran_alone),
        cmocka_unit_test(what_was_finished_outlives_a_stop),
        cmocka_unit_test(a_stop_finds_all_of_a_pass_at_the_same_image),
        cmocka_unit_test(errors_leave_the_results_alone),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("simulate_many", tests, NULL, NULL);
}
