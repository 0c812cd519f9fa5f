/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation on the way from a network file to a verified circuit fails once: the status says
 * so, outputs stay unchanged, nothing leaks (the address sanitizer watches) and nothing has the
 * final name. A training that ran out of memory goes on to the same bits.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/sealed_file.h"
#include "bridge/lookup.h"
#include "bridge/verify.h"
#include "quant/import.h"
#include "quant/lower.h"
#include "sim/layer_statistics.h"
#include "sim/circuit_parameters.h"
#include "sim/circuit_round.h"
#include "sim/cost_model.h"
#include "sim/key_layout.h"
#include "sim/parameters.h"
#include "sim/random_circuit.h"
#include "sim/simulate_many.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"
#include "tests/support/toy_training.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/warm_start.h"

enum { IMAGES = 11, SIDE = 4, CLASSES = 3, UNTOUCHED = 0x5A };

static const char text[] =
    "[network]\nname = small\nclasses = 3\n"
    "[training]\nepochs = 2\nbatch = 4\nlearning_rate = 0.05\ncrop = 1\nvalidation = 2\n"
    "[input]\ntype = input\nshape = 1x4x4\nrange = -1..1\ncodes = -8..7\nstep = 1/8\n"
    "[conv]\ntype = conv\nchannels = 2\nkernel = 3\npadding = 1\n"
    "weight_codes = -3..3\nweight_scale = max\n"
    "[pool]\ntype = average_pool\nkernel = 2\n"
    "[norm]\ntype = batch_norm\n"
    "[act]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 3\nbias = yes\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[logits]\ntype = tensor_norm\n";

/* What the attempts share; made once, while nothing fails. */
static struct {
    LutraModel model;
    LutraCircuit circuit; /* rounded, with a parameter set */
    LutraCalibration calibrations[3];
    LutraRecipe recipe;
    LutraDataset data;
    uint8_t images[IMAGES * SIDE * SIDE];
    uint16_t labels[IMAGES];
    char name[8];
    char source[8];
    char model_path[400];
    char packed_path[400];
    char circuit_path[400];
    char checkpoint_path[400];
    LutraModel trained; /* by a training that nothing disturbed */
} shared;

/* ---- outputs that must stay as they are ---- */

static void fill(void *object, size_t bytes) {
    memset(object, UNTOUCHED, bytes);
}

/* On failure every byte is as fill left it. */
static void check_untouched(LutraStatus status, const void *object, size_t bytes) {
    const uint8_t *const p = object;
    for (size_t i = 0; status != LUTRA_OK && i < bytes; i++) {
        assert_int_equal(p[i], UNTOUCHED);
    }
}

/* ---- networks and models ---- */

static LutraStatus parse_network(LutraError *error) {
    LutraNetwork network;
    fill(&network, sizeof network);
    const LutraStatus status = lutra_network_parse(&network, text, "small.ini", error);
    check_untouched(status, &network, sizeof network);
    if (status == LUTRA_OK) {
        lutra_network_deinit(&network);
    }
    return status;
}

static void make_network(LutraNetwork *network) {
    LutraError error = {""};
    check_status(lutra_network_parse(network, text, "small.ini", &error), LUTRA_OK, &error);
}

static void make_model(LutraModel *model, uint64_t seed) {
    LutraNetwork network;
    LutraError error = {""};
    make_network(&network);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
}

/* The network moves into the model, or stays as it was. */
static LutraStatus create_model(LutraError *error) {
    LutraModel model;
    LutraNetwork network;
    const uint64_t count = allocfail_countdown;
    (void)allocfail_stop();
    make_network(&network);
    const LutraNetwork before = network;
    fill(&model, sizeof model);
    allocfail_after(count);
    const LutraStatus status = lutra_model_create(&model, &network, 3, error);
    check_untouched(status, &model, sizeof model);
    if (status == LUTRA_OK) {
        assert_null(network.layers);
        lutra_model_deinit(&model);
    } else {
        assert_memory_equal(&network, &before, sizeof before);
        lutra_network_deinit(&network);
    }
    return status;
}

static LutraStatus read_model(LutraError *error) {
    LutraModel model;
    fill(&model, sizeof model);
    const LutraStatus status = lutra_model_read(&model, shared.model_path, error);
    check_untouched(status, &model, sizeof model);
    if (status == LUTRA_OK) {
        assert_int_equal(model.history_count, 2);
        lutra_model_deinit(&model);
    }
    return status;
}

