/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights packed to codes: over random quantizers and weights, what comes back has the scale and
 * the codes that were packed, bit for bit; and whole model files of both kinds.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hdf5_file.h"
#include "base/memory.h"
#include "quant/model.h"
#include "quant/weight_packing.h"
#include "tests/support/check.h"

enum { MOST = 200 };

static uint32_t pick(uint32_t number, uint64_t *counter, uint32_t bound) {
    return (uint32_t)lutra_random_below(check_key(number), (*counter)++, bound);
}

static LutraWeightQuantizer random_quantizer(uint32_t number, uint64_t *counter) {
    LutraWeightQuantizer quantizer = {0};
    quantizer.code_max = 1 + (int32_t)pick(number, counter, number % 2 == 0 ? 127 : 7);
    quantizer.code_min = -1 - (int32_t)pick(number, counter, (uint32_t)quantizer.code_max);
    if (number % 3 == 0) {
        quantizer.code_min = -quantizer.code_max;
    }
    quantizer.scale = number % 5 == 0 ? LUTRA_WEIGHT_SCALE_FIXED : LUTRA_WEIGHT_SCALE_MAX;
    return quantizer;
}

/* Returns whether the weights could be packed. */
static bool check_case(uint32_t number) {
    uint64_t counter = 0;
    float weights[MOST];
    float again[MOST];
    int8_t codes[MOST];
    int8_t repeated[MOST];
    float largest = -1.0f;
    const LutraWeightQuantizer quantizer = random_quantizer(number, &counter);
    const size_t count = 1 + pick(number, &counter, MOST);
    const float span = ldexpf(1.0f, (int)pick(number, &counter, 40) - 30);
    for (size_t i = 0; i < count; i++) {
        const double u = lutra_random_uniform(check_key(number), counter++);
        weights[i] = number % 11 == 0 ? 0.0f : (float)((2.0 * u) - 1.0) * span;
    }
    const float scale = lutra_weight_scale(&quantizer, weights, count);
    const bool packed = lutra_weights_pack(codes, &largest, &quantizer, weights, count);
    lutra_weight_codes(repeated, &quantizer, weights, count, scale);
    assert_memory_equal(codes, repeated, count);
    if (packed) {
        lutra_weights_unpack(again, &quantizer, codes, count, largest);
        const float other = lutra_weight_scale(&quantizer, again, count);
        if (memcmp(&other, &scale, sizeof scale) != 0) {
            fail_msg("case %u: scale %.9g came back as %.9g", number, (double)scale,
                     (double)other);
        }
        lutra_weight_codes(repeated, &quantizer, again, count, other);
        assert_memory_equal(codes, repeated, count);
    }
    return packed;
}

static void random_weights_come_back(void **state) {
    (void)state;
    uint32_t packed = 0;
    for (uint32_t number = 1; number <= 3000; number++) {
        packed += check_case(number) ? 1u : 0u;
    }
    assert_int_equal(packed, 3000); /* nothing in this range has to stay as it is */
}

static const char text[] =
    "[network]\nname = tiny\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[c]\ntype = conv\nchannels = 3\nkernel = 3\nbias = yes\nweight_codes = -1..1\n"
    "weight_scale = fixed\n"
    "[n]\ntype = batch_norm\n"
    "[a]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -5..7\nweight_scale = max\n"
    "[logits]\ntype = tensor_norm\n";

static void make(LutraModel *model) {
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, 3, &error), LUTRA_OK, &error);
    model->layers[1].bias[1] = 0.375f;
    model->layers[2].running_variance[2] = 7.5f;
    check_status(lutra_alloc(&model->history, 1, sizeof *model->history, &error), LUTRA_OK,
                 &error);
    model->history[0] = (LutraEpochRecord){.epoch = 1, .train_loss = 0.5};
    model->history_count = 1;
}

