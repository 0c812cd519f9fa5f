/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of layers against the values of every image, one by one. */
#include "sim/layer_statistics.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "sim/image_reading.h"
#include "sim/prediction.h"
#include "tests/support/check.h"
#include "tests/support/circuits.h"

enum { IMAGES = 21 };

typedef struct {
    LutraCircuit circuit;
    uint8_t *pixels;
    uint16_t labels[IMAGES];
    LutraImages images;
    LutraSimulation simulation;
} Case;

static void case_init(Case *test, uint32_t number, bool with_parameters) {
    memset(test, 0, sizeof *test);
    circuit_random(&test->circuit, check_key(number), (CircuitStyle)(number % CIRCUIT_STYLES));
    if (with_parameters) {
        LutraCryptoParameters set = circuit_toy_set(17);
        set.lwe_std = 2e-4;
        circuit_give_parameters(&test->circuit, set);
    }
    test->pixels = circuit_random_pixels(&test->circuit, check_key(1000 + number), IMAGES);
    test->images = (LutraImages){.pixels = test->pixels,
                                 .labels = test->labels,
                                 .count = IMAGES,
                                 .shape = test->circuit.operations[0].shape,
                                 .class_count = test->circuit.class_count};
    LutraSimulateSettings settings;
    lutra_simulate_default(&settings);
    settings.limit = IMAGES - 1; /* the last image is not counted */
    check_status(lutra_simulate(&test->simulation, &test->circuit, &test->images, &settings, NULL),
                 LUTRA_OK, NULL);
}

static void case_deinit(Case *test) {
    lutra_simulation_deinit(&test->simulation);
    lutra_free(&test->pixels);
    lutra_circuit_deinit(&test->circuit);
}

static LutraCircuitStatistics statistics_of(const Case *test, const LutraLayerSettings *settings) {
    LutraCircuitStatistics statistics;
    LutraError error = {""};
    check_status(lutra_circuit_statistics(&statistics, &test->circuit, &test->images,
                                          &test->simulation, settings, &error),
                 LUTRA_OK, &error);
    return statistics;
}

static LutraLayerSettings default_settings(void) {
    LutraLayerSettings settings;
    lutra_layer_settings_default(&settings);
    return settings;
}

/** What one element adds to the sums that are checked. */
typedef struct {
    uint64_t reads;
    uint64_t near_edge;
    double sum;
    double squares;
    double displaced;
    double changed;
} Sums;

static void see_value(Sums *sums, LutraLayerStatistics *layer, const LutraPrediction *prediction,
                      uint32_t channel, size_t element, int64_t x) {
    const LutraReading *const reading = &layer->reading;
    const size_t at = (size_t)(x - layer->first_value);
    assert_true(x >= layer->first_value && at < layer->value_count);
    assert_true(layer->histogram[at] > 0);
    layer->histogram[at]--; /* taken apart: nothing may be left */
    sums->reads++;
    sums->sum += (double)x;
    sums->squares += (double)x * (double)x;
    if (reading->table == NULL) {
        return;
    }
    const double half = fmax(0.5, ldexp(0.5, (int)reading->dropped_bits));
    sums->near_edge += lutra_reading_edge_distance(reading, channel, x) <= half;
    const int32_t result = lutra_reading_result(reading, channel, x);
    size_t place = 0;
    while (place < layer->result_count && layer->result_values[place] != result) {
        place++;
    }
    assert_true(place < layer->result_count && layer->results[place] > 0);
    layer->results[place]--;
    if (prediction != NULL) {
        const LutraPredictedLookup lookup = lutra_prediction_lookup(
            prediction, reading->circuit, reading->operation, channel, element,
            lutra_reading_word_value(reading, channel, x));
        const LutraLookupRisk risk = lutra_prediction_risk(&lookup);
        sums->displaced += risk.wrong_box;
        sums->changed += risk.wrong_value;
    }
}

