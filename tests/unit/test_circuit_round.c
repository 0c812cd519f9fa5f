/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding a circuit: against lowering with the same rounding, and against its definition. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "quant/lower.h"
#include "sim/circuit_copy.h"
#include "sim/circuit_round.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"
#include "tests/support/run_circuit.h"

enum { IMAGES = 12, MOST_PIXELS = 2 * 9 * 9 };

/* Networks whose tables read signed and unsigned sums, sums of pools, and codes. */
static const char *const NETWORKS[] = {
    "[network]\nname = deep\nclasses = 3\n"
    "[in]\ntype = input\nshape = 2x9x9\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[c1]\ntype = conv\nchannels = 4\nkernel = 3\nweight_codes = -3..3\nweight_scale = max\n"
    "[n1]\ntype = batch_norm\n"
    "[a1]\ntype = activation\ncodes = -2..2\nstep = 1/2\n"
    "[c2]\ntype = conv\nchannels = 5\nkernel = 2\nweight_codes = -7..7\nweight_scale = max\n"
    "[p]\ntype = average_pool\nkernel = 2\n"
    "[n2]\ntype = batch_norm\n"
    "[a2]\ntype = activation\ncodes = 0..7\nstep = 1/4\n"
    "[p2]\ntype = average_pool\nkernel = 3\n"
    "[n3]\ntype = batch_norm\n"
    "[a2_round]\ntype = activation\ncodes = -1..1\nstep = 1/2\n"
    "[f]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[logits]\ntype = tensor_norm\n",
    "[network]\nname = plain\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x3x3\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[f1]\ntype = linear\nfeatures = 6\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[a1]\ntype = activation\ncodes = 0..3\nstep = 1\n"
    "[f2]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[a2]\ntype = activation\ncodes = -3..3\nstep = 1\n"
    "[f3]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n"};
enum { NETWORK_COUNT = sizeof NETWORKS / sizeof NETWORKS[0] };

static void make_model(LutraModel *model, const char *text, uint64_t seed) {
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i < model->network.layer_count; i++) {
        const LutraLayer *const layer = &model->network.layers[i];
        LutraLayerParameters *const p = &model->layers[i];
        const LutraRandomKey key = {seed, LUTRA_STREAM_TEST, i};
        for (size_t c = 0; c < lutra_layer_norm_count(layer); c++) {
            p->gamma[c] = (float)lutra_random_normal(key, 2 * c);
            p->beta[c] = 0.5f * (float)lutra_random_normal(key, (2 * c) + 1);
        }
    }
}

static void calibrate(LutraCalibration *calibration, const LutraModel *model, uint64_t seed) {
    static uint8_t pixels[IMAGES * MOST_PIXELS];
    const LutraRandomKey key = {seed, LUTRA_STREAM_TEST, 99};
    LutraError error = {""};
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(256.0 * lutra_random_uniform(key, i));
    }
    RunImages images = {pixels, IMAGES, lutra_shape_elements(model->network.layers[0].shape), 0};
    const LutraObserver observer = {run_ranges, run_histograms, &images};
    check_status(lutra_calibrate(calibration, model, LUTRA_CALIBRATE_RANGES, &observer, &error),
                 LUTRA_OK, &error);
}

static void lower(LutraCircuit *circuit, const LutraModel *model,
                  const LutraCalibration *calibration, const LutraRoundSettings *rounding) {
    LutraLowerSettings settings;
    LutraError error = {""};
    lutra_lower_default(&settings);
    settings.rounding = rounding->bits;
    settings.rounding_count = rounding->bits_count;
    settings.mode = rounding->mode;
    check_status(lutra_lower(circuit, model, calibration, &settings, &error), LUTRA_OK, &error);
}

/* Their files are the same byte for byte: names, ranges, tables and all. */
static void check_same_file(const LutraCircuit *a, const LutraCircuit *b) {
    LutraError error = {""};
    LutraBytes bytes[2] = {{0}};
    const LutraCircuit *const circuits[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        const char *const path = check_temporary("circuit.h5");
        check_status(lutra_circuit_write(circuits[i], path, true, &error), LUTRA_OK, &error);
        check_status(lutra_file_read(&bytes[i], path, 1 << 26, &error), LUTRA_OK, &error);
        (void)remove(path);
    }
    assert_int_equal(bytes[0].bytes, bytes[1].bytes);
    assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].bytes);
    lutra_bytes_deinit(&bytes[0]);
    lutra_bytes_deinit(&bytes[1]);
}

static void check_as_lowered(const LutraModel *model, const LutraCalibration *calibration,
                             const LutraCircuit *plain, const LutraRoundSettings *rounding) {
    LutraCircuit rounded;
    LutraCircuit lowered;
    LutraError error = {""};
    lower(&lowered, model, calibration, rounding);
    check_status(lutra_circuit_round(&rounded, plain, rounding, &error), LUTRA_OK, &error);
    check_same_file(&rounded, &lowered);
    lutra_circuit_deinit(&rounded);
    lutra_circuit_deinit(&lowered);
}

