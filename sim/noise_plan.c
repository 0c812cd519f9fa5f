/* SPDX-License-Identifier: Apache-2.0 */
/* Which noise goes where; see noise_plan.h. */
#include "sim/noise_plan.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/key_layout.h"
#include "sim/prediction.h"

void lutra_noise_settings_default(LutraNoiseSettings *settings) {
    *settings = (LutraNoiseSettings){.kind = LUTRA_NOISE_LOOKUPS,
                                     .model = LUTRA_NOISE_TFHE_RS,
                                     .seed = 1,
                                     .only_operation = UINT32_MAX};
}

const char *lutra_noise_kind_name(LutraNoiseKind kind) {
    switch (kind) {
        case LUTRA_NOISE_SOURCES: return "sources";
        case LUTRA_NOISE_P_ERROR: return "p-error";
        case LUTRA_NOISE_LOOKUPS: break;
    }
    return "lookups";
}

LutraNoiseAddress lutra_noise_plan_address(const LutraNoisePlan *plan, LutraRandomStream stream,
                                           uint32_t operation, uint64_t image, uint32_t part) {
    return lutra_noise_address(plan->settings.seed, stream, operation, plan->settings.repeat,
                               image, part);
}

/** Look-ups of one element of an operation. */
static uint32_t parts_of(const LutraOperation *op) {
    if (!lutra_operation_is_encrypted(op)) {
        return 0;
    }
    if (op->kind == LUTRA_OPERATION_TABLE) {
        return 1;
    }
    return op->kind == LUTRA_OPERATION_ROUND && op->u.round.mode == LUTRA_ROUNDING_EXACT
               ? op->u.round.dropped_bits
               : 0;
}

static double largest_variance(const double *var_t2, size_t plane, size_t channel) {
    double largest = 0.0;
    for (size_t i = channel * plane; i < (channel + 1) * plane; i++) {
        largest = fmax(largest, var_t2[i]);
    }
    return largest;
}

/** Reads of one operation's look-ups; `prediction` is NULL for plain probabilities. */
static LutraStatus plan_reads(LutraNoisyOperation *noisy, const LutraNoisePlan *plan,
                              const LutraCircuit *circuit, uint32_t index,
                              const LutraPrediction *prediction, LutraError *error) {
    const LutraOperation *const op = &circuit->operations[index];
    const LutraOperation *const x = &circuit->operations[op->inputs[0]];
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    const uint32_t parts = parts_of(op);
    LUTRA_TRY(lutra_alloc(&noisy->reads, (size_t)op->shape.channels * parts,
                          sizeof(LutraNoisyRead), error));
    noisy->parts = parts;
    const bool is_table = op->kind == LUTRA_OPERATION_TABLE;
    for (size_t c = 0; c < op->shape.channels; c++) {
        for (uint32_t part = 0; part < parts; part++) {
            LutraNoisyRead *const read = &noisy->reads[c * parts + part];
            *read = (LutraNoisyRead){.bits = is_table ? x->encoding.bits : 0,
                                     .wrong = plan->settings.p_error};
            if (prediction == NULL) {
                continue;
            }
            const LutraLookupNoise *const noise = &prediction->lookups[index];
            double var_t2 = largest_variance(prediction->var_t2[op->inputs[0]], plane, c);
            if (!is_table) {
                /* digits already taken off have added a bootstrap each; the digit is then moved up
                 * to the top of the torus */
                var_t2 = ldexp(var_t2 + part * noise->bootstrap_var_t2,
                               2 * (int)(x->encoding.bits - part));
            }
            read->wrong = 0.0;
            read->deviation = sqrt(var_t2 + noise->lookup_var_t2);
            read->bias = noise->lookup_bias;
        }
    }
    return LUTRA_OK;
}

/** Whether the client decrypts an operation's result. */
static bool is_decoded(const LutraCircuit *circuit, uint32_t index) {
    if (!lutra_operation_is_encrypted(&circuit->operations[index])) {
        return false;
    }
    for (uint32_t i = index + 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t k = 0; k < op->input_count; k++) {
            if (op->inputs[k] == index && !lutra_operation_is_encrypted(op)) {
                return true;
            }
        }
    }
    return false;
}

static LutraStatus plan_decodes(LutraNoisyOperation *noisy, const LutraOperation *op,
                                const double *var_t2, LutraError *error) {
    const size_t plane = (size_t)op->shape.height * op->shape.width;
    LUTRA_TRY(lutra_alloc(&noisy->decodes, op->shape.channels, sizeof(LutraNoisyRead), error));
    for (size_t c = 0; c < op->shape.channels; c++) {
        noisy->decodes[c] =
            (LutraNoisyRead){.bits = op->encoding.bits,
                             .deviation = sqrt(largest_variance(var_t2, plane, c))};
    }
    return LUTRA_OK;
}

