/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibrate.h"

#include "base/memory.h"
#include "quant/lower_priv.h"

void lutra_calibration_deinit(LutraCalibration *calibration) {
    for (uint32_t i = 0; calibration->densities != NULL && i < calibration->count; i++) {
        lutra_free(&calibration->densities[i].counts);
    }
    lutra_free(&calibration->densities);
    lutra_free(&calibration->ranges);
    lutra_free(&calibration->centred);
    *calibration = (LutraCalibration){0};
}

static bool has_rounding(const LutraCircuit *circuit) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (circuit->operations[i].kind == LUTRA_OPERATION_ROUND) {
            return true;
        }
    }
    return false;
}

static uint32_t plain_count(const LutraCircuit *circuit) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        count += circuit->operations[i].kind != LUTRA_OPERATION_ROUND;
    }
    return count;
}

/* One pass: runs the circuit and keeps the ranges of its plain operations. Sums beyond the width
 * that they were given set *overflow. */
static LutraStatus run_pass(LutraCalibration *calibration, bool *overflow,
                            const LutraCircuit *circuit, uint64_t limit,
                            const LutraObserver *observer, LutraError *error) {
    LutraRange *ranges = NULL;
    LUTRA_TRY(lutra_alloc(&ranges, circuit->operation_count, sizeof *ranges, error));
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        ranges[i] = (LutraRange){1, 0};
    }
    const LutraStatus status =
        observer->ranges(observer->user, ranges, &calibration->images, circuit, limit, error);
    *overflow = false;
    for (uint32_t i = 0, plain = 0; status == LUTRA_OK && i < circuit->operation_count; i++) {
        const LutraOperation *operation = &circuit->operations[i];
        if (operation->kind == LUTRA_OPERATION_ROUND) {
            continue;
        }
        if (operation->kind != LUTRA_OPERATION_OUTPUT && ranges[i].min <= ranges[i].max) {
            calibration->ranges[plain] = ranges[i];
            *overflow = *overflow ||
                        !lutra_encoding_holds(operation->encoding, ranges[i].min) ||
                        !lutra_encoding_holds(operation->encoding, ranges[i].max);
        }
        plain++;
    }
    if (status == LUTRA_OK) {
        calibration->passes++;
    }
    lutra_free(&ranges);
    return status;
}

static LutraStatus measure(LutraCalibration *calibration, const LutraModel *model,
                           const LutraObserver *observer, LutraError *error) {
    LutraCircuit circuit = {0};
    LutraLowerPlan plan = {.narrow = true};
    LutraStatus status = LUTRA_OK;
    bool overflow = false;
    lutra_lower_default(&plan.settings);
    plan.settings.mode = LUTRA_ROUNDING_EXACT;
    LUTRA_TRY_GOTO(status, lutra_lower_planned(&circuit, model, &plan, error));
    calibration->count = plain_count(&circuit);
    LUTRA_TRY_GOTO(status, lutra_alloc(&calibration->ranges, calibration->count,
                                       sizeof *calibration->ranges, error));
    for (uint32_t i = 0; i < calibration->count; i++) {
        calibration->ranges[i] = (LutraRange){1, 0};
    }
    bool rough = has_rounding(&circuit);
    LUTRA_TRY_GOTO(status, run_pass(calibration, &overflow, &circuit,
                                    rough ? LUTRA_CALIBRATION_FIRST_IMAGES : 0, observer,
                                    error));
    plan.ranges = calibration->ranges;
    plan.range_count = calibration->count;
    plan.extra_bits = 1;
    while (rough || overflow) {
        if (calibration->passes >= LUTRA_CALIBRATION_MAX_PASSES) {
            status = lutra_error_set(error, LUTRA_EDATA, "the ranges of network '%s' still grow "
                                     "after %u passes", model->network.name, calibration->passes);
            goto done;
        }
        lutra_circuit_deinit(&circuit);
        LUTRA_TRY_GOTO(status, lutra_lower_planned(&circuit, model, &plan, error));
        rough = false;
        LUTRA_TRY_GOTO(status, run_pass(calibration, &overflow, &circuit, 0, observer,
                                        error));
    }
done:
    lutra_circuit_deinit(&circuit);
    return status;
}

