/* SPDX-License-Identifier: Apache-2.0 */
/* lutra inspect: what a circuit is made of, and what it costs under FHE. */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/cost_report.h"
#include "cli/crypto_report.h"
#include "sim/circuit.h"
#include "sim/circuit_parameters.h"
#include "sim/crypto_cost.h"

static const char *const COMMAND = "inspect";

typedef struct {
    CliCommon common;
    const char *circuit_path;
    const char *profile_path; /* NULL: the user's own, or the built-in one */
} Options;

enum { KEY_PROFILE = 1 };

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Predicted cost:", 1},
    {"profile", KEY_PROFILE, "FILE", 0,
     "machine profile of lutra bench --calibrate (default: this user's, else a built-in one); "
     "--threads says with how many threads", 1},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_PROFILE: options->profile_path = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->circuit_path != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one circuit at a time, but found '%s'",
                             argument);
            }
            options->circuit_path = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->circuit_path == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "needs a circuit file");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    option_table,
    parse,
    "CIRCUIT.h5",
    "Shows each operation of a circuit with its widths, look-ups (PBS) and tables; the totals; the "
    "crypto parameters, the sizes of keys and encrypted input, and the time that one image is "
    "predicted to take on real ciphertexts."
    "\vExamples:\n"
    "  lutra inspect small.circuit.h5\n"
    "  lutra inspect vgg9.circuit.h5 --json\n\n"
    "Exit codes: 0 done; 2 usage; 3 bad input data; 4 environment; 5 bug in lutra.",
    children,
    NULL,
    NULL};

static uint64_t fan_in(const LutraOperation *op) {
    const uint64_t elements = lutra_shape_elements(op->shape);
    return lutra_operation_macs(op) / elements;
}

static bool observed(const LutraOperation *op) {
    return op->observed_range.min <= op->observed_range.max;
}

static uint32_t range_bits(LutraRange range) {
    return lutra_encoding_of_range(range.min, range.max).bits;
}

/** Bits that a table reads. */
static uint32_t table_bits(const LutraCircuit *circuit, const LutraOperation *op) {
    return circuit->operations[op->inputs[0]].encoding.bits;
}

/* What is shown beside the circuit: its cost, where one can be predicted. */
typedef struct {
    bool known;
    CliProfile machine;
    LutraCircuitCost cost;
} Prediction;

static LutraStatus predict(Prediction *prediction, const Options *options,
                           const LutraCircuit *circuit, LutraError *error) {
    LUTRA_TRY(cli_profile_find(&prediction->machine, options->profile_path, error));
    const LutraStatus status =
        lutra_circuit_cost(&prediction->cost, circuit, &prediction->machine.profile,
                           options->common.threads, error);
    prediction->known = status == LUTRA_OK;
    return status == LUTRA_EUNAVAILABLE ? LUTRA_OK : status;
}

static void set_or_null(LutraJson *object, const char *key, bool present, uint64_t value) {
    if (present) {
        lutra_json_set_i64(object, key, (int64_t)value);
    } else {
        lutra_json_set_null(object, key);
    }
}