static LutraStatus write_model(LutraError *error) {
    const char *const path = check_temporary("written.h5");
    const LutraStatus status = lutra_model_write(&shared.trained, path, true, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    (void)remove(path);
    return status;
}

static LutraStatus write_packed(LutraError *error) {
    const char *const path = check_temporary("written.h5");
    uint32_t kept = 77;
    const LutraStatus status =
        lutra_model_write_packed(&shared.trained, path, true, &kept, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    assert_int_equal(kept, status == LUTRA_OK ? 0 : 77);
    (void)remove(path);
    return status;
}

/* Writes a file of weights for layer conv, undisturbed. */
static void write_weights(const char *path, bool hdf5) {
    static const char header[] =
        "\110\0\0\0\0\0\0\0{\"conv.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,3,3],"
        "\"data_offsets\":[0,72]}} ";
    const uint64_t dims[4] = {2, 1, 3, 3};
    uint8_t bytes[sizeof header - 1 + 72] = {0};
    LutraH5 *file = NULL;
    LutraError error = {""};
    memcpy(bytes, header, sizeof header - 1);
    if (!hdf5) {
        check_status(lutra_file_write(path, bytes, sizeof bytes, true, &error), LUTRA_OK, &error);
        return;
    }
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_h5_write(file, "conv.weight", bytes + sizeof header - 1, LUTRA_H5_F32, 4,
                                dims, &error), LUTRA_OK, &error);
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
}

/* All weights of the file are 0, none of the model is. */
static LutraStatus import_weights(bool hdf5, LutraError *error) {
    const char *const path = check_temporary("weights");
    const uint64_t count = allocfail_countdown;
    LutraModel model;
    LutraTensorFile file = {0};
    LutraImportReport report = {.copied = 77};
    (void)allocfail_stop();
    write_weights(path, hdf5);
    make_model(&model, 5);
    allocfail_after(count);
    LutraStatus status = lutra_tensor_file_open(&file, path, error);
    if (status == LUTRA_OK) {
        status = lutra_import_weights(&model, &file, &report, error);
    }
    assert_int_equal(report.copied, status == LUTRA_OK ? 1 : 77);
    assert_true((model.layers[1].weights[0] == 0.0f) == (status == LUTRA_OK));
    lutra_tensor_file_deinit(&file);
    lutra_model_deinit(&model);
    (void)remove(path);
    return status;
}

static LutraStatus import_hdf5(LutraError *error) {
    return import_weights(true, error);
}

static LutraStatus import_safetensors(LutraError *error) {
    return import_weights(false, error);
}

static LutraStatus read_packed(LutraError *error) {
    LutraModel model;
    fill(&model, sizeof model);
    const LutraStatus status = lutra_model_read(&model, shared.packed_path, error);
    check_untouched(status, &model, sizeof model);
    if (status == LUTRA_OK) {
        lutra_model_deinit(&model);
    }
    return status;
}

/* ---- circuits ---- */

/* Calibrates on the static ranges: an observer that runs nothing and needs no memory. */
static LutraStatus static_ranges(void *user, LutraRange *ranges, uint64_t *images,
                                 const LutraCircuit *circuit, uint64_t limit, LutraError *error) {
    (void)user;
    (void)limit;
    (void)error;
    *images = 1;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        ranges[i] = circuit->operations[i].static_range;
    }
    return LUTRA_OK;
}

static LutraStatus flat_histograms(void *user, LutraHistogram *histograms,
                                   const LutraCircuit *circuit, LutraError *error) {
    (void)user;
    (void)error;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        for (size_t k = 0; k < (size_t)histograms[i].channels * histograms[i].bins; k++) {
            histograms[i].counts[k] = 1;
        }
    }
    return LUTRA_OK;
}

static const LutraObserver observer = {static_ranges, flat_histograms, NULL};

static LutraStatus calibrate(LutraCalibrateKind kind, LutraError *error) {
    LutraCalibration calibration;
    fill(&calibration, sizeof calibration);
    const LutraStatus status =
        lutra_calibrate(&calibration, &shared.model, kind, &observer, error);
    check_untouched(status, &calibration, sizeof calibration);
    if (status == LUTRA_OK) {
        lutra_calibration_deinit(&calibration);
    }
    return status;
}

static LutraStatus calibrate_ranges(LutraError *error) {
    return calibrate(LUTRA_CALIBRATE_RANGES, error);
}

static LutraStatus calibrate_densities(LutraError *error) {
    return calibrate(LUTRA_CALIBRATE_DENSITIES, error);
}

static LutraStatus calibrate_centred(LutraError *error) {
    return calibrate(LUTRA_CALIBRATE_CENTRED, error);
}