static void rounding_is_what_lowering_gives(void **state) {
    (void)state;
    static const uint32_t none = LUTRA_ROUNDING_NONE;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        for (size_t n = 0; n < NETWORK_COUNT; n++) {
            LutraModel model = {0};
            LutraCalibration calibration = {0};
            LutraCircuit plain;
            make_model(&model, NETWORKS[n], seed);
            calibrate(&calibration, &model, seed);
            const LutraRoundSettings as_is = {&none, 1, LUTRA_ROUNDING_EXACT};
            lower(&plain, &model, &calibration, &as_is);
            for (uint32_t bits = 0; bits <= LUTRA_MAX_ROUNDING; bits++) {
                for (int mode = 0; mode < 2; mode++) {
                    const LutraRoundSettings all = {&bits, 1, (LutraRoundingMode)mode};
                    check_as_lowered(&model, &calibration, &plain, &all);
                }
            }
            const uint32_t tables = lutra_circuit_table_count(&plain);
            assert_int_equal(tables, lutra_network_table_count(&model.network));
            for (uint32_t alone = 0; alone < tables; alone++) {
                uint32_t bits[3] = {0};
                bits[alone] = 2;
                const LutraRoundSettings one = {bits, tables, LUTRA_ROUNDING_APPROXIMATE};
                check_as_lowered(&model, &calibration, &plain, &one);
            }
            lutra_circuit_deinit(&plain);
            lutra_calibration_deinit(&calibration);
            lutra_model_deinit(&model);
        }
    }
}

/* Without calibration the reachable codes decide widths: they shrink when tables are rounded. */
static void proved_ranges_are_proved_again(void **state) {
    (void)state;
    static const uint32_t bits = 1;
    static const uint32_t none = LUTRA_ROUNDING_NONE;
    uint32_t narrower = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        LutraModel model = {0};
        LutraCircuit plain;
        LutraCircuit rounded;
        LutraError error = {""};
        make_model(&model, NETWORKS[1], seed);
        const LutraRoundSettings as_is = {&none, 1, LUTRA_ROUNDING_EXACT};
        const LutraRoundSettings all = {&bits, 1, LUTRA_ROUNDING_EXACT};
        lower(&plain, &model, NULL, &as_is);
        check_as_lowered(&model, NULL, &plain, &all);
        check_status(lutra_circuit_round(&rounded, &plain, &all, &error), LUTRA_OK, &error);
        narrower += rounded.operations[4].encoding.bits < plain.operations[3].encoding.bits;
        lutra_circuit_deinit(&rounded);
        lutra_circuit_deinit(&plain);
        lutra_model_deinit(&model);
    }
    assert_true(narrower > 0);
}

/* ---- by definition, with an add ---- */

/* input -> conv -> table -> conv -> table, added to the first table's result -> table -> linear */
static void make_residual(LutraCircuit *circuit, uint32_t number) {
    CircuitBuilder builder;
    builder_start(&builder, check_key(number), CIRCUIT_WIDE);
    const LutraEncoding wide = {9, true};
    uint32_t at = builder_input(&builder, (LutraShape){2, 5, 5}, wide, -9, 9);
    at = builder_conv(&builder, at, 3, 2, 1, 0);
    const uint32_t first = builder_table(&builder, at, wide, -20, 20, number % 2 == 0);
    at = builder_conv(&builder, first, 3, 3, 1, 1);
    at = builder_table(&builder, at, wide, -60, 60, true);
    at = builder_add(&builder, at, first);
    at = builder_table(&builder, at, wide, -3, 3, number % 2 == 1);
    at = builder_linear(&builder, at, 3);
    builder_output(&builder, at, 1);
    builder_finish(&builder, circuit);
}

/* Entry that table `index` of the plain circuit has for the bucket that x falls into. */
static int32_t by_definition(const LutraCircuit *plain, uint32_t index, uint32_t channel, int32_t x,
                             uint32_t dropped_bits) {
    const LutraOperation *const table = &plain->operations[index];
    const LutraEncoding encoding = plain->operations[table->inputs[0]].encoding;
    const int64_t unit = INT64_C(1) << dropped_bits;
    int64_t bucket = lutra_round_half_up(x, dropped_bits);
    const int64_t low = lutra_encoding_min(encoding) / unit;
    const int64_t high = lutra_encoding_max(encoding) / unit;
    bucket = bucket < low ? low : bucket > high ? high : bucket;
    uint64_t outside = 0;
    return lutra_table_lookup(&table->u.table, channel, bucket * unit, &outside);
}