static void check_layer(LutraLayerStatistics *layer, const Case *test,
                        const LutraPrediction *prediction) {
    Sums sums = {0};
    const LutraShape shape = test->circuit.operations[layer->reading.source].shape;
    const size_t plane = (size_t)shape.height * shape.width;
    const double entropy = layer->result_entropy_bits;
    double expected_entropy = 0.0;
    for (size_t i = 0; i < layer->result_count; i++) {
        const double share = (double)layer->results[i] / (double)layer->reads;
        expected_entropy += share > 0.0 ? share * log2(1.0 / share) : 0.0;
    }
    check_close(entropy, expected_entropy, 1e-12);
    for (uint32_t image = 0; image + 1 < IMAGES; image++) {
        LutraImageValues values;
        check_status(lutra_simulate_image_values(
                         &values, &test->circuit,
                         test->pixels + image * lutra_shape_elements(test->images.shape), NULL),
                     LUTRA_OK, NULL);
        for (size_t e = 0; e < shape.channels * plane; e++) {
            see_value(&sums, layer, prediction, (uint32_t)(e / plane), e,
                      values.values[layer->reading.source][e]);
        }
        lutra_image_values_deinit(&values);
    }
    assert_int_equal(layer->reads, sums.reads);
    assert_int_equal(layer->near_edge, sums.near_edge);
    for (size_t i = 0; i < layer->value_count; i++) {
        assert_int_equal(layer->histogram[i], 0);
    }
    for (size_t i = 0; i < layer->result_count; i++) {
        assert_int_equal(layer->results[i], 0);
    }
    const double mean = sums.sum / (double)sums.reads;
    const double variance = sums.squares / (double)sums.reads - mean * mean;
    check_close(layer->mean, mean, 1e-9 * (1.0 + fabs(mean)));
    check_close(layer->deviation * layer->deviation, variance, 1e-6 * (1.0 + fabs(variance)));
    const double images = IMAGES - 1;
    check_close(layer->expected_displaced, sums.displaced / images,
                1e-12 + 1e-9 * sums.displaced);
    check_close(layer->expected_changed, sums.changed / images, 1e-12 + 1e-9 * sums.changed);
}

static void counts_are_those_of_every_image(void **state) {
    (void)state;
    double changed = 0.0;
    for (uint32_t n = 0; n < 18; n++) {
        Case test;
        case_init(&test, n, n % 2 == 1);
        const LutraLayerSettings settings = default_settings();
        LutraCircuitStatistics statistics = statistics_of(&test, &settings);
        LutraPrediction prediction = {0};
        const bool has_parameters = test.circuit.parameter_count > 0;
        if (has_parameters) {
            check_status(lutra_prediction_init(&prediction, &test.circuit, settings.noise_model,
                                               NULL),
                         LUTRA_OK, NULL);
        }
        assert_int_equal(statistics.images, IMAGES - 1);
        for (uint32_t i = 0; i < statistics.layer_count; i++) {
            LutraLayerStatistics *const layer = &statistics.layers[i];
            const bool predicted =
                has_parameters && layer->reading.table != NULL &&
                lutra_operation_is_encrypted(&test.circuit.operations[layer->reading.operation]);
            assert_int_equal(layer->is_predicted, predicted);
            check_layer(layer, &test, predicted ? &prediction : NULL);
            changed += layer->expected_changed;
        }
        lutra_prediction_deinit(&prediction);
        lutra_circuit_statistics_deinit(&statistics);
        case_deinit(&test);
    }
    assert_true(changed > 0.01); /* noise does matter in these circuits */
}

static void check_same(const LutraCircuitStatistics *a, const LutraCircuitStatistics *b) {
    assert_int_equal(a->layer_count, b->layer_count);
    for (uint32_t i = 0; i < a->layer_count; i++) {
        const LutraLayerStatistics *const x = &a->layers[i];
        const LutraLayerStatistics *const y = &b->layers[i];
        assert_int_equal(x->reads, y->reads);
        assert_int_equal(x->first_value, y->first_value);
        assert_int_equal(x->value_count, y->value_count);
        assert_int_equal(x->near_edge, y->near_edge);
        assert_int_equal(x->result_count, y->result_count);
        assert_memory_equal(x->histogram, y->histogram, x->value_count * sizeof(uint64_t));
        const double from[] = {x->mean, x->deviation, x->edges_per_channel, x->result_entropy_bits,
                               x->noise_deviation, x->expected_displaced, x->expected_changed,
                               x->expected_rounding};
        const double to[] = {y->mean, y->deviation, y->edges_per_channel, y->result_entropy_bits,
                             y->noise_deviation, y->expected_displaced, y->expected_changed,
                             y->expected_rounding};
        assert_memory_equal(from, to, sizeof from); /* bit for bit */
        if (x->reading.table != NULL) {
            assert_memory_equal(x->edges, y->edges, x->value_count * sizeof(uint32_t));
            assert_memory_equal(x->results, y->results, x->result_count * sizeof(uint64_t));
        }
    }
}

/** With hardly more memory than the most demanding channel's counters take: less is refused. */
static LutraCircuitStatistics statistics_in_little_memory(const Case *test,
                                                          LutraLayerSettings *settings) {
    LutraError error = {""};
    LutraCircuitStatistics statistics;
    memset(&statistics, 0x5A, sizeof statistics);
    LutraStatus status = LUTRA_ENOMEM;
    for (size_t bytes = 1; status == LUTRA_ENOMEM; bytes += bytes / 4 + 1) {
        settings->memory_bytes = bytes;
        status = lutra_circuit_statistics(&statistics, &test->circuit, &test->images,
                                          &test->simulation, settings, &error);
        if (status == LUTRA_ENOMEM) {
            assert_int_equal(statistics.layer_count, 0x5A5A5A5A);
            assert_non_null(strstr(error.message, "for one channel"));
        }
    }
    check_status(status, LUTRA_OK, &error);
    return statistics;
}