static LutraStatus lower_into(LutraCircuit *circuit, LutraOffsetRule offsets,
                              LutraCalibrateKind kind, LutraError *error) {
    static const uint32_t rounding[] = {4};
    LutraLowerSettings settings;
    lutra_lower_default(&settings);
    settings.rounding = rounding;
    settings.rounding_count = 1;
    settings.offsets = offsets;
    return lutra_lower(circuit, &shared.model, &shared.calibrations[kind], &settings, error);
}

static LutraStatus lower(LutraOffsetRule offsets, LutraCalibrateKind kind, LutraError *error) {
    LutraCircuit circuit;
    fill(&circuit, sizeof circuit);
    const LutraStatus status = lower_into(&circuit, offsets, kind, error);
    check_untouched(status, &circuit, sizeof circuit);
    if (status == LUTRA_OK) {
        lutra_circuit_deinit(&circuit);
    }
    return status;
}

static LutraStatus lower_plain(LutraError *error) {
    return lower(LUTRA_OFFSETS_NONE, LUTRA_CALIBRATE_RANGES, error);
}

static LutraStatus lower_aligned(LutraError *error) {
    return lower(LUTRA_OFFSETS_ALIGN, LUTRA_CALIBRATE_DENSITIES, error);
}

static LutraStatus lower_centred(LutraError *error) {
    return lower(LUTRA_OFFSETS_CENTRE, LUTRA_CALIBRATE_CENTRED, error);
}

static LutraStatus check_circuit(LutraError *error) {
    return lutra_circuit_check(&shared.circuit, error);
}

static LutraStatus read_circuit(LutraError *error) {
    LutraCircuit circuit;
    fill(&circuit, sizeof circuit);
    const LutraStatus status = lutra_circuit_read(&circuit, shared.circuit_path, error);
    check_untouched(status, &circuit, sizeof circuit);
    if (status == LUTRA_OK) {
        lutra_circuit_deinit(&circuit);
    }
    return status;
}

static LutraStatus draw_circuit(LutraError *error) {
    static const LutraRandomLayer layers[] = {{LUTRA_OPERATION_CONV, 3, 3, 1, 1},
                                              {LUTRA_OPERATION_SUM_POOL, 0, 2, 2, 0},
                                              {LUTRA_OPERATION_LINEAR, CLASSES, 1, 1, 0}};
    static const LutraRandomNetwork network = {.name = "drawn",
                                               .input = {1, SIDE, SIDE},
                                               .input_codes = {-8, 7},
                                               .codes = {0, 7},
                                               .largest_weight = 3,
                                               .rounding_bits = 4,
                                               .layers = layers,
                                               .layer_count = 3};
    LutraCircuit circuit;
    fill(&circuit, sizeof circuit);
    const LutraStatus status = lutra_random_circuit_create(&circuit, &network, 1, error);
    check_untouched(status, &circuit, sizeof circuit);
    if (status == LUTRA_OK) {
        lutra_circuit_deinit(&circuit);
    }
    return status;
}

