/* SPDX-License-Identifier: Apache-2.0 */
/* Verifications that were interrupted and go on: the very result, and files that are refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "bridge/verify.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { IMAGES = 3 };

static const char *const PATH = "verify_checkpoint.test";

static LutraCircuit circuit;
static uint8_t *pixels;
static uint64_t all_calls; /* of the progress function */

static int tear_down(void **state) {
    (void)state;
    lutra_circuit_deinit(&circuit);
    lutra_free(&pixels);
    (void)unlink(PATH);
    return 0;
}

/* Cancels at one call of the progress function. */
typedef struct {
    uint64_t calls_left;
    uint64_t notes;
    uint64_t first_done; /* of look-ups, told first */
    bool told;
} Interrupter;

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    Interrupter *const interrupter = user;
    (void)total;
    (void)figure;
    if (!interrupter->told && strcmp(stage, "look-ups") == 0) {
        interrupter->told = true;
        interrupter->first_done = done;
    }
    return interrupter->calls_left-- == 0 ? 1 : 0;
}

static void note(void *user, const char *line) {
    Interrupter *const interrupter = user;
    assert_non_null(strstr(line, "no checkpoint"));
    interrupter->notes++;
}

static LutraStatus verify(LutraVerifyResult *result, uint64_t images, const char *path,
                          bool resume, Interrupter *interrupter, LutraError *error) {
    const LutraProgress progress = {tick, note, interrupter};
    LutraVerifySettings settings;
    memset(&fake, 0, sizeof fake);
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    settings.checkpoint = path;
    settings.resume = resume;
    settings.progress = interrupter != NULL ? &progress : NULL;
    return lutra_verify(result, &circuit, pixels, images, &settings, error);
}

/* Two widths of sums, a pool, exact and approximate rounding. */
static int set_up(void **state) {
    const LutraCryptoParameters set = circuit_toy_set(FAKE_LOG2_POLY);
    CircuitBuilder builder;
    (void)state;
    builder_start(&builder, check_key(9), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){2, 5, 5}, (LutraEncoding){8, true}, -1, 1);
    x = builder_conv(&builder, x, 3, 2, 1, 0);
    x = builder_round(&builder, x, 2, true);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_EXACT;
    x = builder_table(&builder, x, (LutraEncoding){6, true}, -1, 1, true);
    x = builder_sum_pool(&builder, x, 2, 2);
    x = builder_table(&builder, x, (LutraEncoding){7, true}, -1, 1, false);
    x = builder_linear(&builder, x, 6);
    x = builder_round(&builder, x, 1, true);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    x = builder_table(&builder, x, (LutraEncoding){6, true}, -1, 1, false);
    (void)builder_output(&builder, builder_linear(&builder, x, 4), 1);
    builder_finish(&builder, &circuit);
    circuit_give_parameters(&circuit, set);
    pixels = circuit_random_pixels(&circuit, check_key(10), IMAGES);
    Interrupter never = {.calls_left = UINT64_MAX};
    LutraVerifyResult result;
    check_status(verify(&result, IMAGES, NULL, false, &never, NULL), LUTRA_OK, NULL);
    lutra_verify_result_deinit(&result);
    all_calls = UINT64_MAX - never.calls_left;
    return 0;
}

static void assert_same(const LutraVerifyResult *a, const LutraVerifyResult *b) {
    const size_t logits = (size_t)a->sample_count * a->class_count * sizeof(float);
    assert_int_equal(a->sample_count, b->sample_count);
    assert_int_equal(a->lookups, b->lookups);
    assert_int_equal(a->mismatches, b->mismatches);
    assert_int_equal(a->layer_count, b->layer_count);
    assert_int_equal(a->ciphertext_bytes, b->ciphertext_bytes);
    assert_int_equal(a->verdict, b->verdict);
    assert_memory_equal(a->layers, b->layers, a->layer_count * sizeof *a->layers);
    assert_memory_equal(a->clear_logits, b->clear_logits, logits);
    assert_memory_equal(a->encrypted_logits, b->encrypted_logits, logits);
    for (uint64_t s = 0; s < a->sample_count; s++) {
        LutraVerifySample x = a->samples[s];
        LutraVerifySample y = b->samples[s];
        x.encrypt_seconds = x.run_seconds = x.decrypt_seconds = 0.0;
        y.encrypt_seconds = y.run_seconds = y.decrypt_seconds = 0.0;
        assert_int_equal(x.lookups, y.lookups);
        assert_int_equal(x.mismatches, y.mismatches);
        assert_int_equal(x.encrypted_class, y.encrypted_class);
        check_close(x.expected_mismatches, y.expected_mismatches, 0.0);
    }
}

/* Interrupted at every 13th of some hundred calls of the progress function, then again a little
 * later, then not. */
