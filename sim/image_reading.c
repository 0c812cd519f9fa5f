/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/image_reading.h"

#include <math.h>

/** Adds the noise of one look-up to the sums; returns its deviation in steps. */
static double add_noise(LutraImageReading *seen, const LutraReading *reading, uint32_t channel,
                        size_t element, int64_t x, double distance,
                        const LutraPrediction *prediction) {
    const double deviation = lutra_prediction_deviation_steps(prediction, reading->circuit,
                                                              reading->operation, element);
    const LutraPredictedLookup lookup =
        lutra_prediction_lookup(prediction, reading->circuit, reading->operation, channel, element,
                                lutra_reading_word_value(reading, channel, x));
    const LutraLookupRisk risk = lutra_prediction_risk(&lookup);
    seen->expected_displaced += risk.wrong_box;
    seen->expected_changed += risk.wrong_value;
    seen->within_deviation += distance <= deviation;
    return deviation;
}

LutraImageReading lutra_image_reading(const LutraReading *reading, const int32_t *x,
                                      const LutraPrediction *prediction) {
    const LutraOperation *const op = &reading->circuit->operations[reading->operation];
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    LutraImageReading seen = {0};
    double least = (double)INFINITY;
    for (size_t i = 0; i < op->shape.channels * plane; i++) {
        const uint32_t channel = (uint32_t)(i / plane);
        const double distance = lutra_reading_edge_distance(reading, channel, x[i]);
        double deviation = 0.0;
        if (prediction != NULL) {
            deviation = add_noise(&seen, reading, channel, i, x[i], distance, prediction);
        }
        seen.near_edge += lutra_reading_is_near_edge(reading, channel, x[i]);
        const double measure = prediction == NULL ? distance : distance / deviation;
        if (measure < least) {
            least = measure;
            seen.has_edges = true;
            seen.closest = i;
            seen.closest_distance = distance;
            seen.closest_deviation = deviation;
        }
    }
    if (prediction != NULL) {
        seen.expected_rounding =
            lutra_prediction_roundings(prediction, reading->circuit, op->inputs[0]);
    }
    return seen;
}