static void add_layer(LutraJson *layers, const LutraCircuit *circuit, uint32_t index,
                      const Prediction *prediction) {
    const LutraOperation *const op = &circuit->operations[index];
    LutraJson *const layer = lutra_json_add_object(layers);
    const bool dot = op->kind == LUTRA_OPERATION_LINEAR || op->kind == LUTRA_OPERATION_CONV;
    const bool table = op->kind == LUTRA_OPERATION_TABLE;
    lutra_json_set_text(layer, "name", op->name);
    lutra_json_set_text(layer, "kind", lutra_operation_kind_name(op->kind));
    LutraJson *const shape = lutra_json_set_array(layer, "shape");
    lutra_json_add_i64(shape, op->shape.channels);
    lutra_json_add_i64(shape, op->shape.height);
    lutra_json_add_i64(shape, op->shape.width);
    set_or_null(layer, "fan_in", dot, dot ? fan_in(op) : 0);
    lutra_json_set_i64(layer, "bits", op->encoding.bits);
    lutra_json_set_bool(layer, "is_signed", op->encoding.is_signed);
    lutra_json_set_i64(layer, "static_min", op->static_range.min);
    lutra_json_set_i64(layer, "static_max", op->static_range.max);
    lutra_json_set_i64(layer, "static_bits", range_bits(op->static_range));
    set_or_null(layer, "observed_bits", observed(op),
                observed(op) ? range_bits(op->observed_range) : 0);
    const bool round = op->kind == LUTRA_OPERATION_ROUND;
    set_or_null(layer, "dropped_bits", round, round ? op->u.round.dropped_bits : 0);
    if (round) {
        lutra_json_set_text(layer, "rounding_mode",
                            op->u.round.mode == LUTRA_ROUNDING_EXACT ? "exact" : "approximate");
    }
    set_or_null(layer, "table_bits", table, table ? table_bits(circuit, op) : 0);
    set_or_null(layer, "tables", table, table ? op->u.table.table_count : 0);
    lutra_json_set_i64(layer, "pbs", (int64_t)lutra_operation_pbs(op));
    lutra_json_set_i64(layer, "macs", (int64_t)lutra_operation_macs(op));
    lutra_json_set_bool(layer, "in_clear", op->in_clear);
    if (prediction->known) {
        const LutraOperationCost *const cost = &prediction->cost.operations[index];
        lutra_json_set_f64(layer, "predicted_seconds", cost->seconds);
        lutra_json_set_f64(layer, "predicted_core_seconds", cost->core_seconds);
        lutra_json_set_i64(layer, "ciphertext_bytes", (int64_t)cost->ciphertext_bytes);
    } else {
        lutra_json_set_null(layer, "predicted_seconds");
    }
}

static int print_json(const Options *options, const LutraCircuit *circuit,
                      const Prediction *prediction) {
    LutraJson *json = lutra_json_create("lutra.inspect/1");
    lutra_json_set_text(json, "circuit", options->circuit_path);
    lutra_json_set_text(json, "network", circuit->name);
    lutra_json_set_i64(json, "class_count", circuit->class_count);
    lutra_json_set_i64(json, "pbs_total", (int64_t)lutra_circuit_pbs(circuit));
    lutra_json_set_i64(json, "macs_total", (int64_t)lutra_circuit_macs(circuit));
    LutraJson *const layers = lutra_json_set_array(json, "layers");
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        add_layer(layers, circuit, i, prediction);
    }
    LutraJson *const sets = lutra_json_set_array(json, "parameters");
    cli_set_circuit_parameters(sets, circuit);
    if (prediction->known) {
        lutra_json_set_f64(json, "key_bytes", (double)prediction->cost.key_bytes);
        lutra_json_set_f64(json, "input_bytes", (double)prediction->cost.input_bytes);
    } else {
        lutra_json_set_null(json, "key_bytes");
        lutra_json_set_null(json, "input_bytes");
    }
    if (prediction->known) {
        cli_set_cost(json, &prediction->machine, &prediction->cost);
    } else {
        lutra_json_set_null(json, "predicted_seconds");
    }
    return cli_print_json(COMMAND, &json);
}

static void print_layer(const LutraCircuit *circuit, uint32_t index,
                        const Prediction *prediction) {
    const LutraOperation *const op = &circuit->operations[index];
    char shape[40];
    char number[32];
    (void)snprintf(shape, sizeof shape, "%" PRIu32 "x%" PRIu32 "x%" PRIu32, op->shape.channels,
                   op->shape.height, op->shape.width);
    printf("%-18s %-8s %-11s", op->name, lutra_operation_kind_name(op->kind), shape);
    if (lutra_operation_macs(op) > 0) {
        printf(" %6" PRIu64, fan_in(op));
    } else {
        printf(" %6s", "");
    }
    printf(" %6" PRIu32, range_bits(op->static_range));
    if (observed(op)) {
        printf(" %4" PRIu32, range_bits(op->observed_range));
    } else {
        printf(" %4s", "-");
    }
    if (op->kind == LUTRA_OPERATION_ROUND) {
        printf(" %4" PRIu32, op->u.round.dropped_bits);
    } else {
        printf(" %4s", "");
    }
    if (op->kind == LUTRA_OPERATION_TABLE) {
        printf(" %5" PRIu32 " %6" PRIu32, table_bits(circuit, op), op->u.table.table_count);
    } else {
        printf(" %5s %6s", "", "");
    }
    const uint64_t pbs = lutra_operation_pbs(op);
    printf(" %8s", pbs > 0 ? cli_grouped(number, pbs) : "");
    if (op->in_clear) {
        printf("  clear");
    } else if (prediction->known && lutra_operation_is_encrypted(op)) {
        const double seconds = prediction->cost.operations[index].seconds;
        const double total = prediction->cost.seconds;
        printf(" %9.3f %4.1f", seconds, 100.0 * seconds / (total > 0.0 ? total : 1.0));
    }
    putchar('\n');
}

