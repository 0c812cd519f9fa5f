/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client and server through files, on toy parameters without noise to speak of: answers are those
 * of the plain definitions in the clear, logit for logit; every file is refused at every length
 * that is too short and with every byte altered.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "sim/circuit_checksum.h"
#include "tests/bridge/small_client.h"
#include "tests/bridge/support.h"
#include "tests/support/check.h"

enum { PATH = 400 };

static struct {
    LutraCircuit circuit;
    LutraCircuit server;
    char client_key[PATH];
    char evaluation_key[PATH];
    char inputs[PATH];
    char outputs[PATH];
} one;

static void start(bool hybrid) {
    LutraError error = {""};
    LutraClientKey key;
    small_client_circuit(&one.circuit, hybrid);
    check_status(lutra_circuit_check(&one.circuit, &error), LUTRA_OK, &error);
    check_status(lutra_server_circuit(&one.server, &one.circuit, &error), LUTRA_OK, &error);
    (void)snprintf(one.client_key, PATH, "%s", check_temporary("client.key"));
    (void)snprintf(one.evaluation_key, PATH, "%s", check_temporary("evaluation.key"));
    (void)snprintf(one.inputs, PATH, "%s", check_temporary("inputs"));
    (void)snprintf(one.outputs, PATH, "%s", check_temporary("outputs"));
    check_status(lutra_client_key_draw(&key, &one.server, &error), LUTRA_OK, &error);
    check_status(lutra_client_key_write(&key, one.client_key, false, &error), LUTRA_OK, &error);
    check_status(
        lutra_evaluation_key_write(one.evaluation_key, false, &key, &one.server, 2, NULL, &error),
        LUTRA_OK, &error);
    lutra_client_key_deinit(&key);
}

static void end(void) {
    lutra_circuit_deinit(&one.circuit);
    lutra_circuit_deinit(&one.server);
}

static LutraStatus open_client(LutraClient *client, LutraError *error) {
    LutraClientKey key;
    LUTRA_TRY(lutra_client_key_read(&key, one.client_key, &one.server, error));
    const LutraStatus status = lutra_client_init(client, &key, &one.circuit, 2, error);
    lutra_client_key_deinit(&key);
    return status;
}

static LutraStatus encrypt(LutraError *error) {
    LutraClient client;
    LUTRA_TRY(open_client(&client, error));
    const LutraStatus status =
        lutra_client_encrypt(&client, one.inputs, true, small_pixels, SMALL_IMAGES, NULL, error);
    lutra_client_deinit(&client);
    return status;
}

/** The server has one.server and three files; see that it needs nothing of the circuit. */
static LutraStatus serve(LutraServerReport *report, LutraError *error) {
    LutraBackendSettings backend;
    LutraCircuitKeys keys;
    LutraKeyId id;
    lutra_backend_settings_default(&backend);
    backend.threads = 2;
    const LutraEncryptedSettings settings = {.threads = 2, .cpu_flags = LUTRA_CPU_ALL};
    LUTRA_TRY(lutra_evaluation_key_read(&keys, &id, one.evaluation_key, &one.server, &backend, NULL,
                                        error));
    const LutraStatus status = lutra_server_run(report, one.inputs, one.outputs, true, &one.server,
                                                &keys, &id, &settings, error);
    lutra_circuit_keys_deinit(&keys);
    return status;
}

static LutraStatus decrypt(float **logits, LutraError *error) {
    LutraClient client;
    uint64_t count = 0;
    LUTRA_TRY(open_client(&client, error));
    const LutraStatus status = lutra_client_decrypt(logits, &count, &client, one.outputs, error);
    assert_true(status != LUTRA_OK || count == SMALL_IMAGES);
    lutra_client_deinit(&client);
    return status;
}

/** Logits by the definitions of sim/operations.h. */
static void clear_logits(float *logits, const uint8_t *pixels) {
    int32_t *codes[16] = {NULL};
    const int32_t *values[16] = {NULL};
    LutraError error = {""};
    const uint32_t last = one.circuit.operation_count - 1;
    for (uint32_t i = 0; i < last; i++) {
        const size_t count = lutra_shape_elements(one.circuit.operations[i].shape);
        check_status(lutra_alloc(&codes[i], count, sizeof(int32_t), &error), LUTRA_OK, &error);
        values[i] = codes[i];
        (void)lutra_operation_apply(codes[i], &one.circuit, i, pixels, values);
    }
    const LutraOperation *const output = &one.circuit.operations[last];
    lutra_operation_output(logits, &output->u.output, SMALL_CLASSES, values[output->inputs[0]]);
    for (uint32_t i = 0; i < last; i++) {
        lutra_free(&codes[i]);
    }
}

static void check_answers(bool hybrid) {
    LutraError error = {""};
    LutraServerReport report = {0};
    float *logits = NULL;
    start(hybrid);
    check_status(encrypt(&error), LUTRA_OK, &error);
    check_status(serve(&report, &error), LUTRA_OK, &error);
    check_status(decrypt(&logits, &error), LUTRA_OK, &error);
    assert_int_equal(report.images, SMALL_IMAGES);
    assert_int_equal(report.lookups, SMALL_IMAGES * 7);
    for (int i = 0; i < SMALL_IMAGES; i++) {
        float expected[SMALL_CLASSES];
        clear_logits(expected, small_pixels + (ptrdiff_t)i * SMALL_PIXELS);
        assert_memory_equal(logits + (ptrdiff_t)i * SMALL_CLASSES, expected, sizeof expected);
    }
    lutra_free(&logits);
    end();
}

static void answers_are_those_of_the_circuit_in_the_clear(void **state) {
    (void)state;
    check_answers(false);
    check_answers(true);
}

