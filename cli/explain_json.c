/* SPDX-License-Identifier: Apache-2.0 */
/* One image's way through a circuit, for programs. */
#include <math.h>

#include "cli/explain.h"

static void set_reading(LutraJson *object, const CliExplanation *known, uint32_t index) {
    const LutraOperation *const op = &known->circuit->operations[index];
    const LutraReading reading = lutra_reading_of(known->circuit, index);
    const LutraImageReading *const seen = &known->readings[index];
    const bool predicted = known->is_predicted && lutra_operation_is_encrypted(op);
    lutra_json_set_text(object, "reads", known->circuit->operations[reading.source].name);
    lutra_json_set_i64(object, "bucket_steps", INT64_C(1) << reading.dropped_bits);
    lutra_json_set_i64(object, "near_edge", (int64_t)seen->near_edge);
    if (predicted) {
        lutra_json_set_i64(object, "within_deviation", (int64_t)seen->within_deviation);
        lutra_json_set_f64(object, "expected_displaced_lookups", seen->expected_displaced);
        lutra_json_set_f64(object, "expected_changed_lookups", seen->expected_changed);
        lutra_json_set_f64(object, "expected_wrong_roundings", seen->expected_rounding);
    }
    if (seen->has_edges) {
        const size_t plane = (size_t)op->shape.height * op->shape.width;
        const size_t pixel = seen->closest % plane;
        LutraJson *const closest = lutra_json_set_object(object, "closest");
        lutra_json_set_i64(closest, "channel", (int64_t)(seen->closest / plane));
        lutra_json_set_i64(closest, "row", (int64_t)(pixel / op->shape.width));
        lutra_json_set_i64(closest, "column", (int64_t)(pixel % op->shape.width));
        lutra_json_set_i64(closest, "value",
                           known->values.values[reading.source][seen->closest]);
        lutra_json_set_i64(closest, "result", known->values.values[index][seen->closest]);
        lutra_json_set_f64(closest, "edge_distance_steps", seen->closest_distance);
        lutra_json_set_f64(closest, "noise_deviation_steps",
                           predicted ? seen->closest_deviation : (double)NAN);
    }
}

static void set_operations(LutraJson *json, const CliExplanation *known) {
    LutraJson *const operations = lutra_json_set_array(json, "operations");
    for (uint32_t i = 0; i + 1 < known->circuit->operation_count; i++) {
        const LutraOperation *const op = &known->circuit->operations[i];
        const CliValueRange range = explain_range(known, i);
        LutraJson *const object = lutra_json_add_object(operations);
        lutra_json_set_text(object, "name", op->name);
        lutra_json_set_text(object, "kind", lutra_operation_kind_name(op->kind));
        LutraJson *const shape = lutra_json_set_array(object, "shape");
        lutra_json_add_i64(shape, op->shape.channels);
        lutra_json_add_i64(shape, op->shape.height);
        lutra_json_add_i64(shape, op->shape.width);
        lutra_json_set_i64(object, "min", range.min);
        lutra_json_set_i64(object, "max", range.max);
        lutra_json_set_i64(object, "zeros", (int64_t)range.zeros);
        if (op->kind == LUTRA_OPERATION_TABLE) {
            set_reading(object, known, i);
        }
    }
}

static void set_logits(LutraJson *json, const CliExplanation *known) {
    LutraJson *const logits = lutra_json_set_array(json, "logits");
    const uint32_t last = known->circuit->operation_count - 1;
    for (uint32_t r = 0; r < known->circuit->class_count; r++) {
        const uint32_t c = known->ranked[r];
        LutraJson *const object = lutra_json_add_object(logits);
        lutra_json_set_i64(object, "rank", r + 1);
        lutra_json_set_i64(object, "class", c);
        lutra_json_set_text(object, "name", known->dataset->class_names[c]);
        lutra_json_set_i64(object, "sum", known->values.values[last][c]);
        lutra_json_set_f64(object, "logit", (double)known->values.logits[c]);
    }
}

int explain_print_json(const CliExplanation *known) {
    const SimulateOptions *const options = known->options;
    LutraJson *json = lutra_json_create("lutra.explain/1");
    lutra_json_set_text(json, "circuit", options->circuit_path);
    lutra_json_set_text(json, "network", known->circuit->name);
    lutra_json_set_text(json, "data", options->data_path);
    lutra_json_set_text(json, "data_source", known->dataset->source);
    lutra_json_set_text(json, "data_checksum", known->dataset->checksum);
    lutra_json_set_text(json, "split", lutra_split_name(options->split));
    lutra_json_set_i64(json, "image", (int64_t)options->explained_image);
    lutra_json_set_i64(json, "label", known->label);
    lutra_json_set_i64(json, "answer", known->ranked[0]);
    lutra_json_set_bool(json, "correct", known->ranked[0] == known->label);
    lutra_json_set_f64(json, "margin", explain_margin(known));
    lutra_json_set_i64(json, "lookups", (int64_t)lutra_circuit_pbs(known->circuit));
    lutra_json_set_f64(json, "expected_changed_lookups",
                       known->is_predicted ? known->expected_changed : (double)NAN);
    set_operations(json, known);
    set_logits(json, known);
    return cli_print_json("simulate", &json);
}
