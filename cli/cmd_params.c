/* SPDX-License-Identifier: Apache-2.0 */
/* lutra params: crypto parameters for one look-up pattern, or the whole table of them. */
#include <math.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/crypto_report.h"
#include "cli/setting_options.h"
#include "sim/crypto_cost.h"
#include "sim/parameters.h"
#include "sim/security_curve.h"

enum {
    KEY_PRECISION = 0x2000,
    KEY_NORM,
    KEY_P_ERROR,
    KEY_SUM_SIZE,
    KEY_SECURITY,
    KEY_NOISE_MODEL,
    KEY_MODULUS_SWITCH,
    KEY_LARGEST_LOG2_POLY,
    KEY_GRID,
    GRID_PRECISIONS = 10,
    GRID_NORMS = 32
};

static const double largest_norm = 1e12;

typedef struct {
    CliCommon common;
    LutraParametersSettings settings;
    bool grid;
    bool precision_given;
    bool norm_given;
    bool p_error_given;
} Options;

static const char command[] = "params";

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "What the look-up needs:", 1},
    {"precision", KEY_PRECISION, "BITS", 0, "bits that the table reads, 1 to 16", 1},
    {"norm", KEY_NORM, "X", 0,
     "L2 norm of the integer weights before the table (not squared), at least 0", 1},
    {"p-error", KEY_P_ERROR, "E", 0,
     "probability that one look-up is wrong, above 0 and below 1 (grid: default 1e-5)", 1},
    {NULL, 0, NULL, 0, "How to choose:", 2},
    {"security", KEY_SECURITY, "BITS", 0,
     "128 (default), or 132: the same with a margin for better attacks", 2},
    {"noise-model", KEY_NOISE_MODEL, "MODEL", 0, "concrete (default) or tfhe-rs", 2},
    {"modulus-switch", KEY_MODULUS_SWITCH, "KIND", 0,
     "standard (default) or centred, which has half the noise", 2},
    {"sum-size", KEY_SUM_SIZE, "S", 0, "additions charged per look-up (default 0)", 2},
    {"largest-log2-poly", KEY_LARGEST_LOG2_POLY, "BITS", 0,
     "log2 of the largest polynomial size, 8 to 17 (default 17)", 2},
    {"grid", KEY_GRID, NULL, 0, "all precisions 1 to 10 with all norms 2^0 to 2^31", 2},
    {0}};

static const char documentation[] =
    "Finds the cheapest TFHE parameters for a table after a linear layer."
    "\v"
    "Examples:\n"
    "  lutra params --precision 6 --norm 16 --p-error 1e-5\n"
    "  lutra params --grid --p-error 0.01 --security 132 --json\n"
    "\n"
    "Writes no files. Exit codes: 0 done, 1 no parameters exist, 2 usage, 4 environment.";

static void check_complete(const Options *options, struct argp_state *state) {
    if (options->grid && (options->precision_given || options->norm_given)) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "'--grid' goes over all precisions and norms; leave out '--precision' and "
                     "'--norm'");
    }
    if (!options->grid &&
        !(options->precision_given && options->norm_given && options->p_error_given)) {
        argp_failure(state, CLI_EXIT_USAGE, 0, "'%s' is missing; or ask for '--grid'",
                     !options->precision_given ? "--precision"
                     : !options->norm_given    ? "--norm"
                                               : "--p-error");
    }
}