static void threads_passes_and_instruction_sets_do_not_matter(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 3; n++) {
        Case test;
        case_init(&test, 2 * n + 1, true);
        LutraLayerSettings settings = default_settings();
        LutraCircuitStatistics first = statistics_of(&test, &settings);
        for (uint32_t threads = 1; threads <= 5; threads += 2) {
            settings.threads = threads;
            settings.cpu_flags = threads == 3 ? 0 : LUTRA_CPU_ALL;
            settings.memory_bytes = 512 << 20;
            LutraCircuitStatistics other = threads == 1
                                               ? statistics_of(&test, &settings)
                                               : statistics_in_little_memory(&test, &settings);
            check_same(&first, &other);
            lutra_circuit_statistics_deinit(&other);
        }
        lutra_circuit_statistics_deinit(&first);
        case_deinit(&test);
    }
}

static int stop(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    (void)figure;
    *(uint64_t *)user = total;
    assert_string_equal(stage, "layers");
    return done < total;
}

static void stopping_leaves_the_result_alone(void **state) {
    (void)state;
    Case test;
    case_init(&test, 1, true);
    uint64_t total = 0;
    const LutraProgress progress = {stop, NULL, &total};
    LutraLayerSettings settings = default_settings();
    settings.threads = 1;
    LutraCircuitStatistics statistics = statistics_in_little_memory(&test, &settings);
    lutra_circuit_statistics_deinit(&statistics);
    settings.progress = &progress;
    memset(&statistics, 0x5A, sizeof statistics);
    check_status(lutra_circuit_statistics(&statistics, &test.circuit, &test.images,
                                          &test.simulation, &settings, NULL),
                 LUTRA_ECANCELLED, NULL);
    assert_int_equal(statistics.layer_count, 0x5A5A5A5A);
    assert_true(total > IMAGES); /* more than one pass */
    settings.threads = 0;
    check_status(lutra_circuit_statistics(&statistics, &test.circuit, &test.images,
                                          &test.simulation, &settings, NULL),
                 LUTRA_EINVAL, NULL);
    case_deinit(&test);
}

/* One image, read look-up by look-up, is a split of one image. */
static void one_image_agrees_with_its_statistics(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 12; n++) {
        Case test;
        case_init(&test, n, n % 2 == 1);
        test.simulation.images = 1;
        const LutraLayerSettings settings = default_settings();
        LutraCircuitStatistics statistics = statistics_of(&test, &settings);
        LutraPrediction prediction = {0};
        LutraImageValues values;
        if (n % 2 == 1) {
            check_status(lutra_prediction_init(&prediction, &test.circuit, settings.noise_model,
                                               NULL),
                         LUTRA_OK, NULL);
        }
        check_status(lutra_simulate_image_values(&values, &test.circuit, test.pixels, NULL),
                     LUTRA_OK, NULL);
        for (uint32_t i = 0; i < statistics.layer_count; i++) {
            const LutraLayerStatistics *const layer = &statistics.layers[i];
            if (layer->reading.table == NULL) {
                continue;
            }
            const int32_t *const x = values.values[layer->reading.source];
            const LutraShape shape = test.circuit.operations[layer->reading.operation].shape;
            const LutraImageReading seen = lutra_image_reading(
                &layer->reading, x, layer->is_predicted ? &prediction : NULL);
            assert_int_equal(seen.near_edge, layer->near_edge);
            check_close(seen.expected_displaced, layer->expected_displaced, 1e-9);
            check_close(seen.expected_changed, layer->expected_changed, 1e-9);
            check_close(seen.expected_rounding, layer->expected_rounding, 0.0);
            assert_true(layer->is_predicted || seen.within_deviation == 0);
            if (seen.has_edges) {
                const size_t plane = (size_t)shape.height * shape.width;
                const uint32_t channel = (uint32_t)(seen.closest / plane);
                check_close(seen.closest_distance,
                            lutra_reading_edge_distance(&layer->reading, channel,
                                                        x[seen.closest]),
                            0.0);
                for (size_t e = 0; e < shape.channels * plane; e++) {
                    assert_true(layer->is_predicted ||
                                lutra_reading_edge_distance(&layer->reading, (uint32_t)(e / plane),
                                                            x[e]) >= seen.closest_distance);
                }
                assert_int_equal(seen.within_deviation > 0,
                                 seen.closest_distance <= seen.closest_deviation);
            }
        }
        lutra_image_values_deinit(&values);
        lutra_prediction_deinit(&prediction);
        lutra_circuit_statistics_deinit(&statistics);
        case_deinit(&test);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_every_image),
        cmocka_unit_test(threads_passes_and_instruction_sets_do_not_matter),
        cmocka_unit_test(one_image_agrees_with_its_statistics),
        cmocka_unit_test(stopping_leaves_the_result_alone),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("sim/layer_statistics", tests, NULL, NULL);
}