static void goes_on_from_every_place(void **state) {
    LutraVerifyResult whole;
    uint64_t began_later = 0;
    (void)state;
    check_status(verify(&whole, IMAGES, NULL, false, NULL, NULL), LUTRA_OK, NULL);
    assert_int_equal(whole.logits_equal, IMAGES);
    for (uint64_t at = 0; at < all_calls; at += 13) {
        Interrupter first = {.calls_left = at};
        Interrupter second = {.calls_left = 20};
        Interrupter third = {.calls_left = UINT64_MAX};
        LutraVerifyResult result;
        LutraError error = {""};
        (void)unlink(PATH);
        LutraStatus status = verify(&result, IMAGES, PATH, false, &first, &error);
        assert_int_equal(status, LUTRA_ECANCELLED);
        lutra_verify_result_deinit(&result);
        status = verify(&result, IMAGES, PATH, true, &second, &error);
        if (status == LUTRA_ECANCELLED) {
            lutra_verify_result_deinit(&result);
            status = verify(&result, IMAGES, PATH, true, &third, &error);
            began_later += third.first_done > 0;
        }
        check_status(status, LUTRA_OK, &error);
        assert_same(&result, &whole);
        assert_false(lutra_file_exists(PATH));
        assert_int_equal(fake.alive, 0);
        assert_int_equal(first.notes + second.notes + third.notes, 0);
        lutra_verify_result_deinit(&result);
    }
    assert_true(all_calls > 300 && began_later > 5); /* none of this work is done twice */
    lutra_verify_result_deinit(&whole);
}

/** A checkpoint in the middle of the second image. */
static void leave_checkpoint(void) {
    Interrupter interrupter = {.calls_left = all_calls / 2};
    LutraVerifyResult result;
    struct stat info;
    (void)unlink(PATH);
    assert_int_equal(verify(&result, IMAGES, PATH, false, &interrupter, NULL), LUTRA_ECANCELLED);
    assert_int_equal(result.sample_count, 1);
    lutra_verify_result_deinit(&result);
    assert_int_equal(stat(PATH, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void expect_refused(uint64_t images, bool resume, LutraStatus expected,
                           const char *words) {
    LutraVerifyResult result;
    LutraError error = {""};
    const LutraStatus status = verify(&result, images, PATH, resume, NULL, &error);
    if (status != expected || strstr(error.message, words) == NULL) {
        fail_msg("status %d, '%s'; expected '%s'", (int)status, error.message, words);
    }
    assert_int_equal(result.sample_count, 0);
    assert_int_equal(fake.alive, 0);
}

static void others_are_refused(void **state) {
    (void)state;
    leave_checkpoint();
    expect_refused(IMAGES, false, LUTRA_EINVAL, "exists");
    expect_refused(IMAGES - 1, true, LUTRA_EDATA, "another circuit");
    pixels[3] ^= 1;
    expect_refused(IMAGES, true, LUTRA_EDATA, "another circuit");
    pixels[3] ^= 1;
    int8_t *const weight = &circuit.operations[1].u.conv.weights[0];
    const int8_t kept = *weight;
    *weight = kept == 0 ? 1 : 0;
    expect_refused(IMAGES, true, LUTRA_EDATA, "another circuit");
    *weight = kept;
    circuit.parameters[0].lwe_std *= 2.0;
    expect_refused(IMAGES, true, LUTRA_EDATA, "another circuit");
    circuit.parameters[0].lwe_std /= 2.0;
    LutraVerifySettings settings;
    LutraVerifyResult result;
    LutraError error = {""};
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    settings.checkpoint = PATH;
    settings.resume = true;
    settings.neurons = 2;
    assert_int_equal(lutra_verify(&result, &circuit, pixels, 1, &settings, &error), LUTRA_EINVAL);
    settings.neurons = 0;
    settings.checkpoint = "no such folder/checkpoint";
    assert_int_equal(lutra_verify(&result, &circuit, pixels, 1, &settings, &error), LUTRA_EIO);
    Interrupter never = {.calls_left = UINT64_MAX};
    check_status(verify(&result, IMAGES, PATH, true, &never, &error), LUTRA_OK, &error);
    assert_true(never.first_done > 0); /* the file was as it had been all the time */
    lutra_verify_result_deinit(&result);
}

static void damaged_files_are_refused(void **state) {
    LutraBytes file = {0};
    LutraError error = {""};
    (void)state;
    leave_checkpoint();
    check_status(lutra_file_read(&file, PATH, 1 << 24, &error), LUTRA_OK, &error);
    for (size_t i = 0; i < 100; i++) {
        const size_t at = i < 24 ? i : (size_t)lutra_random_below(check_key(11), i, file.bytes);
        file.data[at] ^= (uint8_t)(1u << i % 8);
        check_status(lutra_file_write(PATH, file.data, file.bytes, true, &error), LUTRA_OK,
                     &error);
        expect_refused(IMAGES, true, LUTRA_EDATA, PATH);
        file.data[at] ^= (uint8_t)(1u << i % 8);
        const size_t kept = i == 0 ? 0 : (size_t)lutra_random_below(check_key(12), i, file.bytes);
        check_status(lutra_file_write(PATH, file.data, kept, true, &error), LUTRA_OK, &error);
        expect_refused(IMAGES, true, LUTRA_EDATA, PATH);
    }
    lutra_bytes_deinit(&file);
}

/* A folder in the way of the file that is being written: the work goes on, and says so. */
static void the_run_outlives_its_file(void **state) {
    Interrupter never = {.calls_left = UINT64_MAX};
    LutraVerifyResult result;
    LutraError error = {""};
    char partial[64];
    (void)state;
    (void)unlink(PATH);
    (void)snprintf(partial, sizeof partial, "%s.partial", PATH);
    check_status(lutra_folder_create(partial, &error), LUTRA_OK, &error);
    check_status(verify(&result, IMAGES, PATH, false, &never, &error), LUTRA_OK, &error);
    assert_true(never.notes > 5);
    assert_int_equal(rmdir(partial), 0);
    assert_false(lutra_file_exists(PATH));
    lutra_verify_result_deinit(&result);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_from_every_place),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(the_run_outlives_its_file),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/verify_checkpoint", tests, set_up, tear_down);
}