static void print_layers(const LutraCircuit *circuit, const Prediction *prediction) {
    printf("%-18s %-8s %-11s %6s %6s %4s %4s %5s %6s %8s%s\n", "operation", "kind", "shape",
           "fan-in", "static", "seen", "drop", "reads", "tables", "PBS",
           prediction->known ? "   seconds    %" : "");
    printf("%-18s %-8s %-11s %6s %6s %4s %4s %5s\n", "", "", "", "", "bits", "bits", "bits",
           "bits");
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        print_layer(circuit, i, prediction);
    }
}

static void print_cost(const Prediction *prediction) {
    const LutraCircuitCost *const cost = &prediction->cost;
    const double all = cost->core_seconds > 0.0 ? cost->core_seconds : 1.0;
    char a[32];
    char b[32];
    char c[32];
    printf("\npredicted   %s per image with %" PRIu32 " thread%s, %.4g core-seconds\n",
           cli_duration(a, cost->seconds), cost->threads, cost->threads == 1 ? "" : "s",
           cost->core_seconds);
    printf("            bootstraps %.0f %%, keyswitches %.0f %%, linear operations %.0f %%\n",
           100.0 * cost->bootstrap_core_seconds / all,
           100.0 * cost->keyswitch_core_seconds / all, 100.0 * cost->linear_core_seconds / all);
    printf("            %s key generation, %s encryption\n", cli_duration(a, cost->keygen_seconds),
           cli_duration(b, cost->encrypt_seconds));
    printf("memory      %s: %s of keys, %s of ciphertexts at most\n",
           cli_bytes(a, (double)cost->memory_bytes), cli_bytes(b, (double)cost->key_bytes),
           cli_bytes(c, (double)cost->ciphertext_bytes));
    printf("machine     ");
    cli_print_profile(&prediction->machine);
}

static int print_text(const Options *options, const LutraCircuit *circuit,
                      const Prediction *prediction) {
    char pbs[32];
    char macs[32];
    char bytes[32];
    printf("%s (%s): %" PRIu32 " classes, %s look-ups, %s multiply-adds per image\n\n",
           options->circuit_path, circuit->name, circuit->class_count,
           cli_grouped(pbs, lutra_circuit_pbs(circuit)),
           cli_grouped(macs, lutra_circuit_macs(circuit)));
    print_layers(circuit, prediction);
    if (prediction->known) {
        putchar('\n');
        cli_print_circuit_parameters(circuit);
        printf("\nencrypted input %s per image\n",
               cli_bytes(bytes, (double)prediction->cost.input_bytes));
    } else {
        printf("\nno crypto parameters were chosen\n");
    }
    if (prediction->known) {
        print_cost(prediction);
    }
    return cli_end_text("lutra inspect");
}

int cmd_inspect(int argc, char **argv) {
    Options options = {0};
    LutraCircuit circuit = {0};
    Prediction prediction = {.known = false};
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    cli_parse(&argp, argc, argv, &options);
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, options.circuit_path, &error));
    LUTRA_TRY_GOTO(status, predict(&prediction, &options, &circuit, &error));
    cli_warn_of_sharing(&options.common, COMMAND, lutra_circuit_worst_p_error(&circuit));
    code = options.common.json ? print_json(&options, &circuit, &prediction)
                               : print_text(&options, &circuit, &prediction);
done:
    lutra_circuit_cost_deinit(&prediction.cost);
    cli_profile_deinit(&prediction.machine);
    lutra_circuit_deinit(&circuit);
    return status == LUTRA_OK ? code : cli_fail(COMMAND, status, &error);
}
