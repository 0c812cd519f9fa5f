/* SPDX-License-Identifier: Apache-2.0 */
/* Whole circuits on toy ciphertexts, against integers that wrap as the torus does. */
#include "bridge/encrypted.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bridge/encoding.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

static LutraBackend open_fake(void) {
    memset(&fake, 0, sizeof fake);
    LutraBackend backend;
    LutraBackendSettings settings;
    const LutraCryptoParameters parameters = {0};
    lutra_backend_settings_default(&settings);
    check_status(lutra_backend_create(&backend, &fake_operations, &parameters, &settings, NULL),
                 LUTRA_OK, NULL);
    return backend;
}

/** Gives the circuit one parameter set, wide enough for every table. */
static void add_parameters(LutraCircuit *circuit) {
    check_status(lutra_alloc(&circuit->parameters, 1, sizeof *circuit->parameters, NULL), LUTRA_OK,
                 NULL);
    circuit->parameter_count = 1;
    circuit->parameters[0] = (LutraCryptoParameters){
        .lwe_dim = 10, .glwe_dim = 1, .log2_poly = 17, .pbs_level = 1, .pbs_base_log = 20,
        .ks_level = 1, .ks_base_log = 10, .lwe_std = 1e-9, .glwe_std = 1e-12};
}

/** Exact integers, but look-ups see the padding bit: what a noise-free torus gives. */
static void torus_operation(int64_t *y, const LutraCircuit *circuit, uint32_t index,
                            int64_t *const *values) {
    const LutraOperation *const op = &circuit->operations[index];
    const LutraOperation *const in = &circuit->operations[op->inputs[0]];
    const int64_t *const x = values[op->inputs[0]];
    const LutraShape s = op->shape;
    const size_t plane = (size_t)s.height * s.width;
    for (size_t e = 0; e < lutra_shape_elements(s); e++) {
        const size_t c = e / plane;
        const size_t row = e % plane / s.width;
        const size_t column = e % s.width;
        y[e] = 0;
        if (op->kind == LUTRA_OPERATION_LINEAR) {
            for (size_t i = 0; i < op->u.linear.in_features; i++) {
                y[e] += op->u.linear.weights[c * op->u.linear.in_features + i] * x[i];
            }
        } else if (op->kind == LUTRA_OPERATION_ADD) {
            y[e] = x[e] + values[op->inputs[1]][e];
        } else if (op->kind == LUTRA_OPERATION_TABLE) {
            y[e] = lutra_torus_lookup(&op->u.table, (uint32_t)c, x[e], in->encoding);
        } else if (op->kind == LUTRA_OPERATION_ROUND) {
            const int64_t offset = op->u.round.offsets == NULL ? 0 : op->u.round.offsets[c];
            y[e] = lutra_round_half_up(x[e] + offset, op->u.round.dropped_bits);
        } else if (op->kind == LUTRA_OPERATION_SUM_POOL) {
            for (size_t a = 0; a < op->u.sum_pool.kernel; a++) {
                for (size_t b = 0; b < op->u.sum_pool.kernel; b++) {
                    y[e] += x[(c * in->shape.height + row * op->u.sum_pool.stride + a) *
                                  in->shape.width +
                              column * op->u.sum_pool.stride + b];
                }
            }
        } else if (op->kind == LUTRA_OPERATION_CONV) {
            const LutraConvOperation *const v = &op->u.conv;
            for (size_t k = 0; k < (size_t)v->in_channels * v->kernel * v->kernel; k++) {
                const size_t r = row * v->stride + k / v->kernel % v->kernel - v->padding;
                const size_t q = column * v->stride + k % v->kernel - v->padding;
                if (r < in->shape.height && q < in->shape.width) {
                    const size_t i = k / v->kernel / v->kernel;
                    y[e] += v->weights[c * v->in_channels * v->kernel * v->kernel + k] *
                            x[(i * in->shape.height + r) * in->shape.width + q];
                }
            }
        }
    }
}

/** Codes before the output's affine steps; free. */
static int32_t *torus_codes(const LutraCircuit *circuit, const uint8_t *pixels) {
    int64_t **values = calloc(circuit->operation_count, sizeof *values);
    const uint32_t last = circuit->operations[circuit->operation_count - 1].inputs[0];
    for (uint32_t i = 0; i + 1 < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const size_t count = lutra_shape_elements(op->shape);
        values[i] = calloc(count, sizeof **values);
        if (i > 0) {
            torus_operation(values[i], circuit, i, values);
            continue;
        }
        const size_t plane = (size_t)op->shape.height * op->shape.width;
        for (size_t e = 0; e < count; e++) {
            values[i][e] = op->u.input.code_of_pixel[e / plane * 256 + pixels[e]];
        }
    }
    const size_t count = lutra_shape_elements(circuit->operations[last].shape);
    int32_t *codes = calloc(count, sizeof *codes);
    for (size_t e = 0; e < count; e++) {
        const LutraEncoding encoding = circuit->operations[last].encoding;
        codes[e] = (int32_t)lutra_word_decode(
            lutra_word_encode(values[last][e], encoding.bits), encoding);
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        free(values[i]);
    }
    free(values);
    return codes;
}

