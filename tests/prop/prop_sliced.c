/* SPDX-License-Identifier: Apache-2.0 */
/* Bit-sliced execution equals execution image by image on random ternary circuits: logits and all
 * statistics, for every set of instructions, full and partial batches. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/sliced.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"
#include "tests/support/sliced_circuits.h"

enum { MOST_IMAGES = 520, MOST_OPERATIONS = 64 };

static const uint32_t masks[] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};

static uint32_t cases(void) {
    const char *const text = getenv("LUTRA_TEST_ITERS");
    const long scale = text == NULL ? 1 : strtol(text, NULL, 10);
    return 120u * (scale > 0 ? (uint32_t)scale : 1u);
}

/** What image by image execution gives. */
typedef struct {
    uint8_t *pixels;
    float *logits;
    LutraOperationStatistics statistics[MOST_OPERATIONS];
    size_t image_bytes;
} Expected;

static void expect(Expected *expected, const LutraCircuit *circuit, uint32_t images,
                   LutraRandomKey key) {
    LutraError error = {""};
    LutraClearProgram *program = NULL;
    void *scratch = NULL;
    expected->pixels = circuit_random_pixels(circuit, key, images);
    expected->image_bytes = lutra_shape_elements(circuit->operations[0].shape);
    check_status(lutra_alloc(&expected->logits, (size_t)images * circuit->class_count,
                             sizeof(float), &error),
                 LUTRA_OK, &error);
    check_status(lutra_clear_program_create(&program, circuit, LUTRA_CPU_ALL, &error), LUTRA_OK,
                 &error);
    check_status(lutra_alloc(&scratch, lutra_clear_scratch_bytes(program), 1, &error), LUTRA_OK,
                 &error);
    for (uint32_t i = 0; i < MOST_OPERATIONS; i++) {
        expected->statistics[i] = lutra_operation_statistics_empty();
    }
    for (uint32_t i = 0; i < images; i++) {
        lutra_clear_run(program, expected->logits + (size_t)i * circuit->class_count,
                        expected->statistics, expected->pixels + i * expected->image_bytes,
                        scratch);
    }
    lutra_clear_program_destroy(&program);
    lutra_free(&scratch);
}

static void check_statistics(const LutraOperationStatistics *actual, const Expected *expected,
                             const LutraCircuit *circuit, uint32_t case_number) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperationStatistics *const a = &actual[i];
        const LutraOperationStatistics *const e = &expected->statistics[i];
        if (memcmp(a, e, sizeof *a) != 0) {
            fail_msg("case %u, '%s': elements %ld %ld, min %ld %ld, max %ld %ld, zeros %ld %ld, "
                     "out of range %ld %ld, unobserved %ld %ld",
                     case_number, circuit->operations[i].name, (long)a->elements,
                     (long)e->elements, (long)a->min, (long)e->min, (long)a->max, (long)e->max,
                     (long)a->zeros, (long)e->zeros, (long)a->out_of_range,
                     (long)e->out_of_range, (long)a->outside_observed,
                     (long)e->outside_observed);
        }
    }
}

