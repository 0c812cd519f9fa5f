/* SPDX-License-Identifier: Apache-2.0 */
/* One image's way through a circuit: `lutra simulate --explain IMAGE`. */
#include <inttypes.h>
#include <math.h>

#include "base/memory.h"
#include "cli/explain.h"

static const char *const COMMAND = "simulate";

static void explanation_deinit(CliExplanation *known) {
    lutra_image_values_deinit(&known->values);
    lutra_prediction_deinit(&known->prediction);
    lutra_free(&known->readings);
    lutra_free(&known->ranked);
}

/** The image by itself; refuses what the simulation refuses. */
static LutraStatus check_image(const CliExplanation *known, LutraError *error) {
    const uint16_t label = (uint16_t)known->label;
    const LutraDataset *const dataset = known->dataset;
    const LutraImages images = {.pixels = known->pixels,
                                .labels = &label,
                                .count = 1,
                                .shape = {dataset->channels, dataset->height, dataset->width},
                                .class_count = dataset->class_count};
    LutraSimulateSettings settings;
    LutraSimulation result;
    lutra_simulate_default(&settings);
    settings.cpu_flags = known->options->common.cpu_flags;
    LUTRA_TRY(lutra_simulate(&result, known->circuit, &images, &settings, error));
    lutra_simulation_deinit(&result);
    return LUTRA_OK;
}

static void rank_classes(uint32_t *ranked, const float *logits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = i; /* of equals the first stays first, as in lutra_argmax */
        for (; place > 0 && logits[ranked[place - 1]] < logits[i]; place--) {
            ranked[place] = ranked[place - 1];
        }
        ranked[place] = i;
    }
}

static LutraStatus look_at(CliExplanation *known, LutraError *error) {
    const LutraCircuit *const circuit = known->circuit;
    LUTRA_TRY(check_image(known, error));
    LUTRA_TRY(lutra_simulate_image_values(&known->values, circuit, known->pixels, error));
    LUTRA_TRY(lutra_alloc(&known->readings, circuit->operation_count, sizeof *known->readings,
                          error));
    LUTRA_TRY(lutra_alloc(&known->ranked, circuit->class_count, sizeof(uint32_t), error));
    rank_classes(known->ranked, known->values.logits, circuit->class_count);
    if (circuit->parameter_count > 0) {
        LUTRA_TRY(
            lutra_prediction_init(&known->prediction, circuit, LUTRA_NOISE_TFHE_RS, error));
        known->is_predicted = true;
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_TABLE) {
            const LutraReading reading = lutra_reading_of(circuit, i);
            const bool noisy = known->is_predicted && lutra_operation_is_encrypted(op);
            known->readings[i] = lutra_image_reading(
                &reading, known->values.values[reading.source], noisy ? &known->prediction : NULL);
            known->expected_changed +=
                known->readings[i].expected_changed + known->readings[i].expected_rounding;
        }
    }
    return LUTRA_OK;
}

double explain_margin(const CliExplanation *known) {
    const float *const logits = known->values.logits;
    return known->circuit->class_count < 2
               ? (double)NAN
               : (double)logits[known->ranked[0]] - (double)logits[known->ranked[1]];
}

CliValueRange explain_range(const CliExplanation *known, uint32_t operation) {
    const int32_t *const values = known->values.values[operation];
    const size_t count = lutra_shape_elements(known->circuit->operations[operation].shape);
    CliValueRange range = {INT32_MAX, INT32_MIN, 0};
    for (size_t i = 0; i < count; i++) {
        range.min = values[i] < range.min ? values[i] : range.min;
        range.max = values[i] > range.max ? values[i] : range.max;
        range.zeros += values[i] == 0;
    }
    return range;
}

int simulate_explain(const SimulateOptions *options, const LutraCircuit *circuit,
                     const LutraDataset *dataset) {
    const LutraSplit *const split = &dataset->splits[options->split];
    const uint64_t image = options->explained_image;
    const size_t pixels = (size_t)dataset->channels * dataset->height * dataset->width;
    LutraError error = {""};
    if (image >= split->count) {
        return cli_fail(COMMAND,
                        lutra_error_set(&error, LUTRA_EINVAL,
                                        "'%s': no image %" PRIu64 " in the %s split; its images "
                                        "are 0 .. %" PRIu64,
                                        options->data_path, image,
                                        lutra_split_name(options->split), split->count - 1),
                        &error);
    }
    CliExplanation known = {.options = options,
                         .circuit = circuit,
                         .dataset = dataset,
                         .pixels = split->images + image * pixels,
                         .label = split->labels[image]};
    const LutraStatus status = look_at(&known, &error);
    const int code = status != LUTRA_OK      ? cli_fail(COMMAND, status, &error)
                     : options->common.json ? explain_print_json(&known)
                                             : explain_print_text(&known);
    explanation_deinit(&known);
    return code;
}