static void random_circuits_give_what_the_torus_gives(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 60; n++) {
        LutraCircuit circuit;
        circuit_random(&circuit, check_key(n), (CircuitStyle)(n % CIRCUIT_STYLES));
        add_parameters(&circuit);
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(1000 + n), 1);
        LutraBackend backend = open_fake();
        const LutraEncryptedSettings settings = {.threads = 1 + n % 2};
        LutraEncryptedReport report;
        LutraError error = {""};
        int32_t *codes = calloc(circuit.class_count, sizeof *codes);
        check_status(lutra_encrypted_run(codes, &report, &backend, &circuit, pixels, &settings,
                                         &error),
                     LUTRA_OK, &error);
        int32_t *expected = torus_codes(&circuit, pixels);
        check_equal_i32(codes, expected, circuit.class_count);
        assert_int_equal(report.lookups, lutra_circuit_pbs(&circuit));
        assert_int_equal(fake.lookups, report.lookups);
        assert_int_equal(lutra_encrypted_lookups(&circuit), report.lookups);
        lutra_backend_destroy(&backend);
        assert_int_equal(fake.alive, 0);
        free(codes);
        free(expected);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
}

/** A chain with both roundings, a pool, a residual sum, per-channel tables. */
static void build_chain(LutraCircuit *circuit, bool clear_ends) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(500), CIRCUIT_TERNARY);
    const LutraEncoding wide = {8, true};
    uint32_t x = builder_input(&builder, (LutraShape){2, 6, 6}, wide, -3, 3);
    x = builder_conv(&builder, x, 3, 3, 1, 1);
    if (clear_ends) {
        builder.circuit.operations[x].in_clear = true;
    }
    const uint32_t rounded = builder_round(&builder, x, 3, true);
    builder.circuit.operations[rounded].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    const uint32_t left = builder_table(&builder, rounded, wide, -2, 2, true);
    const uint32_t exact = builder_round(&builder, x, 2, true);
    builder.circuit.operations[exact].u.round.mode = LUTRA_ROUNDING_EXACT;
    const uint32_t right = builder_table(&builder, exact, wide, -2, 2, false);
    x = builder_add(&builder, left, right);
    x = builder_sum_pool(&builder, x, 2, 2);
    x = builder_table(&builder, x, wide, -1, 1, true);
    x = builder_linear(&builder, x, 4);
    if (clear_ends) {
        builder.circuit.operations[x].in_clear = true;
    }
    (void)builder_output(&builder, x, 1);
    builder_finish(&builder, circuit);
    add_parameters(circuit);
}

static void clear_ends_move_the_border(void **state) {
    (void)state;
    int32_t *codes[2];
    for (int clear = 0; clear < 2; clear++) {
        LutraCircuit circuit;
        build_chain(&circuit, clear != 0);
        uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
        LutraBackend backend = open_fake();
        const LutraEncryptedSettings settings = {.threads = 2};
        LutraError error = {""};
        codes[clear] = calloc(circuit.class_count, sizeof **codes);
        check_status(lutra_encrypted_run(codes[clear], NULL, &backend, &circuit, pixels, &settings,
                                         &error),
                     LUTRA_OK, &error);
        lutra_backend_destroy(&backend);
        lutra_free(&pixels);
        lutra_circuit_deinit(&circuit);
    }
    check_equal_i32(codes[1], codes[0], 4);
    free(codes[0]);
    free(codes[1]);
}

