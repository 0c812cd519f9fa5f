/* SPDX-License-Identifier: Apache-2.0 */
/* Calibration and the offsets before roundings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/lower.h"
#include "quant/lower_priv.h"
#include "sim/operations.h"
#include "tests/support/check.h"
#include "tests/support/run_circuit.h"

enum { IMAGES = 60, PIXELS = 64 };

static const char *const STEPS =
    "[network]\nname = steps\nclasses = 3\n"
    "[in]\ntype = input\nshape = 1x8x8\nrange = 0..1\ncodes = 0..15\nstep = 1/15\n"
    "[c1]\ntype = conv\nchannels = 6\nkernel = 3\nweight_codes = -7..7\nweight_scale = max\n"
    "[n1]\ntype = batch_norm\n"
    "[a1]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[f1]\ntype = linear\nfeatures = 20\nweight_codes = -1..1\nweight_scale = fixed\n"
    "[n2]\ntype = batch_norm\n"
    "[a2]\ntype = activation\ncodes = -1..1\nstep = 1\n"
    "[f2]\ntype = linear\nfeatures = 3\nweight_codes = -1..1\nweight_scale = fixed\n";

static LutraObserver observer_of(RunImages *run) {
    return (LutraObserver){run_ranges, run_histograms, run};
}

static void make_model(LutraModel *model, const char *text, uint64_t seed) {
    LutraNetwork network = {0};
    LutraError error = {""};
    check_status(lutra_network_parse(&network, text, "t", &error), LUTRA_OK, &error);
    check_status(lutra_model_create(model, &network, seed, &error), LUTRA_OK, &error);
}

static void make_images(uint8_t *pixels, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        pixels[i] = (uint8_t)lutra_random_below(check_key(7), i, 256);
    }
}

/* Norms with the statistics that the sums really have. */
static void fit_norms(LutraModel *model, RunImages *run) {
    for (uint32_t l = 0; l < model->network.layer_count; l++) {
        const LutraLayer *layer = &model->network.layers[l];
        if (layer->kind != LUTRA_LAYER_BATCH_NORM) {
            continue;
        }
        LutraCircuit circuit = {0};
        LutraLowerSettings settings;
        LutraError error = {""};
        lutra_lower_default(&settings);
        check_status(lutra_lower(&circuit, model, NULL, &settings, &error), LUTRA_OK, &error);
        const size_t area = (size_t)layer->shape.height * layer->shape.width;
        const uint32_t op = l == 2 ? 1 : 3;
        const LutraWeightLayer *w = &model->network.layers[l - 1].u.weighted;
        const float weight_scale =
            lutra_weight_scale(&w->quantizer, model->layers[l - 1].weights,
                               lutra_layer_weight_count(&model->network.layers[l - 1]));
        const double scale = (l == 2 ? 1.0 / 15.0 : 1.0) * (double)weight_scale;
        for (uint32_t c = 0; c < layer->shape.channels; c++) {
            double sum = 0.0;
            double squares = 0.0;
            for (uint64_t n = 0; n < run->count; n++) {
                int32_t **values = run_circuit(&circuit, run->images + n * PIXELS, NULL);
                for (size_t i = 0; i < area; i++) {
                    const double z = scale * values[op][(c * area) + i];
                    sum += z;
                    squares += z * z;
                }
                run_circuit_free(values, &circuit);
            }
            const double count = (double)(area * run->count);
            model->layers[l].running_mean[c] = (float)(sum / count);
            model->layers[l].running_variance[c] =
                (float)(squares / count - (sum / count) * (sum / count));
            model->layers[l].gamma[c] = c % 3 == 2 ? -0.7f : 1.2f;
            model->layers[l].beta[c] = 0.1f * (float)c - 0.2f;
        }
        lutra_circuit_deinit(&circuit);
    }
}

typedef struct {
    LutraModel model;
    RunImages run;
    uint8_t pixels[IMAGES * PIXELS];
} Fixture;

static void fixture_init(Fixture *fixture) {
    make_model(&fixture->model, STEPS, 11);
    make_images(fixture->pixels, sizeof fixture->pixels);
    fixture->run = (RunImages){fixture->pixels, IMAGES, PIXELS, 0};
    fit_norms(&fixture->model, &fixture->run);
    fixture->run.calls = 0;
}

