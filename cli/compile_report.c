/* SPDX-License-Identifier: Apache-2.0 */
/* What `lutra compile` says about a circuit. */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "cli/compile.h"
#include "cli/crypto_report.h"
#include "sim/prediction.h"

/* The parts of one table's way, found by going back from it. */
typedef struct {
    const LutraOperation *table;
    const LutraOperation *round; /* NULL: none */
    const LutraOperation *sum;   /* what is rounded or read */
} Row;

static bool find_row(Row *row, const LutraCircuit *circuit, uint32_t index) {
    const LutraOperation *table = &circuit->operations[index];
    if (table->kind != LUTRA_OPERATION_TABLE) {
        return false;
    }
    const LutraOperation *before = &circuit->operations[table->inputs[0]];
    const bool rounded = before->kind == LUTRA_OPERATION_ROUND;
    *row = (Row){table, rounded ? before : NULL,
                 rounded ? &circuit->operations[before->inputs[0]] : before};
    return true;
}

static uint32_t static_bits(const LutraOperation *sum) {
    return lutra_encoding_of_range(sum->static_range.min, sum->static_range.max).bits;
}

static uint32_t table_bits(const Row *row) {
    return (row->round != NULL ? row->round : row->sum)->encoding.bits;
}

static uint32_t dropped_bits(const Row *row) {
    return row->round != NULL ? row->round->u.round.dropped_bits : 0;
}

static double norm_of(const LutraWeightNorm *norm) {
    return norm->from_tables > norm->from_client ? norm->from_tables : norm->from_client;
}

static bool rounds_approximately(const LutraCircuit *circuit) {
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        if (op->kind == LUTRA_OPERATION_ROUND && op->u.round.dropped_bits > 0 && !op->in_clear &&
            op->u.round.mode == LUTRA_ROUNDING_APPROXIMATE) {
            return true;
        }
    }
    return false;
}

static bool is_encrypted_table(const LutraOperation *op) {
    return op->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(op);
}

LutraStatus compile_find_off_by_one(double **rates, const LutraCircuit *circuit,
                                    LutraError *error) {
    LutraPrediction prediction = {0};
    double *made = NULL;
    LutraStatus status = LUTRA_OK;
    *rates = NULL;
    if (circuit->parameter_count == 0 || !rounds_approximately(circuit)) {
        return LUTRA_OK;
    }
    LUTRA_TRY_GOTO(status,
                   lutra_prediction_init(&prediction, circuit, LUTRA_NOISE_TFHE_RS, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made, circuit->operation_count, sizeof *made, error));
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (is_encrypted_table(&circuit->operations[i])) {
            made[i] = lutra_prediction_off_by_one(&prediction, circuit, i);
        }
    }
    *rates = made;
done:
    lutra_prediction_deinit(&prediction);
    return status;
}

/** Look-ups of one image that read the entry beside theirs, and how many round approximately. */
static double expected_off_by_one(const LutraCircuit *circuit, const double *rates,
                                  uint64_t *lookups) {
    double sum = 0.0;
    *lookups = 0;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const uint64_t count = rates[i] > 0.0 ? lutra_operation_pbs(&circuit->operations[i]) : 0;
        sum += (double)count * rates[i];
        *lookups += count;
    }
    return sum;
}

static void print_errors(const LutraCircuit *circuit, const LutraParametersChoice *choice,
                         const double *rates) {
    printf("errors      %.3g wrong look-ups expected an image, which meets any with probability "
           "%.3g;\n            p_error %.3g at decryption\n",
           choice->expected_wrong, choice->global_p_error, choice->output_p_error);
    if (rates != NULL) {
        uint64_t lookups = 0;
        const double expected = expected_off_by_one(circuit, rates, &lookups);
        printf("off by one  %.4g look-ups an image (%.3g %% of those that round approximately) "
               "read the\n            entry beside theirs, if sums lie evenly in their buckets: no "
               "part of p_error;\n            'lutra simulate --mode noisy' has them for real "
               "sums, 'lutra verify' counts them\n",
               expected, 100.0 * expected / (double)(lookups > 0 ? lookups : 1));
    }
}

void compile_print(const LutraCircuit *circuit, const LutraParametersChoice *choice,
                   const double *rates) {
    char lookups[32];
    char macs[32];
    printf("%-16s %17s %6s %4s %7s %5s %9s %6s %7s\n", "layer", "sums", "static", "bits", "dropped",
           "table", "look-ups", "tables", "norm");
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        Row row;
        char range[40];
        if (!find_row(&row, circuit, i)) {
            continue;
        }
        const bool observed = row.sum->observed_range.min <= row.sum->observed_range.max;
        const LutraRange seen = observed ? row.sum->observed_range : row.sum->static_range;
        (void)snprintf(range, sizeof range, "%" PRId64 "..%" PRId64, seen.min, seen.max);
        printf("%-16s %17s %6" PRIu32 " %4" PRIu32 " %7" PRIu32 " %5" PRIu32 " %9s %6" PRIu32
               " %7.2f%s\n",
               row.table->name, range, static_bits(row.sum), row.sum->encoding.bits,
               dropped_bits(&row), table_bits(&row),
               cli_grouped(lookups, lutra_shape_elements(row.table->shape)),
               row.table->u.table.table_count, norm_of(&choice->norms[i]),
               row.table->in_clear ? "  in the clear" : "");
    }
    printf("%s look-ups and %s multiply-adds an image\n", cli_grouped(lookups, choice->lookups),
           cli_grouped(macs, lutra_circuit_macs(circuit)));
    if (circuit->parameter_count > 0) {
        cli_print_circuit_parameters(circuit);
        if (circuit->parameter_count > 1) {
            printf("partition   %.3g of the elementary operations of one set for all\n",
                   choice->cost / choice->single_cost);
        }
        print_errors(circuit, choice, rates);
    } else {
        printf("parameters  none%s\n", choice->lookups == 0 ? ", no look-up is encrypted" : "");
    }
}

