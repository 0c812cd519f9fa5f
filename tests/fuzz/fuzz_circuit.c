/* SPDX-License-Identifier: Apache-2.0 */
/* Circuit files (HDF5): read twice alike; what is read passes the check, runs on an image, and can
 * be written and read back equal. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "sim/simulate.h"
#include "tests/support/fuzz.h"

enum { LARGEST_FILE = 1 << 28, MOST_WORK = 1 << 20 };

/* Values and logits of one grey image. */
static void check_runs_alike(const LutraCircuit *a, const LutraCircuit *b) {
    LutraError error = {""};
    LutraImageValues values[2] = {{0}};
    uint8_t *pixels = NULL;
    const size_t count = lutra_shape_elements(a->operations[0].shape);
    size_t elements = 0;
    for (uint32_t i = 0; i < a->operation_count; i++) {
        elements += lutra_shape_elements(a->operations[i].shape);
    }
    if (elements + lutra_circuit_macs(a) > MOST_WORK) {
        return; /* a changed byte may ask for gigabytes of work; reading it was sound */
    }
    FUZZ_CHECK(lutra_alloc(&pixels, count, 1, &error) == LUTRA_OK);
    for (size_t i = 0; i < count; i++) {
        pixels[i] = (uint8_t)(37 * i + 11);
    }
    FUZZ_CHECK(lutra_simulate_image_values(&values[0], a, pixels, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_simulate_image_values(&values[1], b, pixels, &error) == LUTRA_OK);
    for (uint32_t i = 0; i + 1 < a->operation_count; i++) {
        const size_t bytes = lutra_shape_elements(a->operations[i].shape) * sizeof(int32_t);
        FUZZ_CHECK(memcmp(values[0].values[i], values[1].values[i], bytes) == 0);
    }
    FUZZ_CHECK(memcmp(values[0].logits, values[1].logits, a->class_count * sizeof(float)) == 0);
    lutra_image_values_deinit(&values[0]);
    lutra_image_values_deinit(&values[1]);
    lutra_free(&pixels);
}

static void check_equal(const LutraCircuit *a, const LutraCircuit *b) {
    FUZZ_CHECK(strcmp(a->name, b->name) == 0);
    FUZZ_CHECK(strcmp(a->network_text, b->network_text) == 0);
    FUZZ_CHECK(strcmp(a->provenance, b->provenance) == 0);
    FUZZ_CHECK(a->class_count == b->class_count);
    FUZZ_CHECK(a->operation_count == b->operation_count);
    FUZZ_CHECK(a->parameter_count == b->parameter_count);
    FUZZ_CHECK(lutra_circuit_pbs(a) == lutra_circuit_pbs(b));
    for (uint32_t i = 0; i < a->operation_count; i++) {
        const LutraOperation *const x = &a->operations[i];
        const LutraOperation *const y = &b->operations[i];
        FUZZ_CHECK(strcmp(x->name, y->name) == 0 && x->kind == y->kind);
        FUZZ_CHECK(memcmp(&x->shape, &y->shape, sizeof x->shape) == 0);
        FUZZ_CHECK(x->encoding.bits == y->encoding.bits);
        FUZZ_CHECK(x->encoding.is_signed == y->encoding.is_signed);
        FUZZ_CHECK(x->in_clear == y->in_clear);
        FUZZ_CHECK(memcmp(&x->static_range, &y->static_range, sizeof(LutraRange)) == 0);
        FUZZ_CHECK(memcmp(&x->observed_range, &y->observed_range, sizeof(LutraRange)) == 0);
    }
    for (uint32_t i = 0; i < a->parameter_count; i++) {
        const LutraCryptoParameters *const x = &a->parameters[i];
        const LutraCryptoParameters *const y = &b->parameters[i];
        FUZZ_CHECK(x->lwe_dim == y->lwe_dim && x->log2_poly == y->log2_poly);
        FUZZ_CHECK(x->modulus_switch == y->modulus_switch);
        FUZZ_CHECK(memcmp(&x->lwe_std, &y->lwe_std, sizeof(double)) == 0);
        FUZZ_CHECK(memcmp(&x->p_error, &y->p_error, sizeof(double)) == 0);
        FUZZ_CHECK(strcmp(x->curve, y->curve) == 0);
    }
}

/* Written twice with a reading between, a circuit gives the same bytes. */
static void check_round_trip(const LutraCircuit *circuit, const char *path) {
    LutraError error = {""};
    LutraCircuit again = {0};
    LutraBytes bytes[2] = {{0}};
    FUZZ_CHECK(lutra_circuit_write(circuit, path, true, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_file_read(&bytes[0], path, LARGEST_FILE, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_circuit_read(&again, path, &error) == LUTRA_OK);
    check_equal(circuit, &again);
    check_runs_alike(circuit, &again);
    FUZZ_CHECK(lutra_circuit_write(&again, path, true, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_file_read(&bytes[1], path, LARGEST_FILE, &error) == LUTRA_OK);
    FUZZ_CHECK(bytes[0].bytes == bytes[1].bytes);
    FUZZ_CHECK(memcmp(bytes[0].data, bytes[1].data, bytes[0].bytes) == 0);
    lutra_bytes_deinit(&bytes[0]);
    lutra_bytes_deinit(&bytes[1]);
    lutra_circuit_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraError error = {""};
    LutraError second_error = {""};
    LutraCircuit circuit = {0};
    LutraCircuit second = {0};
    const char *const path = fuzz_file("circuit.h5", data, bytes);
    const LutraStatus status = lutra_circuit_read(&circuit, path, &error);
    FUZZ_CHECK(lutra_circuit_read(&second, path, &second_error) == status);
    FUZZ_CHECK(strcmp(error.message, second_error.message) == 0);
    if (status != LUTRA_OK) {
        FUZZ_CHECK(status == LUTRA_EDATA || status == LUTRA_ENOMEM);
        FUZZ_CHECK(error.message[0] != '\0' && circuit.operations == NULL);
    } else {
        FUZZ_CHECK(lutra_circuit_check(&circuit, &error) == LUTRA_OK);
        check_equal(&circuit, &second);
        check_round_trip(&circuit, path);
    }
    lutra_circuit_deinit(&second);
    lutra_circuit_deinit(&circuit);
    (void)remove(path);
    return 0;
}