static void ranges_are_those_of_the_plain_circuit(void **state) {
    (void)state;
    Fixture fixture = {0};
    LutraCalibration calibration = {0};
    LutraCircuit plain = {0};
    LutraCircuit circuit = {0};
    LutraLowerSettings settings;
    LutraError error = {""};
    const uint32_t rounding = 4;
    fixture_init(&fixture);
    const LutraObserver observer = observer_of(&fixture.run);
    check_status(lutra_calibrate(&calibration, &fixture.model, LUTRA_CALIBRATE_RANGES,
                                 &observer, &error), LUTRA_OK, &error);
    assert_int_equal(calibration.images, IMAGES);
    assert_int_equal(calibration.passes, 1);
    assert_int_equal(fixture.run.calls, 1);
    assert_int_equal(calibration.count, 7);
    assert_null(calibration.centred);
    lutra_lower_default(&settings);
    check_status(lutra_lower(&plain, &fixture.model, NULL, &settings, &error), LUTRA_OK, &error);
    settings.rounding = &rounding;
    settings.rounding_count = 1;
    check_status(lutra_lower(&circuit, &fixture.model, &calibration, &settings, &error), LUTRA_OK,
                 &error);
    /* the width is that of what was seen; a rounding hides nothing from the layers after it */
    const LutraRange seen = calibration.ranges[1];
    const LutraEncoding encoding = lutra_encoding_of_range(seen.min, seen.max);
    assert_true(circuit.operations[4].encoding.bits < plain.operations[3].encoding.bits);
    assert_int_equal(circuit.operations[1].encoding.bits, encoding.bits);
    assert_int_equal(circuit.operations[0].encoding.bits, encoding.bits);
    assert_int_equal(circuit.operations[2].u.round.dropped_bits, encoding.bits - 4);
    assert_int_equal(circuit.operations[1].observed_range.max, seen.max);
    assert_int_equal(circuit.operations[4].observed_range.max, calibration.ranges[3].max);
    assert_int_equal(circuit.operations[2].observed_range.max,
                     lutra_round_half_up(seen.max, encoding.bits - 4));
    lutra_circuit_deinit(&plain);
    lutra_circuit_deinit(&circuit);
    lutra_calibration_deinit(&calibration);
    lutra_model_deinit(&fixture.model);
}

static LutraStatus failing_observer(void *user, LutraRange *ranges, uint64_t *images,
                                    const LutraCircuit *circuit, uint64_t limit,
                                    LutraError *error) {
    (void)user;
    (void)ranges;
    (void)images;
    (void)circuit;
    (void)limit;
    return lutra_error_set(error, LUTRA_ECANCELLED, "stopped");
}

static void failures_of_the_observer_are_passed_on(void **state) {
    (void)state;
    Fixture fixture = {0};
    LutraCalibration calibration = {0};
    LutraError error = {""};
    fixture_init(&fixture);
    const LutraObserver failing = {failing_observer, run_histograms, NULL};
    check_status(lutra_calibrate(&calibration, &fixture.model, LUTRA_CALIBRATE_RANGES,
                                 &failing, &error), LUTRA_ECANCELLED, &error);
    assert_null(calibration.ranges);
    lutra_model_deinit(&fixture.model);
}

/* Shows only a few images to a limited pass, so that the full pass sees more. */
static LutraStatus few_first_observer(void *user, LutraRange *ranges, uint64_t *images,
                                      const LutraCircuit *circuit, uint64_t limit,
                                      LutraError *error) {
    return run_ranges(user, ranges, images, circuit, limit == 0 ? 0 : 5, error);
}

