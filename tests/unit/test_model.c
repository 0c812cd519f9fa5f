/* SPDX-License-Identifier: Apache-2.0 */
/* Models: initial values and files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "quant/model.h"
#include "tests/support/check.h"

static const char *const TEXT =
    "[network]\nname = tiny\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x4x4\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[c]\ntype = conv\nchannels = 3\nkernel = 3\nweight_codes = -1..1\nweight_scale = fixed\n"
    "bias = yes\n"
    "[n]\ntype = batch_norm\n"
    "[a]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[fc]\ntype = linear\nfeatures = 2\nweight_codes = -7..7\nweight_scale = max\n"
    "[logits]\ntype = tensor_norm\n";

static void make(LutraModel *model, uint64_t seed) {
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(&network, TEXT, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
    assert_null(network.layers); /* moved */
}

static void a_new_model_has_its_arrays(void **state) {
    (void)state;
    LutraModel model = {0};
    make(&model, 5);
    const LutraLayerParameters *layers = model.layers;
    assert_null(layers[0].weights);
    assert_non_null(layers[1].weights);
    assert_non_null(layers[1].bias);
    assert_null(layers[1].gamma);
    assert_non_null(layers[2].gamma);
    assert_null(layers[2].weights);
    assert_null(layers[3].weights);
    assert_null(layers[4].bias);
    assert_non_null(layers[5].gamma);
    for (size_t i = 0; i < 3; i++) {
        assert_true(layers[1].bias[i] == 0.0f && layers[2].gamma[i] == 1.0f);
        assert_true(layers[2].beta[i] == 0.0f && layers[2].running_mean[i] == 0.0f);
        assert_true(layers[2].running_variance[i] == 1.0f);
    }
    assert_int_equal(lutra_layer_norm_count(&model.network.layers[2]), 3);
    assert_int_equal(lutra_layer_norm_count(&model.network.layers[5]), 1);
    assert_int_equal(lutra_layer_norm_count(&model.network.layers[1]), 0);
    assert_string_equal(model.provenance, "{}");
    lutra_model_deinit(&model);
    assert_null(model.layers);
}

static void weights_are_a_function_of_the_seed(void **state) {
    (void)state;
    LutraModel first = {0};
    LutraModel again = {0};
    LutraModel other = {0};
    make(&first, 5);
    make(&again, 5);
    make(&other, 6);
    const size_t bytes = 27 * sizeof(float);
    assert_memory_equal(first.layers[1].weights, again.layers[1].weights, bytes);
    assert_memory_not_equal(first.layers[1].weights, other.layers[1].weights, bytes);
    float largest = 0.0f;
    float smallest = 0.0f;
    float scaled = 0.0f;
    for (size_t i = 0; i < 24; i++) {
        largest = fmaxf(largest, first.layers[1].weights[i]);
        smallest = fminf(smallest, first.layers[1].weights[i]);
        scaled = fmaxf(scaled, fabsf(first.layers[4].weights[i]));
    }
    assert_true(largest > 0.8f && largest <= 1.0f);
    assert_true(smallest < -0.8f && smallest >= -1.0f);
    const float bound = sqrtf(6.0f / 12.0f); /* fan-in 3 x 2 x 2 */
    assert_true(scaled > 0.8f * bound && scaled <= bound);
    lutra_model_deinit(&first);
    lutra_model_deinit(&again);
    lutra_model_deinit(&other);
}

static void add_history(LutraModel *model) {
    LutraError error = {""};
    check_status(lutra_alloc(&model->history, 2, sizeof *model->history, &error), LUTRA_OK, &error);
    model->history_count = 2;
    model->history[0] = (LutraEpochRecord){1, 0.02, 2.0, 0.5, (double)NAN, (double)NAN, 1.5};
    model->history[1] = (LutraEpochRecord){2, 0.01, 1.0, 0.75, 1.25, 0.625, 1.25};
}