static void rounded_tables_read_buckets(void **state) {
    (void)state;
    static const uint32_t bits[3] = {4, LUTRA_ROUNDING_NONE, 3};
    static const uint32_t dropped[3] = {5, 0, 6};
    static const uint32_t plain_tables[3] = {2, 4, 6};
    static const uint32_t tables[3] = {3, 5, 8}; /* a rounding before the first and the last */
    const LutraRoundSettings settings = {bits, 3, LUTRA_ROUNDING_APPROXIMATE};
    for (uint32_t number = 1; number <= 20; number++) {
        LutraCircuit plain;
        LutraCircuit rounded;
        LutraError error = {""};
        make_residual(&plain, number);
        check_status(lutra_circuit_round(&rounded, &plain, &settings, &error), LUTRA_OK, &error);
        assert_int_equal(rounded.operation_count, plain.operation_count + 2);
        assert_int_equal(rounded.operations[2].kind, LUTRA_OPERATION_ROUND);
        assert_int_equal(rounded.operations[7].kind, LUTRA_OPERATION_ROUND);
        uint8_t *const pixels = circuit_random_pixels(&plain, check_key(100 + number), 1);
        float logits[3];
        int32_t **const values = run_circuit(&rounded, pixels, logits);
        for (int t = 0; t < 3; t++) {
            const LutraOperation *const table = &rounded.operations[tables[t]];
            const LutraOperation *const before = &rounded.operations[table->inputs[0]];
            const int32_t *const sums =
                values[before->kind == LUTRA_OPERATION_ROUND ? before->inputs[0]
                                                             : table->inputs[0]];
            const uint32_t area = table->shape.height * table->shape.width;
            for (uint32_t e = 0; e < table->shape.channels * area; e++) {
                assert_int_equal(values[tables[t]][e], by_definition(&plain, plain_tables[t],
                                                                     e / area, sums[e],
                                                                     dropped[t]));
            }
        }
        run_circuit_free(values, &rounded);
        uint8_t *block = pixels;
        lutra_free(&block);
        lutra_circuit_deinit(&plain);
        lutra_circuit_deinit(&rounded);
    }
}

static void a_table_in_the_clear_has_its_rounding_there(void **state) {
    (void)state;
    static const uint32_t bits = 4;
    const LutraRoundSettings settings = {&bits, 1, LUTRA_ROUNDING_EXACT};
    LutraCircuit plain;
    LutraCircuit rounded;
    LutraError error = {""};
    make_residual(&plain, 1);
    for (uint32_t i = 6; i < plain.operation_count - 1; i++) {
        plain.operations[i].in_clear = true; /* from the last table on */
    }
    check_status(lutra_circuit_check(&plain, &error), LUTRA_OK, &error);
    check_status(lutra_circuit_round(&rounded, &plain, &settings, &error), LUTRA_OK, &error);
    assert_int_equal(rounded.operation_count, plain.operation_count + 3);
    for (uint32_t i = 0; i < rounded.operation_count - 1; i++) {
        assert_int_equal(rounded.operations[i].in_clear, i >= 8);
    }
    lutra_circuit_deinit(&plain);
    lutra_circuit_deinit(&rounded);
}

static void what_cannot_be_rounded_is_refused(void **state) {
    (void)state;
    static const uint32_t bits[4] = {4, 4, 17, 4};
    LutraCircuit plain;
    LutraCircuit rounded;
    LutraCircuit again;
    LutraError error = {""};
    make_residual(&plain, 1);
    memset(&again, 0x5A, sizeof again);
    LutraCircuit before;
    memcpy(&before, &again, sizeof before);
    for (uint32_t count = 0; count <= 4; count++) {
        const LutraRoundSettings settings = {bits, count, LUTRA_ROUNDING_EXACT};
        if (count != 1) { /* 3: the third is too wide */
            check_status(lutra_circuit_round(&again, &plain, &settings, &error), LUTRA_EINVAL,
                         &error);
        }
    }
    const LutraRoundSettings settings = {bits, 1, LUTRA_ROUNDING_EXACT};
    check_status(lutra_circuit_round(&rounded, &plain, &settings, &error), LUTRA_OK, &error);
    check_status(lutra_circuit_round(&again, &rounded, &settings, &error), LUTRA_EDATA, &error);
    assert_non_null(strstr(error.message, "is rounded already"));
    assert_memory_equal(&again, &before, sizeof before);
    lutra_circuit_deinit(&plain);
    lutra_circuit_deinit(&rounded);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_is_what_lowering_gives),
        cmocka_unit_test(proved_ranges_are_proved_again),
        cmocka_unit_test(rounded_tables_read_buckets),
        cmocka_unit_test(a_table_in_the_clear_has_its_rounding_there),
        cmocka_unit_test(what_cannot_be_rounded_is_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("circuit_round", tests, NULL, NULL);
}
