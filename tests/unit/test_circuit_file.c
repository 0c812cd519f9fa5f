/* SPDX-License-Identifier: Apache-2.0 */
/* Circuit files: what is written is read back, equal content gives equal bytes, damage is safe. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/memory.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

/** Two sets, with keyswitches between them where the circuit has tables for both. */
static void add_parameters(LutraCircuit *circuit) {
    LutraCryptoParameters sets[2];
    sets[0] = (LutraCryptoParameters){.lwe_dim = 742,
                                      .glwe_dim = 2,
                                      .log2_poly = 10,
                                      .pbs_level = 1,
                                      .pbs_base_log = 23,
                                      .ks_level = 3,
                                      .ks_base_log = 4,
                                      .modulus_switch = 1,
                                      .lwe_std = 7.1e-6,
                                      .glwe_std = 2.9e-15,
                                      .security_bits = 132,
                                      .precision_bits = 5,
                                      .norm2 = 12.5,
                                      .p_error_target = 1e-5,
                                      .p_error = 0.9e-5,
                                      .cost = 1.25e8,
                                      .curve = "a curve of a day"};
    sets[1] = sets[0];
    sets[1].lwe_dim = 801;
    sets[1].precision_bits = 3;
    circuit_give_sets(circuit, sets, 2);
}

static void check_same(const LutraCircuit *a, const LutraCircuit *b) {
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->network_text, b->network_text);
    assert_string_equal(a->provenance, b->provenance);
    assert_int_equal(a->class_count, b->class_count);
    assert_int_equal(a->operation_count, b->operation_count);
    assert_int_equal(a->parameter_count, b->parameter_count);
    assert_memory_equal(a->parameters, b->parameters,
                        a->parameter_count * sizeof(LutraCryptoParameters));
    uint8_t *const pixels = circuit_random_pixels(a, check_key(99), 1);
    int32_t *values[2][64] = {{NULL}};
    for (uint32_t i = 0; i < a->operation_count; i++) {
        const LutraOperation *const x = &a->operations[i];
        const LutraOperation *const y = &b->operations[i];
        assert_string_equal(x->name, y->name);
        assert_memory_equal(&x->kind, &y->kind, sizeof x->kind);
        assert_memory_equal(&x->shape, &y->shape, sizeof x->shape);
        assert_int_equal(x->encoding.bits, y->encoding.bits);
        assert_int_equal(x->encoding.is_signed, y->encoding.is_signed);
        assert_memory_equal(&x->static_range, &y->static_range, sizeof x->static_range);
        assert_memory_equal(&x->observed_range, &y->observed_range, sizeof x->observed_range);
        const size_t count = lutra_shape_elements(x->shape);
        if (x->kind == LUTRA_OPERATION_OUTPUT) {
            float logits[2][256];
            assert_true(count <= 256);
            lutra_operation_output(logits[0], &x->u.output, (uint32_t)count,
                                   values[0][x->inputs[0]]);
            lutra_operation_output(logits[1], &y->u.output, (uint32_t)count,
                                   values[1][x->inputs[0]]);
            assert_memory_equal(logits[0], logits[1], count * sizeof(float));
            continue;
        }
        for (size_t s = 0; s < 2; s++) {
            assert_int_equal(lutra_alloc(&values[s][i], count, sizeof(int32_t), NULL), LUTRA_OK);
            (void)lutra_operation_apply(values[s][i], s == 0 ? a : b, i, pixels,
                                        (const int32_t *const *)values[s]);
        }
        check_equal_i32(values[1][i], values[0][i], count);
        assert_int_equal(x->in_clear, y->in_clear);
        assert_int_equal(x->input_count, y->input_count);
        assert_memory_equal(x->inputs, y->inputs, sizeof x->inputs);
        if (x->kind == LUTRA_OPERATION_ROUND) {
            assert_int_equal(x->u.round.mode, y->u.round.mode);
            assert_int_equal(x->u.round.dropped_bits, y->u.round.dropped_bits);
            assert_int_equal(x->u.round.offsets == NULL, y->u.round.offsets == NULL);
        }
        if (x->kind == LUTRA_OPERATION_TABLE) {
            assert_int_equal(x->u.table.parameter_index, y->u.table.parameter_index);
            const LutraTableOperation *const t = &x->u.table;
            check_equal_i32(y->u.table.entries, t->entries,
                            (size_t)t->table_count * t->entry_count);
        }
    }
    for (uint32_t i = 0; i < a->operation_count; i++) {
        lutra_free(&values[0][i]);
        lutra_free(&values[1][i]);
    }
    uint8_t *block = pixels;
    lutra_free(&block);
}

