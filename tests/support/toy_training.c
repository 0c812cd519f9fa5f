/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/toy_training.h"

#include <math.h>
#include <string.h>

#include "tests/support/check.h"

void toy_dataset(LutraDataset *data, char name[8], uint8_t *images, uint16_t *labels,
                 const ToyImages *toy) {
    const size_t pixels = (size_t)toy->channels * toy->side * toy->side;
    *data = (LutraDataset){.name = name,
                           .channels = toy->channels,
                           .height = toy->side,
                           .width = toy->side,
                           .class_count = toy->classes,
                           .checksum = "0123456789abcdef"};
    memcpy(name, "toy", 4);
    for (size_t n = 0; n < toy->images; n++) {
        labels[n] = (uint16_t)(n % toy->classes);
        for (size_t i = 0; i < pixels; i++) {
            const uint64_t noise =
                lutra_random_below(check_key(1), (n * pixels) + i, toy->noise);
            images[(n * pixels) + i] = (uint8_t)(noise + ((uint64_t)toy->step * labels[n]));
        }
    }
    data->splits[LUTRA_SPLIT_TRAIN] = (LutraSplit){toy->images, images, labels};
}

void check_same_array(const float *a, const float *b, size_t count) {
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL) {
        assert_memory_equal(a, b, count * sizeof *a);
    }
}

void check_same_layers(const LutraModel *a, const LutraModel *b) {
    assert_int_equal(a->network.layer_count, b->network.layer_count);
    for (uint32_t i = 0; i < a->network.layer_count; i++) {
        const LutraLayer *const layer = &a->network.layers[i];
        const size_t norms = lutra_layer_norm_count(layer);
        const LutraLayerParameters *const x = &a->layers[i];
        const LutraLayerParameters *const y = &b->layers[i];
        check_same_array(x->weights, y->weights, lutra_layer_weight_count(layer));
        check_same_array(x->bias, y->bias, layer->shape.channels);
        check_same_array(x->gamma, y->gamma, norms);
        check_same_array(x->beta, y->beta, norms);
        check_same_array(x->running_mean, y->running_mean, norms);
        check_same_array(x->running_variance, y->running_variance, norms);
        check_same_array(x->threshold, y->threshold, 1);
        check_same_array(x->threshold_batches, y->threshold_batches, 1);
    }
}

void check_same_gradients(const LutraLayerGradients *a, const LutraLayerGradients *b,
                          const LutraNetwork *network) {
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraLayer *const layer = &network->layers[i];
        const size_t norms = lutra_layer_norm_count(layer);
        check_same_array(a[i].weights, b[i].weights, lutra_layer_weight_count(layer));
        check_same_array(a[i].bias, b[i].bias, layer->shape.channels);
        check_same_array(a[i].gamma, b[i].gamma, norms);
        check_same_array(a[i].beta, b[i].beta, norms);
        check_same_array(a[i].threshold, b[i].threshold, 1);
    }
}

/* Figures of epochs without images held out are NaN. */
static void check_same_figure(double a, double b) {
    assert_true(a == b || (isnan(a) && isnan(b)));
}

void check_same_history(const LutraModel *a, const LutraModel *b) {
    assert_int_equal(a->history_count, b->history_count);
    for (uint32_t i = 0; i < a->history_count; i++) {
        const LutraEpochRecord *const x = &a->history[i];
        const LutraEpochRecord *const y = &b->history[i];
        assert_int_equal(x->epoch, y->epoch);
        check_same_figure(x->train_loss, y->train_loss);
        check_same_figure(x->train_top1, y->train_top1);
        check_same_figure(x->learning_rate, y->learning_rate);
        check_same_figure(x->validation_loss, y->validation_loss);
        check_same_figure(x->validation_top1, y->validation_top1);
    }
}