/* Static bound 19 bits, real sums far less: two passes, and the true range at the end. */
static void too_wide_bounds_take_two_passes(void **state) {
    (void)state;
    static uint8_t pixels[IMAGES * PIXELS];
    LutraModel model = {0};
    LutraCalibration calibration = {0};
    LutraCircuit circuit = {0};
    LutraLowerSettings settings;
    LutraError error = {""};
    make_model(&model,
               "[network]\nname = wide\nclasses = 2\n"
               "[in]\ntype = input\nshape = 1x8x8\nrange = 0..1\ncodes = 0..255\nstep = 1/255\n"
               "[f]\ntype = linear\nfeatures = 4\nweight_codes = -127..127\nweight_scale = max\n"
               "[a]\ntype = activation\ncodes = -100..100\nstep = 0.01\n"
               "[g]\ntype = linear\nfeatures = 4\nweight_codes = -127..127\nweight_scale = max\n"
               "[b]\ntype = activation\ncodes = -1..1\nstep = 1\n"
               "[o]\ntype = linear\nfeatures = 2\nweight_codes = -1..1\nweight_scale = fixed\n", 4);
    make_images(pixels, sizeof pixels);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(120 + (pixels[i] % 16)); /* close together: sums nearly cancel */
    }
    for (size_t i = 0; i < 4 * PIXELS; i++) {
        model.layers[1].weights[i] = i % 2 == 0 ? 1.0f : -1.0f;
    }
    RunImages run = {pixels, IMAGES, PIXELS, 0};
    const LutraObserver observer = {few_first_observer, run_histograms, &run};
    check_status(lutra_calibrate(&calibration, &model, LUTRA_CALIBRATE_RANGES, &observer, &error),
                 LUTRA_OK, &error);
    assert_int_equal(calibration.passes, 2);
    lutra_lower_default(&settings);
    check_status(lutra_lower(&circuit, &model, &calibration, &settings, &error), LUTRA_OK, &error);
    assert_true(circuit.operations[1].encoding.bits <= 16);
    LutraRange ranges[8];
    uint64_t images = 0;
    check_status(run_ranges(&run, ranges, &images, &circuit, 0, &error), LUTRA_OK, &error);
    for (uint32_t i = 0; i + 1 < circuit.operation_count; i++) {
        assert_int_equal(ranges[i].min, calibration.ranges[i].min);
        assert_int_equal(ranges[i].max, calibration.ranges[i].max);
    }
    lutra_circuit_deinit(&circuit);
    lutra_calibration_deinit(&calibration);
    lutra_model_deinit(&model);
}

/* ---- offsets ---- */

/* Elements of table results that differ between a circuit and the plain one. */
static size_t wrong_codes(const LutraCircuit *circuit, const LutraCircuit *plain,
                          const RunImages *run, const char *table) {
    size_t wrong = 0;
    for (uint64_t n = 0; n < run->count; n++) {
        int32_t **got = run_circuit(circuit, run->images + n * run->image_bytes, NULL);
        int32_t **want = run_circuit(plain, run->images + n * run->image_bytes, NULL);
        const int32_t *a = NULL;
        const int32_t *b = NULL;
        size_t count = 0;
        for (uint32_t i = 0; i < circuit->operation_count; i++) {
            if (strcmp(circuit->operations[i].name, table) == 0) {
                a = got[i];
                count = lutra_shape_elements(circuit->operations[i].shape);
            }
        }
        for (uint32_t i = 0; i < plain->operation_count; i++) {
            b = strcmp(plain->operations[i].name, table) == 0 ? want[i] : b;
        }
        for (size_t e = 0; e < count; e++) {
            wrong += a[e] != b[e];
        }
        run_circuit_free(got, circuit);
        run_circuit_free(want, plain);
    }
    return wrong;
}