static double parse_p_error(struct argp_state *state, const char *text) {
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0.0 && value < 1.0)) {
        argp_failure(state, CLI_EXIT_USAGE, 0,
                     "invalid value '%s' for '--p-error'; should be a number above 0 and below 1",
                     text);
    }
    return value;
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    static const char *const models[] = {"concrete", "tfhe-rs", NULL};
    static const char *const switches[] = {"standard", "centred", NULL};
    Options *const options = state->input;
    LutraParametersSettings *const settings = &options->settings;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_PRECISION:
            settings->precision_bits = (uint32_t)cli_parse_u64(state, "--precision", argument, 1,
                                                               LUTRA_MAX_PRECISION_BITS);
            options->precision_given = true;
            return 0;
        case KEY_NORM:
            settings->norm2 = cli_parse_f64(state, "--norm", argument, 0.0, largest_norm);
            options->norm_given = true;
            return 0;
        case KEY_P_ERROR:
            settings->p_error = parse_p_error(state, argument);
            options->p_error_given = true;
            return 0;
        case KEY_SUM_SIZE:
            settings->sum_size =
                (uint32_t)cli_parse_u64(state, "--sum-size", argument, 0, UINT32_MAX);
            return 0;
        case KEY_SECURITY:
            settings->security_bits = cli_parse_security(state, argument);
            return 0;
        case KEY_NOISE_MODEL:
            settings->noise_model =
                (LutraNoiseModel)cli_parse_word(state, "--noise-model", argument, models);
            return 0;
        case KEY_MODULUS_SWITCH:
            settings->modulus_switch =
                (LutraModulusSwitch)cli_parse_word(state, "--modulus-switch", argument, switches);
            return 0;
        case KEY_LARGEST_LOG2_POLY:
            settings->largest_log2_poly =
                (uint32_t)cli_parse_u64(state, "--largest-log2-poly", argument,
                                        LUTRA_SMALLEST_LOG2_POLY, LUTRA_LARGEST_LOG2_POLY);
            return 0;
        case KEY_GRID: options->grid = true; return 0;
        case ARGP_KEY_END: check_complete(options, state); return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {option_table, parse_option, NULL, documentation,
                                 children,     NULL,         NULL};

/* --- JSON ------------------------------------------------------------------------------------- */

/* What was asked for and stands in a found set too. */
static void json_asked(LutraJson *object, const LutraParametersSettings *settings) {
    lutra_json_set_f64(object, "p_error_target", settings->p_error);
    lutra_json_set_i64(object, "security_bits", settings->security_bits);
    lutra_json_set_text(object, "curve", lutra_security_curve(settings->security_bits)->name);
    lutra_json_set_text(object, "modulus_switch",
                        lutra_modulus_switch_name(settings->modulus_switch));
}

/* What a set does not remember. */
static void json_search(LutraJson *object, const LutraParametersSettings *settings) {
    lutra_json_set_i64(object, "sum_size", settings->sum_size);
    lutra_json_set_text(object, "curve_date", lutra_security_curve(settings->security_bits)->date);
    lutra_json_set_text(object, "noise_model", lutra_noise_model_name(settings->noise_model));
    lutra_json_set_i64(object, "largest_log2_poly", settings->largest_log2_poly);
}

static LutraNoiseBreakdown noise_of(const LutraCryptoParameters *set,
                                    const LutraParametersSettings *settings) {
    const LutraLookupPattern pattern = {.precision_bits = settings->precision_bits,
                                        .var_factor = settings->norm2 * settings->norm2};
    return lutra_parameters_noise(set, &pattern, settings->noise_model);
}

