/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that run together give what each gives alone, logits and all statistics, on random
 * circuits that begin alike and part somewhere: full and partial batches, one after the other. */
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/circuit_copy.h"
#include "sim/sliced.h"
#include "tests/support/check.h"
#include "tests/support/sliced_circuits.h"

enum { CASES = 150, MOST_OPERATIONS = 64, MOST_CLASSES = 20, MOST_BATCH = 512, BATCHES = 2 };

typedef struct {
    LutraCircuit circuits[LUTRA_SLICED_MOST_TOGETHER];
    LutraSlicedProgram *programs[LUTRA_SLICED_MOST_TOGETHER];
    uint32_t count;
} Family;

/** Up to the largest number of circuits; some are equal throughout. */
static void family_init(Family *family, uint32_t number, uint32_t cpu_flags) {
    LutraError error = {""};
    const LutraRandomKey key = check_key(2000 + number);
    const uint32_t wanted = 1 + number % LUTRA_SLICED_MOST_TOGETHER;
    *family = (Family){.count = 0};
    for (uint32_t i = 0; i < wanted; i++) {
        const SlicedParting parting = {(uint32_t)lutra_random_below(key, 2 * i, SLICED_PLACES),
                                       check_key(3000 + number * 100 +
                                                 (uint32_t)lutra_random_below(key, 2 * i + 1, 5))};
        LutraCircuit *const circuit = &family->circuits[family->count];
        LutraSlicedProgram **const program = &family->programs[family->count];
        sliced_circuit(circuit, key, i % 4 == 0 ? NULL : &parting);
        check_status(lutra_sliced_program_create(program, circuit, cpu_flags, &error), LUTRA_OK,
                     &error);
        if (*program == NULL) {
            lutra_circuit_deinit(circuit);
            continue;
        }
        assert_true(circuit->operation_count <= MOST_OPERATIONS &&
                    circuit->class_count <= MOST_CLASSES);
        family->count++;
    }
}

static void family_deinit(Family *family) {
    for (uint32_t i = 0; i < family->count; i++) {
        lutra_sliced_program_destroy(&family->programs[i]);
        lutra_circuit_deinit(&family->circuits[i]);
    }
}

/** Answers of one program on all batches. */
typedef struct {
    float logits[BATCHES][MOST_BATCH * MOST_CLASSES];
    LutraOperationStatistics statistics[MOST_OPERATIONS];
} Answers;

static Answers alone[LUTRA_SLICED_MOST_TOGETHER];
static Answers together[LUTRA_SLICED_MOST_TOGETHER];

static void clear_answers(Answers *answers) {
    memset(answers, 0, LUTRA_SLICED_MOST_TOGETHER * sizeof *answers);
    for (uint32_t i = 0; i < LUTRA_SLICED_MOST_TOGETHER; i++) {
        for (uint32_t o = 0; o < MOST_OPERATIONS; o++) {
            answers[i].statistics[o] = lutra_operation_statistics_empty();
        }
    }
}

static void run_alone(const Family *family, const uint8_t *pixels, const uint32_t *images) {
    LutraError error = {""};
    const size_t image_bytes = lutra_shape_elements(family->circuits[0].operations[0].shape);
    for (uint32_t i = 0; i < family->count; i++) {
        void *scratch = NULL;
        const uint8_t *at = pixels;
        check_status(lutra_alloc(&scratch, lutra_sliced_scratch_bytes(family->programs[i]), 1,
                                 &error),
                     LUTRA_OK, &error);
        for (uint32_t b = 0; b < BATCHES; b++) {
            lutra_sliced_run(family->programs[i], alone[i].logits[b], alone[i].statistics, at,
                             images[b], scratch);
            at += images[b] * image_bytes;
        }
        lutra_free(&scratch);
    }
}

static void run_together(const Family *family, const uint8_t *pixels, const uint32_t *images) {
    LutraError error = {""};
    LutraSlicedGroup *group = NULL;
    const LutraSlicedProgram *programs[LUTRA_SLICED_MOST_TOGETHER];
    LutraOperationStatistics *statistics[LUTRA_SLICED_MOST_TOGETHER];
    for (uint32_t i = 0; i < family->count; i++) {
        programs[i] = family->programs[i];
        statistics[i] = together[i].statistics;
    }
    check_status(lutra_sliced_group_create(&group, programs, family->count, &error), LUTRA_OK,
                 &error);
    const size_t bytes = lutra_sliced_group_scratch_bytes(group);
    CheckBuffer scratch;
    check_buffer_init(&scratch, bytes + 64, 0);
    uint8_t *const aligned = scratch.data + (64 - (uintptr_t)scratch.data % 64) % 64;
    memset(scratch.data, 0xA5, scratch.bytes);
    for (uint32_t b = 0; b < BATCHES; b++) {
        float *logits[LUTRA_SLICED_MOST_TOGETHER];
        for (uint32_t i = 0; i < family->count; i++) {
            logits[i] = together[i].logits[b];
        }
        lutra_sliced_group_run(group, logits, statistics, pixels, images[b], aligned);
        pixels += images[b] * lutra_shape_elements(family->circuits[0].operations[0].shape);
    }
    for (uint8_t *end = aligned + bytes; end < scratch.data + scratch.bytes; end++) {
        assert_int_equal(*end, 0xA5);
    }
    check_buffer_done(&scratch);
    lutra_sliced_group_destroy(&group);
}