/** Runs all images in batches, with guards around the scratch. False if it does not apply. */
static bool compare(const LutraCircuit *circuit, const Expected *expected, uint32_t images,
                    uint32_t cpu_flags, uint32_t case_number) {
    LutraError error = {""};
    LutraSlicedProgram *program = NULL;
    check_status(lutra_sliced_program_create(&program, circuit, cpu_flags, &error), LUTRA_OK,
                 &error);
    if (program == NULL) {
        return false;
    }
    const uint32_t batch = lutra_sliced_batch_images(program);
    const size_t scratch_bytes = lutra_sliced_scratch_bytes(program);
    float *logits = NULL;
    LutraOperationStatistics statistics[MOST_OPERATIONS];
    CheckBuffer scratch;
    check_buffer_init(&scratch, scratch_bytes + 64, 0);
    uint8_t *const aligned = scratch.data + (64 - (uintptr_t)scratch.data % 64) % 64;
    check_status(lutra_alloc(&logits, (size_t)batch * circuit->class_count, sizeof(float), &error),
                 LUTRA_OK, &error);
    for (uint32_t i = 0; i < MOST_OPERATIONS; i++) {
        statistics[i] = lutra_operation_statistics_empty();
    }
    for (uint32_t first = 0; first < images; first += batch) {
        const uint32_t count = images - first < batch ? images - first : batch;
        memset(scratch.data, (int)(0xA5 + first), scratch.bytes);
        lutra_sliced_run(program, logits, statistics,
                         expected->pixels + first * expected->image_bytes, count, aligned);
        if (memcmp(logits, expected->logits + (size_t)first * circuit->class_count,
                   (size_t)count * circuit->class_count * sizeof(float)) != 0) {
            fail_msg("case %u: logits differ", case_number);
        }
        for (uint8_t *end = aligned + scratch_bytes; end < scratch.data + scratch.bytes; end++) {
            assert_int_equal(*end, (uint8_t)(0xA5 + first));
        }
    }
    check_statistics(statistics, expected, circuit, case_number);
    check_buffer_done(&scratch);
    lutra_free(&logits);
    lutra_sliced_program_destroy(&program);
    return true;
}

/** Compares on every set of instructions; returns on how many it applies: all or none. */
static bool compare_all(const LutraCircuit *circuit, uint32_t images, uint32_t case_number) {
    Expected expected;
    uint32_t applied = 0;
    assert_true(circuit->operation_count <= MOST_OPERATIONS);
    expect(&expected, circuit, images, check_key(case_number + 1000000));
    for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
        applied += compare(circuit, &expected, images, masks[m], case_number) ? 1 : 0;
    }
    assert_true(applied == 0 || applied == sizeof masks / sizeof masks[0]);
    lutra_free(&expected.pixels);
    lutra_free(&expected.logits);
    return applied > 0;
}

static void sliced_equals_image_by_image(void **state) {
    (void)state;
    static const uint32_t images[] = {1, 2, 63, 64, 65, 255, 256, 257, 300, MOST_IMAGES};
    uint32_t applied = 0;
    for (uint32_t i = 0; i < cases(); i++) {
        LutraCircuit circuit;
        sliced_circuit(&circuit, check_key(i), NULL);
        applied += compare_all(&circuit, images[i % 10], i) ? 1 : 0;
        lutra_circuit_deinit(&circuit);
    }
    /* the draws are meant to apply: hardly any may be passed over */
    assert_true(applied * 10 >= cases() * 9);
}

static void general_circuits_agree_or_are_refused(void **state) {
    (void)state;
    uint32_t applied = 0;
    for (uint32_t i = 0; i < cases(); i++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(500000 + i), (CircuitStyle)(i % CIRCUIT_STYLES));
        applied += compare_all(&circuit, 70, 500000 + i) ? 1 : 0;
        lutra_circuit_deinit(&circuit);
    }
    assert_true(applied > 0 && applied < cases());
}

static void vgg9_agrees(void **state) {
    (void)state;
    for (uint32_t rounded = 0; rounded < 2; rounded++) {
        LutraCircuit circuit;
        circuit_vgg9(&circuit, check_key(5), rounded == 1);
        Expected expected;
        expect(&expected, &circuit, 40, check_key(6));
        assert_true(compare(&circuit, &expected, 40, LUTRA_CPU_ALL, rounded));
        lutra_free(&expected.pixels);
        lutra_free(&expected.logits);
        lutra_circuit_deinit(&circuit);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sliced_equals_image_by_image),
        cmocka_unit_test(general_circuits_agree_or_are_refused),
        cmocka_unit_test(vgg9_agrees),
    };
    return cmocka_run_group_tests_name("sliced", tests, NULL, NULL);
}