static void the_servers_circuit_lacks_what_is_the_clients(void **state) {
    LutraCircuit again;
    LutraError error = {""};
    (void)state;
    small_client_circuit(&one.circuit, true);
    check_status(lutra_server_circuit(&one.server, &one.circuit, &error), LUTRA_OK, &error);
    const LutraOperation *const ops = one.server.operations;
    const LutraOperation *const output = &ops[one.server.operation_count - 1];
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(ops[0].u.input.code_of_pixel[i], ops[0].u.input.code_of_pixel[0]);
    }
    for (size_t i = 0; i < 3 * SMALL_PIXELS; i++) {
        assert_int_equal(ops[1].u.linear.weights[i], 0);
    }
    for (size_t i = 0; i < (size_t)3 * 4; i++) { /* encrypted: as it was */
        assert_int_equal(ops[3].u.linear.weights[i],
                         one.circuit.operations[3].u.linear.weights[i]);
    }
    assert_int_equal(output->u.output.step_count, 0);
    assert_true(output->u.output.scale == 1.0f);
    assert_string_equal(one.server.network_text, "");
    assert_string_equal(one.server.provenance, "{}");
    /* the server's circuit of the server's circuit is that circuit */
    check_status(lutra_server_circuit(&again, &one.server, &error), LUTRA_OK, &error);
    assert_true(lutra_circuit_checksum(&again) == lutra_circuit_checksum(&one.server));
    assert_true(lutra_circuit_checksum(&again) != lutra_circuit_checksum(&one.circuit));
    lutra_circuit_deinit(&again);
    end();
}

static void keys_and_masks_are_fresh(void **state) {
    LutraBytes first;
    LutraBytes second;
    LutraError error = {""};
    (void)state;
    start(false);
    check_status(encrypt(&error), LUTRA_OK, &error);
    check_status(lutra_file_read(&first, one.inputs, 1 << 20, &error), LUTRA_OK, &error);
    check_status(encrypt(&error), LUTRA_OK, &error);
    check_status(lutra_file_read(&second, one.inputs, 1 << 20, &error), LUTRA_OK, &error);
    assert_int_equal(first.bytes, second.bytes);
    /* behind header (16), id (24) and number of images (8): seed, then bodies */
    assert_memory_equal(first.data, second.data, 48);
    assert_memory_not_equal(first.data + 48, second.data + 48, LUTRA_SEED_BYTES);
    assert_memory_not_equal(first.data + 64, second.data + 64, 32);
    lutra_bytes_deinit(&first);
    lutra_bytes_deinit(&second);
    end();
}

/** Which step reads a file first, with what is in it now. */
static LutraStatus use(const char *path, LutraError *error) {
    LutraServerReport report;
    LutraClient client;
    float *logits = NULL;
    if (path == one.client_key) {
        const LutraStatus status = open_client(&client, error);
        if (status == LUTRA_OK) {
            lutra_client_deinit(&client);
        }
        return status;
    }
    if (path == one.outputs) {
        const LutraStatus status = decrypt(&logits, error);
        assert_true(status == LUTRA_OK || logits == NULL);
        lutra_free(&logits);
        return status;
    }
    return serve(&report, error);
}

static void write_over(const char *path, const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    check_status(lutra_file_write(path, data, bytes, true, &error), LUTRA_OK, &error);
    assert_int_equal(chmod(path, S_IRUSR | S_IWUSR), 0);
}

static void check_refused(const char *path) {
    LutraError error = {""};
    const LutraStatus status = use(path, &error);
    assert_int_equal(status, LUTRA_EDATA);
    assert_non_null(strstr(error.message, path));
}

static void damage(const char *path, size_t step) {
    LutraBytes bytes;
    LutraError error = {""};
    check_status(use(path, &error), LUTRA_OK, &error);
    check_status(lutra_file_read(&bytes, path, 1 << 26, &error), LUTRA_OK, &error);
    for (size_t i = 0; i < bytes.bytes; i += i < 48 ? 1 : step) {
        write_over(path, bytes.data, i);
        check_refused(path);
        bytes.data[i] ^= 0x10;
        write_over(path, bytes.data, bytes.bytes);
        check_refused(path);
        bytes.data[i] ^= 0x10;
    }
    write_over(path, bytes.data, bytes.bytes);
    check_status(use(path, &error), LUTRA_OK, &error);
    lutra_bytes_deinit(&bytes);
}

static void cut_and_altered_files_are_refused(void **state) {
    LutraServerReport report;
    LutraError error = {""};
    (void)state;
    start(false);
    check_status(encrypt(&error), LUTRA_OK, &error);
    check_status(serve(&report, &error), LUTRA_OK, &error);
    damage(one.client_key, 1);
    damage(one.inputs, 9);
    damage(one.outputs, 997);
    damage(one.evaluation_key, 40009);
    end();
}

/** A failed run leaves the outputs of an earlier one alone. */
static void outputs_stay_on_errors(void **state) {
    LutraServerReport report;
    LutraError error = {""};
    (void)state;
    start(false);
    check_status(encrypt(&error), LUTRA_OK, &error);
    check_status(serve(&report, &error), LUTRA_OK, &error);
    write_over(one.inputs, (const uint8_t *)"lutraINP", 8);
    assert_int_equal(serve(&report, &error), LUTRA_EDATA);
    assert_int_equal(use(one.outputs, &error), LUTRA_OK);
    end();
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_circuit_in_the_clear),
        cmocka_unit_test(the_servers_circuit_lacks_what_is_the_clients),
        cmocka_unit_test(keys_and_masks_are_fresh),
        cmocka_unit_test(cut_and_altered_files_are_refused),
        cmocka_unit_test(outputs_stay_on_errors),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return RUN_REAL_TESTS("real_client", tests, NULL, NULL);
}