static void compare(const Family *family, uint32_t number) {
    for (uint32_t i = 0; i < family->count; i++) {
        if (memcmp(together[i].logits, alone[i].logits, sizeof alone[i].logits) != 0) {
            fail_msg("case %u: logits of program %u differ", number, i);
        }
        for (uint32_t o = 0; o < family->circuits[i].operation_count; o++) {
            if (memcmp(&together[i].statistics[o], &alone[i].statistics[o],
                       sizeof alone[i].statistics[o]) != 0) {
                fail_msg("case %u: statistics of '%s' of program %u differ", number,
                         family->circuits[i].operations[o].name, i);
            }
        }
    }
}

/** Pairs by how much they have in common: nothing, a part, all. */
static void count_pairs(uint32_t pairs[3], const Family *family) {
    for (uint32_t i = 0; i < family->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const LutraCircuit *const both[] = {&family->circuits[i], &family->circuits[j]};
            const uint32_t common = lutra_circuit_common_prefix(both, 2);
            pairs[common == both[0]->operation_count ? 2 : common > 1 ? 1 : 0]++;
        }
    }
}

static void together_is_as_alone(void **state) {
    (void)state;
    static const uint32_t masks[] = {0, LUTRA_CPU_AVX2, LUTRA_CPU_ALL};
    uint32_t pairs[3] = {0, 0, 0};
    for (uint32_t number = 0; number < CASES; number++) {
        const uint32_t images[BATCHES] = {1 + number * 37 % 256, number % 3 == 0 ? 256 : 5};
        Family family;
        family_init(&family, number, masks[number % 3]);
        if (family.count > 0) {
            uint8_t *pixels = circuit_random_pixels(&family.circuits[0], check_key(9000 + number),
                                                    images[0] + images[1]);
            clear_answers(alone);
            clear_answers(together);
            run_alone(&family, pixels, images);
            run_together(&family, pixels, images);
            compare(&family, number);
            count_pairs(pairs, &family);
            lutra_free(&pixels);
        }
        family_deinit(&family);
    }
    /* the draws are meant to part at many places */
    assert_true(pairs[0] > 100 && pairs[1] > 1000 && pairs[2] > 1000);
}

/* The first circuit no longer needs a value when the two part, and has put another in its place;
 * the second still reads it. */
static void what_another_program_keeps_is_not_lost(void **state) {
    (void)state;
    const uint32_t images[BATCHES] = {200, 9};
    LutraError error = {""};
    Family family = {.count = 2};
    for (uint32_t i = 0; i < 2; i++) {
        CircuitBuilder builder;
        const LutraEncoding codes = {.bits = 9, .is_signed = true};
        builder_start(&builder, check_key(77), CIRCUIT_TERNARY);
        uint32_t x = builder_input(&builder, (LutraShape){3, 4, 4}, codes, -1, 1);
        uint32_t first = 0;
        for (uint32_t layer = 0; layer < 3; layer++) {
            x = builder_conv(&builder, x, 3, 3, 1, 1);
            x = builder_table(&builder, x, codes, -1, 1, true);
            first = layer == 0 ? x : first;
        }
        x = i == 0 ? x : builder_add(&builder, x, first);
        x = builder_linear(&builder, x, 4);
        (void)builder_output(&builder, x, 1);
        builder_finish(&builder, &family.circuits[i]);
        check_status(lutra_sliced_program_create(&family.programs[i], &family.circuits[i],
                                                 LUTRA_CPU_ALL, &error),
                     LUTRA_OK, &error);
        assert_non_null(family.programs[i]);
    }
    uint8_t *pixels = circuit_random_pixels(&family.circuits[0], check_key(78), 209);
    clear_answers(alone);
    clear_answers(together);
    run_alone(&family, pixels, images);
    run_together(&family, pixels, images);
    compare(&family, 0);
    lutra_free(&pixels);
    family_deinit(&family);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(together_is_as_alone),
                                       cmocka_unit_test(what_another_program_keeps_is_not_lost)};
    return cmocka_run_group_tests_name("sliced group", tests, NULL, NULL);
}