static void every_failing_call_ends_the_run_and_leaves_outputs_alone(void **state) {
    (void)state;
    LutraCircuit circuit;
    build_chain(&circuit, true);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
    const LutraEncryptedSettings settings = {.threads = 1};
    uint64_t calls = 0;
    for (uint64_t fail_at = 0; fail_at == 0 || fail_at <= calls; fail_at++) {
        LutraBackend backend = open_fake();
        fake.calls = 0;
        fake.fail_at = fail_at;
        int32_t codes[4] = {-77, -77, -77, -77};
        LutraEncryptedReport report = {.lookups = 4711};
        LutraError error = {""};
        const LutraStatus status = lutra_encrypted_run(codes, &report, &backend, &circuit, pixels,
                                                       &settings, &error);
        if (fail_at == 0) {
            check_status(status, LUTRA_OK, &error);
            calls = fake.calls;
            assert_true(calls >= 6);
        } else {
            check_status(status, LUTRA_EIO, &error);
            assert_string_equal(error.message, "the fake backend was told to fail");
            assert_int_equal(codes[0], -77);
            assert_int_equal(codes[3], -77);
            assert_int_equal(report.lookups, 4711);
        }
        lutra_backend_destroy(&backend);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

typedef struct {
    uint64_t last;
    uint64_t total;
    uint64_t stop_at;
} Ticks;

static int tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    Ticks *const ticks = user;
    (void)stage;
    (void)figure;
    assert_true(done >= ticks->last && done <= total);
    ticks->last = done;
    ticks->total = total;
    return done >= ticks->stop_at;
}

static void progress_counts_lookups_and_can_stop(void **state) {
    (void)state;
    LutraCircuit circuit;
    build_chain(&circuit, false);
    uint8_t *pixels = circuit_random_pixels(&circuit, check_key(501), 1);
    for (uint64_t stop_at = 0; stop_at < 200; stop_at += 50) {
        Ticks ticks = {0, 0, stop_at == 150 ? UINT64_MAX : stop_at};
        const LutraProgress progress = {tick, NULL, &ticks};
        const LutraEncryptedSettings settings = {.threads = 1, .progress = &progress};
        LutraBackend backend = open_fake();
        int32_t codes[4];
        check_status(lutra_encrypted_run(codes, NULL, &backend, &circuit, pixels, &settings, NULL),
                     stop_at == 150 ? LUTRA_OK : LUTRA_ECANCELLED, NULL);
        assert_int_equal(ticks.total, lutra_circuit_pbs(&circuit));
        lutra_backend_destroy(&backend);
    }
    lutra_free(&pixels);
    lutra_circuit_deinit(&circuit);
}

static void circuits_that_cannot_run_are_refused(void **state) {
    (void)state;
    LutraCircuit circuit;
    LutraError error = {""};
    build_chain(&circuit, false);
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_OK, &error);

    circuit.parameter_count = 0;
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EINVAL, &error);
    circuit.parameter_count = 1;

    circuit.parameters[0].log2_poly = 4;
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EINVAL, &error);
    circuit.parameters[0].log2_poly = 17;

    for (uint32_t i = circuit.operation_count; i-- > 0;) {
        if (circuit.operations[i].kind == LUTRA_OPERATION_TABLE) {
            circuit.operations[i].u.table.parameter_index = 1;
            break;
        }
    }
    circuit.parameter_count = 2;
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EUNAVAILABLE, &error);
    lutra_circuit_deinit(&circuit);

    CircuitBuilder builder;
    builder_start(&builder, check_key(502), CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){2, 1, 1}, (LutraEncoding){6, true}, -9, 9);
    x = builder_round(&builder, x, 2, false);
    builder.circuit.operations[x].u.round.mode = LUTRA_ROUNDING_APPROXIMATE;
    x = builder_linear(&builder, x, 2);
    (void)builder_output(&builder, x, 0);
    builder_finish(&builder, &circuit);
    add_parameters(&circuit);
    check_status(lutra_encrypted_check(&circuit, &error), LUTRA_EUNAVAILABLE, &error);
    lutra_circuit_deinit(&circuit);
}

static void a_backend_that_cannot_start_leaves_nothing(void **state) {
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.fail_at = 1;
    LutraBackend backend;
    LutraBackendSettings settings;
    const LutraCryptoParameters parameters = {0};
    lutra_backend_settings_default(&settings);
    check_status(lutra_backend_create(&backend, &fake_operations, &parameters, &settings, NULL),
                 LUTRA_EIO, NULL);
    assert_null(backend.context);
    assert_int_equal(fake.alive, 0);
    lutra_backend_destroy(&backend);
    lutra_backend_destroy(NULL);
}

static void the_tfhe_backend_is_there_or_says_how_to_get_it(void **state) {
    (void)state;
    LutraBackend backend;
    LutraBackendSettings settings;
    LutraError error = {""};
    lutra_backend_settings_default(&settings);
    const LutraCryptoParameters impossible = {0};
    const LutraStatus status =
        lutra_backend_create(&backend, lutra_backend_tfhe(), &impossible, &settings, &error);
    check_status(status, LUTRA_WITH_TFHE ? LUTRA_EINVAL : LUTRA_EUNAVAILABLE, &error);
    assert_null(backend.context);
    assert_true(strlen(error.message) > 20);
    assert_non_null(lutra_backend_tfhe()->name());
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_circuits_give_what_the_torus_gives),
        cmocka_unit_test(clear_ends_move_the_border),
        cmocka_unit_test(every_failing_call_ends_the_run_and_leaves_outputs_alone),
        cmocka_unit_test(progress_counts_lookups_and_can_stop),
        cmocka_unit_test(circuits_that_cannot_run_are_refused),
        cmocka_unit_test(a_backend_that_cannot_start_leaves_nothing),
        cmocka_unit_test(the_tfhe_backend_is_there_or_says_how_to_get_it),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("bridge/encrypted", tests, NULL, NULL);
}