static void offsets_lose_fewer_codes(void **state) {
    (void)state;
    Fixture fixture = {0};
    LutraCalibration calibration = {0};
    LutraCircuit plain = {0};
    LutraCircuit circuits[3] = {{0}};
    LutraLowerSettings settings;
    LutraError error = {""};
    size_t wrong[3];
    const uint32_t rounding = 4;
    fixture_init(&fixture);
    const LutraObserver observer = observer_of(&fixture.run);
    check_status(lutra_calibrate(&calibration, &fixture.model, LUTRA_CALIBRATE_CENTRED,
                                 &observer, &error), LUTRA_OK, &error);
    assert_int_equal(calibration.passes, 2);
    assert_non_null(calibration.centred);
    lutra_lower_default(&settings);
    check_status(lutra_lower(&plain, &fixture.model, NULL, &settings, &error), LUTRA_OK, &error);
    settings.rounding = &rounding;
    settings.rounding_count = 1;
    for (int rule = 0; rule < 3; rule++) {
        settings.offsets = (LutraOffsetRule)rule;
        check_status(lutra_lower(&circuits[rule], &fixture.model, &calibration, &settings, &error),
                     LUTRA_OK, &error);
        wrong[rule] = wrong_codes(&circuits[rule], &plain, &fixture.run, "a1");
        assert_int_equal(circuits[rule].operations[3].u.table.entry_count, 16);
    }
    const LutraRoundOperation *none = &circuits[0].operations[2].u.round;
    const LutraRoundOperation *align = &circuits[1].operations[2].u.round;
    const LutraRoundOperation *centre = &circuits[2].operations[2].u.round;
    assert_null(none->offsets);
    assert_int_equal(align->dropped_bits, none->dropped_bits);
    assert_true(centre->dropped_bits < none->dropped_bits);
    for (int c = 0; c < 6; c++) {
        assert_true(abs(align->offsets[c]) <= 1 << (align->dropped_bits - 1));
    }
    assert_true(wrong[0] > 50);
    assert_true(wrong[1] < wrong[0] * 3 / 4);
    assert_true(wrong[2] < wrong[0] * 3 / 4);
    for (int rule = 0; rule < 3; rule++) {
        lutra_circuit_deinit(&circuits[rule]);
    }
    lutra_circuit_deinit(&plain);
    lutra_calibration_deinit(&calibration);
    lutra_model_deinit(&fixture.model);
}

/* A channel with a step -1 -> 0 -> 1 at `low` and `high` (first sums with the new code). */
static void make_step(LutraPending *pending, LutraLayerParameters *norm, float arrays[4], int low,
                      int high) {
    /* y = (x - mean) * gamma with -0.5 at low - 0.5 and +0.5 at high - 0.5 */
    arrays[0] = (float)(low + high - 1) / 2.0f;
    arrays[1] = 1.0f - 1e-4f;
    arrays[2] = 1.0f / (float)(high - low);
    arrays[3] = 0.0f;
    *norm = (LutraLayerParameters){.running_mean = &arrays[0],
                                   .running_variance = &arrays[1],
                                   .gamma = &arrays[2],
                                   .beta = &arrays[3]};
    *pending = (LutraPending){
        .scale = 1.0f, .norm = norm, .epsilon = 1e-4f, .quantizer = {-1, 1, 1.0f}};
}

static void thresholds_are_put_on_edges(void **state) {
    (void)state;
    for (int low = -9; low < 9; low++) {
        for (uint32_t t = 1; t <= 4; t++) {
            LutraPending pending;
            LutraLayerParameters norm;
            float arrays[4];
            int32_t offset = 99;
            const int distance = 1 << t; /* both thresholds can stand on edges */
            make_step(&pending, &norm, arrays, low, low + distance);
            assert_int_equal(lutra_pending_code(&pending, 0, low - 1), -1);
            assert_int_equal(lutra_pending_code(&pending, 0, low), 0);
            assert_int_equal(lutra_pending_code(&pending, 0, low + distance - 1), 0);
            assert_int_equal(lutra_pending_code(&pending, 0, low + distance), 1);
            check_status(lutra_offsets_align(&offset, &pending, 1, (LutraRange){-64, 63}, NULL, t,
                                             NULL), LUTRA_OK, NULL);
            assert_true(abs(offset) <= 1 << (t - 1));
            for (int x = -64; x < 64; x++) {
                const int64_t bucket = lutra_round_half_up(x + offset, t);
                const int64_t stands_for = bucket * (1 << t) - offset;
                assert_int_equal(lutra_pending_code(&pending, 0, stands_for),
                                 lutra_pending_code(&pending, 0, x));
            }
        }
    }
}