static LutraStatus write_circuit(LutraError *error) {
    const char *const path = check_temporary("written.h5");
    const LutraStatus status = lutra_circuit_write(&shared.circuit, path, true, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    (void)remove(path);
    return status;
}

static LutraStatus find_parameters(LutraError *error) {
    LutraParametersSettings settings;
    LutraCryptoParameters set;
    fill(&set, sizeof set);
    lutra_parameters_default(&settings);
    const LutraStatus status = lutra_parameters_find(&set, &settings, error);
    check_untouched(status, &set, sizeof set);
    return status;
}

/* The plain circuit of the shared model. */
static void make_plain(LutraCircuit *plain) {
    LutraLowerSettings settings;
    LutraError error = {""};
    const uint64_t count = allocfail_countdown;
    (void)allocfail_stop();
    lutra_lower_default(&settings);
    check_status(lutra_lower(plain, &shared.model, &shared.calibrations[0], &settings, &error),
                 LUTRA_OK, &error);
    allocfail_after(count);
}

static LutraStatus round_circuit(LutraError *error) {
    static const uint32_t bits = 3;
    const LutraRoundSettings settings = {&bits, 1, LUTRA_ROUNDING_APPROXIMATE};
    LutraCircuit plain;
    LutraCircuit rounded;
    make_plain(&plain);
    fill(&rounded, sizeof rounded);
    const LutraStatus status = lutra_circuit_round(&rounded, &plain, &settings, error);
    check_untouched(status, &rounded, sizeof rounded);
    if (status == LUTRA_OK) {
        lutra_circuit_deinit(&rounded);
    }
    lutra_circuit_deinit(&plain);
    return status;
}

static LutraStatus choose_parameters(LutraError *error) {
    LutraParametersTarget target;
    LutraParametersChoice choice;
    LutraCircuit circuit;
    make_plain(&circuit);
    fill(&choice, sizeof choice);
    lutra_parameters_target_default(&target);
    const LutraStatus status =
        lutra_circuit_choose_parameters(&choice, &circuit, &target, error);
    check_untouched(status, &choice, sizeof choice);
    assert_int_equal(circuit.parameter_count, status == LUTRA_OK);
    if (status == LUTRA_OK) {
        lutra_parameters_choice_deinit(&choice);
    }
    lutra_circuit_deinit(&circuit);
    return status;
}

/* Two widths, and so two classes of tables; the circuit has neither set nor wrong indexes after a
 * failure. */
static void make_two_widths(LutraCircuit *circuit) {
    CircuitBuilder builder;
    const uint64_t count = allocfail_countdown;
    (void)allocfail_stop();
    builder_start(&builder, check_key(5), CIRCUIT_TERNARY);
    uint32_t at = builder_input(&builder, (LutraShape){1, 4, 4}, (LutraEncoding){3, true}, -1, 1);
    at = builder_table(&builder, at, (LutraEncoding){6, true}, -1, 1, true);
    at = builder_conv(&builder, at, 2, 3, 1, 0);
    at = builder_table(&builder, at, (LutraEncoding){6, true}, -1, 1, true);
    (void)builder_output(&builder, builder_linear(&builder, at, 2), 0);
    builder_finish(&builder, circuit);
    allocfail_after(count);
}

static LutraStatus choose_partition(LutraError *error) {
    LutraParametersTarget target;
    LutraParametersChoice choice;
    LutraCircuit circuit;
    make_two_widths(&circuit);
    fill(&choice, sizeof choice);
    lutra_parameters_target_default(&target);
    target.p_error = 1e-3;
    target.partition = LUTRA_PARTITION_WIDTH;
    const LutraStatus status =
        lutra_circuit_choose_parameters(&choice, &circuit, &target, error);
    check_untouched(status, &choice, sizeof choice);
    assert_int_equal(circuit.parameter_count, status == LUTRA_OK ? 2 : 0);
    assert_int_equal(circuit.operations[3].u.table.parameter_index, status == LUTRA_OK);
    if (status == LUTRA_OK) {
        LutraCircuitCost cost;
        LutraKeyLayout layout;
        lutra_parameters_choice_deinit(&choice);
        fill(&cost, sizeof cost);
        const LutraStatus cost_status =
            lutra_circuit_cost(&cost, &circuit, lutra_machine_profile_builtin(), 1, error);
        check_untouched(cost_status, &cost, sizeof cost);
        const LutraStatus layout_status = lutra_key_layout_init(&layout, &circuit, error);
        if (cost_status == LUTRA_OK) {
            lutra_circuit_cost_deinit(&cost);
        }
        lutra_key_layout_deinit(&layout);
        lutra_circuit_deinit(&circuit);
        return cost_status != LUTRA_OK ? cost_status : layout_status;
    }
    lutra_circuit_deinit(&circuit);
    return status;
}

/* ---- running circuits ---- */

static LutraStatus simulate(LutraError *error) {
    LutraSimulation simulation;
    LutraSimulateSettings settings;
    const LutraImages images = {.pixels = shared.images,
                                .labels = shared.labels,
                                .count = IMAGES,
                                .shape = {1, SIDE, SIDE},
                                .class_count = CLASSES};
    fill(&simulation, sizeof simulation);
    lutra_simulate_default(&settings);
    settings.keep_logits = true;
    const LutraStatus status =
        lutra_simulate(&simulation, &shared.circuit, &images, &settings, error);
    check_untouched(status, &simulation, sizeof simulation);
    if (status == LUTRA_OK) {
        lutra_simulation_deinit(&simulation);
    }
    return status;
}

static LutraStatus simulate_many(LutraError *error) {
    LutraSimulation simulations[2];
    LutraSimulateSettings settings;
    const LutraSimulationCase one = {.circuit = &shared.circuit, .mode = LUTRA_MODE_CLEAR};
    const LutraSimulationCase cases[2] = {one, one};
    const LutraImages images = {.pixels = shared.images,
                                .labels = shared.labels,
                                .count = IMAGES,
                                .shape = {1, SIDE, SIDE},
                                .class_count = CLASSES};
    fill(simulations, sizeof simulations);
    lutra_simulate_default(&settings);
    const LutraStatus status =
        lutra_simulate_many(simulations, cases, 2, &images, &settings, NULL, error);
    check_untouched(status, simulations, sizeof simulations);
    for (int i = 0; status == LUTRA_OK && i < 2; i++) {
        lutra_simulation_deinit(&simulations[i]);
    }
    return status;
}

static LutraStatus gather_statistics(LutraError *error) {
    LutraOperationStatistics seen[16];
    LutraCircuitStatistics statistics;
    LutraLayerSettings settings;
    const LutraImages images = {.pixels = shared.images,
                                .labels = shared.labels,
                                .count = IMAGES,
                                .shape = {1, SIDE, SIDE},
                                .class_count = CLASSES};
    assert_true(shared.circuit.operation_count <= 16);
    for (uint32_t i = 0; i < shared.circuit.operation_count; i++) {
        const LutraRange range = shared.circuit.operations[i].static_range;
        seen[i] = (LutraOperationStatistics){.min = range.min, .max = range.max};
    }
    const LutraSimulation simulation = {.images = IMAGES, .operations = seen};
    fill(&statistics, sizeof statistics);
    lutra_layer_settings_default(&settings);
    const LutraStatus status = lutra_circuit_statistics(&statistics, &shared.circuit, &images,
                                                        &simulation, &settings, error);
    check_untouched(status, &statistics, sizeof statistics);
    if (status == LUTRA_OK) {
        assert_true(statistics.layers[0].is_predicted);
        lutra_circuit_statistics_deinit(&statistics);
    }
    return status;
}

static LutraStatus simulate_one(LutraError *error) {
    LutraImageValues values;
    fill(&values, sizeof values);
    const LutraStatus status =
        lutra_simulate_image_values(&values, &shared.circuit, shared.images, error);
    check_untouched(status, &values, sizeof values);
    if (status == LUTRA_OK) {
        lutra_image_values_deinit(&values);
    }
    return status;
}

/* A failed verification gives a zeroed result and no context stays alive. */
static LutraStatus verify(LutraError *error) {
    LutraVerifyResult result;
    LutraVerifySettings settings;
    memset(&fake, 0, sizeof fake);
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    const LutraStatus status =
        lutra_verify(&result, &shared.circuit, shared.images, 2, &settings, error);
    assert_int_equal(fake.alive, 0);
    assert_int_equal(result.sample_count, status == LUTRA_OK ? 2 : 0);
    assert_true(status == LUTRA_OK || (result.samples == NULL && result.layers == NULL &&
                                       result.clear_logits == NULL));
    lutra_verify_result_deinit(&result);
    return status;
}

static int stop_in_second_image(void *user, const char *stage, uint64_t done, uint64_t total,
                                double figure) {
    (void)user;
    (void)stage;
    (void)figure;
    return done * 4 >= total * 3 ? 1 : 0;
}

static const char *const CHECKPOINT = "alloc_checkpoint.test";

static LutraVerifySettings resumed_settings(void) {
    LutraVerifySettings settings;
    memset(&fake, 0, sizeof fake);
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    settings.checkpoint = CHECKPOINT;
    settings.resume = true;
    return settings;
}

static void leave_checkpoint(void) {
    const LutraProgress progress = {stop_in_second_image, NULL, NULL};
    LutraVerifySettings settings = resumed_settings();
    LutraVerifyResult result;
    (void)unlink(CHECKPOINT);
    settings.progress = &progress;
    assert_int_equal(lutra_verify(&result, &shared.circuit, shared.images, 2, &settings, NULL),
                     LUTRA_ECANCELLED);
    lutra_verify_result_deinit(&result);
    assert_true(lutra_file_exists(CHECKPOINT));
}

/* Goes on from the checkpoint, which is still there after a failure. That none can be written is
 * no failure: this run writes none. */
static LutraStatus verify_the_rest(LutraError *error) {
    LutraVerifySettings settings = resumed_settings();
    LutraVerifyResult result;
    settings.checkpoint_seconds = 1e9;
    const LutraStatus status =
        lutra_verify(&result, &shared.circuit, shared.images, 2, &settings, error);
    assert_int_equal(fake.alive, 0);
    assert_int_equal(result.sample_count, status == LUTRA_OK ? 2 : 0);
    assert_true(lutra_file_exists(CHECKPOINT) == (status != LUTRA_OK));
    lutra_verify_result_deinit(&result);
    return status;
}

/* A failed file leaves nothing, under neither name. */
static LutraStatus seal_file(LutraError *error) {
    static const LutraSealedKind kind = {"testfile", 7, "file"};
    const uint64_t number = 5;
    LutraSealedWriter writer;
    LutraStatus status = lutra_sealed_create(&writer, CHECKPOINT, &kind, false, error);
    if (status == LUTRA_OK) {
        status = lutra_sealed_put_u64(&writer, &number, 1, error);
    }
    if (status == LUTRA_OK) {
        status = lutra_sealed_commit(&writer, error);
    }
    assert_true(lutra_file_exists(CHECKPOINT) == (status == LUTRA_OK));
    assert_false(lutra_file_exists("alloc_checkpoint.test.partial"));
    (void)unlink(CHECKPOINT);
    return status;
}

static LutraStatus verify_chosen(LutraError *error) {
    LutraVerifyResult result;
    LutraVerifySettings settings;
    memset(&fake, 0, sizeof fake);
    lutra_verify_default(&settings);
    settings.backend = &fake_operations;
    settings.neurons = 3;
    const LutraStatus status =
        lutra_verify(&result, &shared.circuit, shared.images, 2, &settings, error);
    assert_int_equal(fake.alive, 0);
    assert_int_equal(result.sample_count, status == LUTRA_OK ? 2 : 0);
    assert_true(status == LUTRA_OK || (result.samples == NULL && result.neurons == NULL));
    lutra_verify_result_deinit(&result);
    return status;
}

/* Keys of zeros: what comes out is the table's first entry. */
static LutraStatus look_up_words(LutraError *error) {
    enum { N = 256, COUNT = 3, SIZE = N + 1, SMALL = 3 };
    static const LutraCryptoParameters set = {.lwe_dim = SMALL - 1, .glwe_dim = 1, .log2_poly = 8,
                                              .pbs_level = 1, .pbs_base_log = 20, .ks_level = 1,
                                              .ks_base_log = 4};
    static const uint64_t encrypted_bits[(SMALL - 1) * 4 * N];
    static const uint64_t keyswitch_words[N * SMALL];
    static const uint64_t inputs[COUNT * SIZE];
    static uint64_t outputs[COUNT * SIZE];
    const uint64_t table[2] = {7, 8};
    const LutraBackendTables tables = {table, 1, 1};
    const LutraKeyswitchKey keyswitch = {keyswitch_words, SIZE};
    LutraBootstrapKey key;
    fill(&key, sizeof key);
    LutraStatus status = lutra_bootstrap_key_init(&key, &set, 0, error);
    if (status != LUTRA_OK) {
        assert_null(key.points);
        return status;
    }
    status = lutra_bootstrap_key_fill(&key, 0, SMALL - 1, encrypted_bits, 2, error);
    if (status == LUTRA_OK) {
        status = lutra_lookup_run(outputs, &key, &keyswitch, inputs, COUNT, &tables, NULL, 2, NULL,
                                  error);
        assert_true(status != LUTRA_OK || outputs[SIZE - 1] == 7);
    }
    lutra_bootstrap_key_deinit(&key);
    return status;
}

/* ---- training ---- */

static LutraStatus begin_training(LutraError *error) {
    LutraTraining training;
    fill(&training, sizeof training);
    const LutraStatus status = lutra_training_init(&training, &shared.model, &shared.recipe, 5,
                                                   &shared.data, error);
    check_untouched(status, &training, sizeof training);
    if (status == LUTRA_OK) {
        lutra_training_deinit(&training);
    }
    return status;
}

static LutraStatus read_checkpoint(LutraError *error) {
    LutraTraining training;
    LutraModel model;
    fill(&training, sizeof training);
    fill(&model, sizeof model);
    const LutraStatus status =
        lutra_checkpoint_read(&training, &model, shared.checkpoint_path, error);
    check_untouched(status, &training, sizeof training);
    check_untouched(status, &model, sizeof model);
    if (status == LUTRA_OK) {
        lutra_training_deinit(&training);
        lutra_model_deinit(&model);
    }
    return status;
}

static LutraStatus evaluate(LutraError *error) {
    LutraEvaluation evaluation;
    float logits[IMAGES * CLASSES];
    const LutraEvaluateSettings settings = {4, 1, lutra_cpu_detect(), LUTRA_LOSS_CROSS_ENTROPY};
    fill(&evaluation, sizeof evaluation);
    fill(logits, sizeof logits);
    const LutraStatus status = lutra_evaluate(&evaluation, logits, &shared.model, &shared.data,
                                              LUTRA_SPLIT_TRAIN, &settings, NULL, error);
    check_untouched(status, &evaluation, sizeof evaluation);
    check_untouched(status, logits, sizeof logits);
    return status;
}

static LutraStatus run_training(LutraTraining *training, LutraModel *model, const char *path,
                                LutraError *error) {
    const LutraTrainingSettings settings = {1, lutra_cpu_detect(), path, true, 0.0,
                                            &shared.model};
    return lutra_training_run(training, model, &shared.data, &settings, NULL, error);
}

/* Runs into the failure, then goes on without one: to what an undisturbed training gives. */
static LutraStatus train(LutraError *error) {
    LutraModel model;
    LutraTraining training;
    LutraError other = {""};
    const char *const path = check_temporary("training.h5");
    const uint64_t count = allocfail_countdown;
    (void)allocfail_stop();
    make_model(&model, 5);
    check_status(lutra_training_init(&training, &model, &shared.recipe, 5, &shared.data, &other),
                 LUTRA_OK, &other);
    lutra_training_set_teacher(&training, &shared.model);
    allocfail_after(count);
    const LutraStatus status = run_training(&training, &model, path, error);
    const bool failed = allocfail_stop();
    if (failed) {
        check_status(run_training(&training, &model, path, &other), LUTRA_OK, &other);
    }
    assert_true(lutra_file_exists(path));
    check_same_history(&model, &shared.trained);
    check_same_layers(&model, &shared.trained);
    lutra_training_deinit(&training);
    lutra_model_deinit(&model);
    (void)remove(path);
    allocfail_happened = failed;
    return status;
}

/* ---- the tests ---- */

static void prepare_data(void) {
    memcpy(shared.name, "toy", 4);
    memcpy(shared.source, "made", 5);
    shared.data = (LutraDataset){.name = shared.name, .source = shared.source, .channels = 1,
                                 .height = SIDE, .width = SIDE, .class_count = CLASSES,
                                 .checksum = "0123456789abcdef"};
    for (size_t n = 0; n < IMAGES; n++) {
        shared.labels[n] = (uint16_t)(n % CLASSES);
        for (size_t i = 0; i < SIDE * SIDE; i++) {
            const uint64_t noise = lutra_random_below(check_key(1), n * SIDE * SIDE + i, 120);
            shared.images[n * SIDE * SIDE + i] = (uint8_t)(noise + 60u * shared.labels[n]);
        }
    }
    shared.data.splits[LUTRA_SPLIT_TRAIN] = (LutraSplit){IMAGES, shared.images, shared.labels};
}

static void prepare_trained(LutraError *error) {
    LutraTraining training;
    make_model(&shared.trained, 5);
    check_status(lutra_training_init(&training, &shared.trained, &shared.recipe, 5, &shared.data,
                                     error),
                 LUTRA_OK, error);
    lutra_training_set_teacher(&training, &shared.model);
    check_status(run_training(&training, &shared.trained, shared.checkpoint_path, error), LUTRA_OK,
                 error);
    check_status(lutra_model_write(&shared.trained, shared.model_path, true, error), LUTRA_OK,
                 error);
    uint32_t kept = 0;
    check_status(lutra_model_write_packed(&shared.trained, shared.packed_path, true, &kept, error),
                 LUTRA_OK, error);
    lutra_training_deinit(&training);
}

static void prepare_circuit(LutraError *error) {
    for (int kind = 0; kind < 3; kind++) {
        check_status(lutra_calibrate(&shared.calibrations[kind], &shared.model,
                                     (LutraCalibrateKind)kind, &observer, error),
                     LUTRA_OK, error);
    }
    check_status(lower_into(&shared.circuit, LUTRA_OFFSETS_ALIGN, LUTRA_CALIBRATE_DENSITIES, error),
                 LUTRA_OK, error);
    check_status(lutra_alloc(&shared.circuit.parameters, 1, sizeof *shared.circuit.parameters,
                             error),
                 LUTRA_OK, error);
    shared.circuit.parameter_count = 1;
    shared.circuit.parameters[0] = circuit_toy_set(FAKE_LOG2_POLY);
    check_status(lutra_circuit_write(&shared.circuit, shared.circuit_path, true, error), LUTRA_OK,
                 error);
}

static int prepare(void **state) {
    (void)state;
    LutraError error = {""};
    char *const paths[] = {shared.model_path, shared.circuit_path, shared.checkpoint_path,
                           shared.packed_path};
    static const char *const names[] = {"model.h5", "circuit.h5", "checkpoint.h5",
                                        "packed.h5"};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(paths[i], sizeof shared.model_path, "%s", check_temporary(names[i]));
    }
    prepare_data();
    check_status(lutra_recipe_parse(&shared.recipe, text, "small.ini", &error), LUTRA_OK, &error);
    shared.recipe.average_keep = 0.5;
    shared.recipe.average_from = 0.3;
    shared.recipe.average_choice = LUTRA_AVERAGE_ALWAYS;
    shared.recipe.views = 1;
    shared.recipe.noise = 0.2;
    make_model(&shared.model, 5);
    prepare_trained(&error);
    prepare_circuit(&error);
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        lutra_calibration_deinit(&shared.calibrations[kind]);
    }
    lutra_circuit_deinit(&shared.circuit);
    lutra_model_deinit(&shared.trained);
    lutra_model_deinit(&shared.model);
    (void)remove(shared.model_path);
    (void)remove(shared.packed_path);
    (void)remove(shared.circuit_path);
    (void)remove(shared.checkpoint_path);
    return 0;
}

