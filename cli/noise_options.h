/* SPDX-License-Identifier: Apache-2.0 */
/* Options of commands that simulate noise, and how they are shown. */
#ifndef LUTRA_CLI_NOISE_OPTIONS_H
#define LUTRA_CLI_NOISE_OPTIONS_H

#include "cli/cli.h"
#include "sim/circuit.h"
#include "sim/noise_plan.h"

typedef struct {
    LutraNoiseSettings settings; /* seed and repeat are set by the command */
    uint32_t repeats;            /* at least 1 */
    bool is_given;               /* whether any of the options was */
} CliNoise;

/** A child parser; its input is a CliNoise, which it fills with defaults first. */
extern const struct argp cli_noise_argp;

/** Two or three lines on stdout: which noise, from which parameters. */
void cli_print_noise(const CliNoise *noise, const LutraCircuit *circuit);

/** The same as an object "noise", and the crypto parameters as an array "parameters" where noise
 * follows from them. */
void cli_set_noise(LutraJson *object, const CliNoise *noise, const LutraCircuit *circuit);

/** The p_error that noise follows from, of the worst look-up; 0 if noise needs no parameters. */
double cli_noise_p_error(const CliNoise *noise, const LutraCircuit *circuit);

#endif