/* Weighted changes of codes, through the definition of rounding. */
static double lost(const LutraPending *pending, const LutraHistogram *density, uint32_t channel,
                   int64_t offset, uint32_t t) {
    double sum = 0.0;
    for (uint32_t i = 0; i < density->bins; i++) {
        const int64_t x = density->first + i;
        const int64_t stands_for = lutra_round_half_up(x + offset, t) * (1 << t) - offset;
        const int32_t change = lutra_pending_code(pending, channel, stands_for) -
                               lutra_pending_code(pending, channel, x);
        sum += abs(change) * (double)density->counts[channel * density->bins + i];
    }
    return sum;
}

static void densities_count_every_sum(void **state) {
    (void)state;
    Fixture fixture = {0};
    LutraCalibration calibration = {0};
    LutraCircuit circuits[3] = {{0}};
    LutraLowerSettings settings;
    LutraError error = {""};
    const uint32_t rounding = 4;
    fixture_init(&fixture);
    const LutraObserver observer = observer_of(&fixture.run);
    check_status(lutra_calibrate(&calibration, &fixture.model, LUTRA_CALIBRATE_DENSITIES, &observer,
                                 &error), LUTRA_OK, &error);
    const LutraHistogram *first = &calibration.densities[2];
    assert_int_equal(first->channels, 6);
    assert_int_equal(first->first, calibration.ranges[1].min);
    assert_int_equal(first->bins, calibration.ranges[1].max - calibration.ranges[1].min + 1);
    assert_int_equal(calibration.densities[4].channels, 20);
    assert_int_equal(calibration.densities[1].channels, 0);
    for (uint32_t c = 0; c < 6; c++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < first->bins; i++) {
            sum += first->counts[c * first->bins + i];
        }
        assert_int_equal(sum, IMAGES * 36);
    }
    lutra_lower_default(&settings);
    check_status(lutra_lower(&circuits[0], &fixture.model, NULL, &settings, &error), LUTRA_OK,
                 &error);
    settings.rounding = &rounding;
    settings.rounding_count = 1;
    check_status(lutra_lower(&circuits[1], &fixture.model, &calibration, &settings, &error),
                 LUTRA_OK, &error);
    settings.offsets = LUTRA_OFFSETS_ALIGN;
    check_status(lutra_lower(&circuits[2], &fixture.model, &calibration, &settings, &error),
                 LUTRA_OK, &error);
    const size_t without = wrong_codes(&circuits[1], &circuits[0], &fixture.run, "a1");
    const size_t aligned = wrong_codes(&circuits[2], &circuits[0], &fixture.run, "a1");
    assert_true(aligned < without * 3 / 4);
    for (int i = 0; i < 3; i++) {
        lutra_circuit_deinit(&circuits[i]);
    }
    lutra_calibration_deinit(&calibration);
    lutra_model_deinit(&fixture.model);
}

static void aligned_offsets_lose_least(void **state) {
    (void)state;
    enum { BINS = 90, T = 4, CHANNELS = 3 };
    size_t moved = 0;
    for (uint32_t n = 0; n < 30; n++) {
        const LutraRandomKey key = check_key(100 + n);
        LutraPending pending;
        LutraLayerParameters norm;
        float arrays[4];
        float bias[CHANNELS] = {0.0f, 3.0f, -11.0f};
        uint32_t counts[CHANNELS * BINS];
        int32_t offsets[CHANNELS];
        make_step(&pending, &norm, arrays, -7 + (int)(n % 9), 4 + (int)(n % 9) * 2);
        const LutraPending wide = {.scale = arrays[2],
                                   .bias = bias,
                                   .quantizer = {-3, 3, 0.7f}}; /* several thresholds, no norm */
        for (uint32_t i = 0; i < CHANNELS * BINS; i++) {
            counts[i] = (uint32_t)lutra_random_below(key, i, 1000000);
        }
        const LutraHistogram density = {CHANNELS, BINS, -45, counts};
        const LutraRange range = {-45, 44};
        check_status(lutra_offsets_align(offsets, &wide, CHANNELS, range, &density, T, NULL),
                     LUTRA_OK, NULL);
        for (uint32_t c = 0; c < CHANNELS; c++) {
            double least = INFINITY;
            double middle = 0.0;
            for (int64_t offset = -8; offset < 8; offset++) {
                const double here = lost(&wide, &density, c, offset, T);
                least = here < least ? here : least;
                middle += here / 16.0;
            }
            /* the choice is made with a share of even density added: near the least, not at it */
            const double chosen = lost(&wide, &density, c, offsets[c], T);
            assert_true(chosen <= least + 0.25 * (middle - least));
            moved += offsets[c] != 0;
        }
    }
    assert_true(moved > 30);
}