/* ---- cost ---- */

static LutraStatus predict_cost(LutraError *error) {
    LutraCircuitCost cost;
    fill(&cost, sizeof cost);
    const LutraStatus status =
        lutra_circuit_cost(&cost, &shared.circuit, lutra_machine_profile_builtin(), 2, error);
    check_untouched(status, &cost, sizeof cost);
    if (status == LUTRA_OK) {
        lutra_circuit_cost_deinit(&cost);
    }
    return status;
}

static LutraStatus write_profile(LutraError *error) {
    const char *const path = check_temporary("profile.ini");
    const LutraStatus status =
        lutra_machine_profile_write(lutra_machine_profile_builtin(), path, true, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    (void)remove(path);
    return status;
}

static LutraStatus read_profile(LutraError *error) {
    LutraMachineProfile profile;
    const char *const path = check_temporary("kept.ini");
    const uint64_t count = allocfail_countdown;
    (void)allocfail_stop();
    check_status(lutra_machine_profile_write(lutra_machine_profile_builtin(), path, true, error),
                 LUTRA_OK, error);
    fill(&profile, sizeof profile);
    allocfail_after(count);
    const LutraStatus status = lutra_machine_profile_read(&profile, path, error);
    check_untouched(status, &profile, sizeof profile);
    return status;
}

static void models(void **state) {
    (void)state;
    allocfail_each(parse_network);
    allocfail_each(create_model);
    allocfail_each(read_model);
    allocfail_each(write_model);
    allocfail_each(write_packed);
    allocfail_each(read_packed);
    allocfail_each(import_hdf5);
    allocfail_each(import_safetensors);
}

static void lowering(void **state) {
    (void)state;
    allocfail_each(calibrate_ranges);
    allocfail_each(calibrate_densities);
    allocfail_each(calibrate_centred);
    allocfail_each(lower_plain);
    allocfail_each(lower_aligned);
    allocfail_each(lower_centred);
}

static void circuits(void **state) {
    (void)state;
    allocfail_each(check_circuit);
    allocfail_each(draw_circuit);
    allocfail_each(read_circuit);
    allocfail_each(write_circuit);
    allocfail_each(find_parameters);
    allocfail_each(round_circuit);
    allocfail_each(choose_parameters);
    allocfail_each(choose_partition);
}

static void simulation(void **state) {
    (void)state;
    allocfail_each(simulate);
    allocfail_each(simulate_one);
    allocfail_each(simulate_many);
    allocfail_each(gather_statistics);
}

static void verification(void **state) {
    (void)state;
    allocfail_each(verify);
    leave_checkpoint();
    allocfail_each(verify_the_rest);
    allocfail_each(seal_file);
    allocfail_each(verify_chosen);
    allocfail_each(look_up_words);
}

static void cost_of_real_fhe(void **state) {
    (void)state;
    allocfail_each(predict_cost);
    allocfail_each(write_profile);
    allocfail_each(read_profile);
}

static void training(void **state) {
    (void)state;
    allocfail_each(begin_training);
    allocfail_each(read_checkpoint);
    allocfail_each(evaluate);
    allocfail_each(train);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models),     cmocka_unit_test(lowering),     cmocka_unit_test(circuits),
        cmocka_unit_test(simulation), cmocka_unit_test(verification), cmocka_unit_test(training),
        cmocka_unit_test(cost_of_real_fhe),
    };
    return cmocka_run_group_tests_name("alloc_program", tests, prepare, clean_up);
}