static void written_circuits_are_read_back(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 30; i++) {
        LutraCircuit circuit;
        LutraCircuit again = {0};
        LutraError error = {""};
        circuit_random(&circuit, check_key(i), (CircuitStyle)(i % CIRCUIT_STYLES));
        if (i % 2 == 0) {
            add_parameters(&circuit);
        }
        const char *const path = check_temporary("circuit.h5");
        check_status(lutra_circuit_write(&circuit, path, true, &error), LUTRA_OK, &error);
        check_status(lutra_circuit_read(&again, path, &error), LUTRA_OK, &error);
        check_same(&circuit, &again);
        lutra_circuit_deinit(&again);
        lutra_circuit_deinit(&circuit);
    }
}

static void equal_circuits_give_equal_bytes(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    LutraBytes bytes[2] = {{0}};
    circuit_random(&circuit, check_key(3), CIRCUIT_SMALL);
    for (size_t i = 0; i < 2; i++) {
        const char *const path = check_temporary(i == 0 ? "a.h5" : "b.h5");
        check_status(lutra_circuit_write(&circuit, path, true, &error), LUTRA_OK, &error);
        check_status(lutra_file_read(&bytes[i], path, 1 << 28, &error), LUTRA_OK, &error);
    }
    assert_int_equal(bytes[0].bytes, bytes[1].bytes);
    assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].bytes);
    lutra_bytes_deinit(&bytes[0]);
    lutra_bytes_deinit(&bytes[1]);
    lutra_circuit_deinit(&circuit);
}

static void tables_are_stored_narrow(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    LutraH5 *file = NULL;
    LutraH5Shape shape;
    circuit_vgg9(&circuit, check_key(1), true);
    const char *const path = check_temporary("vgg9.h5");
    check_status(lutra_circuit_write(&circuit, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_h5_open(&file, path, &error), LUTRA_OK, &error);
    check_status(lutra_h5_shape(&shape, file, "operations/0003/entries", &error), LUTRA_OK, &error);
    assert_int_equal(shape.type, LUTRA_H5_I8);
    lutra_h5_close(&file);
    lutra_circuit_deinit(&circuit);
}

static void other_files_are_refused(void **state) {
    (void)state;
    LutraCircuit circuit = {0};
    LutraError error = {""};
    LutraH5 *file = NULL;
    check_status(lutra_circuit_read(&circuit, "/nonexistent/c.h5", &error), LUTRA_EIO, &error);
    const char *const path = check_temporary("other.h5");
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "", "format", "lutra.model/1", &error), LUTRA_OK,
                 &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    check_status(lutra_circuit_read(&circuit, path, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "lutra.model/1"));
    assert_null(circuit.operations);
}

static void broken_circuits_are_not_written(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    circuit_random(&circuit, check_key(4), CIRCUIT_SMALL);
    circuit.class_count++;
    const char *const path = check_temporary("broken.h5");
    check_status(lutra_circuit_write(&circuit, path, true, &error), LUTRA_EDATA, &error);
    assert_false(lutra_file_exists(path));
    lutra_circuit_deinit(&circuit);
}

static void damaged_files_never_crash(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    LutraBytes bytes = {0};
    circuit_random(&circuit, check_key(5), CIRCUIT_TERNARY);
    const char *const path = check_temporary("whole.h5");
    check_status(lutra_circuit_write(&circuit, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_file_read(&bytes, path, 1 << 28, &error), LUTRA_OK, &error);
    const char *const damaged = check_temporary("damaged.h5");
    for (uint64_t i = 0; i < 200; i++) {
        LutraCircuit read = {0};
        const size_t at = (size_t)lutra_random_below(check_key(6), 2 * i, bytes.bytes);
        const uint8_t kept = bytes.data[at];
        bytes.data[at] ^= (uint8_t)(1 + lutra_random_below(check_key(6), 2 * i + 1, 255));
        check_status(lutra_file_write(damaged, bytes.data, bytes.bytes, true, &error), LUTRA_OK,
                     &error);
        if (lutra_circuit_read(&read, damaged, &error) == LUTRA_OK) {
            lutra_circuit_deinit(&read);
        } else {
            assert_null(read.operations);
            assert_true(error.message[0] != '\0');
        }
        bytes.data[at] = kept;
    }
    lutra_bytes_deinit(&bytes);
    lutra_circuit_deinit(&circuit);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_circuits_are_read_back),
        cmocka_unit_test(equal_circuits_give_equal_bytes),
        cmocka_unit_test(tables_are_stored_narrow),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(broken_circuits_are_not_written),
        cmocka_unit_test(damaged_files_never_crash),
    };
    return cmocka_run_group_tests_name("circuit_file", tests, NULL, NULL);
}