static void json_noise(LutraJson *object, const LutraCryptoParameters *set,
                       const LutraParametersSettings *settings) {
    const LutraNoiseBreakdown noise = noise_of(set, settings);
    lutra_json_set_f64(object, "bootstrap_var_t2",
                       lutra_noise_bootstrap_of(set, settings->noise_model));
    lutra_json_set_f64(object, "input_var_t2", noise.input_var_t2);
    lutra_json_set_f64(object, "keyswitch_var_t2", noise.keyswitch_var_t2);
    lutra_json_set_f64(object, "modulus_switch_var_t2", noise.modulus_switch_var_t2);
    lutra_json_set_f64(object, "total_var_t2", noise.total_var_t2);
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_choice(const LutraParametersSettings *settings) {
    const LutraSecurityCurve *const curve = lutra_security_curve(settings->security_bits);
    printf("  security     %u bits; curve: %s\n", settings->security_bits, curve->name);
    printf("  noise model  %s, %s modulus switch\n", lutra_noise_model_name(settings->noise_model),
           lutra_modulus_switch_name(settings->modulus_switch));
}

static void print_set(const LutraCryptoParameters *set, const LutraParametersSettings *settings) {
    char first[32], second[32], third[32];
    const LutraNoiseBreakdown noise = noise_of(set, settings);
    printf("tables of %u bits, norm %g, p_error at most %g\n", settings->precision_bits,
           settings->norm2, settings->p_error);
    print_choice(settings);
    printf("  LWE          n = %u, noise std 2^%.2f\n", set->lwe_dim, log2(set->lwe_std));
    printf("  GLWE         k = %u, N = 2^%u, noise std 2^%.2f\n", set->glwe_dim, set->log2_poly,
           log2(set->glwe_std));
    printf("  bootstrap    level %u, base 2^%u\n", set->pbs_level, set->pbs_base_log);
    printf("  keyswitch    level %u, base 2^%u\n", set->ks_level, set->ks_base_log);
    printf("  noise        std 2^%.2f: input %.0f %%, keyswitch %.0f %%, modulus switch %.0f %%\n",
           log2(noise.total_var_t2) / 2.0, 100.0 * noise.input_var_t2 / noise.total_var_t2,
           100.0 * noise.keyswitch_var_t2 / noise.total_var_t2,
           100.0 * noise.modulus_switch_var_t2 / noise.total_var_t2);
    printf("  p_error      %.4g (2^%.2f) per look-up\n", set->p_error, log2(set->p_error));
    printf("  cost         %s operations per look-up, with %u additions\n",
           cli_grouped(first, (uint64_t)set->cost), settings->sum_size);
    printf("  sizes        bootstrap key %s, keyswitch key %s, ciphertext %s\n",
           cli_bytes(first, (double)lutra_bootstrap_key_bytes(set)),
           cli_bytes(second, (double)lutra_keyswitch_key_bytes(set)),
           cli_bytes(third, (double)lutra_ciphertext_bytes(set)));
}

/* --- one pattern ------------------------------------------------------------------------------ */

/** The widest tables with the same norm that have parameters; 0 if none have. */
static uint32_t feasible_precision(const LutraParametersSettings *settings) {
    LutraParametersSettings narrower = *settings;
    LutraCryptoParameters set;
    while (--narrower.precision_bits > 0) {
        if (lutra_parameters_find(&set, &narrower, NULL) == LUTRA_OK) {
            return narrower.precision_bits;
        }
    }
    return 0;
}

static void print_infeasible(const LutraParametersSettings *settings, const LutraError *error) {
    const uint32_t precision_bits = feasible_precision(settings);
    printf("infeasible: %s\n", error->message);
    if (precision_bits > 0) {
        printf("  would do     tables of %u bits: round the sums to them\n", precision_bits);
    } else {
        printf("  would do     no table of fewer bits: ask for a larger p_error\n");
    }
    print_choice(settings);
}

static int run_one(const Options *options) {
    const LutraParametersSettings *const settings = &options->settings;
    LutraCryptoParameters set;
    LutraError error = {""};
    const LutraStatus status = lutra_parameters_find(&set, settings, &error);
    const bool feasible = status == LUTRA_OK;
    if (!feasible && status != LUTRA_EINFEASIBLE) {
        return cli_fail(command, status, &error);
    }
    int code = CLI_EXIT_DONE;
    if (options->common.json) {
        LutraJson *json = lutra_json_create("lutra.params/1");
        lutra_json_set_bool(json, "feasible", feasible);
        json_search(json, settings);
        if (feasible) {
            cli_set_crypto_parameters(json, &set);
            json_noise(json, &set, settings);
        } else {
            json_asked(json, settings);
            lutra_json_set_i64(json, "precision_bits", settings->precision_bits);
            lutra_json_set_f64(json, "norm2", settings->norm2);
            lutra_json_set_i64(json, "feasible_precision_bits", feasible_precision(settings));
        }
        code = cli_print_json(command, &json);
    } else if (feasible) {
        print_set(&set, settings);
    } else {
        print_infeasible(settings, &error);
    }
    if (feasible) {
        cli_warn_of_sharing(&options->common, command, set.p_error);
    }
    return code != CLI_EXIT_DONE || feasible ? code : CLI_EXIT_CONDITION;
}

/* --- the whole table -------------------------------------------------------------------------- */

static void print_grid_head(const LutraParametersSettings *settings) {
    printf("p_error at most %g, %u additions per look-up\n", settings->p_error, settings->sum_size);
    print_choice(settings);
    printf(
        "bits log2_norm  k log2_N    n  pbs_level pbs_base  ks_level ks_base  "
        "cost/2^20  p_error\n");
}

static void print_grid_row(uint32_t log2_norm, const LutraParametersSettings *settings,
                           const LutraCryptoParameters *set) {
    printf("%4u %9u ", settings->precision_bits, log2_norm);
    if (set == NULL) {
        printf(" -\n");
        return;
    }
    printf("%2u %6u %4u  %9u %8u  %8u %7u  %9.0f  %.1e\n", set->glwe_dim, set->log2_poly,
           set->lwe_dim, set->pbs_level, set->pbs_base_log, set->ks_level, set->ks_base_log,
           floor(set->cost / 0x1p20), set->p_error);
}

static void json_grid_row(LutraJson *rows, uint32_t log2_norm,
                          const LutraParametersSettings *settings,
                          const LutraCryptoParameters *set) {
    LutraJson *const row = lutra_json_add_object(rows);
    lutra_json_set_i64(row, "log2_norm", log2_norm);
    lutra_json_set_bool(row, "feasible", set != NULL);
    if (set != NULL) {
        cli_set_crypto_parameters(row, set);
    } else {
        lutra_json_set_i64(row, "precision_bits", settings->precision_bits);
    }
}

static int run_grid(const Options *options) {
    LutraParametersSettings settings = options->settings;
    LutraError error = {""};
    LutraParameterSearch *search = NULL;
    LutraStatus status = lutra_parameter_search_create(&search, settings.security_bits,
                                                       settings.noise_model, &error);
    if (status != LUTRA_OK) {
        return cli_fail(command, status, &error);
    }
    LutraJson *json = NULL;
    LutraJson *rows = NULL;
    if (options->common.json) {
        json = lutra_json_create("lutra.params/1");
        json_search(json, &settings);
        json_asked(json, &settings);
        rows = lutra_json_set_array(json, "grid");
    } else {
        print_grid_head(&settings);
    }
    for (uint32_t i = 0; i < GRID_PRECISIONS * GRID_NORMS; i++) {
        const uint32_t log2_norm = i % GRID_NORMS;
        settings.precision_bits = 1 + i / GRID_NORMS;
        settings.norm2 = exp2(log2_norm);
        LutraCryptoParameters set;
        status = lutra_parameter_search_run(&set, search, &settings, &error);
        if (status != LUTRA_OK && status != LUTRA_EINFEASIBLE) {
            break;
        }
        const LutraCryptoParameters *const found = status == LUTRA_OK ? &set : NULL;
        if (options->common.json) {
            json_grid_row(rows, log2_norm, &settings, found);
        } else {
            print_grid_row(log2_norm, &settings, found);
        }
    }
    lutra_parameter_search_destroy(&search);
    if (status != LUTRA_OK && status != LUTRA_EINFEASIBLE) {
        lutra_json_destroy(&json);
        return cli_fail(command, status, &error);
    }
    const int code = options->common.json ? cli_print_json(command, &json) : CLI_EXIT_DONE;
    cli_warn_of_sharing(&options->common, command, settings.p_error);
    return code;
}

int cmd_params(int argc, char **argv) {
    Options options = {.grid = false};
    lutra_parameters_default(&options.settings);
    cli_parse(&argp, argc, argv, &options);
    return options.grid ? run_grid(&options) : run_one(&options);
}