static void a_file_gives_the_model_back(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraModel back = {0};
    LutraError error = {""};
    const char *path = check_temporary("model.h5");
    make(&model, 9);
    add_history(&model);
    model.layers[5].gamma[0] = 2.5f;
    model.layers[2].running_mean[1] = -3.0f;
    model.layers[1].bias[2] = 0.125f;
    lutra_free(&model.provenance);
    check_status(lutra_string_copy(&model.provenance, "{\"seed\": 9}", &error), LUTRA_OK, &error);
    check_status(lutra_model_write(&model, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_model_write(&model, path, false, &error), LUTRA_EINVAL, &error);
    check_status(lutra_model_read(&back, path, &error), LUTRA_OK, &error);
    assert_string_equal(back.network.text, TEXT);
    assert_string_equal(back.network.name, "tiny");
    assert_string_equal(back.provenance, "{\"seed\": 9}");
    assert_memory_equal(back.layers[1].weights, model.layers[1].weights, 27 * sizeof(float));
    assert_memory_equal(back.layers[4].weights, model.layers[4].weights, 24 * sizeof(float));
    assert_true(back.layers[1].bias[2] == 0.125f);
    assert_true(back.layers[2].running_mean[1] == -3.0f);
    assert_true(back.layers[2].running_variance[0] == 1.0f);
    assert_true(back.layers[5].gamma[0] == 2.5f);
    assert_int_equal(back.history_count, 2);
    assert_int_equal(back.history[1].epoch, 2);
    assert_true(isnan(back.history[0].validation_loss));
    check_close(back.history[1].train_top1, 0.75, 0.0);
    check_close(back.history[1].validation_top1, 0.625, 0.0);
    check_close(back.history[0].seconds, 1.5, 0.0);
    lutra_model_deinit(&back);
    lutra_model_deinit(&model);
}

/* Writes a model file and then replaces one thing in it. */
typedef enum {
    DAMAGE_FORMAT,
    DAMAGE_NETWORK,
    DAMAGE_MISSING,
    DAMAGE_SHAPE,
    DAMAGE_NAN,
    DAMAGE_VARIANCE,
    DAMAGE_COUNT
} Damage;

static void write_damaged(const char *path, Damage damage) {
    LutraModel model = {0};
    LutraH5 *file = NULL;
    LutraError error = {""};
    make(&model, 1);
    if (damage == DAMAGE_NAN) {
        model.layers[4].weights[3] = NAN;
    } else if (damage == DAMAGE_VARIANCE) {
        model.layers[2].running_variance[2] = -0.5f;
    }
    if (damage == DAMAGE_MISSING || damage == DAMAGE_SHAPE) {
        const float values[48] = {0};
        const uint64_t dims[2] = {2, 11};
        check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
        check_status(lutra_h5_write_text(file, "", "format", "lutra.model/1", &error), LUTRA_OK,
                     &error);
        check_status(lutra_h5_write_text(file, "", "network",
                                         "[network]\nname = a\nclasses = 2\n[i]\ntype = input\n"
                                         "shape = 1x3x4\nrange = 0..1\ncodes = 0..1\nstep = 1\n"
                                         "[f]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\n"
                                         "weight_scale = fixed\n", &error), LUTRA_OK, &error);
        check_status(lutra_h5_write_text(file, "", "provenance", "{}", &error), LUTRA_OK, &error);
        if (damage == DAMAGE_SHAPE) {
            check_status(lutra_h5_write(file, "layers/01_f/weights", values, LUTRA_H5_F32, 2, dims,
                                        &error), LUTRA_OK, &error);
        }
        check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    } else {
        check_status(lutra_h5_create(&file, path, true, &error), LUTRA_OK, &error);
        check_status(lutra_model_write_groups(&model, file, &error), LUTRA_OK, &error);
        if (damage == DAMAGE_FORMAT) {
            check_status(lutra_h5_write_text(file, "", "format", "lutra.circuit/1", &error),
                         LUTRA_OK, &error);
        } else if (damage == DAMAGE_NETWORK) {
            check_status(lutra_h5_write_text(file, "", "network", "[network]\n", &error), LUTRA_OK,
                         &error);
        }
        check_status(lutra_h5_commit(&file, &error), LUTRA_OK, &error);
    }
    lutra_model_deinit(&model);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    static const char *const sentences[DAMAGE_COUNT] = {
        "is not a model: its format is 'lutra.circuit/1'", "section 'network' is empty",
        "layers/01_f/weights", "has not the shape", "holds a value that is not finite at index 3",
        "holds a negative value at index 2"};
    for (Damage damage = DAMAGE_FORMAT; damage < DAMAGE_COUNT; damage++) {
        const char *path = check_temporary("damaged.h5");
        LutraModel model = {0};
        LutraError error = {""};
        write_damaged(path, damage);
        check_status(lutra_model_read(&model, path, &error), LUTRA_EDATA, &error);
        if (strstr(error.message, sentences[damage]) == NULL) {
            fail_msg("damage %d: '%s'", (int)damage, error.message);
        }
        assert_null(model.layers);
        assert_null(model.network.text);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_model_has_its_arrays),
        cmocka_unit_test(weights_are_a_function_of_the_seed),
        cmocka_unit_test(a_file_gives_the_model_back),
        cmocka_unit_test(damaged_files_are_refused),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