static void packed_files_are_model_files(void **state) {
    (void)state;
    const char *path = check_temporary("packed.h5");
    LutraError error = {""};
    LutraModel model = {0};
    LutraModel read = {0};
    uint32_t kept = 99;
    make(&model);
    check_status(lutra_model_write_packed(&model, path, true, &kept, &error), LUTRA_OK, &error);
    assert_int_equal(kept, 0);
    check_status(lutra_model_read(&read, path, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i < model.network.layer_count; i++) {
        const size_t count = lutra_layer_weight_count(&model.network.layers[i]);
        if (count == 0) {
            continue;
        }
        const LutraWeightQuantizer *quantizer = &model.network.layers[i].u.weighted.quantizer;
        int8_t codes[2][27];
        for (int k = 0; k < 2; k++) {
            const float *weights = (k == 0 ? &model : &read)->layers[i].weights;
            lutra_weight_codes(codes[k], quantizer, weights, count,
                               lutra_weight_scale(quantizer, weights, count));
        }
        assert_memory_equal(codes[0], codes[1], count);
    }
    assert_memory_not_equal(model.layers[1].weights, read.layers[1].weights, 27 * sizeof(float));
    assert_true(read.layers[1].bias[1] == 0.375f);
    assert_true(read.layers[2].running_variance[2] == 7.5f);
    assert_int_equal(read.history_count, 1);
    lutra_model_deinit(&read);
    lutra_model_deinit(&model);
}

/* Writes a packed file by hand with one thing wrong. */
static void check_damage(int damage, const char *sentence) {
    const char *path = check_temporary("damaged.h5");
    LutraError error = {""};
    LutraH5 *file = NULL;
    LutraModel model = {0};
    const uint64_t conv[4] = {3, 1, 3, 3};
    const uint64_t linear[2] = {2, 12};
    const uint64_t few[2] = {2, 11};
    const uint64_t one = 1;
    const uint64_t three = 3;
    int8_t codes[27] = {0};
    float floats[3] = {1.0f, 1.0f, 1.0f};
    float largest = damage == 1 ? NAN : damage == 2 ? -1.0f : 0.5f;
    static const char *const norms[4] = {"gamma", "beta", "running_mean", "running_variance"};
    check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "", "format", "lutra.model/1", &error), LUTRA_OK,
                 &error);
    check_status(lutra_h5_write_text(file, "", "network", text, &error), LUTRA_OK, &error);
    check_status(lutra_h5_write_text(file, "", "provenance", "{}", &error), LUTRA_OK, &error);
    check_status(lutra_h5_write(file, "layers/01_c/weight_codes", codes, LUTRA_H5_I8, 4, conv,
                                &error),
                 LUTRA_OK, &error);
    check_status(lutra_h5_write(file, "layers/01_c/bias", floats, LUTRA_H5_F32, 1, &three, &error),
                 LUTRA_OK, &error);
    for (int i = 0; i < 8; i++) {
        char name[64];
        snprintf(name, sizeof name, "layers/%s/%s", i < 4 ? "02_n" : "05_logits", norms[i % 4]);
        check_status(lutra_h5_write(file, name, floats, LUTRA_H5_F32, 1, i < 4 ? &three : &one,
                                    &error),
                     LUTRA_OK, &error);
    }
    codes[3] = damage == 3 ? -6 : 7; /* -5 .. 7 are allowed */
    check_status(lutra_h5_write(file, "layers/04_fc/weight_codes", codes, LUTRA_H5_I8, 2,
                                damage == 4 ? few : linear, &error),
                 LUTRA_OK, &error);
    if (damage != 5) {
        check_status(lutra_h5_write(file, "layers/04_fc/weight_largest", &largest, LUTRA_H5_F32, 1,
                                    &one, &error),
                     LUTRA_OK, &error);
    }
    check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    const LutraStatus status = lutra_model_read(&model, path, &error);
    if (sentence == NULL) {
        check_status(status, LUTRA_OK, &error);
        assert_true(model.layers[4].weights[3] == 0.5f && model.layers[4].weights[2] == 0.0f);
        lutra_model_deinit(&model);
        return;
    }
    check_status(status, LUTRA_EDATA, &error);
    assert_null(model.layers);
    if (strstr(error.message, sentence) == NULL) {
        fail_msg("%s", error.message);
    }
}

static void damaged_codes_are_refused(void **state) {
    (void)state;
    check_damage(0, NULL);
    check_damage(1, "'layers/04_fc/weight_largest' should be finite and not negative");
    check_damage(2, "'layers/04_fc/weight_largest' should be finite and not negative");
    check_damage(3, "holds -6 at index 3; its network has codes -5 .. 7");
    check_damage(4, "'layers/04_fc/weight_codes' has not the shape");
    check_damage(5, "weight_largest");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_weights_come_back),
                                       cmocka_unit_test(packed_files_are_model_files),
                                       cmocka_unit_test(damaged_codes_are_refused)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("weight packing", tests, NULL, NULL);
}
