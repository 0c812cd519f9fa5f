/* SPDX-License-Identifier: Apache-2.0 */
/* Norms between look-ups: by hand, and against impulse responses of the circuit itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/lower.h"
#include "sim/operations.h"
#include "sim/weight_norm.h"
#include "tests/support/check.h"
#include "tests/support/run_circuit.h"

static void build(LutraModel *model, LutraCircuit *circuit, const char *text, uint64_t seed,
                  const float *first_weights) {
    LutraNetwork network = {0};
    LutraLowerSettings settings;
    LutraError error = {""};
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
    if (first_weights != NULL) {
        memcpy(model->layers[1].weights, first_weights,
               lutra_layer_weight_count(&model->network.layers[1]) * sizeof(float));
    }
    const uint32_t rounding = 8; /* as wide tables as these sums ask for do not exist */
    lutra_lower_default(&settings);
    settings.rounding = &rounding;
    settings.rounding_count = 1;
    check_status(lutra_lower(circuit, model, NULL, &settings, &error), LUTRA_OK, &error);
}

static const char *const POOLED =
    "[network]\nname = p\nclasses = 2\n"
    "[in]\ntype = input\nshape = 1x3x3\nrange = 0..1\ncodes = 0..3\nstep = 1/3\n"
    "[c]\ntype = conv\nchannels = 2\nkernel = 2\nweight_codes = -3..3\nweight_scale = fixed\n"
    "[p]\ntype = average_pool\nkernel = 2\n"
    "[a]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[p2]\ntype = average_pool\nkernel = 1\n"
    "[f]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n";

static void pools_add_up_weights_before_squaring(void **state) {
    (void)state;
    LutraModel model = {0};
    LutraCircuit circuit = {0};
    LutraWeightNorm norm = {-1.0, -1.0};
    LutraError error = {""};
    /* Kernel (1 1; 1 1) under a 2x2 pool: 1 2 1 / 2 4 2 / 1 2 1, squares 36. The second kernel
     * (1 -1; 1 -1) gives 1 0 -1 / 2 0 -2 / 1 0 -1, squares 12. */
    const float weights[8] = {1, 1, 1, 1, 1, -1, 1, -1};
    build(&model, &circuit, POOLED, 1, weights);
    check_status(lutra_circuit_norm(&norm, &circuit, 3, &error), LUTRA_OK, &error);
    check_close(norm.from_client, 6.0, 1e-12);
    check_close(norm.from_tables, 0.0, 0.0);
    check_status(lutra_circuit_norm(&norm, &circuit, 6, &error), LUTRA_OK, &error);
    assert_int_equal(circuit.operations[6].kind, LUTRA_OPERATION_OUTPUT);
    check_close(norm.from_client, 0.0, 0.0);
    assert_true(norm.from_tables <= sqrt(2.0));
    lutra_circuit_deinit(&circuit);
    lutra_model_deinit(&model);
}

static const char *const DEEP =
    "[network]\nname = d\nclasses = 2\n"
    "[in]\ntype = input\nshape = 2x11x11\nrange = 0..1\ncodes = 0..1\nstep = 1\n"
    "[c1]\ntype = conv\nchannels = 3\nkernel = 3\nstride = 2\nweight_codes = -7..7\n"
    "weight_scale = max\n"
    "[p]\ntype = average_pool\nkernel = 2\nstride = 1\n"
    "[c2]\ntype = conv\nchannels = 2\nkernel = 2\nweight_codes = -3..3\nweight_scale = max\n"
    "[l]\ntype = linear\nfeatures = 4\nweight_codes = -2..2\nweight_scale = max\n"
    "[a]\ntype = activation\ncodes = 0..1\nstep = 1\n"
    "[f]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n";

/* Result of the linear chain for one input element set to 1. */
static void impulse(int32_t *result, const LutraCircuit *circuit, uint32_t last, size_t element) {
    int32_t *values[8];
    for (uint32_t i = 0; i <= last; i++) {
        values[i] = calloc(lutra_shape_elements(circuit->operations[i].shape), sizeof **values);
        assert_non_null(values[i]);
    }
    values[0][element] = 1;
    for (uint32_t i = 1; i <= last; i++) {
        const int32_t *const *before = (const int32_t *const *)values;
        lutra_operation_apply(values[i], circuit, i, NULL, before);
    }
    memcpy(result, values[last],
           lutra_shape_elements(circuit->operations[last].shape) * sizeof *result);
    for (uint32_t i = 0; i <= last; i++) {
        free(values[i]);
    }
}

static void norms_are_those_of_impulse_responses(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        LutraModel model = {0};
        LutraCircuit circuit = {0};
        LutraWeightNorm norm = {0};
        LutraError error = {""};
        double squares[4] = {0};
        build(&model, &circuit, DEEP, seed, NULL);
        for (size_t i = 0; i < 2 * 11 * 11; i++) {
            int32_t result[4];
            impulse(result, &circuit, 4, i);
            for (int o = 0; o < 4; o++) {
                squares[o] += (double)result[o] * result[o];
            }
        }
        check_status(lutra_circuit_norm(&norm, &circuit, 6, &error), LUTRA_OK, &error);
        const double largest = fmax(fmax(squares[0], squares[1]), fmax(squares[2], squares[3]));
        check_close(norm.from_client, sqrt(largest), 1e-9 * norm.from_client);
        lutra_circuit_deinit(&circuit);
        lutra_model_deinit(&model);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_add_up_weights_before_squaring),
        cmocka_unit_test(norms_are_those_of_impulse_responses),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("weight_norm", tests, NULL, NULL);
}