/* Runs the circuit with centring offsets but without dropped bits; keeps what the tables read. */
static LutraStatus measure_centred(LutraCalibration *calibration, const LutraModel *model,
                                   const LutraObserver *observer, LutraError *error) {
    LutraCircuit circuit = {0};
    LutraRange *ranges = NULL;
    LutraStatus status = LUTRA_OK;
    LutraLowerPlan plan = {.ranges = calibration->ranges,
                           .range_count = calibration->count,
                           .shift_only = true};
    lutra_lower_default(&plan.settings);
    plan.settings.offsets = LUTRA_OFFSETS_CENTRE;
    LUTRA_TRY_GOTO(status, lutra_lower_planned(&circuit, model, &plan, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&ranges, circuit.operation_count, sizeof *ranges, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&calibration->centred, calibration->count,
                                       sizeof *calibration->centred, error));
    LUTRA_TRY_GOTO(status, observer->ranges(observer->user, ranges, &calibration->images,
                                            &circuit, 0, error));
    calibration->passes++;
    for (uint32_t i = 0, plain = 0; i < circuit.operation_count; i++) {
        const LutraOperation *operation = &circuit.operations[i];
        if (operation->kind == LUTRA_OPERATION_ROUND) {
            continue;
        }
        calibration->centred[plain] = operation->kind == LUTRA_OPERATION_TABLE
                                          ? ranges[operation->inputs[0]]
                                          : (LutraRange){1, 0};
        plain++;
    }
done:
    lutra_free(&ranges);
    lutra_circuit_deinit(&circuit);
    return status;
}

/* An empty histogram over the observed range of one table's input. */
static LutraStatus histogram_init(LutraHistogram *histogram, uint32_t channels, LutraRange range,
                                  LutraError *error) {
    size_t count = 0;
    if (range.min > range.max) {
        return LUTRA_OK;
    }
    const uint32_t bins = (uint32_t)(range.max - range.min + 1);
    LUTRA_TRY(lutra_size_mul(&count, channels, bins));
    LUTRA_TRY(lutra_alloc(&histogram->counts, count, sizeof *histogram->counts, error));
    histogram->channels = channels;
    histogram->bins = bins;
    histogram->first = range.min;
    return LUTRA_OK;
}

/* Histograms stand at the table's index in the calibration, and at its input's for the observer. */
static LutraStatus measure_densities(LutraCalibration *calibration, const LutraModel *model,
                                     const LutraObserver *observer, LutraError *error) {
    LutraCircuit circuit = {0};
    LutraHistogram *histograms = NULL;
    LutraStatus status = LUTRA_OK;
    LutraLowerPlan plan = {.ranges = calibration->ranges,
                           .range_count = calibration->count,
                           .extra_bits = 1,
                           .narrow = true};
    lutra_lower_default(&plan.settings);
    plan.settings.mode = LUTRA_ROUNDING_EXACT;
    LUTRA_TRY_GOTO(status, lutra_lower_planned(&circuit, model, &plan, error));
    LUTRA_TRY_GOTO(status,
                   lutra_alloc(&histograms, circuit.operation_count, sizeof *histograms, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&calibration->densities, calibration->count,
                                       sizeof *calibration->densities, error));
    for (uint32_t i = 0, plain = 0; i < circuit.operation_count; i++) {
        const LutraOperation *operation = &circuit.operations[i];
        plain += operation->kind != LUTRA_OPERATION_ROUND;
        if (operation->kind != LUTRA_OPERATION_TABLE) {
            continue;
        }
        uint32_t sum = operation->inputs[0];
        if (circuit.operations[sum].kind == LUTRA_OPERATION_ROUND) {
            sum = circuit.operations[sum].inputs[0];
        }
        LutraHistogram *kept = &calibration->densities[plain - 1];
        LUTRA_TRY_GOTO(status, histogram_init(kept, operation->shape.channels,
                                              calibration->ranges[plain - 2], error));
        histograms[sum] = *kept; /* shares the counts */
    }
    LUTRA_TRY_GOTO(status, observer->histograms(observer->user, histograms, &circuit, error));
done:
    lutra_free(&histograms);
    lutra_circuit_deinit(&circuit);
    return status;
}

LutraStatus lutra_calibrate(LutraCalibration *calibration, const LutraModel *model,
                            LutraCalibrateKind kind, const LutraObserver *observer,
                            LutraError *error) {
    LutraCalibration built = {0};
    LutraStatus status = measure(&built, model, observer, error);
    if (status == LUTRA_OK && kind == LUTRA_CALIBRATE_DENSITIES) {
        status = measure_densities(&built, model, observer, error);
    }
    if (status == LUTRA_OK && kind == LUTRA_CALIBRATE_CENTRED) {
        status = measure_centred(&built, model, observer, error);
    }
    if (status != LUTRA_OK) {
        lutra_calibration_deinit(&built);
        return status;
    }
    *calibration = built;
    return LUTRA_OK;
}