static LutraStatus check_settings(const LutraCircuit *circuit, const LutraNoiseSettings *settings,
                                  LutraError *error) {
    const bool plain = settings->kind == LUTRA_NOISE_P_ERROR;
    if (settings->kind == LUTRA_NOISE_SOURCES && settings->only_operation != UINT32_MAX) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "noise of one operation alone needs noise drawn by look-ups");
    }
    if (settings->only_operation != UINT32_MAX &&
        settings->only_operation >= circuit->operation_count) {
        return lutra_error_set(error, LUTRA_EINVAL, "there is no operation %u",
                               settings->only_operation);
    }
    if (settings->repeat >= LUTRA_NOISE_MOST_REPEATS) {
        return lutra_error_set(error, LUTRA_EINVAL, "repeat %u is not below %u", settings->repeat,
                               (uint32_t)LUTRA_NOISE_MOST_REPEATS);
    }
    if (plain && !(settings->p_error >= 0.0 && settings->p_error <= 1.0)) {
        return lutra_error_set(error, LUTRA_EINVAL, "p_error %g is not between 0 and 1",
                               settings->p_error);
    }
    if (!plain && circuit->parameter_count == 0) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "circuit '%s' has no crypto parameters, so its noise is unknown: "
                               "compile it with rounding or a larger p_error until there are some",
                               circuit->name == NULL ? "" : circuit->name);
    }
    return LUTRA_OK;
}

static LutraStatus plan_operations(LutraNoisePlan *plan, const LutraCircuit *circuit,
                                   const LutraPrediction *prediction, LutraError *error) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const bool is_chosen = plan->settings.only_operation == UINT32_MAX ||
                               plan->settings.only_operation == i;
        if (is_chosen && parts_of(&circuit->operations[i]) > 0) {
            LUTRA_TRY(plan_reads(&plan->operations[i], plan, circuit, i, prediction, error));
        }
        if (plan->settings.only_operation == UINT32_MAX && prediction != NULL &&
            is_decoded(circuit, i)) {
            LUTRA_TRY(plan_decodes(&plan->operations[i], &circuit->operations[i],
                                   prediction->var_t2[i], error));
        }
    }
    return LUTRA_OK;
}

/** Sources of one operation; of values that never are ciphertexts they are never drawn. */
static LutraNoiseSources sources_of(const LutraKeyLayout *layout, const LutraCircuit *circuit,
                                    uint32_t index, LutraNoiseModel model) {
    const LutraCryptoParameters *const own = &circuit->parameters[layout->set_of_result[index]];
    LutraNoiseSources sources = {.fresh_deviation = sqrt(lutra_noise_fresh(own))};
    const LutraOperation *const op = &circuit->operations[index];
    if (lutra_operation_pbs(op) == 0) {
        return sources;
    }
    const LutraCryptoParameters *const from =
        &circuit->parameters[layout->set_of_result[op->inputs[0]]];
    const LutraCryptoParameters *const set =
        &circuit->parameters[lutra_key_layout_lookup_set(layout, circuit, index)];
    const LutraNoiseBreakdown noise = lutra_noise_of_lookup_from(set, from, model, 0.0, 0);
    sources.log2_poly = set->log2_poly;
    sources.is_centered = set->modulus_switch == LUTRA_MODULUS_SWITCH_CENTERED;
    sources.keyswitch_deviation = sqrt(noise.keyswitch_var_t2);
    sources.modulus_switch_deviation = sqrt(noise.modulus_switch_var_t2);
    sources.bootstrap_deviation = sqrt(lutra_noise_bootstrap_of(set, model));
    return sources;
}

LutraStatus lutra_noise_plan_init(LutraNoisePlan *plan, const LutraCircuit *circuit,
                                  const LutraNoiseSettings *settings, LutraError *error) {
    LutraStatus status = LUTRA_OK;
    LutraPrediction prediction = {0};
    LutraKeyLayout layout = {0};
    LutraNoisePlan made = {.settings = *settings, .operation_count = circuit->operation_count};
    memset(plan, 0, sizeof *plan);
    LUTRA_TRY(check_settings(circuit, settings, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.operations, circuit->operation_count,
                                       sizeof(LutraNoisyOperation), error));
    if (settings->kind == LUTRA_NOISE_P_ERROR) {
        if (settings->p_error > 0.0) {
            LUTRA_TRY_GOTO(status, plan_operations(&made, circuit, NULL, error));
        }
    } else if (settings->kind == LUTRA_NOISE_SOURCES) {
        LUTRA_TRY_GOTO(status, lutra_key_layout_init(&layout, circuit, error));
        for (uint32_t i = 0; i < circuit->operation_count; i++) {
            made.operations[i].sources = sources_of(&layout, circuit, i, settings->model);
        }
    } else {
        LUTRA_TRY_GOTO(status,
                       lutra_prediction_init(&prediction, circuit, settings->model, error));
        LUTRA_TRY_GOTO(status, plan_operations(&made, circuit, &prediction, error));
    }
    *plan = made;
    memset(&made, 0, sizeof made);
done:
    lutra_key_layout_deinit(&layout);
    lutra_prediction_deinit(&prediction);
    lutra_noise_plan_deinit(&made);
    return status;
}

void lutra_noise_plan_deinit(LutraNoisePlan *plan) {
    for (uint32_t i = 0; plan->operations != NULL && i < plan->operation_count; i++) {
        lutra_free(&plan->operations[i].reads);
        lutra_free(&plan->operations[i].decodes);
    }
    lutra_free(&plan->operations);
    memset(plan, 0, sizeof *plan);
}
