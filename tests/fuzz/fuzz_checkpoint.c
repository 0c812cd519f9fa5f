/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of verifications: any contents, under a right seal, are refused with a sentence, or
 * give counts within the circuit's bounds and a state from which the run ends without a crash. The
 * bytes as they are are refused by the seal. */
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sealed_file.h"
#include "bridge/verify_checkpoint_priv.h"
#include "tests/bridge/fake_backend.h"
#include "tests/support/circuits.h"
#include "tests/support/fuzz.h"

static const LutraSealedKind KIND = {"lutraVCK", 1, "checkpoint"};

/** Input, layer, table, layer, output; one set. */
static void make_circuit(LutraCircuit *circuit) {
    const LutraCryptoParameters set = circuit_toy_set(FAKE_LOG2_POLY);
    const LutraRandomKey key = {1, LUTRA_STREAM_TEST, 3};
    CircuitBuilder builder;
    builder_start(&builder, key, CIRCUIT_TERNARY);
    uint32_t x = builder_input(&builder, (LutraShape){1, 2, 2}, (LutraEncoding){4, true}, -1, 1);
    x = builder_linear(&builder, x, 3);
    x = builder_table(&builder, x, (LutraEncoding){4, true}, -1, 1, false);
    (void)builder_output(&builder, builder_linear(&builder, x, 2), 0);
    builder_finish(&builder, circuit);
    circuit_give_parameters(circuit, set);
}

static void write_sealed(const char *path, const uint8_t *data, size_t bytes) {
    LutraSealedWriter writer;
    LutraError error = {""};
    FUZZ_CHECK(lutra_sealed_create(&writer, path, &KIND, true, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_sealed_put(&writer, data, bytes, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_sealed_commit(&writer, &error) == LUTRA_OK);
}

/** Reads it, and runs the rest of the image. */
static void read_and_run(const LutraCircuit *circuit, const char *path) {
    static const uint8_t pixels[2 * 4] = {1, 2, 3, 4, 5, 6, 7, 8};
    LutraVerifySettings settings;
    LutraVerifySample samples[2] = {{0}};
    float clear[4] = {0};
    float encrypted[4] = {0};
    LutraVerifyResult result = {
        .samples = samples, .class_count = 2, .clear_logits = clear, .encrypted_logits = encrypted};
    LutraVerifyCheckpoint checkpoint = {.path = path, .sample_limit = 2};
    LutraVerifyObserver observer = {0};
    LutraPrediction prediction = {0};
    LutraCircuitKeys keys = {0};
    LutraError error = {""};
    int32_t codes[2];
    lutra_verify_default(&settings);
    FUZZ_CHECK(lutra_prediction_init(&prediction, circuit, LUTRA_NOISE_TFHE_RS, &error) ==
               LUTRA_OK);
    FUZZ_CHECK(lutra_circuit_keys_init(&keys, &fake_operations, circuit,
                                       &settings.backend_settings, &error) == LUTRA_OK);
    FUZZ_CHECK(lutra_verify_observer_init(&observer, &keys, circuit, &prediction, &error) ==
               LUTRA_OK);
    const LutraStatus status = lutra_verify_checkpoint_read(&checkpoint, &result, &observer,
                                                            &error);
    if (status == LUTRA_OK) {
        const LutraEncryptedListener listener = {lutra_verify_observe, &observer, NULL};
        const LutraEncryptedSettings run = {
            .state = &checkpoint.state, .threads = 1, .listener = &listener};
        FUZZ_CHECK(result.sample_count <= 2);
        if (result.sample_count < 2 && checkpoint.state.next_operation > 0) {
            FUZZ_CHECK(lutra_encrypted_run(codes, NULL, &keys, circuit, pixels, &run, &error) ==
                       LUTRA_OK);
        }
    } else {
        FUZZ_CHECK(status == LUTRA_EDATA && error.message[0] != '\0');
    }
    lutra_verify_checkpoint_deinit(&checkpoint, circuit);
    lutra_verify_observer_deinit(&observer);
    lutra_prediction_deinit(&prediction);
    lutra_circuit_keys_deinit(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    LutraCircuit circuit;
    LutraSealedReader reader;
    LutraError error = {""};
    make_circuit(&circuit);
    const char *const path = fuzz_file("checkpoint", data, bytes);
    if (lutra_sealed_open(&reader, path, &KIND, &error) == LUTRA_OK) {
        lutra_sealed_close(&reader);
    } else {
        FUZZ_CHECK(error.message[0] != '\0');
    }
    write_sealed(path, data, bytes);
    read_and_run(&circuit, path);
    (void)unlink(path);
    lutra_circuit_deinit(&circuit);
    return 0;
}