static void centred_steps_wrap_rightly(void **state) {
    (void)state;
    LutraPending pending;
    LutraLayerParameters norm;
    float arrays[4];
    int32_t offset = 99;
    make_step(&pending, &norm, arrays, 20, 27);
    lutra_offsets_centre(&offset, &pending, 1, (LutraRange){-100, 100});
    assert_int_equal(offset, -23); /* codes are 0 from 20 to 26 */
    const LutraTableDomain domain = {1, {5, true}, 0, &offset};
    /* The table reads -16 .. 15; 29 wraps to -3, which is in the middle of the step again. */
    assert_true(lutra_offsets_wrap_is_right(&pending, &domain, (LutraRange){-28, 28}));
    assert_false(lutra_offsets_wrap_is_right(&pending, &domain, (LutraRange){-28, 29}));
    assert_false(lutra_offsets_wrap_is_right(&pending, &domain, (LutraRange){-29, 28}));
    const int32_t nothing = 0;
    const LutraTableDomain uncentred = {1, {5, true}, 0, &nothing};
    assert_false(lutra_offsets_wrap_is_right(&pending, &uncentred, (LutraRange){-28, 28}));
    /* a channel that never changes */
    lutra_offsets_centre(&offset, &pending, 1, (LutraRange){-100, 10});
    assert_int_equal(offset, 0);
}

/* Under FHE a table continues with the opposite sign: all images must read as in the clear. */
static void centred_circuits_survive_the_wrap(void **state) {
    (void)state;
    Fixture fixture = {0};
    LutraCalibration calibration = {0};
    LutraCircuit circuit = {0};
    LutraLowerSettings settings;
    LutraError error = {""};
    const uint32_t rounding = 4;
    size_t outside = 0;
    fixture_init(&fixture);
    const LutraObserver observer = observer_of(&fixture.run);
    check_status(lutra_calibrate(&calibration, &fixture.model, LUTRA_CALIBRATE_CENTRED,
                                 &observer, &error), LUTRA_OK, &error);
    lutra_lower_default(&settings);
    settings.offsets = LUTRA_OFFSETS_CENTRE;
    settings.rounding = &rounding;
    settings.rounding_count = 1;
    check_status(lutra_lower(&circuit, &fixture.model, &calibration, &settings, &error), LUTRA_OK,
                 &error);
    const LutraTableOperation *table = &circuit.operations[3].u.table;
    for (uint64_t n = 0; n < IMAGES; n++) {
        int32_t **values = run_circuit(&circuit, fixture.run.images + n * PIXELS, NULL);
        for (uint32_t i = 0; i < 6 * 36; i++) {
            const int32_t bucket = values[2][i];
            const uint32_t row = table->table_of_channel[i / 36];
            const int32_t *entries = table->entries + (size_t)row * 16;
            if (bucket < -8 || bucket > 7) {
                const int32_t inside = bucket < 0 ? bucket + 16 : bucket - 16;
                assert_in_range(inside + 8, 0, 15);
                assert_int_equal(-entries[inside + 8], values[3][i]);
                outside++;
            }
        }
        run_circuit_free(values, &circuit);
    }
    assert_true(outside > 5);
    lutra_circuit_deinit(&circuit);
    lutra_calibration_deinit(&calibration);
    lutra_model_deinit(&fixture.model);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_those_of_the_plain_circuit),
        cmocka_unit_test(failures_of_the_observer_are_passed_on),
        cmocka_unit_test(too_wide_bounds_take_two_passes),
        cmocka_unit_test(offsets_lose_fewer_codes),
        cmocka_unit_test(thresholds_are_put_on_edges),
        cmocka_unit_test(densities_count_every_sum),
        cmocka_unit_test(aligned_offsets_lose_least),
        cmocka_unit_test(centred_steps_wrap_rightly),
        cmocka_unit_test(centred_circuits_survive_the_wrap),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