void compile_explain_infeasible(char text[COMPILE_REASON_BYTES], const LutraCircuit *circuit,
                                const LutraParametersChoice *choice) {
    const LutraWeightNorm *const norm = &choice->norms[choice->obstacle];
    char advice[96] = "no rounding to 2 bits or more would do: ask for a larger p_error";
    if (choice->is_obstacle_digits) {
        (void)snprintf(advice, sizeof advice, "'--rounding-mode approximate' needs none of these "
                                              "look-ups");
    } else if (choice->enough_rounding > 0) {
        (void)snprintf(advice, sizeof advice, "'--rounding %" PRIu32 "' would do",
                       choice->enough_rounding);
    }
    (void)snprintf(text, COMPILE_REASON_BYTES,
                   "no crypto parameters for p_error %.3g: %s '%s' reads %" PRIu32
                   " bits after weights of norm %.3g; %s",
                   choice->p_error,
                   choice->is_obstacle_digits ? "the exact rounding before" : "the table of",
                   circuit->operations[choice->obstacle].name, choice->obstacle_bits,
                   norm_of(norm), advice);
}

static void set_row(LutraJson *object, const Row *row, const LutraWeightNorm *norm, double rate) {
    const LutraShape shape = row->table->shape;
    lutra_json_set_text(object, "name", row->table->name);
    LutraJson *extents = lutra_json_set_array(object, "shape");
    lutra_json_add_i64(extents, shape.channels);
    lutra_json_add_i64(extents, shape.height);
    lutra_json_add_i64(extents, shape.width);
    lutra_json_set_i64(object, "observed_min", row->sum->observed_range.min);
    lutra_json_set_i64(object, "observed_max", row->sum->observed_range.max);
    lutra_json_set_i64(object, "static_bits", static_bits(row->sum));
    lutra_json_set_i64(object, "observed_bits", row->sum->encoding.bits);
    lutra_json_set_i64(object, "dropped_bits", dropped_bits(row));
    lutra_json_set_i64(object, "table_bits", table_bits(row));
    lutra_json_set_i64(object, "pbs",
                       (int64_t)(lutra_operation_pbs(row->table) +
                                 (row->round == NULL ? 0 : lutra_operation_pbs(row->round))));
    lutra_json_set_i64(object, "tables", row->table->u.table.table_count);
    lutra_json_set_f64(object, "norm_from_tables", norm->from_tables);
    lutra_json_set_f64(object, "norm_from_client", norm->from_client);
    lutra_json_set_f64(object, "off_by_one_rate", rate);
    lutra_json_set_bool(object, "in_clear", row->table->in_clear);
}

static void set_obstacle(LutraJson *object, const LutraCircuit *circuit,
                         const LutraParametersChoice *choice) {
    lutra_json_set_text(object, "name", circuit->operations[choice->obstacle].name);
    lutra_json_set_i64(object, "bits", choice->obstacle_bits);
    lutra_json_set_f64(object, "norm", norm_of(&choice->norms[choice->obstacle]));
    lutra_json_set_bool(object, "is_exact_rounding", choice->is_obstacle_digits);
}

void compile_set_json(LutraJson *object, const LutraCircuit *circuit,
                      const LutraParametersChoice *choice, const double *rates) {
    LutraJson *layers = lutra_json_set_array(object, "layers");
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        Row row;
        if (find_row(&row, circuit, i)) {
            set_row(lutra_json_add_object(layers), &row, &choice->norms[i],
                    rates == NULL ? 0.0 : rates[i]);
        }
    }
    lutra_json_set_i64(object, "pbs_total", (int64_t)choice->lookups);
    lutra_json_set_i64(object, "macs_total", (int64_t)lutra_circuit_macs(circuit));
    lutra_json_set_bool(object, "feasible", choice->feasible);
    lutra_json_set_f64(object, "p_error_asked", choice->p_error);
    LutraJson *parameters = lutra_json_set_array(object, "parameters");
    cli_set_circuit_parameters(parameters, circuit);
    if (choice->feasible) {
        lutra_json_set_f64(object, "expected_wrong_lookups", choice->expected_wrong);
        lutra_json_set_f64(object, "global_p_error", choice->global_p_error);
        lutra_json_set_f64(object, "output_p_error", choice->output_p_error);
        uint64_t lookups = 0;
        lutra_json_set_f64(object, "expected_off_by_one_lookups",
                           rates == NULL ? 0.0 : expected_off_by_one(circuit, rates, &lookups));
        lutra_json_set_f64(object, "lookup_operations", choice->cost);
        lutra_json_set_f64(object, "single_set_lookup_operations", choice->single_cost);
    } else if (choice->lookups > 0) {
        set_obstacle(lutra_json_set_object(object, "obstacle"), circuit, choice);
        if (choice->enough_rounding > 0) {
            lutra_json_set_i64(object, "feasible_rounding_bits", choice->enough_rounding);
        }
    }
}
