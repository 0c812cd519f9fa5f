/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/noise_options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/crypto_report.h"
#include "sim/circuit_parameters.h"

enum { KEY_NOISE = 0x4E01, KEY_NOISE_MODEL, KEY_NOISE_ROUNDING, KEY_REPEATS };

enum { MOST_REPEATS = 10000 };

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Noise (--mode noisy):", 5},
    {"noise", KEY_NOISE, "KIND", 0,
     "lookups (default): one draw for all noise of a look-up; sources: every encryption, "
     "keyswitch, modulus switch and bootstrap draws its own (slow); p-error=P: each look-up reads "
     "a neighbouring entry with probability P",
     5},
    {"noise-model", KEY_NOISE_MODEL, "MODEL", 0, "formulas: tfhe-rs (default) or concrete", 5},
    {"noise-rounding", KEY_NOISE_ROUNDING, "HOW", 0,
     "of sources: joint (default), as FHE rounds message and noise to ticks, or separate, as "
     "Concrete's simulator does",
     5},
    {"repeats", KEY_REPEATS, "R", 0, "runs with noise drawn anew each time (default 1)", 5},
    {0}};

static const char *const model_names[] = {"concrete", "tfhe-rs", NULL};
static const char *const rounding_names[] = {"joint", "separate", NULL};

static void parse_kind(LutraNoiseSettings *settings, const char *text, struct argp_state *state) {
    static const char *const kinds[] = {"lookups", "sources", NULL};
    static const char plain[] = "p-error=";
    if (strncmp(text, plain, sizeof plain - 1) == 0) {
        settings->kind = LUTRA_NOISE_P_ERROR;
        settings->p_error =
            cli_parse_f64(state, "--noise p-error", text + sizeof plain - 1, 0.0, 1.0);
        return;
    }
    settings->kind = cli_parse_word(state, "--noise", text, kinds) == 0 ? LUTRA_NOISE_LOOKUPS
                                                                        : LUTRA_NOISE_SOURCES;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    CliNoise *const noise = state->input;
    switch (key) {
        case ARGP_KEY_INIT:
            lutra_noise_settings_default(&noise->settings);
            noise->repeats = 1;
            noise->is_given = false;
            return 0;
        case KEY_NOISE: parse_kind(&noise->settings, argument, state); break;
        case KEY_NOISE_MODEL:
            noise->settings.model =
                (LutraNoiseModel)cli_parse_word(state, "--noise-model", argument, model_names);
            break;
        case KEY_NOISE_ROUNDING:
            noise->settings.rounds_separately =
                cli_parse_word(state, "--noise-rounding", argument, rounding_names) == 1;
            break;
        case KEY_REPEATS:
            noise->repeats = (uint32_t)cli_parse_u64(state, "--repeats", argument, 1, MOST_REPEATS);
            break;
        default: return ARGP_ERR_UNKNOWN;
    }
    noise->is_given = true;
    return 0;
}

const struct argp cli_noise_argp = {option_table, parse, NULL, NULL, NULL, NULL, NULL};

static const char *rounding_name(const CliNoise *noise) {
    return rounding_names[noise->settings.rounds_separately ? 1 : 0];
}

void cli_print_noise(const CliNoise *noise, const LutraCircuit *circuit) {
    const LutraNoiseSettings *const settings = &noise->settings;
    if (settings->kind == LUTRA_NOISE_P_ERROR) {
        printf("noise       each look-up reads a neighbouring entry with probability %g, seed "
               "%" PRIu64 "\n",
               settings->p_error, settings->seed);
        return;
    }
    if (settings->kind == LUTRA_NOISE_LOOKUPS) {
        printf("noise       one draw for each look-up");
    } else {
        printf("noise       drawn at every source, rounded %s",
               settings->rounds_separately ? "separately" : "jointly");
    }
    printf(", %s model, seed %" PRIu64 "\n", lutra_noise_model_name(settings->model),
           settings->seed);
    cli_print_circuit_parameters(circuit);
}

void cli_set_noise(LutraJson *object, const CliNoise *noise, const LutraCircuit *circuit) {
    const LutraNoiseSettings *const settings = &noise->settings;
    LutraJson *const member = lutra_json_set_object(object, "noise");
    lutra_json_set_text(member, "kind", lutra_noise_kind_name(settings->kind));
    if (settings->kind == LUTRA_NOISE_P_ERROR) {
        lutra_json_set_f64(member, "p_error", settings->p_error);
    } else {
        lutra_json_set_text(member, "model", lutra_noise_model_name(settings->model));
    }
    if (settings->kind == LUTRA_NOISE_SOURCES) {
        lutra_json_set_text(member, "rounding", rounding_name(noise));
    }
    lutra_json_set_i64(member, "seed", (int64_t)settings->seed);
    lutra_json_set_i64(member, "repeats", noise->repeats);
    if (settings->kind != LUTRA_NOISE_P_ERROR) {
        cli_set_circuit_parameters(lutra_json_set_array(object, "parameters"), circuit);
    }
}

double cli_noise_p_error(const CliNoise *noise, const LutraCircuit *circuit) {
    return noise->settings.kind == LUTRA_NOISE_P_ERROR ? 0.0 : lutra_circuit_worst_p_error(circuit);
}
